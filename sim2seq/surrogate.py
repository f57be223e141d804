"""Surrogate: a finished training in use. A forecast with its band, without the training data.

from sim2seq import surrogate
model = surrogate.load("studies_output/.../lstm-ball-bounce/training")
middle, low, high = model.forecast(window, steps=370)
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sim2seq._support.files import write_text
from sim2seq.data.context import read_initial
from sim2seq.evaluation.conformal import Band
from sim2seq.training import untrusted

FAR = 0.5  # of its range in training: a value that lies further outside is worth a warning
PICTURES = (".png", ".pdf", ".svg")


class OutsideTraining(UserWarning):
    """A forecast that is asked for where nothing was learned: neither it nor its band is vouched for."""


@dataclass(frozen=True)
class Surrogate:
    """The members of a training, their band, and what they expect. The models are read at the first forecast.

    inputs   names of the inputs of the run that the models are given; scores as in scores.json
    """

    folder: Path
    band: Band
    inputs: tuple[str, ...]
    scores: dict

    @property
    def window(self) -> int:
        """Steps that a forecast begins with."""
        return self.scores["window"]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.scores["features"])

    @cached_property
    def models(self) -> tuple:
        """The members, Keras models. Raises ValueError when they cannot be read or one is missing."""
        from sim2seq.training.training import load_models  # TensorFlow, which takes seconds

        with untrusted.one_line(f"{self.folder}: cannot read the models"):
            untrusted.check_archives(sorted(self.folder.glob("model*.keras")))
            models = load_models(self.folder)
            for model in models:
                untrusted.check_model(model, self.window, len(self.features), len(self.inputs))
        if len(models) != self.band.members:
            raise ValueError(f"{self.folder}: expected {self.band.members} models, one a member; got {len(models)}")
        return models

    def forecast(self, window, steps: int | None = None, *, inputs=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The `steps` steps after `window` (None: all that the band is calibrated for): middle, low and high.

        window   (window, features) of one run, or (runs, window, features), true values in physical units
        inputs   name -> a number, or one a run, for models that are given inputs of the run
        returns  three arrays (steps, features), or (runs, steps, features)

        Raises ValueError, in one line, for another window, other features, unknown or missing inputs, a number that
        is not finite, or more steps than the band is calibrated for. Warns (OutsideTraining) of values that training
        did not see.
        """
        windows = self.check_window(window)
        steps = self.check_steps(steps)
        given = self.check_inputs(inputs, len(windows))
        for doubt in self.doubts(windows, given):
            warnings.warn(doubt, OutsideTraining, stacklevel=2)

        from sim2seq.models.rollout import closed_loop

        with untrusted.one_line(f"{self.folder}: its models give no forecast"):
            forecasts = [closed_loop(model, windows, steps, inputs=given) for model in self.models]
        bands = self.band.around(forecasts)
        return tuple(part[0] for part in bands) if np.ndim(window) == 2 else bands

    def check_window(self, window) -> np.ndarray:
        """`window` as (runs, window, features), or ValueError."""
        try:
            windows = np.asarray(window, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"window: expected numbers ({error})") from None
        expected = f"a window of {self.window} steps with {len(self.features)} features ({', '.join(self.features)})"
        if windows.ndim not in (2, 3) or len(windows) == 0:
            raise ValueError(f"expected {expected}, or several of them; got an array of shape {windows.shape}")
        if windows.shape[-2:] != (self.window, len(self.features)):
            raise ValueError(f"expected {expected}; got {windows.shape[-2]} steps with {windows.shape[-1]} features")
        windows = windows.reshape(-1, *windows.shape[-2:])
        bad = np.argwhere(~np.isfinite(windows))
        if len(bad):
            run, step, feature = bad[0]
            place = f"run {run + 1}, step {step + 1} of the window, {self.features[feature]}"
            raise ValueError(f"{place}: expected a finite number; got {windows[run, step, feature]}")
        return windows

    def check_steps(self, steps: int | None) -> int:
        """`steps`, or all that the band is calibrated for; or ValueError."""
        if steps is None:
            return self.band.steps
        if not 1 <= steps <= self.band.steps:
            raise ValueError(f"steps: expected 1 to {self.band.steps}, for which the band is calibrated; got {steps}")
        return int(steps)

    def check_inputs(self, inputs, runs: int) -> np.ndarray | None:
        """The inputs as (runs, inputs) in the models' order, None where they are given none; or ValueError."""
        inputs = dict(inputs or {})
        wanted = f"inputs: the model expects {', '.join(self.inputs) or 'none'}"
        unknown = [name for name in inputs if name not in self.inputs]
        if unknown:
            raise ValueError(f"{wanted}; got {', '.join(unknown)}")
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise ValueError(f"{wanted}; missing {', '.join(missing)}")
        columns = []
        for name in self.inputs:
            try:
                column = np.broadcast_to(np.asarray(inputs[name], dtype=float), runs)
            except (TypeError, ValueError):
                raise ValueError(f"input {name}: expected a number, or {runs}, one a run; got {inputs[name]}") from None
            if not np.isfinite(column).all():
                raise ValueError(f"input {name}: expected a finite number; got {column[~np.isfinite(column)][0]}")
            columns.append(column)
        return np.stack(columns, axis=1) if columns else None

    def doubts(self, windows, given) -> list[str]:
        """A line for each input outside the range of the training runs, and for each feature far outside of it."""
        lines = []
        for i, name in enumerate(self.inputs):
            low, high = self.scores["inputs"][name]
            outside = [value for value in given[:, i] if not low <= value <= high]
            if outside:
                lines.append(f"{name} {outside[0]:g} is outside the range of the training runs, {low:g} to {high:g}")
        for i, (name, (low, high)) in enumerate(self.scores.get("first_window", {}).items()):
            far = FAR * (high - low)
            outside = [value for value in windows[..., i].ravel() if not low - far <= value <= high + far]
            if outside:
                lines.append(f"{name} {outside[0]:g} is far from the windows of the training runs, {low:g} to {high:g}")
        return [f"{line}: neither forecast nor band is vouched for" for line in lines]


