"""The Ising lattice's study: lattices of the store's files as sentences of spins, and their energies to be told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from sim2seq import Ensemble, PerRun, Settings, Study
from sim2seq._support.config import one_of
from sim2seq.data.splits import Part, Split
from sim2seq.store import sina, store
from sim2seq.training.fit import split_runs
from studies.ising import files
from studies.ising.networks import CELLS, NETWORKS, square

CHAIN = "chain"  # input: the number of a lattice's chain, where chains have several
MOST_LEARNED = 5_000  # lattices that baselines learn from: trees of them take seconds

FEW = {"learning_rate": 1e-2}  # epochs
RECIPES = {
    # the source's models, one a task: minutes each
    "sweep": FEW | {"model": "energy", "units": (32,), "epochs": 3, "targets_per_epoch": 25_000, "batch_size": 128},
    "debug": FEW | {"units": (8,), "epochs": 2, "targets_per_epoch": 512, "batch_size": 64, "steps_per_execution": 1},
}


@dataclass(frozen=True)
class IsingSettings(Settings, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    models: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    model: str = "places"
    units: tuple[int, ...] = (32,)  # of the recurrent layer; else of the layers of the network of a site
    cell: str = "gru"  # or lstm, of a recurrent layer
    window: int = 64  # sites: a lattice is seen whole
    batch_size: int = 64
    epochs: int = 12
    patience: int = 12
    targets: int = 1  # no others: a lattice is a sample
    targets_per_epoch: int = 100_000
    passes: int = 1
    learning_rate: float = 5e-3  # with 1e-2, one seed of three of `shifts` left the optimum that it had found
    fractions: tuple[float, ...] = (0.9, 0.05, 0.05)  # each lattice is a chain's of its own
    split_seed: int = 1777
    seed: int = 0
    jit_compile: bool = False  # no faster with it, once the steps are compiled, which takes longer
    steps_per_execution: int = 20

    def __post_init__(self):
        super().__post_init__()
        one_of("cell", self.cell, CELLS)
        square(self.window)
        if self.targets != 1:
            raise ValueError(f"setting targets: expected 1; got {self.targets}")


@dataclass(frozen=True)
class Energies(PerRun):
    """The energy of whole lattices; baselines see every spin, of up to MOST_LEARNED lattices."""

    def baselines(self, training: Ensemble, part: Ensemble, settings, more) -> dict:
        chosen = np.unique(np.linspace(0, training.runs - 1, MOST_LEARNED).astype(int))
        return super().baselines(training.take(chosen), part, settings, more)

    def summary(self, part: Ensemble, share: float, settings) -> np.ndarray:
        return np.asarray(part.values[..., 0], dtype=float)


def read(path, part: str = "train") -> Ensemble:
    """The lattices of all files of this part that belong to records of the store, each lattice a run, along its snake.

    A run's id is that of the record and the lattice's row; it has a beta and an energy. Raises ValueError, in one line,
    where there are none, where their shapes or Hamiltonians differ, and for what files.read refuses.
    """
    found = lattice_files(path, part)
    if not found:
        raise ValueError(f"{path}: expected records of lattices of the part {part!r}, with their files; found none")
    if len(models := {data["model"] for data in found.values()}) > 1:
        raise ValueError(f"{path}: expected lattices of one Hamiltonian; got {', '.join(sorted(models))}")
    first = next(iter(found.values()))
    shape = (int(first["n_x"]), int(first["n_y"]))
    return ensemble_of({run_id: files.read(data["file"], shape=shape) for run_id, data in found.items()})


def lattice_files(path, part: str) -> dict[str, dict]:
    """Run id -> its settings and `file`, of the store's records of lattices of one part, in order of ids."""
    found = {}
    with closing(store.connect(path)) as opened:
        names = sorted(opened.run_ids())
        for name, record in zip(names, opened.stored(names).values(), strict=True):
            data = sina.values_of(record["data"])
            if data.get("part") == part and (place := sina.place_of(record)):
                found[name] = data | {"file": Path(str(place[0]))}
    return found


