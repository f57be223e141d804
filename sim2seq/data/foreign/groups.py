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
from sim2seq.data.foreign.axes import UNNAMED, named, text_of
from sim2seq.data.foreign.reading import Reading, id_of, listed, named_clock, natural
from sim2seq.data.foreign.tidy import decoded
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import CURVE_SET, RecordError, shown

HARMLESS: dict[str, Any] = {"decode_times": False, "decode_timedelta": False, "cache": False}
MATLAB = "MATLAB_class"  # an attribute of each array that MATLAB 7.3 writes
NETCDF = "_NCProperties"  # an attribute of files in HDF5 that NetCDF's libraries write
INPUTS = {"inputs", "input", "parameters", "params"}  # groups
HIDDEN = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates")
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


def members(group: h5py.Group, kind: type) -> list[str]:
    """The names of the groups, or of the datasets, in a group."""
    return [name for name, each in group.items() if isinstance(each, kind) and not name.startswith("#")]  # MATLAB's own


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


def of_hdf5(path: str, group: str, shared: list[str]) -> xr.Dataset:
    """A group with one run, read as a whole with the groups in it, and the datasets that all runs share."""
    with h5py.File(path, "r", locking="best-effort") as file:
        found, attributes = {name.rpartition("/")[2]: file[name] for name in shared}, dict(file[group].attrs)

        def visit(name: str, each) -> None:
            if name.startswith("#"):  # MATLAB's own
                return
            if isinstance(each, h5py.Group):
                attributes.update(each.attrs)
            else:
                short = name.rpartition("/")[2]
                found[name.replace("/", "_") if short in found else short] = each

        file[group].visititems(visit)
        variables, netcdf = {name: of_dataset(each) for name, each in found.items()}, NETCDF in file.attrs
    told = {str(name): value for name, value in attributes.items()}
    data = of_matlab(xr.Dataset(variables, attrs=told))
    return decoded(data, netcdf=netcdf)


def of_matlab(data: xr.Dataset) -> xr.Dataset:
    """The Dataset, where MATLAB 7.3 wrote it, with the arrays as MATLAB has them, without axes of length 1; in memory.

    HDF5 has MATLAB's axes in reverse order, and letters as numbers.
    """
    classes = {str(name): text_of(each.attrs[MATLAB]) for name, each in data.variables.items() if MATLAB in each.attrs}
    if not classes:
        return data
    arrays = {}
    for name, each in data.variables.items():
        values, kind = np.asarray(each.values), classes.get(str(name))
        if kind == "char":
            values = np.array(["".join(map(chr, row)).strip() for row in np.atleast_2d(values.T)])
        elif values.dtype.kind == "O":  # of cells
            kind = None
        arrays[str(name)] = values.T.squeeze() if kind else values
    arrays = {name: each for name, each in arrays.items() if "MATLAB_empty" not in data[name].attrs}
    made = named(arrays).assign_attrs(data.attrs)
    for name in arrays:
        made[name].attrs.update(data[name].attrs)
    return made


def of_dataset(dataset: h5py.Dataset) -> xr.Variable:
    """A dataset as a variable; axes without a scale are named by their size."""
    texts = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.kind == "O" and not texts and MATLAB not in dataset.attrs:
        raise RecordError(f"{shown(dataset.name)}: expected numbers or texts, got arrays of unequal lengths")
    values = np.asarray(dataset.asstr()[()] if texts else dataset[()])
    dims, seen = [], set[str]()
    for size, axis in zip(dataset.shape, dataset.dims, strict=True):
        name = axis[0].name.rpartition("/")[2] if len(axis) else f"{UNNAMED}{size}"
        name = dataset.name.rpartition("/")[2] if dataset.is_scale and dataset.ndim == 1 else name
        while name in seen:
            name += "_2"
        seen.add(name)
        dims.append(name)
    told = {name: dataset.attrs[name] for name in dataset.attrs if name.isidentifier() and name.isascii()}
    told = {name: text_of(value) if isinstance(value, bytes) else value for name, value in told.items()}
    return xr.Variable(dims, values, {name: each for name, each in told.items() if name not in HIDDEN})


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


def of_zarr(path: str, group: str) -> xr.Dataset:
    try:
        return xr.open_dataset(path, engine="zarr", group=group or None, consolidated=False, **HARMLESS)
    except KeyError:  # the axes have no names
        return zarr_without_names(path, group)


def zarr_without_names(path: str, group: str) -> xr.Dataset:
    import zarr

    held = zarr.open_group(path, mode="r", path=group or None)
    arrays = dict(held.arrays())
    data = named({name: np.asarray(each[...]) for name, each in arrays.items()}).assign_attrs(dict(held.attrs))
    for name, each in arrays.items():
        data[name].attrs.update(each.attrs)
    return data


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


def hdf5_arrays(path: str, group: str) -> xr.Dataset:
    """The arrays in a group of an HDF5 file, unread."""
    with h5py.File(path, "r", locking="best-effort") as file:
        netcdf = NETCDF in file.attrs
    data = xr.open_dataset(path, engine="h5netcdf", group=group or None, phony_dims="access", **HARMLESS)
    return decoded(of_matlab(data), netcdf=netcdf)
