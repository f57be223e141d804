"""Scores: free-running on recorded actions, how far are the things from where they were, and is the end called?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studies.pong import places
from studies.pong.dream import Dream
from studies.pong.worlds import BRIGHT, CubeCrash

HORIZONS = (1, 5, 10, 20, 40, 60)
WITHIN = 60  # steps, of an end that counts
COPIED = "copied_"  # before the steps: what is recorded of copying the last known frame
LIMIT = "limit_"  # the same of the best that can be known of what a model is shown
TOGETHER = 100  # episodes whose frames are held at once


@dataclass(frozen=True)
class Episodes:
    """Recorded episodes: frames (episodes, steps, height, width) bytes, actions (episodes, steps), lengths (episodes,).

    inputs   name -> (episodes,)
    """

    frames: np.ndarray
    actions: np.ndarray
    lengths: np.ndarray
    inputs: dict[str, np.ndarray]

    def some(self, which) -> Episodes:
        """Some of them."""
        inputs = {name: column[which] for name, column in self.inputs.items()}
        return Episodes(self.frames[which], self.actions[which], self.lengths[which], inputs)


@dataclass(frozen=True)
class Rollout:
    """What a model made of episodes after the known frames; all (episodes, steps ahead, ...), nan beyond the end.

    pixels   mean squared error of a frame's pixels, 0 to 1
    places   where things are in the frames that were made; true_places: in the recorded ones
    over     the chance of the end; true_over: 1 at the last step of a game that ended
    """

    pixels: np.ndarray
    places: np.ndarray
    true_places: np.ndarray
    over: np.ndarray
    true_over: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(episodes, steps): of the ball, or the cube, from the truth, in pixels."""
        return np.linalg.norm(self.places[..., :2] - self.true_places[..., :2], axis=-1)

    @property
    def others(self) -> np.ndarray:
        """(episodes, steps): the mean error of the planks, or of the hole, in pixels."""
        return np.abs(self.places[..., 2:] - self.true_places[..., 2:]).mean(axis=-1)


def told(dream: Dream, episodes: Episodes) -> np.ndarray | None:
    """What a model must be told of these episodes, (episodes, told)."""
    return np.stack([episodes.inputs[name] for name in dream.told], axis=-1) if dream.told else None


def frames_of(dream: Dream, episodes: Episodes, steps: int):
    """The frames that a model makes, 0 to 1, and the chance of the end, one step after the other."""
    known = dream.known
    state = dream.begin(episodes.frames[:, :known], episodes.actions[:, :known], told(dream, episodes))
    for step in range(known, known + steps):
        frame, state = dream.step(state, episodes.actions[:, step])
        yield frame, state.over


def rollout(dream: Dream, episodes: Episodes, steps: int | None = None) -> Rollout:
    """Let a model go on from the known frames of each episode that is long enough, to its end, or `steps`."""
    most = episodes.frames.shape[1] - dream.known
    kept = np.flatnonzero(episodes.lengths > dream.known)
    pieces = [
        piece(dream, episodes.some(kept[first : first + TOGETHER]), min(steps or most, most))
        for first in range(0, len(kept), TOGETHER)
    ]
    parts = zip(*((one.pixels, one.places, one.true_places, one.over, one.true_over) for one in pieces), strict=True)
    return Rollout(*map(np.concatenate, parts))


def piece(dream: Dream, episodes: Episodes, steps: int) -> Rollout:
    rows = slice(dream.known, dream.known + steps)
    true = episodes.frames[:, rows]
    numbers = np.arange(dream.known, dream.known + steps)
    valid = numbers < episodes.lengths[:, None]
    last = (numbers == episodes.lengths[:, None] - 1) & (episodes.lengths[:, None] < episodes.frames.shape[1])
    pixels, found, over = np.full(valid.shape, np.nan), [], np.full(valid.shape, np.nan)
    for step, (frame, chance) in enumerate(frames_of(dream, episodes, steps)):
        pixels[:, step] = np.square(frame - true[:, step] / np.float32(BRIGHT)).mean(axis=(1, 2))
        over[:, step] = chance
        found.append(places.find(dream.world, BRIGHT * frame))
    pixels[~valid], over[~valid] = np.nan, np.nan
    seen, truth = np.stack(found, axis=1), places.find(dream.world, true)
    seen[~valid], truth[~valid] = np.nan, np.nan
    return Rollout(pixels, seen, truth, over, np.where(valid, last, np.nan))


def by_horizon(errors: np.ndarray, horizons=HORIZONS) -> list[float]:
    """The mean error of the episodes that last as long, nan where none does; errors (episodes, steps)."""
    columns = [errors[:, step - 1] if step <= errors.shape[1] else np.full(1, np.nan) for step in horizons]
    return [float(np.nanmean(column)) if np.isfinite(column).any() else float("nan") for column in columns]


def wrong_ends(chance: np.ndarray, over: np.ndarray, within: int = WITHIN) -> float:
    """The share of episodes (episodes, steps) whose end within so many steps is called at another step, or is none."""
    called, true = (np.nan_to_num(each[:, :within]) > 0.5 for each in (chance, over))
    return float((first_of(called) != first_of(true)).mean())


def first_of(marks: np.ndarray) -> np.ndarray:
    """(episodes,): the first step that is marked, as many as there are steps where none is."""
    return np.where(marks.any(axis=1), marks.argmax(axis=1), marks.shape[1])


def first_bounce(seen: np.ndarray) -> np.ndarray:
    """(episodes,): the first step after which the ball (episodes, steps, 2 or more) moves back across, nan for none.

    Places in frames are whole pixels and may stand still: a turn is where it has come back by two pixels or more.
    """
    x = np.nan_to_num(seen[..., 0], nan=0.0)
    away = np.maximum.accumulate(x, axis=1) - x, x - np.minimum.accumulate(x, axis=1)
    moved = (np.abs(x - x[:, :1]) >= 2).argmax(axis=1)
    right = x[np.arange(len(x)), moved] > x[:, 0]
    back = np.where(right[:, None], away[0], away[1]) >= 2
    valid = np.isfinite(seen[..., 0]) & (np.arange(x.shape[1]) >= moved[:, None])
    turned = back & valid
    return np.where(turned.any(axis=1), turned.argmax(axis=1) + 1.0, np.nan)


def summary(made: Rollout, world, horizons=HORIZONS) -> dict:
    """All scores of a rollout: name -> one number a horizon, or one number."""
    found = {
        "pixel_mse": by_horizon(made.pixels, horizons),
        "distance": by_horizon(made.distance, horizons),
        "others": by_horizon(made.others, horizons),
        "episodes": [
            int(np.isfinite(made.pixels[:, step - 1]).sum()) for step in horizons if step <= made.pixels.shape[1]
        ],
        "ends_right": 1 - wrong_ends(made.over, made.true_over),
    }
    if world.name == CubeCrash.name:
        wrong = np.where(np.isfinite(made.distance), made.distance > 0, False) | (np.nan_to_num(made.others) > 0)
        return found | {"exact": float(1 - wrong.any(axis=1).mean())}
    bounce = first_bounce(made.true_places)
    late = np.abs(first_bounce(made.places) - bounce)[np.isfinite(bounce)]  # nan for one that is missed, which is wrong
    seen = late[np.isfinite(late)]
    return found | {
        "bounce_late": float(seen.mean()) if len(seen) else float("nan"),
        "bounce_right": float((late == 0).mean()) if len(late) else float("nan"),
    }
