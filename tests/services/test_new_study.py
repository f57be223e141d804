"""What `sim2seq new` writes runs through Merlin at once, and its notebook on what that leaves."""

import runpy
import sys

import pytest
from nbconvert.exporters import PythonExporter

from sim2seq import cli
from sim2seq.new import new_study

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

WORDS = ["size:debug", "window:5"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished study of one kind; the others have the same runs, and differ in what is learned."""
    folder = tmp_path_factory.mktemp("new")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("C_FORCE_ROOT", "1")
        new_study("mine", kind="target-per-run")
        options = ["--runs", "8", "--workers", "2", "--vars", f"TRAINING={' '.join(WORDS)}"]
        suite = ["mine/suite.yaml", "--pgen", "mine/pgen_ensembles.py", "--output", "out"]
        assert cli.main(["run", *suite, *options]) == 0
    (study,) = folder.glob("out/mine_*")
    return study


def test_a_new_study_runs_through_merlin_to_its_report(finished):
    assert "All 8 expected runs are in the store" in (finished / "learn" / "report.html").read_text()


def test_the_notebook_of_a_new_study_is_a_script_on_what_it_left(finished, tmp_path, monkeypatch):
    """Of a forecast; that of a target per step runs from the wheel in tests/services/test_wheel.py."""
    monkeypatch.chdir(tmp_path)
    new_study("mine", kind="forecast", notebook=True)
    monkeypatch.chdir("mine")
    script = tmp_path / "mine" / "mine.py"
    script.write_text(PythonExporter().from_filename("mine.ipynb")[0])
    monkeypatch.setattr(sys, "argv", [str(script), str(finished), *(word.replace(":", "=") for word in WORDS)])
    runpy.run_path(str(script), run_name="__main__")
    assert (tmp_path / "mine" / "report.html").stat().st_size > 100_000
