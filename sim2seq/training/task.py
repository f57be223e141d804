"""Task: what all kinds share. A task says what is learned from runs, how a model is used, and what would be right.

    Forecast    the next step of each feature, then free-running; maybe under controls            forecast.py
    PerStep     some features of each step from others, up to that step or the one before         targets.py
    PerRun      what comes of a run as a whole, from its beginning, however much of it was seen   targets.py
    NextSymbol  the symbol of each step from those before it: the probability of a run            symbols.py

A task turns an Ensemble into samples (`windows`), has finished models answer (`predict`) and says what would have been
right (`truth`), both (runs, positions, outputs), and what needs no model (`baselines`). All else is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.streaming import lazily
from sim2seq.data.windows import Columns, Scaling, Windows
from sim2seq.models.builders import MODELS, Sizes
from sim2seq.models.rollout import is_causal
from sim2seq.training.settings import loss_of

NUMBERS = 5_000_000  # steps times features whose every step is predicted at once: a model makes some dozens of each
TOGETHER = 256  # runs whose every step is predicted at once: a network's states of 1000 runs of 400 steps take 1 GB


@dataclass(frozen=True)
class Layout:
    """Names of what goes in and comes out, and their places in the runs."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    units: tuple[str, ...]
    columns: Columns
    sizes: Sizes


@dataclass(frozen=True)
class Scalings:
    """Scaling of the features of the runs, of the conditions, and of what came of the runs; None for none."""

    series: Scaling
    conditions: Scaling | None = None
    results: Scaling | None = None

    def of_conditions(self, conditions: np.ndarray | None) -> np.ndarray | None:
        """The conditions of runs (runs, conditions), scaled; None of None."""
        if conditions is None or self.conditions is None:
            return None
        return np.asarray(self.conditions.scale(conditions))


@dataclass(frozen=True)
class Task(ABC):
    """What all tasks share; see the subclasses for their fields."""

    kind: ClassVar[str]
    position: ClassVar[str]  # what the positions of a prediction count
    measure: ClassVar[str] = "RMSE"  # what counts as error, a name of evaluation.measures.MEASURES
    of_whole_runs: ClassVar[bool] = False  # whether a run cut in time has in each part what the others are asked for

    @abstractmethod
    def layout(self, ensemble: Ensemble, settings) -> Layout:
        """Names, places and sizes. Raises ValueError for a name that the runs do not have."""

    @abstractmethod
    def positions(self, part: Ensemble, settings) -> list:
        """The numbers of the positions of a prediction."""

    @abstractmethod
    def truth(self, part: Ensemble, settings) -> np.ndarray:
        """What would be right, (runs, positions, outputs), nan beyond the end of a run."""

    @abstractmethod
    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        """What each model says, (models, runs, positions, outputs)."""

    @abstractmethod
    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping[str, Callable]) -> dict:
        """Name -> prediction of each baseline that has learned from `training`; `more` are the study's own."""

    def checked(self, ensemble: Ensemble) -> Ensemble:
        """The runs. Raises ValueError for some that this kind of task cannot be right about."""
        return ensemble

    def sizes(self, ensemble, settings, inputs, outputs, controls=()) -> Sizes:
        ensemble.inputs_of_runs(settings.inputs)  # a name that is not there is said here
        return Sizes(len(inputs), len(outputs), len(controls), len(settings.inputs))

    def usable(self, part: Ensemble, settings) -> Ensemble:
        """The runs of a part that are long enough for one answer."""
        enough = np.flatnonzero(self.long_enough(part, settings))
        return part if len(enough) == part.runs else part.take(enough)

    def long_enough(self, part: Ensemble, settings) -> np.ndarray:
        """Which runs of a part are long enough for one answer, (runs,)."""
        return part.lengths >= settings.window + self.layout(part, settings).columns.ahead

    def too_short(self, part: Ensemble, settings) -> list[str]:
        """The runs of a part that are too short for one answer."""
        return [part.run_ids[place] for place in np.flatnonzero(~self.long_enough(part, settings))]

    def targets(self, parts: list[Ensemble], settings) -> int:
        """How many answers are learned from each sample: as many as the settings say, or as the parts allow."""
        return min(settings.targets, *(self.positions_of(part, settings) for part in parts))

    def positions_of(self, part: Ensemble, settings) -> int:
        """Answers that the longest run of a part allows."""
        return part.steps - settings.window + 1 - self.layout(part, settings).columns.ahead

    def scalings(self, training: Ensemble, settings, *, scaled: bool = True) -> Scalings:
        """Those of the training runs; `scaled` False leaves the series in physical units."""
        lengths = None if training.uniform else training.lengths
        names = training.features
        series = Scaling.of(training.values, lengths, names=names) if scaled else Scaling.none(len(names))
        conditions = training.inputs_of_runs(settings.inputs)
        return Scalings(series, None if conditions is None else Scaling.of(conditions, names=settings.inputs))

    def learned_from(self, training: Ensemble, settings, scalings: Scalings):
        """What a builder is given: the scaled inputs and controls of the training runs, (runs, steps, inputs)."""
        values, columns = scalings.series.scale(lazily(training.values)), self.layout(training, settings).columns
        if columns.inputs is None:
            return values
        places = [*columns.inputs, *columns.controls]
        return values[..., places] if isinstance(values, np.ndarray) else values.pick(places)

    def carries(self, core, targets: int) -> bool:
        """Whether the model that is saved takes a series of any length, and not a window."""
        return targets > 1 and core.lookback is None

    def check_core(self, core, settings, targets: int) -> None:
        """Raise ValueError for a core that would see what it should predict; the package's own do not."""
        if self.carries(core, targets) and settings.model not in MODELS and not is_causal(core):
            raise ValueError(
                f"model {settings.model}: its answer after a step depends on later steps, which it must not see; "
                "train it with targets:1, on a window, or take layers that look back only"
            )

    def loss(self, core, settings):
        """What training makes small."""
        return loss_of(core, settings.loss)

    def windows(self, part: Ensemble, settings, scalings: Scalings, targets: int, **options) -> Windows:
        """The samples of a part, for `model.fit`; options as for data.windows.Windows."""
        return Windows(
            scalings.series.scale(lazily(part.values)),
            settings.window,
            targets=targets,
            columns=self.layout(part, settings).columns,
            conditions=scalings.of_conditions(part.inputs_of_runs(settings.inputs)),
            lengths=part.lengths,
            **options,
        )

    def one_step(self, models, part: Ensemble, settings) -> np.ndarray | None:
        """What is predicted from the truth instead of own predictions; None where there is no difference."""
        return None

    def one_step_baselines(self, part: Ensemble, settings) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> prediction and truth of the baselines for that."""
        return {}


def some(values, runs: slice):
    """Some rows of an array, or None of None."""
    return None if values is None else values[runs]


def in_pieces(runs: int, most: int, predict: Callable[[slice], np.ndarray]) -> np.ndarray:
    """`predict(slice of runs)`, called for at most `most` runs at a time, put together along the runs."""
    return np.concatenate([predict(slice(start, start + most)) for start in range(0, runs, most)])
