"""The counting dummy: runs whose features rise by one each step, so that any misalignment shows as a wrong number."""

import os
from dataclasses import replace

import keras
import numpy as np

from sim2seq.data.ensemble import Ensemble


def counting_ensemble(runs=6, steps=20, features=2) -> Ensemble:
    """Run r, feature f starts at 100 r + 10 000 f and rises by one each step."""
    start = 100.0 * np.arange(runs)[:, None, None] + 10_000.0 * np.arange(features)
    return Ensemble(
        values=start + np.arange(steps)[None, :, None],
        run_ids=tuple(f"run_{run}" for run in range(runs)),
        features=tuple(f"count_{feature}" for feature in range(features)),
        times=np.arange(steps) / 20,
        inputs={"start": 100.0 * np.arange(runs), "other": np.cos(np.arange(runs)), "fixed": np.ones(runs)},
        units={f"count_{feature}": "m" for feature in range(features)},
    )


def unequal_counting() -> Ensemble:
    """A counting ensemble whose three runs have 20, 12 and 6 steps."""
    ensemble, lengths = counting_ensemble(runs=3, steps=20), np.array([20, 12, 6])
    values = np.where(np.arange(20)[None, :, None] < lengths[:, None, None], ensemble.values, np.nan)
    return replace(ensemble, values=values, lengths=lengths)


def ensemble_of(values) -> Ensemble:
    """An array (runs, steps, features) as an Ensemble, with names and times made up."""
    runs, steps, features = values.shape
    return Ensemble(
        values=values,
        run_ids=tuple(f"run_{run}" for run in range(runs)),
        features=tuple(f"feature_{feature}" for feature in range(features)),
        times=np.arange(steps) / 20,
    )


def bouncing_counters(runs=6, steps=60):
    """Counters of other paces that turn round at 0 and 10, put exactly on the wall that they would pass."""
    value = np.linspace(1, 9, runs)[:, None] + np.zeros(3)
    pace = np.array([0.7, 1.1, -0.9]) * np.linspace(0.8, 1.2, runs)[:, None]
    values = []
    for _ in range(steps):
        values.append(value)
        moved = value + pace
        value, pace = np.clip(moved, 0, 10), np.where((moved < 0) | (moved > 10), -pace, pace)
    return np.stack(values, axis=1)


def logistic_ensemble(runs=10, steps=30) -> Ensemble:
    """x -> 3.7 x (1 - x) from starts between 0.1 and 0.9: a law of the last value that no linear model holds."""
    values = [np.linspace(0.1, 0.9, runs)]
    for _ in range(steps - 1):
        values.append(3.7 * values[-1] * (1 - values[-1]))
    return ensemble_of(np.stack(values, axis=1)[..., None])


def count_on(window):
    """The law of the counting dummy as a simulator's step: (runs, window, features) -> (runs, features)."""
    return window[:, -1] + 1


def counting_model(window=5, features=2) -> keras.Model:
    """The same law as a Keras model, in physical units."""
    contexts = keras.Input((window, features))
    return keras.Model(contexts, keras.layers.Cropping1D((window - 1, 0))(contexts)[:, 0] + 1.0)


def core_of(name, features, conditions=0, *, controls=0, units=(64, 32, 16, 8), values=None, given=None) -> keras.Model:
    """A core of the table of models, by sizes."""
    from sim2seq.models.builders import MODELS, Sizes
    from sim2seq.training.settings import Settings

    sizes = Sizes(features, features, controls, conditions)
    settings = Settings() if units == () else Settings(units=units)
    if units == ():
        object.__setattr__(settings, "units", ())
    return MODELS[name](sizes, settings, values=values, conditions=given)


def scores_json(**changes) -> dict:
    """What scores.json holds of a forecast of x and y, 8 steps after a window of 5, as a surrogate needs it."""
    from sim2seq.evaluation.scores import Errors, Scores

    scores = Scores(
        task="forecast",
        position="steps ahead",
        positions=[float(step) for step in range(1, 9)],
        features=["x", "y"],
        units=["m", ""],
        steps=13,
        time_step=0.5,
        time_unit="s",
        window=5,
        members=1,
        inputs={},
        first_window={"x": [0, 100], "y": [0, 100]},
        runs={"test": 1},
        scored_runs={"test": 1},
        skill=0.5,
        skill_interval=[0.4, 0.6],
        best_baseline="hold",
        errors={"test": Errors(1.0, {"x": 1.0, "y": 1.0})},
        baselines={"hold": Errors(2.0, {"x": 2.0, "y": 2.0})},
    )
    return scores.to_json() | changes


class Trap:
    """Unpickled, it makes a file: the proof that something ran."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)
