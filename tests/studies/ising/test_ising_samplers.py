"""The Ising samplers draw from the Boltzmann distribution: compared with exact results, within four standard errors."""

import numpy as np
import pytest
from scipy.stats import chi2

from studies.ising.exact import boltzmann, density_of_states, enumerated, kaufman
from studies.ising.lattice import MODELS, Lattice
from studies.ising.measures import magnetisations
from studies.ising.samplers import SAMPLERS, Checkerboard, Cluster
from studies.ising.sampling import Plan

ERRORS = 4  # standard errors: one in 16 000 true hypotheses is further away
RARE = 1e-4  # the probability below which a chi-square is too large
STEPS = {"single": 16 * 40, "checkerboard": 60, "cluster": 20}  # from the start to equilibrium on 4 x 4
CHAINS = {"single": 1000, "checkerboard": 32_768, "cluster": 1500}


def seeds(number):
    return np.random.SeedSequence(number)


def starting(name, lattice, beta):
    return lambda chains, start: SAMPLERS[name](lattice, beta, chains, seeds(1), start=start)


def samples(name, lattice, beta, *, chains=None, steps=None, seed=0):
    """One lattice of each of many independent chains."""
    sampler = SAMPLERS[name](lattice, beta, chains or CHAINS[name], seeds(seed))
    sampler.advance(steps or STEPS[name])
    return sampler.grids()


def assert_mean(values, expected):
    """The mean of independent values is the expected one, within ERRORS standard errors."""
    error = np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(expected, abs=ERRORS * error)


def assert_energies(energies, mean, variance):
    assert_mean(energies, mean)
    assert_mean((energies - mean) ** 2, variance)  # beta^2 / sites times this is the heat capacity


def assert_counts(counts, chances):
    """Counts follow the probabilities, by chi-square over those that are expected at least 10 times."""
    expected = chances * counts.sum()
    often = expected >= 10
    observed, expected = (np.append(values[often], values[~often].sum()) for values in (counts, expected))
    used = expected > 0
    statistic = ((observed[used] - expected[used]) ** 2 / expected[used]).sum()
    assert chi2.sf(statistic, used.sum() - 1) > RARE
    assert observed[~used].sum() == 0


@pytest.mark.parametrize("beta", [0.0, 0.15, 0.25, 0.44])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_4_x_4_is_the_full_enumeration(name, model, beta):
    lattice = Lattice(4, 4, model)
    states = enumerated(lattice)
    all_energies = lattice.energies(states)
    weights = np.exp(-beta * (all_energies - all_energies.min()))
    weights /= weights.sum()
    grids = samples(name, lattice, beta)
    energies, sizes = lattice.energies(grids), np.abs(magnetisations(grids))
    mean = weights @ all_energies
    assert_energies(energies, mean, weights @ (all_energies - mean) ** 2)
    assert_mean(sizes, weights @ np.abs(magnetisations(states)))
    assert_mean(magnetisations(grids), 0)
    levels, place = np.unique(all_energies, return_inverse=True)
    assert np.isin(energies, levels).all()
    assert_counts(np.bincount(np.searchsorted(levels, energies), minlength=len(levels)), np.bincount(place, weights))


@pytest.mark.parametrize("beta", [0.1, 0.2, 0.3, 0.4, 0.44, 0.5, 0.6])
def test_8_x_8_has_kaufmans_energy_and_heat_capacity(beta):
    lattice, exact = Lattice(8, 8), kaufman(8, 8, beta)
    for name, chains, steps in (("checkerboard", 16_384, 100), ("cluster", 600, 25)):
        energies = lattice.energies(samples(name, lattice, beta, chains=chains, steps=steps))
        assert_energies(energies, exact.energy, exact.variance)


@pytest.mark.parametrize("beta", [0.1, 0.44])
def test_the_sources_sampler_has_kaufmans_energy_on_8_x_8(beta):
    lattice, exact = Lattice(8, 8), kaufman(8, 8, beta)
    energies = lattice.energies(samples("single", lattice, beta, chains=300, steps=64 * 60))
    assert_energies(energies, exact.energy, exact.variance)


@pytest.mark.parametrize("model", MODELS)
def test_6_x_6_has_the_exact_histogram_of_energies(model):
    lattice = Lattice(6, 6, model)
    levels, counts = density_of_states(lattice)
    for beta in (0.2, 0.35):
        energies = lattice.energies(samples("checkerboard", lattice, beta, chains=32_768, steps=120))
        found = np.bincount(np.searchsorted(levels, energies), minlength=len(levels))
        assert_counts(found, boltzmann(levels, counts, beta)[0])


def test_samplers_agree_where_nothing_is_counted():
    """Energy and absolute magnetisation of 10 x 10 with diagonals, near its transition."""
    lattice, beta, found = Lattice(10, 10, "ISING2"), 0.26, {}
    for name, chains, steps in (("single", 300, 100 * 60), ("checkerboard", 4096, 150), ("cluster", 300, 30)):
        grids = samples(name, lattice, beta, chains=chains, steps=steps, seed=4)
        seen = np.stack([lattice.energies(grids), np.abs(magnetisations(grids))])
        found[name] = seen.mean(axis=1), seen.var(axis=1) / chains
    for one, other in (("single", "checkerboard"), ("checkerboard", "cluster"), ("single", "cluster")):
        (mean, variance), (mean_2, variance_2) = found[one], found[other]
        assert (np.abs(mean - mean_2) <= ERRORS * np.sqrt(variance + variance_2)).all()


