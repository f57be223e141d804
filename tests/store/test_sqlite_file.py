"""A store in an SQLite file appears whole, under any name, and in the place of nothing else."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from runs import make_runs

from sim2seq.store import store

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("content", [b"", b"not a database", b"sqlite"])
def test_a_file_that_is_no_store_is_refused_untouched(tmp_path, content):
    path = tmp_path / "store.sqlite"
    if content == b"sqlite":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE Record (id, type, raw)")
        content = path.read_bytes()
    path.write_bytes(content)
    command = [sys.executable, ROOT / "create_store.py", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not a Kosh store" in done.stderr
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["store.sqlite"]


def test_many_processes_create_one_store(tmp_path):
    command = [sys.executable, ROOT / "create_store.py", tmp_path / "store.sqlite"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sum("created" in line for line in said) == 1
    assert os.listdir(tmp_path) == ["store.sqlite"]


@pytest.mark.parametrize("name", ["a?b.sqlite", "a%20b.sqlite", "a#b c;'ü.sqlite"])
def test_a_store_may_have_any_name(tmp_path, name):
    assert store.create(tmp_path / name) is True
    store.ingest(tmp_path / name, make_runs(1))
    assert store.load(tmp_path / name).runs == 1
    assert os.listdir(tmp_path) == [name]


def test_a_link_to_nowhere_is_no_place_for_a_store(tmp_path):
    (tmp_path / "store.sqlite").symlink_to(tmp_path / "nowhere")
    with pytest.raises(store.StoreError, match="no such store"):
        store.create(tmp_path / "store.sqlite")


def test_a_read_only_store_is_refused_in_one_line(tmp_path):
    store.create(path := tmp_path / "store.sqlite")
    if os.geteuid() == 0:  # root may write anywhere; a folder in the way is refused for root too
        os.mkdir(f"{path}-journal")
    else:
        os.chmod(path, 0o400)
    with pytest.raises(store.StoreError, match=r"cannot write|not a Kosh store"):
        store.ingest(path, make_runs(1))
