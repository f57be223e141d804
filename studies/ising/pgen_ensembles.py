#!/usr/bin/env python
"""The table of files to simulate: a file a beta, to learn from and to be judged by.

sim2seq run studies/ising/suite.yaml --pgen studies/ising/pgen_ensembles.py --pargs TRAIN:17100
python studies/ising/pgen_ensembles.py TRAIN:17100 > table.csv

TRAIN      lattices to learn from at each beta from 0, where all lattices are as likely, to 0.6
TEST       lattices to be judged by at the same betas without 0, and at 0.44: the group test
SOURCE     in all, at betas from 0 to 0.35, as the source evaluates: the group source, of other random numbers
EVERY      steps between betas
SIDE       of the square lattice
SEED       of all; parts and betas have streams of their own
"""

import os
import sys

# Maestro and Merlin load this file by its path; the packages stand two folders up
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from sim2seq.data import sampling

ARGUMENTS = {"TRAIN": 17_100, "TEST": 20_000, "SOURCE": 50_000, "EVERY": 0.05, "SIDE": 8, "SEED": 11}
MOST_BETA, MOST_SOURCE_BETA = 0.6, 0.35
CRITICAL = 0.44  # beside the even steps: as near to the transition as two decimals say it
LABELS = {"GROUP_ID": "G%%", "RUN_ID": "R%%", "BETA": "b%%", "SAMPLES": "n%%", "PART": "P%%"}
LABELS |= {"SIDE": "L%%", "SEED": "S%%"}


def betas_to(most: float, every: float) -> list[float]:
    """Betas from 0 to `most`, or just below, in even steps."""
    return [round(every * step, 4) for step in range(int(most / every + 1e-9) + 1)]


def parameter_table(**arguments) -> dict[str, list]:
    """Parameter name -> one value a file; arguments as in ARGUMENTS. Raises ValueError for an unknown or bad one."""
    from studies.ising.lattice import Lattice

    settings = sampling.parse_arguments(arguments, ARGUMENTS)
    if not 0.01 <= (every := settings["EVERY"]) <= MOST_BETA:
        raise ValueError(f"EVERY:{every:g}: expected 0.01 to {MOST_BETA:g}")
    betas, source_betas = betas_to(MOST_BETA, every), betas_to(MOST_SOURCE_BETA, every)
    for name, least in (("TRAIN", 1), ("TEST", 1), ("SOURCE", len(source_betas)), ("SEED", 0)):
        if settings[name] < least:
            raise ValueError(f"{name}:{settings[name]}: expected {least} or more")
    Lattice(settings["SIDE"], settings["SIDE"]).colours()  # refused before anything is drawn
    seed = settings["SEED"]
    rows = [("train", beta, settings["TRAIN"], "train", seed) for beta in betas]
    rows += [("test", beta, settings["TEST"], "test", seed) for beta in sorted([*betas[1:], CRITICAL])]
    rows += [("source", beta, settings["SOURCE"] // len(source_betas), "test", seed + 1) for beta in source_betas]
    groups, betas, samples, parts, seeds = map(list, zip(*rows, strict=True))
    return {
        "GROUP_ID": groups,
        "RUN_ID": [f"{beta:g}" for beta in betas],
        "BETA": betas,
        "SAMPLES": samples,
        "PART": parts,
        "SIDE": [settings["SIDE"]] * len(rows),
        "SEED": seeds,
    }


def get_custom_generator(env, **kwargs):
    """What Maestro and Merlin call: `env` is the study's environment, kwargs come from --pargs."""
    from sim2seq.workflow.messages import parameter_generator  # only Merlin needs it

    return parameter_generator(parameter_table(**kwargs), LABELS)


EXAMPLE = "TRAIN:200 TEST:100 SOURCE:400 EVERY:0.3 are seconds"

if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(lambda: sampling.main(parameter_table, ARGUMENTS, EXAMPLE)))
