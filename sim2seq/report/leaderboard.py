"""Leaderboard: the figure of a sweep, beside those of sim2seq/report/figures.py."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sim2seq.report.colours import BLUE, GREEN, GREY, RED
from sim2seq.report.style import grid, plain, styled

PODIUM = ((BLUE, "-"), (RED, "--"), (GREEN, "-."))


@styled
def leaderboard(settings: dict[str, list[str]], errors: list[float], losses: list[dict], *, shown: int = 30) -> Figure:
    """Trainings, best first: a bar each for the closed-loop error on validation runs, beside their validation losses.

    The best three have colours, the same on both sides. Bars are drawn for the best `shown`, losses for all.
    settings: name -> a word for each training; errors (trainings,), infinity for one that diverged;
    losses: name -> (epochs,) for each training.
    """
    count = min(len(errors), shown)
    lines = text_columns(settings, count)
    figure, axes = grid(1, 2, width=9 + 0.075 * len(lines[0]), height=max(2.6, 1.1 + 0.22 * count))
    board, curves = axes[0]
    draw_bars(board, lines, np.asarray(errors[:count], dtype=float))
    board.set_title(f"leaderboard, the best {count} of {len(errors)}" if count < len(errors) else "leaderboard")
    for place in reversed(range(len(errors))):  # the best on top
        values = np.asarray(losses[place]["val_loss"], dtype=float)
        colour, dashes = PODIUM[place] if place < 3 else (GREY, "-")
        line = {"lw": 2.2, "zorder": 3} if place < 3 else {"lw": 0.9, "alpha": 0.5}
        marker = "." if len(values) < 3 else ""
        curves.plot(np.arange(1, len(values) + 1), values, color=colour, ls=dashes, marker=marker, **line)
    drawn = np.concatenate([line.get_ydata() for line in curves.lines])
    wide = len(drawn) > 0 and drawn.min() > 0 and drawn.max() > 10 * drawn.min()
    curves.set(yscale="log" if wide else "linear", xlabel="epoch", ylabel="loss, validation runs")
    curves.set_title("loss curves, in the bars' colours")
    curves.xaxis.get_major_locator().set_params(integer=True)
    return figure


def text_columns(columns: dict[str, list[str]], count: int) -> list[str]:
    """A line of names and `count` lines of words, in columns of one width each."""
    lists = [[name, *words[:count]] for name, words in columns.items()]
    padded = [[word.rjust(max(map(len, column))) for word in column] for column in lists]
    return ["  ".join(row) for row in zip(*padded, strict=True)] or [""] * (count + 1)


def draw_bars(axis, lines: list[str], errors: np.ndarray) -> None:
    """A bar a training, the first on top, with its error at its end; from 0, or logarithmic over a wide range.

    `lines` are the texts beside them, the first one above all bars.
    """
    finite = errors[np.isfinite(errors) & (errors > 0)]
    wide = len(finite) > 0 and finite.max() > 20 * finite.min()
    start = 10 ** np.floor(np.log10(finite.min() / 1.5)) if wide else 0.0
    for place, error in enumerate(errors):
        length = max(error - start, 0) if np.isfinite(error) else 0
        colour = PODIUM[place][0] if place < 3 else GREY
        axis.barh(place, length, left=start, height=0.72, color=colour, alpha=1 if place < 3 else 0.7)
        text = f"{error:#.3g}" if np.isfinite(error) else "diverged"
        end = (start + length, place)
        axis.annotate(text, end, xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(np.arange(-1, len(errors)), [plain(text) for text in lines], family="monospace", fontsize=8.5)
    axis.set(ylim=(max(len(errors), 6) - 0.4, -1.4), xlabel="closed-loop RMSE, validation runs")
    if wide:
        axis.set(xscale="log", xlim=(start, finite.max() * (finite.max() / start) ** 0.2))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.set_xlim(0, 1.18 * finite.max() if len(finite) else 1)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)
