"""Scores: how far predicted energies are from true ones, on test sets that never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studies.ising import files, study
from studies.ising.files import Lattices
from studies.ising.networks import square

TOGETHER = 4096  # lattices that a network reads at once
TEST, SOURCE = "test", "source"  # groups of runs that are judged by: all betas up to 0.6; in the manner of the source


@dataclass(frozen=True)
class Score:
    """Errors of predicted energies, in units of J.

    raw       root mean square of predicted less true
    centred   the same after both have lost their mean over the whole set, as the source has it
    slope     of predicted over true (least squares); 1 is right, 0 is no better than the mean
    by_beta   beta -> raw
    """

    raw: float
    centred: float
    slope: float
    by_beta: dict[float, float]

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray, betas: np.ndarray) -> Score:
        """All (lattices,). Raises ValueError for arrays that do not fit, or are empty."""
        if not len(truth) or not np.shape(predicted) == np.shape(truth) == np.shape(betas):
            shapes = ", ".join(str(np.shape(each)) for each in (predicted, truth, betas))
            raise ValueError(f"predicted and true energies, betas: expected one number a lattice each; got {shapes}")
        error, centred = predicted - truth, truth - truth.mean()
        spread = predicted - predicted.mean() if np.ptp(predicted) else np.zeros(len(predicted))  # no dust of rounding
        slope = float(centred @ spread / max(centred @ centred, np.finfo(float).tiny))
        each = {float(beta): rms(error[betas == beta]) for beta in np.unique(betas)}
        return cls(rms(error), float(error.std()), slope, each)


def rms(error: np.ndarray) -> float:
    return float(np.sqrt((error**2).mean()))


def score(model: Callable, lattices: Lattices) -> Score:
    """The score of a Keras model, or of any function of samples (samples, sites, 1), on lattices with energies."""
    if lattices.energies is None:
        raise ValueError("expected lattices with their energies; got none")
    return Score.of(energies_of(model, lattices.grids), lattices.energies, lattices.betas)


def energies_of(model: Callable, grids: np.ndarray) -> np.ndarray:
    """Predicted energies (lattices,) of square lattices (lattices, n, n)."""
    flat = grids.reshape(len(grids), -1)[:, square(grids[0].size).snake(), None]
    answer = getattr(model, "predict_on_batch", model)  # compiled: a recurrent layer takes a fifth of the time
    pieces = [
        np.asarray(answer(flat[first : first + TOGETHER].astype("float32")))[:, 0]
        for first in range(0, len(flat), TOGETHER)
    ]
    return np.concatenate(pieces).astype(float)


def fixed_sets(path) -> dict[str, Lattices]:
    """Group -> the lattices of the store's records of the part test, by rising beta.

    Raises ValueError, in one line, where there are none, and for what files.read refuses, such as no energies.
    """
    found: dict[str, list[Lattices]] = {}
    for run_id, data in study.lattice_files(path, "test").items():
        found.setdefault(run_id.rpartition("_")[0], []).append(files.read(data["file"]))
    if not found:
        raise ValueError(f"{path}: expected records of lattices of the part 'test', with their files; found none")
    return {group: joined(parts) for group, parts in found.items()}


def joined(parts: list[Lattices]) -> Lattices:
    """Lattices of several files as those of one, in order of beta, without their chains."""
    parts = sorted(parts, key=lambda part: part.betas[0])
    grids, betas = (np.concatenate([getattr(part, name) for part in parts]) for name in ("grids", "betas"))
    energies = [part.energies for part in parts if part.energies is not None]
    return Lattices(grids, betas, np.concatenate(energies) if len(energies) == len(parts) else None, None)
