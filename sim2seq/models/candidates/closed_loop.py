"""Closed loop: a recurrent network that is trained on its own rollouts, over a horizon that grows.

At each step it is fed the last value and the last increment, the conditions of the run, the controls of the next step,
and the mean trajectory of the training runs there, which tells it the time and the climate; it answers the increment.
The best epoch is that with the lowest error over the whole horizon on the validation runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np
from keras import layers, ops

from sim2seq.models.candidates.candidate import Runs, Tell
from sim2seq.models.candidates.feeding import (
    LAST_HORIZON,
    WARM_UP,
    Basis,
    Batches,
    basis_of,
    clock_of,
    fed_to,
    increments_of,
    moves_of,
    spread_of,
)

UNITS = 64
FIRST_HORIZON = 5
GROWS = 0.5  # share of the time in which the horizon grows
MARGIN = 0.1  # how far a forecast may leave the range of the training runs, in widths of that range
LEARNING_RATE = 6e-3
REMEMBERS = 0.99  # share of the averaged weights that a step keeps
ENOUGH_FOR_TWO = 240.0  # seconds: below, a second member is what another process is for
PATIENCE = 0.4  # share of the time without a better epoch, once the horizon is whole, after which a member ends
EVERY = 0.02  # share of the time between two looks at the validation runs
SHOWN = 0.1  # weight of an error where the truth is fed, beside those of the closed loop
KEPT_BACK = 0.03  # share of the time for what comes after the last step


@dataclass(frozen=True)
class Member:
    """One network.

    network    a step: (value, last value, extra, state) -> (next value, state), each (runs, ...); extra: conditions,
               controls and clock of the step that is predicted
    beginning  conditions -> (first value, state), for a forecast without a window; otherwise None
    """

    network: keras.Model
    beginning: keras.Model | None

    @property
    def variables(self) -> list[keras.Variable]:
        return [each for model in (self.network, self.beginning) if model for each in model.trainable_variables]

    def copy(self, other: Member) -> None:
        """Take over the weights of another member."""
        for variable, value in zip(self.variables, other.variables, strict=True):
            variable.assign(value)


@dataclass(frozen=True)
class ClosedLoop:
    """Networks that have learned; their forecasts are averaged.

    members    at least one
    clock      (steps, 2 features): what `clock_of` says
    basis      what the members know as features are components of it; None: they are the features themselves
    warm_up    steps at the end of a window that they read
    """

    members: tuple[Member, ...]
    clock: np.ndarray
    basis: Basis | None = None
    warm_up: int = WARM_UP

    def forecast(self, context: np.ndarray, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        """The `steps` steps after the window, as `candidate.Fitted` says: the mean of the members."""
        known = context if self.basis is None else self.basis.components(context)
        fed = fed_to(known, steps, conditions, controls, self.clock, self.warm_up)
        said = np.mean([compiled(each, fed[0].shape[1]).predict_on_batch(fed) for each in self.members], axis=0)
        return said if self.basis is None else self.basis.features(said)


def fit(
    training: Runs, validation: Runs, *, seconds: float, seed: int, tell: Tell, warm_up: int = WARM_UP
) -> ClosedLoop:
    """Train members one after the other for about `seconds`. Raises ValueError where the backend is not TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"closed loop: expected the backend tensorflow for training; got {keras.backend.backend()}")
    end, members = time.monotonic() + seconds * (1 - KEPT_BACK), []
    keras.utils.set_random_seed(seed)
    training = training.take(np.isfinite(training.values).any((1, 2)))
    basis = basis_of(training.values, MARGIN)
    if basis is not None:  # an update costs no more than with few features
        training, validation = basis.reduced(training), basis.reduced(validation)
    trainer = Trainer(training, validation, np.random.default_rng(seed), warm_up)
    for left in range(2 if seconds >= ENOUGH_FOR_TWO else 1, 0, -1):
        now = time.monotonic()
        members.append(trainer.train(now + (end - now) / left, tell))
    return ClosedLoop(tuple(members), clock_of(training.values), basis, warm_up)


