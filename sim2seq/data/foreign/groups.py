"""Groups: files with a group for each run, in HDF5, NetCDF 4 or Zarr; a group's attributes are inputs of its run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

import h5py
import numpy as np
import xarray as xr

from sim2seq.data.arrays import Block
from sim2seq.data.foreign.axes import UNNAMED, text_of
from sim2seq.data.foreign.reading import Reading, id_of, listed, natural
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import CURVE_SET, RecordError, shown

NUMBERS_AND_TEXTS = "biufOS"


class Groups:
    """Runs of which each is a Dataset of its own. `opened`: name of the run -> a function that opens it."""

    runs_at_once = 1

    def __init__(self, opened: dict[str, Callable[[], xr.Dataset]], reading: Reading):
        self.names, self.reading = list(opened), reading
        self.ids = [id_of(name.strip("/").rpartition("/")[2]) for name in self.names]
        self._opened = opened
        self.run = lru_cache(maxsize=2)(self._run)

    def _run(self, row: int) -> Wide:
        name = self.names[row]
        try:
            found = Wide.of(self._opened[name](), self.ids[row], self.reading, one_run=True)
            return found
        except RecordError as error:
            raise RecordError(f"group {shown(name)}: {error}") from error

    @cached_property
    def series(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        return self.run(0).series

    @property
    def numbers(self) -> int:
        """How many numbers there are, if all runs are like the first one."""
        return self.run(0).numbers * len(self.ids)

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
        block = found.block([0])
        return Block({name: block.series[name] for name in self.series}, block.times, block.lengths)


def hdf5_groups(path: str, group: str) -> tuple[str, dict[str, Callable[[], xr.Dataset]]]:
    """The group with the arrays of an HDF5 file, or, where there is a group for each run, all of these."""
    with h5py.File(path, "r", locking="best-effort") as file:
        if CURVE_SET in file and not group:
            raise RecordError("an array file of this package: sim2seq ingest reads it")
        if group and not isinstance(file.get(group), h5py.Group):
            raise RecordError(f"no group {shown(group)}: it has {listed(file)}")
        place, runs = group, dict[str, set[str]]()
        while True:
            held = file[place or "/"]
            inner = {name: each for name, each in held.items() if isinstance(each, h5py.Group)}
            flat = [name for name, each in held.items() if isinstance(each, h5py.Dataset) and each.shape]
            if len(inner) != 1 or flat:
                break
            place = f"{place}/{next(iter(inner))}"
        runs = {f"{place}/{name}": set(each) for name, each in inner.items()}
        shared = [name for name in flat if file[f"{place}/{name}"].ndim < 2]
        if not runs or len(shared) < len(flat):
            return place, {}
        of_one_kind(runs)
    common = [f"{place}/{each}" for each in shared]
    return place, {name: partial(of_hdf5, path, name, common) for name in sorted(runs, key=natural)}


def of_one_kind(runs: dict[str, set[str]]) -> None:
    """Raise RecordError where groups have nothing in common, so that they are no runs."""
    if not set.intersection(*runs.values()):
        raise RecordError(f"which of the groups {listed(runs)} holds the runs? --group NAME says it")


def of_hdf5(path: str, group: str, shared: list[str]) -> xr.Dataset:
    """A group with one run, read as a whole, and the datasets that all runs share."""
    with h5py.File(path, "r", locking="best-effort") as file:
        held = file[group]
        found = {name.rpartition("/")[2]: file[name] for name in shared}
        found |= {name: each for name, each in held.items() if isinstance(each, h5py.Dataset)}
        variables = {name: of_dataset(each) for name, each in found.items() if each.dtype.kind in NUMBERS_AND_TEXTS}
        attributes = {str(name): value for name, value in held.attrs.items()}
    return xr.decode_cf(xr.Dataset(variables, attrs=attributes), decode_times=False, decode_timedelta=False)


def of_dataset(dataset: h5py.Dataset) -> xr.Variable:
    """A dataset as a variable; axes without a scale are named by their size."""
    texts = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.kind == "O" and not texts:
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


HIDDEN = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates")


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
    options: dict[str, Any] = {"decode_times": False, "decode_timedelta": False}
    return xr.open_dataset(path, engine="zarr", group=group, consolidated=False, **options)
