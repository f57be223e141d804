"""Figures of predictions: beside the truth, as the training keeps them. No model is asked here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import PARTS
from sim2seq.evaluation.measures import rmse
from sim2seq.evaluation.scores import Scores
from sim2seq.report.colours import BLUE, GREY, RED
from sim2seq.report.data_figures import time_label
from sim2seq.report.style import (
    MOST_FEATURES,
    Picture,
    area,
    by_error,
    grid,
    label,
    legend_above,
    plain,
    spread,
    styled,
)
from sim2seq.training.folder import Prediction, Training

MOST_WITH_ERRORS = 4  # features: more of them leave no room for a second row each
MOST_ANSWERS = 300  # of a stretch
MOST_POINTS = 300  # of a panel
BINS = 20  # of probabilities


@dataclass(frozen=True)
class Shown:
    """One run and its prediction, both to the end of the run and no further.

    times, truth   (steps,) and (steps, features): those before the first answer, then those that are predicted
    middle, half   (answers, features): the prediction, and half the width of its band, nan where it has none
    level          the share of the truth that the band should hold
    """

    run_id: str
    times: np.ndarray
    truth: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    level: float

    @property
    def before(self) -> int:
        """Steps before the first answer."""
        return len(self.truth) - len(self.middle)


def median_run(prediction: Prediction) -> int:
    """The place of the run whose error is the median; with an even number, the better of the middle two."""
    order = np.argsort(rmse(prediction.middle, prediction.truth, axis=(1, 2)))
    return int(order[(len(order) - 1) // 2])


def shown_run(training: Training, ensemble: Ensemble, part: str = "test") -> Shown:
    """The run of a part whose error is the median, neither the best nor the worst, with what came before."""
    kept, scores = training.predictions[part], training.scores
    run = median_run(kept)
    answers = int(np.isfinite(kept.truth[run]).all(axis=1).sum())
    before = scores.window if scores.task == "forecast" else int(scores.positions[0])
    start = getattr(training.split, part).start
    values = np.asarray(ensemble.values[ensemble.run_ids.index(kept.run_ids[run])], dtype=float)
    begin = values[start : start + before, ensemble.places(scores.features)]
    half = (kept.high[run, :answers] - kept.low[run, :answers]) / 2
    return Shown(
        run_id=kept.run_ids[run],
        times=ensemble.times[start : start + before + answers],
        truth=np.concatenate([begin, kept.truth[run, :answers]]),
        middle=kept.middle[run, :answers],
        half=np.where(np.isfinite(half), half, np.nan),
        level=level_of(training),
    )


def level_of(training: Training) -> float:
    """The share of the truth that the band should hold; nan without one."""
    return training.band.level if training.band else np.nan


def chosen(scores: Scores) -> list[int]:
    """The places of the features to show, in the order in which they are shown: style.by_error."""
    return [scores.features.index(name) for name in by_error(scores.errors["test"].by_feature)]


@styled
def rollout_grid(training: Training, ensemble: Ensemble) -> Picture:
    """A row a feature, a column a part: truth, the window that was given, and the free-running forecast from there.

    Of a few features, a thin row below each sets the error against the width of the band, which may be narrower than a
    line. The run shown in each part is the one whose error is the median.
    """
    scores, places = training.scores, chosen(training.scores)
    rows = 2 if len(places) <= MOST_WITH_ERRORS else 1
    heights = [1.9, 0.9][:rows] * len(places)
    shape = {"width": 11.0, "height": 1.4}
    figure, axes = grid(len(heights), len(PARTS), **shape, sharex="col", sharey="row", height_ratios=heights)
    blocks = axes.reshape(len(places), rows, len(PARTS))
    for column, part in enumerate(PARTS):
        run = shown_run(training, ensemble, part)
        axes[0, column].set_title(plain(f"{part}: {run.run_id}"))
        axes[-1, column].set_xlabel(time_label(ensemble))
        for block, place in zip(blocks[..., column], places, strict=True):
            draw_prediction(block[0], run, place, "window given to the model", forecast_name(scores))
            if rows == 2:
                draw_error(block[1], run, place)
    for block, place in zip(blocks, places, strict=True):
        block[0, 0].set_ylabel(label(scores.features[place], scores.units[place]))
        fit_to_lines(block[0])
        if rows == 2:
            block[1, 0].set_ylabel(label("error", scores.units[place]))
    figure.align_ylabels(axes[:, 0])  # the numbers of an error's axis are wider than the others
    pairs = [pair for axis in axes[:rows, 0] for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    legend_above(figure, *zip(*pairs, strict=True))
    return figure


@styled
def stretch(training: Training, ensemble: Ensemble) -> Picture:
    """A row a target: truth and prediction of the test run whose error is the median, for MOST_ANSWERS at most."""
    run = beginning(shown_run(training, ensemble), MOST_ANSWERS)
    words = "before the first answer", "prediction"
    return in_rows(run, training.scores, ensemble, words, width=11, height=1.9)


def in_rows(run: Shown, scores: Scores, ensemble: Ensemble, words: tuple[str, str], **size) -> Picture:
    """A row a feature, of many of some: truth and prediction of a run; `words` are those of draw_prediction."""
    places = chosen(scores)
    figure, axes = grid(len(places), 1, sharex=True, **size)
    for axis, place in zip(axes[:, 0], places, strict=True):
        draw_prediction(axis, run, place, *words)
        axis.set_ylabel(label(scores.features[place], scores.units[place]))
        fit_to_lines([axis])
    axes[0, 0].set_title(plain(f"test: {run.run_id}"))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure


def forecast_name(scores: Scores) -> str:
    """What a line of forecasts is called."""
    return "forecast" if scores.combined else "forecast, free-running"


def beginning(run: Shown, answers: int) -> Shown:
    """The same run up to its first `answers` answers."""
    steps = run.before + answers
    seen = replace(run, times=run.times[:steps], truth=run.truth[:steps])
    return replace(seen, middle=run.middle[:answers], half=run.half[:answers])


def draw_prediction(axis, run: Shown, place: int, before: str, name: str) -> None:
    """Truth, what came before the first answer, and the prediction with its band, of the feature at `place`."""
    times, middle, half = run.times[run.before :], run.middle[:, place], run.half[:, place]
    if run.before:
        axis.axvspan(run.times[0], run.times[run.before - 1], color=BLUE, alpha=0.15, lw=0, label=before)
    axis.plot(run.times, run.truth[:, place], color=GREY, lw=2.6, alpha=0.6, label="truth (simulation)")
    if np.isfinite(half).any():
        area(axis, times, middle - half, middle + half, color=RED, alpha=0.25, label=f"{100 * run.level:g} % band")
    axis.plot(times, middle, color=RED, lw=1.3, label=name)


def draw_error(axis, run: Shown, place: int) -> None:
    """The size of the error in front of half the width of the band: the truth is in the band where the line is."""
    times, half = run.times[run.before :], run.half[:, place]
    error = np.abs(run.middle[:, place] - run.truth[run.before :, place])
    sizes = np.concatenate([error, half])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    bottom = np.percentile(sizes, 3) / 2 if len(sizes) else 1e-3
    if run.before:
        axis.axvspan(run.times[0], run.times[run.before - 1], color=BLUE, alpha=0.15, lw=0)
    area(axis, times, np.where(half > bottom, bottom, np.nan), half, color=RED, alpha=0.25)
    axis.plot(times, np.maximum(error, bottom), color="black", lw=0.8, label="size of the error")
    axis.set(yscale="log")


def fit_to_lines(row) -> None:
    """Limits of axes that share them: those of the lines, whatever the bands need."""
    values = np.concatenate([line.get_ydata() for axis in row for line in axis.lines])
    row[0].set_ylim(*limits(values))


def limits(values) -> tuple[float, float]:
    """Lowest and highest finite value with a margin."""
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


@styled
def predicted_against_true(training: Training) -> Picture:
    """A row a target, a column a few positions: predicted against true on the test runs, with the band as bars.

    Of more than MOST_POINTS points some are drawn, evenly. The grey line is where both are equal.
    """
    scores, kept, places = training.scores, training.predictions["test"], chosen(training.scores)
    columns = columns_of(scores, kept)
    figure, axes = grid(len(places), len(columns), width=11, height=3.0, sharex="row", sharey="row")
    name = f"{100 * level_of(training):g} % band"
    for column, (title, positions) in enumerate(columns.items()):
        axes[0, column].set_title(plain(title))
        for row, place in enumerate(places):
            points = [each[:, positions, place].ravel() for each in (kept.truth, kept.middle, kept.low, kept.high)]
            draw_points(axes[row, column], name, *points)
    for row, place in zip(axes, places, strict=True):
        low, high = limits(np.concatenate([kept.truth[..., place].ravel(), kept.middle[..., place].ravel()]))
        row[0].set(xlim=(low, high), ylim=(low, high))
        row[0].set_ylabel(label(f"{scores.features[place]}, predicted", scores.units[place]))
        for axis in row if scores.units[place] or place == places[-1] else ():
            axis.set_xlabel(label("true", scores.units[place]))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure


def columns_of(scores: Scores, kept: Prediction) -> dict[str, slice]:
    """Title -> positions of a column: a few shares of the run, or thirds of the steps."""
    if scores.task == "target per run":
        chosen = spread(len(scores.positions), 4)
        return {f"{100 * scores.positions[i]:g} % of the run seen": slice(i, i + 1) for i in chosen}
    count = int(np.isfinite(kept.truth).any(axis=(0, 2)).sum())
    ends = np.unique(np.linspace(0, count, 4).astype(int))
    pairs = [(int(start), int(stop)) for start, stop in pairwise(ends)]
    return {f"steps {scores.positions[a]:g} to {scores.positions[b - 1]:g}": slice(a, b) for a, b in pairs}


def draw_points(axis, name: str, truth, middle, low, high) -> None:
    """A point a prediction, with a bar for its band where that is finite; arrays (points,)."""
    there = np.flatnonzero(np.isfinite(truth) & np.isfinite(middle))
    there = there[spread(len(there), MOST_POINTS)] if len(there) else there
    bars = there[np.isfinite(low[there]) & np.isfinite(high[there])]
    axis.axline((0, 0), slope=1, color=GREY, lw=1, label="predicted = true")
    axis.vlines(truth[bars], low[bars], high[bars], color=RED, alpha=0.45, lw=1, label=name)
    axis.plot(truth[there], middle[there], "o", color=BLUE, ms=3.5, mew=0, alpha=0.8, label="test runs")


@styled
def calibration(training: Training) -> Picture:
    """A line a symbol: how often it came, by its probability in BINS equal steps, with two standard errors as bars."""
    scores, kept = training.scores, training.predictions["test"]
    figure, axes = grid(1, 1, width=5.5, height=4.2)
    axes[0, 0].axline((0, 0), slope=1, color=GREY, lw=1)
    for place in chosen(scores):
        there = np.isfinite(kept.middle[..., place])
        said, came = np.exp(kept.middle[there][:, place]), np.isfinite(kept.truth[there][:, place])
        bins = np.minimum((said * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        some = counts > 0
        mean, share = (np.bincount(bins, each, BINS)[some] / counts[some] for each in (said, came))
        bars = 2 * np.sqrt(share * (1 - share) / counts[some])
        axes[0, 0].errorbar(mean, share, bars, marker="o", ms=3.5, label=plain(scores.features[place]))
    axes[0, 0].set(xlabel="probability that was said", ylabel="share of the steps where the symbol came")
    axes[0, 0].legend(title="symbol")
    return figure


@styled
def forecast_with_band(window, middle, low, high, *, features, units=None, level: float, times=None) -> Picture:
    """A row a feature: the window (window, features) that the model was given, and the forecast (steps, features).

    window  of no step for a forecast from inputs alone, which begins with the first step of the run, at 0
    times   (time step, unit), or None: steps are counted
    Of more than MOST_FEATURES features some are drawn, evenly.
    """
    places = spread(len(features), MOST_FEATURES)
    figure, axes = grid(len(places), 1, height=1.9, sharex=True)
    step, time_unit = times or (1, "")
    past = np.arange(1 - len(window), 1) * step
    future = (np.arange(len(middle)) + bool(len(window))) * step
    for i, axis in zip(places, axes[:, 0], strict=True):
        if len(window):
            axis.plot(past, window[:, i], color=GREY, lw=2.6, alpha=0.6, label="window given to the model")
        axis.fill_between(future, low[:, i], high[:, i], color=RED, alpha=0.25, lw=0, label=f"{100 * level:g} % band")
        axis.plot(future, middle[:, i], color=RED, label="forecast")
        unit = units[i] if units else ""
        widest = label(f"half the band: up to {np.max(high[:, i] - low[:, i]) / 2:.2g}", unit)
        axis.set_title(widest, loc="right", fontsize=8.5, weight="normal")  # it may be narrower than a line
        axis.set_ylabel(label(features[i], unit))
    begin = "window" if len(window) else "first step"
    axes[-1, 0].set_xlabel(label(f"{'time' if times else 'steps'} after the {begin}", time_unit))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure
