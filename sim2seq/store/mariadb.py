"""Backend: a store in a MariaDB database, for writers on many nodes, through SQLAlchemy.

Kosh and Sina make the tables; what is written later goes without them.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import URL, bindparam, column, delete, select, table, text, update
from sqlalchemy.dialects.mysql import insert

from sim2seq.store.database import Database, read_url
from sim2seq.store.rows import COLUMNS, INDEX, NUMBERS, RANGES, RUN_IDS, RUNS_BY, SOME_RUN, as_text, index_rows, parsed
from sim2seq.store.sina import StoreError

COLLATION = "utf8mb4_nopad_bin"  # any other takes a_1 for A_1, or "a" for "a "
LONGEST_URI = 512  # characters of a path; Sina's 1500 do not fit into an index of four-byte characters
CHUNK = 200  # entries read at a time: a few MB
MAKE = (
    "import kosh, sys; options = {'isolation_level': 'READ COMMITTED'}; "
    "kosh.connect(sys.stdin.read(), execution_options=options).close()"
)

TABLES = {name: table(name, *map(column, columns)) for name, columns in COLUMNS.items()}
RECORD = TABLES["Record"]
# as index_rows gives them
INDEX_COLUMNS = {each: ["id", *(c for c in COLUMNS[each] if c not in ("id", "tags", "units"))] for each in INDEX}
LAYOUT = text(
    "SELECT table_name, engine, column_name, collation_name FROM information_schema.tables"
    " JOIN information_schema.columns USING (table_schema, table_name)"
    " WHERE table_schema = DATABASE() AND table_name IN :names ORDER BY table_name, ordinal_position"
).bindparams(bindparam("names", list(COLUMNS), expanding=True))


def create(path) -> bool:
    """Make the store in the database that the file `path` names; True if this call made it, False if it was there.

    Raises StoreError for a URL that cannot be used, and for tables of that name that are no store (they stay).
    """
    url = read_url(path)
    with closing(Database(path, url)) as database, database.exclusive(f"sim2seq {url.database}"[:64]):
        if tables_of(database) and is_store(database):
            return False
        make_tables(database)
        build(url)
    MariadbStore(path).close()
    return True


def build(url: URL) -> None:
    """Let Kosh put what it needs into the empty tables: in a process of its own, since it writes warnings."""
    words = url.render_as_string(hide_password=False)  # to stdin: others see command lines
    command = [sys.executable, "-P", "-c", MAKE]  # -P: not what lies in the folder of the user
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise StoreError(f"Kosh could not make the store: {without_password(said[0], url)}")


def without_password(words: str, url: URL) -> str:
    for secret in filter(None, [url.render_as_string(hide_password=False), url.password]):
        words = words.replace(secret, "***")
    return words


def tables_of(database: Database) -> dict[str, list]:
    """Sina's tables that are there: name -> [(engine, column, collation)]. Raises StoreError for other ones."""
    found: dict[str, list] = {}
    with database.reporting("cannot read"):
        for name, *rest in database.connection.execute(LAYOUT):
            found.setdefault(name, []).append(tuple(rest))
    for name, columns in found.items():
        got, engines = [column for _, column, _ in columns], {str(engine) for engine, _, _ in columns}
        if sorted(got) != sorted(COLUMNS[name]) or engines != {"InnoDB"}:
            what = f"table {name}: expected columns {COLUMNS[name]} of InnoDB, got {got} of {', '.join(engines)}"
            raise StoreError(f"{database.path}: not a Kosh store ({what})")
        other = {collation for _, _, collation in columns} - {None, COLLATION}
        if other:
            what = f"table {name}: expected the collation {COLLATION}, got {sorted(other)}"
            raise StoreError(f"{database.path}: not a store of sim2seq ({what})")
    return found


def is_store(database: Database) -> bool:
    """Whether Kosh has been here; False for empty tables. Raises StoreError for somebody else's."""
    with database.reporting("cannot read"):
        if database.connection.scalar(select(RECORD.c.id).where(RECORD.c.type == "__kosh_storeinfo__").limit(1)):
            return True
        if database.connection.scalar(select(RECORD.c.id).limit(1)):
            raise StoreError(f"{database.path}: a Sina database, but not a Kosh store")
    return False


def make_tables(database: Database) -> None:
    """Sina's tables, those that are missing, in a collation that tells all ids apart."""
    from sina.datastores.sql_schema import Base
    from sqlalchemy import MetaData, String

    tables = MetaData()
    for one in Base.metadata.sorted_tables:
        options = {"mariadb_engine": "InnoDB", "mariadb_charset": "utf8mb4", "mariadb_collate": COLLATION}
        one.to_metadata(tables).dialect_kwargs.update(options)
    tables.tables["Document"].c.uri.type = String(LONGEST_URI)
    with database.reporting("cannot make the tables"):
        tables.create_all(database.connection)
        database.connection.commit()


def open(path) -> "MariadbStore":
    """The store in the database that the file `path` names. Raises StoreError for a file or a database that is none."""
    return MariadbStore(path)


