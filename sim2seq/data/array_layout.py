"""The layout of an array file, and the checks without which no number of it is read.

The HDF5 library crashes on some files, follows links, and promises more than is there; what passes `opened` is stored
as sim2seq/data/arrays.py writes it, in the file itself.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import h5py
import numpy as np

from sim2seq.data.records import CURVE_SET, TIME, WITHOUT_UNIT, RecordError, check_word

IDS, DATA, LENGTH = "id", "data", "length"
UNITS = "units"  # attribute of a column
TYPES = tuple(map(np.dtype, ("u1", "i1", "i2", "f4", "f8")))  # of the numbers of a series
MOST_COLUMNS = 10_000
MOST_FEATURES = 1_000_000
RUNS_AT_ONCE = 1024
NUMBERS_AT_ONCE = 8_000_000  # 64 MB once they are 64-bit


@dataclass(frozen=True)
class Layout:
    """What the series of an array file are.

    runs, steps   of the file; `steps` is that of its longest run
    series        name -> (shape of a step, type of its numbers), `time` apart
    """

    runs: int
    steps: int
    series: dict[str, tuple[tuple[int, ...], np.dtype]]

    @cached_property
    def features(self) -> dict[str, tuple[str, ...]]:
        """The features that each series becomes: NAME, or NAME[0,0], NAME[0,1], ... in row-major order."""
        return {name: features_of(name, shape) for name, (shape, _) in self.series.items()}

    @property
    def runs_at_once(self) -> int:
        """How many runs are read together."""
        numbers = self.steps * sum(math.prod(shape) for shape, _ in self.series.values())
        return max(1, min(RUNS_AT_ONCE, NUMBERS_AT_ONCE // numbers))

    def types_of(self, features) -> set[np.dtype]:
        """The types of the series that have one of these features."""
        return {self.series[name][1] for name, held in self.features.items() if not set(held).isdisjoint(features)}


def features_of(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The features of a series, in row-major order."""
    if not shape:
        return (name,)
    return tuple(f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(shape))


@contextmanager
def opened(path) -> Iterator[tuple[h5py.File, Layout]]:
    """An array file, checked in all but its numbers, and its layout.

    Whatever the HDF5 library raises becomes a RecordError of one line.
    """
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file, check_layout(path, file)
    except RecordError:
        raise
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such array file; was the study moved?") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RecordError(f"{path}: not an array file, or damaged ({reason})") from error


def check_layout(path, file) -> Layout:
    """The layout of a file with the format's datasets, in shapes that fit, in itself alone. Raises RecordError."""
    for where, kind in ((IDS, h5py.Dataset), (DATA, h5py.Group), (CURVE_SET, h5py.Group)):
        if not isinstance(own(path, file, where), kind):
            raise RecordError(f"{path}: expected {where!r} to be a {kind.__name__.lower()}")
    if len(file[DATA]) + len(file[CURVE_SET]) > MOST_COLUMNS:
        raise RecordError(f"{path}: expected up to {MOST_COLUMNS} columns")
    for name in [*file[DATA], *file[CURVE_SET]]:
        check_word(path, "name of a column", name)
    runs, time = file[IDS].shape, own(path, file[CURVE_SET], TIME)
    if len(runs) != 1 or runs[0] < 1 or not is_text(file[IDS].dtype):
        raise RecordError(f"{path}: expected {IDS!r} to be one text a run, got shape {runs} of {file[IDS].dtype}")
    if not isinstance(time, h5py.Dataset) or len(time.shape) != 1 or time.shape[0] < 1 or time.dtype.kind != "f":
        raise RecordError(f"{path}: expected {CURVE_SET}/{TIME} to be one floating-point number a step")
    columns = {f"{DATA}/{name}": own(path, file[DATA], name) for name in file[DATA]}
    if LENGTH in list(file):
        columns[LENGTH] = own(path, file, LENGTH)
    for name, found in columns.items():
        if not isinstance(found, h5py.Dataset) or found.shape != runs:
            raise RecordError(f"{path}: {name}: expected numbers or words of shape {runs}")
    return Layout(runs[0], time.shape[0], series_in(path, file, (runs[0], time.shape[0])))


