"""Npz: NumPy's files of arrays, of which those that are not compressed stay on disk until they are needed."""

from __future__ import annotations

import zipfile
from struct import unpack

import numpy as np
from numpy.lib import format as npy

from sim2seq.data.records import RecordError

LOCAL_HEADER = 30  # bytes of a zip file's header of a member, before its name


def arrays(path: str) -> dict[str, np.ndarray]:
    """The arrays in an .npz file. Raises RecordError for arrays of Python's objects, which could run anything."""
    found = {}
    with zipfile.ZipFile(path) as file:
        for member in file.infolist():
            if member.filename.endswith(".npy"):
                found[member.filename.removesuffix(".npy")] = of_member(path, file, member)
    if not found:
        raise RecordError(f"{path}: a zip file without arrays of NumPy")
    return found


def of_member(path: str, file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, mapped where it is not compressed."""
    with file.open(member) as content:
        shape, fortran, dtype = header(content)
        if dtype.hasobject:
            name = member.filename.removesuffix(".npy")
            raise RecordError(
                f"{name} holds objects of Python, such as arrays of unequal lengths: expected numbers or texts"
            )
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


def array(path: str) -> np.ndarray:
    """The array in an .npy file, mapped. Raises ValueError where it holds objects."""
    return np.load(path, mmap_mode="r", allow_pickle=False)
