"""Small trainings of maps, and how tests read them."""

import numpy as np

from studies.oracle.maps import SERIES
from studies.oracle.settings import Settings

SHORT = Settings(map_rows=6, map_columns=5, mode="stochastic", epoch_multiplier=2.0, checkpoints=20)


def settings(**changes) -> Settings:
    return Settings(**{**vars(SHORT), **changes})


def some_values(rows=100, columns=4, seed=0):
    return np.random.default_rng(seed).random((rows, columns))


def column(training, name):
    return training.checkpoints[:, SERIES.index(name)]


def flat(weights):
    """Weights (map rows, map columns, features) as metrics.py takes them."""
    return np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
