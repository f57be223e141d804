"""Runs whose series stand in an array file are the same runs: in the store, for plain Kosh, and in an Ensemble."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
from runs import dump, make_runs

import pgen_ensembles
from sim2seq.data import arrays, tables
from sim2seq.data.records import RecordError
from sim2seq.store import store
from sim2seq.store.sina import sina_record

ROOT = Path(__file__).parents[2]
RUNS = 12
SERIES = "physics_cycle_series"


def script(name, *arguments):
    command = [sys.executable, ROOT / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twelve rows with varying conditions, in batches of five."""
    folder = tmp_path_factory.mktemp("table")
    done = script("pgen_ensembles.py", f"NUM_STUDIES:{RUNS}", "CONDITIONS:0.5", "--write", folder, "--batch", 5)
    assert (done.returncode, done.stdout) == (0, "3 batches\n"), done.stderr
    return folder / "table.npy"


@pytest.fixture(scope="module")
def simulated(table):
    """An array file of all rows, made by the study's own command."""
    done = script("ball_bounce.py", "--table", table, "--runtime", 20, "--output", path := table.parent / "runs.h5")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def file(simulated, tmp_path):
    path = tmp_path / "runs" / "runs.h5"
    path.parent.mkdir()
    path.write_bytes(simulated.read_bytes())
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    store.create(path := tmp_path_factory.mktemp("empty") / "store.sqlite")
    return path


@pytest.fixture
def study_store(empty, tmp_path):
    (path := tmp_path / "store.sqlite").write_bytes(empty.read_bytes())
    return path


def assert_same(ensemble, other):
    assert (ensemble.run_ids, ensemble.features) == (other.run_ids, other.features)
    np.testing.assert_array_equal(ensemble.values, other.values)
    np.testing.assert_array_equal(ensemble.times, other.times)
    assert ensemble.inputs.keys() == other.inputs.keys()
    for name, column in ensemble.inputs.items():
        np.testing.assert_array_equal(column, other.inputs[name])


def test_batches_cover_every_row_once(table):
    np.testing.assert_array_equal(np.load(table.parent / "batches.npy"), [[0, 5], [5, 10], [10, 12]])
    columns = pgen_ensembles.parameter_table(NUM_STUDIES=RUNS, CONDITIONS=0.5)
    rows = tables.read_table(table)
    assert rows.dtype.names == tuple(columns)
    assert all(rows[name].tolist() == values for name, values in columns.items())
    assert tables.run_ids(tables.read_table(table, "10:12")) == ["47bcda_11", "47bcda_12"]


@pytest.mark.parametrize("rows", ["12:13", "5:5", "5:20", "-1:3", "a:b", "5"])
def test_rows_that_the_table_does_not_have_are_refused(table, tmp_path, rows):
    done = script("ball_bounce.py", "--table", table, f"--rows={rows}", "--output", tmp_path / "runs.h5")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"--rows {rows}: expected" in done.stderr
    assert os.listdir(tmp_path) == []


def test_runs_simulated_together_are_those_simulated_alone(file, study_store, tmp_path):
    store.ingest(study_store, arrays.read(file))
    store.create(alone := tmp_path / "alone.sqlite")
    store.ingest(alone, make_runs(RUNS, CONDITIONS=0.5))
    assert_same(store.load(study_store), store.load(alone))
    assert {"47bcda_1", "47bcda_12"} <= set(store.load(study_store).run_ids)


def test_both_kinds_of_run_share_a_store(file, study_store):
    runs = make_runs(RUNS + 2, CONDITIONS=0.5, SEED=3)[RUNS:]
    assert store.ingest(study_store, runs) == {"added": 2}
    assert store.ingest(study_store, arrays.read(file)) == {"added": RUNS}
    ensemble = store.load(study_store)
    assert ensemble.run_ids == tuple(f"47bcda_{number}" for number in range(1, RUNS + 3))
    np.testing.assert_array_equal(ensemble.values[RUNS].T, [runs[0].series[f"{axis}_pos"] for axis in "xyz"])
    assert store.missing_runs(study_store, ["47bcda_3", "47bcda_99"]) == ["47bcda_99"]


