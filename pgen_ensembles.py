#!/usr/bin/env python
"""The ensemble's parameter table: one joint Latin hypercube of six initial values, and of three conditions on demand.

merlin run ball_bounce_suite_merlin_lstm.yaml --pgen pgen_ensembles.py --pargs NUM_STUDIES:64 --pargs SEED:7
python pgen_ensembles.py NUM_STUDIES:64 > table.csv
python pgen_ensembles.py NUM_STUDIES:1024 CONDITIONS:0.5 OUTSIDE:128 > table.csv
python pgen_ensembles.py NUM_STUDIES:100000 --write FOLDER --batch 1000

NUM_STUDIES  runs
SEED         of the draw
CONDITIONS   share by which gravity, drag and box side vary from run to run, both ways: 0.5 is plus or minus 50 %, 0 is
             the baseline for all
OUTSIDE      further runs beyond those ranges, in the group "outside": each of gravity, drag and box side deviates by
             1 to 1.5 times CONDITIONS, half of the runs up and half down
"""

import math
import os
import sys

# Maestro and Merlin load this file by its path; the package stands beside it
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from sim2seq.data import sampling

ARGUMENTS = {"NUM_STUDIES": 1024, "SEED": 1777, "CONDITIONS": 0.0, "OUTSIDE": 0}
MOST_VARIED = 0.6  # outside, 1.5 times as much must stay below 1, or gravity and the box reach 0

RANGES = {  # box lengths and box lengths a second, around the demo's baseline run
    "X_POS_INITIAL": (47.5, 50.5),
    "Y_POS_INITIAL": (48.5, 51.5),
    "Z_POS_INITIAL": (49.5, 52.5),
    "X_VEL_INITIAL": (5.10, 5.40),
    "Y_VEL_INITIAL": (4.75, 5.05),
    "Z_VEL_INITIAL": (4.85, 5.15),
}
BASELINE = {"GRAVITY": 0.0981, "BOX_SIDE_LENGTH": 100, "DRAG": 0.1}
GROUP, OUTSIDE_GROUP = "47bcda", "outside"

# Labels become folder and script names, all eleven in one name: short, or they pass the file system's limit
LABELS = {
    "X_POS_INITIAL": "x%%",
    "Y_POS_INITIAL": "y%%",
    "Z_POS_INITIAL": "z%%",
    "X_VEL_INITIAL": "X%%",
    "Y_VEL_INITIAL": "Y%%",
    "Z_VEL_INITIAL": "Z%%",
    "GRAVITY": "g%%",
    "BOX_SIDE_LENGTH": "b%%",
    "DRAG": "d%%",
    "GROUP_ID": "G%%",
    "RUN_ID": "R%%",
}


def parameter_table(**arguments) -> dict[str, list]:
    """Parameter name -> one value a run; arguments as in ARGUMENTS. Raises ValueError for an unknown or bad one."""
    settings = check(sampling.parse_arguments(arguments, ARGUMENTS))
    runs, outside, share, seed = (settings[name] for name in ("NUM_STUDIES", "OUTSIDE", "CONDITIONS", "SEED"))
    if share:
        sampled = varied(runs, share, seed=seed)
    else:
        baseline = {name: [value] * runs for name, value in BASELINE.items()}
        sampled = sampling.latin_hypercube(RANGES, runs, seed=seed) | baseline
    if outside:
        beyond = varied(outside, share, seed=[seed, 1], outside=True)  # a stream of its own, or the draws would pair up
        sampled = {name: values + beyond[name] for name, values in sampled.items()}
    groups = [GROUP] * runs + [OUTSIDE_GROUP] * outside
    return sampled | {"GROUP_ID": groups, "RUN_ID": list(range(1, len(groups) + 1))}


def check(settings: dict) -> dict:
    """The settings as they are; raises ValueError for a value out of range."""
    for name, least in (("NUM_STUDIES", 1), ("SEED", 0), ("OUTSIDE", 0)):
        if settings[name] < least:
            raise ValueError(f"{name}:{settings[name]}: expected {least} or more")
    if not 0 <= settings["CONDITIONS"] < MOST_VARIED:
        raise ValueError(f"CONDITIONS:{settings['CONDITIONS']}: expected 0 or more, below {MOST_VARIED}")
    if settings["OUTSIDE"] and not settings["CONDITIONS"]:
        raise ValueError(
            f"OUTSIDE:{settings['OUTSIDE']}: expected CONDITIONS above 0, there is no range to be outside of"
        )
    return settings


def varied(runs, share, *, seed, outside=False) -> dict[str, list]:
    """Draw initial values and conditions in one joint Latin hypercube of nine dimensions: name -> one value a run.

    Each condition is its baseline times 1 + u with |u| <= share, or with `outside` share <= |u| <= 1.5 share.
    Initial positions scale with the box, or a ball would start outside a small one; velocities do not.
    """
    span = share / 2 if outside else share
    table = sampling.latin_hypercube(RANGES | dict.fromkeys(BASELINE, (-span, span)), runs, seed=seed)
    for name, baseline in BASELINE.items():
        shifts = [u + math.copysign(share, u) if outside else u for u in table[name]]
        table[name] = [round(baseline * (1 + u), 12) for u in shifts]  # takes off only what floats add
    for name in ("X_POS_INITIAL", "Y_POS_INITIAL", "Z_POS_INITIAL"):
        scales = [box / BASELINE["BOX_SIDE_LENGTH"] for box in table["BOX_SIDE_LENGTH"]]
        table[name] = [round(position * scale, 4) for position, scale in zip(table[name], scales, strict=True)]
    return table


def get_custom_generator(env, **kwargs):
    """What Maestro and Merlin call: `env` is the study's environment, kwargs come from --pargs."""
    from sim2seq.workflow.messages import parameter_generator  # only Merlin needs it

    return parameter_generator(parameter_table(**kwargs), LABELS)


EXAMPLE = "CONDITIONS:0.5 OUTSIDE:128 varies gravity, drag and box side by 50 % and adds 128 runs beyond that"

if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(lambda: sampling.main(parameter_table, ARGUMENTS, EXAMPLE)))
