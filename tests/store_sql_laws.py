"""What holds for a store in Sina's tables: tests that take the path of an empty store, `store_path`.

Kosh and Sina read it, its rows are theirs, and the scripts of the study work with it. tests/store runs them on SQLite,
tests/services on MariaDB.
"""

import os
import random
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
from sim2seq.store import store
from sim2seq.store.sina import sina_record

ROOT = Path(__file__).parents[1]
SOURCE_RUN = Path(__file__).parent / "samples" / "run_1.dsv"


def script(name, *arguments, **options):
    command = [sys.executable, ROOT / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def run_folder(path, run):
    path.mkdir()
    records.write(path / "output.dsv", [run])
    return path


def test_rows_are_those_that_sina_itself_would_insert(store_path):
    import sina

    (run,) = records.read(SOURCE_RUN)
    before = dump(store_path)
    store.ingest(store_path, [run])
    ours = dump(store_path)
    with closing(sina.connect(address(store_path))) as datastore:
        datastore.records.delete(run.id)
        assert dump(store_path) == before
        datastore.records.insert(sina.model.generate_record_from_json(sina_record(run)))
    assert dump(store_path) == ours


def test_plain_kosh_reads_the_source_layout(store_path):
    import kosh

    (run,) = records.read(SOURCE_RUN)
    store.ingest(store_path, [run])
    before = content(store_path)
    kosh_store = kosh.connect(address(store_path))
    datasets = list(kosh_store.find())
    assert [dataset.id for dataset in datasets] == ["47bcda_1"]
    (dataset,) = datasets
    assert (dataset.gravity, dataset.num_bounces, dataset.group_id) == (0.0981, 11, "47bcda")
    np.testing.assert_array_equal(dataset["physics_cycle_series/x_pos"][:], run.series["x_pos"])
    assert list(dataset["physics_cycle_series/cycle"][:]) == list(range(400))
    assert content(store_path) == before  # reading writes nothing
    kosh_store.close()


def test_create_twice_changes_nothing(store_path):
    store.ingest(store_path, make_runs(1))
    before = content(store_path)
    done = script("create_store.py", store_path)
    assert (done.returncode, "unchanged" in done.stdout) == (0, True)
    assert content(store_path) == before


def test_ingest_by_command_twice_changes_no_row(store_path, tmp_path):
    folder = run_folder(tmp_path / "run", make_runs(1)[0])
    assert script("dsv_to_kosh.py", folder, store_path).returncode == 0
    before = content(store_path)
    again = script("dsv_to_kosh.py", folder, store_path)
    assert (again.returncode, "1 unchanged" in again.stdout) == (0, True)
    assert content(store_path) == before


def test_other_content_by_command_is_one_line_unless_replace(store_path, tmp_path):
    run = make_runs(1)[0]
    store.ingest(store_path, [run])
    before = content(store_path)
    moved = run._replace(
        data=run.data | {"gravity": 0.5}, series=run.series | {"x_pos": [*run.series["x_pos"][:-1], -7.0]}
    )
    folder = run_folder(tmp_path / "run", moved)
    refused = script("dsv_to_kosh.py", folder, store_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    for part in ("47bcda_1", "gravity: store 0.0981, new 0.5", "x_pos at step 399", "new -7.0"):
        assert part in refused.stderr
    assert content(store_path) == before
    replaced = script("dsv_to_kosh.py", folder, store_path, "--replace")
    assert (replaced.returncode, "1 replaced" in replaced.stdout) == (0, True)
    ensemble = store.load(store_path)
    assert (ensemble.runs, ensemble.inputs["gravity"].tolist(), ensemble.values[0, -1, 0]) == (1, [0.5], -7.0)


def test_what_users_add_with_kosh_is_no_difference_and_no_input(store_path):
    import kosh

    runs = make_runs(2)
    store.ingest(store_path, runs)
    kosh_store = kosh.connect(address(store_path))
    for dataset in kosh_store.find():
        dataset.labels = ["good", "checked"]
        dataset.rank = 2 if dataset.id.endswith("_2") else "first"
    kosh_store.close()
    assert store.ingest(store_path, runs) == {"unchanged": 2}
    assert {"labels", "rank"}.isdisjoint(store.load(store_path).inputs)
    assert store.unusable_inputs(store_path) == {"rank": "run 47bcda_1 has 'first'"}


def test_a_run_taken_out_with_kosh_is_gone_and_can_come_back(store_path):
    import kosh

    first, second = make_runs(2)
    store.ingest(store_path, [first, second])
    kosh_store = kosh.connect(address(store_path))
    kosh_store.delete(second.id)
    kosh_store.close()
    assert store.load(store_path).run_ids == (first.id,)
    assert not [row for rows in content(store_path).values() for row in rows if second.id in row]
    assert store.ingest(store_path, [first, second]) == {"unchanged": 1, "added": 1}


def test_replace_keeps_relationships(store_path):
    first, second = make_runs(2)
    store.ingest(store_path, [first, second])
    with opened(store_path) as connection:
        values = {"subject": first.id, "object": second.id}
        connection.execute(text("INSERT INTO Relationship VALUES (:subject, :object, 'is a member of')"), values)
    store.ingest(store_path, [first._replace(data=first.data | {"drag": 0.2})], replace=True)
    assert content(store_path)["Relationship"] == [(first.id, second.id, "is a member of")]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("]%[", "]%[nan, ", "column"), ("47bcda_2%", "47bcda_2%1%", "columns"), ("\r\n", "", "truncated")],
)
def test_one_bad_file_leaves_the_store_as_it_was(store_path, tmp_path, old, new, named):
    good, bad = make_runs(2)
    run_folder(tmp_path / "1", good)
    path = run_folder(tmp_path / "2", bad) / "output.dsv"
    path.write_text(path.read_text().replace(old, new, 1) if new else path.read_text().rstrip())
    before = dump(store_path)
    done = script("dsv_to_kosh.py", tmp_path, store_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(path) in done.stderr
    assert named in done.stderr
    assert dump(store_path) == before


def test_a_folder_without_records_is_an_error(store_path, tmp_path):
    (tmp_path / "run").mkdir()
    done = script("dsv_to_kosh.py", tmp_path / "run", store_path)
    assert (done.returncode, "found none" in done.stderr) == (2, True)


def test_tasks_of_the_study_ingest_at_once(store_path, tmp_path):
    runs = make_runs(5)
    for run in runs:
        run_folder(tmp_path / run.id, run)
    link = tmp_path / "ensembles_output.sqlite"  # how a study is told to use another store than its own
    link.symlink_to(store_path)
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    processes = [subprocess.Popen([*command, tmp_path / run.id, link], stdout=subprocess.DEVNULL) for run in runs]
    assert [process.wait() for process in processes] == [0] * 5
    ensemble = store.load(link)
    assert ensemble.run_ids == tuple(run.id for run in runs)
    for run, values in zip(runs, ensemble.values, strict=True):
        np.testing.assert_array_equal(values.T, [run.series[name] for name in ensemble.features])


def test_ingest_killed_at_random_and_repeated_loses_nothing(store_path, tmp_path):
    *runs, probe = make_runs(21 if os.path.realpath(store_path).endswith(".sqlite") else 7)
    folders = [run_folder(tmp_path / run.id, run) for run in runs]
    command = [sys.executable, ROOT / "dsv_to_kosh.py"]
    start = time.perf_counter()
    subprocess.run([*command, run_folder(tmp_path / probe.id, probe), store_path], check=True)
    whole, random_moment = time.perf_counter() - start, random.Random(1777)
    done, killed = set(), 0
    for folder in folders * 2:
        process = subprocess.Popen([*command, folder, store_path], stdout=subprocess.DEVNULL)
        time.sleep(random_moment.uniform(0.4, 2.0) * whole)
        process.kill()
        if process.wait() == 0:
            done.add(folder.name)
            whole /= 1.1  # both must happen, however fast the machine was at first
        else:
            killed += 1
            whole *= 1.1
    assert killed  # or this test would say nothing
    assert done
    assert set(store.missing_runs(store_path, [run.id for run in runs])).isdisjoint(done)
    for folder in folders:
        assert script("dsv_to_kosh.py", folder, store_path).returncode == 0
    assert store.load(store_path).run_ids == tuple(run.id for run in [*runs, probe])  # none lost, none doubled
