"""Lookups: forecasts that are weighted means of what followed in training runs, each a candidate of a combination.

    mean trajectory   every run alike
    nearest run       the run whose beginning is nearest (Euclidean, in standard deviations)
    ridge             linear ridge regression from all that is told to the whole future
    extra trees       the runs with which a run shares leaves (Geurts, Ernst and Wehenkel, 2006)

    trees in blocks   the same trees from windows anywhere in the training runs, a block of steps after the other

All but the last are linear in the futures of the training runs, so what is learned are weights. They know the step that
they forecast, since every run begins at step 0. A block is learned from many more windows than there are runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2seq.models.candidates.candidate import MARGIN, NotForThese, Runs, error_of

MOST = 2000  # training runs that are looked up
ALPHAS = (1e-3, 1e-1, 1e1, 1e3)  # of ridge regression, chosen on validation runs
TREES, FEWEST_TREES = 300, 30
NEGLIGIBLE = 1e-6  # of the variance of futures: components that trees are not grown on, however many
LAG = 10  # steps over which a velocity is measured
SHARES_OF_HORIZON = (0.75, 0.5, 0.3, 0.15)  # length of a block, chosen on validation runs
WINDOWS, NUMBERS = 3000, 100_000_000  # that blocks are learned from, about, and numbers in these blocks at most
BLOCK_TREES, MOST_TRIED = 100, 40  # trees; numbers that a split is chosen among
COMPONENTS, SHARE, MOST_FOR_COMPONENTS = 24, 0.9999, 1000


def held_to_the_end(values: np.ndarray) -> np.ndarray:
    """Runs (runs, steps, features) whose last value stands for what is missing at their end (nan)."""
    there = np.isfinite(values).all(axis=2)
    if there.all():
        return values
    last = np.maximum.accumulate(np.where(there, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, last[..., None], axis=1)


def told(context, steps: int, conditions, controls, *, whole: bool = False) -> np.ndarray:
    """What is told of each run as numbers (runs, numbers): its last state, conditions and controls of `steps` steps.

    The state is the last value and the mean change over LAG steps, or with `whole` the whole window. Controls that end
    earlier, as in a shorter forecast, keep their last value.
    """
    runs, window = context.shape[:2]
    parts = [context.reshape(runs, window * context.shape[2]) if whole else last_state(context)]
    if conditions is not None:
        parts.append(conditions)
    if controls is not None:
        ahead = np.minimum(np.arange(window + steps), controls.shape[1] - 1)
        parts.append(controls[:, ahead].reshape(runs, -1))
    return np.concatenate(parts, axis=1)


def last_state(windows, *, lag: int = LAG) -> np.ndarray:
    """Last value, and mean change a step over the last `lag` steps (or the whole window): (runs, 2 x features)."""
    if not windows.shape[1]:
        return np.zeros((len(windows), 0))
    lag = min(lag, windows.shape[1] - 1)
    velocity = (windows[:, -1] - windows[:, -1 - lag]) / max(lag, 1)
    return np.concatenate([windows[:, -1], velocity], axis=1)


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
        weights = RULES[self.rule](query, **self.state) if self.rule in RULES else np.ones((len(query), 1))
        return np.tensordot(weights, self.futures[:, :steps], axes=1)


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
    futures = held_to_the_end(training.values)[:, training.window :]
    return training, futures, futures.shape[1]


def fit_mean(training: Runs, validation: Runs, **options) -> Lookup:
    """The mean of the training runs at each step."""
    _, futures, _ = learned(training)
    return Lookup("mean trajectory", futures.mean(axis=0, keepdims=True), {})


def fit_nearest(training: Runs, validation: Runs, **options) -> Lookup:
    """What followed in the most similar run."""
    some, futures, steps = learned(training)
    known = told(held_to_the_end(some.context), steps, some.conditions, some.controls, whole=True)
    return Lookup("nearest run", futures, {"known": known})


def fit_ridge(training: Runs, validation: Runs, **options) -> Lookup:
    """Ridge regression, with the penalty that does best on the validation runs."""
    some, futures, steps = learned(training)
    known = told(held_to_the_end(some.context), steps, some.conditions, some.controls, whole=True)
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


def fit_trees(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, **options) -> Lookup:
    """Extremely randomised trees, grown on principal components of the futures, which keep their distances."""
    some, futures, steps = learned(training)
    known = told(held_to_the_end(some.context), steps, some.conditions, some.controls)
    scores = principal(futures, share=1 - NEGLIGIBLE, most=len(futures))[1]
    return Lookup("extra trees", futures, grown(known, scores, TREES, seed, seconds=seconds))


@dataclass(frozen=True)
class Blocks:
    """Trees from the last state of a window, and what is told of the block to come, to the change over that block.

    lag       steps of the window that are looked at, and one more
    clock     whether the step at which the block begins is told too, as a share of `steps`
    scores    (windows, components) of what followed each window that was learned from
    mean, components   (block, features), (components, block, features): what scores stand for
    low, high (features,): the range that forecasts stay within; forest: as for `forest_weights`
    """

    lag: int
    clock: bool
    steps: int
    scores: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    low: np.ndarray
    high: np.ndarray
    forest: dict[str, np.ndarray]

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        window, block = context.shape[1], len(self.mean)
        values = context
        while values.shape[1] < window + steps:
            now = values.shape[1]
            query = told_of_block(values[:, now - self.lag :], now, block, self.clock, self.steps, conditions, controls)
            scores = forest_weights(query, **self.forest) @ self.scores
            change = self.mean + np.tensordot(scores, self.components, axes=1)
            values = np.concatenate([values, np.clip(values[:, -1:] + change, self.low, self.high)], axis=1)
        return values[:, window : window + steps]


def told_of_block(window, now: int, block: int, clock: bool, steps: int, conditions, controls) -> np.ndarray:
    """What is told before a block: last value, change over a step and the window, conditions, controls, the time."""
    back = window[:, -min(2, window.shape[1])]
    parts = [window[:, -1], window[:, -1] - back, window[:, -1] - window[:, 0]]
    if conditions is not None:
        parts.append(conditions)
    if controls is not None:
        ahead = np.minimum(np.arange(now, now + block), controls.shape[1] - 1)
        parts.append(controls[:, ahead].reshape(len(window), block * controls.shape[2]))  # of no window too
    if clock:
        parts.append(np.full((len(window), 1), now / steps))
    return np.concatenate(parts, axis=1)


def fit_blocks(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, **options) -> Blocks:
    """The length of block, with or without the clock, that forecasts the validation runs best.

    Raises NotForThese without a window.
    """
    if training.window < 1:
        raise NotForThese("trees in blocks need a window of a step or more")
    end, horizon = time.monotonic() + seconds, training.longest - training.window
    blocks = sorted({max(1, int(share * horizon)) for share in SHARES_OF_HORIZON}, reverse=True)
    tried: list[tuple[float, Blocks]] = []
    for block in blocks:
        if not tried or time.monotonic() < end:
            tried.append(attempt(training, validation, block, False, seed))
    if time.monotonic() < end:
        _, best = min(tried, key=lambda pair: pair[0])
        tried.append(attempt(training, validation, len(best.mean), True, seed))
    return min(tried, key=lambda pair: pair[0])[1]


def attempt(training: Runs, validation: Runs, block: int, clock: bool, seed: int) -> tuple[float, Blocks]:
    """Trees for blocks of this length, after their error."""
    lag = min(LAG + 1, training.window)
    query, change = told_and_changes(training, block, clock, lag)
    mean, scores, components = principal(change)
    forest = grown(query, scores, BLOCK_TREES, seed, share=min(1.0, MOST_TRIED / query.shape[1]))
    fitted = Blocks(lag, clock, training.values.shape[1], scores, mean, components, *training.bounds(MARGIN), forest)
    return error_of(fitted, validation), fitted


def told_and_changes(training: Runs, block: int, clock: bool, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """What is told before windows anywhere in the runs, and the change over the block after each.

    About WINDOWS of them, and no more than hold NUMBERS, of fewer runs where one window of each were too many.
    """
    steps, controls = training.values.shape[1], 0 if training.controls is None else training.controls.shape[2]
    most = max(1, NUMBERS // (block * (training.features + controls)))
    if most < len(training.values):
        whole = np.flatnonzero(np.isfinite(training.values[:, lag + block - 1]).all(axis=1))
        training = training.take(whole[:: -(-len(whole) // most)])
    values, starts = training.values, np.arange(lag, steps - block + 1)
    every = max(1, len(values) * len(starts) // WINDOWS, -(-len(starts) // (most // len(values))))
    queries, changes = [], []
    for start in starts[::every]:
        some = training.take(np.isfinite(values[:, start + block - 1]).all(axis=1))
        window = some.values[:, start - lag : start]
        queries.append(told_of_block(window, start, block, clock, steps, some.conditions, some.controls))
        changes.append(some.values[:, start : start + block] - window[:, -1:])
    return np.concatenate(queries), np.concatenate(changes)


def principal(changes, *, share=SHARE, most=COMPONENTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, scores and components of what followed windows: this share of its variance, in fewer numbers."""
    mean = changes.mean(axis=0)
    flat = (changes - mean).reshape(len(changes), -1)
    _, sizes, right = np.linalg.svd(flat[:: max(1, len(flat) // MOST_FOR_COMPONENTS)], full_matrices=False)
    shares = np.cumsum(sizes**2) / max((sizes**2).sum(), 1e-300)
    count = min(most, 1 + int(np.searchsorted(shares, share)), len(sizes))
    return mean, flat @ right[:count].T, right[:count].reshape(count, *mean.shape)


def grown(known, targets, trees: int, seed: int, *, share=1.0, seconds=np.inf) -> dict[str, np.ndarray]:
    """Extremely randomised trees, as `forest_weights` takes them, those of ExtraTreesRegressor(random_state=seed).

    One by one, without the mean targets of their nodes, 5 GB for 1000 runs; `trees`, or what `seconds` allow.
    """
    from joblib import Parallel, delayed
    from sklearn.tree import ExtraTreeRegressor

    known, end = np.asarray(known, dtype="float32"), time.monotonic() + seconds

    def tree_of(state) -> dict[str, np.ndarray]:
        tree = ExtraTreeRegressor(max_features=share, random_state=state).fit(known, targets, check_input=False).tree_
        nodes = {"feature": np.maximum(tree.feature, -1).astype(np.int16), "threshold": tree.threshold}
        others = {"left": tree.children_left, "right": tree.children_right, "leaf": tree.apply(known)}
        return nodes | {name: each.astype(np.int32) for name, each in others.items()}

    states = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=trees)
    some = (delayed(tree_of)(state) for i, state in enumerate(states) if i < FEWEST_TREES or time.monotonic() < end)
    each = Parallel(n_jobs=-1, prefer="threads")(some)
    sizes = {name: max(len(tree[name]) for tree in each) for name in each[0]}  # what fills up is never reached
    return {name: np.stack([np.resize(tree[name], size) for tree in each]) for name, size in sizes.items()}
