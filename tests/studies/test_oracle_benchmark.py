"""The benchmark of the oracle's cost measures what it says."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studies.oracle import maps
from studies.oracle.settings import Settings

FOLDER = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import oracle

    assert str(Path(oracle.__file__).parent) == FOLDER
    yield oracle
    del sys.modules["oracle"]


def test_every_way_is_scaled_to_the_same_number_of_runs(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "RUNS", 4)
    for function in ("minisoms_runs", "numpys_runs", "two_passes"):
        monkeypatch.setattr(benchmark, function, lambda values, runs: None)
    rows = benchmark.cost_rows(SimpleNamespace(minisom=2, repeats=1))
    assert [row["goal"] is not None for row in rows] == [False, False, True, True, True, False]
    assert all(row["reference"] == rows[0]["measured"] for row in rows)
    assert all(row["goal"] == pytest.approx(rows[0]["measured"] / 20) for row in rows[2:5])
    assert rows[4]["measured"] > rows[2]["measured"] > 0  # checkpoints cost something


def test_numpy_trains_the_maps_that_it_is_timed_for(benchmark, monkeypatch):
    """Its weights are ours after the same rows, rates and radii."""
    monkeypatch.setattr(benchmark, "UPDATES", 300)
    values = np.random.default_rng(0).random((500, 8))
    theirs = benchmark.numpys_runs(values, 3)
    generator, share = np.random.default_rng(0), np.arange(300) / 300
    begin, order = generator.random((3, 8, 100)), generator.integers(0, 500, (300, 3))
    for run in range(3):
        weights = begin[run].T.reshape(10, 10, 8)
        rates, radii = 0.7 * (1 - share), 5 - 4 * share
        ours = maps.follow(weights, values, order[:, run], rates, radii, maps.grid_of(Settings()))
        assert theirs[run].T.reshape(10, 10, 8) == pytest.approx(ours, abs=1e-10)


def test_a_score_is_set_beside_the_best_baseline_at_that_share(benchmark):
    import _oracle_scores as scores

    truth = np.random.default_rng(0).random((40, len(scores.SHARES), 3))
    off = {"near": 0.2, "far": 0.3}
    said = {"change, seed 0": scores.Said(truth + 0.1, truth - 1, truth + np.linspace(-0.1, 1, 40)[:, None, None])}
    said |= {name: scores.Said(truth - by) for name, by in off.items()}
    after_20, after_50, lowest, highest = scores.goal_rows(said, list(off), truth)
    assert "best baseline: near" in after_20["name"]
    for row, goal in ((after_20, 0.15), (after_50, 0.16)):
        assert [row[each] for each in ("measured", "goal", "reference")] == pytest.approx([0.1, goal, 0.2])
    assert lowest["measured"] == highest["measured"] == pytest.approx(36 / 40)
    found = scores.measured(said["change, seed 0"], truth)
    np.testing.assert_allclose(found["correlation"], 1)
    np.testing.assert_allclose(found["RMSE"], 0.1)
    assert scores.by_share(said, list(off), truth).get_axes()
    assert "| near | 0.2000 |" in scores.markdown(said, list(off), truth)
