"""Many writers to a MariaDB database: none lost, none doubled, no lock file, and nobody waits for ever.

tests/test_store.py holds what is the same for SQLite and MariaDB; the server is that of docs/cluster.md (databases.py).
"""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from runs import make_runs, opened
from sqlalchemy import text

from sim2seq.data import arrays, records
from sim2seq.data.records import Run
from sim2seq.store import database, store

ROOT = Path(__file__).parents[2]
WAITING = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
WRITERS = 32
# every writer has four runs of its own, in one call, and one that all of them have
WRITER = """
import os, sys
from sim2seq import store  # imported once: a writer is a fork of this process
from sim2seq.store import mariadb
from sim2seq.data.records import Run

def run(name, value):
    return Run(name, {"drag": value}, {"x": [value, value + 1], "y": [0.0, value]})

writers = []
for writer in range(int(sys.argv[2])):
    writers.append(os.fork())
    if not writers[-1]:
        own = [run(f"w_{writer}_{number}", writer + number / 8) for number in range(4)]
        counts = store.ingest(sys.argv[1], own) + store.ingest(sys.argv[1], [run("common", 0.5)])
        os.write(1, f"{counts['added']} {counts['unchanged']}\\n".encode())
        os._exit(0)
sys.exit(any([os.waitpid(writer, 0)[1] for writer in writers]))
"""


def one(name, value=0.5):
    return Run(name, {"drag": value}, {"x": [1.0, 2.0]})


