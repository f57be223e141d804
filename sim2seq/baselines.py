"""Baselines: what any model must beat. Each forecasts the future of runs from their first window.

All have one form: (training, context, steps) -> forecast, with training (training runs, steps, features),
context (runs, window, features) and forecast (runs, steps, features), all in physical units. A baseline that learns
does so from the start of the training runs: their first window, and the `steps` steps that follow it.
"""

from __future__ import annotations

import numpy as np


def hold(training, context, steps: int) -> np.ndarray:
    """The last value of the window, for ever."""
    return np.repeat(context[:, -1:], steps, axis=1)


def constant_velocity(training, context, steps: int) -> np.ndarray:
    """A straight line through the last two steps of the window. Raises ValueError for a window of one step."""
    if context.shape[1] < 2:
        raise ValueError("constant velocity needs a window of at least 2 steps; got 1")
    horizon = np.arange(1, steps + 1)[None, :, None]
    return context[:, -1:] + horizon * (context[:, -1:] - context[:, -2:-1])


def mean_trajectory(training, context, steps: int) -> np.ndarray:
    """The mean of the training runs at each step, whatever the window shows."""
    _, future = window_and_future(training, context, steps)
    return np.repeat(future.mean(axis=0, keepdims=True), len(context), axis=0)


def nearest_run(training, context, steps: int) -> np.ndarray:
    """What followed in the training run whose first window is nearest (Euclidean)."""
    first, future = window_and_future(training, context, steps)
    distance = ((context[:, None] - first[None]) ** 2).sum(axis=(2, 3))
    return future[distance.argmin(axis=1)]


def ridge(training, context, steps: int, *, alpha: float = 1e-3) -> np.ndarray:
    """Linear ridge regression from the whole window to the whole future."""
    from sklearn.linear_model import Ridge

    first, future = window_and_future(training, context, steps)
    return regress(Ridge(alpha=alpha), flat(first), future, flat(context))


def extra_trees(training, context, steps: int, *, trees: int = 300, seed: int = 0) -> np.ndarray:
    """Extremely randomised trees from the last state (position, 10-step velocity) to the whole future.

    Geurts, Ernst and Wehenkel, Extremely randomized trees, 2006, in scikit-learn's implementation.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    first, future = window_and_future(training, context, steps)
    forest = ExtraTreesRegressor(n_estimators=trees, random_state=seed, n_jobs=-1)
    return regress(forest, last_state(first), future, last_state(context))


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


def flat(array) -> np.ndarray:
    """(runs, ...) as (runs, everything else)."""
    return np.reshape(array, (len(array), -1))
