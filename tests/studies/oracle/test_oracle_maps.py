"""Maps: updates as MiniSom makes them, gaps that pull nothing, sampling, schedules, checkpoints, ends."""

from collections import Counter

import numpy as np
import pytest
from minisom import MiniSom
from short_maps import SHORT, column, flat, settings, some_values

from studies.oracle import kernels, metrics
from studies.oracle.grids import grid
from studies.oracle.maps import EARLY, WATCHED, WHOLE, draws, filled, follow, is_stalled, plan, train
from studies.oracle.schedules import DROPS, SCHEDULES, schedule

UPDATES = 1500


def minisoms_weights(weights, values, rates, radii, **options):
    """MiniSom's weights after one update a rate, on the rows in their order, again and again."""
    rows, columns, features = weights.shape
    som = MiniSom(columns, rows, features, decay_function=lambda rate, t, most: rates[t], **options)
    som._sigma_decay_function = lambda sigma, t, most: radii[t]
    som._weights = weights.transpose(1, 0, 2).copy()
    som.train(values, len(rates))
    return som, som.get_weights().transpose(1, 0, 2)


def updates(rows, columns, features=4):
    """Weights to begin with, values, the order of their rows, rates and radii."""
    values = some_values(200, features)
    rates, radii = np.linspace(0.9, 0.01, UPDATES), np.linspace(5.0, 0.7, UPDATES)
    return some_values(rows * columns, features, 1).reshape(rows, columns, -1), values, rates, radii


@pytest.mark.parametrize(("kind", "topology"), [("square", "rectangular"), ("hexagonal_plane", "hexagonal")])
@pytest.mark.parametrize("rows", [7, 8])
def test_the_same_order_gives_minisoms_weights(kind, topology, rows):
    begin, values, rates, radii = updates(rows, 6)
    mirrored = topology == "hexagonal" and rows % 2 == 0  # MiniSom shifts its last row and every second one before
    turn = slice(None, None, -1 if mirrored else 1)
    _, theirs = minisoms_weights(begin[:, turn], values, rates, radii, topology=topology)
    ours = follow(begin, values, np.arange(UPDATES) % len(values), rates, radii, grid(kind, rows, 6))
    assert ours == pytest.approx(theirs[:, turn], abs=1e-10)
    assert np.abs(ours - begin).max() > 0.5


def test_steps_on_a_hexagonal_grid_give_minisoms_weights_too():
    begin, values, rates, radii = updates(7, 6)
    lattice = grid("hexagonal", 7, 6)

    class Stepping(MiniSom):
        def _gaussian(self, winner, sigma):
            near = lattice.ranks[winner[1] * 6 + winner[0]].reshape(7, 6)
            return np.exp(-lattice.levels[near] / (2 * sigma**2)).T

    som = Stepping(6, 7, 4, decay_function=lambda rate, t, most: rates[t], topology="hexagonal")
    som._sigma_decay_function = lambda sigma, t, most: radii[t]
    som._weights = begin.transpose(1, 0, 2).copy()
    som.train(values, UPDATES)
    ours = follow(begin, values, np.arange(UPDATES) % len(values), rates, radii, lattice)
    assert ours == pytest.approx(som.get_weights().transpose(1, 0, 2), abs=1e-10)


@pytest.mark.parametrize(("kind", "topology"), [("square", "rectangular"), ("hexagonal_plane", "hexagonal")])
def test_the_errors_of_a_map_are_minisoms(kind, topology):
    begin, values, rates, radii = updates(7, 6)
    som, weights = minisoms_weights(begin, values, rates, radii, topology=topology)
    found, lattice = metrics.hits(flat(weights), *filled(values)), grid(kind, 7, 6)
    assert metrics.mqe(found) == pytest.approx(som.quantization_error(values), abs=1e-12)
    if topology == "rectangular":  # MiniSom's hexagonal one takes rounding for distance at some edges
        assert metrics.topographic_error(found, lattice) == pytest.approx(som.topographic_error(values), abs=1e-12)
    assert (metrics.hit_map(found, lattice) == som.activation_response(values).T).all()


def test_a_map_of_one_neuron_ends_at_the_mean():
    values = some_values(300)
    one = follow(np.zeros((1, 1, 4)), values, np.arange(300), 1 / np.arange(1, 301), np.ones(300), grid("square", 1, 1))
    assert one[0, 0] == pytest.approx(values.mean(axis=0), abs=1e-12)
    single = {"map_rows": 1, "map_columns": 1, "rate_start": 0.02, "rate_end": 0.0, "rate_schedule": "linear_drop"}
    ended = train(values, settings(**single, epoch_multiplier=50.0))
    assert ended.weights[0, 0] == pytest.approx(values.mean(axis=0), abs=0.01)
    spread = np.linalg.norm(values - values.mean(axis=0), axis=1).mean()
    assert column(ended, "mqe")[-1] == pytest.approx(spread, rel=1e-3)
    assert column(ended, "topographic_error")[-1] == column(ended, "dead_ratio")[-1] == 0