def transitions(sampler_of, lattice, times, *, rounds=1, step=lambda sampler: sampler.advance(1)):
    """How often a step leads from each state to each (states, states); `times` chains begin in each of them."""
    starts = np.repeat(enumerated(lattice), times, axis=0)
    sampler = sampler_of(len(starts), starts)
    numbers = [number_of(starts)]
    for _ in range(rounds):
        step(sampler)
        numbers.append(number_of(sampler.grids()))
    begun, ended, states = np.ravel(numbers[:-1]), np.ravel(numbers[1:]), 2**lattice.sites
    return np.bincount(begun * states + ended, minlength=states**2).reshape(states, states)


def number_of(grids):
    """The place of each lattice in the enumeration."""
    spins = grids.reshape(len(grids), -1) > 0
    return spins @ (1 << np.arange(spins.shape[1]))


def assert_detailed_balance(counts, lattice, beta):
    """weight(a) P(a to b) = weight(b) P(b to a), with P counted, in units of the standard error of the difference."""
    energies = lattice.energies(enumerated(lattice))
    weights = np.exp(-beta * (energies - energies.min()))[:, None]
    begun = counts.sum(axis=1, keepdims=True)
    chances = counts / begun
    flow, variance = weights * chances, weights**2 * chances * (1 - chances) / begun
    sure = (chances == 1) & (chances.T == 1)  # where every proposal is accepted, both ways
    assert flow[sure] == pytest.approx(flow.T[sure], rel=1e-12)
    pairs = np.triu((np.minimum(counts, counts.T) > 10) & ~sure, k=1)
    away = (flow - flow.T)[pairs] / np.sqrt(variance + variance.T)[pairs]
    assert len(away) > 100
    assert np.abs(away).max() < 5
    assert (away**2).mean() == pytest.approx(1, abs=ERRORS * np.sqrt(2 / len(away)))


@pytest.mark.parametrize("model", MODELS)
def test_single_flips_on_2_x_3_are_in_detailed_balance(model):
    lattice, beta = Lattice(2, 3, model), 0.2
    counts = transitions(starting("single", lattice, beta), lattice, 16, rounds=100)
    assert_detailed_balance(counts, lattice, beta)
    energies = lattice.energies(enumerated(lattice))
    one, other = np.nonzero(np.bitwise_count(np.arange(64)[:, None] ^ np.arange(64)) == 1)  # one spin differs
    chances = np.minimum(1, np.exp(-beta * (energies[other] - energies[one]))) / 6
    times = counts.sum(axis=1)[one]
    away = (counts[one, other] - times * chances) / np.sqrt(times * chances * (1 - chances))
    assert (away**2).mean() == pytest.approx(1, abs=ERRORS * np.sqrt(2 / len(away)))
    assert counts.sum() == np.trace(counts) + counts[one, other].sum()  # nothing else happens


@pytest.mark.parametrize("model", MODELS)
def test_clusters_on_2_x_3_are_in_detailed_balance(model):
    lattice, beta = Lattice(2, 3, model), 0.2
    assert_detailed_balance(transitions(starting("cluster", lattice, beta), lattice, 2000), lattice, beta)


@pytest.mark.parametrize("beta", [0.1, 0.3])  # below and above LAZY_BELOW
@pytest.mark.parametrize("model", MODELS)
def test_an_update_of_one_colour_on_2_x_4_is_in_detailed_balance(model, beta):
    lattice = Lattice(2, 4, model)
    counts = transitions(starting("checkerboard", lattice, beta), lattice, 4096, step=lambda sampler: sampler.update(1))
    assert_detailed_balance(counts, lattice, beta)


@pytest.mark.parametrize("name", SAMPLERS)
def test_equilibrium_stays_equilibrium(name):
    """States drawn by their weights, then 2 steps: the same weights, on 4 x 4 with diagonals."""
    lattice, beta = Lattice(4, 4, "ISING2"), 0.22
    states = enumerated(lattice)
    energies = lattice.energies(states)
    weights = np.exp(-beta * (energies - energies.min()))
    drawn = np.random.default_rng(5).choice(len(states), 4000, p=weights / weights.sum())
    sampler = SAMPLERS[name](lattice, beta, 4000, seeds(6), start=states[drawn])
    sampler.advance(2)
    mean = weights @ energies / weights.sum()
    assert_energies(lattice.energies(sampler.grids()), mean, weights @ (energies - mean) ** 2 / weights.sum())


@pytest.mark.parametrize("beta", [0.1, 0.44, 0.6])
def test_the_default_burn_in_forgets_its_start(beta):
    lattice, chains = Lattice(8, 8), 4096
    burn_in = Plan(lattice, (beta,), 1).burn_in
    assert burn_in == 256
    start = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (chains, 8, 8))
    found = []
    for begin in (None, start):  # all spins equal; random
        sampler = Checkerboard(lattice, beta, chains, seeds(7), start=begin)
        sampler.advance(burn_in)
        found.append(lattice.energies(sampler.grids()))
    error = np.sqrt(sum(energies.var() / chains for energies in found))
    assert abs(found[0].mean() - found[1].mean()) <= ERRORS * error


def test_at_beta_0_a_lattice_is_forgotten_within_a_few_sweeps():
    """A spin that turns with probability 3/4 keeps (-1/2)^t of its value, so 4 sweeps leave 1/256 of a bond's."""
    for sampler in (Checkerboard, Cluster):
        here = sampler(Lattice(8, 8), 0.0, 4096, seeds(9))  # all spins equal
        here.advance(4)
        energies = here.lattice.energies(here.grids())
        assert abs(energies.mean()) < 128 / 256 + ERRORS * np.sqrt(128 / 4096)
