"""Echo state network: it remembers what one step does not show, is steered, forgets its start, stays in the range."""

import numpy as np
import pytest

from sim2seq.models.candidates import keeping, reservoir
from sim2seq.models.candidates.candidate import Runs, error_of

STEPS, WINDOW = 80, 20


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(reservoir, "UNITS", 60)
    monkeypatch.setattr(reservoir, "SHAPES", reservoir.SHAPES[:2])


def waves(runs: int, seed: int) -> Runs:
    """A wave of which each run has another phase: whether it rises is not to be seen in one step."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (runs, 1))
    return Runs(np.sqrt(2) * np.sin(0.3 * np.arange(STEPS) + phase)[..., None], WINDOW)


def steered(runs: int, seed: int) -> Runs:
    """Each step moves by its own control."""
    controls = np.random.default_rng(seed).normal(size=(runs, STEPS, 1))
    return Runs(0.1 * controls.cumsum(axis=1), WINDOW, controls=controls)


def test_a_wave_goes_on_in_its_phase():
    fitted = reservoir.fit(waves(20, 0), waves(5, 1), seconds=100)
    assert error_of(fitted, waves(10, 2)) < 0.1  # its mean has 1


def test_a_step_moves_by_the_control_of_that_step():
    fitted = reservoir.fit(steered(20, 0), steered(5, 1), seconds=100)
    assert error_of(fitted, steered(10, 2)) < 0.1
    late = steered(10, 2)
    late = Runs(late.values, WINDOW, controls=np.roll(late.controls, 1, axis=1))
    assert error_of(fitted, late) > 0.1


def test_what_lies_far_back_is_forgotten():
    fitted, runs = reservoir.fit(waves(20, 0), waves(5, 1), seconds=100), waves(1, 2)
    long = np.concatenate([runs.values, runs.values], axis=1)[:, 30:130]
    other = np.concatenate([-long[:, :50], long[:, 50:]], axis=1)
    np.testing.assert_allclose(fitted.forecast(long, 5), fitted.forecast(other, 5), atol=1e-2)


def test_no_forecast_leaves_the_training_range_beyond_a_margin():
    """Runs that grow on and on, asked for five times their steps."""
    growing = np.exp(np.linspace(0, 3, STEPS))[None, :, None] * np.linspace(1, 2, 9)[:, None, None]
    fitted = reservoir.fit(Runs(growing, WINDOW), Runs(growing[:3], WINDOW), seconds=100)
    said = fitted.forecast(growing[:, :WINDOW], 5 * STEPS)
    assert said.max() <= growing.max() + reservoir.MARGIN * np.ptp(growing)


def test_what_is_kept_forecasts_the_same(tmp_path):
    fitted, runs = reservoir.fit(waves(20, 0), waves(5, 1), seconds=100), waves(2, 2)
    keeping.save(fitted, tmp_path)
    again = keeping.read(reservoir.Reservoir, tmp_path)
    np.testing.assert_array_equal(again.forecast(runs.context, 9), fitted.forecast(runs.context, 9))


def test_without_a_window_there_is_nothing_to_go_on_from():
    runs = Runs(waves(5, 0).values, 0)
    with pytest.raises(ValueError, match="a window of a step or more"):
        reservoir.fit(runs, runs)