def load(folder) -> Surrogate:
    """The surrogate in a training's folder, or in the folder of a study with one training.

    Raises FileNotFoundError when there is no finished training, ValueError when it is unclear or has no band.
    """
    folder = find(Path(folder))
    if not (folder / "band.json").exists():
        raise ValueError(f"{folder}: no band.json, this training was made by an older version; train again")
    with untrusted.one_line(f"{folder}: expected scores, settings and band of a training"):
        return Surrogate(folder, *untrusted.read_training(folder))


def find(folder: Path) -> Path:
    """The folder with a finished training: this one, or the only one in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected the folder of a training, it does not exist")
    places = [folder] if (folder / "scores.json").exists() else []
    places = places or [
        path.parent for pattern in ("*", "*/training") for path in folder.glob(f"{pattern}/scores.json")
    ]
    if not places:
        raise FileNotFoundError(f"{folder}: no finished training here (scores.json is missing)")
    if len(places) > 1:
        raise ValueError(f"{folder} holds several trainings, name one of: {', '.join(map(str, sorted(places)))}")
    return places[0]


def predict(folder, initial, *, steps=None, inputs=None, output=None, figure=None) -> tuple[str, list[str]]:
    """Forecast from a file, as `sim2seq predict` does: the table as CSV, and a line for each doubt.

    initial   see `read_initial`; `inputs` (name -> number) go over those in the file
    output    write the table there; figure: draw the first run there (.png, .pdf or .svg). Both are written after
              everything else has worked, each whole or not at all.
    """
    model, figure = load(folder), figure and Path(figure)
    if figure and figure.suffix not in PICTURES:
        raise ValueError(f"{figure}: expected a file name that ends in one of {', '.join(PICTURES)}")
    for path in filter(None, (output, figure)):
        if not Path(path).absolute().parent.is_dir():
            raise FileNotFoundError(f"{path}: its folder does not exist")
    windows, runs, found = read_initial(Path(initial), model)
    inputs = found | dict(inputs or {})
    windows = model.check_window(windows)
    doubts = model.doubts(windows, model.check_inputs(inputs, len(windows)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTraining)
        bands = model.forecast(windows, steps, inputs=inputs)
    text = table(model, runs, bands)
    if figure:
        draw(model, windows[0], [part[0] for part in bands], figure)
    if output:
        write_text(Path(output), text)
    return text, doubts


def named_number(text: str) -> tuple[str, float]:
    """ "name=value" as a pair, or ValueError."""
    name, _, value = text.partition("=")
    try:
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
            writer.writerow([run, step, round(step * model.scores["time_step"], 9), *row])
    return text.getvalue()


def draw(model: Surrogate, window, bands, path: Path) -> None:
    """The forecast of one run as a picture, whole or not at all."""
    from sim2seq.report.figures import forecast_with_band

    names = {"features": model.features, "units": model.scores["units"], "level": model.band.level}
    times = (model.scores["time_step"], model.scores["time_unit"])
    temporary = path.with_name(f"unfinished_{path.name}")
    try:
        forecast_with_band(window, *bands, times=times, **names).savefig(temporary, dpi=150)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
