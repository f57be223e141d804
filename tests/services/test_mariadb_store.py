"""A store in a MariaDB database: what holds for every store, and for Sina's tables."""

import pytest
from runs import dump, library_store, make_runs
from store_laws import *  # noqa: F403  the tests themselves
from store_sql_laws import *  # noqa: F403

from sim2seq.store import store


@pytest.fixture
def store_path(database_store):
    return database_store


def test_rows_in_mariadb_are_those_in_sqlite(database_store, tmp_path):
    sqlite_store = library_store(tmp_path / "store.sqlite", make_runs(2))
    store.ingest(database_store, make_runs(2))
    ours, theirs = (
        {table: [row for row in rows if "'47bcda_" in row] for table, rows in dump(path).items()}
        for path in (database_store, sqlite_store)
    )
    assert ours == theirs
    assert len(ours["ScalarData"]) > 20
