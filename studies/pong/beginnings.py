"""Beginnings: what training episodes say at once of how places go on, before a network learns: least squares, medians.

values (runs, steps, places, whether the game is over, action), nan beyond the end of an episode; `many` places.
"""

from __future__ import annotations

import numpy as np

PIXEL = 1.0
LAUNCHED, FREE = 4, 8  # steps in which the first velocity is looked for: roughly, and for the tries
MEASURED, DIRECTIONS, SPEEDS = 200, 360, np.linspace(0.92, 1.08, 65)  # runs; what is tried, of a rough speed


def first_moves(values: np.ndarray, many: int, actions: int) -> np.ndarray:
    """(actions, places): the median change of each place in a step with each action; values (runs, steps, ...)."""
    change, action = np.diff(values[..., :many], axis=1), values[:, 1:, -1]
    found = [change[action == number] for number in range(actions)]
    return np.stack([np.nanmedian(each, axis=0) if len(each) else np.zeros(many) for each in found])


def paces(values: np.ndarray, many: int, moves: np.ndarray, steps: int) -> np.ndarray:
    """(runs, places): velocity over the first steps, less what the actions move; nan where an episode is shorter."""
    steps = min(steps, values.shape[1] - 1)
    moved = moves[np.nan_to_num(values[:, 1 : steps + 1, -1]).astype(int)].sum(axis=1)
    return (values[:, steps, :many] - values[:, 0, :many] - moved) / steps


def first_shift(values: np.ndarray, many: int, moves: np.ndarray) -> np.ndarray:
    """(places,): from the pixel of the first frame to the middle of where places are that show it.

    It is what the mean way of all runs does not come to 0 by, when it is followed back along a line to its beginning.
    """
    steps = np.arange(1, min(FREE, values.shape[1]))
    way = np.stack([step * np.nanmean(paces(values, many, moves, step), axis=0) for step in steps])
    line = np.stack([np.ones(len(steps)), steps], axis=1)
    return np.linalg.lstsq(line, way, rcond=None)[0][0] if len(steps) > 1 else np.zeros(many)


def first_launch(values: np.ndarray, many: int, moves: np.ndarray, conditions) -> np.ndarray:
    """(1 + conditions, places): the velocity at the beginning, of what is told, by least squares."""
    pace = paces(values, many, moves, LAUNCHED)
    ones = np.ones((len(values), 1))
    told = ones if conditions is None else np.concatenate([ones, conditions], axis=1)
    there = np.isfinite(pace).all(axis=1)
    return np.linalg.lstsq(told[there], pace[there], rcond=None)[0]


def first_velocities(values: np.ndarray, many: int, moves: np.ndarray, shift: np.ndarray, tries: int) -> np.ndarray:
    """(tries, places): velocities as training episodes began with them: at one speed, in all directions.

    Only the first two places fly; what actions move does not.
    """
    angle = np.arange(tries) * 2 * np.pi / tries
    found = np.zeros((tries, many))
    found[:, :2] = first_speed(values, many, moves, shift) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return found


def first_speed(values: np.ndarray, many: int, moves: np.ndarray, shift: np.ndarray) -> float:
    """The speed of the first two places at the beginning: that which fits best into the pixels of the first steps.

    The mean way over some steps is too short by a few per cent: of a circle, many places are cut to the pixel below its
    radius. But of a wrong speed no direction goes through all pixels of a run. Of speeds that fit alike, the middle.
    """
    steps = min(FREE, values.shape[1] - 1)
    rough = np.nanmean(np.linalg.norm((paces(values, many, moves, steps) - shift / steps)[:, :2], axis=1))
    whole = values[np.isfinite(values[:, : steps + 1]).all(axis=(1, 2))][:MEASURED]
    moved = moves[whole[:, 1 : steps + 1, -1].astype(int), :2].cumsum(axis=1)
    seen = whole[:, 1 : steps + 1, :2] - whole[:, :1, :2] - shift[:2] - moved  # (runs, steps, 2)
    angle = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    way = np.arange(1, steps + 1)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None]
    speeds = rough * SPEEDS
    misfits = [np.maximum(np.abs(seen[:, None] - speed * way) - PIXEL / 2, 0).sum(axis=(2, 3)) for speed in speeds]
    misfit = np.array([each.min(axis=1).mean() for each in misfits])
    return float(speeds[misfit <= misfit.min() + 1e-4].mean())
