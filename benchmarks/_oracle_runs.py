"""Runs that a search is replayed on: trained whole, once, with the time that each took up to each checkpoint.

    python benchmarks/_oracle_runs.py FILE [--part test] [--tables 8] [--runs 200] [--seed 16]

A draw of the ensemble's generator (pgen_ensembles.py) over some tables of one part, with another seed than the
ensemble's: none of these runs was learned from. FILE is an .npz of a Recorded.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before NumPy: a run has one core

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim2seq._support.command import Parser, run
from studies.oracle import maps, pgen_ensembles, simulate, tables
from studies.oracle.settings import MOST_CHECKPOINTS

UPDATES = pgen_ensembles.ARGUMENTS["UPDATES"]


@dataclass(frozen=True)
class Recorded:
    """Whole runs on several tables.

    series    (runs, MOST_CHECKPOINTS, len(maps.SERIES)), nan beyond the end of a run
    lengths   (runs,): checkpoints
    seconds   (runs, MOST_CHECKPOINTS): core seconds from the beginning of a run to each checkpoint, nan beyond its end
    inputs    name -> (runs,): what is known before a run, numbers only; table (runs,): the name of its table
    """

    series: np.ndarray
    lengths: np.ndarray
    seconds: np.ndarray
    inputs: dict[str, np.ndarray]
    table: np.ndarray

    def save(self, path) -> None:
        inputs = {f"input_{name}": values for name, values in self.inputs.items()}
        np.savez_compressed(
            path, series=self.series, lengths=self.lengths, seconds=self.seconds, table=self.table, **inputs
        )

    @classmethod
    def load(cls, path) -> Recorded:
        with np.load(path) as held:
            inputs = {name.removeprefix("input_"): held[name] for name in held.files if name.startswith("input_")}
            return cls(*(held[name] for name in ("series", "lengths", "seconds")), inputs, held["table"])

    def known(self) -> dict[str, np.ndarray]:
        """The inputs, and what the schedules end at, which runs of an earlier version do not say."""
        last = self.series[np.arange(len(self.lengths)), self.lengths - 1]
        ends = {"rate_100": "learning_rate", "radius_100": "radius"}
        return {name: last[:, maps.SERIES.index(feature)] for name, feature in ends.items()} | self.inputs

    def of_table(self, name: str) -> Recorded:
        here = self.table == name
        inputs = {key: values[here] for key, values in self.inputs.items()}
        return Recorded(self.series[here], self.lengths[here], self.seconds[here], inputs, self.table[here])


def parameters(names: list[str], runs: int, seed: int) -> list[dict]:
    """`runs` configurations for each of the tables `names`, as pgen_ensembles.parameter_table draws them."""
    drawn = pgen_ensembles.draw(runs * len(names), {"TABLE": names, **pgen_ensembles.choices()}, seed=seed)
    drawn["MAP_COLUMNS"] = drawn["MAP_ROWS"]
    drawn["RADIUS_END"] = [pgen_ensembles.RADIUS_END] * len(drawn["TABLE"])
    drawn["SEED"] = [seed * pgen_ensembles.LATER + place for place in range(len(drawn["TABLE"]))]
    drawn["EPOCH_MULTIPLIER"] = [pgen_ensembles.epochs_of(each, UPDATES) for each in pgen_ensembles.rows_of(drawn)]
    return sorted(pgen_ensembles.rows_of(drawn), key=lambda each: (names.index(each["TABLE"]), each["SEED"]))


def record(names: list[str], runs: int, seed: int, *, watch=lambda done: None) -> Recorded:
    """Train `runs` runs on each table; `watch` is told after each how many are done."""
    simulate.warm_up()
    chosen = parameters(names, runs, seed)
    count = len(chosen)
    series, seconds = (
        np.full((count, MOST_CHECKPOINTS, len(maps.SERIES)), np.nan),
        np.full((count, MOST_CHECKPOINTS), np.nan),
    )
    lengths, inputs = np.zeros(count, dtype=int), []
    for place, row in enumerate(chosen):
        settings, table = simulate.settings_of(as_record(row)), tables.load(row["TABLE"])
        inputs.append(simulate.inputs_of(table, settings, maps.plan(settings, len(table.values))))
        training, times = timed(table, settings)
        lengths[place] = len(training.checkpoints)
        series[place, : lengths[place]] = training.checkpoints
        seconds[place, : lengths[place]] = times
        watch(place + 1)
    known = {name: np.array([each[name] for each in inputs]) for name in inputs[0]}
    known = {name: values.astype(float) for name, values in known.items() if values.dtype.kind in "ifb"}
    return Recorded(series, lengths, seconds, known, np.array([each["table"] for each in inputs]))


def timed(table, settings) -> tuple[maps.Training, np.ndarray]:
    """A whole training, and the core seconds that it took up to each checkpoint."""
    begun, times = time.process_time(), []
    training = maps.train(table.values, settings, watch=lambda *_: times.append(time.process_time() - begun))
    return training, np.array([*times, time.process_time() - begun])


def as_record(row: dict):
    """A row of a parameter table, by name, as simulate.settings_of takes it."""
    kinds = [(name, f"U{len(value)}" if isinstance(value, str) else type(value)) for name, value in row.items()]
    return np.array([tuple(row.values())], dtype=kinds)[0]


def main(argv=None) -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="to write: .npz")
    parser.add_argument("--part", default=tables.TEST, choices=tables.PARTS, help="of the tables")
    parser.add_argument("--tables", type=int, default=8, metavar="N", help="the first so many of the list")
    parser.add_argument("--runs", type=int, default=200, metavar="N", help="on each table")
    parser.add_argument("--seed", type=int, default=16, metavar="N", help="of the draw; the ensemble's is 15")
    asked = parser.parse_args(argv)
    begun = time.process_time()

    def tell(done: int) -> None:
        if done % 100 == 0:
            print(f"{done} runs, {time.process_time() - begun:.0f} core seconds", file=sys.stderr, flush=True)

    recorded = record(tables.names(asked.part)[: asked.tables], asked.runs, asked.seed, watch=tell)
    Path(asked.file).absolute().parent.mkdir(parents=True, exist_ok=True)
    recorded.save(asked.file)


if __name__ == "__main__":
    sys.exit(run(main))
