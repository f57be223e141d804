"""Grids: where the neurons of a map stand, how far apart they are, which are neighbours.

Neuron k stands in row k // columns and column k % columns. No grid is closed: its edges are edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MOST_NEURONS = 2500  # pairs of neurons are kept in memory: 25 MB of ranks at this size


@dataclass(frozen=True)
class Grid:
    """The pairs of a map's neurons.

    levels      (levels,): the squared distances that occur, rising from 0
    ranks       (neurons, neurons) int32: which of the levels is the squared distance of two neurons
    gaps        (gaps,): by how much a level rises above the one before, each number once
    rises       (levels,): which of the gaps it is; the first level's is 0
    neighbours  (neurons, neurons) bool
    """

    rows: int
    columns: int
    levels: np.ndarray
    ranks: np.ndarray
    gaps: np.ndarray
    rises: np.ndarray
    neighbours: np.ndarray

    @property
    def neurons(self) -> int:
        return self.rows * self.columns


def square(rows: int, columns: int) -> Grid:
    """A square grid: Euclidean distance; neighbours are the eight around (Moore)."""
    down, right = differences(*np.divmod(np.arange(rows * columns), columns))
    return grid_of_pairs(rows, columns, down**2 + right**2, np.maximum(abs(down), abs(right)) == 1)


def hexagonal(rows: int, columns: int) -> Grid:
    """A hexagonal grid, odd rows half a place to the right: distance in steps from neighbour to neighbour, of six."""
    steps = hexagonal_steps(rows, columns)
    return grid_of_pairs(rows, columns, steps**2, steps == 1)


def hexagonal_plane(rows: int, columns: int) -> Grid:
    """The same places and neighbours, with the Euclidean distance in the plane, as MiniSom measures."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, right = differences(row, column + (row % 2) / 2)
    return grid_of_pairs(rows, columns, right**2 + 0.75 * down**2, hexagonal_steps(rows, columns) == 1)


def hexagonal_steps(rows: int, columns: int) -> np.ndarray:
    """(neurons, neurons): steps between neurons, their distance in cube coordinates."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, along = differences(row, column - row // 2)
    return (abs(along) + abs(down) + abs(along + down)) // 2


def differences(*coordinates: np.ndarray) -> list[np.ndarray]:
    """Of each coordinate (neurons,) the differences of all pairs, (neurons, neurons)."""
    return [place[:, None] - place for place in coordinates]


def grid_of_pairs(rows: int, columns: int, squared: np.ndarray, neighbours: np.ndarray) -> Grid:
    """A Grid from squared distances and neighbours of all pairs, (neurons, neurons) each."""
    levels, ranks = np.unique(squared.astype(float), return_inverse=True)  # multiples of 1/4: equal ones are equal
    gaps, rises = np.unique(np.diff(levels, prepend=0.0), return_inverse=True)
    return Grid(rows, columns, levels, ranks.reshape(squared.shape).astype(np.int32), gaps, rises, neighbours)


GRIDS = {"square": square, "hexagonal": hexagonal, "hexagonal_plane": hexagonal_plane}


@lru_cache(maxsize=64)
def grid(name: str, rows: int, columns: int) -> Grid:
    """The grid `name` in GRIDS; the same object for the same map."""
    return GRIDS[name](rows, columns)
