"""Windows: what a model is given and what it learns from it, in which order, and no padding with any weight."""

import numpy as np
import pytest
from helpers import counting_ensemble, unequal_counting

from sim2seq.data.windows import Columns, Windows, windows_of


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


def test_samples_end_with_their_run_and_no_padding_has_weight():
    """A window of 4 and 5 targets: 12 and 4 samples, and one of two targets from the run that is too short."""
    ensemble = unequal_counting()
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
