"""The chains of the Ising samplers: words of many chains, streams of random numbers, how soon a chain forgets."""

from dataclasses import replace

import numpy as np
import pytest

from studies.ising.lattice import Lattice
from studies.ising.measures import autocorrelation_time, effective_sample_size
from studies.ising.multispin import added, coins, equals, packed, random_words, unpacked
from studies.ising.samplers import SAMPLERS
from studies.ising.sampling import Plan, draw, observe, pilot

ERRORS = 4  # standard errors: one in 16 000 true hypotheses is further away
BURN_IN = {"single": 16 * 40, "checkerboard": 60, "cluster": 20}  # steps, single's on 4 x 4


def seeds(number):
    return np.random.SeedSequence(number)


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


def test_coins_fall_as_often_as_their_chance_says():
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
    plan = Plan(Lattice(size, size), (beta,), 1000, name, chains=10, burn_in=BURN_IN[name])
    thinning, _ = pilot(plan, beta)
    sampler = SAMPLERS[name](plan.lattice, beta, 256, plan.stream(beta, 0))  # other chains than the pilot's
    sampler.advance(plan.burn_in)
    for series in observe(sampler, 40, thinning):
        assert effective_sample_size(series) >= 0.9 * series.size


def test_clusters_forget_sooner_near_the_transition():
    lattice, times = Lattice(16, 16), {}
    for name, chains, burn_in, steps in (("checkerboard", 256, 200, 300), ("cluster", 64, 40, 100)):
        sampler = SAMPLERS[name](lattice, 0.44, chains, seeds(3))
        sampler.advance(burn_in)
        times[name] = autocorrelation_time(observe(sampler, steps, 1)[1])
    assert times["cluster"] < times["checkerboard"] / 2
