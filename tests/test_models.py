import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, ensemble_of

from sim2seq.forecast import closed_loop
from sim2seq.models import MODELS, walls, with_scaling
from sim2seq.windows import Scaling

SCALING = Scaling(mean=np.array([50.0, -3.0, 2000.0]), std=np.array([29.0, 0.5, 1.0]))
CONTEXT = np.random.default_rng(0).normal(size=(4, 6, 3)) * SCALING.std + SCALING.mean


def test_the_sources_network_has_33787_parameters():
    assert MODELS["stacked_lstm"](30, 3).count_params() == 33_787


@pytest.mark.parametrize("units", [(4,), (8, 4)])
def test_a_model_maps_windows_to_next_steps(units):
    assert MODELS["stacked_lstm"](6, 3, units=units).output_shape == (None, 3)


def test_an_autoregression_goes_on_between_walls_from_its_linear_part_alone():
    """At a wall the step before last tells the pace, so the law is linear once it is known which wall that is."""
    values = bouncing_counters()
    scaling = Scaling.of(ensemble_of(values))
    core = MODELS["autoregression"](5, 3, values=scaling.scale(values[:4]))
    forecast = closed_loop(with_scaling(core, scaling), values[4:, :5], 55)
    np.testing.assert_allclose(forecast, values[4:, 5:], atol=1e-6)
    assert (forecast.min(), forecast.max()) == pytest.approx((0, 10), abs=1e-12)


def test_a_wall_is_an_extreme_met_exactly_in_more_than_one_run():
    values = np.random.default_rng(0).normal(size=(3, 50, 5))
    values[:2, 7, 0] = 9.0  # two runs
    values[0, 7:9, 1] = 9.0  # one run, twice
    values[:2, 7, 2] = 9.0, 9.0 + 1e-12  # two runs, not the same
    values[..., 3] = 5.0  # never changes
    values[1:, 3, 4] = -9.0
    low, high = walls(values)
    np.testing.assert_array_equal(high, [9.0, *[np.inf] * 4])
    np.testing.assert_array_equal(low, [*[-np.inf] * 4, -9.0])


def test_an_autoregression_asks_for_three_steps_and_for_training_runs():
    with pytest.raises(ValueError, match="a window of at least 3 steps; got a window of 2"):
        MODELS["autoregression"](2, 3, values=bouncing_counters())
    with pytest.raises(ValueError, match="got no training runs"):
        MODELS["autoregression"](5, 3)


def test_what_does_not_change_stays_and_its_autoregression_is_finite():
    core = MODELS["autoregression"](3, 2, values=np.zeros((4, 20, 2)))
    np.testing.assert_allclose(core(np.zeros((1, 3, 2))), 0, atol=1e-9)


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


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_loads_without_this_project_and_predicts_physical_units(name, tmp_path):
    model = with_scaling(MODELS[name](6, 3, units=(4,), values=bouncing_counters()), SCALING)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "context.npy", CONTEXT)
    alone = (
        "import keras, numpy, sys; model = keras.saving.load_model('model.keras', safe_mode=True); "
        "numpy.save('out.npy', model.predict(numpy.load('context.npy'), verbose=0)); "
        "assert 'sim2seq' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), model.predict(CONTEXT, verbose=0), rtol=1e-5)


def test_the_saved_autoregression_is_the_same_to_the_last_digit(tmp_path):
    """Scaling of the data's own float32 statistics: nothing of float64 is lost in the file."""
    values = bouncing_counters()
    scaling = Scaling.of(ensemble_of(values))
    model = with_scaling(MODELS["autoregression"](5, 3, values=scaling.scale(values)), scaling)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*(closed_loop(each, values[:, :5], 55) for each in (model, loaded)))
