"""Models: builders of Keras models that forecast a series step by step; the table MODELS names them.

A builder is called as `build(features, inputs, *, units, values, given)` and makes a *core*: a Keras model on scaled
values that answers with the next step after every step,

    series (samples, steps, features) [, inputs of the run (samples, inputs)]  ->  (samples, steps - lags + 1, features)

where `lags` is the number of steps that it needs before its first answer. `values` (runs, steps, features) and `given`
(runs, inputs) are the scaled training runs. A core is models in a row: `before`, what is known at each step; `network`,
a chain of layers, which is what gradients train; and maybe `after`, what makes an answer of it.

A core says in attributes how many steps it looks back (`memory`; None: all of them) and which error counts as 1 in the
loss (`error_unit`, scaled). `next_step` makes the model that is saved and used: a window in physical
units in, one step in physical units out. Everything is written in keras.ops, so it runs on every backend of Keras.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from sim2seq.data.windows import Scaling
from sim2seq.models import terms
from sim2seq.models.terms import LAGS, PRECISE

if keras.backend.backend() == "jax":  # which would make float32 of every float64
    import jax

    jax.config.update("jax_enable_x64", True)


def stacked_lstm(features: int, inputs: int = 0, *, units=(64, 32, 16, 8), values=None, given=None) -> keras.Model:
    """LSTM layers on top of each other and a linear layer: the source's network, 33 787 parameters at 3 features.

    float32. `values` and `given` are not used; inputs of the run join the features of every step.
    Hochreiter and Schmidhuber, Long Short-Term Memory, 1997. Raises ValueError when `units` is empty.
    """
    asked = core_inputs(features, inputs, "float32")
    series = asked[0]
    # times ones, as Keras 3.15 takes some sums of (n, n) and (n, 1) for a bias
    known = ops.concatenate([series, *(ops.ones_like(series[..., :1]) * x[:, None] for x in asked[1:])], axis=-1)
    before = keras.Model(one_or_all(asked), known, name="before")
    network = lstm_chain((None, features + inputs), units, features, dtype="float32")
    core = keras.Model(one_or_all(asked), network(before(one_or_all(asked))), name="stacked_lstm")
    core.memory, core.error_unit = None, 1.0
    return core


def autoregression(features: int, inputs: int = 0, *, units=(16, 16), values=None, given=None) -> keras.Model:
    """The next increment of each feature from its own last three steps and from the walls that it keeps within.

    next = last + pace (linear + spread network), clipped to the walls: see terms.py for the linear part, fitted in
    closed form. The network, a small one for each feature that starts at 0, is trained on what the linear
    part leaves. float64. No feature sees another one. Raises ValueError without `values`, the scaled training runs.
    """
    known = hidden = keras.Input((None, features, terms.KNOWN + inputs), dtype=PRECISE)
    shared = {"dtype": PRECISE, "activation": "tanh"}
    for size in units:
        hidden = keras.layers.EinsumDense("btfi,fio->btfo", (None, features, size), bias_axes="fo", **shared)(hidden)
    last = keras.layers.EinsumDense(
        "btfi,fi->btf", (None, features), bias_axes="f", dtype=PRECISE, kernel_initializer="zeros", name="answer"
    )
    network = keras.Model(known, last(hidden), name="network")
    core = on_linear_part("autoregression", network, features, inputs, values, given)
    core.memory = LAGS
    return core


def residual_lstm(features: int, inputs: int = 0, *, units=(64, 32, 16, 8), values=None, given=None) -> keras.Model:
    """The linear part of the autoregression, and stacked LSTM layers for what it leaves, which see all features.

    Unlike the autoregression it can learn features that act on each other, and a state that outlasts three steps.
    The LSTM computes in float32, the rest in float64. Raises ValueError without `values`, the scaled training runs.
    """
    shape = (None, features, terms.KNOWN + inputs)
    network = lstm_chain(shape, units, features, dtype=PRECISE, kernel_initializer="zeros")
    core = on_linear_part("residual_lstm", network, features, inputs, values, given)
    core.memory = None
    return core


MODELS = {"stacked_lstm": stacked_lstm, "autoregression": autoregression, "residual_lstm": residual_lstm}
LEAST_WINDOW = {"autoregression": LAGS, "residual_lstm": LAGS}  # steps; 1 for a model that is not named here


def lstm_chain(shape: tuple, units, features: int, *, dtype: str, **last) -> keras.Model:
    """LSTM layers of these sizes on top of each other, float32, and a Dense layer, each answering at every step.

    (samples, *shape) in `dtype` -> (samples, steps, features); `last` are options of the Dense layer.
    """
    if not units:
        raise ValueError("units: expected at least one layer size; got none")
    known = hidden = keras.Input(shape, dtype=dtype)
    if len(shape) > 2:
        hidden = keras.layers.Reshape((-1, int(np.prod(shape[1:]))), dtype="float32")(hidden)
    for size in units:
        hidden = keras.layers.LSTM(size, return_sequences=True)(hidden)
    return keras.Model(known, keras.layers.Dense(features, name="answer", **last)(hidden), name="network")


def on_linear_part(name: str, network: keras.Model, features: int, inputs: int, values, given) -> keras.Model:
    """A core of the linear part, fitted to the training runs, plus `network` in units of what the fit leaves.

    `network` maps what is known of each feature, (samples, steps, features, terms.KNOWN + inputs), to
    (samples, steps, features).
    """
    if values is None:
        raise ValueError(f"{name}: expected training runs to fit its linear part; got none")
    fitted = terms.fit(values, given)
    asked = core_inputs(features, inputs, PRECISE)
    before = keras.Model(one_or_all(asked), fitted.known_and_next(*asked), name="before")
    before.get_layer("linear").set_weights([fitted.weights])
    after_inputs = [
        keras.Input((None, features), dtype=PRECISE, name="next"),
        keras.Input((None, features), name="answer"),
    ]
    again = [keras.Input(x.shape[1:], name="inputs", dtype=PRECISE) for x in asked[1:]]
    following = after_inputs[0] + ops.cast(after_inputs[1], PRECISE) * (fitted.pace * fitted.spread)
    after = keras.Model([*after_inputs, *again], fitted.keep_between_walls(following, *again), name="after")
    known, following = before(one_or_all(asked))
    core = keras.Model(one_or_all(asked), after([following, network(known), *asked[1:]]), name=name)
    core.error_unit = float((fitted.pace * fitted.spread).max())  # one for all, or features without error would rule
    return core


def core_inputs(features: int, inputs: int, dtype: str) -> list:
    """What a core is given: the series, and the inputs of the run where there are some."""
    series = keras.Input((None, features), name="series", dtype=dtype)
    return [series, *([keras.Input((inputs,), name="inputs", dtype=dtype)] if inputs else [])]


def one_or_all(tensors: list):
    """A model's inputs as Keras wants them: one by itself, several as a list."""
    return tensors if len(tensors) > 1 else tensors[0]


