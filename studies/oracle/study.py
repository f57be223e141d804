"""The oracle's study: how a training of a map will end, from any part of its beginning and what is known before it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from sim2seq import Ensemble, PerRun, Study, TargetSettings, load_store
from sim2seq.data import stretches
from sim2seq.data.splits import PARTS, Part, Split
from sim2seq.data.windows import Scaling
from sim2seq.store.store import connect
from studies.oracle import tables
from studies.oracle.networks import NETWORKS

ASKED = ("mqe", "topographic_error", "dead_ratio")  # lower is better for all three
SEEN = (*ASKED, "progress", "work", "learning_rate", "radius")
KNOWN = (
    "table_rows", "table_columns", "table_words", "table_gaps", "table_spread", "table_plane", "map_rows",
    "map_columns", "hexagonal", "stochastic", "deterministic", "sections", "reshuffle", "checkpoints", "iterations",
    "updates", "epoch_multiplier", "rate_start", "rate_25", "rate_50", "rate_75", "rate_100", "radius_start",
    "radius_25", "radius_50", "radius_75", "radius_100", "batch_start", "batch_end", "growth",
    "work_25", "work_50", "work_75",
)  # fmt: skip
ENDED = "ended_final"  # 1: the oracle ended this run (ending.py)
LAST = {"rate_100": "learning_rate", "radius_100": "radius"}
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)

# the source's networks, trained on prefixes of every length and told what is known, each for about the same time
SOURCE = {"members": 1, "learning_rate": 1e-3, "loss": "squared", "optimizer": "adam"}
RECIPES = {
    "standard": SOURCE | {"model": "standard", "epochs": 2},
    "bidirectional": SOURCE | {"model": "bidirectional", "epochs": 12, "targets_per_epoch": 20_000},
    "lite": SOURCE | {"model": "lite", "epochs": 5},
    "later": {"inputs": (*KNOWN, stretches.UNTIL)},  # the values at 50 and 75 % of the run, too
    "attention": {"model": "attention", "units": (32,), "members": 1, "epochs": 3},
    "debug": {"units": (8,), "members": 1, "epochs": 1, "passes": 1, "targets_per_epoch": 2_000}
    | {"steps_per_execution": 1},
}


@dataclass(frozen=True)
class OracleSettings(TargetSettings, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    models = (*NETWORKS, *TargetSettings.models)

    model: str = "change"
    units: tuple[int, ...] = (64, 64)
    dropout: float = 0.1
    window: int = 1  # the fewest checkpoints before an answer
    inputs: tuple[str, ...] = KNOWN
    members: int = 3
    loss: str = "absolute"
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    batch_size: int = 32  # runs, each with all of its prefixes
    epochs: int = 6
    patience: int = 6
    targets_per_epoch: int = 10_000_000
    passes: int = 1
    jit_compile: bool = False

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise ValueError(f"setting dropout: expected 0 or more and less than 1; got {self.dropout}")


@dataclass(frozen=True)
class Ends(PerRun):
    """How runs end, in physical units: a network adds to the last value that it sees."""

    def scalings(self, training: Ensemble, settings, *, scaled: bool = True):
        found = super().scalings(training, settings, scaled=scaled)
        return replace(found, results=Scaling.none(len(self.outputs)))


def read(path) -> Ensemble:
    """The whole runs of a store, in checkpoints; without the inputs in LAST, these are those at the ends of the runs.

    A run that the oracle ended is left out: what is recorded as its result is not where it would have come to.
    Raises ValueError where there is no other.
    """
    ensemble = replace(load_store(path, features=SEEN), step_unit="")
    if ended := ended_in(path, ensemble):
        whole = [place for place, run in enumerate(ensemble.run_ids) if run not in ended]
        if not whole:
            raise ValueError(f"expected runs that came to their end; got {ensemble.runs} that the oracle ended")
        ensemble = ensemble.take(whole)
    if LAST.keys() <= ensemble.inputs.keys():
        return ensemble
    places = ensemble.places(LAST.values())
    last = np.asarray(ensemble.values)[np.arange(ensemble.runs), ensemble.lengths - 1][:, places]
    return replace(ensemble, inputs=ensemble.inputs | dict(zip(LAST, last.T, strict=True)))


def ended_in(path, ensemble: Ensemble) -> set[str]:
    """The ids of the runs in the store that the oracle ended."""
    if ENDED in ensemble.unusable:  # runs without an oracle do not say it, and an Ensemble has what all runs have
        with closing(connect(path)) as store:
            asked = [run for run, name in store.numbers() if name == ENDED]
        ensemble = load_store(path, runs=asked, features=SEEN[:1])
    column = ensemble.results.get(ENDED, np.zeros(ensemble.runs))
    return {run for run, ended in zip(ensemble.run_ids, column, strict=True) if ended > 0}


def split_by_table(ensemble: Ensemble, settings) -> Split:
    """Runs on a table are in the part of the table; those on tables that are not in the list are learned from.

    Raises ValueError where a part has none.
    """
    parts = {name: [] for name in PARTS}
    for run, group in zip(ensemble.run_ids, ensemble.groups, strict=True):
        parts[tables.used_for(group)].append(run)
    if empty := [name for name, runs in parts.items() if not runs]:
        raise ValueError(f"expected runs on {empty[0]} tables; got none: tables.py lists them")
    return Split(*(Part(tuple(parts[name]), 0, ensemble.steps) for name in PARTS))


STUDY = Study(
    name="oracle",
    title="sim2seq: the oracle",
    settings=OracleSettings,
    read=read,
    choose=stretches.chosen,
    task=Ends(tuple(f"{name}_final" for name in ASKED), inputs=SEEN, at=SHARES, share="progress"),
    split=split_by_table,
    models=NETWORKS,
    scaled=False,  # the networks add to the last value that they see
    needs=KNOWN,
)
