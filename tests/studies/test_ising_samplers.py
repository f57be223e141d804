"""The Ising samplers draw from the Boltzmann distribution: compared with exact results, within four standard errors."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from studies.ising.exact import boltzmann, density_of_states, enumerated, kaufman
from studies.ising.lattice import MODELS, Lattice
from studies.ising.measures import autocorrelation_time, effective_sample_size, magnetisations
from studies.ising.multispin import added, coins, equals, packed, random_words, unpacked
from studies.ising.samplers import SAMPLERS, Checkerboard, Cluster
from studies.ising.sampling import Plan, draw, observe, pilot

ERRORS = 4  # standard errors: one in 16 000 true hypotheses is further away
RARE = 1e-4  # the probability below which a chi-square is too large
STEPS = {"single": 16 * 40, "checkerboard": 60, "cluster": 20}  # from the start to equilibrium on 4 x 4
CHAINS = {"single": 2000, "checkerboard": 32_768, "cluster": 2000}


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
    energies = lattice.energies(samples("single", lattice, beta, chains=500, steps=64 * 60))
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
def test_single_flips_on_2_x_3_are_metropolis_in_detailed_balance(model):
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


def test_words_hold_the_spins_of_their_chains():
    spins = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (130, 12))
    words = packed(spins)
    assert words.shape == (12, 3)
    assert np.array_equal(unpacked(words, 130), spins)
    assert (words[5, 1] >> np.uint64(3) & np.uint64(1) == 1) == (spins[64 + 3, 5] == 1)


def test_bit_planes_add_and_compare_as_numbers_do():
    generator = np.random.Generator(np.random.SFC64(0))
    weights = [2, 2, 1, 1, 2, 2, 1, 1]
    words = [random_words(generator, (3, 5)) for _ in weights]
    bits = [unpacked(each, 320) == 1 for each in words]
    total = sum(weight * bit.astype(int) for weight, bit in zip(weights, bits, strict=True))
    planes = added([each.copy() for each in words], weights)
    assert sum(2**place * (unpacked(plane, 320) == 1) for place, plane in enumerate(planes)).tolist() == total.tolist()
    for number, mask in enumerate(equals(planes, 6)):
        assert np.array_equal(unpacked(mask, 320) == 1, total == number)


def test_coins_fall_as_often_as_their_chance_says_and_nowhere_else():
    generator = np.random.Generator(np.random.SFC64(1))
    chances = np.array([0.0, 1e-4, 1 / 3, 0.7, 0.999, 1.0])
    number = [random_words(generator, (60_000,)) for _ in range(3)]
    masks = equals(number, len(chances))
    among = masks[0] | masks[1] | masks[2] | masks[3] | masks[4] | masks[5]
    among &= random_words(generator, (60_000,))
    fallen = coins(generator, masks, chances, among)
    assert not (fallen & ~among).any()
    for mask, chance in zip(masks, chances, strict=True):
        thrown, ones = (int(np.bitwise_count(each & among & mask).sum()) for each in (among, fallen))
        assert thrown > 200_000
        assert ones == pytest.approx(thrown * chance, abs=ERRORS * np.sqrt(thrown * chance * (1 - chance)))


def test_coins_of_the_chains_of_a_word_are_independent():
    """Pairs of bits fall together as often as chance says; each place of the word by itself."""
    generator = np.random.Generator(np.random.SFC64(2))
    everywhere = np.full(40_000, ~np.uint64(0))
    fallen = unpacked(coins(generator, [everywhere], np.array([0.3]), everywhere)[:, None], 64) == 1
    assert np.abs(fallen.mean(axis=1) - 0.3).max() < 5 * np.sqrt(0.21 / 40_000)
    together = np.corrcoef(fallen)[np.triu_indices(64, k=1)] * np.sqrt(40_000)
    assert np.abs(together).max() < 5
    assert (together**2).mean() == pytest.approx(1, abs=ERRORS * np.sqrt(2 / len(together)))


@pytest.mark.parametrize(("name", "words"), [("checkerboard", 128), ("cluster", 16)])
def test_chains_that_share_a_generator_are_independent(name, words):
    """The mean over 64 chains varies by a 64th of what one chain varies by."""
    sampler, seen = SAMPLERS[name](Lattice(4, 4), 0.3, 64 * words, seeds(8)), []
    for _ in range(11):
        sampler.advance(15)
        seen.append(sampler.lattice.energies(sampler.grids()).reshape(words, 64))
    energies = np.array(seen[1:])
    ratio = 64 * energies.mean(axis=2).var() / energies.var()
    assert ratio == pytest.approx(1, abs=ERRORS * np.sqrt(2 / (10 * words)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_equal_plans_give_equal_lattices_and_others_other_ones(name):
    def drawn(beta=0.2, **changes):
        fixed = {"n_samples": 64, "chains": 32, "burn_in": 20, "thinning": 5, "sampler": name}
        return draw(Plan(Lattice(4, 4), **fixed | {"betas": (beta,)} | changes), beta)

    first = drawn()
    assert np.array_equal(first, drawn())
    assert np.array_equal(first, drawn(betas=(0.1, 0.2)))  # whatever is drawn beside
    for changes in ({"beta": 0.2 + 1e-12}, {"seed": 12}, {"part": "test"}, {"part": "validation"}):
        assert 0.3 < (first != drawn(**changes)).mean() < 0.7
    assert 0.3 < (first[:2] != first[2:4]).mean() < 0.7  # two chains


def test_a_chain_of_the_sources_sampler_has_its_own_stream():
    plans = [Plan(Lattice(4, 4), (0.3,), 5 * chains, "single", chains, 7, 3) for chains in (2, 40)]
    few, many = (draw(plan, 0.3) for plan in plans)
    assert np.array_equal(few, many[:10])


def test_the_sources_sampler_stores_every_proposal_by_default():
    plan = Plan(Lattice(8, 8), (0.25,), 2000, "single")
    assert (plan.burn_in, plan.chains, plan.draws, plan.thinning) == (110_000, 1, 2000, 1)
    grids = draw(replace(plan, burn_in=3000), 0.25)
    changed = (np.diff(grids.astype(int), axis=0) != 0).sum(axis=(1, 2))
    assert set(changed.tolist()) == {0, 1}
    assert 0.3 < changed.mean() < 0.9


def test_the_autocorrelation_time_of_an_autoregressive_series():
    """x' = 0.8 x + noise has rho(t) = 0.8^t: 1 + 2 * 0.8 / 0.2 = 9."""
    generator = np.random.default_rng(0)
    series = np.empty((400, 1000))
    series[:, 0] = generator.normal(0, 1 / 0.6, 400)
    for step in range(1, 1000):
        series[:, step] = 0.8 * series[:, step - 1] + generator.normal(size=400)
    assert autocorrelation_time(series) == pytest.approx(9, rel=0.03)
    assert effective_sample_size(series) == pytest.approx(400_000 / 9, rel=0.03)
    assert autocorrelation_time(generator.normal(size=(400, 1000))) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("beta", [0.1, 0.44, 0.6])
