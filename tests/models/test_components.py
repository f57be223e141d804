"""Polynomial of components: a law of few numbers is found behind many features, and what it never does."""

import numpy as np
import pytest

from sim2seq.models.candidates import components, keeping
from sim2seq.models.candidates.candidate import Runs, error_of

FEATURES, WINDOW = 12, 3
MIXED = np.random.default_rng(7).normal(size=(2, FEATURES))


def mixed(runs: int, seed: int, steps: int = 30) -> Runs:
    """Henon's map, a quadratic law of two numbers, seen as twelve features that mix them."""
    state = np.random.default_rng(seed).uniform(-0.1, 0.1, (runs, 2))
    states = [state]
    for _ in range(steps - 1):
        x, y = states[-1].T
        states.append(np.stack([1 - 1.2 * x**2 + y, 0.3 * x], axis=1))
    return Runs(np.stack(states, axis=1) @ MIXED + 5, WINDOW)


@pytest.fixture(scope="module")
def fitted():
    return components.fit(mixed(30, 0), mixed(10, 1), seconds=100)


def test_a_law_of_two_numbers_is_found_behind_many_features(fitted):
    other = mixed(10, 2, steps=WINDOW + 10)
    assert error_of(fitted, other) < 1e-2 * other.future.std()
    assert fitted.basis.shape == (FEATURES, 2)


def test_no_forecast_leaves_the_range_by_more_than_the_margin(fitted):
    low, high = mixed(30, 0).bounds(components.MARGIN)
    said = fitted.forecast(np.full((1, WINDOW, FEATURES), 1e3), 100)
    assert (low <= said).all()
    assert (said <= high).all()


def test_controls_and_ends_of_runs_enter_as_they_should():
    push = np.random.default_rng(0).normal(size=(40, 20, 1))
    values = np.cumsum(0.1 * push, axis=1) * np.linspace(1, 2, FEATURES)
    values[:5, 15:] = np.nan
    runs = Runs(values, WINDOW, controls=push)
    found = components.fit(runs, runs.take(slice(10)), seconds=100)
    assert error_of(found, runs.take(slice(20, 40))) < 1e-3


def test_what_is_kept_forecasts_the_same(fitted, tmp_path):
    keeping.save(fitted, tmp_path)
    read, runs = keeping.read(components.Components, tmp_path), mixed(2, 3)
    np.testing.assert_array_equal(read.forecast(runs.context, 9), fitted.forecast(runs.context, 9))


@pytest.mark.parametrize(("window", "features"), [(0, FEATURES), (WINDOW, components.FEW - 1)])
def test_without_a_window_or_for_few_features_it_is_refused(window, features):
    runs = Runs(mixed(5, 0).values[..., :features], window)
    with pytest.raises(ValueError, match=f"6 features or more; got {window} steps, {features} features"):
        components.fit(runs, runs)
