"""Objects: our network. It keeps a few numbers for each place instead of frames, and learns how they go on.

What it is told: that there are places, each with a velocity, in a box, and that frames show them cut to whole pixels.
What it learns: the box, what becomes of a velocity at its edges, what each action moves, with which velocities episodes
begin, what is told of an episode says about that, and when the game is over.
"""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
from keras import layers, ops

from sim2seq.models.builders import core_inputs, one_or_all
from sim2seq.models.stepping import STEPPERS, Stepper
from studies.pong.beginnings import PIXEL, first_launch, first_moves, first_shift, first_velocities
from studies.pong.worlds import WORLDS

FORGETS = 10.0  # steps ahead at which an error counts half as much as in the next step
OVER = 2.0  # what a wrong end counts, beside errors in pixels
TRIES = 512  # velocities that an episode may begin with, of those that training episodes began with
HINDSIGHT = 32  # rows after the known ones that the tries are looked at by while learning
FITS, NEAR = 0.05, 0.2  # pixels: how much a try may be off; pixels a step: how far from the middle of those that fit
FAR, CLOSE = 8.0, 4.0  # pixels, the units of places, and of how far things are from each other
EDGE = 0.02  # so near to an edge of its box, a place is at it
BOUNCE = 1.0  # of a velocity at an edge, before anything is learned: all of it comes back


@keras.saving.register_keras_serializable("sim2seq.pong")
class Flight(layers.Layer):
    """A step of all places, as a cell: the action of the next step, as `actions` numbers -> places, chance of the end.

    State: place and velocity, (runs, places) each. What it says are whole pixels, but for who trains it.
    low, high   (places,): the box that it begins to learn with
    """

    def __init__(self, low, high, *, actions: int, units=(32, 32), **options):
        super().__init__(**options)
        self.low, self.high, self.units = list(map(float, low)), list(map(float, high)), tuple(units)
        self.actions, self.places = actions, len(self.low)
        self.state_size, self.output_size = [self.places, self.places], self.places + 1
        self.head = [layers.Dense(size, activation="relu") for size in self.units] + [layers.Dense(1)]

    def build(self, shape):
        each = np.ones(self.places)
        self.box_low, self.box_high = numbers(self, "low", self.low), numbers(self, "high", self.high)
        self.moves = numbers(self, "moves", np.zeros((self.actions, self.places)))
        self.bounce = numbers(self, "bounce", BOUNCE * each)
        width = 5 * self.places + self.places * (self.places - 1) // 2
        for layer in self.head:
            layer.build((None, width))
            width = layer.units
        super().build(shape)

    def call(self, action, states, training=None):
        place, velocity = states
        free, place, velocity, below, above = self.fly(place, velocity, ops.matmul(action, self.moves))
        middle = (self.box_low + self.box_high) / 2
        apart = [(free[:, one : one + 1] - free[:, one + 1 :]) / CLOSE for one in range(self.places - 1)]
        each = [(free - middle) / FAR, (place - middle) / FAR, below, above, velocity]
        over = ops.stop_gradient(ops.concatenate([*each, *apart], axis=-1))  # an end is read off, it moves nothing
        for layer in self.head:
            over = layer(over)
        said = place if training else self.shown(place)
        return ops.concatenate([said, ops.sigmoid(over)], axis=-1), [place, velocity]

    def fly(self, place, velocity, moves):
        """A step: the place as if there was no box, the place, the velocity, and which edges were passed, 0 or 1."""
        free = place + velocity + moves
        below, above = ops.cast(free < self.box_low, free.dtype), ops.cast(free > self.box_high, free.dtype)
        velocity = velocity * (1 - (below + above) * (1 + self.bounce))
        return free, ops.clip(free, self.box_low, self.box_high), velocity, below, above

    def shown(self, place):
        """The pixel that a frame shows: the nearest, and at an edge of the box the first or last one ever seen."""
        nearest = ops.floor(place + PIXEL / 2)
        nearest = ops.where(place < self.box_low + EDGE, ops.convert_to_tensor(self.low, place.dtype), nearest)
        return ops.where(place > self.box_high - EDGE, ops.convert_to_tensor(self.high, place.dtype), nearest)

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in ("low", "high", "actions", "units")}


