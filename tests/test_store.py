"""Runs go into one Kosh store in parallel, none lost, none doubled, and plain Kosh reads them."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from runs import dump, make_runs

from sim2seq import entries, records, store
from sim2seq.records import Run

ROOT = Path(__file__).parent.parent
SOURCE_RUN = Path(__file__).parent / "data" / "run_1.dsv"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    assert store.create(path) is True
    return path


@pytest.fixture
def study_store(empty_store, tmp_path):
    return shutil.copy(empty_store, tmp_path / "store.sqlite")


def script(name, *arguments, **options):
    command = [sys.executable, ROOT / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def run_folder(path, run):
    path.mkdir()
    records.write(path / "output.dsv", [run])
    return path


def test_rows_are_those_that_sina_itself_would_insert(study_store, tmp_path):
    import sina

    theirs = shutil.copy(study_store, tmp_path / "theirs.sqlite")
    (run,) = records.read(SOURCE_RUN)
    store.ingest(study_store, [run])
    datastore = sina.connect(str(theirs))
    datastore.records.insert(sina.model.generate_record_from_json(entries.sina_record(run)))
    datastore.close()
    assert dump(study_store) == dump(theirs)


def test_plain_kosh_reads_the_source_layout(study_store):
    import kosh

    (run,) = records.read(SOURCE_RUN)
    store.ingest(study_store, [run])
    before = Path(study_store).read_bytes()
    datasets = list(kosh.connect(str(study_store)).find())
    assert [dataset.id for dataset in datasets] == ["47bcda_1"]
    (dataset,) = datasets
    assert (dataset.gravity, dataset.num_bounces, dataset.group_id) == (0.0981, 11, "47bcda")
    np.testing.assert_array_equal(dataset["physics_cycle_series/x_pos"][:], run.series["x_pos"])
    assert list(dataset["physics_cycle_series/cycle"][:]) == list(range(400))
    assert Path(study_store).read_bytes() == before  # reading writes nothing


def test_create_twice_changes_nothing(study_store):
    store.ingest(study_store, make_runs(1))
    before = Path(study_store).read_bytes()
    done = script("create_store.py", study_store)
    assert (done.returncode, "unchanged" in done.stdout) == (0, True)
    assert Path(study_store).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database", b"sqlite"])
def test_a_file_that_is_no_store_is_refused_untouched(tmp_path, content):
    path = tmp_path / "store.sqlite"
    if content == b"sqlite":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE Record (id, type, raw)")
        content = path.read_bytes()
    path.write_bytes(content)
    done = script("create_store.py", path)
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


def test_ingest_twice_changes_nothing(study_store, tmp_path):
    folder = run_folder(tmp_path / "run", make_runs(1)[0])
    assert script("dsv_to_kosh.py", folder, study_store).returncode == 0
    before = Path(study_store).read_bytes()
    again = script("dsv_to_kosh.py", folder, study_store)
    assert (again.returncode, "1 unchanged" in again.stdout) == (0, True)
    assert Path(study_store).read_bytes() == before


def test_same_id_with_other_content_is_refused_and_shown_unless_replace(study_store, tmp_path):
    run = make_runs(1)[0]
    store.ingest(study_store, [run])
    before = Path(study_store).read_bytes()
    moved = run._replace(
        data=run.data | {"gravity": 0.5}, series=run.series | {"x_pos": [*run.series["x_pos"][:-1], -7.0]}
    )
    folder = run_folder(tmp_path / "run", moved)
    refused = script("dsv_to_kosh.py", folder, study_store)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    for part in ("47bcda_1", "gravity: store 0.0981, new 0.5", "x_pos at step 399", "new -7.0"):
        assert part in refused.stderr
    assert Path(study_store).read_bytes() == before
    replaced = script("dsv_to_kosh.py", folder, study_store, "--replace")
    assert (replaced.returncode, "1 replaced" in replaced.stdout) == (0, True)
    ensemble = store.load(study_store)
    assert (ensemble.runs, ensemble.inputs["gravity"].tolist(), ensemble.values[0, -1, 0]) == (1, [0.5], -7.0)


def test_less_content_under_the_same_id_is_other_content(study_store):
    run = Run("a_1", {"drag": 0.1, "mass": 1.0}, {"x": [1.0], "y": [2.0]})
    store.ingest(study_store, [run])
    with pytest.raises(store.StoreError, match=r"mass: store 1\.0, new None"):
        store.ingest(study_store, [run._replace(data={"drag": 0.1})])
    with pytest.raises(store.StoreError, match="y: store 1 steps, new 0 steps"):
        store.ingest(study_store, [run._replace(series={"x": [1.0]})])


def test_what_users_add_with_kosh_is_no_difference_and_no_input(study_store):
    import kosh

    runs = make_runs(2)
    store.ingest(study_store, runs)
    for number, dataset in enumerate(kosh.connect(str(study_store)).find()):
        dataset.labels = ["good", "checked"]
        dataset.rank = number or "first"
    assert store.ingest(study_store, runs) == {"unchanged": 2}
    assert {"labels", "rank"}.isdisjoint(store.load(study_store).inputs)


def test_a_series_may_not_take_the_name_of_the_step_axis(study_store):
    with pytest.raises(store.StoreError, match="'cycle'"):
        store.ingest(study_store, [Run("a_1", {}, {"cycle": [1.0]})])


def test_replace_keeps_relationships(study_store):
    first, second = make_runs(2)
    store.ingest(study_store, [first, second])
    with closing(sqlite3.connect(study_store)) as connection:
        connection.execute("INSERT INTO Relationship VALUES (?, ?, 'is a member of ensemble')", [first.id, second.id])
        connection.commit()
        store.ingest(study_store, [first._replace(data=first.data | {"drag": 0.2})], replace=True)
        assert connection.execute("SELECT count(*) FROM Relationship").fetchone() == (1,)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("]%[", "]%[nan, ", "column"), ("47bcda_2%", "47bcda_2%1%", "columns"), ("\r\n", "", "truncated")],
)
def test_one_bad_file_leaves_the_store_as_it_was(study_store, tmp_path, old, new, named):
    good, bad = make_runs(2)
    run_folder(tmp_path / "1", good)
    path = run_folder(tmp_path / "2", bad) / "output.dsv"
    path.write_text(path.read_text().replace(old, new, 1) if new else path.read_text().rstrip())
    before = dump(study_store)
    done = script("dsv_to_kosh.py", tmp_path, study_store)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(path) in done.stderr
    assert named in done.stderr
    assert dump(study_store) == before


def test_a_folder_without_records_is_an_error(study_store, tmp_path):
    (tmp_path / "run").mkdir()
    done = script("dsv_to_kosh.py", tmp_path / "run", study_store)
    assert (done.returncode, "found none" in done.stderr) == (2, True)


def test_ingest_into_a_missing_store_is_an_error_and_makes_no_file(tmp_path):
    folder = run_folder(tmp_path / "run", make_runs(1)[0])
    done = script("dsv_to_kosh.py", folder, tmp_path / "no_store.sqlite")
    assert (done.returncode, "no such store" in done.stderr) == (2, True)
    assert os.listdir(tmp_path) == ["run"]


def test_100_processes_ingest_100_runs_at_once(study_store, tmp_path):
    runs = make_runs(100)
    folders = [run_folder(tmp_path / run.id, run) for run in runs]
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    processes = [subprocess.Popen([*command, folder, study_store], stdout=subprocess.DEVNULL) for folder in folders]
    assert [process.wait() for process in processes] == [0] * 100
    ensemble = store.load(study_store)
    assert ensemble.run_ids == tuple(run.id for run in runs)
    for run, values in zip(runs, ensemble.values, strict=True):
        np.testing.assert_array_equal(values.T, [run.series[name] for name in ensemble.features])


def test_ingest_killed_at_random_moments_and_repeated_loses_and_doubles_nothing(study_store, tmp_path):
    *runs, probe = make_runs(21)
    folders = [run_folder(tmp_path / run.id, run) for run in runs]
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    start = time.perf_counter()
    subprocess.run([*command, run_folder(tmp_path / probe.id, probe), study_store], check=True)
    whole, random_moment = time.perf_counter() - start, random.Random(1777)
    done, killed = set(), 0
    for folder in folders * 2:
        process = subprocess.Popen([*command, folder, study_store], stdout=subprocess.DEVNULL)
        time.sleep(random_moment.uniform(0.4, 1.2) * whole)
        process.kill()
        if process.wait() == 0:
            done.add(folder.name)
        else:
            killed += 1
    assert killed  # or this test would say nothing
    assert done
    assert set(store.missing_runs(study_store, [run.id for run in runs])).isdisjoint(done)
    for folder in folders:
        assert script("dsv_to_kosh.py", folder, study_store).returncode == 0
    assert store.load(study_store).run_ids == tuple(run.id for run in [*runs, probe])


def test_load_orders_runs_by_number_and_keeps_inputs_apart_from_results(study_store):
    runs = make_runs(12)
    store.ingest(study_store, runs[::-1])
    ensemble = store.load(study_store)
    assert ensemble.run_ids == tuple(f"47bcda_{number}" for number in range(1, 13))
    assert (ensemble.features, ensemble.values.shape) == (("x_pos", "y_pos", "z_pos"), (12, 400, 3))
    assert {"x_pos_initial", "gravity", "drag"} <= set(ensemble.inputs)
    assert {"num_bounces", "x_pos_final", "group_id", "scheme"}.isdisjoint(ensemble.inputs)
    np.testing.assert_allclose(np.diff(ensemble.times), 0.05)


def test_load_refuses_runs_of_unequal_length(study_store):
    store.ingest(study_store, [Run("a_1", {}, {"x": [1.0, 2.0]}), Run("a_2", {}, {"x": [1.0, 2.0, 3.0]})])
    with pytest.raises(store.StoreError, match="a_2 differs from a_1"):
        store.load(study_store)


def test_missing_runs_are_listed_in_the_given_order(study_store):
    store.ingest(study_store, make_runs(2))
    assert store.missing_runs(study_store, ["47bcda_9", "47bcda_2", "47bcda_3"]) == ["47bcda_9", "47bcda_3"]


def test_a_read_only_store_is_refused_in_one_line(study_store, tmp_path):
    if os.geteuid() == 0:  # root may write anywhere; a folder in the way is refused for root too
        os.mkdir(f"{study_store}-journal")
    else:
        os.chmod(study_store, 0o400)
    with pytest.raises(store.StoreError, match=r"cannot write|not a Kosh store"):
        store.ingest(study_store, make_runs(1))


def test_1024_runs_load_within_a_second(study_store):
    (run,) = make_runs(1)
    runs = [run._replace(id=f"a_{number}") for number in range(1024)]
    store.ingest(study_store, runs)
    store.load(study_store)
    start = time.perf_counter()
    assert store.load(study_store).values.shape == (1024, 400, 3)
    assert time.perf_counter() - start < 1.0
