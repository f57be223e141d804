"""The study's store: create it with Kosh, ingest runs in parallel, load them as an Ensemble.

A store is made by Kosh and readable with plain Kosh. It is one SQLite file (sim2seq/store/sqlite.py), or a MariaDB
database, whose URL stands in a file that ends in `.url` (sim2seq/store/mariadb.py). The series of runs from DSV records
stand in the store; those of runs from array files stay there, and the store keeps file and row. `load` gives the same
Ensemble.
"""

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice

from sim2seq.store import sqlite
from sim2seq.store.sina import (
    CURVE_SET,
    LEARNING_CURVE,
    ROW,
    StoreError,
    differences,
    place_of,
    sina_record,
    sina_training,
    values_of,
)

BATCH = 1000  # runs read before the store is asked, and written at a time


def create(path) -> bool:
    """Create the Kosh store `path`; True if this call made it, False if it was there.

    Raises StoreError for something else in its place (which stays as it was) and OSError where it cannot be made.
    """
    if is_url(path):
        from sim2seq.store import mariadb  # SQLite's users need not pay for SQLAlchemy

        return mariadb.create(path)
    return sqlite.create(path)


def connect(path):
    """The open store. Raises StoreError for a missing one, or what is no store."""
    if is_url(path):
        from sim2seq.store import mariadb

        return mariadb.MariadbStore(path)
    return sqlite.SqliteStore(path)


def is_url(path) -> bool:
    """Whether `path` is a file that names a database, or a link to one, and no SQLite file."""
    return os.path.realpath(path).endswith(".url")


def ingest(path, runs, *, replace=False) -> Counter:
    """Put runs into the store in one transaction; counts of 'added', 'unchanged' and 'replaced'.

    runs is any iterable of records.Run; what it raises (a bad file) undoes the whole call. A run that is in the store
    with the same content changes nothing; with other content it raises StoreError showing both, unless `replace`.
    When this returns, the runs are on disk. Safe with many processes at once.
    """
    counts, batches = Counter(), in_batches(map(sina_record, runs))
    batch = next(batches, [])  # read and checked before the lock is taken
    with closing(connect(path)) as store, store.transaction():
        while batch:
            counts += put(store, batch, replace)
            batch = next(batches, [])
    return counts


def in_batches(items: Iterable) -> Iterator[list]:
    items = iter(items)
    while batch := list(islice(items, BATCH)):
        yield batch


def put(store, records: list[dict], replace: bool) -> Counter:
    """Write entries inside the open transaction; counts as for `ingest`."""
    held, new, counts = store.stored([record["id"] for record in records]), {}, Counter()
    for record in records:
        name = record["id"]
        if name not in held:
            held[name] = new[name] = record
            counts["added"] += 1
        elif not (found := differences_of(store.path, held[name], record)):
            counts["unchanged"] += 1
        elif not replace:
            raise StoreError(f"run {name} is in the store with other content: {'; '.join(found[:5])}")
        else:
            counts["replaced"] += 1
            if name in new:
                held[name] = new[name] = record
            else:
                store.replace(record)
    store.insert(list(new.values()))
    return counts


def differences_of(path, stored: dict, new: dict) -> list[str]:
    """As `differences`. Raises StoreError where the stored entry is none."""
    try:
        return differences(stored, new)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: entry {new['id']}: expected Sina's JSON ({error!r:.80})") from error


def add_training(path, name, data, losses) -> str:
    """Put a training into the store as the dataset `name`; 'added', 'unchanged' or 'replaced'.

    data is name -> number or word, losses is name -> one number an epoch; they become data and the curve set
    `learning_curve`. A training of that name is replaced; anything else of that name is a StoreError.
    Safe with many processes at once.
    """
    record = sina_training(name, data, losses)
    with closing(connect(path)) as store, store.transaction():
        held = store.stored([name])
        if held and LEARNING_CURVE not in held[name].get("curve_sets", {}):
            raise StoreError(f"{path}: {name} is not a training: expected another name for this one")
        (what,) = put(store, [record], replace=True)
    return what


def run_ids(path) -> list[str]:
    """Ids of all runs in the store, in natural order."""
    with closing(connect(path)) as store:
        return sorted(store.run_ids(), key=natural_order)


def missing_runs(path, expected) -> list[str]:
    """Those of the `expected` run ids that are not in the store, in the given order."""
    stored = set(run_ids(path))
    return [run_id for run_id in expected if run_id not in stored]


