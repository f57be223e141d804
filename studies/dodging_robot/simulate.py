#!/usr/bin/env python
"""Let a robot dodge balls and write the episode as one DSV record.

python studies/dodging_robot/simulate.py --policy expert --aim robot --seed 7 --output output.dsv
"""

import sys

import numpy as np

from sim2seq._support import command
from sim2seq._support.files import check_place
from sim2seq.data import records
from studies.dodging_robot.policies import POLICIES, disturbance
from studies.dodging_robot.world import AIMS, SERIES, WORLD, count_steps, simulate

MOST_SECONDS = 3600


def make_run(inputs: dict, group: str, run: str):
    """Play one episode from the command line's inputs and return it as a record. Raises ValueError on bad input."""
    run_id, steps = records.check_id(f"{group}_{run}"), check_inputs(inputs)
    seed = inputs["seed"]
    played = simulate(
        POLICIES[inputs["policy"]](1, seed),
        [seed],
        inputs["aim"],
        duration=inputs["duration"],
        disturb=disturbance(np.array([inputs["disturbance"]]), seed),
    )
    data = {"group_id": group, "source": "simulation", **inputs}
    data |= {f"num_{name}": int(counted[0]) for name, counted in played.counts.items()}
    data["distance_final"] = float(played.distance[0])
    times = [step / round(1 / WORLD.control_step) for step in range(steps)]
    return records.Run(run_id, data, {"time": times, **dict(zip(SERIES, played.rows[0].T, strict=True))})


def check_inputs(inputs: dict) -> int:
    """Return the number of steps of an episode with these inputs; ValueError names the first bad value."""
    for name, allowed, good in (
        ("seed", "0 or more", inputs["seed"] >= 0),
        ("disturbance", "a rate from 0 to 1", 0 <= inputs["disturbance"] <= 1),
        ("duration", f"up to {MOST_SECONDS} s", inputs["duration"] <= MOST_SECONDS),
    ):
        if not good:
            raise ValueError(f"--{name} {inputs[name]}: expected {allowed}")
    return count_steps(inputs["duration"])


def main(argv=None):
    parser = command.Parser(description="Let a robot dodge balls and write the episode as one DSV record.")
    parser.add_argument("--policy", choices=list(POLICIES), default="expert", help="who commands the robot")
    parser.add_argument("--aim", choices=AIMS, default="robot", help="what the balls are aimed at")
    parser.add_argument("--seed", type=int, default=0, help="of the balls: equal seeds, equal balls")
    parser.add_argument("--duration", type=float, default=60.0, help="of the episode, s")
    wrong = "rate of random commands that are carried out instead: see policies.disturbance"
    parser.add_argument("--disturbance", type=float, default=0.0, help=wrong)
    parser.add_argument("--output", "-o", required=True, help="DSV file to write")
    parser.add_argument("--group", "-G", default="group", help="group id, first half of the run's id")
    parser.add_argument("--run", "-R", default="1", help="run id, second half of the run's id")
    inputs = vars(parser.parse_args(argv))
    output, group, run = (inputs.pop(name) for name in ("output", "group", "run"))
    check_place(output)  # before the episode is played
    records.write(output, [make_run(inputs, group, run)])


if __name__ == "__main__":
    sys.exit(command.run(main))
