"""Training: the folder that it leaves, laws that models learn exactly, interruptions, members, inputs of a run."""

import json
import shutil
from dataclasses import replace
from itertools import chain

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, counting_ensemble, ensemble_of, logistic_ensemble

from sim2seq.data.records import Run
from sim2seq.data.splits import PARTS, Part, Split, select
from sim2seq.data.windows import Scaling
from sim2seq.models.rollout import rollout
from sim2seq.store import store
from sim2seq.training import fit as fitting
from sim2seq.training.fit import fit
from sim2seq.training.folder import load, read_history
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST


def test_the_folder_holds_everything_that_belongs_to_a_training(tiny_training):
    trained, ensemble = tiny_training
    names = {path.name for path in trained.folder.iterdir()}
    expected = {
        "model.keras",
        "predictions.npz",
        "settings.json",
        "split.json",
        "scores.json",
        "history.csv",
        "versions.json",
        "band.json",
    }
    assert names == expected | {"figures", "logs"}
    assert len(list((trained.folder / "figures").glob("*.png"))) == 7
    assert list((trained.folder / "logs").rglob("events*"))
    assert trained.versions["keras"] == keras.__version__
    split = json.loads((trained.folder / "split.json").read_text())
    assert sorted(chain(*(split[part]["runs"] for part in PARTS))) == sorted(ensemble.run_ids)


def test_the_saved_model_has_the_scaling_of_the_training_runs(tiny_training):
    trained, ensemble = tiny_training
    scaling = Scaling.of(select(ensemble, trained.split.train).values)
    layers = {layer.name: layer for layer in trained.model.layers}
    np.testing.assert_allclose(np.ravel(layers["to_scaled"].mean), scaling.mean, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(layers["to_physical"].variance), scaling.std**2, rtol=1e-6)


def test_the_scores_are_those_of_the_saved_model(tiny_training):
    trained, ensemble = tiny_training
    test = select(ensemble, trained.split.test).values
    error = rollout(trained.model, test[:, :5], 55, jit=False) - test[:, 5:]
    assert trained.scores.errors["test"].rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)


def test_a_finished_training_is_read_and_not_repeated(tiny_training):
    trained, ensemble = tiny_training
    before = (trained.folder / "model.keras").stat().st_mtime_ns
    again = fit(ensemble, trained.settings, trained.folder)
    assert again.scores == trained.scores == load(trained.folder).scores
    assert again.split == trained.split
    assert (trained.folder / "model.keras").stat().st_mtime_ns == before


def test_a_folder_with_other_settings_or_other_data_is_refused(tiny_training):
    trained, ensemble = tiny_training
    with pytest.raises(ValueError, match=r"other settings or data \(epochs differ\)"):
        fit(ensemble, Settings.parse(["size=debug", "units=4", "window=5", "epochs=3"]), trained.folder)
    other = ensemble.take(range(10))
    other.values[0, 0, 0] += 1e-6
    with pytest.raises(ValueError, match=r"other settings or data \(data differ\)"):
        fit(other, trained.settings, trained.folder)


def test_a_window_longer_than_a_part_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="window: expected 1 to 11 for runs of 12 steps; got 30"):
        fit(counting_ensemble(steps=20), Settings.parse(["size=debug", "split=in_time"]), tmp_path / "training")
    assert not (tmp_path / "training").exists()
    with pytest.raises(FileNotFoundError, match="no finished training"):
        load(tmp_path / "training")


