"""Which networks step from a state, and those that say themselves how they do."""

import numpy as np
import pytest
from helpers import bouncing_counters, counting_model
from keras import layers, ops
from networks import FEATURES, NETWORKS, RECURRENT, arrays, core_with, model_with, plain, rereading, small

from sim2seq.models import stepping
from sim2seq.models.builders import MODELS, Sizes
from sim2seq.models.rollout import FEWEST, rollout
from sim2seq.models.stepping import STEPPERS, Stepper, stepper_of


@pytest.mark.parametrize("name", MODELS)
def test_the_models_of_the_package_carry_a_state(name):
    core = stepping.core_of(small(name, None, Sizes(3, 3), values=bouncing_counters(runs=4, steps=30)))
    assert stepper_of(core) is not None


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_steps_when_all_its_layers_do(name):
    assert (stepper_of(core_with(name)) is not None) == (name in RECURRENT)


def mean_stepper(calls: list, *, start=0.0):
    """How `mean_so_far` and the Dense layer after it step: from the sum and the count so far."""

    def of(core):
        (dense,) = (layer for layer in stepping.network_of(core).layers if isinstance(layer, layers.Dense))

        def step(known, state):
            calls.append(known.shape)
            total, count = state[0] + known, state[1] + 1
            return dense(total / count), (total, count)

        return Stepper(lambda runs: (ops.zeros((runs, FEATURES)), ops.full((runs, 1), start)), step)

    return of


def test_a_declared_stepper_is_used_and_equals_rereading():
    model, (context, _), calls = model_with("mean"), arrays(), []
    stepper = mean_stepper(calls)(stepping.core_of(model))
    by_hand = rereading(model, context, 7)
    np.testing.assert_allclose(plain(model, context, 7, stepper=stepper), by_hand, rtol=0, atol=1e-5)
    assert (FEWEST, FEATURES) in calls  # of three runs, padded


def test_a_stepper_in_the_table_is_used(monkeypatch):
    model, (context, _), calls = model_with("mean", seed=1), arrays(), []
    monkeypatch.setitem(STEPPERS, "mean_core", mean_stepper(calls))
    np.testing.assert_allclose(plain(model, context, 7), rereading(model, context, 7), rtol=0, atol=1e-5)
    assert (FEWEST, FEATURES) in calls


def test_a_stepper_that_answers_otherwise_is_refused():
    model, (context, _) = model_with("mean"), arrays()
    with pytest.raises(ValueError, match="mean_core: expected a stepper that answers as the model does"):
        rollout(model, context, 7, stepper=mean_stepper([], start=1.0)(stepping.core_of(model)))
    with pytest.raises(ValueError, match="stepper: expected a model of any length"):
        rollout(counting_model(), np.zeros((1, 5, 2)), 3, stepper=mean_stepper([])(stepping.core_of(model)))