def test_32_writers_at_once_lose_and_double_nothing_and_leave_no_lock_file(database_store):
    command = [sys.executable, "-c", WRITER, database_store, str(WRITERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    # each adds its four runs; one of all adds the common one, which the others find unchanged
    assert Counter(done.stdout.splitlines()) == {"4 1": WRITERS - 1, "5 0": 1}
    ensemble = store.load(database_store)
    expected = {f"w_{writer}_{number}": writer + number / 8 for writer in range(WRITERS) for number in range(4)}
    assert sorted(ensemble.run_ids) == sorted([*expected, "common"])
    found = dict(zip(ensemble.run_ids, ensemble.values.tolist(), strict=True))
    assert {name: found[name] for name in expected} == {n: [[v, 0.0], [v + 1, v]] for n, v in expected.items()}
    assert os.listdir(database_store.parent) == ["store.url"]


def test_tasks_of_the_study_ingest_at_once(database_store, tmp_path):
    runs = make_runs(5)
    for run in runs:
        (tmp_path / run.id).mkdir()
        records.write(tmp_path / run.id / "output.dsv", [run])
    # as a study does it that was told to use this store: the path is a link
    link = tmp_path / "ensembles_output.sqlite"
    link.symlink_to(database_store)
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    processes = [subprocess.Popen([*command, tmp_path / run.id, link], stdout=subprocess.DEVNULL) for run in runs]
    assert [process.wait() for process in processes] == [0] * 5
    ensemble = store.load(link)
    assert ensemble.run_ids == tuple(run.id for run in runs)
    for run, values in zip(runs, ensemble.values, strict=True):
        np.testing.assert_array_equal(values.T, [run.series[name] for name in ensemble.features])


def test_series_in_array_files_stay_there(database_store, tmp_path):
    values = np.arange(12.0).reshape(3, 4)
    arrays.write(tmp_path / "runs.h5", ["a_1", "a_2", "a_3"], {"drag": [0.1, 0.2, 0.3]}, {"x": values}, range(4))
    assert store.ingest(database_store, arrays.read(tmp_path / "runs.h5")) == {"added": 3}
    assert store.ingest(database_store, arrays.read(tmp_path / "runs.h5")) == {"unchanged": 3}
    ensemble = store.load(database_store)
    np.testing.assert_array_equal(ensemble.values[..., 0], values)
    assert ensemble.inputs["drag"].tolist() == [0.1, 0.2, 0.3]


def test_trainings_are_recorded_and_replaced_even_without_an_epoch(database_store):
    said = [store.add_training(database_store, "t_1", {"window": 5}, {"loss": losses}) for losses in ([], [0.5, 0.25])]
    assert said == ["added", "replaced"]
    ((data, losses),) = store.load_trainings(database_store).values()
    assert (data["window"], losses) == (5, {"loss": [0.5, 0.25]})
    assert store.add_training(database_store, "t_1", {"window": 5}, {"loss": []}) == "replaced"


def test_a_run_of_a_megabyte_comes_back_and_one_above_the_largest_packet_is_refused(
    database_with_store, database_store
):
    server, _ = database_with_store
    long = Run("a_1", {}, {"x": np.linspace(0.0, 1.0, 100_000).tolist()})
    store.ingest(database_store, [long])
    assert store.load(database_store).values[0, :, 0].tolist() == long.series["x"]
    ((limit,),) = server.query("SELECT @@global.max_allowed_packet")
    server.query("SET GLOBAL max_allowed_packet = 1048576")
    try:
        with pytest.raises(store.StoreError, match=r"a_2: cannot write \d+ bytes.*max_allowed_packet is 1048576"):
            store.ingest(database_store, [one("a_3"), long._replace(id="a_2")])
    finally:
        server.query(f"SET GLOBAL max_allowed_packet = {limit}")
    assert store.run_ids(database_store) == ["a_1"]


def test_a_path_that_does_not_fit_is_refused(database_store):
    with pytest.raises(store.StoreError, match="a_1: expected a path of up to 512 characters"):
        store.ingest(database_store, [Run("a_1", {}, {}, ("/" + "x" * 512, 0, "0" * 32))])


def test_a_writer_that_meets_a_deadlock_tries_again(database_with_store, database_store):
    server, _ = database_with_store
    store.ingest(database_store, [one(f"a_{number}") for number in range(100)])
    counts, deadlocks = [], "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"
    ((_, before),) = server.query(deadlocks)
    writer = threading.Thread(target=lambda: counts.append(store.ingest(database_store, [one("a_1"), one("a_2")])))
    with opened(database_store) as other:  # it has written more than our writer: that one is to give way
        other.execute(text("UPDATE Record SET type = 'x' WHERE id > 'a_1'"))
        writer.start()  # takes a_1, waits for a_2
        wait_for(server, WAITING)
        other.execute(text("UPDATE Record SET type = 'x' WHERE id = 'a_1'"))
        other.rollback()
    writer.join(60)
    assert counts == [{"unchanged": 2}]
    ((_, after),) = server.query(deadlocks)
    assert int(after) == int(before) + 1


def test_a_writer_that_waited_too_long_for_a_row_tries_again(database_store, monkeypatch):
    monkeypatch.setattr(database, "SESSION", "SET SESSION innodb_lock_wait_timeout = 1")
    store.ingest(database_store, [one("a_1")])
    counts = []
    writer = threading.Thread(target=lambda: counts.append(store.ingest(database_store, [one("a_1")])))
    with opened(database_store) as other:
        other.execute(text("UPDATE Record SET type = 'x' WHERE id = 'a_1'"))
        writer.start()
        time.sleep(1.5)  # one timeout has passed
        assert not counts
        other.rollback()
    writer.join(60)
    assert counts == [{"unchanged": 1}]


def wait_for(server, question):
    deadline = time.monotonic() + 60
    while not server.query(question):
        assert time.monotonic() < deadline, question
        time.sleep(0.05)


def test_of_two_calls_with_one_run_the_second_waits_for_the_first(database_with_store, database_store, monkeypatch):
    server, _ = database_with_store
    monkeypatch.setattr(store, "BATCH", 10)
    counts, go = [], threading.Event()

    def slowly():
        yield from (one(f"a_{number}") for number in range(11))
        go.wait(60)  # the first batch is written, nothing is committed

    threads = [threading.Thread(target=lambda: counts.append(store.ingest(database_store, slowly())))]
    threads[0].start()
    wait_for(server, "SELECT 1 FROM information_schema.innodb_trx WHERE trx_rows_modified > 10")
    threads.append(threading.Thread(target=lambda: counts.append(store.ingest(database_store, [one("a_7")]))))
    threads[1].start()
    wait_for(server, WAITING)
    assert (counts, store.run_ids(database_store)) == ([], [])
    go.set()
    for thread in threads:
        thread.join(60)
    assert counts == [{"added": 11}, {"unchanged": 1}]


def test_of_two_long_calls_that_block_each_other_one_is_told_to_repeat(database_store, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 1)
    said, both = [], threading.Barrier(2)

    def ingest(*names):
        def runs():
            yield one(names[0])
            both.wait(60)  # the first run of each is in its transaction
            yield one(names[1])

        try:
            said.append(store.ingest(database_store, runs()))
        except store.StoreError as error:
            said.append(str(error))

    threads = [threading.Thread(target=ingest, args=names) for names in (("a_1", "a_2"), ("a_2", "a_1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (refused,) = (each for each in said if isinstance(each, str))
    assert "another process is writing some of the same entries in another order, nothing was written" in refused
    assert store.run_ids(database_store) == ["a_1", "a_2"]


def test_a_connection_lost_on_the_way_leaves_the_store_as_it_was(
    database_with_store, database_store, monkeypatch, caplog
):
    server, _ = database_with_store
    monkeypatch.setattr(store, "BATCH", 2)

    def runs():
        yield from (one(f"a_{number}") for number in range(3))
        writers = server.query("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_rows_modified")
        server.query(*(f"KILL {writer}" for (writer,) in writers))

    with pytest.raises(store.StoreError, match=r"cannot write \(.*(Lost connection|gone away|killed)"):
        store.ingest(database_store, runs())
    assert (store.run_ids(database_store), caplog.records) == ([], [])
