"""Baselines: what any model must beat. Each forecasts the future of runs from their first window.

All have one form: (training, context, steps, given, inputs) -> forecast, with
training (training runs, steps, features), context (runs, window, features) and forecast (runs, steps, features), all
in physical units. A baseline that learns does so from the start of the training runs: their first window, and the
`steps` steps that follow it. Where the model is told inputs of the run, so are the baselines that can use them: those
of the training runs, given (training runs, inputs), and inputs (runs, inputs).
"""

from __future__ import annotations

import numpy as np


def hold(training, context, steps: int, given=None, inputs=None) -> np.ndarray:
    """The last value of the window, for ever."""
    return np.repeat(context[:, -1:], steps, axis=1)


def constant_velocity(training, context, steps: int, given=None, inputs=None) -> np.ndarray:
    """A straight line through the last two steps of the window. Raises ValueError for a window of one step."""
    if context.shape[1] < 2:
        raise ValueError("constant velocity needs a window of at least 2 steps; got 1")
    horizon = np.arange(1, steps + 1)[None, :, None]
    return context[:, -1:] + horizon * (context[:, -1:] - context[:, -2:-1])


def mean_trajectory(training, context, steps: int, given=None, inputs=None) -> np.ndarray:
    """The mean of the training runs at each step, whatever the window shows."""
    _, future = window_and_future(training, context, steps)
    return np.repeat(future.mean(axis=0, keepdims=True), len(context), axis=0)


def nearest_run(training, context, steps: int, given=None, inputs=None) -> np.ndarray:
    """What followed in the training run whose first window is nearest (Euclidean)."""
    first, future = window_and_future(training, context, steps)
    nearest = [((first - window) ** 2).sum(axis=(1, 2)).argmin() for window in context]
    return future[nearest]


def ridge(training, context, steps: int, given=None, inputs=None, *, alpha: float = 1e-3) -> np.ndarray:
    """Linear ridge regression from the whole window, and the inputs of the run, to the whole future."""
    from sklearn.linear_model import Ridge

    first, future = window_and_future(training, context, steps)
    return regress(Ridge(alpha=alpha), join(flat(first), given), future, join(flat(context), inputs))


def extra_trees(training, context, steps: int, given=None, inputs=None, *, trees: int = 300, seed: int = 0):
    """Extremely randomised trees from the last state (position, 10-step velocity) and inputs to the whole future.

    Geurts, Ernst and Wehenkel, Extremely randomized trees, 2006, in scikit-learn's implementation.
    """
    from joblib import Parallel, delayed
    from sklearn.tree import ExtraTreeRegressor

    first, future = window_and_future(training, context, steps)
    known, asked = join(last_state(first), given), join(last_state(context), inputs)

    def forecast_of_tree(state):
        return regress(ExtraTreeRegressor(max_features=1.0, random_state=state), known, future, asked)

    # the trees of ExtraTreesRegressor(trees, random_state=seed), one by one: all at once take 3 GB for 1000 runs
    states = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=trees)
    grown = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(delayed(forecast_of_tree)(s) for s in states)
    return sum(grown) / trees


BASELINES = {
    "hold": hold,
    "constant velocity": constant_velocity,
    "mean trajectory": mean_trajectory,
    "nearest run": nearest_run,
    "ridge": ridge,
    "extra trees": extra_trees,
}


def window_and_future(training, context, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The first windows of the training runs and what follows: (runs, window, features), (runs, steps, features).

    Raises ValueError when the training runs are too short for the forecast, or have other features.
    """
    window, features = context.shape[1:]
    if training.shape[2] != features:
        raise ValueError(f"expected windows of {training.shape[2]} features as in training; got {features}")
    if training.shape[1] < window + steps:
        raise ValueError(
            f"a forecast of {steps} steps after a window of {window} needs training runs of {window + steps} steps; "
            f"they have {training.shape[1]}"
        )
    return training[:, :window], training[:, window : window + steps]


def last_state(windows, *, lag: int = 10) -> np.ndarray:
    """Last value, and mean change a step over the last `lag` steps (or the whole window): (runs, 2 x features)."""
    lag = min(lag, windows.shape[1] - 1)
    velocity = (windows[:, -1] - windows[:, -1 - lag]) / max(lag, 1)
    return np.concatenate([windows[:, -1], velocity], axis=1)


def regress(regressor, inputs, future, queries) -> np.ndarray:
    """Fit a scikit-learn regressor from `inputs` to the flattened future and ask it at `queries`."""
    predicted = regressor.fit(inputs, flat(future)).predict(queries)
    return np.reshape(predicted, (len(queries), *future.shape[1:]))


def join(state, inputs) -> np.ndarray:
    """State (runs, numbers) and inputs of the run (runs, inputs), or None, side by side."""
    return state if inputs is None else np.concatenate([state, inputs], axis=1)


def flat(array) -> np.ndarray:
    """(runs, ...) as (runs, everything else)."""
    return np.reshape(array, (len(array), -1))
