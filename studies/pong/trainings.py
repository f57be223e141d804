#!/usr/bin/env python
"""The trainings of a Merlin study: every model, with and without the launch angle told, the dilated ones at each skip.

python studies/pong/trainings.py FOLDER --models "objects dense_rnn" --skips "1 8" --ours "" --theirs recipe:pixels

writes grid.npy into FOLDER: a row a training, its name and the words of its settings. The one that the report is about
is called ours.
"""

import sys
from argparse import BooleanOptionalAction
from pathlib import Path

import numpy as np

from sim2seq import sweep
from sim2seq._support.command import Parser, run
from sim2seq._support.files import write_array
from sim2seq.data.records import check_id

OURS = "objects"  # the one network that is given places instead of frames
NOT_DILATED = (OURS, "frame_transformer")
TOLD = "inputs:launch_sin,launch_cos window:1"  # the angle says all that frames could
NEVER_TOLD = ("frame_transformer",)
SEE_THE_LAST = ("spatial_transformer", "frame_transformer")  # what the others say depends on no frame after the known
# shown true frames only, it loses the ball in three of its own
OWN_FRAMES = {"spatial_transformer": "closed_loop:true"}


def trainings(models: list[str], skips: list[str], *, ours: str, theirs: str, shared: str, told: bool) -> list[str]:
    """The words of each training."""
    found = []
    for model in models:
        words = f"model:{model} {ours if model == OURS else theirs} {shared}"
        if "closed_loop" not in words:
            words += f" {OWN_FRAMES.get(model, '')}"
        for skip in ["1"] if model in NOT_DILATED else skips:
            found.append(f"{words} skip:{skip}" if skip != "1" else words)
            if told and model not in NEVER_TOLD:
                found.append(f"{found[-1]} {TOLD}")
    return [" ".join(each.split()) for each in found]


def main(argv=None):
    from studies.pong.study import PongSettings

    parser = Parser(description="Write the trainings of a Merlin study as its samples.")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--models", required=True, help="names, with spaces between")
    parser.add_argument("--skips", default="1", help="of dilated layers, with spaces between")
    parser.add_argument("--ours", default="", help=f"settings of {OURS}")
    parser.add_argument("--theirs", default="", help="settings of the others")
    parser.add_argument("--shared", default="", help="settings of all")
    parser.add_argument("--told", action=BooleanOptionalAction, default=True, help="each also with the launch angle")
    options = parser.parse_args(argv)
    words = {"ours": options.ours, "theirs": options.theirs, "shared": options.shared, "told": options.told}
    found = trainings(options.models.split(), options.skips.split(), **words)
    for each in found:
        PongSettings.parse(each.split())
    if len(set(found)) < len(found):
        raise ValueError(f"expected different trainings; got {', '.join(found)}")
    (plain,) = trainings([OURS], ["1"], ours=options.ours, theirs="", shared=options.shared, told=False)
    long = [f"{number:02}_{sweep.name_of(each.split())}" for number, each in enumerate(found)]
    names = ["ours" if each == plain else check_id(name) for name, each in zip(long, found, strict=True)]
    write_array(Path(options.folder, sweep.GRID), np.array(list(zip(names, found, strict=True))))
    print(f"{len(found)} trainings")


if __name__ == "__main__":
    sys.exit(run(main))
