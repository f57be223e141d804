import time

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, count_on, counting_ensemble, counting_model

from sim2seq.data.windows import Scaling
from sim2seq.models.builders import MODELS, next_step
from sim2seq.models.rollout import closed_loop, one_step


def lstm(window, features, **options):
    """A stacked LSTM without scaling, which reads a window of this many steps, or with None carries its state."""
    return next_step(
        MODELS["stacked_lstm"](features, **options), window, Scaling(np.zeros(features), np.ones(features))
    )


@pytest.mark.parametrize("model", [count_on, counting_model(window=5)], ids=["simulator", "model"])
def test_closed_loop_counts_on_from_its_window(model):
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(closed_loop(model, values[:, :5], 15), values[:, 5:])


def test_closed_loop_of_a_model_equals_a_python_loop_around_it():
    model = lstm(5, 2, units=(4, 3))
    context = np.random.default_rng(0).normal(size=(3, 5, 2))
    by_hand = closed_loop(lambda window: model(window.astype("float32")).numpy(), context, 12)
    np.testing.assert_allclose(closed_loop(model, context, 12), by_hand, rtol=1e-4, atol=1e-5)


def test_closed_loop_uses_the_weights_of_the_moment():
    model = lstm(5, 2, units=(3,))
    context = np.ones((1, 5, 2))
    before = closed_loop(model, context, 2)
    model.set_weights([weights * 0 + 1 for weights in model.get_weights()])
    assert not np.allclose(before, closed_loop(model, context, 2))


def test_runs_do_not_influence_each_other():
    model = lstm(5, 2, units=(3,))
    context = np.random.default_rng(0).normal(size=(4, 5, 2))
    np.testing.assert_allclose(closed_loop(model, context, 6)[2:3], closed_loop(model, context[2:3], 6), rtol=1e-4)


def test_one_step_is_fed_the_truth():
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


@pytest.mark.parametrize("name", ["stacked_lstm", "residual_lstm"])
def test_one_step_with_a_state_is_fed_the_truth_from_the_start_of_the_run(name):
    values = bouncing_counters(runs=4, steps=12)
    core = MODELS[name](3, units=(4,), values=values)
    core.set_weights([weights + 0.02 for weights in core.get_weights()])
    model = next_step(core, None, Scaling(np.full(3, 5.0), np.full(3, 2.0)))
    fed = values.astype(model.inputs[0].dtype)
    by_hand = np.stack([keras.ops.convert_to_numpy(model(fed[:, :end])) for end in range(5, 12)], axis=1)
    np.testing.assert_allclose(one_step(model, values, 5), by_hand, rtol=1e-4, atol=1e-4)


def test_a_float64_model_is_fed_and_answers_in_float64():
    contexts = keras.Input((2, 1), dtype="float64")
    model = keras.Model(contexts, contexts[:, -1] + 1e-9)
    values = 1 + 1e-9 * np.arange(12.0)[None, :, None]
    np.testing.assert_allclose(closed_loop(model, values[:, :2], 10), values[:, 2:], rtol=0, atol=1e-14)
    np.testing.assert_allclose(one_step(model, values, 2), values[:, 2:], rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 5, 1), (5, 2)])
def test_a_window_or_features_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="expect"):
        closed_loop(counting_model(window=5, features=2), np.zeros(shape), 3)


def test_a_simulator_that_returns_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(runs, features\) = \(3, 2\)"):
        closed_loop(lambda window: window, np.zeros((3, 5, 2)), 3)
    with pytest.raises(ValueError, match="at least 1"):
        closed_loop(count_on, np.zeros((3, 5, 2)), 0)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("inputs", "runs"), [(0, 4), (2, 4), (2, 1)])
def test_carrying_the_state_equals_reading_everything_again(name, inputs, runs):
    """The whole past is read anew at each step by hand; the closed loop reads the context once."""
    values = bouncing_counters(runs=4, steps=30)
    given = np.random.default_rng(0).normal(size=(4, inputs)) if inputs else None
    keras.utils.set_random_seed(0)
    core = MODELS[name](3, inputs, units=(5, 4), values=values, given=given)
    core.set_weights([w + 0.02 * (w.ndim > 0) if np.ndim(w) < 3 else w for w in core.get_weights()])
    scaling = Scaling(np.full(3, 5.0), np.full(3, 2.0))
    model = next_step(core, None, scaling, Scaling(np.zeros(inputs), np.ones(inputs)))
    values, given = values[:runs], given if given is None else given[:runs]
    past, dtype = values[:, :6].astype(model.inputs[0].dtype), model.inputs[0].dtype
    for _ in range(8):
        fed = [past, given.astype(dtype)] if inputs else past
        past = np.concatenate([past, keras.ops.convert_to_numpy(model(fed))[:, None]], axis=1)
    forecast = closed_loop(model, values[:, :6], 8, inputs=given)
    np.testing.assert_allclose(forecast, past[:, 6:], rtol=1e-4, atol=1e-4)
    assert np.ptp(forecast) > 0.1


def test_a_model_with_a_state_takes_contexts_of_any_length():
    model, values = lstm(None, 3, units=(4,)), bouncing_counters(runs=2, steps=10)
    longer, shorter = (closed_loop(model, values[:, :length], 4) for length in (9, 5))
    assert longer.shape == shorter.shape == (2, 4, 3)
    np.testing.assert_allclose(closed_loop(model, values[:, :9], 4), longer)


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"inputs: the model expects none.*got \(3, 1\)"):
        closed_loop(counting_model(window=5), np.zeros((3, 5, 2)), 2, inputs=np.zeros((3, 1)))
    core = MODELS["stacked_lstm"](2, 1, units=(3,))
    asks = next_step(core, 5, Scaling(np.zeros(2), np.ones(2)), Scaling(np.zeros(1), np.ones(1)))
    with pytest.raises(ValueError, match=r"the model expects \(3, 1\).*got none"):
        closed_loop(asks, np.zeros((3, 5, 2)), 2)


def test_a_simulator_is_given_the_inputs_of_its_runs():
    forecast = closed_loop(lambda window, pace: window[:, -1] + pace, np.zeros((2, 5, 1)), 3, inputs=[[1], [2]])
    np.testing.assert_array_equal(forecast[..., 0], [[1, 2, 3], [2, 4, 6]])


@pytest.mark.parametrize(("window", "runs"), [(30, 13), (None, 200)])
def test_370_steps_take_at_most_a_second(window, runs):
    model, context = lstm(window, 3), np.zeros((runs, 30, 3))
    closed_loop(model, context, 370)
    start = time.perf_counter()
    closed_loop(model, context, 370)
    assert time.perf_counter() - start <= 1.0
