"""Predict: what `sim2seq predict` does: a forecast from first steps or from inputs, as a table and a picture."""

from __future__ import annotations

import csv
import io
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim2seq._support import parameters
from sim2seq._support.command import plain
from sim2seq._support.config import split_assignment
from sim2seq._support.files import check_place, write_text
from sim2seq.data import context as reading
from sim2seq.data.context import Context, read_context
from sim2seq.data.foreign.reading import RUNS, first_of, id_of, listed
from sim2seq.surrogate import OutsideTraining, Surrogate, load
from sim2seq.training.untrusted import one_line

PICTURES = (".png", ".pdf", ".svg")


def predict(
    folder, file=None, *, steps=None, inputs=None, output=None, figure=None, anyway=False, resample=False
) -> tuple[str, list[str]]:
    """Forecast as `sim2seq predict` does: the table as CSV, and lines on how far to trust it.

    file      of the context, see `read_context`, also for `resample`; None for a model that forecasts from inputs alone
    inputs    texts NAME=VALUE, or NAME=VALUE,NAME=VALUE, or files of parameters, .json, .yaml or .toml, of which later
              ones go over earlier; or one of a table (`read_inputs`); or name -> number. They go over those in `file`.
              The lines of a table are those of the runs that its column of runs names, each run of the file among
              them; without one they are of all runs in order, or one is of all
    output    write the table there; figure: draw the first run there (.png, .pdf or .svg). Both are written after
              everything else has worked, each whole or not at all.
    anyway    forecast although a baseline does as well, which is refused (ValueError) otherwise
    """
    model, figure = load(folder), figure and Path(figure)
    if not isinstance(model, Surrogate):
        raise ValueError(f"{model.folder}: it gives the probability of symbols, and forecasts nothing")
    model.check_backend()
    with one_line(f"{model.folder}: expected the scores of a training"):  # somebody else may have made them
        said, beats = trust(model), model.scores.skill > 0 or is_best_baseline(model)
    if not (beats or anyway):
        best = f"its best baseline, {model.scores.best_baseline}, does as well on test runs"
        raise ValueError(f"{model.folder}: {best}: skill {model.scores.skill:.3g}; --anyway forecasts with it")
    if figure and figure.suffix not in PICTURES:
        raise ValueError(f"{figure}: expected a file name that ends in one of {', '.join(PICTURES)}")
    for path in filter(None, (output, figure)):
        check_place(path)
    context = context_of(model, file, inputs, resample)
    inputs, windows, controls = context.inputs, context.windows, None
    if context.controls is not None:
        steps = steps or min(model.band.steps, context.controls.shape[1] - model.window)
        controls = context.controls[:, : model.window + steps]
    steered = model.check_controls(controls, len(windows), model.check_steps(steps))
    doubts = model.doubts(windows, model.check_inputs(inputs, len(windows)), steered)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTraining)
        found = model.forecast(windows if model.window else None, steps, inputs=inputs, controls=controls)
    bands = [np.reshape(each, (len(windows), *each.shape[-2:])) for each in found]
    text = table(model, context.runs, bands)
    if figure:
        draw(model, windows[0], [part[0] for part in bands], figure)
    if output:
        write_text(Path(output), text)
    return text, [*said, *looked_at(model, doubts)]


def looked_at(model: Surrogate, doubts: list[str]) -> list[str]:
    """The doubts; or, without any, what lies inside. And what was not looked at, as an older training has no ranges."""
    scores, begun = model.scores, "what this begins with"
    windows = {"the first window": scores.first_window} if model.window else {}
    controls = {"the controls": scores.controls} if model.told.controls else {}
    seen = [begun] if scores.first_window else ["the inputs"] if model.inputs else []
    seen += [name for name, ranges in controls.items() if ranges]
    lie = "lies" if seen == [begun] else "lie"
    inside = [f"{' and '.join(seen)} {lie} in the ranges of the training runs"] if seen else []
    lacking = [name for name, ranges in (windows | controls).items() if not ranges]
    more = [f"of {' and '.join(lacking)} this training keeps no ranges: not looked at"] if lacking else []
    return [*(doubts or inside), *more]


def is_best_baseline(model: Surrogate) -> bool:
    """Whether a combination is nothing but the best baseline: then there is none that does better."""
    from sim2seq.report.summary import only_baseline

    return only_baseline(model.scores) == model.scores.best_baseline


def context_of(model: Surrogate, file, told, resample: bool) -> Context:
    """What a forecast begins with: a file, where the model needs one, and inputs, which go over those in it."""
    if file is None and (model.window or model.told.controls):
        what = f"the first {model.window} steps of a run" if model.window else "the controls of every step"
        raise ValueError(f"--initial FILE: the model expects {what}; got no file")
    if file is not None and not (model.window or model.told.controls):
        raise ValueError(f"--initial {file}: the model forecasts from inputs alone: {', '.join(model.inputs)}")
    inputs, names = told_inputs(model, told)
    if file is None:
        count = max([1, *(np.size(each) for each in inputs.values())])
        names = names or [str(run) for run in range(1, count + 1)]
        return Context(np.zeros((count, 0, len(model.features))), names, inputs)
    context = read_context(Path(file), model, resample=resample)
    inputs = of_runs(context.runs, inputs, names, told[0]) if names else inputs
    return replace(context, inputs=context.inputs | inputs)


