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
