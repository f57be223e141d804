"""Evaluate: the members of a training predict once; of that come scores, band and the predictions that are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.splits import PARTS, Part, Split, groups_apart, select
from sim2seq.data.streaming import extent
from sim2seq.evaluation import conformal
from sim2seq.evaluation.conformal import Band
from sim2seq.evaluation.measures import error, scale_of, scaled
from sim2seq.evaluation.scores import Combined, HeldOut, Scores, errors_of, judge, without_positions
from sim2seq.training.folder import Prediction, digest
from sim2seq.training.settings import Settings
from sim2seq.training.study import Study


def baselines_of(study: Study, parts: dict[str, Ensemble], settings: Settings) -> dict[str, np.ndarray]:
    """Name -> prediction of each baseline for the test part."""
    return study.task.baselines(parts["train"], parts["test"], settings, study.baselines)


def evaluate(
    study: Study,
    models,
    ensemble: Ensemble,
    split: Split,
    settings: Settings,
    *,
    held_out: Part | None = None,
    combined: Combined | None = None,
    validation: np.ndarray | None = None,
    naive: Callable = baselines_of,
) -> tuple[Scores, Band | None, dict[str, Prediction]]:
    """Scores, band (of numbers) and predictions of the members: on each part, beside the baselines on the test part.

    models     the members, whose middle is judged; the band is calibrated on the validation runs
    held_out   runs that belong to no part of the split, scored apart
    combined   what there is to say of the candidates of a combination
    validation   (members, runs, positions, outputs): forecasts of the validation runs that count for the band, where
               those of `models` have seen them
    naive      what asks the baselines: `baselines_of`, or for several trainings one `kept_baselines()`
    Errors are what the task measures: root mean squares in physical units, if not said otherwise. Of a large part some
    runs are scored, and learned from by baselines (scored_runs); runs too short for an answer are left out.
    """
    task = study.task
    whole = {name: task.usable(select(ensemble, getattr(split, name)), settings) for name in PARTS}
    parts = {name: part.some_runs() for name, part in whole.items()}
    layout = task.layout(ensemble, settings)
    predictions = {name: task.predict(models, part, settings) for name, part in parts.items()}
    predictions |= {} if validation is None else {"validation": validation}
    truths = {name: task.truth(part, settings) for name, part in parts.items()}
    baselines = naive(study, parts, settings)
    scale = scale_of(layout.units, truths["train"], task.measure)
    told: dict[str, Any] = {
        "made_of_baselines": combined is not None,
        "groups": groups_apart({name: part.groups for name, part in parts.items()}),
        "measure": task.measure,
        "scale": scale,
    }
    found = judge(predictions, truths, baselines, layout.outputs, **told)
    shown = shown_inputs(ensemble, settings) if held_out else settings.inputs
    controls = getattr(task, "controls", ()) or settings.controls
    scores = Scores(
        task=task.kind,
        position=task.position,
        positions=[float(each) for each in task.positions(parts["test"], settings)],
        features=list(layout.outputs),
        units=list(layout.units),
        steps=ensemble.steps,
        time_step=float(np.diff(ensemble.times).mean()) if ensemble.steps > 1 else 1.0,
        time_unit=ensemble.step_unit,
        window=settings.window,
        members=len(models),
        inputs={name: lowest_and_highest(whole["train"].inputs[name]) for name in shown},
        first_window=ranges(whole["train"], seen_steps(task, ensemble, settings), layout.inputs),
        controls=ranges(whole["train"], ensemble.steps, controls),
        told_units={name: ensemble.units[name] for name in (*shown, *controls) if ensemble.units.get(name)},
        runs={name: part.runs for name, part in whole.items()},
        scored_runs={name: part.runs for name, part in parts.items()},
        skill=found.skill,
        skill_interval=found.skill_interval,
        best_baseline=found.best_baseline,
        errors=found.errors,
        baselines=found.baselines,
        band=found.band_scores,
        one_step=one_step_errors(study, models, parts, settings, layout.outputs, scale),
        one_step_baselines={
            name: without_positions(errors_of(*pair, layout.outputs, scale=scale))
            for name, pair in task.one_step_baselines(parts["test"], settings).items()
        },
        combined=combined,
        share=getattr(task, "share", ""),
        measure=task.measure,
        in_deviations=scale is not None,
        held_out=outside(study, models, ensemble, parts, settings, held_out, predictions["test"], scale)
        if held_out
        else None,
    )
    kept = {name: prediction(parts[name], predictions[name], truths[name], found.band) for name in parts}
    return scores, found.band, kept


def kept_baselines() -> Callable:
    """A `baselines_of` that keeps its last answer: trainings one after the other often differ in the network only."""
    last: dict[tuple, dict] = {}

    def found(study: Study, parts: dict[str, Ensemble], settings: Settings) -> dict[str, np.ndarray]:
        learned = (study.task, settings.window, settings.inputs, settings.controls, *study.baselines.items())
        key = (*learned, *(digest(parts[name], settings.inputs) for name in ("train", "test")))
        if key not in last:
            last.clear()
            last[key] = baselines_of(study, parts, settings)
        return last[key]

    return found


def prediction(part: Ensemble, members: np.ndarray, truth: np.ndarray, band: Band | None) -> Prediction:
    """The middle of the members with its band, which ends where it is not calibrated any more."""
    steps = min(band.steps, truth.shape[1]) if band else 0
    middle = np.where(np.isfinite(truth).any(axis=2, keepdims=True), conformal.middle(members), np.nan)
    low, high = np.full_like(middle, np.nan), np.full_like(middle, np.nan)
    if band:
        _, low[:, :steps], high[:, :steps] = band.around(members[:, :, :steps])
    return Prediction(part.run_ids, middle, low, high, truth)


def one_step_errors(study: Study, models, parts: dict[str, Ensemble], settings, outputs, scale) -> dict:
    """Part -> errors of each step predicted from the truth; empty for a task that is never fed its own predictions."""
    found = {name: study.task.one_step(models, part, settings) for name, part in parts.items()}
    return {
        name: without_positions(errors_of(each, study.task.truth(parts[name], settings), outputs, scale=scale))
        for name, each in found.items()
        if each is not None
    }


def seen_steps(task, ensemble: Ensemble, settings: Settings) -> int:
    """Steps of a run that a model in use may be shown: a window, or of a target of the run all."""
    return ensemble.steps if task.kind == "target per run" else settings.window


def lowest_and_highest(column) -> list[float]:
    return [float(np.min(column)), float(np.max(column))]


def ranges(training: Ensemble, steps: int, names) -> dict[str, list[float]]:
    """Feature -> lowest and highest value in the first steps of any run."""
    if steps == 0 or not names:
        return {}
    lowest, highest = extent(training.values, None if training.uniform else training.lengths)
    places = training.places(names)
    pairs = zip(np.nanmin(lowest[:steps], axis=0), np.nanmax(highest[:steps], axis=0), strict=True)
    both = [[float(low), float(high)] for low, high in pairs]
    return {name: both[place] for name, place in zip(names, places, strict=True)}


def shown_inputs(ensemble: Ensemble, settings: Settings) -> list[str]:
    """Inputs against which errors are shown: those that the models are told, or else all that vary."""
    return list(settings.inputs) or [name for name, column in ensemble.inputs.items() if is_varying(column)]


def outside(study: Study, models, ensemble, parts, settings, held_out: Part, of_members, scale) -> HeldOut:
    """The runs that are held out, and the test runs run by run, to be compared."""
    task, test = study.task, parts["test"]
    apart = task.usable(select(ensemble, held_out), settings).some_runs()
    middle, truth = conformal.middle(task.predict(models, apart, settings)), task.truth(apart, settings)
    naive = task.baselines(parts["train"], apart, settings, study.baselines)
    outputs, shown = task.layout(ensemble, settings).outputs, shown_inputs(ensemble, settings)

    def by_run(prediction, truth):
        return error(scaled(prediction, scale), scaled(truth, scale), task.measure, axis=(1, 2)).tolist()

    return HeldOut(
        runs=len(held_out.runs),
        scored_runs=apart.runs,
        errors={
            name: errors_of(each, truth, outputs, task.measure, scale)
            for name, each in ({"model": middle} | naive).items()
        },
        inputs={name: apart.inputs[name].tolist() for name in shown},
        rmse_by_run=by_run(middle, truth),
        test_inputs={name: test.inputs[name].tolist() for name in shown},
        test_rmse_by_run=by_run(conformal.middle(of_members), task.truth(test, settings)),
    )
