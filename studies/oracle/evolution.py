#!/usr/bin/env python
"""Evolution of map configurations, as the source's: NSGA-II over three objectives; an oracle ends evaluations.

    python studies/oracle/evolution.py MASS-Boston --oracle training --seconds 60 --output front.csv

Objectives, lower is better: the error as a share of the table's spread, the topographic error, the share of dead
neurons. With an oracle an evaluation ends where it will not reach the front of the whole ones before it; it carries
what was foretold, marked as `ended`. What was foretold must not decide: at the end every ended evaluation in the front
is trained whole, until none is left, so that an early plateau is not favoured unseen.
Deb, Pratap, Agarwal and Meyarivan, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002.
"""

from __future__ import annotations

import csv
import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from sim2seq.oracle.stopping import Answer, Oracle, Rule
from studies.oracle import ending, maps, pgen_ensembles, simulate
from studies.oracle.ending import TARGETS, Watch
from studies.oracle.settings import Settings

POPULATION, CHECKPOINTS = 20, 40
REFERENCE = (1.1, 1.1, 1.1)  # of the hypervolume, as the source's
WORDS = pgen_ensembles.choices()
NUMBERS = {**pgen_ensembles.WHOLE, **pgen_ensembles.RANGES}
del NUMBERS["CHECKPOINTS"]
GENES = (*WORDS, *NUMBERS)
UPDATES = pgen_ensembles.ARGUMENTS["UPDATES"]


@dataclass(frozen=True)
class Evaluation:
    """A configuration, its objectives (3,), and whether they are foretold, since the oracle ended it.

    progress   the share of the training that was done; seconds what it took of one core, asking included
    """

    genes: np.ndarray
    settings: Settings
    objectives: np.ndarray
    ended: bool
    progress: float
    seconds: float


def settings_of(genes: np.ndarray, table) -> Settings:
    """The configuration of genes (GENES,) in [0, 1], in the ensemble's search ranges."""
    unit = dict(zip(GENES, np.clip(genes, 0, 1).tolist(), strict=True))
    found = {name: known[min(len(known) - 1, int(unit[name] * len(known)))] for name, known in WORDS.items()}
    for name, (low, high) in NUMBERS.items():
        share = unit[name]
        if name in pgen_ensembles.WHOLE:
            found[name] = low + min(high - low, int(share * (high - low + 1)))
        else:
            found[name] = (
                low * (high / low) ** share if name in pgen_ensembles.LOGARITHMIC else low + (high - low) * share
            )
    found["EPOCH_MULTIPLIER"] = pgen_ensembles.epochs_of(found | {"TABLE": table.name}, UPDATES)
    found |= {"MAP_COLUMNS": found["MAP_ROWS"], "CHECKPOINTS": CHECKPOINTS, "RESHUFFLE": bool(found["RESHUFFLE"])}
    return Settings(**{name.lower(): value for name, value in found.items()})


def evaluate(
    genes, table, *, seed: int, front=None, oracle: Oracle | None = None, rule: Rule | None = None
) -> Evaluation:
    """Train the map of these genes; with an oracle, only as far as it may get below the front (points, 3)."""
    settings = replace(settings_of(genes, table), seed=seed)
    begun = time.process_time()
    inputs = simulate.inputs_of(table, settings, maps.plan(settings, len(table.values)))
    spread, bar = float(inputs["table_spread"]), front if front is not None and len(front) else None
    watch = None
    if oracle is not None and bar is not None:
        judge = rule or Rule()
        watch = Watch(oracle, inputs, lambda answer: judge.compare(*objectives_of(answer, spread), bar, answer))
    training = maps.train(table.values, settings, watch=watch)
    ended = training.ended == maps.WATCHED
    if ended and watch is not None and watch.answer is not None:
        objectives = objectives_of(watch.answer, spread)[0]
    else:
        objectives = training.checkpoints[-1, 1:4] / (spread, 1.0, 1.0)
    taken = time.process_time() - begun
    return Evaluation(np.asarray(genes), settings, objectives, ended, float(training.checkpoints[-1, 0]), taken)


def oracle_for(folder, table) -> Oracle:
    """The oracle that ends evaluations on a table. Raises ValueError, in one line, for one of other runs."""
    oracle, settings = ending.load(folder), settings_of(np.full(len(GENES), 0.5), table)
    ending.told(oracle, simulate.inputs_of(table, settings, maps.plan(settings, len(table.values))))
    return oracle


