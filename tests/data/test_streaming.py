"""An ensemble larger than memory goes through a training like any other, and takes no more memory."""

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from helpers import counting_ensemble, counting_model

from sim2seq.data import streaming, windows
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Part, split_by_run
from sim2seq.data.streaming import Rows, chunks, extent, moments, some_runs, take
from sim2seq.data.windows import Scaling, Windows
from sim2seq.models.terms import find_walls
from sim2seq.report.summary import some_scored
from sim2seq.training.evaluate import evaluate
from sim2seq.training.fit import fit
from sim2seq.training.folder import digest
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST


@pytest.fixture
def everything_is_large(monkeypatch):
    """Chunks of two runs, and no part of a memory map is copied."""
    monkeypatch.setattr(streaming, "CHUNK", 2 * counting_ensemble().values[0].nbytes)
    monkeypatch.setattr(streaming, "LARGEST_COPY", 0)


def on_disk(ensemble: Ensemble, path) -> Ensemble:
    """The same ensemble, whose values are a memory map that can only be read."""
    np.save(path, ensemble.values)
    return replace(ensemble, values=np.load(path, mmap_mode="r"))


def test_a_training_on_disk_is_to_the_last_bit_that_in_memory(tiny_training, tmp_path, monkeypatch):
    theirs, ensemble = tiny_training
    monkeypatch.setattr(streaming, "LARGEST_COPY", 0)
    mapped = on_disk(ensemble, tmp_path / "values.npy")
    assert isinstance(mapped.take(range(10)).values, Rows)
    ours = fit(mapped, theirs.settings, tmp_path / "training")
    assert ours.scores == theirs.scores
    assert ours.history == theirs.history
    assert all(map(np.array_equal, ours.model.get_weights(), theirs.model.get_weights()))
    for file in ("split.json", "band.json"):
        assert (ours.folder / file).read_bytes() == (theirs.folder / file).read_bytes()


def test_rows_are_what_an_array_of_them_would_be():
    values = counting_ensemble(runs=9, steps=8, features=2).values
    rows = Rows(values, np.array([7, 2, 5, 0]))
    array = values[[7, 2, 5, 0]]
    assert (rows.shape, len(rows), rows.nbytes) == (array.shape, 4, array.nbytes)
    for key in (np.s_[1], np.s_[1:3], np.s_[-1, :, 1], np.s_[:2, :3, :1], np.s_[:, :3, 0], np.s_[..., 1]):
        np.testing.assert_array_equal(rows[key], array[key])
    np.testing.assert_array_equal(rows.then(lambda read: read * 2).then(lambda read: read + 1)[:2], array[:2] * 2 + 1)


def test_a_part_of_a_memory_map_is_copied_only_where_it_is_small(tmp_path, monkeypatch):
    whole = counting_ensemble(runs=9, steps=8)
    ensemble = on_disk(whole, tmp_path / "values.npy")
    assert type(ensemble.take([3, 1]).values) is np.ndarray
    monkeypatch.setattr(streaming, "LARGEST_COPY", whole.take([3, 1]).values.nbytes)
    large = ensemble.take([5, 3, 1], steps=slice(2, 6))
    assert isinstance(ensemble.take([5, 3, 1]).values, Rows)
    assert type(large.take([2]).values) is np.ndarray
    np.testing.assert_array_equal(take(large.values, [0, 2]), whole.values[[5, 1], 2:6])
    np.testing.assert_array_equal(large.times, whole.times[2:6])


