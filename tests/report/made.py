"""Trainings made by hand: what they predict is the truth and a known error, so every number of a report is known.

No model is made, and none may be asked.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.training.evaluate import evaluate
from sim2seq.training.fit import held_out, split_runs
from sim2seq.training.folder import Training, write_predictions
from sim2seq.training.forecast import Forecast
from sim2seq.training.settings import DEBUG
from sim2seq.training.study import FORECAST
from sim2seq.training.targets import PerRun, PerStep

HISTORY = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
SETTINGS = replace(DEBUG, window=5)


class Silent:
    """A model that nobody may ask."""

    def __getattr__(self, name):
        raise AssertionError(f"a report asks no model; this one was asked for {name!r}")

    def __call__(self, *asked, **options):
        raise AssertionError("a report asks no model; this one was called")


class OffBy:
    """A task whose members err by what stands in their place, a number or an array; `naive`: errors of baselines."""

    naive: ClassVar[dict] = {"near": 1.0, "far": 2.0}

    def predict(self, models, part, settings):
        return np.stack([self.truth(part, settings) + error for error in models])

    def baselines(self, training, part, settings, more):
        return {name: self.truth(part, settings) + error for name, error in self.naive.items()}


@dataclass(frozen=True)
class ForecastOffBy(OffBy, Forecast):
    """A forecast; one step ahead the errors are a tenth, and "far" is not known."""

    def one_step(self, models, part, settings):
        return self.truth(part, settings) + np.median(models, axis=0) / 10

    def one_step_baselines(self, part, settings):
        truth = self.truth(part, settings)
        return {"near": (truth + 0.2, truth)}


@dataclass(frozen=True)
class PerStepOffBy(OffBy, PerStep):
    """A target per step."""


@dataclass(frozen=True)
class PerRunOffBy(OffBy, PerRun):
    """A target per run."""


def noise(runs=20, steps=40, features=2, *, lengths=None, **fields) -> Ensemble:
    """Numbers from -20 to 20, nan from the end of each run on; they are eighths, so half more of them is exact."""
    values = np.random.default_rng(0).integers(-160, 161, size=(runs, steps, features)) / 8
    if lengths is not None:
        lengths = np.asarray(lengths)
        values[np.arange(steps) >= lengths[:, None]] = np.nan
    made = {
        "run_ids": tuple(f"run_{run}" for run in range(runs)),
        "features": tuple(f"f{feature}" for feature in range(features)),
        "times": np.arange(steps) / 20,
        "inputs": {"a": np.linspace(0, 1, runs), "b": np.cos(np.arange(runs)), "fixed": np.ones(runs)},
        "units": {f"f{feature}": "m" for feature in range(features)},
        "results": {"end": np.arange(runs, dtype=float), "half": np.arange(runs) / 2},
    }
    return Ensemble(values=values, lengths=lengths, **(made | fields))


def made(ensemble, folder, errors=(0.5,), *, task=None, settings=SETTINGS, **study) -> Training:
    """A finished training of members that err by `errors`, in `folder`; more fields of its study as options."""
    study = replace(FORECAST, task=task or ForecastOffBy(), **study)
    split = split_runs(ensemble, settings)
    apart = held_out(ensemble, settings, split)
    scores, band, predictions = evaluate(study, errors, ensemble, split, settings, held_out=apart)
    write_predictions(folder / "predictions.npz", predictions)
    known = {"settings": settings, "split": split, "history": HISTORY, "scores": scores, "study": study}
    return Training(folder=folder, models=(Silent(),) * len(errors), band=band, versions={"python": "3.11"}, **known)


TASKS = {  # kind -> a task for noise()
    "forecast": ForecastOffBy(),
    "target per step": PerStepOffBy(inputs=("f0",), outputs=("f1",), ahead=0),
    "target per run": PerRunOffBy(outputs=("end", "half"), at=(0.2, 0.5, 1.0)),
}