def test_a_column_of_gaps_pulls_nothing_and_counts_nowhere():
    values = some_values()
    gaps = np.insert(values, 2, np.nan, axis=1)
    begin, lattice = np.random.default_rng(5).random((6, 5, 5)), grid("hexagonal", 6, 5)
    order, rates, radii = np.arange(500) % 100, np.full(500, 0.3), np.full(500, 1.5)
    with_gaps = follow(begin, gaps, order, rates, radii, lattice)
    without = follow(np.delete(begin, 2, axis=2), values, order, rates, radii, lattice)
    assert (with_gaps[..., 2] == begin[..., 2]).all()
    assert (np.delete(with_gaps, 2, axis=2) == without).all()
    for one, other in zip(
        vars(metrics.hits(flat(with_gaps), *filled(gaps))).values(),
        vars(metrics.hits(flat(without), *filled(values))).values(),
        strict=True,
    ):
        assert (one == other).all()


def test_schedules_are_the_formulas_that_they_are_named_for():
    given = {"start": 0.8, "end": 0.2, "iterations": 5, "growth": 2.0}
    expected = {
        "static": [0.8] * 5,
        "linear_drop": [0.8, 0.65, 0.5, 0.35, 0.2],
        "exp_drop": 0.8 - 0.6 * (1 - np.exp(-2 * np.arange(5) / 5)) / (1 - np.exp(-2)),
        "exp_growth": 0.8 - 0.6 * (np.exp(2 * np.arange(5) / 5) - 1) / (np.exp(2) - 1),
        "log_drop": 0.8 - 0.6 * np.log(2 * np.arange(5) + 1) / np.log(11),
        "step_down": [0.8, 0.56, 0.392, 0.2744, 0.2],  # 0.8 * 0.7^4 = 0.19208 is below the end
    }
    for name, values in expected.items():
        assert schedule(name, **given) == pytest.approx(values, abs=1e-12), name
    assert (schedule("log_growth", **given) == schedule("log_drop", **given)).all()
    assert (schedule("linear_growth", **given) == schedule("linear_drop", **given)).all()
    assert schedule("step_down", 1.0, 0.0, 100, growth=1)[[0, 9, 10, 99]] == pytest.approx([1, 1, 0.7, 0.7**9])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("iterations", [1, 2, 3, 7, 1000])
def test_schedules_stay_between_start_and_end(name, iterations):
    for start, end in ((0.9, 0.01), (0.03, 15.0)) if name not in DROPS[1:] else ((0.9, 0.01),):
        values = schedule(name, start, end, iterations, growth=35)
        assert values[0] == start
        assert len(values) == iterations
        assert (np.diff(values) * np.sign(end - start) >= -1e-12).all()
        assert ((values >= min(start, end) - 1e-12) & (values <= max(start, end) + 1e-12)).all()


def drawn(rows=100, **changes):
    """Of every iteration, the rows that it draws."""
    given = settings(**changes)
    planned, found = plan(given, rows), []
    for order, ends in draws(planned, given, rows, np.random.default_rng(0)):
        found += [part.tolist() for part in np.split(order, ends[:-1])]
    assert [len(part) for part in found] == planned.updates.tolist()
    return found


def test_reshuffling_uses_all_rows_before_any_is_used_again():
    order = [part[0] for part in drawn(epoch_multiplier=3.0)]
    for epoch in range(3):
        assert sorted(order[100 * epoch : 100 * (epoch + 1)]) == list(range(100))
    assert order[:100] != order[100:200]


def test_without_reshuffling_a_share_of_one_in_e_is_not_seen():
    order = [part[0] for part in drawn(rows=5000, epoch_multiplier=1.0, reshuffle=False)]
    assert 1 - len(set(order)) / 5000 == pytest.approx(np.exp(-1), abs=0.02)


@pytest.mark.parametrize("reshuffle", [True, False])
def test_every_section_gives_its_share_of_an_iteration(reshuffle):
    batch = {"batch_start": 4.0, "batch_end": 8.0, "batch_schedule": "linear_growth"}
    found = drawn(mode="sections", sections=3, reshuffle=reshuffle, **batch)
    assert [len(part) for part in found[:1] + found[-1:]] == [3 * 4, 3 * 8]
    counts = Counter(row for part in found for row in part)
    if reshuffle:  # 100 rows in sections of 34, 33, 33
        assert max(counts.values()) - min(counts.values()) <= 2
    else:
        assert all(len(set(part)) == len(part) for part in found)
        assert max(counts.values()) - min(counts.values()) > 10


def test_a_section_gives_no_more_rows_than_it_has():
    found = drawn(rows=50, mode="sections", sections=20, batch_start=100.0, batch_end=100.0, reshuffle=False)
    assert all(sorted(part) == list(range(50)) for part in found)


