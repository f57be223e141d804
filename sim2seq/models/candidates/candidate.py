"""Candidate: what all models that a combination weighs have in common, and the runs that they learn from.

A candidate is a name and a function

    fit(training, validation, *, seconds, seed, tell) -> fitted

that learns from the training runs, may choose by the validation runs, and ends within about `seconds`. What it
returns forecasts, `fitted.forecast(context, steps, conditions=, controls=)`, and consists of arrays and Keras models
only, so that it can be kept without code. All numbers are scaled: mean 0 and standard deviation 1 of the training runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

MARGIN = 0.2  # of the range of training: no forecast of a candidate goes further outside


@dataclass(frozen=True)
class Runs:
    """Whole runs, scaled.

    values      (runs, steps, features), nan beyond the end of a run
    window      steps that are seen before the first forecast; 0: none, a forecast from the conditions alone
    conditions  (runs, conditions), or None
    controls    (runs, steps, controls), or None: row t is what holds at step t; finite also beyond the end of a run
    """

    values: np.ndarray
    window: int
    conditions: np.ndarray | None = None
    controls: np.ndarray | None = None

    @property
    def context(self) -> np.ndarray:
        """What is seen: (runs, window, features)."""
        return self.values[:, : self.window]

    @property
    def future(self) -> np.ndarray:
        """What is to be forecast: (runs, steps - window, features), nan beyond the end of a run."""
        return self.values[:, self.window :]

    @property
    def features(self) -> int:
        return self.values.shape[2]

    @property
    def lengths(self) -> np.ndarray:
        """The number of steps of each run: (runs,)."""
        return np.isfinite(self.values).all(axis=2).sum(axis=1)

    @property
    def longest(self) -> int:
        """The number of steps of the longest run."""
        return int(self.lengths.max())

    @property
    def told(self) -> int:
        """How many numbers are told of a step beside the features: conditions and controls."""
        return sum(each.shape[-1] for each in (self.conditions, self.controls) if each is not None)

    def bounds(self, margin: float) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and highest value of each feature, (features,) both, `margin` ranges further out."""
        low, high = np.nanmin(self.values, axis=(0, 1)), np.nanmax(self.values, axis=(0, 1))
        return low - margin * (high - low), high + margin * (high - low)

    def take(self, runs) -> Runs:
        """Some of the runs."""
        some = (None if each is None else each[runs] for each in (self.conditions, self.controls))
        return Runs(self.values[runs], self.window, *some)


class Fitted(Protocol):
    """A candidate that has learned."""

    def forecast(self, context: np.ndarray, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        """The `steps` steps after the first `window` steps of runs: (runs, steps, features), scaled.

        context (runs, window, features); conditions (runs, conditions); controls (runs, window + steps, controls).
        """
        ...


class NotForThese(ValueError):
    """A candidate of another kind of runs: nothing has failed, and nobody has to read of it."""


def best_in_time(attempts: Iterable[tuple[float, Any]], seconds: float) -> Any:
    """What errs least, of pairs of an error and what has it: the first, and others as long as `seconds` last."""
    end, best = time.monotonic() + seconds, None
    for attempt in attempts:  # each is made when it is asked for
        best = attempt if best is None or attempt[0] < best[0] else best
        if time.monotonic() > end:
            break
    assert best is not None
    return best[1]


def rmse_of(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Root mean squared error where the truth is known; inf for what is no number there."""
    known = np.isfinite(truth)
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.sqrt(np.mean(np.square((forecast - truth)[known]))))
    return error if np.isfinite(error) else float(np.inf)


Tell = Callable[[str], None]  # a line for whoever waits


@dataclass(frozen=True)
class Hold:
    """The last value, for ever: a baseline that needs no training."""

    features: int

    def forecast(self, context: np.ndarray, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        return np.repeat(context[:, -1:], steps, axis=1)


def fit_hold(training: Runs, validation: Runs, **options) -> Hold:
    """Raises NotForThese without a window: there is no last value."""
    if training.window < 1:
        raise NotForThese("hold needs a window of a step or more")
    return Hold(training.values.shape[2])


def error_of(fit, runs: Runs) -> float:
    """Root mean squared error of a forecast of whole runs."""
    steps = runs.future.shape[1]
    forecast = fit.forecast(runs.context, steps, conditions=runs.conditions, controls=runs.controls)
    return rmse_of(forecast, runs.future)


def best_of(fitted: Iterable, validation: Runs) -> tuple:
    """The one of these whose forecasts of the validation runs err least, after its error."""
    return min(((error_of(one, validation), one) for one in fitted), key=lambda pair: pair[0])
