"""One step ahead, each time from the truth: in order, and told what a rollout is told."""

import numpy as np
import pytest
from helpers import bouncing_counters, counting_ensemble, counting_model
from keras import ops
from networks import CONDITIONS, CONTROLS, arrays, model_with, rereading, small

from sim2seq.models.builders import Sizes
from sim2seq.models.one_step import one_step


def test_one_step_is_fed_the_truth():
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


def test_one_step_of_more_windows_than_a_batch_is_in_order():
    values = counting_ensemble(runs=30, steps=60).values  # 30 times 55 windows
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


@pytest.mark.parametrize("name", ["stacked_lstm", "residual_lstm"])
def test_one_step_with_a_state_knows_the_run_from_its_start(name):
    values = bouncing_counters(runs=4, steps=12)
    model = small(name, None, Sizes(3, 3), values=values)
    fed = values.astype(model.inputs[0].dtype)
    by_hand = np.stack([ops.convert_to_numpy(model(fed[:, :end])) for end in range(5, 12)], axis=1)
    np.testing.assert_allclose(one_step(model, values, 5), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "window"), [("gru", None), ("attention", None), ("gru", 4)])
def test_one_step_is_told_controls_and_conditions(name, window):
    sizes = {"controls": CONTROLS, "conditions": CONDITIONS}
    model, (values, told) = model_with(name, window, **sizes), arrays(window=9, steps=0, **sizes)
    for step in range(4, 9):
        cut = told | {"controls": told["controls"][:, : step + 1]}
        by_hand = rereading(model, values[:, :step], 1, window=window, **cut)
        np.testing.assert_allclose(one_step(model, values, 4, **told)[:, [step - 4]], by_hand, rtol=0, atol=1e-5)
