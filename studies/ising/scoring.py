"""What a probability of lattices is scored by, and what it is good for: energies, free energy, reweighting.

`logs` is ln q, what a model gives each lattice, (lattices,) in nats. Where lattices were drawn from that model, the
weights exp(-beta E) / q make them lattices of any beta (importance sampling); `entropy` is beta E + ln Z of the truth.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

BLOCKS = 50  # of the jackknife
SMALLEST = 1e-40  # to which the source clamps the probability of a lattice


def energies_of(logs: np.ndarray, beta: float) -> np.ndarray:
    """Energies but for a constant, from a model of lattices at `beta`: p = exp(-beta E) / Z, so E = -ln p / beta."""
    found = -np.asarray(logs, dtype=float) / beta
    return found - found.mean()


def centred_rmse(found: np.ndarray, energies: np.ndarray) -> float:
    """Root mean square of the difference of two arrays (lattices,), each less its mean, as the source scores."""
    return float(np.std(found - energies))


def slope(found: np.ndarray, energies: np.ndarray) -> float:
    """How much `found` rises with the energies, by least squares; 1 is right."""
    return float(np.cov(found, energies)[0, 1] / np.var(energies, ddof=1))


def mis_scored(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The logs (lattices,) as the source takes them: what is said of a spin is scored with the spin before it.

    log_probabilities (lattices, steps, symbols) of each symbol at each step, labels (lattices, steps). The product over
    all steps but the first is clamped as the source does.
    """
    said = np.take_along_axis(log_probabilities[:, 1:], labels[:, :-1, None], axis=2)[..., 0]
    return np.maximum(said.sum(axis=1), np.log(SMALLEST))


def energies_of_conditionals(logits: np.ndarray, spins: np.ndarray, beta: float) -> np.ndarray:
    """Energies (lattices,) from the log-odds of each spin given all others, (lattices, steps) each; no free constant.

    At p = exp(-beta E) / Z the log-odds of spin i are 2 beta times the sum of its neighbours; every bond has two ends.
    """
    return -(logits * spins).sum(axis=1) / (4 * beta)


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float


def log_partition(logs, energies, beta: float) -> dict[str, Estimate]:
    """ln Z at `beta` from lattices drawn from the model.

    importance    ln of the mean of exp(-beta E) / q: right on average in Z, however bad the model
    variational   the mean of -beta E - ln q: never above ln Z on average, by the divergence of q from p
    """
    work = -beta * np.asarray(energies) - logs
    weights = np.exp(work - work.max())
    spread = weights.std(ddof=1) / weights.mean() / np.sqrt(len(work))
    mean = Estimate(float(work.mean()), float(work.std(ddof=1) / np.sqrt(len(work))))
    return {"importance": Estimate(float(logsumexp(work) - np.log(len(work))), float(spread)), "variational": mean}


def log_partition_above(logs, energies, beta: float) -> Estimate:
    """ln Z from true lattices at `beta`: the mean of -beta E - ln q, never below ln Z on average."""
    work = -beta * np.asarray(energies) - logs
    return Estimate(float(work.mean()), float(work.std(ddof=1) / np.sqrt(len(work))))


def free_energy(log_z: Estimate, beta: float, sites: int) -> Estimate:
    """A spin: -ln Z / (beta sites)."""
    return Estimate(-log_z.value / (beta * sites), log_z.error / (beta * sites))


def effective_share(logs, energies, beta: float) -> float:
    """Effective sample size of drawn lattices that are weighed for `beta`, over their number: Kish, Survey Sampling."""
    weights = softmax(-beta * np.asarray(energies) - logs)
    return float(1 / (weights**2).sum() / len(weights))


@dataclass(frozen=True)
class Reweighted:
    """What drawn lattices say of one beta when they are weighed: a spin, but for `energy`, that of the lattice."""

    beta: float
    share: float  # effective sample size over the number drawn
    free_energy: Estimate
    energy: Estimate
    heat_capacity: Estimate


def reweighted(logs, energies, beta: float, sites: int) -> Reweighted:
    """Lattices drawn from a model, weighed for `beta`; standard errors by the jackknife over blocks."""
    energies, work = np.asarray(energies, dtype=float), -beta * np.asarray(energies) - logs
    weights = np.exp(work - work.max())
    sums = np.stack([weights, weights * energies, weights * energies**2])
    parts = np.stack([part.sum(axis=1) for part in np.array_split(sums, BLOCKS, axis=1)])
    without = parts.sum(axis=0) - parts

    def moments(total):
        mean = total[1] / total[0]
        return np.array([mean, beta**2 * (total[2] / total[0] - mean**2) / sites])

    found, left_out = moments(parts.sum(axis=0)), np.array([moments(total) for total in without])
    errors = np.sqrt((BLOCKS - 1) * left_out.var(axis=0))
    energy, capacity = (Estimate(float(a), float(b)) for a, b in zip(found, errors, strict=True))
    free = free_energy(log_partition(logs, energies, beta)["importance"], beta, sites)
    return Reweighted(beta, effective_share(logs, energies, beta), free, energy, capacity)


def histogram(energies, levels, weights=None) -> np.ndarray:
    """The share of lattices (levels,) at each level of the energy, weighed where weights (lattices,) are given."""
    places = np.searchsorted(levels, energies)
    counts = np.bincount(places, weights, minlength=len(levels))
    return counts / counts.sum()
