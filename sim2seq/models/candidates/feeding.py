"""Feeding: what a recurrent network that runs in closed loop is fed, in a forecast and while it learns.

Runs of many features are fed as the few principal components that carry them: a step then costs no more than with few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim2seq.models.candidates.candidate import Runs

BATCH = 16  # windows
WARM_UP = 10  # steps at the end of the context that the network reads, unless it is told otherwise
LAST_HORIZON = 100  # steps
FROM_START = 0.25  # share of windows that begin where a forecast does
NOISE = 0.1  # standard deviation of what is added to the true values that it is fed, in increments
CARRIED = 0.9999  # share of the variance of the training runs that the components carry
WORTH_IT = 0.5  # components for each feature, at most; otherwise the features stay as they are


@dataclass(frozen=True)
class Basis:
    """Directions in which the features move together; components have a mean square of 1, as scaled features have.

    rows       (components, features): orthonormal
    low, high  (features,): to what values are kept on their way back
    """

    rows: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def size(self) -> float:
        """Root mean square of the features for each unit of the components."""
        return float(np.sqrt(self.rows.shape[1] / self.rows.shape[0]))

    def reduced(self, runs: Runs) -> Runs:
        """The runs as components, nan where any feature is."""
        return replace(runs, values=self.components(runs.values))

    def components(self, values: np.ndarray) -> np.ndarray:
        """(..., features) -> (..., components)"""
        return values @ self.rows.T / self.size

    def features(self, components: np.ndarray) -> np.ndarray:
        """(..., components) -> (..., features)"""
        return np.clip(components @ self.rows * self.size, self.low, self.high)


def basis_of(values: np.ndarray, margin: float) -> Basis | None:
    """What carries the scaled `values`, (runs, steps, features); None where that takes about as many numbers.

    The way back keeps the range of `values`, and a share `margin` of it on either side.
    """
    seen = values[np.isfinite(values).all(axis=2)]
    sizes, rows = np.linalg.eigh(seen.T @ seen)
    sizes, rows = sizes[::-1], rows.T[::-1]
    enough = int(np.searchsorted(np.cumsum(sizes), CARRIED * sizes.sum())) + 1
    if enough > WORTH_IT * len(rows):
        return None
    low, high = seen.min(axis=0), seen.max(axis=0)
    return Basis(rows[:enough], low - margin * (high - low), high + margin * (high - low))


def fed_to(context, steps: int, conditions, controls, clock: np.ndarray, warm_up: int) -> list[np.ndarray]:
    """What a rollout is fed: the last `warm_up` steps of the context, extra from there on, what a beginning is told.

    extra (runs, steps, conditions + controls + clock); told: the conditions, or a one where there are none
    """
    runs, window = context.shape[:2]
    start, end = max(0, window - warm_up), window + steps
    parts = [] if conditions is None else [np.repeat(np.asarray(conditions)[:, None], end, axis=1)]
    parts += [] if controls is None else [np.asarray(controls)[:, :end]]
    times = np.repeat(np.minimum(np.arange(end), len(clock) - 1)[None], runs, axis=0)
    extra = np.concatenate([*parts, clock[times]], axis=2)
    told = np.ones((runs, 1)) if conditions is None else np.asarray(conditions)
    return [each.astype("float32") for each in (context[:, start:], extra[:, start:], told)]


def spread_of(values: np.ndarray) -> np.ndarray:
    """Standard deviation of each feature; 1 for one that never moves."""
    scale = np.nanstd(values, axis=(0, 1))
    return np.where(scale > 1e-9, scale, 1.0)


def increments_of(values: np.ndarray) -> np.ndarray:
    """Standard deviation of the increments of each feature; 1 for a feature that never moves."""
    return spread_of(np.diff(values, axis=1))


def moves_of(values: np.ndarray) -> np.ndarray:
    """The same, 0 for a feature that never moves."""
    scale = np.nanstd(np.diff(values, axis=1), axis=(0, 1))
    return np.where(scale > 1e-9, scale, 0.0)


def clock_of(values: np.ndarray) -> np.ndarray:
    """Mean trajectory of the training runs in standard deviations, its increments in those of increments.

    (steps of the longest run, 2 x features)
    """
    there = np.isfinite(values)
    values = values[:, : int(there.all(axis=2).any(axis=0).sum())]
    mean = np.nanmean(values, axis=0)
    moved = np.diff(mean, axis=0, prepend=mean[:1])
    return np.concatenate([mean / spread_of(values), moved / increments_of(values)], axis=1)


class Batches:
    """Windows drawn from anywhere in the training runs, step by step, as a loop reads them."""

    def __init__(self, training: Runs, clock: np.ndarray, rng: np.random.Generator, warm_up: int):
        self.rng, self.window = rng, training.window
        steps = training.values.shape[1]
        self.warm_up = min(warm_up, training.window) if training.window else min(WARM_UP // 3, steps // 2)
        self.begin = training.window - self.warm_up if training.window else 0
        self.steps = min(self.warm_up + LAST_HORIZON, steps)
        self.noise = NOISE * moves_of(training.values)
        pad = ((0, 0), (0, self.steps), (0, 0))  # a window may reach beyond the end of its run
        self.values = np.pad(training.values, pad, constant_values=np.nan).astype("float32")
        self.lengths = training.lengths
        _, extra, self.told = fed_to(training.values[:, :0], steps, training.conditions, training.controls, clock, 0)
        self.extra = np.pad(extra, pad, mode="edge")

    def draw(self, steps: int) -> list[np.ndarray]:
        """Targets, true values that are fed, where these are shown, extra: (steps, windows, ...); told; begun."""
        runs = self.rng.integers(len(self.values), size=BATCH)
        last = np.maximum(self.lengths[runs] - steps, 0)
        from_start = self.rng.random(BATCH) < FROM_START
        starts = np.where(from_start, np.minimum(self.begin, last), self.rng.integers(last + 1))
        places = runs, starts + np.arange(self.steps)[:, None]
        targets, begun = self.values[places], (starts == 0) & (self.window == 0)
        shown = (np.arange(self.steps)[:, None] < self.warm_up) & ~begun
        fed = np.nan_to_num(targets) + self.noise * self.rng.normal(size=targets.shape)
        targets[0, ~begun] = np.nan  # not predicted
        return [targets, fed.astype("float32"), shown[..., None], self.extra[places], self.told[runs], begun[:, None]]
