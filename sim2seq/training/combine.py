"""Combine: candidates of different kinds learn side by side within a budget of time, and are weighed.

Cheap candidates come first, in this process; networks learn in processes of their own, two at a time, so that one that
fails, or takes too long, takes nothing with it. What has learned is kept: an interrupted training goes on.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sim2seq._support.files import NOTE, read_json, remove, write_json, write_text
from sim2seq._support.guard import end_with
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Split, select
from sim2seq.models.candidates import candidate, closed_loop, keeping
from sim2seq.models.candidates.candidate import NotForThese
from sim2seq.training.candidates import (
    FOLDER,
    LOOKUPS,
    NETWORK,
    OTHERS,
    Parts,
    parts_of,
    place_of,
    read_data,
    write_data,
)
from sim2seq.training.forecast import Forecast
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST, Study

LAW = 1e-3  # of the increments: the error of one step of a linear part that holds the law; elsewhere 0.04 and more
SHARES = {"stacked_lstm": 0.2, "analogues": 0.05}  # of the budget
SHARE_OF_OTHERS = 0.1  # each of those that learn in this process
LEAST = {NETWORK: 10.0, f"{NETWORK} 2": 30.0, "stacked_lstm": 15.0, "residual_lstm": 20.0}  # seconds, or not at all
SHARE_BESIDE_A_LAW = 0.5  # of the budget: for the stacked LSTM while the network of a law learns
SHARE_OF_END = 0.1  # of the budget: for predictions and scores
ATTENTION = 0.5  # seconds between two looks at a process
NO_TIME = "no time was left for it"
HALF_OF_CORES = max(1, len(os.sched_getaffinity(0)) // 2)
GRACE = 10.0  # seconds after which a process that should have ended is ended, or, where that is more,
SHARE_OF_GRACE = 0.1  # of the budget


@dataclass
class Work:
    """A training of candidates under way."""

    ensemble: Ensemble
    settings: Settings
    split: Split
    study: Study
    folder: Path
    parts: Parts
    end: float
    quiet: bool

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def place(self, name: str) -> Path:
        return place_of(self.folder, name)

    def is_done(self, name: str) -> bool:
        path = self.place(name) / "done.json"
        return path.exists() and read_json(path)["error"] != NO_TIME

    def done(self, name: str, start: float, error: str | None = None) -> None:
        self.place(name).mkdir(parents=True, exist_ok=True)
        write_json(self.place(name) / "done.json", {"seconds": time.monotonic() - start, "error": error})

    def say(self, text: str) -> None:
        """Leave a line that whoever watches the study can show, and print it."""
        line = f"{text}, {max(0, self.left):.0f} s left"
        write_text(self.folder / NOTE, f"{line}\n")
        if not self.quiet:
            print(line, flush=True)


def train(
    ensemble: Ensemble,
    settings: Settings,
    split: Split,
    folder: Path,
    study: Study,
    *,
    judge: Callable,
    quiet: bool = False,
) -> None:
    """Have all candidates learn that have not yet, within the budget of the settings; `candidates.end` is the caller's.

    judge   is called as soon as the first ones can forecast: from then on `folder` holds a training that can be used
    """
    if not isinstance(study.task, Forecast):
        raise ValueError(
            f"model combined: it forecasts, for a {study.task.kind} choose one of: {', '.join(study.models)}"
        )
    end = time.monotonic() + settings.seconds * (1 - SHARE_OF_END)
    work = Work(ensemble, settings, split, study, folder, parts_of(ensemble, settings, split, study.task), end, quiet)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    write_data(ensemble, settings, split, study.task, folder)
    lane = Lane(work, [(NETWORK, 1.0)])
    try:
        cheap(work, LOOKUPS)
        if not (folder / "scores.json").exists():
            judge()
            work.say("a first model can be used")
        if holds_law(work):
            lane.stop()
            lane = Lane(work, [("stacked_lstm", SHARE_BESIDE_A_LAW)])
            other = Lane(work, [("residual_lstm", 1.0)])
        else:
            cheap(work, OTHERS)
            stacked = [("stacked_lstm", SHARES["stacked_lstm"])] if settings.window else []
            other = Lane(work, [*stacked, (f"{NETWORK} 2", 1.0)])
        with contextlib.ExitStack() as ends:
            ends.callback(other.stop)
            while lane.runs() | other.runs():
                time.sleep(ATTENTION)
    finally:
        lane.stop()


def fits_window(name: str, settings: Settings) -> bool:
    """Whether a model that goes on from a window has one that is long enough."""
    from sim2seq.models.builders import LEAST_WINDOW

    return settings.window >= LEAST_WINDOW.get(name, 1)


def cheap(work: Work, table: dict[str, Callable]) -> None:
    """Candidates that learn in this process, one after the other, while a network learns in another one."""
    from threadpoolctl import threadpool_limits

    for name, fit in table.items():
        if work.is_done(name):
            continue
        start, error, seconds = time.monotonic(), None, SHARES.get(name, SHARE_OF_OTHERS) * work.settings.seconds
        try:
            with threadpool_limits(HALF_OF_CORES, user_api="blas"):
                fitted = fit(work.parts.training, work.parts.validation, seconds=seconds, seed=work.settings.seed)
            keeping.save(fitted, work.place(name))
            found = candidate.error_of(fitted, work.parts.validation)
            work.say(f"{name}: {found:.3g} standard deviations on the validation runs")
        except NotForThese:
            continue
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError) as problem:
            error = str(problem) or type(problem).__name__
        work.done(name, start, error)


def holds_law(work: Work, name: str = "residual_lstm") -> bool:
    """Whether residual_lstm is a candidate: in time, and of a system whose law it holds. Without time it is named."""
    if not fits_window(name, work.settings):
        return False
    done = work.is_done(name)
    if work.left < LEAST[name]:
        if not done:
            work.done(name, time.monotonic(), NO_TIME)
        return False
    known = knows_law(work)
    if not known and not done:
        remove(work.place(name))  # of an earlier try that had no time
    return known


def knows_law(work: Work) -> bool:
    """Whether the linear part of residual_lstm predicts a step almost exactly: a law that it holds."""
    from sim2seq.training.fit import build

    settings = replace(work.settings, model="residual_lstm")
    training = work.study.task.usable(select(work.ensemble, work.split.train), settings).some_runs()
    moves = np.nanstd(np.diff(work.parts.training.values, axis=1))
    try:
        return build(training, settings, work.study)[0].error_unit < LAW * moves
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError):
        return False


class Lane:
    """Candidates that learn one after the other, each in a process of its own, each for its share of the budget."""

    def __init__(self, work: Work, names: list[tuple[str, float]]):
        self.work, self.names = work, list(names)
        self.process: subprocess.Popen | None = None
        self.name, self.start, self.end, self.told = "", 0.0, 0.0, ""
        self.runs()

    def runs(self) -> bool:
        """Go on to the next candidate where one has ended; whether there is one."""
        if self.process is not None and self.process.poll() is None:
            if self.is_late():
                self.process.kill()
            self.tell()
            return True
        if self.process is not None:
            self.ended()
        self.process = None
        while self.names:
            self.name, share = self.names.pop(0)
            seconds = min(share * self.work.settings.seconds, self.work.left)
            if self.work.is_done(self.name):
                continue
            if seconds >= LEAST.get(self.name, 15.0):
                self.begin(seconds)
                return True
            self.work.done(self.name, time.monotonic(), NO_TIME)
        return False

    def is_late(self) -> bool:
        return time.monotonic() > self.end + max(GRACE, SHARE_OF_GRACE * self.work.settings.seconds)

    def begin(self, seconds: float) -> None:
        place = self.work.place(self.name)
        place.mkdir(parents=True, exist_ok=True)
        self.start, self.end = time.monotonic(), time.monotonic() + seconds
        limits = {name: str(HALF_OF_CORES) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
        words = [str(place), self.name, f"{time.time() + seconds:.1f}", str(os.getpid())]
        command = [sys.executable, "-P", "-m", "sim2seq.training.combine", *words]  # -P: not what lies in this folder
        with (place / "log.txt").open("w") as log:
            environment = {**os.environ, **limits, "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def tell(self) -> None:
        """Pass on what the process says, when it says something new."""
        note = self.work.place(self.name) / NOTE
        text = note.read_text(encoding="utf-8").strip() if note.exists() else ""
        if text and text != self.told:
            self.told = text
            self.work.say(f"{self.name}: {text}")

    def ended(self) -> None:
        assert self.process is not None
        self.tell()
        error = None
        if self.process.returncode < 0:
            error = "it took longer than its time" if self.is_late() else f"killed by signal {-self.process.returncode}"
        elif self.process.returncode:
            lines = (self.work.place(self.name) / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
            error = next((line for line in reversed(lines) if line.strip()), f"exit code {self.process.returncode}")
        if error and (self.work.place(self.name) / "model.keras").exists():
            error = None  # the best epoch so far has learned enough to be weighed
        if error:
            self.work.say(f"{self.name} has learned nothing: {error}")
        self.work.done(self.name, self.start, error)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def learn_apart(folder: str, name: str, end: str, parent: str) -> None:
    """One candidate learns here, as long as the process PARENT lives.

    python -m sim2seq.training.combine FOLDER NAME END PARENT, END in seconds since 1970.
    """
    end_with(int(parent))
    place = Path(folder)
    ensemble, split, settings = read_data(place.parent)
    if not name.startswith(NETWORK):
        from sim2seq.training import fit

        one = settings.of({**vars(settings), "model": name, "jit_compile": settings.compiles})
        fit.train(ensemble, one, split, place, FORECAST, quiet=True, seconds=float(end) - time.time())
        return
    parts = parts_of(ensemble, settings, split, Forecast(settings.controls))
    first = name == NETWORK
    options = {"seed": settings.seed + (not first), "warm_up": closed_loop.WARM_UP if first else settings.window}

    def tell(text: str) -> None:
        write_text(place / NOTE, text + "\n")

    seconds = float(end) - time.time()
    fitted = closed_loop.fit(parts.training, parts.validation, seconds=seconds, tell=tell, **options)
    keeping.save(fitted, place)


if __name__ == "__main__":
    learn_apart(*sys.argv[1:])
