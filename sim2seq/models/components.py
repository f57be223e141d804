"""Components: runs of many features as the few principal components that carry them, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim2seq.models.candidate import Runs

CARRIED = 0.9999  # share of the variance of the training runs
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
