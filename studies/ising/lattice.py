"""The lattice: its Hamiltonians, energies, neighbours and bonds. Nothing random.

E = - sum over sites and shifts of weight * s(i, j) * s(i + di, j + dj), periodic in both directions, J = 1.
`ISING1` has the two nearest neighbours of each site that count each pair once, `ISING2` also two diagonal ones at half
weight. On a lattice that is two sites wide, both neighbours along that direction are the same site, and count twice.
"""

from dataclasses import dataclass

import numpy as np

MOST_SITES = 1_000_000
MODELS = {  # name -> shift (di, dj) -> weight
    "ISING1": {(0, 1): 1.0, (1, 0): 1.0},
    "ISING2": {(0, 1): 1.0, (1, 0): 1.0, (1, 1): 0.5, (1, -1): 0.5},
}


@dataclass(frozen=True)
class Lattice:
    """A periodic lattice of n_x x n_y spins. Raises ValueError for a size or a model that there is not."""

    n_x: int = 8
    n_y: int = 8
    model: str = "ISING1"

    def __post_init__(self):
        if min(self.n_x, self.n_y) < 2 or self.sites > MOST_SITES:
            raise ValueError(f"lattice {self.n_x} x {self.n_y}: expected at least 2 x 2, and up to {MOST_SITES} sites")
        if self.model not in MODELS:
            raise ValueError(f"model {self.model}: expected one of {', '.join(MODELS)}")

    @property
    def sites(self) -> int:
        return self.n_x * self.n_y

    @property
    def shifts(self) -> dict[tuple[int, int], float]:
        return MODELS[self.model]

    @property
    def unit(self) -> float:
        """The smallest weight; all weights are whole multiples of it, all energies of 2 * unit apart."""
        return min(self.shifts.values())

    @property
    def ground_energy(self) -> float:
        """The energy when all spins are equal, the lowest."""
        return -self.sites * sum(self.shifts.values())

    def energies(self, grids: np.ndarray) -> np.ndarray:
        """Energies (lattices,) of spins plus or minus one (lattices, n_x, n_y), int8; exact."""
        found = np.zeros(len(grids))
        for shift, weight in self.shifts.items():
            pairs = grids * np.roll(grids, shift, axis=(1, 2))
            found -= weight * pairs.sum(axis=(1, 2), dtype=np.int64)
        return found

    def shifted(self, shift: tuple[int, int]) -> np.ndarray:
        """For each site (sites,), counted row by row, the number of the site that lies `shift` away."""
        return np.roll(np.arange(self.sites).reshape(self.n_x, self.n_y), (-shift[0], -shift[1]), (0, 1)).ravel()

    def bonds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every bond once: its two sites and its weight, (bonds,) each."""
        others = [self.shifted(shift) for shift in self.shifts]
        weights = np.repeat(list(self.shifts.values()), self.sites)
        return np.tile(np.arange(self.sites), len(others)), np.concatenate(others), weights

    def neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """The neighbours of every site (sites, neighbours), and the weights of its bonds (neighbours,)."""
        both = {sign: [(sign * di, sign * dj) for di, dj in self.shifts] for sign in (1, -1)}
        places = [self.shifted(shift) for shift in both[1] + both[-1]]
        return np.stack(places, axis=1), np.tile(list(self.shifts.values()), 2)

    def snake(self, *, columns: bool = False) -> np.ndarray:
        """The site of each step (sites,) along the rows, every second one backwards; or along the columns."""
        sites = np.arange(self.sites).reshape(self.n_x, self.n_y)
        lines = (sites.T if columns else sites).copy()
        lines[1::2] = lines[1::2, ::-1]
        return lines.ravel()

    def colours(self) -> np.ndarray:
        """A colour for each site (sites,), no bond between two of one colour: a chess board, or four for diagonals.

        Raises ValueError for an odd number of rows or columns, around which no such colouring closes.
        """
        if self.n_x % 2 or self.n_y % 2:
            raise ValueError(f"lattice {self.n_x} x {self.n_y}: expected even numbers of rows and columns")
        row, column = np.divmod(np.arange(self.sites), self.n_y)
        return (row + column) % 2 if len(self.shifts) == 2 else row % 2 * 2 + column % 2
