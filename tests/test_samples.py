"""The suite for large ensembles: batches of runs as Merlin's samples, the same runs in the store."""

import json

import numpy as np
import pytest
import yaml
from cluster import BIN, ROOT, SPEC, run, store_of
from runs import make_runs

from sim2seq.checks import preflight
from sim2seq.store import store
from sim2seq.workflow import plan

SAMPLES = ROOT / "ball_bounce_suite_merlin_samples.yaml"
RUNS = 23


def steps_of(path):
    return {step["name"]: step["run"] for step in yaml.safe_load(path.read_text())["study"]}


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
    store.create(library := tmp_path / "store.sqlite")
    store.ingest(library, make_runs(RUNS, CONDITIONS=0.5))
    ensembles = [store.load(path) for path in (store_of(study), library)]
    assert ensembles[0].run_ids == ensembles[1].run_ids == tuple(f"47bcda_{number}" for number in range(1, RUNS + 1))
    np.testing.assert_array_equal(*(ensemble.values for ensemble in ensembles))
    counted = json.loads((study / "lstm-ball-bounce" / "completeness.json").read_text())
    assert counted == {"expected": RUNS, "stored": RUNS, "missing": [], "allowed": 0.0}


def test_a_task_is_a_batch_and_a_lost_one_is_named_run_by_run(study, tmp_path):
    counts = {step: len(tasks) for step, tasks in plan.load_plan(study).steps().items()}
    assert counts == {"create-initial-store": 1, "run-ball-bounce": 3, "ingest-ball-bounce": 3, "lstm-ball-bounce": 1}
    store.create(partial := tmp_path / "store.sqlite")
    store.ingest(partial, make_runs(RUNS, CONDITIONS=0.5)[:20])
    refused = run(BIN / "sim2seq", "check", partial, study / "merlin_info", folder=tmp_path, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-3:] == ["47bcda_21", "47bcda_22", "47bcda_23"]


def test_both_suites_learn_alike():
    """What follows the ingest is stated in two files; they differ in nothing but what it waits for."""
    ours, theirs = (steps_of(path)["lstm-ball-bounce"] for path in (SAMPLES, SPEC))
    assert ours.pop("depends") == ["ingest-ball-bounce"]
    assert theirs.pop("depends") == ["ingest-ball-bounce_*"]
    assert ours == theirs
    assert steps_of(SAMPLES)["create-initial-store"] == steps_of(SPEC)["create-initial-store"]


def test_room_is_asked_for_by_the_number_of_runs(tmp_path):
    for batched, most in ((False, 250_000), (True, 20_000)):
        assert preflight.target_problem(str(tmp_path), 0, batched=batched) is None
        runs = preflight.free_bytes(tmp_path) // most
        assert "GB needed" in preflight.target_problem(str(tmp_path), runs, batched=batched)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--runs", "0"], "--runs 0: expected 1 or more"),
        (["--vars", "RUNS=many"], "RUNS=many: expected the number of runs"),
        (["--vars", "ENSEMBLE=DRAG:7"], "the study's samples: pgen_ensembles.py: unknown argument 'DRAG'"),
        (["--vars", "RUNS_PER_TASK=0"], "the study's samples: pgen_ensembles.py: --batch 0: expected 1 run or more"),
    ],
)
def test_a_bad_word_starts_nothing(tmp_path, options, words):
    done = run(BIN / "sim2seq", "run", SAMPLES, *options, "--output", tmp_path / "out", folder=tmp_path, check=False)
    assert (done.returncode, done.stdout.count("create-initial-store")) == (2, 0)
    assert words in done.stderr
    assert not list(tmp_path.glob("out/ball*"))
