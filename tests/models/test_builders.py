import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, core_of

from sim2seq.data.windows import Scaling
from sim2seq.models.builders import MODELS, physical, teacher_forced
from sim2seq.models.rollout import rollout
from sim2seq.models.terms import find_walls, fit

SCALING = Scaling(mean=np.array([50.0, -3.0, 2000.0]), std=np.array([29.0, 0.5, 1.0]))
CONTEXT = np.random.default_rng(0).normal(size=(4, 6, 3)) * SCALING.std + SCALING.mean


def balls_between_moving_walls(runs, steps):
    """Balls that fly between 0 and a wall, (runs, steps, 1), and their pull, drag and wall, (runs, 3)."""
    draw = np.random.default_rng(0).uniform
    wall, pull, drag = draw(8, 12, runs), draw(0.0, 0.01, runs), draw(0.0, 0.01, runs)
    place, pace, places = draw(2, 6, runs), draw(0.4, 0.9, runs), []
    for _ in range(steps):
        places.append(place)
        moved = place + pace
        place, pace = np.clip(moved, 0, wall), np.where((moved < 0) | (moved > wall), -pace, pace)
        pace = pace - drag * pace * np.abs(pace) - pull
    return np.stack(places, axis=1)[..., None], np.stack([pull, drag, wall], axis=1)


