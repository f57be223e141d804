"""What a report says of a combination: what it is made of, who is out, and when it is nothing but a baseline."""

from dataclasses import replace

import numpy as np
import pytest
from made import SETTINGS, made, noise
from page import text_of

from sim2seq.evaluation.long_term import LongTerm
from sim2seq.evaluation.scores import Combined
from sim2seq.report import figures, report
from sim2seq.report.leaderboard import leaderboard
from sim2seq.report.report import write_report
from sim2seq.report.summary import how_asked, how_long_valid, made_of, only_baseline, summary, trust_forecast
from sim2seq.report.tables import candidate_table, facts
from sim2seq.sweep import recorded_data

ENSEMBLE = noise()
TWO = Combined(
    steps=[1.0, 35.0],
    weights={"ridge": [1.0, 0.0], "polynomial": [0.0, 1.0]},
    validation={"ridge": 0.5, "polynomial": 0.25, "linear part": float("inf")},
    test={"ridge": 0.6, "polynomial": 0.3, "linear part": float("inf")},
    out={"linear part": "it <runs> away", "closed-loop network": "killed by signal 9"},
    seconds={"ridge": 0.1, "polynomial": 7.0, "linear part": 30.0, "closed-loop network": 60.0},
    rule="by stretch",
)
TREES = replace(TWO, weights={"extra trees": [1.0, 1.0]})


@pytest.fixture(scope="module")
def one_model(tmp_path_factory):
    return made(ENSEMBLE, tmp_path_factory.mktemp("combined"))


def of(training, combined: Combined, **changes):
    """The training, as if it were one of candidates."""
    settings = replace(SETTINGS, model="combined", budget="2m")
    return replace(
        training, scores=replace(training.scores, combined=combined, **changes), settings=settings, history={}
    )


def reported(training, tmp_path) -> str:
    return text_of(write_report(tmp_path / "report.html", ENSEMBLE, training))


def test_the_weights_are_stacked_up_to_one_the_largest_below(one_model):
    weights = {"ridge": [1.0, 0.0], "polynomial": [0.0, 1.0]}
    axis = figures.candidate_weights(of(one_model, replace(TWO, weights=weights)).scores).axes[0]
    lower, upper = (area.get_paths()[0].vertices for area in axis.collections)
    assert [area.get_label() for area in axis.collections] == ["ridge (50 %)", "polynomial (50 %)"]
    assert lower[:, 1].min() == 0
    assert upper[:, 1].max() == 1
    with pytest.raises(ValueError, match="expected scores of a combination"):
        figures.candidate_weights(one_model.scores)


def test_every_candidate_has_a_row_and_stacked_lstm_always(one_model):
    rows = {row.name: row for row in candidate_table(of(one_model, TWO))}
    assert list(rows) == ["polynomial", "ridge", "linear part", "closed-loop network", "stacked_lstm"]
    assert (rows["polynomial"].validation, rows["polynomial"].test, rows["polynomial"].seconds) == (0.25, 0.3, 7.0)
    assert rows["ridge"].weight == rows["polynomial"].weight == pytest.approx(0.5)
    assert (rows["linear part"].weight, rows["closed-loop network"].weight) == (0, None)
    assert rows["linear part"].out == "it <runs> away"
    assert "the budget of 2m left it no time" in rows["stacked_lstm"].out
    assert candidate_table(one_model) is None


def test_a_report_of_a_combination_shows_weights_and_who_is_out(one_model, tmp_path):
    training = of(one_model, TWO)
    text = reported(training, tmp_path)
    assert "It is a combination of ridge (50 %), polynomial (50 %), weights on average over the horizon." in text
    assert "wide where the 2 candidates of the combination disagree" in text
    assert "it <runs> away" in text
    assert "models disagree" not in text
    assert "Learning curve" not in text
    assert (training.folder / "figures" / "candidate_weights.png").exists()
    assert facts(ENSEMBLE, training)["candidates with a weight"] == "2 of 4"


def test_small_weights_have_no_number_and_one_is_no_combination(one_model):
    few = of(one_model, replace(TWO, weights={"polynomial": [0.996, 0.997], "ridge": [0.004, 0.003]})).scores
    assert "polynomial (99.6 %), ridge (below 1 %)" in made_of(few)
    assert made_of(of(one_model, TREES).scores) == "It is extra trees alone: no other candidate has a weight."


