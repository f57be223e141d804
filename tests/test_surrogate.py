"""Forecasts from a saved folder: the models count on by one, the band is one wide on each side."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from surrogates import WINDOW

from sim2seq import surrogate


def test_three_lines_of_python_give_a_forecast_with_its_band(counting):
    model = surrogate.load(counting)
    middle, low, high = model.forecast(WINDOW, steps=3)
    np.testing.assert_array_equal(middle, [[5, 15], [6, 16], [7, 17]])
    np.testing.assert_array_equal(low, middle - 1)
    np.testing.assert_array_equal(high, middle + 1)


def test_many_runs_at_once_and_every_calibrated_step(counting):
    middle, low, high = surrogate.load(counting).forecast(np.stack([WINDOW, WINDOW + 1, WINDOW + 2]))
    assert middle.shape == low.shape == high.shape == (3, 8, 2)
    np.testing.assert_array_equal(middle[2] - middle[0], 2)


def test_inputs_are_given_by_name_one_for_all_or_one_a_run(paced):
    model = surrogate.load(paced)
    middle, *_ = model.forecast(np.stack([WINDOW, WINDOW]), 2, inputs={"push": 1, "pace": [2, 4]})
    np.testing.assert_array_equal(middle[:, 1, 0], [4 + 2 * 3, 4 + 2 * 5])


def test_a_surrogate_shows_itself_in_a_line(counting):
    shown = repr(surrogate.load(counting))
    assert shown.startswith(f"Surrogate(folder='{counting}', window=")
    assert ("scores=Scores(task='forecast'" in shown, len(shown) < len(str(counting)) + 300) == (True, True)


def test_the_folder_of_a_study_will_do(counting):
    assert surrogate.load(counting.parent).folder == counting


def test_loading_needs_no_tensorflow(counting):
    code = f"import sys; from sim2seq import surrogate; surrogate.load({str(counting)!r})\n"
    code += "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("window", "steps", "words"),
    [
        (WINDOW[:4], 3, r"expected a window of 5 steps with 2 features \(x, y\); got 4 steps with 2 features"),
        (WINDOW[:, :1], 3, r"expected a window of 5 steps with 2 features \(x, y\); got 5 steps with 1 features"),
        (WINDOW[0], 3, r"got an array of shape \(2,\)"),
        (np.zeros((0, 5, 2)), 3, r"got an array of shape \(0, 5, 2\)"),
        (WINDOW * [1, np.nan], 3, "run 1, step 1 of the window, y: expected a finite number; got nan"),
        ([["a", "b"]], 3, "expected numbers"),
        (WINDOW, 9, "steps: expected 1 to 8, for which the band is calibrated; got 9"),
        (WINDOW, 0, "steps: expected 1 to 8"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(counting, window, steps, words):
    with pytest.raises(ValueError, match=words):
        surrogate.load(counting).forecast(window, steps)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (None, "the model expects pace, push; missing pace, push"),
        ({"pace": 1}, "the model expects pace, push; missing push"),
        ({"pace": 1, "push": 1, "drag": 1}, "the model expects pace, push; got drag"),
        ({"pace": 1, "push": np.inf}, "input push: expected a finite number; got inf"),
        ({"pace": [1, 2], "push": 1}, r"input pace: expected a number, or 1, one a run; got \[1, 2\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(paced, inputs, words):
    with pytest.raises(ValueError, match=words):
        surrogate.load(paced).forecast(WINDOW, 3, inputs=inputs)


def test_a_model_without_inputs_takes_none(counting):
    with pytest.raises(ValueError, match="the model expects none; got gravity"):
        surrogate.load(counting).forecast(WINDOW, 3, inputs={"gravity": 1})


def test_values_outside_training_are_forecast_with_a_warning(paced):
    model = surrogate.load(paced)
    with pytest.warns(surrogate.OutsideTraining, match="pace 11 is outside the range of the training runs, 0 to 10"):
        model.forecast(WINDOW, 3, inputs={"pace": 11, "push": 1})
    with pytest.warns(surrogate.OutsideTraining, match="x 155 is far from the windows of the training runs, 0 to 100"):
        model.forecast(WINDOW + np.array([151, 0]), 3, inputs={"pace": 1, "push": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.forecast(WINDOW + np.array([140, 0]), 3, inputs={"pace": 10, "push": 0})


def test_the_value_furthest_outside_is_named_with_the_range(counting):
    window = WINDOW + np.array([[0.0, 1000.0 * step] for step in (0, 3, -7, 2, 1)])
    (line,) = surrogate.load(counting).doubts(window[None], None)
    assert line.startswith("y -6988 is far from the windows of the training runs, 0 to 100")
