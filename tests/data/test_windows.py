from dataclasses import replace
from itertools import chain

import keras
import numpy as np
import pytest
from helpers import counting_ensemble

from sim2seq.data.splits import PARTS, SPLITS, select, split_by_run, split_in_time, split_names
from sim2seq.data.streaming import Rows, lazily
from sim2seq.data.windows import Columns, Scaling, Windows, windows_of
from sim2seq.models.builders import normalization


@pytest.mark.parametrize("runs", [3, 4, 5, 8, 64, 1024])
def test_split_by_run_gives_every_run_to_exactly_one_part(runs):
    ensemble = counting_ensemble(runs=runs, steps=6)
    split = split_by_run(ensemble, seed=1)
    parts = [getattr(split, name).runs for name in PARTS]
    assert all(parts)
    assert sorted(chain(*parts)) == sorted(ensemble.run_ids)


def test_split_by_run_is_60_20_20_and_follows_its_seed():
    ensemble = counting_ensemble(runs=1000, steps=3)
    split = split_by_run(ensemble, seed=7)
    assert [len(getattr(split, name).runs) for name in PARTS] == [600, 200, 200]
    assert split == split_by_run(ensemble, seed=7)
    assert split != split_by_run(ensemble, seed=8)


def test_split_in_time_cuts_every_run_without_overlap():
    ensemble = counting_ensemble(runs=2, steps=400)
    split = split_in_time(ensemble)
    assert [(part.start, part.stop) for part in (split.train, split.validation, split.test)] == [
        (0, 240),
        (240, 320),
        (320, 400),
    ]
    assert split.train.runs == split.test.runs == ensemble.run_ids


@pytest.mark.parametrize("name", SPLITS)
def test_no_number_of_one_part_is_in_another(name):
    ensemble = counting_ensemble(runs=10, steps=50)  # every number occurs once in the whole ensemble
    groups = ("train", "group", "validation", "test", "train") if name != "by_name" else (*PARTS, "train", "test")
    ensemble = replace(ensemble, run_ids=tuple(f"{groups[run // 2]}_{run}" for run in range(10)))
    split = SPLITS[name](ensemble)
    seen = [set(select(ensemble, getattr(split, part)).values.ravel()) for part in PARTS]
    assert len(set.union(*seen)) == sum(map(len, seen)) == ensemble.values.size


def test_too_few_runs_or_steps_are_refused_with_the_least_number():
    with pytest.raises(ValueError, match="at least 3 runs"):
        split_by_run(counting_ensemble(runs=2))
    with pytest.raises(ValueError, match="at least 3 steps"):
        split_in_time(counting_ensemble(steps=2))
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_run(counting_ensemble(), fractions=(0.6, 0.2, 0.3))


def test_a_split_that_names_an_unknown_run_is_refused():
    split = split_by_run(counting_ensemble(runs=6))
    with pytest.raises(ValueError, match="run_"):
        select(counting_ensemble(runs=3), split.train)


def test_400_steps_and_a_window_of_30_give_370_windows_a_run():
    contexts, targets = windows_of(counting_ensemble(runs=3, steps=400).values, 30)
    assert contexts.shape == (3, 370, 30, 2)
    assert targets.shape == (3, 370, 1, 2)


def test_the_target_follows_its_window_and_nothing_is_copied():
    ensemble = counting_ensemble()
    contexts, targets = windows_of(ensemble.values, 4)
    np.testing.assert_array_equal(np.diff(contexts, axis=2), 1)
    np.testing.assert_array_equal(targets, contexts[:, :, -1:] + 1)
    assert np.shares_memory(contexts, ensemble.values)
    assert np.shares_memory(targets, ensemble.values)


