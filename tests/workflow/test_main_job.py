"""The ball's own suite through real workers, as far as the store; with its training it is in tests/services."""

import pytest
from runs import dump, library_store, make_runs
from scripts import script

pytestmark = pytest.mark.timeout(300)
RUNS = 4


def test_the_balls_suite_fills_its_store_through_workers(tmp_path):
    """Four simulations and ingests beside each other, started as a user would: what the library itself puts there."""
    study = script("_study")
    suite, pgen = study.ROOT / "ball_bounce_suite_merlin_lstm.yaml", study.ROOT / "pgen_ensembles.py"
    found = study.run_study(suite, tmp_path, "--pgen", pgen, "--runs", RUNS, "--workers", 2)
    assert dump(found["store"]) == dump(library_store(tmp_path / "library.sqlite", make_runs(RUNS)))
