"""Polynomial autoregression: laws that it holds exactly, and what it never does."""

import numpy as np
import pytest

from sim2seq.models.candidates.candidate import Runs
from sim2seq.models.candidates.polynomial import MARGIN, fit, fits, is_affordable, powers_of, products_in


def logistic(runs=30, steps=30, *, window=3, seed=0) -> Runs:
    """x -> 3.7 x (1 - x) from random starts."""
    values = [np.random.default_rng(seed).uniform(0.1, 0.9, runs)]
    for _ in range(steps - 1):
        values.append(3.7 * values[-1] * (1 - values[-1]))
    return Runs(np.stack(values, axis=1)[..., None], window)


@pytest.fixture(scope="module")
def fitted():
    return fit(logistic(), logistic(10, seed=1), seconds=100)


def test_it_recovers_a_quadratic_map_exactly(fitted):
    other = logistic(10, 13, seed=2)
    np.testing.assert_allclose(fitted.forecast(other.context, 10), other.future, atol=1e-3)
    np.testing.assert_allclose(fitted.forecast(other.context, 1), other.future[:, :1], atol=1e-5)
    assert fitted.degree >= 2


def test_no_forecast_leaves_the_range_by_more_than_the_margin(fitted):
    values = logistic().values
    low, high = values.min(), values.max()
    said = fitted.forecast(np.array([[[0.5], [3.0], [-40.0]]]), 200)
    assert low - MARGIN * (high - low) <= said.min()
    assert said.max() <= high + MARGIN * (high - low)


def test_conditions_controls_and_ends_of_runs_enter_the_fit():
    rng = np.random.default_rng(0)
    pace, push = rng.uniform(0.1, 0.5, (40, 1)), rng.normal(size=(40, 20, 1))
    values = np.cumsum(pace[:, None] * push, axis=1)  # a product of what is told and what is done
    values[:10, 15:] = np.nan
    runs = Runs(values, 2, pace, push)
    one = fit(runs.take(slice(0, 30)), runs.take(slice(30, 40)), seconds=100)
    said = one.forecast(runs.context, 18, conditions=pace, controls=push)
    np.testing.assert_allclose(said[10:], values[10:, 2:], atol=1e-3)


def test_without_a_window_it_refuses_in_one_line():
    with pytest.raises(ValueError, match="needs a window of a step or more"):
        fit(logistic(window=0), logistic(window=0))


@pytest.mark.parametrize(("factors", "degree"), [(1, 1), (3, 2), (4, 3), (2, 6)])
def test_products_are_counted_without_being_made(factors, degree):
    assert products_in(factors, degree) == len(powers_of(factors, degree))
    assert products_in(1000, 6) > 1e15


def test_a_law_of_high_degree_is_found_to_many_digits():
    """x -> x + 0.2 sin(3 x): a step of a smooth flow is a polynomial of no low degree."""
    values = [np.random.default_rng(0).uniform(0.1, 2, 40)]
    for _ in range(20):
        values.append(values[-1] + 0.2 * np.sin(3 * values[-1]))
    runs = Runs(np.stack(values, axis=1)[..., None], 3)
    found = fit(runs, runs.take(slice(10)), seconds=100)
    assert found.degree > 3
    np.testing.assert_allclose(found.forecast(runs.context, 18), runs.future, atol=1e-3)


@pytest.mark.parametrize(
    ("features", "lags", "degree", "expected"),
    [(3, 1, 6, True), (64, 3, 2, True), (64, 1, 4, False), (200, 10, 1, True), (200, 1, 2, False), (1000, 3, 1, False)],
)
def test_what_would_take_long_is_not_tried(features, lags, degree, expected):
    assert is_affordable(features, lags * features, degree) is expected


def oscillations(runs=40, steps=80, *, noise=0.0, seed=0, window=20) -> tuple[Runs, np.ndarray]:
    """A linear law from many starts, measured with noise, and the truth."""
    draw = np.random.default_rng(seed)
    phase = 0.2 * np.arange(steps) + draw.uniform(0, 2 * np.pi, (runs, 1))
    truth = draw.uniform(0.5, 1.5, (runs, 1, 1)) * np.stack([np.sin(phase), np.cos(phase)], axis=2)
    return Runs(truth + noise * draw.normal(size=truth.shape), window), truth


def test_the_law_tracks_a_noisy_window_better_than_it_is_seen():
    noisy, _ = oscillations(noise=0.2)
    found = fit(noisy, oscillations(10, noise=0.2, seed=1)[0], seconds=100)
    other, truth = oscillations(40, noise=0.2, seed=2)
    assert found.gain < 1
    tracked = found.tracked(other.context, None, None)[:, -1]
    assert np.sqrt(np.mean((tracked - truth[:, 19]) ** 2)) < 0.6 * 0.2


def test_without_noise_a_window_enters_as_it_is_seen():
    clean, _ = oscillations()
    (one, *_) = fits(clean, 1, 1)
    np.testing.assert_array_equal(one.tracked(clean.context, None, None), clean.context[:, -1:])


def test_a_clock_goes_on_where_training_runs_ended_earlier():
    clean, truth = oscillations()
    clean.values[:, 50:] = np.nan
    (one, *_) = fits(clean, 1, 1, clock=True)
    assert np.isfinite(one.forecast(truth[:, :20], 60)).all()
