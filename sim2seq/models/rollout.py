"""Forecast: closed loop, where each forecast step joins what the next one is made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
from keras import ops

from sim2seq.models.terms import LAGS


def closed_loop(model: keras.Model | Callable, context: np.ndarray, steps: int, *, inputs=None) -> np.ndarray:
    """Forecast `steps` steps after `context`, all runs in one call: one function for model and simulator.

    model     a Keras model (samples, window, features) [, (samples, inputs)] -> (samples, features) in physical units,
              which is compiled once for each number of runs and steps; or any Python callable of that kind, such as a
              simulator's step. A model whose window is None reads the context once and carries its state from there.
    context   (runs, window, features), true values in physical units
    inputs    (runs, inputs), for a model that asks for the inputs of the run
    returns   (runs, steps, features), physical units; a Keras model computes in the precision of its input

    Raises ValueError when model, context and inputs do not fit, or when `steps` is below 1.
    """
    context = np.asarray(context)
    if context.ndim != 3:
        raise ValueError(f"context: expected (runs, window, features); got an array of shape {context.shape}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1; got {steps}")
    if not isinstance(model, keras.Model):
        return step_by_step(model, context, steps, inputs)
    fed = check_fits(model, context, inputs)
    padding = (1 << (len(context) - 1).bit_length()) - len(context)  # few sizes, as each is compiled for itself
    padded = [np.pad(each, ((0, padding), *((0, 0),) * (each.ndim - 1)), mode="edge") for each in fed]
    forecast = compiled_loop(model, context.shape[1], steps).predict_on_batch(padded if len(padded) > 1 else padded[0])
    return ops.convert_to_numpy(forecast)[: len(context)]


def check_fits(model: keras.Model, context: np.ndarray, inputs) -> list[np.ndarray]:
    """What the model is fed, in its precision. Raises ValueError unless window, features and inputs are the model's."""
    expected, got = tuple(model.inputs[0].shape[1:]), context.shape[1:]
    if any(want not in (None, have) for want, have in zip(expected, got, strict=True)):
        raise ValueError(
            f"context: the model expects a window of {expected[0] or 'some'} steps with {expected[1]} features; "
            f"got {got[0]} steps with {got[1]} features"
        )
    asked = (len(context), *model.inputs[1].shape[1:]) if len(model.inputs) > 1 else None
    given = None if inputs is None else np.shape(inputs)
    if asked != given:
        raise ValueError(f"inputs: the model expects {asked or 'none'}, (runs, inputs); got {given or 'none'}")
    fed = [np.asarray(context, dtype=model.inputs[0].dtype)]
    return fed if inputs is None else [*fed, np.asarray(inputs, dtype=model.inputs[1].dtype)]


@lru_cache(maxsize=16)
def compiled_loop(model: keras.Model, window: int, steps: int) -> keras.Model:
    """The closed loop of `model` over `steps` steps after `window`, compiled; one for each length, as those are static.

    It reads the model's weights at each call, so further training does not make it stale.
    """
    loop = (Rereading if model.inputs[0].shape[1] else Carrying)(model, steps)
    loop.compile(jit_compile=True)
    return loop


class ClosedLoop(keras.Model):
    """A closed loop as a Keras model, so that every backend compiles it; what differs is how a step is made."""

    def __init__(self, model: keras.Model, steps: int):
        super().__init__(dtype=model.inputs[0].dtype)
        self.model, self.steps = model, steps

    def call(self, fed):
        context, *asked = fed if isinstance(fed, (list, tuple)) else [fed]
        step, state = self.begin(context, asked)

        def keep(number, loop):
            forecast, state = loop
            following, state = step(state)
            return ops.slice_update(forecast, (0, number, 0), following[:, None]), state

        empty = ops.zeros((ops.shape(context)[0], self.steps, context.shape[2]), dtype=context.dtype)
        return ops.fori_loop(0, self.steps, keep, (empty, state))[0]


class Rereading(ClosedLoop):
    """Each forecast step joins the window, which the model reads anew."""

    def begin(self, window, asked):
        def step(window):
            following = self.model([window, *asked] if asked else window, training=False)
            return following, ops.concatenate([window[:, 1:], following[:, None]], axis=1)

        return step, window


