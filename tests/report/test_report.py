import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from page import Page

from sim2seq.report import report
from sim2seq.report.figures import Picture
from sim2seq.report.page import number, skill_text
from sim2seq.report.report import band_summary, outside_table, score_table, trust, verdict, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OFFLINE += ["--disable-component-update", "--disable-sync", "--no-sandbox", "--headless"]


def scores(model_error, **baselines):
    """The part of scores.json that the verdict reads."""
    best = min(baselines, key=baselines.get)
    return {
        "closed_loop": {"test": {"rmse": model_error, "by_horizon": [model_error] * 7}},
        "one_step": {"test": {"rmse": 0.1}},
        "baselines": {"closed_loop": {name: {"rmse": e} for name, e in baselines.items()}, "one_step": {}},
        "best_baseline": best,
        "skill": 1 - model_error / baselines[best],
        "window": 3,
        "runs": {"test": 2},
    }


@pytest.fixture(scope="module")
def page(tiny_training, tmp_path_factory):
    training, ensemble = tiny_training
    missing = {"expected": 12, "stored": 10, "missing": ["run_7", "<b>run_8</b>"], "allowed": 0.25}
    return write_report(tmp_path_factory.mktemp("report") / "report.html", ensemble, training.folder, missing)


CHECKS = [
    {"name": "floor hits", "forecast": 9.0, "truth": 9.0, "unit": "a run", "holds": True, "note": "mean of all runs"},
    {"name": "energy", "forecast": "3 of 4 runs", "truth": None, "unit": "", "holds": False, "note": "<i>rises</i>"},
]


def with_band(trusted=370, reason=None, **changes):
    """Scores with a band over 370 steps of 0.05 s."""
    band = {"level": 0.9, "members": 3, "steps": 370, "trusted_steps": trusted, "reason": reason}
    band |= {"coverage": 0.91, "coverage_by_tenth": [0.84, *8 * [0.92], 0.96], "coverage_by_feature": {"x": 0.91}}
    return scores(0.5, hold=3.0) | {"band": band, "time_step": 0.05, "time_unit": "s"} | changes


@pytest.fixture
def blank(monkeypatch):
    """Empty figures: where only words are looked at, drawing would take the time."""
    monkeypatch.setattr(report, "draw_all", lambda *drawing, **options: dict.fromkeys(report.CAPTIONS, Picture()))


def rewritten(training, ensemble, path, *, checks=None, **changes):
    """The text of a report whose scores are changed."""
    changed = replace(training, scores=training.scores | changes)
    return " ".join(" ".join(Page(write_report(path, ensemble, changed, checks=checks).read_text()).text).split())


@pytest.mark.parametrize(
    ("skill", "words"),
    [(-1.0, "✗ The model is below its best baseline, {best}: skill −1 "), (0.5, "✓ The model beats every baseline: ")],
)
def test_the_first_lines_say_whether_the_model_beats_its_baselines(blank, tiny_training, tmp_path, skill, words):
    training, ensemble = tiny_training
    text = rewritten(training, ensemble, tmp_path / "report.html", skill=skill)
    start = text.index("sim2seq: study report", 5)  # the first one is the page's title
    assert text[start:].startswith("sim2seq: study report " + words.format(best=training.scores["best_baseline"]))


def test_the_first_lines_say_how_far_to_trust_the_forecast(blank, tiny_training, tmp_path):
    training, ensemble = tiny_training
    for trusted, reason, words in [
        (55, None, "Trust this forecast at every step, up to step 55 (2.75 s after the window)."),
        (
            20,
            "width",
            "Trust this forecast up to step 20 (1 s after the window), and no further: its band is more than",
        ),
        (20, "baseline", "and no further: its error is no longer below that of the best baseline."),
        (0, "baseline", "Do not trust this forecast at any step: from the first one on, its error is no longer below"),
    ]:
        band = training.scores["band"] | {"steps": 55, "trusted_steps": trusted, "reason": reason}
        text = rewritten(training, ensemble, tmp_path / "report.html", band=band)
        assert words in text[: text.index("Free-running for")]


def test_the_trust_is_given_in_steps_and_in_time():
    assert trust(with_band(370)) == {"steps": 370, "whole": True, "time": "18.5 s", "reason": None}
    assert trust(with_band(142, "width"))["time"] == "7.1 s"
    assert not trust(with_band(142, "width"))["whole"]
    assert trust(with_band(142, "width", time_step=None))["time"] is None


def test_a_training_without_a_band_is_reported_without_one(blank, tiny_training, tmp_path):
    assert trust(scores(0.5, hold=3.0)) is None
    assert band_summary(scores(0.5, hold=3.0)) is None
    text = rewritten(*tiny_training, tmp_path / "report.html", band=None)
    assert "Uncertainty" not in text
    assert "Outside the ranges" not in text
    assert "Physics checks" not in text


def test_the_coverage_counts_the_tenths_near_the_level():
    """Of 84, eight times 92, and 96 per cent, eight lie within 5 of 90."""
    summary = band_summary(with_band())
    assert (summary["inside"], summary["tenths"]) == (8, 10)
    assert (summary["lowest"], summary["highest"]) == (84, 96)


def test_the_band_is_reported_with_its_coverage(tiny_training, page):
    text = " ".join(" ".join(Page(page.read_text()).text).split())
    coverage = number(100 * tiny_training[0].scores["band"]["coverage"])
    assert f"Its 90 % band holds {coverage} % of the test points" in text
    assert "Uncertainty Each forecast comes with a band that should hold 90 % of the truth." in text


