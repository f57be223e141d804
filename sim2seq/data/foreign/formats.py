"""Formats: a file of arrays, or a group in one, as a Dataset, by the library that knows its kind."""

from __future__ import annotations

import zipfile
from collections import Counter
from struct import unpack
from typing import Any

import h5py
import numpy as np
import scipy.io
import xarray as xr
from numpy.lib import format as npy

from sim2seq.data.foreign.tidy import decoded
from sim2seq.data.records import RecordError, shown

HARMLESS: dict[str, Any] = {"decode_times": False, "decode_timedelta": False, "cache": False}
UNNAMED = "phony_dim_"  # how h5netcdf calls the axes of arrays without named dimensions, and `named` here
MATLAB = "MATLAB_class"  # an attribute of each array that MATLAB 7.3 writes
NETCDF = "_NCProperties"  # an attribute of files in HDF5 that NetCDF's libraries write
HIDDEN = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates")
LOCAL_HEADER = 30  # bytes of a zip file's header of a member, before its name


def opened(path: str, kind: str, group: str = "") -> tuple[xr.Dataset, list[str]]:
    """A file of arrays as a Dataset, unread, with times as they stand there; and the names of what else it holds."""
    if kind == "npz":
        arrays, others = npz_arrays(path)
        return named(arrays), others
    if kind == "npy":
        return named({"values": np.load(path, mmap_mode="r", allow_pickle=False)}), []
    if kind == "mat":
        arrays = {name: np.asarray(each) for name, each in scipy.io.loadmat(path, squeeze_me=True).items()}
        others = [name for name, each in arrays.items() if each.dtype.kind not in "biufU" and not name.startswith("__")]
        return named({name: arrays[name] for name in arrays if name[:2] != "__" and name not in others}), others
    if kind == "netcdf3":
        return decoded(xr.open_dataset(path, engine="scipy", **HARMLESS)), []
    return hdf5_arrays(path, group) if kind == "hdf5" else of_zarr(path, group), []


