"""Scaling: means and deviations of the training runs, undone exactly, in whatever unit a feature is."""

import keras
import numpy as np
import pytest
from helpers import counting_ensemble, unequal_counting

from sim2seq.data.streaming import Rows, lazily, moments
from sim2seq.data.windows import Scaling, Windows
from sim2seq.evaluation.measures import spread
from sim2seq.models.builders import normalization


def test_scaling_comes_from_training_runs_and_is_undone_exactly():
    ensemble = counting_ensemble()
    training = ensemble.take([1, 3])
    scaling = Scaling.of(training.values)
    np.testing.assert_allclose(scaling.mean, training.values.mean(axis=(0, 1)))
    scaled = scaling.scale(training.values)
    np.testing.assert_allclose([scaled.mean(axis=(0, 1)), scaled.std(axis=(0, 1))], [[0, 0], [1, 1]], atol=1e-6)
    np.testing.assert_allclose(scaling.restore(scaling.scale(ensemble.values)), ensemble.values)


@pytest.mark.parametrize("constant", [7.0, 0.0981])
def test_a_feature_that_never_changes_keeps_its_unit(constant):
    """0.0981 is no binary number: the mean of many differs from it in the last digit."""
    ensemble = counting_ensemble(runs=30, steps=50)
    ensemble.values[..., 1] = constant
    scaling = Scaling.of(ensemble.values)
    assert scaling.std[1] == 1.0
    np.testing.assert_allclose(scaling.scale(ensemble.values)[..., 1], 0, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-200, 1e-40, 1e40, 1e200, 1e303])
def test_a_unit_that_nobody_can_compute_in_is_refused_by_name(unit):
    values = counting_ensemble().values
    values[..., 1] *= unit
    with pytest.raises(ValueError, match="count_1: expected a standard deviation from 1e-30 to 1e\\+30; got"):
        Scaling.of(values, names=("count_0", "count_1"))


@pytest.mark.parametrize(("factor", "offset"), [(1e-12, 0.0), (1e18, 0.0), (1e-3, 1.7e9), (0.0, 1e12)])
def test_tiny_huge_and_far_features_have_a_mean_of_0(factor, offset):
    """Times since 1970 in steps of a millisecond: in float32 their mean would be off by a minute."""
    values = counting_ensemble(runs=30, steps=50).values
    values[..., 1] = values[..., 0] * factor + offset
    scaling = Scaling.of(values)
    assert not scaling.plain
    scaled = scaling.scale(values)[..., 1]
    assert abs(scaled.mean()) < 1e-3
    assert scaled.std() == pytest.approx(1.0 if factor else 0.0, abs=1e-3)
    for layer, given, expected in (("to", values[0], scaled[0]), ("back", scaling.scale(values[0]), values[0, :, 1])):
        made = normalization(scaling, "float64", invert=layer == "back")
        again = keras.layers.deserialize(keras.layers.serialize(made))
        found = keras.ops.convert_to_numpy(again(given))[..., 1]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-3 if layer == "to" else 0)


@pytest.mark.parametrize("unequal", [False, True])
def test_moments_of_float32_are_those_of_float64(unequal):
    """A pressure of 101325 +- 1 Pa in 600 runs of 2000 steps: added up in float32, it deviates by 1146."""
    values = (101325 + np.random.default_rng(0).normal(size=(600, 2000, 2))).astype("float32")
    lengths = np.full(600, 1900) if unequal else None
    there = values[:, :1900] if unequal else values
    for found, expected in zip(moments(values, lengths), moments(there.astype(float)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    values[:, 1900:] = np.nan
    np.testing.assert_allclose(spread(values), spread(values.astype(float)), rtol=1e-9)
    assert spread(np.full((600, 2000, 1), 0.1, "float32")) == 0


def test_scaling_sees_no_padding():
    ensemble = unequal_counting()
    there = [ensemble.values[run, :length] for run, length in enumerate(ensemble.lengths)]
    scaling = Scaling.of(ensemble.values, ensemble.lengths)
    np.testing.assert_allclose(scaling.mean, np.concatenate(there).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, np.concatenate(there).std(axis=0), rtol=1e-6)


def test_bytes_stay_bytes_and_are_scaled_a_batch_at_a_time():
    values = np.random.default_rng(0).integers(0, 256, (6, 9, 4)).astype("uint8")
    assert isinstance(lazily(values), Rows)
    assert lazily(values.astype(float)).dtype == float
    scaling = Scaling(np.full(4, 100.0), np.full(4, 50.0))
    of_bytes, of_floats = (
        Windows(scaling.scale(each), 3, targets=2, batch_size=4) for each in (lazily(values), values)
    )
    assert of_bytes.rows.source is values
    for one, other in zip(of_bytes[0], of_floats[0], strict=True):
        assert (one == other).all()
