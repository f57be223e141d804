"""Objects: our network. It keeps a few numbers for each place instead of frames, and learns how they go on.

What it is told: that there are places, each with a velocity, in a box; that known frames are read by a Kalman filter
(Kalman, A new approach to linear filtering and prediction problems, 1960), since they show places cut to whole pixels.
What it learns: the box, what becomes of a velocity at its edges, what each action moves, what the inputs of the episode
say about the velocity, how far the first frames can be trusted, and when the game is over.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from sim2seq.models.builders import core_inputs, one_or_all
from studies.pong.worlds import WORLDS

FIRST_TRUST = {"noise": 0.1, "place": 0.05, "velocity": 0.3}  # variances, px^2, before anything is learned
FORGETS = 10.0  # steps ahead at which an error counts half as much as in the next step
OVER = 2.0  # what a wrong end counts, beside errors in pixels
PIXEL = 1.0
LAUNCHED = 4  # steps in which the first velocity is looked for
CLOSE = 4.0  # pixels, the unit of how far things are from each other
EDGE = 0.02  # so near to an edge of its box, a place is at it


@keras.saving.register_keras_serializable("sim2seq.pong")
class Objects(layers.Layer):
    """The cell: at each step it is given places, whether the game is over, the action of the next step, and inputs.

    (runs, places + 2 + told) -> (runs, places + 1): the places one step later, and the chance that the game is over;
    whole pixels, but for who trains it. The first `known` steps are read; from then on nothing but the action is.

    low, high   (places,): the box that it begins to learn with
    """

    def __init__(self, low, high, *, known: int, actions: int, told: int = 0, units=(64, 64), **options):
        super().__init__(**options)
        self.low, self.high, self.units = list(map(float, low)), list(map(float, high)), tuple(units)
        self.known, self.actions, self.told, self.places = known, actions, told, len(self.low)
        each = self.places
        self.state_size = [each] * 5 + [1]
        self.output_size = each + 1
        self.head = [layers.Dense(size, activation="relu") for size in self.units] + [layers.Dense(1)]

    def build(self, shape):
        def numbers(name, values):
            values = np.asarray(values, dtype="float32")
            return self.add_weight(shape=values.shape, name=name, initializer=constant(values))

        each = np.ones(self.places)
        self.box_low, self.box_high = numbers("low", self.low), numbers("high", self.high)
        self.moves = numbers("moves", np.zeros((self.actions, self.places)))
        self.bounce = numbers("bounce", 0.5 * each)
        self.shift = numbers("shift", 0 * each)
        self.launch = numbers("launch", np.zeros((self.told + 1, self.places)))
        self.trust = {name: numbers(name, np.log(first) * each) for name, first in FIRST_TRUST.items()}
        width = 3 * self.places + self.places * (self.places - 1) // 2
        for layer in self.head:
            layer.build((None, width))
            width = layer.units
        super().build(shape)

    def call(self, row, states, training=None):
        count = states[-1]
        seen, told = row[:, : self.places], row[:, self.places + 2 :]
        place, velocity, spread = self.read(seen, told, states[:-1], count)
        action = ops.one_hot(ops.cast(row[:, self.places + 1], "int32"), self.actions, dtype=row.dtype)
        free = place + velocity + ops.matmul(action, self.moves)
        below, above = ops.cast(free < self.box_low, row.dtype), ops.cast(free > self.box_high, row.dtype)
        following = ops.clip(free, self.box_low, self.box_high)
        within = 1 - below - above
        velocity = velocity * (1 - (1 - within) * (1 + self.bounce))
        of_place, both, of_velocity = spread
        spread = [within * (of_place + 2 * both + of_velocity), within * (both + of_velocity), of_velocity]
        apart = [(free[:, one : one + 1] - free[:, one + 1 :]) / CLOSE for one in range(self.places - 1)]
        over = ops.concatenate([(following - self.middle) / CLOSE, *apart, below, above], axis=-1)
        for layer in self.head:
            over = layer(over)
        said = following if training else self.shown(following)
        return ops.concatenate([said, ops.sigmoid(over)], -1), [following, velocity, *spread, count + 1]

    def shown(self, place):
        """The pixel that a frame shows: the nearest, and at an edge of the box the first or last one ever seen."""
        nearest = ops.floor(place + PIXEL / 2)
        nearest = ops.where(place < self.box_low + EDGE, ops.convert_to_tensor(self.low, place.dtype), nearest)
        return ops.where(place > self.box_high - EDGE, ops.convert_to_tensor(self.high, place.dtype), nearest)

    def read(self, seen, told, states, count):
        """Place, velocity and their covariances with what this row shows, as long as rows are known."""
        place, velocity, of_place, both, of_velocity = states
        first, noise = ops.cast(count < 0.5, seen.dtype), ops.exp(self.trust["noise"])
        launch = self.launch[0] + ops.matmul(told, self.launch[1:]) if self.told else self.launch[0]
        place = first * (seen + self.shift) + (1 - first) * place
        velocity = first * launch + (1 - first) * velocity
        of_place = first * ops.exp(self.trust["place"]) + (1 - first) * of_place
        of_velocity = first * ops.exp(self.trust["velocity"]) + (1 - first) * of_velocity
        counts = (1 - first) * ops.cast(count < self.known - 0.5, seen.dtype) / (of_place + noise)
        gain, gain_of_velocity = counts * of_place, counts * both
        away = seen - place
        place, velocity = place + gain * away, velocity + gain_of_velocity * away
        spread = [of_place * (1 - gain), both * (1 - gain), of_velocity - gain_of_velocity * both]
        return place, velocity, spread

    @property
    def middle(self):
        return (self.box_low + self.box_high) / 2

    def get_config(self):
        own = {name: getattr(self, name) for name in ("low", "high", "known", "actions", "told", "units")}
        return super().get_config() | own


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

    Box, moves and launch begin as the training runs say at once; ValueError without them.
    """
    if values is None:
        raise ValueError("objects: expected training runs, whose range its box begins with; got none")
    values, many = np.asarray(values), sizes.outputs - 1
    low, high = (edge(values[..., :many], axis=(0, 1)) for edge in (np.nanmin, np.nanmax))
    actions = WORLDS["pong" if sizes.outputs == 5 else "cube_crash"].actions
    cell = Objects(low, high, known=settings.window, actions=actions, told=sizes.conditions, units=settings.units)
    inputs = core_inputs(sizes, "float32")
    told = [ops.ones_like(inputs[0][..., :1]) * each[:, None] for each in inputs[1:]]
    fed = ops.concatenate([inputs[0], *told], axis=-1) if told else inputs[0]
    before = keras.Model(one_or_all(inputs), fed, name="before")
    rows = keras.Input((None, fed.shape[-1]))
    network = keras.Model(rows, layers.RNN(cell, return_sequences=True, name="objects")(rows), name="network")
    core = keras.Model(one_or_all(inputs), network(before(one_or_all(inputs))), name="objects")
    moves = first_moves(values, many, actions)
    cell.moves.assign(moves)
    cell.launch.assign(first_launch(values, many, moves, conditions))
    core.lookback, core.error_unit, core.own_loss = None, 1.0, PlacesAndEnd()
    return core


def first_moves(values: np.ndarray, many: int, actions: int) -> np.ndarray:
    """(actions, places): the median change of each place in a step with each action; values (runs, steps, ...)."""
    change, action = np.diff(values[..., :many], axis=1), values[:, 1:, -1]
    found = [change[action == number] for number in range(actions)]
    return np.stack([np.nanmedian(each, axis=0) if len(each) else np.zeros(many) for each in found])


def first_launch(values: np.ndarray, many: int, moves: np.ndarray, conditions) -> np.ndarray:
    """(1 + conditions, places): velocity over the first steps, less what the actions move, by least squares."""
    steps = min(LAUNCHED, values.shape[1] - 1)
    moved = moves[np.nan_to_num(values[:, 1 : steps + 1, -1]).astype(int)].sum(axis=1)
    pace = (values[:, steps, :many] - values[:, 0, :many] - moved) / steps
    ones = np.ones((len(values), 1))
    told = ones if conditions is None else np.concatenate([ones, conditions], axis=1)
    there = np.isfinite(pace).all(axis=1)
    return np.linalg.lstsq(told[there], pace[there], rcond=None)[0]
