#!/usr/bin/env python
"""What do the recordings of people say about themselves, the robot and the players?

    python benchmarks/dodging_recordings.py [FILE ...]

One column a recording: what was wrong with it and what is repaired (studies/dodging_robot/recordings/SOURCE.md), the
robot's delay and limit of acceleration, and how fast the players answered. A minute.
"""

import sys
from pathlib import Path

import numpy as np

from sim2seq._support import command
from studies.dodging_robot import recordings, tracking
from studies.dodging_robot.world import WORLD

LAGS = 4  # rows over which the robot's answer to a command is looked at
ACCELERATIONS = np.arange(1.0, 15.5, 0.5)  # m/s^2
DELAYS = np.arange(-10, 21) / 100  # s
PARTS = 10  # of a row
THREAT, NO_THREAT = 0.35, 0.8  # m beside the robot, where it stands, that a ball would pass it at
RESTING = 0.1  # m/s: a smaller command is none
LONGEST = 25  # rows after a launch that are looked at
AGO = 16  # rows


def describe(path) -> dict[str, float]:
    """The numbers of one recording, name -> number; times in s, lengths in m. Errors as for recordings.read."""
    run = recordings.read(path)
    recorded = tracking.scene_of(recordings.read_rows(path))
    scene, headings = tracking.repair(recorded)
    numbers, minutes = tracking.follow(scene), len(headings) / 600
    delay, acceleration, misfit = robot_response(scene, headings)
    before, after = (velocity_defect(a_scene, numbers) for a_scene in (recorded, scene))
    threatened = reactions(scene, numbers, lambda beside: beside < THREAT)
    answer = impulse_response(scene, headings)
    return {
        "rows": len(headings),
        "minutes": minutes,
        "balls a minute": run.data["num_balls"] / minutes,
        "hits a minute": run.data["num_hits"] / minutes,
        "bounces a minute": run.data["num_bounces"] / minutes,
        "missing slots before": float(np.mean(~recorded.seen)),
        "missing slots after": 1 - float(np.mean([run.series["present_1"], run.series["present_2"]])),
        "rows of balls not launched": int(np.sum(recorded.seen & ~scene.seen)),
        "slot swaps undone": slot_swaps(numbers),
        "interruptions": len(tracking.gaps(scene)),
        "velocity residual before, median": np.median(before),
        "velocity residual before, 95 %": np.quantile(before, 0.95),
        "velocity residual after, median": np.median(after),
        "velocity residual after, 95 %": np.quantile(after, 0.95),
        "heading least": headings.min(),
        "heading most": headings.max(),
        "robot y largest": np.abs(scene.robot[:, 1]).max(),
        **{f"answer at lag {lag}": part for lag, part in enumerate(answer)},
        "delay": delay,
        "acceleration": acceleration,
        "speed misfit, RMS": misfit,
        "reactions": len(threatened),
        "reaction, median": np.median(threatened) / 10 if len(threatened) else np.nan,
        "lag of highest correlation": correlation_lag(scene, numbers) / 10,
    }


def slot_swaps(numbers: np.ndarray) -> int:
    """How often a ball changes its recorded slot from one row to the next."""
    _, before, now = tracking.pairs(numbers).T
    return int(np.sum(before != now))


def velocity_defect(scene: tracking.Scene, numbers: np.ndarray) -> np.ndarray:
    """|d(place)/dt - (velocity of the ball - velocity of the robot)| of every ball and pair of rows, m/s."""
    row, before, now = tracking.pairs(numbers).T
    moved = scene.place[row + 1, now] - scene.place[row, before] + scene.robot[row + 1] - scene.robot[row]
    velocity = (scene.velocity[row + 1, now] + scene.velocity[row, before]) / 2
    return np.linalg.norm(moved / tracking.ROW - velocity, axis=-1)


