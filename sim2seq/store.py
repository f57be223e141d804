"""The study's store: create it with Kosh, ingest runs in parallel, load them as an Ensemble.

A store is one SQLite file with Sina's tables, made by Kosh and readable with plain Kosh. `ingest` writes Sina's rows
with the standard library alone: a task that imports Kosh and Sina spends 1.3 s before its first insert, and one
transaction of ours takes milliseconds. tests/test_store.py holds the rows equal to Sina's own, table by table.
"""

import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from itertools import chain, islice, takewhile
from urllib.parse import quote

from sim2seq.records import Run, check_id

CURVE_SET = "physics_cycle_series"
STEP_AXIS = "cycle"
LEARNING_CURVE = "learning_curve"  # the curve set of a training, and what tells it from a run
EPOCH_AXIS = "epoch"
NEW_STORE = "new.sqlite"
COLUMNS_OF_RUN = "sim2seq_columns"  # which data came with the record; users may add some of their own
LOCK_TIMEOUT = 600  # s a writer waits for its turn
LONGEST_WORD = 15_000  # characters; Sina's column

# the tables and columns that ingest writes; checked before the first write
COLUMNS = {
    "Record": ["id", "type", "raw"],
    "ScalarData": ["id", "name", "value", "tags", "units"],
    "StringData": ["id", "name", "value", "tags", "units"],
    "ListScalarData": ["id", "name", "min", "max", "tags", "units"],
    "CurveSetMeta": ["name", "id", "tags"],
}


class StoreError(ValueError):
    """A store that cannot be used, or a run that does not fit what is in it."""


def create(path) -> bool:
    """Create the Kosh store `path`; True if this call made it, False if it was there.

    The store appears whole: it is built beside its place and linked there. Raises StoreError for a file that is no
    store (which stays as it was) and OSError for a folder that cannot be written.
    """
    path = os.path.abspath(path)
    if os.path.exists(path):
        open_store(path).close()
        return False
    if not os.path.isdir(os.path.dirname(path)):
        raise StoreError(f"{path}: the folder does not exist")
    import tempfile  # ingest must not pay for it

    try:
        with tempfile.TemporaryDirectory(prefix=".store-", dir=os.path.dirname(path)) as folder:
            build(folder, NEW_STORE)
            os.link(os.path.join(folder, NEW_STORE), path)
    except FileExistsError:  # another process was first, or something else is in the way
        open_store(path).close()
        return False
    except OSError as error:
        raise OSError(f"{path}: cannot create the store ({error.strerror})") from error
    return True


