"""The counting dummy: runs whose features rise by one each step, so that any misalignment shows as a wrong number."""

import os

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
        units=("m",) * features,
    )


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


class Trap:
    """Unpickled, it makes a file: the proof that something ran."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)
