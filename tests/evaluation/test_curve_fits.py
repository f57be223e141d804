"""Curve fits: the end of a curve of their own form is found from its beginning; what says nothing changes nothing."""

import numpy as np
import pytest

from sim2seq.evaluation.curves import CURVES, end_of, ends_of

STEPS = np.arange(1, 101) / 100
TRUE = {"POW4": 0.2 + 0.3 * (STEPS + 0.1) ** -0.8, "MMF4": (0.9 * 0.1 + 0.3 * STEPS**1.5) / (0.1 + STEPS**1.5)}


@pytest.mark.parametrize("name", CURVES)
def test_the_end_of_a_curve_of_its_form_is_found(name):
    curve = TRUE[name]
    assert end_of(name, curve[:50], 0.5) == pytest.approx(curve[-1], abs=2e-3)
    assert abs(curve[49] - curve[-1]) > 0.02  # the last value would not do


@pytest.mark.parametrize("name", CURVES)
def test_too_few_points_or_none_that_differ_give_the_last_value(name):
    assert end_of(name, np.array([0.3, 0.2, 0.1]), 0.1) == 0.1
    assert end_of(name, np.full(30, 0.4), 0.3) == 0.4


@pytest.mark.parametrize("name", CURVES)
def test_an_end_stays_near_the_range_of_what_was_seen(name):
    line = 1 - 0.5 * STEPS[:10]
    assert line.min() - np.ptp(line) <= end_of(name, line, 0.01) <= line.max() + np.ptp(line)


def test_each_feature_of_each_run_has_an_end():
    series = np.stack([TRUE["POW4"], TRUE["MMF4"]], axis=1)[None].repeat(3, axis=0)
    ends = ends_of("POW4", series, np.array([20, 50, 100]), np.array([0.2, 0.5, 1.0]))
    assert ends.shape == (3, 2)
    np.testing.assert_allclose(ends[2, 0], TRUE["POW4"][-1], atol=1e-3)
