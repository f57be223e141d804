"""The task of a forecast: free-running from the first window of a run, fed with its own predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim2seq.data.clock import uneven_step
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.windows import Columns
from sim2seq.evaluation.baselines import BASELINES, FROM_INPUTS, ONE_STEP, Told, held_to_the_end
from sim2seq.evaluation.measures import scale_of
from sim2seq.models.candidates.combination import Combination
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import rollout
from sim2seq.training.settings import COMBINED
from sim2seq.training.task import NUMBERS, TOGETHER, Layout, Task, in_pieces, some


@dataclass(frozen=True)
class Forecast(Task):
    """The next step of each feature, then free-running from the first window of a run.

    controls   features that are known for the future too and are not forecast; what stands in a step's row holds when
               that step is reached. None named here: those that the settings name
    """

    controls: tuple[str, ...] = ()
    kind: ClassVar[str] = "forecast"
    position: ClassVar[str] = "steps ahead"

    def layout(self, ensemble: Ensemble, settings) -> Layout:
        controls = self.controls or settings.controls
        steered, names = ensemble.places(controls), [name for name in ensemble.features if name not in controls]
        if not names:
            raise ValueError(f"controls: {', '.join(controls)} are all features, nothing is left to forecast")
        places = tuple(ensemble.places(names))
        columns = Columns(places, places, tuple(steered)) if controls else Columns()
        units = ensemble.units_of(names)
        return Layout(
            tuple(names), tuple(names), units, columns, self.sizes(ensemble, settings, names, names, controls)
        )

    def checked(self, ensemble: Ensemble) -> Ensemble:
        """The runs. Raises ValueError, naming one, for steps that are not evenly apart: a model knows one clock."""
        times = ensemble.times
        if (step := uneven_step(times)) is not None:
            run, usual = ensemble.run_ids[int(np.argmax(ensemble.lengths))], np.median(np.diff(times))
            got = f"got {usual:.6g} apart, and step {step} at {times[step]:.6g}, after {times[step - 1]:.6g}"
            raise ValueError(f"run {run}: a forecast expects even steps; {got}: resample, such as {usual:.3g}")
        return ensemble

    def positions(self, part: Ensemble, settings) -> list[float]:
        return list(range(1, 1 + self.positions_of(part, settings)))

    def truth(self, part: Ensemble, settings) -> np.ndarray:
        """(runs, steps - window, features), nan beyond the end of a run."""
        return self.split(part, settings)[0][:, settings.window :]

    def split(self, part: Ensemble, settings) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and controls of whole runs, (runs, steps, ...), nan beyond their end; None without controls."""
        layout, values = self.layout(part, settings), part.series()
        controls = list(layout.columns.controls)
        if not controls:
            return values, None
        return values[..., part.places(layout.outputs)], held_to_the_end(values[..., controls])

    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        """Rollout of each model after the first window of each run: (models, runs, steps - window, features).

        Of a combination its own three (models.combination).
        """
        features, controls = self.split(part, settings)
        context, steps = features[:, : settings.window], part.steps - settings.window
        told = {"conditions": part.inputs_of_runs(settings.inputs), "controls": controls}
        return forecasts(models, context, steps, **told, jit=settings.compiles)

    def one_step(self, models, part: Ensemble, settings) -> np.ndarray | None:
        if isinstance(models, Combination):  # its candidates know the step that they forecast
            return None
        features, controls = self.split(part, settings)
        conditions, features = part.inputs_of_runs(settings.inputs), held_to_the_end(features)

        def predict(runs: slice) -> np.ndarray:
            told = {"conditions": some(conditions, runs), "controls": some(controls, runs)}
            each = [one_step(model, features[runs], settings.window, **told) for model in models]
            return np.median(each, axis=0)

        return in_pieces(part.runs, min(TOGETHER, 1 + NUMBERS // features[0].size), predict)

    def told(self, part: Ensemble, settings, steps: int, *, values: bool = False) -> Told:
        """What a baseline is told of the runs: as the models, conditions, and the controls up to `steps`.

        With `values` also the whole runs, to learn from, and what the score counts their features in.
        """
        features, controls = self.split(part, settings)
        conditions = part.inputs_of_runs(settings.inputs)
        flat = [each for each in (conditions, None if controls is None else controls[:, :steps]) if each is not None]
        numbers = np.concatenate([each.reshape(part.runs, -1) for each in flat], axis=1) if flat else None
        if not values:
            return Told(numbers, inputs=len(settings.inputs))
        scale = scale_of(self.layout(part, settings).units, features[:, settings.window :], self.measure)
        return Told(numbers, features, len(settings.inputs), scale)

    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping[str, Callable]) -> dict:
        """Name -> prediction of each baseline; `more` are the study's own, of the form of evaluation.baselines."""
        context, steps = self.split(part, settings)[0][:, : settings.window], part.steps - settings.window
        learned = self.told(training, settings, part.steps, values=True)
        told = self.told(part, settings, part.steps)
        return {
            name: baseline(learned, context, steps, told)
            for name, baseline in {**(BASELINES if settings.window else FROM_INPUTS), **more}.items()
            if not (name == "constant velocity" and settings.window < 2)
        }

    def one_step_baselines(self, part: Ensemble, settings) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        if settings.model == COMBINED:
            return {}
        values, least = self.split(part, settings)[0], min(settings.window, 2)
        view = np.lib.stride_tricks.sliding_window_view(values, least + 1, axis=1)[:, settings.window - least :]
        samples = np.moveaxis(view, -1, 2).reshape(-1, least + 1, values.shape[2])
        contexts, truth = samples[:, :-1], samples[:, -1:]
        names = [name for name in ONE_STEP if not (name == "constant velocity" and least < 2)]
        return {name: (BASELINES[name](Told(), contexts, 1, Told()), truth) for name in names}


def forecasts(models, context, steps: int, *, conditions=None, controls=None, jit=True) -> np.ndarray:
    """What each member forecasts, or the three of a combination: (members, runs, steps, features), physical units."""
    told = {"conditions": conditions, "controls": controls}
    if isinstance(models, Combination):
        return models.forecasts(context, steps, **told)
    return np.stack([rollout(model, context, steps, **told, jit=jit) for model in models])
