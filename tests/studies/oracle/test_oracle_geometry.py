"""Grids and metrics of maps: what geometry demands of maps that are laid by hand, and of trained ones."""

import numpy as np
import pytest
from short_maps import SHORT, column, flat, settings, some_values

from studies.oracle import metrics
from studies.oracle.grids import GRIDS, grid
from studies.oracle.maps import filled, grid_of, train
from studies.oracle.shapes import shape


def test_a_mask_applies_to_every_metric():
    values, weights = some_values(60), some_values(30, 4, 2).reshape(6, 5, 4)
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    values = values[np.isfinite(values).any(axis=1)]
    lattice = grid("hexagonal", 6, 5)
    apart = np.sqrt(np.nansum((values[:, None] - weights.reshape(1, 30, 4)) ** 2, axis=2))
    nearest = np.argsort(apart, axis=1)
    found = metrics.hits(flat(weights), *filled(values))
    assert metrics.mqe(found) == pytest.approx(apart.min(axis=1).mean(), abs=1e-14)
    split = [not lattice.neighbours[pair[0], pair[1]] for pair in nearest]
    assert metrics.topographic_error(found, lattice) == pytest.approx(np.mean(split), abs=1e-14)
    assert metrics.dead_ratio(found, lattice) == pytest.approx(1 - len(set(nearest[:, 0])) / 30)
    blind = metrics.hits(flat(weights), np.nan_to_num(values), np.ones(values.shape, dtype=bool))
    assert metrics.mqe(blind) != pytest.approx(metrics.mqe(found), rel=0.1)


@pytest.mark.parametrize(("kind", "most"), [("square", 8), ("hexagonal", 6), ("hexagonal_plane", 6)])
def test_neighbours_are_eight_on_squares_and_six_on_hexagons(kind, most):
    lattice = grid(kind, 5, 6)
    counts = lattice.neighbours.sum(axis=1).reshape(5, 6)
    assert (counts[1:-1, 1:-1] == most).all()
    assert counts.max() == most
    corners = counts[[0, 0, -1, -1], [0, -1, 0, -1]].tolist()
    assert corners == ([3] * 4 if most == 8 else [2, 3, 2, 3])  # even rows stand half a place to the left
    assert (lattice.neighbours == lattice.neighbours.T).all()
    assert not lattice.neighbours.diagonal().any()


def test_hexagonal_distance_is_the_least_number_of_steps():
    lattice, steps = grid("hexagonal", 5, 7), np.full((35, 35), np.inf)
    reached = np.eye(35, dtype=bool)
    for step in range(12):
        steps[reached & np.isinf(steps)] = step
        reached = reached @ lattice.neighbours | reached
    assert (lattice.levels[lattice.ranks] == steps**2).all()


def test_in_the_plane_six_neighbours_stand_at_distance_one():
    lattice = grid("hexagonal_plane", 6, 6)
    assert (lattice.neighbours == (lattice.levels[lattice.ranks] == 1)).all()


@pytest.mark.parametrize("kind", ["square", "hexagonal_plane"])
def test_a_flat_map_has_no_topographic_error_and_correlation_one(kind):
    row, place = np.divmod(np.arange(64), 8)
    places = np.stack([place + (row % 2) / 2 * (kind != "square"), row * (0.75**0.5 if kind != "square" else 1)], 1)
    lattice, inside = grid(kind, 8, 8), 1 + 5 * np.random.default_rng(0).random((2000, 2))
    found = metrics.hits(flat(places), *filled(inside))
    assert metrics.topographic_error(found, lattice) == 0
    assert metrics.rank_correlation(flat(places), lattice) == pytest.approx(1, abs=1e-12)
    between = metrics.u_matrix(flat(places), lattice)[1:-1, 1:-1]
    assert between == pytest.approx((4 + 4 * 2**0.5) / 8 if kind == "square" else 1.0)


