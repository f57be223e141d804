"""Array files: the records of many runs as one HDF5 file, for ensembles whose runs are simulated together.

    id                               (runs,) text
    length                           (runs,) steps of each run; without it, all runs have all steps
    data/NAME                        (runs,) numbers or text, one dataset a column of the record
    physics_cycle_series/NAME        (runs, steps, ...) numbers, of one of the types in array_layout.TYPES
    physics_cycle_series/time        (steps,), the same for all runs

Each column may have the attribute `units`. docs/data_format.md states the format. The series stay in this file; the
store keeps its path and each run's row.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import h5py
import numpy as np

from sim2seq._support.files import check_place
from sim2seq.data.array_layout import DATA, IDS, LENGTH, TYPES, UNITS, Layout, is_text, opened, unit_of
from sim2seq.data.records import CURVE_SET, TIME, RecordError, Run, check_id, check_word, shown

SUFFIX = ".h5"
CHUNK = 1 << 20  # bytes of a series that are stored together with one checksum, and so are read together
MOST_RUNS_IN_CHUNK = 64


@dataclass(frozen=True)
class Block:
    """Some runs of an array file.

    series    name -> (runs, steps, ...)
    times     (steps,)
    lengths   (runs,): steps that each run has; what stands in the series after them means nothing
    """

    series: dict[str, np.ndarray]
    times: np.ndarray
    lengths: np.ndarray

    def values(self, places: list[int]) -> np.ndarray:
        """The features at these places among those of all series, one after the other: (runs, steps, features)."""
        flat = np.concatenate([each.reshape(*each.shape[:2], -1) for each in self.series.values()], axis=2)
        return flat if places == list(range(flat.shape[2])) else flat[..., places]


def write(path, run_ids, data: dict, series: dict, times, *, lengths=None, units=None) -> None:
    """Write runs to the array file `path`: whole or not at all, on disk when this returns.

    data maps a name to (runs,) numbers or words, or to one for all; series a name to (runs, steps, ...), which keeps
    its type if it is one of array_layout.TYPES and becomes float64 else; times (steps,). lengths (runs,) are the steps
    that each run has; None: all. units maps a name to a unit, of data and series; that of `time` is the unit of the
    steps. Raises RecordError for what `read` would refuse, OSError where the folder cannot be written.
    """
    head, tail = os.path.split(check_place(path))
    temporary = os.path.join(head, f".{tail}.{os.urandom(6).hex()}.tmp")
    try:
        with h5py.File(temporary, "x", locking="best-effort") as file:
            write_columns(file, run_ids, data, lengths)
            group = file.create_group(CURVE_SET, track_order=True)  # names as given
            group.create_dataset(TIME, data=np.asarray(times, dtype=float))
            for name, values in series.items():
                write_series(group, name, np.asarray(values))
            write_units(file, units or {})
        for _ in read(temporary):  # what cannot be read is not written
            pass
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_columns(file, run_ids, data: dict, lengths) -> None:
    """What a run has one of: its id, its length, its numbers and words."""
    write_words(file, IDS, run_ids)
    if lengths is not None:
        file.create_dataset(LENGTH, data=np.asarray(lengths))
    group = file.create_group(DATA, track_order=True)
    for name, values in data.items():
        column = np.broadcast_to(np.asarray(values), len(run_ids))
        if column.dtype.kind == "U":
            write_words(group, name, column)
        else:
            group.create_dataset(name, data=column.astype(float))


def write_words(group, name: str, words) -> None:
    """A column of words, all of one length: HDF5's heap for others can be damaged so that reading it never ends."""
    encoded = np.char.encode(np.asarray(words, dtype=str), "utf-8")
    group.create_dataset(name, data=encoded.astype(h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))))


