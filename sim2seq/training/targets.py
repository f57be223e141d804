"""The tasks of targets: one a step, or one a run from any part of it, learned from what is seen up to there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.windows import Columns, Scaling, Windows
from sim2seq.evaluation.baselines import TARGET_BASELINES, counted, held_to_the_end
from sim2seq.evaluation.curves import CURVES, ends_of
from sim2seq.evaluation.measures import scale_of
from sim2seq.models.one_step import answers
from sim2seq.training.task import TOGETHER, Layout, Scalings, Task, in_pieces, some

MOST_LEARNED = 20_000  # samples that the baselines learn from


@dataclass(frozen=True)
class PerStep(Task):
    """Some features of each step from others.

    inputs, targets   names of features; ahead 0: from all inputs up to that step; 1: up to the one before
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ahead: int = 1
    kind: ClassVar[str] = "target per step"
    position: ClassVar[str] = "step"

    def layout(self, ensemble: Ensemble, settings) -> Layout:
        inputs, targets = tuple(ensemble.places(self.inputs)), tuple(ensemble.places(self.outputs))
        sizes = self.sizes(ensemble, settings, self.inputs, self.outputs)
        units = ensemble.units_of(self.outputs)
        return Layout(self.inputs, self.outputs, units, Columns(inputs, targets, (), self.ahead), sizes)

    def positions(self, part: Ensemble, settings) -> list[float]:
        first = settings.window - 1 + self.ahead
        return list(range(first, part.steps))

    def truth(self, part: Ensemble, settings) -> np.ndarray:
        """(runs, answers, outputs), nan beyond the end of a run."""
        first = settings.window - 1 + self.ahead
        return part.series().astype(float)[:, first:, part.places(self.outputs)]

    def seen(self, part: Ensemble) -> np.ndarray:
        """The inputs of each step that has an answer after it, (runs, steps - ahead, inputs), without nan."""
        return held_to_the_end(part.series()[:, : part.steps - self.ahead, part.places(self.inputs)])

    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        return answers_of(models, self.seen(part), part, settings)

    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping[str, Callable]) -> dict:
        """Name -> prediction: from the last window; and the target of the step before, where it was seen."""
        queries, truth = self.last_windows(part, settings), self.truth(part, settings)
        inputs, targets = self.last_windows(training, settings), self.truth(training, settings)
        scale = scale_of(part.units_of(self.outputs), targets, self.measure)
        shape, there = truth.shape, np.isfinite(targets).all(axis=2).ravel()
        inputs, targets = inputs.reshape(there.size, -1)[there], targets.reshape(there.size, -1)[there]
        chosen = np.unique(np.linspace(0, len(inputs) - 1, MOST_LEARNED).astype(int))
        flat = queries.reshape(shape[0] * shape[1], -1)
        found = {
            name: baseline(inputs[chosen], targets[chosen], flat).reshape(shape)
            for name, baseline in {**learners(scale), **more}.items()
        }
        before = settings.window - 2 + self.ahead
        if before >= 0:
            held = part.series().astype(float)[:, before:-1, part.places(self.outputs)]
            found["hold"] = held_to_the_end(held)
        return found

    def last_windows(self, part: Ensemble, settings) -> np.ndarray:
        """What was seen last before each answer, and the conditions: (runs, answers, numbers)."""
        seen, steps = self.seen(part), min(settings.window, 10)
        view = np.lib.stride_tricks.sliding_window_view(seen, steps, axis=1)[:, settings.window - steps :]
        view = view.reshape(*view.shape[:2], -1)
        conditions = part.inputs_of_runs(settings.inputs)
        if conditions is None:
            return view
        return np.concatenate([view, np.repeat(conditions[:, None], view.shape[1], axis=1)], axis=2)


