"""Three kinds of task on small problems with a known answer, on runs of unequal length."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim2seq import surrogate
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Part, Split, select, split_by_run, split_in_time
from sim2seq.training import candidates
from sim2seq.training import fit as fitting
from sim2seq.training.fit import fit
from sim2seq.training.folder import load
from sim2seq.training.forecast import Forecast
from sim2seq.training.settings import Settings
from sim2seq.training.study import Study
from sim2seq.training.symbols import NextSymbol
from sim2seq.training.targets import PerRun, PerStep

SAMPLES = Path(__file__).parents[1] / "samples" / "version_0_1"
SMALL = ["model:stacked_lstm", "units:16", "patience:99", "batch_size:8", "jit_compile:false", "learning_rate:0.02"]
SMALL += ["epochs:2", "passes:12", "steps_per_execution:9"]


def runs_of(series: dict[str, np.ndarray], lengths, **more) -> Ensemble:
    """Series, name -> (runs, steps), as runs of these lengths; what follows their end is nan."""
    values = np.stack(list(series.values()), axis=2)
    values = np.where(np.arange(values.shape[1])[None, :, None] < lengths[:, None, None], values, np.nan)
    ids = tuple(f"run_{run}" for run in range(len(values)))
    return Ensemble(values, ids, tuple(series), np.arange(values.shape[1]) * 1.0, lengths=lengths, **more)


def lengths_of(runs: int, steps: int) -> np.ndarray:
    """Half of the steps to all of them."""
    drawn = np.random.default_rng(1).integers(steps // 2, steps + 1, size=runs)
    return np.concatenate([[steps] * 4, drawn[4:]])


def falling(end, steps: int) -> np.ndarray:
    """Curves (runs, steps) that fall to their end at one rate."""
    return end[:, None] + np.exp(-0.2 * np.arange(steps)) * (1 + end[:, None])


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A training that tells the ends of falling curves: (Training, curves (40, 20), ends (40,))."""
    end = np.random.default_rng(0).uniform(0, 1, 40)
    curves = falling(end, 20)
    ensemble = runs_of({"loss": curves}, lengths_of(40, 20), results={"loss_final": end})
    study, folder = Study("end", task=PerRun(("loss_final",))), tmp_path_factory.mktemp("ended")
    settings = Settings.parse([*SMALL, "window:2"])
    return fit(ensemble, settings, folder, study=study, quiet=True), curves, end


@pytest.fixture(scope="module")
def oscillator() -> Ensemble:
    """x'' = -x - 0.1 x' + u in steps of 0.2, under a force u that is known for the future."""
    drawn = np.random.default_rng(0)
    force = np.repeat(drawn.normal(size=(30, 13)), 5, axis=1)[:, :60]
    x, v = drawn.normal(size=(2, 30))
    places = [x]
    for step in range(1, 60):
        v = v + 0.2 * (-x - 0.1 * v + force[:, step])
        x = x + 0.2 * v
        places.append(x)
    return runs_of({"x": np.stack(places, axis=1), "u": force}, lengths_of(30, 60))


@pytest.fixture(scope="module")
def steered(oscillator, tmp_path_factory):
    settings = Settings.parse(["size=debug", "window=5", "controls:u"])
    return fit(oscillator, settings, tmp_path_factory.mktemp("steered"), quiet=True)


@pytest.mark.parametrize("task", [Forecast(), Forecast(controls=("u",)), PerStep(("u",), ("x",))])
def test_padding_counts_as_little_in_whole_numbers_as_nan_does(task):
    lengths = lengths_of(8, 20)
    series = dict(zip("xu", np.random.default_rng(0).integers(1, 9, (2, 8, 20)), strict=True))
    floats, settings = runs_of(series, lengths), Settings.parse(["window:3"])
    whole = replace(floats, values=np.nan_to_num(floats.values).astype("int16"))
    np.testing.assert_array_equal(task.truth(whole, settings), task.truth(floats, settings))
    found, expected = (task.baselines(runs, runs, settings, {}) for runs in (whole, floats))
    for name, prediction in expected.items():
        np.testing.assert_allclose(found[name], prediction, err_msg=name)
    if task.kind == "forecast":
        split = Split(*[Part(whole.run_ids, 0, 20)] * 3)
        parts = [candidates.parts_of(runs, settings, split, task) for runs in (whole, floats)]
        np.testing.assert_allclose(*(each.training.values for each in parts))


