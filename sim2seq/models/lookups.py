"""Lookups: forecasts that are weighted means of what followed in training runs, each a candidate of a combination.

    mean trajectory   every run alike
    nearest run       the run whose beginning is nearest (Euclidean, in standard deviations)
    ridge             linear ridge regression from all that is told to the whole future
    extra trees       the runs with which a run shares leaves (Geurts, Ernst and Wehenkel, 2006)

All of them are linear in the futures of the training runs, so what is learned are weights, and the futures are kept
once. They know the step that they forecast, since every run begins at step 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2seq.models.candidate import Runs

MOST = 2000  # training runs that are looked up
ALPHAS = (1e-3, 1e-1, 1e1, 1e3)  # of ridge regression, chosen on validation runs
TREES = 300
LAG = 10  # steps over which a velocity is measured


def held(values: np.ndarray) -> np.ndarray:
    """Runs (runs, steps, features) whose last value stands for what is missing at their end (nan)."""
    there = np.isfinite(values).all(axis=2)
    if there.all():
        return values
    last = np.maximum.accumulate(np.where(there, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, last[..., None], axis=1)


def told(context, steps: int, conditions, controls, *, whole: bool = False) -> np.ndarray:
    """What is told of each run as numbers (runs, numbers): its last state, conditions and controls.

    The state is the last value and the mean change over LAG steps, or with `whole` the whole window.
    """
    runs, window = context.shape[:2]
    parts = [np.zeros((runs, 0))]
    if window:
        parts += [context.reshape(runs, -1)] if whole else last_state(context)
    if conditions is not None:
        parts.append(conditions)
    if controls is not None:
        parts.append(controls[:, : window + steps].reshape(runs, -1))
    return np.concatenate(parts, axis=1)


def last_state(context) -> list[np.ndarray]:
    """Last value, and mean change a step over the last LAG steps (or the whole window): (runs, features) each."""
    lag = min(LAG, context.shape[1] - 1)
    return [context[:, -1], (context[:, -1] - context[:, -1 - lag]) / max(lag, 1)]


@dataclass(frozen=True)
class Lookup:
    """Weights of training runs for what is told of a run, and what followed in them.

    futures (training runs, steps, features). `state`: the arrays of one of RULES, by name.
    """

    rule: str
    futures: np.ndarray
    state: dict[str, np.ndarray]

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        horizon = self.futures.shape[1]
        query = told(context, horizon, conditions, controls, whole=self.rule in WHOLE)
        weights = RULES[self.rule](query, **self.state) if self.rule in RULES else hold_mean(query, self.futures)
        return np.tensordot(weights, self.futures[:, :steps], axes=1)


def hold_mean(query, futures) -> np.ndarray:
    return np.full((len(query), len(futures)), 1 / len(futures))


def nearest_weights(query, *, known) -> np.ndarray:
    """1 for the training run that is told most alike: (queries, runs)."""
    from scipy.spatial.distance import cdist

    return np.eye(len(known))[cdist(query, known).argmin(axis=1)]


def ridge_weights(query, *, known, centre, inverse) -> np.ndarray:
    """The weights of ridge regression, in its dual form: (queries, runs)."""
    return 1 / len(known) + (query - centre) @ (known - centre).T @ inverse


def forest_weights(query, *, feature, threshold, left, right, leaf) -> np.ndarray:
    """The share of trees in which a query falls into the leaf of a training run: (queries, runs).

    feature, threshold, left and right (trees, nodes), feature -1 at a leaf; leaf (trees, runs).
    """
    weights = np.zeros((len(query), leaf.shape[1]))
    rows = np.arange(len(query))
    for tree in range(len(leaf)):
        node = np.zeros(len(query), dtype=int)
        while (inner := feature[tree, node] >= 0).any():
            goes_left = query[rows, feature[tree, node]] <= threshold[tree, node]
            node = np.where(inner, np.where(goes_left, left[tree, node], right[tree, node]), node)
        shared = leaf[tree] == node[:, None]
        weights += shared / shared.sum(axis=1, keepdims=True)
    return weights / len(leaf)


RULES: dict[str, Callable[..., np.ndarray]] = {
    "nearest run": nearest_weights,
    "ridge": ridge_weights,
    "extra trees": forest_weights,
}
WHOLE = ("nearest run", "ridge")


def learned(training: Runs) -> tuple[Runs, np.ndarray, int]:
    """Some of the training runs, what followed in them, and for how many steps."""
    if len(training.values) > MOST:
        training = training.take(np.linspace(0, len(training.values) - 1, MOST).astype(int))
    futures = held(training.values)[:, training.window :]
    return training, futures, futures.shape[1]


def fit_mean(training: Runs, validation: Runs, **options) -> Lookup:
    """The mean of the training runs at each step."""
    _, futures, _ = learned(training)
    return Lookup("mean trajectory", futures.mean(axis=0, keepdims=True), {})


def fit_nearest(training: Runs, validation: Runs, **options) -> Lookup:
    """What followed in the most similar run."""
    some, futures, steps = learned(training)
    known = told(held(some.context), steps, some.conditions, some.controls, whole=True)
    return Lookup("nearest run", futures, {"known": known})


def fit_ridge(training: Runs, validation: Runs, **options) -> Lookup:
    """Ridge regression, with the penalty that does best on the validation runs."""
    some, futures, steps = learned(training)
    known = told(held(some.context), steps, some.conditions, some.controls, whole=True)
    centre = known.mean(axis=0)
    gram = (known - centre) @ (known - centre).T
    fits = [
        Lookup("ridge", futures, {"known": known, "centre": centre, "inverse": dual(gram, alpha)}) for alpha in ALPHAS
    ]
    return min(fits, key=lambda fit: error_of(fit, validation))


def dual(gram, alpha: float) -> np.ndarray:
    """Of centred targets too: the inverse of the penalised Gram matrix, less its part along ones."""
    inverse = np.linalg.inv(gram + alpha * np.eye(len(gram)))
    return inverse - inverse.mean(axis=1, keepdims=True)


def fit_trees(training: Runs, validation: Runs, *, seed: int = 0, **options) -> Lookup:
    """Extremely randomised trees, grown on the principal components of the futures, which keep all distances."""
    from sklearn.ensemble import ExtraTreesRegressor

    some, futures, steps = learned(training)
    known = told(held(some.context), steps, some.conditions, some.controls)
    forest = ExtraTreesRegressor(TREES, max_features=1.0, random_state=seed, n_jobs=-1)
    forest.fit(known, components_of(futures))
    trees = [each.tree_ for each in forest.estimators_]
    nodes = max(tree.node_count for tree in trees)
    names = {"feature": "feature", "threshold": "threshold", "left": "children_left", "right": "children_right"}
    state = {name: np.stack([padded(getattr(tree, of), nodes) for tree in trees]) for name, of in names.items()}
    state["feature"] = np.maximum(state["feature"], -1).astype(np.int16)
    for name in ("left", "right"):
        state[name] = state[name].astype(np.int32)
    state["leaf"] = forest.apply(known).T.astype(np.int32)
    return Lookup("extra trees", futures, state)


def padded(column: np.ndarray, nodes: int) -> np.ndarray:
    return np.pad(column, (0, nodes - len(column)))


def components_of(futures: np.ndarray) -> np.ndarray:
    """Coordinates of the futures in which their distances are the same, at most as many as there are runs."""
    flat = futures.reshape(len(futures), -1)
    flat = flat - flat.mean(axis=0)
    if flat.shape[1] <= len(flat):
        return flat
    values, vectors = np.linalg.eigh(flat @ flat.T)
    return vectors * np.sqrt(np.maximum(values, 0))


def error_of(fit, runs: Runs) -> float:
    """Root mean squared error of a forecast of whole runs."""
    steps = runs.future.shape[1]
    forecast = fit.forecast(runs.context, steps, conditions=runs.conditions, controls=runs.controls)
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.sqrt(np.nanmean(np.square(forecast - runs.future))))
    return error if np.isfinite(error) else np.inf
