"""Exact results to judge the samplers by: every state, Kaufman's solution, the number of states of each energy.

Three ways that share nothing but the Hamiltonian: `enumerated` looks at every state (up to 20 spins), `kaufman` is the
closed form of a finite periodic lattice (`ISING1`), `density_of_states` counts by transfer from spin to spin (up to
64 spins, 8 in a row; both Hamiltonians).
"""

from dataclasses import dataclass

import numpy as np

from studies.ising.lattice import Lattice

MOST_ENUMERATED = 20
MOST_COUNTED = 64  # their numbers are below 2^64
MOST_IN_A_ROW = 8


@dataclass(frozen=True)
class Thermal:
    """Thermodynamics of a lattice of `sites` spins at one beta."""

    sites: int
    beta: float
    log_partition: float  # ln Z
    energy: float  # mean, of the whole lattice
    variance: float  # of the energy

    @property
    def free_energy(self) -> float:
        """A spin: -ln Z / (beta sites)."""
        return -self.log_partition / (self.beta * self.sites)

    @property
    def heat_capacity(self) -> float:
        """A spin: beta^2 variance / sites."""
        return self.beta**2 * self.variance / self.sites


def thermal(lattice: Lattice, energies, counts, beta: float) -> Thermal:
    """Thermodynamics from energies (levels,) and the number of states of each."""
    weights, log_partition = boltzmann(energies, counts, beta)
    mean = float(weights @ energies)
    return Thermal(lattice.sites, beta, log_partition, mean, float(weights @ (energies - mean) ** 2))


def boltzmann(energies, counts, beta: float) -> tuple[np.ndarray, float]:
    """Probability of each level (levels,) at `beta`, and ln Z."""
    logs = np.log(np.asarray(counts, dtype=float)) - beta * np.asarray(energies)
    largest = logs.max()
    total = np.exp(logs - largest).sum()
    return np.exp(logs - largest) / total, float(largest + np.log(total))


def enumerated(lattice: Lattice) -> np.ndarray:
    """Every state, (2^sites, n_x, n_y) int8: state k has spin +1 where k has bit 1, site 0 in the lowest bit."""
    if lattice.sites > MOST_ENUMERATED:
        raise ValueError(f"{lattice.sites} spins: expected up to {MOST_ENUMERATED} to enumerate")
    states = np.arange(2**lattice.sites)[:, None] >> np.arange(lattice.sites) & 1
    return (2 * states - 1).astype(np.int8).reshape(-1, lattice.n_x, lattice.n_y)


def kaufman(n_x: int, n_y: int, beta: float) -> Thermal:
    """`ISING1` on a periodic n_x x n_y lattice (B. Kaufman, Phys. Rev. 76, 1232 (1949)).

    Z = (2 sinh 2K)^(sites / 2) / 2 * sum of four products over n_x values gamma_r, K = beta. Derivatives by the chain
    rule, as in A. E. Ferdinand and M. E. Fisher, Phys. Rev. 185, 832 (1969). beta > 0.
    """
    if not beta > 0:
        raise ValueError(f"beta {beta}: expected more than 0")
    odd, even = (gammas(range(first, 2 * n_x, 2), n_x, beta) for first in (1, 0))
    terms = [log_product(odd, n_y, 1), log_product(odd, n_y, -1), log_product(even, n_y, 1)]
    amounts = [(log, 1.0, first, second + first**2) for log, first, second in terms] + [last_product(even, n_y)]
    largest = max(amount[0] for amount in amounts)
    total, first, second = np.sum([np.exp(log - largest) * np.array(rest) for log, *rest in amounts], axis=0)
    double, sites = 2 * beta, n_x * n_y
    log_partition = sites / 2 * np.log(2 * np.sinh(double)) - np.log(2) + largest + np.log(total)
    energy = -(sites / np.tanh(double) + first / total)
    variance = -2 * sites / np.sinh(double) ** 2 + second / total - (first / total) ** 2
    return Thermal(sites, beta, float(log_partition), float(energy), float(variance))


def gammas(numbers, n_x: int, beta: float) -> np.ndarray:
    """gamma_r and its first two derivatives by beta (3, values): cosh gamma_r = cosh 2K coth 2K - cos(pi r / n_x).

    gamma_0 = 2K + ln tanh K changes its sign at the critical point; all others are positive.
    """
    sinh, cosh = np.sinh(2 * beta), np.cosh(2 * beta)
    found = []
    for number in numbers:
        if number == 0:
            found.append((2 * beta + np.log(np.tanh(beta)), 2 + 2 / sinh, -4 * cosh / sinh**2))
            continue
        value = np.arccosh(cosh**2 / sinh - np.cos(np.pi * number / n_x))
        rise, bend = 2 * cosh - 2 * cosh / sinh**2, 4 * sinh - 4 / sinh + 8 * cosh**2 / sinh**3
        slope = rise / np.sinh(value)
        found.append((value, slope, (bend - slope**2 * np.cosh(value)) / np.sinh(value)))
    return np.array(found).T


