#!/usr/bin/env python
"""The ensemble's parameter table: episodes of the expert, a quarter for each way of aiming.

sim2seq run studies/dodging_robot/suite.yaml --pgen studies/dodging_robot/pgen_ensembles.py --pargs NUM_STUDIES:240
python studies/dodging_robot/pgen_ensembles.py NUM_STUDIES:240 > table.csv

NUM_STUDIES   episodes
SEED          the first episode's; each one has its own
POLICY        who plays: a name in policies.py, and the group; the suite learns from the group "expert"
DISTURBANCE   the largest rate of random commands that are carried out instead of the policy's, which the record keeps;
              0.5 is a third of the time (policies.disturbance). Drawn for each episode between 0 and this.
DURATION      of an episode, s
"""

import os
import sys

# Maestro and Merlin load this file by its path; the packages stand two folders up
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from sim2seq.data import sampling

ARGUMENTS = {"NUM_STUDIES": 240, "SEED": 1_000_000, "POLICY": "expert", "DISTURBANCE": 0.5, "DURATION": 60.0}
# the benchmark plays seeds from 0, the sweep from 500 000: no episode that is judged has been learned from
FIRST_SEED = 1_000_000
LABELS = {"AIM": "A%%", "SEED": "S%%", "DISTURBANCE": "d%%", "POLICY": "P%%", "DURATION": "T%%"}
LABELS |= {"GROUP_ID": "G%%", "RUN_ID": "R%%"}


def parameter_table(**arguments) -> dict[str, list]:
    """Parameter name -> one value a run; arguments as in ARGUMENTS. Raises ValueError for an unknown or bad one."""
    from studies.dodging_robot.policies import POLICIES
    from studies.dodging_robot.simulate import check_inputs
    from studies.dodging_robot.world import AIMS

    settings = sampling.parse_arguments(arguments, ARGUMENTS)
    runs, seed, policy, most = (settings[name] for name in ("NUM_STUDIES", "SEED", "POLICY", "DISTURBANCE"))
    if policy not in POLICIES:
        raise ValueError(f"POLICY:{policy}: expected one of {', '.join(POLICIES)}")
    if seed < FIRST_SEED:
        raise ValueError(f"SEED:{seed}: expected {FIRST_SEED} or more, lower ones are played to judge")
    check_inputs({"seed": seed, "disturbance": most, "duration": settings["DURATION"]})
    shares = sampling.latin_hypercube({"DISTURBANCE": (0.0, most)}, runs, seed=seed) if most else {}
    return {
        "AIM": [AIMS[run % len(AIMS)] for run in range(runs)],
        "SEED": list(range(seed, seed + runs)),
        "DISTURBANCE": shares.get("DISTURBANCE", [0.0] * max(runs, 0)),
        "POLICY": [policy] * runs,
        "DURATION": [settings["DURATION"]] * runs,
        "GROUP_ID": [policy.replace("_", "-")] * runs,
        "RUN_ID": list(range(1, runs + 1)),
    }


def get_custom_generator(env, **kwargs):
    """What Maestro and Merlin call: `env` is the study's environment, kwargs come from --pargs."""
    from sim2seq.workflow.messages import parameter_generator  # only Merlin needs it

    return parameter_generator(parameter_table(**kwargs), LABELS)


EXAMPLE = "DISTURBANCE:0 DURATION:120 are undisturbed episodes of two minutes"

if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(lambda: sampling.main(parameter_table, ARGUMENTS, EXAMPLE)))