def test_rows_are_those_that_sina_itself_would_insert(file, study_store, tmp_path):
    import sina

    (theirs := tmp_path / "theirs.sqlite").write_bytes(study_store.read_bytes())
    store.ingest(study_store, arrays.read(file))
    datastore = sina.connect(str(theirs))
    records = map(sina_record, arrays.read(file))
    datastore.records.insert([sina.model.generate_record_from_json(record) for record in records])
    datastore.close()
    assert dump(study_store) == dump(theirs)


def test_plain_kosh_reads_a_series_by_its_row_and_writes_nothing(file, study_store):
    import kosh

    store.ingest(study_store, arrays.read(file))
    ensemble, before = store.load(study_store), study_store.read_bytes()
    datasets = {run.id: run for run in kosh.connect(str(study_store)).find()}
    assert len(datasets) == RUNS
    for position in (0, RUNS - 1):
        run = datasets[ensemble.run_ids[position]]
        np.testing.assert_array_equal(run[f"{SERIES}/x_pos"][run.row], ensemble.values[position, :, 0])
        np.testing.assert_array_equal(run[f"{SERIES}/time"][:], ensemble.times)
    assert study_store.read_bytes() == before


def test_ingest_by_command_twice_changes_nothing(file, study_store):
    for words in ("12 added", "12 unchanged"):
        done = script("dsv_to_kosh.py", file.parent, study_store)
        assert (done.returncode, words in done.stdout) == (0, True), done.stderr


def test_other_numbers_in_a_file_are_refused_unless_replace(file, study_store):
    store.ingest(study_store, arrays.read(file))
    with h5py.File(file, "r+") as content:
        content[SERIES]["x_pos"][4, 7] = 1.5
    with pytest.raises(store.StoreError, match=r"47bcda_5 .*other numbers than when they were stored"):
        store.ingest(study_store, arrays.read(file))
    assert store.ingest(study_store, arrays.read(file), replace=True) == {"unchanged": RUNS - 1, "replaced": 1}
    assert store.load(study_store).values[4, 7, 0] == 1.5


def test_a_run_that_moved_into_an_array_file_is_another_content(file, study_store):
    store.ingest(study_store, make_runs(RUNS, CONDITIONS=0.5))
    with pytest.raises(store.StoreError, match=r"series: store the record itself, new .*runs.h5"):
        store.ingest(study_store, arrays.read(file))
    assert store.ingest(study_store, arrays.read(file), replace=True) == {"replaced": RUNS}
    with pytest.raises(store.StoreError, match=r"series: store .*runs.h5, new the record itself"):
        store.ingest(study_store, make_runs(RUNS, CONDITIONS=0.5))


def test_load_refuses_files_that_are_gone_or_were_changed(file, study_store):
    store.ingest(study_store, arrays.read(file))
    with h5py.File(file, "r+") as content:
        content[SERIES]["z_pos"][7, 0] += 1.0
    with pytest.raises(RecordError, match="run 47bcda_8 has other numbers than at the ingest"):
        store.load(study_store)
    with h5py.File(file, "r+") as content:
        content["id"][3] = "47bcda_99"
    with pytest.raises(RecordError, match="expected run 47bcda_4 in row 3"):
        store.load(study_store)
    file.unlink()
    with pytest.raises(RecordError, match="no such array file"):
        store.load(study_store)


def test_a_flipped_byte_is_found(file):
    with h5py.File(file) as content:
        place = content[SERIES]["y_pos"].id.get_chunk_info(0).byte_offset
    with file.open("r+b") as raw:
        raw.seek(place + 100)
        byte = raw.read(1)
        raw.seek(place + 100)
        raw.write(bytes([byte[0] ^ 1]))
    with pytest.raises(RecordError, match="damaged"):
        list(arrays.read(file))


@pytest.mark.parametrize("size", [0, 100, 5000, 100_000])
def test_a_half_written_file_is_refused_and_the_store_stays(file, study_store, size):
    before = dump(study_store)
    os.truncate(file, size)
    done = script("dsv_to_kosh.py", file.parent, study_store)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not an array file, or damaged" in done.stderr
    assert dump(study_store) == before


