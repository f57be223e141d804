from dataclasses import replace

import numpy as np
import pytest
from made import ForecastOffBy, PerRunOffBy, made, noise
from page import Page

from sim2seq.report.page import number, skill_text
from sim2seq.report.report import write_report
from sim2seq.report.summary import band_summary, doubts, summary, trust
from sim2seq.report.tables import largest_correlation, score_table, statistics_table

ENSEMBLE = noise()
UNEQUAL = noise(lengths=np.arange(21, 41))


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """Errors of 0.5, and of 1 and 2 by the baselines."""
    return made(ENSEMBLE, tmp_path_factory.mktemp("forecast"))


@pytest.mark.parametrize(
    ("errors", "found", "words"),
    [
        ([0.5, 0.5, 0.5], [None, None, None], "from 20 % of a run on."),
        ([1.5, 1.5, 0.5], ["baseline", "baseline", None], "once a whole run was seen: before that, its error is not"),
        ([0.5, 1.5, 0.5], [None, "baseline", None], "at 2 of 3 shares of a run: at the others, its error is not below"),
        (
            [50.0, 1.5, 1.5],
            ["width", "baseline", "baseline"],
            "more than half as wide as the range of the training runs",
        ),
    ],
)
def test_trust_in_a_target_may_come_late(tmp_path, errors, found, words):
    """Runs end at 0 to 19: a band of 50 says nothing of them, and the best baseline errs by 1."""
    task = PerRunOffBy(outputs=("end",), at=(0.2, 0.5, 1.0))
    training = made(ENSEMBLE, tmp_path, errors=(np.array(errors)[None, :, None],), task=task)
    assert doubts(training, training.scores.band) == found
    assert words in trust(training)


def test_a_report_says_which_controls_a_forecast_is_told(tmp_path):
    training = made(ENSEMBLE, tmp_path, task=ForecastOffBy(controls=("f1",)))
    assert summary(training, ENSEMBLE).how.endswith("a true window of 5 and told f1 of every step")
    longest = max(UNEQUAL.lengths[UNEQUAL.run_ids.index(run)] for run in training.split.test.runs)
    how = summary(made(UNEQUAL, tmp_path), UNEQUAL).how
    assert how == f"Free-running for up to {longest - 5} steps after a true window of 5"


def test_a_run_is_valid_to_its_end_by_its_own_length(tmp_path):
    """Errors of 0.1 of numbers that spread by 11, in runs of 21 to 40 steps: none ends before its own last step."""
    found = summary(made(UNEQUAL, tmp_path, errors=(0.1,)), UNEQUAL)
    assert found.valid == "In the median run its error stays below 0.4 standard deviations to the end."
    found = summary(made(UNEQUAL, tmp_path, errors=(50.0,)), UNEQUAL)
    assert found.valid.endswith("0.4 standard deviations for 0 steps.")


def test_the_coverage_counts_the_tenths_near_the_level(forecast):
    """Of 84, eight times 92, and 96 per cent, eight lie within 5 of 90."""
    band = replace(forecast.scores.band, coverage_by_tenth=[0.84, *8 * [0.92], 0.96])
    found = band_summary(replace(forecast.scores, band=band))
    assert (found["inside"], found["parts"]) == (8, 10)
    assert (found["lowest"], found["highest"]) == (84, 96)


@pytest.mark.parametrize(
    ("error", "better"),
    [(0.5, []), (1.0, ["near"]), (1.5, ["near"]), (2.0, ["near", "far"]), (np.nan, ["near", "far"])],
)
def test_the_summary_counts_the_baselines_that_do_as_well(forecast, error, better):
    errors = forecast.scores.errors | {"test": replace(forecast.scores.errors["test"], rmse=error)}
    scores = replace(forecast.scores, errors=errors, skill=1 - error)
    found = summary(replace(forecast, scores=scores), ENSEMBLE)
    assert found.better == better
    assert found.beats == (error < 1)


def test_the_least_error_stands_first_in_the_table(forecast):
    assert [name for name, _ in score_table(forecast.scores).rows] == ["model", "near", "far"]
    errors = forecast.scores.errors | {"test": replace(forecast.scores.errors["test"], rmse=1.5)}
    assert [name for name, _ in score_table(replace(forecast.scores, errors=errors)).rows] == ["near", "model", "far"]


def test_the_inputs_that_move_together_most_are_named():
    ramp = np.arange(20.0)
    inputs = {"a": ramp, "b": np.cos(ramp), "c": 3 - 2 * ramp, "word": np.array(["x"] * 20), "one": np.ones(20)}
    found = largest_correlation(noise(inputs=inputs))
    assert found["names"] == ("a", "c")
    assert found["value"] == pytest.approx(-1)
    assert largest_correlation(noise(inputs={"a": ramp})) is None


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345.6, "12,346"), (0.123456, "0.123"), (-2.0, "−2"), (float("inf"), "inf")]
)
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.99999364, "0.9999936"),
        (0.9961, "0.9961"),
        (0.5, "0.5"),
        (-1.18, "−1.18"),
        (-np.inf, "−∞"),
        (np.nan, "unknown"),
    ],
)
def test_a_skill_is_1_only_when_it_is(value, text):
    assert skill_text(value) == text


def test_a_long_forecast_has_the_statistics_of_its_features(tmp_path):
    """Off by 0.5 where numbers reach from -20 to 20: the spectrum is the truth's, the extremes are 0.5 higher."""
    ensemble = noise(steps=90, units={"f0": "m", "f1": "kg"})
    training = made(ensemble, tmp_path, errors=(0.5,))
    first, second = statistics_table(training)
    assert (first.name, second.name) == ("f0 [m]", "f1 [kg]")
    assert first.spectrum == pytest.approx(0, abs=1e-6)
    assert 0 < first.histogram < 0.3
    assert np.subtract(first.extremes, first.true_extremes) == pytest.approx([0.5, 0.5])
    rows = Page(write_report(tmp_path / "report.html", ensemble, training).read_text()).text
    shown = " ".join(" ".join(rows).split())
    assert "Statistics of the whole forecast" in shown
    assert f"f0 [m] {number(first.spectrum)} {number(first.histogram)} {number(first.extremes[0])}" in shown


def test_a_forecast_of_few_shared_steps_has_no_statistics(tmp_path):
    assert statistics_table(made(ENSEMBLE, tmp_path)) is None
    mostly = noise(steps=90, lengths=[30] * 10 + [90] * 10)
    assert statistics_table(made(mostly, tmp_path)) is None
