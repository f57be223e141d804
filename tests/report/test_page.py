"""The page and the card of a real training: what stands there, that it loads nothing and opens in a browser."""

import re
import shutil
import subprocess

import pytest
from made import made, noise
from page import Page, text_of

from sim2seq.report.page import number, template
from sim2seq.report.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OFFLINE += ["--disable-component-update", "--disable-sync", "--no-sandbox", "--headless"]


@pytest.fixture(scope="module")
def page(tiny_training, tmp_path_factory):
    training, ensemble = tiny_training
    missing = {"expected": 12, "stored": 10, "missing": ["run_7", "<b>run_8</b>"], "allowed": 0.25}
    return write_report(tmp_path_factory.mktemp("report") / "report.html", ensemble, training, missing)


def test_the_band_is_reported_with_its_coverage(tiny_training, page):
    text = text_of(page)
    coverage = number(100 * tiny_training[0].scores.band.coverage)
    assert f"Its 90 % band holds {coverage} % of the test points" in text
    assert "Uncertainty Each forecast comes with a band that should hold 90 % of the truth." in text


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


def test_a_card_has_the_numbers_of_the_report(tiny_training):
    from sim2seq.report.tables import card_numbers

    trained, _ = tiny_training
    lines = card_numbers(trained).splitlines()
    assert lines[0].startswith("| RMSE [length], test runs | all | 1 steps ahead |")
    assert f"| **model** | {number(trained.scores.errors['test'].rmse)} |" in "\n".join(lines)
    assert len(lines) == 2 + 1 + len(trained.scores.baselines) + 2
    assert f"against {trained.scores.best_baseline}" in lines[-1]
    assert "6 / 2 / 2 runs, seed 1777" in lines[-1]


def test_a_page_of_1000_features_is_small(tmp_path):
    ensemble = noise(runs=12, steps=30, features=1000)
    page = write_report(tmp_path / "report.html", ensemble, made(ensemble, tmp_path))
    assert page.stat().st_size < 2e6


def test_a_studys_own_page_stands_in_the_same_frame(tmp_path):
    frame = '{% extends "page.html.j2" %}{% import "shared.html.j2" as shared %}{% block content %}'
    (tmp_path / "own.html.j2").write_text(
        frame + "{{ shared.failures(none) }}<b>{{ 12345.6 | number }}</b>{{ text }}{% endblock %}"
    )
    html = template("own.html.j2", tmp_path).render(title="Own", text="<i>")
    assert "<h1>Own</h1>" in html
    assert "<b>12,346</b>&lt;i&gt;" in html
    assert "Failures: not counted" in html