@dataclass(frozen=True)
class PerRun(Task):
    """What comes of a run as a whole, from its beginning: a prefix of any length, in training as in use.

    outputs   names of results of the runs, or of their inputs
    inputs    names of features that are seen; none: all
    at        shares of a run after which predictions are judged
    whole     learn from whole runs only, not from every prefix
    share     name of the feature that says which share of the run is done; "": steps of the longest run, in use
    """

    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    at: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
    whole: bool = False
    share: str = ""
    kind: ClassVar[str] = "target per run"
    of_whole_runs: ClassVar[bool] = True
    position: ClassVar[str] = "share of the run that was seen"

    def layout(self, ensemble: Ensemble, settings) -> Layout:
        inputs = self.inputs or ensemble.features
        ensemble.results_of_runs(self.outputs)  # a name that is not there is said here
        sizes = self.sizes(ensemble, settings, inputs, self.outputs)
        columns = Columns(tuple(ensemble.places(inputs)), (), (), 0)
        return Layout(tuple(inputs), self.outputs, ensemble.units_of(self.outputs), columns, sizes)

    def targets(self, parts: list[Ensemble], settings) -> int:
        """All: a sample is a whole run, whose every step from the window on is the end of a prefix."""
        return min(self.positions_of(part, settings) for part in parts)

    def scalings(self, training: Ensemble, settings, *, scaled: bool = True) -> Scalings:
        found = super().scalings(training, settings, scaled=scaled)
        return replace(found, results=Scaling.of(training.results_of_runs(self.outputs), names=self.outputs))

    def windows(self, part: Ensemble, settings, scalings: Scalings, targets: int, **options) -> Windows:
        if scalings.results is None:
            raise ValueError("expected the scaling of what came of the runs; got none")
        of_run = scalings.results.scale(part.results_of_runs(self.outputs))
        return super().windows(part, settings, scalings, targets, of_run=of_run, last_only=self.whole, **options)

    def positions(self, part: Ensemble, settings) -> list[float]:
        return list(self.at)

    def truth(self, part: Ensemble, settings) -> np.ndarray:
        """(runs, shares, outputs): the same at each share."""
        return np.repeat(part.results_of_runs(self.outputs)[:, None], len(self.at), axis=1)

    def seen(self, part: Ensemble) -> np.ndarray:
        """(runs, steps, inputs), without nan."""
        places = part.places(self.inputs or part.features)
        return held_to_the_end(part.series()[..., places])

    def steps_seen(self, part: Ensemble, share: float, settings) -> np.ndarray:
        """How many steps of each run make a share of it, (runs,); at least a window."""
        return np.clip(np.round(share * part.lengths).astype(int), settings.window, part.lengths)

    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        after = answers_of(models, self.seen(part), part, settings)  # (models, runs, prefixes, outputs)
        steps = np.stack([self.steps_seen(part, share, settings) for share in self.at], axis=1)
        return np.take_along_axis(after, (steps - settings.window)[None, ..., None], axis=2)

    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping[str, Callable]) -> dict:
        """Name -> prediction: at each share learned anew, from a summary of the prefix; and of what is a feature too,
        the last value itself and the ends of curves through the prefix.
        """
        targets = training.results_of_runs(self.outputs)
        scale = scale_of(part.units_of(self.outputs), self.truth(training, settings), self.measure)
        pairs = [(self.summary(training, share, settings), self.summary(part, share, settings)) for share in self.at]
        found = {
            name: np.stack([baseline(inputs, targets, queries) for inputs, queries in pairs], axis=1)
            for name, baseline in {**learners(scale), **more}.items()
        }
        named = [name.removesuffix("_final") for name in self.outputs]
        if all(name in part.features for name in named):
            seen = [self.steps_seen(part, share, settings) for share in self.at]
            values = part.series().astype(float)[..., part.places(named)]
            found["last value"] = np.stack([values[np.arange(part.runs), steps - 1] for steps in seen], axis=1)
            for name in CURVES:
                ends = [ends_of(name, values, steps, steps / part.lengths) for steps in seen]
                found[name] = np.stack(ends, axis=1)
        return found

    def summary(self, part: Ensemble, share: float, settings) -> np.ndarray:
        """Last value, mean and mean change of each input over the prefix, its length, and the conditions."""
        seen, steps = self.seen(part), self.steps_seen(part, share, settings)
        there = (np.arange(seen.shape[1]) < steps[:, None])[..., None]
        last = seen[np.arange(part.runs), steps - 1]
        mean = np.where(there, seen, 0).sum(axis=1) / steps[:, None]
        change = (last - seen[:, 0]) / np.maximum(steps - 1, 1)[:, None]
        conditions = part.inputs_of_runs(settings.inputs)
        return np.concatenate(
            [last, mean, change, steps[:, None], *([] if conditions is None else [conditions])], axis=1
        )


def learners(scale: np.ndarray | None) -> dict[str, Callable]:
    """The package's baselines of targets, which they count as the score does (measures.scale_of)."""
    return {name: counted(baseline, scale) for name, baseline in TARGET_BASELINES.items()}


def answers_of(models, seen: np.ndarray, part: Ensemble, settings) -> np.ndarray:
    """The answer of each model after each step of `seen` from the window on: (models, runs, answers, outputs)."""
    conditions = part.inputs_of_runs(settings.inputs)

    def predict(model, runs: slice) -> np.ndarray:
        return answers(model, seen[runs], settings.window, conditions=some(conditions, runs))

    return np.stack([in_pieces(part.runs, TOGETHER, partial(predict, model)) for model in models])
