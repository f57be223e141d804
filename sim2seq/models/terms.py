"""The linear part of a model: which terms it weighs, the walls it keeps within, and its fit in closed form.

The next increment of a feature is a weighted sum of terms: 1, its last value, its last two increments and their signed
squares d |d| (the form of drag), all of it again where the last value lies at a wall, and all of that again times each
condition of the run and each control of the step. A polynomial nonlinear autoregression (Billings, Nonlinear System
Identification, 2013) that is piecewise with known thresholds (Tong, Threshold Models in Non-linear Time Series
Analysis, 1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from sim2seq.data.streaming import chunks, some_runs, take

PRECISE = "float64"  # increments are small differences, which float32 would round away
LAGS = 3  # steps that are seen
LINEAR_TERMS = 4  # of free_terms; signed squares follow
RELUCTANCE = 1e-3  # with which signed squares are used where linear terms would do
INPUTS = 5  # numbers for each feature at each step: see recent_state
AT_WALL = 1e-6  # scaled: this near counts as at the wall, so that values once rounded to float32 still do
LEAST_AGREEING = 5  # runs that show a wall which moves with an input
TRIALS = 2000
FARTHEST = 1e3  # scaled: no forecast goes beyond, or a wrong one would end in numbers that are none
SMALLEST = 1e-6  # of a typical increment: an error below this is nothing to learn from
NOTHING = 1e-9  # scaled: below this is rounding


@dataclass(frozen=True)
class LinearPart:
    """A fitted linear part, all in scaled units.

    weights     (features, terms, 1 + conditions + controls, 3): of each term, alone and times each condition and
                control; anywhere, at the low wall and at the high wall
    walls       low and high: (1 + conditions, features) each, constant and slope; an infinite constant is no wall
    pace        (features,), typical increment; spread (features,), typical error of the fit in units of pace
    """

    weights: np.ndarray
    walls: tuple[np.ndarray, np.ndarray]
    pace: np.ndarray
    spread: np.ndarray

    def inputs_and_next(self, series, controls=None, conditions=None) -> list:
        """What a network is fed at each step (samples, steps, features, INPUTS + ...), and the next value.

        The layer that weighs the terms is named "linear"; its weights are to be set.
        """
        low, high = (wall_at(wall, conditions) for wall in self.walls)
        state = recent_state(series, self.pace, low, high)
        shape = (None, len(self.weights), *self.weights.shape[2:])
        linear = keras.layers.EinsumDense("btfi,fijk->btfjk", shape, dtype=PRECISE, name="linear")
        linear.trainable = False
        factors = factors_of(state[0], controls, conditions)
        increment = combine(linear(free_terms(*state[:3])), state[3:], factors)
        columns = [
            ops.ones_like(increment) * factors[..., None, i] for i in range(0 if factors is None else factors.shape[-1])
        ]
        return [ops.stack([*state, *columns], axis=-1), state[0] + increment * self.pace]

    def keep_between_walls(self, values, conditions=None):
        """`values` (samples, steps, features) cut off at the walls."""
        low, high = (wall_at(wall, conditions) for wall in self.walls)
        return ops.clip(ops.minimum(ops.maximum(values, low), high), -FARTHEST, FARTHEST)


def factors_of(last, controls, conditions):
    """What terms are multiplied by, (samples, steps, conditions + controls); None without either.

    last (samples, steps, features); controls (samples, LAGS - 1 + steps, controls): of the step that is to come.
    """
    found = []
    if conditions is not None:  # times ones, as Keras 3.15 takes some sums of (n, n) and (n, 1) for a bias
        found.append(ops.ones_like(last[..., :1]) * conditions[:, None])
    if controls is not None:
        found.append(controls[:, LAGS - 1 :])
    return ops.concatenate(found, axis=-1) if found else None


def wall_at(coefficients: np.ndarray, conditions=None):
    """A wall (..., 1, features) from its constant and slopes (1 + conditions, features) and conditions of runs."""
    constant = coefficients[None, :1]
    return constant if conditions is None else ops.matmul(conditions, coefficients[1:])[:, None] + constant


def recent_state(series, pace, low, high) -> list:
    """At every step from the third: last value, last two increments in units of `pace`, at the low wall, at the high.

    series (samples, steps, features), as tensors or as a model's input -> five of (samples, steps - 2, features).
    """
    last, before, earlier = series[:, 2:], series[:, 1:-1], series[:, :-2]
    flags = (ops.cast(at_wall, PRECISE) for at_wall in (last <= low + AT_WALL, last >= high - AT_WALL))
    return [last, (last - before) / pace, (before - earlier) / pace, *flags]


def signed_squares(increments: list) -> list:
    """d |d| of each increment."""
    return [increment * ops.absolute(increment) for increment in increments]


def free_terms(last, step, previous):
    """What the linear part weighs away from walls: (samples, steps, features, terms)."""
    return ops.stack([ops.ones_like(last), last, step, previous, *signed_squares([step, previous])], axis=-1)


def combine(weighed, flags: list, factors):
    """The sum of (samples, steps, features, 1 + factors, 3) over what applies: conditions, controls, and walls."""
    places = ops.stack([ops.ones_like(flags[0]), *flags], axis=-1)[:, :, :, None]
    weighed = ops.sum(weighed * places, axis=-1)
    if factors is None:
        return weighed[..., 0]
    return weighed[..., 0] + ops.sum(weighed[..., 1:] * factors[:, :, None], axis=-1)


def fit(values: np.ndarray, conditions: np.ndarray | None = None, controls: int = 0) -> LinearPart:
    """The linear part of scaled training runs: values (runs, steps, features, the last `controls` of which are
    controls), nan beyond the end of a run, and conditions (runs, conditions) or None.

    Least squares of the increments. Steps that end at a wall are left out, as their increment is cut short.
    Of a large ensemble, all runs are searched for walls and some (streaming.some_runs) are fitted.
    Raises ValueError when the runs have fewer than four steps.
    """
    if values.shape[1] <= LAGS:
        raise ValueError(f"expected training runs of more than {LAGS} steps; got {values.shape[1]}")
    conditions = None if conditions is None else np.asarray(conditions, dtype=PRECISE)
    features = values.shape[2] - controls
    bottom, top = (wall[:, :features] for wall in find_walls(values, conditions))
    chosen = some_runs(values)
    if chosen is not None:
        values, conditions = np.asarray(take(values, chosen)), None if conditions is None else conditions[chosen]
    steered, values = values[:, 1:, features:], values[..., :features]
    low, high = (ops.convert_to_numpy(wall_at(wall, conditions)) for wall in (bottom, top))
    pace = typical_size(np.diff(values, axis=1), axis=(0, 1))
    state = recent_state(ops.convert_to_tensor(values[:, :-1], dtype=PRECISE), pace, low, high)
    free = ops.convert_to_numpy(free_terms(*state[:3]))
    last, *_, at_low, at_high = (ops.convert_to_numpy(each) for each in state)
    factors = factors_of(state[0], ops.convert_to_tensor(steered, dtype=PRECISE) if controls else None, conditions)
    ones = np.ones((*last.shape[:2], 1))
    factors = ones if factors is None else np.concatenate([ones, ops.convert_to_numpy(factors)], axis=-1)
    targets = values[:, LAGS:]
    weights, spreads = [], []
    for feature in range(features):  # one by one: the terms of all features at once would be large
        at = np.s_[:, :, feature]
        places = np.stack([np.ones_like(last[at]), at_low[at], at_high[at]], axis=-1)
        inside = (targets[at] > low[..., feature] + AT_WALL) & (targets[at] < high[..., feature] - AT_WALL)
        inputs = np.einsum("ni,nj,nk->nijk", free[at][inside], factors[inside], places[inside])
        weight, spread = least_squares(inputs, ((targets[at] - last[at]) / pace[feature])[inside])
        weights.append(weight)
        spreads.append(spread)
    return LinearPart(np.array(weights), (bottom, top), pace, np.array(spreads))


def least_squares(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights, shaped as one row of `inputs`, and the root mean square of what they leave of `targets`.

    Where the data leave a choice, at walls that few runs meet, the smallest weights are taken, and signed squares count
    for more: what linear terms hold is left to them.
    """
    ease = np.ones(inputs.shape[1:])
    ease[LINEAR_TERMS:] = RELUCTANCE
    if not len(inputs):  # a feature that only ever stands at a wall, such as a flag
        return np.zeros(inputs.shape[1:]), 1.0
    rows, scale = inputs.reshape(len(inputs), -1), ease.ravel()
    weights, used = np.zeros(len(scale)), rows.any(axis=0)  # without walls, two thirds of the columns are empty
    weights[used] = np.linalg.lstsq(rows[:, used] * scale[used], targets, rcond=1e-12)[0] * scale[used]
    left = targets - rows @ weights
    return weights.reshape(inputs.shape[1:]), max(np.sqrt(np.mean(left**2)) if left.size else 0.0, SMALLEST)


