"""A third backend is one module and one line of the table: what holds for every store holds for it, unchanged."""

import subprocess
import sys

import memory_store
import pytest
from store_laws import *  # noqa: F403  the tests themselves

from sim2seq.data import records
from sim2seq.data.records import Run
from sim2seq.store import backend, files, mariadb, sqlite, store


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


def busy_once(monkeypatch, *, number: int = 1):
    """The insert of that number of a MemoryStore, from now on, ends in Busy, after it has written."""
    real, met = memory_store.MemoryStore.insert, []

    def insert(self, records):
        real(self, records)
        met.append(records)
        if len(met) == number:
            raise backend.Busy("another process was in the way")

    monkeypatch.setattr(memory_store.MemoryStore, "insert", insert)


def test_a_writer_that_was_in_the_way_of_others_begins_anew(store_path, monkeypatch):
    runs = [Run(f"a_{number}", {}, {"x": [1.0]}) for number in range(3)]
    busy_once(monkeypatch)
    assert store.ingest(store_path, iter(runs)) == {"added": 3}
    monkeypatch.setattr(store, "BATCH", 2)
    busy_once(monkeypatch, number=2)
    more = [*runs, *(run._replace(id=f"b_{number}") for number, run in enumerate(runs))]
    assert store.ingest(store_path, more) == {"unchanged": 3, "added": 3}
    busy_once(monkeypatch)
    assert store.add_training(store_path, "t_1", {}, {"loss": [0.5]}) == "added"


def test_a_long_iterator_in_the_way_of_others_is_refused(store_path, monkeypatch):
    busy_once(monkeypatch, number=2)
    monkeypatch.setattr(store, "BATCH", 2)
    with pytest.raises(store.StoreError, match="in the way"):
        store.ingest(store_path, (Run(f"a_{number}", {}, {"x": [1.0]}) for number in range(3)))
    assert store.run_ids(store_path) == []


def test_files_are_read_anew_each_time(tmp_path):
    records.write(tmp_path / "a.dsv", [Run("a_1", {}, {"x": [1.0]})])
    runs = files.Finished(files.find_records(tmp_path))
    assert [run.id for run in (*runs, *runs)] == ["a_1", "a_1"]


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
