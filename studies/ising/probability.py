"""The probability of a lattice, spin by spin along its snake: what is learned, from what, with which networks.

STUDY is for models that give each spin a probability from those before it, so the sum of the logarithms is that of the
lattice. pseudo_likelihood.py has the study of those that see the spins on both sides. The lattices are those of the
store's files, as for the energies (study.py), of one beta.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim2seq import Ensemble, NextSymbol, Study, SymbolSettings
from sim2seq._support.config import one_of
from studies.ising.lattice import MODELS
from studies.ising.networks import CELLS
from studies.ising.study import read, split, symmetries
from studies.ising.symbol_networks import HEADS, NETWORKS

SPINS = (-1, 1)
SPIN = "spin"
RECIPES = {
    # reaches the entropy of the lattices but for 0.01 nats a lattice
    "frontier": {"model": "frontier", "batch_size": 512, "jit_compile": True},
    "debug": {"epochs": 2, "units": (8,), "targets_per_epoch": 64_000, "steps_per_execution": 1},
}


@dataclass(frozen=True)
class SpinSettings(SymbolSettings, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    models: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    model: str = "one_way"
    cell: str = "gru"  # or lstm
    units: tuple[int, ...] = (32,)
    beta: float = 0.25  # of the lattices that are learned from
    hamiltonian: str = "ISING1"  # whose bonds the frontier is told
    batch_size: int = 256
    targets_per_epoch: int = 12_800_000
    epochs: int = 10
    learning_rate: float = 1e-2
    fractions: tuple[float, ...] = (0.9, 0.05, 0.05)
    jit_compile: bool = False
    steps_per_execution: int = 20

    def __post_init__(self):
        super().__post_init__()
        one_of("cell", self.cell, CELLS)
        one_of("hamiltonian", self.hamiltonian, MODELS)
        if len(self.units) != 1 or self.units[0] % HEADS:
            raise ValueError(f"setting units: expected one size, a multiple of {HEADS}; got {self.units}")


def choose(ensemble: Ensemble, settings) -> Ensemble:
    """The lattices of the settings' beta. Raises ValueError where there are none."""
    betas = ensemble.inputs["beta"]
    if not (kept := np.flatnonzero(np.isclose(betas, settings.beta))).size:
        there = ", ".join(f"{beta:g}" for beta in np.unique(betas))
        raise ValueError(f"setting beta: expected one of the lattices' betas, {there}; got {settings.beta:g}")
    return ensemble.take(kept)


def turned(block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Tokens of lattices, each moved, turned, reflected and flipped by chance: its energy stays.

    (samples, steps, 2), with or without a start token.
    """
    start = int(not block[:, 0].any())
    spins = block[:, start:]
    ways = symmetries(spins.shape[1])
    spins = np.take_along_axis(spins, ways[generator.integers(len(ways), size=len(block))][..., None], axis=1)
    flipped = np.where(generator.random((len(block), 1, 1)) < 0.5, spins[..., ::-1], spins)
    return np.concatenate([block[:, :start], flipped], axis=1)


STUDY = Study(
    name="ising_probability",
    title="sim2seq: the probability of Ising lattices",
    settings=SpinSettings,
    task=NextSymbol(SPINS, SPIN),
    read=read,
    choose=choose,
    split=split,
    models=NETWORKS,
    augment=turned,
)