def write_series(group, name: str, values: np.ndarray) -> None:
    """One series of all runs, (runs, steps, ...), with checksums: a changed byte is an error when it is read."""
    if values.ndim < 2 or 0 in values.shape:
        raise RecordError(f"column {name}: expected a series of shape (runs, steps, ...), got {values.shape}")
    values = values if values.dtype in TYPES else values.astype(float)
    step = max(1, values[:1, :1].nbytes)
    steps = max(1, min(values.shape[1], CHUNK // step))
    runs = max(1, min(len(values), MOST_RUNS_IN_CHUNK, CHUNK // (steps * step)))
    group.create_dataset(name, data=values, chunks=(runs, steps, *values.shape[2:]), fletcher32=True)


def write_units(file, units: dict[str, str]) -> None:
    """The unit of each column that has one, as an attribute. Raises RecordError for a column that is not there."""
    for name, unit in units.items():
        held = [group[name] for group in (file[DATA], file[CURVE_SET]) if name in group]
        if not held:
            raise RecordError(f"unit of {shown(name)}: expected the name of a column")
        for dataset in held if unit else ():
            encoded = str(unit).encode()
            dataset.attrs.create(UNITS, np.bytes_(encoded), dtype=h5py.string_dtype("utf-8", len(encoded)))


def units_in(path, file) -> dict[str, str]:
    """Name -> unit, of the columns that have one. Raises RecordError for what is no unit."""
    columns = {name: group[name] for group in (file[DATA], file[CURVE_SET]) for name in group}
    found = {name: unit_of(path, name, dataset) for name, dataset in columns.items()}
    return {name: unit for name, unit in found.items() if unit}


def read(path) -> Iterator[Run]:
    """The runs of an array file one by one, without their series: `place` says where those are.

    Raises RecordError, in one line, for whatever is damaged, no array file, not finite or of unequal length.
    """
    absolute = os.path.abspath(path)
    with opened(path) as (file, layout):
        run_ids, columns = file[IDS].asstr()[:], {name: column_of(file[DATA][name]) for name in file[DATA]}
        check_columns(path, run_ids, columns)
        if twice := sorted(set(columns) & set(file[CURVE_SET])):
            raise RecordError(f"{path}: expected each name once, got {shown(twice[0])} of the run and of its steps")
        units = units_in(path, file) or None
        for first in range(0, layout.runs, layout.runs_at_once):
            rows = range(first, min(first + layout.runs_at_once, layout.runs))
            for row, digest in zip(rows, digests_of(read_block(path, file, layout, list(rows))), strict=True):
                data = {name: column[row] for name, column in columns.items()}
                yield Run(run_ids[row], data, {}, (absolute, row, digest), units)


def layout_of(path) -> Layout:
    """What the series of an array file are. Raises RecordError as `read` does."""
    with opened(path) as (_, layout):
        return layout


def series_of(path, run_ids: list[str], rows: list[int], digests: list[str]) -> Block:
    """The series of some runs, whose rows rise.

    Raises RecordError where the file does not hold these runs in these rows any more, with these digests.
    """
    with opened(path) as (file, layout):
        held = file[IDS].asstr()[:]
        for run_id, row in zip(run_ids, rows, strict=True):
            if not 0 <= row < len(held) or held[row] != run_id:
                raise RecordError(f"{path}: expected run {run_id} in row {row}; the file was changed since the ingest")
        block = read_block(path, file, layout, rows)
    for run_id, was, now in zip(run_ids, digests, digests_of(block), strict=True):
        if was != now:
            raise RecordError(f"{path}: run {run_id} has other numbers than at the ingest")
    return block


def read_block(path, file, layout: Layout, rows: list[int]) -> Block:
    """The series of these rows, which rise; all finite up to the end of each run."""
    times, lengths = file[CURVE_SET][TIME][:], lengths_of(path, file, layout)[rows]
    check_finite(path, TIME, times)
    if not (np.diff(times) > 0).all():
        step = 1 + int(np.argmin(np.diff(times) > 0))
        raise RecordError(f"{path}: {TIME}: step {step}: times must increase: {times[step - 1]}, then {times[step]}")
    ended = np.arange(layout.steps) >= lengths[:, None]
    series = {name: read_rows(file[CURVE_SET][name], rows) for name in layout.series}
    for name, values in series.items():
        check_finite(path, name, values, ended)
    return Block(series, times, lengths)


def lengths_of(path, file, layout: Layout) -> np.ndarray:
    """How many steps each run of the file has."""
    if LENGTH not in file:
        return np.full(layout.runs, layout.steps)
    lengths = file[LENGTH][:]
    if lengths.dtype.kind not in "iu" or lengths.min() < 1 or lengths.max() > layout.steps:
        raise RecordError(f"{path}: {LENGTH}: expected a whole number from 1 to {layout.steps} for each run")
    return lengths.astype(int)


def read_rows(dataset, rows: list[int]) -> np.ndarray:
    """Rows of a dataset, which rise: those that follow each other are read together."""
    values = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
    ends = [place for place in range(1, len(rows)) if rows[place] != rows[place - 1] + 1]
    for first, last in zip([0, *ends], [*ends, len(rows)], strict=True):
        dataset.read_direct(values, np.s_[rows[first] : rows[last - 1] + 1], np.s_[first:last])
    return values


def short_hash(start: bytes):
    return hashlib.blake2b(start, digest_size=16)


def digests_of(block: Block, hashing=short_hash) -> Iterator[str]:
    """A fingerprint for each run: of its series, their names, shapes and types, and its times, up to its end."""
    names = repr([name if is_plain(values) else kind_of(name, values) for name, values in block.series.items()])
    starts = {}
    for run, length in enumerate(block.lengths.tolist()):
        if length not in starts:
            start = names.encode() + block.times[:length].tobytes()
            starts[length] = hashing(start)
        digest = starts[length].copy()
        for values in block.series.values():
            digest.update(np.ascontiguousarray(values[run, :length]).data)
        yield digest.hexdigest()


def is_plain(values: np.ndarray) -> bool:
    """Whether this is one floating-point number a step: all that version 0.1 knew, whose digests are in stores."""
    return values.ndim == 2 and values.dtype.kind == "f"


def kind_of(name: str, values: np.ndarray) -> tuple:
    return name, values.dtype.str, values.shape[2:]


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


def check_finite(path, name: str, values: np.ndarray, ended=()) -> None:
    """Raise RecordError, with the first, for numbers that are not finite; those of steps that are `ended` may be."""
    if values.dtype.kind != "f":
        return
    bad = ~np.isfinite(values)
    if len(ended):
        bad[ended] = False
    if bad.any():
        raise RecordError(f"{path}: column {name}: expected finite numbers, got {values[bad][0]}")


def digests_of_kept(block: Block, ids: list[str], series: dict) -> list[str]:
    """The `digests` of runs that stay in their file. Raises RecordError where their `series` cannot hold the numbers.

    series   name -> (shape of a step, type), those of the first run
    """
    for name, values in block.series.items():
        if not np.can_cast(values.dtype, kind := series[name][1], "safe"):
            what = f"expected {name} in numbers of type {kind}, as in the first run; got {values.dtype}"
            raise RecordError(f"run {ids[0]}: {what}: write all runs in one type")
    return digests(block)


def digests(block: Block) -> list[str]:
    """A fingerprint for each run of a block, on all processors: hashing takes as long as reading.

    By SHA-256, twice as fast as blake2b on processors of today.
    """
    count = min(os.cpu_count() or 1, len(block.lengths))
    parts = [part_of(block, slice(place, None, count)) for place in range(count)]
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda part: list(digests_of(part, hashlib.sha256)), parts))
    return [found[place % count][place // count] for place in range(len(block.lengths))]


def part_of(block: Block, runs: slice) -> Block:
    """Some runs of a block."""
    return Block({name: values[runs] for name, values in block.series.items()}, block.times, block.lengths[runs])
