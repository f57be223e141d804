"""Bad input to the default model ends in one line, or in a model whose every number is one."""

import numpy as np
import pytest

from sim2seq.data.ensemble import Ensemble
from sim2seq.surrogate import load as load_surrogate
from sim2seq.training.fit import fit
from sim2seq.training.settings import Settings
from sim2seq.training.study import Study

WORDS = ["budget=3s", "window=5"]  # so little that no network begins: those learn in processes of their own


def waves(runs: int = 12, steps: int = 40) -> np.ndarray:
    """Two features of damped oscillations, (runs, steps, 2)."""
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (runs, 1))
    turns = 0.4 * np.arange(steps) + phases
    return np.exp(-0.01 * np.arange(steps))[None, :, None] * np.stack([np.sin(turns), np.cos(turns)], axis=2)


def ensemble_of(values) -> Ensemble:
    runs, steps, features = np.shape(values)
    names = tuple(f"run_{run + 1}" for run in range(runs))
    return Ensemble(values, names, tuple(f"x{place}" for place in range(features)), np.arange(steps) * 0.1)


def learned(values, folder, *words):
    """A training whose every number is checked: scores, forecasts of all parts, and a forecast of the loaded model."""
    trained = fit(ensemble_of(values), Settings.parse([*WORDS, *words]), folder, quiet=True)
    for part in trained.predictions.values():
        assert all(np.isfinite(each).all() for each in (part.middle, part.truth))
        assert (part.low <= part.high).all()
    assert not np.isnan([trained.scores.skill, trained.scores.errors["test"].rmse]).any()
    answer = load_surrogate(folder).forecast(np.asarray(values)[0, :5], steps=10)
    assert not np.isnan(answer).any()
    return trained


def test_a_run_without_a_number_is_refused_by_name():
    values = waves()
    values[3] = np.nan
    with pytest.raises(ValueError, match="run run_4, step 0, x0: expected a finite number"):
        ensemble_of(values)


def test_a_window_longer_than_the_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="window: expected 1 to 39 for runs of 40 steps; got 41"):
        learned(waves(), tmp_path / "training", "window=41")
    assert not (tmp_path / "training").exists()


def test_variations_of_samples_are_refused_by_the_default_model(tmp_path):
    study = Study("mirrored", augment=lambda block, draw: -block)
    with pytest.raises(ValueError, match="setting augment: candidates of combined learn from the runs alone"):
        fit(ensemble_of(waves()), Settings.parse(WORDS), tmp_path / "training", study=study)
    assert not (tmp_path / "training").exists()


def test_three_runs_are_enough(tmp_path):
    assert learned(waves(runs=3), tmp_path).scores.runs == {"train": 1, "validation": 1, "test": 1}


def test_a_run_that_rests_does_no_harm(tmp_path):
    values = waves()
    values[3] = 0.5
    learned(values, tmp_path)


def test_runs_that_all_rest_are_forecast_to_rest(tmp_path):
    trained = learned(np.full((6, 20, 2), 3.0), tmp_path)
    assert trained.predictions["test"].middle == pytest.approx(3)


def test_a_copied_and_a_constant_feature_do_no_harm(tmp_path):
    values = waves()
    values = np.concatenate([values, values[..., :1], np.full_like(values[..., :1], 7)], axis=2)
    middle = learned(values, tmp_path).predictions["test"].middle
    assert middle[..., 2] == pytest.approx(middle[..., 0], abs=0.1)
    assert middle[..., 3] == pytest.approx(7)


def test_values_of_1e12_are_forecast_better_than_held(tmp_path):
    scores = learned(1e12 * waves(), tmp_path).scores
    assert scores.errors["test"].rmse < 0.5 * scores.baselines["hold"].rmse


def test_values_far_from_zero_are_forecast_better_than_held(tmp_path):
    scores = learned(1e12 + waves(), tmp_path).scores  # of which four digits are left behind the point
    assert scores.errors["test"].rmse < 0.5 * scores.baselines["hold"].rmse


def test_a_network_without_time_leaves_the_law_to_the_others(tmp_path):
    scores = learned(waves(), tmp_path, "budget=8s").scores
    assert "residual_lstm" not in scores.combined.weights
    assert scores.errors["test"].rmse < 0.5 * scores.baselines["hold"].rmse
