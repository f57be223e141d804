"""An SQLite store without runs, for the tests of this room."""

import shutil

import pytest

from sim2seq.store import store

pytest.register_assert_rewrite("store_laws", "store_sql_laws")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    assert store.create(path) is True
    return path


@pytest.fixture
def sqlite_store(empty_store, tmp_path):
    return shutil.copy(empty_store, tmp_path / "store.sqlite")