def test_the_deterministic_mode_uses_all_rows_in_an_iteration():
    rows = list(range(100))
    assert all(part == rows for part in drawn(mode="deterministic", reshuffle=False, epoch_multiplier=0.3))
    shuffled = drawn(mode="deterministic", epoch_multiplier=0.3)
    assert all(sorted(part) == rows and part != rows for part in shuffled)


@pytest.mark.parametrize("mode", ["stochastic", "sections", "deterministic"])
def test_checkpoints_are_evenly_apart_and_tell_what_is_done(mode):
    given = settings(mode=mode, checkpoints=30, epoch_multiplier=0.9)
    planned, ended = plan(given, 100), train(some_values(), given)
    assert column(ended, "progress") == pytest.approx(np.arange(1, 31) / 30)
    assert column(ended, "learning_rate") == pytest.approx(planned.rates[planned.checkpoints - 1])
    assert column(ended, "radius") == pytest.approx(planned.radii[planned.checkpoints - 1])
    assert column(ended, "work") == pytest.approx(np.cumsum(planned.updates)[2::3] / planned.updates.sum())
    assert (ended.ended, ended.updates) == (WHOLE, planned.updates.sum())
    assert ended.weights.shape == (6, 5, 4)


def test_a_short_run_has_a_checkpoint_at_each_iteration():
    ended = train(some_values(), settings(checkpoints=200, epoch_multiplier=0.25))
    assert column(ended, "progress") == pytest.approx(np.arange(1, 26) / 25)


def test_equal_settings_give_equal_runs_and_other_seeds_others():
    one, same, other = (train(some_values(), settings(seed=seed)) for seed in (3, 3, 4))
    assert (one.weights == same.weights).all()
    assert (one.checkpoints == same.checkpoints).all()
    assert not (one.checkpoints == other.checkpoints).all()


def test_a_run_ended_by_a_watcher_is_the_beginning_of_the_whole():
    seen = []

    def watch(checkpoints, weights):
        seen.append((len(checkpoints), weights.shape))
        return len(checkpoints) == 8

    whole, ended = train(some_values(), SHORT), train(some_values(), SHORT, watch=watch)
    assert seen == [(count, (6, 5, 4)) for count in range(1, 9)]
    assert (ended.checkpoints == whole.checkpoints[:8]).all()
    assert (ended.ended, ended.updates) == (WATCHED, 80)


def test_early_stop_waits_for_the_moving_mean():
    falling = [1.0 - 0.1 * step for step in range(6)]
    assert not is_stalled(falling, 2, 3)
    assert not is_stalled([*falling, 0.6, 0.6], 2, 3)  # means 0.55, 0.55, 0.6: two after the lowest
    assert is_stalled([*falling, 0.6, 0.6, 0.6], 2, 3)
    assert not is_stalled([1.0] * 100, 0, 0)


def test_an_early_stop_ends_a_run_that_gets_no_better():
    still = {"rate_start": 0.0, "rate_end": 0.0, "window": 3, "patience": 5}
    ended = train(some_values(), settings(**still))
    assert ended.ended == EARLY
    assert len(ended.checkpoints) == 3 + 5
    assert column(ended, "progress")[-1] == pytest.approx(8 / 20)


def test_weights_of_unit_norm_are_scaled_after_each_iteration():
    ended = train(some_values(), settings(unit_norm=True))
    assert np.linalg.norm(ended.weights, axis=2) == pytest.approx(np.ones((6, 5)), abs=1e-14)
    zero = np.zeros((2, 3))
    kernels.to_unit_norm(zero)
    assert (zero == 0).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grid": "round"}, "grid 'round': expected one of square, hexagonal, hexagonal_plane"),
        ({"rate_schedule": "fast"}, "rate_schedule 'fast': expected one of static"),
        ({"mode": "all"}, "mode 'all': expected one of stochastic"),
        ({"map_rows": 0}, "map_rows 0: expected 1 to 2500"),
        ({"map_rows": 60, "map_columns": 60}, "a map of 60 x 60: expected up to 2500 neurons"),
        ({"rate_start": float("nan")}, "rate_start nan: expected 0.0 to 1.0"),
        ({"checkpoints": 201}, "checkpoints 201: expected 20 to 200"),
        ({"window": 5}, "window 5, patience 0: expected both above 0, or both 0"),
        ({"growth": 0.0}, "growth 0.0: expected 1e-06 to 500.0"),
        ({"seed": -1}, "seed -1: expected 0 or more"),
        ({"epoch_multiplier": 0.1}, "epoch_multiplier 0.1 on 100 rows: 10 iterations, expected 20 or more"),
        ({"mode": "sections", "sections": 101}, "sections 101: expected up to the 100 rows"),
        ({"mode": "deterministic", "epoch_multiplier": 3e4}, "300,000,000 weight updates"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_run_begins(changes, expected):
    with pytest.raises(ValueError, match="expected") as refused:
        plan(settings(**changes), 100)
    assert expected in str(refused.value)