def network_of(values: np.ndarray, extra: int) -> keras.Model:
    """One step: a gated recurrent cell, a dense layer beside it, a linear answer; kept in the range of `values`."""
    features, moves = values.shape[2], increments_of(values)
    inputs = [keras.Input((size,)) for size in (features, features, extra, UNITS)]
    value, last, others, state = inputs
    moved = layers.Rescaling((1 / moves).tolist())(layers.Subtract()([value, last]))
    scaled = layers.Rescaling((1 / spread_of(values)).tolist())(value)
    fed = layers.Concatenate()([scaled, moved, others])
    read, state = layers.GRUCell(UNITS)(fed, state)
    both = layers.Concatenate()([fed, read])
    both = layers.Concatenate()([both, layers.Dense(UNITS, activation="swish")(both)])
    move = layers.Dense(features, kernel_initializer="zeros")(both)  # at first nothing moves
    following = layers.Add()([value, layers.Rescaling(moves_of(values).tolist())(move)])
    return keras.Model(inputs, [kept_in_range(following, values), state])


def kept_in_range(value, values: np.ndarray):
    """`value` clipped to the range of `values` and a margin, by stock layers, which load without code."""
    low, high = np.nanmin(values, axis=(0, 1)), np.nanmax(values, axis=(0, 1))
    width = np.maximum((1 + 2 * MARGIN) * (high - low), 1e-3)  # of a constant feature too
    low = (low + high - width) / 2
    share = layers.ReLU(max_value=1.0)(layers.Rescaling((1 / width).tolist(), (-low / width).tolist())(value))
    return layers.Rescaling(width.tolist(), low.tolist())(share)


def begin(member: Member, told, value):
    """First value and state, from what is told of the run, or `value` itself where there is no beginning."""
    if member.beginning is None:
        return value, ops.zeros((ops.shape(value)[0], UNITS))
    return member.beginning(told)


class Rollout(keras.Model):
    """A member fed with its own predictions after the context: a Keras model, so that every backend compiles it."""

    def __init__(self, member: Member, window: int):
        super().__init__()
        self.network, self.beginning, self.window = member.network, member.beginning, window

    def call(self, fed):
        context, extra, told = fed
        runs, length = ops.shape(extra)[0], extra.shape[1]
        first, state = begin(self, told, context[:, 0] if self.window else None)
        values = ops.slice_update(ops.zeros((runs, length, first.shape[1])), (0, 0, 0), first[:, None])

        def step(number, loop):
            values, value, last, state = loop
            following, state = self.network([value, last, ops.take(extra, number, axis=1), state])
            if self.window > 1:
                known = ops.take(context, ops.minimum(number, self.window - 1), axis=1)
                following = ops.where(number < self.window, known, following)
            return ops.slice_update(values, (0, number, 0), following[:, None]), following, value, state

        return ops.fori_loop(1, length, step, (values, first, first, state))[0][:, self.window :]


@lru_cache(maxsize=16)
def compiled(member: Member, window: int) -> Rollout:
    """The rollout of a member; it is compiled once for each number of runs and steps."""
    loop = Rollout(member, window)
    loop.compile(jit_compile=True)
    return loop


def member_of(training: Runs, told: int, extra: int) -> Member:
    """A network that has not learned yet."""
    network, features = network_of(training.values, extra), training.values.shape[2]
    if training.window:
        return Member(network, None)
    inputs = keras.Input((told,))
    read = layers.Dense(UNITS, activation="swish")(layers.Dense(UNITS, activation="swish")(inputs))
    first = layers.Rescaling(spread_of(training.values).tolist())(layers.Dense(features)(read))
    return Member(network, keras.Model(inputs, [first, layers.Dense(UNITS)(read)]))


