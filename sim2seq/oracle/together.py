"""Together: all members of a training answer in one compiled step, after a series of any length so far.

A series is padded to one of few lengths, which a causal core does not see, so that each is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from sim2seq.models import stepping
from sim2seq.models.rollout import check_causal
from sim2seq.models.stepping import CONDITIONS, kinds, one_or_all, scaled

SHORTEST = 8  # steps that are compiled for; longer ones double


def together(models, window: int) -> Callable | None:
    """(series (steps, features), conditions (1, conditions) or None) -> (members, outputs); None where one model has to
    be asked alone, since it is not made of a causal core."""
    pairs = [(model, core) for model in models if (core := causal_core(model, max(window, SHORTEST))) is not None]
    if not pairs or len(pairs) < len(models):
        return None
    restore = [stepping.restored(*pair) for pair in pairs]
    kind, told = models[0].inputs[0].dtype, CONDITIONS in kinds(models[0])

    numbers = [(weight, ops.convert_to_numpy(weight)) for model in models for weight in model.weights]

    def members(series, place, conditions=None):
        constants = [(weight, ops.convert_to_tensor(value)) for weight, value in numbers]  # to read them takes longer
        with keras.StatelessScope(state_mapping=constants):
            return answered(series, place, conditions)

    def answered(series, place, conditions):
        found = []
        for (model, core), back in zip(pairs, restore, strict=True):
            said = core(one_or_all(scaled(model, series, None, conditions)), training=False)
            last = place - (series.shape[1] - said.shape[1])  # a core may need some steps before its first answer
            found.append(back(ops.take(said, last, axis=1))[0])
        return ops.stack(found)

    one_step = compiled(members)

    def ask(series, conditions=None) -> np.ndarray:
        padded = np.empty((1, length_for(len(series)), series.shape[1]), dtype=kind)
        padded[0, : len(series)], padded[0, len(series) :] = series, series[-1]
        place = np.array([len(series) - 1], dtype="int32")
        return ops.convert_to_numpy(one_step(padded, place, *([np.asarray(conditions, dtype=kind)] if told else [])))

    return ask


def causal_core(model, steps: int) -> keras.Model | None:
    """The core of a model, where it says after each step what the model says, and looks back only; else None."""
    core = stepping.core_answering(model, steps) if isinstance(model, keras.Model) else None
    try:
        return core if core is None else (check_causal(core, steps), core)[1]
    except ValueError:
        return None


def compiled(function: Callable) -> Callable:
    """A function of arrays, compiled once for each of their shapes.

    Of TensorFlow the concrete function is called: to look for it by its arguments takes longer than the step.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    traced, concrete = tensorflow.function(function, jit_compile=True, autograph=False), {}

    def call(*arrays):
        shapes, tensors = tuple(each.shape for each in arrays), [tensorflow.constant(each) for each in arrays]
        if shapes not in concrete:
            concrete[shapes] = traced.get_concrete_function(*tensors)
        return concrete[shapes](*tensors)

    return call


def length_for(steps: int) -> int:
    """The steps that a series of `steps` is padded to: SHORTEST, or the next power of two."""
    return max(SHORTEST, 1 << (steps - 1).bit_length())
