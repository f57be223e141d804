"""Array files: the records of many runs as one HDF5 file, for ensembles whose runs are simulated together.

    id                               (runs,) text
    data/NAME                        (runs,) numbers or text, one dataset a column of the record
    physics_cycle_series/NAME        (runs, steps) float64; `time` is (steps,) and the same for all runs

docs/data_format.md states the format. The series stay in this file; the store keeps its path and each run's row.
"""

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np

from sim2seq.data.records import CURVE_SET, RecordError, Run, check_id, check_word

SUFFIX = ".h5"
BLOCK = 1024  # runs read or written at a time: some MB
IDS, DATA, TIME = "id", "data", "time"
MOST_COLUMNS = 10_000


def write(path, run_ids, data: dict, series: dict, times) -> None:
    """Write runs to the array file `path`: whole or not at all, on disk when this returns.

    data maps a name to (runs,) numbers or words, or to one for all; series a name to (runs, steps); times (steps,).
    Raises RecordError for what `read` would refuse, OSError where the folder cannot be written.
    """
    path = os.fspath(path)
    head, tail = os.path.split(path)
    temporary = os.path.join(head, f".{tail}.{os.urandom(6).hex()}.tmp")
    runs = len(run_ids)
    try:
        with h5py.File(temporary, "x", locking="best-effort") as file:
            groups = {name: file.create_group(name, track_order=True) for name in (DATA, CURVE_SET)}  # names as given
            write_words(file, IDS, run_ids)
            for name, values in data.items():
                column = np.broadcast_to(np.asarray(values), runs)
                if column.dtype.kind == "U":
                    write_words(groups[DATA], name, column)
                else:
                    groups[DATA].create_dataset(name, data=column.astype(float))
            groups[CURVE_SET].create_dataset(TIME, data=np.asarray(times, dtype=float))
            for name, values in series.items():
                write_series(groups[CURVE_SET], name, np.asarray(values, dtype=float))
        for _ in read(temporary):  # what cannot be read is not written
            pass
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_words(group, name: str, words) -> None:
    """A column of words, all of one length: HDF5's heap for others can be damaged so that reading it never ends."""
    encoded = np.char.encode(np.asarray(words, dtype=str), "utf-8")
    group.create_dataset(name, data=encoded.astype(h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))))


