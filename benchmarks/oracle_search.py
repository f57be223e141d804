#!/usr/bin/env python
"""The oracle in use: what a search saves with it, what it loses, and what asking costs.

    python benchmarks/_oracle_runs.py runs.npz                   8 test tables, 200 whole runs each: some minutes
    python benchmarks/oracle_search.py TRAINING --runs runs.npz [--json FILE] [--only search] [--picture FILE]
    python benchmarks/oracle_search.py TRAINING --runs validation.npz --choose         rules compared, one a line

answer      core time of one answer, and as a share of the runs that it is asked about
search      random search over 200 configurations on each table, 10 orders: share of the training time saved, loss of
            the best goal, share of the best 5 % that were ended; beside Optuna's pruners on the same runs
evolution   hypervolume of NSGA-II with the oracle against none, at equal core time: --seconds for each search, ten
            seeds on one table

The rule is ending.RULE, chosen on validation tables (`--choose`); TRAINING has seen neither these runs nor, of `search`
and `evolution`, their tables.
"""

import os

if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}

import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import optuna
from _oracle_replay import REPORTS, Outcome, board, ours, theirs
from _oracle_runs import Recorded
from _rows import publish, row

from sim2seq._support.command import Parser, run
from sim2seq.evaluation.intervals import over_seeds
from sim2seq.oracle.stopping import Oracle, Rule
from studies.oracle import ending, evolution, maps, simulate, tables

SAVED, LOSS, WORST_LOSS, ENDED_BEST = 0.65, 0.01, 0.03, 0.02  # goals
ANSWER, SHARE_OF_RUN = 0.002, 0.01  # s; of a run
OF_MEDIAN, OF_SHA, OF_HYPERBAND, OF_WILCOXON = (50.0, 25.0, 75.0, 90.0), (4, 2, 3), (3, 2, 4), (0.1, 0.01)
OTHERS = {  # name -> pruners, Optuna's own settings first
    "MedianPruner": [lambda p=p: optuna.pruners.PercentilePruner(p) for p in OF_MEDIAN],
    "SuccessiveHalving": [lambda f=f: optuna.pruners.SuccessiveHalvingPruner(reduction_factor=f) for f in OF_SHA],
    "Hyperband": [lambda f=f: optuna.pruners.HyperbandPruner(1, len(REPORTS) + 1, f) for f in OF_HYPERBAND],
    "Wilcoxon": [lambda p=p: optuna.pruners.WilcoxonPruner(p_threshold=p) for p in OF_WILCOXON],
}
OURS = "OraclePruner"
CHANCES, SHARES = (0.45, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01), (0.0, 0.05, 0.1)
EVOLUTION_TABLE = "lme4-grouseticks"  # a test table that no search is replayed on


def answer_rows(asked) -> list[dict]:
    """Core time of one answer, and what asking takes of a run."""
    recorded = asked.recorded
    seconds = answer_seconds(asked.oracle, recorded)
    totals = recorded.seconds[np.arange(len(recorded.lengths)), recorded.lengths - 1]
    share = seconds * len(ending.AT) / totals.mean()
    return [
        row("one answer", 1000 * seconds, 1000 * ANSWER, "lower", "core ms"),
        row(f"{len(ending.AT)} answers", 100 * share, 100 * SHARE_OF_RUN, "lower", "% of a mean run"),
        row("mean run", 1000 * totals.mean(), None, "lower", "core ms"),
    ]


def answer_seconds(oracle: Oracle, recorded: Recorded, *, count: int = 200) -> float:
    """Of ten parts of `count` runs, each asked after a share of AT, the least median: other work counts little."""
    places, known, taken = ending.places_of(oracle), recorded.known(), []
    for repeat in range(2):
        for run_ in range(count):
            place = run_ * len(recorded.lengths) // count
            steps = max(oracle.surrogate.window, round(ending.AT[run_ % len(ending.AT)] * recorded.lengths[place]))
            told = {name: known[name][place] for name in oracle.inputs}
            begun = time.process_time()
            oracle.ask(recorded.series[place, :steps][:, places], told)
            if repeat:
                taken.append(time.process_time() - begun)
    return float(np.median(np.reshape(taken, (10, -1)), axis=1).min())


