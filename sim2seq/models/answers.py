"""Answers: what a model says after each step of runs that are given to it, without being fed its own predictions."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from sim2seq.data.windows import Columns, Windows


def answers(model: keras.Model, series: np.ndarray, window: int, *, conditions=None) -> np.ndarray:
    """What the model answers after each step from the window on: from a window, or with a state from the whole run.

    series (runs, steps, inputs) [, conditions (runs, conditions)], physical units, no nan
    ->  (runs, steps - window + 1, outputs)
    Raises ValueError for runs that are shorter than the window.
    """
    if series.shape[1] < window:
        raise ValueError(f"window: expected runs of {window} steps or more; got {series.shape[1]}")
    if model.inputs[0].shape[1] is None:
        return answers_of_core(model, series, conditions)[:, window - series.shape[1] - 1 :]
    # batches, since Keras rounds a float64 array to float32
    columns, dtype = Columns(targets=(), ahead=0), model.inputs[0].dtype
    batches = Windows(series, window, batch_size=1024, columns=columns, conditions=conditions, dtype=dtype)
    answered = model.predict(batches, verbose=0)
    return answered.reshape(len(series), -1, answered.shape[-1])


def answers_of_core(model: keras.Model, series: np.ndarray, conditions=None) -> np.ndarray:
    """The answers of a model of any length (builders.physical), whose core answers for whole runs at once."""
    layers = {layer.name: layer for layer in model.layers}
    (core,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    dtype = model.inputs[0].dtype
    scaled = [layers["to_scaled"](np.asarray(series, dtype=dtype))]
    if conditions is not None:
        scaled.append(layers["inputs_to_scaled"](np.asarray(conditions, dtype=dtype)))
    said = core.predict_on_batch([ops.convert_to_numpy(each) for each in scaled] if conditions is not None else
                                 ops.convert_to_numpy(scaled[0]))  # fmt: skip
    back = layers["to_physical"]
    mean, variance = (np.ravel(ops.convert_to_numpy(each)) for each in (back.mean, back.variance))
    return said * np.sqrt(variance) + mean
