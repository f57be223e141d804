"""Guesses: what needs no network, as dreams, to stand beside every model: from copying to knowing the rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from studies.pong import places
from studies.pong.dream import Dream
from studies.pong.limit import every_angle
from studies.pong.locating import find_ball
from studies.pong.simple import check_moving, constant_velocity, copy
from studies.pong.worlds import BRIGHT, CubeCrash, Pong, draw

ANGLES = 2**14  # launches that are tried: 4e-4 rad apart
COPY = "copy the last frame"


def beside(world, frames: np.ndarray, lengths: np.ndarray, known: int) -> dict[str, Callable[[], Dream]]:
    """Name -> what makes the guess: all that stand beside a model which is shown `known` frames.

    frames, lengths   those of the training episodes
    Which way a ball flies one frame does not tell: then Pong has three of them; CubeCrash has all in any frame.
    """
    found = {
        COPY: lambda: copy(world, known),
        "mean frame": lambda: mean_frame(world, frames, lengths, known),
        "nearest training episode": lambda: nearest(world, frames, lengths, known),
    }
    if world.name == CubeCrash.name:
        found["told the rules"] = lambda: rules(world, known)
    elif world.name == Pong.name and known > 1:
        found["constant velocity"] = lambda: constant_velocity(world, known)
        found["constant velocity with walls"] = lambda: rules(world, known)
    return found


def mean_frame(world, frames: np.ndarray, lengths: np.ndarray, known: int = 1) -> Dream:
    """At each step the mean of the training frames (episodes, steps, height, width) there, whatever was shown."""
    there = np.arange(frames.shape[1]) < lengths[:, None]
    means = [frames[there[:, step], step].mean(axis=0) for step in range(frames.shape[1]) if there[:, step].any()]
    table = np.stack(means) / BRIGHT

    def advance(step, actions):
        frame = table[min(step, len(table) - 1)]
        return np.broadcast_to(frame, (len(actions), *frame.shape)), np.zeros(len(actions)), step + 1

    return Dream(world, known, (), lambda frames, actions, meta: known, advance)


def nearest(world, frames: np.ndarray, lengths: np.ndarray, known: int) -> Dream:
    """What followed in the training episode whose known frames differ least; its last frame for ever after its end."""
    kept = np.flatnonzero(lengths > known)
    shown = frames[kept, :known].reshape(len(kept), -1).astype("float32")
    squares = np.square(shown).sum(axis=1)

    def start(seen, actions, meta):
        asked = seen.reshape(len(seen), -1).astype("float32")
        return kept[np.argmin(squares - 2 * asked @ shown.T, axis=1)], known

    def advance(inner, actions):
        chosen, step = inner
        last = lengths[chosen] - 1
        over = (step >= last) & (lengths[chosen] < frames.shape[1])
        return frames[chosen, np.minimum(step, last)] / np.float32(BRIGHT), over.astype(float), (chosen, step + 1)

    return Dream(world, known, (), start, advance)


def rules(world, known: int) -> Dream:
    """The world itself, told the rules: CubeCrash from its first frame, Pong from the launch that fits what was seen.

    Raises ValueError for fewer than two frames of Pong.
    """
    if world.name != CubeCrash.name:
        check_moving(world, known)
        paths = every_angle(world, known, angles=ANGLES)

    def start(frames, actions, meta):
        if world.name == CubeCrash.name:
            return places.find(world, frames[:, -1])
        states = world.launch_at(np.array([fitting(paths.shown, seen) for seen in find_ball(world, frames)]))
        for step in range(1, known):
            states = world.step(states, actions[:, step].astype(int))[0]
        return states

    def advance(states, actions):
        states, over, _ = world.step(states, np.asarray(actions, dtype=int))
        return draw(world, states) / np.float32(BRIGHT), over.astype(float), states

    return Dream(world, known, (), start, advance)


def fitting(shown: np.ndarray, seen: np.ndarray) -> float:
    """The launch angle whose ball is shown where it was seen (known, 2), in the middle of all that are.

    shown   (known, angles, 2), of angles evenly spread over the circle. Where none is, those that come nearest.
    """
    away = np.square(shown - seen[:, None]).sum(axis=(0, 2))
    angles = (np.flatnonzero(away == away.min()) + 0.5) * 2 * np.pi / len(away)
    middle = np.arctan2(np.sin(angles).sum(), np.cos(angles).sum())  # they may lie on both sides of angle 0
    return angles[np.argmax(np.cos(angles - middle))]
