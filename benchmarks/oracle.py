#!/usr/bin/env python
"""The oracle: what a run costs, and how well its end is foretold.

    python benchmarks/oracle.py [studies_output/oracle_...] [--json FILE] [--only cost scores later curves]

cost   1000 trainings of a 10 x 10 map on 500 rows of 8 columns for 10 epochs, beside MiniSom's in the same call (a
       share of them, scaled: `--minisom`), beside what NumPy can do for 64 runs at a time, and beside the limit of the
       machine: the two passes over the weights that no online update can do without, with nothing between them. Seconds
       of one core, by its own clock: other work on the machine counts little.
scores   of a study: every network, three seeds of the study's own, beside every baseline on the test tables, by share
       of the run that was seen: MAE, RMSE, correlation, coverage of the band, by target and by table. The source's
       networks stand there twice: trained on prefixes and told what is known, and as published, on whole runs alone.
       Trainings are kept in `--folder`.
later    of a study: the values at 50 and 75 % of the run, and the end, foretold by one more training, beside the
       baselines, with the coverage of the band at each point.
curves   of a store of validation curves (studies/oracle/curves.py), which stands in the place of the study: scored in
       the same way. Only where it is asked for.

Each part is a function in PARTS that gives rows (_rows.py); a part that needs a study takes it from `asked.study`.
"""

import os

if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before NumPy: all is measured on one core

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from _rows import publish, row

from sim2seq._support.command import Parser, run
from studies.oracle import kernels, maps
from studies.oracle.settings import Settings

RUNS, SIDE, ROWS, COLUMNS, EPOCHS = 1000, 10, 500, 8, 10
NEURONS, UPDATES = SIDE * SIDE, ROWS * EPOCHS
AT_ONCE = 64  # runs in one array: as many as stay in the second cache
GOAL = 20  # MiniSom's time, as a multiple of ours
SECONDS = "core s for 1000 runs"


def cost_rows(asked) -> list[dict]:
    """Seconds for RUNS trainings, each way measured `asked.repeats` times in turn and its best taken."""
    values = np.random.default_rng(0).random((ROWS, COLUMNS))
    ways = {
        f"MiniSom ({asked.minisom} runs, scaled)": (minisoms_runs, asked.minisom),
        "NumPy, 64 runs in one array (scaled)": (numpys_runs, AT_ONCE),
        "ours, square": (our_runs("square", recorded=False), RUNS),
        "ours, hexagonal": (our_runs("hexagonal", recorded=False), RUNS),
        "ours, square, with 20 checkpoints": (our_runs("square", recorded=True), RUNS),
        "limit of the machine (scaled)": (two_passes, 50),
    }
    for function, _ in ways.values():
        function(values, 1)  # compiled, loaded, in the cache
    taken = {name: [] for name in ways}
    for _ in range(asked.repeats):
        for name, (function, runs) in ways.items():
            begun = time.process_time()
            function(values, runs)
            taken[name].append((time.process_time() - begun) * RUNS / runs)
    best = {name: min(seconds) for name, seconds in taken.items()}
    theirs = next(iter(best.values()))
    return [row(name, seconds, goal_of(name, theirs), "lower", SECONDS, theirs) for name, seconds in best.items()]


def goal_of(name: str, theirs: float) -> float | None:
    """A twentieth of MiniSom's time, for what is ours."""
    return theirs / GOAL if name.startswith("ours") else None


def minisoms_runs(values: np.ndarray, runs: int) -> None:
    from minisom import MiniSom

    for seed in range(runs):
        som = MiniSom(SIDE, SIDE, COLUMNS, sigma=SIDE / 2, learning_rate=0.7, random_seed=seed)
        som.train(values, UPDATES, random_order=True)


def our_runs(grid: str, *, recorded: bool):
    """values, runs -> None: `runs` trainings, with learning rate and radius of their own at each update."""
    settings = {"mode": "stochastic", "epoch_multiplier": float(EPOCHS), "checkpoints": 20, "grid": grid}

    def train(values: np.ndarray, runs: int) -> None:
        for seed in range(runs):
            maps.train(values, Settings(**settings, seed=seed))

    def follow(values: np.ndarray, runs: int) -> None:
        for seed in range(runs):
            given, generator = Settings(**settings, seed=seed), np.random.default_rng(seed)
            planned, lattice = maps.plan(given, ROWS), maps.grid_of(given)
            order = np.concatenate([order for order, _ in maps.draws(planned, given, ROWS, generator)])
            weights = generator.random((SIDE, SIDE, COLUMNS))
            maps.follow(weights, values, order, planned.rates, planned.radii, lattice)

    return train if recorded else follow


