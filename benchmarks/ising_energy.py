#!/usr/bin/env python
"""The energies of Ising lattices: every model on the fixed test sets, beside its twin in the source, and baselines.

    python benchmarks/ising_energy.py [--folder ising_energy] [--seeds 0 1 2] [--finished] [--json FILE]
                                      [--pictures FOLDER]

Simulates the study's files, then trains and judges what is not in the folder yet (_ising_energies.py lists it: 55
minutes of one core; a further seed of the others, 20), so an interrupted call goes on; with --finished it trains
nothing. Errors are root mean squares in J. Seconds are the processor's, of one thread, so that other work on the
machine counts little. What is mis-scored in the source's baseline, and what a model of the probability is good for:
benchmarks/ising_probability.py.
"""

import re
import statistics
import sys
import time
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
from _ising_energies import SECONDS, SEEDS, TRAININGS, make_store, place_of, train_all
from _rows import publish, row
from _timed import seconds_of

from sim2seq import load_training
from sim2seq._support.command import Parser, run
from sim2seq._support.files import read_json, write_json
from studies.ising import report, scores, transfer
from studies.ising.files import Lattices
from studies.ising.lattice import Lattice
from studies.ising.networks import RECURRENT, name_of
from studies.ising.pgen_ensembles import MOST_BETA, betas_to
from studies.ising.sampling import Plan, draw
from studies.ising.scores import SOURCE, TEST, Score
from studies.ising.study import STUDY, read

GOAL, GOAL_EVERYWHERE, MOST_PARAMETERS, MOST_SECONDS = 0.5, 1.0, 300_000, 900.0
PARTS = ("transfer", "baselines")
MODELS, CONVOLUTION = ("model:shifts", "model:places"), "model:convolution"
EIGHT = {name: f"recipe:sweep model:{name}" for name in RECURRENT}
TWINS = {words: report.PUBLISHED[name] for name, words in EIGHT.items()}  # what the source reports
SIDES, FEW, FEW_TEST, STEPS = (12, 16), 40, 200, 500  # lattices at each beta of larger ones; steps of training there


class Found:
    """A finished training and its scores: set -> Score, which are kept beside it."""

    def __init__(self, folder: Path, words: str, sets: dict):
        place = place_of(folder, words)
        self.words, self.training, self.seconds = words, load_training(place, STUDY), seconds_of(place, SECONDS)
        file = place / "_".join(["judged", *(str(len(lattices.grids)) for lattices in sets.values())])
        file = file.with_suffix(".json")
        if not file.exists():
            judged = {name: scores.score(self.training.model, lattices) for name, lattices in sets.items()}
            write_json(file, {name: asdict(score) for name, score in judged.items()})
        self.scores = {name: as_score(kept) for name, kept in read_json(file).items()}

    @property
    def worst(self) -> float:
        return max(self.scores[TEST].by_beta.values())


def as_score(kept: dict) -> Score:
    """A score that JSON has kept, whose betas are words there."""
    return Score(**kept | {"by_beta": {float(beta): error for beta, error in kept["by_beta"].items()}})


def trainings_with(seeds) -> list[str]:
    """TRAININGS, and all models, but for what tries other settings of them, with each of these seeds.

    There the source's eight and the convolution have seed 0, which their words do not say.
    """
    more = [f"{words} seed:{seed}" for words in (*EIGHT.values(), CONVOLUTION) for seed in seeds if seed]
    more += [f"{model} seed:{seed}" for model in MODELS for seed in seeds]
    return list(dict.fromkeys([*TRAININGS, *more]))


def unseeded(words: str) -> str:
    return re.sub(r" seed:\d+$", "", words)


def is_first(words: str) -> bool:
    """Whether the seed is 0, said or not."""
    return words in (unseeded(words), f"{unseeded(words)} seed:0")


def rows_of(one: Found) -> list[dict]:
    """The rows of one training."""
    twin = TWINS.get(unseeded(one.words))
    found = one.scores[SOURCE]
    rows = [
        row(f"{one.words}: source-like set, centred", found.centred, twin or GOAL, "lower", "J", twin),
        row(f"{one.words}: source-like set, raw", found.raw, None, "lower", "J"),
        row(f"{one.words}: source-like set, slope", found.slope, None, "higher", "predicted over true"),
        row(f"{one.words}: betas to 0.6, centred", one.scores[TEST].centred, None, "lower", "J"),
        row(f"{one.words}: betas to 0.6, raw at the worst", one.worst, GOAL_EVERYWHERE, "lower", "J"),
        row(f"{one.words}: parameters", one.training.parameters, MOST_PARAMETERS, "lower", "numbers"),
        row(f"{one.words}: training", one.seconds, MOST_SECONDS, "lower", "s of the processor"),
    ]
    return rows


