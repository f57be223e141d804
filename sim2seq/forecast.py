"""Forecast: closed loop, where each forecast step joins the window that the next one is made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf


def closed_loop(model: keras.Model | Callable, context: np.ndarray, steps: int) -> np.ndarray:
    """Forecast `steps` steps after `context`, all runs in one call: one function for model and simulator.

    model     a Keras model (samples, window, features) -> (samples, features) in physical units, which is compiled
              once for each number of runs and steps; or any Python callable of that kind, such as a simulator's step
    context   (runs, window, features), true values in physical units
    returns   (runs, steps, features), physical units; a Keras model computes in the precision of its input

    Raises ValueError when context and model do not fit, or when `steps` is below 1.
    """
    context = np.asarray(context)
    if context.ndim != 3:
        raise ValueError(f"context: expected (runs, window, features); got an array of shape {context.shape}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1; got {steps}")
    if not isinstance(model, keras.Model):
        return step_by_step(model, context, steps)
    check_fits(model, context)
    return compiled_loop(model, steps)(tf.constant(context, dtype=model.inputs[0].dtype)).numpy()


def check_fits(model: keras.Model, context: np.ndarray) -> None:
    """Raise ValueError unless the context has the model's window and features."""
    expected, got = tuple(model.input_shape[1:]), context.shape[1:]
    if any(want not in (None, have) for want, have in zip(expected, got, strict=True)):
        raise ValueError(
            f"context: the model expects a window of {expected[0]} steps with {expected[1]} features; "
            f"got {got[0]} steps with {got[1]} features"
        )


@lru_cache(maxsize=16)
def compiled_loop(model: keras.Model, steps: int) -> Callable:
    """The closed loop of `model` over `steps` steps as one compiled function of the context.

    It reads the model's weights at each call, so further training does not make it stale.
    """

    @tf.function(jit_compile=True)
    def loop(window):
        forecast = tf.TensorArray(window.dtype, size=steps)
        for step in tf.range(steps):
            following = tf.cast(model(window, training=False), window.dtype)
            forecast = forecast.write(step, following)
            window = tf.concat([window[:, 1:], following[:, None]], axis=1)
        return tf.transpose(forecast.stack(), (1, 0, 2))

    return loop


def step_by_step(step: Callable, context: np.ndarray, steps: int) -> np.ndarray:
    """The closed loop of a Python callable: (runs, window, features) -> (runs, features), called `steps` times."""
    window, forecast = context, []
    expected = (context.shape[0], context.shape[2])
    for _ in range(steps):
        following = np.asarray(step(window))
        if following.shape != expected:
            raise ValueError(f"a step must return (runs, features) = {expected}; got shape {following.shape}")
        forecast.append(following)
        window = np.concatenate([window[:, 1:], following[:, None]], axis=1)
    return np.stack(forecast, axis=1)


def one_step(model: keras.Model, values: np.ndarray, window: int) -> np.ndarray:
    """Forecast every step after the first window from the true window before it.

    values (runs, steps, features) -> (runs, steps - window, features), physical units.
    """
    from sim2seq.windows import Windows

    # batches, since Keras rounds a float64 array to float32
    batches = Windows(values, window, batch_size=1024, dtype=model.inputs[0].dtype)
    return model.predict(batches, verbose=0).reshape(batches.targets.shape)
