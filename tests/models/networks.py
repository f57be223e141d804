"""Networks and models to be rolled out, and the rollout by hand that each is compared with."""

from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
from keras import layers, ops

from sim2seq.data.windows import Scaling
from sim2seq.models.builders import MODELS, Sizes, physical
from sim2seq.models.rollout import rollout

FEATURES, CONTROLS, CONDITIONS = 2, 3, 1


def scaling(size):
    return Scaling(np.full(size, 0.5), np.full(size, 2.0))


def attention(known):
    """Causal attention over learned features of each step."""
    hidden = layers.Dense(6)(known)
    return layers.MultiHeadAttention(2, 3)(hidden, hidden, use_causal_mask=True)


def convolution(known):
    return layers.Conv1D(5, 3, padding="causal", activation="tanh", dilation_rate=2)(known)


def mean_so_far(known):
    """The mean of what was known at each step up to each step: no layer that anybody would know."""
    return ops.cumsum(known, axis=1) / ops.cumsum(ops.ones_like(known), axis=1)


def deep(known):
    hidden = layers.LayerNormalization()(layers.Dense(5, activation="tanh")(known))
    hidden = layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True)(layers.Dropout(0.5)(hidden))
    return layers.Activation("tanh")(hidden)


RECURRENT = {
    "lstm": lambda known: layers.LSTM(4, return_sequences=True)(known),
    "gru": lambda known: layers.GRU(4, return_sequences=True)(known),
    "simple_rnn": lambda known: layers.SimpleRNN(4, return_sequences=True)(known),
    "deep": deep,
}


REREAD = {"attention": attention, "convolution": convolution, "mean": mean_so_far}


AHEAD = {"both_ways": lambda known: layers.Bidirectional(layers.GRU(4, return_sequences=True))(known)}


NETWORKS = RECURRENT | REREAD | AHEAD


plain = partial(rollout, jit=False)  # XLA, which takes a second for each loop, is tried with one of each kind of loop


def core_with(name, *, controls=0, conditions=0, dtype="float32", lookback=None, seed=0, **last) -> keras.Model:
    """A core with the network of this name between what is known at each step and a Dense layer."""
    keras.utils.set_random_seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    given = [keras.Input((None, FEATURES + controls), name="series", dtype=dtype)]
    if conditions:
        given.append(keras.Input((conditions,), name="inputs", dtype=dtype))
    known = ops.concatenate([given[0], *(ops.ones_like(given[0][..., :1]) * x[:, None] for x in given[1:])], axis=-1)
    before = keras.Model(given, known, name="before")
    inner = keras.Input((None, known.shape[-1]), dtype=dtype)
    network = keras.Model(inner, layers.Dense(FEATURES, **last)(NETWORKS[name](inner)), name="network")
    core = keras.Model(given, network(before(given)), name=f"{name}_core")
    keras.config.set_dtype_policy(policy)
    core.lookback, core.error_unit = lookback, 1.0
    return core


def model_with(name, window=None, *, controls=0, conditions=0, **options) -> keras.Model:
    """A model in physical units around such a core."""
    core = core_with(name, controls=controls, conditions=conditions, **options)
    scalings = {"controls": controls, "conditions": conditions}
    return physical(core, window, scaling(FEATURES), **{k: scaling(size) for k, size in scalings.items() if size})


def arrays(runs=3, window=6, steps=7, *, controls=0, conditions=0):
    """A context, and as keywords what else a model is told of `steps` steps after it."""
    draw = np.random.default_rng(0).normal
    told = {"controls": draw(size=(runs, window + steps, controls))} if controls else {}
    told |= {"conditions": draw(size=(runs, conditions))} if conditions else {}
    return draw(size=(runs, window, FEATURES)), told


def rereading(model, context, steps, *, conditions=None, controls=None, window=None):
    """The rollout by hand: at each step the model is called with everything so far, or the last `window` steps."""
    series, dtype = np.asarray(context), model.inputs[0].dtype
    for _ in range(steps):
        first = series.shape[1] - (window or series.shape[1])
        given = [series[:, first:]]
        given += [] if controls is None else [controls[:, first + 1 : series.shape[1] + 1]]
        given += [] if conditions is None else [conditions]
        given = [each.astype(dtype) for each in given]
        answer = ops.convert_to_numpy(model(given if len(given) > 1 else given[0]))
        series = np.concatenate([series, answer[:, None]], axis=1)
    return series[:, context.shape[1] :]


def small(name, window, sizes, *, units=(4,), values=None, conditions=None):
    """One of the package's models, scaled by 5 and 2, with weights at which its network matters."""
    keras.utils.set_random_seed(0)
    core = MODELS[name](sizes, SimpleNamespace(units=units), values=values, conditions=conditions)
    core.set_weights([w + 0.02 * (w.ndim > 0) if np.ndim(w) < 3 else w for w in core.get_weights()])
    of_run = Scaling(np.zeros(sizes.conditions), np.ones(sizes.conditions)) if sizes.conditions else None
    return physical(core, window, Scaling(np.full(3, 5.0), np.full(3, 2.0)), conditions=of_run)


def lstm(window, features, *, units):
    """The stacked LSTM without scaling."""
    core = MODELS["stacked_lstm"](Sizes(features, features), SimpleNamespace(units=units))
    return physical(core, window, Scaling(np.zeros(features), np.ones(features)))
