import time

import keras
import numpy as np
import pytest
from helpers import count_on, counting_ensemble, counting_model

from sim2seq.forecast import closed_loop, one_step
from sim2seq.models import MODELS


@pytest.mark.parametrize("model", [count_on, counting_model(window=5)], ids=["simulator", "model"])
def test_closed_loop_counts_on_from_its_window(model):
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(closed_loop(model, values[:, :5], 15), values[:, 5:])


def test_closed_loop_of_a_model_equals_a_python_loop_around_it():
    model = MODELS["stacked_lstm"](5, 2, units=(4, 3))
    context = np.random.default_rng(0).normal(size=(3, 5, 2))
    by_hand = closed_loop(lambda window: model(window.astype("float32")).numpy(), context, 12)
    np.testing.assert_allclose(closed_loop(model, context, 12), by_hand, rtol=1e-4, atol=1e-5)


def test_closed_loop_uses_the_weights_of_the_moment():
    model = MODELS["stacked_lstm"](5, 2, units=(3,))
    context = np.ones((1, 5, 2))
    before = closed_loop(model, context, 2)
    model.set_weights([weights * 0 + 1 for weights in model.get_weights()])
    assert not np.allclose(before, closed_loop(model, context, 2))


def test_runs_do_not_influence_each_other():
    model = MODELS["stacked_lstm"](5, 2, units=(3,))
    context = np.random.default_rng(0).normal(size=(4, 5, 2))
    np.testing.assert_allclose(closed_loop(model, context, 6)[2:3], closed_loop(model, context[2:3], 6), rtol=1e-4)


def test_one_step_is_fed_the_truth():
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


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


def test_13_runs_by_370_steps_take_at_most_a_second():
    model, context = MODELS["stacked_lstm"](30, 3), np.zeros((13, 30, 3))
    closed_loop(model, context, 370)
    start = time.perf_counter()
    closed_loop(model, context, 370)
    assert time.perf_counter() - start <= 1.0
