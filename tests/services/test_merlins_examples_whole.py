"""Merlin's slower examples, and those for Slurm with a stand-in for srun, run to their ends."""

import sys
from pathlib import Path

import pytest
from cluster import environment


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    for name in ("C_FORCE_ROOT", "PYTHONPATH"):
        monkeypatch.setenv(name, environment()[name])
    import examples

    yield examples
    del sys.modules["examples"]


@pytest.mark.parametrize(
    ("name", "launcher", "tasks"),
    [("simple_chain", False, 4), ("restart_delay", False, 32), ("null_spec", True, 4), ("null_chain", True, 15)],
)
def test_example_of_merlin_runs_to_its_end(examples, tmp_path, name, launcher, tasks):
    found = examples.run(name, tmp_path, launcher=launcher)
    assert (found["code"], found["done"], found["tasks"]) == (0, tasks, tasks), found
