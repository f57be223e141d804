"""Analogues: what followed, in the training runs, on windows that were most like what is seen now.

Lorenz, Atmospheric Predictability as Revealed by Naturally Occurring Analogues, 1969; the mean of several: Sugihara and
May, Nonlinear Forecasting as a Way of Distinguishing Chaos from Measurement Error, 1990. The mean of what followed
on many windows has little of their measurement noise, and the next window is looked up by its end. How many steps are
compared, how many are taken over at once and of how many windows, and whether features count by their spread or by
their noise, is chosen by the free-running error on the validation runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim2seq.models.candidates.candidate import NotForThese, Runs, best_in_time, best_of

WINDOWS, NUMBERS = 20_000, 10_000_000  # looked up among at most so many windows, drawn at random, of so many numbers
AHEAD = (60, 20, 100)  # steps taken over at once
COMPARED = (12, 5, 30)  # steps
NEIGHBOURS = (1, 8, 32, 64)
MOST_APART, ALIKE = 5.0, 1.2  # weights of features: at most so many times the middle one; alike below


@dataclass(frozen=True)
class Analogues:
    """Training runs to look things up in, in scaled units.

    values      (runs, steps, features), nan beyond the end of a run; conditions of these runs or None
    starts      (windows, 2): run and first step of each window
    compared    steps of a window, ahead: steps that are taken over after it; neighbours: windows whose mean this is
    scale       (features,): how much each counts where windows are compared; None: all alike
    """

    values: np.ndarray
    conditions: np.ndarray | None
    starts: np.ndarray
    compared: int
    ahead: int
    neighbours: int
    scale: np.ndarray | None = None

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        seen, done = context[:, -self.compared :], 0
        parts = []
        while done < steps:
            following = self.following(seen, conditions)
            seen = np.concatenate([seen, following], axis=1)[:, -self.compared :]
            parts.append(following)
            done += self.ahead
        return np.concatenate(parts, axis=1)[:, :steps]

    def following(self, seen, conditions) -> np.ndarray:
        """The mean of what followed on the windows that are most like `seen`: (runs, ahead, features)."""
        found = self.index.kneighbors(self.keys(seen, conditions), self.neighbours, return_distance=False)
        after = np.arange(self.compared, self.compared + self.ahead)
        total = np.zeros((len(seen), self.ahead, seen.shape[2]))
        for each in found.T:  # one by one: those of all neighbours at once would be large
            runs, starts = self.starts[each].T
            total += self.values[runs[:, None], starts[:, None] + after]
        return total / self.neighbours

    @cached_property
    def index(self):
        from sklearn.neighbors import NearestNeighbors

        runs, starts = self.starts.T
        windows = self.values[runs[:, None], starts[:, None] + np.arange(self.compared)]
        return NearestNeighbors().fit(self.keys(windows, None if self.conditions is None else self.conditions[runs]))

    def keys(self, windows: np.ndarray, conditions) -> np.ndarray:
        """What is compared: all numbers of a window, its conditions, which count as much as a feature that stands."""
        weighed = windows if self.scale is None else windows * self.scale
        flat = weighed.reshape(len(windows), -1)
        return flat if conditions is None else np.hstack([flat, np.sqrt(windows.shape[1]) * np.asarray(conditions)])


def noise_of(values: np.ndarray) -> np.ndarray:
    """The standard deviation of the noise of each feature, (features,), from third differences: smooth ones vanish."""
    moved = np.abs(np.diff(values, n=3, axis=1))
    return np.nanmedian(moved, axis=(0, 1)) / (0.6745 * np.sqrt(20))


def scales_of(values: np.ndarray) -> list[np.ndarray | None]:
    """How features may count: all alike, and the less the noisier, where that is something else."""
    if values.shape[1] < 4 or not np.isfinite(noise := noise_of(values)).all() or not noise.any():
        return [None]
    middle = np.median(noise[noise > 0])
    scale = np.clip(middle / np.maximum(noise, 1e-12), 1 / MOST_APART, MOST_APART)
    return [None] if scale.max() < ALIKE * scale.min() else [None, scale]


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> Analogues:
    """The analogues that are best on the validation runs, of those that could be tried in `seconds`.

    Raises NotForThese without a window, with controls, and where no run is long enough.
    """
    if training.window < 1 or training.controls is not None:
        raise NotForThese("analogues need a window of a step or more and no controls")
    if not (pairs := list(shapes(training))):
        raise NotForThese(f"analogues need runs of more than {training.window} steps")
    trials = ((*pair, scale) for pair in pairs for scale in scales_of(training.values))
    return best_in_time((best_of(fits(training, *each, seed), validation) for each in trials), seconds)


def shapes(training: Runs) -> Iterator[tuple[int, int]]:
    """Steps compared and taken over, each pair once, where a run is long enough for both."""
    seen = set()
    for ahead in AHEAD:
        for compared in COMPARED:
            pair = min(compared, training.window), min(ahead, training.longest - training.window)
            if pair not in seen and pair[1] > 0:
                seen.add(pair)
                yield pair


def fits(training: Runs, compared: int, ahead: int, scale: np.ndarray | None, seed: int) -> Iterator[Analogues]:
    """With each number of neighbours."""
    starts = np.concatenate(
        [
            np.stack(np.broadcast_arrays(run, np.arange(n - compared - ahead + 1)), axis=1)
            for run, n in enumerate(training.lengths)
        ]
    )
    most = min(WINDOWS, max(1, NUMBERS // (compared * training.features)))
    if len(starts) > most:
        starts = starts[np.random.default_rng(seed).permutation(len(starts))[:most]]
    for neighbours in NEIGHBOURS:
        if neighbours <= len(starts):
            yield Analogues(training.values, training.conditions, starts, compared, ahead, neighbours, scale)