class Trainer:
    """Trains members one after the other with one compiled step, as compiling takes seconds."""

    def __init__(self, training: Runs, validation: Runs, rng: np.random.Generator, warm_up: int):
        self.batches = Batches(training, clock_of(training.values), rng, warm_up)
        told, extra = self.batches.told.shape[1], self.batches.extra.shape[2]
        self.make = lambda: member_of(training, told, extra)
        self.learning, self.averaged = self.make(), self.make()
        self.optimizer = keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=1.0)
        self.optimizer.build(self.learning.variables)
        self.fresh = [each.numpy() for each in self.optimizer.variables]
        self.update = compiled_update(self.learning, self.averaged, self.optimizer, self.batches.steps)
        others, self.future = (validation.conditions, validation.controls), validation.future
        self.fed = fed_to(validation.context, self.future.shape[1], *others, clock_of(training.values), warm_up)

    def train(self, end: float, tell: Tell) -> Member:
        """A member trained until `end`, as it was when it forecast the validation runs best."""
        self.restart()
        start, best, chosen, found, due, number = time.monotonic(), np.inf, self.make(), 0.0, 0.0, 0
        while (spent := (time.monotonic() - start) / (end - start)) < 1 and spent - max(found, GROWS) < PATIENCE:
            self.learn(spent, number)
            number += 1
            if spent >= due:
                due = spent + EVERY
                if (error := self.error()) < best or number == 1:
                    best, found = error, spent
                    chosen.copy(self.averaged)
        tell(f"closed loop: {best:.3f} standard deviations after {number} updates")
        return chosen

    def restart(self) -> None:
        """Forget what the last member has learned."""
        self.learning.copy(self.make())
        self.averaged.copy(self.learning)
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)

    def learn(self, spent: float, number: int) -> None:
        """One update, the `number`th, after a share `spent` of the time."""
        self.optimizer.learning_rate.assign(LEARNING_RATE * (1 + np.cos(np.pi * spent)) / 2)
        horizon = FIRST_HORIZON * (LAST_HORIZON / FIRST_HORIZON) ** min(1.0, spent / GROWS)
        steps = min(self.batches.warm_up + int(horizon), self.batches.steps)
        keeps = np.array(min(REMEMBERS, number / (number + 10)), "float32")
        self.update(*self.batches.draw(steps), np.array(steps, "int32"), keeps)

    def error(self) -> float:
        """Root mean squared error of the whole forecast of the validation runs."""
        wrong = compiled(self.averaged, self.fed[0].shape[1]).predict_on_batch(self.fed) - self.future
        return float(np.sqrt(np.nanmean(wrong**2)))


def compiled_update(learning: Member, averaged: Member, optimizer: keras.Optimizer, length: int) -> Callable:
    """A step of gradient descent; compiled once for all horizons, as the number of steps is an argument."""
    import tensorflow as tf  # training needs it, a forecast does not

    def unrolled(fed, shown, extra, told, begun, steps):
        first, state = begin(learning, told, fed[0])
        value = tf.where(shown[0], fed[0], first)
        predicted = tf.TensorArray(tf.float32, length, element_shape=first.shape).write(0, first)

        def step(number, value, last, state, predicted):
            following, state = learning.network([value, last, extra[number], state])
            known = tf.where(shown[number], fed[number], following)
            return number + 1, known, value, state, predicted.write(number, following)

        loop = tf.constant(1), value, value, tf.where(begun, state, 0.0), predicted
        return tf.while_loop(lambda number, *_: number < steps, step, loop, maximum_iterations=length - 1)[-1].stack()

    @tf.function(jit_compile=True)
    def update(targets, fed, shown, extra, told, begun, steps, keeps):
        counted = tf.math.is_finite(targets) & (tf.range(length) < steps)[:, None, None]
        weight = tf.where(counted, tf.where(shown, SHOWN, 1.0), 0.0)
        with tf.GradientTape() as tape:
            wrong = unrolled(fed, shown, extra, told, begun, steps) - tf.where(counted, targets, 0.0)
            loss = tf.reduce_sum(weight * wrong**2) / tf.maximum(tf.reduce_sum(weight), 1.0)
        variables = learning.variables
        gradients = [tf.where(tf.math.is_finite(each), each, 0.0) for each in tape.gradient(loss, variables)]
        optimizer.apply(gradients, variables)
        for mean, variable in zip(averaged.variables, variables, strict=True):
            mean.assign(keeps * mean + (1 - keeps) * variable)

    return update
