#!/usr/bin/env python
"""The trainings of a Merlin study: every model on every environment, with and without the launch angle of Pong told,
the dilated ones at each skip.

python studies/pong/trainings.py FOLDER --environments "pong cube_crash" --models "objects dense_rnn" --skips "1 8" \
    --pong "" recipe:pixels "" --cube_crash "" recipe:pixels "window:1 targets:39"

writes grid.npy into FOLDER: a row a training, its name, the words of its settings and its environment. That which the
report is about is called ours; of CubeCrash, ours_cube_crash.
"""

import sys
from argparse import BooleanOptionalAction
from pathlib import Path

import numpy as np

from sim2seq import sweep
from sim2seq._support.command import Parser, run
from sim2seq._support.files import write_array
from sim2seq.data.records import check_id
from studies.pong.worlds import WORLDS, Pong, each_once

OURS = "objects"  # the one network that is given places instead of frames
NOT_DILATED = (OURS, "frame_transformer")
TOLD = "inputs:launch_sin,launch_cos window:1"  # the angle says all that frames could
NEVER_TOLD = ("frame_transformer",)
SEE_THE_LAST = ("spatial_transformer", "frame_transformer")  # what the others say depends on no frame after the known
# shown true frames only, it loses the ball in three of its own
OWN_FRAMES = {"spatial_transformer": "closed_loop:true"}


def trainings(models: list[str], skips: list[str], *, ours: str, theirs: str, shared: str, told: bool) -> list[str]:
    """The words of each training; the angle is told at the first skip alone."""
    found = []
    for model in models:
        words = f"model:{model} {ours if model == OURS else theirs} {shared}"
        if "closed_loop" not in words:
            words += f" {OWN_FRAMES.get(model, '')}"
        skipping = [f"{words} skip:{skip}" if skip != "1" else words for skip in skips]
        skipping = [words] if model in NOT_DILATED else skipping
        found += skipping
        if told and model not in NEVER_TOLD:
            found.append(f"{skipping[0]} {TOLD}")
    return [" ".join(each.split()) for each in found]


def of_world(world: str, models: list[str], skips: list[str], words: list[str], *, told: bool) -> dict[str, str]:
    """Name -> words of each training on an environment; `words`: settings of ours, of the others, and of all."""
    shared = dict(zip(("ours", "theirs", "shared"), words, strict=True))
    found = trainings(models, skips, **shared, told=told and world == Pong.name)
    if len(set(found)) < len(found):
        raise ValueError(f"expected different trainings; got {', '.join(found)}")
    (plain,) = trainings([OURS], ["1"], **shared, told=False)
    more = "" if world == Pong.name else f"_{world}"
    names = [f"{number:02}{more}_{sweep.name_of(each.split())}" for number, each in enumerate(found)]
    return {f"ours{more}" if each == plain else check_id(name): each for name, each in zip(names, found, strict=True)}


def main(argv=None):
    from studies.pong.study import PongSettings

    parser = Parser(description="Write the trainings of a Merlin study as its samples.")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--environments", default=Pong.name, help=f"of {', '.join(WORLDS)}, with spaces between")
    parser.add_argument("--models", required=True, help="names, with spaces between")
    parser.add_argument("--skips", default="1", help="of dilated layers, with spaces between")
    for world in WORLDS:
        said = {"nargs": 3, "default": ["", "", ""], "metavar": ("OURS", "THEIRS", "SHARED")}
        parser.add_argument(f"--{world}", **said, help=f"settings on {world}: of {OURS}, of the others, of all")
    parser.add_argument("--told", action=BooleanOptionalAction, default=True, help="each of Pong also with the angle")
    options = parser.parse_args(argv)
    models, skips = options.models.split(), options.skips.split()
    rows = [
        (name, words, world)
        for world in each_once(options.environments)
        for name, words in of_world(world, models, skips, getattr(options, world), told=options.told).items()
    ]
    for _, words, _ in rows:
        PongSettings.parse(words.split())
    write_array(Path(options.folder, sweep.GRID), np.array(rows))
    print(f"{len(rows)} trainings")


if __name__ == "__main__":
    sys.exit(run(main))
