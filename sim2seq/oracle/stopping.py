"""Stopping: is a run worth finishing? One rule, for whoever asks: a pruner, a callback, a search, a simulation.

    oracle = Oracle.load("training")                             # of a target per run
    goal, rule = Goal({"loss_final": 1.0}), Rule()
    decision = rule.decide(oracle.ask(series, inputs), goal, finished=[0.41, 0.38, ...], runs=20)

The rule. A run is worth its time while it may still be among the best. The bar is the best of the runs so far, or, with
`share` above 0, the worst of the best share of them; several goals at once have a front for a bar. The oracle's
interval gives a chance to get below the bar: errors are taken as normal, with the interval as their middle, and as
independent from goal to goal; where goal and bar are above 0, as factors: a run that is foretold half as much is known
twice as well. A run is ended when that chance is below `chance`; while few runs have finished, none is. Nor is one that
the oracle has not learned about, until the whole runs beside it have come out as was foretold.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist

import numpy as np

from sim2seq import surrogate
from sim2seq.data import curves, stretches
from sim2seq.oracle.goals import Answer, Goal
from sim2seq.surrogate import Surrogate

GO_ON, STOP, NOT_SURE = "go on", "stop", "not sure"
PER_RUN = "target per run"
Held = Sequence[Sequence[bool]]


@dataclass(frozen=True)
class Decision:
    """GO_ON, STOP or NOT_SURE, why, in a line, and what that rests on.

    middle, half   of the goals' intervals, (goals,); chance that the run gets below the bar; bar (points, goals)
    """

    word: str
    reason: str
    middle: tuple[float, ...] = ()
    half: tuple[float, ...] = ()
    chance: float = math.nan
    bar: tuple = ()

    @property
    def stop(self) -> bool:
        return self.word == STOP

    def holds(self, goal: float) -> bool:
        """Whether the one goal of the run came to lie within its interval."""
        return abs(goal - self.middle[0]) <= self.half[0]


@dataclass(frozen=True)
class Rule:
    """When a run is worth finishing; see the top of this file.

    chance   a run is ended when its chance to get below the bar is less
    share    of the runs so far whose worst is the bar; 0: the best run alone
    begin    whole runs before any is ended; before doubts are set aside, of which answers are known
    bold     ask of what lies outside the training runs as of any other, from the beginning
    """

    chance: float = 0.05
    share: float = 0.0
    begin: int = 5
    bold: bool = False

    def __post_init__(self):
        for name, fits, expected in (
            ("chance", 0 < self.chance < 0.5, "above 0 and below 0.5"),
            ("share", 0 <= self.share < 1, "from 0 to below 1"),
            ("begin", self.begin >= 1, "1 or more"),
        ):
            if not fits:
                raise ValueError(f"{name} {getattr(self, name)}: expected a number {expected}")

    def bar(self, finished: Sequence[float], runs: int) -> float:
        """What a run has to get below: goals of whole runs, and how many have run, the ended ones too."""
        place = max(1, math.ceil(self.share * runs))
        return sorted(finished)[place - 1] if len(finished) >= max(place, self.begin) else math.inf

    def decide(
        self, answer: Answer, goal: Goal, finished: Sequence[float], runs: int | None = None, held: Held = ()
    ) -> Decision:
        """Whether the run of this answer is worth finishing, after these goals of whole runs; `runs` with the ended.

        held   of whole runs like this one: whether the goal lay within each interval that was foretold of it
        """
        middle, half = goal.foretold(answer)
        if len(finished) < self.begin:
            reason = f"{len(finished)} runs have finished; none is ended before {self.begin}"
            return Decision(GO_ON, reason, (middle,), (half,))
        bar = self.bar(finished, len(finished) if runs is None else runs)
        trusted = self.trusts(held, answer.level)
        return self.compare(np.array([middle]), np.array([half]), [[bar]], answer, trusted=trusted)

    def trusts(self, held: Held, level: float) -> bool:
        """Whether whole runs came out as was foretold: no more answers are wrong than twice those of such a band."""
        answers = [each for run in held for each in run]
        return len(held) >= self.begin and answers.count(False) <= 2 * (1 - level) * len(answers)

    def compare(self, middle, half, bar, answer: Answer, *, trusted: bool = False) -> Decision:
        """Whether goals of (goals,) middle and half-width may get below a bar (points, goals), in at least one of the
        goals for every point."""
        chance = chance_below(middle, half, bar, answer.level)
        of = tuple(map(float, middle)), tuple(map(float, half)), chance, tuple(map(tuple, np.asarray(bar).tolist()))
        interval = ", ".join(f"{m:.4g} ({m - h:.4g} to {m + h:.4g})" for m, h in zip(middle, half, strict=True))
        points = np.asarray(bar)
        said = (
            f"{interval} against {points[0, 0]:.4g}" if points.shape == (1, 1) else f"{interval} against {len(points)}"
        )
        said += f": a chance of {chance:.2g}"
        if answer.doubts and not (self.bold or trusted):
            return Decision(NOT_SURE, f"{answer.doubts[0]}; {said}", *of)
        if chance < self.chance:
            return Decision(STOP, f"{said}, less than {self.chance:g}", *of)
        return Decision(GO_ON if chance >= 0.5 else NOT_SURE, said, *of)


def chance_below(middle, half, bar, level: float) -> float:
    """The least chance, over the points of a bar (points, goals), to get below a point in at least one goal.

    middle and half-width (goals,) are of intervals that hold a share `level`; one that is not finite says nothing.
    """
    spread = np.asarray(half, dtype=float) / NormalDist().inv_cdf((1 + level) / 2)
    below = np.array([[normal_below(*each) for each in zip(point, middle, spread, strict=True)] for point in bar])
    return float((1 - np.prod(1 - below, axis=1)).min())


def normal_below(limit: float, middle: float, spread: float) -> float:
    """The chance of a number to be below a limit: normal, or, where both are above 0, its logarithm."""
    if not math.isfinite(spread) or limit == math.inf:
        return 1.0
    if spread == 0:
        return float(middle < limit)
    by_factor = limit > 0 and middle > 0
    away = math.log(middle / limit) / math.log1p(spread / middle) if by_factor else (middle - limit) / spread
    return 0.5 * math.erfc(away / math.sqrt(2))


@dataclass(frozen=True)
class Oracle:
    """A finished training of a target per run, asked while a run is under way; all its members in one compiled step."""

    surrogate: Surrogate
    _known: dict = field(default_factory=dict, repr=False)  # of the run that was asked about last

    @classmethod
    def load(cls, folder) -> Oracle:
        """The oracle in the folder of a training. Raises ValueError, in one line, for one of another kind."""
        found = surrogate.load(folder)
        if not isinstance(found, Surrogate) or found.scores.task != PER_RUN:
            raise ValueError(f"{found.folder}: expected a training of a {PER_RUN}; got one of a {found.scores.task}")
        return cls(found)

    @property
    def features(self) -> tuple[str, ...]:
        return self.surrogate.features

    @property
    def inputs(self) -> tuple[str, ...]:
        """What has to be told of a run; until which point it is asked about is no fact of it."""
        return tuple(name for name in self.surrogate.inputs if name != stretches.UNTIL)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.surrogate.outputs

    @cached_property
    def together(self):
        """All members as one function of padded series, or None where one of them has to be asked alone."""
        from sim2seq.oracle.together import together

        return together(self.surrogate.models, self.surrogate.window)

    @cached_property
    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """(features,) each: between these, nothing is far from what the training runs had."""
        low, high = np.array(list(self.surrogate.scores.first_window.values())).T
        return low - surrogate.FAR * (high - low), high + surrogate.FAR * (high - low)

    @cached_property
    def possible(self) -> tuple[np.ndarray, np.ndarray]:
        """(outputs,) each: least and most of an end: 0 where training saw nothing below it, 1 of shares."""
        names, seen = [name.removesuffix("_final") for name in self.outputs], self.surrogate.scores.first_window
        least, most = np.array([curves.limits(name) for name in names]).T
        return np.where([seen.get(name, (-1.0,))[0] >= 0 for name in names], 0.0, least), most

    @property
    def of_stretches(self) -> bool:
        """Whether it has learned what stands at later points, too (data/stretches.py)."""
        return stretches.UNTIL in self.surrogate.inputs

    def later(self, series, inputs: Mapping[str, float] | None = None) -> dict[float, Answer]:
        """What will stand at later points, share of the run -> Answer, of those that it has learned; {} for none."""
        points = stretches.later(series, self.features) if self.of_stretches else []
        return {point: self.ask(series, inputs, until=point) for point in points}

    def ask(self, series, inputs: Mapping[str, float] | None = None, *, until: float = 1.0) -> Answer:
        """How the run will end whose checkpoints so far are `series` (steps, features), known before it: `inputs`.

        until   1: its end; less: what stands after that share of it, of an oracle of stretches
        Raises ValueError, in one line, as `Surrogate.answer` does, and for more steps than any training run had.
        """
        seen, model = self.checked(series), self.surrogate
        if self.of_stretches:
            seen, inputs = stretches.asked(seen, self.features, inputs, until)
        elif until != 1:
            raise ValueError(f"{model.folder}: expected an oracle that has learned later points; it foretells the end")
        conditions, doubts = self.outside(seen, inputs)
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that are too large for the models are doubted
            bands = self.bands(seen, inputs, conditions)
        middle, low, high = (np.asarray(each).reshape(-1) for each in bands)
        return Answer(self.outputs, middle, low, high, model.band.level, doubts, *self.possible)

    def bands(self, seen: np.ndarray, inputs: Mapping[str, float] | None, conditions: np.ndarray | None):
        """Middle, low and high, of all members at once where they can be asked so."""
        model = self.surrogate
        if self.together is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", surrogate.OutsideTraining)
                return model.answer(seen, inputs=inputs)
        members = np.asarray(self.together(seen, conditions), dtype=float)
        return model.band.around(members[:, None, None], [[model.place(seen)]])

    def doubts_of(self, series, inputs: Mapping[str, float] | None = None) -> tuple[str, ...]:
        """What the run has, so far and before it, that training runs had not: those of the answer, unasked."""
        seen = np.asarray(series, dtype=float)
        if self.of_stretches:
            seen, inputs = stretches.asked(seen, self.features, inputs, 1.0)
        return self.outside(seen, inputs)[1]

    def outside(self, seen, inputs: Mapping[str, float] | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """The inputs as `known` tells them, and with what training runs had not; a curve far from theirs, too."""
        conditions, doubts = self.known(inputs)
        if (seen < self.reach[0]).any() or (seen > self.reach[1]).any():
            doubts = tuple(self.surrogate.doubts(seen[None], conditions))
        return conditions, doubts

    def checked(self, series) -> np.ndarray:
        """The checkpoints of a run, (steps, features). Raises ValueError for what cannot be asked about."""
        seen, model, most = np.asarray(series, dtype=float), self.surrogate, self.surrogate.scores.steps
        if seen.ndim != 2 or seen.shape[1] != len(self.features) or len(seen) < model.window:
            expected = f"{model.window} checkpoints or more of {', '.join(self.features)}"
            raise ValueError(f"expected {expected}; got shape {seen.shape}")
        if len(seen) > most:
            raise ValueError(f"expected up to {most} checkpoints, as the training runs have; got {len(seen)}")
        return model.check_finite(seen[None])[0]

    def known(self, inputs: Mapping[str, float] | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """The inputs of a run as the models are told them, and what training runs had not; looked at once a run."""
        key = tuple((inputs or {}).items())
        if key not in self._known:
            conditions = self.surrogate.check_inputs(inputs, 1)
            usual = np.mean(self.reach, axis=0)[None, None]
            doubts = self.surrogate.doubts(usual, conditions)
            self._known.clear()
            self._known[key] = conditions, tuple(doubts)
        return self._known[key]

    def along(self, values, lengths, inputs: Mapping[str, np.ndarray] | None = None):
        """What `ask` says after each step of runs: middle, low and high, (runs, steps - window + 1, outputs).

        values (runs, steps, features); lengths (runs,): after the end of a run the answers mean nothing; inputs
        name -> (runs,).
        """
        from sim2seq.models.candidates.lookups import held_to_the_end
        from sim2seq.models.one_step import answers

        model, held = self.surrogate, held_to_the_end(np.asarray(values, dtype=float))
        if self.of_stretches:
            held, inputs = stretches.asked(held, self.features, inputs, 1.0)
        conditions = model.check_inputs(inputs, len(held))
        members = [answers(each, held, model.window, conditions=conditions) for each in model.models]
        places = np.zeros((len(held), members[0].shape[1]), dtype=int)
        for run, length in enumerate(lengths):
            for step in range(model.window, length + 1):
                places[run, step - model.window] = model.place(held[run, :step])
        return model.band.around(np.stack(members).astype(float), places)


def loaded(oracle):
    """An oracle itself, or the one in a folder."""
    return Oracle.load(oracle) if isinstance(oracle, (str, os.PathLike)) else oracle
