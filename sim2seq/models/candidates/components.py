"""Polynomial of components: many features as few principal components, which go on as polynomials of each other.

What dissipates lies near a surface of few dimensions however many points are recorded (Foias, Sell and Temam, Inertial
Manifolds for Nonlinear Evolutionary Equations, 1988), so a field on a grid is learned by its leading components (Rowley
and Dawson, Model Reduction for Flow Analysis and Control, 2017), with products of up to three of all of them. How many
components, degree, lags and penalty are chosen by the free-running error on the validation runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sim2seq.models.candidates.candidate import MARGIN, NotForThese, Runs, best_in_time, best_of
from sim2seq.models.candidates.lookups import held_to_the_end
from sim2seq.models.candidates.polynomial import Polynomial, fits, products_in

FEW = 6  # features: fewer have no need of components
UNEXPLAINED = (1e-3, 1e-4, 1e-2, 1e-5)  # of the variance, by the components that are left out
SHAPES = ((1, 2), (1, 3), (3, 1), (2, 2))  # lags and degree, what takes a second before what takes ten
TERMS = 1000  # products at most; of fewer components where there would be more
PENALTIES = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4, 1e-2)  # a sample
EVEN = 0.5


@dataclass(frozen=True)
class Components:
    """A fitted autoregression of components, in scaled units.

    centre (features,), basis (features, components): what a component stands for
    low, high (features,): the range that forecasts stay within
    """

    inner: Polynomial
    centre: np.ndarray
    basis: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        seen = (context - self.centre) @ self.basis
        said = self.inner.forecast(seen, steps, conditions=conditions, controls=controls)
        return np.clip(said @ self.basis.T + self.centre, self.low, self.high)


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> Components:
    """The autoregression that is best on the validation runs, of those that could be tried in `seconds`.

    Raises NotForThese without a window, and for few features.
    """
    if training.window < 1 or training.features < FEW:
        got = f"{training.window} steps, {training.features} features"
        raise NotForThese(f"components need a window of a step or more and {FEW} features or more; got {got}")
    return best_in_time((best_of(fits_of(training, *each, seed), validation) for each in trials(training)), seconds)


def trials(training: Runs) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Lags, degree, mean and components of what is tried, each once."""
    centre, sizes, vectors = principal(training)
    left = 1 - np.cumsum(sizes**2) / max((sizes**2).sum(), 1e-300)
    seen = set()
    for lags, degree in SHAPES:
        for share in UNEXPLAINED:
            count = int((left > share).sum()) + 1
            while count > 1 and products_in(lags * count + training.told, degree) > TERMS:
                count -= 1
            if lags <= training.window and (lags, degree, count) not in seen:
                seen.add((lags, degree, count))
                yield lags, degree, centre, vectors[:, :count]


def principal(training: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the features, sizes of their principal components, and these: (features,), (k,), (features, k)."""
    rows = held_to_the_end(training.values).reshape(-1, training.features)
    centre = rows.mean(axis=0)
    squares, vectors = np.linalg.eigh((rows - centre).T @ (rows - centre))
    return centre, np.sqrt(np.maximum(squares[::-1], 0)), vectors[:, ::-1]


def fits_of(training: Runs, lags: int, degree: int, centre, basis, seed: int) -> Iterator[Components]:
    """An autoregression of these components for each penalty."""
    inside = replace(training, values=(training.values - centre) @ basis)
    for inner in fits(inside, lags, degree, seed=seed, most=TERMS, penalties=PENALTIES, even=EVEN):
        yield Components(inner, centre, basis, *training.bounds(MARGIN))
