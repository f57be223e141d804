"""Long forecasts: valid steps, exponents of known systems, and distances that are 0 for equals and 1 for strangers."""

from pathlib import Path

import numpy as np
import pytest

from sim2seq.evaluation.long_term import (
    extremes,
    histogram_distance,
    long_term,
    lyapunov_exponent,
    spectral_distance,
    valid_steps,
)
from sim2seq.evaluation.measures import spread

LORENZ = Path(__file__).parent.parent.parent / "benchmarks" / "systems" / "lorenz63.npz"


def waves(period: float, *, runs: int = 20, steps: int = 200, seed: int = 0) -> np.ndarray:
    """Sines of one period with random phases, (runs, steps, 1)."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (runs, 1))
    return np.sin(2 * np.pi * np.arange(steps) / period + phases)[..., None]


def iterated(law, runs: int = 60, steps: int = 60) -> np.ndarray:
    """Runs of a map of one number after 20 steps, (runs, steps, 1)."""
    states = [np.random.default_rng(0).random(runs)]
    for _ in range(steps + 19):
        states.append(law(states[-1]))
    return np.array(states[20:]).T[..., None]


def test_a_run_is_valid_until_its_error_passes_the_threshold():
    truth, forecast = np.zeros((3, 5, 2)), np.zeros((3, 5, 2))
    forecast[0, 3:] = 1  # half a standard deviation in both features
    forecast[1, 2, 0] = np.nan
    assert valid_steps(forecast, truth, np.array([2.0, 2.0])).tolist() == [3, 2, 5]


def test_valid_steps_end_with_the_run():
    truth = np.zeros((1, 5, 1))
    truth[0, 3:] = np.nan
    assert valid_steps(np.zeros((1, 5, 1)), truth, np.ones(1)).tolist() == [3]


def test_a_constant_feature_has_no_say_in_valid_steps():
    truth = np.stack([np.zeros((2, 4)), np.full((2, 4), 7.0)], axis=2)
    truth[0] += np.arange(4)[:, None] * [1, 0]
    scale = spread(truth)
    assert scale[1] == 0
    assert valid_steps(truth + np.array([0, 100]), truth, scale).tolist() == [4, 4]


@pytest.mark.parametrize("distance", [spectral_distance, histogram_distance])
def test_a_series_is_no_distance_away_from_itself(distance):
    values = np.random.default_rng(0).standard_normal((10, 100, 3))
    assert distance(values, values) == pytest.approx(0, abs=1e-6)


def test_sines_of_other_frequencies_have_other_spectra():
    assert spectral_distance(waves(25), waves(8))[0] > 0.9
    assert spectral_distance(waves(25, seed=1), waves(25))[0] < 0.05


def test_a_forecast_at_rest_has_none_of_the_spectrum():
    moving, still = waves(25), np.full((20, 200, 1), 0.1)
    assert spectral_distance(still, moving) == [1]
    assert spectral_distance(still, still) == [0]


def test_histograms_that_never_meet_are_one_apart():
    assert histogram_distance(waves(25) + 10, waves(25)) == pytest.approx(1)
    assert histogram_distance(np.full((2, 9, 1), 3.0), np.full((2, 9, 1), 3.0)) == [0]


def test_histograms_of_half_the_values_are_known():
    truth = np.repeat([[0.0, 1.0]], 4, axis=0)[..., None]
    assert histogram_distance(np.zeros_like(truth), truth)[0] == pytest.approx(np.sqrt(1 - np.sqrt(0.5)))


def test_what_is_beyond_the_end_of_a_run_counts_nowhere():
    truth, forecast = waves(25), waves(25)
    truth[3, 150:] = np.nan
    forecast[3, 150:] = 99
    assert histogram_distance(forecast, truth)[0] == pytest.approx(0, abs=1e-6)
    assert spectral_distance(forecast, truth)[0] == pytest.approx(0, abs=1e-6)
    found = long_term(forecast, truth, truth, ["wave"])
    assert found.extremes == found.true_extremes


def test_extremes_are_the_outer_percents():
    values = np.arange(101.0).reshape(1, 101, 1)
    assert extremes(values)[0] == pytest.approx([1, 99])


def test_logistic_map_parts_neighbours_by_two_a_step():
    assert lyapunov_exponent(iterated(lambda x: 4 * x * (1 - x))) == pytest.approx(np.log(2), abs=0.07)


def test_lorenz_63_shows_its_exponent():
    with np.load(LORENZ) as arrays:
        found = lyapunov_exponent(arrays["values"][:77]) / np.diff(arrays["times"])[0]
    assert found == pytest.approx(0.906, abs=0.25)  # Sprott, Chaos and Time-Series Analysis, 2003


@pytest.mark.parametrize(
    "values",
    [
        waves(25, runs=40),
        waves(25, runs=40) + 0.01 * np.random.default_rng(1).standard_normal((40, 200, 1)),
        np.random.default_rng(0).standard_normal((40, 100, 2)),
        np.full((5, 50, 1), 2.0),
        np.exp(-0.05 * np.arange(100))[None, :, None] * np.random.default_rng(2).standard_normal((30, 1, 2)),
        waves(25, runs=1),
        np.full((4, 30, 1), np.nan),
    ],
    ids=["periodic", "periodic and noisy", "noise", "constant", "decay", "one run", "no whole run"],
)
def test_what_does_not_part_like_exp_has_no_exponent(values):
    assert lyapunov_exponent(values) is None


def test_long_forecasts_are_judged_by_feature():
    truth = np.concatenate([waves(25), 3 * waves(10, seed=2)], axis=2)
    found = long_term(truth, truth, truth, ["slow", "fast"])
    assert found.valid_steps == 200
    assert found.lyapunov_time is None
    assert found.spectrum == found.histogram == pytest.approx({"slow": 0, "fast": 0}, abs=1e-6)
    assert found.extremes["fast"] == pytest.approx([-3, 3], abs=0.05)
