"""Ending: a training of a map asks the oracle on its way, and ends itself where it is not worth finishing.

    watch = Watch(oracle, inputs, decide)
    maps.train(table.values, settings, watch=watch)
    watch.decision, watch.answer

The goal of a map is the source's score, with the error as a share of the table's spread, which is the error of one
neuron: tables can be compared, and lower is better for all three parts.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sim2seq.oracle.stopping import Answer, Decision, Goal, Oracle, Rule
from studies.oracle.maps import SERIES

AT = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)  # shares of a run after which the oracle is asked
PROGRESS = SERIES.index("progress")
RULE = Rule(chance=0.2)  # chosen on validation tables: benchmarks/oracle_search.py --choose
RULE_OF_FRONT = Rule(chance=0.05)
TARGETS = ("mqe_final", "topographic_error_final", "dead_ratio_final")


def goal_of(spread: float) -> Goal:
    """What is to be small for maps on a table with this spread."""
    return Goal(dict(zip(TARGETS, (1 / spread, 1.0, 0.5), strict=True)))


def load(folder) -> Oracle:
    """The oracle of maps in the folder of a training; what it has to be told, `told` checks.

    Raises ValueError, in one line, for an oracle of other runs: before a map is trained that it would be asked about.
    """
    oracle = Oracle.load(folder)
    places_of(oracle)
    if missing := [name for name in TARGETS if name not in oracle.outputs]:
        found = f"expected an oracle of maps, which foretells {', '.join(TARGETS)}; it lacks {', '.join(missing)}"
        raise ValueError(f"{oracle.surrogate.folder}: {found}")
    return oracle


def places_of(oracle: Oracle) -> list[int]:
    """Where the features that the oracle sees stand among SERIES. Raises ValueError for an oracle of other runs."""
    if unknown := [name for name in oracle.features if name not in SERIES]:
        raise ValueError(
            f"{oracle.surrogate.folder}: expected an oracle of {', '.join(SERIES)}; it sees {', '.join(unknown)}"
        )
    return [SERIES.index(name) for name in oracle.features]


def told(oracle: Oracle, inputs: Mapping) -> dict[str, float]:
    """Those of the inputs of a run (simulate.inputs_of) that the oracle is told. Raises ValueError for one missing."""
    if missing := [name for name in oracle.inputs if name not in inputs]:
        raise ValueError(f"{oracle.surrogate.folder}: expected an oracle of maps; it is told {', '.join(missing)}")
    return {name: float(inputs[name]) for name in oracle.inputs}


class Watch:
    """What maps.train calls at each checkpoint: asks the oracle at the first one after each share in AT.

    decide   Answer -> Decision; the run ends where that says stop. answer is the last one, said are all decisions,
             seconds what asking took of one core
    """

    def __init__(self, oracle: Oracle, inputs: Mapping, decide: Callable[[Answer], Decision], *, at=AT):
        self.oracle, self.decide, self.left = oracle, decide, sorted(at)
        self.places, self.inputs = places_of(oracle), told(oracle, inputs)
        self.answer: Answer | None = None
        self.said: list[Decision] = []
        self.seconds = 0.0

    @property
    def decision(self) -> Decision | None:
        """The last one, or None before the first answer."""
        return self.said[-1] if self.said else None

    @property
    def asked(self) -> int:
        return len(self.said)

    def __call__(self, log: np.ndarray, weights) -> bool:
        seen = log[-1, PROGRESS]
        if not self.left or seen < self.left[0] or len(log) < self.oracle.surrogate.window:
            return False
        self.left = [share for share in self.left if share > seen]
        begun = time.process_time()
        self.answer = self.oracle.ask(log[:, self.places], self.inputs)
        self.said.append(self.decide(self.answer))
        self.seconds += time.process_time() - begun
        return self.said[-1].stop


@dataclass
class Judge:
    """Ends runs that come one after the other, each against the runs on its table before it.

    below      what every run has to get below; None: the bar of the rule among the runs so far
    finished   table -> goals of its whole runs; begun: table -> runs
    held       table -> of each of its whole runs whether the goal lay within what was foretold, answer by answer
    """

    oracle: Oracle
    rule: Rule = field(default_factory=lambda: RULE)
    below: float | None = None
    finished: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    begun: Counter = field(default_factory=Counter)
    held: dict[str, list[list[bool]]] = field(default_factory=lambda: defaultdict(list))

    def watch(self, inputs: Mapping) -> Watch:
        """The watch of the next run, of which these inputs are known (simulate.inputs_of)."""
        table, goal = str(inputs["table"]), goal_of(float(inputs["table_spread"]))

        def decide(answer: Answer) -> Decision:
            if self.below is not None:
                goals = (np.array([each]) for each in goal.foretold(answer))
                trusted = self.rule.trusts(self.held[table], answer.level)
                return self.rule.compare(*goals, [[self.below]], answer, trusted=trusted)
            return self.rule.decide(answer, goal, self.finished[table], self.begun[table], self.held[table])

        return Watch(self.oracle, inputs, decide)

    def results(self, inputs: Mapping, results: Mapping[str, float], watch: Watch) -> dict[str, float]:
        """What the store is told of a run beside its results: was it ended, and what was foretold, last.

        `ended_final` is 1 for a run that the oracle ended, whose other results are those of the place where it ended
        (progress_final), and 0 for a whole one.
        """
        table, stopped = str(inputs["table"]), bool(watch.decision and watch.decision.stop)
        self.begun[table] += 1
        if not stopped:
            goal = goal_of(float(inputs["table_spread"])).of(results)
            self.finished[table].append(goal)
            self.held[table].append([each.holds(goal) for each in watch.said])
        answer, found = watch.answer, {"ended_final": int(stopped), "asked_final": watch.asked}
        if answer is not None:
            for name, each in answer.shown().items():
                found |= {f"foretold{part}_{name}": value for part, value in zip(PARTS, each, strict=True)}
        return found


PARTS = ("", "_low", "_high")