@pytest.mark.parametrize(("skill", "sign"), [(0.1, "✓"), (0.0, "✗"), (-0.1, "✗")])
def test_a_combination_that_is_one_baseline_says_so(one_model, skill, sign, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "draw_all", lambda training, ensemble: drawn())
    training = of(one_model, TREES, skill=skill, best_baseline="far")
    text = reported(training, tmp_path)
    assert f"{sign} No model beat extra trees here, so the forecast is its: skill" in text
    assert summary(training, ENSEMBLE).beats == (skill > 0)


def drawn() -> dict:
    """Empty figures: drawing would take the time."""
    return {name: (figures.Picture(), text) for name, text in figures.CAPTIONS.items()}


def test_a_model_is_a_baseline_only_without_a_window(one_model):
    alone = replace(TWO, weights={"gaussian process": [1.0, 1.0]})
    assert only_baseline(of(one_model, alone).scores) is None
    assert only_baseline(of(one_model, alone, window=0).scores) == "gaussian process"
    assert only_baseline(of(one_model, TWO).scores) is None
    assert only_baseline(one_model.scores) is None


def test_a_report_without_a_window_speaks_of_inputs(tmp_path):
    settings = replace(SETTINGS, model="combined", window=0, inputs=("a", "b"))
    training = made(ENSEMBLE, tmp_path, settings=settings)
    training = replace(of(training, TWO), settings=settings)
    assert how_asked(training, ENSEMBLE) == "From a, b alone, for 40 steps"
    band = replace(training.scores.band, trusted_steps=20, reason="width")
    timed = replace(training.scores, time_unit="s")
    words = f"Trust this forecast up to step 20 ({19 / 20:g} s of the run), and no further"
    assert trust_forecast(timed, band).startswith(words), "step 1 is at 0 s, as in the table of a forecast"
    text = reported(training, tmp_path)
    assert not [words for words in ("true window", "after the window", "shaded window") if words in text]
    assert "made from the inputs of each run alone" in text
    assert "it goes on from a window, and there is none" in text


def long_term(steps: float, time: float | None) -> LongTerm:
    return LongTerm(steps, time, {}, {}, {}, {})


def test_valid_times_are_said_in_steps_and_in_lyapunov_times():
    assert how_long_valid(long_term(50, None), to_the_end=True) == (
        "In the median run its error stays below 0.4 standard deviations to the end."
    )
    assert how_long_valid(long_term(30, None), to_the_end=False).endswith("standard deviations for 30 steps.")
    said = how_long_valid(long_term(30, 20.0), to_the_end=False)
    assert "for 30 steps, 1.5 Lyapunov times; beyond them expect no more than the climate" in said


def test_a_combination_has_no_epochs_or_losses_and_is_ranked(one_model):
    training = replace(of(one_model, TWO), models=(Counted(),))
    data = recorded_data(training, 20)
    assert "epochs_trained" not in data
    assert (data["model"], data["budget"], data["parameters"]) == ("combined", "2m", 7)
    board, curves = leaderboard({"model": ["combined"]}, [1.0], [{}]).axes
    assert board.patches
    assert not curves.axison


class Counted:
    def count_params(self) -> int:
        return 7


def test_a_baseline_that_is_a_candidate_is_no_reason_to_distrust(tmp_path):
    from sim2seq.evaluation.scores import judge

    truth = np.random.default_rng(0).normal(size=(20, 30, 1))
    said = {part: truth[None] + np.array([0.01, 0.0, -0.01]).reshape(3, 1, 1, 1) for part in ("validation", "test")}
    known = {part: truth for part in ("train", "validation", "test")}
    baselines = {"trees": truth}
    assert judge(said, known, baselines, ["x"]).band_scores.reason == "baseline"
    assert judge(said, known, baselines, ["x"], made_of_baselines=True).band_scores.trusted_steps == 30


def test_a_combination_far_worse_than_a_baseline_is_not_trusted(tmp_path):
    from sim2seq.evaluation.scores import judge

    truth = np.random.default_rng(0).normal(size=(20, 30, 1))
    said = {part: truth[None] + np.array([0.11, 0.1, 0.09]).reshape(3, 1, 1, 1) for part in ("validation", "test")}
    known = {part: truth for part in ("train", "validation", "test")}
    baselines = {"ridge": truth + 0.01}
    judged = judge(said, known, baselines, ["x"], made_of_baselines=True)
    assert judged.skill == pytest.approx(-9)
    assert (judged.band_scores.trusted_steps, judged.band_scores.reason) == (0, "baseline")