def by_beta(one: Found) -> list[dict]:
    errors = one.scores[TEST].by_beta.items()
    return [row(f"{one.words}: raw at beta {beta:g}", error, GOAL_EVERYWHERE, "lower", "J") for beta, error in errors]


def seed_rows(found: dict[str, Found]) -> list[dict]:
    """Mean and deviation over the seeds, of what was trained with several."""
    groups: dict[str, list[Found]] = {}
    for words, one in found.items():
        groups.setdefault(unseeded(words), []).append(one)
    rows = []
    for model, some in groups.items():
        if len(some) > 1:
            name, errors = f"{model}, {len(some)} seeds", [one.scores[SOURCE].centred for one in some]
            twin = TWINS.get(model)
            rows.append(row(f"{name}: centred, mean", statistics.fmean(errors), twin or GOAL, "lower", "J", twin))
            rows.append(row(f"{name}: centred, deviation", statistics.stdev(errors), None, "lower", "J"))
            worst = max(one.worst for one in some)
            rows.append(row(f"{name}: raw at the worst beta of the worst", worst, GOAL_EVERYWHERE, "lower", "J"))
    return rows


def twin_rows(found: dict[str, Found]) -> list[dict]:
    """How many of the eight are below their twins in the source, and below half of that."""
    shares = [found[words].scores[SOURCE].centred / twin for words, twin in TWINS.items() if words in found]
    counts = [("below the twin", 1.0), ("at most half of the twin", 0.5)]
    return [
        row(f"of {len(shares)} of the eight, {what}", sum(each <= share for each in shares), 8, "higher", "models")
        for what, share in counts
    ]


def extension_rows(found: dict[str, Found]) -> list[dict]:
    """What each of the source's extensions takes off the error: the mean over the pairs that differ in it alone."""
    errors = {name: found[words].scores[SOURCE].centred for name, words in EIGHT.items() if words in found}
    rows = []
    for place, extension in enumerate(("both ways", "attention", "rows and columns")):
        pairs = []
        for others in product((False, True), repeat=2):
            without, with_it = (name_of(*others[:place], each, *others[place:]) for each in (False, True))
            if without in errors and with_it in errors:
                pairs.append(errors[with_it] - errors[without])
        if pairs:
            rows.append(
                row(f"{extension}: change of the error, {len(pairs)} pairs", statistics.fmean(pairs), 0, "lower", "J")
            )
    return rows


def size_rows(found: dict[str, Found]) -> list[dict]:
    """The error by the number of parameters, the smallest first: one training of each model and size."""
    some = [one for words, one in found.items() if "augment:" not in words and is_first(words)]
    return [
        row(f"{one.training.parameters} parameters: {one.words}", one.scores[SOURCE].centred, None, "lower", "J")
        for one in sorted(some, key=lambda one: one.training.parameters)
    ]


def drawn_of(found: dict[str, Found]) -> list[report.Judged]:
    """What the pictures show: the eight and ours, of the first seed, the best on validation lattices first."""
    shown = [found[words] for words in (*EIGHT.values(), *(f"{model} seed:0" for model in MODELS)) if words in found]
    judged = [report.Judged(one.training.settings.model, one.scores, one.training, one.seconds) for one in shown]
    return sorted(judged, key=lambda one: one.validation)


def larger(side: int, number: int, part: str) -> Lattices:
    """Lattices of another size, all of chains of their own, at every other beta of the study."""
    lattice, betas = Lattice(side, side), betas_to(MOST_BETA, 0.1)
    grids = np.concatenate([draw(Plan(lattice, (beta,), number, part=part), beta) for beta in betas])
    return Lattices(grids, np.repeat(betas, number), lattice.energies(grids), None)