@pytest.mark.parametrize(("targets", "samples"), [(1, 16), (5, 12), (16, 1)])
def test_each_target_of_a_sample_follows_what_the_model_is_given(targets, samples):
    """20 steps and a window of 4: with 16 targets a sample is a whole run."""
    ensemble = counting_ensemble(runs=3, steps=20)
    inputs, wanted = windows_of(ensemble.values, 4, targets)
    assert inputs.shape == (3, samples, 4 + targets - 1, 2)
    assert wanted.shape == (3, samples, targets, 2)
    np.testing.assert_array_equal(wanted, inputs[:, :, -targets:] + 1)
    np.testing.assert_array_equal(wanted[:, 0, 0], ensemble.values[:, 4])
    assert np.shares_memory(inputs, ensemble.values)
    assert np.shares_memory(wanted, ensemble.values)


def steered_run(steps=7):
    """Nine columns: a command, 10 times the number of the row, and eight that hold that number: 3, 103, ... 703."""
    row = np.arange(steps)
    return np.stack([10 * row, *(row + 100 * column for column in range(8))], axis=1)[None].astype(float)


def test_a_command_is_learned_from_other_columns_of_rows_before():
    values = steered_run(steps=7)
    inputs, wanted = windows_of(values, 3, inputs=slice(1, 9), outputs=slice(0, 1))
    assert (inputs.shape, wanted.shape) == (
        (1, 4, 3, 8),
        (1, 4, 1, 1),
    )  # [T - N, N, 8], [T - N, 1]
    np.testing.assert_array_equal(inputs[0, 0], values[0, :3, 1:])
    np.testing.assert_array_equal(wanted[0, :, 0, 0], [30, 40, 50, 60])
    np.testing.assert_array_equal(wanted[..., 0, 0], 10 * (inputs[:, :, -1, 0] + 1))  # of the next row
    assert np.shares_memory(inputs, values)
    assert np.shares_memory(wanted, values)


def test_features_are_chosen_by_place_for_each_of_many_targets():
    values = steered_run(steps=9)
    inputs, wanted = windows_of(values, 3, targets=4, inputs=[2, 4], outputs=[0])
    assert (inputs.shape, wanted.shape) == ((1, 3, 6, 2), (1, 3, 4, 1))
    np.testing.assert_array_equal(inputs[0, 1], [[row + 100, row + 300] for row in range(1, 7)])
    np.testing.assert_array_equal(wanted[0, :, :, 0], [[30, 40, 50, 60], [40, 50, 60, 70], [50, 60, 70, 80]])


def test_names_are_split_with_the_draws_of_a_split_by_run():
    ensemble = counting_ensemble(runs=9, steps=4)
    for seed in range(20):
        parts = split_names(ensemble.run_ids, (0.5, 0.25, 0.25), seed=seed)
        split = split_by_run(ensemble, (0.5, 0.25, 0.25), seed=seed)
        assert parts == {name: part.runs for name, part in vars(split).items()}
    assert [len(parts[name]) for name in PARTS] == [5, 2, 2]
    # numpy.random.default_rng(7).permutation(4) is 0, 2, 1, 3
    assert split_names("abcd", seed=7) == {"train": ("a", "c"), "validation": ("b",), "test": ("d",)}
    with pytest.raises(ValueError, match="at least 3 names, one a part; got 2"):
        split_names("ab")
    with pytest.raises(ValueError, match="expected every name once; a is there more often"):
        split_names("abca")


@pytest.mark.parametrize("targets", [0, 17])
def test_targets_that_do_not_fit_behind_the_window_are_refused(targets):
    with pytest.raises(ValueError, match=f"targets: expected 1 to 16 .* got {targets}"):
        windows_of(counting_ensemble(steps=20).values, 4, targets)


