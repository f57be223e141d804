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
from sim2seq.data.foreign.formats import MATLAB, hdf5_arrays, members, of_hdf5, of_zarr
from sim2seq.data.foreign.reading import Reading, id_of, listed, named_clock, natural
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import CURVE_SET, RecordError, shown

INPUTS = {"inputs", "input", "parameters", "params"}  # groups
PARTS_OF_RUN = {*INPUTS, "outputs", "output"}  # groups in a file that is one run


class Groups:
    """Runs of which each is a Dataset of its own. `opened`: name of the run -> a function that opens it; "": label."""

    runs_at_once = 1

    def __init__(self, opened: dict[str, Callable[[], xr.Dataset]], reading: Reading, label: str = "run"):
        self.names, self.reading = list(opened), reading
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
        return self.run(0).passed_by

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


def hdf5_groups(path: str, group: str) -> tuple[str, dict[str, Callable[[], xr.Dataset]]]:
    """The group with the arrays of an HDF5 file, or, where there is a group for each run, all of these."""
    with h5py.File(path, "r", locking="best-effort") as file:
        if CURVE_SET in file and not group:
            raise RecordError("an array file of this package: sim2seq ingest reads it")
        if group and not isinstance(file.get(group), h5py.Group):
            raise RecordError(f"no group {shown(group)}: it has {listed(sorted(file))}")
        place = group
        while True:
            held = file[place or "/"]
            inner = [name for name in members(held, h5py.Group) if has_arrays(held[name])]
            flat = [name for name in members(held, h5py.Dataset) if held[name].shape]
            parts = PARTS_OF_RUN & {name.lower() for name in members(held, h5py.Group)}
            if len(inner) != 1 or flat or parts:
                break
            place = f"{place}/{inner[0]}"
        shared = [f"{place}/{name}" for name in flat if axes_in(file[f"{place}/{name}"]) < 2]
        if not inner or len(shared) < len(flat):
            return place, {}
        if parts and not flat and (arrays := group_of_many(held)):
            return f"{place}/{arrays}", {}
        alike = [set(held[name]) for name in inner if name.lower() not in PARTS_OF_RUN]
        if parts and len(alike) > 1 and all(each == alike[0] for each in alike):
            raise RecordError(f"groups of equal arrays beside {listed(parts)}: --group NAME reads one")
        if parts:
            return place, {"": partial(of_hdf5, path, place or "/", [])}
        of_one_kind({f"{place}/{name}": set(file[f"{place}/{name}"]) for name in inner})
    runs = sorted((f"{place}/{name}" for name in inner), key=natural)
    return place, {name: partial(of_hdf5, path, name, shared) for name in runs}


def group_of_many(held: h5py.Group) -> str:
    """The group with arrays (runs, steps, ...) and times (steps,) beside groups of inputs (runs,); "": none."""
    held_in = {name: [each[key] for key in members(each, h5py.Dataset)] for name, each in inner_of(held).items()}
    shapes = {each.shape for name, found in held_in.items() if name.lower() in INPUTS for each in found} - {()}
    others = [name for name in held_in if name.lower() not in INPUTS and has_arrays(held[name])]
    if len(shapes) != 1 or len(others) != 1:
        return ""
    arrays = held_in[others[0]]
    clock = named_clock([each.name.rpartition("/")[2] for each in arrays if each.ndim == 1])
    expected = (*shapes.pop(), held[others[0]][clock].size if clock else 0)
    large = {each.shape[:2] for each in arrays if each.ndim > 1}
    return others[0] if large == {expected} and len(set(expected)) > 1 else ""


def axes_in(dataset: h5py.Dataset) -> int:
    """How many axes an array has; MATLAB gives two to every one."""
    return sum(size > 1 for size in dataset.shape) if MATLAB in dataset.attrs else dataset.ndim


def has_arrays(group: h5py.Group) -> bool:
    """Whether a group, or one in it, has an array."""
    return bool(group.visititems(lambda name, each: True if isinstance(each, h5py.Dataset) and each.shape else None))


def of_one_kind(runs: dict[str, set[str]]) -> None:
    """Raise RecordError where groups have nothing in common, so that they are no runs."""
    if not set.intersection(*runs.values()):
        raise RecordError(f"which of the groups {listed(sorted(runs))} holds the runs? --group NAME says it")


def zarr_groups(path: str, group: str) -> tuple[str, dict[str, Callable[[], xr.Dataset]]]:
    """As `hdf5_groups`, of a Zarr store."""
    import zarr

    place = group
    while True:
        held = zarr.open_group(path, mode="r", path=place or None)
        inner, flat = dict(held.groups()), dict(held.arrays())
        if len(inner) != 1 or flat:
            break
        place = f"{place}/{next(iter(inner))}".strip("/")
    if not inner or flat:
        return place, {}
    runs = {f"{place}/{name}".strip("/"): set(each.array_keys()) for name, each in inner.items()}
    of_one_kind(runs)
    return place, {name: partial(of_zarr, path, name) for name in sorted(runs, key=natural)}


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