def write_series(group, name: str, values: np.ndarray) -> None:
    """One series of all runs, (runs, steps), with checksums: a changed byte is an error when it is read."""
    chunks = (max(1, min(len(values), BLOCK // 16)), max(1, values.shape[1]))
    group.create_dataset(name, data=values, chunks=chunks, fletcher32=True)


def read(path) -> Iterator[Run]:
    """The runs of an array file one by one, without their series: `place` says where those are.

    Raises RecordError, in one line, for whatever is damaged, no array file, not finite or of unequal length.
    """
    absolute = os.path.abspath(path)
    with opened(path) as file:
        run_ids, columns = file[IDS].asstr()[:], {name: column_of(file[DATA][name]) for name in file[DATA]}
        check_columns(path, run_ids, columns)
        for first in range(0, len(run_ids), BLOCK):
            rows = range(first, min(first + BLOCK, len(run_ids)))
            names, times, block = read_block(path, file, list(rows))
            for row, digest in zip(rows, digests_of(names, times, block), strict=True):
                data = {name: column[row] for name, column in columns.items()}
                yield Run(run_ids[row], data, {}, (absolute, row, digest))


def series_of(path, run_ids: list[str], rows: list[int], digests: list[str]):
    """Series of some runs: values (runs, steps, features), the names of the features, and times (steps,).

    Raises RecordError where the file does not hold these runs in these rows any more, with these digests.
    """
    with opened(path) as file:
        held = file[IDS].asstr()[:]
        for run_id, row in zip(run_ids, rows, strict=True):
            if not 0 <= row < len(held) or held[row] != run_id:
                raise RecordError(f"{path}: expected run {run_id} in row {row}; the file was changed since the ingest")
        names, times, block = read_block(path, file, rows)
    for run_id, was, now in zip(run_ids, digests, digests_of(names, times, block), strict=True):
        if was != now:
            raise RecordError(f"{path}: run {run_id} has other numbers than at the ingest")
    return np.stack(block, axis=2), names, times


def read_block(path, file, rows: list[int]) -> tuple[tuple[str, ...], np.ndarray, list[np.ndarray]]:
    """Of these rows: names of the series, times (steps,), and an array (rows, steps) for each series; all finite."""
    names = tuple(name for name in file[CURVE_SET] if name != TIME)
    first, wanted = min(rows), np.array(rows) - min(rows)
    block = [file[CURVE_SET][name][first : max(rows) + 1][wanted] for name in names]
    times = file[CURVE_SET][TIME][:]
    for name, values in zip((*names, TIME), (*block, times), strict=True):
        check_finite(path, name, values)
    return names, times, block


def digests_of(names, times: np.ndarray, block: list[np.ndarray]) -> Iterator[str]:
    """A fingerprint for each row: of its series, their names and times."""
    start = hashlib.blake2b(repr(list(names)).encode() + times.tobytes(), digest_size=16)
    for row in zip(*block, strict=True):
        digest = start.copy()
        for values in row:
            digest.update(values)
        yield digest.hexdigest()


@contextmanager
def opened(path):
    """An array file, checked in all but its numbers; whatever the HDF5 library raises becomes a RecordError."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            check_layout(path, file)
            yield file
    except RecordError:
        raise
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such array file; was the study moved?") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RecordError(f"{path}: not an array file, or damaged ({reason})") from error


def check_layout(path, file) -> None:
    """Raise RecordError unless the file has the format's datasets, in shapes that fit, and in itself alone."""
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
    shapes = {f"{DATA}/{name}": (own(path, file[DATA], name), runs) for name in file[DATA]}
    if not isinstance(time, h5py.Dataset) or len(time.shape) != 1 or time.shape[0] < 1:
        raise RecordError(f"{path}: expected {CURVE_SET}/{TIME} to be one number a step")
    names = [name for name in file[CURVE_SET] if name != TIME]
    if not names:
        raise RecordError(f"{path}: expected at least one series in {CURVE_SET}")
    shapes |= {f"{CURVE_SET}/{name}": (own(path, file[CURVE_SET], name), (*runs, *time.shape)) for name in names}
    for name, (found, shape) in shapes.items():
        if not isinstance(found, h5py.Dataset) or found.shape != shape:
            raise RecordError(f"{path}: {name}: expected numbers or words of shape {shape}")
        if name.startswith(CURVE_SET) and found.dtype.kind != "f":
            raise RecordError(f"{path}: {name}: expected floating-point numbers, got {found.dtype}")


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
    """Whether a dataset is stored as `write` does it: the HDF5 library crashes on some that are not."""
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


def is_text(dtype) -> bool:
    """Whether this is text of a fixed length, as `write_words` writes it."""
    found = h5py.check_string_dtype(dtype)
    return found is not None and found.length is not None


def column_of(dataset) -> list:
    """A column of the record as Python's numbers (float) or words."""
    if is_text(dataset.dtype):
        return dataset.asstr()[:].tolist()
    if dataset.dtype.kind not in "iuf":
        raise ValueError(f"expected numbers or words, got {dataset.dtype}")
    return dataset[:].astype(float).tolist()


def check_columns(path, run_ids, columns: dict) -> None:
    """Raise RecordError for a run id or a cell that no record may have."""
    for run_id in run_ids:
        try:
            check_id(run_id)
        except RecordError as error:
            raise RecordError(f"{path}: {error}") from error
    if len(set(run_ids)) != len(run_ids):
        raise RecordError(f"{path}: expected each run id once")
    for name, column in columns.items():
        if isinstance(column[0], float):
            check_finite(path, name, np.array(column))
            continue
        for word in dict.fromkeys(column):
            check_word(path, f"column {name:.60}", word)
        if "" in column:
            raise RecordError(f"{path}: column {name}: run {run_ids[column.index('')]}: the cell is empty")


def check_finite(path, name: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise RecordError(f"{path}: column {name}: expected finite numbers, got {values[~np.isfinite(values)][0]}")