def test_inputs_of_the_run_come_with_each_of_its_samples():
    values = counting_ensemble(runs=3, steps=20).values
    batches = Windows(values, 4, targets=5, conditions=values[:, 0, :1], batch_size=6, seed=0)
    for (inputs, given), wanted in (batches[i] for i in range(len(batches))):
        np.testing.assert_array_equal(given[:, 0], wanted[:, 0, 0] // 100 * 100)
        np.testing.assert_array_equal(wanted, inputs[:, -5:] + 1)


def test_a_limit_counts_targets_not_samples():
    values = counting_ensemble(runs=4, steps=20).values
    assert len(Windows(values, 4, targets=8, batch_size=1, seed=0, limit=80)) == 10
    assert len(Windows(values, 4, targets=8, batch_size=1, seed=0, limit=3)) == 1


@pytest.mark.parametrize("window", [0, 20, 21])
def test_a_window_that_does_not_fit_is_refused(window):
    with pytest.raises(ValueError, match="expected 1 to 19"):
        windows_of(counting_ensemble(steps=20).values, window)


def test_an_epoch_holds_every_pair_once():
    batches = Windows(counting_ensemble(runs=4, steps=14).values, 4, batch_size=8, seed=3)  # 40 pairs
    pairs = [(c, t) for i in range(len(batches)) for c, t in zip(*batches[i], strict=True)]
    assert len(pairs) == 40
    assert len({float(target[0, 0]) for _, target in pairs}) == 40
    assert all((target == context[-1] + 1).all() for context, target in pairs)


def test_the_order_depends_on_seed_and_epoch_only():
    def targets(seed, epoch):
        batches = Windows(counting_ensemble().values, 4, batch_size=96, seed=seed)
        batches.begin_epoch(epoch)
        return batches[0][1].tolist()

    assert targets(1, 5) == targets(1, 5)
    assert targets(1, 5) != targets(1, 6)
    assert targets(1, 5) != targets(2, 5)
    assert sorted(targets(1, 5)) == sorted(targets(2, 6))


def test_shuffled_batches_have_one_size_and_others_lose_nothing():
    values = counting_ensemble(runs=1, steps=14).values  # 10 pairs
    shuffled = Windows(values, 4, batch_size=4, seed=0)
    assert [len(shuffled[i][1]) for i in range(len(shuffled))] == [4, 4]
    in_order = Windows(values, 4, batch_size=4)
    assert [t for i in range(len(in_order)) for t in in_order[i][1][:, 0, 0]] == list(range(4, 14))


def test_an_epoch_takes_at_most_its_limit_and_draws_anew():
    values = counting_ensemble(runs=4, steps=14).values  # 40 pairs
    batches = Windows(values, 4, batch_size=5, seed=0, limit=10)
    draws = []
    for epoch in range(40):
        batches.begin_epoch(epoch)
        draws.append({float(t) for i in range(len(batches)) for t in batches[i][1][:, 0, 0]})
    assert {len(draw) for draw in draws} == {10}
    assert len(set.union(*draws)) == 40
    thinned = Windows(values, 4, batch_size=10, limit=4)
    np.testing.assert_array_equal(thinned[0][1][:, 0, 0], [4, 107, 210, 313])


def test_each_pass_takes_every_pair_in_another_order():
    batches = Windows(counting_ensemble(runs=4, steps=14).values, 4, batch_size=40, seed=0, passes=3)
    draws = [batches[i][1][:, 0, 0].tolist() for i in range(len(batches))]
    assert len(draws) == 3
    assert draws[0] != draws[1]
    assert sorted(draws[0]) == sorted(draws[1]) == sorted(draws[2])


def test_batches_have_the_precision_that_was_asked_for():
    values = counting_ensemble(runs=2, steps=14).values + 1e-9
    batches = Windows(values, 4, batch_size=20, dtype="float64")
    np.testing.assert_array_equal(batches[0][1][:, 0], values[:, 4:].reshape(20, 2))
    assert Windows(values, 4, batch_size=20)[0][0].dtype == "float32"


def test_scaling_comes_from_training_runs_and_is_undone_exactly():
    ensemble = counting_ensemble()
    training = ensemble.take([1, 3])
    scaling = Scaling.of(training.values)
    np.testing.assert_allclose(scaling.mean, training.values.mean(axis=(0, 1)))
    scaled = scaling.scale(training.values)
    np.testing.assert_allclose([scaled.mean(axis=(0, 1)), scaled.std(axis=(0, 1))], [[0, 0], [1, 1]], atol=1e-6)
    np.testing.assert_allclose(scaling.restore(scaling.scale(ensemble.values)), ensemble.values)


@pytest.mark.parametrize("constant", [7.0, 0.0981])
def test_a_feature_that_never_changes_keeps_its_unit(constant):
    """0.0981 is no binary number: the mean of many differs from it in the last digit."""
    ensemble = counting_ensemble(runs=30, steps=50)
    ensemble.values[..., 1] = constant
    scaling = Scaling.of(ensemble.values)
    assert scaling.std[1] == 1.0
    np.testing.assert_allclose(scaling.scale(ensemble.values)[..., 1], 0, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-200, 1e-40, 1e40, 1e200, 1e303])