def numpys_runs(values: np.ndarray, runs: int) -> np.ndarray:
    """One update of `runs` maps at a time; their weights (runs, columns, neurons)."""
    generator, lattice = np.random.default_rng(0), maps.grid_of(Settings())
    weights, order = generator.random((runs, COLUMNS, NEURONS)), generator.integers(0, ROWS, (UPDATES, runs))
    squared, difference = lattice.levels[lattice.ranks], np.empty_like(weights)
    room, pulls = np.empty((runs, NEURONS)), np.empty((runs, NEURONS))
    for update, rows in enumerate(order):
        np.subtract(values[rows][:, :, None], weights, out=difference)
        np.einsum("rcn,rcn->rn", difference, difference, out=room)
        np.take(squared, room.argmin(axis=1), axis=0, out=pulls, mode="clip")
        pulls *= -0.5 / (5 - 4 * update / UPDATES) ** 2
        np.exp(pulls, out=pulls)
        pulls *= 0.7 * (1 - update / UPDATES)
        difference *= pulls[:, None, :]
        weights += difference
    return weights


def two_passes(values: np.ndarray, runs: int) -> None:
    """The arithmetic alone: all distances to a row, and a move of all weights towards it."""
    weights = np.random.default_rng(0).random((COLUMNS, NEURONS))
    for _ in range(runs * EPOCHS):
        passes_over(weights, values, np.ones(values.shape, dtype=bool), np.zeros((1, NEURONS), dtype=np.int32))


@kernels.njit(error_model="numpy")
def passes_over(weights, values, known, ranks):
    room, kernel = np.empty(weights.shape[1]), np.full(1, 0.01)
    for place in range(values.shape[0]):
        kernels.squared_distances(weights, values, known, place, room)
        kernels.pull(weights, values, known, place, kernel, ranks[0], room)


def scores_rows(asked) -> list[dict]:
    """See _oracle_scores.py."""
    from _oracle_scores import scores_rows  # Keras, which the cost needs not

    return scores_rows(asked)


def later_rows(asked) -> list[dict]:
    """See _oracle_later.py."""
    from _oracle_later import later_rows

    return later_rows(asked)


def curves_rows(asked) -> list[dict]:
    """The scores of the study of curves, by the code that scores maps."""
    from _oracle_scores import scores_rows

    from studies.oracle.curves import study

    return scores_rows(argparse.Namespace(**vars(asked) | {"folder": Path(asked.folder, "curves")}), study())


PARTS = {"cost": cost_rows, "scores": scores_rows, "later": later_rows, "curves": curves_rows}


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description="The oracle: what a run costs, and how well its end is foretold.")
    parser.add_argument("study", nargs="?", help="folder of a study, or its store; the cost needs none")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", help="parts to measure; of no study the cost alone")
    parser.add_argument("--folder", default="oracle_trainings", help="where trainings are kept, and read again")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of the study's own network; one of each other")
    parser.add_argument("--models", nargs="+", default=[], help="networks, or names of the table; none: all")
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the card's pictures there")
    parser.add_argument("--train-only", action="store_true", help="and no tables: for several calls at once")
    parser.add_argument("--settings", nargs="+", default=[], metavar="NAME:VALUE", help="for all trainings")
    parser.add_argument("--minisom", type=int, default=20, metavar="RUNS", help="runs of MiniSom's that are measured")
    parser.add_argument("--repeats", type=int, default=3, help="of each way; the best counts")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    asked = parser.parse_args()
    asked.only = asked.only or ["cost", *(["scores", "later"] if asked.study else [])]
    if set(asked.only) - {"cost"} and not asked.study:
        parser.error("the scores need a study: its folder, or its store")
    return asked


def main() -> None:
    asked = parse_arguments()
    publish([measured for part in asked.only for measured in PARTS[part](asked)], asked.json)


if __name__ == "__main__":
    sys.exit(run(main))
