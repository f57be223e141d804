"""Paths: the order in which the sites of a lattice are read as a run, and what of it a site has to be told.

A path is (sites,): the number of the site, counted row by row, that is read at each step.
"""

import numpy as np

from studies.ising.lattice import Lattice


def runs_of(grids: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Lattices (lattices, n_x, n_y) as runs (lattices, sites)."""
    return grids.reshape(len(grids), -1)[:, path]


def grids_of(runs: np.ndarray, path: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Runs (lattices, sites) as lattices (lattices, n_x, n_y), int8."""
    grids = np.empty(runs.shape, np.int8)
    grids[:, path] = runs
    return grids.reshape(-1, lattice.n_x, lattice.n_y)


def by_columns(grids: np.ndarray) -> np.ndarray:
    """The lattices with rows and columns exchanged: read by rows, they are read by columns."""
    return np.swapaxes(grids, 1, 2)


def frontier(lattice: Lattice, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each step the steps before it whose sites have a bond with a site that is not read yet; both (steps, most).

    Given them, the spin of a step does not depend on the others before it, since a spin acts along bonds alone. The
    second array is 1 where there is one, 0 where there are fewer than the most.
    """
    step_of, (first, second, _) = np.argsort(path), lattice.bonds()
    ends = np.stack([step_of[first], step_of[second]])
    early, late = ends.min(axis=0), ends.max(axis=0)
    open_ = [np.unique(early[(early < step) & (late >= step)]) for step in range(lattice.sites)]
    most = max(map(len, open_))
    steps, there = np.zeros((lattice.sites, most), int), np.zeros((lattice.sites, most))
    for step, found in enumerate(open_):
        steps[step, : len(found)], there[step, : len(found)] = found, 1
    return steps, there
