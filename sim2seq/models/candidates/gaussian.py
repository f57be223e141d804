"""Gaussian processes from what is told of a run to the principal components of its future.

An emulator of a whole trajectory (Higdon and others, Computer Model Calibration Using High-Dimensional Output, 2008).
Each component has a process of its own, with a length for each input that is fitted by its marginal likelihood
(scikit-learn), so that what does not matter is passed over, and what is noise in a high component is not learned.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim2seq.models.candidates.candidate import Runs, error_of
from sim2seq.models.candidates.lookups import held_to_the_end, told

MOST, FITTED = 400, 200  # training runs, and those that lengths are fitted to: the cost grows with their cube
COMPONENTS = 24  # of the future, at most
SHARE = 0.999  # of its variance
SEEN = 6  # principal components of the window, and of the controls
ALONE = 20  # numbers told of a run that have a length each; of more, so many principal components
SMOOTHNESS = (2.5, np.inf)  # of Matern's kernel, chosen on validation runs


@dataclass(frozen=True)
class GaussianProcess:
    """Fitted processes, in scaled units.

    centre, project   (numbers,), (numbers, inputs): from what is told to what the processes are given
    known             (runs, inputs) of the training runs
    lengths, amplitude, weights   (components, inputs), (components,), (components, runs)
    mean, components  (steps, features), (components, steps, features)
    """

    smoothness: float
    centre: np.ndarray
    project: np.ndarray
    known: np.ndarray
    lengths: np.ndarray
    amplitude: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    components: np.ndarray

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        horizon = len(self.mean)
        query = (told(context, horizon, conditions, controls, whole=True) - self.centre) @ self.project
        kernels = zip(self.lengths, self.amplitude, self.weights, strict=True)
        found = [
            size * kernel(query / each, self.known / each, self.smoothness) @ weights for each, size, weights in kernels
        ]
        return self.mean[:steps] + np.tensordot(np.stack(found, axis=1), self.components[:, :steps], axes=1)


def kernel(query, known, smoothness: float) -> np.ndarray:
    """Matern's kernel of scaled inputs, of smoothness 5/2 or infinite: (queries, runs)."""
    from sklearn.gaussian_process.kernels import RBF, Matern

    return RBF(1.0)(query, known) if np.isinf(smoothness) else Matern(1.0, nu=smoothness)(query, known)


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> GaussianProcess:
    """The processes of the smoothness that does better on the validation runs."""
    end = time.monotonic() + seconds
    training = some_of(training, seed)
    each = [of_smoothness(training, SMOOTHNESS[0], np.inf)]  # whole, whatever it takes: it is a baseline too
    for smoothness in SMOOTHNESS[1:]:
        if time.monotonic() < end:
            each.append(of_smoothness(training, smoothness, end))
    return min(each, key=lambda one: error_of(one, validation))


def some_of(training: Runs, seed: int = 0) -> Runs:
    """As many of the runs as a process can be made of, in a random order."""
    return training.take(np.random.default_rng(seed).permutation(len(training.values))[:MOST])


def of_smoothness(training: Runs, smoothness: float, end: float) -> GaussianProcess:
    whole = held_to_the_end(training.values)
    context, futures = whole[:, : training.window], whole[:, training.window :]
    numbers = told(context, futures.shape[1], training.conditions, training.controls, whole=True)
    centre, project = numbers.mean(axis=0), projection(numbers, training)
    known = (numbers - centre) @ project
    mean, scores, components = principal(futures)
    fits: list[tuple] = []
    for column in scores.T:
        if fits and time.monotonic() > end:
            break
        fits.append(process(known, column, smoothness))
    lengths, amplitude, weights = (np.stack(part) for part in zip(*fits, strict=True))
    return GaussianProcess(
        smoothness, centre, project, known, lengths, amplitude, weights, mean, components[: len(fits)]
    )


def principal(futures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, scores of standard deviation 1 (runs, components), and components times what they stand for."""
    mean = futures.mean(axis=0)
    flat = (futures - mean).reshape(len(futures), -1)
    left, sizes, right = np.linalg.svd(flat, full_matrices=False)
    shares = np.cumsum(sizes**2) / max((sizes**2).sum(), 1e-300)
    count = min(COMPONENTS, 1 + int(np.searchsorted(shares, SHARE)), len(sizes))
    root = np.sqrt(len(flat))
    scaled = right[:count] * (sizes[:count, None] / root)
    return mean, left[:, :count] * root, scaled.reshape(count, *mean.shape)


def projection(numbers, training: Runs) -> np.ndarray:
    """From what is told to a few inputs of standard deviation 1: components of window and of controls, conditions."""
    _, window, features = training.context.shape
    conditions = 0 if training.conditions is None else training.conditions.shape[1]
    ends = np.cumsum([0, window * features, conditions, numbers.shape[1] - window * features - conditions])
    blocks, centred = [], numbers - numbers.mean(axis=0)
    for kind, (start, stop) in enumerate(pairwise(ends)):
        if stop == start:
            continue
        part = centred[:, start:stop]
        _, sizes, right = np.linalg.svd(part, full_matrices=False)
        if kind == 1 and stop - start <= ALONE:
            some = np.eye(stop - start)
        else:
            rank = int((sizes > 1e-6 * sizes[0]).sum()) or 1  # of what never changes one number is kept
            some = right[: min(ALONE if kind == 1 else SEEN, rank)].T
        block = np.zeros((numbers.shape[1], some.shape[1]))
        block[start:stop] = some / np.maximum((part @ some).std(axis=0), 1e-12)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def process(known, column, smoothness: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Lengths, amplitude and weights of the process that explains one component best: of runs in a random order."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits

    ones, few = np.full(known.shape[1], 3.0), slice(FITTED)
    shape = RBF(ones, (0.1, 1e3)) if np.isinf(smoothness) else Matern(ones, (0.1, 1e3), nu=smoothness)
    model = GaussianProcessRegressor(ConstantKernel(1.0, (1e-3, 1e3)) * shape + WhiteKernel(0.1, (1e-8, 2.0)))
    with warnings.catch_warnings(), threadpool_limits(1):  # threads wait for each other longer than such matrices take
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(known[few], column[few])
        found = model.kernel_
        if len(known) > FITTED:
            model = GaussianProcessRegressor(found, optimizer=None).fit(known, column)
    return np.broadcast_to(found.k1.k2.length_scale, ones.shape), found.k1.k1.constant_value, model.alpha_