class MariadbStore(Database):
    """An open store (backend.OpenStore). Raises StoreError for a file or a database that is none."""

    def __init__(self, path):
        super().__init__(path, read_url(path))
        self.writing, self.claims = False, set()
        try:
            if set(tables_of(self)) != set(COLUMNS) or not is_store(self):
                raise StoreError(f"{path}: the database has no store, make it with `sim2seq create {path}`")
            with self.reporting("cannot read"):
                self.largest = self.connection.scalar(text("SELECT @@max_allowed_packet"))
                self.connection.rollback()
        except StoreError:
            self.close()
            raise

    @contextmanager
    def transaction(self):
        """All that is written inside is in the database at the end, or nothing.

        Others wait only where they write the same entries.
        """
        self.writing = True
        try:
            yield  # an exception leaves the transaction open: closing the connection rolls it back
            with self.reporting("cannot write"):
                self._give_back()
                self.connection.commit()
        finally:
            self.writing, self.claims = False, set()

    def stored(self, names: list[str]) -> dict[str, dict]:
        """Those of the named entries that are there: name -> Sina's JSON, parsed.

        Inside a transaction nobody else can write the named entries from here on, whether they are there or not.
        """
        if self.writing and names:
            self._claim(names)
        found = zip(names, self.entries(names), strict=True)
        return {name: parsed(self.path, name, raw) for name, raw in found if raw is not None}

    def _claim(self, names: list[str]) -> None:
        """Lock the rows of these entries; where there is none, a row without JSON, which nobody else sees."""
        rows = [{"id": name, "type": "dataset"} for name in sorted(set(names))]  # all in one order: no deadlock
        statement = insert(RECORD).on_duplicate_key_update(id=RECORD.c.id)
        with self.reporting("cannot write"):
            self.connection.execute(statement, rows)
        self.claims.update(names)

    def _give_back(self) -> None:
        """Delete the rows without JSON that were asked for and not filled."""
        if self.claims:
            self.connection.execute(delete(RECORD).where(RECORD.c.id.in_(self.claims), RECORD.c.raw.is_(None)))

    def insert(self, records: list[dict]) -> None:
        """Write new entries, whose names `stored` was asked for."""
        statement = insert(RECORD)
        statement = statement.on_duplicate_key_update(type=statement.inserted.type, raw=statement.inserted.raw)
        rows = [self._row(record) for record in records]
        with self.reporting("cannot write"):
            if rows:
                self.connection.execute(statement, rows)
            self._insert_index(records)

    def replace(self, record: dict) -> None:
        """Write an entry in the place of the one with its id."""
        # the row stays, so that relationships (ensembles) keep pointing at it
        name, row = record["id"], self._row(record)
        with self.reporting("cannot write"):
            self.connection.execute(update(RECORD).where(RECORD.c.id == name).values(row))
            for each in INDEX:
                self.connection.execute(delete(TABLES[each]).where(TABLES[each].c.id == name))
            self._insert_index([record])

    def _row(self, record: dict) -> dict:
        """The row of an entry. Raises StoreError for what the tables or the server's largest packet cannot hold."""
        raw = as_text(record).decode()
        size = len(raw) + raw.count('"') + raw.count("\\") + 1000  # as the driver quotes it
        if size > self.largest:
            what = f"{size} bytes, and the server's max_allowed_packet is {self.largest}"
            raise StoreError(f"{self.path}: {record['id']}: cannot write {what}")
        if any(len(uri) > LONGEST_URI for uri in record["files"]):
            raise StoreError(f"{self.path}: {record['id']}: expected a path of up to {LONGEST_URI} characters")
        return {"id": record["id"], "type": record["type"], "raw": raw}

    def _insert_index(self, records: list[dict]) -> None:
        for name, some in index_rows(records).items():
            names = INDEX_COLUMNS[name]
            if some:
                self.connection.execute(insert(TABLES[name]), [dict(zip(names, row, strict=True)) for row in some])

    def run_ids(self) -> list[str]:
        """Ids of all runs."""
        with self.reporting("cannot read"):
            return list(self.connection.scalars(text(RUN_IDS), RUNS_BY))

    def some_run(self) -> str:
        """The id of one run, whichever; "": there is none."""
        with self.reporting("cannot read"):
            return self.connection.scalar(text(SOME_RUN), RUNS_BY) or ""

    def entries(self, names: list[str]) -> Iterator[str | None]:
        """Sina's JSON of the named entries, in that order; None for one that is not there."""
        for first in range(0, len(names), CHUNK):
            some = names[first : first + CHUNK]
            with self.reporting("cannot read"):
                rows = self.connection.execute(select(RECORD.c.id, RECORD.c.raw).where(RECORD.c.id.in_(some)))
                held = {name: raw for name, raw in rows}
            for name in some:
                yield held.get(name)

    def names_with(self, curve_set: str) -> list[str]:
        """Ids of the entries that have this curve set, sorted."""
        curves = TABLES["CurveSetMeta"].c
        with self.reporting("cannot read"):
            return list(self.connection.scalars(select(curves.id).where(curves.name == curve_set).order_by(curves.id)))

    def numbers(self) -> Iterator[tuple[str, str]]:
        """(id, name) of each number among the data of all entries."""
        with self.reporting("cannot read"):
            yield from (tuple(row) for row in self.connection.execute(text(NUMBERS)))

    def ranges(self) -> Iterator[tuple[str, str, float, float]]:
        """(id, name, lowest, highest) of each curve of all entries."""
        with self.reporting("cannot read"):
            yield from (tuple(row) for row in self.connection.execute(text(RANGES)))