def teacher_forced(core: keras.Model, targets: int) -> keras.Model:
    """The core as it is trained: (samples, window + targets - 1, features) -> the last `targets` answers.

    The layers are shared. With targets = 1 that is the next step after a window.
    """
    series, *asked = (keras.Input(x.shape[1:], name=x.name, dtype=x.dtype) for x in core.inputs)
    seen = series[:, -(targets + core.memory - 1) :] if core.memory else series
    following = core(one_or_all([seen, *asked]))[:, -targets:]
    return keras.Model(one_or_all([series, *asked]), following, name=f"{core.name}_forced")


def next_step(core: keras.Model, window: int | None, scaling: Scaling, given: Scaling | None = None) -> keras.Model:
    """The model that is saved: `core` between scaling and its inverse; training the core trains this model too.

    (samples, window, features) [, (samples, inputs)] -> (samples, features), physical units, in the core's precision.
    A `window` of None takes a series of any length: such a model carries its state through a closed loop.
    """
    precision = core.inputs[0].dtype
    series = keras.Input((window, core.inputs[0].shape[2]), name="window", dtype=precision)
    asked = [keras.Input(x.shape[1:], name="inputs", dtype=precision) for x in core.inputs[1:]]
    seen = normalization(scaling, precision, name="to_scaled")(series[:, -core.memory :] if core.memory else series)
    scaled = [normalization(given, precision, name="inputs_to_scaled")(x) for x in asked]
    following = core(one_or_all([seen, *scaled]))[:, -1]
    restore = normalization(scaling, precision, invert=True, name="to_physical")
    return keras.Model(one_or_all([series, *asked]), restore(following), name=f"scaled_{core.name}")


def normalization(scaling: Scaling, precision: str, **options) -> keras.layers.Normalization:
    """A Keras layer that scales as `scaling` does."""
    mean, variance = scaling.mean.tolist(), (scaling.std**2).tolist()
    return keras.layers.Normalization(mean=mean, variance=variance, dtype=precision, **options)


class SquaredError(keras.losses.Loss):
    """The mean squared error in units of `unit`; at `dtype`, where Keras' own is float32."""

    def __init__(self, unit: float, *, dtype: str):
        super().__init__(name="squared_error", dtype=dtype)
        self.unit = unit

    def call(self, y_true, y_pred):
        return ops.mean(ops.square((y_true - y_pred) / self.unit), axis=-1)
