"""Backend: a store in one SQLite file, written with the standard library alone; one transaction takes milliseconds."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote

from sim2seq.store.rows import COLUMNS, INDEX, NUMBERS, RANGES, RUN_IDS, RUNS_BY, SOME_RUN, as_text, index_rows, parsed
from sim2seq.store.sina import StoreError

NEW_STORE = "new.sqlite"
LOCK_TIMEOUT = 600  # s a writer waits for its turn
CACHE_KILOBYTES = 64_000  # of the index: with SQLite's 2 MB, a hundred thousand runs cost twice as much each

INSERTS = {
    "ScalarData": "INSERT INTO ScalarData (id, name, value) VALUES (?, ?, ?)",
    "StringData": "INSERT INTO StringData (id, name, value) VALUES (?, ?, ?)",
    "ListScalarData": "INSERT INTO ListScalarData (id, name, min, max) VALUES (?, ?, ?, ?)",
    "CurveSetMeta": "INSERT INTO CurveSetMeta (id, name) VALUES (?, ?)",
    "Document": "INSERT INTO Document (id, uri, mimetype) VALUES (?, ?, ?)",
}


def create(path) -> bool:
    """Create the Kosh store `path`; True if this call made it, False if it was there.

    The store appears whole: it is built beside its place and linked there. Raises StoreError for a file that is no
    store (which stays as it was) and OSError for a folder that cannot be written.
    """
    path = os.path.abspath(path)
    if os.path.exists(path):
        SqliteStore(path).close()
        return False
    if not os.path.isdir(os.path.dirname(path)):
        raise StoreError(f"{path}: the folder does not exist")
    import tempfile  # ingest must not pay for it

    try:
        with tempfile.TemporaryDirectory(prefix=".store-", dir=os.path.dirname(path)) as folder:
            build(folder, NEW_STORE)
            os.link(os.path.join(folder, NEW_STORE), path)
    except FileExistsError:  # another process was first, or something else is in the way
        SqliteStore(path).close()
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


def open(path) -> "SqliteStore":
    """The store in the file `path`. Raises StoreError for a missing file, no store, or tables of another Sina."""
    return SqliteStore(path)


def remove_unused(path) -> None:
    """Remove a store without runs into which nobody is writing; SQLite refuses whoever begins to write to it later."""
    with suppress(StoreError), closing(SqliteStore(path)) as store:
        store.connection.execute("PRAGMA busy_timeout = 0")
        with store.transaction():
            if not store.run_ids():
                os.remove(path)


class SqliteStore:
    """An open store (backend.OpenStore). Raises StoreError for a missing file, no store, or tables of another Sina."""

    def __init__(self, path):
        if not os.path.isfile(path):
            raise StoreError(f"{path}: no such store, make it with `sim2seq create {path}`")
        self.path = path
        self.connection = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?mode=rw", uri=True, timeout=LOCK_TIMEOUT, isolation_level=None
        )
        try:
            self.connection.execute("PRAGMA foreign_keys = ON")
            self.connection.execute("PRAGMA trusted_schema = OFF")  # an untrusted file runs nothing
            self.connection.execute("PRAGMA synchronous = EXTRA")  # a committed run survives loss of power too
            self.connection.execute(f"PRAGMA cache_size = -{CACHE_KILOBYTES}")
            self._check()
        except sqlite3.DatabaseError as error:
            self.close()
            reason = "locked by another process" if "locked" in str(error) else "not a Kosh store"
            raise StoreError(f"{path}: {reason} ({error})") from error
        except StoreError:
            self.close()
            raise

    def _check(self) -> None:
        for table, columns in COLUMNS.items():
            found = [row[1] for row in self.connection.execute(f"PRAGMA table_info({table})")]
            if found != columns:
                raise StoreError(
                    f"{self.path}: not a Kosh store (table {table}: expected columns {columns}, got {found})"
                )
        if not self.connection.execute("SELECT 1 FROM Record WHERE type = '__kosh_storeinfo__'").fetchone():
            raise StoreError(f"{self.path}: a Sina database, but not a Kosh store")
        foreign = self.connection.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
        if foreign:
            raise StoreError(f"{self.path}: not a Kosh store, {foreign[0]!r:.80} would change what is written or read")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self):
        """All that is written inside is on disk at the end, or nothing; other writers wait."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield  # an exception leaves the transaction open: closing the connection rolls it back
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot write ({error})") from error

    def stored(self, names: list[str]) -> dict[str, dict]:
        """Those of the named entries that are there: name -> Sina's JSON, parsed."""
        query = "SELECT raw FROM Record WHERE id = ?"
        rows = ((name, self.connection.execute(query, [name]).fetchone()) for name in names)
        return {name: parsed(self.path, name, row[0]) for name, row in rows if row}

    def insert(self, records: list[dict]) -> None:
        """Write new entries."""
        rows = [(record["id"], record["type"], as_text(record)) for record in records]
        self.connection.executemany("INSERT INTO Record (id, type, raw) VALUES (?, ?, ?)", rows)
        self._insert_index(records)

    def replace(self, record: dict) -> None:
        """Write an entry in the place of the one with its id."""
        # the row stays, so that relationships (ensembles) keep pointing at it
        values = [record["type"], as_text(record), record["id"]]
        self.connection.execute("UPDATE Record SET type = ?, raw = ? WHERE id = ?", values)
        for table in INDEX:
            self.connection.execute(f"DELETE FROM {table} WHERE id = ?", [record["id"]])
        self._insert_index([record])

    def _insert_index(self, records: list[dict]) -> None:
        rows = index_rows(records)
        for table, statement in INSERTS.items():
            self.connection.executemany(statement, rows[table])

    def run_ids(self) -> list[str]:
        """Ids of all runs."""
        rows = self.connection.execute(RUN_IDS, RUNS_BY)
        found = [row[0] for row in rows]
        if not all(isinstance(name, str) for name in found):  # SQLite keeps anything in any column
            raise StoreError(f"{self.path}: not a Kosh store, an id is no text")
        return found

    def some_run(self) -> str:
        """The id of one run, whichever; "": there is none."""
        row = self.connection.execute(SOME_RUN, RUNS_BY).fetchone()
        return str(row[0]) if row else ""

    def entries(self, names: list[str]) -> Iterator[str | bytes | None]:
        """Sina's JSON of the named entries, in that order; None for one that is not there."""
        for name in names:
            row = self.connection.execute("SELECT raw FROM Record WHERE id = ?", [name]).fetchone()
            yield row[0] if row else None

    def names_with(self, curve_set: str) -> list[str]:
        """Ids of the entries that have this curve set, sorted."""
        query = "SELECT id FROM CurveSetMeta WHERE name = ? ORDER BY id"
        return [row[0] for row in self.connection.execute(query, [curve_set])]

    def numbers(self) -> Iterator[tuple[str, str]]:
        """(id, name) of each number among the data of all entries."""
        yield from self.connection.execute(NUMBERS)

    def ranges(self) -> Iterator[tuple[str, str, float, float]]:
        """(id, name, lowest, highest) of each curve of all entries."""
        yield from self.connection.execute(RANGES)
