"""Other curves through the same code: what a run of a network is, and that the study learns it by other names."""

import numpy as np
import pytest
from helpers import counting_ensemble

from sim2seq import load_study
from sim2seq._support.command import run as run_command
from sim2seq.data import arrays
from sim2seq.training.fit import fit
from sim2seq.training.settings import Settings
from studies.oracle import curves, histories


@pytest.fixture(scope="module")
def two() -> list[curves.Problem]:
    """A target that is one of the inputs, and two classes that one input tells apart."""
    inputs = np.random.default_rng(0).normal(size=(80, 2))
    told = curves.problem("line", inputs, inputs[:, 0], False)
    return [told, curves.problem("classes", inputs, inputs[:, 0] > 0, True)]


def test_a_curve_falls_to_what_can_be_learned(two):
    known = {"hidden": 8, "learning_rate": 0.01, "alpha": 1e-6, "batch": 16, "adam": 1, "relu": 1, "epochs": 30}
    for given in two:
        found = curves.curve(given, known, seed=1)
        assert found.shape == (30, 3)
        assert found[-1, 0] < 0.2 < found[0, 0]
        np.testing.assert_allclose(found[:, 2], np.arange(1, 31) / 30)
        np.testing.assert_array_equal(found, curves.curve(given, known, seed=1))


def test_runs_are_written_with_what_is_known_and_how_they_ended(two, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "problems", lambda: two)
    monkeypatch.setitem(curves.RANGES, "epochs", (3, 6))
    curves.make(tmp_path / "c.h5", 4, seed=2)
    held = list(arrays.read(tmp_path / "c.h5"))
    assert [run.id for run in held] == ["line_1", "classes_2", "line_3", "classes_4"]
    assert set(curves.KNOWN) | {"error_final", "loss_final"} == set(held[0].data)
    block = arrays.series_of(tmp_path / "c.h5", ["line_1"], [0], [held[0].place[2]])
    assert block.values([0])[0, block.lengths[0] - 1, 0] == held[0].data["error_final"]


def test_a_curve_of_keras_falls_to_what_can_be_learned(two):
    known = {"hidden": 8, "learning_rate": 0.03, "alpha": 1e-6, "batch": 16, "adam": 1, "relu": 1, "epochs": 12}
    for given in two:
        found = histories.keras_curve(given, known, seed=1)
        assert found.shape == (12, 3)
        assert found[-1, 0] < min(0.2, found[0, 0])
        assert found[-1, 1] < found[0, 1]
        np.testing.assert_allclose(found[:, 2], np.arange(1, 13) / 12)


def test_the_worst_is_what_a_diverged_epoch_counts():
    found = histories.curve_of([0.5, np.nan, np.inf], [0.5, np.inf, np.nan], 3)
    np.testing.assert_allclose(found[:, 0], [0.5, curves.MOST_ERROR, curves.MOST_ERROR])
    assert np.isfinite(found).all()


SETTINGS = {"units": "16,8", "learning_rate": 0.01, "batch_size": 32, "optimizer": "adamw", "window": 5, "runs": 9}


def test_trainings_of_a_sweep_are_runs_by_the_same_names(two, tmp_path, monkeypatch, capsys):
    """Of its store: the losses are what was recorded, and a training that stopped early is no whole run."""
    from sim2seq.store import store

    path = tmp_path / "store.sqlite"
    store.create(path)
    losses = {"loss": [0.5, 0.2, 0.1], "val_loss": [0.6, 0.3, 0.25]}
    store.add_training(path, "whole", SETTINGS | {"epochs": 3}, losses)
    store.add_training(path, "stopped", SETTINGS | {"epochs": 4}, losses)
    monkeypatch.setattr(curves, "problems", lambda: two)
    monkeypatch.setitem(curves.RANGES, "epochs", (3, 4))
    curves.main([str(tmp_path / "c.h5"), "--runs", "2", "--keras", "1", "--histories", f"ball={path}"])
    assert capsys.readouterr().err == "left out: stopped: it ended after 3 of 4 epochs\n"
    held = {run.id: run for run in arrays.read(tmp_path / "c.h5")}
    assert list(held) == ["line_1", "classes_2", "ball_t1", "line_k1"]
    data = held["ball_t1"].data
    assert [data[name] for name in ("rows", "hidden", "batch", "adam", "epochs", "error_final", "loss_final")] == [
        *(9, 16, 32, 1, 3, 0.25, 0.1)
    ]
    assert set(held["line_k1"].data) == set(data)


def test_trainings_in_folders_are_runs_too(tmp_path):
    settings = Settings.parse(["size:debug", "window:5"])
    trained = fit(counting_ensemble(), settings, tmp_path / "some" / "training", quiet=True)
    ((run, known, found),) = histories.kept("counted", tmp_path)
    assert (run, known["rows"], known["columns"], known["epochs"]) == ("counted_t1", 6, 5, 2)
    np.testing.assert_allclose(found[:, 1], trained.history["loss"])
    np.testing.assert_allclose(found[:, 2], [0.5, 1.0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--runs", "0"], "expected curves to write"),
        (["--histories", "nowhere"], "expected NAME=PATH"),
        (["--histories", "ball=nowhere"], "a store or a folder that is there"),
        (["--histories", "ball=."], "expected trainings that came to their last epoch; got none"),
    ],
)
def test_curves_that_cannot_be_are_refused_in_a_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert run_command(lambda: curves.main(["c.h5", "--runs", "0", *words])) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_fewer_than_no_curves_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        curves.main(["c.h5", "--keras", "-1"])
    assert "expected --runs and --keras of 0 or more" in capsys.readouterr().err


def test_the_study_of_curves_is_the_oracles_with_other_names():
    study, own = load_study(curves.__file__), load_study(curves.tables.LIST.with_name("study.py"))
    assert list(study.models) == list(own.models)
    assert study.settings().inputs == curves.KNOWN
    assert study.settings().split == "by_group"
    assert study.task.at == own.task.at
    assert study.settings.parse(["seed:3"]).split_seed == study.settings().split_seed >= 0
    assert study.settings.parse(["recipe:later"]).inputs == (*curves.KNOWN, "until")
