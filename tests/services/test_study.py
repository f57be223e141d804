"""The whole bouncing-ball study at debug size, three ways, with one result."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cluster import BIN, PGEN, ROOT, SPEC, queue, run, run_study, store_of, study_folder, wait, workers
from runs import dump, library_store, make_runs

import sim2seq
from sim2seq.store import store
from sim2seq.workflow.broker import Broker

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

RUNS = 8
TINY = "size:debug units:4 window:300"
LOGS = (
    "merlin_info",
    "sim2seq_run.json",
    ".sim2seq",
    "MERLIN_",
    "status.lock",
    ".out",
    ".err",
    ".sh",
    "__pycache__",
    "logs",
)


def run_embedded(folder):
    options = ["--runs", RUNS, "--workers", 2, "--vars", f"TRAINING={TINY}", "--output", folder / "out"]
    run_study(SPEC, "--pgen", PGEN, *options, folder=folder)
    return study_folder(folder)


def run_local(folder):
    options = ["--pargs", f"NUM_STUDIES:{RUNS}", "--vars", f"TRAINING={TINY}", f"OUTPUT_PATH={folder / 'out'}"]
    run(BIN / "merlin", "run", SPEC, "--pgen", PGEN, *options, "--local", folder=folder)
    return study_folder(folder)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Both at once: each spends most of its time in imports, on one core."""
    with ThreadPoolExecutor() as pool:
        local = pool.submit(run_local, tmp_path_factory.mktemp("local"))
        embedded = run_embedded(tmp_path_factory.mktemp("embedded"))
    return {"embedded": embedded, "local": local.result()}


@pytest.fixture(scope="module")
def embedded(studies):
    return studies["embedded"]


@pytest.fixture(scope="module")
def local(studies):
    return studies["local"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Plain Merlin and its own workers, with a broker that is somebody else's to it; the training is left out."""
    folder = tmp_path_factory.mktemp("cluster")
    with Broker() as broker:
        queue(folder, broker.folder, RUNS)
        with workers(folder, broker.folder):
            wait(folder, RUNS)
    return study_folder(folder)


def files_of(study):
    """The files that the study made, without Merlin's own bookkeeping."""
    paths = (str(path.relative_to(study)) for path in study.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(mark in path for mark in LOGS))


def test_three_ways_end_with_the_same_store(embedded, local, tmp_path):
    library = library_store(tmp_path / "store.sqlite", make_runs(RUNS))
    assert dump(store_of(embedded)) == dump(library)
    assert dump(store_of(local)) == dump(library)
    values = [store.load(path).values for path in (store_of(embedded), store_of(local), library)]
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_array_equal(values[1], values[2])


def test_plain_merlin_with_own_workers_ends_with_the_same_store(cluster, tmp_path):
    library = library_store(tmp_path / "store.sqlite", make_runs(RUNS))
    values = [store.load(path).values for path in (store_of(cluster), library)]
    np.testing.assert_array_equal(*values)
    assert dump(store_of(cluster)) == dump(library)


def test_broker_carries_little(embedded):
    """Twice what was measured: 0.45 MB in, 0.17 MB out and 3.3 kB a second, as the study is watched."""
    summary = json.loads((embedded / "sim2seq_run.json").read_text())
    assert 0 < summary["broker_bytes_in"] < 900_000
    assert 0 < summary["broker_bytes_out"] < 340_000 + 6_600 * summary["wall_seconds"]


def test_workers_and_local_end_with_the_same_files(embedded, local):
    files = files_of(embedded)
    assert files == files_of(local)
    assert sum(path.endswith("output.dsv") for path in files) == RUNS
    assert {"lstm-ball-bounce/report.html", "lstm-ball-bounce/training/model.keras"} <= set(files)


def test_the_library_alone_trains_on_the_study_and_forecasts(embedded, tmp_path):
    ensemble = sim2seq.load_store(store_of(embedded))
    trained = sim2seq.fit(ensemble, sim2seq.Settings.parse(TINY.split()), tmp_path / "training")
    theirs = sim2seq.load_training(embedded / "lstm-ball-bounce" / "training")
    window = trained.settings.window
    context, steps = ensemble.values[:, :window], ensemble.steps - window
    ours = sim2seq.rollout(trained.model, context, steps)
    assert ours.shape == (RUNS, steps, 3)
    # same data, settings and seed in another process: the same model
    np.testing.assert_allclose(ours, sim2seq.rollout(theirs.model, context, steps), rtol=1e-3, atol=1e-3)


def test_nothing_is_written_into_the_source_tree(embedded):
    assert not (ROOT / "visualization_lstm_kosh.py").exists()
    assert not (ROOT / "training").exists()


def test_training_refuses_a_store_that_lacks_a_run_and_names_it(embedded, tmp_path):
    partial = library_store(tmp_path / "partial.sqlite", make_runs(RUNS)[:-1])
    check = [BIN / "sim2seq", "check", partial, embedded / "merlin_info"]
    refused = run(*check, folder=tmp_path, check=False)
    assert (refused.returncode, "47bcda_8" in refused.stderr) == (1, True)
    assert run(*check, "--allow", "0.2", folder=tmp_path).returncode == 0
