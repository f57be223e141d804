import keras
import matplotlib
import numpy as np
import pytest
from helpers import counting_ensemble, counting_model

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.windows import SPLITS
from sim2seq.evaluation.conformal import Band
from sim2seq.report import figures

ENSEMBLE = counting_ensemble(runs=10, steps=50)
HISTORY = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
MODELS = (counting_model(window=5), counting_model(window=5))
BAND = Band(0.9, 2, factor=np.ones((45, 2)), floor=np.full((45, 2), 3.0))


def scores_of(ensemble, split) -> dict:
    """What the figures read of scores.json, with a band of half-width 3 and ten runs outside the ranges."""
    by_horizon = np.linspace(1, 2, 30).tolist()
    errors = {"rmse": 1.5, "by_horizon": by_horizon}
    names = dict.fromkeys(ensemble.features)
    band = {"level": 0.9, "members": 2, "coverage": 0.9, "coverage_by_tenth": np.linspace(0.8, 0.96, 10).tolist()}
    band |= {"half_width": {name: 30 * [3.0] for name in names}, "error": {name: by_horizon for name in names}}
    band |= {"steps": 30, "trusted_steps": 20, "reason": "width"}
    ranges = {name: [0.0, 500.0] for name in ensemble.inputs}
    inputs = {name: np.linspace(0, 900, 10).tolist() for name in ranges}
    return {
        "window": 5,
        "units": list(ensemble.units),
        "closed_loop": {"test": errors},
        "baselines": {"closed_loop": {"hold": errors}},
        "band": band,
        "inputs": ranges,
        "test_inputs": inputs,
        "test_rmse_by_run": 10 * [1.0],
        "held_out": {"inputs": inputs, "rmse_by_run": 10 * [2.0]},
    }


@pytest.mark.parametrize("name", SPLITS)
def test_every_figure_has_labelled_axes_and_can_be_drawn(name, tmp_path):
    split = SPLITS[name](ENSEMBLE)
    drawing = (ENSEMBLE, MODELS, split, HISTORY, scores_of(ENSEMBLE, split))
    drawn = figures.draw_all(*drawing, band=BAND)
    assert list(drawn)[-2:] == ["band_coverage", "outside_ranges"]
    for figure in drawn.values():
        assert figure.axes[-1].get_xlabel() or not figure.axes[-1].axison
    figures.save_figures(tmp_path / "figures", *drawing, band=BAND)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(drawn)


def test_the_closed_loop_figure_shows_forecast_and_truth_of_one_run():
    figure = figures.closed_loop_grid(ENSEMBLE, SPLITS["by_run"](ENSEMBLE), MODELS[:1], 5)
    assert len(figure.axes) == 2 * 3
    for axis in figure.axes:
        truth, forecast = (line.get_ydata() for line in axis.lines)
        np.testing.assert_array_equal(forecast, truth[5:])


def test_the_closed_loop_figure_sets_the_error_against_the_band():
    """The mean of one model that counts on and one that stands still falls behind by half a step each step."""
    contexts = keras.Input((5, 2))
    still = keras.Model(contexts, keras.layers.Cropping1D((4, 0))(contexts)[:, 0])
    models = (MODELS[0], still)
    figure = figures.closed_loop_grid(ENSEMBLE, SPLITS["by_run"](ENSEMBLE), models, 5, band=BAND)
    assert len(figure.axes) == 2 * 2 * 3
    for axis in figure.axes[:3]:  # they share their limits, and the band must not cut off or squeeze the lines
        low, high = axis.get_ylim()
        shown = np.concatenate([line.get_ydata() for other in figure.axes[:3] for line in other.lines])
        assert low < shown.min()
        assert high > shown.max()
        assert high - low < 1.2 * np.ptp(shown)
    steps = np.arange(1, 46)
    for axis in figure.axes[3:6] + figure.axes[9:]:
        (error,), (_, half) = axis.lines, axis.collections[0].get_datalim(axis.transData).intervaly
        np.testing.assert_allclose(error.get_ydata()[5:], steps[5:] / 2)
        np.testing.assert_allclose(half, 3 + 45 / np.sqrt(2))  # floor, and spread of two that are 45 apart


def test_the_band_ends_where_it_is_calibrated():
    half = figures.half_widths(BAND, np.zeros((2, 50, 2)))
    np.testing.assert_array_equal(half[:45], 3)
    assert np.isnan(half[45:]).all()
    assert np.isnan(figures.half_widths(None, np.zeros((1, 50, 2)))).all()


def test_the_coverage_figure_shows_every_tenth_and_where_the_trust_ends():
    scores = scores_of(ENSEMBLE, None)
    left, right = figures.band_coverage(scores).axes
    stairs = left.patches[-1].get_data()
    np.testing.assert_allclose(stairs.values, 100 * np.array(scores["band"]["coverage_by_tenth"]))
    np.testing.assert_array_equal(stairs.edges, np.arange(0, 31, 3))
    assert right.lines[-1].get_xdata()[0] == 20


def test_runs_inside_and_outside_the_ranges_are_told_apart():
    axes = figures.outside_ranges(scores_of(ENSEMBLE, None)).axes
    assert [axis.get_xlabel() for axis in axes] == list(ENSEMBLE.inputs)
    inside, outside = axes[0].lines
    assert inside.get_marker() != outside.get_marker()
    assert (inside.get_ydata()[0], outside.get_ydata()[0]) == (1.0, 2.0)


def test_a_single_forecast_is_drawn_after_its_window():
    window, middle = np.zeros((5, 2)), np.ones((3, 2))
    names = {"features": ("x", "y"), "level": 0.9, "times": (0.5, "s")}
    axes = figures.forecast_with_band(window, middle, middle - 1, middle + 1, **names).axes
    past, future = axes[1].lines
    np.testing.assert_array_equal(past.get_xdata(), [-2, -1.5, -1, -0.5, 0])
    np.testing.assert_array_equal(future.get_xdata(), [0.5, 1, 1.5])
    assert axes[1].get_xlabel() == "time after the window [s]"


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
    split = SPLITS["by_run"](odd)
    figures.save_figures(tmp_path / "figures", odd, MODELS, split, HISTORY, scores_of(odd, split), band=BAND)
    assert figures.label("$a$", "") == r"\$a\$"


def test_drawing_leaves_the_users_style_alone():
    before = dict(matplotlib.rcParams)
    figures.sample_trajectories(ENSEMBLE)
    assert dict(matplotlib.rcParams) == before
