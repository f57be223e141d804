"""A report says what was learned and how far to trust it, in words and tables whose numbers are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made import SETTINGS, TASKS, made, noise
from page import text_of

from sim2seq.evaluation.scores import Errors, HeldOut
from sim2seq.predict import trust as said_by_predict
from sim2seq.report import report
from sim2seq.report.figures import CAPTIONS, Picture
from sim2seq.report.report import write_report
from sim2seq.report.summary import summary, trust
from sim2seq.report.tables import card_numbers, input_table, outside_table

ENSEMBLE = noise()
UNEQUAL = noise(lengths=np.arange(21, 41))


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """20 runs of 40 steps; errors of 0.5, of 1 and 2 by the baselines, and a tenth of that one step ahead."""
    return made(ENSEMBLE, tmp_path_factory.mktemp("forecast"))


@pytest.fixture
def blank(monkeypatch):
    """Empty figures: where only words are looked at, drawing would take the time."""
    drawn = {name: (Picture(), text) for name, text in CAPTIONS.items()}
    monkeypatch.setattr(report, "draw_all", lambda training, ensemble: drawn)


def rewritten(training, ensemble, tmp_path, *, checks=None, **changes) -> str:
    """The text of a report whose scores are changed."""
    changed = replace(training, scores=replace(training.scores, **changes))
    return text_of(write_report(tmp_path / "report.html", ensemble, changed, checks=checks))


CHECKS = [
    {"name": "floor hits", "forecast": 9.0, "truth": 9.0, "unit": "a run", "holds": True, "note": "mean of all runs"},
    {"name": "energy", "forecast": "3 of 4 runs", "truth": None, "unit": "", "holds": False, "note": "<i>rises</i>"},
]


def test_a_report_of_a_forecast_has_its_numbers(forecast, tmp_path):
    """Drawn from what the training keeps: each of its models raises when it is touched."""
    text = text_of(write_report(tmp_path / "report.html", ENSEMBLE, forecast))
    assert (forecast.folder / "figures" / "rollout.png").stat().st_size > 10_000
    for words in (
        "✓ The model beats every baseline: skill 0.5 Trust this forecast at every step, up to step 35 (1.75 s after "
        "the window). Free-running for 35 steps after a true window of 5, on 4 runs that it never saw, its error "
        "(RMSE) is 0.5 m . The best baseline, near, has 1 m .",
        "Its 90 % band holds 100 % of the test points (100 to 100 % in the tenths of the horizon).",
        "rollout one step all steps first 1 first 10 f0 f1 all "
        "model 0.5 0.5 0.5 0.5 0.5 0.05 near 1 1 1 1 1 0.2 far 2 2 2 2 2 –",
        "part runs rollout one step train 12 0.5 0.05 validation 4 0.5 0.05 test 4 0.5 0.05",
        "steps in each 40 (0 to 1.95 s)",
        "a varies 0 to 1",
        "fixed fixed 1",
    ):
        assert words in text


def test_a_report_of_a_target_per_step_has_its_numbers(tmp_path):
    training = made(UNEQUAL, tmp_path, task=TASKS["target per step"])
    text = text_of(write_report(tmp_path / "report.html", UNEQUAL, training))
    for words in (
        "✓ The model beats every baseline: skill 0.5 Trust this prediction at",
        "Predicting f1 of every step after the first 4 from f0 of all steps up to it, on 4 runs that it never saw, its "
        "error (RMSE) is 0.5 m . The best baseline, near, has 1 m .",
        "error all steps first 1 first 10 model 0.5 0.5 0.5 near 1 1 1 far 2 2 2",
        "part runs error train 12 0.5 validation 4 0.5 test 4 0.5",
        "steps in each 21 to 40 (0 to 1.95 s)",
    ):
        assert words in text
    assert "one step" not in text


def test_a_report_of_a_target_per_run_has_its_numbers(tmp_path):
    """The error is 1.5 when a fifth of a run was seen, and 0.5 after half of it and at its end."""
    errors = np.array([1.5, 0.5, 0.5])[None, :, None] * np.ones((1, 3, 2))
    ensemble = replace(UNEQUAL, units={"end": "J", "half": "J"})
    training = made(ensemble, tmp_path, errors=(errors,), task=TASKS["target per run"])
    text = text_of(write_report(tmp_path / "report.html", ensemble, training))
    for words in (
        "✓ The model beats every baseline: skill 0.0426 Trust this prediction once half of a run was seen: before "
        "that, its error is not below that of the best baseline.",
        "Predicting end, half from the first 20 to 100 % of a run, on 4 runs that it never saw, its error (RMSE) is "
        "0.957 J . The best baseline, near, has 1 J . After 20 % of a run it is 1.5 (the best baseline there: 1). ",
        "After half of a run it is 0.5 (the best baseline there: 1). After a whole run it is 0.5 (the best",
        "(100 to 100 % in the shares of the run)",
        "by share of the run that was seen by target all 20 % 50 % 100 % end half",
        "near 1 1 1 1 1 1 far 2 2 2 2 2 2",
        "model 0.957 1.5 0.5 0.5 0.957 0.957",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("skill", "words"),
    [(-1.0, "✗ The model is below its best baseline, near: skill −1 "), (0.5, "✓ The model beats every baseline: ")],
)
def test_the_first_lines_say_if_the_model_beats_its_baselines(blank, forecast, tmp_path, skill, words):
    text = rewritten(forecast, ENSEMBLE, tmp_path, skill=skill)
    start = text.index("sim2seq: study report", 5)  # the first one is the page's title
    assert text[start:].startswith("sim2seq: study report " + words)


def test_the_skill_comes_with_its_interval(blank, forecast, tmp_path):
    text = rewritten(forecast, ENSEMBLE, tmp_path, skill_interval=[0.4, 0.61])
    assert "skill 0.5 (95 %: 0.4 to 0.61)" in text
    assert "it might not" not in text
    text = rewritten(forecast, ENSEMBLE, tmp_path, skill_interval=[-0.1, 0.61])
    assert "With other test runs it might not: the interval of the skill reaches 0." in text
    assert "95 %" not in rewritten(forecast, ENSEMBLE, tmp_path, skill_interval=[0.5, 0.5])


def test_one_test_run_and_one_validation_run_are_said(blank, tmp_path):
    """The skill of one run has no interval, and whether others would be better is not known."""
    ensemble = noise(runs=3)
    training = made(ensemble, tmp_path, settings=replace(SETTINGS, fractions=(0.34, 0.33, 0.33)))
    assert training.scores.runs == {"train": 1, "validation": 1, "test": 1}
    text = text_of(write_report(tmp_path / "report.html", ensemble, training))
    assert "✓ The model beats every baseline: skill 0.5 (one test run: no interval)" in text
    assert "With other test runs it might not: one run gives the skill no interval." in text
    assert "Its 90 % band, calibrated on one validation run, holds 100 % of the test points" in text
    assert "It is calibrated on one validation run," in text
    assert not summary(training, ensemble).certain
    card = card_numbers(training).splitlines()[-1]
    assert card.startswith("Skill 0.5 (one test run: no interval) against near; the 90 % band, of one validation run,")
    said = " ".join(said_by_predict(SimpleNamespace(scores=training.scores)))
    assert "skill 0.5 (one test run: no interval) against near, on 1 test run" in said
    assert "its band is calibrated on one validation run" in said
    with_interval = replace(training, scores=replace(training.scores, skill_interval=[0.4, 0.6]))
    assert summary(with_interval, ensemble).certain


def test_the_first_lines_say_how_far_to_trust_the_forecast(blank, forecast, tmp_path):
    for trusted, reason, words in [
        (35, None, "Trust this forecast at every step, up to step 35 (1.75 s after the window)."),
        (
            20,
            "width",
            "Trust this forecast up to step 20 (1 s after the window), and no further: its band is more than",
        ),
        (20, "baseline", "and no further: its error is no longer below that of the best baseline."),
        (0, "baseline", "Do not trust this forecast at any step: from the first one on, its error is no longer below"),
    ]:
        band = replace(forecast.scores.band, trusted_steps=trusted, reason=reason)
        text = rewritten(forecast, ENSEMBLE, tmp_path, band=band)
        assert words in text[: text.index("Free-running for")]
    scores = replace(forecast.scores, time_unit="")
    assert trust(replace(forecast, scores=scores)) == "Trust this forecast at every step, up to step 35."


def test_a_training_without_a_band_is_reported_without_one(blank, forecast, tmp_path):
    text = rewritten(forecast, ENSEMBLE, tmp_path, band=None)
    for words in ("Uncertainty", "Trust", "Outside the ranges", "Physics checks", "What only this study measures"):
        assert words not in text


def test_physics_checks_are_ticked_or_crossed_and_escaped(blank, forecast, tmp_path):
    html = write_report(tmp_path / "report.html", ENSEMBLE, forecast, checks=CHECKS).read_text()
    text = text_of(tmp_path / "report.html")
    assert "✗ Physics checks that fail: energy." in text[: text.index("The forecast")]
    assert "floor hits ✓ holds 9 9 a run mean of all runs" in text
    assert "energy ✗ fails 3 of 4 runs – <i>rises</i>" in text
    assert "<i>" not in html
    assert "✓ All 1 physics checks hold." in rewritten(forecast, ENSEMBLE, tmp_path, checks=CHECKS[:1])


def test_a_study_brings_title_checks_measures_and_figures(blank, forecast, tmp_path, monkeypatch):
    drawn = report.draw_all(forecast, ENSEMBLE) | {"mine": (Picture(), "What only mine shows.")}
    monkeypatch.setattr(report, "draw_all", lambda training, ensemble: drawn)
    study = replace(forecast.study, title="Mine", checks=lambda training, ensemble: CHECKS[:1])
    training = replace(forecast, study=study, scores=replace(forecast.scores, judged={"hits a minute": 2.5}))
    text = text_of(write_report(tmp_path / "report.html", ENSEMBLE, training))
    assert text.startswith("Mine ")
    assert " Mine ✓ The model" in text
    assert "✓ All 1 physics checks hold." in text
    assert "What only this study measures measure value hits a minute 2.5 What only mine shows." in text
    text = text_of(write_report(tmp_path / "report.html", ENSEMBLE, training, title="Other", checks=CHECKS))
    assert " Other ✓ The model" in text
    assert "Physics checks that fail: energy." in text


RANGES = {"a": [0.0, 1.0], "b": [-1.0, 1.0]}  # of the training runs' inputs


def held_out(model_error) -> HeldOut:
    """Four runs outside, where the model has this error and the best baseline 3."""
    errors = {"model": Errors(model_error, {}), "far": Errors(9.0, {}), "near": Errors(3.0, {})}
    inputs = {"a": [1.5, 2, 3, 4], "b": [9, 9, 9, 10]}
    inside = {"a": [0.1, 0.9], "b": [0, 1]}
    return HeldOut(4, 4, errors, inputs, [1, 2, 3, 4], inside, [0.5, 0.6])


def test_runs_outside_the_ranges_are_set_beside_those_inside(forecast):
    known = replace(forecast.scores, inputs=RANGES)
    inside, outside = outside_table(replace(known, held_out=held_out(1.5)))
    assert inside == {"where": "test runs", "runs": 4, "model": 0.5, "best": "near", "baseline": 1.0, "skill": 0.5}
    row = {"where": "held out", "runs": 4, "model": 1.5, "best": "near", "baseline": 3.0, "skill": 0.5}
    assert outside == row | {"of": 4, "beyond": 4}
    assert outside_table(forecast.scores) is None
    few = replace(held_out(1.5), runs=9, scored_runs=3, inputs={"a": [0.5, 0.4, 3], "b": [0, 0, 0]})
    scored = replace(known, held_out=few, scored_runs=forecast.scores.scored_runs | {"test": 2})
    inside, outside = outside_table(scored)
    assert (inside["runs"], outside["runs"], outside["of"], outside["beyond"]) == (2, 3, 9, 1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (1.5, "the error is 3 times that of the test runs, and still below that of every baseline"),
        (3.0, "near does at least as well"),
    ],
)
def test_the_report_says_what_happens_outside_the_ranges(blank, forecast, tmp_path, error, words):
    text = rewritten(forecast, ENSEMBLE, tmp_path, held_out=held_out(error), inputs=RANGES)
    assert "Outside the ranges 4 runs that were held out, 4 of them with an input outside the range" in text
    assert "outside the range of the training runs, beside the test runs." in text
    assert words in text


def test_tables_of_much_are_cut(blank, tmp_path):
    """60 features of which f errs by f / 100, and 50 inputs: nine columns and forty rows are left."""
    ensemble = noise(features=60, inputs={f"i{n}": np.arange(20.0) ** (n / 50) for n in range(50)})
    training = made(ensemble, tmp_path, errors=(np.arange(60) / 100,))
    text = text_of(write_report(tmp_path / "report.html", ensemble, training))
    assert "all steps first 1 first 10 f59 f52 f44 f37 f29 f22 f15 f7 f0 all model" in text
    assert "9 of 60 features, from the largest error to the least." in text
    assert "features f0, f1, f2, f3, f4, f5, f6, f7, f8 and 51 more" in text
    assert "... and 10 more." in text
    assert [row[:2] for row in input_table(ensemble)][:2] == [("i1", "varies"), ("i2", "varies")]
    assert len(input_table(ensemble)) == 40


def test_completeness_may_be_unknown_or_whole(blank, forecast, tmp_path):
    assert "not counted" in write_report(tmp_path / "a.html", ENSEMBLE, forecast).read_text()
    whole = {"expected": 10, "stored": 10, "missing": [], "allowed": 0.0}
    assert "All 10 expected runs" in write_report(tmp_path / "b.html", ENSEMBLE, forecast, whole).read_text()
