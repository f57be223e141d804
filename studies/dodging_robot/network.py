"""Networks: from the last rows of what is seen, (samples, window, 8), to the command of the next one.

Builders in the form of sim2seq/models/builders.py, in physical units. Every network begins with the same fixed layer,
`known_physics`, and ends in a head: the command itself, within the robot's speed limit, or a choice.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from studies.dodging_robot.world import BALLS, WORLD

MOVES = 1 / 3  # of the speed limit: a slower command counts as staying
SPREADS = {"x": (0.0, 1.0), "y": (2.4, 1.4), "vx": (0.0, 0.7), "vy": (-2.9, 0.45)}  # middle and scale, m and m/s
SLOWEST = 0.5  # m/s: below that a ball does not arrive in the time that counts


def known_physics(seen, *, crossing: bool = True):
    """Of each ball, beside its four numbers in units of their spread: when and where it crosses the robot's line.

    seen (samples, window, 8) -> (samples, window, 16), or 8 without `crossing`. An absent ball, four zeros, gives
    zeros. The scales are the world's and not the data's, so there is nothing in them that a split could leak.
    The crossing place is told through a tanh at the width of a ball and at three times that, since far is far.
    """
    features = []
    for ball in range(BALLS):
        x, y, vx, vy = (seen[..., 4 * ball + place : 4 * ball + place + 1] for place in range(4))
        present = ops.cast(ops.abs(vx) + ops.abs(vy) > 0, seen.dtype)
        time = ops.maximum(y, 0.0) / ops.maximum(-vy, SLOWEST)
        cross = x + vx * time
        middles = zip((x, y, vx, vy), SPREADS.values(), strict=True)
        scaled = [(value - middle) / spread for value, (middle, spread) in middles]
        near = ops.tanh(cross / WORLD.contact)
        crossed = [time / 0.8 - 1.0, near, ops.tanh(cross / (3 * WORLD.contact)), near * ops.exp(-2.0 * time)]
        features += [value * present for value in (scaled if not crossing else [*scaled, *crossed])]
    return ops.concatenate(features, axis=-1)


def single_lstm(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """One LSTM layer, and the head that `settings.chooses` says."""
    seen = keras.Input((settings.window, sizes.inputs), name="series")
    features = known_physics(seen, crossing=settings.physics)
    return with_head(seen, keras.layers.LSTM(settings.units[0], unroll=True)(features), settings)


def feed_forward(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The source's comparator: the last row alone, 10 and 4 neurons, tanh; on the first layer of the other."""
    seen = keras.Input((settings.window, sizes.inputs), name="series")
    hidden = known_physics(seen[:, -1:], crossing=settings.physics)[:, 0]
    for size in (10, 4):
        hidden = keras.layers.Dense(size, activation="tanh")(hidden)
    return with_head(seen, hidden, settings)


def with_head(seen, hidden, settings) -> keras.Model:
    """The core (samples, window, 8) -> (samples, 1, outputs): the command, or the chances of left, stay and right.

    A choice cannot mean "stay" when left and right are equally good; it is decoded as -1, 0 or 1 (study.Commands).
    """
    if settings.chooses:
        answer = keras.layers.Dense(3, activation="softmax", name="choice")(hidden)
    else:
        answer = WORLD.robot_speed * keras.layers.Dense(1, activation="tanh", name="command")(hidden)
    core = keras.Model(seen, ops.expand_dims(answer, 1), name=settings.model)
    core.lookback, core.error_unit = seen.shape[1], 1.0
    if settings.chooses:
        core.own_loss, core.encode, core.decode = "sparse_categorical_crossentropy", choice_of, likeliest
    return core


def choice_of(commands: np.ndarray) -> np.ndarray:
    """0, 1 or 2 for each command, (..., 1): left, stay, right."""
    moves = np.abs(commands) > MOVES * WORLD.robot_speed
    return (np.sign(commands) * moves + 1).astype("int32")


def likeliest(chances):
    """-1, 0 or 1: the likeliest of left, stay and right, (samples, 3) -> (samples, 1)."""
    return ops.cast(ops.argmax(chances, axis=-1, keepdims=True), chances.dtype) - 1.0


NETWORKS = {"single_lstm": single_lstm, "feed_forward": feed_forward}