@keras.saving.register_keras_serializable("sim2seq.pong")
class Objects(layers.Layer):
    """(runs, steps, what is known of a step) -> (runs, steps, places + 1): places and chance of the end one step later.

    What is known of a step: places, whether the game is over, the action of the next step, what is told of the episode.
    Nothing is said before the `known` first rows are seen, and from then on nothing but actions is looked at. The
    velocity at the beginning follows from what is told. Otherwise it is that of `tries` known ones that is in the
    middle of those which, flown over the known rows (who learns: and some more), are in the pixels that were seen.
    """

    def __init__(self, low, high, *, known: int, actions: int, told=0, units=(32, 32), tries=0, **options):
        super().__init__(**options)
        self.known, self.told, self.tries = known, told, tries
        self.flight = Flight(low, high, actions=actions, units=units, name="flight")
        self.places = self.flight.places
        self.series = layers.RNN(self.flight, return_sequences=True, name="series")

    def build(self, shape):
        self.shift = numbers(self, "shift", np.zeros(self.places))
        self.launch = numbers(self, "launch", np.zeros((self.told + 1, self.places)))
        if self.tries:
            self.tried = self.add_weight(shape=(self.tries, self.places), name="tried", trainable=False)
            self.speed = numbers(self, "speed", 1.0)
        self.series.build((None, None, self.flight.actions))
        super().build(shape)

    def parts(self, fed):
        """Places, action of the next step as numbers, and what is told, of (..., places + 2 + told)."""
        action = ops.one_hot(ops.cast(fed[..., self.places + 1], "int32"), self.flight.actions, dtype=fed.dtype)
        return fed[..., : self.places], action, fed[..., self.places + 2 :]

    def call(self, fed, training=None):
        seen, actions, told = self.parts(fed)
        last, rows = self.known - 1, fed.shape[1]
        if rows is not None and rows <= last:
            return ops.zeros_like(fed[..., : self.places + 1])
        looked, going = self.known, None
        if training and rows and self.tries:
            looked = min(rows, self.known + HINDSIGHT)
            going = ops.cumprod(1 - fed[:, :looked, self.places], axis=1)
        state = self.read(seen, actions, told[:, 0], looked, going)
        said = self.series(actions[:, last:], initial_state=state, training=training)
        return ops.concatenate([ops.zeros_like(fed[:, :last, : self.places + 1]), said], axis=1)

    def read(self, seen, actions, told, looked: int, going=None):
        """Place and velocity at the last known row; seen (runs, rows, places), actions (runs, rows, actions).

        The velocity at the beginning is found by the first `looked` rows: those known, or more for who learns, as rules
        are learned from flights that begin as they did. going (runs, looked): 0 once the game is over.
        """
        moves = ops.matmul(actions, self.flight.moves)
        first = seen[:, 0] + (ops.stop_gradient(self.shift) if self.tries else self.shift)
        if self.tries:
            velocity = self.speed * self.search(seen, moves, first, looked, going)
        else:
            velocity = self.launch[0] + (ops.matmul(told, self.launch[1:]) if self.told else ops.zeros_like(first))
        place = first
        for step in range(self.known - 1):
            _, place, velocity, _, _ = self.flight.fly(place, velocity, moves[:, step])
        last = seen[:, self.known - 1]
        return [ops.clip(place, last - PIXEL / 2, last + PIXEL / 2) if self.known > 1 else place, velocity]

    def search(self, seen, moves, first, looked: int, going=None):
        """The try (runs, places) that is in the middle of those that fit."""
        place = ops.repeat(first[:, None], self.tries, axis=1)
        velocity, misfit = ops.zeros_like(place) + self.speed * self.tried, 0.0
        for step in range(looked - 1):
            _, place, velocity, _, _ = self.flight.fly(place, velocity, moves[:, step, None])
            away = ops.sum(ops.relu(ops.absolute(seen[:, step + 1, None] - place) - PIXEL / 2), axis=-1)
            misfit = misfit + (away if going is None else away * going[:, step + 1, None])
        weight = ops.softmax(-misfit / FITS, axis=-1)
        aside = ops.sum(ops.square(self.tried - ops.matmul(weight, self.tried)[:, None]), axis=-1)
        return ops.take(self.tried, ops.argmin(misfit / FITS + aside / NEAR**2, axis=-1), axis=0)

    def begin(self, runs):
        """The state before the first step: the rows so far, actions that led to them, their number; place, velocity."""
        rows = [ops.zeros((runs, self.known, size)) for size in (self.places, self.flight.actions)]
        return [*rows, ops.zeros((runs, 1)), *(ops.zeros((runs, self.places)) for _ in range(2))]

    def step(self, fed, state):
        """One step: (runs, what is known of it), state -> what is said, state."""
        (seen, action, told), (rows, actions, count, *flying) = self.parts(fed), state
        rows, count = ops.concatenate([rows[:, 1:], seen[:, None]], axis=1), count + 1
        flying = self.begun(flying, rows, actions[:, 1:], told, count)
        said, moved = self.flight(action, flying, training=False)
        begun = ops.cast(count >= self.known, fed.dtype)
        actions = ops.concatenate([actions[:, 1:], action[:, None]], axis=1)
        return begun * said, [rows, actions, count, *(begun * each for each in moved)]

    def begun(self, flying, rows, actions, told, count):
        """Place and velocity: what is read of the known rows once the last of them is there, otherwise as they were."""
        if self.tries:  # a search is not made at every step
            read = partial(self.read, rows, actions, told, self.known)
            return ops.cond(ops.all(count == self.known), read, lambda: flying)
        last, found = ops.cast(count == self.known, rows.dtype), self.read(rows, actions, told, self.known)
        return [last * new + (1 - last) * old for new, old in zip(found, flying, strict=True)]

    def get_config(self):
        own = {name: getattr(self, name) for name in ("known", "told", "tries")}
        return super().get_config() | self.flight.get_config() | own | {"name": self.name}


