"""Simple models, which learn nothing: the last frame for ever, constant velocity. They are played as others are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from studies.pong import places
from studies.pong.dream import Dream
from studies.pong.locating import find_ball, find_planks
from studies.pong.worlds import BRIGHT, CubeCrash, Pong, draw


def copy(world=None, known: int = 1) -> Dream:
    """The last known frame, for ever."""

    def advance(frames, actions):
        return frames, np.zeros(len(frames)), frames

    return Dream(world or Pong(), known, (), lambda frames, actions, meta: frames[:, -1] / np.float32(BRIGHT), advance)


def check_moving(world, known: int, worlds=(Pong.name,)) -> None:
    """Raise ValueError, in one line, for another world than these, or fewer frames than show which way things fly."""
    if world.name not in worlds:
        raise ValueError(f"constant velocity: expected the environment {' or '.join(worlds)}; got {world.name}")
    if known < 2:
        raise ValueError(f"known frames: expected 2 or more, which show which way the ball flies; got {known}")


def constant_velocity(world: Pong | CubeCrash | None = None, known: int = 2) -> Dream:
    """What nobody steers goes on as it went; the rest does what the actions say.

    Pong's ball flies on as since it last bounced, and stays where it meets a limit; CubeCrash's cube falls on. Raises
    ValueError for fewer than two frames, and for another world.
    """
    world = world or Pong()
    check_moving(world, known, GOES_ON)
    return Dream(world, known, (), *GOES_ON[world.name](world, known))


def ball_goes_on(world: Pong, known: int) -> tuple[Callable, Callable]:
    """How constant velocity begins in Pong, and goes on: place and velocity of the ball, tops of the planks."""
    lowest, highest = np.transpose([(-world.side, world.side), world.ball_limits])  # no ball is drawn beyond them

    def start(frames, actions, meta):
        ball, planks = find_ball(world, frames), find_planks(world, frames[:, -1])
        return np.concatenate([ball[:, -1], since_bounce(ball), planks], axis=-1)

    def advance(states, actions):
        planks = np.clip(states[:, 4:] + np.stack(world.moves(actions), axis=-1), *world.plank_limits)
        states = np.concatenate([states[:, :2] + states[:, 2:4], states[:, 2:4], planks], axis=-1)
        shown = np.concatenate([np.clip(np.round(states[:, :2]), lowest, highest), states[:, 2:]], axis=-1)
        return draw(world, shown) / np.float32(BRIGHT), np.zeros(len(states)), states

    return start, advance


def since_bounce(ball: np.ndarray) -> np.ndarray:
    """(episodes, 2): the mean velocity over the last of the steps between places (episodes, known, 2) in which neither
    coordinate turns back; each coordinate by itself, as a bounce turns but one."""
    steps = np.diff(ball, axis=1)[:, ::-1]
    turned = np.maximum.accumulate(steps > 0, axis=1) & np.maximum.accumulate(steps < 0, axis=1)
    return np.where(turned, 0, steps).sum(axis=1) / (~turned).sum(axis=1)


def cube_goes_on(world: CubeCrash, known: int) -> tuple[Callable, Callable]:
    """The same in CubeCrash: column and row of the cube, column of the hole, and how fast the cube falls."""

    def start(frames, actions, meta):
        seen = places.find(world, frames)
        return np.concatenate([seen[:, -1], (seen[:, -1, 1:2] - seen[:, 0, 1:2]) / (known - 1)], axis=-1)

    def advance(states, actions):
        x, y, hole, falls = states.T
        x = np.clip(x + world.moves(actions), world.cube, world.width - 1 - world.cube)
        states = np.stack([x, np.clip(y + falls, world.cube, world.height - 1), hole, falls], axis=-1)
        return draw(world, np.round(states[:, :3])) / np.float32(BRIGHT), np.zeros(len(states)), states

    return start, advance


GOES_ON = {Pong.name: ball_goes_on, CubeCrash.name: cube_goes_on}
SIMPLE = {"copy": copy, "constant velocity": constant_velocity}
