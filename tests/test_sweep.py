"""A sweep trains at every point of a grid and puts the results into the study's store; what cannot be is refused."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim2seq import cli, ranking, sweep
from sim2seq.store import store
from sim2seq.study import FORECAST
from sim2seq.workflow.plan import FINISHED, Plan, Task

ROOT = Path(__file__).parent.parent


def test_grid_is_every_combination():
    grid = sweep.points(["window=3 5", "units=8,8 4", "learning_rate=1e-2"], "size:debug")
    assert list(grid) == [
        f"size-debug_window-{window}_units-{units}_learning_rate-1e-2" for window in (3, 5) for units in ("8-8", "4")
    ]
    assert grid["size-debug_window-5_units-8-8_learning_rate-1e-2"] == ["window:5", "units:8,8", "learning_rate:1e-2"]


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (["window=3 3"], "window: expected different values with spaces between, got '3 3'"),
        (["window="], "window: expected different values"),
        (["window=3", "window=5"], "expected every setting once, got window, window"),
        (["window"], "expected name:value; got 'window'"),
        (["windows=3"], "unknown setting 'windows'"),
        (["window=3 -1"], "setting window: expected 0 or more; got -1"),
        (["window=3 large"], "setting window: expected int"),
    ],
)
def test_impossible_grid_is_refused_before_anything_is_trained(study_store, tmp_path, axes, words, capsys):
    assert cli.main(["grid", str(study_store), str(tmp_path), *axes]) == 2
    message = capsys.readouterr().err
    assert (words in message, message.count("\n")) == (True, 1)
    assert not (tmp_path / sweep.GRID).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["leaderboard", "{store}"], "no recorded trainings"),
        (["leaderboard", "nowhere.sqlite"], "nowhere.sqlite: no such store"),
        (["train", "nowhere.sqlite"], "nowhere.sqlite: no such store"),
        (["train", "{store}", "--output", "out", "windows:3"], "unknown setting 'windows'"),
        (["train", "{store}", "--record", "a/b"], "'a/b'"),
        (
            ["train", "{store}", "size:debug", "--budget", "5s"],
            "of candidates that are combined; residual_lstm",
        ),
        (["train", "{store}", "budget:5s", "model:stacked_lstm"], "stacked_lstm alone trains for epochs:20"),
        (["run", "{sweep}"], "expected the store of a finished study: add --vars STORE=FILE"),
        (["run", "{sweep}", "--vars", "STORE=nowhere.sqlite"], "nowhere.sqlite: no such store"),
        (["run", "{sweep}", "--vars", "STORE={empty}"], "expected a store with runs, this one has none"),
    ],
)
def test_what_cannot_be_trained_or_ranked_is_refused_in_one_line(
    study_store, empty_store, tmp_path, monkeypatch, capsys, arguments, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    names = {"store": study_store, "sweep": ROOT / "sweep.yaml", "empty": empty_store}
    assert cli.main([word.format(**names) for word in arguments]) == 2
    message = capsys.readouterr().err
    assert (words in message, message.count("\n")) == (True, 1)
    assert os.listdir(tmp_path) == ["store.sqlite"]  # nothing was begun


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    store.create(path)
    return path


def test_a_word_that_no_command_knows_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "store.sqlite", "--epochs", "3"])
    assert "unrecognized arguments: --epochs" in capsys.readouterr().err


def test_refusal_of_the_grid_is_passed_on_and_leaves_no_study(study_store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    text = (ROOT / "sweep.yaml").read_text()
    Path("sweep.yaml").write_text(text.replace("cmd: sim2seq grid", "cmd: echo sim2seq grid refuses >&2; false"))
    assert cli.main(["run", "sweep.yaml", "--output", "out", "--vars", f"STORE={study_store}"]) == 2
    assert capsys.readouterr().err == "sim2seq run: the study's samples: sim2seq grid refuses\n"
    assert os.listdir("out") == [".sim2seq.lock"]


def test_only_unfinished_points_and_what_follows_are_repeated(tmp_path):
    tasks = [Task("train", str(tmp_path / f"train_{point}"), "train") for point in range(3)]
    tasks.append(Task("leaderboard", str(tmp_path / "leaderboard"), "leaderboard"))
    for task in tasks:
        os.mkdir(task.folder)
    for task in (tasks[0], tasks[2], tasks[3]):
        Path(task.folder, FINISHED).touch()
    assert Plan(tuple(tasks), {"train": ["leaderboard"], "leaderboard": []}).stale() == [tasks[1], tasks[3]]


def test_grid_beside_a_store_leaves_the_store_alone(study_store, capsys):
    before = Path(study_store).read_bytes()
    assert Path(study_store).name == sweep.LINK
    assert cli.main(["grid", str(study_store), str(Path(study_store).parent), "window=3"]) == 2
    assert "expected a folder of its own" in capsys.readouterr().err
    assert Path(study_store).read_bytes() == before


def test_windows_are_ranked_by_the_same_steps_of_the_run():
    """A run of 12 steps whose error is the step's number: its last half is steps 6 to 11, after any window to 6."""
    errors = [sweep.late_error(list(range(window, 12)), window) for window in (1, 3, 6)]
    assert errors == pytest.approx([np.sqrt(np.mean(np.arange(6, 12) ** 2))] * 3)