@pytest.mark.parametrize("name", SAMPLERS)
def test_measured_thinning_leaves_nine_tenths_of_the_samples(name, beta):
    size = 4 if name == "single" else 8
    plan = Plan(Lattice(size, size), (beta,), 1000, name, chains=10, burn_in=STEPS[name])
    thinning, _ = pilot(plan, beta)
    sampler = SAMPLERS[name](plan.lattice, beta, 256, plan.stream(beta, 0))  # other chains than the pilot's
    sampler.advance(plan.burn_in)
    for series in observe(sampler, 40, thinning):
        assert effective_sample_size(series) >= 0.9 * series.size


def test_clusters_forget_sooner_than_single_flips_near_the_transition():
    lattice, times = Lattice(16, 16), {}
    for name, chains, burn_in, steps in (("checkerboard", 256, 200, 300), ("cluster", 64, 40, 100)):
        sampler = SAMPLERS[name](lattice, 0.44, chains, seeds(3))
        sampler.advance(burn_in)
        times[name] = autocorrelation_time(observe(sampler, steps, 1)[1])
    assert times["cluster"] < times["checkerboard"] / 2


def test_at_beta_0_a_lattice_is_forgotten_within_a_few_sweeps():
    """A spin that turns with probability 3/4 keeps (-1/2)^t of its value, so 4 sweeps leave 1/256 of a bond's."""
    for sampler in (Checkerboard, Cluster):
        here = sampler(Lattice(8, 8), 0.0, 4096, seeds(9))  # all spins equal
        here.advance(4)
        energies = here.lattice.energies(here.grids())
        assert abs(energies.mean()) < 128 / 256 + ERRORS * np.sqrt(128 / 4096)
