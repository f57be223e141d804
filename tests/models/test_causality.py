"""Who sees ahead is found, and refused except in a fixed window."""

import keras
import numpy as np
import pytest
from keras import ops
from networks import AHEAD, FEATURES, NETWORKS, arrays, core_with, model_with, plain, rereading

from sim2seq.models import stepping
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import is_causal, rollout


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("last", ["glorot_uniform", "zeros"])
def test_only_what_reads_both_ways_is_not_causal(name, last):
    """Weights of 0, as of a network on a linear part before its training, hide nothing."""
    assert is_causal(core_with(name, kernel_initializer=last)) == (name not in AHEAD)


def test_a_small_part_that_reads_both_ways_is_found():
    """Its weight beside a causal linear part is a millionth, as where the linear part fits well."""
    series, answer = keras.Input((None, FEATURES)), keras.Input((None, FEATURES), name="answer")
    both = core_with("both_ways")
    before = keras.Model(series, [series, series * 0.9], name="before")
    following = keras.Input((None, FEATURES))
    after = keras.Model([following, answer], following + 1e-6 * answer, name="after")
    known, linear = before(series)
    core = keras.Model(series, after([linear, stepping.network_of(both)(known)]), name="residual")
    assert not is_causal(core)


def test_reading_both_ways_is_refused_at_any_length():
    model, (context, _) = model_with("both_ways"), arrays()
    for forecast in (lambda: rollout(model, context, 3), lambda: one_step(model, context, 3)):
        with pytest.raises(ValueError, match=r"both_ways_core: expected a fixed window.*bidirectional"):
            forecast()


def test_reading_both_ways_is_allowed_in_a_fixed_window():
    model, (context, _) = model_with("both_ways", 6), arrays()
    by_hand = rereading(model, context, 7, window=6)
    np.testing.assert_allclose(plain(model, context, 7), by_hand, rtol=0, atol=1e-5)
    as_callable = plain(lambda window: ops.convert_to_numpy(model(window.astype("float32"))), context, 7)
    np.testing.assert_allclose(as_callable, by_hand, rtol=0, atol=1e-5)
