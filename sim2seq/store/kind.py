"""Kind: whether runs that go into a store have the features of those in it, and which are there by another name.

Standard library only, at the top.
"""

import json
from array import array
from itertools import chain

from sim2seq.data.records import STEP_AXIS, TIME, unlike
from sim2seq.store.sina import COLUMNS_OF_RUN, CURVE_SET, ROW, StoreError, place_of, values_of

MOST = 5  # names in a message


class Alike:
    """Holds the runs of one call to the features of the first one, and that to a run in the store.

    with_stored   False: only to each other, as a user replaces the runs of a store one by one
    """

    def __init__(self, *, with_stored: bool):
        self.with_stored = with_stored
        self.first, self.features = "", set[str]()
        self.files: dict[tuple[str, str], set[str]] = {}

    def check(self, store, records: list[dict]) -> None:
        """Raise StoreError, with the run, for one that lacks a feature or has another one."""
        if records and self.with_stored and not self.first and (stored := store.some_run()):
            raw = next(iter(store.entries([stored])))
            self._hold(stored, json.loads(raw or b"{}"))
        for record in records:
            self._hold(record["id"], record)

    def _hold(self, run: str, record: dict) -> None:
        if not (found := self._features_of(record)):
            return
        self.first, self.features = self.first or run, self.features or found
        if told := unlike(found, self.features, lambda names: ", ".join(names[:MOST])):
            what = f"run {run} {told}: expected the features of run {self.first}"
            raise StoreError(f"{what}; a store holds runs of one kind", run=run)

    def _features_of(self, record: dict) -> set[str]:
        """The features of a run; none where its file is not there to say it."""
        if held := record.get("curve_sets", {}).get(CURVE_SET):
            return {*held.get("dependent", ())} - {TIME}
        if not (place := place_of(record) if record else []):
            return set()
        key = (str(place[0]), json.dumps(place[3]) if place[3:] else "")
        if key not in self.files:
            self.files[key] = features_in(*key)
        return self.files[key]


def features_in(path: str, reading: str) -> set[str]:
    """The features of the runs in an array file; none where it cannot be read, which `load` will say."""
    from sim2seq.store.reader import opened  # a second, which runs that stand in the store must not pay

    try:
        return set(chain.from_iterable(opened(path, reading).features.values()))
    except (OSError, ValueError):
        return set()


class Twins:
    """Looks for runs whose series, inputs and results are equal, under two names.

    One in the store is a file that was imported again in other company, and named in another way. Two in one call may
    be so: runs of one input that all come to rest. These are in `pairs`.

    ids   of all runs of the call: what the store has of them is their own earlier content
    """

    def __init__(self, ids: set[str]):
        self.ids, self.pairs = ids, dict[str, str]()
        self.here: dict[bytes, str] = {}
        self.there: dict[int, list[str]] | None = None  # by the ranges of their series, which a store has in its index
        self.in_files: dict[bytes, str] = {}

    def check(self, store, records: list[dict]) -> None:
        """Raise StoreError, with the run, for one that is in the store under another name."""
        if self.there is None:
            self._look(store)
        for record in records:
            if other := self._stored(store, record, self.noted(record)):
                name = record["id"]
                what = f"run {name} is run {other}, which is in the store, under another name"
                raise StoreError(f"{what}: leave it out, or import all files at once into a new store", run=name)

    def noted(self, record: dict) -> bytes:
        """The fingerprint of a run, which is kept, as is that another one had it."""
        name, found = record["id"], fingerprint(record)
        if (first := self.here.setdefault(found, name)) != name:
            self.pairs[name] = first
        return found

    def _look(self, store) -> None:
        ranges: dict[str, int] = {}
        for name, curve, low, high in store.ranges():
            if curve != STEP_AXIS:
                ranges[name] = ranges.get(name, 0) ^ hash((curve, low, high))
        self.there = {}
        for name, each in ranges.items():
            self.there.setdefault(each, []).append(name)
        in_files = [name for name in store.run_ids() if name not in ranges and name not in self.ids]
        for name, raw in zip(in_files, store.entries(in_files), strict=True):
            if raw:
                self.in_files[fingerprint(json.loads(raw))] = name

    def _stored(self, store, record: dict, found: bytes) -> str:
        """The id of the run in the store that this one is; "": none."""
        key = 0
        for curve, values in series_in(record).items():
            key ^= hash((curve, min(values), max(values)))
        near = [name for name in (self.there or {}).get(key, ()) if name not in self.ids]
        same = (name for name, raw in zip(near, store.entries(near), strict=True) if raw and is_of(raw, found))
        return self.in_files.get(found, "") or next(same, "")


def is_of(raw, found: bytes) -> bool:
    """Whether an entry's JSON has this fingerprint."""
    return fingerprint(json.loads(raw)) == found


def fingerprint(record: dict) -> bytes:
    """Of the inputs, results and series of a run, or of the digest of series in a file; not of its id."""
    from hashlib import blake2b  # some ms, which an ingest need not pay

    data = values_of(record["data"])
    columns = [name for name in record["user_defined"].get(COLUMNS_OF_RUN, ()) if name != ROW]
    found = blake2b(repr([(name, data.get(name)) for name in sorted(columns)]).encode(), digest_size=16)
    for name, values in sorted(series_in(record).items()):
        found.update(repr((name, len(values))).encode())
        found.update(array("d", values))
    found.update(str(place_of(record)[2:3]).encode())
    return found.digest()


def series_in(record: dict) -> dict[str, list[float]]:
    """The series that stand in an entry, by name."""
    return values_of(record.get("curve_sets", {}).get(CURVE_SET, {}).get("dependent", {}))