class Carrying(ClosedLoop):
    """The context is read once; from there on the recurrent layers keep their state, and read one step at a time.

    For the models of sim2seq/models/builders.py, whose network is a chain of layers.
    """

    def begin(self, context, asked):
        scaled = {layer.name: layer for layer in self.model.layers}
        (core,) = (layer for layer in self.model.layers if isinstance(layer, keras.Model))
        parts = {layer.name: layer for layer in core.layers}
        given = [scaled["inputs_to_scaled"](inputs) for inputs in asked]
        network = parts["network"].layers[1:]  # the first one is its input

        def before(recent):
            known = parts["before"]([scaled["to_scaled"](recent), *given] if given else scaled["to_scaled"](recent))
            return known if isinstance(known, (list, tuple)) else [known]

        def read(known, states):
            hidden, after, states = known, [], iter(states)
            for layer in network:
                if isinstance(layer, keras.layers.LSTM):
                    value, state = layer.cell(hidden[:, 0], next(states))
                    hidden, state = value[:, None], after.append(tuple(state))
                else:
                    hidden = layer(hidden)
            return hidden, tuple(after)

        def step(carried):
            recent, states = carried
            known, *following = (each[:, -1:] for each in before(recent))
            answer, states = read(known, states)
            if following:
                answer = parts["after"]([*following, answer, *given])
            following = scaled["to_physical"](answer[:, 0])
            return following, (ops.concatenate([recent[:, 1:], following[:, None]], axis=1), states)

        rows, lags = ops.shape(context)[0], min(LAGS, context.shape[1])
        units = [layer.units for layer in network if isinstance(layer, keras.layers.LSTM)]
        states = tuple((ops.zeros((rows, size)), ops.zeros((rows, size))) for size in units)
        known = before(context)[0]

        def warm_up(number, states):
            return read(ops.take(known, [number], axis=1), states)[1]

        states = ops.fori_loop(0, known.shape[1] - 1, warm_up, states)
        return step, (context[:, -lags:], states)


def step_by_step(step: Callable, context: np.ndarray, steps: int, inputs=None) -> np.ndarray:
    """The closed loop of a Python callable: (runs, window, features) -> (runs, features), called `steps` times.

    With inputs it is called with (runs, inputs) as its second argument.
    """
    window, forecast, given = context, [], () if inputs is None else (inputs,)
    expected = (context.shape[0], context.shape[2])
    for _ in range(steps):
        following = np.asarray(step(window, *given))
        if following.shape != expected:
            raise ValueError(f"a step must return (runs, features) = {expected}; got shape {following.shape}")
        forecast.append(following)
        window = np.concatenate([window[:, 1:], following[:, None]], axis=1)
    return np.stack(forecast, axis=1)


def one_step(model: keras.Model, values: np.ndarray, window: int, *, inputs=None) -> np.ndarray:
    """Forecast every step after the first window from the true steps before it: a window, or with a state all of them.

    values (runs, steps, features) [, inputs (runs, inputs)] -> (runs, steps - window, features), physical units.
    """
    from sim2seq.data.windows import Windows

    if model.inputs[0].shape[1] is None:
        return one_step_with_state(model, values, window, inputs)
    # batches, since Keras rounds a float64 array to float32
    batches = Windows(values, window, batch_size=1024, given=inputs, dtype=model.inputs[0].dtype)
    return model.predict(batches, verbose=0).reshape(len(values), -1, values.shape[2])


def one_step_with_state(model: keras.Model, values: np.ndarray, window: int, inputs) -> np.ndarray:
    """`one_step` of a model that carries its state: its core answers for whole runs at once."""
    fed = check_fits(model, values[:, :-1], inputs)
    layers = {layer.name: layer for layer in model.layers}
    (core,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    names = ("to_scaled", "inputs_to_scaled")[: len(fed)]
    scaled = [ops.convert_to_numpy(layers[name](each)) for name, each in zip(names, fed, strict=True)]
    answers = core.predict_on_batch(scaled if len(scaled) > 1 else scaled[0])[:, window - values.shape[1] :]
    mean, variance = (
        np.ravel(ops.convert_to_numpy(each)) for each in (layers["to_scaled"].mean, layers["to_scaled"].variance)
    )
    return answers * np.sqrt(variance) + mean