def test_whole_numbers_cut_in_time_reach_the_candidates(tmp_path):
    values = np.random.default_rng(0).integers(1, 9, (4, 30, 1)).astype("int16")
    ensemble = Ensemble(values, ("a_1", "a_2", "a_3", "a_4"), ("x",), np.arange(30.0))
    split, settings = split_in_time(ensemble), Settings.parse(["window:3"])
    (tmp_path / candidates.FOLDER).mkdir()
    candidates.write_data(ensemble, settings, split, Forecast(), tmp_path)
    held, parts, _ = candidates.read_data(tmp_path / candidates.FOLDER)
    for part in ("train", "validation"):
        there, here = select(held, getattr(parts, part)), select(ensemble, getattr(split, part))
        np.testing.assert_array_equal(there.values, here.values)


def test_an_oscillator_is_forecast_under_a_known_force(steered):
    """Its law is linear in x, its last change and u, so the linear part holds it: an error is a misalignment."""
    trained = steered
    assert trained.scores.features == ["x"]
    assert trained.scores.errors["test"].rmse < 1e-6
    assert trained.scores.baselines["ridge"].rmse > 0.01
    lost = trained.predictions["test"]
    assert (np.isfinite(lost.middle) == np.isfinite(lost.truth)).all()


def test_runs_held_out_are_in_no_part_of_a_studys_own_split():
    ensemble = replace(
        runs_of({"x": np.ones((8, 4))}, np.full(8, 4)), run_ids=("a_1", "a_2", *map("b_{}".format, range(6)))
    )
    study = Study("own", split=lambda ensemble, settings: split_by_run(ensemble))
    split = fitting.split_runs(ensemble, Settings.parse(["held_out:a"]), study)
    assert {run for part in (split.train, split.validation, split.test) for run in part.runs} == set(
        ensemble.run_ids[2:]
    )


@pytest.mark.parametrize("task", [PerRun(("end_final",)), NextSymbol((0.0, 1.0))])
def test_a_target_of_whole_runs_is_not_cut_in_time(task, tmp_path):
    draw = np.random.default_rng(0)
    series = {"x": draw.integers(0, 2, (6, 20))}
    ensemble = runs_of(series, np.full(6, 20), results={"end_final": draw.normal(size=6)})
    settings = replace(Settings.parse(["size:debug", "model:stacked_lstm", "window:2"]), split="in_time")
    with pytest.raises(ValueError, match=f"split: a {task.kind} expects each run in one part; got run run_0 in two"):
        fit(ensemble, settings, tmp_path / "t", study=Study("whole", task=task))
    assert not (tmp_path / "t").exists()


def test_a_force_has_to_be_told_and_is_no_feature(oscillator, steered):
    model = surrogate.load(steered.folder)
    run = oscillator.values[0]
    middle, _, _ = model.forecast(run[:5, :1], 20, controls=run[:25, 1:])
    np.testing.assert_allclose(middle, run[5:25, :1], atol=1e-5)
    with pytest.warns(surrogate.OutsideTraining, match="u 10000 is outside the range of the training runs"):
        model.forecast(run[:5, :1], 20, controls=np.full((25, 1), 1e4))
    with pytest.raises(ValueError, match=r"controls: the model expects \(25, 1\)"):
        model.forecast(run[:5, :1], 20)


