"""Tables of known shape: what a map should make of them is known before it is trained.

The shapes of the source's benchmarks that scikit-learn has, and a chain: columns scaled to [0, 1].
"""

from __future__ import annotations

import numpy as np
from sklearn import datasets


def plane(rows: int, seed: int) -> np.ndarray:
    """Uniform in a square, (rows, 2): a flat map can lie in it without a fold."""
    return np.random.default_rng(seed).random((rows, 2))


def chain(rows: int, seed: int) -> np.ndarray:
    """Uniform on a straight line, (rows, 2): a map of one row can lie along it."""
    along = np.random.default_rng(seed).random(rows)
    return np.stack([along, along], axis=1)


def s_curve(rows: int, seed: int) -> np.ndarray:
    """A sheet bent into an S, (rows, 3), noise 0.1."""
    return datasets.make_s_curve(rows, noise=0.1, random_state=seed)[0]


def swiss_roll(rows: int, seed: int) -> np.ndarray:
    """A sheet rolled up, (rows, 3), noise 0.1: a flat map folds or cuts through it."""
    return datasets.make_swiss_roll(rows, noise=0.1, random_state=seed)[0]


def blobs(rows: int, seed: int) -> np.ndarray:
    """Five round clouds, (rows, 5), with nothing between them."""
    return datasets.make_blobs(rows, n_features=5, centers=5, random_state=seed)[0]


SHAPES = {"plane": plane, "chain": chain, "s_curve": s_curve, "swiss_roll": swiss_roll, "blobs": blobs}


def shape(name: str, rows: int = 2000, *, seed: int = 0) -> np.ndarray:
    """The table `name` in SHAPES, (rows, columns), each column scaled to [0, 1]."""
    values = SHAPES[name](rows, seed)
    return (values - values.min(axis=0)) / np.ptp(values, axis=0)
