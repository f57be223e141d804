"""Figures: one function a figure, each returns a matplotlib Figure; nothing here needs a display.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers; line styles tell the same story.
"""

from __future__ import annotations

from functools import wraps
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from sim2seq.ensemble import Ensemble
from sim2seq.forecast import closed_loop
from sim2seq.windows import PARTS, Split, select

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#777777"
PART_LINES = dict(zip(PARTS, ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":")), strict=True))
BASELINE_LINES = (
    {"color": GREY, "linestyle": ":"},
    {"color": GREY, "linestyle": "-."},
    {"color": ORANGE, "linestyle": "--"},
    {"color": PURPLE, "linestyle": "-."},
    {"color": SKY, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-"},
)
STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
}


def styled(draw):
    """Draw with this module's style, and leave the user's style alone."""

    @wraps(draw)
    def draw_styled(*args, **options):
        with rc_context(STYLE):
            return draw(*args, **options)

    return draw_styled


class Picture(Figure):
    """A Figure that Jupyter shows by itself, whatever plotting backend is or is not set up."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def grid(rows: int, columns: int, *, width: float = 9.0, height: float = 2.0, **options):
    """A new Figure and its axes (rows, columns); `height` is that of one row, in inches."""
    figure = Picture(figsize=(width, height * rows + 0.4), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def label(name: str, unit: str) -> str:
    """ "name [unit]", or the name alone where there is no unit; both shown as they are written."""
    return plain(f"{name} [{unit}]" if unit else name)


def plain(text: str) -> str:
    """`text` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def time_label(ensemble: Ensemble) -> str:
    return label("time" if ensemble.time_unit else "step", ensemble.time_unit)


@styled
def sample_trajectories(ensemble: Ensemble, *, count: int = 5) -> Figure:
    """A row a feature: `count` runs spread over the ensemble, and the range of all runs behind them."""
    figure, axes = grid(len(ensemble.features), 1, height=1.6, sharex=True)
    chosen = np.unique(np.linspace(0, ensemble.runs - 1, count).astype(int))
    colours = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
    for i, axis in enumerate(axes[:, 0]):
        values = ensemble.values[..., i]
        axis.fill_between(ensemble.times, values.min(0), values.max(0), color=GREY, alpha=0.2, lw=0, label="all runs")
        for n, run in enumerate(chosen):
            axis.plot(ensemble.times, values[run], color=colours[n % 6], lw=1, label=plain(ensemble.run_ids[run]))
        axis.set_ylabel(label(ensemble.features[i], ensemble.units[i]))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(chosen) + 1)
    return figure


@styled
def input_ranges(ensemble: Ensemble) -> Figure:
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


def is_varying(column) -> bool:
    """Whether an input is a number that differs between runs."""
    column = np.asarray(column)
    return column.dtype.kind in "iuf" and column.min() < column.max()


@styled
def split_example(ensemble: Ensemble, split: Split) -> Figure:
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
def learning_curve(history: dict) -> Figure:
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
def closed_loop_grid(ensemble: Ensemble, split: Split, model, window: int) -> Figure:
    """A row a feature, a column a part: truth, the window that the model was given, and its forecast from there.

    The run shown in each part is the one whose error is the median, neither the best nor the worst.
    """
    figure, axes = grid(len(ensemble.features), len(PARTS), width=11, height=1.9, sharex="col", sharey="row")
    for part, column in zip(PARTS, axes.T, strict=True):
        piece = select(ensemble, getattr(split, part))
        forecast = closed_loop(model, piece.values[:, :window], piece.steps - window)
        run = median_run(forecast, piece.values[:, window:])
        column[0].set_title(plain(f"{part}: {piece.run_ids[run]}"))
        for i, axis in enumerate(column):
            draw_forecast(axis, piece.times, piece.values[run, :, i], forecast[run, :, i])
        column[-1].set_xlabel(time_label(ensemble))
    for axis, feature, unit in zip(axes[:, 0], ensemble.features, ensemble.units, strict=True):
        axis.set_ylabel(label(feature, unit))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_forecast(axis, times, truth, forecast) -> None:
    """Truth (steps,), and a forecast of its last steps, from the window before them."""
    window = len(truth) - len(forecast)
    axis.axvspan(times[0], times[window - 1], color=BLUE, alpha=0.15, lw=0, label="window given to the model")
    axis.plot(times, truth, color=GREY, lw=2.6, alpha=0.6, label="truth (simulation)")
    axis.plot(times[window:], forecast, color=RED, lw=1.3, label="forecast, free-running")


def median_run(forecast, truth) -> int:
    """The place of the run whose squared error is the median; with an even number, the better of the middle two."""
    order = np.argsort(((forecast - truth) ** 2).mean(axis=(1, 2)))
    return int(order[(len(order) - 1) // 2])


@styled
def error_by_horizon(scores: dict) -> Figure:
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


def draw_all(ensemble: Ensemble, model, split: Split, history: dict, scores: dict) -> dict[str, Figure]:
    """Every figure of a finished training, by name, in the order of the report."""
    return {
        "input_ranges": input_ranges(ensemble),
        "sample_trajectories": sample_trajectories(ensemble),
        "split_example": split_example(ensemble, split),
        "learning_curve": learning_curve(history),
        "closed_loop": closed_loop_grid(ensemble, split, model, scores["window"]),
        "error_by_horizon": error_by_horizon(scores),
    }


def save_figures(folder, ensemble: Ensemble, model, split: Split, history: dict, scores: dict) -> None:
    """Write every figure as a PNG into `folder`."""
    Path(folder).mkdir(exist_ok=True)
    for name, figure in draw_all(ensemble, model, split, history, scores).items():
        figure.savefig(Path(folder) / f"{name}.png", dpi=150)
