"""The network trained in closed loop: what it learns in seconds, what it never does, and that it needs no code."""

import itertools
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from sim2seq.models.candidates import closed_loop
from sim2seq.models.candidates.candidate import Runs
from sim2seq.models.candidates.closed_loop import Batches, ClosedLoop, Member, clock_of, fit, member_of
from sim2seq.models.candidates.feeding import WARM_UP

if keras.backend.backend() != "tensorflow":
    pytest.skip("training needs TensorFlow", allow_module_level=True)


def oscillators(runs=40, steps=60, window=5, *, seed=0) -> Runs:
    """A damped oscillator from many starts, every run a damping of its own (its condition), pushed by a control."""
    rng = np.random.default_rng(seed)
    damping, push = rng.uniform(0.01, 0.1, (runs, 1)), np.repeat(rng.normal(size=(runs, steps // 10, 1)), 10, axis=1)
    values = np.empty((runs, steps, 2))
    values[:, 0] = np.stack([20 * damping[:, 0] - 1, np.ones(runs)], axis=1)
    for step in range(1, steps):
        place, speed = values[:, step - 1].T
        speed = speed - 0.1 * place - damping[:, 0] * speed + 0.2 * push[:, step, 0]
        values[:, step] = np.stack([place + 0.3 * speed, speed], axis=1)
    return Runs(values / values.std((0, 1)), window, (damping - 0.055) / 0.03, push)


def untrained(runs: Runs) -> ClosedLoop:
    clock = clock_of(runs.values)
    told, extra = runs.conditions.shape[1], 1 + 1 + clock.shape[1]
    return ClosedLoop((member_of(runs, told, extra),), clock.astype("float32"))


def forecast(model: ClosedLoop, runs: Runs, steps: int) -> np.ndarray:
    return model.forecast(runs.context, steps, conditions=runs.conditions, controls=runs.controls)


def changed(runs: Runs, array: str, where, value: float) -> Runs:
    """The runs, with some numbers of an array replaced."""
    other = np.array(getattr(runs, array))
    other[where] = value
    return replace(runs, **{array: other})


@pytest.fixture
def barely_compiled(monkeypatch):
    """Compiling in full takes longer than a forecast of a few runs."""

    @lru_cache
    def plain(member: Member, window: int) -> closed_loop.Rollout:
        loop = closed_loop.Rollout(member, window)
        loop.compile(jit_compile=False)
        return loop

    monkeypatch.setattr(closed_loop, "compiled", plain)


@pytest.fixture
def counted_time(monkeypatch):
    """A second passes between two looks at the time, so that a test does the same on each machine."""
    monkeypatch.setattr(closed_loop, "time", SimpleNamespace(monotonic=itertools.count().__next__))


def test_it_learns_a_pushed_oscillator_in_300_updates(counted_time, barely_compiled, monkeypatch):
    monkeypatch.setattr(closed_loop, "ENOUGH_FOR_TWO", 301)
    monkeypatch.setattr(closed_loop, "EVERY", 0.1)
    training, validation = oscillators(), oscillators(20, seed=1)
    training.values[::2, 50:] = np.nan  # unequal lengths
    lines = []
    model = fit(training, validation, seconds=300, seed=0, tell=lines.append)
    error = np.sqrt(np.mean((forecast(model, validation, 55) - validation.future) ** 2))
    assert error < 0.2
    assert len(lines) == len(model.members) == 1


def test_a_forecast_from_conditions_needs_no_window(barely_compiled):
    runs = oscillators(window=0)
    model = untrained(runs)
    first, other = forecast(model, runs, 60), forecast(model, changed(runs, "values", ..., 0.0), 60)
    assert first.shape == (40, 60, 2)
    assert np.array_equal(first, other)


@pytest.mark.parametrize("window", [0, 1, 50])
def test_a_forecast_keeps_to_the_range_and_its_margin(window, barely_compiled):
    runs = oscillators(window=window)
    model = untrained(runs)
    for variable in model.members[0].variables:
        variable.assign(5 * np.random.default_rng(0).normal(size=variable.shape))
    low, high = runs.values.min((0, 1)), runs.values.max((0, 1))
    beyond = closed_loop.MARGIN * (high - low) + 1e-5
    answer = forecast(model, runs, 60 - window)[:, 1 if window == 0 else 0 :]
    assert np.all((low - beyond <= answer) & (answer <= high + beyond))


def test_a_step_sees_its_control_and_no_later_one(barely_compiled):
    runs = oscillators()
    model = untrained(runs)
    kernel = model.members[0].variables[-2]
    kernel.assign(np.full(kernel.shape, 0.001))
    later = changed(runs, "controls", np.s_[:, 20:], 9.0)
    moved = np.abs(forecast(model, later, 55) - forecast(model, runs, 55)).max((0, 2))
    assert np.flatnonzero(moved > 1e-6)[0] == 20 - 5


@pytest.mark.parametrize("window", [0, 5])
def test_a_member_loads_without_code(tmp_path, window, barely_compiled):
    runs = oscillators(window=window)
    model = untrained(runs)
    loaded = []
    for number, each in enumerate(filter(None, (model.members[0].network, model.members[0].beginning))):
        each.save(tmp_path / f"{number}.keras")
        loaded.append(keras.saving.load_model(tmp_path / f"{number}.keras", safe_mode=True))
    again = ClosedLoop((Member(*loaded, *[None] * (2 - len(loaded))),), model.clock)
    assert np.array_equal(forecast(again, runs, 10), forecast(model, runs, 10))


def test_the_clock_stands_after_the_longest_training_run():
    runs = oscillators(window=5)
    longer = np.pad(runs.values, ((0, 0), (0, 9), (0, 0)), constant_values=np.nan)  # a validation run is longer
    np.testing.assert_array_equal(clock_of(longer), clock_of(runs.values))


@pytest.mark.parametrize("window", [0, 5])
def test_a_window_beyond_the_end_of_a_run_is_not_counted(window):
    runs = oscillators(window=window)
    runs.values[:, 30:] = np.nan
    targets, fed, shown, *_ = Batches(runs, clock_of(runs.values), np.random.default_rng(0), WARM_UP).draw(60)
    assert np.isfinite(fed).all()
    assert np.isnan(targets[30:]).all()
    assert shown.sum(0).max() == window


@pytest.mark.parametrize(("window", "warm_up", "first"), [(5, 10, 0), (20, 10, 10), (20, 20, 0), (0, 10, 0)])
def test_some_windows_begin_where_a_forecast_does(window, warm_up, first, monkeypatch):
    monkeypatch.setattr("sim2seq.models.candidates.feeding.FROM_START", 1.0)
    runs = oscillators(window=window)
    batches = Batches(runs, clock_of(runs.values), np.random.default_rng(0), warm_up)
    targets, _, shown, *_ = batches.draw(15)
    assert all(any(np.allclose(one[1:], run[first + 1 : first + 15]) for run in runs.values)
               for one in targets[:15].swapaxes(0, 1))  # fmt: skip
    assert shown.sum(0).max() == (min(window, warm_up) if window else 0)


def test_what_never_moves_within_a_run_is_fed_and_held_as_it_is(barely_compiled):
    """A column of the mass of each run: noise on it, or a step of it, would be of another size than any."""
    runs = oscillators()
    mass = np.repeat(np.linspace(-1.7, 1.7, 40)[:, None, None], 60, axis=1)
    runs = replace(runs, values=np.concatenate([runs.values, mass], axis=2))
    model = untrained(runs)
    for each in model.members[0].variables:
        each.assign_add(0.1 * np.ones(each.shape))
    assert np.ptp(forecast(model, runs, 20)[..., 0], axis=1).max() > 0.1
    np.testing.assert_allclose(forecast(model, runs, 20)[..., 2], mass[:, :20, 0], atol=1e-5)
    fed = Batches(runs, model.clock, np.random.default_rng(0), WARM_UP).draw(15)[1]
    assert np.ptp(fed[:15, :, 2], axis=0).max() == 0
