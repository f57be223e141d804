"""Steps from inputs: from what is told of a run to its first steps, and then on from step to step.

The first steps of runs that their inputs fix are a smooth function of these, however far the runs part later; the law
of a step is learned from every step of every run (as by polynomial.py, components.py and models/terms.py) instead of
from as many rows as there are runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sim2seq.models.candidates import components, gaussian, polynomial, walled
from sim2seq.models.candidates.candidate import NotForThese, Runs, best_of, error_of
from sim2seq.models.candidates.components import Components
from sim2seq.models.candidates.gaussian import GaussianProcess
from sim2seq.models.candidates.lookups import held_to_the_end
from sim2seq.models.candidates.polynomial import Polynomial, normal_of, powers_of, products_in, solve
from sim2seq.models.candidates.walled import Walled

FIRST = (3, 2, 1)  # steps that are told from inputs
SHAPES = ((2, 2), (2, 3), (1, 2), (1, 3), (3, 2), (1, 4), (3, 3), (2, 4))  # lags and degree, in the order of trial
DEGREES, PENALTIES = (1, 2, 3, 4, 5), (1e-12, 1e-9, 1e-6, 1e-3)  # of the first steps; a run
MOST, EXACT = 1000, 1e-3  # products of inputs; an error of the first steps below which no processes are asked
LAW_PENALTIES = (1e-14, 1e-11, 1e-8, 1e-5, 1e-3)


@dataclass(frozen=True)
class Surface:
    """A polynomial of what is told: powers as in Polynomial, scale (numbers,), weights (terms, steps, features)."""

    powers: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    def at(self, told) -> np.ndarray:
        """(runs, numbers) -> (runs, steps, features)."""
        numbers = told * self.scale
        terms = polynomial.terms_of(numbers, np.arange(numbers.shape[1])[None], self.powers)[:, 0]
        return np.tensordot(terms, self.weights, axes=1)


@dataclass(frozen=True)
class Beginning:
    """The first steps of a run: by a polynomial of what is told, or by Gaussian processes."""

    surface: Surface | None
    processes: GaussianProcess | None

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        """As a candidate without a window; only the first `steps` controls, that many or more, are looked at."""
        if self.surface is not None:
            return self.surface.at(told_first(conditions, controls, steps))
        assert self.processes is not None
        return self.processes.forecast(context, steps, conditions=conditions, controls=controls)


@dataclass(frozen=True)
class StepsFromInputs:
    """The first steps, and one of three laws that goes on from them."""

    first: int
    beginning: Beginning
    polynomial: Polynomial | None = None
    components: Components | None = None
    walled: Walled | None = None

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        if controls is not None:  # those of a forecast that ends before the first law does
            controls = controls[:, np.minimum(np.arange(max(steps, self.first + 1)), controls.shape[1] - 1)]
        begun = self.beginning.forecast(context, self.first, conditions=conditions, controls=controls)
        law = self.polynomial or self.components or self.walled
        assert law is not None
        later = law.forecast(begun, max(steps - self.first, 1), conditions=conditions, controls=controls)
        return np.concatenate([begun, later], axis=1)[:, :steps]


def told_first(conditions, controls, steps: int) -> np.ndarray:
    """What is told of the first steps: conditions, and their controls; (runs, numbers)."""
    parts = [] if conditions is None else [conditions]
    if controls is not None:
        parts.append(controls[:, :steps].reshape(len(controls), -1))
    return np.concatenate(parts, axis=1)


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> StepsFromInputs:
    """The law that is best on the validation runs, of those that could be tried in `seconds`.

    Raises NotForThese with a window, or where nothing is told of the runs.
    """
    if training.window or not training.told:
        raise NotForThese("steps from inputs are for runs that their inputs fix, without a window")
    end = time.monotonic() + seconds
    begin = cache(lambda first: best_beginning(training, validation, first))
    tried: list[tuple[float, StepsFromInputs]] = []
    for first, laws in trials(training, seed):
        if first < training.values.shape[1] and not (tried and time.monotonic() > end):
            with suppress(ValueError, np.linalg.LinAlgError):  # of one law, such as one for longer runs
                found = (going_on(first, begin(first), law) for law in laws)
                tried.extend((error_of(one, validation), one) for one in found)
    if not tried:
        raise NotForThese("no law of a step could be fitted")
    return min(tried, key=lambda pair: pair[0])[1]


def going_on(first: int, beginning: Beginning, law: Polynomial | Components | Walled) -> StepsFromInputs:
    of_components, with_walls = law if isinstance(law, Components) else None, law if isinstance(law, Walled) else None
    return StepsFromInputs(first, beginning, law if isinstance(law, Polynomial) else None, of_components, with_walls)


def best_beginning(training: Runs, validation: Runs, first: int) -> Beginning:
    """The polynomial, or the processes, that tell the first steps of the validation runs best."""
    training, validation = (begun(runs, first) for runs in (training, validation))
    error, best = best_of((Beginning(one, None) for one in surfaces(training, first)), validation)
    if error < EXACT:
        return best
    processes = Beginning(None, gaussian.of_smoothness(gaussian.some_of(training), np.inf, np.inf))
    return min(best, processes, key=lambda one: error_of(one, validation))


def begun(runs: Runs, first: int) -> Runs:
    """The first steps of runs; what is missing of them is held."""
    controls = None if runs.controls is None else runs.controls[:, :first]
    return Runs(held_to_the_end(runs.values[:, :first]), 0, runs.conditions, controls)


def surfaces(training: Runs, first: int) -> Iterator[Surface]:
    """Polynomials of each degree and penalty."""
    told = told_first(training.conditions, training.controls, first)
    scale = 1 / np.maximum(np.abs(told).max(axis=0), 1e-12)
    answers = training.values.reshape(len(told), -1)
    for degree in DEGREES:
        if products_in(told.shape[1], degree) > MOST:
            return
        powers = powers_of(told.shape[1], degree)
        gram, right = normal_of(told * scale, answers, np.arange(told.shape[1])[None], powers)
        for penalty in PENALTIES:
            with suppress(np.linalg.LinAlgError):  # too small a penalty for these terms
                weights = solve(gram, right, penalty * len(told))
                yield Surface(powers, scale, weights.reshape(-1, *training.values.shape[1:]))


def trials(training: Runs, seed: int) -> Iterator[tuple[int, Iterator]]:
    """What is tried, one after the other: how many steps are told, and laws that go on from them."""
    runs = {first: replace(training, window=first) for first in FIRST}
    if training.features >= components.FEW:
        for lags, degree, centre, basis in components.trials(runs[max(FIRST)]):
            if lags in runs:
                yield lags, components.fits_of(runs[lags], lags, degree, centre, basis, seed)
    yield walled.LAGS, map(walled.fit, [runs[walled.LAGS]])  # when it is asked for
    for lags, degree in SHAPES:
        if polynomial.is_affordable(training.features, lags * training.features + training.told, degree):
            yield lags, polynomial.fits(runs[lags], lags, degree, seed=seed, penalties=LAW_PENALTIES)
