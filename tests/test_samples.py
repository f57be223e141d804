"""The suite for large ensembles: batches of runs as Merlin's samples, the same runs in the store."""

import pytest
import yaml
from cluster import BIN, ROOT, SPEC, run

from sim2seq.workflow.checks import preflight

SAMPLES = ROOT / "ball_bounce_suite_merlin_samples.yaml"
RUNS = 23


def steps_of(path):
    return {step["name"]: step["run"] for step in yaml.safe_load(path.read_text())["study"]}


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
        (["--vars", "RUNS_PER_TASK=0"], "the study's samples: pgen_ensembles.py: --batch 0: expected 1 run or more"),
    ],
)
def test_a_bad_word_starts_nothing(tmp_path, options, words):
    done = run(BIN / "sim2seq", "run", SAMPLES, *options, "--output", tmp_path / "out", folder=tmp_path, check=False)
    assert (done.returncode, done.stdout.count("create-initial-store")) == (2, 0)
    assert words in done.stderr
    assert not list(tmp_path.glob("out/ball*"))