def search_rows(asked) -> list[dict]:
    """The rows of the random search: ours first, then the pruners of Optuna."""
    found = searches(asked)
    mine, rows = found[OURS][0], []
    saved, lost = np.mean([each.saved for each in mine]), [each.loss for each in mine]
    rows.append(row(f"{OURS}: time saved", 100 * saved, 100 * SAVED, "higher", "%"))
    rows.append(row(f"{OURS}: loss, median", 100 * np.median(lost), 100 * LOSS, "lower", "%"))
    rows.append(row(f"{OURS}: loss, 90th percentile", 100 * np.quantile(lost, 0.9), 100 * WORST_LOSS, "lower", "%"))
    ended = np.mean([each.ended_best for each in mine])
    rows.append(row(f"{OURS}: of the best 5 % ended", 100 * ended, 100 * ENDED_BEST, "lower", "%"))
    for name, settings in found.items():
        if name == OURS:
            continue
        lost = [each.loss for each in settings[0]]
        equal = saved_at(found[OURS], np.mean(lost))
        theirs_saved = 100 * np.mean([each.saved for each in settings[0]])
        rows.append(
            row(f"ours, at the mean loss of {name}: time saved", equal, theirs_saved, "higher", "%", theirs_saved)
        )
        rows.append(row(f"{name}: loss, median", 100 * np.median(lost), None, "lower", "%"))
        rows.append(row(f"{name}: loss, 90th percentile", 100 * np.quantile(lost, 0.9), None, "lower", "%"))
        ended = np.mean([each.ended_best for each in settings[0]])
        rows.append(row(f"{name}: of the best 5 % ended", 100 * ended, None, "lower", "%"))
    if asked.picture:
        from studies.oracle.drawing import saved_against_lost

        points = {name: [(summary(each)[0], worst(each)) for each in settings] for name, settings in found.items()}
        saved_against_lost(points).savefig(asked.picture, dpi=120)
    return rows