def test_a_controls_name_that_is_no_feature_is_refused(oscillator, tmp_path):
    with pytest.raises(ValueError, match="unknown feature 'force'; the runs have: x, u"):
        fit(oscillator, Settings.parse(["size=debug", "window=5", "controls:force"]), tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_a_running_sum_is_learned_step_by_step(tmp_path):
    steps = np.random.default_rng(0).normal(size=(40, 20))
    ensemble = runs_of({"x": steps, "sum": steps.cumsum(axis=1)}, lengths_of(40, 20))
    study = Study("sum", task=PerStep(("x",), ("sum",), ahead=0))
    settings = Settings.parse([*SMALL, "window:1", "targets:20"])
    scores = fit(ensemble, settings, tmp_path / "t", study=study, quiet=True).scores
    assert scores.errors["test"].rmse < 0.5 * scores.baselines[scores.best_baseline].rmse
    assert scores.task == "target per step"
    assert len(scores.errors["test"].by_position) == 20


def test_the_end_of_a_curve_is_told_from_any_prefix(ended):
    """Two steps tell where they go."""
    trained, curves, end = ended
    scores = trained.scores
    assert scores.positions == [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
    assert scores.errors["test"].rmse < 0.5 * scores.baselines["mean"].rmse
    assert {"mean", "nearest", "ridge", "extra trees", "last value", "POW4", "MMF4"} == set(scores.baselines)
    middle, low, high = surrogate.load(trained.folder).answer(curves[3, :8, None])
    assert low[0] <= middle[0] <= high[0]
    assert abs(middle[0] - end[3]) < 0.2


def test_an_answer_of_a_prefix_does_not_depend_on_what_follows(ended):
    trained, curves, _ = ended
    model, other = surrogate.load(trained.folder), curves[3].copy()
    other[6:] = 99.0
    assert model.answer(curves[3, :6, None])[0] == pytest.approx(model.answer(other[:6, None])[0])
    with pytest.warns(surrogate.OutsideTraining):
        changed = model.answer(other[:, None])
    assert model.answer(curves[3, :, None])[0] != pytest.approx(changed[0])


def test_a_model_that_looks_ahead_is_refused(tmp_path):
    """It would see what it should predict: a bidirectional layer, taught over many steps at once."""
    import keras

    def ahead(sizes, settings, *, values=None, conditions=None):
        series = keras.Input((None, sizes.inputs), name="series")
        hidden = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))(series)
        core = keras.Model(series, keras.layers.Dense(sizes.outputs)(hidden), name="ahead")
        core.lookback, core.error_unit = None, 1.0
        return core

    class Own(Settings):
        models = (*Settings.models, "ahead")

    ensemble = runs_of({"x": np.random.default_rng(0).normal(size=(12, 20))}, np.full(12, 20))
    study = Study("own", task=Forecast(), models={"ahead": ahead}, settings=Own)
    with pytest.raises(ValueError, match="model ahead: its answer after a step depends on later steps"):
        fit(ensemble, Own(model="ahead", window=5, targets=10), tmp_path / "t", study=study, quiet=True)
    settings = Own(model="ahead", window=5, targets=1, epochs=1, jit_compile=False)
    fitting.train(ensemble, settings, fitting.split_runs(ensemble, settings), tmp_path, study, quiet=True)
    assert keras.saving.load_model(tmp_path / "model.keras").inputs[0].shape == (None, 5, 1)


def test_a_training_of_version_0_1_loads_and_predicts(tmp_path):
    """The numbers are those that version 0.1 printed for this folder and this window."""
    folder = shutil.copytree(SAMPLES / "training", tmp_path / "training")
    trained = load(folder)
    assert trained.scores.errors["test"].rmse == pytest.approx(json.loads((folder / "scores.json").read_text())[
        "closed_loop"]["test"]["rmse"])  # fmt: skip
    assert (trained.settings.loss, trained.settings.controls) == ("squared", ())
    model, context = surrogate.load(folder), np.array(EXPECTED["window"])
    middle, low, high = model.forecast(context, 5)
    np.testing.assert_allclose(middle, EXPECTED["middle"], rtol=1e-4)
    np.testing.assert_allclose(high - low, EXPECTED["width"], rtol=1e-4)


EXPECTED = json.loads((SAMPLES / "forecast.json").read_text())
