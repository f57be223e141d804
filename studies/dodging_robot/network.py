"""Networks: from the last rows of what is seen, (samples, timesteps, 8), to the command of the next one, (samples, 1).

Every network begins with the same fixed layer, `known_physics`, and ends within the robot's speed limit.
"""

from __future__ import annotations

import keras
from keras import ops

from studies.dodging_robot.simulate import BALL_FEATURES, BALLS, WORLD

CHOICES = (-1.0, 0.0, 1.0)  # left, stay, right
SPREADS = {"x": (0.0, 1.0), "y": (2.4, 1.4), "vx": (0.0, 0.7), "vy": (-2.9, 0.45)}  # middle and scale, m and m/s
SLOWEST = 0.5  # m/s: below that a ball does not arrive in the time that counts


def known_physics(seen, *, crossing: bool = True):
    """Of each ball, beside its four numbers in units of their spread: when and where it crosses the robot's line.

    seen (samples, timesteps, 8) -> (samples, timesteps, 16), or 8 without `crossing`. An absent ball, four zeros, gives
    zeros. The scales are the world's and not the data's, so there is nothing in them that a split could leak.
    The crossing place is told through a tanh at the width of a ball and at three times that, since far is far.
    """
    known = []
    for ball in range(BALLS):
        x, y, vx, vy = (seen[..., 4 * ball + place : 4 * ball + place + 1] for place in range(4))
        present = ops.cast(ops.abs(vx) + ops.abs(vy) > 0, seen.dtype)
        time = ops.maximum(y, 0.0) / ops.maximum(-vy, SLOWEST)
        cross = x + vx * time
        middles = zip((x, y, vx, vy), SPREADS.values(), strict=True)
        scaled = [(value - middle) / spread for value, (middle, spread) in middles]
        near = ops.tanh(cross / WORLD.contact)
        crossed = [time / 0.8 - 1.0, near, ops.tanh(cross / (3 * WORLD.contact)), near * ops.exp(-2.0 * time)]
        known += [value * present for value in (scaled if not crossing else [*scaled, *crossed])]
    return ops.concatenate(known, axis=-1)


def single_lstm(timesteps: int, neurons: int, *, head: str = "plain", physics: bool = True) -> keras.Model:
    """One LSTM layer and one output, bounded to the speed limit; see HEADS for what the output is."""
    seen = keras.Input((timesteps, len(BALL_FEATURES)), name="window")
    hidden = keras.layers.LSTM(neurons, unroll=True)(known_physics(seen, crossing=physics))
    return keras.Model(seen, HEADS[head](hidden), name="single_lstm")


def feed_forward(timesteps: int, neurons: int, *, head: str = "plain", physics: bool = True) -> keras.Model:
    """The source's comparator: the last row alone, 10 and 4 neurons, tanh; on the first layer of the others."""
    seen = keras.Input((timesteps, len(BALL_FEATURES)), name="window")
    hidden = known_physics(seen[:, -1:], crossing=physics)[:, 0]
    for size in (10, 4):
        hidden = keras.layers.Dense(size, activation="tanh")(hidden)
    return keras.Model(seen, HEADS[head](hidden), name="feed_forward")


def plain_head(hidden):
    """The command itself."""
    return WORLD.robot_speed * keras.layers.Dense(1, activation="tanh", name="command")(hidden)


def left_right_head(hidden):
    """Probabilities of left, stay and right, which cannot mean "stay" when left and right are equally good."""
    return keras.layers.Dense(len(CHOICES), activation="softmax", name="choice")(hidden)


NETWORKS = {"single_lstm": single_lstm, "feed_forward": feed_forward}
HEADS = {"plain": plain_head, "left_right": left_right_head}


def deciding(network: keras.Model, speed: float) -> keras.Model:
    """The model that is saved and played: a network whose answer is a command, (samples, 1), m/s.

    Of the left-right head that is the likeliest choice at `speed`.
    """
    answer = network.outputs[0]
    if answer.shape[-1] == len(CHOICES):
        chosen = ops.one_hot(ops.argmax(answer, axis=-1), len(CHOICES))
        answer = ops.sum(chosen * ops.convert_to_tensor([CHOICES], dtype=chosen.dtype), axis=-1, keepdims=True) * speed
    return keras.Model(network.inputs[0], answer, name=f"{network.name}_policy")
