"""Baselines: what any model must beat, for each kind of task.

Of a forecast, (training, context, steps, told) -> prediction, with training: Told of the training runs, whose series
are whole runs; context (runs, window, features), prediction (runs, steps, features), all in physical units. A baseline
that learns does so from the start of the training runs: their first window, and the `steps` steps that follow it; of a
run that ends before, its last value stands for the rest. `told` is what is told of the runs to be forecast: conditions
of the run, and controls over the whole stretch, which the models are told too. What learns sees features as the score
counts them (Told.scale), inputs and controls in standard deviations: else those of large numbers alone would decide.

Of targets, (inputs, targets, queries) -> prediction: what is seen before each training target, (samples, numbers), the
targets (samples, outputs), and what is seen before each target to be predicted, (queries, numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2seq.evaluation.measures import scaled, spread
from sim2seq.models.candidates.lookups import held_to_the_end, last_state


@dataclass(frozen=True)
class Told:
    """What is told of runs beside their first steps: numbers (runs, numbers) or None; and of training runs the series.

    values (runs, steps, features), nan beyond the end of a run. `inputs`: how many of the numbers, the first ones, are
    inputs of the run; the others are its controls, step by step; None: all. `scale` (features,), of training runs: what
    each feature is counted in, 0 of one that never changes (measures.scale_of); None: features have one unit.
    """

    numbers: np.ndarray | None = None
    values: np.ndarray | None = None
    inputs: int | None = None
    scale: np.ndarray | None = None


def hold(training: Told, context, steps: int, told: Told) -> np.ndarray:
    """The last value of the window, for ever."""
    return np.repeat(context[:, -1:], steps, axis=1)


def constant_velocity(training: Told, context, steps: int, told: Told) -> np.ndarray:
    """A straight line through the last two steps of the window. Raises ValueError for a window of one step."""
    if context.shape[1] < 2:
        raise ValueError("constant velocity needs a window of at least 2 steps; got 1")
    horizon = np.arange(1, steps + 1)[None, :, None]
    return context[:, -1:] + horizon * (context[:, -1:] - context[:, -2:-1])


def mean_trajectory(training: Told, context, steps: int, told: Told) -> np.ndarray:
    """The mean of the training runs at each step, whatever the window shows."""
    _, future = window_and_future(training, context, steps)
    return np.repeat(future.mean(axis=0, keepdims=True), len(context), axis=0)


def nearest_run(training: Told, context, steps: int, told: Told) -> np.ndarray:
    """What followed in the training run whose first window is nearest (Euclidean); without one, what it is told."""
    first, future = window_and_future(training, context, steps)
    if not context.shape[1]:
        return regress(neighbour(), training.numbers, future, told.numbers)
    first, context = (scaled(each, training.scale) for each in (first, context))
    nearest = [((first - window) ** 2).sum(axis=(1, 2)).argmin() for window in context]
    return future[nearest]


def ridge(training: Told, context, steps: int, told: Told, *, alpha: float = 1e-3) -> np.ndarray:
    """Linear ridge regression from the whole window, and what is told of the run, to the whole future."""
    from sklearn.linear_model import Ridge

    first, future = window_and_future(training, context, steps)
    windows = [flat(scaled(each, counted_in(training))) for each in (first, context)]
    inputs, queries = map(join, windows, in_deviations(training.numbers, told.numbers))
    return regress(Ridge(alpha=alpha), inputs, future, queries, scale=training.scale)


def extra_trees(training: Told, context, steps: int, told: Told, *, trees: int = 300, seed: int = 0):
    """Extremely randomised trees from the last state (value, 10-step velocity) and what is told to the whole future.

    Geurts, Ernst and Wehenkel, Extremely randomized trees, 2006, in scikit-learn's implementation.
    """
    first, future = window_and_future(training, context, steps)
    inputs, queries = join(last_state(first), training.numbers), join(last_state(context), told.numbers)
    return forest(inputs, future, queries, trees=trees, seed=seed, scale=training.scale)


def gaussian_process(training: Told, context, steps: int, told: Told) -> np.ndarray:
    """Gaussian processes from what is told of a run to the principal components of the whole run."""
    from sim2seq.models.candidates.candidate import Runs
    from sim2seq.models.candidates.gaussian import of_smoothness, some_of

    if training.numbers is None or told.numbers is None or training.values is None:
        raise ValueError("a Gaussian process needs numbers that are told of the runs")
    _, future = window_and_future(training, context, steps)
    centre, spread = training.numbers.mean(axis=0), training.numbers.std(axis=0)
    spread = divisor(spread)
    scale, middle = future.std(axis=(0, 1)), future.mean(axis=(0, 1))
    scale = divisor(scale)

    def apart(told: Told) -> dict:
        """Inputs and controls: of inputs each counts, of controls a few components."""
        both = np.split((told.numbers - centre) / spread, [len(centre) if told.inputs is None else told.inputs], axis=1)
        conditions, controls = (each if each.size else None for each in both)
        return {
            "conditions": conditions,
            "controls": None if controls is None else controls.reshape(len(controls), steps, -1),
        }

    runs = Runs((future - middle) / scale, 0, **apart(training))
    fitted = of_smoothness(some_of(runs), 2.5, np.inf)
    return fitted.forecast(context, steps, **apart(told)) * scale + middle


BASELINES = {
    "hold": hold,
    "constant velocity": constant_velocity,
    "mean trajectory": mean_trajectory,
    "nearest run": nearest_run,
    "ridge": ridge,
    "extra trees": extra_trees,
}
FROM_INPUTS = {  # without a window
    "mean trajectory": mean_trajectory,
    "nearest run": nearest_run,
    "ridge": ridge,
    "extra trees": extra_trees,
    "gaussian process": gaussian_process,
}
ONE_STEP = ("hold", "constant velocity")  # those that need no training


def mean_target(inputs, targets, queries) -> np.ndarray:
    """The mean of the training targets."""
    return np.repeat(targets.mean(axis=0, keepdims=True), len(queries), axis=0)


def nearest_sample(inputs, targets, queries) -> np.ndarray:
    """The target of the training sample that looks most like this one (Euclidean, in standard deviations)."""
    return regress(neighbour(), inputs, targets, queries)


def neighbour():
    """A scikit-learn regressor: the target of what is nearest, in standard deviations."""
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsRegressor(1))


def ridge_of_samples(inputs, targets, queries, *, alpha: float = 1e-3) -> np.ndarray:
    """Linear ridge regression from all that is seen to the target."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return regress(make_pipeline(StandardScaler(), Ridge(alpha=alpha)), inputs, targets, queries)


