import subprocess
import sys

import numpy as np
import pytest

from sim2seq.models import MODELS, with_scaling
from sim2seq.windows import Scaling

SCALING = Scaling(mean=np.array([50.0, -3.0, 2000.0]), std=np.array([29.0, 0.5, 1.0]))
CONTEXT = np.random.default_rng(0).normal(size=(4, 6, 3)) * SCALING.std + SCALING.mean


def test_the_sources_network_has_33787_parameters():
    assert MODELS["stacked_lstm"](30, 3).count_params() == 33_787


@pytest.mark.parametrize("units", [(4,), (8, 4)])
def test_a_model_maps_windows_to_next_steps(units):
    assert MODELS["stacked_lstm"](6, 3, units=units).output_shape == (None, 3)


def test_a_model_without_layers_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        MODELS["stacked_lstm"](6, 3, units=())


def test_scaling_inside_the_model_equals_scaling_by_hand():
    core = MODELS["stacked_lstm"](6, 3, units=(4,))
    by_hand = SCALING.restore(core(SCALING.scale(CONTEXT).astype("float32")))
    np.testing.assert_allclose(with_scaling(core, SCALING)(CONTEXT.astype("float32")), by_hand, rtol=1e-4, atol=1e-3)


def test_training_the_core_trains_the_scaled_model():
    core = MODELS["stacked_lstm"](6, 3, units=(4,))
    model = with_scaling(core, SCALING)
    core.set_weights([np.zeros_like(weights) for weights in core.get_weights()])
    np.testing.assert_allclose(model(CONTEXT), np.tile(SCALING.mean, (4, 1)), rtol=1e-6)


def test_a_saved_model_loads_without_this_project_and_predicts_physical_units(tmp_path):
    model = with_scaling(MODELS["stacked_lstm"](6, 3, units=(4,)), SCALING)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "context.npy", CONTEXT)
    alone = (
        "import keras, numpy, sys; model = keras.saving.load_model('model.keras', safe_mode=True); "
        "numpy.save('out.npy', model.predict(numpy.load('context.npy'), verbose=0)); "
        "assert 'sim2seq' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), model.predict(CONTEXT, verbose=0), rtol=1e-5)
