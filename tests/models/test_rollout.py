"""A rollout goes on from its window under its controls, alone and in its precision; what does not fit is refused."""

import time

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, count_on, counting_ensemble, counting_model
from keras import layers
from networks import lstm, model_with, plain, small

from sim2seq.data.windows import Scaling
from sim2seq.models.builders import Sizes, physical
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import rollout

# what all models share


@pytest.mark.parametrize("model", [count_on, counting_model(window=5)], ids=["simulator", "model"])
def test_a_rollout_counts_on_from_its_window(model):
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(rollout(model, values[:, :5], 15), values[:, 5:])


def test_a_rollout_uses_the_weights_of_the_moment():
    model = lstm(5, 2, units=(3,))
    context = np.ones((1, 5, 2))
    before = rollout(model, context, 2)
    model.set_weights([weights * 0 + 1 for weights in model.get_weights()])
    assert not np.allclose(before, rollout(model, context, 2))


def test_runs_do_not_influence_each_other():
    model = lstm(5, 2, units=(3,))
    context = np.random.default_rng(0).normal(size=(4, 5, 2))
    np.testing.assert_allclose(plain(model, context, 6)[2:3], plain(model, context[2:3], 6), rtol=1e-4)


def test_a_float64_model_is_fed_and_answers_in_float64():
    contexts = keras.Input((2, 1), dtype="float64")
    model = keras.Model(contexts, contexts[:, -1] + 1e-9)
    values = 1 + 1e-9 * np.arange(12.0)[None, :, None]
    np.testing.assert_allclose(rollout(model, values[:, :2], 10), values[:, 2:], rtol=0, atol=1e-14)
    np.testing.assert_allclose(one_step(model, values, 2), values[:, 2:], rtol=0, atol=1e-14)


@pytest.mark.parametrize(("window", "runs"), [(30, 13), (None, 200)])
def test_370_steps_take_at_most_a_second(window, runs):
    model, context = lstm(window, 3, units=(64, 32, 16, 8)), np.zeros((runs, 30, 3))
    rollout(model, context, 370)
    start = time.process_time()  # whatever else the machine does
    rollout(model, context, 370)
    assert time.process_time() - start <= 1.0


# controls: the sum of all but the first is exact, and no other alignment gives it


def summing(window) -> keras.Model:
    """The last value plus the control of the next step, in physical units."""
    values, controls = keras.Input((window, 1), name="window"), keras.Input((window, 1), name="controls")
    return keras.Model([values, controls], (values + controls)[:, -1])


def summing_core(network, weights) -> keras.Model:
    """The same by a network with these weights, which is given the value and the control of the next step."""
    network.set_weights(weights)
    series, nothing = keras.Input((None, 2), name="series"), Scaling(np.zeros(1), np.ones(1))
    core = keras.Model(series, network(series), name="summing")
    core.lookback = None
    return physical(core, None, nothing, controls=nothing)


def built(layer) -> keras.Model:
    known = keras.Input((None, 2))
    return keras.Model(known, layer(known), name="network")


def state_of_controls() -> keras.Model:
    """The sum of the controls so far, in the state of a layer that does not look at the values."""
    layer = layers.SimpleRNN(1, activation=None, use_bias=False, return_sequences=True)
    return summing_core(built(layer), [np.array([[0.0], [1.0]]), np.ones((1, 1))])


SUMMING = {
    "simulator": lambda: lambda window, controls: window[:, -1] + controls[:, -1],
    "fixed window": lambda: summing(4),
    "any length": lambda: summing(None),
    "no state": lambda: summing_core(built(layers.Dense(1, use_bias=False)), [np.ones((2, 1))]),
    "state": state_of_controls,
    "read again": lambda: summing_core(built(layers.Conv1D(1, 1, use_bias=False)), [np.ones((1, 2, 1))]),
}


@pytest.mark.parametrize("kind", SUMMING)
def test_a_control_acts_on_its_own_step(kind):
    model, controls = SUMMING[kind](), np.array([1, 3])[:, None, None] * 2.0 ** np.arange(12)[None, :, None]
    values = np.cumsum(controls, axis=1) - controls[:, :1]  # 0, 2, 6, 14, ... and three times that
    np.testing.assert_array_equal(rollout(model, values[:, :4], 8, controls=controls), values[:, 4:])
    if isinstance(model, keras.Model):
        np.testing.assert_array_equal(one_step(model, values, 4, controls=controls), values[:, 4:])


# what does not fit


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 5, 1), (5, 2)])
def test_a_window_or_features_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="expect"):
        rollout(counting_model(window=5, features=2), np.zeros(shape), 3)


def test_a_simulator_that_returns_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(runs, features\) = \(3, 2\)"):
        rollout(lambda window: window, np.zeros((3, 5, 2)), 3)
    with pytest.raises(ValueError, match="at least 1"):
        rollout(count_on, np.zeros((3, 5, 2)), 0)


def test_a_model_that_answers_with_other_features_is_refused():
    window = keras.Input((5, 2))
    with pytest.raises(ValueError, match=r"expected answers \(runs, features\)"):
        rollout(keras.Model(window, window[:, -1, :1]), np.zeros((3, 5, 2)), 2)


def test_conditions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"conditions: the model expects none; got \(3, 1\)"):
        rollout(counting_model(window=5), np.zeros((3, 5, 2)), 2, conditions=np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"conditions: the model expects \(3, 1\); got none"):
        rollout(model_with("gru", 5, conditions=1), np.zeros((3, 5, 2)), 2)


@pytest.mark.parametrize("kind", ["simulator", "fixed window"])
def test_controls_that_end_before_the_forecast_are_refused(kind):
    with pytest.raises(ValueError, match=r"controls: .*expect.*\(?2, 9, .*got \(2, 8, 1\)"):
        rollout(SUMMING[kind](), np.zeros((2, 4, 1)), 5, controls=np.zeros((2, 8, 1)))


def test_a_context_shorter_than_the_lags_is_refused():
    model = small("autoregression", None, Sizes(3, 3), values=bouncing_counters(runs=4, steps=30))
    with pytest.raises(ValueError, match="context: autoregression expects more than 2 steps"):
        rollout(model, np.zeros((1, 2, 3)), 4)


def test_a_simulator_is_given_the_conditions_of_its_runs():
    forecast = rollout(lambda window, pace: window[:, -1] + pace, np.zeros((2, 5, 1)), 3, conditions=[[1], [2]])
    np.testing.assert_array_equal(forecast[..., 0], [[1, 2, 3], [2, 4, 6]])