def searches(asked) -> dict[str, list[list[Outcome]]]:
    """Name -> of each setting the outcomes over tables and seeds; the first setting is the one to be judged."""
    boards, level = boards_of(asked), asked.oracle.surrogate.band.level
    answer, few = answer_seconds(asked.oracle, asked.recorded), range(max(1, asked.seeds // 3))
    rules = [ending.RULE, *(replace(ending.RULE, chance=chance) for chance in CHANCES if chance != ending.RULE.chance)]
    found = {OURS: []}
    for place, rule in enumerate(rules):
        seeds = few if place else range(asked.seeds)
        found[OURS].append([ours(on, seed, rule, level=level, answer=answer) for on in boards for seed in seeds])
        tell(OURS, found[OURS][-1])
    for name, settings in OTHERS.items():
        found[name] = []
        for place, make in enumerate(settings):
            seeds = few if place else range(asked.seeds)
            found[name].append([theirs(on, seed, make) for on in boards for seed in seeds])
            tell(name, found[name][-1])
    return found


def tell(name: str, outcomes: list[Outcome]) -> None:
    """Print the share of the time saved, median and 90th percentile of the loss, share of the best that were ended."""
    lost = [each.loss for each in outcomes]
    ended = np.mean([each.ended_best for each in outcomes])
    numbers = (summary(outcomes)[0], np.median(lost), np.quantile(lost, 0.9), ended)
    print(f"{name}:", " ".join(f"{100 * each:6.2f}" for each in numbers), file=sys.stderr, flush=True)


def boards_of(asked) -> list:
    recorded = asked.recorded
    return [board(recorded.of_table(name), asked.oracle) for name in dict.fromkeys(recorded.table.tolist())]


def summary(outcomes: list[Outcome]) -> tuple[float, float]:
    """Mean share of the time saved, mean loss."""
    return float(np.mean([each.saved for each in outcomes])), float(np.mean([each.loss for each in outcomes]))


def worst(outcomes: list[Outcome]) -> float:
    """The 90th percentile of the loss."""
    return float(np.quantile([each.loss for each in outcomes], 0.9))


def saved_at(settings: list[list[Outcome]], loss: float) -> float | None:
    """The most time saved, in %, by a setting that loses no more than that; None where each loses more."""
    found = [saved for saved, lost in map(summary, settings) if lost <= loss + 1e-12]
    return 100 * max(found) if found else None


def choose(asked) -> None:
    """Print what rules save and lose on these runs: those of validation tables."""
    boards, level = boards_of(asked), asked.oracle.surrogate.band.level
    answer = answer_seconds(asked.oracle, asked.recorded)
    doubtful = np.mean([bool(each) for on in boards for run in on.doubts for each in run])
    print(f"answer {1000 * answer:.2f} core ms; {100 * doubtful:.0f} % of them lie outside the training")
    print("bold share chance: saved, loss median, loss 90 %, best 5 % ended, in %")
    for bold in (False, True):
        for share in SHARES:
            for chance in CHANCES:
                rule = Rule(chance=chance, share=share, bold=bold)
                seeds = range(asked.seeds)
                found = [ours(on, seed, rule, level=level, answer=answer) for on in boards for seed in seeds]
                tell(f"{bold!s:5} {share:5} {chance:6}", found)


def evolution_rows(asked) -> list[dict]:
    """Hypervolume with the oracle as a multiple of that without, at the core time that the one with it took."""
    simulate.warm_up()
    table, ratios, counts = tables.load(EVOLUTION_TABLE), [], []
    warm_oracle(asked.oracle, table)
    for seed in range(asked.seeds):
        with_ = evolution.evolve(table, asked.seconds, seed=seed, oracle=asked.oracle, rule=ending.RULE_OF_FRONT)
        taken = sum(each.seconds for each in with_)
        without = evolution.evolve(table, taken, seed=seed)
        ratios.append(evolution.hypervolume(with_) / evolution.hypervolume(without))
        counts.append((len(with_), sum(each.ended for each in with_), len(without)))
        print(f"seed {seed}: {ratios[-1]:.4f} {counts[-1]}", file=sys.stderr, flush=True)
    low = over_seeds(ratios)[0] if len(ratios) > 1 else np.nan
    evaluated = np.mean(counts, axis=0)
    return [
        row("NSGA-II: hypervolume, with / without", np.mean(ratios), 1.0, "higher", f"mean of {len(ratios)} seeds"),
        row("NSGA-II: lower end of its 95 % interval", low, 1.0, "higher", ""),
        row("NSGA-II: evaluations, with", evaluated[0], None, "higher", "", evaluated[2]),
        row("NSGA-II: of these ended", evaluated[1], None, "higher", ""),
    ]


def warm_oracle(oracle: Oracle, table) -> None:
    """Compile the oracle for every length that a search asks for: a search's time has nothing of it."""
    settings = evolution.settings_of(np.full(len(evolution.GENES), 0.5), table)
    inputs = simulate.inputs_of(table, settings, maps.plan(settings, len(table.values)))
    series = np.full((evolution.CHECKPOINTS, len(oracle.features)), 0.5)
    for steps in range(oracle.surrogate.window, len(series)):
        oracle.ask(series[:steps], ending.told(oracle, inputs))


PARTS = {"answer": answer_rows, "search": search_rows, "evolution": evolution_rows}


def main(argv=None) -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("training", metavar="TRAINING", help="the folder of a finished training of studies/oracle")
    parser.add_argument("--runs", required=True, metavar="FILE", help="of _oracle_runs.py")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="orders of each search")
    parser.add_argument("--seconds", type=float, default=8.0, help="core time of each evolution")
    parser.add_argument("--picture", metavar="FILE", help="time saved against quality lost: .png")
    parser.add_argument("--choose", action="store_true", help="compare rules instead")
    asked = parser.parse_args(argv)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    asked.oracle, asked.recorded = Oracle.load(asked.training), Recorded.load(asked.runs)
    if asked.choose:
        return choose(asked)
    publish([each for name, part in PARTS.items() if asked.only in (None, name) for each in part(asked)], asked.json)


if __name__ == "__main__":
    sys.exit(run(main))