def test_physics_checks_are_ticked_or_crossed_and_escaped(blank, tiny_training, tmp_path):
    training, ensemble = tiny_training
    html = write_report(tmp_path / "report.html", ensemble, training, checks=CHECKS).read_text()
    text = " ".join(" ".join(Page(html).text).split())
    assert "✗ Physics checks that fail: energy." in text[: text.index("The forecast")]
    assert "floor hits ✓ holds 9 9 a run mean of all runs" in text
    assert "energy ✗ fails 3 of 4 runs – <i>rises</i>" in text
    assert "<i>" not in html
    html = write_report(tmp_path / "report.html", ensemble, training, checks=CHECKS[:1]).read_text()
    assert "✓ All 1 physics checks hold." in html


def held_out(model_error):
    """Four runs outside, where the model has this error and the baseline 3; inside they have 0.5 and 2."""
    errors = {"model": {"rmse": model_error}, "hold": {"rmse": 9.0}, "ridge": {"rmse": 3.0}}
    inputs = {"a": [1.5, 2, 3, 4], "<b>": [9, 9, 9, 10]}
    outside = {"runs": 4, "closed_loop": errors, "inputs": inputs, "rmse_by_run": [1, 2, 3, 4]}
    inside = {"a": [0.1, 0.9], "<b>": [0, 1]}
    ranges = {"a": [0, 1], "<b>": [0, 5]}
    return {"held_out": outside, "inputs": ranges, "test_inputs": inside, "test_rmse_by_run": [0.5, 0.6]}


def test_runs_outside_the_ranges_are_set_beside_those_inside():
    inside, outside = outside_table(scores(0.5, hold=3.0, ridge=2.0) | held_out(1.5))
    assert inside == {"where": "inside", "runs": 2, "model": 0.5, "best": "ridge", "baseline": 2.0, "skill": 0.75}
    assert outside == {"where": "outside", "runs": 4, "model": 1.5, "best": "ridge", "baseline": 3.0, "skill": 0.5}
    assert outside_table(scores(0.5, hold=3.0)) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [(1.5, "and still below that of every baseline"), (3.0, "do not use this model: ridge does at least as well")],
)
def test_the_report_says_what_happens_outside_the_ranges(blank, tiny_training, tmp_path, error, words):
    training, ensemble = tiny_training
    text = rewritten(training, ensemble, tmp_path / "report.html", **held_out(error))
    assert "Outside the ranges 4 runs with an input outside the range of the training runs" in text
    assert words in text


def test_the_verdict_counts_the_baselines_that_do_better():
    assert verdict(scores(2.0, hold=3.0, ridge=1.0)) | {"steps": 7} == verdict(scores(2.0, hold=3.0, ridge=1.0))
    assert verdict(scores(2.0, hold=3.0, ridge=1.0))["better"] == ["ridge"]
    assert not verdict(scores(2.0, hold=3.0, ridge=1.0))["beats"]
    assert verdict(scores(0.5, hold=3.0, ridge=1.0))["beats"]
    assert not verdict(scores(1.0, hold=3.0, ridge=1.0))["beats"]
    assert not verdict(scores(float("nan"), hold=3.0, ridge=1.0))["beats"]


def test_the_best_closed_loop_stands_first_in_the_table():
    assert [row["name"] for row in score_table(scores(2.0, hold=3.0, ridge=1.0))] == ["ridge", "model", "hold"]


def test_the_page_loads_nothing_but_itself(page):
    html = page.read_text()
    assert all(address.startswith("data:") for address in Page(html).loads)
    assert len(Page(html).loads) >= 5
    assert not re.search(r"@import|url\(|<script|<link", html)


def test_failures_are_named_and_escaped(page):
    html = page.read_text()
    assert "2 of 12 runs failed or are missing" in html
    assert "&lt;b&gt;run_8&lt;/b&gt;" in html
    assert "<b>run_8" not in html


def test_completeness_may_be_unknown_or_whole(blank, tiny_training, tmp_path):
    training, ensemble = tiny_training
    assert "not counted" in write_report(tmp_path / "a.html", ensemble, training).read_text()
    whole = {"expected": 10, "stored": 10, "missing": [], "allowed": 0.0}
    assert "All 10 expected runs" in write_report(tmp_path / "b.html", ensemble, training, whole).read_text()


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345.6, "12,346"), (0.123456, "0.123"), (-2.0, "−2"), (float("inf"), "inf")]
)
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


def test_the_page_opens_in_a_browser_or_is_whole(page, tmp_path):
    """Chromium, where it is installed, shows every figure; elsewhere the page at least ends as it should."""
    html = page.read_text()
    if CHROMIUM:
        probe = tmp_path / "probe.html"
        widths = "[...document.images].map(image => image.naturalWidth).join(' ')"
        script = f"<script>onload = () => document.title = 'widths ' + {widths}</script></body>"
        probe.write_text(html.replace("</body>", script))
        command = [CHROMIUM, *OFFLINE, f"--user-data-dir={tmp_path}/profile", "--dump-dom", probe.as_uri()]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
        widths = re.search(r"<title>widths ([\d ]+)</title>", shown).group(1).split()
        assert len(widths) == html.count("<img ")
        assert all(int(width) > 100 for width in widths)
    assert html.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.99999364, "0.9999936"), (0.9961, "0.9961"), (0.5, "0.5"), (-1.18, "−1.18")]
)
def test_a_skill_is_1_only_when_it_is(value, text):
    assert skill_text(value) == text