def robot_speed(scene: tracking.Scene, headings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The robot's speed along its heading from each row to the next, m/s, and whether it is to be trusted."""
    way, heading = np.diff(scene.robot, axis=0), (headings[1:] + headings[:-1]) / 2
    speed = (way[:, 0] * np.cos(heading) + way[:, 1] * np.sin(heading)) / tracking.ROW
    return speed, np.linalg.norm(way, axis=-1) < tracking.JUMP


def impulse_response(scene: tracking.Scene, headings: np.ndarray) -> np.ndarray:
    """Least-squares shares (LAGS,) of the command of this row, the row before, ... in the speed up to the next row."""
    speed, good = robot_speed(scene, headings)
    commands = np.stack([np.roll(scene.command, lag)[: len(speed)] for lag in range(LAGS)], axis=-1)
    return np.linalg.lstsq(commands[LAGS:][good[LAGS:]], speed[LAGS:][good[LAGS:]], rcond=None)[0]


def robot_response(scene: tracking.Scene, headings: np.ndarray) -> tuple[float, float, float]:
    """Delay in s, acceleration limit in m/s^2 and the RMS misfit in m/s of the robot that fits the recording best.

    The robot's speed follows the command of `delay` ago with at most that acceleration. A row's command counts from its
    row on; it was given up to 0.1 s before, so the robot's own delay is 0.05 s longer in the mean.
    """
    speed, good = robot_speed(scene, headings)
    accelerations, delays = (axis.ravel() for axis in np.meshgrid(ACCELERATIONS, DELAYS))
    late = np.round(delays / tracking.ROW * PARTS).astype(int)
    now, errors, most = np.zeros(len(late)), np.zeros(len(late)), accelerations * tracking.ROW / PARTS
    for row in range(len(speed)):
        total = 0.0
        for part in range(PARTS):
            command = scene.command[np.maximum(row * PARTS + part - late, 0) // PARTS]
            following = now + np.clip(command - now, -most, most)
            total, now = total + (now + following) / 2, following
        errors += good[row] * (total / PARTS - speed[row]) ** 2
    best = np.argmin(errors)
    return delays[best], accelerations[best], np.sqrt(errors[best] / good.sum())


def reactions(scene: tracking.Scene, numbers: np.ndarray, chosen) -> np.ndarray:
    """Rows from a launch to the first command of a player who gave none then; LONGEST where none came.

    Of the balls that would pass the robot, where it stands at the launch, at a distance beside it that is `chosen`.
    """
    delays = []
    for ball in range(numbers.max() + 1):
        row, slot = np.nonzero(numbers == ball)
        first, resting = row[0], np.abs(scene.command[max(row[0] - 1, 0) : row[0] + 1]).max() < RESTING
        if not resting or first + LONGEST > len(numbers) or len(row) < 2:
            continue
        place, velocity = scene.place[row[1], slot[1]], scene.velocity[row[1], slot[1]]
        if chosen(abs(place[0] - velocity[0] * place[1] / velocity[1])):
            moved = np.flatnonzero(np.abs(scene.command[first : first + LONGEST]) > RESTING)
            delays.append(moved[0] if len(moved) else LONGEST)
    return np.array(delays)


def correlation_lag(scene: tracking.Scene, numbers: np.ndarray) -> int:
    """Rows by which commands lag behind those that the balls make necessary, where their correlation is highest.

    Needed: away from where a ball will cross the line, the more the nearer (0.5 m) and the sooner (0.8 s).
    """
    y, speed = scene.place[..., 1], np.minimum(scene.velocity[..., 1], -0.5)
    time = np.maximum(y, 0) / -speed
    cross = scene.place[..., 0] + scene.velocity[..., 0] * time
    coming = (numbers >= 0) & (y > -WORLD.ball_radius)
    needed = -np.sign(cross) * np.exp(-((cross / 0.5) ** 2) - time / 0.8)
    needed = np.where(coming, needed, 0).sum(axis=1)
    rows = len(needed)
    return int(np.argmax([np.corrcoef(scene.command[lag:], needed[: rows - lag])[0, 1] for lag in range(AGO)]))


def table(paths) -> str:
    """One line a number, one column a recording, and below how fast the players answered."""
    columns = [describe(path) for path in paths]
    lines = [f"{'recording':34s}" + "".join(f"{recordings.describe_name(path)['number']:>8s}" for path in paths)]
    for name in columns[0]:
        lines.append(f"{name:34s}" + "".join(f"{shown(column[name]):>8s}" for column in columns))
    return "\n".join([*lines, "", *answers(paths)])


def shown(number) -> str:
    return f"{number:d}" if isinstance(number, (int, np.integer)) else f"{number:.3f}"


def answers(paths) -> list[str]:
    """Lines: the share of launches that a resting player answered by so many seconds, with and without a threat."""
    scenes = [tracking.repair(tracking.scene_of(recordings.read_rows(path)))[0] for path in paths]
    lines = [f"{'s after a launch':34s}" + "".join(f"{row / 10:8.1f}" for row in range(1, 11))]
    for what, chosen in (("threat", lambda beside: beside < THREAT), ("no threat", lambda beside: beside > NO_THREAT)):
        rows = np.concatenate([reactions(scene, tracking.follow(scene), chosen) for scene in scenes])
        shares = [np.mean(rows <= row) if len(rows) else np.nan for row in range(1, 11)]
        lines.append(f"{f'answered, {what} ({len(rows)})':34s}" + "".join(f"{share:8.2f}" for share in shares))
    return lines


def main(argv=None) -> None:
    parser = command.Parser(description="What the recordings say about themselves, the robot and the players.")
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="recordings (default: those of the study)")
    print(table(parser.parse_args(argv).files or sorted(recordings.FOLDER.glob("*.npy"))))


if __name__ == "__main__":
    sys.exit(command.run(main))