def trees_of_samples(inputs, targets, queries, *, trees: int = 100, seed: int = 0) -> np.ndarray:
    """Extremely randomised trees from all that is seen to the target."""
    return forest(inputs, targets, queries, trees=trees, seed=seed)


TARGET_BASELINES = {
    "mean": mean_target,
    "nearest": nearest_sample,
    "ridge": ridge_of_samples,
    "extra trees": trees_of_samples,
}


def divisor(scale: np.ndarray) -> np.ndarray:
    """A scale to divide by: 1 in the place of the 0 of what never changes."""
    return np.where(scale > 0, scale, 1.0)


def counted(baseline: Callable, scale: np.ndarray | None) -> Callable:
    """A baseline of targets that learns them in units of `scale` (outputs,), as the score counts them; None: itself."""
    if scale is None:
        return baseline
    unit = divisor(scale)
    return lambda inputs, targets, queries: baseline(inputs, targets / unit, queries) * unit


def forest(inputs, targets, queries, *, trees: int, seed: int, scale: np.ndarray | None = None) -> np.ndarray:
    """The mean of the trees of ExtraTreesRegressor(trees, random_state=seed), grown one by one.

    All at once take 3 GB for 1000 runs. What they learn from is checked once, which takes as long as a small tree.
    Splits make the squares of targets (samples, ..., outputs) least, in units of `scale` (outputs,).
    """
    from joblib import Parallel, delayed
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import ExtraTreeRegressor
    from sklearn.utils import check_array

    within, restore = spanned(targets, scale)
    seen = StandardScaler().fit(inputs)  # trees take numbers less than 1e-7 apart for equal
    inputs, queries = (check_array(seen.transform(each), dtype="float32") for each in (inputs, queries))

    def forecast_of_tree(state):
        tree = ExtraTreeRegressor(max_features=1.0, random_state=state).fit(inputs, within, check_input=False)
        return tree.predict(queries, check_input=False)

    states = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=trees)
    grown = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(delayed(forecast_of_tree)(s) for s in states)
    return restore(sum(grown) / trees)


