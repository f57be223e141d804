import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from sim2seq.report import number, score_table, verdict, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OFFLINE += ["--disable-component-update", "--disable-sync", "--no-sandbox", "--headless"]


class Page(HTMLParser):
    """The text of a page, its headings and the addresses that it loads."""

    def __init__(self, html):
        super().__init__()
        self.text, self.loads, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


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
def report(tiny_training, tmp_path_factory):
    training, ensemble = tiny_training
    missing = {"expected": 12, "stored": 10, "missing": ["run_7", "<b>run_8</b>"], "allowed": 0.25}
    return write_report(tmp_path_factory.mktemp("report") / "report.html", ensemble, training.folder, missing)


def test_the_first_lines_say_that_a_model_is_below_its_baselines(report):
    text = " ".join(" ".join(Page(report.read_text().split("<body>")[1]).text).split())
    assert text[:300].startswith("sim2seq: study report ✗ The model is below its best baseline, ")


def test_the_verdict_counts_the_baselines_that_do_better():
    assert verdict(scores(2.0, hold=3.0, ridge=1.0)) | {"steps": 7} == verdict(scores(2.0, hold=3.0, ridge=1.0))
    assert verdict(scores(2.0, hold=3.0, ridge=1.0))["better"] == ["ridge"]
    assert not verdict(scores(2.0, hold=3.0, ridge=1.0))["beats"]
    assert verdict(scores(0.5, hold=3.0, ridge=1.0))["beats"]
    assert not verdict(scores(1.0, hold=3.0, ridge=1.0))["beats"]
    assert not verdict(scores(float("nan"), hold=3.0, ridge=1.0))["beats"]


def test_the_best_closed_loop_stands_first_in_the_table():
    assert [row["name"] for row in score_table(scores(2.0, hold=3.0, ridge=1.0))] == ["ridge", "model", "hold"]


def test_the_page_loads_nothing_but_itself(report):
    html = report.read_text()
    assert all(address.startswith("data:") for address in Page(html).loads)
    assert len(Page(html).loads) >= 5
    assert not re.search(r"@import|url\(|<script|<link", html)


def test_failures_are_named_and_escaped(report):
    html = report.read_text()
    assert "2 of 12 runs failed or are missing" in html
    assert "&lt;b&gt;run_8&lt;/b&gt;" in html
    assert "<b>run_8" not in html


def test_completeness_may_be_unknown_or_whole(tiny_training, tmp_path):
    training, ensemble = tiny_training
    assert "not counted" in write_report(tmp_path / "a.html", ensemble, training).read_text()
    whole = {"expected": 10, "stored": 10, "missing": [], "allowed": 0.0}
    assert "All 10 expected runs" in write_report(tmp_path / "b.html", ensemble, training, whole).read_text()


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345.6, "12,346"), (0.123456, "0.123"), (-2.0, "−2"), (float("inf"), "inf")]
)
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


def test_the_page_opens_in_a_browser_or_is_whole(report, tmp_path):
    """Chromium, where it is installed, shows every figure; elsewhere the page at least ends as it should."""
    html = report.read_text()
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