def of_runs(runs: list[str], inputs: dict, names: list[str], table: str) -> dict:
    """The inputs of a table whose lines are of the runs `names`, in the order of `runs`. Raises ValueError."""
    from sim2seq.data.foreign.columns import matched  # pandas

    held = {id_of(name): line for line, name in enumerate(names)}
    if len(held) < len(names):
        raise ValueError(f"{table}: expected one line for each run; got {listed(names)}")
    line_of = matched(runs, held)
    if lacking := [run for run in runs if run not in line_of]:
        what = f"no line for run {listed(lacking)}; it has {listed(held)}"
        raise ValueError(f"{table}: {what}: without a column run, its lines are taken in the order of the runs")
    return {name: [column[held[line_of[run]]] for run in runs] for name, column in inputs.items()}


def told_inputs(model: Surrogate, told) -> tuple[dict, list[str]]:
    """Inputs by name, and the names of the runs where a table has a column of them."""
    if told is None or isinstance(told, dict):
        return dict(told or {}), []
    if len(told) == 1 and told[0].endswith(".csv") and "=" not in told[0]:
        return read_inputs(Path(told[0]), model)
    found: dict[str, float] = {}
    for text in told:
        if text.lower().endswith(parameters.SUFFIXES) and ("=" not in text or os.path.isfile(text)):
            found |= inputs_in(text, model)
        else:
            words = [word.strip() for word in text.split(",") if word.strip()]
            found |= dict(named_number(word, "--inputs", "; or a table, .csv, or parameters, .json") for word in words)
    return found, []


def inputs_in(path, model) -> dict[str, float]:
    """The inputs of a run in a file of its parameters (_support/parameters.py), of which others are ignored."""
    values, units = parameters.read(path)
    try:
        reading.check_units({name: units[name] for name in model.inputs if name in units}, model)
        return {name: number(values[name], name) for name in model.inputs if name in values}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_inputs(path: Path, model) -> tuple[dict[str, list[float]], list[str]]:
    """The inputs of runs in a table, .csv with a line a run: name -> (runs,), and the names of the runs.

    The names are in the column that an import takes for that of runs, or in the first one, if it is no input and has
    words; none without one. Other columns that no model is told are ignored. Raises ValueError, in one line, for
    anything else.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file")  # a pipe or a device might never end
    try:
        header, rows = reading.read_columns(path, "run")
        if not rows:
            raise ValueError("expected a line with names and one for each run; got no run")
        names, units = reading.split_units(header, model.inputs)
        reading.check_units({name: units[name] for name in model.inputs if name in units}, model)
        columns = {name: [row[old] for row in rows] for name, old in zip(names, header, strict=True)}
        others = [name for name in names if name not in model.inputs]
        worded = [name for name in others if name == names[0] and not all(map(reading.is_number, columns[name]))]
        run = first_of(others, RUNS) or next(iter(worded), "")
        found = {name: [number(cell, f"run {i}, {name}") for i, cell in enumerate(columns[name], start=1)]
                 for name in model.inputs if name in names}  # fmt: skip
        return found, [cell.strip() for cell in columns[run]] if run else []
    except ValueError as error:
        raise ValueError(f"{path}: {plain(error, reading.LONGEST_REASON)}") from error


def number(text: float | str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: expected a number; got {text!r}") from None


def trust(model: Surrogate) -> list[str]:
    """What the report says of a model, in lines: its skill, and up to which step to trust it."""
    from sim2seq.report.page import interval_text, skill_text
    from sim2seq.report.summary import only_baseline, trust_forecast

    scores = model.scores
    interval = f" ({text})" if (text := interval_text(scores)) else ""
    count = scores.scored_runs["test"]
    compared = f"against {scores.best_baseline}, on {count} test run{'' if count == 1 else 's'}"
    skill = f"skill {skill_text(scores.skill)}{interval} {compared}"
    units = dict(zip(scores.features, scores.units, strict=True)) | scores.told_units | {"time": scores.time_unit}
    named = ", ".join(f"{name} in {unit}" for name, unit in units.items() if unit)
    made = [f"no model beat {alone} here: the forecast is its"] if (alone := only_baseline(scores)) else []
    trusted = [trust_forecast(scores, scores.band)] if scores.band else []
    few = ["its band is calibrated on one validation run"] if scores.scored_runs.get("validation") == 1 else []
    return [*([named] if named else []), skill, *made, *trusted, *few]


def named_number(text: str, option: str = "--inputs", more: str = "") -> tuple[str, float]:
    """ "name=value" as a pair; or ValueError, naming the option whose word it is, and what else that takes."""
    try:
        name, mark, value = text.rpartition("=")  # of a table's column any name: "mass flow", wall-thickness
        name, value = (name.strip(), value) if mark else split_assignment(text)
        return name, float(value)
    except ValueError:
        raise ValueError(f"{option} {text}: expected NAME=VALUE, with a number{more}") from None


def table(model: Surrogate, runs: list[str], bands) -> str:
    """CSV: run, step and time after the window, and for each feature its middle, low and high.

    Without a window it is the time after the first step, which is the first one that is forecast.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{name}{end}" for name in model.features for end in ("", "_low", "_high")]
    writer.writerow(["run", "step", "time", *columns])
    values = np.stack(bands, axis=-1).reshape(*bands[0].shape[:2], -1)
    for run, of_run in zip(runs, values.tolist(), strict=True):
        for step, row in enumerate(of_run, start=1):
            time = (step if model.window else step - 1) * model.scores.time_step
            writer.writerow([run, step, float(f"{time:.12g}"), *row])
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
