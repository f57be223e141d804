"""How good a map is, over the known values of a table: lower is better for all but the rank correlation.

weights   (features, neurons); values and known (rows, features): see kernels.py
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studies.oracle import kernels
from studies.oracle.grids import Grid


@dataclass(frozen=True)
class Hits:
    """Of each row, (rows,): the nearest neuron, the second nearest, and the distance to the nearest."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray


def hits(weights: np.ndarray, values: np.ndarray, known: np.ndarray) -> Hits:
    """Which neurons the rows hit. A gap adds nothing to a distance."""
    rows = len(values)
    found = Hits(np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64), np.empty(rows))
    kernels.two_nearest(weights, values, known, found.first, found.second, found.distance)
    return found


def mqe(found: Hits) -> float:
    """Mean quantisation error: the mean distance of the rows to their nearest neurons."""
    return float(found.distance.mean())


def topographic_error(found: Hits, grid: Grid) -> float:
    """The share of rows whose two nearest neurons are no neighbours on the grid; 0 for a map of one neuron."""
    return float(1 - grid.neighbours[found.first, found.second].mean()) if grid.neurons > 1 else 0.0


def dead_ratio(found: Hits, grid: Grid) -> float:
    """The share of neurons that no row hits."""
    return float((hit_map(found, grid) == 0).mean())


def hit_map(found: Hits, grid: Grid) -> np.ndarray:
    """(map rows, map columns): rows that hit each neuron."""
    return np.bincount(found.first, minlength=grid.neurons).reshape(grid.rows, grid.columns)


def rank_correlation(weights: np.ndarray, grid: Grid) -> float:
    """Spearman's correlation, over all pairs of neurons, of their distances in the table's space and on the grid.

    0 where one of the two is the same for all pairs. A map can have a low error and a low topographic error and still
    lie folded in the table: this tells.
    """
    pairs = np.triu_indices(grid.neurons, 1)
    distances = pair_distances(weights)[pairs]
    largest = distances.max(initial=0.0) or 1.0
    apart = mean_ranks(np.round(distances / largest, 9))  # what differs by rounding is equal
    on_grid = mean_ranks(grid.ranks[pairs])
    if len(apart) < 2 or np.ptp(apart) == 0 or np.ptp(on_grid) == 0:
        return 0.0
    return float(np.corrcoef(apart, on_grid)[0, 1])


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value; equal ones have the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def pair_distances(weights: np.ndarray) -> np.ndarray:
    """(neurons, neurons): distances of the neurons' weights."""
    squares = np.sum(weights**2, axis=0)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * weights.T @ weights, 0))


def u_matrix(weights: np.ndarray, grid: Grid) -> np.ndarray:
    """(map rows, map columns): the mean distance of each neuron's weights to those of its neighbours."""
    total = np.where(grid.neighbours, pair_distances(weights), 0).sum(axis=1)
    return (total / np.maximum(grid.neighbours.sum(axis=1), 1)).reshape(grid.rows, grid.columns)
