"""A store in an SQLite file: what holds for every store, and for Sina's tables."""

import os
import subprocess
import sys

import numpy as np
import pytest
from runs import make_runs
from store_laws import *  # noqa: F403  the tests themselves
from store_sql_laws import *  # noqa: F403
from store_sql_laws import ROOT, run_folder, script

from sim2seq.store import store


@pytest.fixture
def store_path(sqlite_store):
    return sqlite_store


def test_ingest_into_a_missing_store_makes_no_file(tmp_path):
    folder = run_folder(tmp_path / "run", make_runs(1)[0])
    done = script("dsv_to_kosh.py", folder, tmp_path / "no_store.sqlite")
    assert (done.returncode, "no such store" in done.stderr) == (2, True)
    assert os.listdir(tmp_path) == ["run"]


def test_100_processes_ingest_100_runs_at_once(sqlite_store, tmp_path):
    runs = make_runs(100)
    folders = [run_folder(tmp_path / run.id, run) for run in runs]
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    processes = [subprocess.Popen([*command, folder, sqlite_store], stdout=subprocess.DEVNULL) for folder in folders]
    assert [process.wait() for process in processes] == [0] * 100
    ensemble = store.load(sqlite_store)
    assert ensemble.run_ids == tuple(run.id for run in runs)
    for run, values in zip(runs, ensemble.values, strict=True):
        np.testing.assert_array_equal(values.T, [run.series[name] for name in ensemble.features])
