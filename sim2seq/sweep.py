"""Sweep: train at every point of a grid of settings, keep each result in the Kosh store.

`sweep.yaml` wires it as a Merlin study: `write_grid` makes the points before anything is queued, `train_and_record` is
one task a point; sim2seq/ranking.py ranks what was recorded. Trainings are compared by validation runs, or by what the
study's own judge measures; scores on test runs are neither recorded nor shown, so that nobody tunes on them.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path

from sim2seq._support.config import split_assignment
from sim2seq._support.files import read_json, write_array, write_json
from sim2seq.data.records import check_id
from sim2seq.store import store

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a task's last lines are for its own words

LINK = "store.sqlite"  # in the folder of the grid: the store, wherever the user stood
GRID = "grid.npy"  # Merlin's samples: a row a point, a name and the words of its settings
SECONDS, JUDGED = "seconds.json", "judged.json"  # in the folder of a training
ERROR, ONE_STEP = "validation_rmse", "validation_one_step_rmse"


def points(axes: list[str], training: str = "", *, settings=None) -> dict[str, list[str]]:
    """Every point of the grid: name -> the words of its own settings.

    axes are texts such as "window=10 30": a setting and its values. `training` holds the words that all points share.
    The name is made of all words, so that the same training has the same name in every sweep. `settings` is the class
    that checks the words (None: training.settings.Settings).
    Raises ValueError for an axis without values, a value that is there twice, and settings that are not possible.
    """
    if settings is None:
        from sim2seq.training.settings import Settings as settings

    grid = {}
    for words in crossed(axes):
        settings.parse([*training.split(), *words])
        grid[check_id(name_of([*training.split(), *words]))] = words
    return grid


def crossed(axes: list[str]) -> Iterator[list[str]]:
    """The words of every combination of the values of these axes. Raises ValueError as `points` does."""
    named = [split_assignment(axis) for axis in axes]
    values = {name: text.split() for name, text in named}
    for name, texts in values.items():
        if not texts or len(set(texts)) < len(texts):
            raise ValueError(f"{name}: expected different values with spaces between, got {' '.join(texts)!r}")
    if len(values) < len(named):
        raise ValueError(f"expected every setting once, got {', '.join(name for name, _ in named)}")
    for chosen in product(*values.values()):
        yield [f"{name}:{text}" for name, text in zip(values, chosen, strict=True)]


def name_of(words: list[str]) -> str:
    """Words of settings as a name that the store takes."""
    return "_".join(re.sub(r"[^A-Za-z0-9._+]+", "-", word).strip("-") for word in words)


def write_grid(path, folder, axes: list[str], training: str = "", *, settings=None) -> int:
    """Write the grid and a link to the store `path` into `folder`, for Merlin; the number of points.

    A link, because `path` may be relative to where the user stands, and tasks stand elsewhere. Without a store (None),
    since the study makes its own, only the grid.
    """
    import numpy as np

    if path is not None:
        store.check_store(path)  # before Keras, whose import the settings need, takes seconds
    grid = points(axes, training, settings=settings)
    if path is not None:
        link, store_file = Path(folder, LINK), os.path.realpath(path)
        if link.is_symlink():
            link.unlink()
        if link.exists():
            raise ValueError(f"{link} is no link: expected a folder of its own for the grid")
        link.symlink_to(store_file)
    write_array(Path(folder, GRID), np.array([[name, " ".join(words)] for name, words in grid.items()]))
    return len(grid)


def train_and_record(
    path, words: list[str], folder, record: str | None = None, *, study=None, each=(), resample=None, replace=False
):
    """Train on the runs of the store `path` with settings in words; with `record`, put the result into the store.

    study   a Study; None: a plain forecast
    each    axes such as "seed=0 1 2": all combinations are trained, one after the other, in folders below `folder`
    resample    as for store.load
    replace     whether a training with other settings or data is removed from its folder; else it is an error
    Resumes, or reads, what is there (see training/fit.py). Returns the last Training, the Ensemble and the recorded
    data; their seconds are those of the call that finished a training.
    """
    store.check_store(path)
    if record is not None:
        check_id(record)
    from sim2seq.study import FORECAST, read  # 4 s
    from sim2seq.training.evaluate import kept_baselines

    study, naive = study or FORECAST, kept_baselines()
    chosen = [(more, study.settings.parse([*words, *more])) for more in (crossed(list(each)) if each else [[]])]
    if any(word.startswith(("budget:", "budget=")) for word in words):
        check_budgets([settings for _, settings in chosen])
    ensemble = read(study, path, resample=resample)
    for number, (more, settings) in enumerate(chosen, start=1):
        place = Path(folder, name_of(more)) if more else Path(folder)
        options = {"quiet": len(chosen) > 1, "naive": naive, "replace": replace}
        trained, data = train_one(ensemble, settings, place, study, **options)
        if record is not None:
            name = "_".join([record, name_of(more)]) if more else record
            store.add_training(path, check_id(name), data, trained.history)
        if more:
            say(
                Path(folder), f"training {number} of {len(chosen)}: {' '.join(more)}, {data['ranked_by']} {score(data)}"
            )
    return trained, ensemble, data


def check_budgets(chosen: list) -> None:
    """Raise ValueError for settings of one model alone, which trains its epochs whatever budget was named for it."""
    from sim2seq.training.settings import COMBINED

    for settings in chosen:
        if settings.model != COMBINED and math.isinf(settings.longest):
            alone = f"{settings.model} alone trains for epochs:{settings.epochs}"
            raise ValueError(f"setting budget: of candidates that are combined; {alone}, as long as they take")


def score(data: dict) -> str:
    """The number that recorded data are ranked by, short."""
    value = data.get(data["ranked_by"])
    return "diverged" if value is None else f"{value:.3g}"


def say(folder: Path, text: str) -> None:
    """Tell whoever watches the study how far this task is (workflow/progress.py)."""
    from sim2seq._support.files import NOTE, write_text

    write_text(folder / NOTE, f"{text}\n")
    print(text, flush=True)


def train_one(ensemble, settings, folder: Path, study, **options):
    """A finished Training in `folder`, and what is recorded of it; a study's judge judges once; options of `fit`."""
    from sim2seq.training.fit import fit

    before, start = _written(folder / "scores.json"), time.perf_counter()
    trained = fit(ensemble, settings, folder, study=study, **options)
    if study.judge is not None and not (folder / JUDGED).exists():
        write_json(folder / JUDGED, study.judge(trained, ensemble))
    if _written(folder / "scores.json") != before:
        write_json(folder / SECONDS, time.perf_counter() - start)
    return trained, recorded_data(trained, ensemble.runs)


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def recorded_data(trained, runs: int) -> dict:
    """Settings and results of a finished Training, as numbers and words; an error that is not finite is left out.

    `ranked_by` names the number that trainings of this study are ranked by, `measure` says what all errors are, and
    `results` names all that are no settings.
    """
    scores, folder = trained.scores, trained.folder
    judged = read_json(folder / JUDGED) if (folder / JUDGED).exists() else {}
    validation = scores.errors["validation"]
    error = validation.rmse
    if scores.task == "forecast" and not math.isnan(error):
        known = [each for each in validation.by_position if not math.isnan(each)]  # later, all of these runs have ended
        error = late_error(known, scores.window)
    numbers = {ERROR: error, **judged}
    if "validation" in scores.one_step:
        numbers[ONE_STEP] = scores.one_step["validation"].rmse
    results = {
        "study": trained.study.name,
        "ranked_by": next(iter(judged), ERROR),
        "measure": scores.measure + (f" in {scores.unit}" if scores.in_deviations else ""),
        "runs": runs,
        "parameters": int(trained.parameters),
        **{name: value for name, value in numbers.items() if value is not None and math.isfinite(value)},
        **({"epochs_trained": len(trained.history["loss"])} if trained.history else {}),
        **({"seconds": read_json(folder / SECONDS)} if (folder / SECONDS).exists() else {}),
    }
    settings = {name: as_written(value) for name, value in asdict(trained.settings).items()}
    return settings | results | {"results": ",".join([*results, "results"])}


def late_error(by_position: list[float], window: int) -> float:
    """The RMSE over the last half of the run: the same true steps for every window up to that half."""
    half = min((window + len(by_position)) // 2, len(by_position))
    return math.sqrt(sum(error**2 for error in by_position[-half:]) / half)


def as_written(value):
    """A setting as on the command line, for Sina, which knows numbers and words: (64, 32) is "64,32"."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, (int, float)) else str(value)