def spanned(targets: np.ndarray, scale: np.ndarray | None = None) -> tuple[np.ndarray, Callable]:
    """Targets (samples, ..., outputs) as (samples, numbers), and what makes targets (queries, ...) of such numbers.

    What a regressor learns that is linear in its targets, or sees no more of them than their distances, does not depend
    on the axes along which they are measured. So where a target has more outputs than there are samples, one for each
    step of each feature, it is measured along axes that span the samples alone: as many numbers as samples. Distances
    are in units of `scale` (outputs,), where it is given.
    """
    unit = 1.0 if scale is None else divisor(scale)
    wide, axes = targets[0].size > len(targets), None
    centre = targets.mean(axis=0) if wide else np.zeros(targets.shape[1:])
    numbers = flat((targets - centre) / unit)
    if wide:
        axes, numbers = np.linalg.qr(numbers.T)
        numbers = numbers.T

    def restore(found) -> np.ndarray:
        within = found if axes is None else found @ axes.T
        return centre + unit * np.reshape(within, (-1, *centre.shape))

    return numbers, restore


def window_and_future(training: Told, context, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The first windows of the training runs and what follows: (runs, window, features), (runs, steps, features).

    In float64, in which baselines count: the mean of 1000 runs of float32 would be off in the fifth digit.
    Raises ValueError when the training runs are too short for the forecast, or have other features.
    """
    window, features = context.shape[1:]
    values = training.values
    if values is None:
        raise ValueError("expected the series of the training runs; got none")
    if values.shape[2] != features:
        raise ValueError(f"expected windows of {values.shape[2]} features as in training; got {features}")
    if values.shape[1] < window + steps:
        raise ValueError(
            f"a forecast of {steps} steps after a window of {window} needs training runs of {window + steps} steps; "
            f"they have {values.shape[1]}"
        )
    whole = held_to_the_end(np.asarray(values[:, : window + steps], dtype=float))
    return whole[:, :window], whole[:, window:]


def regress(regressor, inputs, targets, queries, *, scale: np.ndarray | None = None) -> np.ndarray:
    """Fit a scikit-learn regressor from inputs to flattened targets and predict the targets of `queries`."""
    within, restore = spanned(targets, scale)
    return restore(regressor.fit(inputs, within).predict(queries))


def counted_in(training: Told) -> np.ndarray:
    """What each feature is counted in, (features,): of those that have one unit, their spread together."""
    found = training.scale
    if found is None:
        assert training.values is not None  # as window_and_future asks
        each = spread(training.values)
        found = np.full_like(each, np.sqrt(np.square(each).mean()))
    return found if found.any() else np.ones_like(found)


def in_deviations(numbers, others) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What is told of training runs and of others, (runs, numbers) or None, in standard deviations of the first."""
    if numbers is None or others is None:
        return numbers, others
    unit = spread(numbers[:, None])
    unit = divisor(unit)
    return numbers / unit, others / unit


def join(state, told) -> np.ndarray:
    """State (runs, numbers) and what is told of the run, (runs, more) or None, side by side."""
    return state if told is None else np.concatenate([state, told], axis=1)


def flat(array) -> np.ndarray:
    """(runs, ...) as (runs, everything else)."""
    return np.reshape(array, (len(array), -1))
