"""Gaussian processes from what is told of a run to its whole future."""

import numpy as np
import pytest

from sim2seq.models.candidates import gaussian
from sim2seq.models.candidates.candidate import Runs, error_of


def bumps(runs, seed, *, window=0) -> Runs:
    """A smooth curve whose place is the first of two inputs; the second says nothing."""
    told = np.random.default_rng(seed).uniform(-1, 1, (runs, 2))
    steps = np.linspace(-2, 2, 25)
    values = np.exp(-np.square(steps - told[:, :1]))[..., None]
    return Runs(values / values.std(), window, told)


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian, "SMOOTHNESS", (2.5,))
        return gaussian.fit(bumps(40, 0), bumps(10, 1), seconds=100)


def test_a_smooth_function_of_inputs_is_learned_from_few_runs(fitted):
    assert error_of(fitted, bumps(50, 2)) < 0.03


def test_an_input_that_says_nothing_is_passed_over(fitted):
    assert fitted.lengths[0, 1] > 10 * fitted.lengths[0, 0]


def test_far_from_all_training_runs_it_forecasts_their_mean(fitted):
    said = fitted.forecast(np.zeros((1, 0, 1)), 25, conditions=np.full((1, 2), 1e4))
    np.testing.assert_allclose(said[0], fitted.mean, atol=1e-6)


def test_of_a_window_it_sees_all_steps(monkeypatch):
    monkeypatch.setattr(gaussian, "SMOOTHNESS", (2.5,))
    monkeypatch.setattr(gaussian, "COMPONENTS", 5)
    training, other = bumps(30, 0, window=8), bumps(10, 2, window=8)
    blind = [Runs(runs.values, 8) for runs in (training, other)]  # the inputs are not told: the window shows the place
    assert error_of(gaussian.fit(*blind, seconds=100), blind[1]) < 0.05


def test_of_many_runs_some_are_learned_from(monkeypatch):
    """The cost grows with their cube: lengths are those of fewer still, weights of all that are taken."""
    monkeypatch.setattr(gaussian, "SMOOTHNESS", (2.5,))
    monkeypatch.setattr(gaussian, "COMPONENTS", 5)
    monkeypatch.setattr(gaussian, "MOST", 40)
    monkeypatch.setattr(gaussian, "FITTED", 20)
    found = gaussian.fit(bumps(60, 0), bumps(10, 1), seconds=100)
    assert found.known.shape[0] == found.weights.shape[1] == 40
    assert error_of(found, bumps(50, 2)) < 0.03


def test_many_numbers_that_are_told_become_few_components():
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(30, 9)), np.cumsum(rng.normal(size=(30, 400)), axis=1)
    assert gaussian.projection(few, Runs(np.zeros((30, 5, 1)), 0, few)).shape == (9, 9)
    found = gaussian.projection(many, Runs(np.zeros((30, 5, 1)), 0, many))
    assert found.shape == (400, gaussian.ALONE)
    np.testing.assert_allclose((many @ found).std(axis=0), 1)
    assert gaussian.projection(0 * many, Runs(np.zeros((30, 5, 1)), 0, 0 * many)).shape == (400, 1)