def transfer_rows(one: Found) -> list[dict]:
    """A training of 8 x 8 on larger lattices: as it is, where it can be, and after a few samples there."""
    rows, settings = [], one.training.settings
    for side in SIDES:
        few, test = larger(side, FEW, "train"), larger(side, FEW_TEST, "test")
        spread, name = float(test.energies.std()), f"{one.words} on {side} x {side}"
        rows.append(row(f"{name}: the mean", spread, None, "lower", "J, centred"))
        model = transfer.enlarged(one.training, side)
        if settings.model == "shifts":
            found = scores.score(model, test)
            rows.append(row(f"{name}, as it is", found.centred, None, "lower", "J, centred", spread))
            rows.append(row(f"{name}, as it is", found.raw, None, "lower", "J", spread))
        order = Lattice(side, side).snake()
        samples, start = few.grids.reshape(len(few.grids), -1)[:, order, None], time.process_time()
        fresh = settings.model == "places"  # its places have not learned yet; the other one is right already
        rate = 1e-2 if fresh else 1e-4
        transfer.tuned(model, samples, few.energies, steps=STEPS, rate=rate, places_only=fresh, seed=0)
        found, took = scores.score(model, test), time.process_time() - start
        rows.append(row(f"{name}, {len(samples)} samples there", found.centred, None, "lower", "J, centred", spread))
        rows.append(row(f"{name}, {len(samples)} samples there: training", took, None, "lower", "s of the processor"))
    return rows


def baseline_rows(training, sets: dict) -> list[dict]:
    """Baselines, each from 5000 lattices, on 10 000 of each set."""
    found = {one.name: one.scores for one in report.baselines(training, sets)}
    mean: Score = found["mean"][SOURCE]
    return [
        row(
            f"{name}, {group}: {what}",
            getattr(each, what),
            None,
            "lower",
            "J",
            mean.centred if group == SOURCE else None,
        )
        for name, by_set in found.items()
        for group, each in by_set.items()
        for what in ("centred", "raw")
    ]


def found_in(folder: Path, sets: dict, trainings, recurrent: int | None, *, finished: bool) -> dict[str, Found]:
    """Words -> training, judged; `recurrent`: how many lattices of each set, evenly, recurrent networks are judged by.

    Of `trainings` those that are `finished`, or all, which are trained then. Raises ValueError, in one line, where
    there is none.
    """
    there = [words for words in trainings if (place_of(folder, words) / "scores.json").exists()]
    few, slow = {name: report.some_of(lattices, recurrent) for name, lattices in sets.items()}, tuple(EIGHT.values())
    names = train_all(folder, there if finished else trainings)
    found = {words: Found(folder, words, few if words.startswith(slow) else sets) for words in names}
    if not found:
        raise ValueError(f"{folder}: expected finished trainings, found none; without --finished they are trained")
    return found


def main(argv=None):
    parser = Parser(description="Every model of the energy of Ising lattices on the fixed test sets.")
    parser.add_argument("--folder", default="ising_energy", help="files and trainings go, or are, there")
    parser.add_argument("--finished", action="store_true", help="judge the trainings that are there, train none")
    parser.add_argument(
        "--seeds", nargs="*", type=int, default=SEEDS[:1], help=f"of every model; ours have {SEEDS} too"
    )
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    parser.add_argument("--recurrent", type=int, metavar="N", help="of each set, judge recurrent networks by N; or all")
    parser.add_argument("--without", nargs="*", choices=PARTS, default=[], help="parts that are left out")
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the pictures of the card there")
    arguments = parser.parse_args(argv)
    folder = Path(arguments.folder)
    path = make_store(folder)
    sets = scores.fixed_sets(path)
    found = found_in(folder, sets, trainings_with(arguments.seeds), arguments.recurrent, finished=arguments.finished)
    ours = [one for words, one in found.items() if words.startswith(MODELS)] or list(found.values())
    best = min(ours, key=lambda one: min(one.training.history["val_loss"]))  # the sets that judge it do not choose it
    rows = [each for one in found.values() for each in rows_of(one)]
    rows += by_beta(best) + seed_rows(found) + twin_rows(found) + extension_rows(found) + size_rows(found)
    for one in (found.get(f"{model} seed:0") for model in MODELS):
        if one and "transfer" not in arguments.without:
            rows += transfer_rows(one)
    if "baselines" not in arguments.without:
        rows += baseline_rows(read(path), sets)
    publish(rows, arguments.json)
    if arguments.pictures:
        report.save_pictures(report.Findings(sets, drawn_of(found), []), Path(arguments.pictures))


if __name__ == "__main__":
    sys.exit(run(main))
