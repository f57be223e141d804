"""Figures of the scores: losses, errors beside the baselines, what the band holds, what happens outside the ranges."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from sim2seq.evaluation.conformal import BandScores, tenths
from sim2seq.evaluation.measures import common_unit
from sim2seq.evaluation.scores import Combined, Scores
from sim2seq.models.candidates.combination import weights_at
from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from sim2seq.report.style import (
    COLOURS,
    Picture,
    area,
    by_error,
    grid,
    label,
    legend_above,
    plain,
    styled,
    turn_off,
)

BASELINE_LINES = (
    {"color": GREY, "linestyle": ":"},
    {"color": GREY, "linestyle": "-."},
    {"color": ORANGE, "linestyle": "--"},
    {"color": PURPLE, "linestyle": "-."},
    {"color": SKY, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-"},
)
MOST_WIDTHS, FEWER = len(COLOURS), 3  # features whose widths are drawn; of more than the first number, the second
FEW = 20  # positions: each is marked
MOST_RANGES = 12  # inputs
PATTERNS = ("", "///", "...", "\\\\\\", "xx")  # of areas, so that colours do not tell all


def position_label(scores: Scores) -> str:
    """What the positions of a prediction count, as an axis says it."""
    return "horizon [steps ahead]" if scores.task == "forecast" else scores.position


@styled
def learning_curve(history: dict) -> Picture:
    """Training and validation loss by epoch, with the epoch whose weights were kept. history: name -> (epochs,)."""
    figure, axes = grid(1, 1, height=3.0)
    axis, epochs = axes[0, 0], np.arange(1, len(history["loss"]) + 1)
    best = int(np.argmin(np.nan_to_num(history["val_loss"], nan=np.inf)))
    axis.plot(epochs, history["loss"], color=BLUE, marker=".", label="training runs")
    axis.plot(epochs, history["val_loss"], color=RED, marker=".", ls="--", label="validation runs")
    axis.plot(epochs[best], history["val_loss"][best], "o", ms=10, mfc="none", color=RED, label="kept")
    positive = min(*history["loss"], *history["val_loss"]) > 0  # a log-likelihood may be below 0
    axis.set(yscale="log" if positive else "linear", xlabel="epoch", ylabel="loss")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()
    return figure


@styled
def candidate_weights(scores: Scores) -> Picture:
    """The weight of each candidate of a combination by horizon, one upon another up to 1; the largest at the bottom.

    Raises ValueError for scores of one model.
    """
    if scores.combined is None:
        raise ValueError("expected scores of a combination; got those of one model")
    figure, axes = grid(1, 1, height=2.6)
    axis, steps = axes[0, 0], np.array(scores.positions)
    weights, means = by_step(scores.combined, len(steps)), mean_weights(scores.combined, len(steps))
    names, edges = sorted(means, key=lambda name: -means[name]), np.zeros(len(steps))
    for name, colour, pattern in zip(names, cycle(COLOURS), cycle(PATTERNS), strict=False):
        low, edges = edges, edges + weights[name]
        text = plain(f"{name} ({weight_text(means[name])})")
        area(axis, steps, low, edges, facecolor=colour, edgecolor="white", alpha=0.75, hatch=pattern, label=text)
    last = steps[-1] if len(steps) > 1 else steps[0] + 1
    scale = "log" if len(steps) > FEW else "linear"  # the first steps, where most changes, get their share
    axis.set(xscale=scale, xlim=(steps[0], last), ylim=(0, 1), xlabel=position_label(scores), ylabel="weight")
    handles = (each[::-1] for each in axis.get_legend_handles_labels())
    figure.legend(*handles, loc="outside right center", title="weight on average")
    return figure


def by_step(combined: Combined, steps: int) -> dict[str, np.ndarray]:
    """Name -> weight at each step ahead, (steps,)."""
    weights = weights_at(combined.steps, np.transpose(list(combined.weights.values())), steps)
    return dict(zip(combined.weights, weights.T, strict=True))


def mean_weights(combined: Combined, steps: int) -> dict[str, float]:
    """Name -> mean weight over the horizon."""
    return {name: float(column.mean()) for name, column in by_step(combined, steps).items()}


def weight_text(share: float) -> str:
    """A share of 1 in words, such as 43.8 %."""
    return f"{100 * share:.3g} %" if share >= 0.01 else "below 1 %"


@styled
def error_by_position(scores: Scores) -> Picture:
    """The error on the test runs at each position: the model and every baseline, on a logarithmic axis."""
    figure, axes = grid(1, 1, height=3.8)
    axis, model = axes[0, 0], scores.errors["test"]
    marker = {"marker": "."} if len(model.by_position) <= FEW else {}
    for (name, errors), line in zip(scores.baselines.items(), cycle(BASELINE_LINES), strict=False):
        draw_errors(axis, scores, name, errors, lw=1.2, **line, **marker)
    draw_errors(axis, scores, "model", model, color=RED, lw=2.4, **marker)
    curves = np.concatenate([line.get_ydata() for line in axis.lines])
    curves = curves[np.isfinite(curves)]
    scale = "log" if np.any(curves > 0) else "linear"
    axis.set(yscale=scale, xlabel=position_label(scores), ylabel=label(f"{scores.measure}, test runs", scores.unit))
    first, last = scores.positions[0], axis.lines[-1].get_xdata()[-1]
    axis.set_xlim(first, last if last > first else first + 1)
    if len(curves) and curves.min() > 0:  # a few near-zero crossings must not take half of the axis
        axis.set_ylim(bottom=np.percentile(curves, 1) / 1.1)
    figure.legend(loc="outside right center", title=f"{scores.measure} over all")
    return figure


def draw_errors(axis, scores: Scores, name: str, errors, **line) -> None:
    """The error at each position, up to the end of the longest test run."""
    values = np.asarray(errors.by_position, dtype=float)
    count = 1 + int(np.max(np.flatnonzero(~np.isnan(values)), initial=0))
    axis.plot(scores.positions[:count], values[:count], label=plain(f"{name} ({errors.rmse:.3g})"), **line)


@styled
def band_coverage(scores: Scores) -> Picture:
    """How much of the test runs the band holds by position, and its width beside the actual error.

    Raises ValueError for scores without a band.
    """
    if scores.band is None:
        raise ValueError("expected scores with those of a band; got none")
    figure, axes = grid(1, 2, width=11, height=3.2)
    draw_coverage(axes[0, 0], scores, scores.band)
    draw_widths(axes[0, 1], scores, scores.band)
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside right center")
    return figure


def draw_coverage(axis, scores: Scores, band: BandScores) -> None:
    """The share held in each tenth of the positions, or at each of few, in front of what it should be."""
    shares, level = 100 * np.array(band.coverage_by_tenth, dtype=float), 100 * band.level
    axis.axhspan(level - 5, level + 5, color=GREEN, alpha=0.18, lw=0, label=f"{level - 5:g} to {level + 5:g} %")
    axis.axhline(level, color=GREEN, lw=1, ls="--")
    name = f"{level:g} % band, test runs"
    if len(shares) == band.steps:
        axis.plot(scores.positions[: band.steps], shares, color=RED, lw=2.2, marker="o", label=name)
    else:
        first, second = scores.positions[:2]  # a position answers for what lies between it and the one before
        ends = [2 * first - second, *(scores.positions[part.stop - 1] for part in tenths(band.steps))]
        axis.stairs(shares, ends, baseline=None, color=RED, lw=2.2, label=name)
        axis.set_xlim(ends[0], ends[-1])
    axis.set(xlabel=position_label(scores), ylabel="points in the band [%]")
    axis.set_ylim(min(70, np.floor(np.nanmin(shares) / 10) * 10 - 2), 101)
    axis.legend(loc="lower left")


def draw_widths(axis, scores: Scores, band: BandScores) -> None:
    """Half the band and the error by position: of all features, or of many the worst, the median and the best."""
    positions = scores.positions[: band.steps]
    marker = {"marker": "."} if len(positions) <= FEW else {}
    most = MOST_WIDTHS if len(scores.features) <= MOST_WIDTHS else FEWER
    names = by_error(scores.errors["test"].by_feature, most=most)
    for name, colour in zip(names, cycle(COLOURS), strict=False):
        for what, values, dashes in (("half the band", band.half_width, "-"), ("error", band.error, ":")):
            shown = np.array(values[name], dtype=float)
            axis.plot(positions, shown, color=colour, ls=dashes, label=plain(f"{name}: {what}"), **marker)
    shown = np.concatenate([line.get_ydata() for line in axis.lines])
    if scores.task == "forecast" and band.trusted_steps < band.steps:
        axis.axvline(band.trusted_steps, color=GREY, ls="--", lw=1.2, label="trust it up to here")
    scale = "log" if np.any(shown > 0) else "linear"  # an exact model has neither error nor width
    unit = label("mean over the test runs", common_unit(scores.units))
    limits = (positions[0], positions[-1] if len(positions) > 1 else positions[0] + 1)
    axis.set(yscale=scale, xlabel=position_label(scores), ylabel=unit, xlim=limits)


@styled
def outside_ranges(scores: Scores, units: dict[str, str] | None = None) -> Picture:
    """The error of test runs and of those held out against their inputs; ranges of the training runs are shaded.

    units   name -> unit, of the inputs
    Raises ValueError for scores without runs that are held out.
    """
    if scores.held_out is None:
        raise ValueError("expected scores of runs that are held out; got none")
    held_out, ranges = scores.held_out, dict(list(scores.inputs.items())[:MOST_RANGES])
    columns = min(3, len(ranges))
    figure, axes = grid(-(-len(ranges) // columns), columns, width=11, height=2.9, sharey=True)
    for axis, (name, (low, high)) in zip(axes.flat, ranges.items(), strict=False):
        axis.axvspan(low, high, color=BLUE, alpha=0.12, lw=0, label="range of the training runs")
        inside = held_out.test_inputs[name], held_out.test_rmse_by_run
        outside = held_out.inputs[name], held_out.rmse_by_run
        axis.plot(*inside, "o", color=BLUE, ms=5, alpha=0.75, mew=0, label="test run")
        axis.plot(*outside, "^", color=RED, ms=5.5, mfc="none", mew=1.2, label="run that was held out")
        axis.set(yscale="log", xlabel=label(name, (units or {}).get(name, "")))
    for axis in axes[:, 0]:
        axis.set_ylabel(label(f"{scores.measure} of the run", scores.unit))
    turn_off(axes, len(ranges))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure
