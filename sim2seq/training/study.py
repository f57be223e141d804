"""A study as one object: what it reads, its task, its models, its baselines, what only it draws or judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sim2seq.data.ensemble import Ensemble
from sim2seq.models.builders import MODELS
from sim2seq.training.forecast import Forecast
from sim2seq.training.settings import Settings
from sim2seq.training.task import Task


@dataclass(frozen=True)
class Study:
    """What a study supplies; the frame does the rest.

    name       of the study, as in its folder
    title      of its report
    settings   a class of settings with recipes, of which "debug" goes through everything in seconds
    task       Forecast, PerStep, PerRun or NextSymbol
    read       path of the store -> Ensemble; None: store.load
    choose     (Ensemble, settings) -> Ensemble: the runs, of those read, that these settings learn from; None: all
    split      (Ensemble, settings) -> Split: which runs are learned from, chosen by and judged on, where the system
               itself says so; None: what the settings say
    models     name -> builder (models/builders.py), beside the package's own, each to be taken alone: `combined` has
               candidates of its own. steppers: name -> how it steps in a rollout (models/rollout.py), for those that
               are rolled out and do not step by themselves
    baselines  name -> function (evaluation/baselines.py), beside the package's own
    augment    (samples (samples, steps, features), generator) -> samples that are as true, to learn from; not for
               `combined`, which refuses it
    scaled     False: a model alone is given physical units
    judge      (Training, Ensemble) -> name -> number: what only this study measures, such as a game that is played;
               trainings are ranked by the first one, lower is better. It never looks at test runs
    shown      Ensemble -> Ensemble: the runs as reports show them, where predictions are of other features than those
               that are read; None: as read
    figures    (Training, Ensemble) -> name -> (figure, caption): what only this study draws
    checks     (Training, Ensemble) -> rows for the report: laws that the predictions of the test runs must obey
    needs      names of the inputs that each run must have, for `read`, `checks` and so on; looked for at the start
    """

    name: str
    title: str = ""
    settings: type[Settings] = Settings
    task: Task = field(default_factory=Forecast)
    read: Callable[[str], Ensemble] | None = None
    choose: Callable | None = None
    split: Callable | None = None
    models: Mapping[str, Callable] = field(default_factory=dict)
    steppers: Mapping[str, Callable] = field(default_factory=dict)
    baselines: Mapping[str, Callable] = field(default_factory=dict)
    augment: Callable | None = None
    scaled: bool = True
    judge: Callable | None = None
    shown: Callable[[Ensemble], Ensemble] | None = None
    figures: Callable | None = None
    checks: Callable | None = None
    needs: tuple[str, ...] = ()

    def __post_init__(self):
        if "debug" not in self.settings.recipes:
            raise ValueError(f"study {self.name}: expected settings with a recipe named debug")

    def builder(self, name: str) -> Callable:
        """The builder of the model `name`."""
        return {**MODELS, **self.models}[name]


FORECAST = Study("forecast", title="sim2seq: study report")
