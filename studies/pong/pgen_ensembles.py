#!/usr/bin/env python
"""The ensemble's parameter table: parts of the sets of episodes, each of which a task simulates into one file.

sim2seq run studies/pong/suite.yaml --pgen studies/pong/pgen_ensembles.py --pargs NUM_STUDIES:2000
python studies/pong/pgen_ensembles.py NUM_STUDIES:2000 > table.csv

NUM_STUDIES   episodes of the training set, of each environment
OTHERS        of validation, of test, and of Pong's shift
SHIFT         0: no set with other agents
PART          episodes that a task simulates

Which environments there are says the suite's variable ENVIRONMENTS; without it, all.
"""

import os
import sys

# Maestro and Merlin load this file by its path; the packages stand two folders up
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from sim2seq.data import sampling
from studies.pong.worlds import WORLDS, Pong, each_once

ARGUMENTS = {"NUM_STUDIES": 2000, "OTHERS": 200, "SHIFT": 1, "PART": 500}
LABELS = {"ENVIRONMENT": "of_%%", "GROUP_ID": "G%%", "RUN_ID": "R%%", "EPISODES": "E%%"}


def parameter_table(environments: str = " ".join(WORLDS), **arguments) -> dict[str, list]:
    """Parameter name -> one value a part: its environment and set, its first episode, and how many.

    environments   names, with spaces between. Raises ValueError for a bad value.
    """
    settings = sampling.parse_arguments(arguments, ARGUMENTS)
    for name, least in (("NUM_STUDIES", 1), ("OTHERS", 1), ("SHIFT", 0), ("PART", 1)):
        if settings[name] < least:
            raise ValueError(f"{name}:{settings[name]}: expected {least} or more")
    parts = [
        (world, name, first, min(settings["PART"], episodes - first))
        for world in each_once(environments)
        for name, episodes in sets_of(world, settings).items()
        for first in range(0, episodes, settings["PART"])
    ]
    return dict(zip(LABELS, map(list, zip(*parts, strict=True)), strict=True))


def sets_of(world: str, settings: dict) -> dict[str, int]:
    """Name -> episodes of each set of an environment."""
    sets = {"train": settings["NUM_STUDIES"], "validation": settings["OTHERS"], "test": settings["OTHERS"]}
    return sets | ({"shift": settings["OTHERS"]} if settings["SHIFT"] and world == Pong.name else {})


def get_custom_generator(env, **kwargs):
    """What Maestro and Merlin call: `env` is the study's environment, kwargs come from --pargs."""
    from sim2seq.workflow.messages import parameter_generator  # only Merlin needs it

    said = env and env.find("ENVIRONMENTS")
    return parameter_generator(parameter_table(*([said.value] if said else []), **kwargs), LABELS)


EXAMPLE = "NUM_STUDIES:4000 OTHERS:500 are the sets of the benchmark"

if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(lambda: sampling.main(parameter_table, ARGUMENTS, EXAMPLE)))
