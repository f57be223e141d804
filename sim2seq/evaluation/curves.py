"""Curve fits: how a run will end, from a parametric curve through what was seen of it, and nothing else.

    POW4   y = a - b (x + d)^-c
    MMF4   y = (a b + c x^d) / (b + x^d)

x is the share of the run that is done, y one feature. Names and forms are those of the learning-curve literature
(Viering and Loog, The Shape of Learning Curves, 2022; Mohr, Viering, Loog and van Rijn, LCDB 1.0, 2022), the fit is
SciPy's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

FEWEST, MOST = 5, 40  # points that a fit of four numbers needs, and has use for
TRIES = 200  # evaluations of a curve; what has not converged by then is what it is


def pow4(x, a, b, log_c, log_d):
    return a - b * (x + np.exp(log_d)) ** -np.exp(log_c)


def mmf4(x, a, log_b, c, log_d):
    b, power = np.exp(log_b), x ** np.exp(log_d)
    return (a * b + c * power) / (b + power)


def start_of_pow4(x, y) -> tuple:
    return y[-1], y[-1] - y[0], 0.0, -0.7


def start_of_mmf4(x, y) -> tuple:
    return y[0], np.log(x[len(x) // 2]), y[-1], 0.0


CURVES: dict[str, tuple[Callable, Callable]] = {"POW4": (pow4, start_of_pow4), "MMF4": (mmf4, start_of_mmf4)}


def end_of(name: str, y: np.ndarray, share: float) -> float:
    """Where the curve through `y`, (steps,), which is the first `share` of a run, is at its end.

    Within the range of what was seen, widened by its span: a fit that leaves it says nothing. The last value where
    there are too few points or nothing changes.
    """
    low, high = float(y.min()), float(y.max())
    if len(y) < FEWEST or low == high:
        return float(y[-1])
    x = share * np.arange(1, len(y) + 1) / len(y)
    places = np.unique(np.linspace(0, len(y) - 1, MOST).round().astype(int))
    curve, start = CURVES[name]
    unit = (y[places] - low) / (high - low)
    with np.errstate(all="ignore"):
        end = curve(1.0, *fitted(curve, x[places], unit, start(x[places], unit)))
    return low + float(np.clip(end, -1.0, 2.0)) * (high - low) if np.isfinite(end) else float(y[-1])


def fitted(curve: Callable, x, y, start) -> np.ndarray:
    """The numbers of a curve that make its squared error least, as far as MINPACK gets from `start`."""
    from scipy.optimize import leastsq

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return leastsq(lambda numbers: curve(x, *numbers) - y, start, maxfev=TRIES)[0]


def ends_of(name: str, series: np.ndarray, steps: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """`end_of` each feature of each run: series (runs, steps, features), steps seen (runs,) -> (runs, features)."""
    return np.array(
        [
            [end_of(name, run[:count, place], share) for place in range(series.shape[2])]
            for run, count, share in zip(series, steps, shares, strict=True)
        ]
    )