def test_a_file_that_promises_more_than_it_holds_is_refused(file):
    """Three kB that ask for 80 GB."""
    with h5py.File(file, "r+") as content:
        del content["id"]
        content.create_dataset("id", 10**10, h5py.string_dtype("utf-8", 8))
    with pytest.raises(RecordError, match="stored in another way"):
        list(arrays.read(file))


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "table.npy"
    if content is None:
        with path.open("wb") as archive:
            np.savez(archive, a=1)
    else:
        path.write_bytes(content)
    done = script("ball_bounce.py", "--table", path, "--output", tmp_path / "runs.h5")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "expected a parameter table" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--rows", "0:5"], "--rows needs --table"), (["--table", "t.npy", "-g", "2"], "--gravity: the")],
)
def test_options_that_would_be_ignored_are_refused(tmp_path, options, words):
    done = script("ball_bounce.py", *options, "--output", tmp_path / "runs.h5")
    assert (done.returncode, words in done.stderr) == (2, True)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_a_file_that_points_elsewhere_is_refused(file, tmp_path, kind):
    with h5py.File(file, "r+") as content:
        group, shape = content[SERIES], content[SERIES]["x_pos"].shape
        del group["x_pos"]
        if kind == "external link":
            group["x_pos"] = h5py.ExternalLink("/etc/hostname", "/x")
        elif kind == "soft link":
            group["x_pos"] = h5py.SoftLink(f"/{SERIES}/y_pos")
        elif kind == "external storage":
            group.create_dataset("x_pos", shape, "f8", external=[(tmp_path / "secret", 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout(shape, "f8")
            layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape)
            group.create_virtual_dataset("x_pos", layout)
    with pytest.raises(RecordError, match=r"in the file itself|in this file"):
        list(arrays.read(file))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run_ids": ["a_1", "a_1"]}, "each run id once"),
        ({"run_ids": ["a_1", "../a"]}, "run id '../a'"),
        ({"series": {"x": [[1.0, 2.0], [3.0, np.nan]]}}, "column x: expected finite numbers, got nan"),
        ({"series": {"x": [[1.0], [3.0]]}}, r"x: expected numbers of shape \(2, 2, \.\.\.\)"),
        ({"series": {}}, "at least one series"),
        ({"data": {"drag": [0.1, np.inf]}}, "column drag: expected finite numbers, got inf"),
        ({"data": {"group": ["a", ""]}}, "column group: run a_2: the cell is empty"),
    ],
)
def test_what_cannot_be_read_is_not_written(tmp_path, change, words):
    content = {"run_ids": ["a_1", "a_2"], "data": {"drag": 0.1}, "series": {"x": np.ones((2, 2))}, "times": [0.0, 0.1]}
    with pytest.raises(RecordError, match=words):
        arrays.write(tmp_path / "runs.h5", **content | change)
    assert os.listdir(tmp_path) == []


def test_values_beyond_the_memory_lie_in_a_file_that_nobody_sees(file, study_store):
    store.ingest(study_store, arrays.read(file))
    there = sorted(os.listdir(study_store.parent))
    ensemble = store.load(study_store, in_memory=1000)
    assert isinstance(ensemble.values, np.memmap)
    assert sorted(os.listdir(study_store.parent)) == there
    assert_same(ensemble, store.load(study_store))
    with pytest.raises(ValueError, match="read-only"):
        ensemble.values[0, 0, 0] = 1.0


def test_an_untrusted_record_ends_in_one_line(study_store):
    (run,) = make_runs(1)
    store.ingest(study_store, [run])
    for raw in ("[]", "{", '{"data": 1}', '{"data": {}, "curve_sets": {}, "files": {}}'):
        with closing(sqlite3.connect(study_store)) as connection, connection:
            connection.execute("UPDATE Record SET raw = ? WHERE id = ?", [raw, run.id])
        with pytest.raises(store.StoreError, match=f"run {run.id}: expected Sina's JSON"):
            store.load(study_store)
