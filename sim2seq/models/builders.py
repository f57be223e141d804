"""Models: builders of Keras models that answer step by step; the table MODELS names them.

A builder is called as `build(sizes, settings, values=, conditions=)` and makes a *core*: a Keras model on scaled values
that answers after every step,

    series (samples, steps, inputs + controls) [, conditions (samples, conditions)]
        ->  (samples, steps - lags + 1, outputs)

where `lags` is the number of steps that it needs before its first answer. At step t the series holds the inputs of that
step and the controls of the next one. `values` (runs, steps, inputs + controls) and `conditions` (runs, conditions) are
the scaled training runs, nan beyond the end of a run. A core is models in a row: `before`, what each step is made of;
`network`, a chain of layers, which is what gradients train; and maybe `after`, what makes an answer of it.

A core says in attributes how many steps it looks back (`lookback`; None: all of them) and which error counts as 1 in
the loss (`error_unit`, scaled); one that is not trained on its answers themselves also `own_loss` (Keras' name of it),
`encode` (targets -> what the loss is given) and `decode` (what the network says -> an answer). `physical` makes the
model that is saved and used. Everything is written in keras.ops, so it runs on every backend of Keras.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from sim2seq.data.windows import Scaling
from sim2seq.models import terms
from sim2seq.models.rollout import rollout
from sim2seq.models.terms import LAGS, PRECISE

keras.config.set_floatx("float32")  # whatever the user's keras.json says: a model gives the same numbers everywhere
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")

if keras.backend.backend() == "jax":  # which would make float32 of every float64
    import jax

    jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Sizes:
    """How many numbers a model is given and answers with: inputs, outputs and controls a step, conditions a run."""

    inputs: int
    outputs: int
    controls: int = 0
    conditions: int = 0


def stacked_lstm(sizes: Sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """LSTM layers on top of each other and a linear layer: the source's network, 33 787 parameters at 3 features.

    float32. `values` and `conditions` are not used; conditions of the run join the inputs of every step.
    Hochreiter and Schmidhuber, Long Short-Term Memory, 1997. Raises ValueError when `settings.units` is empty.
    """
    inputs = core_inputs(sizes, "float32")
    series = inputs[0]
    # times ones, as Keras 3.15 takes some sums of (n, n) and (n, 1) for a bias
    fed = ops.concatenate([series, *(ops.ones_like(series[..., :1]) * x[:, None] for x in inputs[1:])], axis=-1)
    before = keras.Model(one_or_all(inputs), fed, name="before")
    network = lstm_chain((None, fed.shape[-1]), settings.units, sizes.outputs, dtype="float32")
    core = keras.Model(one_or_all(inputs), network(before(one_or_all(inputs))), name="stacked_lstm")
    core.lookback, core.error_unit = None, 1.0
    return core


def autoregression(sizes: Sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The next increment of each feature from its own last three steps and from the walls that it keeps within.

    next = last + pace (linear + spread network), clipped to the walls: see terms.py for the linear part, fitted in
    closed form. The network, a small one for each feature that starts at 0, is trained on what the linear
    part leaves. float64. No feature sees another one. Raises ValueError without `values`, the scaled training runs.
    """
    check_forecasts("autoregression", sizes, values)
    features = sizes.inputs
    inputs = hidden = keras.Input((None, features, inputs_of_network(sizes)), dtype=PRECISE)
    shared = {"dtype": PRECISE, "activation": "tanh"}
    for size in settings.units:
        hidden = keras.layers.EinsumDense("btfi,fio->btfo", (None, features, size), bias_axes="fo", **shared)(hidden)
    last = keras.layers.EinsumDense(
        "btfi,fi->btf", (None, features), bias_axes="f", dtype=PRECISE, kernel_initializer="zeros", name="answer"
    )
    network = keras.Model(inputs, last(hidden), name="network")
    core = on_linear_part("autoregression", network, sizes, values, conditions)
    core.lookback = LAGS
    return core


