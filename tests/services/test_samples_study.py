"""A large ensemble through workers: batches of runs as Merlin's samples, the same runs in the store."""

import json

import numpy as np
import pytest
import yaml
from cluster import BIN, ROOT, run, store_of
from runs import library_store, make_runs

from sim2seq.store import store
from sim2seq.workflow import plan

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

SAMPLES = ROOT / "ball_bounce_suite_merlin_samples.yaml"
RUNS = 23


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """23 runs, ten a task, through workers; the training is left out of the last step, its check stays."""
    folder = tmp_path_factory.mktemp("samples")
    spec = yaml.safe_load(SAMPLES.read_text().replace("$(SPECROOT)", str(ROOT)))
    check = spec["study"][-1]["run"]
    check["cmd"] = "".join(check["cmd"].splitlines(keepends=True)[:2])
    (folder / "suite.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    options = [
        "--runs",
        RUNS,
        "--workers",
        2,
        "--vars",
        "RUNS_PER_TASK=10",
        "ENSEMBLE=CONDITIONS:0.5",
        "--output",
        "out",
    ]
    run(BIN / "sim2seq", "run", "suite.yaml", *options, folder=folder)
    (study,) = (folder / "out").glob("ball-bounce-samples_*")
    return study


def test_every_run_of_every_batch_is_in_the_store(study, tmp_path):
    library = library_store(tmp_path / "store.sqlite", make_runs(RUNS, CONDITIONS=0.5))
    ensembles = [store.load(path) for path in (store_of(study), library)]
    assert ensembles[0].run_ids == ensembles[1].run_ids == tuple(f"47bcda_{number}" for number in range(1, RUNS + 1))
    np.testing.assert_array_equal(*(ensemble.values for ensemble in ensembles))
    counted = json.loads((study / "lstm-ball-bounce" / "completeness.json").read_text())
    assert counted == {"expected": RUNS, "stored": RUNS, "missing": [], "allowed": 0.0}


def test_a_task_is_a_batch_and_a_lost_one_is_named_run_by_run(study, tmp_path):
    counts = {step: len(tasks) for step, tasks in plan.load_plan(study).steps().items()}
    assert counts == {"create-initial-store": 1, "run-ball-bounce": 3, "ingest-ball-bounce": 3, "lstm-ball-bounce": 1}
    partial = library_store(tmp_path / "store.sqlite", make_runs(RUNS, CONDITIONS=0.5)[:20])
    refused = run(BIN / "sim2seq", "check", partial, study / "merlin_info", folder=tmp_path, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-3:] == ["47bcda_21", "47bcda_22", "47bcda_23"]