def load_trainings(path) -> dict[str, tuple[dict, dict]]:
    """Every training in the store: name -> (data: name -> value, losses: name -> one number an epoch)."""
    with closing(connect(path)) as store:
        records = store.stored(store.names_with(LEARNING_CURVE))
    return {name: training_of(path, name, record) for name, record in records.items()}


def training_of(path, name: str, record: dict) -> tuple[dict, dict]:
    """Data and losses of a training's entry. Raises StoreError where they are no words and numbers."""
    try:
        data, losses = values_of(record["data"]), values_of(record["curve_sets"][LEARNING_CURVE]["dependent"])
        plain = all(isinstance(value, (str, int, float)) for value in data.values())
        if not plain or not all(isinstance(loss, (int, float)) for values in losses.values() for loss in values):
            raise TypeError("a value is neither a number nor a word")
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: entry {name!r:.80}: expected Sina's JSON of a training ({error!r:.80})") from error
    return data, losses


def natural_order(run_id: str):
    """Sort key that puts run 2 before run 10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", run_id)]


def load(path, *, runs: Iterable[str] | None = None, in_memory: int | None = None):
    """All runs of the store as an Ensemble (runs in natural order of their ids; float64).

    With the run ids `runs`, only those, in that order: where runs differ in length, those of one length at a time.
    Features are the series without `time`; inputs are the numbers that every run has. Values of more than `in_memory`
    bytes (None: a quarter of the memory) lie in a temporary file instead, which nobody sees and which is gone when the
    Ensemble is. Raises StoreError for a store without runs, for one of `runs` that it does not have or that is there
    twice, and for runs that differ in length, series or times.
    """
    import orjson  # ingest must not pay for these

    from sim2seq.store.reader import Assembly

    with closing(connect(path)) as store:
        run_ids = chosen(path, store.run_ids(), runs)
        assembly, columns = Assembly(path, run_ids, in_memory), None
        for position, raw in enumerate(store.entries(run_ids)):
            try:
                record = orjson.loads(raw)
                columns = gather(columns, values_of(record["data"]))
                add_series(assembly, position, record)
            except StoreError:
                raise
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                what = f"expected Sina's JSON of a run ({error!r:.80})"
                raise StoreError(f"{path}: run {run_ids[position]}: {what}") from error
    if assembly.elsewhere:
        columns.pop(ROW, None)
    assembly.read_arrays()
    return assembly.ensemble(columns)


def chosen(path, stored: list[str], runs: Iterable[str] | None) -> list[str]:
    """The ids of the runs to load: `runs`, or all that are `stored`, in natural order. Raises StoreError."""
    if not stored:
        raise StoreError(f"{path}: expected runs with the curve set {CURVE_SET}, the store has none")
    if runs is None:
        return sorted(stored, key=natural_order)
    if isinstance(runs, str):
        raise StoreError(f"{path}: expected a list of run ids, got the text {runs!r:.80}")
    counts, held = Counter(runs), set(stored)
    if not counts:
        raise StoreError(f"{path}: expected the ids of the runs to load, got none")
    for run_id, count in counts.items():
        if run_id not in held or count > 1:
            problem = "is not in the store" if run_id not in held else f"is asked for {count} times"
            raise StoreError(f"{path}: run {run_id!s:.80} {problem}")
    return list(counts)


def gather(columns: dict | None, data: dict) -> dict[str, array]:
    """Add a run's inputs to `columns`, name -> one number a run; a name that it lacks is dropped for all."""
    if columns is None:
        columns = {name: array("d") for name in data if is_input(name)}
    for name in list(columns):
        if isinstance(data.get(name), (int, float)):
            columns[name].append(data[name])
        else:
            del columns[name]
    return columns


def is_input(name: str) -> bool:
    """Whether a data column was chosen before the run: docs/data_format.md reserves the names of results."""
    return not name.endswith("_final") and not name.startswith("num_")


def add_series(assembly, position: int, record: dict) -> None:
    """Put the series of a run in its place, or note in which file they stand."""
    if CURVE_SET in record["curve_sets"]:
        series = values_of(record["curve_sets"][CURVE_SET]["dependent"])
        assembly.add(position, series)
    else:
        path, row, digest = place_of(record)
        assembly.elsewhere.setdefault(path, []).append((int(row), position, str(digest)))
