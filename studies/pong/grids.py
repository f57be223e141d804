"""Grids: the trainings of a Merlin study as one picture, out of the table of them.

A table is what `sim2seq leaderboard STORE --csv FILE` writes, which the suite leaves as leaderboard.csv, or what
board.py does, over the environments.
"""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

import numpy as np

from sim2seq.report.style import Picture, grid, plain, styled

DARK = 0.6  # of the shades, from which words on them are white


def board_of(path: Path) -> dict[str, dict[tuple[str, str], float]]:
    """Environment -> (model, how it was trained) -> the mean distance of these trainings, of a table of them.

    Raises ValueError, in one line, for a file that is no such table.
    """
    found: dict[str, dict[tuple[str, str], list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                value = float(row["distance"] if "distance" in row else row["error"])
                told = row["told"] == "True" if "told" in row else bool(row.get("inputs"))
                way = f"skip {row.get('skip') or 1}{', angle told' * told}"
                found.setdefault(row.get("environment", ""), {}).setdefault((row["model"], way), []).append(value)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: expected a leaderboard's columns model and error, or distance") from error
    if not found:
        raise ValueError(f"{path}: expected the trainings of a leaderboard; got none")
    return {name: {each: statistics.fmean(values) for each, values in of.items()} for name, of in found.items()}


@styled
def sweep(boards: dict[str, dict[tuple[str, str], float]]) -> Picture:
    """A grid an environment: a line a model, the best on top, a column for skip and angle told; empty where none is."""
    figure, axes = grid(1, len(boards), width=1.5 + 5 * len(boards), height=3.2)
    for axis, (name, board) in zip(axes[0], boards.items(), strict=True):
        best: dict[str, float] = {}
        for (model, _), value in board.items():
            best[model] = min(value, best.get(model, math.inf))
        models, ways = sorted(best, key=lambda model: (best[model], model)), sorted({way for _, way in board})
        cells = np.array([[board.get((model, way), np.nan) for way in ways] for model in models])
        draw_cells(axis, cells)
        axis.set_xticks(range(len(ways)), [way.replace(", ", "\n") for way in ways])
        axis.set_yticks(range(len(models)), [model.replace("_", " ") for model in models])
        axis.set_title(plain(f"{name} [px]".strip() if name else "distance, validation episodes [px]"))
    return figure


def draw_cells(axis, cells: np.ndarray) -> None:
    """Numbers (lines, columns) as coloured cells, dark is far; nan stays empty, infinity says that it diverged."""
    finite = cells[np.isfinite(cells)]
    shades = np.log(np.maximum(cells, finite[finite > 0].min(initial=1e-3) / 2))
    shades[np.isinf(shades)] = np.nan
    shown = axis.imshow(shades, cmap="Blues", aspect="auto", vmax=(np.nanmax(shades) if len(finite) else 0) + 1)
    axis.grid(False)
    for (line, column), value in np.ndenumerate(cells):
        if not np.isnan(value):
            words = f"{value:.2f}" if np.isfinite(value) else "diverged"
            dark = shown.norm(shades[line, column]) > DARK
            axis.text(column, line, words, ha="center", va="center", color="white" if dark else "black")
