"""Metrics: root mean squared errors in physical units, and the skill against the best baseline."""

from __future__ import annotations

import numpy as np

from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.streaming import extent
from sim2seq.data.windows import PARTS, Part, Split, select, windows_of
from sim2seq.evaluation import baselines as naive
from sim2seq.evaluation import conformal
from sim2seq.models.rollout import closed_loop, one_step

HORIZONS = (1, 10, 50, 100, 200)
ONE_STEP_BASELINES = ("hold", "constant velocity")
TOGETHER = 256  # runs whose every step is forecast at once: a network's states of 1000 runs of 400 steps take 1 GB


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


def forecasts_of(models, part: Ensemble, window: int, *, inputs=()) -> np.ndarray:
    """Closed loop of each model after the first window of each run: (models, runs, steps - window, features)."""
    context, given = part.values[:, :window], part.inputs_of_runs(inputs)
    return np.stack([closed_loop(model, context, part.steps - window, inputs=given) for model in models])


def one_step_errors(models, part: Ensemble, window: int, *, inputs=()) -> dict:
    """RMSE of each step from the true ones before it, over all and by feature, of the models' middle."""
    following = [conformal.middle(np.stack(each)) for each in one_step_forecasts(models, part, window, inputs)]
    return without_horizon(errors(np.concatenate(following), part.values[:, window:], part.features))


def one_step_forecasts(models, part: Ensemble, window: int, inputs):
    """One step ahead by each model, of as many runs after the other as fit: (runs, steps - window, features) each."""
    given = part.inputs_of_runs(inputs)
    for start in range(0, part.runs, TOGETHER):
        runs = slice(start, start + TOGETHER)
        asked = None if given is None else given[runs]
        yield [one_step(model, part.values[runs], window, inputs=asked) for model in models]


def without_horizon(result: dict) -> dict:
    """One-step errors have no horizon: keep what is left."""
    return {name: result[name] for name in ("rmse", "by_feature")}


def baseline_errors(training: Ensemble, part: Ensemble, window: int, *, inputs=()) -> dict:
    """`errors` of each baseline on `part`, free-running after the first window of each run: name -> errors.

    Baselines that can use inputs of the run are given the same as the model.
    """
    truth = part.values[:, window:]
    context, steps = part.values[:, :window], truth.shape[1]
    given = {"given": training.inputs_of_runs(inputs), "inputs": part.inputs_of_runs(inputs)}
    return {
        name: errors(baseline(training.values, context, steps, **given), truth, part.features)
        for name, baseline in naive.BASELINES.items()
        if not (name == "constant velocity" and window < 2)
    }


def baseline_one_step_errors(part: Ensemble, window: int) -> dict:
    """One-step errors of the baselines that need no training: the others forecast a run from its start only."""
    contexts, targets = windows_of(part.values, window)
    truth = targets.reshape(-1, 1, len(part.features))
    flat = contexts[:, :, -2:].reshape(len(truth), -1, len(part.features))  # they look at no more than two steps
    return {
        name: without_horizon(errors(naive.BASELINES[name](None, flat, 1), truth, part.features))
        for name in ONE_STEP_BASELINES
        if not (name == "constant velocity" and window < 2)
    }


def score(models, ensemble: Ensemble, split: Split, window: int, *, inputs=(), held_out: Part | None = None):
    """Everything that scores.json holds, and the band: the members on each part, the baselines on the test part.

    models      the members of a forecast, whose middle is judged; the band is calibrated on the validation runs
    inputs      names of the inputs of the run that models and baselines are given
    held_out    runs that belong to no part of the split, scored apart

    All errors are root mean squared errors in physical units. The skill compares closed loops on the test part
    with the best baseline there. Of a large part some runs are scored, and learned from by baselines (scored_runs).
    """
    whole = {name: select(ensemble, getattr(split, name)) for name in PARTS}
    parts = {name: part.some_runs() for name, part in whole.items()}
    test, truth = parts["test"], {name: part.values[:, window:] for name, part in parts.items()}
    forecasts = {name: forecasts_of(models, part, window, inputs=inputs) for name, part in parts.items()}
    middle = {name: conformal.middle(each) for name, each in forecasts.items()}
    closed = {name: errors(middle[name], truth[name], ensemble.features) for name in parts}
    naive_closed = baseline_errors(parts["train"], test, window, inputs=inputs)
    best = min(naive_closed, key=lambda name: naive_closed[name]["rmse"])
    band = conformal.calibrate(forecasts["validation"], truth["validation"])
    least = np.min([each["by_horizon"] for each in naive_closed.values()], axis=0)
    known = {"training": truth["train"], "baseline": least, "features": ensemble.features}
    scores = {
        "features": list(ensemble.features),
        "units": list(ensemble.units),
        "time_step": float(np.diff(ensemble.times).mean()) if ensemble.steps > 1 else 1.0,
        "time_unit": ensemble.time_unit,
        "window": window,
        "members": len(models),
        "inputs": {name: ranges(whole["train"].inputs[name]) for name in inputs},
        "first_window": first_window(whole["train"], window),
        "runs": {name: part.runs for name, part in whole.items()},
        "scored_runs": {name: part.runs for name, part in parts.items()},
        "skill": float(skill(closed["test"]["rmse"], naive_closed[best]["rmse"])),
        "best_baseline": best,
        "closed_loop": closed,
        "one_step": {name: one_step_errors(models, part, window, inputs=inputs) for name, part in parts.items()},
        "baselines": {"closed_loop": naive_closed, "one_step": baseline_one_step_errors(test, window)},
        "band": conformal.score_band(band, forecasts["test"], truth["test"], **known),
    }
    if held_out is not None:
        scores |= outside_scores(models, ensemble, parts, window, inputs, held_out, middle["test"])
        shown = scores["held_out"]["inputs"]
        scores["inputs"] = {name: ranges(whole["train"].inputs[name]) for name in shown}
    return scores, band


def first_window(training: Ensemble, window: int) -> dict:
    """Feature -> lowest and highest value in the first window of any run."""
    lowest, highest = extent(training.values)
    pairs = zip(lowest[:window].min(axis=0).tolist(), highest[:window].max(axis=0).tolist(), strict=True)
    return dict(zip(training.features, map(list, pairs), strict=True))


def outside_scores(models, ensemble, parts, window, inputs, held_out: Part, test_forecast) -> dict:
    """What scores.json holds of the runs that are held out, and of the test runs run by run, to be compared."""
    outside, test = select(ensemble, held_out).some_runs(), parts["test"]
    forecast = conformal.middle(forecasts_of(models, outside, window, inputs=inputs))
    truth = outside.values[:, window:]
    model = {"model": errors(forecast, truth, outside.features)}
    shown = inputs or [name for name, column in ensemble.inputs.items() if is_varying(column)]
    return {
        "held_out": {
            "runs": len(held_out.runs),
            "scored_runs": outside.runs,
            "closed_loop": model | baseline_errors(parts["train"], outside, window, inputs=inputs),
            "inputs": {name: outside.inputs[name].tolist() for name in shown},
            "rmse_by_run": rmse(forecast, truth, axis=(1, 2)).tolist(),
        },
        "test_inputs": {name: test.inputs[name].tolist() for name in shown},
        "test_rmse_by_run": rmse(test_forecast, test.values[:, window:], axis=(1, 2)).tolist(),
    }


def ranges(column) -> list[float]:
    """Lowest and highest value."""
    return [float(np.min(column)), float(np.max(column))]
