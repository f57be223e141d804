#!/usr/bin/env python
"""The ensemble's parameter table: one joint Latin hypercube of the six initial values.

merlin run ball_bounce_suite_merlin_lstm.yaml --pgen pgen_ensembles.py --pargs NUM_STUDIES:64 --pargs SEED:7
python pgen_ensembles.py NUM_STUDIES:64 > table.csv
"""

import os
import sys

# Maestro and Merlin load this file by its path; the package stands beside it
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from sim2seq import sampling

ARGUMENTS = {"NUM_STUDIES": 1024, "SEED": 1777}

RANGES = {  # box lengths and box lengths a second, around the demo's baseline run
    "X_POS_INITIAL": (47.5, 50.5),
    "Y_POS_INITIAL": (48.5, 51.5),
    "Z_POS_INITIAL": (49.5, 52.5),
    "X_VEL_INITIAL": (5.10, 5.40),
    "Y_VEL_INITIAL": (4.75, 5.05),
    "Z_VEL_INITIAL": (4.85, 5.15),
}
SHARED = {"GRAVITY": 0.0981, "BOX_SIDE_LENGTH": 100, "GROUP_ID": "47bcda"}

# Labels become folder and script names, all ten in one name: short, or they pass the file system's limit
LABELS = {
    "X_POS_INITIAL": "x%%",
    "Y_POS_INITIAL": "y%%",
    "Z_POS_INITIAL": "z%%",
    "X_VEL_INITIAL": "X%%",
    "Y_VEL_INITIAL": "Y%%",
    "Z_VEL_INITIAL": "Z%%",
    "GRAVITY": "g%%",
    "BOX_SIDE_LENGTH": "b%%",
    "GROUP_ID": "G%%",
    "RUN_ID": "R%%",
}


def parameter_table(**arguments) -> dict[str, list]:
    """Parameter name -> one value a run; arguments as in ARGUMENTS. Raises ValueError for an unknown or bad one."""
    settings = sampling.parse_arguments(arguments, ARGUMENTS)
    runs = settings["NUM_STUDIES"]
    if runs < 1:
        raise ValueError(f"NUM_STUDIES:{runs}: expected 1 or more")
    if settings["SEED"] < 0:
        raise ValueError(f"SEED:{settings['SEED']}: expected 0 or more")
    sampled = sampling.latin_hypercube(RANGES, runs, seed=settings["SEED"])
    shared = {name: [value] * runs for name, value in SHARED.items()}
    return sampled | shared | {"RUN_ID": list(range(1, runs + 1))}


def get_custom_generator(env, **kwargs):
    """What Maestro and Merlin call: `env` is the study's environment, kwargs come from --pargs."""
    return sampling.parameter_generator(parameter_table(**kwargs), LABELS)


def main():
    import csv

    from sim2seq.command import Parser

    parser = Parser(description="Print the ensemble's parameter table as CSV.")
    known = ", ".join(f"{name}:{value}" for name, value in ARGUMENTS.items())
    parser.add_argument("arguments", nargs="*", metavar="NAME:VALUE", help=f"as for --pargs; known: {known}")
    given = {}
    for pair in parser.parse_args().arguments:
        name, colon, value = pair.partition(":")
        if not colon:
            raise ValueError(f"{pair!r}: expected NAME:VALUE")
        given[name] = value
    table = parameter_table(**given)
    writer = csv.writer(sys.stdout)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))


if __name__ == "__main__":
    from sim2seq.command import run

    sys.exit(run(main))