def objectives_of(answer: Answer, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half-width of the objectives, (3,) each, as foretold."""
    places, scale = [answer.outputs.index(name) for name in TARGETS], np.array([spread, 1.0, 1.0])
    return answer.middle[places] / scale, (answer.high - answer.low)[places] / 2 / scale


def evolve(table, seconds: float, *, seed: int = 0, oracle: Oracle | None = None, rule: Rule | None = None):
    """Evaluations, in their order, in a budget of core seconds, re-evaluations of the final front included.

    An evaluation that is under way when the budget ends is the last one. The front is `front_of` those not ended.
    """
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.problems.static import StaticProblem

    problem = Problem(n_var=len(GENES), n_obj=len(TARGETS), xl=0.0, xu=1.0)
    algorithm = NSGA2(pop_size=POPULATION)
    algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
    done: list[Evaluation] = []
    while True:
        asked = algorithm.ask()
        values = []
        for genes in asked.get("X"):
            if sum(each.seconds for each in done) + to_repeat(done) >= seconds:
                return [*done, *repeated(done, table)]
            front = whole_front(done) if len(done) >= POPULATION else None  # the first generation is whole
            found = evaluate(genes, table, seed=seed * 100_000 + len(done), front=front, oracle=oracle, rule=rule)
            done.append(found)
            values.append(found.objectives)
        Evaluator().eval(StaticProblem(problem, F=np.array(values)), asked)
        algorithm.tell(infills=asked)


def to_repeat(done: list[Evaluation]) -> float:
    """Core seconds that the ended evaluations in the front will take to be trained whole."""
    return sum(each.seconds / each.progress for each in front_of(done) if each.ended)


def repeated(done: list[Evaluation], table) -> list[Evaluation]:
    """The ended evaluations in the front, trained whole, and those that then are in it, until none is left."""
    kept, found = list(done), []
    while ended := [each for each in front_of(kept) if each.ended]:
        kept = [each for each in kept if all(each is not other for other in ended)]
        again = [evaluate(each.genes, table, seed=each.settings.seed) for each in ended]
        kept, found = [*kept, *again], [*found, *again]
    return found


def front_of(done: list[Evaluation]) -> list[Evaluation]:
    """The evaluations that no other one dominates."""
    values = np.array([each.objectives for each in done]).reshape(-1, len(TARGETS))
    return [each for each, point in zip(done, values, strict=True) if not is_dominated(point, values)]


def is_dominated(point: np.ndarray, values: np.ndarray) -> bool:
    return bool(((values <= point).all(axis=1) & (values < point).any(axis=1)).any())


def whole_front(done: list[Evaluation]) -> np.ndarray:
    """(points, 3): the front of the whole evaluations."""
    return np.array([each.objectives for each in front_of([each for each in done if not each.ended])])


def hypervolume(done: list[Evaluation]) -> float:
    """Of the front of the whole evaluations, up to REFERENCE."""
    from pymoo.indicators.hv import HV

    return float(HV(ref_point=np.array(REFERENCE))(whole_front(done)))


def write(path, done: list[Evaluation]) -> None:
    """The evaluations as CSV, a line each, in their order."""
    names = ("mqe_of_spread", "topographic_error", "dead_ratio")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "foretold", "progress", "seconds", *vars(done[0].settings)])
        for each in done:
            facts = [int(each.ended), each.progress, each.seconds, *vars(each.settings).values()]
            writer.writerow([*each.objectives.tolist(), *facts])


def main(argv=None) -> None:
    from sim2seq._support.command import Parser
    from sim2seq._support.files import check_place
    from studies.oracle import tables

    parser = Parser(description="Evolution of map configurations, with an oracle that ends evaluations.")
    parser.add_argument("table", help="a name that tables.py lists")
    parser.add_argument("--oracle", metavar="TRAINING", help="a training that ends evaluations; else all are whole")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one core")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", "-o", required=True, metavar="FILE", help="all evaluations: CSV")
    asked = parser.parse_args(argv)
    if not asked.seconds > 0:
        parser.error(f"--seconds {asked.seconds}: expected a number above 0")
    table = tables.load(asked.table)
    if asked.table not in tables.entries():
        parser.error(f"{asked.table}: expected a name that studies/oracle/tables.py lists")
    check_place(asked.output)
    oracle = oracle_for(asked.oracle, table) if asked.oracle else None
    simulate.warm_up()
    done = evolve(table, asked.seconds, seed=asked.seed, oracle=oracle)
    write(asked.output, done)
    ended = sum(each.ended for each in done)
    print(f"{len(done)} evaluations, {ended} of them ended; hypervolume {hypervolume(done):.4f}")


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