def test_the_sources_network_has_33787_parameters():
    assert core_of("stacked_lstm", 3).count_params() == 33_787


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("inputs", [0, 2])
@pytest.mark.parametrize("units", [(4,), (8, 4)])
def test_a_core_answers_for_each_target_and_a_model_for_the_last(name, inputs, units):
    values = bouncing_counters(runs=4)
    given = np.random.default_rng(0).normal(size=(4, inputs)) if inputs else None
    core = core_of(name, 3, inputs, units=units, values=values, given=given)
    series = values[:, :9].astype(core.inputs[0].dtype)
    fed = [series, given.astype(series.dtype)] if inputs else series
    assert teacher_forced(core, 4)(fed).shape == (4, 4, 3)
    last = keras.ops.convert_to_numpy(teacher_forced(core, 1)(fed))[:, 0]
    model = physical(core, 9, Scaling.none(3), conditions=Scaling.none(inputs) if inputs else None)
    np.testing.assert_allclose(model(fed), last, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_depends_on_no_later_step(name):
    core = core_of(name, 3, units=(4,), values=bouncing_counters(runs=4))
    series = bouncing_counters(runs=4)[:, :9].astype(core.inputs[0].dtype)
    before = keras.ops.convert_to_numpy(core(series))
    series[:, -1] += 1.0
    np.testing.assert_allclose(keras.ops.convert_to_numpy(core(series))[:, :-1], before[:, :-1], atol=1e-9)


@pytest.mark.parametrize("name", ["autoregression", "residual_lstm"])
def test_a_linear_part_goes_on_between_walls_by_itself(name):
    """At a wall the step before last tells the pace, so the law is linear once it is known which wall that is."""
    values = bouncing_counters()
    scaling = Scaling.of(values)
    core = core_of(name, 3, values=scaling.scale(values[:4]))
    forecast = rollout(physical(core, 5, scaling), values[4:, :5], 55, jit=False)
    np.testing.assert_allclose(forecast, values[4:, 5:], atol=1e-5)
    assert (forecast.min(), forecast.max()) == pytest.approx((0, 10), abs=1e-12)


def test_a_linear_part_holds_drag_gravity_and_walls_of_each_run():
    """Inputs of the run: a pull, a drag and the place of the upper wall. Validation runs, no training at all."""
    values, given = balls_between_moving_walls(runs=60, steps=80)
    scaling, inputs = Scaling.of(values[:40]), Scaling.of(given[:40])
    core = core_of("autoregression", 1, 3, values=scaling.scale(values[:40]), given=inputs.scale(given[:40]))
    model = physical(core, 5, scaling, conditions=inputs)
    forecast = rollout(model, values[40:, :5], 75, conditions=given[40:], jit=False)
    assert np.sqrt(np.mean((forecast - values[40:, 5:]) ** 2)) < 0.05 * values.std()


def test_a_wall_is_an_extreme_met_exactly_in_more_than_one_run():
    values = np.random.default_rng(0).normal(size=(3, 50, 5))
    values[:2, 7, 0] = 9.0  # two runs
    values[0, 7:9, 1] = 9.0  # one run, twice
    values[:2, 7, 2] = 9.0, 9.0 + 1e-12  # two runs, not the same
    values[..., 3] = 5.0  # never changes
    values[1:, 3, 4] = -9.0
    low, high = find_walls(values, None)
    np.testing.assert_array_equal(high, [[9.0, *[np.inf] * 4]])
    np.testing.assert_array_equal(low, [[*[-np.inf] * 4, -9.0]])


def test_a_start_that_runs_share_is_no_wall():
    decay = np.exp(-np.linspace(0.1, 0.3, 5)[:, None] * np.arange(20))[..., None]
    assert np.isinf(find_walls(decay, None)).all()


def test_a_wall_may_move_with_an_input_of_the_run():
    values, given = balls_between_moving_walls(runs=60, steps=80)
    low, high = find_walls(values, given)
    np.testing.assert_allclose(high[:, 0], [0, 0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(low[:, 0], [0, 0, 0, 0], atol=1e-9)


def test_spread_is_what_the_terms_cannot_hold():
    drawn = np.random.default_rng(0).normal(size=(50, 200, 1)).cumsum(axis=1)
    fitted = fit(drawn)
    assert fitted.spread * fitted.pace == pytest.approx(1.0, rel=0.05)  # a random walk: nothing of a step is known


@pytest.mark.parametrize("name", ["autoregression", "residual_lstm"])
def test_a_linear_part_asks_for_runs_of_more_than_three_steps(name):
    with pytest.raises(ValueError, match="got none"):
        core_of(name, 3)
    with pytest.raises(ValueError, match="more than 3 steps; got 3"):
        core_of(name, 3, values=bouncing_counters(steps=3))


def test_what_never_changes_stays_in_a_finite_autoregression():
    core = core_of("autoregression", 2, values=np.zeros((4, 20, 2)))
    np.testing.assert_allclose(core(np.zeros((1, 3, 2))), 0, atol=1e-9)


def test_a_forecast_that_runs_away_stays_finite():
    """A law that doubles each increment, without walls."""
    values = np.cumsum(2.0 ** np.arange(8) * np.linspace(1, 2, 5)[:, None], axis=1)[..., None]
    scaling = Scaling.of(values)
    model = physical(core_of("autoregression", 1, values=scaling.scale(values)), 3, scaling)
    assert np.isfinite(rollout(model, values[:, :3], 2000)).all()


def test_a_model_without_layers_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        core_of("stacked_lstm", 3, units=())


def test_scaling_inside_the_model_equals_scaling_by_hand():
    core = core_of("stacked_lstm", 3, units=(4,))
    by_hand = SCALING.restore(core(SCALING.scale(CONTEXT).astype("float32"))[:, -1])
    np.testing.assert_allclose(physical(core, 6, SCALING)(CONTEXT.astype("float32")), by_hand, rtol=1e-4, atol=1e-3)


def test_training_the_core_trains_the_scaled_model():
    core = core_of("stacked_lstm", 3, units=(4,))
    model = physical(core, 6, SCALING)
    core.set_weights([np.zeros_like(weights) for weights in core.get_weights()])
    np.testing.assert_allclose(model(CONTEXT), np.tile(SCALING.mean, (4, 1)), rtol=1e-6)


def test_saved_models_predict_physical_units_without_sim2seq(tmp_path):
    models = {name: physical(core_of(name, 3, units=(4,), values=bouncing_counters()), 6, SCALING) for name in MODELS}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    np.save(tmp_path / "context.npy", CONTEXT)
    alone = (
        "import sys, keras, numpy\n"
        "for name in sys.argv[1:]:\n"
        "    model = keras.saving.load_model(f'{name}.keras', safe_mode=True)\n"
        "    numpy.save(f'{name}.npy', keras.ops.convert_to_numpy(model(numpy.load('context.npy'))))\n"
        "assert 'sim2seq' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", alone, *models], cwd=tmp_path, check=True, capture_output=True)
    for name, model in models.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), model(CONTEXT), rtol=1e-5)


def test_the_saved_autoregression_is_the_same_to_the_last_digit(tmp_path):
    """Scaling of the data's own float32 statistics: nothing of float64 is lost in the file."""
    values = bouncing_counters()
    scaling = Scaling.of(values)
    model = physical(core_of("autoregression", 3, values=scaling.scale(values)), 5, scaling)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*(rollout(each, values[:, :5], 55, jit=False) for each in (model, loaded)))
