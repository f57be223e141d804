"""Sina: a run or a training as Sina's JSON, and what differs between two of them. Standard library only."""

import math
import time
from itertools import takewhile

from sim2seq.data.records import CURVE_SET, STEP_AXIS, Run, check_id

LEARNING_CURVE = "learning_curve"  # the curve set of a training, and what tells it from a run
EPOCH_AXIS = "epoch"
ARRAYS = "hdf5"  # Kosh's name for the type of file that holds the series of many runs
FOREIGN = "foreign"  # the same for a file that Kosh does not read
ROW = "row"  # where a run's series stand in that file
PLACE = "sim2seq_place"  # that file, that row, a digest of the series, and of a foreign file how it is read
NOTES = "sim2seq_notes"  # what was done to the run at its import
UNITS = "sim2seq_units"  # name -> unit, of data and series
COLUMNS_OF_RUN = "sim2seq_columns"  # which data came with the record; users may add some of their own
LONGEST_WORD = 15_000  # characters; Sina's column
LONGEST_PATH = 1500


class StoreError(ValueError):
    """A store that cannot be used, or a run, whose id is `run`, that does not fit what is in it."""

    def __init__(self, message: str, *, run: str = ""):
        super().__init__(message)
        self.run = run


def sina_record(run: Run) -> dict:
    """The run as Sina's JSON: every number and word as data, its series as a curve set or as a place in a file.

    Raises StoreError for what a store cannot hold.
    """
    check_id(run.id)
    for name, value in run.data.items():
        if isinstance(value, str) and len(value) > LONGEST_WORD:
            text = f"run {run.id}: {name}: expected up to {LONGEST_WORD} characters, got {len(value)}"
            raise StoreError(text, run=run.id)
    if STEP_AXIS in run.series:
        text = f"run {run.id}: a series named {STEP_AXIS!r} is the store's own: expected another name"
        raise StoreError(text, run=run.id)
    record = sina_series(run) if run.place is None else sina_reference(run)
    for key, content in ((UNITS, run.units), (NOTES, run.notes)):
        if content:
            record["user_defined"][key] = dict(content)
    return record


def sina_series(run: Run) -> dict:
    """A run whose series go into the store."""
    steps = len(next(iter(run.series.values())))
    return sina_dataset(run.id, run.data, CURVE_SET, {STEP_AXIS: list(range(steps))}, run.series)


def sina_reference(run: Run) -> dict:
    """A run whose series stay in an array file: the file and the row go into the store."""
    path, row = run.place[:2]
    if ROW in run.data:
        text = f"run {run.id}: a number named {ROW!r} is the store's own: expected another name"
        raise StoreError(text, run=run.id)
    if len(path) > LONGEST_PATH:
        raise StoreError(f"run {run.id}: expected a path of up to {LONGEST_PATH} characters, got {len(path)}")
    record = sina_entry(run.id, run.data | {ROW: row})
    record["files"] = {path: {"mimetype": ARRAYS if path.endswith((".h5", ".hdf5", ".nc", ".nc4")) else FOREIGN}}
    record["user_defined"][PLACE] = list(run.place)
    return record


def sina_training(name: str, data: dict, losses: dict) -> dict:
    """A training as Sina's JSON; a loss that is no longer finite ends the curves, which JSON could not hold."""
    check_id(name)
    finite = list(takewhile(lambda row: all(map(math.isfinite, row)), zip(*losses.values(), strict=True)))
    curves = {curve: [row[column] for row in finite] for column, curve in enumerate(losses)}
    return sina_dataset(name, data, LEARNING_CURVE, {EPOCH_AXIS: list(range(1, len(finite) + 1))}, curves)


def sina_dataset(name: str, data: dict, curve_set: str, independent: dict, dependent: dict) -> dict:
    """What Kosh calls a dataset, as Sina's JSON: data, and one curve set of lists of numbers."""
    curves = {"independent": independent, "dependent": dependent}
    record = sina_entry(name, data)
    record["curve_sets"][curve_set] = {
        kind: {key: {"value": values} for key, values in lists.items()} for kind, lists in curves.items()
    }
    return record


def sina_entry(name: str, data: dict) -> dict:
    """A dataset of numbers and words, as Sina's JSON."""
    dates = {"creation_date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}  # or Kosh writes at first open
    return {
        "id": name,
        "type": "dataset",
        "data": {key: {"value": value} for key, value in {"name": name, **dates, **data}.items()},
        "curve_sets": {},
        "library_data": {},
        "files": {},
        "user_defined": {"kosh_information": {}, COLUMNS_OF_RUN: list(data)},
    }


def differences(stored: dict, new: dict, names=("store", "new")) -> list[str]:
    """What differs between a stored entry and a new one, in words; what users added is no difference.

    names   what the two are called
    """
    found: list[str] = []
    one, other = names
    before, after = (values_of(record["data"]) for record in (stored, new))
    columns = stored["user_defined"].get(COLUMNS_OF_RUN, [])
    for name in dict.fromkeys([*columns, *new["user_defined"][COLUMNS_OF_RUN]]):
        if before.get(name) != after.get(name):
            found.append(f"{name}: {one} {before.get(name)}, {other} {after.get(name)}")
    before, after = units_of(stored), units_of(new)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            found.append(f"unit of {name}: {one} {before.get(name)}, {other} {after.get(name)}")
    if (held := place_of(stored)[:1]) != (place := place_of(new)[:1]):
        words = (str(*each) or "the record itself" for each in (held, place))
        return [*found, f"series: {one} {next(words)}, {other} {next(words)}"]
    if place_of(stored)[:3] != place_of(new)[:3]:
        return [*found, f"series in {place[0]}: other numbers than when they were stored"]
    for curve_set in new["curve_sets"]:
        sets = (record.get("curve_sets", {}).get(curve_set, {}) for record in (stored, new))
        before, after = (each.get("dependent", {}) for each in sets)
        for name in dict.fromkeys([*before, *after]):
            found += series_difference(name, names, *(each.get(name, {}).get("value", []) for each in (before, after)))
    return found


def place_of(record: dict) -> list:
    """Where an entry's series stand: [array file, row, digest], or [] for the entry itself."""
    return list(record["user_defined"].get(PLACE, []))


def units_of(record: dict) -> dict[str, str]:
    """Name -> unit, of the data and series of an entry."""
    return dict(record["user_defined"].get(UNITS, {}))


def series_difference(name, names, stored, new) -> list[str]:
    if stored == new:
        return []
    one, other = names
    if len(stored) != len(new):
        return [f"{name}: {one} {len(stored)} steps, {other} {len(new)} steps"]
    step = next(step for step, pair in enumerate(zip(stored, new, strict=True)) if pair[0] != pair[1])
    return [f"{name} at step {step}: {one} {stored[step]}, {other} {new[step]}"]


def values_of(entries: dict) -> dict:
    """Name -> value, of Sina's name -> {"value": value, ...}."""
    return {name: entry["value"] for name, entry in entries.items()}
