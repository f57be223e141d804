"""What a training writes with JAX as the backend of Keras means the same to TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from sim2seq.data.splits import Part, select
from sim2seq.models.rollout import rollout

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (./setup.sh jax)"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares with TensorFlow"),
]

WINDOW = 5
TRAIN = """
import sys, keras, numpy as np
from pathlib import Path
from sim2seq.training import fit as training
from sim2seq.training.study import FORECAST
from sim2seq.data.ensemble import Ensemble
from sim2seq.models.rollout import rollout
from sim2seq.training.settings import Settings

assert keras.backend.backend() == "jax"
values, window = np.load("values.npy"), int(sys.argv[1])
ensemble = Ensemble(values, tuple(f"run_{i}" for i in range(len(values))), ("x", "y", "z"), np.arange(len(values[0])))
for model in sys.argv[2:]:
    words = ["size=debug", "units=4", "epochs=1", "jit_compile=true"]  # uncompiled, JAX goes operation by operation
    settings = Settings.parse([f"model={model}", f"window={window}", *words])
    split = training.split_runs(ensemble, settings)
    training.train(ensemble, settings, split, Path(model), FORECAST)
    trained = keras.saving.load_model(Path(model, "model.keras"))
    np.save(Path(model, "forecast.npy"), rollout(trained, values[:, :window], len(values[0]) - window))
"""


def test_a_model_of_jax_forecasts_the_same_with_tensorflow(bouncing, tmp_path):
    values = select(bouncing, Part(bouncing.run_ids[:10], 0, 60)).values
    np.save(tmp_path / "values.npy", values)
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    tolerances = {
        "autoregression": 1e-6,
        "residual_lstm": 1e-3,
        "stacked_lstm": 1e-2,
    }  # length; float64, and float32 of values up to 100
    subprocess.run(
        [sys.executable, "-c", TRAIN, str(WINDOW), *tolerances],
        cwd=tmp_path, env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}, check=True,
    )  # fmt: skip
    for model, tolerance in tolerances.items():
        here = rollout(keras.saving.load_model(tmp_path / model / "model.keras"), values[:, :WINDOW], 60 - WINDOW)
        np.testing.assert_allclose(here, np.load(tmp_path / model / "forecast.npy"), atol=tolerance, rtol=0)
