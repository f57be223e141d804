"""Ranking: the trainings that a store holds, best first, with a recommendation that seeds do not overturn.

Trainings that differ in nothing but the seed are one point, judged by their mean. Recommended is the smallest model
within one standard error of the best point (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
section 7.10): what cannot be told from the best is not worth its size.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from sim2seq._support.files import write_text
from sim2seq.evaluation.intervals import over_seeds
from sim2seq.store import store
from sim2seq.sweep import ERROR, ONE_STEP

OLD_ERROR = "validation_closed_loop_rmse"  # what version 0.1 called ERROR
OLD_RESULTS = (OLD_ERROR, ONE_STEP, "seconds", "epochs_trained", "runs")
OVER_SEEDS = ("standard_error", "low", "high")  # of the mean of what is ranked by, where there are several seeds
BESIDE = "beside"  # the format of further numbers that a user wants to see
ALWAYS = ("name", "creation_date", "results")
FORMATS = {
    "error": ".3g",
    "standard_error": ".2g",
    "low": ".3g",
    "high": ".3g",
    ONE_STEP: ".3g",
    "seconds": ".0f",
    "epochs_trained": ".3g",
    BESIDE: ".3g",
}
TITLES = {ONE_STEP: "one step", "epochs_trained": "epochs", "names": "recorded as"}


@dataclass(frozen=True)
class Result:
    """A recorded training: its name, its data as words and numbers, and its losses, one number an epoch."""

    name: str
    data: dict
    losses: dict[str, list[float]]

    @property
    def study(self) -> str:
        return self.data.get("study", "forecast")

    @property
    def ranked_by(self) -> str:
        return self.data.get("ranked_by", OLD_ERROR)

    @property
    def measure(self) -> str:
        """What it is ranked by, as its task calls it: RMSE, cross-entropy; or the name of what a study's judge says."""
        return self.data.get("measure", "RMSE") if self.ranked_by in (ERROR, OLD_ERROR) else self.ranked_by

    @property
    def error(self) -> float:
        """What it is ranked by, lower is better; infinity for a training that diverged."""
        return self.data.get(self.ranked_by, math.inf)

    @property
    def settings(self) -> dict:
        """Its settings, without the seed."""
        results = self.data["results"].split(",") if "results" in self.data else OLD_RESULTS
        return {name: value for name, value in self.data.items() if name not in (*ALWAYS, *results, "seed")}


@dataclass(frozen=True)
class Point:
    """Trainings that differ in nothing but the seed: mean of what they are ranked by, and its standard error."""

    results: tuple[Result, ...]

    @property
    def settings(self) -> dict:
        return self.results[0].settings

    @property
    def error(self) -> float:
        return statistics.fmean(result.error for result in self.results)

    @property
    def standard_error(self) -> float:
        """0 for a single training."""
        errors = [result.error for result in self.results]
        finite = len(errors) > 1 and all(map(math.isfinite, errors))
        return statistics.stdev(errors) / math.sqrt(len(errors)) if finite else 0.0

    @property
    def interval(self) -> list[float]:
        """The 95 % interval of the mean over seeds; the mean twice for a single training."""
        return over_seeds([result.error for result in self.results])

    @property
    def parameters(self) -> float:
        return self.results[0].data.get("parameters", math.inf)

    @property
    def name(self) -> str:
        """The name of the first training, and how many there are."""
        more = len(self.results) - 1
        return self.results[0].name + (f" and {more} more" if more else "")

    def mean(self, name: str):
        """The mean of a recorded number; None where one has none."""
        values = [result.data[name] for result in self.results if result.data.get(name) is not None]
        return statistics.fmean(values) if len(values) == len(self.results) else None


def load(path, study: str | None = None) -> list[Result]:
    """Every training recorded in the store, best first; only those of one study.

    Raises ValueError, in one line, when there is none, or when there are several studies and none is named.
    """
    found = [Result(name, *content) for name, content in store.load_trainings(path).items()]
    studies = sorted({result.study for result in found})
    if study is None and len(studies) > 1:
        raise ValueError(f"{path}: expected trainings of one study, name it with --of: {', '.join(studies)}")
    found = [result for result in found if study in (None, result.study)]
    if not found:
        raise ValueError(f"{path}: no recorded trainings, make one with: sim2seq train STORE --record NAME")
    measures = {result.measure: result.name for result in found}
    if len(measures) > 1:
        told = " and ".join(f"{measure} ({name})" for measure, name in sorted(measures.items()))
        raise ValueError(f"{path}: expected trainings measured alike, got {told}: record them anew")
    return sorted(found, key=lambda result: (result.error, result.name))


def points_of(results: list[Result]) -> list[Point]:
    """The points of these trainings, best first."""
    groups: dict[tuple, list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(sorted(result.settings.items())), []).append(result)
    found = [Point(tuple(sorted(group, key=lambda result: result.name))) for group in groups.values()]
    return sorted(found, key=lambda point: (point.error, point.name))


def recommend(points: list[Point]) -> Point:
    """The smallest model within one standard error of the best point; of equal ones that with the shorter window."""
    best = min(points, key=lambda point: point.error)
    near = [point for point in points if point.error <= best.error + best.standard_error]
    return min(near, key=lambda point: (point.parameters, point.settings.get("window", 0), point.error))


