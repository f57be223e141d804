"""Times that differ by rounding are one clock, others are not; resampled runs lie on straight lines between theirs."""

import numpy as np
import pytest

from sim2seq.data.clock import first_difference, resampled, time_step, uneven_step

THIRTIETHS = np.arange(400) / 30


@pytest.mark.parametrize(
    "rounded",
    [
        np.cumsum(np.full(400, 1 / 30)) - 1 / 30,
        THIRTIETHS.astype("f4").astype(float),
        np.cumsum(np.full(400, 1 / 30, "f4"), dtype="f4").astype(float) - 1 / 30,
        np.round(THIRTIETHS, 3),
        np.round(THIRTIETHS, 2),
        THIRTIETHS[:7],
        THIRTIETHS[:1],
        np.empty(0),
    ],
)
def test_times_that_differ_by_rounding_are_one_clock(rounded):
    assert first_difference(rounded, THIRTIETHS) is None
    assert first_difference(THIRTIETHS, rounded) is None
    assert not len(rounded) or uneven_step(rounded) is None


@pytest.mark.parametrize(
    ("times", "step"), [(THIRTIETHS * 2, 1), (THIRTIETHS * 1.0005, 21), (THIRTIETHS + 0.1, 0), (THIRTIETHS[::-1], 0)]
)
def test_other_clocks_differ_from_their_first_step_on(times, step):
    assert first_difference(times, THIRTIETHS) == step


@pytest.mark.parametrize(
    ("times", "step"),
    [([0, 1, 3, 4], 2), ([0, 1, 2, 4, 5, 6, 8], 3), ([0.0, 0.1, 0.2, 0.35, 0.4], 3), (np.geomspace(1, 2, 9), 8)],
)
def test_uneven_steps_are_found(times, step):
    assert uneven_step(np.array(times, dtype=float)) == step


def test_the_time_step_is_the_mean_distance():
    assert time_step(np.array([1.0, 2.0, 5.0])) == 2
    assert time_step(np.array([3.0])) == 1


def test_resampled_values_lie_between_those_of_the_run():
    times, values = np.array([2.0, 3.0, 5.0]), np.array([[0.0, 7.0], [1.0, 7.0], [5.0, 7.0]])
    grid, between = resampled(times, values, 0.75)
    np.testing.assert_allclose(grid, [0, 0.75, 1.5, 2.25, 3])
    np.testing.assert_allclose(between[:, 0], [0, 0.75, 2, 3.5, 5])
    np.testing.assert_array_equal(between[:, 1], 7)
    assert [part.tolist() for part in resampled(times[:1], values[:1], 0.5)] == [[0.0], [[0.0, 7.0]]]
    with pytest.raises(ValueError, match="resample: expected a time step above 0; got -1"):
        resampled(times, values, -1)
