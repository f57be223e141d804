"""The counting dummy: runs whose features rise by one each step, so that any misalignment shows as a wrong number."""

import keras
import numpy as np

from sim2seq.ensemble import Ensemble


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


def count_on(window):
    """The law of the counting dummy as a simulator's step: (runs, window, features) -> (runs, features)."""
    return window[:, -1] + 1


def counting_model(window=5, features=2) -> keras.Model:
    """The same law as a Keras model, in physical units."""
    contexts = keras.Input((window, features))
    return keras.Model(contexts, keras.layers.Cropping1D((window - 1, 0))(contexts)[:, 0] + 1.0)
