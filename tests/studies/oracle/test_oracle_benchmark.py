"""The benchmark of the oracle's cost measures what it says."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import runs_on

from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from studies.oracle import maps, tables
from studies.oracle.settings import Settings

FOLDER = str(Path(__file__).parents[3] / "benchmarks")


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


def test_the_sources_networks_are_trained_as_published(benchmark):
    """Section C2 of its description: Adam 1e-3, 32 a batch, 100 epochs, patience 20, halved at plateaus, whole runs."""
    import _oracle_scores as scores

    jobs = scores.every_job(SimpleNamespace(seeds=2, settings=["units:8"]))
    published = {name: job for name, job in jobs.items() if name.endswith(scores.PUBLISHED)}
    assert [name.partition(",")[0] for name in published] == list(scores.SOURCES)
    for name, (words, whole) in published.items():
        found = scores.STUDY.settings.parse(words)
        assert whole
        assert (found.model, found.inputs, found.members) == (name.partition(",")[0], (), 1)
        assert (found.optimizer, found.learning_rate, found.schedule) == ("adam", 1e-3, "plateau")
        assert (found.loss, found.batch_size, found.epochs, found.patience) == ("squared", 32, 100, 20)
    others = [jobs[name][1] for name in jobs if name not in published]
    assert others == [False] * (2 + 1 + len(scores.SOURCES))


def test_kept_baselines_are_those_of_the_same_data_only(benchmark, tmp_path):
    import _oracle_scores as scores

    runs, settings = (
        runs_on([name for part in tables.PARTS for name in tables.names(part)[:3]]),
        scores.STUDY.settings(),
    )
    test, path = scores.STUDY.split(runs, settings).test.runs, tmp_path / "baselines.npz"
    first = scores.baselines_of_runs(runs, test, path, settings)
    with np.load(path) as held:
        np.savez(path, **dict(held) | {"mean": first["mean"] + 1})
    again = scores.baselines_of_runs(runs, test, path, settings)
    np.testing.assert_array_equal(again["mean"], first["mean"] + 1)  # read, not asked
    other = replace(runs, results=runs.results | {"mqe_final": runs.results["mqe_final"] + 2})
    np.testing.assert_allclose(
        scores.baselines_of_runs(other, test, path, settings)["mean"][..., 0], first["mean"][..., 0] + 2
    )
    with pytest.raises(ValueError, match="expected test runs that baselines have not learned from"):
        scores.baselines_of_runs(other, scores.STUDY.split(runs, settings).train.runs, path, settings)
    fewer = scores.baselines_of_runs(other, test[:2], path, settings)
    assert fewer["mean"].shape == (2, len(scores.SHARES), 3)


def test_details_tell_each_measure_by_target_and_by_table(benchmark):
    import _oracle_scores as scores

    truth = np.zeros((4, len(scores.SHARES), 2))
    off = truth + np.array([0.1, 0.1, 0.3, 0.3])[:, None, None] + [0.0, 1.0]
    said = {"change": scores.Said(off, off - 0.2, off + 0.2)}
    rows = scores.detail_rows(said, truth, np.array(["a", "a", "b", "b"]), ("first", "second"))
    by = {row["name"]: row for row in rows}
    assert len(by) == len(rows) == 4 * len(scores.SHARES) * 4  # measures, shares, two targets and two tables
    assert by["change: MAE of first after 20%"]["measured"] == pytest.approx(0.2)
    assert by["change: MAE of second after 20%"]["measured"] == pytest.approx(1.2)
    assert by["change: MAE on b after 50%, mean of the targets"]["measured"] == pytest.approx(0.8)
    assert by["change: coverage on a after 50%, mean of the targets"]["measured"] == pytest.approx(0.5)
    assert by["change: correlation of first after 5%"]["measured"] is None  # of a truth that never varies
    assert by["change: coverage of first after 5%"]["better"] == "higher"
    assert by["change: RMSE of first after 5%"]["goal"] is None


def test_later_points_are_scored_each_beside_its_best_baseline(benchmark):
    import _oracle_later as later
    from _oracle_scores import SHARES, Said

    until, truth = np.array([1.0, 0.5] * 20), np.zeros((40, len(SHARES), 3))
    off = np.where(until == 0.5, 0.1, 0.3)[:, None, None] + truth
    said = {"change": Said(off, off - 0.2, off + 0.2), "near": Said(truth + 0.2), "far": Said(truth + 0.4)}
    rows = {row["name"]: row for row in later.rows_of(said, ["near", "far"], truth, until)}
    assert len(rows) == 2 * (len(SHARES) + 2)
    half = rows["change: MAE at 50% of the run, after 0.25 of it (best baseline: near)"]
    assert (half["measured"], half["reference"]) == pytest.approx((0.1, 0.2))
    assert rows["change: MAE at 100% of the run, after 0.2 of it (best baseline: near)"]["measured"] == pytest.approx(
        0.3
    )
    covered = [rows[f"change: coverage at {point}, lowest of all prefixes"]["measured"] for point in ("50%", "100%")]
    assert covered == [1.0, 0.0]


def test_later_points_are_learned_and_scored_from_a_store(benchmark, tmp_path, monkeypatch):
    import _oracle_later as later

    runs = runs_on([name for part in tables.PARTS for name in tables.names(part)[:3]])
    monkeypatch.setattr(later, "STUDY", replace(later.STUDY, read=lambda path: runs))
    tiny = ["units:8", "members:1", "epochs:1", "passes:1"]
    asked = SimpleNamespace(study=tmp_path / "store.sqlite", folder=tmp_path, settings=tiny, train_only=False)
    rows = later.later_rows(asked)
    assert [row["name"].split(" of the run")[0] for row in rows if "after 0.35" in row["name"]] == [
        "change, later points: MAE at 50%"
    ]
    assert all(np.isfinite(row["measured"]) for row in rows)
    assert len(list(tmp_path.glob("baselines_until_*.npz"))) == 3


def test_curves_are_scored_by_the_code_that_scores_maps(benchmark, tmp_path, monkeypatch):
    """Five data sets of networks, from files to rows, with the targets of that study in them."""
    from studies.oracle import curves

    inputs = np.random.default_rng(0).normal(size=(60, 2))
    made = [curves.problem(f"line-{place}", inputs, inputs[:, 0] + place * inputs[:, 1], False) for place in range(5)]
    monkeypatch.setattr(curves, "problems", lambda: made)
    monkeypatch.setitem(curves.RANGES, "epochs", (8, 20))
    (tmp_path / "runs").mkdir()
    curves.make(tmp_path / "runs" / "c.h5", 30, seed=2)
    store.create(tmp_path / "c.sqlite")
    ingest_folder(tmp_path / "runs", tmp_path / "c.sqlite")
    tiny = ["units:8", "members:1", "epochs:1", "passes:1"]
    words = ["oracle.py", str(tmp_path / "c.sqlite"), "--only", "curves", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*words, "--models", "change", "--seeds", "2", "--settings", *tiny])
    rows = benchmark.curves_rows(benchmark.parse_arguments())
    names = [row["name"] for row in rows]
    assert names[0].startswith("change, seed 0: MAE after 20% of the run, mean of the targets (best baseline: ")
    assert "ridge: MAE of error after 5%" in names
    assert sum(name.startswith("change, seed 0: coverage of loss") for name in names) == 6
    assert (tmp_path / "curves" / "change_seed_0" / "scores.json").exists()


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
    assert "| near | 0.2000 |" in scores.markdown(said, truth)


@pytest.mark.parametrize(
    ("models", "found"),
    [
        (["standard"], ["standard"]),
        (["standard, as published"], ["standard, as published"]),
        (["change", "lite"], ["change, seed 0", "change, seed 1", "lite"]),
    ],
)
def test_networks_are_asked_for_by_name_or_with_all_seeds(benchmark, models, found):
    from _oracle_scores import jobs

    asked = SimpleNamespace(models=models, seeds=2, settings=[])
    assert list(jobs(asked)) == found
