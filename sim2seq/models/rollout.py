"""Rollout: a model is fed its own predictions, each of which joins what the next one is made from.

All ways of doing it give the numbers of a model that reads everything again at each step. A callable, and a Keras model
with a fixed window, read that window again. A model of any length carries a state where it steps (see stepping.py),
and reads its context again from the beginning where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
from keras import ops

from sim2seq.models import stepping
from sim2seq.models.stepping import CONDITIONS, CONTROLS, Stepper, core_of, is_causal, kinds, one_or_all, scaled

FEWEST = 8  # runs at once: fewer take hardly less time, and each number of runs is compiled for itself
COPIED = 2e9  # numbers: a graph alone copies the forecast at each step, which from here on takes longer than XLA


def rollout(
    model: keras.Model | Callable, context, steps: int, *, conditions=None, controls=None, stepper=None, jit=True
) -> np.ndarray:
    """Forecast `steps` steps after `context`, all runs in one call: one function for model and simulator.

    model       a Keras model (samples, window, features) [, controls of each next step (samples, window, controls)]
                [, conditions (samples, conditions)] -> (samples, features) in physical units, compiled once for each
                number of runs and steps; its window may be None, any length. Or any Python callable, such as a
                simulator's step: (window[, conditions][, controls]) -> (runs, features).
    context     (runs, window, features), true values in physical units
    conditions  (runs, conditions), for a model that is told the conditions of the run
    controls    (runs, window + steps, controls), row w is what holds at step w: the prediction of a step sees its row
    stepper     a stepping.Stepper: how the network of a model of any length steps, where that cannot be concluded from
                its layers; keep the object, as each one is compiled for itself
    jit         False: compiled as a graph alone, which is ready a second or more earlier, and slower at each call; not
                where the forecast is so large that this would take longer
    returns     (runs, steps, features), physical units; a Keras model computes in the precision of its input

    Raises ValueError when the arrays do not fit the model, when `steps` is below 1, when a model of any length sees
    the steps that it should forecast, or when its stepper answers otherwise than the model.
    """
    context = np.asarray(context)
    if context.ndim != 3:
        raise ValueError(f"context: expected (runs, window, features); got an array of shape {context.shape}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1; got {steps}")
    if stepper is not None and not (isinstance(model, keras.Model) and core_of(model)):
        raise ValueError("stepper: expected a model of any length made of scaling and a core; got another one")
    if not isinstance(model, keras.Model):
        return step_by_step(model, context, steps, conditions=conditions, controls=controls)
    fed = checked(model, context, steps, conditions, controls)
    if (answer := tuple(model.outputs[0].shape[1:])) != context.shape[2:]:
        raise ValueError(f"model: expected answers (runs, features) = (..., {context.shape[2]}); got (..., *{answer})")
    jit = jit or context[:, 0].size * steps**2 > COPIED
    loop = compiled_loop(model, context.shape[1], steps, stepper, jit)
    return reread_eagerly(model, fed, steps) if loop is None else run_loop(loop, fed)


def checked(model: keras.Model, context, steps: int, conditions, controls) -> list[np.ndarray]:
    """What the model is fed, in its order and precision; row t of the controls is what holds at step t + 1.

    Raises ValueError unless window, features, conditions and controls are the model's.
    """
    context = np.asarray(context)
    expected, (runs, *got) = tuple(model.inputs[0].shape[1:]), context.shape
    if any(want not in (None, have) for want, have in zip(expected, got, strict=True)):
        raise ValueError(
            f"context: the model expects a window of {expected[0] or 'some'} steps with {expected[1]} features; "
            f"got {got[0]} steps with {got[1]} features"
        )
    sizes = dict(zip(kinds(model), (x.shape[-1] for x in model.inputs), strict=True))
    others = {"conditions": (CONDITIONS, conditions, (runs,)), "controls": (CONTROLS, controls, (runs, got[0] + steps))}
    for word, (kind, array, shape) in others.items():
        needed = (*shape, sizes[kind]) if kind in sizes else None
        found = None if array is None else np.shape(array)
        if needed != found:
            raise ValueError(f"{word}: the model expects {needed or 'none'}; got {found or 'none'}")
    inputs = {"window": context, CONDITIONS: conditions, CONTROLS: shifted(controls)}
    return [np.asarray(inputs[kind], dtype=x.dtype) for kind, x in zip(kinds(model), model.inputs, strict=True)]


def shifted(controls) -> np.ndarray | None:
    """Controls (runs, steps, controls) from the second step on: beside each step stand those of the next one."""
    return None if controls is None else np.asarray(controls)[:, 1:]


@lru_cache(maxsize=16)
def check_causal(core: keras.Model, steps: int) -> None:
    """Raise ValueError unless `core` is causal; `steps` is a number of steps that it can be given."""
    if not is_causal(core, steps=steps):
        sees = "sees the steps that it should forecast, as with a bidirectional layer"
        raise ValueError(f"{core.name}: expected a fixed window, as the model {sees}; got one of any length")


@lru_cache(maxsize=16)
def compiled_loop(model, window: int, steps: int, stepper: Stepper | None, jit: bool) -> Loop | None:
    """The rollout of `model` over `steps` steps after `window`, compiled; one for each length, as those are static.

    None for a model that has to be read step by step. The loop reads the model's weights at each call, so further
    training does not make it stale.
    """
    if model.inputs[0].shape[1] is not None:
        loop = Rereading(model, steps)
    elif (core := stepping.core_answering(model, window + steps - 1)) is None:
        return None
    elif (stepper := stepping.stepper_of(core, declared=stepper, steps=window)) is not None:
        loop = Carrying(model, steps, stepper)
    else:
        check_causal(core, window)
        loop = RereadingAll(model, steps)
    loop.compile(jit_compile=jit)
    return loop


def run_loop(loop: Loop, fed: list[np.ndarray]) -> np.ndarray:
    """The forecast of a compiled loop; runs are padded to a power of two, `FEWEST` or more: few sizes to compile."""
    forecasts, runs = [], len(fed[0])
    for start in range(0, runs, loop.most):
        count = min(loop.most, runs - start)
        chosen = np.minimum(np.arange(power_of_two(count, FEWEST)), count - 1) + start
        forecast = loop.predict_on_batch(one_or_all([each[chosen] for each in fed]))
        forecasts.append(ops.convert_to_numpy(forecast)[:count])
    return np.concatenate(forecasts)


def power_of_two(count: int, fewest: int) -> int:
    """The next power of two from `count` on, and from `fewest` on, which is one."""
    return max(fewest, 1 << (count - 1).bit_length())


class Loop(keras.Model):
    """A rollout as a Keras model, so that every backend compiles it; what differs is how a step is made.

    `begin` is called with context, controls of each next step and conditions, the last two may be None; it returns the
    step, (number, state) -> prediction (runs, features) and new state, and the first state.
    """

    most = 1 << 30  # runs at once

    def __init__(self, model: keras.Model, steps: int):
        super().__init__(dtype=model.inputs[0].dtype)
        self.model, self.steps = model, steps

    def call(self, fed):
        inputs = dict(zip(kinds(self.model), fed if isinstance(fed, (list, tuple)) else [fed], strict=True))
        context = inputs["window"]
        step, state = self.begin(context, inputs.get(CONTROLS), inputs.get(CONDITIONS))

        def keep(number, loop):
            forecast, state = loop
            following, state = step(number, state)
            return ops.slice_update(forecast, (0, number, 0), following[:, None]), state

        empty = ops.zeros((ops.shape(context)[0], self.steps, context.shape[2]), dtype=context.dtype)
        return ops.fori_loop(0, self.steps, keep, (empty, state))[0]


class Rereading(Loop):
    """Each prediction joins a window of fixed length, which the model reads anew."""

    def begin(self, window, controls, conditions):
        places = ops.arange(window.shape[1])

        def step(number, window):
            now = None if controls is None else ops.take(controls, number + places, axis=1)
            inputs = {"window": window, CONTROLS: now, CONDITIONS: conditions}
            following = ops.cast(answer_to(self.model, inputs), window.dtype)
            return following, ops.concatenate([window[:, 1:], following[:, None]], axis=1)

        return step, window


class RereadingAll(Loop):
    """Each prediction joins the context, which the core reads anew from the beginning.

    What is not there yet is filled with the last values, which a causal core does not see.
    """

    most = 64  # as each step makes answers for all steps

    def begin(self, context, controls, conditions):
        core, window, missing = core_of(self.model), context.shape[1], self.steps - 1
        assert core is not None  # compiled_loop has found it
        restore, places = stepping.restored(self.model, core), ops.arange(window + missing)[None, :, None]

        def step(number, series):
            answers = core(one_or_all(scaled(self.model, series, controls, conditions)))
            place = window + number - 1 - (series.shape[1] - answers.shape[1])
            following = restore(ops.take(answers, [place], axis=1))
            return following, ops.where(places == window + number, following[:, None], series)

        return step, ops.concatenate([context, ops.repeat(context[:, -1:], missing, axis=1)], axis=1)


class Carrying(Loop):
    """The context is read once; from there on the network keeps its state, and reads one step at a time."""

    def __init__(self, model: keras.Model, steps: int, stepper: Stepper):
        super().__init__(model, steps)
        self.stepper = stepper

    def begin(self, context, controls, conditions):
        core, window = core_of(self.model), context.shape[1]
        restore = stepping.restored(self.model, core)
        inputs = scaled(self.model, context, controls if controls is None else controls[:, :window], conditions)
        fed = stepping.before(core, inputs)[0]
        lags = window - fed.shape[1] + 1

        def step(number, carried):
            recent, state = carried
            places = window - lags + number + ops.arange(lags)
            now = None if controls is None else ops.take(controls, places, axis=1)
            answer, state = stepping.advance(core, self.stepper, scaled(self.model, recent, now, conditions), state)
            following = restore(answer)
            return following, (ops.concatenate([recent[:, 1:], following[:, None]], axis=1), state)

        def warm_up(number, state):
            return stepping.step_once(self.stepper, ops.take(fed, number, axis=1), state)[1]

        state = stepping.begin(self.stepper, ops.shape(context)[0])
        state = ops.fori_loop(0, fed.shape[1] - 1, warm_up, state)
        return step, (context[:, -lags:], state)


def answer_to(model: keras.Model, inputs: dict, end: int | None = None):
    """What the model answers to `inputs`, by kind, after the first `end` steps or all: (runs, outputs)."""
    cut = {kind: each if kind == CONDITIONS or end is None else each[:, :end] for kind, each in inputs.items()}
    return model(one_or_all([cut[kind] for kind in kinds(model)]), training=False)


def reread_eagerly(model: keras.Model, fed: list[np.ndarray], steps: int) -> np.ndarray:
    """The rollout of a model of any length that is shown at each step all that there is by then."""
    inputs, window = dict(zip(kinds(model), fed, strict=True)), fed[0].shape[1]
    for end in range(window, window + steps):
        following = ops.convert_to_numpy(answer_to(model, inputs, end))[:, None]
        inputs["window"] = np.concatenate([inputs["window"], following], axis=1)
    return inputs["window"][:, window:]


def step_by_step(step: Callable, context: np.ndarray, steps: int, *, conditions=None, controls=None) -> np.ndarray:
    """The rollout of a Python callable: (runs, window, features) -> (runs, features), called `steps` times.

    After the window it is given conditions, and controls of each next step (runs, window, controls), where there are.
    """
    (runs, length, features), window, forecast = context.shape, context, []
    told, expected = [] if conditions is None else [np.asarray(conditions)], (runs, features)
    if controls is not None and np.shape(controls)[:-1] != (runs, length + steps):
        raise ValueError(f"controls: expected ({runs}, {length + steps}, controls); got {np.shape(controls)}")
    steered = shifted(controls)
    for number in range(steps):
        now = [] if steered is None else [steered[:, number : number + length]]
        following = np.asarray(step(window, *told, *now))
        if following.shape != expected:
            raise ValueError(f"a step must return (runs, features) = {expected}; got shape {following.shape}")
        forecast.append(following)
        window = np.concatenate([window[:, 1:], following[:, None]], axis=1)
    return np.stack(forecast, axis=1)