def series_in(path, file, shape: tuple[int, int]) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Name -> (shape of a step, type) of the series in a file of this shape (runs, steps). Raises RecordError."""
    found = {name: own(path, file[CURVE_SET], name) for name in file[CURVE_SET] if name != TIME}
    if not found:
        raise RecordError(f"{path}: expected at least one series in {CURVE_SET}")
    for name, each in found.items():
        if not isinstance(each, h5py.Dataset) or each.shape[:2] != shape or 0 in each.shape:
            expected = ", ".join(map(str, shape))
            raise RecordError(f"{path}: {CURVE_SET}/{name}: expected numbers of shape ({expected}, ...)")
        if each.dtype.newbyteorder("=") not in TYPES:
            kinds = ", ".join(map(str, TYPES))
            raise RecordError(f"{path}: {CURVE_SET}/{name}: expected {kinds}, got {each.dtype}")
    series = {name: (each.shape[2:], each.dtype.newbyteorder("=")) for name, each in found.items()}
    if sum(math.prod(step) for step, _ in series.values()) > MOST_FEATURES:
        raise RecordError(f"{path}: expected up to {MOST_FEATURES} features")
    plain = {name for name, (step, _) in series.items() if not step and name.endswith("]")}
    if any(not plain.isdisjoint(features_of(name, step)) for name, (step, _) in series.items() if plain and step):
        raise RecordError(f"{path}: expected each feature once; a series is named like a part of another one")
    return series


def own(path, group, name: str):
    """The object `name` of a group. Raises RecordError for a link, or for numbers that lie in another file."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise RecordError(f"{path}: expected {name!r:.80} in the file itself, got {type(link).__name__}")
    found = group[name]
    if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
        raise RecordError(f"{path}: {name!r:.80}: expected its numbers in this file, they lie in another one")
    if isinstance(found, h5py.Dataset) and not is_stored_plainly(found):
        raise RecordError(f"{path}: {name!r:.80}: stored in another way than this format's, or damaged")
    return found


def is_stored_plainly(dataset) -> bool:
    """Whether a dataset is stored as `arrays.write` does it: the HDF5 library crashes on some that are not."""
    made = dataset.id.get_create_plist()
    filters = [made.get_filter(number)[0] for number in range(made.get_nfilters())]
    if dataset.id.get_storage_size() < dataset.size * dataset.dtype.itemsize:  # room for more than is there
        return False
    if made.get_layout() != h5py.h5d.CHUNKED:
        return not filters
    sizes = set()
    dataset.id.chunk_iter(lambda chunk: sizes.add(chunk.size))
    whole = math.prod(dataset.chunks) * dataset.dtype.itemsize + 4  # the checksum; with less, the library reads on
    return filters == [h5py.h5z.FILTER_FLETCHER32] and sizes <= {whole}


def unit_of(path, name: str, dataset) -> str:
    """The unit of a column; "" for one without. Raises RecordError for what is no text, or no unit."""
    if UNITS not in dataset.attrs:
        return ""
    held = dataset.attrs.get_id(UNITS)
    if held.shape != () or not is_text(held.dtype):
        expected = f"expected its {UNITS} to be one text of a fixed length, such as numpy.bytes_"
        raise RecordError(f"{path}: column {name:.60}: {expected}")
    unit = dataset.attrs[UNITS].decode("utf-8").strip()
    check_word(path, f"unit of {name:.60}", unit)
    return "" if unit in WITHOUT_UNIT else unit


def is_text(dtype) -> bool:
    """Whether this is text of a fixed length, as `arrays.write` writes it."""
    found = h5py.check_string_dtype(dtype)
    return found is not None and found.length is not None
