"""Replays of a random search on whole runs that are recorded: what a pruner would have saved, and lost.

A search takes the runs of a table in a random order. At each of REPORTS a run tells its goal, and the pruner says
whether it goes on; it has cost the core seconds that the real run had taken up to there. Optuna's own code decides for
Optuna's pruners, through its own interface; the oracle's answers are those that it gives on these runs, and each one
that is asked for costs what an answer was measured to cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import optuna

from sim2seq.oracle.pruning import OraclePruner, tell
from sim2seq.oracle.stopping import Answer, Oracle, Rule
from studies.oracle import ending, maps

optuna.logging.set_verbosity(optuna.logging.ERROR)

REPORTS = ending.AT  # shares of a run
BEST = 0.05  # share of the runs that nobody wants to lose
GOAL = "goal"


@dataclass(frozen=True)
class Board:
    """The runs of one table as a search sees them.

    goals     (runs, reports): the goal at each of REPORTS; finals (runs,) at the end
    seconds   (runs, reports): core seconds up to each; totals (runs,): of whole runs
    middle, half   (runs, reports): what the oracle says of the final goal
    doubts   of each run, at each of REPORTS: what it had by then that training runs had not
    """

    table: str
    goals: np.ndarray
    finals: np.ndarray
    seconds: np.ndarray
    totals: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    doubts: list[list[tuple[str, ...]]]


@dataclass(frozen=True)
class Outcome:
    """Of one search: share of the time saved, loss of best final goal as a share of it, and share of the best 5 % that
    were ended; asked: how often the oracle was."""

    saved: float
    loss: float
    ended_best: float
    asked: int = 0


def board(recorded, oracle: Oracle) -> Board:
    """The runs of one table (_oracle_runs.Recorded), and what the oracle says of them at each report."""
    rows, spread = np.arange(len(recorded.lengths)), float(recorded.inputs["table_spread"][0])
    progress = recorded.series[..., maps.SERIES.index("progress")]
    steps = np.stack([(progress < share - 1e-9).sum(axis=1) for share in REPORTS], axis=1)  # the first one after it
    goal, last = ending.goal_of(spread), recorded.lengths - 1
    weights = np.array(list(goal.weights.values()))
    values = recorded.series[..., 1:4] @ weights
    known = recorded.known()
    inputs = {name: known[name] for name in oracle.inputs}
    seen = recorded.series[..., ending.places_of(oracle)]
    bands = oracle.along(seen, recorded.lengths, inputs)
    places = steps + 1 - oracle.surrogate.window
    middle, low, high = (np.take_along_axis(each, places[..., None].clip(0), axis=1) for each in bands)
    chosen = [oracle.outputs.index(name) for name in goal.weights]
    half = np.linalg.norm((high - low)[..., chosen] / 2 * weights, axis=2)
    half = np.where(places < 0, np.inf, half)  # fewer steps than the oracle needs
    told = [{name: values[run] for name, values in inputs.items()} for run in rows]
    doubts = [[oracle.doubts_of(seen[run, : step + 1], told[run]) for step in steps[run]] for run in rows]
    return Board(
        str(recorded.table[0]),
        values[rows[:, None], steps],
        values[rows, last],
        recorded.seconds[rows[:, None], steps],
        recorded.seconds[rows, last],
        middle[..., chosen] @ weights,
        half,
        doubts,
    )


@dataclass
class Replayed:
    """An oracle that gives the answers of a Board: to the run that is told as `run`, after so many reports."""

    on: Board
    level: float
    features: tuple = (GOAL,)
    outputs: tuple = (GOAL,)
    inputs: tuple = ("run",)
    surrogate: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(window=1, scores=SimpleNamespace(steps=len(REPORTS)))
    )
    asked: int = 0

    def ask(self, series, inputs) -> Answer:
        self.asked += 1
        run, report = int(inputs["run"]), len(series) - 1
        middle, half = self.on.middle[run, report : report + 1], self.on.half[run, report : report + 1]
        return Answer(self.outputs, middle, middle - half, middle + half, self.level, self.on.doubts[run][report])


def search(on: Board, order: np.ndarray, pruner, name: str) -> tuple[np.ndarray, float]:
    """A random search in this order: at which report each run was ended (runs,), REPORTS' number for whole ones; and
    the core seconds that it took."""
    study, ended = optuna.create_study(study_name=name, pruner=pruner), np.full(len(order), len(REPORTS))
    for run in order:
        trial = study.ask()
        tell(trial, {"run": run})
        for report, value in enumerate(on.goals[run]):
            trial.report(float(value), report + 1)
            if trial.should_prune():
                ended[run] = report
                break
        if ended[run] < len(REPORTS):
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, float(on.finals[run]))
    at = np.minimum(ended, len(REPORTS) - 1)
    seconds = np.where(ended < len(REPORTS), on.seconds[np.arange(len(at)), at], on.totals)
    return ended, float(seconds.sum())


def outcome(on: Board, ended: np.ndarray, seconds: float, asked: int = 0) -> Outcome:
    whole, best = ended == len(REPORTS), np.argsort(on.finals)
    top = best[: max(1, round(BEST * len(best)))]
    found = on.finals[whole].min() if whole.any() else np.inf
    loss = (found - on.finals.min()) / on.finals.min()
    return Outcome(1 - seconds / on.totals.sum(), float(loss), float((~whole[top]).mean()), asked)


def theirs(on: Board, seed: int, make: Callable) -> Outcome:
    """One search with a pruner of Optuna."""
    return outcome(on, *search(on, order_of(on, seed), make(), f"{on.table}_{seed}"))


def ours(on: Board, seed: int, rule: Rule, *, level: float, answer: float) -> Outcome:
    """One search with the oracle; `answer`: core seconds of one answer."""
    oracle = Replayed(on, level)
    ended, seconds = search(on, order_of(on, seed), OraclePruner(oracle, {GOAL: 1.0}, rule=rule), f"{on.table}_{seed}")
    return outcome(on, ended, seconds + answer * oracle.asked, oracle.asked)


def order_of(on: Board, seed: int) -> np.ndarray:
    """The runs of a table in the order of a seed, the same for every pruner."""
    return np.random.default_rng([seed, sum(map(ord, on.table))]).permutation(len(on.finals))
