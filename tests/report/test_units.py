"""Units stand on every axis and in every table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made import SETTINGS, TASKS, ForecastOffBy, made, noise

from sim2seq.evaluation.scores import Scores
from sim2seq.report import figures
from sim2seq.report.summary import trust
from sim2seq.report.tables import card_numbers, facts, input_table, score_table

UNITS = {"f0": "m", "f1": "kg", "a": "Pa", "end": "J"}
ENSEMBLE = replace(noise(runs=24, steps=50), units=UNITS, step_unit="min", notes=("interpolated", "filled: f0 (3)"))
OUTSIDE = tuple(f"outside_{run}" if run >= 19 else f"run_{run}" for run in range(24))


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    ensemble = replace(ENSEMBLE, run_ids=OUTSIDE)
    return made(ensemble, tmp_path_factory.mktemp("forecast")), ensemble


def words_on(figure) -> set[str]:
    return {text for axis in figure.axes for text in (axis.get_xlabel(), axis.get_ylabel()) if text}


def test_every_axis_of_a_forecast_has_its_unit(forecast):
    drawn = {name: words_on(figure) for name, (figure, _) in figures.draw_all(*forecast).items()}
    for name in ("sample_trajectories", "split_example"):
        assert drawn[name] == {"f0 [m]", "f1 [kg]", "time [min]"}
    assert drawn["rollout"] == {"f0 [m]", "f1 [kg]", "error [m]", "error [kg]", "time [min]"}
    assert "a: 0 to 1 Pa" in drawn["input_ranges"]
    assert "a [Pa]" in drawn["outside_ranges"]


def test_targets_of_a_run_have_their_units(tmp_path):
    training = made(ENSEMBLE, tmp_path, task=TASKS["target per run"])
    assert training.scores.units == ["J", ""]
    assert words_on(figures.predicted_against_true(training)) == {
        "end, predicted [J]",
        "half, predicted",
        "true [J]",
        "true",
    }


def test_every_table_has_units(forecast):
    training, ensemble = forecast
    assert input_table(ensemble)[0] == ("a", "varies", "0 to 1 Pa")
    assert score_table(training.scores).groups[0][1][-2:] == ["f0 [m]", "f1 [kg]"]
    assert facts(ensemble, training)["steps in each"] == "50 (0 to 2.45 min)"
    assert " min after the window" in trust(training)
    alike = replace(training, scores=replace(training.scores, units=["m", "m"], in_deviations=False))
    assert score_table(alike.scores).groups[0][1][-2:] == ["f0", "f1"]
    assert card_numbers(training).startswith("| RMSE [standard deviations], test runs |")
    assert card_numbers(alike).startswith("| RMSE [m], test runs |")


def test_a_report_says_how_runs_were_changed_and_which_left_out(tmp_path):
    ensemble = noise(lengths=[40] * 18 + [3, 4], notes=("interpolated", "filled: f0 (3)"))
    found = facts(ensemble, made(ensemble, tmp_path))
    assert found["read"] == "interpolated; filled: f0 (3)"
    assert found["too short, left out"] == "run_18, run_19"


def test_scores_keep_ranges_and_units_of_what_is_told(tmp_path):
    """Also of controls that the task names and not the settings; steps beyond the end of a run do not count."""
    ensemble = noise(lengths=np.arange(21, 41), units={"f0": "m", "f1": "V", "a": "kg"})
    settings = replace(SETTINGS, inputs=("a", "b"))
    training = made(ensemble, tmp_path, task=ForecastOffBy(controls=("f1",)), settings=settings)
    known = [ensemble.run_ids.index(run) for run in training.split.train.runs]
    column, scores = ensemble.series()[known, :, 1], training.scores
    assert scores.controls == {"f1": [np.nanmin(column), np.nanmax(column)]}
    assert scores.told_units == {"f1": "V", "a": "kg"}
    assert list(scores.first_window) == ["f0"]
    read = Scores.of(json.loads(json.dumps(scores.to_json())))
    assert (read.controls, read.told_units) == (scores.controls, scores.told_units)
