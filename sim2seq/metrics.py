"""Metrics: root mean squared errors in physical units, and the skill against the best baseline."""

from __future__ import annotations

import numpy as np

from sim2seq import baselines as naive
from sim2seq.ensemble import Ensemble
from sim2seq.forecast import closed_loop, one_step
from sim2seq.windows import PARTS, Split, select, windows_of

HORIZONS = (1, 10, 50, 100, 200)
ONE_STEP_BASELINES = ("hold", "constant velocity")


def rmse(forecast: np.ndarray, truth: np.ndarray, *, axis=None) -> np.ndarray:
    """Root mean squared error over `axis` (None: over everything), in the unit of the values.

    Raises ValueError when the shapes differ.
    """
    if np.shape(forecast) != np.shape(truth):
        raise ValueError(f"forecast {np.shape(forecast)} and truth {np.shape(truth)} must have one shape")
    return np.sqrt(np.mean(np.square(np.asarray(forecast, dtype=float) - truth), axis=axis))


def errors(forecast: np.ndarray, truth: np.ndarray, features) -> dict:
    """Every error of one forecast (runs, steps, features), as plain numbers.

    `rmse` over all; `by_feature`; `by_horizon`: one number a step ahead; `first`: over the first 1, 10, ... steps.
    """
    return {
        "rmse": float(rmse(forecast, truth)),
        "by_feature": dict(zip(features, rmse(forecast, truth, axis=(0, 1)).tolist(), strict=True)),
        "first": {str(n): float(rmse(forecast[:, :n], truth[:, :n])) for n in HORIZONS if n <= truth.shape[1]},
        "by_horizon": rmse(forecast, truth, axis=(0, 2)).tolist(),
    }


def skill(error: float, baseline_error: float) -> float:
    """1 - error / baseline error: 1 is perfect, 0 is no better than the baseline, below 0 is worse.

    A baseline without error leaves nothing to gain: 0 for a model that is as good, minus infinity otherwise.
    """
    if baseline_error == 0:
        return 0.0 if error == 0 else -np.inf
    return 1.0 - error / baseline_error


def closed_loop_errors(model, part: Ensemble, window: int) -> dict:
    """`errors` of the model's closed loop after the first window of each run of `part`."""
    truth = part.values[:, window:]
    return errors(closed_loop(model, part.values[:, :window], truth.shape[1]), truth, part.features)


def one_step_errors(model, part: Ensemble, window: int) -> dict:
    """RMSE of the step after each true window, over all and by feature."""
    return without_horizon(errors(one_step(model, part.values, window), part.values[:, window:], part.features))


def without_horizon(result: dict) -> dict:
    """One-step errors have no horizon: keep what is left."""
    return {name: result[name] for name in ("rmse", "by_feature")}


def baseline_errors(training: Ensemble, part: Ensemble, window: int) -> dict:
    """`errors` of each baseline on `part`, free-running after the first window of each run: name -> errors."""
    truth = part.values[:, window:]
    context, steps = part.values[:, :window], truth.shape[1]
    return {
        name: errors(baseline(training.values, context, steps), truth, part.features)
        for name, baseline in naive.BASELINES.items()
        if not (name == "constant velocity" and window < 2)
    }


def baseline_one_step_errors(part: Ensemble, window: int) -> dict:
    """One-step errors of the baselines that need no training: the others forecast a run from its start only."""
    contexts, targets = windows_of(part.values, window)
    truth = targets.reshape(-1, 1, len(part.features))
    flat = contexts.reshape(-1, window, len(part.features))
    return {
        name: without_horizon(errors(naive.BASELINES[name](None, flat, 1), truth, part.features))
        for name in ONE_STEP_BASELINES
        if not (name == "constant velocity" and window < 2)
    }


def score(model, ensemble: Ensemble, split: Split, window: int) -> dict:
    """Everything that scores.json holds: the model on each part, the baselines on the test part, the skill.

    All errors are root mean squared errors in physical units. The skill compares closed loops on the test part
    with the best baseline there.
    """
    parts = {name: select(ensemble, getattr(split, name)) for name in PARTS}
    closed = {name: closed_loop_errors(model, part, window) for name, part in parts.items()}
    naive_closed = baseline_errors(parts["train"], parts["test"], window)
    best = min(naive_closed, key=lambda name: naive_closed[name]["rmse"])
    return {
        "features": list(ensemble.features),
        "units": list(ensemble.units),
        "window": window,
        "runs": {name: part.runs for name, part in parts.items()},
        "skill": float(skill(closed["test"]["rmse"], naive_closed[best]["rmse"])),
        "best_baseline": best,
        "closed_loop": closed,
        "one_step": {name: one_step_errors(model, part, window) for name, part in parts.items()},
        "baselines": {"closed_loop": naive_closed, "one_step": baseline_one_step_errors(parts["test"], window)},
    }
