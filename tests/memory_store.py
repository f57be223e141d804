"""The smallest backend: stores in a dictionary of this process. What a third backend has to bring, and no more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sim2seq.store.rows import index_rows_of
from sim2seq.store.sina import ARRAYS, CURVE_SET, FOREIGN, StoreError, values_of

STORES: dict[str, dict[str, str]] = {}  # path -> id -> JSON


def create(path) -> bool:
    made = str(path) not in STORES
    STORES.setdefault(str(path), {})
    return made


def open(path) -> "MemoryStore":
    if str(path) not in STORES:
        raise StoreError(f"{path}: no such store")
    return MemoryStore(path)


class MemoryStore:
    """An open store (backend.OpenStore) of one thread."""

    def __init__(self, path):
        self.path, self.held = path, STORES[str(path)]

    def close(self) -> None:
        pass

    @contextmanager
    def transaction(self):
        before = dict(self.held)
        try:
            yield
        except BaseException:
            self.held.clear()
            self.held.update(before)
            raise

    def stored(self, names: list[str]) -> dict[str, dict]:
        return {name: json.loads(self.held[name]) for name in names if name in self.held}

    def insert(self, records: list[dict]) -> None:
        self.held.update({record["id"]: json.dumps(record) for record in records})

    def replace(self, record: dict) -> None:
        self.insert([record])

    def entries(self, names: list[str]) -> Iterator[str | None]:
        return (self.held.get(name) for name in names)

    def run_ids(self) -> list[str]:
        records = self.stored(list(self.held)).values()
        return [each["id"] for each in records if CURVE_SET in each["curve_sets"] or is_in_array_file(each)]

    def some_run(self) -> str:
        return next(iter(self.run_ids()), "")

    def names_with(self, curve_set: str) -> list[str]:
        return sorted(name for name, each in self.stored(list(self.held)).items() if curve_set in each["curve_sets"])

    def numbers(self) -> Iterator[tuple[str, str]]:
        for run_id, record in self.stored(list(self.held)).items():
            yield from (
                (run_id, name) for name, value in values_of(record["data"]).items() if not isinstance(value, str)
            )

    def ranges(self) -> Iterator[tuple[str, str, float, float]]:
        for record in self.stored(list(self.held)).values():
            yield from index_rows_of(record)["ListScalarData"]


def is_in_array_file(record: dict) -> bool:
    return any(file["mimetype"] in (ARRAYS, FOREIGN) for file in record["files"].values())
