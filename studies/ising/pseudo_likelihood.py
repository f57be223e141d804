"""The pseudo-likelihood of a lattice: the probability of each spin given all the others, from both directions.

The sum of the logarithms is no probability of the lattice, and no lattice can be drawn from it (J. Besag, Statistical
Analysis of Non-Lattice Data, The Statistician 24, 179 (1975)). But at p = exp(-beta E) / Z the log-odds of a spin are
2 beta times the sum of its neighbours, so the energy follows from them: scoring.energies_of_conditionals.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sim2seq import NextSymbol
from studies.ising import probability
from studies.ising.probability import SPIN, SPINS, SpinSettings


@dataclass(frozen=True)
class EachGivenOthers(NextSymbol):
    """The symbol of each step from those before and after it."""

    kind: ClassVar[str] = "symbol given all others"
    start: ClassVar[int] = 0

    def hidden(self, steps: int) -> np.ndarray:
        """Its own token alone must not be seen."""
        return np.eye(steps, dtype=bool)


@dataclass(frozen=True)
class PseudoSettings(SpinSettings):
    """The settings of a training."""

    model: str = "both_ways"


STUDY = replace(
    probability.STUDY,
    name="ising_pseudo_likelihood",
    title="sim2seq: the pseudo-likelihood of Ising lattices",
    settings=PseudoSettings,
    task=EachGivenOthers(SPINS, SPIN),
)
