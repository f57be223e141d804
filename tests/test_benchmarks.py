"""The benchmarks measure what they say: on a training that ends in seconds."""

import sys
from pathlib import Path

import pytest

from sim2seq.data.splits import Part, select
from sim2seq.training.fit import split_runs
from sim2seq.training.settings import Settings


@pytest.fixture(scope="module")
def backends():
    folder = str(Path(__file__).parent.parent / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import backends

        return backends
    finally:
        sys.path.remove(folder)


def test_goal_is_reached_at_the_end_of_an_epoch_or_not_at_all(backends, bouncing):
    few = select(bouncing, Part(bouncing.run_ids[:10], 0, 60))
    settings = Settings.parse(["model=stacked_lstm", "size=debug", "units=4", "window=5"])
    found = backends.learn(few, split_runs(few, settings), settings, best_loss=1e9)
    assert 0 < found["untrained"]["seconds"] < found["reached"]["loss"] < found["trained"]["seconds"]
    assert "closed_loop" not in found["reached"]  # two epochs of four units


def test_speed_counts_whole_batches(backends, bouncing):
    few = select(bouncing, Part(bouncing.run_ids[:4], 0, 100))
    assert backends.speed(few, ["units=4", "jit_compile=false"], "stacked_lstm", 10, 8, 3) > 0


def test_every_timed_case_has_all_its_targets(backends):
    ensemble, split = backends.ordered_runs()
    steps = ensemble.steps - Settings().window
    for _, targets, batch_size, _ in backends.SPEEDS:
        assert batch_size <= len(split.train.runs) * (steps - targets + 1)
