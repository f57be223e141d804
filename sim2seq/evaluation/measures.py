"""What counts as error: a loss at each point, and what is made of its mean; the unit where outputs have several."""

from __future__ import annotations

import numpy as np


def squares(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared errors, of which `rmse` is the root of the mean."""
    if np.shape(prediction) != np.shape(truth):
        raise ValueError(f"forecast {np.shape(prediction)} and truth {np.shape(truth)} must have one shape")
    return np.square(np.asarray(prediction, dtype=float) - truth)


def surprises(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """-ln p, in nats, of log-probabilities, of which cross-entropy is the mean; `truth` is 0 where a symbol came."""
    return -prediction


MEASURES: dict[str, tuple] = {"RMSE": (squares, np.sqrt), "cross-entropy": (surprises, np.asarray)}  # loss; of its mean


def losses(prediction: np.ndarray, truth: np.ndarray, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """The loss at each point, 0 where `truth` is no number, and where it is one."""
    there = np.isfinite(truth)
    return np.where(there, MEASURES[measure][0](prediction, truth), 0), there


def error(prediction: np.ndarray, truth: np.ndarray, measure: str, *, axis=None) -> np.ndarray:
    """What counts as error, over `axis` (None: over everything)."""
    lost, there = losses(prediction, truth, measure)
    return of_mean(lost.sum(axis=axis), there.sum(axis=axis), measure)


def scale_of(units, training: np.ndarray, measure: str) -> np.ndarray | None:
    """What an error over all outputs is counted in: the standard deviation of each, (outputs,), 0 of a constant one.

    None, their unit, where there is one output or all have one; and where no numbers are predicted, or none ever
    changes. `units`: of the outputs, "" where it is not known; `training` (runs, positions, outputs): of the training
    runs. Pascals and metres have no mean, and of two numbers without a unit nobody knows that they have one.
    """
    if measure != "RMSE" or len(units) < 2 or common_unit(units):
        return None
    found = spread(training)
    return found if found.any() else None


def common_unit(units) -> str:
    """The unit that all outputs share, or ""."""
    return units[0] if len(set(units)) == 1 else ""


def scaled(values: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """`values` (..., outputs) counted in `scale` (see scale_of), without the outputs that never change."""
    return values if scale is None else values[..., scale > 0] / scale[scale > 0]


def spread(values: np.ndarray) -> np.ndarray:
    """The standard deviation of each feature over all runs and steps, (features,); 0 of a constant one.

    Computed in float64, of smaller floats feature by feature: see streaming.moments.
    """
    values = np.asarray(values)
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        found = np.array([np.nanstd(values[..., place].astype(float)) for place in range(values.shape[-1])])
    else:
        found = np.nanstd(values, axis=(0, 1))
    return np.where(found > 1e-9 * np.nanmax(np.abs(values), axis=(0, 1)), found, 0.0)


def of_mean(lost, counts, measure: str):
    with np.errstate(invalid="ignore"):
        return MEASURES[measure][1](lost / counts)


def rmse(prediction: np.ndarray, truth: np.ndarray, *, axis=None) -> np.ndarray:
    """Root mean squared error over `axis` (None: over everything), in the unit of the values.

    Raises ValueError when the shapes differ.
    """
    return error(prediction, truth, "RMSE", axis=axis)