def numbers(layer, name: str, values):
    """A weight of a layer that begins with these values."""
    values = np.asarray(values, dtype="float32")
    return layer.add_weight(shape=values.shape, name=name, initializer=constant(values))


def constant(values: np.ndarray):
    """An initializer that gives these values."""
    return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)


@keras.saving.register_keras_serializable("sim2seq.pong")
class PlacesAndEnd(keras.losses.Loss):
    """How far places are from the pixel that was seen, and cross-entropy of the end; less for what is further ahead.

    A frame shows whole pixels: any place within the pixel is as good as another.
    """

    def __init__(self):
        super().__init__(name="places_and_end", reduction="mean_with_sample_weight")

    def call(self, true, said):
        away = ops.relu(ops.absolute(true - said)[..., :-1] - PIXEL / 2)
        chance = ops.clip(said[..., -1], 1e-6, 1 - 1e-6)
        of_end = -true[..., -1] * ops.log(chance) - (1 - true[..., -1]) * ops.log(1 - chance)
        ahead = ops.arange(true.shape[1], dtype=said.dtype)
        return ops.mean(away, axis=-1) / (1 + ahead / FORGETS) + OVER * of_end


def objects(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The core: places, end and action of each step [, inputs of the run] -> places and end of the next one.

    Box, moves and first velocities begin as the training runs say at once; ValueError without them.
    """
    if values is None:
        raise ValueError("objects: expected training runs, whose range its box begins with; got none")
    values, many = np.asarray(values), sizes.outputs - 1
    low, high = (edge(values[..., :many], axis=(0, 1)) for edge in (np.nanmin, np.nanmax))
    actions = WORLDS["pong" if many == 4 else "cube_crash"].actions
    options = {"units": settings.units, "tries": TRIES if settings.window > 1 and not sizes.conditions else 0}
    network = Objects(
        low, high, known=settings.window, actions=actions, told=sizes.conditions, name="network", **options
    )
    inputs = core_inputs(sizes, "float32")
    told = [ops.ones_like(inputs[0][..., :1]) * each[:, None] for each in inputs[1:]]
    core = keras.Model(one_or_all(inputs), network(ops.concatenate([inputs[0], *told], axis=-1)), name="objects")
    moves = first_moves(values, many, actions)
    network.flight.moves.assign(moves)
    shift = first_shift(values, many, moves)
    network.shift.assign(shift)
    network.flight.box_low.assign(low + shift)
    network.flight.box_high.assign(high + shift)
    network.launch.assign(first_launch(values, many, moves, conditions))
    if network.tries:
        network.tried.assign(first_velocities(values, many, moves, shift, network.tries))
    core.lookback, core.error_unit, core.own_loss = None, 1.0, PlacesAndEnd()
    return core


STEPPERS["objects"] = lambda core: Stepper(core.get_layer("network").begin, core.get_layer("network").step)