@pytest.mark.usefixtures("everything_is_large")
def test_what_is_read_in_chunks_is_what_would_be_read_at_once(tmp_path):
    values = np.random.default_rng(0).normal(1000, 1, (7, 20, 2)) * [1, 30]
    ensemble = replace(counting_ensemble(runs=7), values=values)
    rows = on_disk(ensemble, tmp_path / "values.npy").take(range(7)).values
    assert [len(chunk) for chunk in chunks(rows)] == [2, 2, 2, 1]
    for ours, theirs in zip(moments(rows), (values.mean(axis=(0, 1)), values.var(axis=(0, 1))), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_array_equal(extent(rows), [values.min(axis=0), values.max(axis=0)])
    np.testing.assert_array_equal(Scaling.of(rows).scale(rows)[:], Scaling.of(values).scale(values))
    np.testing.assert_array_equal(find_walls(np.minimum(values, 1000), None), [[[-np.inf, -np.inf]], [[1000, np.inf]]])


def test_a_fingerprint_is_of_all_bytes_whatever_the_chunks(tmp_path, monkeypatch):
    ensemble = counting_ensemble(runs=7)
    whole = digest(ensemble, ["start"])
    monkeypatch.setattr(streaming, "CHUNK", 1)
    assert digest(on_disk(ensemble, tmp_path / "values.npy"), ["start"]) == whole
    names = json.dumps([ensemble.run_ids, ensemble.features, ["m", "m"], ensemble.values.shape]).encode()
    numbers = [ensemble.values, ensemble.times, ensemble.inputs["start"]]
    assert whole == sha256(names + b"".join(each.tobytes() for each in numbers)).hexdigest()


@pytest.mark.parametrize(
    "change", [{"step_unit": "ms"}, {"units": {"count_0": "m", "count_1": "m", "start": "kg"}}, {"units": {}}]
)
def test_other_units_are_other_data(change):
    ensemble = counting_ensemble(runs=7)
    assert digest(replace(ensemble, **change), ["start"]) != digest(ensemble, ["start"])


@pytest.mark.usefixtures("everything_is_large")
def test_a_number_that_is_not_finite_is_found_in_any_chunk():
    ensemble = counting_ensemble(runs=7)
    ensemble.values[5, 3, 1] = np.nan
    with pytest.raises(ValueError, match="run_5, step 3, count_1: expected a finite number, got nan"):
        replace(ensemble)


@pytest.mark.usefixtures("everything_is_large")
def test_batches_from_disk_are_those_from_memory(tmp_path):
    ensemble = counting_ensemble(runs=6, steps=20)
    part = on_disk(ensemble, tmp_path / "values.npy").take([4, 0, 5])
    options = {"batch_size": 8, "targets": 3, "seed": 1, "conditions": part.inputs_of_runs(["start"])}
    ours, theirs = (Windows(each, 4, **options) for each in (part.values, part.values[:]))
    for number in range(len(ours)):
        (known, given), wanted = ours[number]
        assert known.dtype == wanted.dtype == "float32"
        np.testing.assert_array_equal(known, theirs[number][0][0])
        np.testing.assert_array_equal(wanted, theirs[number][1])
        np.testing.assert_array_equal(given[:, 0], wanted[:, 0, 0] // 100 * 100)


def test_an_epoch_draws_few_of_very_many_samples_and_none_twice(monkeypatch):
    values = counting_ensemble(runs=50, steps=104).values  # 5000 samples
    monkeypatch.setattr(windows, "MOST_PERMUTED", 4999)
    batches = Windows(values, 4, batch_size=10, seed=3, limit=1000, passes=2)
    first, second = batches.order[:1000], batches.order[1000:]
    assert len(set(first)) == len(set(second)) == 1000
    assert set(first) != set(second)
    assert max(first) < 5000
    assert 0.4 < np.mean(first < 2500) < 0.6
    batches.begin_epoch(1)
    assert set(batches.order[:1000]) != set(first)
    batches.begin_epoch(0)
    np.testing.assert_array_equal(batches.order[:1000], first)


def test_of_a_large_ensemble_some_runs_are_scored_and_it_is_said(monkeypatch):
    ensemble = counting_ensemble(runs=40, steps=30)
    assert some_runs(ensemble.values) is None
    monkeypatch.setattr(streaming, "MOST_RUNS", 6)
    held_out = Part(ensemble.run_ids[30:], 0, 30)
    split = split_by_run(ensemble.take(range(30)))
    settings = Settings(model="stacked_lstm", window=5)
    scores, _, _ = evaluate(FORECAST, [counting_model(window=5)], ensemble, split, settings, held_out=held_out)
    assert scores.runs == {"train": 18, "validation": 6, "test": 6}
    assert scores.scored_runs == {"train": 6, "validation": 6, "test": 6}
    assert (scores.held_out.runs, scores.held_out.scored_runs) == (10, 6)
    assert "6 of 18 train runs, 6 of 6 validation runs, 6 of 6 test runs" in some_scored(scores)
    assert some_scored(replace(scores, scored_runs=scores.runs)) is None
    chosen = ensemble.some_runs()
    assert chosen.runs == len(set(chosen.run_ids)) == 6
    assert ensemble.some_runs().run_ids == chosen.run_ids
