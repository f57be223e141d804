import matplotlib
import numpy as np
import pytest
from helpers import counting_ensemble, counting_model

from sim2seq import figures
from sim2seq.ensemble import Ensemble
from sim2seq.metrics import score
from sim2seq.windows import SPLITS

ENSEMBLE = counting_ensemble(runs=10, steps=50)


@pytest.mark.parametrize("name", SPLITS)
def test_every_figure_has_labelled_axes_and_can_be_drawn(name, tmp_path):
    split = SPLITS[name](ENSEMBLE)
    model = counting_model(window=5)
    scores = score(model, ENSEMBLE, split, 5)
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
    for figure in figures.draw_all(ENSEMBLE, model, split, history, scores).values():
        assert figure.axes[-1].get_xlabel() or not figure.axes[-1].axison
    figures.save_figures(tmp_path / "figures", ENSEMBLE, model, split, history, scores)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(
        figures.draw_all(ENSEMBLE, model, split, history, scores)
    )


def test_the_closed_loop_figure_shows_forecast_and_truth_of_one_run():
    figure = figures.closed_loop_grid(ENSEMBLE, SPLITS["by_run"](ENSEMBLE), counting_model(window=5), 5)
    assert len(figure.axes) == 2 * 3
    for axis in figure.axes:
        truth, forecast = (line.get_ydata() for line in axis.lines)
        np.testing.assert_array_equal(forecast, truth[5:])


def test_the_kept_epoch_is_marked_in_the_learning_curve():
    axis = figures.learning_curve({"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}).axes[0]
    assert axis.lines[-1].get_xdata() == [2]


def test_the_run_shown_is_the_median_one():
    truth = np.zeros((5, 4, 1))
    forecast = truth + np.array([9.0, 1.0, 5.0, 3.0, 7.0])[:, None, None]
    assert figures.median_run(forecast, truth) == 2


def test_only_inputs_that_vary_are_drawn():
    labels = [axis.get_xlabel() for axis in figures.input_ranges(ENSEMBLE).axes]
    assert labels[0] == "start: 0 to 900"
    assert not any("fixed" in text for text in labels)


def test_dollar_signs_in_names_are_shown_and_not_read_as_formulas(tmp_path):
    """ "$\\frac$" is no formula: drawn as one, it would end the study with an error."""
    names = {"features": (r"$\frac$", "cost [$]"), "units": ("$", ""), "run_ids": tuple(f"${r}$" for r in range(10))}
    odd = Ensemble(**{**vars(ENSEMBLE), **names, "inputs": {r"$\frac$": np.arange(10.0)}})
    split, model = SPLITS["by_run"](odd), counting_model(window=5)
    history = {"loss": [1.0], "val_loss": [1.0]}
    figures.save_figures(tmp_path / "figures", odd, model, split, history, score(model, odd, split, 5))
    assert figures.label("$a$", "") == r"\$a\$"


def test_drawing_leaves_the_users_style_alone():
    before = dict(matplotlib.rcParams)
    figures.sample_trajectories(ENSEMBLE)
    assert dict(matplotlib.rcParams) == before
