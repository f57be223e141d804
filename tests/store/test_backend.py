"""A third backend is one module and one line of the table: what holds for every store holds for it, unchanged."""

import subprocess
import sys

import memory_store
import pytest
from store_laws import *  # noqa: F403  the tests themselves

from sim2seq.store import backend, mariadb, sqlite, store


@pytest.fixture
def store_path(monkeypatch, tmp_path):
    monkeypatch.setitem(backend.BACKENDS, ".memory", "memory_store")
    path = tmp_path / "store.memory"
    assert [store.create(path), store.create(path)] == [True, False]
    return path


def test_the_table_finds_a_backend_by_the_end_of_a_path(store_path, tmp_path):
    link = tmp_path / "ensembles_output.sqlite"
    link.symlink_to(tmp_path / "study.url")
    found = {name: backend.backend_of(tmp_path / name) for name in ("a.memory", "a.url", "a.sqlite", "a", link.name)}
    assert list(found.values()) == [memory_store, mariadb, sqlite, sqlite, mariadb]
    with pytest.raises(store.StoreError, match="no such store"):
        store.connect(tmp_path / "other.memory")


def test_every_backend_has_what_the_protocol_asks_for():
    asked = {name for name in vars(backend.OpenStore) if not name.startswith("_")}
    assert asked >= {"transaction", "stored", "insert", "replace", "run_ids", "entries", "names_with", "close"}
    for each in (memory_store.MemoryStore, mariadb.MariadbStore, sqlite.SqliteStore):
        assert asked <= set(dir(each))


def test_an_ingest_into_sqlite_imports_nothing_heavy(sqlite_store):
    code = (
        "import sys; from sim2seq.data.records import Run; from sim2seq.store import store;"
        "store.ingest(sys.argv[1], [Run('a_1', {}, {'x': [1.0]})]);"
        "print([name for name in ('typing', 'numpy', 'h5py', 'orjson', 'sqlalchemy', 'sina') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, sqlite_store], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_tests_of_the_store_need_no_driver_of_a_database(request):
    code = "import sys; sys.modules['pymysql'] = None; import conftest"
    folders = [str(request.config.rootpath / name) for name in ("tests", "")]
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(folders)}, check=True)