def test_series_cut_in_time_are_trained_on_and_scored(tmp_path):
    settings = Settings.parse(["size=debug", "units=2", "window=3", "split=in_time"])
    trained = fit(counting_ensemble(runs=3, steps=40), settings, tmp_path)
    assert (trained.split.test.start, trained.split.test.stop) == (32, 40)
    assert len(trained.scores.errors["test"].by_position) == 5
    with pytest.raises(ValueError, match="test part must not be longer"):
        fit(counting_ensemble(), Settings.parse(["window=3", "split=in_time", "fractions=.3,.3,.4"]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_replace_trains_again_and_leaves_no_file_of_the_old_one(tiny_training, tmp_path):
    first, folder = tiny_training[0], tmp_path / "training"
    shutil.copytree(first.folder, folder)
    shutil.copy(folder / "model.keras", folder / "model_2.keras")
    for name in ("judged.json", "seconds.json", "world.json", "pictures.npz"):
        (folder / name).write_text("of the first one")
    settings = Settings.parse(["size=debug", "model=stacked_lstm", "units=2", "window=3", "epochs=1"])
    second = fit(counting_ensemble(runs=6, steps=20), settings, folder, replace=True)
    assert [len(trained.history["loss"]) for trained in (first, second)] == [2, 1]
    assert load(folder).scores == second.scores != first.scores
    assert not [*folder.glob("figures"), *folder.glob("model_2.keras")]
    assert not [path.name for path in folder.iterdir() if path.is_file() and path.read_bytes() == b"of the first one"]


def test_an_autoregression_counts_and_turns_at_walls_exactly(tmp_path):
    """Its linear part holds both laws; windows, targets, scaling and files around it must not move them."""
    both = [counting_ensemble(runs=10, steps=60).values, bouncing_counters(runs=10, steps=60)]
    ensemble = through_a_store(ensemble_of(np.concatenate(both, axis=2)), tmp_path / "store.sqlite")
    settings = Settings.parse(["recipe=autoregression", "size=debug", "window=4"])
    scores = fit(ensemble, settings, tmp_path / "training").scores
    for errors in (scores.errors["test"], scores.one_step["test"]):
        assert len(errors.by_feature) == 5
        assert max(errors.by_feature.values()) < 1e-5


def test_an_autoregression_learns_what_is_not_linear(tmp_path):
    """The logistic map: a linear model is wrong by 0.1 and more at each step."""
    options = ["recipe=autoregression", "members=1", "window=3", "epochs=2", "batch_size=32", "passes=40"]
    scores = fit(logistic_ensemble(runs=30), Settings.parse([*options, "jit_compile=false"]), tmp_path).scores
    assert scores.one_step["test"].rmse < 0.01


def test_an_autoregression_forecasts_the_bouncing_ball(bouncing, tmp_path):
    """370 steps of each validation run, split in the order of the file; the best baseline is off by 0.09."""
    runs = bouncing.run_ids
    split = Split(*(Part(runs[a:b], 0, 400) for a, b in ((0, 38), (38, 51), (51, 64))))
    settings = Settings.parse(["recipe=autoregression", "epochs=2", "passes=1", "jit_compile=false"])
    fitting.train(bouncing, settings, split, tmp_path, FORECAST)
    model, truth = keras.saving.load_model(tmp_path / "model.keras"), select(bouncing, split.validation).values
    forecast = rollout(model, truth[:, :30], 370, jit=False)
    assert np.sqrt(np.mean((forecast - truth[:, 30:]) ** 2)) < 0.001


def through_a_store(ensemble, path):
    """What a store gives back of an ensemble that was put into it, its last run first."""
    times = ensemble.times.tolist()
    series = [dict(zip(ensemble.features, run.T.tolist(), strict=True)) for run in ensemble.values]
    runs = [Run(run, {}, {"time": times, **each}) for run, each in zip(ensemble.run_ids, series, strict=True)]
    store.create(path)
    store.ingest(path, runs[::-1])
    loaded = store.load(path)
    np.testing.assert_array_equal(loaded.values, ensemble.values)
    assert (loaded.run_ids, loaded.features) == (ensemble.run_ids, ensemble.features)
    return loaded


@pytest.mark.parametrize("targets", [1, 27])
def test_a_network_learns_to_count(targets, tmp_path):
    """Any misalignment of store, windows, targets or forecasts would leave an error of whole steps."""
    ensemble = counting_ensemble(runs=20, steps=30, features=1).take(range(20))
    ensemble.values[:] = ensemble.values % 100 + np.arange(20)[:, None, None] / 20  # starts of 0 to 1, then +1 a step
    ensemble = through_a_store(ensemble, tmp_path / "store.sqlite")
    options = ["size=debug", "model=stacked_lstm", "units=16", "window=3", "learning_rate=0.02", "epochs=2"]
    options += ["passes=10", "steps_per_execution=100", f"targets={targets}", f"batch_size={8 if targets == 1 else 2}"]
    scores = fit(ensemble, Settings.parse(options), tmp_path / "training").scores
    assert scores.one_step["test"].rmse < 0.5
    assert scores.errors["test"].rmse < 1.0 < scores.baselines["hold"].rmse


def test_patience_and_best_weights_survive_an_interruption(tmp_path, monkeypatch):
    """A learning rate of nothing: epoch 1 is the best, and patience 5 ends the training after epoch 6."""
    ensemble, small = counting_ensemble(runs=6, steps=20), ["size=debug", "model=stacked_lstm", "units=2", "window=3"]
    settings = Settings.parse([*small, "epochs=20", "learning_rate=1e-30"])
    best = []
    for owner, method, interrupted, epochs in (
        (keras.callbacks.TensorBoard, "on_epoch_end", interrupt_at_epoch_4, 4),
        (fitting, "finish", interrupt, 6),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, interrupted)
            with pytest.raises(KeyboardInterrupt):
                fit(ensemble, settings, tmp_path)
        assert len(read_history(tmp_path / "history.csv")["val_loss"]) == epochs
        best.append(keras.saving.load_model(tmp_path / "model.keras").get_weights())
    finished = fit(ensemble, settings, tmp_path)
    assert len(finished.history["val_loss"]) == 6
    for of_epoch_1, again, ours in zip(*best, finished.model.get_weights(), strict=True):
        np.testing.assert_array_equal(of_epoch_1, again)
        np.testing.assert_array_equal(of_epoch_1, ours)


def interrupt(*arguments):
    raise KeyboardInterrupt


def interrupt_at_epoch_4(log, epoch, logs=None):
    if epoch == 3:
        raise KeyboardInterrupt


def test_a_rate_halves_at_a_plateau_across_an_interruption(tmp_path, monkeypatch):
    """Steps too small to count: it halves after epochs 11 and 21, and the 16th is done twice."""
    ensemble, rates = counting_ensemble(runs=6, steps=20), []
    small = ["size=debug", "model=stacked_lstm", "units=2", "window=3", "patience=100"]
    settings = Settings.parse([*small, "epochs=23", "learning_rate=4e-7", "schedule=plateau"])
    halve = fitting.Plateau.on_epoch_end

    def noted(plateau, epoch, logs=None):
        halve(plateau, epoch, logs)
        rates.append(float(plateau.model.optimizer.learning_rate))

    def interrupt_at_epoch_16(log, epoch, logs=None):
        if epoch == 15:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting.Plateau, "on_epoch_end", noted)
    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", interrupt_at_epoch_16)
        with pytest.raises(KeyboardInterrupt):
            fit(ensemble, settings, tmp_path)
    assert len(rates) == 15
    fit(ensemble, settings, tmp_path)
    assert rates == pytest.approx([4e-7] * 10 + [2e-7] * 10 + [1e-7] * 3)
    with pytest.raises(ValueError, match="unknown schedule 'step'; known: cosine, plateau"):
        Settings.parse(["schedule=step"])


def test_a_learned_residual_is_what_the_linear_part_leaves(tmp_path):
    """The logistic map again, by an LSTM on top of the same linear part, on whole runs."""
    options = ["size=debug", "units=32", "window=3", "targets=27", "epochs=2", "passes=25", "steps_per_execution=100"]
    settings = Settings.parse([*options, "batch_size=4", "learning_rate=0.01"])
    ensemble = logistic_ensemble(runs=30)
    fitting.train(ensemble, settings, fitting.split_runs(ensemble, settings), tmp_path, FORECAST)
    assert min(read_history(tmp_path / "history.csv")["val_loss"]) < 0.2  # 1 is what the linear part leaves


def test_members_leave_out_different_runs_and_are_kept_together(tmp_path):
    ensemble = logistic_ensemble()
    options = ["size=debug", "model=autoregression", "window=3", "units=2", "members=3"]
    trained = fit(ensemble, Settings.parse(options), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("model*")) == ["model.keras", "model_2.keras", "model_3.keras"]
    assert [fitting.runs_of_member(7, 3, member) for member in range(3)] == [
        [1, 2, 4, 5],
        [0, 2, 3, 5, 6],
        [0, 1, 3, 4, 6],
    ]
    test = select(ensemble, trained.split.test).values
    forecasts = [rollout(model, test[:, :3], 27, jit=False) for model in trained.models]
    assert np.ptp(forecasts, axis=0).max() > 0
    error = np.median(forecasts, axis=0) - test[:, 3:]
    assert trained.scores.errors["test"].rmse == pytest.approx(np.sqrt(np.mean(error**2)))
    with pytest.raises(ValueError, match="members: expected up to 6, one a training run; got 7"):
        fit(ensemble, Settings.parse([*options, "members=7"]), tmp_path / "new")


@pytest.fixture(scope="module")
def paced(tmp_path_factory):
    """A training on runs whose pace is an input, and changes sign with it; two are outside: (Training, Ensemble)."""
    pace = np.linspace(-1, 1, 22)
    names = (*(f"in_{run}" for run in range(20)), "outside_20", "outside_21")
    ensemble = ensemble_of((pace[:, None] * np.arange(30))[..., None])
    ensemble = replace(ensemble, inputs={"pace": pace}, run_ids=names)
    return fit(ensemble, Settings.parse(PACED), tmp_path_factory.mktemp("paced")), ensemble


PACED = ["size=debug", "window=3", "inputs=pace"]


def test_inputs_of_a_run_reach_the_model_and_unknown_are_refused(paced, tmp_path):
    trained, ensemble = paced
    assert trained.scores.errors["test"].rmse < 1e-6
    assert trained.model.inputs[1].shape == (None, 1)
    with pytest.raises(ValueError, match="unknown input 'speed'; the runs have: pace"):
        fit(ensemble, Settings.parse([*PACED, "inputs=speed"]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_held_out_group_is_scored_and_never_learned_from(paced):
    trained, _ = paced
    assert not any(run.startswith("outside") for part in vars(trained.split).values() for run in part.runs)
    assert trained.scores.held_out.runs == 2
    assert trained.scores.held_out.errors["model"].rmse < 1e-3
    assert len(trained.scores.held_out.rmse_by_run) == 2
