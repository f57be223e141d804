"""Objects of Pong, which know the rules: exact where the launch is told, at the limit where it is read off frames."""

import numpy as np
import pytest
import tensorflow as tf
from games import played
from keras import ops

from studies.pong import beginnings, limit, places
from studies.pong.objects import Flight, Objects
from studies.pong.simulate import STEPS
from studies.pong.worlds import Pong

PONG = Pong()


def knowing(known: int, *, told: int = 0, tries: int = 0) -> Objects:
    """Objects that has learned all there is to learn of Pong, but the end; places are in the middle of their pixels."""
    layer = Objects([-8, -13, -1, -1], [8, 14, 16, 16], known=known, actions=9, told=told, tries=tries)
    layer.build((None, None, 6 + told))
    flight, half, moves = layer.flight, np.array([0.5, -0.5, 0, 0]), np.zeros((9, 4))
    moves[:, 2:] = np.stack(PONG.moves(np.arange(9)), axis=1)
    for weight, value in ((flight.box_low, flight.low - half), (flight.box_high, flight.high - half),
                          (flight.moves, moves), (flight.bounce, np.ones(4)), (layer.shift, -half)):  # fmt: skip
        weight.assign(value)
    return layer


def flown(layer, episodes, told=()):
    """How far off the ball and the planks are, (episodes, steps, places), nan beyond the end."""
    found = places.find(PONG, episodes.frames).astype("float32")
    rows = np.concatenate(
        [found[:, :-1], np.zeros_like(found[:, 1:, :1]), episodes.actions[:, 1:, None], *told], axis=-1
    )
    away = np.abs(ops.convert_to_numpy(layer(rows.astype("float32")))[..., :4] - found[:, 1:])
    away[np.arange(1, found.shape[1]) >= episodes.lengths[:, None]] = np.nan
    return away[:, layer.known - 1 :]


def test_objects_that_know_the_rules_and_the_angle_are_exact():
    layer, episodes = knowing(1, told=2), played(PONG, 30)
    layer.launch.assign([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    away = flown(layer, episodes, [np.repeat(episodes.states[:, :1, 2:4], 95, axis=1)])
    assert np.nanmax(away) <= 1
    assert np.nanmean(away) < 0.01  # a ball at the edge of a pixel is rounded either way


def test_objects_that_know_the_rules_read_a_launch_at_the_limit():
    layer, episodes = knowing(16, tries=1024), played(PONG, 100)
    angles = np.arange(1024) * 2 * np.pi / 1024
    layer.tried.assign(np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=-1))
    distance = np.linalg.norm(flown(layer, episodes)[..., :2], axis=-1)
    paths = limit.every_angle(PONG, STEPS["pong"], angles=2**13)
    least = limit.limit(paths, episodes.states, episodes.actions, episodes.lengths, 16)
    assert np.nanmean(distance[:, :60]) < 1.5 * np.nanmean(least[:, 16:76])


def test_who_learns_finds_a_launch_by_more_than_the_known_rows():
    """One of 64 directions fits 35 rows; of those that fit the 3 known ones, another is in the middle."""
    layer, episodes = knowing(3, tries=64), played(PONG, 30)
    angles = np.arange(64) * 2 * np.pi / 64
    layer.tried.assign(np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=-1))
    seen = places.find(PONG, episodes.frames).astype("float32")
    actions = np.eye(9, dtype="float32")[episodes.actions[:, 1:]]
    going = (np.arange(96) < episodes.lengths[:, None]).astype("float32")
    off = []
    for looked in (3, 35):
        _, velocity = layer.read(seen, actions, seen[:, 0, :0], looked, going[:, :looked])
        start = ops.convert_to_numpy(velocity)[:, :2]  # no ball is at a wall after two steps
        off.append(np.mean(np.linalg.norm(start - episodes.states[:, 0, 2:4], axis=1)))
    assert off[1] < 0.05  # neighbours are 0.1 apart
    assert off[0] > 0.1


def test_the_speed_of_launches_is_found_to_half_a_per_cent():
    """Their mean way over eight steps is 1.5 % too short."""
    episodes = played(PONG, 300)
    found = places.find(PONG, episodes.frames).astype("float32")
    values = np.concatenate([found, episodes.terminals[..., None], episodes.actions[..., None]], axis=-1)
    values[np.arange(96) >= episodes.lengths[:, None]] = np.nan
    moves = beginnings.first_moves(values, 4, 9)
    shift = beginnings.first_shift(values, 4, moves)
    assert beginnings.first_speed(values, 4, moves, shift) == pytest.approx(1, abs=0.005)
    way = np.linalg.norm((beginnings.paces(values, 4, moves, 8) - shift / 8)[:, :2], axis=1)
    assert np.nanmean(way) < 0.99


def test_objects_step_as_they_read_everything_again():
    layer, episodes = knowing(3, tries=64), played(PONG, 4)
    layer.tried.assign(np.random.default_rng(0).normal(size=(64, 4)))
    found = places.find(PONG, episodes.frames[:, :9])
    rows = np.concatenate([found, np.zeros((4, 9, 1)), episodes.actions[:, 1:10, None]], axis=-1).astype("float32")
    state, said = layer.begin(4), []
    for step in range(9):
        answer, state = layer.step(ops.convert_to_tensor(rows[:, step]), state)
        said.append(ops.convert_to_numpy(answer))
    assert np.stack(said, axis=1) == pytest.approx(ops.convert_to_numpy(layer(rows)), abs=1e-5)


def test_an_end_is_learned_without_moving_what_moves():
    """Where all places are right at once, as in CubeCrash, nothing but the end is left to learn."""
    layer = Flight([0, 4, 8], [31, 40, 23], actions=3)
    state = [ops.convert_to_tensor([[16.0, 20.0, 12.0]]), ops.zeros((1, 3))]
    layer.build((1, 3))
    with tf.GradientTape() as tape:
        said, _ = layer(ops.ones((1, 3)), state, training=True)
        over = said[:, -1]
    found = tape.gradient(over, [weight.value for weight in layer.trainable_weights])
    names = [weight.name for weight in layer.trainable_weights]
    learned = [name for name, each in zip(names, found, strict=True) if each is not None and np.any(each)]
    assert set(learned) == {"kernel", "bias"}  # not the box, nor what actions move