def find_walls(values: np.ndarray, conditions: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The low and the high wall of every feature, (1 + conditions, features) each; see LinearPart.

    An extreme is a wall when it is met exactly, and in more than one run: a smooth extreme differs from run to run,
    saturation does not. The first step, which runs may share, is not looked at. What never changes has no wall.
    """
    conditions = np.empty((len(values), 0)) if conditions is None else conditions
    pairs = [(np.fmin.reduce(chunk[:, 1:], axis=1), np.fmax.reduce(chunk[:, 1:], axis=1)) for chunk in chunks(values)]
    lowest, highest = (np.concatenate(each).T for each in zip(*pairs, strict=True))  # (features, runs)
    low = [-one_wall(-bottoms, -tops.max(), conditions) for bottoms, tops in zip(lowest, highest, strict=True)]
    high = [one_wall(tops, bottoms.min(), conditions) for bottoms, tops in zip(lowest, highest, strict=True)]
    return np.stack(low, axis=1), np.stack(high, axis=1)


def one_wall(tops: np.ndarray, bottom: float, conditions: np.ndarray) -> np.ndarray:
    """The upper wall of one feature: constant and slopes (1 + conditions,); infinite without one.

    tops (runs,), the highest value of each run, and bottom, the lowest of all. A wall may also move with one of the
    `conditions` (runs, conditions) of the run (see moving_wall).
    """
    top = tops.max()
    wall = np.array([np.inf, *[0.0] * conditions.shape[1]])
    if bottom == top:
        return wall
    if (tops == top).sum() > 1:
        wall[0] = top
        return wall
    for column in range(conditions.shape[1]):
        found = moving_wall(tops, conditions[:, column])
        if found is not None:
            wall[[0, 1 + column]] = found
            break
    return wall


def moving_wall(tops: np.ndarray, condition: np.ndarray) -> tuple[float, float] | None:
    """Constant and slope of the line through the extremes of those runs that met a wall, tops and condition (runs,).

    Lines through random pairs of runs are tried (Fischler and Bolles, Random Sample Consensus, 1981). At least five
    runs, and a tenth of all, must lie on the best one to the last digits that count, and no run may pass it. Of many
    runs, the lines are drawn through some, and the best one is held against all.
    """
    every, chosen = (tops, condition), some_runs(tops)
    if chosen is not None:
        tops, condition = tops[chosen], condition[chosen]
    first, second = np.random.default_rng(0).integers(len(tops), size=(2, TRIALS))
    apart = condition[second] != condition[first]
    first, second = first[apart], second[apart]
    if not len(first):
        return None
    slopes = (tops[second] - tops[first]) / (condition[second] - condition[first])
    beyond = tops - (tops[first] + slopes * (condition - condition[first][:, None]).T).T  # (trials, runs)
    agreeing = (np.abs(beyond) < AT_WALL).sum(axis=1) * (beyond < AT_WALL).all(axis=1)
    best = agreeing.argmax()
    if agreeing[best] < max(LEAST_AGREEING, len(tops) / 10):
        return None
    met = np.abs(beyond[best]) < AT_WALL
    slope, constant = np.polyfit(condition[met], tops[met], 1)
    if chosen is not None and (every[0] - (constant + slope * every[1]) >= AT_WALL).any():
        return None
    return constant, slope


def typical_size(values, *, axis) -> np.ndarray:
    """Root mean square over `axis`, without what is no number; 1 where all values are nearly 0."""
    size = np.sqrt(np.nanmean(np.square(values), axis=axis))
    return np.where(size > NOTHING, size, 1.0)