def test_a_chain_folded_in_half_errs_everywhere_but_at_the_fold():
    """Neurons k and 39 - k lie at one place: the two nearest of a row are those, neighbours only where 19 meets 20."""
    ends = np.arange(20) + 0.5
    folded = np.concatenate([ends, ends[::-1] + 1e-6])[:, None]
    lattice, rows = grid("square", 1, 40), np.linspace(0.01, 19.99, 2000)[:, None]
    found = metrics.hits(flat(folded), *filled(rows))
    assert metrics.topographic_error(found, lattice) == pytest.approx(19 / 20, abs=1e-3)
    assert metrics.rank_correlation(flat(ends[:, None]), grid("square", 1, 20)) == pytest.approx(1)
    assert metrics.rank_correlation(flat(folded), lattice) < 0.4  # pairs on one side keep their order


def test_a_map_in_random_order_errs_as_chance_says():
    places = np.stack(np.divmod(np.arange(400), 20), axis=1)[np.random.default_rng(0).permutation(400)].astype(float)
    lattice = grid("square", 20, 20)
    found = metrics.hits(flat(places), *filled(19 * np.random.default_rng(1).random((5000, 2))))
    chance = lattice.neighbours.sum() / (400 * 399)  # that two neurons are neighbours: 0.018
    assert metrics.topographic_error(found, lattice) == pytest.approx(1 - chance, abs=0.015)
    assert abs(metrics.rank_correlation(flat(places), lattice)) < 0.1


def test_equal_rows_leave_all_other_neurons_dead():
    values = np.repeat(some_values(3), 40, axis=0)
    ended = train(values, SHORT)
    assert (column(ended, "dead_ratio") >= 1 - 3 / 30).all()


LAID = {"mode": "stochastic", "epoch_multiplier": 10.0, "rate_end": 0.02, "radius_end": 0.7}
CELLS = {"square": 0.03826, "hexagonal": 0.03773}  # mean distance to the middle of a cell of area 0.01


@pytest.mark.parametrize("kind", CELLS)
def test_a_map_lies_flat_in_a_plane_with_an_error_of_its_cells(kind):
    given = settings(**LAID, map_rows=10, map_columns=10, grid=kind)
    ended = train(shape("plane", 1000), given)
    assert CELLS[kind] < column(ended, "mqe")[-1] < 1.12 * CELLS[kind]
    assert column(ended, "topographic_error")[-1] <= 0.01
    assert column(ended, "dead_ratio")[-1] <= 0.01
    assert metrics.rank_correlation(flat(ended.weights), grid_of(given)) > 0.98


def test_a_chain_lies_along_a_line_with_the_error_of_its_pieces():
    ended = train(shape("chain", 1000), settings(**LAID, map_rows=1, map_columns=30, grid="square"))
    pieces = 2**0.5 / 30 / 4  # a row is at most half a piece from its middle, a quarter in the mean
    assert pieces * 0.98 < column(ended, "mqe")[-1] < 1.08 * pieces
    assert column(ended, "topographic_error")[-1] <= 0.01
    along = ended.weights[0, :, 0]
    assert (np.diff(along) > 0).all() or (np.diff(along) < 0).all()


def test_bent_and_broken_tables_err_more_than_the_plane():
    """Errors that look healthy hide a fold: the rank correlation tells."""
    given = settings(**LAID, map_rows=10, map_columns=10, grid="square")
    for name, errs, dead in (("s_curve", 0.01, 0.2), ("swiss_roll", 0.02, 0.2), ("blobs", 0.01, 0.4)):
        ended = train(shape(name, 1000), given)
        assert errs <= column(ended, "topographic_error")[-1] < 0.12
        assert 0.01 < column(ended, "dead_ratio")[-1] < dead
        assert 0.5 < metrics.rank_correlation(flat(ended.weights), grid_of(given)) < 0.9


def test_every_grid_trains():
    for kind in GRIDS:
        assert np.isfinite(train(some_values(), settings(grid=kind)).checkpoints).all()
