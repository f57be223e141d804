"""Clock: the times of a run's steps: whether two runs share them, whether they are even, other ones in their place."""

from __future__ import annotations

import numpy as np

ALMOST = 0.01  # of a time step: by so much times may be off, anywhere in a run, and still be those of one clock
COARSEST = 1 / 3  # of a time step: digits that are larger say something else than rounding
MOST_DIGITS = 12


def time_step(times: np.ndarray) -> float:
    """The mean distance of the times (steps,), which rise; 1 of a single step."""
    return float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0


def tolerance(times: np.ndarray) -> float:
    """By how much the times (steps,) may be off: a hundredth of a step, or half of the last digit that was printed.

    0.03, 0.07, 0.1, 0.13 are those of a thirtieth, printed with two digits.
    """
    step = time_step(times)
    for digits in range(MOST_DIGITS):
        last = 10.0**-digits
        if np.allclose(np.round(times, digits), times, rtol=0, atol=1e-6 * last):
            return max(ALMOST * step, 0.501 * last if last <= COARSEST * step else 0.0)
    return ALMOST * step


def first_difference(times: np.ndarray, others: np.ndarray, *, ends: int = 1) -> int | None:
    """The first step at which two clocks differ by more than rounding, as far as both go; None: nowhere.

    ends   2 where `others` were made from ends of `times`, which may be off too
    """
    common = min(len(times), len(others))
    if not common:
        return None
    longer = max(times, others, key=len)
    allowed = ends * max(tolerance(each) for each in ((times[:common], others[:common]) if common > 1 else (longer,)))
    apart = np.flatnonzero(~(np.abs(times[:common] - others[:common]) <= allowed))
    return int(apart[0]) if len(apart) else None


def uneven_step(times: np.ndarray) -> int | None:
    """The step whose distance from the one before is the most unusual; None: steps are even, but for rounding."""
    if first_difference(times, np.linspace(times[0], times[-1], len(times)), ends=2) is None:
        return None
    distances = np.diff(times)
    return 1 + int(np.argmax(np.abs(distances - np.median(distances))))


def resampled(times: np.ndarray, values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The values (steps, features) of a run every `step` from its first step on, by linear interpolation.

    Returns times, counted from the first step, and values. Raises ValueError for a step that is not above 0.
    """
    if not 0 < step < np.inf:
        raise ValueError(f"resample: expected a time step above 0; got {step}")
    since = times - times[0]
    grid = step * np.arange(1 + int(since[-1] / step + ALMOST))
    after = np.clip(np.searchsorted(since, grid), 1, max(len(times) - 1, 1)).clip(max=len(times) - 1)
    before = np.maximum(after - 1, 0)
    between = np.where(after > before, since[after] - since[before], 1.0)
    share = np.clip((grid - since[before]) / between, 0, 1)[:, None]
    return grid, values[before] * (1 - share) + values[after] * share
