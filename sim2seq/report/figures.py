"""Figures: one function a figure, each returns a matplotlib Figure; sim2seq/report/style.py has what they share.

Line styles tell the same story as the colours.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np

from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.streaming import extent
from sim2seq.data.windows import PARTS, Split, select
from sim2seq.evaluation.conformal import middle
from sim2seq.evaluation.scores import forecasts_of
from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from sim2seq.report.style import COLOURS, Picture, grid, label, plain, styled

PART_LINES = dict(zip(PARTS, ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":")), strict=True))
BASELINE_LINES = (
    {"color": GREY, "linestyle": ":"},
    {"color": GREY, "linestyle": "-."},
    {"color": ORANGE, "linestyle": "--"},
    {"color": PURPLE, "linestyle": "-."},
    {"color": SKY, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-"},
)


def time_label(ensemble: Ensemble) -> str:
    return label("time" if ensemble.time_unit else "step", ensemble.time_unit)


@styled
def sample_trajectories(ensemble: Ensemble, *, count: int = 5) -> Picture:
    """A row a feature: `count` runs spread over the ensemble, and the range of all runs behind them."""
    figure, axes = grid(len(ensemble.features), 1, height=1.6, sharex=True)
    chosen = np.unique(np.linspace(0, ensemble.runs - 1, count).astype(int))
    lowest, highest = extent(ensemble.values)
    for i, axis in enumerate(axes[:, 0]):
        edges = lowest[:, i], highest[:, i]
        axis.fill_between(ensemble.times, *edges, color=GREY, alpha=0.2, lw=0, label="all runs")
        for n, run in enumerate(chosen):
            values = ensemble.values[run, :, i]
            axis.plot(ensemble.times, values, color=COLOURS[n % 6], lw=1, label=plain(ensemble.run_ids[run]))
        axis.set_ylabel(label(ensemble.features[i], ensemble.units[i]))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(chosen) + 1)
    return figure


@styled
def input_ranges(ensemble: Ensemble) -> Picture:
    """A histogram for each input that differs between runs, with its range."""
    varying = [name for name, column in ensemble.inputs.items() if is_varying(column)]
    columns = min(3, max(1, len(varying)))
    rows = max(1, -(-len(varying) // columns))
    figure, axes = grid(rows, columns, height=1.7, sharey=True)
    for axis, name in zip(axes.flat, varying, strict=False):
        column = np.asarray(ensemble.inputs[name], dtype=float)
        axis.hist(column, bins=min(20, max(4, ensemble.runs // 6)), color=BLUE, alpha=0.85, edgecolor="white", lw=0.5)
        axis.set_xlabel(plain(f"{name}: {column.min():g} to {column.max():g}"))
    for axis in list(axes.flat)[len(varying) :]:
        axis.set_axis_off()
    figure.supylabel("runs", fontsize=9.5)
    return figure


@styled
def split_example(ensemble: Ensemble, split: Split) -> Picture:
    """A row a feature: the first run of each part of the split, over the steps that belong to it."""
    figure, axes = grid(len(ensemble.features), 1, height=1.6, sharex=True)
    for part, (colour, dashes) in PART_LINES.items():
        piece = select(ensemble, getattr(split, part))
        name = plain(f"{part}: {piece.run_ids[0]}, one of {piece.runs} runs")
        for i, axis in enumerate(axes[:, 0]):
            axis.plot(piece.times, piece.values[0, :, i], color=colour, ls=dashes, lw=1.8, label=name)
            axis.set_ylabel(label(ensemble.features[i], ensemble.units[i]))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def learning_curve(history: dict) -> Picture:
    """Training and validation loss by epoch, with the epoch whose weights were kept. history: name -> (epochs,)."""
    figure, axes = grid(1, 1, height=3.0)
    axis, epochs = axes[0, 0], np.arange(1, len(history["loss"]) + 1)
    best = int(np.argmin(history["val_loss"]))
    axis.plot(epochs, history["loss"], color=BLUE, marker=".", label="training runs")
    axis.plot(epochs, history["val_loss"], color=RED, marker=".", ls="--", label="validation runs")
    axis.plot(epochs[best], history["val_loss"][best], "o", ms=10, mfc="none", color=RED, label="kept")
    axis.set(yscale="log", xlabel="epoch", ylabel="loss (mean squared one-step error)")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()
    return figure


@styled
def closed_loop_grid(ensemble: Ensemble, split: Split, models, window: int, *, band=None, inputs=()) -> Picture:
    """A row a feature, a column a part: truth, the window that was given, and the free-running forecast from there.

    models   the members of an ensemble of models; their median is shown
    band     their uncertainty.Band: it is shaded, and a thin row below each feature sets the error against its width,
             for a band that is narrower than a line
    inputs   names of the inputs that the models are given

    The run shown in each part is the one whose error is the median, neither the best nor the worst.
    """
    rows = 2 if band else 1
    shared = {
        "width": 11,
        "sharex": "col",
        "sharey": "row",
        "height_ratios": [1.9, 0.9][:rows] * len(ensemble.features),
    }
    figure, axes = grid(rows * len(ensemble.features), len(PARTS), height=1.4 if band else 1.9, **shared)
    for part, column in zip(PARTS, axes.T, strict=True):
        piece = select(ensemble, getattr(split, part)).some_runs()
        forecasts = forecasts_of(models, piece, window, inputs=inputs)
        run = median_run(middle(forecasts), piece.values[:, window:])
        half = half_widths(band, forecasts[:, run])
        column[0].set_title(plain(f"{part}: {piece.run_ids[run]}"))
        for i in range(len(ensemble.features)):
            series = piece.times, piece.values[run, :, i], middle(forecasts[:, run, :, i])
            draw_forecast(column[rows * i], *series, half[:, i])
            if band:
                draw_error(column[rows * i + 1], *series, half[:, i], f"{100 * band.level:g} % band")
        column[-1].set_xlabel(time_label(ensemble))
    for i, (feature, unit) in enumerate(zip(ensemble.features, ensemble.units, strict=True)):
        axes[rows * i, 0].set_ylabel(label(feature, unit))
        if band:
            fit_to_lines(axes[rows * i])
            axes[rows * i + 1, 0].set_ylabel("error")
    figure.align_ylabels(axes[:, 0])  # the numbers of an error's axis are wider than the others
    pairs = [pair for axis in axes[:rows, 0] for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*pairs, strict=True), loc="outside upper center", ncols=len(pairs))
    return figure


def half_widths(band, forecasts) -> np.ndarray:
    """Half the width of the band around forecasts of one run, (members, steps, features) -> (steps, features).

    Not a number at steps that the band is not calibrated for, and everywhere without a band.
    """
    half = np.full(forecasts.shape[1:], np.nan)
    if band:
        _, low, high = band.around(forecasts[:, None, : band.steps])
        half[: band.steps] = (high - low)[0] / 2
    return half


def draw_forecast(axis, times, truth, forecast, half) -> None:
    """Truth (steps,), and a forecast of its last steps, from the window before them, with its band."""
    window = len(truth) - len(forecast)
    axis.axvspan(times[0], times[window - 1], color=BLUE, alpha=0.15, lw=0, label="window given to the model")
    axis.plot(times, truth, color=GREY, lw=2.6, alpha=0.6, label="truth (simulation)")
    if np.isfinite(half).any():
        axis.fill_between(times[window:], forecast - half, forecast + half, color=RED, alpha=0.25, lw=0)
    axis.plot(times[window:], forecast, color=RED, lw=1.3, label="forecast, free-running")


def fit_to_lines(row) -> None:
    """Limits of axes that share them: those of the lines, whatever the bands need."""
    values = np.concatenate([line.get_ydata() for axis in row for line in axis.lines])
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    margin = 0.05 * (high - low) or 1.0
    row[0].set_ylim(low - margin, high + margin)


def draw_error(axis, times, truth, forecast, half, name: str) -> None:
    """The size of the error in front of half the width of the band: the truth is in the band where the line is."""
    window = len(truth) - len(forecast)
    error = np.abs(forecast - truth[window:])
    sizes = np.concatenate([error, half])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    bottom = np.percentile(sizes, 3) / 2 if len(sizes) else 1e-3
    axis.axvspan(times[0], times[window - 1], color=BLUE, alpha=0.15, lw=0)
    axis.fill_between(times[window:], bottom, half, where=half > bottom, color=RED, alpha=0.25, lw=0, label=name)
    axis.plot(times[window:], np.maximum(error, bottom), color="black", lw=0.8, label="size of the error")
    axis.set(yscale="log")


def median_run(forecast, truth) -> int:
    """The place of the run whose squared error is the median; with an even number, the better of the middle two."""
    order = np.argsort(((forecast - truth) ** 2).mean(axis=(1, 2)))
    return int(order[(len(order) - 1) // 2])


@styled
def error_by_horizon(scores: dict) -> Picture:
    """RMSE on the test runs at each step ahead, free-running: the model and every baseline, on a logarithmic axis."""
    figure, axes = grid(1, 1, height=3.8)
    axis, model = axes[0, 0], scores["closed_loop"]["test"]
    steps = np.arange(1, len(model["by_horizon"]) + 1)
    for (name, result), line in zip(scores["baselines"]["closed_loop"].items(), BASELINE_LINES * 9, strict=False):
        axis.plot(steps, result["by_horizon"], lw=1.2, label=f"{name} ({result['rmse']:.3g})", **line)
    axis.plot(steps, model["by_horizon"], color=RED, lw=2.4, label=f"model ({model['rmse']:.3g})")
    units = set(scores["units"])
    axis.set(yscale="log", xlabel="horizon [steps ahead]", ylabel=label("RMSE, test runs", "".join(units)))
    axis.set_xlim(1, max(steps[-1], 2))
    curves = np.concatenate([line.get_ydata() for line in axis.lines])
    if np.isfinite(curves).all() and curves.min() > 0:  # a few near-zero crossings must not take half of the axis
        axis.set_ylim(bottom=np.percentile(curves, 1))
    figure.legend(loc="outside right center", title="closed loop (RMSE over all)")
    return figure


@styled
def band_coverage(scores: dict) -> Picture:
    """How much of the test runs the band holds in each tenth of the horizon, and its width beside the actual error."""
    band = scores["band"]
    figure, axes = grid(1, 2, width=11, height=3.2)
    left, right = axes[0]
    steps, tenths = np.arange(1, band["steps"] + 1), 100 * np.array(band["coverage_by_tenth"])
    ends = np.cumsum([len(part) for part in np.array_split(steps, len(tenths))])
    level = 100 * band["level"]
    left.axhspan(level - 5, level + 5, color=GREEN, alpha=0.18, lw=0, label=f"{level - 5:g} to {level + 5:g} %")
    left.axhline(level, color=GREEN, lw=1, ls="--")
    left.stairs(tenths, [0, *ends], baseline=None, color=RED, lw=2.2, label=f"{level:g} % band, test runs")
    left.set(xlabel="horizon [steps ahead]", ylabel="points in the band [%]", xlim=(0, ends[-1]))
    left.set_ylim(min(70, np.floor(tenths.min() / 10) * 10 - 2), 101)
    left.legend(loc="lower left")
    for (name, width), colour in zip(band["half_width"].items(), cycle(COLOURS), strict=False):
        right.plot(steps, np.array(width, dtype=float), color=colour, label=plain(f"{name}: half the band"))
        right.plot(
            steps, np.array(band["error"][name], dtype=float), color=colour, ls=":", label=plain(f"{name}: error")
        )
    if band["trusted_steps"] < band["steps"]:
        right.axvline(band["trusted_steps"], color=GREY, ls="--", lw=1.2, label="trust it up to here")
    shown = np.concatenate([line.get_ydata() for line in right.lines[: 2 * len(band["half_width"])]])
    scale = "log" if np.any(shown > 0) else "linear"  # an exact model has neither error nor width
    unit = label("mean over the test runs", "".join(set(scores["units"])))
    right.set(yscale=scale, xlabel="horizon [steps ahead]", ylabel=unit, xlim=(1, max(2, band["steps"])))
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


@styled
def outside_ranges(scores: dict) -> Picture:
    """The error of each run against each of its inputs, inside and outside the ranges of the training runs (shaded)."""
    held_out, ranges = scores["held_out"], scores["inputs"]
    columns = min(3, len(ranges))
    figure, axes = grid(-(-len(ranges) // columns), columns, width=11, height=2.9, sharey=True)
    for axis, (name, (low, high)) in zip(axes.flat, ranges.items(), strict=False):
        axis.axvspan(low, high, color=BLUE, alpha=0.12, lw=0, label="range of the training runs")
        inside = scores["test_inputs"][name], scores["test_rmse_by_run"]
        outside = held_out["inputs"][name], held_out["rmse_by_run"]
        axis.plot(*inside, "o", color=BLUE, ms=5, alpha=0.75, mew=0, label="test run inside the ranges")
        axis.plot(*outside, "^", color=RED, ms=5.5, mfc="none", mew=1.2, label="run outside a range")
        axis.set(yscale="log", xlabel=plain(name))
    for axis in axes[:, 0]:
        axis.set_ylabel(label("RMSE of the run", "".join(set(scores["units"]))))
    for axis in list(axes.flat)[len(ranges) :]:
        axis.set_axis_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def forecast_with_band(window, middle, low, high, *, features, units=None, level: float, times=None) -> Picture:
    """A row a feature: the window (window, features) that the model was given, and the forecast (steps, features).

    times   (time step, unit), or None: steps are counted
    """
    figure, axes = grid(len(features), 1, height=1.9, sharex=True)
    step, time_unit = times or (1, "")
    past, future = np.arange(1 - len(window), 1) * step, np.arange(1, len(middle) + 1) * step
    for i, axis in enumerate(axes[:, 0]):
        axis.plot(past, window[:, i], color=GREY, lw=2.6, alpha=0.6, label="window given to the model")
        axis.fill_between(future, low[:, i], high[:, i], color=RED, alpha=0.25, lw=0, label=f"{100 * level:g} % band")
        axis.plot(future, middle[:, i], color=RED, label="forecast")
        unit = units[i] if units else ""
        widest = label(f"half the band: up to {np.max(high[:, i] - low[:, i]) / 2:.2g}", unit)
        axis.set_title(widest, loc="right", fontsize=8.5, weight="normal")  # it may be narrower than a line
        axis.set_ylabel(label(features[i], unit))
    axes[-1, 0].set_xlabel(label("time after the window" if times else "steps after the window", time_unit))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_all(
    ensemble: Ensemble, models, split: Split, history: dict, scores: dict, band=None, *, inputs=()
) -> dict[str, Picture]:
    """Every figure of a finished training, by name, in the report's order; options as in `closed_loop_grid`."""
    drawn = {
        "input_ranges": input_ranges(ensemble),
        "sample_trajectories": sample_trajectories(ensemble),
        "split_example": split_example(ensemble, split),
        "learning_curve": learning_curve(history),
        "closed_loop": closed_loop_grid(ensemble, split, models, scores["window"], band=band, inputs=inputs),
        "error_by_horizon": error_by_horizon(scores),
    }
    if scores.get("band"):
        drawn["band_coverage"] = band_coverage(scores)
    if scores.get("held_out") and scores.get("inputs"):
        drawn["outside_ranges"] = outside_ranges(scores)
    return drawn


def save_figures(folder, *drawing, **options) -> None:
    """Write every figure as a PNG into `folder`; arguments as for `draw_all`."""
    Path(folder).mkdir(exist_ok=True)
    for name, figure in draw_all(*drawing, **options).items():
        figure.savefig(Path(folder) / f"{name}.png", dpi=110)
