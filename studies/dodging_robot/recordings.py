#!/usr/bin/env python
"""Turn recordings of people at the dodging robot's controls into records, one DSV file each.

    python studies/dodging_robot/recordings.py --output human             # human/human_001.dsv, ...

FILES are the source's arrays, (rows, 11) at 10 Hz: command, ball 1 (x, y, vx, vy), ball 2 (the same), robot (x, y).
recordings/SOURCE.md says where they come from, and which of their defects are undone.
"""

import re
import sys
from pathlib import Path

import numpy as np

from sim2seq._support import command
from sim2seq.data import records
from studies.dodging_robot import tracking
from studies.dodging_robot.world import SERIES, WORLD

FOLDER = Path(__file__).with_name("recordings")
NAME = re.compile(
    r"(?P<number>\d{3})_2ball_(?P<aim>[a-z]+)_(?P<width>\d+(\.\d+)?)x5_vector_(?P<device>[a-z]+)_(?P<player>[a-z]+)"
)
AIMS = {"neato": "robot"}  # the robot's make
COLUMNS = 11
LARGEST_FILE = 100_000_000  # bytes: 300 hours


def read(path):
    """A recording as a sim2seq.data.records.Run in the study's series; ValueError or OSError for anything else.

    Positions are those of the balls relative to the robot and velocities those of the balls, both in the axes of the
    world; a ball keeps its slot from launch to removal; a ball that is not there, or further than its radius behind
    the robot, has zeros and the flag 0.
    """
    about = describe_name(path)
    scene, _ = tracking.repair(tracking.scene_of(read_rows(path)))
    numbers = tracking.follow(scene)
    if numbers.max() < 0:
        raise ValueError(f"{path}: expected a recording with balls, found none that moves")
    run_id = f"human_{about.pop('number')}"
    columns = zip(("time", *SERIES), series(scene, numbers), strict=True)
    return records.Run(run_id, {**about, **results(scene, numbers)}, dict(columns))


def describe_name(path) -> dict:
    """What the file's name says: number, group, source, aim, device, player, policy and launch width."""
    match = NAME.fullmatch(Path(path).stem)
    if not match:
        raise ValueError(f"{path}: expected a name like 001_2ball_random_1.5x5_vector_keyboard_nathan.npy")
    aim = AIMS.get(match["aim"], match["aim"])
    about = {"number": match["number"], "group_id": "human", "source": Path(path).name, "aim": aim, "policy": "human"}
    return {**about, "device": match["device"], "player": match["player"], "launch_x": float(match["width"])}


def read_rows(path) -> np.ndarray:
    """The array of a recording, (rows, 11), checked."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: expected a file")
    if Path(path).stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path}: expected a recording of at most {LARGEST_FILE} bytes")
    with open(path, "rb") as file:
        try:
            rows = np.load(file, allow_pickle=False, max_header_size=10_000)
        except Exception as error:  # a damaged header can raise anything
            raise ValueError(f"{path}: expected an .npy file of numbers ({error!s:.120})") from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fi" or rows.ndim != 2 or rows.shape[1] != COLUMNS:
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else "several arrays"
        raise ValueError(f"{path}: expected numbers (rows, {COLUMNS}), got {found}")
    if len(rows) < 2 or not np.isfinite(rows).all() or np.abs(rows).max() > 1000:
        raise ValueError(f"{path}: expected at least 2 rows of finite numbers up to 1000 (m, m/s)")
    return rows.astype(float)


def slots_of(numbers: np.ndarray) -> dict[int, int]:
    """The slot of each ball: a free one at its launch, and then its own."""
    slots = {}
    for here in numbers:
        here = here[here >= 0].tolist()
        taken = {slots[ball] for ball in here if ball in slots}
        for ball in here:
            if ball not in slots:
                slots[ball] = min({0, 1} - taken)
                taken.add(slots[ball])
    return slots


def series(scene: tracking.Scene, numbers: np.ndarray) -> list[list[float]]:
    """The columns time and SERIES of a repaired scene."""
    slots = slots_of(numbers)
    balls, present = np.zeros((len(numbers), 2, 4)), np.zeros((len(numbers), 2))
    for row, column in np.argwhere(numbers >= 0):
        if scene.place[row, column, 1] > -WORLD.ball_radius:
            slot = slots[int(numbers[row, column])]
            balls[row, slot] = [*scene.place[row, column], *scene.velocity[row, column]]
            present[row, slot] = 1.0
    time = np.arange(len(numbers)) / 10  # not times 0.1: 0.3, not 0.30000000000000004
    columns = [time, scene.command, *balls.reshape(-1, 8).T, *present.T, scene.robot[:, 0]]
    return [column.tolist() for column in columns]


def results(scene: tracking.Scene, numbers: np.ndarray) -> dict:
    """Counts of a repaired scene. A hit comes within the ball's radius of the robot, as in our world."""
    closest, bounced = tracking.approaches(scene, numbers)
    return {
        "duration": len(numbers) / 10,
        "num_balls": int(numbers.max() + 1),
        "num_hits": int(np.sum(closest <= WORLD.contact)),
        "num_bounces": int(bounced.sum()),  # off the recorded robot, which is no point
        "num_gaps": len(tracking.gaps(scene)),
    }


def main(argv=None) -> None:
    parser = command.Parser(description="Turn recordings of people at the dodging robot's controls into records.")
    parser.add_argument("files", metavar="FILES", nargs="*", type=Path, help="recordings (default: those of the study)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, required=True, help="write a record for each there")
    arguments = parser.parse_args(argv)
    runs = [read(path) for path in arguments.files or sorted(FOLDER.glob("*.npy"))]  # all, before one is written
    if len({run.id for run in runs}) < len(runs):
        raise ValueError(f"expected recordings of different numbers, got {', '.join(run.id for run in runs)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for run in runs:
        records.write(arguments.output / f"{run.id}.dsv", [run])
    minutes = sum(run.data["duration"] for run in runs) / 60
    print(f"{arguments.output}: {len(runs)} recordings, {minutes:.1f} minutes")


if __name__ == "__main__":
    sys.exit(command.run(main))
