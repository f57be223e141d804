"""What `sim2seq new` writes runs through Merlin at once."""

import pytest

from sim2seq import cli
from sim2seq.new import new_study

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others


def test_a_new_study_runs_through_merlin_to_its_report(tmp_path, monkeypatch):
    """Of one kind; those of the others run from the wheel in tests/services/test_wheel.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    new_study("mine", kind="target-per-run")
    options = ["--runs", "8", "--workers", "2", "--vars", "TRAINING=size:debug window:5"]
    suite = ["mine/suite.yaml", "--pgen", "mine/pgen_ensembles.py", "--output", "out"]
    assert cli.main(["run", *suite, *options]) == 0
    (page,) = tmp_path.glob("out/mine_*/learn/report.html")
    assert "All 8 expected runs are in the store" in page.read_text()
