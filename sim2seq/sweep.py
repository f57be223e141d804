"""Sweep: train once at every point of a grid of settings, keep each result in the Kosh store, rank them.

`sweep.yaml` wires it as a Merlin study: `write_grid` makes the points before anything is queued, `train_and_record` is
one task a point, `load` and `table` are the leaderboard. Trainings are ranked by their closed loop on the validation
runs; scores on test runs are neither recorded nor shown, so that nobody tunes on them.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from sim2seq._support.files import read_json, write_array, write_json, write_text
from sim2seq.data.records import check_id
from sim2seq.store import store

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a task's last lines are for its own words

NO_STORE = "none"  # as sweep.yaml says it
LINK = "store.sqlite"  # in the folder of the grid: the store, wherever the user stood
GRID = "grid.npy"  # Merlin's samples: a row a point, a name and the words of its settings
SECONDS = "seconds.json"  # in the folder of a training
CLOSED_LOOP, ONE_STEP = "validation_closed_loop_rmse", "validation_one_step_rmse"
FORMATS = {CLOSED_LOOP: ".3g", ONE_STEP: ".3g", "seconds": ".0f"}
TITLES = {CLOSED_LOOP: "closed loop", ONE_STEP: "one step", "epochs_trained": "epochs", "name": "recorded as"}
RESULTS = ("name", "creation_date", CLOSED_LOOP, ONE_STEP, "seconds", "epochs_trained")  # all other data: settings


@dataclass(frozen=True)
class Result:
    """A recorded training: its name, its data as words and numbers, and its losses, one number an epoch."""

    name: str
    data: dict
    losses: dict[str, list[float]]

    @property
    def error(self) -> float:
        """Closed-loop RMSE on the validation runs; infinity for a training that diverged."""
        return self.data.get(CLOSED_LOOP, math.inf)


def check_store(path) -> None:
    """Raise ValueError, in one line, unless `path` is a store with runs in it."""
    if str(path) == NO_STORE:
        raise ValueError("expected the store of a finished study: add --vars STORE=FILE")
    if not store.run_ids(path):
        raise ValueError(f"{path}: expected a store with runs, this one has none")


def points(axes: list[str], training: str = "", *, settings=None) -> dict[str, list[str]]:
    """Every point of the grid: name -> the words of its own settings.

    axes are texts such as "window=10 30": a setting and its values. `training` holds the words that all points share.
    The name is made of all words, so that the same training has the same name in every sweep. `settings` is the class
    that checks the words (None: sim2seq.training.settings.Settings).
    Raises ValueError for an axis without values, a value that is there twice, and settings that are not possible.
    """
    from sim2seq._support.config import split_assignment

    if settings is None:
        from sim2seq.training.settings import Settings as settings

    named = [split_assignment(axis) for axis in axes]
    values = {name: text.split() for name, text in named}
    for name, texts in values.items():
        if not texts or len(set(texts)) < len(texts):
            raise ValueError(f"{name}: expected different values with spaces between, got {' '.join(texts)!r}")
    if len(values) < len(named):
        raise ValueError(f"expected every setting once, got {', '.join(name for name, _ in named)}")
    grid = {}
    for chosen in product(*values.values()):
        words = [f"{name}:{text}" for name, text in zip(values, chosen, strict=True)]
        settings.parse([*training.split(), *words])
        name = "_".join(re.sub(r"[^A-Za-z0-9._+]+", "-", word).strip("-") for word in [*training.split(), *words])
        grid[check_id(name)] = words
    return grid


def write_grid(path, folder, axes: list[str], training: str = "") -> int:
    """Write the grid and a link to the store `path` into `folder`, for Merlin; the number of points.

    A link, because `path` may be relative to where the user stands, and tasks stand elsewhere.
    """
    import numpy as np

    check_store(path)
    grid = points(axes, training)
    link, store_file = Path(folder, LINK), os.path.realpath(path)
    if link.is_symlink():
        link.unlink()
    if link.exists():
        raise ValueError(f"{link} is no link: expected a folder of its own for the grid")
    link.symlink_to(store_file)
    write_array(Path(folder, GRID), np.array([[name, " ".join(words)] for name, words in grid.items()]))
    return len(grid)


def missing_points(results: list[Result], grid) -> list[str]:
    """The names in a file of `write_grid` that are not among the recorded trainings."""
    import numpy as np

    recorded = {result.name for result in results}
    return [name for name, _ in np.load(grid).tolist() if name not in recorded]


def train_and_record(path, words: list[str], folder, record: str | None = None) -> dict:
    """Train on the runs of the store `path` with settings in words; with `record`, put the result into the store.

    Resumes, or reads, what is in `folder` (see training.fit). Returns the recorded data; its seconds are those of the
    call that finished the training.
    """
    check_store(path)
    if record is not None:
        check_id(record)
    from sim2seq import training  # 4 s
    from sim2seq.training.settings import Settings

    settings = Settings.parse(words)
    ensemble, folder = store.load(path), Path(folder)
    done, start = (folder / "scores.json").exists(), time.perf_counter()
    trained = training.fit(ensemble, settings, folder)
    if not done:
        write_json(folder / SECONDS, time.perf_counter() - start)
    data = recorded_data(trained, ensemble.runs)
    if record is not None:
        store.add_training(path, record, data, trained.history)
    return data


def recorded_data(trained, runs: int) -> dict:
    """Settings and results of a finished Training, as numbers and words; an error that is not finite is left out."""
    scores, clock = trained.scores, trained.folder / SECONDS
    errors = {CLOSED_LOOP: late_error(scores["closed_loop"]["validation"]["by_horizon"], trained.settings.window)}
    errors |= {ONE_STEP: scores["one_step"]["validation"]["rmse"]}
    return {
        **{name: as_written(value) for name, value in asdict(trained.settings).items()},
        "runs": runs,
        **{name: error for name, error in errors.items() if error is not None and math.isfinite(error)},
        "epochs_trained": len(trained.history["loss"]),
        **({"seconds": read_json(clock)} if clock.exists() else {}),
    }


def late_error(by_horizon: list[float], window: int) -> float:
    """The RMSE over the last half of the run: the same true steps for every window up to that half."""
    half = min((window + len(by_horizon)) // 2, len(by_horizon))
    return math.sqrt(sum(error**2 for error in by_horizon[-half:]) / half)


def as_written(value):
    """A setting as on the command line, for Sina, which knows numbers and words: (64, 32) is "64,32"."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, (int, float)) else str(value)


