"""Runs go into one Kosh store in parallel, none lost, none doubled, and plain Kosh reads them.

What holds for SQLite and MariaDB alike takes `study_store`, which is both; the rest is in test_sqlite_store.py and
test_mariadb.py.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from runs import address, content, dump, make_runs, opened
from sqlalchemy import text

from sim2seq.data import records
from sim2seq.data.records import Run
from sim2seq.store import store

ROOT = Path(__file__).parents[2]
SOURCE_RUN = Path(__file__).parents[1] / "samples" / "run_1.dsv"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    assert store.create(path) is True
    return path


@pytest.fixture
def sqlite_store(empty_store, tmp_path):
    return shutil.copy(empty_store, tmp_path / "store.sqlite")


@pytest.fixture(params=["sqlite_store", "database_store"])
def study_store(request):
    return request.getfixturevalue(request.param)


def script(name, *arguments, **options):
    command = [sys.executable, ROOT / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def run_folder(path, run):
    path.mkdir()
    records.write(path / "output.dsv", [run])
    return path


def test_rows_are_those_that_sina_itself_would_insert(study_store):
    import sina

    (run,) = records.read(SOURCE_RUN)
    before = dump(study_store)
    store.ingest(study_store, [run])
    ours = dump(study_store)
    with closing(sina.connect(address(study_store))) as datastore:
        datastore.records.delete(run.id)
        assert dump(study_store) == before
        datastore.records.insert(sina.model.generate_record_from_json(sina.sina_record(run)))
    assert dump(study_store) == ours


def test_rows_in_mariadb_are_those_in_sqlite(sqlite_store, database_store):
    for path in (sqlite_store, database_store):
        store.ingest(path, make_runs(2))
    ours, theirs = (
        {table: [row for row in rows if "'47bcda_" in row] for table, rows in dump(path).items()}
        for path in (database_store, sqlite_store)
    )
    assert ours == theirs
    assert len(ours["ScalarData"]) > 20


def test_plain_kosh_reads_the_source_layout(study_store):
    import kosh

    (run,) = records.read(SOURCE_RUN)
    store.ingest(study_store, [run])
    before = content(study_store)
    kosh_store = kosh.connect(address(study_store))
    datasets = list(kosh_store.find())
    assert [dataset.id for dataset in datasets] == ["47bcda_1"]
    (dataset,) = datasets
    assert (dataset.gravity, dataset.num_bounces, dataset.group_id) == (0.0981, 11, "47bcda")
    np.testing.assert_array_equal(dataset["physics_cycle_series/x_pos"][:], run.series["x_pos"])
    assert list(dataset["physics_cycle_series/cycle"][:]) == list(range(400))
    assert content(study_store) == before  # reading writes nothing
    kosh_store.close()


def test_create_twice_changes_nothing(study_store):
    store.ingest(study_store, make_runs(1))
    before = content(study_store)
    done = script("create_store.py", study_store)
    assert (done.returncode, "unchanged" in done.stdout) == (0, True)
    assert content(study_store) == before


def test_ingest_twice_changes_nothing(study_store, tmp_path):
    folder = run_folder(tmp_path / "run", make_runs(1)[0])
    assert script("dsv_to_kosh.py", folder, study_store).returncode == 0
    before = content(study_store)
    again = script("dsv_to_kosh.py", folder, study_store)
    assert (again.returncode, "1 unchanged" in again.stdout) == (0, True)
    assert content(study_store) == before


def test_same_id_with_other_content_is_refused_and_shown_unless_replace(study_store, tmp_path):
    run = make_runs(1)[0]
    store.ingest(study_store, [run])
    before = content(study_store)
    moved = run._replace(
        data=run.data | {"gravity": 0.5}, series=run.series | {"x_pos": [*run.series["x_pos"][:-1], -7.0]}
    )
    folder = run_folder(tmp_path / "run", moved)
    refused = script("dsv_to_kosh.py", folder, study_store)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    for part in ("47bcda_1", "gravity: store 0.0981, new 0.5", "x_pos at step 399", "new -7.0"):
        assert part in refused.stderr
    assert content(study_store) == before
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
    kosh_store = kosh.connect(address(study_store))
    for number, dataset in enumerate(kosh_store.find()):
        dataset.labels = ["good", "checked"]
        dataset.rank = number or "first"
    kosh_store.close()
    assert store.ingest(study_store, runs) == {"unchanged": 2}
    assert {"labels", "rank"}.isdisjoint(store.load(study_store).inputs)


def test_a_series_may_not_take_the_name_of_the_step_axis(study_store):
    with pytest.raises(store.StoreError, match="'cycle'"):
        store.ingest(study_store, [Run("a_1", {}, {"cycle": [1.0]})])


def test_ids_and_names_are_told_apart_by_their_bytes(study_store):
    data = {"drag": 1.0, "Drag": 2.0, "drag ": 3.0, "dräg": 4.0, "dra\u0308g": 5.0, "\N{DUCK}": 6.0}
    runs = [Run(name, data, {"x": [value], "X": [-value]}) for value, name in enumerate(["a_1", "A_1", "a-1"])]
    assert store.ingest(study_store, runs) == {"added": 3}
    assert store.ingest(study_store, runs) == {"unchanged": 3}
    ensemble = store.load(study_store)
    found = dict(zip(ensemble.run_ids, ensemble.values.tolist(), strict=True))
    assert found == {"a_1": [[0.0, 0.0]], "A_1": [[1.0, -1.0]], "a-1": [[2.0, -2.0]]}
    assert {name: column[0] for name, column in ensemble.inputs.items()} == data


def test_replace_keeps_relationships(study_store):
    first, second = make_runs(2)
    store.ingest(study_store, [first, second])
    with opened(study_store) as connection:
        values = {"subject": first.id, "object": second.id}
        connection.execute(text("INSERT INTO Relationship VALUES (:subject, :object, 'is a member of')"), values)
    store.ingest(study_store, [first._replace(data=first.data | {"drag": 0.2})], replace=True)
    assert content(study_store)["Relationship"] == [(first.id, second.id, "is a member of")]


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


def test_ingest_killed_at_random_moments_and_repeated_loses_and_doubles_nothing(study_store, tmp_path):
    *runs, probe = make_runs(21 if study_store.name.endswith(".sqlite") else 7)
    folders = [run_folder(tmp_path / run.id, run) for run in runs]
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    start = time.perf_counter()
    subprocess.run([*command, run_folder(tmp_path / probe.id, probe), study_store], check=True)
    whole, random_moment = time.perf_counter() - start, random.Random(1777)
    done, killed = set(), 0
    for folder in folders * 2:
        process = subprocess.Popen([*command, folder, study_store], stdout=subprocess.DEVNULL)
        time.sleep(random_moment.uniform(0.4, 2.0) * whole)
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


def test_runs_of_unequal_length_load_by_their_ids_in_the_given_order(study_store):
    values = {"a_2": [1.0, 2.0], "a_10": [3.0, 4.0], "human_1": [5.0, 6.0, 7.0]}
    store.ingest(study_store, [Run(name, {"drag": x[0]}, {"x": x}) for name, x in values.items()])
    for names in (["a_10", "a_2"], ("human_1",)):
        ensemble = store.load(study_store, runs=names)
        found = dict(zip(ensemble.run_ids, ensemble.values[..., 0].tolist(), strict=True))
        assert found == {name: values[name] for name in ensemble.run_ids}
        assert ensemble.inputs["drag"].tolist() == [values[name][0] for name in ensemble.run_ids]
        assert ensemble.run_ids == tuple(names)
    store.add_training(study_store, "point", {}, {"val_loss": [1.0]})
    for names, words in (
        (["a_2", "a_3", "a_4"], "run a_3 is not in the store"),
        (["a_2", "point"], "run point is not in the store"),
        (["a_2", "a_2"], "run a_2 is asked for 2 times"),
        ([], "got none"),
        ("a_2", "expected a list of run ids, got the text 'a_2'"),
        (["a_2", "human_1"], "human_1 differs from a_2"),
    ):
        with pytest.raises(store.StoreError, match=words):
            store.load(study_store, runs=names)


def test_missing_runs_are_listed_in_the_given_order(study_store):
    store.ingest(study_store, make_runs(2))
    assert store.missing_runs(study_store, ["47bcda_9", "47bcda_2", "47bcda_3"]) == ["47bcda_9", "47bcda_3"]


def test_1024_runs_load_within_a_second(study_store):
    (run,) = make_runs(1)
    runs = [run._replace(id=f"a_{number}") for number in range(1024)]
    store.ingest(study_store, runs)
    store.load(study_store)
    start = time.perf_counter()
    assert store.load(study_store).values.shape == (1024, 400, 3)
    assert time.perf_counter() - start < 1.0
