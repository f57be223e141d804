"""Intervals: how far a score would move with other runs, or with other seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 1000
SEED = 0


def over_runs(statistic: Callable, *by_run: np.ndarray, level: float = LEVEL) -> list[float]:
    """The interval of `statistic(*by_run)` where other runs were drawn: low and high (scipy.stats.bootstrap).

    by_run   arrays (runs,), which are drawn together, run by run
    A single run, or a value that is not finite, gives the value itself twice: it has no interval.
    """
    value = float(statistic(*by_run))
    if len(by_run[0]) < 2 or not np.isfinite(value):
        return [value, value]
    options = {"paired": True, "vectorized": False, "method": "percentile", "rng": np.random.default_rng(SEED)}
    with np.errstate(invalid="ignore"):
        found = stats.bootstrap(by_run, statistic, n_resamples=RESAMPLES, confidence_level=level, **options)
    return [float(end) for end in found.confidence_interval]


def over_seeds(values, *, level: float = LEVEL) -> list[float]:
    """The interval of the mean of independent values (Student's t): low, high; the mean twice where all are equal."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all() or values.std() == 0:
        return [float(values.mean())] * 2
    return [float(end) for end in stats.t.interval(level, len(values) - 1, values.mean(), stats.sem(values))]