def load(path) -> list[Result]:
    """Every training recorded in the store, the best closed loop on validation runs first.

    Raises ValueError, in one line, when there is none.
    """
    found = [Result(name, *content) for name, content in store.load_trainings(path).items()]
    found = [result for result in found if "kind" not in result.data]  # a study's own sweep ranks its own
    if not found:
        raise ValueError(f"{path}: no recorded trainings, make one with: sim2seq train STORE --record NAME")
    return sorted(found, key=lambda result: (result.error, result.name))


def differing(results: list[Result]) -> list[str]:
    """The settings that differ between these trainings, in the order of the settings."""
    names = dict.fromkeys(name for result in results for name in result.data if name not in (*RESULTS, "runs"))
    return [name for name in names if len({result.data.get(name) for result in results}) > 1]


def label(result: Result, names: list[str]) -> str:
    """What tells this training from the others, as words for the command line."""
    return " ".join(f"{name}:{show(result.data[name])}" for name in names if result.data.get(name) not in (None, ""))


def show(value, column: str = "") -> str:
    """A value of a column of the leaderboard, short; "-" where there is none."""
    if value is None or value == "":
        return "diverged" if column == CLOSED_LOOP else "-"
    return format(value, FORMATS.get(column, "g") if isinstance(value, float) else "")


def header(names: list[str]) -> list[str]:
    """The columns of the leaderboard; `names` are the settings that differ."""
    return ["place", *names, CLOSED_LOOP, ONE_STEP, "epochs_trained", "seconds", "name"]


def rows(results: list[Result], names: list[str]) -> list[list]:
    """A row a training, as `header` names it; None where there is no value."""
    columns = header(names)[1:]
    return [[place, *(result.data.get(name) for name in columns)] for place, result in enumerate(results, start=1)]


def table(results: list[Result]):
    """The leaderboard as a rich Table: the settings that differ, and the errors on validation runs."""
    from rich.table import Table
    from rich.text import Text

    columns = header(names := differing(results))
    board = Table(title="RMSE on validation runs, best closed loop first", box=None, title_justify="left")
    for column in columns:
        board.add_column(TITLES.get(column, column), justify="left" if column == "name" else "right", overflow="fold")
    for row in rows(results, names):
        board.add_row(*(Text(show(value, column)) for column, value in zip(columns, row, strict=True)))
    return board


def write_csv(path, results: list[Result]) -> None:
    """The leaderboard with every digit; an empty cell where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = differing(results)
    writer.writerows([header(names), *rows(results, names)])
    write_text(Path(path), text.getvalue())


def figure(results: list[Result]):
    """The leaderboard and the loss curves as one matplotlib Figure."""
    from sim2seq.report.leaderboard import leaderboard

    settings = {name: [show(result.data.get(name)) for result in results] for name in differing(results)}
    return leaderboard(settings, [result.error for result in results], [result.losses for result in results])