def residual_lstm(sizes: Sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The linear part of the autoregression, and stacked LSTM layers for what it leaves, which see all features.

    Unlike the autoregression it can learn features that act on each other, and a state that outlasts three steps.
    The LSTM computes in float32, the rest in float64. Raises ValueError without `values`, the scaled training runs.
    """
    check_forecasts("residual_lstm", sizes, values)
    shape = (None, sizes.inputs, inputs_of_network(sizes))
    network = lstm_chain(shape, settings.units, sizes.inputs, dtype=PRECISE, kernel_initializer="zeros")
    core = on_linear_part("residual_lstm", network, sizes, values, conditions)
    core.lookback = None
    return core


MODELS = {"stacked_lstm": stacked_lstm, "autoregression": autoregression, "residual_lstm": residual_lstm}
LEAST_WINDOW = {"autoregression": LAGS, "residual_lstm": LAGS}  # steps; 1 for a model that is not named here


def inputs_of_network(sizes: Sizes) -> int:
    """Numbers that a network on the linear part is fed of each feature, at each step."""
    return terms.INPUTS + sizes.conditions + sizes.controls


def check_forecasts(name: str, sizes: Sizes, values) -> None:
    """Raise ValueError where the linear part has no training runs, or should answer with something else than given."""
    if values is None:
        raise ValueError(f"{name}: expected training runs to fit its linear part; got none")
    if sizes.inputs != sizes.outputs:
        raise ValueError(f"model {name}: it forecasts the features that it is given; for other targets: stacked_lstm")


def lstm_chain(shape: tuple, units, outputs: int, *, dtype: str, **last) -> keras.Model:
    """LSTM layers of these sizes on top of each other, float32, and a Dense layer, each answering at every step.

    (samples, *shape) in `dtype` -> (samples, steps, outputs); `last` are options of the Dense layer.
    """
    if not units:
        raise ValueError("units: expected at least one layer size; got none")
    inputs = hidden = keras.Input(shape, dtype=dtype)
    if len(shape) > 2:
        hidden = keras.layers.Reshape((-1, int(np.prod(shape[1:]))), dtype="float32")(hidden)
    for size in units:
        hidden = keras.layers.LSTM(size, return_sequences=True)(hidden)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="answer", **last)(hidden), name="network")


def on_linear_part(name: str, network: keras.Model, sizes: Sizes, values, conditions) -> keras.Model:
    """A core of the linear part, fitted to the training runs, plus `network` in units of what the fit leaves.

    `network`: (samples, steps, features, inputs_of_network) -> (samples, steps, features).
    """
    fitted, features = terms.fit(values, conditions, sizes.controls), sizes.inputs
    inputs = core_inputs(sizes, PRECISE)
    controls = inputs[0][..., features:] if sizes.controls else None
    of_run = {"conditions": inputs[1]} if sizes.conditions else {}
    answers = fitted.inputs_and_next(inputs[0][..., :features], controls, **of_run)
    before = keras.Model(one_or_all(inputs), answers, name="before")
    before.get_layer("linear").set_weights([fitted.weights])
    after_inputs = [
        keras.Input((None, features), dtype=PRECISE, name="next"),
        keras.Input((None, features), name="answer"),
    ]
    again = [keras.Input(x.shape[1:], name="inputs", dtype=PRECISE) for x in inputs[1:]]
    following = after_inputs[0] + ops.cast(after_inputs[1], PRECISE) * (fitted.pace * fitted.spread)
    after = keras.Model([*after_inputs, *again], fitted.keep_between_walls(following, *again), name="after")
    fed, following = before(one_or_all(inputs))
    core = keras.Model(one_or_all(inputs), after([following, network(fed), *inputs[1:]]), name=name)
    core.error_unit = float((fitted.pace * fitted.spread).max())  # one for all, or features without error would rule
    return core


def core_inputs(sizes: Sizes, dtype: str) -> list:
    """The inputs of a core: the series with its controls, and the conditions of the run where there are some."""
    series = keras.Input((None, sizes.inputs + sizes.controls), name="series", dtype=dtype)
    return [series, *([keras.Input((sizes.conditions,), name="inputs", dtype=dtype)] if sizes.conditions else [])]


def one_or_all(tensors: list):
    """A model's inputs as Keras wants them: one by itself, several as a list."""
    return tensors if len(tensors) > 1 else tensors[0]


def teacher_forced(core: keras.Model, targets: int) -> keras.Model:
    """The core as it is trained: (samples, window + targets - 1, inputs) -> the last `targets` answers.

    The layers are shared. With targets = 1 that is the next step after a window.
    """
    series, *of_run = (keras.Input(x.shape[1:], name=x.name, dtype=x.dtype) for x in core.inputs)
    seen = series[:, -(targets + core.lookback - 1) :] if core.lookback else series
    following = core(one_or_all([seen, *of_run]))[:, -targets:]
    return keras.Model(one_or_all([series, *of_run]), following, name=f"{core.name}_forced")


def physical(
    core: keras.Model,
    window: int | None,
    scaling: Scaling,
    *,
    answers: Scaling | None = None,
    controls: Scaling | None = None,
    conditions: Scaling | None = None,
) -> keras.Model:
    """The model that is saved: `core` between scaling and its inverse; training the core trains this model too.

    window (samples, window, inputs) [, controls of each next step (samples, window, controls)] [, inputs of the run
    (samples, conditions)] -> (samples, outputs), physical units, in the core's precision; `answers` is the scaling of
    the outputs (None: that of the inputs). A `window` of None takes a series of any length: such a model carries its
    state through a rollout.
    """
    precision, steered = core.inputs[0].dtype, 0 if controls is None else len(controls.mean)
    inputs = [keras.Input((window, core.inputs[0].shape[2] - steered), name="window", dtype=precision)]
    series = normalization(scaling, precision, name="to_scaled")(inputs[0])
    if controls is not None:
        inputs.append(keras.Input((window, steered), name="controls", dtype=precision))
        scaled = normalization(controls, precision, name="controls_to_scaled")(inputs[-1])
        series = ops.concatenate([series, scaled], axis=-1)
    of_run = []
    if conditions is not None:
        inputs.append(keras.Input((len(conditions.mean),), name="inputs", dtype=precision))
        of_run = [normalization(conditions, precision, name="inputs_to_scaled")(inputs[-1])]
    seen = series[:, -core.lookback :] if core.lookback else series
    answer = core(one_or_all([seen, *of_run]))[:, -1]
    if decode := getattr(core, "decode", None):
        answer = decode(answer)
    restore = normalization(answers or scaling, precision, invert=True, name="to_physical")
    return keras.Model(one_or_all(inputs), restore(answer), name=f"scaled_{core.name}")


def normalization(scaling: Scaling, precision: str, *, invert: bool = False, **options) -> keras.layers.Layer:
    """A Keras layer that scales as `scaling` does, or back (`invert`)."""
    if not scaling.plain:
        scale, offset = (scaling.std, scaling.mean) if invert else (1 / scaling.std, -scaling.mean / scaling.std)
        return keras.layers.Rescaling(scale, offset, dtype=precision, **options)  # lists would become float32
    mean, variance = scaling.mean.tolist(), (scaling.std**2).tolist()
    return keras.layers.Normalization(mean=mean, variance=variance, dtype=precision, invert=invert, **options)


@dataclass(frozen=True)
class Stepwise:
    """A physical model, free-running, as a candidate, which is scaled; and the scalings of what it is told."""

    model: keras.Model
    series: Scaling
    conditions: Scaling | None = None
    controls: Scaling | None = None

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        told = {
            "conditions": None
            if conditions is None or self.conditions is None
            else self.conditions.restore(conditions),
            "controls": None if controls is None or self.controls is None else self.controls.restore(controls),
        }
        return np.asarray(self.series.scale(rollout(self.model, self.series.restore(context), steps, **told)))
