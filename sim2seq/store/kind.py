"""Kind: whether the runs that go into a store have the features of those in it. Standard library only, at the top."""

import json
from itertools import chain

from sim2seq.data.records import TIME, unlike
from sim2seq.store.sina import CURVE_SET, StoreError, place_of

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
