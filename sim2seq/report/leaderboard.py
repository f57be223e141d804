"""Leaderboard: the figure of a sweep, beside those of sim2seq/report/figures.py."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sim2seq.report.colours import BLUE, GREEN, GREY, RED
from sim2seq.report.style import grid, plain, styled

PODIUM = ((BLUE, "-"), (RED, "--"), (GREEN, "-."))


@styled
def leaderboard(
    settings: dict[str, list[str]],
    errors: list[float],
    losses: list[dict],
    *,
    shown: int = 30,
    title: str = "leaderboard",
    axis_label: str = "rollout RMSE, validation runs",
    errors_of: list[float | None] | None = None,
) -> Figure:
    """Trainings, best first: a bar each for what they are ranked by, beside their validation losses.

    The best three have colours, the same on both sides. Bars are drawn for the best `shown`, losses for all.
    settings    name -> a word for each training; errors (trainings,), infinity for one that diverged
    losses      name -> (epochs,) for each training; {} for one without epochs
    errors_of   the standard error of each of `errors`, over seeds; None for one without, or for all
    """
    count = min(len(errors), shown)
    lines = text_columns(settings, count)
    figure, axes = grid(1, 2, width=9 + 0.075 * len(lines[0]), height=max(2.6, 1.1 + 0.22 * count))
    board, curves = axes[0]
    spans = np.array((errors_of or [None] * count)[:count], dtype=float)
    draw_bars(board, lines, np.asarray(errors[:count], dtype=float), np.nan_to_num(spans), axis_label)
    board.set_title(plain(f"{title}, the best {count} of {len(errors)}" if count < len(errors) else title))
    draw_losses(curves, [np.asarray(each.get("val_loss", []), dtype=float) for each in losses])
    if not any(losses):
        curves.set_axis_off()
    return figure


def text_columns(columns: dict[str, list[str]], count: int) -> list[str]:
    """A line of names and `count` lines of words, in columns of one width each."""
    lists = [[name, *words[:count]] for name, words in columns.items()]
    padded = [[word.rjust(max(map(len, column))) for word in column] for column in lists]
    return ["  ".join(row) for row in zip(*padded, strict=True)] or [""] * (count + 1)


def draw_bars(axis, lines: list[str], errors: np.ndarray, spans: np.ndarray, name: str) -> None:
    """A bar a training, the first on top, with its value at its end; from 0, or logarithmic over a wide range.

    `lines` are the texts beside them, the first one above all bars; `spans` the standard errors, 0 without.
    """
    finite = np.isfinite(errors)
    highest = np.max((errors + spans)[finite], initial=0)
    wide = is_wide(errors[finite & (errors != 0)], 20)
    start = 10 ** np.floor(np.log10(errors[finite & (errors > 0)].min() / 1.5)) if wide else 0.0
    for place, (error, span) in enumerate(zip(errors, spans, strict=True)):
        length = error - start if finite[place] and not (wide and error < start) else 0
        colour = PODIUM[place][0] if place < 3 else GREY
        axis.barh(place, length, left=start, height=0.72, color=colour, alpha=1 if place < 3 else 0.7)
        if span and finite[place]:
            axis.errorbar(error, place, xerr=span, color="black", elinewidth=1, capsize=2)
        text = f"{error:#.3g}" if finite[place] else "diverged"
        end = (max(start + length, 0) + span, place)
        axis.annotate(text, end, xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(np.arange(-1, len(errors)), [plain(text) for text in lines], family="monospace", fontsize=8.5)
    axis.set(ylim=(max(len(errors), 6) - 0.4, -1.4), xlabel=plain(name))
    if wide:
        axis.set(xscale="log", xlim=(start, highest * (highest / start) ** 0.2))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        lowest = np.min((errors - spans)[finite & (errors < 0)], initial=0)  # what a judge measures may be below 0
        axis.set_xlim(1.05 * lowest, highest + 0.18 * (highest - lowest) or 1)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)


def draw_losses(axis, losses: list[np.ndarray]) -> None:
    """The validation losses by epoch of all trainings, the best one on top."""
    curves = [np.column_stack([np.arange(1, len(values) + 1), values]) for values in losses]
    axis.add_collection(LineCollection(curves[3:], colors=GREY, linewidths=0.9, alpha=0.5))
    if short := [curve for curve in curves[3:] if len(curve) < 3]:
        axis.plot(*np.concatenate(short).T, ".", color=GREY, alpha=0.5)
    for place in reversed(range(min(3, len(curves)))):
        colour, dashes = PODIUM[place]
        marker = "." if len(curves[place]) < 3 else ""
        axis.plot(*curves[place].T, color=colour, ls=dashes, marker=marker, lw=2.2, zorder=3)
    drawn = np.concatenate([*losses, []])
    drawn = drawn[np.isfinite(drawn)]
    axis.set(yscale="log" if is_wide(drawn, 10) else "linear", xlabel="epoch", ylabel="loss, validation runs")
    axis.autoscale_view()
    axis.set_title("loss curves, in the bars' colours")
    axis.xaxis.get_major_locator().set_params(integer=True)


def is_wide(values: np.ndarray, times: float) -> bool:
    """Whether the highest of positive values is more than `times` the lowest."""
    return bool(len(values) and values.min() > 0 and values.max() > times * values.min())
