"""A training of candidates: what it holds, what one of them can do to the others, and of what it can be made."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import sim2seq
from sim2seq._support.files import read_json, write_json
from sim2seq.data.ensemble import Ensemble
from sim2seq.models.candidates.lookups import Lookup
from sim2seq.training import candidates, combine, fit
from sim2seq.training.candidates import NETWORK
from sim2seq.training.fit import split_runs
from sim2seq.training.folder import claim
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST

BASELINES = ("hold", "mean trajectory", "nearest run", "ridge", "extra trees")
SMALL = ["window:5", "budget:4s"]  # too short for networks


def pendulums(runs=30, steps=40, *, lengths=None) -> Ensemble:
    """Damped pendulums from many starts, pushed by a control; their damping and start are inputs."""
    rng = np.random.default_rng(0)
    damping, push = rng.uniform(0.02, 0.1, runs), rng.normal(size=(runs, steps))
    values = np.empty((runs, steps, 3))
    values[:, 0] = np.stack([rng.uniform(-2, 2, runs), np.zeros(runs), push[:, 0]], axis=1)
    for step in range(1, steps):
        angle, speed, _ = values[:, step - 1].T
        speed = speed - 0.1 * np.sin(angle) - damping * speed + 0.01 * push[:, step]
        values[:, step] = np.stack([angle + speed, speed, push[:, step]], axis=1)
    inputs = {"damping": damping, "start": values[:, 0, 0].copy()}
    if lengths is not None:
        values[np.arange(steps) >= lengths[:, None]] = np.nan
    names = tuple(f"run_{run}" for run in range(runs))
    return Ensemble(values, names, ("angle", "speed", "push"), np.arange(steps) / 10, inputs, lengths=lengths)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr("sim2seq.models.candidates.lookups.TREES", 30)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A combination without networks: (Training, its Ensemble)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim2seq.models.candidates.lookups.TREES", 30)
        patch.setitem(combine.SHARES, "polynomial", 100.0)  # whatever else the machine does
        settings = Settings.parse([*SMALL, "controls:push", "inputs:damping"])
        folder = tmp_path_factory.mktemp("combined") / "training"
        return fit.fit(pendulums(), settings, folder, quiet=True), pendulums()


def scaled_error(prediction, truth) -> float:
    return float(np.sqrt(np.nanmean(np.square((prediction - truth) / np.nanstd(truth, axis=(0, 1))))))


def test_inputs_of_any_name_reach_the_networks_as_they_are(tmp_path):
    ensemble, names = pendulums(lengths=np.arange(30) + 11), ("lengths", "times", "values")
    ensemble = replace(ensemble, inputs=dict.fromkeys(names, ensemble.inputs["damping"]))
    settings = Settings.parse([*SMALL, "controls:push"])
    (tmp_path / candidates.FOLDER).mkdir()
    candidates.write_data(ensemble, settings, split_runs(ensemble, settings), FORECAST.task, tmp_path)
    read, _, _ = candidates.read_data(tmp_path / candidates.FOLDER)
    places = [ensemble.run_ids.index(run_id.rpartition(" ")[2]) for run_id in read.run_ids]
    np.testing.assert_array_equal(read.lengths, ensemble.lengths[places])
    for name in names:
        np.testing.assert_array_equal(read.inputs[name], ensemble.inputs[name][places])


def test_a_combination_beats_every_baseline_on_validation(trained):
    kept, combined = trained[0].predictions["validation"], trained[0].scores.combined
    assert scaled_error(kept.middle, kept.truth) < 0.9 * min(combined.validation[name] for name in BASELINES)
    assert trained[0].scores.skill > 0


def test_weights_are_not_negative_and_add_up_to_one(trained):
    weights = np.array(list(trained[0].scores.combined.weights.values()))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1)


def test_a_folder_forecasts_the_same_wherever_it_is_moved(trained, tmp_path):
    training, ensemble = trained
    shutil.copytree(training.folder, tmp_path / "elsewhere")
    model, kept = sim2seq.load_surrogate(tmp_path / "elsewhere"), training.predictions["test"]
    runs = ensemble.take([ensemble.run_ids.index(run) for run in kept.run_ids])
    told = {"inputs": {"damping": runs.inputs["damping"]}, "controls": runs.values[:, :, 2:]}
    middle, low, high = model.forecast(runs.values[:, :5, :2], **told)
    for ours, theirs in ((middle, kept.middle), (low, kept.low), (high, kept.high)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_weights_are_judged_by_group_where_the_split_is_by_group():
    ensemble = pendulums()
    ensemble = replace(ensemble, run_ids=tuple(f"table{run // 3}_{run}" for run in range(30)))
    found = []
    for words in ("split:by_group", "split:by_run", "split:in_time"):
        settings = Settings.parse([*SMALL, words])
        split = split_runs(ensemble, settings)
        groups = candidates.parts_of(ensemble, settings, split, FORECAST.task).groups
        found.append((groups, tuple(run.rpartition("_")[0] for run in split.validation.runs)))
    assert found[0][0] == found[0][1]
    assert found[1][0] is found[2][0] is None


def train(folder, monkeypatch, **tables):
    """A training with other candidates in the place of some."""
    for table, changes in tables.items():
        for name, learn in changes.items():
            monkeypatch.setitem(getattr(combine, table), name, learn)
    return fit.fit(pendulums(), Settings.parse([*SMALL, "controls:push"]), folder, quiet=True)


def test_an_interrupted_training_trains_no_candidate_twice(tmp_path, monkeypatch):
    learned, trees = [], combine.LOOKUPS["extra trees"]

    def counted(*runs, **options):
        learned.append("extra trees")
        return trees(*runs, **options)

    def interrupted(*runs, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        train(tmp_path, patch, LOOKUPS={"extra trees": counted}, OTHERS={"polynomial": interrupted})
    assert learned == ["extra trees"]
    finished = train(tmp_path, monkeypatch, LOOKUPS={"extra trees": counted})
    assert learned == ["extra trees"]
    assert {*BASELINES, "polynomial"} <= set(finished.scores.combined.validation)


def test_a_training_interrupted_at_its_scores_is_finished(tmp_path, monkeypatch):
    """Until then what is used is one training: the first candidates, and the scores and the band that are theirs."""
    judged, evaluate = [], fit.evaluate

    def interrupted_at_last(*told, **options):
        judged.append(sorted(options["combined"].validation))
        if len(judged) == 2:
            raise KeyboardInterrupt
        return evaluate(*told, **options)

    with monkeypatch.context() as patch:
        patch.setattr(fit, "evaluate", interrupted_at_last)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, patch)
    first = fit.load(tmp_path)
    assert set(judged[0]) == set(first.scores.combined.validation) < set(judged[1])
    assert set(first.scores.combined.weights) == set(candidates.read_combination(tmp_path).used)
    finished = train(tmp_path, monkeypatch)
    assert set(finished.scores.combined.validation) == set(judged[1])
    assert not candidates.is_learning(tmp_path)


def test_what_had_no_time_is_named_and_learns_when_there_is_some(tmp_path, monkeypatch):
    out = train(tmp_path, monkeypatch).scores.combined.out
    assert {out[name] for name in ("stacked_lstm", "residual_lstm", NETWORK)} == {combine.NO_TIME}
    work = SimpleNamespace(place=lambda name: candidates.place_of(tmp_path, name))
    for name, error, is_done in (("stacked_lstm", combine.NO_TIME, False), ("hold", None, True)):
        combine.Work.done(work, name, 0.0, error)
        assert combine.Work.is_done(work, name) is is_done


def test_residual_lstm_is_named_only_where_time_decided(tmp_path, monkeypatch):
    """What it learned before stays, and of a system whose law it does not hold nobody has to read."""
    monkeypatch.setattr(combine, "knows_law", lambda work: False)

    def named(left: float, window: int = 5) -> str | None:
        settings = Settings.parse([f"window:{window}", "controls:push"])
        made = combine.Work(pendulums(), settings, None, FORECAST, tmp_path, None, time.monotonic() + left, True)
        assert not combine.holds_law(made)
        path = made.place("residual_lstm") / "done.json"
        return read_json(path)["error"] if path.exists() else "not named"

    assert named(0.0, window=1) == "not named"
    assert named(0.0) == combine.NO_TIME
    assert named(1000.0) == "not named"
    place = candidates.place_of(tmp_path, "residual_lstm")
    place.mkdir(parents=True)
    write_json(place / "done.json", {"seconds": 9.0, "error": None})
    assert named(0.0) is None


def test_a_candidate_that_fails_or_runs_away_is_out_and_named(tmp_path, monkeypatch):
    def fails(*runs, **options):
        raise ValueError("nothing to learn from")

    def runs_away(training, validation, **options):
        return Lookup("mean trajectory", np.full((1, 35, 2), 1e6), {})

    changed = {"LOOKUPS": {"mean trajectory": runs_away}, "OTHERS": {"polynomial": fails}}
    combined = train(tmp_path, monkeypatch, **changed).scores.combined
    assert combined.out["polynomial"] == "nothing to learn from"
    assert "leave the range of training" in combined.out["mean trajectory"]
    assert not {"polynomial", "mean trajectory"} & set(combined.weights)
    assert combined.validation["mean trajectory"] > 1e3


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo no memory >&2; exit 1", "no memory"),
        ("kill -9 $$", "killed by signal 9"),
        ("exec sleep 99", "it took longer than its time"),
    ],
)
def test_a_process_that_dies_or_does_not_end_loses_nothing(does, said, tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(combine, "sys", SimpleNamespace(executable=str(program)))
    monkeypatch.setattr(combine, "GRACE", 0.0)
    monkeypatch.setattr(combine, "LEAST", dict.fromkeys(combine.LEAST, 0.0))
    monkeypatch.setattr(combine, "knows_law", lambda work: False)
    for name in ("extra trees", "ridge"):
        monkeypatch.delitem(combine.LOOKUPS, name)
    for name in list(combine.OTHERS):
        monkeypatch.delitem(combine.OTHERS, name)
    ensemble, settings = pendulums(), Settings.parse(["window:5", "budget:2s"])
    start, nobody, split = time.monotonic(), {"judge": lambda: None, "quiet": True}, split_runs(ensemble, settings)
    claim(tmp_path, ensemble, settings, split, replace=False)
    combine.train(ensemble, settings, split, tmp_path, FORECAST, **nobody)
    assert time.monotonic() - start < 10  # it never waits for what does not end
    combined = fit.fit(ensemble, settings, tmp_path, quiet=True).scores.combined
    assert set(combined.validation) == {"mean trajectory", "hold", "nearest run"}
    assert said in combined.out[NETWORK]


def lane_without_data(folder, monkeypatch) -> tuple[combine.Lane, Path]:
    """A network whose process begins in `folder` and finds nothing to learn from, and its log."""
    monkeypatch.chdir(folder)
    work = combine.Work(None, Settings(), None, FORECAST, folder, None, time.monotonic() + 60, True)
    return combine.Lane(work, [(NETWORK, 1.0)]), work.place(NETWORK) / "log.txt"


def test_a_file_of_the_user_stops_no_network(tmp_path, monkeypatch):
    """random.py is a module of Python's own, which TensorFlow imports: in the user's folder it is something else."""
    (tmp_path / "random.py").write_text("raise SystemExit('a file of the user was run')")
    lane, log = lane_without_data(tmp_path, monkeypatch)
    assert lane.process.wait(timeout=300) == 1
    assert "task.json" in log.read_text().splitlines()[-1]


def test_a_network_does_not_outlive_its_training(tmp_path, monkeypatch):
    """A network whose training was killed while it began, and any other process that says the same."""
    monkeypatch.setattr(combine.os, "getpid", lambda: 1)
    lane, log = lane_without_data(tmp_path, monkeypatch)
    assert lane.process.wait(timeout=300) == 1
    assert log.read_text().splitlines()[-1] == "process 1, which began this one, has ended"
    monkeypatch.undo()
    child = "import os, sys, time; from sim2seq._support.guard import end_with; end_with(int(sys.argv[1]));"
    child += "print(os.getpid(), flush=True); time.sleep(99)"
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as training:
        network = psutil.Process(int(training.stdout.readline()))
        training.terminate()
    network.wait(timeout=10)


@pytest.mark.parametrize(
    ("words", "ensemble"),
    [
        (["window:0", "inputs:start,damping"], pendulums()),
        (["window:0", "inputs:start", "controls:push"], pendulums()),
        (["window:5"], pendulums(lengths=np.linspace(12, 40, 30).astype(int))),
    ],
    ids=["from inputs", "from inputs and controls", "unequal lengths"],
)
def test_every_kind_of_forecast_ends_in_a_model(words, ensemble, tmp_path):
    training = fit.fit(ensemble, Settings.parse(["budget:2s", *words]), tmp_path, quiet=True)
    kept = training.predictions["test"]
    assert np.isfinite(kept.middle[np.isfinite(kept.truth)]).all()
    assert kept.middle.shape[1] == 40 - training.settings.window
    assert training.scores.skill > -0.2
    if training.settings.window == 0:
        assert "gaussian process" in training.scores.baselines
        assert training.scores.best_baseline != "hold"
