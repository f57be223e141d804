"""Figures of the dodging robot: one function a figure, each returns it; the style is sim2seq's own."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle

from sim2seq import ranking
from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, RED
from sim2seq.report.style import Picture, grid, legend_above, plain, styled
from studies.dodging_robot.judging import fits
from studies.dodging_robot.world import AIMED

LEARNED = {"human": "people", "expert": "the expert", "both": "both"}
LINEAR = 0.1  # hits a minute up to which an axis is linear: there may be none
REFERENCES = {"still": (GREY, ":"), "expert": (BLUE, "--")}
LOSSES = {"loss": (BLUE, "-", "training"), "val_loss": (RED, (0, (3, 1.5)), "validation")}


@styled
def hits_by_policy(board: dict, *, allowed: dict | None = None) -> Picture:
    """Hits a minute of each policy with its 95 % interval, a panel an aiming mode, all on one axis, linear at 0.

    board    policy -> aim -> scores.Score; the policy with the most hits in the mean is put on top
    allowed  aim -> the most hits that the goals allow; shaded
    """
    aims = list(next(iter(board.values())))
    names = sorted(board, key=lambda name: -np.mean([board[name][aim].hits for aim in aims]))
    figure, axes = grid(1, len(aims), width=11, height=1.1 + 0.3 * len(names), sharex=True, sharey=True)
    for axis, aim in zip(axes[0], aims, strict=True):
        if allowed:
            axis.axvspan(0, allowed[aim], color=GREEN, alpha=0.15, lw=0, label="what the goals allow")
        for name, (colour, dashes) in REFERENCES.items():
            if name in board:
                axis.axvline(board[name][aim].hits, color=colour, ls=dashes, lw=1.1, label=name)
        draw_hits(axis, [board[name][aim] for name in names])
        axis.set_title(f"aimed {AIMED.get(aim, aim)}")
        axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.6)
        axis.set_xticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
        axis.tick_params(axis="x", which="minor", length=0)
    axes[0, 0].set(xlim=(0, 1500), ylim=(len(names) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(names)), [plain(name) for name in names])
    figure.supxlabel("hits a minute: mean and 95 % interval (axis: linear up to 0.1, logarithmic beyond)", fontsize=9.5)
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure


def draw_hits(axis, scores: list) -> None:
    """A bar for each score, the first on top, its interval, and its number at the right edge."""
    for place, score in enumerate(scores):
        axis.barh(place, score.hits, height=0.5, color=BLUE, alpha=0.3, lw=0)
        axis.plot(score.hits, place, "o", ms=4, color=BLUE, zorder=3, clip_on=False)
        axis.plot([max(score.low, 0), score.high], [place, place], color=BLUE, lw=2, zorder=3)
        where = {"xy": (0.985, place), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
        axis.annotate(f"{score.hits:.2f}", **where, fontsize=8.5)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)


@styled
def sweep(points: list[ranking.Point]) -> Picture:
    """A sweep on one kind of data: a row for each window, a column for each size of the network.

    Each panel has the losses by epoch, of the seeds their mean and range; how it fits (judging.fits); and hits a minute
    when it plays, the more the darker. The recommended one is framed.
    """
    recommended, hits = ranking.recommend(points), [point.error for point in points]
    rows, columns = (sorted({int(point.settings[name]) for point in points}) for name in ("window", "units"))
    width = max(9.0, 2.1 * len(columns) + 1.2)
    figure, axes = grid(len(rows), len(columns), width=width, height=1.4, sharex=True, sharey=True)
    shade, losses = Normalize(min(hits), max(*hits, min(hits) + 1e-9)), []
    for point, word in zip(points, fits(points), strict=True):
        window, units = (int(point.settings[name]) for name in ("window", "units"))
        axis = axes[rows.index(window), columns.index(units)]
        look = {"fc": colormaps["Blues"](0.6 * shade(point.error)), "ec": ORANGE if point is recommended else "none"}
        axis.add_patch(Rectangle((0, 0), 1, 1, transform=axis.transAxes, **look, lw=6, zorder=0.5))
        losses += draw_losses(axis, point.results)
        axis.set_title(f"{window} rows, {units} neurons", fontsize=8.5)
        below = {"xytext": (-5, -5), "textcoords": "offset points", "ha": "right", "va": "top", "fontsize": 8.5}
        axis.annotate(f"{point.error:.2f} hits\n{word}", (1, 1), xycoords="axes fraction", **below)
    least, most = np.min(losses), np.quantile(losses, 0.97)  # the highest are those of first epochs
    axis.set_ylim(least - 0.05 * (most - least), most + 0.1 * (most - least) + 1e-9)
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    figure.supxlabel("epoch", fontsize=9.5)
    figure.supylabel(f"loss, learned from {LEARNED[point.settings['data']]}", fontsize=9.5)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def draw_losses(axis, results) -> list[float]:
    """Draw mean and range over the seeds of both losses, up to the end of the shortest; the means."""
    drawn = []
    for name, (colour, dashes, label) in LOSSES.items():
        epochs = min(len(one.losses[name]) for one in results)
        seeds, steps = np.array([one.losses[name][:epochs] for one in results]), np.arange(1, epochs + 1)
        axis.fill_between(steps, seeds.min(axis=0), seeds.max(axis=0), color=colour, alpha=0.15, lw=0)
        axis.plot(steps, seeds.mean(axis=0), color=colour, ls=dashes, lw=1.2, label=label)
        drawn += seeds.mean(axis=0).tolist()
    return drawn


@styled
def train_play_table(matrix: dict) -> Picture:
    """Hits a minute of robots that have learned from episodes of one aiming mode and play in another.

    matrix  aim learned from -> aim played -> hits a minute
    """
    rows, columns = list(matrix), list(next(iter(matrix.values())))
    hits = np.array([[matrix[row][column] for column in columns] for row in rows])
    figure, axes = grid(1, 1, width=6.2, height=0.9 + 0.5 * len(rows))
    axis, norm = axes[0, 0], LogNorm(LINEAR, max(hits.max(), 10 * LINEAR), clip=True)
    axis.imshow(hits, cmap="Blues", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(hits):
        colour = "white" if norm(value) > 0.6 else "black"
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set(xlabel="balls aimed, when it plays", ylabel="balls aimed,\nwhen it learned")
    axis.set_title("hits a minute", loc="left")
    return figure
