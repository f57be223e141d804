#!/usr/bin/env python
"""One leaderboard over the environments: every recorded training, by its distance in those of copying the last frame.

    python studies/pong/board.py pong=STORE cube_crash=STORE --csv board.csv --figure board.png

A store has the trainings of one environment, as the suite leaves them. Pixels after 60 steps of Pong and after 20 of
CubeCrash say nothing to each other; how much nearer than a copy of the last known frame a model comes, does. Below 1 is
better than copying; both are measured on the same validation episodes, and so is the limit: the best that can be known
of what a model is shown.
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
from studies.pong.scores import COPIED, LIMIT
from studies.pong.worlds import WORLDS, each_once

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
    "limit",
    "wrong_ends",
)
HEADER += ("recorded as",)
SHOWN = {"distance": ".2f", "copied": ".2f", "times": ".3f", "limit": ".2f", "wrong_ends": ".3f"}
NAMED = HEADER[1:6]  # what tells one training from the others, in the picture
TIMES = "distance, in those of copying the last frame"


def ranked(stores: dict[str, str]) -> list[tuple[str, ranking.Result]]:
    """(environment, training) of environment -> store, best first.

    Raises ValueError for a training without the distance of copying: it was recorded by an older version.
    """
    found = [(world, each) for world, path in stores.items() for each in ranking.load(path, "pong")]
    return sorted(found, key=lambda one: (times(one[1]), one[1].name))


def beside(result: ranking.Result) -> tuple[int, float]:
    """After how many steps a training is judged, and the distance of copying there."""
    copied = [(name, value) for name, value in result.data.items() if name.startswith(COPIED)]
    if not copied:
        raise ValueError(f"{result.name}: expected a training with the distance of copying beside it; record it anew")
    (name, value), *_ = copied
    return int(name.removeprefix(COPIED)), value


def times(result: ranking.Result) -> float:
    """The distance of a training in those of copying."""
    _, copied = beside(result)
    return result.error / copied if copied else math.inf


def row_of(place: int, world: str, result: ranking.Result) -> list:
    """A training's row, as HEADER names it."""
    settings, (steps, copied) = result.settings, beside(result)
    known = result.data.get(f"{LIMIT}{steps}")  # which older versions did not record
    named = [settings.get(each, "") for each in ("model", "skip", "window")] + [bool(settings.get("inputs"))]
    numbers = [result.error, copied, times(result), known, result.data.get("wrong_ends")]
    return [place, world, *named, steps, *numbers, result.name]


def figure(found: list[tuple[str, ranking.Result]]):
    """The board and the loss curves as one matplotlib Figure."""
    from sim2seq.report.leaderboard import leaderboard

    rows = [row_of(place, *one) for place, one in enumerate(found, start=1)]
    named = {name: [str(row[HEADER.index(name)]) for row in rows] for name in NAMED}
    errors, losses = ([each(result) for _, result in found] for each in (times, lambda result: result.losses))
    return leaderboard(named, errors, losses, axis_label=TIMES)


def main(argv=None) -> int:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+", metavar="ENVIRONMENT=STORE", help=f"of {', '.join(WORLDS)}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write it there, with every digit")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it and the loss curves: .png, .pdf or .svg")
    parser.add_argument("--expect", metavar="GRID", help="fail if one of these trainings is not recorded (grid.npy)")
    options = parser.parse_args(argv)
    given = [split_assignment(each) for each in options.stores]
    each_once(" ".join(world for world, _ in given))
    found = ranked(dict(given))
    rows = [row_of(place, *one) for place, one in enumerate(found, start=1)]
    print("  ".join(HEADER))
    for row in rows:
        cells = zip(HEADER, row, strict=True)
        print("  ".join("-" if value is None else format(value, SHOWN.get(name, "")) for name, value in cells))
    if options.csv:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
        write_text(options.csv, text.getvalue())
    if options.figure:
        figure(found).savefig(options.figure, dpi=150)
    missing = ranking.missing_points([one for _, one in found], options.expect) if options.expect else []
    for name in missing:
        print(f"board.py: {name} is not recorded", file=sys.stderr)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(run(main))