def test_a_unit_that_nobody_can_compute_in_is_refused_by_name(unit):
    values = counting_ensemble().values
    values[..., 1] *= unit
    with pytest.raises(ValueError, match="count_1: expected a standard deviation from 1e-30 to 1e\\+30; got"):
        Scaling.of(values, names=("count_0", "count_1"))


@pytest.mark.parametrize(("factor", "offset"), [(1e-12, 0.0), (1e18, 0.0), (1e-3, 1.7e9), (0.0, 1e12)])
def test_tiny_huge_and_far_features_have_a_mean_of_0(factor, offset):
    """Times since 1970 in steps of a millisecond: in float32 their mean would be off by a minute."""
    values = counting_ensemble(runs=30, steps=50).values
    values[..., 1] = values[..., 0] * factor + offset
    scaling = Scaling.of(values)
    assert not scaling.plain
    scaled = scaling.scale(values)[..., 1]
    assert abs(scaled.mean()) < 1e-3
    assert scaled.std() == pytest.approx(1.0 if factor else 0.0, abs=1e-3)
    for layer, given, expected in (("to", values[0], scaled[0]), ("back", scaling.scale(values[0]), values[0, :, 1])):
        made = normalization(scaling, "float64", invert=layer == "back")
        again = keras.layers.deserialize(keras.layers.serialize(made))
        found = keras.ops.convert_to_numpy(again(given))[..., 1]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-3 if layer == "to" else 0)


def grouped(sizes: dict[str, int]):
    """A counting ensemble whose runs are in groups of these sizes."""
    names = tuple(f"{group}_{run}" for group, size in sizes.items() for run in range(size))
    return replace(counting_ensemble(runs=len(names), steps=5), run_ids=names)


def test_every_large_group_has_its_share_in_each_part():
    split = split_by_run(grouped({"expert": 20, "human": 10}))
    counts = {part: [sum(run.startswith(g) for run in getattr(split, part).runs) for g in ("e", "h")] for part in PARTS}
    assert counts == {"train": [12, 6], "validation": [4, 2], "test": [4, 2]}


def test_a_split_by_group_keeps_groups_whole():
    split = SPLITS["by_group"](grouped({"a": 4, "b": 4, "c": 4, "d": 4, "e": 4}))
    groups = [{run[0] for run in getattr(split, part).runs} for part in PARTS]
    assert [len(group) for group in groups] == [3, 1, 1]
    assert set.union(*groups) == set("abcde")
    with pytest.raises(ValueError, match="at least 3 names"):
        SPLITS["by_group"](grouped({"a": 4, "b": 4}))


def unequal():
    """A counting ensemble whose runs have 20, 12 and 6 steps."""
    ensemble, lengths = counting_ensemble(runs=3, steps=20), np.array([20, 12, 6])
    values = np.where(np.arange(20)[None, :, None] < lengths[:, None, None], ensemble.values, np.nan)
    return replace(ensemble, values=values, lengths=lengths)


def test_scaling_sees_no_padding():
    ensemble = unequal()
    there = [ensemble.values[run, :length] for run, length in enumerate(ensemble.lengths)]
    scaling = Scaling.of(ensemble.values, ensemble.lengths)
    np.testing.assert_allclose(scaling.mean, np.concatenate(there).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, np.concatenate(there).std(axis=0), rtol=1e-6)