def npz_arrays(path: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays in an .npz file; and the names of those of Python's objects, which could run anything: never read.

    Raises RecordError where there is no other.
    """
    found = {}
    with zipfile.ZipFile(path) as file:
        for member in file.infolist():
            if member.filename.endswith(".npy"):
                found[member.filename.removesuffix(".npy")] = of_member(path, file, member)
    if not found:
        raise RecordError("a zip file without arrays of NumPy; save a spreadsheet as CSV")
    arrays = {name: each for name, each in found.items() if each is not None}
    if not arrays:
        what = "holds objects of Python, such as arrays of unequal lengths: expected numbers or texts"
        raise RecordError(f"{next(iter(found))} {what}")
    return arrays, [name for name in found if name not in arrays]


def of_member(path: str, file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray | None:
    """One array, mapped where it is not compressed; None for one of Python's objects."""
    with file.open(member) as content:
        shape, fortran, dtype = header(content)
        if dtype.hasobject:
            return None
        begin = content.tell()
        if member.compress_type != zipfile.ZIP_STORED or 0 in shape or not shape:
            content.seek(0)
            return npy.read_array(content, allow_pickle=False)
    with open(path, "rb") as whole:
        whole.seek(member.header_offset)
        lengths = unpack("<HH", whole.read(LOCAL_HEADER)[-4:])
    offset = member.header_offset + LOCAL_HEADER + sum(lengths) + begin
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def header(content) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an array."""
    version = npy.read_magic(content)
    return npy.read_array_header_1_0(content) if version == (1, 0) else npy.read_array_header_2_0(content)


def hdf5_arrays(path: str, group: str) -> xr.Dataset:
    """The arrays in a group of an HDF5 file, unread."""
    with h5py.File(path, "r", locking="best-effort") as file:
        netcdf, held = NETCDF in file.attrs, file[group or "/"]
        found = {name: held[name] for name in members(held, h5py.Dataset)}
        if partly := any(map(is_partly_named, found.values())):  # which NetCDF's libraries do not read
            data = of_datasets(found).assign_attrs({str(name): value for name, value in held.attrs.items()})
    if not partly:
        data = xr.open_dataset(path, engine="h5netcdf", group=group or None, phony_dims="access", **HARMLESS)
    return decoded(of_matlab(data), netcdf=netcdf)


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
        data, netcdf = of_datasets(found), NETCDF in file.attrs
    told = {str(name): value for name, value in attributes.items()}
    return decoded(of_matlab(data.assign_attrs(told)), netcdf=netcdf)


def is_partly_named(dataset: h5py.Dataset) -> bool:
    """Whether some axes of an array have a scale, others none."""
    return len({len(axis) > 0 for axis in dataset.dims}) > 1 and not dataset.is_scale


def of_datasets(found: dict[str, h5py.Dataset]) -> xr.Dataset:
    """Datasets as variables, in memory; an axis without a scale is along the only scale that is as long, if any."""
    scales = [(each.size, each.name.rpartition("/")[2]) for each in found.values() if each.is_scale and each.ndim == 1]
    sizes = Counter(size for size, _ in scales)
    names = {size: name for size, name in scales if sizes[size] == 1}
    return xr.Dataset({name: of_dataset(each, names) for name, each in found.items()})


def of_dataset(dataset: h5py.Dataset, names: dict[int, str]) -> xr.Variable:
    """A dataset as a variable; `names`: of axes without a scale, by their size, which else names them."""
    texts = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.kind == "O" and not texts and MATLAB not in dataset.attrs:
        raise RecordError(f"{shown(dataset.name)}: expected numbers or texts, got arrays of unequal lengths")
    values = np.asarray(dataset.asstr()[()] if texts else dataset[()])
    dims, seen = [], set[str]()
    for size, axis in zip(dataset.shape, dataset.dims, strict=True):
        name = axis[0].name.rpartition("/")[2] if len(axis) else names.get(size, f"{UNNAMED}{size}")
        name = dataset.name.rpartition("/")[2] if dataset.is_scale and dataset.ndim == 1 else name
        while name in seen:
            name += "_2"
        seen.add(name)
        dims.append(name)
    told = {name: dataset.attrs[name] for name in dataset.attrs if name.isidentifier() and name.isascii()}
    told = {name: text_of(value) if isinstance(value, bytes) else value for name, value in told.items()}
    return xr.Variable(dims, values, {name: each for name, each in told.items() if name not in HIDDEN})


def members(group: h5py.Group, kind: type) -> list[str]:
    """The names of the groups, or of the datasets, in a group."""
    return [name for name, each in group.items() if isinstance(each, kind) and not name.startswith("#")]  # MATLAB's own


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


def of_zarr(path: str, group: str) -> xr.Dataset:
    """The arrays in a group of a Zarr store, unread where their axes have names."""
    import zarr

    held = zarr.open_group(path, mode="r", path=group or None)
    way: dict[str, Any] = HARMLESS | {"consolidated": False, "mask_and_scale": False}
    try:
        data = xr.open_dataset(path, engine="zarr", group=group or None, **way)
    except KeyError:  # the axes have no names
        return zarr_without_names(held)
    for each in data.variables.values() if held.metadata.zarr_format == 2 else ():
        if np.array_equal(each.attrs.get("_FillValue", 1), 0):  # Zarr's own default, no sign of a gap
            del each.attrs["_FillValue"]
    return decoded(data, netcdf=False)


def of_zarr_run(path: str, group: str, shared: list[str]) -> xr.Dataset:
    """A group of a Zarr store with one run and the groups in it, and the arrays that all runs share."""
    import zarr

    held = zarr.open_group(path, mode="r", path=group or None)
    below = sorted(name for name, each in held.members(max_depth=None) if isinstance(each, zarr.Group))
    last, above = group.strip("/"), shared[0].rpartition("/")[0] if shared else ""
    names = [name.rpartition("/")[2] for name in shared]
    found = {"/": of_zarr(path, above)[names]} if shared else {}
    found |= {name: of_zarr(path, f"{last}/{name}".strip("/")) for name in ("", *below)}
    return flattened(found)


def flattened(groups: dict[str, xr.Dataset]) -> xr.Dataset:
    """A group with those in it, by their names, as one Dataset; what has a name that is taken gets that of its group.

    An axis of another length than the one of its name before gets the name of its group too.
    """
    variables, sizes, told = dict[str, xr.Variable](), dict[Any, int](), dict[Any, Any]()
    for group, each in groups.items():
        prefix = group.strip("/").replace("/", "_")
        other = {axis: f"{prefix}_{axis}" for axis, size in each.sizes.items() if sizes.get(axis, size) != size}
        for name, held in each.variables.items():
            new = held.to_base_variable().copy(deep=False)
            new.dims = tuple(other.get(axis, axis) for axis in held.dims)
            name = str(other.get(name, name))
            if name not in variables or not variables[name].equals(new):
                variables[f"{prefix}_{name}" if name in variables else name] = new
        sizes |= {other.get(axis, axis): size for axis, size in each.sizes.items()}
        told |= each.attrs
    return xr.Dataset(variables, attrs=told)


def zarr_without_names(held) -> xr.Dataset:
    """The arrays in a group of a Zarr store, in memory."""
    arrays = dict(held.arrays())
    data = named({name: np.asarray(each[...]) for name, each in arrays.items()}).assign_attrs(dict(held.attrs))
    for name, each in arrays.items():
        data[name].attrs.update(each.attrs)
    return data


def named(arrays: dict[str, np.ndarray]) -> xr.Dataset:
    """Arrays without named dimensions as a Dataset: axes of one size are one dimension."""
    variables = {}
    for name, array in arrays.items():
        seen: Counter[int] = Counter()
        dims = []
        for size in array.shape:
            seen[size] += 1
            dims.append(f"{UNNAMED}{size}" + (f"_{seen[size]}" if seen[size] > 1 else ""))
        variables[name] = (dims, array)
    return xr.Dataset(variables)


def with_fields(data: xr.Dataset) -> xr.Dataset:
    """The Dataset with the fields of tables, arrays of records, as variables of their own."""
    tables = {name: each for name, each in data.variables.items() if each.dtype.names and each.ndim == 1}
    apart = {
        field: (each.dims, each.values[field])
        for each in tables.values()
        for field in each.dtype.names
        if not each.dtype[field].shape and field not in data.variables
    }
    return data.drop_vars(tables).assign(apart) if tables else data


def text_of(value) -> str:
    """A text that a file holds as text or bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