def log_product(values: np.ndarray, n_y: int, sign: int) -> tuple[float, float, float]:
    """ln of the product of 2 cosh(n_y gamma / 2), or with sign -1 of 2 sinh, and its first two derivatives by beta."""
    gamma, slope, bend = values * n_y / 2
    log = np.abs(gamma) + np.log1p(sign * np.exp(-2 * np.abs(gamma)))
    ratio = np.tanh(gamma) ** sign
    return float(log.sum()), float((slope * ratio).sum()), float((bend * ratio + slope**2 * (1 - ratio**2)).sum())


def last_product(values: np.ndarray, n_y: int) -> tuple[float, float, float, float]:
    """The product of 2 sinh(n_y gamma / 2) with gamma_0, which may be 0: ln of a scale; value and derivatives in it."""
    log, first, second = log_product(values[:, 1:], n_y, -1)
    gamma, slope, bend = values[:, 0] * n_y / 2
    value, rise = 2 * np.sinh(gamma), 2 * np.cosh(gamma) * slope
    curve = 2 * np.sinh(gamma) * slope**2 + 2 * np.cosh(gamma) * bend
    return log, value, rise + value * first, curve + 2 * rise * first + value * (second + first**2)


def density_of_states(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Energies (levels,), rising, and how many of the 2^sites states have each, exact (uint64).

    The first row is fixed, once for each kind that rotation, reflection and a flip of all spins do not make of
    another; the other spins follow one by one, and a spin whose bonds are all counted is summed over.
    """
    if lattice.sites > MOST_COUNTED or lattice.n_y > MOST_IN_A_ROW:
        raise ValueError(
            f"{lattice.n_x} x {lattice.n_y}: expected up to {MOST_COUNTED} spins, {MOST_IN_A_ROW} in a row"
        )
    first, second, weights = lattice.bonds()
    steps = np.rint(weights / lattice.unit).astype(int)
    bonds = list(zip(first.tolist(), second.tolist(), steps.tolist(), strict=True))
    counts = sum(np.uint64(times) * count_above(lattice, row, bonds) for row, times in first_rows(lattice.n_y).items())
    energies = lattice.ground_energy + 2 * lattice.unit * np.arange(len(counts))
    return energies[counts > 0], counts[counts > 0]


def first_rows(length: int) -> dict[tuple[int, ...], int]:
    """Rows of 0 and 1, one of each kind -> how many of its kind there are."""
    found = {}
    for number in range(2**length):
        row = tuple(number >> place & 1 for place in range(length))
        flips = (row, tuple(1 - spin for spin in row))
        turns = [one[place:] + one[:place] for flip in flips for one in (flip, flip[::-1]) for place in range(length)]
        found[min(turns)] = found.get(min(turns), 0) + 1
    return found


def count_above(lattice: Lattice, row: tuple[int, ...], bonds: list) -> np.ndarray:
    """How many states with this first row have 0, 1, 2, ... units of broken bonds (levels,)."""
    counts = np.zeros(1 + sum(step for *_, step in bonds), dtype=np.uint64)
    counts[sum(step for a, b, step in bonds if max(a, b) < len(row) and row[a] != row[b])] = 1
    last = {site: max(max(a, b) for a, b, _ in bonds if site in (a, b)) for site in range(lattice.sites)}
    live = []  # the sites that have an axis in counts, in its order
    for site in range(len(row), lattice.sites):
        live.append(site)
        counts = np.stack([counts, counts], axis=-2)
        for a, b, step in bonds:
            if max(a, b) == site:
                break_bond(counts, [(live.index(end) if end in live else None, end) for end in (a, b)], row, step)
        for done in [one for one in live if last[one] == site]:
            counts = counts.sum(axis=live.index(done), dtype=np.uint64)
            live.remove(done)
    return counts


def break_bond(counts: np.ndarray, ends: list, row: tuple[int, ...], step: int) -> None:
    """Move the counts of states in which the two ends differ up by `step` levels, in place."""
    for values in ((0, 1), (1, 0)):
        where = [slice(None)] * (counts.ndim - 1)
        for (axis, site), value in zip(ends, values, strict=True):
            if axis is not None:
                where[axis] = value
            elif row[site] != value:
                break
        else:
            part = counts[tuple(where)]
            part[..., step:] = part[..., :-step].copy()
            part[..., :step] = 0