def test_samples_end_with_their_run_and_no_padding_has_weight():
    """A window of 4 and 5 targets: 12 and 4 samples, and one of two targets from the run that is too short."""
    ensemble = unequal()
    batches = Windows(ensemble.values, 4, targets=5, batch_size=64, lengths=ensemble.lengths, dtype="float64")
    ((inputs, targets, weights),) = (batches[0],)
    assert len(inputs) == 12 + 4 + 1
    assert weights.sum() == 5 * (12 + 4) + 2
    assert np.isfinite(inputs).all()
    there = weights > 0
    np.testing.assert_array_equal(targets[there], inputs[:, -5:][there] + 1)
    assert (targets[~there] == 0).all()


def test_runs_of_one_length_have_no_weights():
    ensemble = counting_ensemble(runs=3, steps=20)
    assert len(Windows(ensemble.values, 4, batch_size=8, lengths=ensemble.lengths)[0]) == 2


def test_a_control_is_seen_one_step_ahead():
    """Columns x and u, counting: beside x of step t stands u of step t + 1."""
    values = counting_ensemble(runs=2, steps=10).values
    inputs, targets = Windows(values, 3, batch_size=1, columns=Columns((0,), (0,), (1,)), dtype="float64")[0]
    np.testing.assert_array_equal(inputs[0], [[0, 10_001], [1, 10_002], [2, 10_003]])
    np.testing.assert_array_equal(targets[0], [[3]])


def test_a_target_of_the_run_is_asked_at_every_step():
    values, ends = counting_ensemble(runs=2, steps=6).values, np.array([[7.0], [8.0]])
    shared = {"batch_size": 2, "targets": 5, "columns": Columns(None, (), (), 0), "of_run": ends, "dtype": "float64"}
    inputs, targets = Windows(values, 2, **shared)[0]
    assert inputs.shape == (2, 6, 2)
    np.testing.assert_array_equal(targets[..., 0], np.repeat(ends, 5, axis=1))
    _, _, weights = Windows(values, 2, last_only=True, **shared)[0]
    np.testing.assert_array_equal(weights, [[0, 0, 0, 0, 1]] * 2)


def test_augmented_samples_are_made_of_whole_blocks():
    values = counting_ensemble(runs=2, steps=10).values
    mirrored = Windows(values, 3, batch_size=4, seed=0, augment=lambda block, draw: -block, dtype="float64")[0]
    plain = Windows(values, 3, batch_size=4, seed=0, dtype="float64")[0]
    for ours, theirs in zip(mirrored, plain, strict=True):
        np.testing.assert_array_equal(ours, -theirs)


def test_a_split_by_name_takes_groups_as_parts_and_no_other():
    kept = counting_ensemble(9, 12)
    names = ("train_1", "other_1", "test_1", "train_2", "validation_1", "test_2", "train_3", "shift_1", "validation_2")
    split = SPLITS["by_name"](replace(kept, run_ids=names))
    assert split.train.runs == ("train_1", "train_2", "train_3")
    assert split.validation.runs + split.test.runs == ("validation_1", "validation_2", "test_1", "test_2")
    with pytest.raises(ValueError, match="expects runs of a group 'train'"):
        SPLITS["by_name"](kept)


def test_bytes_stay_bytes_and_are_scaled_a_batch_at_a_time():
    values = np.random.default_rng(0).integers(0, 256, (6, 9, 4)).astype("uint8")
    assert isinstance(lazily(values), Rows)
    assert lazily(values.astype(float)).dtype == float
    scaling = Scaling(np.full(4, 100.0), np.full(4, 50.0))
    of_bytes, of_floats = (
        Windows(scaling.scale(each), 3, targets=2, batch_size=4) for each in (lazily(values), values)
    )
    assert of_bytes.rows.source is values
    for one, other in zip(of_bytes[0], of_floats[0], strict=True):
        assert (one == other).all()
