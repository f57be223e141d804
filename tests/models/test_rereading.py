"""A rollout carries a state or reads everything again: the same numbers."""

import sys

import keras
import numpy as np
import pytest
from helpers import bouncing_counters
from keras import layers, ops
from networks import (
    CONDITIONS,
    CONTROLS,
    FEATURES,
    RECURRENT,
    REREAD,
    arrays,
    core_with,
    lstm,
    model_with,
    plain,
    rereading,
    scaling,
    small,
)

from sim2seq.models import stepping
from sim2seq.models.builders import MODELS, Sizes, physical
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import rollout
from sim2seq.models.stepping import stepper_of

CLOSE = {"float32": 1e-5, "float64": 1e-9}


@pytest.mark.parametrize(
    ("name", "dtype", "jit"),
    [
        *((name, "float32", name in ("gru", "convolution")) for name in RECURRENT | REREAD),
        ("gru", "float64", False),
        ("convolution", "float64", False),
    ],
)
def test_a_rollout_equals_rereading_everything(name, dtype, jit):
    model, (context, _) = model_with(name, dtype=dtype), arrays()
    forecast = rollout(model, context, 7, jit=jit)
    assert forecast.dtype == dtype
    np.testing.assert_allclose(forecast, rereading(model, context, 7), rtol=0, atol=CLOSE[dtype])
    assert np.ptp(forecast[..., 0]) > 0.01


@pytest.mark.parametrize("name", ["gru", "convolution"])
def test_controls_and_conditions_are_read_again_alike(name):
    sizes = {"controls": CONTROLS, "conditions": CONDITIONS}
    model, (context, told) = model_with(name, **sizes), arrays(**sizes)
    forecast = plain(model, context, 7, **told)
    np.testing.assert_allclose(forecast, rereading(model, context, 7, **told), rtol=0, atol=1e-5)
    other = told["controls"].copy()
    other[:, 10] += 1
    changed = np.abs(plain(model, context, 7, **told | {"controls": other}) - forecast).max(axis=(0, 2))
    assert (changed[:4] == 0).all()  # steps 6 to 9
    assert (changed[4:] > 1e-4).all()


@pytest.mark.parametrize(("name", "steps"), [("gru", 3), ("convolution", 3), ("convolution", 1)])
def test_a_context_may_have_a_single_step(name, steps):
    model, (context, _) = model_with(name), arrays(window=1)
    by_hand = rereading(model, context, steps)
    np.testing.assert_allclose(plain(model, context, steps), by_hand, rtol=0, atol=1e-5)


def test_more_runs_than_fit_in_a_call_are_forecast_in_parts():
    model, (context, _) = model_with("convolution"), arrays(runs=70)
    np.testing.assert_allclose(plain(model, context, 2), rereading(model, context, 2), rtol=0, atol=1e-5)


def test_a_forecast_too_large_to_be_copied_at_each_step_is_not(monkeypatch):
    """Such a graph alone took 25 s for 200 steps of 40 runs and 1000 features, by XLA 1 s."""
    model, (context, _), asked = model_with("gru"), arrays(), []
    module = sys.modules["sim2seq.models.rollout"]
    real = module.compiled_loop
    monkeypatch.setattr(module, "compiled_loop", lambda *told: asked.append(told[-1]) or real(*told))
    small = plain(model, context, 3)
    monkeypatch.setattr(module, "COPIED", 0)
    np.testing.assert_allclose(plain(model, context, 3), small, rtol=0, atol=1e-5)
    assert asked == [False, True]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("conditions", [0, 2])
def test_carrying_the_state_equals_reading_everything_again(name, conditions):
    values = bouncing_counters(runs=4, steps=30)
    given = np.random.default_rng(0).normal(size=(4, conditions)) if conditions else None
    sizes = Sizes(3, 3, conditions=conditions)
    model = small(name, None, sizes, units=(5, 4), values=values, conditions=given)
    for runs in (4, 1):
        told = {"conditions": given if given is None else given[:runs]}
        forecast = plain(model, values[:runs, :6], 8, **told)
        np.testing.assert_allclose(forecast, rereading(model, values[:runs, :6], 8, **told), rtol=1e-4, atol=1e-4)
        assert np.ptp(forecast) > 0.1


def test_a_loaded_model_rolls_out_as_the_one_that_was_saved(tmp_path):
    model, (context, told) = model_with("gru", controls=CONTROLS), arrays(controls=CONTROLS)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(plain(loaded, context, 7, **told), plain(model, context, 7, **told))
    assert stepper_of(stepping.core_of(loaded)) is not None


def test_a_state_is_left_where_a_model_sees_the_last_steps_only():
    """A GRU told to look back 4 steps: its state after a longer context would know more."""
    model, (context, _) = model_with("gru", lookback=4), arrays(window=8)
    by_hand = rereading(model, context, 5)
    np.testing.assert_allclose(plain(model, context, 5), by_hand, rtol=0, atol=1e-5)
    assert np.abs(plain(model_with("gru"), context, 5) - by_hand).max() > 1e-4
    np.testing.assert_allclose(one_step(model, context, 6)[:, :1], rereading(model, context[:, :6], 1), atol=1e-5)


def test_what_is_made_of_the_answers_is_made_at_each_step():
    """A core whose answers are decoded before they are scaled back, as `core.decode` does."""
    core = core_with("lstm")
    core.decode = lambda answer: ops.tanh(answer) ** 2
    model, (context, _) = physical(core, None, scaling(FEATURES)), arrays()
    forecast = plain(model, context, 4)
    np.testing.assert_allclose(forecast, rereading(model, context, 4), rtol=0, atol=1e-5)
    assert forecast.min() >= 0.5  # 2 tanh^2 + 0.5
    np.testing.assert_allclose(
        one_step(model, context, 5)[:, 0], ops.convert_to_numpy(model(context[:, :5])), atol=1e-5
    )


@pytest.mark.parametrize("told", [{}, {"controls": CONTROLS, "conditions": CONDITIONS}], ids=["alone", "told"])
def test_a_foreign_model_of_any_length_is_read_again(told):
    sizes, (context, told) = told, arrays(**told)
    keras.utils.set_random_seed(0)
    window = keras.Input((None, FEATURES))
    others = [keras.Input((None, CONTROLS)), keras.Input((CONDITIONS,))] if sizes else []
    hidden = layers.GRU(4)(layers.Concatenate()([window, others[0]]) if others else window)
    hidden = layers.Concatenate()([hidden, others[1]]) if others else hidden
    model = keras.Model([window, *others] if others else window, layers.Dense(FEATURES)(hidden))
    forecast = rollout(model, context, 7, **told)
    np.testing.assert_allclose(forecast, rereading(model, context, 7, **told), rtol=0, atol=1e-6)


def test_a_context_may_be_of_any_length_where_the_model_allows():
    model, values = lstm(None, 3, units=(4,)), bouncing_counters(runs=2, steps=10)
    longer, shorter = (plain(model, values[:, :length], 4) for length in (9, 5))
    assert longer.shape == shorter.shape == (2, 4, 3)
    np.testing.assert_allclose(plain(model, values[:, :9], 4), longer)
