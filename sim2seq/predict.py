"""Predict: what `sim2seq predict` does: a forecast from a file, as a table and a picture."""

from __future__ import annotations

import csv
import io
import os
import warnings
from pathlib import Path

import numpy as np

from sim2seq._support.config import split_assignment
from sim2seq._support.files import write_text
from sim2seq.data.context import read_context
from sim2seq.surrogate import OutsideTraining, Surrogate, load
from sim2seq.training.untrusted import one_line

PICTURES = (".png", ".pdf", ".svg")


def predict(
    folder, file, *, steps=None, inputs=None, output=None, figure=None, anyway=False, resample=False
) -> tuple[str, list[str]]:
    """Forecast from a file, as `sim2seq predict` does: the table as CSV, and lines on how far to trust it.

    file      of the context, see `read_context`, also for `resample`; `inputs` (name -> number) go over those in it
    output    write the table there; figure: draw the first run there (.png, .pdf or .svg). Both are written after
              everything else has worked, each whole or not at all.
    anyway    forecast although a baseline does as well, which is refused (ValueError) otherwise
    """
    model, figure = load(folder), figure and Path(figure)
    model.check_backend()
    with one_line(f"{model.folder}: expected the scores of a training"):  # somebody else may have made them
        said, beats = trust(model), model.scores.skill > 0
    if not (beats or anyway):
        best = f"its best baseline, {model.scores.best_baseline}, does as well on test runs"
        raise ValueError(f"{model.folder}: {best}: skill {model.scores.skill:.3g}; --anyway forecasts with it")
    if figure and figure.suffix not in PICTURES:
        raise ValueError(f"{figure}: expected a file name that ends in one of {', '.join(PICTURES)}")
    for path in filter(None, (output, figure)):
        if not Path(path).absolute().parent.is_dir():
            raise FileNotFoundError(f"{path}: its folder does not exist")
    context = read_context(Path(file), model, resample=resample)
    inputs, windows = context.inputs | dict(inputs or {}), context.windows
    controls = None
    if context.controls is not None:
        steps = steps or min(model.band.steps, context.controls.shape[1] - model.window)
        controls = context.controls[:, : model.window + steps]
    doubts = model.doubts(windows, model.check_inputs(inputs, len(windows)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTraining)
        bands = model.forecast(windows, steps, inputs=inputs, controls=controls)
    text = table(model, context.runs, bands)
    if figure:
        draw(model, windows[0], [part[0] for part in bands], figure)
    if output:
        write_text(Path(output), text)
    inside = "what this begins with lies in the ranges of the training runs"
    return text, [*said, *(doubts or [inside])]


def trust(model: Surrogate) -> list[str]:
    """What the report says of a model, in lines: its skill, and up to which step to trust it."""
    from sim2seq.report.page import skill_text
    from sim2seq.report.summary import trust_forecast

    scores = model.scores
    low, high = map(skill_text, scores.skill_interval)
    compared = f"against {scores.best_baseline}, on {scores.scored_runs['test']} test runs"
    skill = f"skill {skill_text(scores.skill)} (95 %: {low} to {high}) {compared}"
    units = dict(zip(scores.features, scores.units, strict=True)) | {"time": scores.time_unit}
    named = ", ".join(f"{name} in {unit}" for name, unit in units.items() if unit)
    return [*([named] if named else []), skill, *([trust_forecast(scores, scores.band)] if scores.band else [])]


def named_number(text: str) -> tuple[str, float]:
    """ "name=value" as a pair, or ValueError."""
    try:
        name, value = split_assignment(text)
        return name, float(value)
    except ValueError:
        raise ValueError(f"--inputs {text}: expected NAME=VALUE, with a number") from None


def table(model: Surrogate, runs: list[str], bands) -> str:
    """CSV: run, step and time after the window, and for each feature its middle, low and high."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{name}{end}" for name in model.features for end in ("", "_low", "_high")]
    writer.writerow(["run", "step", "time", *columns])
    values = np.stack(bands, axis=-1).reshape(*bands[0].shape[:2], -1)
    for run, of_run in zip(runs, values.tolist(), strict=True):
        for step, row in enumerate(of_run, start=1):
            writer.writerow([run, step, round(step * model.scores.time_step, 9), *row])
    return text.getvalue()


def draw(model: Surrogate, window, bands, path: Path) -> None:
    """The forecast of one run as a picture, whole or not at all."""
    from sim2seq.report.figures import forecast_with_band

    names = {"features": model.features, "units": model.scores.units, "level": model.band.level}
    times = (model.scores.time_step, model.scores.time_unit)
    temporary = path.with_name(f"unfinished_{path.name}")
    try:
        forecast_with_band(window, *bands, times=times, **names).savefig(temporary, dpi=150)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
