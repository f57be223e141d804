"""The limit: how well anybody could say where Pong's ball will be, who has seen the first frames of an episode.

Frames show whole pixels, so a few of them leave many launch angles open. Here all angles are enumerated: those whose
frames equal the ones that were seen are possible, each as likely as the next, and the best forecast is the mean of
their places. Planks and actions are the recorded ones. Two ways of weighing the possible angles:

still_on   an angle drops out when its ball would have missed a plank: the game was still on. What the issue asks for.
moved      and counts the more, the better the planks' moves fit to an agent that sees its ball. The actions of the
           future are known to a model, and they give the ball away: it may do better than `still_on` allows.

The mean has the least squared distance. Of the distance itself, which is what is averaged here, the geometric median of
the possible places has the least: 1 to 3 % less than the mean with 2 or 3 known frames, about 10 % less with 8 or 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from studies.pong.agents import aim
from studies.pong.locating import find_planks
from studies.pong.worlds import Pong

ANGLES = 2**16  # enumerated: 1e-4 rad apart, 0.01 pixels after 100 steps
MOST = 512  # possible angles that are followed, evenly chosen
LAUNCH = ("launch_sin", "launch_cos")  # inputs of an episode that say its launch
PHASES, LEVELS = 32, 16  # of the agent's wave, and of its stochasticity


def true_place(states: np.ndarray) -> np.ndarray:
    """(..., 2): x and y of the ball, with the part after the point."""
    return states[..., :2]


@dataclass(frozen=True)
class Paths:
    """Balls that always return, whatever the planks do.

    place           states -> (..., 2): what is to be forecast
    places          (steps, balls, 2): that of all
    shown           (steps, balls, 2): where frames show them
    ball            (steps, balls, 2): where they are
    crossed, level  (steps, balls): -1, 0 or 1 for the side that a ball crosses, and its y there (Pong.fly)
    """

    world: Pong
    place: Callable
    places: np.ndarray
    shown: np.ndarray
    ball: np.ndarray
    crossed: np.ndarray
    level: np.ndarray

    def cut(self, steps: int, balls) -> Paths:
        """The first steps of some balls."""
        parts = (self.places, self.shown, self.ball, self.crossed, self.level)
        return Paths(self.world, self.place, *(part[:steps, balls] for part in parts))

    def beside(self, other: Paths) -> Paths:
        """Both, ball after ball."""
        parts = ("places", "shown", "ball", "crossed", "level")
        joined = (np.concatenate([getattr(self, part), getattr(other, part)], axis=1) for part in parts)
        return Paths(self.world, self.place, *joined)


def follow(world: Pong, launches: np.ndarray, steps: int, *, place=None) -> Paths:
    """Follow balls from their launches (balls, 6); `place` is what of the states is to be forecast (default: shown)."""
    place = place or world.shown
    ball = np.empty((steps, len(launches), 2), dtype=np.float32)
    places, shown = np.empty_like(ball), np.empty(ball.shape, dtype=np.int8)
    crossed, level = np.zeros(ball.shape[:2], dtype=np.int8), np.zeros(ball.shape[:2], dtype=np.float32)
    now = launches[:, :4].T
    for step in range(steps):
        if step:
            now, (crossed[step], level[step]) = world.fly(*now)
        states = np.stack(now[:2], axis=-1)
        ball[step], shown[step] = states, world.shown(states)
        places[step] = place(states)
    return Paths(world, place, places, shown, ball, crossed, level)


def every_angle(world: Pong, steps: int, *, angles: int = ANGLES, place=None) -> Paths:
    """The paths of balls launched at `angles` angles, evenly spread over the circle."""
    return follow(world, world.launch_at((np.arange(angles) + 0.5) * 2 * np.pi / angles), steps, place=place)


def returning(paths: Paths, known: int) -> np.ndarray:
    """(steps,): the mean error over all angles, of planks that always return and with `known` frames seen."""
    group = np.zeros(paths.shown.shape[1], dtype=int)
    for x, y in np.moveaxis(paths.shown[:known].astype(int), -1, 1):
        _, group = np.unique((group * 256 + x + 128) * 256 + y + 128, return_inverse=True)
    sizes = np.bincount(group)
    errors = []
    for places in paths.places:
        mean = np.stack([np.bincount(group, part) / sizes for part in places.T.astype(float)], axis=-1)
        errors.append(np.linalg.norm(places - mean[group], axis=-1).mean())
    return np.array(errors)


def still_on(paths: Paths, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """(steps, balls): 1 until the step after that of a missed plank, then 0."""
    left, right = states[:, 4:5], states[:, 5:6]
    missed = paths.world.missed(paths.crossed, paths.level, left, right)
    ended = np.cumsum(missed, axis=0) > 0
    return 1.0 - np.concatenate([np.zeros_like(ended[:1]), ended[:-1]])


def moved(paths: Paths, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """(steps, balls): still_on times the likelihood of all moves so far, of an agent with stochasticity 0.5 to 1.

    Phase and stochasticity of the agent are unknown: the likelihood is the mean over both.
    """
    fits = fitting(paths, states, actions, np.arange(PHASES) * 2 * np.pi / PHASES)
    logarithm = likelihood(len(states))[np.arange(len(states)), fits]
    logarithm -= logarithm.max(axis=(0, 1))
    return still_on(paths, states, actions) * np.exp(logarithm).mean(axis=1).T


def fitting(paths: Paths, states: np.ndarray, actions: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """(balls, phases, steps): how many moves so far, of 2 a step, an agent that leaves nothing to chance would make."""
    world, steps = paths.world, len(states)
    wave = np.where(np.sin(phases[:, None] + 0.1 * np.arange(1, steps)) >= 0, 1, -1)
    fits = np.zeros((paths.ball.shape[1], len(phases), steps), dtype=np.int16)
    for half, top, move in zip((-1, 1), states[:-1, 4:].T, world.moves(actions[1:]), strict=True):
        towards, near = aim(world, paths.ball[:-1], top[:, None], half)
        follows = (towards == move[:, None]).T
        fits[..., 1:] += np.where(near.T[:, None], follows[:, None], wave == move)
    return np.cumsum(fits, axis=-1, dtype=np.int16)


@lru_cache
def likelihood(steps: int) -> np.ndarray:
    """(steps, 2 * steps): its logarithm for 2 moves a step of which so many were towards the aim; row 0 has none."""
    stochasticity = (0.5 + 0.5 * (np.arange(LEVELS) + 0.5) / LEVELS)[:, None, None]
    fits = np.arange(2 * steps)
    others = np.maximum(2 * np.arange(steps)[:, None] - fits, 0)
    of_each = fits * np.log(1 - stochasticity * 2 / 3) + others * np.log(stochasticity / 3)
    return np.logaddexp.reduce(of_each, axis=0) - np.log(LEVELS)


def possible(paths: Paths, shown: np.ndarray) -> np.ndarray:
    """Indices of the balls that frames show in these places (known, 2); MOST at most, evenly chosen."""
    found = np.flatnonzero((paths.shown[len(shown) - 1] == shown[-1]).all(axis=-1))
    found = found[(paths.shown[: len(shown), found] == shown[:, None]).all(axis=(0, 2))]
    return found[:: -(-len(found) // MOST) or 1]


def limit(paths: Paths, states, actions, lengths, known: int, *, weigh=still_on) -> np.ndarray:
    """(episodes, steps): the distance of the best forecast from the truth, NaN in known rows and from the length on.

    states   (episodes, steps, 6); actions (episodes, steps); lengths (episodes,); `known` frames of each were seen
    The true launch is always among the possible ones. ValueError unless 1 <= known < steps.
    """
    if not 1 <= known < states.shape[1]:
        raise ValueError(f"known: expected 1 to {states.shape[1] - 1} frames, got {known}")
    truths = follow(paths.world, states[:, 0], min(states.shape[1], len(paths.places)), place=paths.place)
    errors = np.full(states.shape[:2], np.nan)
    for number, length in enumerate(np.minimum(lengths, len(truths.places))):
        if length <= known:
            continue
        truth = truths.cut(length, slice(number, number + 1))
        balls = paths.cut(length, possible(paths, truth.shown[:known, 0])).beside(truth)
        weights = weigh(balls, states[number, :length], actions[number, :length])[known:, :, None]
        mean = (weights * balls.places[known:]).sum(axis=1) / weights.sum(axis=1)
        errors[number, known:length] = np.linalg.norm(mean - truth.places[known:, 0], axis=-1)
    return errors


def tell_the_angle(inputs) -> bool:
    """Whether these inputs of an episode say where its ball was launched to, so that nothing is left open."""
    return {*LAUNCH} <= {*inputs} or "launch_angle" in inputs


def states_of(world: Pong, frames: np.ndarray, launch_sin: np.ndarray, launch_cos: np.ndarray) -> np.ndarray:
    """(episodes, steps, 6): what `limit` asks for, of recorded frames (episodes, steps, height, width): launches from
    their angles (episodes,), planks as frames show them."""
    launches = world.launch_at(np.arctan2(launch_sin, launch_cos))
    states = np.repeat(launches[:, None], frames.shape[1], axis=1)
    states[..., 4:] = find_planks(world, frames)
    return states


def by_horizon(errors: np.ndarray, known: int, horizons) -> tuple[np.ndarray, np.ndarray]:
    """(horizons,) the mean error of the episodes that last, and (horizons,) how many do.

    errors      (episodes, steps); horizons are counted in steps from the last known row
    """
    rows = [known - 1 + horizon for horizon in horizons]
    columns = [errors[:, row][~np.isnan(errors[:, row])] if row < errors.shape[1] else np.zeros(0) for row in rows]
    means = [column.mean() if len(column) else np.nan for column in columns]
    return np.array(means), np.array([len(column) for column in columns])