def build(folder, name) -> None:
    """Let Kosh make an empty store `name` in `folder`.

    In a process of its own, since Kosh opens the file once more at its exit; in the folder, since Kosh takes a path
    for a URL.
    """
    command = [sys.executable, "-c", "import kosh, sys; kosh.connect(sys.argv[1]).close()", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise StoreError(f"Kosh could not make the store: {done.stderr.strip().splitlines()[-1:]}")


def open_store(path) -> sqlite3.Connection:
    """Connect to a store that is there; StoreError for a missing file, no store, or tables of another Sina."""
    if not os.path.isfile(path):
        raise StoreError(f"{path}: no such store, make it with create_store.py")
    connection = sqlite3.connect(
        f"file:{quote(os.path.abspath(path))}?mode=rw", uri=True, timeout=LOCK_TIMEOUT, isolation_level=None
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = EXTRA")  # a committed run survives loss of power too
        for table, columns in COLUMNS.items():
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if found != columns:
                raise StoreError(f"{path}: not a Kosh store (table {table}: expected columns {columns}, got {found})")
        if not connection.execute("SELECT 1 FROM Record WHERE type = '__kosh_storeinfo__'").fetchone():
            raise StoreError(f"{path}: a Sina database, but not a Kosh store")
    except sqlite3.DatabaseError as error:
        connection.close()
        reason = "locked by another process" if "locked" in str(error) else "not a Kosh store"
        raise StoreError(f"{path}: {reason} ({error})") from error
    except StoreError:
        connection.close()
        raise
    return connection


def ingest(path, runs, *, replace=False) -> Counter:
    """Put runs into the store in one transaction; counts of 'added', 'unchanged' and 'replaced'.

    runs is any iterable of records.Run; what it raises (a bad file) undoes the whole call. A run that is in the store
    with the same content changes nothing; with other content it raises StoreError showing both, unless `replace`.
    When this returns, the runs are on disk. Safe with many processes at once.
    """
    counts, runs = Counter(), iter(runs)
    first = list(islice(runs, 1))  # read and checked before the lock is taken
    with transaction(path) as connection:
        for run in chain(first, runs):
            counts[put(connection, sina_record(run), replace)] += 1
    return counts


def add_training(path, name, data, losses) -> str:
    """Put a training into the store as the dataset `name`; 'added', 'unchanged' or 'replaced'.

    data is name -> number or word, losses is name -> one number an epoch; they become data and the curve set
    `learning_curve`. A training of that name is replaced; anything else of that name is a StoreError.
    Safe with many processes at once.
    """
    record = sina_training(name, data, losses)
    with transaction(path) as connection:
        query = "SELECT EXISTS(SELECT 1 FROM CurveSetMeta WHERE id = :id AND name = :set) FROM Record WHERE id = :id"
        held = connection.execute(query, {"id": name, "set": LEARNING_CURVE}).fetchone()
        if held == (0,):
            raise StoreError(f"{path}: {name} is not a training: expected another name for this one")
        return put(connection, record, replace=True)


@contextmanager
def transaction(path):
    """A connection to the store inside one transaction: all of it is on disk at the end, or nothing."""
    with closing(open_store(path)) as connection:  # an exception before COMMIT closes it, which rolls back
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{path}: cannot write ({error})") from error


def put(connection, record, replace) -> str:
    """Write one record inside the open transaction; 'added', 'unchanged' or 'replaced'."""
    name = record["id"]
    stored = connection.execute("SELECT raw FROM Record WHERE id = ?", [name]).fetchone()
    raw = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    if stored is None:
        connection.execute("INSERT INTO Record (id, type, raw) VALUES (?, ?, ?)", [name, record["type"], raw])
        insert_index(connection, name, record)
        return "added"
    differences = compare(json.loads(stored[0]), record)
    if not differences:
        return "unchanged"
    if not replace:
        raise StoreError(f"run {name} is in the store with other content: {'; '.join(differences[:5])}")
    # the row stays, so that relationships (ensembles) keep pointing at it
    connection.execute("UPDATE Record SET type = ?, raw = ? WHERE id = ?", [record["type"], raw, name])
    for table in ("ScalarData", "StringData", "ListScalarData", "CurveSetMeta"):
        connection.execute(f"DELETE FROM {table} WHERE id = ?", [name])
    insert_index(connection, name, record)
    return "replaced"


def sina_record(run: Run) -> dict:
    """The run as Sina's JSON: every number and word as data, every series in the curve set."""
    check_id(run.id)
    for name, value in run.data.items():
        if isinstance(value, str) and len(value) > LONGEST_WORD:
            raise StoreError(f"run {run.id}: {name}: expected up to {LONGEST_WORD} characters, got {len(value)}")
    if STEP_AXIS in run.series:
        raise StoreError(f"run {run.id}: a series named {STEP_AXIS!r} is the store's own: expected another name")
    steps = len(next(iter(run.series.values())))
    return sina_dataset(run.id, run.data, CURVE_SET, {STEP_AXIS: list(range(steps))}, run.series)


def sina_training(name: str, data: dict, losses: dict) -> dict:
    """A training as Sina's JSON; a loss that is no longer finite ends the curves, which JSON could not hold."""
    check_id(name)
    finite = list(takewhile(lambda row: all(map(math.isfinite, row)), zip(*losses.values(), strict=True)))
    curves = {curve: [row[column] for row in finite] for column, curve in enumerate(losses)}
    return sina_dataset(name, data, LEARNING_CURVE, {EPOCH_AXIS: list(range(1, len(finite) + 1))}, curves)


def sina_dataset(name: str, data: dict, curve_set: str, independent: dict, dependent: dict) -> dict:
    """What Kosh calls a dataset, as Sina's JSON: data, and one curve set of lists of numbers."""
    curves = {"independent": independent, "dependent": dependent}
    dates = {"creation_date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}  # or Kosh writes at first open
    return {
        "id": name,
        "type": "dataset",
        "data": {key: {"value": value} for key, value in {"name": name, **dates, **data}.items()},
        "curve_sets": {
            curve_set: {
                kind: {key: {"value": values} for key, values in lists.items()} for kind, lists in curves.items()
            }
        },
        "library_data": {},
        "files": {},
        "user_defined": {"kosh_information": {}, COLUMNS_OF_RUN: list(data)},
    }


def insert_index(connection, run_id, record) -> None:
    """Sina's search rows for a record: numbers, words, and the range of each curve."""
    values = {name: entry["value"] for name, entry in record["data"].items()}
    numbers = [(run_id, name, value) for name, value in values.items() if not isinstance(value, str)]
    words = [(run_id, name, value) for name, value in values.items() if isinstance(value, str)]
    ((curve_set, curves),) = record["curve_sets"].items()
    series = {**curves["independent"], **curves["dependent"]}
    lists = {name: curve["value"] for name, curve in series.items() if curve["value"]}  # a training may have no epoch
    ranges = [(run_id, name, min(values), max(values)) for name, values in lists.items()]
    connection.executemany("INSERT INTO ScalarData (id, name, value) VALUES (?, ?, ?)", numbers)
    connection.executemany("INSERT INTO StringData (id, name, value) VALUES (?, ?, ?)", words)
    connection.executemany("INSERT INTO ListScalarData (id, name, min, max) VALUES (?, ?, ?, ?)", ranges)
    connection.execute("INSERT INTO CurveSetMeta (name, id) VALUES (?, ?)", [curve_set, run_id])


def compare(stored: dict, new: dict) -> list[str]:
    """What differs between a stored record and a new one, in words; what users added is no difference."""
    differences = []
    before, after = ({name: entry["value"] for name, entry in record["data"].items()} for record in (stored, new))
    known = stored["user_defined"].get(COLUMNS_OF_RUN, [])
    for name in dict.fromkeys([*known, *new["user_defined"][COLUMNS_OF_RUN]]):
        if before.get(name) != after.get(name):
            differences.append(f"{name}: store {before.get(name)}, new {after.get(name)}")
    (curve_set,) = new["curve_sets"]
    before, after = (record.get("curve_sets", {}).get(curve_set, {}).get("dependent", {}) for record in (stored, new))
    for name in dict.fromkeys([*before, *after]):
        differences += compare_series(name, *(curves.get(name, {}).get("value", []) for curves in (before, after)))
    return differences


def compare_series(name, stored, new) -> list[str]:
    if stored == new:
        return []
    if len(stored) != len(new):
        return [f"{name}: store {len(stored)} steps, new {len(new)} steps"]
    step = next(step for step, pair in enumerate(zip(stored, new, strict=True)) if pair[0] != pair[1])
    return [f"{name} at step {step}: store {stored[step]}, new {new[step]}"]


def missing_runs(path, expected) -> list[str]:
    """Those of the `expected` run ids that are not in the store, in the given order."""
    with closing(open_store(path)) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM CurveSetMeta WHERE name = ?", [CURVE_SET])}
    return [run_id for run_id in expected if run_id not in stored]


def load_trainings(path) -> dict[str, tuple[dict, dict]]:
    """Every training in the store: name -> (data: name -> value, losses: name -> one number an epoch)."""
    query = "SELECT Record.id, raw FROM Record JOIN CurveSetMeta USING (id) WHERE name = ? ORDER BY Record.id"
    with closing(open_store(path)) as connection:
        rows = connection.execute(query, [LEARNING_CURVE]).fetchall()
    records = {name: json.loads(raw) for name, raw in rows}
    return {name: (values_of(record["data"]), losses_of(record)) for name, record in records.items()}


def values_of(entries: dict) -> dict:
    """Name -> value, of Sina's name -> {"value": value, ...}."""
    return {name: entry["value"] for name, entry in entries.items()}


def losses_of(record: dict) -> dict:
    return values_of(record["curve_sets"][LEARNING_CURVE]["dependent"])


def natural_order(run_id: str):
    """Sort key that puts run 2 before run 10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", run_id)]


def is_input(name: str, values) -> bool:
    """Whether a data column was chosen before the run: docs/data_format.md reserves the names of results."""
    numbers = all(isinstance(value, (int, float)) for value in values)
    return numbers and not name.endswith("_final") and not name.startswith("num_")


def load(path):
    """All runs of the store as an Ensemble (runs in natural order of their ids; float64).

    Features are the curve set's series without `time`; inputs are the numbers that every run has. Raises StoreError
    for a store without runs, and for runs that differ in length, series or times.
    """
    import numpy as np  # ingest must not pay for these
    import orjson

    from sim2seq.ensemble import Ensemble

    with closing(open_store(path)) as connection:
        rows = connection.execute("SELECT id, raw FROM Record WHERE type = 'dataset'").fetchall()
    records = {run_id: orjson.loads(raw) for run_id, raw in rows}
    records = {run_id: record for run_id, record in records.items() if CURVE_SET in record.get("curve_sets", {})}
    if not records:
        raise StoreError(f"{path}: expected runs with the curve set {CURVE_SET}, the store has none")
    run_ids = sorted(records, key=natural_order)
    curves = {run_id: records[run_id]["curve_sets"][CURVE_SET]["dependent"] for run_id in run_ids}
    first = curves[run_ids[0]]
    for run_id, run in curves.items():
        if run.keys() != first.keys() or any(len(run[name]["value"]) != len(first[name]["value"]) for name in first):
            raise StoreError(f"{path}: run {run_id} differs from {run_ids[0]} in its series or their length")
        if "time" in first and run["time"]["value"] != first["time"]["value"]:
            raise StoreError(f"{path}: run {run_id} has other times than {run_ids[0]}")
    features = tuple(name for name in first if name != "time")
    values = np.array([[run[name]["value"] for name in features] for run in curves.values()], dtype=float)
    times = first["time"]["value"] if "time" in first else range(values.shape[2])
    data = [records[run_id]["data"] for run_id in run_ids]
    shared = [name for name in data[0] if all(name in entry for entry in data)]
    columns = {name: [entry[name]["value"] for entry in data] for name in shared}
    inputs = {name: np.array(column, dtype=float) for name, column in columns.items() if is_input(name, column)}
    return Ensemble(
        values=values.transpose(0, 2, 1),
        run_ids=tuple(run_ids),
        features=features,
        times=np.array(times, dtype=float),
        inputs=inputs,
    )