def divided(results: list[Result], by: str | None) -> dict[str, list[Result]]:
    """The trainings by the value of a setting, in order; all under "" without one.

    Raises ValueError for a setting that they do not have.
    """
    if by is None:
        return {"": results}
    if any(by not in result.settings for result in results):
        raise ValueError(f"--by {by}: expected a setting of the trainings, one of {', '.join(results[0].settings)}")
    values = sorted({str(result.settings[by]) for result in results})
    return {value: [result for result in results if str(result.settings[by]) == value] for value in values}


def missing_points(results: list[Result], grid) -> list[str]:
    """The names in a file of `sweep.write_grid` of which not every training is recorded.

    A point may have been trained several times (`--each`): then its trainings carry its name and more, and every point
    has as many.
    """
    import numpy as np

    names = np.load(grid, allow_pickle=False)[:, 0].tolist()
    counts = dict.fromkeys(names, 0)
    for result in results:
        if of := [name for name in names if f"{result.name}_".startswith(f"{name}_")]:
            counts[max(of, key=len)] += 1  # one name may begin another: energy_seed-0 is none of energy_bi
    most = max(counts.values(), default=0)
    return [name for name, count in counts.items() if count < max(most, 1)]


def differing(points: list[Point]) -> list[str]:
    """The settings that differ between these points, in the order of the settings."""
    names = dict.fromkeys(name for point in points for name in point.settings)
    return [name for name in names if len({point.settings.get(name) for point in points}) > 1]


def label(point: Point, names: list[str]) -> str:
    """What tells this point from the others, as words for the command line."""
    chosen = {name: point.settings.get(name) for name in names}
    return " ".join(f"{name}:{show(value)}" for name, value in chosen.items() if value not in (None, ""))


def show(value, column: str = "") -> str:
    """A value of a column of the leaderboard, short; "-" where there is none."""
    if column == "error" and not math.isfinite(value):
        return "diverged"
    if value is None or value == "":
        return "-"
    return format(value, FORMATS.get(column, "g") if isinstance(value, float) else "")


def also(points: list[Point], names) -> list[str]:
    """The recorded numbers of these names, or that begin so: `limit` is limit_60, too.

    Raises ValueError for a name that no training has.
    """
    results = [result for point in points for result in point.results]
    values = [(name, value) for one in results for name, value in one.data.items() if name not in one.settings]
    known = list(dict.fromkeys(name for name, value in values if isinstance(value, (int, float))))
    found = {name: [one for one in known if f"{one}_".startswith(f"{name}_")] for name in names}
    if lacking := [name for name, those in found.items() if not those]:
        raise ValueError(f"--show {lacking[0]}: expected a recorded number, of {', '.join(known)}")
    return list(dict.fromkeys(one for those in found.values() for one in those))


def header(points: list[Point], beside=()) -> list[str]:
    """The columns of the leaderboard; with the standard error where there are several seeds; and numbers `beside`."""
    more = list(OVER_SEEDS) if any(len(point.results) > 1 for point in points) else []
    return ["place", *differing(points), "error", *more, *beside, ONE_STEP, "epochs_trained", "seconds", "names"]


def rows(points: list[Point], beside=()) -> list[list]:
    """A row a point, as `header` names it; None where there is no value."""
    names = differing(points)
    found = []
    for place, point in enumerate(points, start=1):
        more = [point.standard_error, *point.interval] if OVER_SEEDS[0] in header(points) else []
        numbers = [point.mean(name) for name in (*beside, ONE_STEP, "epochs_trained", "seconds")]
        found.append([place, *map(point.settings.get, names), point.error, *more, *numbers, point.name])
    return found


def table(points: list[Point], beside=()):
    """The leaderboard as a rich Table: the settings that differ, what is ranked by, and numbers `beside` it."""
    from rich.table import Table
    from rich.text import Text

    board = Table(title=f"{measure_of(points)}, best first", box=None, title_justify="left")
    titles = TITLES | {"error": points[0].results[0].measure}
    for column in header(points, beside):
        title = titles.get(column, column).replace("_", " ")
        board.add_column(title, justify="left" if column == "names" else "right", overflow="fold")
    for row in rows(points, beside):
        cells = zip(header(points, beside), row, strict=True)
        board.add_row(*(Text(show(value, BESIDE if column in beside else column)) for column, value in cells))
    return board


def measure_of(points: list[Point]) -> str:
    """What these points are ranked by, and on what."""
    first = points[0].results[0]
    return first.measure if first.measure == first.ranked_by else f"{first.measure} on validation runs"


def write_csv(path, points: list[Point], beside=()) -> None:
    """The leaderboard with every digit; an empty cell where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header(points, beside), *rows(points, beside)])
    write_text(Path(path), text.getvalue())


def figure(points: list[Point]):
    """The leaderboard and the loss curves as one matplotlib Figure."""
    from sim2seq.report.leaderboard import leaderboard

    settings = {name: [show(point.settings.get(name)) for point in points] for name in differing(points)}
    errors, losses = [point.error for point in points], [point.results[0].losses for point in points]
    spans = [point.standard_error for point in points]
    return leaderboard(settings, errors, losses, axis_label=measure_of(points), errors_of=spans)
