"""Three samplers of the Boltzmann distribution exp(-beta E): many independent chains side by side.

Single         one random spin a step and chain, as the source: Metropolis.
Checkerboard   one sweep a step: Metropolis on all spins of a colour at once, 64 chains to a machine word.
Cluster        one sweep a step: every Swendsen-Wang cluster is flipped with probability 1/2.

Each has `block(lattice)`, how many chains it takes best at once, `advance(steps)`, `grids()`, and `proposals`: proposed
flips of one spin, a chain and step. `start` (chains, n_x, n_y) replaces the initial spins. A sampler draws from its
seed sequence alone. In Single every chain has a generator of its own; in the others the chains of one sampler share
a generator, but no random bit decides for two of them.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from studies.ising.lattice import Lattice
from studies.ising.multispin import WORD, added, coins, equals, packed, random_words, union, unpacked


class Single:
    """Metropolis as the source has it: a random site, flipped if a uniform number is below exp(-beta rise)."""

    AHEAD = 256  # steps whose random numbers are drawn at once
    proposals = 1

    def __init__(self, lattice: Lattice, beta: float, chains: int, seeds: np.random.SeedSequence, *, start=None):
        self.lattice, self.beta = lattice, beta
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds.spawn(chains)]
        spins = [2 * generator.integers(0, 2, lattice.sites) - 1 for generator in self.generators]
        self.spins = np.array(spins if start is None else np.reshape(start, (chains, -1)), dtype=float)
        self.places, weights = lattice.neighbours()
        self.factors = 2 * weights
        self.ahead = iter(())

    @classmethod
    def block(cls, lattice: Lattice) -> int:
        return 1024

    def advance(self, steps: int) -> None:
        chain = np.arange(len(self.spins))
        for _ in range(steps):
            site, level = next(self.ahead, None) or self.draw()
            spin = self.spins[chain, site]
            rise = spin * (self.spins[chain[:, None], self.places[site]] @ self.factors)
            self.spins[chain, site] = np.where(level < np.exp(-self.beta * rise), -spin, spin)

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw the sites and uniform numbers of the next steps; those of the first, (chains,) each."""
        sites = [generator.integers(0, self.lattice.sites, self.AHEAD) for generator in self.generators]
        levels = [generator.random(self.AHEAD) for generator in self.generators]
        self.ahead = zip(np.stack(sites, axis=1), np.stack(levels, axis=1), strict=True)
        return next(self.ahead)

    def grids(self) -> np.ndarray:
        """(chains, n_x, n_y) int8, a copy."""
        return self.spins.reshape(-1, self.lattice.n_x, self.lattice.n_y).astype(np.int8)


class Checkerboard:
    """Metropolis on spins of one colour at once.

    Spins that do not touch one another are independent given the others, so an update of one colour keeps detailed
    balance. Chains start with all spins equal: from there no stripes form, which a random start below the critical
    temperature leaves in many lattices for long. A sweep ends with a flip of all spins with probability 1/2, which
    costs no energy. Raises ValueError for an odd number of rows or columns.
    """

    WORDS = 16384  # of one colour in a block: with fewer, Python takes longer than the bits; more leave the cache
    # At beta 0 every proposal is accepted, and sweeps over all sites would flip the lattice back and forth. Below this
    # beta three of four sites are proposed, drawn anew each time; above it that would double the autocorrelation time.
    LAZY_BELOW = 0.2

    def __init__(self, lattice: Lattice, beta: float, chains: int, seeds: np.random.SeedSequence, *, start=None):
        self.lattice, self.chains, self.lazy = lattice, chains, beta < self.LAZY_BELOW
        self.proposals = lattice.sites * (0.75 if self.lazy else 1)
        self.generator = np.random.Generator(np.random.SFC64(seeds))
        colours = lattice.colours()
        self.colours = int(colours.max()) + 1
        self.order = np.argsort(colours, kind="stable")  # the site of each row of self.words
        places, weights = lattice.neighbours()
        self.places = np.argsort(self.order)[places[self.order].T]  # (neighbours, rows): rows
        self.weights = np.rint(weights / lattice.unit).astype(int)
        broken = np.arange(self.weights.sum() // 2)  # the units of weight broken that a flip needs luck with
        self.chances = np.exp(-2 * beta * lattice.unit * (self.weights.sum() - 2 * broken))
        grids = np.ones((chains, lattice.sites)) if start is None else np.reshape(start, (chains, -1))
        self.words = packed(grids[:, self.order])

    @classmethod
    def block(cls, lattice: Lattice) -> int:
        return WORD * max(1, cls.WORDS * (int(lattice.colours().max()) + 1) // lattice.sites)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            for colour in range(self.colours):
                self.update(colour)
            self.words ^= random_words(self.generator, self.words.shape[1:])

    def update(self, colour: int) -> None:
        """Metropolis on the spins of one colour: a flip that breaks no more bonds than it mends is accepted."""
        rows = self.lattice.sites // self.colours
        here = slice(colour * rows, (colour + 1) * rows)
        own = self.words[here]
        broken = added([self.words[places[here]] ^ own for places in self.places], self.weights)
        masks = equals(broken, len(self.chances))
        need_luck = union(masks)
        flips = ~need_luck
        if self.lazy:
            proposed = random_words(self.generator, own.shape) | random_words(self.generator, own.shape)
            need_luck, flips = need_luck & proposed, flips & proposed
        flips |= coins(self.generator, masks, self.chances, need_luck)
        own ^= flips

    def grids(self) -> np.ndarray:
        """(chains, n_x, n_y) int8, a copy."""
        found = np.empty((self.chains, self.lattice.sites), np.int8)
        found[:, self.order] = unpacked(self.words, self.chains)
        return found.reshape(-1, self.lattice.n_x, self.lattice.n_y)


class Cluster:
    """R. H. Swendsen and J.-S. Wang, Phys. Rev. Lett. 58, 86 (1987); the clusters of all chains are found at once.

    A bond between equal spins is closed with probability 1 - exp(-2 beta weight); what hangs together is a cluster.
    """

    def __init__(self, lattice: Lattice, beta: float, chains: int, seeds: np.random.SeedSequence, *, start=None):
        self.lattice, self.proposals = lattice, lattice.sites
        self.generator = np.random.Generator(np.random.SFC64(seeds))
        shape = (chains, lattice.sites)
        self.spins = np.ones(shape, np.int8) if start is None else np.array(start, np.int8).reshape(shape)
        self.first, self.second, weights = lattice.bonds()
        self.chances = -np.expm1(-2 * beta * weights)

    @classmethod
    def block(cls, lattice: Lattice) -> int:
        return max(1, 65536 // lattice.sites)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            closed = self.spins[:, self.first] == self.spins[:, self.second]
            closed &= self.generator.random(closed.shape) < self.chances
            chain, bond = np.nonzero(closed)
            ends = chain * self.lattice.sites + np.stack([self.first[bond], self.second[bond]])
            graph = coo_array((np.ones(len(bond)), tuple(ends)), shape=(self.spins.size,) * 2)
            clusters, labels = connected_components(graph, directed=False)
            signs = (2 * self.generator.integers(0, 2, clusters) - 1).astype(np.int8)
            self.spins *= signs[labels].reshape(self.spins.shape)

    def grids(self) -> np.ndarray:
        """(chains, n_x, n_y) int8, a copy."""
        return self.spins.reshape(-1, self.lattice.n_x, self.lattice.n_y).copy()


SAMPLERS = {"single": Single, "checkerboard": Checkerboard, "cluster": Cluster}
