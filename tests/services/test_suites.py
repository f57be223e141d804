"""The rehearsal of each suite of this repository finds nothing to say: it refuses no study that would run.

That `sim2seq run` has it made, in a process of its own: tests/services/test_new_study.py and test_wheel.py.
"""

import os

import pytest
from cluster import ROOT
from runs import library_store, short_runs

from sim2seq import rehearsal
from sim2seq.workflow.request import new_study

STUDIES = ("studies/dodging_robot", "studies/ising", "studies/pong")
GENERATED = ("ball_bounce_suite_merlin_lstm.yaml", *(f"{folder}/suite.yaml" for folder in STUDIES))
SUITES = (*GENERATED, "ball_bounce_suite_merlin_samples.yaml", "studies/oracle/suite.yaml", "sweep.yaml")


@pytest.mark.parametrize("name", SUITES)
def test_the_rehearsal_of_a_suite_finds_nothing_to_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library_store(tmp_path / "runs.sqlite", short_runs(2, 60))
    generator = str((ROOT / name).parent / "pgen_ensembles.py") if name in GENERATED else None
    variables = ["STORE=runs.sqlite"] if name == "sweep.yaml" else []
    study = new_study(str(ROOT / name), generator, None, variables, [], str(tmp_path / "out"))
    asked = rehearsal.request(study.expanded, os.path.dirname(study.spec), study.generator)
    assert asked is not None
    assert list(rehearsal.problems(asked["trainings"], asked["names"])) == []
