"""Checks: does the forecast of a ball in a box obey the laws of its simulation (the tick scheme of ball_bounce.py)?"""

from __future__ import annotations

import math

import numpy as np

ON_WALL = 1e-6  # of the box side: as near as this is on the wall, ten times the rounding of a 32-bit forecast
MOST_ENERGY_RISE = 1e-3  # of the run's largest; a speed 0.05 % too high. The truth's own is below 1e-6
FLOOR, CEILING = 2, 3  # of the six walls: x low, x high, y low, y high, z low, z high


def forecast_checks(truth, forecast, *, gravity, box) -> list[dict]:
    """Compare hits, walls and energy of a forecast with the truth's: one row a check, over all runs.

    truth, forecast   positions (runs, steps, 3), x, y, z after the same window, in the tick scheme
    gravity, box      floats or arrays (runs,), in the units of `bounce`

    A row holds name, forecast, truth (the two values), unit, holds (is the demand met?) and note (value and demand).
    A forecast that is not finite never holds on the distance outside. Raises ValueError for shapes that do not fit.
    """
    truth, forecast = np.asarray(truth, float), np.asarray(forecast, float)
    if truth.ndim != 3 or truth.shape[2] != 3 or 0 in truth.shape or forecast.shape != truth.shape:
        raise ValueError(f"truth {truth.shape}, forecast {forecast.shape}: expected (runs, steps, 3), both the same")
    for name, value in (("gravity", gravity), ("box", box)):
        if np.shape(value) not in ((), truth.shape[:1]):
            raise ValueError(f"{name} of shape {np.shape(value)}: expected one number, or one a run {truth.shape[:1]}")
    gravity, box = (np.broadcast_to(value, len(truth)) for value in (gravity, box))
    with np.errstate(invalid="ignore", over="ignore"):  # a forecast may have left every bound
        return [
            *check_hits(hit_steps(truth, box), hit_steps(forecast, box)),
            check_outside(truth, forecast, box),
            check_energy(truth, forecast, gravity, box),
        ]


def row_of_check(name, forecast, truth, unit, holds, note) -> dict:
    values = {"forecast": float(forecast), "truth": float(truth)}
    return {"name": name} | values | {"unit": unit, "holds": bool(holds), "note": note}


def check_hits(truth, forecast) -> list[dict]:
    """Rows on number and time of hits; arguments from `hit_steps`. Where no hit has a partner, the errors are NaN."""
    counts = np.isfinite(forecast).sum(axis=2), np.isfinite(truth).sum(axis=2)  # (runs, walls)
    floor = [count[:, FLOOR].mean() for count in counts]
    walls = [count.sum(axis=1).mean() - on_floor for count, on_floor in zip(counts, floor, strict=True)]
    same = (counts[0] == counts[1]).all(axis=1).mean()
    errors = abs(forecast - truth)
    errors = errors[np.isfinite(errors)]
    mean, largest = (errors.mean(), errors.max()) if errors.size else (math.nan, math.nan)
    no_hits = not counts[1].any()
    matched = "hits matched in order, run by run and wall by wall, demanded"
    return [
        row_of_check("floor hits a run", *floor, "hits", abs(floor[0] - floor[1]) <= 0.1,
                     "Number of floor hits, mean over the runs, demanded within 0.1 of the truth."),
        row_of_check("wall hits a run", *walls, "hits", abs(walls[0] - walls[1]) <= 0.1,
                     "Number of hits of side walls and ceiling, mean over the runs, demanded within 0.1 of the truth."),
        row_of_check("runs with the same hits", same, 1.0, "share", same >= 0.9,
                     "Runs that hit each wall as often as the truth, demanded 0.9 or more."),
        row_of_check("time error of a hit, mean", mean, 0.0, "steps", no_hits or mean <= 1,
                     f"Mean over {matched} 1 step or less."),
        row_of_check("time error of a hit, largest", largest, 0.0, "steps", no_hits or largest <= 5,
                     f"Largest over {matched} 5 steps or less."),
    ]  # fmt: skip


def check_outside(truth, forecast, box) -> dict:
    """The row on the largest distance outside the box [0, box]; arguments (runs, steps, 3) twice and (runs,)."""
    distances = [np.maximum(-p, p - box[:, None, None]).clip(0) for p in (forecast, truth)]
    holds = (distances[0] <= ON_WALL * box[:, None, None]).all()
    note = f"Largest over all positions, demanded at most {ON_WALL:g} of the box side."
    return row_of_check("distance outside the box", *(d.max() for d in distances), "length", holds, note)


def check_energy(truth, forecast, gravity, box) -> dict:
    """The row on the largest rise of the energy; arguments (runs, steps, 3) twice and (runs,) twice."""
    true_rise, energy = energy_rise(truth, gravity, box)
    rise, _ = energy_rise(forecast, gravity, box)
    rises = [np.max(value / np.maximum(energy, np.finfo(float).tiny)) for value in (rise, true_rise)]
    note = f"Largest rise above an earlier energy, as a share of the true run's, demanded {MOST_ENERGY_RISE:g} or less."
    return row_of_check("rise of the energy", *rises, "share", rises[0] <= MOST_ENERGY_RISE, note)


def on_walls(positions, box):
    """Whether a position is on or beyond each wall: (runs, steps, 3) and (runs,) to (runs, steps, 6)."""
    side = box[:, None, None]
    near = np.stack([positions <= ON_WALL * side, positions >= (1 - ON_WALL) * side], axis=-1)
    return near.reshape(*positions.shape[:2], 6)


def hit_steps(positions, box):
    """The steps of the hits of each wall, in order, then NaN: (runs, 6, steps).

    A ball hits a wall in a step that ends on it, or beyond, unless the step before did; a first position counts.
    """
    walls = on_walls(positions, box)
    hits = walls.copy()
    hits[:, 1:] &= ~walls[:, :-1]
    hits = hits.transpose(0, 2, 1)
    run, wall, step = hits.nonzero()
    table = np.full(hits.shape, np.nan)
    table[run, wall, hits.cumsum(axis=2)[run, wall, step] - 1] = step
    return table


def energy_rise(positions, gravity, box):
    """How far the energy rises above its least before, and its largest value: (runs,) each, per mass, (length/tick)^2.

    With d = p[t + 1] - p[t], the tick rule keeps E[t] = |d|^2 / 2 + gravity (y[t] + y[t + 1]) / 2 in free flight, less
    what drag takes. A step that ends on a wall is cut there and left out; one that starts on a wall is whole. Across a
    cut step a side wall keeps E and the floor takes gravity * y[t], so E must not rise there either. The ceiling adds
    up to gravity * |d|: there the least starts anew. A position outside the box counts as on the wall.
    """
    positions = np.clip(positions, 0, box[:, None, None])
    heights = (positions[:, 1:, 1] + positions[:, :-1, 1]) / 2
    energies = (np.diff(positions, axis=1) ** 2).sum(axis=2) / 2 + gravity[:, None] * heights
    rise, largest, least = np.zeros(len(positions)), np.zeros(len(positions)), np.inf
    for energy, walls in zip(energies.T, on_walls(positions, box)[:, 1:].swapaxes(0, 1), strict=True):
        flies = ~walls.any(axis=1)
        rise = np.where(flies, np.maximum(rise, energy - least), rise)
        largest = np.where(flies, np.maximum(largest, energy), largest)
        least = np.where(walls[:, CEILING], np.inf, np.where(flies, np.minimum(least, energy), least))
    return rise, largest
