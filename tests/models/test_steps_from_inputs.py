"""Steps from inputs: a law of a step, begun by what is told of a run alone."""

import numpy as np
import pytest

from sim2seq.models.candidates import gaussian, keeping
from sim2seq.models.candidates.candidate import NotForThese, Runs, error_of
from sim2seq.models.candidates.steps_from_inputs import StepsFromInputs, fit

STEPS = 100


def swings(runs: int, seed: int) -> Runs:
    """A spring that swings from a start with a strength, both told: after some swings no smooth function of them."""
    start, strength = np.random.default_rng(seed).uniform((0.5, 0.05), (1.5, 0.4), (runs, 2)).T
    place, values = np.array([start, start]), [start, start]
    for _ in range(STEPS - 2):
        place = np.array([place[1], 2 * place[1] - place[0] - strength * place[1]])
        values.append(place[1])
    return Runs(np.stack(values, axis=1)[..., None], 0, np.stack([start, strength], axis=1))


def bounces(runs: int, seed: int) -> Runs:
    """A ball that flies up and down between a floor and a ceiling, and loses nothing; velocity and height are told."""
    velocity, top = np.random.default_rng(seed).uniform((0.02, 1.0), (0.2, 1.5), (runs, 2)).T
    start = velocity.copy()
    place, values = np.full(runs, 0.5), []
    for _ in range(STEPS):
        values.append(place)
        free = place + velocity
        velocity = np.where((free < 0) | (free > top), -velocity, velocity)
        place = np.clip(free, 0, top)
    return Runs(np.stack(values, axis=1)[..., None], 0, np.stack([start, top], axis=1))


@pytest.fixture(scope="module")
def swung() -> StepsFromInputs:
    return fit(swings(40, 0), swings(10, 1), seconds=100)


def test_runs_that_part_late_are_forecast_from_inputs_alone(swung):
    other = swings(20, 2)
    processes = gaussian.of_smoothness(swings(40, 0), 2.5, np.inf)
    assert error_of(swung, other) < 1e-3 < 0.05 < error_of(processes, other)


def test_walls_that_an_input_moves_are_met():
    found, other = fit(bounces(40, 0), bounces(10, 1), seconds=100), bounces(20, 2)
    assert found.walled is not None
    assert error_of(found, other) < 1e-3


@pytest.fixture(scope="module")
def pushed() -> tuple[StepsFromInputs, Runs]:
    """What was learned of a place that pushes move, and other such runs."""
    push = np.random.default_rng(0).normal(size=(60, STEPS, 1))
    runs = Runs(0.1 * push.cumsum(axis=1), 0, controls=push)
    return fit(runs.take(slice(30)), runs.take(slice(30, 40)), seconds=100), runs.take(slice(40, 60))


def test_controls_move_the_first_steps_and_all_others(pushed):
    assert error_of(*pushed) < 1e-3


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_forecast_that_ends_early_needs_no_later_controls(pushed, steps):
    found, runs = pushed
    short = found.forecast(runs.context, steps, controls=runs.controls[:, :steps])
    np.testing.assert_allclose(short, runs.values[:, :steps], atol=1e-2)


def test_no_more_steps_are_said_than_asked_for(swung):
    runs = swings(3, 4)
    whole, first = (swung.forecast(runs.context, steps, conditions=runs.conditions) for steps in (STEPS, 1))
    assert whole.shape == (3, STEPS, 1)
    np.testing.assert_array_equal(first, whole[:, :1])


def test_what_is_kept_forecasts_the_same(swung, tmp_path):
    keeping.save(swung, tmp_path)
    read, runs = keeping.read(StepsFromInputs, tmp_path), swings(3, 4)
    said = (one.forecast(runs.context, STEPS, conditions=runs.conditions) for one in (read, swung))
    np.testing.assert_array_equal(*said)


@pytest.mark.parametrize(("window", "told"), [(5, True), (0, False)])
def test_with_a_window_or_without_inputs_it_is_not_asked(window, told):
    runs = swings(5, 0)
    with pytest.raises(NotForThese):
        fit(Runs(runs.values, window, runs.conditions if told else None), runs)
