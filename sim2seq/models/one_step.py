"""One step: a model is fed the truth, and each of its predictions is made from the true steps before it."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from sim2seq.models import stepping
from sim2seq.models.rollout import FEWEST, answer_to, check_causal, checked, power_of_two
from sim2seq.models.stepping import CONDITIONS, CONTROLS, kinds, one_or_all, scaled

BATCH = 1024  # windows at once


def one_step(model: keras.Model, values: np.ndarray, window: int, *, conditions=None, controls=None) -> np.ndarray:
    """Predict every step after the first window from the true steps before it: a window, or for any length all of them.

    values (runs, steps, features) [, conditions (runs, conditions)] [, controls (runs, steps, controls)]
    -> (runs, steps - window, outputs), physical units. Raises ValueError as `rollout` does.
    """
    values = np.asarray(values)
    runs, steps, _ = values.shape
    if not 1 <= window < steps:
        raise ValueError(f"window: expected 1 to {steps - 1} for runs of {steps} steps; got {window}")
    fed = checked(model, values[:, :window], steps - window, conditions, controls)
    inputs = dict(zip(kinds(model), fed, strict=True)) | {"window": values[:, :-1].astype(fed[0].dtype)}
    if model.inputs[0].shape[1] is not None:
        return one_step_of_windows(model, inputs, window)
    core = stepping.core_answering(model, steps - 1)
    if core is None:
        return np.stack([ops.convert_to_numpy(answer_to(model, inputs, end)) for end in range(window, steps)], axis=1)
    check_causal(core, window)
    series = scaled(model, inputs["window"], inputs.get(CONTROLS), inputs.get(CONDITIONS))
    chosen = np.minimum(np.arange(power_of_two(runs, FEWEST)), runs - 1)
    answers = core.predict_on_batch(one_or_all([ops.convert_to_numpy(each)[chosen] for each in series]))
    physical = stepping.restored(model, core)(answers[:runs, window - steps :].reshape(-1, 1, answers.shape[2]))
    return ops.convert_to_numpy(physical).reshape(runs, steps - window, -1)


def answers(model: keras.Model, series: np.ndarray, window: int, *, conditions=None) -> np.ndarray:
    """What the model says after each step from the window on: (runs, steps - window + 1, outputs), as `one_step`."""
    return one_step(model, np.concatenate([series, series[:, -1:]], axis=1), window, conditions=conditions)


def one_step_of_windows(model: keras.Model, inputs: dict, window: int) -> np.ndarray:
    """`one_step` of a model with a fixed window, in batches of one size."""
    runs, samples = len(inputs["window"]), inputs["window"].shape[1] - window + 1
    views = {k: each if k == CONDITIONS else windows_of(each, window) for k, each in inputs.items()}
    size, answers = min(BATCH, power_of_two(runs * samples, BATCH // 4)), []
    for start in range(0, runs * samples, size):
        places = np.divmod(np.minimum(np.arange(start, start + size), runs * samples - 1), samples)
        batch = [views[kind][places[0] if kind == CONDITIONS else places] for kind in kinds(model)]
        answers.append(ops.convert_to_numpy(model.predict_on_batch(one_or_all(batch))))
    return np.concatenate(answers)[: runs * samples].reshape(runs, samples, -1)


def windows_of(values: np.ndarray, window: int) -> np.ndarray:
    """All windows of (runs, steps, features), as views: (runs, samples, window, features)."""
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(values, window, axis=1), -1, 2)