def ensemble_of(lattices: dict[str, files.Lattices]) -> Ensemble:
    """Lattices of one shape, run id -> those of a file, as an Ensemble: a spin a step, int8 until samples are drawn.

    Where lattices share a chain, each has the number of its own as an input.
    """
    grids = np.concatenate([each.grids for each in lattices.values()])
    order = square(grids[0].size).snake() if grids.shape[1] == grids.shape[2] else None
    if order is None:
        raise ValueError(f"lattices {grids.shape[1]} x {grids.shape[2]}: expected square ones to learn from")
    inputs = {"beta": np.concatenate([each.betas for each in lattices.values()])}
    chains = [np.arange(len(each.grids)) if each.chains is None else each.chains for each in lattices.values()]
    files_of = np.repeat(np.arange(len(chains)), [len(each) for each in chains])
    numbers = np.unique(np.stack([files_of, np.concatenate(chains)]), axis=1, return_inverse=True)[1].ravel()
    if numbers.max() + 1 < len(numbers):
        inputs[CHAIN] = numbers.astype(float)
    return Ensemble(
        values=grids.reshape(len(grids), -1)[:, order, None],
        run_ids=tuple(f"{run_id}_{row}" for run_id, each in lattices.items() for row in range(len(each.grids))),
        features=("spin",),
        times=np.arange(order.size, dtype=float),
        inputs=inputs,
        results={"energy": np.concatenate([np.asarray(each.energies, dtype=float) for each in lattices.values()])},
        step_unit="",
    )


def choose(ensemble: Ensemble, settings) -> Ensemble:
    """All lattices. Raises ValueError where the setting `window` is not their number of sites."""
    if ensemble.steps != settings.window:
        raise ValueError(f"setting window: expected {ensemble.steps}, the sites of the lattices; got {settings.window}")
    return ensemble


def split(ensemble: Ensemble, settings) -> Split:
    """The split of the settings, in which the lattices of a chain, which are alike, stand together."""
    chains = ensemble.inputs.get(CHAIN, np.arange(ensemble.runs))
    _, firsts, places = np.unique(chains, return_index=True, return_inverse=True)
    found = split_runs(ensemble.take(np.sort(firsts)), settings)
    parts = []
    for part in (found.train, found.validation, found.test):
        first_runs = set(part.runs)
        chosen = np.array([ensemble.run_ids[first] in first_runs for first in firsts])[places]
        parts.append(
            Part(tuple(run for run, one in zip(ensemble.run_ids, chosen, strict=True) if one), 0, ensemble.steps)
        )
    return Split(*parts)


@lru_cache
def symmetries(sites: int) -> np.ndarray:
    """Every translation, rotation and reflection of a square lattice along its snake, (8 x sites, sites): places."""
    lattice = square(sites)
    grid = np.arange(sites).reshape(lattice.n_x, lattice.n_y)
    turned = [np.rot90(each, turns) for each in (grid, grid.T) for turns in range(4)]
    moved = [np.roll(each, shift, (0, 1)) for each in turned for shift in np.ndindex(*grid.shape)]
    snake = lattice.snake()
    return np.argsort(snake)[np.array(moved).reshape(-1, sites)[:, snake]]


def varied(block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Lattices (samples, sites, 1), each moved, turned, reflected and flipped by chance: its energy stays."""
    places = symmetries(block.shape[1])[generator.integers(8 * block.shape[1], size=len(block))]
    flips = generator.choice(np.array([-1, 1], block.dtype), (len(block), 1, 1))
    return np.take_along_axis(block, places[..., None], axis=1) * flips


STUDY = Study(
    name="ising",
    title="sim2seq: energies of Ising lattices",
    settings=IsingSettings,
    task=Energies(outputs=("energy",), at=(1.0,), whole=True),
    read=read,
    choose=choose,
    split=split,
    models=NETWORKS,
    augment=varied,
    scaled=False,  # spins are plus and minus one already
)
