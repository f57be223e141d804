"""Surrogate: a finished training in use, without the training data.

import sim2seq
model = sim2seq.load_surrogate("studies_output/.../lstm-ball-bounce/training")
middle, low, high = model.forecast(window, steps=370)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim2seq.evaluation.conformal import Band
from sim2seq.finished import Finished, find
from sim2seq.symbols import SymbolSurrogate
from sim2seq.training import untrusted

FAR = 0.5  # of its range in training: a value that lies further outside is worth a warning
FORECAST = "forecast"  # Scores.task of what is free-running


class OutsideTraining(UserWarning):
    """A forecast from where nothing was learned: neither it nor its band is vouched for."""


@dataclass(frozen=True, repr=False)
class Surrogate(Finished):
    """The members of a training, their band, and what they expect. The models are read when they are first used."""

    band: Band

    @property
    def members(self) -> int:
        return self.band.members

    @property
    def time_step(self) -> float | None:
        """How far the steps are apart, in scores.time_unit; None for steps that are no time."""
        return self.scores.time_step if self.scores.time_unit else None

    def forecast(
        self, window=None, steps: int | None = None, *, inputs=None, controls=None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The `steps` steps after `window` (None: all that the band is calibrated for): middle, low and high.

        window     (window, features) of one run, or (runs, window, features), true values in physical units; None
                   for a model that forecasts from inputs alone
        inputs     name -> a number, or one a run, for models that are told inputs of the run
        controls   (window + steps, controls), or one for each run, for models under controls: those of every step
        returns    three arrays (steps, features), or (runs, steps, features)

        What would run away only after `steps` counts in a combination: a longer forecast may begin otherwise. Raises
        ValueError, in one line, for another window, other features, unknown or missing inputs, a number that is not
        finite, or more steps than the band is calibrated for. Warns (OutsideTraining) of values that training did not
        see.
        """
        if self.scores.task != FORECAST:
            raise ValueError(f"{self.folder}: this training answers with a {self.scores.task}: use `answer`")
        windows = self.check_window(window) if self.window else self.no_window(window, inputs, controls)
        steps = self.check_steps(steps)
        conditions = self.check_inputs(inputs, len(windows))
        steered = self.check_controls(controls, len(windows), steps)
        self.warn(windows, conditions, steered)

        from sim2seq.training.forecast import forecasts

        with untrusted.one_line(f"{self.folder}: its models give no forecast"):
            told = {"conditions": conditions, "controls": steered}
            members = forecasts(self.models, windows, steps, **told)
        bands = self.band.around(members)
        one = np.ndim(window) == 2 if self.window else self.is_one(inputs, controls)
        return tuple(part[0] for part in bands) if one else bands

    def answer(self, series, *, inputs=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the models say after the steps of `series` that were seen: middle, low and high, (outputs,) each.

        series   (steps, features) of one run, a window or more, true values in physical units; the last step is the
                 latest. For a target of the run the band is that of the share that was seen, as a feature tells, or
                 else of the longest run.
        Raises ValueError, in one line, as `forecast` does.
        """
        if self.scores.task == FORECAST:
            raise ValueError(f"{self.folder}: this training forecasts: use `forecast`")
        seen = self.check_finite(np.asarray(series, dtype=float)[None])
        if seen.ndim != 3 or seen.shape[1] < self.window or seen.shape[2] != len(self.features):
            expected = f"{self.window} steps or more of {', '.join(self.features)}"
            raise ValueError(f"series: expected {expected}; got shape {seen.shape[1:]}")
        conditions = self.check_inputs(inputs, 1)
        self.warn(seen, conditions)

        from sim2seq.models.one_step import answers

        with untrusted.one_line(f"{self.folder}: its models give no answer"):
            said = [answers(model, seen, self.window, conditions=conditions)[:, -1:] for model in self.models]
        return tuple(part[0, -1] for part in self.band.around(np.stack(said), [[self.place(seen[0])]]))

    def place(self, series: np.ndarray) -> int:
        """The position of the band that speaks for an answer after these steps (steps, features)."""
        seen = len(series) / self.scores.steps if self.scores.task == "target per run" else len(series) - 1
        if self.scores.share:
            seen = series[-1, self.features.index(self.scores.share)] + 1e-9
        return max(0, int(np.searchsorted(self.scores.positions[: self.band.steps], seen, side="right")) - 1)

    def is_one(self, inputs, controls) -> bool:
        """Whether inputs and controls are those of one run, and not of a list of runs."""
        return np.ndim(controls) != 3 and all(np.ndim(each) == 0 for each in (inputs or {}).values())

    def no_window(self, window, inputs, controls=None) -> np.ndarray:
        """Runs without a first step, as many as there are inputs or controls, (runs, 0, features); or ValueError."""
        if window is not None and np.size(window):
            raise ValueError(
                f"window: the model forecasts from its inputs alone; got an array of shape {np.shape(window)}"
            )
        sizes = [np.size(each) for each in (inputs or {}).values()]
        runs = len(controls) if controls is not None and np.ndim(controls) == 3 else 1
        return np.zeros((max(runs, *sizes, 1), 0, len(self.features)))

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
        return self.check_finite(windows.reshape(-1, *windows.shape[-2:]))

    def check_finite(self, windows: np.ndarray) -> np.ndarray:
        """`windows` (runs, steps, features), or ValueError that names the first number that is not finite."""
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

    def check_controls(self, controls, runs: int, steps: int) -> np.ndarray | None:
        """The controls as (runs, window + steps, controls), None where the models are told none; or ValueError."""
        names = self.told.controls
        if not names and controls is None:
            return None
        expected = (self.window + steps, len(names))
        got = None if controls is None else np.shape(controls)
        if not names or got is None or got[-2:] != expected or len(got) not in (2, 3):
            what = f"{expected}, the window's steps and those to come, of {', '.join(names)}" if names else "none"
            raise ValueError(f"controls: the model expects {what}; got {'none' if controls is None else got or 'some'}")
        steered = np.asarray(controls, dtype=float)
        if not np.isfinite(steered).all():
            raise ValueError("controls: expected finite numbers")
        return np.broadcast_to(steered, (runs, *expected))

    def warn(self, windows, conditions, controls=None) -> None:
        for doubt in self.doubts(windows, conditions, controls):
            warnings.warn(doubt, OutsideTraining, stacklevel=3)

    def doubts(self, windows, conditions, controls=None) -> list[str]:
        """A line for each input or control outside the range of the training runs, and for each feature far outside.

        The line has the name, the value that lies furthest outside, and the range. Controls of the training runs may
        have been kept in single precision: they are held against the range in that.
        """
        scores, lines = self.scores, []
        units = scores.told_units | dict(zip(scores.features, scores.units, strict=True))

        def beyond(where: str, values, ranges, share=0.0) -> None:
            for name, value in furthest(values, ranges, share=share):
                range_ = f"{between(*ranges[name])} {units.get(name, '')}".rstrip()
                lines.append(f"{name} {value:.7g} is {where} of the training runs, {range_}")

        beyond("outside the range", conditions, {name: scores.inputs[name] for name in self.inputs})
        if controls is not None and scores.controls:
            with np.errstate(over="ignore"):
                ranges = {name: np.asarray(scores.controls[name], "float32").tolist() for name in self.told.controls}
                beyond("outside the range", np.asarray(controls, "float32"), ranges)
        beyond("far from the windows", windows, scores.first_window, FAR)
        return [f"{line}: neither forecast nor band is vouched for" for line in lines]


def furthest(values, ranges: Mapping[str, Sequence[float]], *, share: float = 0.0) -> list[tuple[str, float]]:
    """Of each name whose values, the last axis in order, leave its range by more than a share of it: the furthest.

    Those of all names are looked at at once: an oracle is asked about dozens, in a thousandth of a second.
    """
    if not ranges:
        return []
    low, high = np.array(list(ranges.values()), dtype=float).T
    each = np.reshape(values, (-1, len(ranges)))
    beyond = np.maximum(low - each, each - high)
    places = beyond.argmax(axis=0)
    most = np.take_along_axis(beyond, places[None], axis=0)[0]
    names = list(ranges)
    return [(names[i], float(each[places[i], i])) for i in np.flatnonzero(most > share * (high - low))]


def between(low: float, high: float) -> str:
    return f"{low:.7g} to {high:.7g}"


def load(folder) -> Surrogate | SymbolSurrogate:
    """The surrogate in a training's folder, or in the folder of a study with one training.

    Raises FileNotFoundError when there is no finished training, ValueError when it is unclear or has no band.
    """
    folder = find(Path(folder))
    with untrusted.one_line(f"{folder}: expected scores, settings and band of a training"):
        band, told, scores = untrusted.read_training(folder)
        if band is None:
            return SymbolSurrogate(folder, told, scores)
        return Surrogate(folder, told, scores, band)
