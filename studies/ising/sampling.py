"""Plans: which lattices are wanted, how they are drawn, and from which random streams."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studies.ising.lattice import Lattice
from studies.ising.measures import autocorrelation, magnetisations, summed, thinning_of
from studies.ising.samplers import SAMPLERS

PARTS = ("train", "validation", "test")
MEASURED = "measured"  # in the place of a thinning
PILOT = len(PARTS)  # the part whose streams measure the thinning
MOST_BETA = 1.0
MOST_SPINS = 2**36  # of one plan
CHAINS = 65536  # that a plan takes where it is not told how many, at most
SOURCE_BURN_IN = 110_000  # proposals
CLUSTER_BURN_IN = 100  # sweeps
SHARE, SAFE_SHARE = 0.90, 0.95  # of independent samples that thinning leaves: promised; aimed at in the pilot
PILOT_CHAINS, PILOT_STEPS, LONGEST_PILOT = 256, 128, 4096
ENOUGH = 20  # autocorrelation times that a pilot lasts


@dataclass(frozen=True)
class Plan:
    """Lattices to draw at each of `betas`. Raises ValueError, in one line, for what cannot be drawn.

    n_samples   lattices at each beta
    sampler     a name in SAMPLERS
    chains      independent chains at each beta; None: one for the source's sampler, else as many as samples (CHAINS)
    burn_in     steps of the sampler (a proposal or a sweep) before the first sample; None: `default_burn_in`
    thinning    steps between samples of a chain, or MEASURED: by `pilot`; None: 1 for the source's sampler, else that
    seed, part  equal ones give equal lattices at equal betas, whatever other betas stand beside; different ones
                independent lattices
    """

    lattice: Lattice
    betas: tuple[float, ...]
    n_samples: int
    sampler: str = "checkerboard"
    chains: int | None = None
    burn_in: int | None = None
    thinning: int | str | None = None
    seed: int = 11
    part: str = "train"

    def __post_init__(self):
        single = self.sampler == "single"
        defaults = {
            "chains": 1 if single else min(self.n_samples, CHAINS),
            "burn_in": default_burn_in(self.lattice, self.sampler),
            "thinning": 1 if single else MEASURED,
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        check_plan(self)

    @property
    def draws(self) -> int:
        """Samples of each chain; of the last one fewer where `n_samples` is no multiple of this."""
        return -(-self.n_samples // self.chains)

    @property
    def used_chains(self) -> int:
        return -(-self.n_samples // self.draws)

    def stream(self, beta: float, block: int, part: int | None = None) -> np.random.SeedSequence:
        """The seeds of one block of chains."""
        bits = int(np.float64(beta).view(np.uint64))
        part = PARTS.index(self.part) if part is None else part
        return np.random.SeedSequence(self.seed, spawn_key=(part, bits >> 32, bits & 0xFFFFFFFF, block))


def check_plan(plan: Plan) -> None:
    """Raise ValueError unless the plan can be carried out."""
    if plan.sampler not in SAMPLERS:
        raise ValueError(f"sampler {plan.sampler}: expected one of {', '.join(SAMPLERS)}")
    if plan.part not in PARTS:
        raise ValueError(f"part {plan.part}: expected one of {', '.join(PARTS)}")
    if plan.sampler == "checkerboard":
        plan.lattice.colours()
    for beta in plan.betas:
        if not 0 <= beta <= MOST_BETA:
            raise ValueError(
                f"beta {beta:g}: expected 0 to {MOST_BETA:g}, above it a lattice stays in its ground state"
            )
    for name, least in (("n_samples", 1), ("chains", 1), ("burn_in", 0), ("thinning", 1), ("seed", 0)):
        value = getattr(plan, name)
        if value != MEASURED and value < least:
            raise ValueError(f"{name} {value}: expected {least} or more")
    if plan.chains > plan.n_samples:
        raise ValueError(f"chains {plan.chains}: expected no more than samples, which are {plan.n_samples}")
    if (spins := plan.n_samples * plan.lattice.sites * len(plan.betas)) > MOST_SPINS:
        raise ValueError(f"{spins} spins in all: expected up to {MOST_SPINS}, or ask for fewer samples")


def default_burn_in(lattice: Lattice, sampler: str) -> int:
    """Steps after which a chain has forgotten its start.

    For single flips 4 L^2 sweeps, L the longer side: at beta 0.44, where it is longest, 40 autocorrelation times of the
    absolute magnetisation on 8 x 8 and 50 on 16 x 16. Never fewer than the source's 110 000 proposals for its sampler.
    """
    sweeps = 4 * max(lattice.n_x, lattice.n_y) ** 2
    steps = {"single": max(SOURCE_BURN_IN, sweeps * lattice.sites), "cluster": CLUSTER_BURN_IN}
    return steps.get(sampler, sweeps)


def blocks(plan: Plan, beta: float, thinning: int) -> Iterator[np.ndarray]:
    """The lattices at one beta, (lattices, n_x, n_y) int8 at a time, the samples of a chain one after the other."""
    kind = SAMPLERS[plan.sampler]
    size, missing = kind.block(plan.lattice), plan.n_samples
    for number, first in enumerate(range(0, plan.used_chains, size)):
        chains = min(size, plan.used_chains - first)
        sampler = kind(plan.lattice, beta, chains, plan.stream(beta, number))
        sampler.advance(plan.burn_in)
        grids = np.empty((chains, plan.draws, plan.lattice.n_x, plan.lattice.n_y), np.int8)
        for draw in range(plan.draws):
            if draw:
                sampler.advance(thinning)
            grids[:, draw] = sampler.grids()
        rows = grids.reshape(-1, *grids.shape[2:])[:missing]
        missing -= len(rows)
        yield rows


def draw(plan: Plan, beta: float) -> np.ndarray:
    """All lattices at one beta, (n_samples, n_x, n_y) int8, in memory."""
    return np.concatenate(list(blocks(plan, beta, thinning_at(plan, beta)[0])))


def thinning_at(plan: Plan, beta: float) -> tuple[int, float]:
    """Steps between the samples of a chain, given or measured, and the autocorrelation time, 0 if not measured."""
    if plan.thinning == MEASURED:
        return pilot(plan, beta) if plan.draws > 1 else (1, 0.0)
    return plan.thinning, 0.0


def pilot(plan: Plan, beta: float) -> tuple[int, float]:
    """Measure, on chains of their own, the thinning that makes samples independent; and the autocorrelation time.

    Thinning: the least after which the effective sample size is SAFE_SHARE of the samples, of energy and of absolute
    magnetisation. Autocorrelation time: the longer of the two, in steps of the sampler; 1 + 2 sum(rho).
    """
    kind = SAMPLERS[plan.sampler]
    chains = min(kind.block(plan.lattice), PILOT_CHAINS)
    sampler = kind(plan.lattice, beta, chains, plan.stream(beta, 0, PILOT))
    sampler.advance(plan.burn_in)
    stride = plan.lattice.sites if plan.sampler == "single" else 1  # steps in a sweep
    series, steps = np.empty((2, chains, 0)), PILOT_STEPS
    while True:
        series = np.concatenate([series, observe(sampler, steps - series.shape[2], stride)], axis=2)
        rhos = [autocorrelation(values) for values in series if np.ptp(values)]
        times = [summed(rho) for rho in rhos]
        if steps >= min(LONGEST_PILOT, ENOUGH * max(times, default=1.0)):
            thinning = max((thinning_of(rho, SAFE_SHARE) for rho in rhos), default=1)
            return thinning * stride, max(times, default=1.0) * stride
        steps *= 2


def observe(sampler, samples: int, stride: int) -> np.ndarray:
    """Energy and absolute magnetisation of every chain (2, chains, samples), `stride` steps apart."""
    seen = []
    for _ in range(samples):
        sampler.advance(stride)
        grids = sampler.grids()
        seen.append((sampler.lattice.energies(grids), np.abs(magnetisations(grids))))
    return np.moveaxis(np.array(seen, dtype=float), 0, 2)
