#!/usr/bin/env python
"""The ensemble's parameter table: one joint Latin hypercube over tables, maps, schedules, batches and sampling.

sim2seq run studies/oracle/suite.yaml --runs 5000          Merlin's samples: a task trains a batch of rows
python studies/oracle/pgen_ensembles.py NUM_STUDIES:5000 > table.csv
python studies/oracle/pgen_ensembles.py NUM_STUDIES:5000 --write FOLDER --batch 50

NUM_STUDIES   runs, spread evenly over the tables and sorted by them, so that a task reads few
SEED          of the draw; each run has a seed of its own
PARTS         parts of the tables to draw from, or names of tables, with + between: train+validation+test
UPDATES       the most weight updates of a run. An iteration in sections is hundreds of updates, so the source's 5 to 15
              iterations a row would be hours on the larger tables: where 15 would be more than UPDATES, the epoch
              multiplier is drawn in proportion below that, not cut off at it
"""

import sys

from sim2seq.data import sampling

ARGUMENTS = {"NUM_STUDIES": 5000, "SEED": 15, "PARTS": "train+validation+test", "UPDATES": 100_000}
FEWEST_UPDATES = 1000
MOST_EPOCHS = 15
SHAPE = 500.5  # iterations that tell the shape of a batch's growth

# The source's search ranges; its maps are 8, 10 or 15 neurons wide. Where both ends differ by a factor of ten and more,
# the logarithm is drawn.
WHOLE = {"MAP_ROWS": (8, 15), "SECTIONS": (1, 20), "CHECKPOINTS": (20, 200)}
RANGES = {
    "RATE_START": (0.5, 0.9),
    "RATE_END": (0.01, 0.2),
    "RADIUS_RATIO": (0.1, 1.0),
    "BATCH_START": (0.025, 10.0),
    "BATCH_END": (3.0, 15.0),
    "GROWTH": (1.0, 35.0),
    "EPOCH_MULTIPLIER": (5.0, float(MOST_EPOCHS)),
}
LOGARITHMIC = ("RATE_END", "RADIUS_RATIO", "BATCH_START", "GROWTH")
TABLE, RADIUS_END, LATER = "TABLE", 1.0, 1_000_000


def parameter_table(**arguments) -> dict[str, list]:
    """Parameter name -> one value a run; arguments as in ARGUMENTS. Raises ValueError for an unknown or bad one."""
    settings = sampling.parse_arguments(arguments, ARGUMENTS)
    runs, seed, most = (settings[name] for name in ("NUM_STUDIES", "SEED", "UPDATES"))
    for name, least in (("NUM_STUDIES", 1), ("SEED", 0), ("UPDATES", FEWEST_UPDATES)):
        if settings[name] < least:
            raise ValueError(f"{name}:{settings[name]}: expected {least} or more")
    drawn = draw(runs, {TABLE: table_names(settings["PARTS"]), **choices()}, seed=seed)
    order = sorted(range(runs), key=lambda run: drawn[TABLE][run])
    drawn = {name: [values[run] for run in order] for name, values in drawn.items()}
    drawn["MAP_COLUMNS"], drawn["RADIUS_END"] = drawn["MAP_ROWS"], [RADIUS_END] * runs
    drawn["SEED"] = [seed * LATER + run for run in range(1, runs + 1)]
    drawn["EPOCH_MULTIPLIER"] = [epochs_of(run, most) for run in rows_of(drawn)]
    return drawn | {"GROUP_ID": drawn[TABLE], "RUN_ID": list(range(1, runs + 1))}


def table_names(parts: str) -> list[str]:
    """The names of the tables in parts like "train+test", names of tables among them. Raises ValueError for others."""
    from studies.oracle import tables

    found: list[str] = []
    for part in parts.split("+"):
        if part not in tables.PARTS and part not in tables.entries():
            raise ValueError(f"PARTS:{parts}: expected some of {', '.join(tables.PARTS)}, or tables, with + between")
        found += tables.names(part) if part in tables.PARTS else [part]
    return list(dict.fromkeys(found))


def choices() -> dict[str, tuple]:
    """Parameter -> the words, or 0 and 1, of which one is drawn."""
    from studies.oracle.schedules import DROPS, GROWTHS
    from studies.oracle.settings import MODES

    schedules = {"RATE_SCHEDULE": DROPS, "RADIUS_SCHEDULE": DROPS, "BATCH_SCHEDULE": GROWTHS}
    return {"GRID": ("square", "hexagonal"), "MODE": MODES, "RESHUFFLE": (0, 1), **schedules}


def draw(runs: int, words: dict, *, seed: int) -> dict[str, list]:
    """One joint Latin hypercube: name -> one value a run, of `words`, WHOLE and RANGES; each choice equally often."""
    import numpy as np

    unit = sampling.latin_hypercube(dict.fromkeys([*words, *WHOLE, *RANGES], (0.0, 1.0)), runs, seed=seed)
    found = {name: [known[place] for place in places(unit[name], len(known))] for name, known in words.items()}
    for name, (low, high) in WHOLE.items():
        found[name] = [low + place for place in places(unit[name], high - low + 1)]
    for name, (low, high) in RANGES.items():
        share = np.array(unit[name])
        values = low * (high / low) ** share if name in LOGARITHMIC else low + (high - low) * share
        found[name] = [float(f"{value:.5g}") for value in values]
    return found


def places(unit: list[float], count: int) -> list[int]:
    """Numbers from 0 to 1 as places from 0 to count - 1, each as often."""
    return [min(count - 1, int(value * count)) for value in unit]


def rows_of(drawn: dict[str, list]) -> list[dict]:
    return [dict(zip(drawn, values, strict=True)) for values in zip(*drawn.values(), strict=True)]


def epochs_of(run: dict, most: int) -> float:
    """The epoch multiplier of a run: the drawn one, or less, for up to `most` weight updates times its share of 15."""
    from studies.oracle import tables
    from studies.oracle.settings import FEWEST_CHECKPOINTS

    rows, drawn = tables.entries()[run[TABLE]].rows, run["EPOCH_MULTIPLIER"]
    allowed, least = most * drawn / MOST_EPOCHS, (FEWEST_CHECKPOINTS + 0.5) / rows  # or it has too few iterations
    epochs = min(drawn, SHAPE / rows)
    for _ in range(2):  # a batch's mean depends on the iterations, and they on it
        epochs = max(least, min(drawn, epochs * allowed / updates_of(run, rows, epochs)))
    return float(f"{epochs:.6g}")


def updates_of(run: dict, rows: int, epochs: float) -> int:
    """Weight updates of a run of `epochs`."""
    from studies.oracle.maps import plan
    from studies.oracle.settings import Settings

    names = ("MODE", "SECTIONS", "BATCH_START", "BATCH_END", "BATCH_SCHEDULE", "GROWTH")
    settings = Settings(**{name.lower(): run[name] for name in names}, epoch_multiplier=epochs)
    return int(plan(settings, rows).updates.sum())


EXAMPLE = "PARTS:test UPDATES:20000 are short runs on the tables that nothing is learned from"

if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(lambda: sampling.main(parameter_table, ARGUMENTS, EXAMPLE)))
