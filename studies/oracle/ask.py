#!/usr/bin/env python
"""Ask the oracle about a map that another program trains: how will it end, is it worth finishing?

    python studies/oracle/ask.py TRAINING SEQUENCE.json MASS-Boston map_rows:12 grid:square [--epochs 1000]

SEQUENCE.json is the source's: epochs, mqe, topographic_error, dead_neuron_ratio, as far as the run has come: it says,
too, how many checkpoints the whole run will have. The table, a name that tables.py lists or a CSV file, and settings
(settings.py) say what else is known before the run. `--epochs`: of the whole run; without it, they are taken for its
iterations. Options of the goal: python -m sim2seq.oracle predict.
"""

from __future__ import annotations

import sys

import numpy as np

from sim2seq.data import curves
from studies.oracle import maps
from studies.oracle.settings import Settings

MOST_EPOCHS = 1e9  # of a whole run


def curves_of_run(seen: dict[str, np.ndarray], planned: maps.Plan, epochs: float | None) -> dict[str, np.ndarray]:
    """The curves of a sequence, and beside them what the plan of its run says of each checkpoint.

    Raises ValueError, in one line, without epochs, for one after the end of the run, and for more checkpoints than it
    has iterations.
    """
    iterations = len(planned.rates)
    whole = float(epochs or iterations)
    if curves.EPOCHS not in seen:
        raise ValueError(f"expected {curves.EPOCHS}, which say how far the run has come")
    done = seen[curves.EPOCHS]
    if done[0] <= 0 or done[-1] > whole:
        raise ValueError(
            f"{curves.EPOCHS}: expected more than 0, up to {whole:g} of the whole run; got {done[0]:g} to {done[-1]:g}"
        )
    if len(done) > iterations:
        raise ValueError(f"expected up to {iterations} checkpoints, as the run has iterations; got {len(done)}")
    progress = done / whole
    last = np.clip(np.ceil(progress * iterations).astype(int), 1, iterations) - 1
    work = np.cumsum(planned.updates) / planned.updates.sum()
    known = {
        "progress": progress,
        "learning_rate": planned.rates[last],
        "radius": planned.radii[last],
        "work": work[last],
    }
    return {**seen, **known}


def inputs_of_run(table, settings: Settings, planned: maps.Plan, progress: np.ndarray) -> dict:
    """What is known before the run; of its checkpoints as many as the whole run will have, by those that are there.

    The other program decides how often it looks, and fewer than settings.py allows are told to the oracle, too: it says
    that it has not seen such a run.
    """
    from studies.oracle.simulate import inputs_of

    return inputs_of(table, settings, planned) | {"checkpoints": round(len(progress) / progress[-1])}


def main(argv=None) -> None:
    from sim2seq._support.command import Parser
    from sim2seq.oracle import commands
    from studies.oracle import ending, tables

    parser = Parser(description="Ask the oracle about a map that another program trains.")
    parser.add_argument("model", metavar="TRAINING", help="the folder of a finished training of this study")
    parser.add_argument("sequence", metavar="SEQUENCE.json", help="the run as far as it has come")
    parser.add_argument("data", help="a name that tables.py lists, or a CSV file")
    parser.add_argument("settings", nargs="*", metavar="NAME:VALUE", help="see studies/oracle/settings.py")
    parser.add_argument("--epochs", type=float, metavar="N", help="of the whole run; without it, its iterations")
    commands.add_goal(parser)
    asked = parser.parse_args(argv)
    if asked.epochs is not None and not 0 < asked.epochs <= MOST_EPOCHS:
        parser.error(f"--epochs {asked.epochs:g}: expected a number above 0, up to {MOST_EPOCHS:g}")
    seen, table = curves.read_sequence(asked.sequence), tables.load(asked.data)
    settings, oracle = Settings.parse(asked.settings), ending.load(asked.model)
    planned = maps.plan(settings, len(table.values))
    try:
        found = curves_of_run(seen, planned, asked.epochs)
        series = curves.as_series(found, oracle.features)
    except ValueError as error:
        raise ValueError(f"{asked.sequence}: {error}") from None
    commands.say(oracle, series, ending.told(oracle, inputs_of_run(table, settings, planned, found["progress"])), asked)


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
