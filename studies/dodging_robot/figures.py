"""Figures of the dodging robot: one function a figure, each returns it; the style is sim2seq's own."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, RED
from sim2seq.report.style import Picture, grid, plain, styled
from studies.dodging_robot.drawing import AIMED

KINDS = {"human": RED, "expert": BLUE, "both": GREEN}  # of sweep.KINDS
LEARNED = {"human": "people", "expert": "the expert", "both": "both"}
LOSSES = {"plain": "mean absolute error of the command [m/s]", "left_right": "cross-entropy of left, stay and right"}
LINEAR = 0.1  # hits a minute up to which an axis is linear: there may be none
REFERENCES = {"still": (GREY, ":"), "expert": (BLUE, "--")}


@styled
def hits_by_policy(board: dict, *, allowed: dict | None = None) -> Picture:
    """Hits a minute of each policy with its 95 % interval, a panel an aiming mode, all on one axis, linear at 0.

    board    policy -> aim -> scores.Score as a dict; the policy with the most hits in the mean is put on top
    allowed  aim -> the most hits that the goals allow; shaded
    """
    aims = list(next(iter(board.values())))
    names = sorted(board, key=lambda name: -np.mean([board[name][aim]["hits"] for aim in aims]))
    figure, axes = grid(1, len(aims), width=11, height=1.1 + 0.3 * len(names), sharex=True, sharey=True)
    for axis, aim in zip(axes[0], aims, strict=True):
        if allowed:
            axis.axvspan(0, allowed[aim], color=GREEN, alpha=0.15, lw=0, label="what the goals allow")
        for name, (colour, dashes) in REFERENCES.items():
            if name in board:
                axis.axvline(board[name][aim]["hits"], color=colour, ls=dashes, lw=1.1, label=name)
        draw_hits(axis, [board[name][aim] for name in names])
        axis.set_title(f"aimed {AIMED.get(aim, aim)}")
        axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.6)
        axis.set_xticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
        axis.tick_params(axis="x", which="minor", length=0)
    axes[0, 0].set(xlim=(0, 1500), ylim=(len(names) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(names)), [plain(name) for name in names])
    figure.supxlabel("hits a minute: mean and 95 % interval (axis: linear up to 0.1, logarithmic beyond)", fontsize=9.5)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=max(1, len(labels)))
    return figure


def draw_hits(axis, scores: list[dict]) -> None:
    """A bar for each score, the first on top, its interval, and its number at the right edge."""
    for place, score in enumerate(scores):
        axis.barh(place, score["hits"], height=0.5, color=BLUE, alpha=0.3, lw=0)
        axis.plot(score["hits"], place, "o", ms=4, color=BLUE, zorder=3, clip_on=False)
        axis.plot([max(score["low"], 0), score["high"]], [place, place], color=BLUE, lw=2, zorder=3)
        where = {"xy": (0.985, place), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
        axis.annotate(f"{score['hits']:.2f}", **where, fontsize=8.5)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)


@styled
def sweep_grid(results: list, verdicts: dict, recommended: dict) -> Picture:
    """Learning curves: a row for each number of timesteps, a column for each of neurons, a colour a kind.

    results      sweep.Result each; of the seeds their mean and range are drawn
    verdicts     (kind, timesteps, neurons) -> "over-fits", "under-fits" or ""
    recommended  kind -> (timesteps, neurons); these panels are framed
    Losses of different heads have different units: those of the second are above those of the first, on an axis of
    their own at the right.
    """
    rows, columns = axes_of(results)
    heads = {head: [one for one in results if one.data["head"] == head] for head in LOSSES}
    heads = {head: found for head, found in heads.items() if found}
    shape = {"width": 2.1 * len(columns) + 1.2, "height": 1.55, "sharex": True}
    figure, axes = grid(len(rows), len(columns), **shape)
    for row, column in np.ndindex(axes.shape):
        axis, place = axes[row, column], (rows[row], columns[column])
        for above, found in enumerate(heads.values()):
            panel = axis.twinx() if above else axis
            for kind in kinds_of(found):
                draw_curves(panel, losses_at(found, kind, *place), KINDS[kind])
            outer = column == (len(columns) - 1 if above else 0)
            fit_losses(panel, found, (above / len(heads), (above + 0.84) / len(heads)), words=outer)
        write_verdicts(axis, {KINDS[kind]: verdicts.get((kind, *place)) for kind in KINDS})
        frame(axis, [KINDS[kind] for kind in kinds_of(results) if recommended.get(kind) == place])
    for axis, neurons in zip(axes[0], columns, strict=True):
        axis.set_title(f"{neurons} neurons")
    for axis, timesteps in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(f"{timesteps} timesteps")
    figure.supxlabel("epoch", fontsize=9.5)
    figure.supylabel("loss: " + "; on the right: ".join(LOSSES[head] for head in heads), fontsize=9.5)
    return with_sources(figure, results, recommended)


def axes_of(results: list) -> tuple[list[int], list[int]]:
    """All numbers of timesteps, and all numbers of neurons, of a sweep."""
    return tuple(sorted({int(result.data[name]) for result in results}) for name in ("timesteps", "neurons"))


def kinds_of(results: list) -> list[str]:
    """The kinds that were trained, in the order of KINDS."""
    return [kind for kind in KINDS if any(one.data["kind"] == kind for one in results)]


def at(results: list, kind: str, timesteps: int, neurons: int) -> list:
    """The trainings at one point, one a seed."""
    place = (kind, timesteps, neurons)
    return [one for one in results if tuple(one.data[name] for name in ("kind", "timesteps", "neurons")) == place]


def losses_at(results: list, *point) -> dict[str, np.ndarray]:
    """loss and val_loss at one point of the sweep, (seeds, epochs) each; seeds that ended early are cut to the same."""
    found = at(results, *point)
    epochs = min((len(one.losses["loss"]) for one in found), default=0)
    return {name: np.array([one.losses[name][:epochs] for one in found]) for name in ("loss", "val_loss") if found}


def draw_curves(axis, losses: dict[str, np.ndarray], colour: str) -> None:
    """Mean and range over the seeds of the losses of training (solid) and validation (dashed)."""
    for name, curves in losses.items():
        epochs = np.arange(1, curves.shape[1] + 1)
        axis.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, lw=0)
        axis.plot(epochs, curves.mean(axis=0), color=colour, ls="-" if name == "loss" else (0, (3, 1.5)), lw=1.2)


def write_verdicts(axis, words: dict[str, str | None]) -> None:
    """Words in their colours, one below the other, in the upper right corner of a panel."""
    for line, (colour, text) in enumerate((colour, text) for colour, text in words.items() if text):
        below = {"xytext": (-2, -2 - 9 * line), "textcoords": "offset points", "ha": "right", "va": "top"}
        axis.annotate(text, (1, 1), xycoords="axes fraction", **below, color=colour, fontsize=8, weight="bold")


def fit_losses(axis, results: list, share: tuple[float, float], *, words: bool) -> None:
    """Limits that put the losses, but the highest, which are those of first epochs, into this share of the height."""
    values = np.concatenate([one.losses[name] for one in results for name in ("loss", "val_loss")])
    least, most = values.min(), np.quantile(values, 0.97)
    height = 1.1 * max(most - least, 1e-9) / (share[1] - share[0])
    bottom = least - (share[0] + 0.02) * height
    axis.set_ylim(bottom, bottom + height)
    ticks = [tick for tick in MaxNLocator(3).tick_values(least, most) if bottom <= tick <= most]
    axis.set_yticks(ticks, [f"{tick:.3g}" if words else "" for tick in ticks])
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    axis.spines["right"].set_visible(bool(share[0]))
    axis.grid(not share[0], axis="y")


def frame(axis, colours: list[str]) -> None:
    """A frame around a panel for each colour, one in the other."""
    for place, colour in enumerate(colours):
        away = -0.012 - 0.03 * place
        box = ((away, away), 1 - 2 * away, 1 - 2 * away)
        axis.add_patch(Rectangle(*box, transform=axis.transAxes, fill=False, ec=colour, lw=2.4, clip_on=False))


def with_sources(figure: Picture, results: list, recommended: dict) -> Picture:
    """The figure with a legend of line styles, kinds and frames."""
    there = kinds_of(results)
    axis = figure.axes[0]
    lines = [axis.plot([], [], color=KINDS[kind], lw=2.2, label=f"learned from {LEARNED[kind]}")[0] for kind in there]
    for name, dashes in (("training", "-"), ("validation", (0, (3, 1.5)))):
        lines += axis.plot([], [], color=GREY, ls=dashes, label=name)
    if recommended:
        lines.append(Rectangle((0, 0), 1, 1, fill=False, ec=GREY, lw=2, label="framed: recommended, by play"))
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), columnspacing=1.3)
    return figure


@styled
def sweep_hits(results: list, recommended: dict | None = None) -> Picture:
    """Hits a minute when it plays, mean of seeds and aiming modes, at each point; a panel and a scale a kind.

    recommended  kind -> (timesteps, neurons): framed
    """
    rows, columns = axes_of(results)
    there = kinds_of(results)
    figure, axes = grid(1, len(there), width=3.7 * len(there) + 0.4, height=0.9 + 0.36 * len(rows), sharey=True)
    for axis, kind in zip(axes[0], there, strict=True):
        hits = np.full((len(rows), len(columns)), np.nan)
        for row, column in np.ndindex(hits.shape):
            found = [one.data["hits"] for one in at(results, kind, rows[row], columns[column])]
            hits[row, column] = np.mean(found) if found else np.nan
        draw_table(axis, hits, rows, columns)
        axis.set(title=f"learned from {LEARNED[kind]}", xlabel="neurons")
        if place := (recommended or {}).get(kind):
            corner = columns.index(place[1]) - 0.5, rows.index(place[0]) - 0.5
            axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec=ORANGE, lw=3, clip_on=False, zorder=4))
    axes[0, 0].set_ylabel("timesteps")
    return figure


def draw_table(axis, values: np.ndarray, rows: list, columns: list, *, scale=None) -> None:
    """An annotated heat map of values (rows, columns), the more the darker; cells without a number stay empty."""
    norm = scale or Normalize(*padded(values))
    axis.imshow(values, cmap="Blues", norm=norm, aspect="auto")
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        if np.isfinite(value):
            colour = "white" if norm(max(value, norm.vmin)) > 0.6 else "black"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def padded(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest value, somewhat apart where they are equal or missing."""
    known = values[np.isfinite(values)]
    least, most = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    return least, max(most, least + 1e-9)


@styled
def train_play_table(matrix: dict) -> Picture:
    """Hits a minute of robots that have learned from episodes of one aiming mode and play in another.

    matrix  aim learned from -> aim played -> hits a minute
    """
    rows, columns = list(matrix), list(next(iter(matrix.values())))
    hits = np.array([[matrix[row][column] for column in columns] for row in rows])
    figure, axes = grid(1, 1, width=6.2, height=0.9 + 0.5 * len(rows))
    draw_table(axes[0, 0], hits, rows, columns, scale=LogNorm(LINEAR, max(hits.max(), 10 * LINEAR), clip=True))
    axes[0, 0].set(xlabel="balls aimed, when it plays", ylabel="balls aimed,\nwhen it learned")
    axes[0, 0].set_title("hits a minute", loc="left")
    return figure
