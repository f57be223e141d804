"""The Ising lattice's exact results: three ways to them agree, and with what is known in closed form."""

import numpy as np
import pytest

from studies.ising.exact import boltzmann, density_of_states, enumerated, kaufman, thermal
from studies.ising.lattice import MODELS, Lattice

CRITICAL = np.log(1 + np.sqrt(2)) / 2
CATALAN = 0.915965594177219


def levels_of(lattice):
    return np.unique(lattice.energies(enumerated(lattice)), return_counts=True)


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.25, 0.44, CRITICAL, 0.6, 1.0])
def test_kaufmans_solution_is_the_sum_over_all_states(beta):
    counted = thermal(Lattice(4, 4), *levels_of(Lattice(4, 4)), beta)
    solved = kaufman(4, 4, beta)
    for name in ("log_partition", "energy", "variance", "free_energy", "heat_capacity"):
        assert getattr(solved, name) == pytest.approx(getattr(counted, name), rel=1e-10)


@pytest.mark.parametrize(("n_x", "n_y"), [(4, 6), (6, 4), (3, 5), (2, 7), (8, 8)])
def test_kaufmans_solution_is_that_of_the_counted_states(n_x, n_y):
    levels = density_of_states(Lattice(n_x, n_y))
    for beta in (0.1, 0.3, 0.44, 0.6):
        solved, counted = kaufman(n_x, n_y, beta), thermal(Lattice(n_x, n_y), *levels, beta)
        assert solved.log_partition == pytest.approx(counted.log_partition, rel=1e-12)
        assert solved.energy == pytest.approx(counted.energy, rel=1e-10)
        assert solved.variance == pytest.approx(counted.variance, rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("n_x", "n_y"), [(4, 4), (3, 4), (5, 3), (2, 3)])
def test_counted_states_are_those_of_the_enumeration(model, n_x, n_y):
    lattice = Lattice(n_x, n_y, model)
    for counted, listed in zip(density_of_states(lattice), levels_of(lattice), strict=True):
        assert np.array_equal(counted, listed)


def test_the_states_of_8_x_8_are_2_to_the_64():
    energies, counts = density_of_states(Lattice(8, 8))
    assert sum(map(int, counts)) == 2**64
    assert energies[:3].tolist() == [-128, -120, -116]
    assert counts[:3].tolist() == [2, 2 * 64, 2 * 128]  # all equal; one spin turned; two neighbours turned
    assert np.array_equal(counts, counts[::-1])  # turning a colour of the board turns the energy's sign
    assert np.array_equal(energies, -energies[::-1])


def test_energy_is_the_slope_of_ln_z_and_variance_its_bend():
    step = 1e-4
    for beta in (0.2, 0.44, 0.6):
        below, here, above = (kaufman(12, 10, beta + shift) for shift in (-step, 0, step))
        assert -(above.log_partition - below.log_partition) / (2 * step) == pytest.approx(here.energy, rel=1e-6)
        assert -(above.energy - below.energy) / (2 * step) == pytest.approx(here.variance, rel=1e-6)


def test_a_large_lattice_nears_onsagers_free_energy_and_energy():
    """At the critical point ln Z / sites = ln 2 / 2 + 2 G / pi and E / sites = -sqrt 2; 64 x 64 differs by its size."""
    found = kaufman(64, 64, CRITICAL)
    sites = 64 * 64
    assert found.log_partition / sites == pytest.approx(np.log(2) / 2 + 2 * CATALAN / np.pi, abs=0.7 / sites)
    assert found.energy / sites == pytest.approx(-np.sqrt(2), abs=0.7 / 64)
    assert kaufman(200, 200, 0.3).energy / 40_000 == pytest.approx(kaufman(100, 100, 0.3).energy / 10_000, rel=1e-12)


def test_probabilities_of_levels_add_up_and_weigh_by_boltzmann():
    energies, counts = density_of_states(Lattice(4, 4))
    chances, _ = boltzmann(energies, counts, 0.3)
    assert chances.sum() == pytest.approx(1, rel=1e-12)
    ratio = chances[1] / chances[0]
    assert ratio == pytest.approx(counts[1] / counts[0] * np.exp(-0.3 * (energies[1] - energies[0])), rel=1e-12)


@pytest.mark.parametrize("ask", [lambda: kaufman(8, 8, 0.0), lambda: density_of_states(Lattice(9, 8))])
def test_what_has_no_exact_result_here_is_refused(ask):
    with pytest.raises(ValueError, match="expected"):
        ask()


def test_too_many_spins_to_enumerate_are_refused():
    with pytest.raises(ValueError, match="25 spins: expected up to 20"):
        enumerated(Lattice(5, 5))


def test_energies_are_what_bonds_add_up_to():
    up = np.ones((1, 8, 8), np.int8)
    board = (1 - 2 * (np.indices((8, 8)).sum(axis=0) % 2)).astype(np.int8)[None]
    one_down = up.copy()
    one_down[0, 3, 4] = -1
    for model, energies in (("ISING1", [-128, 128, -120]), ("ISING2", [-192, 64, -180])):  # 2 (4 + 2) to turn a spin
        assert Lattice(8, 8, model).energies(np.concatenate([up, board, one_down])).tolist() == energies


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("n_x", "n_y"), [(2, 2), (2, 4), (4, 6), (8, 8), (3, 5)])
def test_bonds_and_neighbours_tell_the_same_energy(model, n_x, n_y):
    lattice = Lattice(n_x, n_y, model)
    grids = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (20, n_x, n_y))
    spins = grids.reshape(20, -1)
    first, second, weights = lattice.bonds()
    places, pulls = lattice.neighbours()
    assert np.array_equal(lattice.energies(grids), -(spins[:, first] * spins[:, second]) @ weights)
    assert np.array_equal(lattice.energies(grids), -(spins * (spins[:, places] @ pulls)).sum(axis=1) / 2)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("n_x", "n_y"), [(2, 2), (2, 6), (8, 8)])
def test_no_bond_joins_two_sites_of_one_colour(model, n_x, n_y):
    lattice = Lattice(n_x, n_y, model)
    first, second, _ = lattice.bonds()
    colours = lattice.colours()
    assert (colours[first] != colours[second]).all()
    assert len(set(np.bincount(colours).tolist())) == 1  # equally many sites of each


@pytest.mark.parametrize("words", [(1, 8), (8, 0), (2000, 2000), (8, 8, "ISING3")])
def test_a_lattice_that_there_is_not_is_refused(words):
    with pytest.raises(ValueError, match="expected"):
        Lattice(*words)
