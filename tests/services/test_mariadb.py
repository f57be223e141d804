"""Many writers to a MariaDB database: none lost, none doubled, no lock file, and nobody waits for ever.

test_mariadb_store.py holds what is the same for every store; the server is that of docs/cluster.md (databases.py).
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
from runs import opened
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from sim2seq.data.records import Run
from sim2seq.store import database, mariadb, store

ROOT = Path(__file__).parents[2]
WAITING = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
WRITERS = 32
# every writer has four runs of its own, in one call, and one that all of them have
WRITER = """
import os, sys
from sim2seq.store import store  # imported once: a writer is a fork of this process
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


def test_32_writers_lose_and_double_nothing_and_leave_no_lock(database_store):
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


def test_a_run_of_a_megabyte_comes_back(database_store):
    long = Run("a_1", {}, {"x": np.linspace(0.0, 1.0, 100_000).tolist()})
    store.ingest(database_store, [long])
    assert store.load(database_store).values[0, :, 0].tolist() == long.series["x"]


def test_a_run_above_the_largest_packet_is_refused(database_with_store, database_store):
    server, _ = database_with_store
    long = Run("a_2", {}, {"x": np.linspace(0.0, 1.0, 100_000).tolist()})
    ((limit,),) = server.query("SELECT @@global.max_allowed_packet")
    server.query("SET GLOBAL max_allowed_packet = 1048576")
    try:
        with pytest.raises(store.StoreError, match=r"a_2: cannot write \d+ bytes.*max_allowed_packet is 1048576"):
            store.ingest(database_store, [one("a_3"), long])
    finally:
        server.query(f"SET GLOBAL max_allowed_packet = {limit}")
    assert store.run_ids(database_store) == []


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


@pytest.mark.parametrize("step", ["_claim", "insert", "_insert_index", "_give_back"])
def test_a_deadlock_at_any_statement_repeats_all_of_it(step, database_store, monkeypatch):
    real, met = getattr(mariadb.MariadbStore, step), []

    def once(self, *arguments):
        real(self, *arguments)
        met.append(step)
        if len(met) == 1:
            with self.reporting("cannot write"):
                raise OperationalError("", {}, Exception(database.DEADLOCK, "try restarting transaction"))

    monkeypatch.setattr(mariadb.MariadbStore, step, once)
    assert store.ingest(database_store, iter([one("a_1"), one("a_2")])) == {"added": 2}
    assert len(met) == 2
    assert store.ingest(database_store, [one("a_1"), one("a_2")]) == {"unchanged": 2}


def wait_for(server, question):
    deadline = time.monotonic() + 60
    while not server.query(question):
        assert time.monotonic() < deadline, question
        time.sleep(0.05)


def test_of_two_calls_with_one_run_the_second_waits(database_with_store, database_store, monkeypatch):
    server, _ = database_with_store
    monkeypatch.setattr(store, "BATCH", 10)
    counts, go = {}, threading.Event()

    def slowly():
        yield from (one(f"a_{number}") for number in range(11))
        go.wait(60)  # the first batch is written, nothing is committed

    def ingest(name, runs):
        counts[name] = store.ingest(database_store, runs)

    threads = [threading.Thread(target=ingest, args=("first", slowly()))]
    threads[0].start()
    wait_for(server, "SELECT 1 FROM information_schema.innodb_trx WHERE trx_rows_modified > 10")
    threads.append(threading.Thread(target=ingest, args=("second", [one("a_7")])))
    threads[1].start()
    wait_for(server, WAITING)
    assert (counts, store.run_ids(database_store)) == ({}, [])
    go.set()
    for thread in threads:
        thread.join(60)
    assert counts == {"first": {"added": 11}, "second": {"unchanged": 1}}


def ingest_crosswise(path, as_runs) -> list:
    """What two calls at once say, counts or an error, that write two runs in batches of one, in opposite orders.

    Each gives its first run twice: of a generator two batches are read before the transaction begins.

    as_runs   (a function that makes a generator of runs) -> what is given to `ingest`
    """
    said, both = [], threading.Barrier(2)

    def ingest(*names):
        tries = []

        def runs():
            tries.append(names)
            yield one(names[0])
            yield one(names[0])
            if len(tries) == 1:
                both.wait(60)  # the first run of each is in its transaction
            yield one(names[1])

        try:
            said.append(store.ingest(path, as_runs(runs)))
        except store.StoreError as error:
            said.append(str(error))

    threads = [threading.Thread(target=ingest, args=names) for names in (("a_1", "a_2"), ("a_2", "a_1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.run_ids(path) == ["a_1", "a_2"]
    return said


def test_two_calls_that_block_each_other_both_go_in(database_store, monkeypatch):
    class Again:
        def __init__(self, runs):
            self.runs = runs

        def __iter__(self):
            return self.runs()

    monkeypatch.setattr(store, "BATCH", 1)
    assert sorted(map(str, ingest_crosswise(database_store, Again))) == [
        "Counter({'added': 2, 'unchanged': 1})",
        "Counter({'unchanged': 3})",
    ]


def test_a_generator_that_is_blocked_is_refused(database_store, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 1)
    (refused,) = (each for each in ingest_crosswise(database_store, lambda runs: runs()) if isinstance(each, str))
    assert "another process is writing some of the same entries in another order, nothing was written" in refused


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