def test_runs_that_end_before_the_longest_are_ranked_too(tiny_training):
    """No validation run is as long as the longest: from where all have ended, no step has an error."""
    trained, ensemble = tiny_training
    errors = trained.scores.errors["validation"]
    ended = replace(errors, by_position=[*errors.by_position, math.nan, math.nan])
    scores = replace(trained.scores, errors=trained.scores.errors | {"validation": ended})
    before = sweep.recorded_data(trained, ensemble.runs)
    assert sweep.recorded_data(replace(trained, scores=scores), ensemble.runs) == before
    assert sweep.score(before) != "diverged"
    diverged = replace(scores, errors=scores.errors | {"validation": replace(ended, rmse=math.nan)})
    assert sweep.score(sweep.recorded_data(replace(trained, scores=diverged), ensemble.runs)) == "diverged"


def test_each_trains_every_combination_in_one_call(study_store, tmp_path):
    words = ["size:debug", "units:4", "window:5", "epochs:1", "model:autoregression", "targets:1"]
    sweep.train_and_record(study_store, words, tmp_path / "out", "point", each=["seed=0 1"])
    assert [one.data["seed"] for one in ranking.load(study_store)] in ([0, 1], [1, 0])
    assert {one.name for one in ranking.load(study_store)} == {"point_seed-0", "point_seed-1"}
    np.save(tmp_path / "grid.npy", np.array([["point", "window:5"], ["other", "window:9"]]))
    assert ranking.missing_points(ranking.load(study_store), tmp_path / "grid.npy") == ["other"]


def test_another_training_is_replaced_and_the_same_one_goes_on(study_store, tmp_path):
    """As a step of a study that runs again: with other settings or runs it learns and is judged anew, else not."""
    judged = []
    study = replace(FORECAST, judge=lambda trained, _: judged.append(trained.settings.window) or {"hits": 1.0})

    def train(window, **options):
        words = ["size:debug", "units:4", f"window:{window}", "epochs:1", "model:autoregression", "targets:1"]
        sweep.train_and_record(study_store, words, tmp_path / "out", study=study, **options)
        return judged

    assert train(5) == [5]
    assert train(5, replace=True) == [5]
    with pytest.raises(ValueError, match="other settings"):
        train(4)
    assert train(4, replace=True) == [5, 4]
    words = ["train", str(study_store), "--output", str(tmp_path / "out"), "--replace", "size:debug", "window:4"]
    assert cli.main([*words, "units:4", "epochs:1", "model:autoregression", "targets:1", "--record", "point"]) == 0
    assert train(4) == [5, 4]
