"""Pruning: an oracle ends the trials of Optuna; for trainings with Keras: ending.py.

    oracle = Oracle.load("training")
    study = optuna.create_study(pruner=OraclePruner(oracle, {"loss_final": 1.0}))

It drops in for MedianPruner: an objective reports its intermediate values with `trial.report(value, step)` and asks
`trial.should_prune()`. An oracle that sees one feature, or progress beside it, needs no more. One that sees several is
told them by `report(trial, values, step)`, and its inputs are the parameters of the trial, or what `tell` was given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sim2seq.data.stretches import PROGRESS
from sim2seq.oracle.stopping import Decision, Goal, Held, Rule, loaded

try:
    import optuna
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise ValueError("OraclePruner needs the package optuna: ./setup.sh oracle where sim2seq was cloned") from error

REPORTED, TOLD = "sim2seq:reported", "sim2seq:told"


def report(trial: optuna.Trial, values: Mapping[str, float], step: int, *, goal: float) -> None:
    """Report the features of a checkpoint, name -> number, and the goal's value there, for every pruner to see."""
    trial.set_user_attr(f"{REPORTED}:{step}", {name: float(value) for name, value in values.items()})
    trial.report(goal, step)


def tell(trial: optuna.Trial, inputs: Mapping[str, float]) -> None:
    """Say what is known of the run before it begins, name -> number; it goes over the trial's parameters."""
    trial.set_user_attr(TOLD, {name: float(value) for name, value in inputs.items()})


class OraclePruner(optuna.pruners.BasePruner):
    """Ends a trial that, as the oracle foretells, will not be worth finishing (stopping.Rule).

    oracle   an Oracle, or the folder of one
    goal     output -> weight: the trial's final value, up to rounding, is their sum
    rule     when a run is worth finishing
    steps    that a whole run reports: tells progress to an oracle that sees it and is not told
    every    ask after every so many reports
    fixed    name -> number: inputs that are the same for all trials

    `said` keeps the Decisions on each trial, by its number: the last one is why it was ended. What lies outside the
    training runs is a reason to go on, until enough whole trials that were asked about here came out as was foretold. A
    trial that has reported what is no number ends; of one with more reports than any training run nothing is said. A
    study that maximizes is refused (ValueError): what an oracle foretells is lower for better runs.
    """

    def __init__(self, oracle, goal: Mapping[str, float], *, rule=None, steps=None, every: int = 1, fixed=None):
        self.oracle = loaded(oracle)
        self.goal, self.rule = Goal(dict(goal)), rule or Rule()
        self.steps, self.every, self.fixed = steps, every, dict(fixed or {})
        self.said: dict[int, list[Decision]] = {}
        if unknown := [name for name in self.goal.weights if name not in self.oracle.outputs]:
            raise ValueError(f"goal: expected some of {', '.join(self.oracle.outputs)}; got {', '.join(unknown)}")

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends here; called by `trial.should_prune()`."""
        if study.direction == optuna.study.StudyDirection.MAXIMIZE:
            raise ValueError("OraclePruner: expected a study that minimizes; got one that maximizes")
        seen, trained = len(trial.intermediate_values), self.oracle.surrogate
        if seen and not math.isfinite(trial.intermediate_values[max(trial.intermediate_values)]):
            return True  # it has diverged
        if not trained.window <= seen <= trained.scores.steps or seen % self.every:
            return False  # of longer trials than it has learned from, an oracle says nothing
        series = self.series(trial)
        if not np.isfinite(series).all():
            return True
        answer, (whole, runs) = self.oracle.ask(series, self.inputs(trial)), whole_of(study)
        held = self.held(whole) if answer.doubts else ()
        decision = self.rule.decide(answer, self.goal, list(whole.values()), runs, held)
        self.said.setdefault(trial.number, []).append(decision)
        return decision.stop

    def held(self, whole: Mapping[int, float]) -> Held:
        """Of the whole trials, number -> final value, that were asked about: whether it lay within each interval."""
        asked = self.said.keys() & whole
        return [[each.holds(whole[number]) for each in self.said[number]] for number in asked]

    def series(self, trial: FrozenTrial) -> np.ndarray:
        """What was reported so far, (steps, features). Raises ValueError, in one line, for a feature that was not."""
        return np.array([self.features(trial, step) for step in sorted(trial.intermediate_values)])

    def features(self, trial: FrozenTrial, step: int) -> list[float]:
        told = dict(trial.user_attrs.get(f"{REPORTED}:{step}", {}))
        if PROGRESS in self.oracle.features and PROGRESS not in told and self.steps:
            told[PROGRESS] = len([each for each in trial.intermediate_values if each <= step]) / self.steps
        others = [name for name in self.oracle.features if name not in told]
        if len(others) == 1 and others != [PROGRESS]:
            told[others[0]] = trial.intermediate_values[step]
        elif others:
            how = f"pass steps= for {PROGRESS}" if others == [PROGRESS] else "use sim2seq.oracle.pruning.report"
            raise ValueError(f"trial {trial.number}, step {step}: the oracle sees {', '.join(others)}, too: {how}")
        return [told[name] for name in self.oracle.features]

    def inputs(self, trial: FrozenTrial) -> dict[str, float]:
        known = {**trial.params, **self.fixed, **trial.user_attrs.get(TOLD, {})}
        return {name: known[name] for name in self.oracle.inputs if name in known}


def whole_of(study: optuna.Study) -> tuple[dict[int, float], int]:
    """Number -> final value of the whole trials, and how many have ended in any way but failure."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    ends = {trial.number: trial.value for trial in done if trial.state == TrialState.COMPLETE}
    return {number: value for number, value in ends.items() if value is not None}, len(done)
