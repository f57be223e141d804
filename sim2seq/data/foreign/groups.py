"""Groups: files with a group for each run, in HDF5, NetCDF 4 or Zarr; a group's attributes are inputs of its run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property, lru_cache, partial
from typing import Any

import h5py
import numpy as np
import xarray as xr

from sim2seq.data.arrays import Block
from sim2seq.data.foreign.formats import MATLAB, hdf5_arrays, members, of_hdf5, of_zarr, of_zarr_run
from sim2seq.data.foreign.reading import Reading, id_of, listed, named_clock, natural
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import CURVE_SET, RecordError, shown

INPUTS = {"inputs", "input", "parameters", "params"}  # groups
PARTS_OF_RUN = {*INPUTS, "outputs", "output"}  # groups in a file that is one run


class Groups:
    """Runs of which each is a Dataset of its own. `opened`: name of the run -> a function that opens it; "": label.

    others   the names of what is beside these groups and is passed by
    """

    runs_at_once = 1

    def __init__(self, opened: dict[str, Callable[[], xr.Dataset]], reading: Reading, label: str = "run", others=()):
        self.names, self.reading, self.others = list(opened), reading, others
        self.ids = [id_of(name.strip("/").rpartition("/")[2] or label) for name in self.names]
        self._opened = opened
        self.run = lru_cache(maxsize=2)(self._run)

    def _run(self, row: int) -> Wide:
        name = self.names[row]
        try:
            return Wide.of(self._opened[name](), self.ids[row], self.reading, one_run=True)
        except RecordError as error:
            raise RecordError(f"group {shown(name)}: {error}") from error

    @cached_property
    def series(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        return self.run(0).series

    @property
    def numbers(self) -> int:
        """How many numbers there are, if all runs are like the first one."""
        return self.run(0).numbers * len(self.ids)

    @property
    def passed_by(self) -> list[str]:
        return [*self.run(0).passed_by, *self.others]

    def inputs_of(self, row: int) -> dict:
        return self.run(row).inputs_of(0)

    def units_of(self, row: int) -> dict[str, str]:
        return self.run(row).units_of(0)

    def block(self, rows: list[int]) -> Block:
        """The series of one run. Raises RecordError where they are not those of the first one."""
        found = self.run(rows[0])
        if found.series.keys() != self.series.keys():
            what = f"series {listed(found.series)}, the first one {listed(self.series)}"
            raise RecordError(f"group {shown(self.names[rows[0]])} has the {what}: --features says which to read")
        for name, (shape, _) in found.series.items():
            if shape != (first := self.series[name][0]):
                what = f"{shown(name)} of shape {shape} at a step, the first one of {first}"
                raise RecordError(f"group {shown(self.names[rows[0]])} has {what}: expected one shape in all runs")
        block = found.block([0])
        return Block({name: block.series[name] for name in self.series}, block.times, block.lengths)


def groups_of(path: str, kind: str, group: str) -> tuple[str, dict[str, Callable[[], xr.Dataset]], list[str]]:
    """The group with the arrays of HDF5 or Zarr, or, where there is a group for each run, all of these.

    And the names of the groups beside them that are no runs, or hold no arrays, as that of a run that crashed.
    """
    with root_of(path, kind) as root:
        if kind == "hdf5" and CURVE_SET in root and not group:
            raise RecordError("an array file of this package: sim2seq ingest reads it")
        if group and not is_group(root, group):
            raise RecordError(f"no group {shown(group)}: it has {listed(sorted(root))}")
        place, others = descended(root, group)
        held = root[place] if place else root
        found, arrays = inner_of(held), arrays_in(held)
        inner = [name for name, each in found.items() if has_arrays(each)]
        parts = PARTS_OF_RUN & {name.lower() for name in found}
        inner = inner if parts else along_clock({name: found[name] for name in inner}, arrays)
        shared = [f"{place}/{name}".strip("/") for name, each in arrays.items() if axes_in(each) < 2]
        if not inner or len(shared) < len(arrays):
            return place, {}, others
        if parts and not arrays and (many := group_of_many(held)):
            return f"{place}/{many}".strip("/"), {}, others
        groups = {f"/{place}/{name}".replace("//", "/"): set(found[name]) for name in inner}
        runs = alike({name: each for name, each in groups.items() if not is_part(name)}, parts)
        if parts:
            return place, {"": partial(OPENED[kind], path, place or "/", [])}, others
        left = {name: each for name, each in found.items() if name not in inner}
        others += [name if has_arrays(each) else f"{name} (no arrays)" for name, each in left.items()]
    others += [name.rpartition("/")[2] for name in groups if name not in runs]
    return place, {name: partial(OPENED[kind], path, name, shared) for name in sorted(runs, key=natural)}, others


def descended(root, group: str) -> tuple[str, list[str]]:
    """The group that holds several groups with arrays, or arrays, or parts of a run; and what is beside the way."""
    place, others = group.strip("/"), list[str]()
    while True:
        held = root[place] if place else root
        found = inner_of(held)
        inner = [name for name, each in found.items() if has_arrays(each)]
        if len(inner) != 1 or arrays_in(held) or PARTS_OF_RUN & {name.lower() for name in found}:
            return place, others
        others += [f"{name} (no arrays)" for name in found if name not in inner]
        place = f"{place}/{inner[0]}".strip("/")


def alike(groups: dict[str, set[str]], parts) -> list[str]:
    """Those of some groups that are runs: more than one, with arrays in common; others have none of these, as a mesh.

    groups   name -> the names in it; `parts`: the groups beside them that are parts of one run
    Raises RecordError where more than one kind of group could be the runs, or none.
    """
    if parts:
        if len(groups) > len({frozenset(held) for held in groups.values()}):
            raise RecordError(f"groups of equal arrays beside {listed(parts)}: --group NAME reads one")
        return list(groups)
    kinds = [[name for name in groups if held & groups[name]] for held in groups.values()]
    kinds = [list(names) for names in dict.fromkeys(map(tuple, kinds)) if len(names) > 1 or len(groups) == 1]
    if len(kinds) != 1 or not set.intersection(*(groups[name] for name in kinds[0])):
        raise RecordError(f"which of the groups {listed(sorted(groups))} holds the runs? --group NAME says it")
    return kinds[0]


def group_of_many(held) -> str:
    """The group with arrays (runs, steps, ...) and times (steps,) beside groups of inputs (runs,); "": none."""
    held_in = {name: arrays_in(each) for name, each in inner_of(held).items()}
    shapes = {each.shape for name, found in held_in.items() if name.lower() in INPUTS for each in found.values()}
    others = [name for name in held_in if name.lower() not in INPUTS and has_arrays(held[name])]
    if len(shapes) != 1 or len(others) != 1:
        return ""
    arrays = held_in[others[0]]
    clock = named_clock([name for name, each in arrays.items() if each.ndim == 1])
    expected = (*shapes.pop(), arrays[clock].size if clock else 0)
    large = {each.shape[:2] for each in arrays.values() if each.ndim > 1}
    return others[0] if large == {expected} and len(set(expected)) > 1 else ""


def axes_in(array) -> int:
    """How many axes an array has; MATLAB gives two to every one."""
    return sum(size > 1 for size in array.shape) if MATLAB in array.attrs else array.ndim


def arrays_in(group) -> dict[str, Any]:
    """Name -> array in a group of HDF5 or Zarr, without single numbers."""
    names = members(group, h5py.Dataset) if isinstance(group, h5py.Group) else group.array_keys()
    return {name: each for name in names if (each := group[name]).shape}


def has_arrays(group) -> bool:
    """Whether a group, or one in it, has an array."""
    return bool(arrays_in(group)) or any(map(has_arrays, inner_of(group).values()))


def along_clock(groups: dict[str, Any], shared: dict[str, Any]) -> list[str]:
    """Those of some groups that may be runs: with times, or with something along the times beside them, if any."""
    clock = named_clock([name for name, each in shared.items() if each.ndim == 1])
    if not clock:
        return list(groups)
    steps = shared[clock].size
    return [name for name, each in groups.items() if named_clock(list(each)) or has_axis(each, steps)]


def has_axis(group, size: int) -> bool:
    """Whether an array in a group, or in one in it, is so long along one of its axes."""
    arrays = any(size in each.shape for each in arrays_in(group).values())
    return arrays or any(has_axis(each, size) for each in inner_of(group).values())


def is_part(name: str) -> bool:
    """Whether a group is named as a part of a run."""
    return name.rpartition("/")[2].lower() in PARTS_OF_RUN


def is_group(root, name: str) -> bool:
    """Whether there is a group of this name."""
    return name in root and not hasattr(root[name], "shape")


OPENED = {"hdf5": of_hdf5, "zarr": of_zarr_run}  # a group as one run


def groups_beside(path: str, kind: str, place: str) -> dict[str, xr.Dataset | None]:
    """Name -> group in that with the arrays of a file, or with inputs beside it, unread; None for others."""
    if kind not in ("hdf5", "zarr"):
        return {}
    read, (above, _, own) = hdf5_arrays if kind == "hdf5" else of_zarr, place.strip("/").rpartition("/")
    with root_of(path, kind) as root:
        names = groups_in(root[place] if own else root)
        beside = groups_in(root[above] if above else root) if own else []
    beside = [name for name in beside if name.partition("/")[0].lower() in INPUTS - {own.lower()}]
    found = {name: inputs_beside(read, path, above, name) for name in beside}
    return found | {name: inputs_beside(read, path, place, name) for name in names}


def root_of(path: str, kind: str):
    """A file of groups, for a with statement."""
    if kind == "hdf5":
        return h5py.File(path, "r", locking="best-effort")
    import zarr

    return nullcontext(zarr.open_group(path, mode="r"))


def groups_in(group) -> list[str]:
    """The names of the groups in a group, and of those in groups with inputs."""
    parts = {name: each for name, each in inner_of(group).items() if name.lower() in PARTS_OF_RUN}
    return [*inner_of(group), *(f"{name}/{each}" for name, part in parts.items() for each in groups_below(part))]


def groups_below(group) -> list[str]:
    """The names of the groups in a group, and in these, and so on."""
    inner = inner_of(group)
    return [*inner, *(f"{name}/{below}" for name, each in inner.items() for below in groups_below(each))]


def inner_of(group) -> dict[str, Any]:
    """Name -> group in a group of HDF5 or Zarr."""
    names = members(group, h5py.Group) if isinstance(group, h5py.Group) else [name for name, _ in group.groups()]
    return {name: group[name] for name in names}


def inputs_beside(read: Callable[[str, str], xr.Dataset], path: str, place: str, name: str) -> xr.Dataset | None:
    """A group with inputs; None for other groups, and for those that no library reads."""
    if name.partition("/")[0].lower() not in PARTS_OF_RUN:
        return None
    try:
        return read(path, f"{place}/{name}".strip("/"))
    except Exception:  # of what was of no use so far, libraries raise whatever they like
        return None
