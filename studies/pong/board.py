#!/usr/bin/env python
"""One leaderboard over the environments: every recorded training, by its distance in those of copying the last frame.

    python studies/pong/board.py pong=STORE cube_crash=STORE --csv board.csv

A store has the trainings of one environment, as its suite leaves them. Pixels after 60 steps of Pong and after 20 of
CubeCrash say nothing to each other; how much nearer than a copy of the last known frame a model comes, does. Below 1 is
better than copying; both are measured on the same validation episodes.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from pathlib import Path

from sim2seq import ranking
from sim2seq._support.command import Parser, run
from sim2seq._support.config import split_assignment
from sim2seq._support.files import write_text
from studies.pong.scores import COPIED
from studies.pong.worlds import WORLDS

HEADER = (
    "place",
    "environment",
    "model",
    "skip",
    "known",
    "told",
    "steps",
    "distance",
    "copied",
    "times",
    "wrong_ends",
)
HEADER += ("recorded as",)
SHOWN = {"distance": ".2f", "copied": ".2f", "times": ".3f", "wrong_ends": ".3f"}


def rows(stores: dict[str, str]) -> list[list]:
    """A row a training of environment -> store, best first, as HEADER names it.

    Raises ValueError for a training without the distance of copying: it was recorded by an older version.
    """
    found = [row_of(world, each) for world, path in stores.items() for each in ranking.load(path, "pong")]
    found.sort(key=lambda row: (row[HEADER.index("times") - 1], row[-1]))
    return [[place, *row] for place, row in enumerate(found, start=1)]


def row_of(world: str, result: ranking.Result) -> list:
    """A training's row, without its place."""
    copied = [(name, value) for name, value in result.data.items() if name.startswith(COPIED)]
    if not copied:
        raise ValueError(f"{result.name}: expected a training with the distance of copying beside it; record it anew")
    (name, beside), settings = copied[0], result.settings
    told = [settings.get(each, "") for each in ("model", "skip", "window")] + [bool(settings.get("inputs"))]
    numbers = [result.error, beside, result.error / beside if beside else math.inf, result.data.get("wrong_ends")]
    return [world, *told, int(name.removeprefix(COPIED)), *numbers, result.name]


def main(argv=None) -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+", metavar="ENVIRONMENT=STORE", help=f"of {', '.join(WORLDS)}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write it there, with every digit")
    options = parser.parse_args(argv)
    stores = dict(split_assignment(each) for each in options.stores)
    if len(stores) < len(options.stores) or set(stores) - set(WORLDS):
        raise ValueError(f"expected each environment once, of {', '.join(WORLDS)}; got {' '.join(options.stores)}")
    found = rows(stores)
    print("  ".join(HEADER))
    for row in found:
        cells = zip(HEADER, row, strict=True)
        print("  ".join("-" if value is None else format(value, SHOWN.get(name, "")) for name, value in cells))
    if options.csv:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *found])
        write_text(options.csv, text.getvalue())


if __name__ == "__main__":
    sys.exit(run(main))
