"""A connection to the MariaDB database that a `.url` file names: read it, wait for it, say what it refuses.

The file is one line, the URL of the database (docs/cluster.md), and nobody else may read it.
"""

import os
from contextlib import contextmanager, suppress

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from sim2seq.store.backend import PATIENCE, Busy, patiently
from sim2seq.store.sina import StoreError

DIALECT = "mariadb+pymysql"
LONGEST_URL = 10_000
CONNECT_TIMEOUT = 60  # s
DEADLOCK = 1213
TRY_LATER = {1040, 1203, 1205, DEADLOCK}  # too many connections, of this user too; a lock waited for too long
SESSION = (  # the last: a node that is gone keeps nobody waiting for ever
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 60,"
    " idle_write_transaction_timeout = 300"
)


def read_url(path) -> URL:
    """The URL in the file `path`. Raises StoreError, without its password, for one that cannot be used."""
    try:
        check_permissions(path)
        with open(path, encoding="utf-8") as file:
            lines = file.read(LONGEST_URL).split()
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such store: expected a file with the URL of its database") from error
    except UnicodeDecodeError:
        lines = []
    url = parsed_url(lines[0]) if len(lines) == 1 else None
    if url is None:
        raise StoreError(
            f"{path}: expected one line {DIALECT}://USER:PASSWORD@HOST/DATABASE, in the password %40 for @ and so on"
        )
    for other in url.normalized_query.get("read_default_file", ()):
        check_permissions(os.path.expanduser(other))
    return url.set(drivername=DIALECT)


def parsed_url(line: str) -> URL | None:
    """None for what is no URL of a MariaDB database: whatever SQLAlchemy says of it may hold the line."""
    try:
        url = make_url(line)
    except (ArgumentError, ValueError):
        return None
    # more than one @: a password with an @, of which a part would be taken for the host
    return url if url.drivername in (DIALECT, "mysql+pymysql") and url.database and line.count("@") < 2 else None


def check_permissions(path) -> None:
    """Raise StoreError for a file that others may read."""
    mode = os.stat(path).st_mode
    if mode & 0o077:
        raise StoreError(f"{path}: it opens a store and others may read it (mode {mode & 0o777:o}): chmod 600 {path}")


class Database:
    """A connection to a database, and what it says in words that name `path` and no password."""

    def __init__(self, path, url: URL):
        try:
            import pymysql  # noqa: F401
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{path}: a store in MariaDB needs PyMySQL: ./setup.sh mariadb in sim2seq's clone"
            ) from error
        self.path = path
        arguments = {"connect_timeout": CONNECT_TIMEOUT, "init_command": SESSION}
        if "unix_socket" in url.query:
            arguments["ssl_disabled"] = True  # nobody can listen there, and TLS would cost 20 ms a task
        # without "reset", as else the pool tries to roll back once more, and prints how it failed
        options = {"poolclass": NullPool, "pool_reset_on_return": None, "hide_parameters": True}
        try:
            with self.reporting("cannot connect"):
                engine = create_engine(url, isolation_level="READ COMMITTED", connect_args=arguments, **options)
            self.connection = patiently(lambda: self.connected(engine))
        except (TypeError, OSError) as error:  # of the driver: an unknown argument, no such certificate
            raise StoreError(f"{path}: cannot connect ({error})") from error

    def connected(self, engine):
        """A new connection."""
        with self.reporting("cannot connect"):
            return engine.connect()

    def close(self) -> None:
        """End the connection; what was not committed is undone."""
        with suppress(SQLAlchemyError):  # the server is gone: then it has undone it
            self.connection.rollback()
        self.connection.close()

    @contextmanager
    def reporting(self, what: str):
        """What the database or its driver refuses becomes a StoreError of one line; Busy where it says to try later."""
        try:
            yield
        except SQLAlchemyError as error:
            if code_of(error) == DEADLOCK:
                what += ": another process is writing some of the same entries in another order, nothing was written"
            kind = Busy if code_of(error) in TRY_LATER else StoreError
            raise kind(f"{self.path}: {what} ({reason_of(error)})") from error

    @contextmanager
    def exclusive(self, name: str):
        """Nobody else is in a block of this name on this server."""
        with self.reporting(f"waited {PATIENCE:g} s for another process"):
            if not self.connection.scalar(text("SELECT GET_LOCK(:name, :s)"), {"name": name, "s": PATIENCE}):
                raise StoreError(f"{self.path}: another process has been making this store for {PATIENCE:g} s")
        yield  # closing the connection gives the lock back


def code_of(error) -> int | None:
    """The server's number of an error."""
    return said_by(error)[0]


def reason_of(error) -> str:
    """What the server or the driver said, in one line."""
    return " ".join(str(said_by(error)[-1]).split())[:300]


def said_by(error) -> tuple:
    return getattr(getattr(error, "orig", None), "args", ()) or (error,)
