"""A sweep through Merlin's workers ends in the store of the study that it tunes."""

import csv
import json
import os

import numpy as np
import pytest
from cluster import BIN, ROOT, run, run_study
from runs import library_store, short_runs, with_kosh

from sim2seq import sweep
from sim2seq.evaluation.scores import Scores
from sim2seq.store import store

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

RUNS, STEPS = 8, 60
POINTS = [f"size-debug_window-{window}_units-4_learning_rate-1e-2" for window in (3, 5)]


def test_plain_merlin_without_a_store_queues_nothing(tmp_path):
    words = ["--local", "--vars", "STORE=nowhere.sqlite"]
    done = run(BIN / "merlin", "run", ROOT / "sweep.yaml", *words, folder=tmp_path, check=False)
    assert done.returncode == 1
    (study,) = (tmp_path / "studies_output").iterdir()
    assert os.listdir(study) == ["merlin_info"]
    reason = (study / "merlin_info" / "cmd.err").read_text()
    told = "no such store, make it with `sim2seq create nowhere.sqlite`"
    assert reason.endswith(f"sim2seq grid: nowhere.sqlite: {told}\n")


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A finished sweep of two points, its store named as from where the user stands: (what it said, study, store)."""
    folder = tmp_path_factory.mktemp("sweep")
    library_store(folder / "runs.sqlite", short_runs(RUNS, STEPS))
    options = ["STORE=runs.sqlite", "WINDOW=3 5", "UNITS=4", "LEARNING_RATE=1e-2", "TRAINING=size:debug"]
    said = run_study(ROOT / "sweep.yaml", "--workers", 2, "--vars", *options, folder=folder)
    (study,) = (path for path in folder.glob("studies_output/sweep_*") if path.is_dir())
    return said, study, folder / "runs.sqlite"


def test_sweep_ends_with_every_point_in_the_users_store(swept):
    _, study, path = swept
    found = with_kosh(path)
    assert len(found) == RUNS + 2
    for name, window, folder in zip(POINTS, (3, 5), sorted(study.glob("train/*/training")), strict=True):
        point, scores = found[name], Scores.of(json.loads((folder / "scores.json").read_text()))
        assert (point.window, point.units, point.learning_rate, point.runs) == (window, "4", 0.01, RUNS)
        late = np.square(scores.errors["validation"].by_position[-STEPS // 2 :])
        assert (point.study, point.ranked_by) == ("forecast", sweep.ERROR)
        assert getattr(point, sweep.ERROR) == pytest.approx(np.sqrt(late.mean()))
        assert getattr(point, sweep.ONE_STEP) == scores.one_step["validation"].rmse
        assert point.seconds > 0
        with (folder / "history.csv").open() as file:
            losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
        assert list(point["learning_curve/val_loss"][:]) == losses


def test_sweep_ends_with_its_leaderboard(swept):
    said, study, _ = swept
    board = study / "leaderboard"
    assert f"report: {board / 'leaderboard.png'}" in said
    assert (board / "leaderboard.png").stat().st_size > 20_000
    with (board / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["names"] for row in rows} == set(POINTS)
    errors = [float(row["error"]) for row in rows]
    assert errors == sorted(errors)
    best = next(line for line in (board / "leaderboard.out").read_text().splitlines() if line.startswith("best:"))
    assert best == f"best: window:{rows[0]['window']}"


def test_no_score_on_test_runs_is_recorded(swept):
    _, study, path = swept
    recorded = {value for data, _ in store.load_trainings(path).values() for value in data.values()}
    scores = [Scores.of(json.loads(file.read_text())) for file in study.glob("train/*/training/scores.json")]
    on_test = {each["test"].rmse for score in scores for each in (score.errors, score.one_step)}
    assert on_test
    assert on_test.isdisjoint(recorded)
