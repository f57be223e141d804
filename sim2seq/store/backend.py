"""Backends: what a place that keeps runs must do, and the table of those there are.

A backend is a module with the two functions of `Backend`; what its `open` returns is an `OpenStore`. One more backend
is one more such module and one more line in BACKENDS. Entries are Sina's JSON as sim2seq/store/sina.py makes it.
"""

from __future__ import annotations

import os
import time
from importlib import import_module

from sim2seq.store.sina import StoreError

TYPE_CHECKING = False  # known to type checkers by its name; importing typing takes 4 ms, once a simulation
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object

# how a store's path ends, links followed -> module, imported at first use; the longest ending decides, "" is any other
BACKENDS = {
    "": "sim2seq.store.sqlite",
    ".url": "sim2seq.store.mariadb",
}

PATIENCE = 600.0  # s a writer waits for its turn


class Busy(StoreError):
    """Other writers were in the way. Nothing was written, and the same may succeed a moment later."""


def patiently(action: Callable, *, repeatable: bool = True):
    """What `action()` returns; where it may be repeated, again and again for PATIENCE seconds while it raises Busy."""
    deadline, pause = time.monotonic() + PATIENCE, 0.05
    while True:
        try:
            return action()
        except Busy:
            if not repeatable or time.monotonic() > deadline:
                raise
        from random import uniform  # 5 ms, which a task that meets nobody must not pay

        time.sleep(pause * uniform(0.5, 1.5))
        pause = min(2 * pause, 5.0)


class Backend(Protocol):
    """A kind of place where stores are kept."""

    def create(self, path) -> bool:
        """Make an empty store; True if this call made it, False if it was there.

        Of many processes that ask at once one makes it, and all return when it is whole. Raises StoreError for
        something else in its place, which stays as it was, and OSError where nothing can be made.
        """

    def open(self, path) -> OpenStore:
        """The store at `path`. Raises StoreError, in one line with the path, for a missing one or what is none."""


class OpenStore(Protocol):
    """A connection to one store, for one thread. Whatever cannot be read or written is a StoreError of one line.

    Reading needs no transaction and sees what others have committed.
    """

    path: object  # as it was given to `open`

    def transaction(self) -> AbstractContextManager:
        """All that is written inside survives a crash once the block has ended.

        An exception inside leaves everything undone as soon as the store is closed. Of writers of the same entries the
        later one waits for the earlier one; other writers need not. Whatever is done inside may raise Busy: whoever
        asked for the transaction then begins it anew (`patiently`).
        """

    def stored(self, names: list[str]) -> dict[str, dict]:
        """Those of the named entries that are there: name -> JSON, parsed.

        Inside a transaction nobody else writes these entries, whether they are there or not, until it ends.
        """

    def insert(self, records: list[dict]) -> None:
        """Write new entries, inside a transaction in which `stored` was asked for their names."""

    def replace(self, record: dict) -> None:
        """Write an entry in the place of the one with its id; what refers to that id stays."""

    def run_ids(self) -> list[str]:
        """Ids of all runs, in any order: entries with the runs' curve set or with a row in an array file."""

    def some_run(self) -> str:
        """The id of one run, whichever, at the cost of a look-up; "": there is none."""

    def entries(self, names: list[str]) -> Iterator[str | bytes | None]:
        """JSON of the named entries, in that order, without holding all of it; None for one that is not there."""

    def names_with(self, curve_set: str) -> list[str]:
        """Ids of the entries that have this curve set, sorted."""

    def numbers(self) -> Iterator[tuple[str, str]]:
        """(id, name) of each number among the data of all entries, in any order, without reading their series."""

    def ranges(self) -> Iterator[tuple[str, str, float, float]]:
        """(id, name, lowest, highest) of each curve of all entries, in any order, without reading their series."""

    def close(self) -> None:
        """End the connection; what was not committed is undone."""


def ending(path) -> str:
    """The key of BACKENDS that fits a path."""
    place = os.path.realpath(path)
    return max((each for each in BACKENDS if place.endswith(each)), key=len)


def backend_of(path) -> Backend:
    """The backend that keeps the store at `path`."""
    return import_module(BACKENDS[ending(path)])  # type: ignore[return-value]  # a module with its two functions


def is_url(path) -> bool:
    """Whether `path` is a file that names a database, or a link to one, and no SQLite file."""
    return ending(path) == ".url"
