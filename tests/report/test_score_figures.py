from dataclasses import replace

import numpy as np
import pytest
from made import HISTORY, TASKS, made, noise

from sim2seq.report import figures

ENSEMBLE = noise(runs=24, steps=50)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    return made(ENSEMBLE, tmp_path_factory.mktemp("forecast"))


def test_the_coverage_figure_shows_tenths_and_where_trust_ends(forecast):
    band = replace(forecast.scores.band, coverage_by_tenth=np.linspace(0.8, 0.96, 10).tolist(), trusted_steps=20)
    left, right = figures.band_coverage(replace(forecast.scores, band=band)).axes
    stairs = left.patches[-1].get_data()
    np.testing.assert_allclose(stairs.values, 100 * np.linspace(0.8, 0.96, 10))
    np.testing.assert_array_equal(stairs.edges, [0, 5, 10, 15, 20, 25, 29, 33, 37, 41, 45])
    assert right.lines[-1].get_xdata()[0] == 20


def test_the_coverage_of_shares_has_a_point_for_each(tmp_path):
    training = made(ENSEMBLE, tmp_path, task=TASKS["target per run"])
    left, right = figures.band_coverage(training.scores).axes
    np.testing.assert_array_equal(left.lines[-1].get_xdata(), [0.2, 0.5, 1.0])
    np.testing.assert_array_equal(left.lines[-1].get_ydata(), [100, 100, 100])
    assert left.get_xlabel() == right.get_xlabel() == "share of the run that was seen"


def test_tenths_of_many_shares_end_at_shares_of_the_run(tmp_path):
    task = replace(TASKS["target per run"], at=tuple((np.arange(20) + 1) / 20))
    left = figures.band_coverage(made(ENSEMBLE, tmp_path, task=task).scores).axes[0]
    np.testing.assert_allclose(left.patches[-1].get_data().edges, np.arange(11) / 10, atol=1e-12)


def test_runs_inside_and_outside_the_ranges_are_told_apart(tmp_path):
    """Five runs outside, which err by as much as those inside."""
    ids = tuple(f"outside_{run}" if run >= 19 else f"run_{run}" for run in range(24))
    ensemble = replace(ENSEMBLE, run_ids=ids)
    training = made(ensemble, tmp_path)
    axes = figures.outside_ranges(training.scores).axes
    assert [axis.get_xlabel() for axis in axes] == ["a", "b"]
    inside, outside = axes[0].lines
    assert inside.get_marker() != outside.get_marker()
    np.testing.assert_allclose(outside.get_xdata(), ensemble.inputs["a"][19:])
    np.testing.assert_allclose([*inside.get_ydata(), *outside.get_ydata()], 0.5)
    assert "outside_ranges" in figures.draw_all(training, ensemble)


def test_the_kept_epoch_is_marked_in_the_learning_curve():
    axis = figures.learning_curve(HISTORY).axes[0]
    assert axis.lines[-1].get_xdata() == [2]
    below = figures.learning_curve({"loss": [1.0, -1.0], "val_loss": [1.0, float("nan")]}).axes[0]
    assert below.get_yscale() == "linear"
    assert below.lines[-1].get_xdata() == [1]
