"""The study's store: create it with Kosh, ingest runs in parallel, load them as an Ensemble.

A store is made by Kosh and readable with plain Kosh; where it is kept is the affair of a backend
(sim2seq/store/backend.py). The series of runs from DSV records stand in the store; those of runs from array files stay
there, and the store keeps file and row. `load` gives the same Ensemble.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice

from sim2seq.data.records import instead, is_result
from sim2seq.store.backend import OpenStore, backend_of, patiently
from sim2seq.store.backend import is_url as is_url
from sim2seq.store.kind import Alike, Twins
from sim2seq.store.sina import (
    CURVE_SET,
    LEARNING_CURVE,
    ROW,
    StoreError,
    differences,
    sina_record,
    sina_training,
    values_of,
)

NO_STORE = "none"  # as sweep.yaml says it
BATCH = 1000  # runs read before the store is searched, and written at a time
NUMBERS = 2_000_000  # of their series, which take 64 MB while they are Python's


def create(path) -> bool:
    """Create the Kosh store `path`; True if this call made it, False if it was there.

    Raises StoreError for something else in its place (which stays as it was) and OSError where it cannot be made.
    """
    return backend_of(path).create(path)


def connect(path) -> OpenStore:
    """The open store. Raises StoreError for a missing one, or what is no store."""
    return backend_of(path).open(path)


def ingest(path, runs, *, replace=False, alike=False, twins: Twins | None = None) -> Counter:
    """Put runs into the store in one transaction; counts of 'added', 'unchanged' and 'replaced'.

    runs is any iterable of records.Run; what it raises (a bad file) undoes the whole call. A run that is in the store
    with the same content changes nothing; with other content it raises StoreError showing both, unless `replace`.
    With `alike` it also raises StoreError for features unlike those of another of these runs, or, unless `replace`,
    of a stored one. When this returns, the runs are on disk. Safe with many processes at once: where a server
    undoes the transaction since writers of the same runs block each other, it begins anew and goes through `runs`
    again; only an iterator of more than a batch, which cannot be gone through again, ends in backend.Busy, a
    StoreError, then.
    """
    runs = collected(runs)

    def write() -> Counter:
        batches, written = (list(map(sina_record, batch)) for batch in in_batches(runs)), set[str]()
        first = next(batches, [])  # read and checked before the lock is taken
        kinds = ([Alike(with_stored=not replace)] if alike else []) + ([twins] if twins else [])
        with closing(connect(path)) as store, store.transaction():
            return sum((put(store, batch, replace, written, kinds) for batch in chain([first], batches)), Counter())

    return patiently(write, repeatable=iter(runs) is not runs)


def collected(runs: Iterable) -> Iterable:
    """The runs, of an iterator that ends within a batch as a list."""
    if iter(runs) is not runs:
        return runs
    first, more = taken(runs), list(islice(runs, 1))
    return chain(first, more, runs) if more else first


def in_batches(runs: Iterable) -> Iterator[list]:
    runs = iter(runs)
    while batch := taken(runs):
        yield batch


def taken(runs: Iterator) -> list:
    """The next runs, up to BATCH, or of long ones as many as have NUMBERS numbers."""
    batch, numbers = [], 0
    for run in runs:
        batch.append(run)
        numbers += sum(map(len, run.series.values()))
        if len(batch) >= BATCH or numbers >= NUMBERS:
            break
    return batch


def put(store, records: list[dict], replace: bool, written: set[str], kinds: Iterable[Alike | Twins] = ()) -> Counter:
    """Write entries inside the open transaction; counts as for `ingest`.

    written   their names are added; none of those that are there is replaced: one call does not overwrite its own runs
    kinds     what is asked of new content
    """
    counts: Counter[str] = Counter()
    held, new, changed = store.stored([record["id"] for record in records]), [], []
    for record in records:
        name = record["id"]
        if name not in held:
            new.append(record)
            counts["added"] += 1
        elif not (found := differences_of(store.path, held[name], record)):
            counts["unchanged"] += 1
        elif not replace or name in written:
            raise StoreError(other_content(name, found), run=name)
        else:
            counts["replaced"] += 1
            changed.append(record)
        held[name] = record
        written.add(name)
    for kind in kinds:
        kind.check(store, new + changed)
    for record in changed:
        store.replace(record)
    store.insert(new)
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

    def write() -> str:
        with closing(connect(path)) as store, store.transaction():
            held = store.stored([name])
            if held and LEARNING_CURVE not in held[name].get("curve_sets", {}):
                raise StoreError(f"{path}: {name} is not a training: expected another name for this one")
            (what,) = put(store, [record], True, set())
        return what

    return patiently(write)


def run_ids(path) -> list[str]:
    """Ids of all runs in the store, in natural order."""
    with closing(connect(path)) as store:
        return sorted(store.run_ids(), key=natural_order)


def check_store(path) -> None:
    """Raise ValueError, in one line, unless `path` is a store with runs in it."""
    if str(path) == NO_STORE:
        raise ValueError("expected the store of a finished study: add --vars STORE=FILE")
    if not run_ids(path):
        raise ValueError(f"{path}: expected a store with runs, this one has none")


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


def load(path, *, runs: Iterable[str] | None = None, features=None, resample=None, in_memory: int | None = None):
    """All runs of the store as an Ensemble (runs in natural order of their ids), those that end early padded with nan.

    runs        ids of the runs to load, in that order; None: all
    features    names of the series to load, in that order; None: all but `time`. Of a series with further dimensions
                also a part: NAME[0,1]
    resample    a time step: every run is interpolated linearly to it, and its times count from its first step. None:
                as stored
    in_memory   bytes; larger values lie in a temporary file instead, which nobody sees and which is gone when the
                Ensemble is. None: a quarter of the memory

    Values are float64, or of the one type that all loaded series have in array files; times are those of the longest
    run. Inputs and results are the numbers that every run has (`unusable_inputs` names the others).
    Raises StoreError for a store without runs, for one of `runs` that it does not have or that is requested twice, for
    a run with other series, and for times that are not, but for rounding, the beginning of those of the longest run.
    """
    import orjson  # ingest must not pay for these

    from sim2seq.store.reader import Reader

    names = None if features is None else requested(path, "the names of the series to load", features)
    with closing(connect(path)) as store:
        run_ids = chosen(path, store.run_ids(), runs)
        reader = Reader(path, run_ids, names, in_memory, resample)
        for position, raw in enumerate(store.entries(run_ids)):
            try:
                reader.add(position, orjson.loads(raw or b""))
            except StoreError:
                raise
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                what = f"expected Sina's JSON of a run ({error!r:.80})"
                raise StoreError(f"{path}: run {run_ids[position]}: {what}") from error
    reader.add_array_files()
    return reader.ensemble()


def chosen(path, stored: list[str], runs: Iterable[str] | None) -> list[str]:
    """The ids of the runs to load: `runs`, or all that are `stored`, in natural order. Raises StoreError."""
    if not stored:
        raise StoreError(f"{path}: expected runs with the curve set {CURVE_SET}, the store has none")
    if runs is None:
        return sorted(stored, key=natural_order)
    names, held = requested(path, "the ids of the runs to load", runs), set(stored)
    for run_id in names:
        if run_id not in held:
            raise StoreError(f"{path}: run {run_id!s:.80} is not in the store")
    return names


def requested(path, what: str, names: Iterable[str]) -> list[str]:
    """Names that a caller gave, each once. Raises StoreError."""
    if isinstance(names, str):
        raise StoreError(f"{path}: expected a list of {what}, got the text {names!r:.80}")
    counts = Counter(names)
    if not counts:
        raise StoreError(f"{path}: expected {what}, got none")
    for name, count in counts.items():
        if count > 1:
            raise StoreError(f"{path}: expected {what}, each once, got {name!s:.80} {count} times")
    return list(counts)


def other_content(name: str, found: list[str]) -> str:
    """That a run is stored and differs, `found` in what."""
    return f"run {name} is in the store with other content: {'; '.join(found[:5])}"


def unusable_inputs(path) -> dict[str, str]:
    """Numbers that are inputs of some runs and not of all, so that no Ensemble has them: name -> which run has not.

    Only the store's index of numbers is read, and a record for each such name.
    """
    having: dict[str, set[str]] = {}
    with closing(connect(path)) as store:
        runs = set(store.run_ids())
        for run_id, name in store.numbers():
            if run_id in runs and not is_result(name) and name != ROW:
                having.setdefault(name, set()).add(run_id)
        lacking = {name: min(runs - some, key=natural_order) for name, some in having.items() if some != runs}
        records = store.stored(sorted(set(lacking.values())))
    return {name: f"run {run_id} {what_it_has(records[run_id], name)}" for name, run_id in lacking.items()}


def what_it_has(record: dict, name: str) -> str:
    """What a run has in the place of a number, in words."""
    return instead(values_of(record["data"]).get(name))
