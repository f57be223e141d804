"""Where a recorded robot and its balls were: which ball is which from row to row, and how the robot was turned.

Rows are 0.1 s apart. In the source's later recordings a row holds, for a robot at r with heading h (R(h) turns by h),

    place = R(-h) (ball - r)        velocity = R(-h) (ball's velocity - r)

The second is the source's mistake: a velocity was transformed like a point. h was not recorded, but it can be found,
since a rolling ball keeps its velocity from row to row and since the robot drives where it heads.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solveh_banded
from scipy.optimize import linear_sum_assignment

from studies.dodging_robot.world import closest_approach

ROW = 0.1  # s
MISSING = (0.0, 100.0)  # the place that the source writes for a ball that is not there
SAME_BALL = 0.3  # m from where a ball was going; a collision costs it up to 0.15 m a row
JUMP = 0.11  # m a row that no robot drives: the recording was interrupted there
MOVED = 0.03  # m a row from which the robot's way shows its heading
STEADY = 0.02  # m/s by which the speed of a rolling ball may seem to change
STILL = 0.1  # m/s: slower than any ball that was launched
DEFLECTED = 0.03  # m/s by which a collision changes a velocity, at least
SLIDING = 2  # rows after a launch in which a ball may slide: 2 v / (7 g) is below 0.15 s
NEAR = 0.7  # m from the robot in the rows beside a collision with it, at most
SURE, TRACK, UNKNOWN = 0.0005, 0.005, 0.03  # rad: spread of a turn seen on a ball, a way's direction, an unseen turn
ROUNDS = 8
CONTACT = 0.36  # m: of the recorded balls all that came within 0.30 m of the robot's centre bounced, none beyond this


@dataclass(frozen=True)
class Scene:
    """Rows of a recording: command (rows,), robot (rows, 2), place and velocity (rows, 2 balls, 2), seen (rows, 2)."""

    command: np.ndarray
    robot: np.ndarray
    place: np.ndarray
    velocity: np.ndarray
    seen: np.ndarray


def scene_of(rows: np.ndarray) -> Scene:
    """The scene as recorded, (rows, 11): command, twice x, y, vx, vy, and the robot's x, y."""
    balls = rows[:, 1:9].reshape(-1, 2, 2, 2)
    place, velocity = balls[:, :, 0], balls[:, :, 1]
    return Scene(rows[:, 0], rows[:, 9:], place, velocity, ~np.all(place == MISSING, axis=-1))


def is_turned(recorded: Scene) -> bool:
    """Whether places are robot minus ball, as in the source's first recordings: balls come from y = -5."""
    places = recorded.place[recorded.seen]
    return len(places) > 0 and bool(np.median(places[:, 1]) < 0)


def repair(recorded: Scene) -> tuple[Scene, np.ndarray]:
    """The scene with places ball minus robot and velocities of the balls, both in the axes of the world, and headings.

    Headings, (rows,) in rad, are zeros for a turned recording: there only the sign of the places is wrong. A ball that
    was put at its start and not yet launched is not seen.
    """
    if is_turned(recorded):
        repaired, headings = replace(recorded, place=-recorded.place), np.zeros(len(recorded.robot))
    else:
        headings = find_headings(recorded)
        repaired = in_the_world(recorded, headings)
    moving = np.linalg.norm(repaired.velocity, axis=-1) > STILL
    return replace(repaired, seen=repaired.seen & moving), headings


def in_the_world(recorded: Scene, headings: np.ndarray) -> Scene:
    place, velocity = (turned(vectors, headings[:, None]) for vectors in (recorded.place, recorded.velocity))
    return replace(recorded, place=place, velocity=velocity + recorded.robot[:, None])


def turned(vectors: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Vectors (..., 2) turned to the left by angles (...)."""
    x, y = np.moveaxis(vectors, -1, 0)
    return np.stack([np.cos(angles) * x - np.sin(angles) * y, np.sin(angles) * x + np.cos(angles) * y], axis=-1)


def gaps(scene: Scene) -> np.ndarray:
    """Rows before which the recording was interrupted."""
    return 1 + np.flatnonzero(np.linalg.norm(np.diff(scene.robot, axis=0), axis=-1) > JUMP)


def follow(scene: Scene) -> np.ndarray:
    """The ball's number, counted from 0 by launch, in each row and recorded slot: (rows, 2), -1 where there is none.

    A ball of this row is the one of the row before whose straight way leads nearest to it.
    """
    numbers, balls = np.full(scene.seen.shape, -1), 0
    world, broken = scene.place + scene.robot[:, None], set(gaps(scene).tolist())
    expected = world + ROW * scene.velocity
    for row in range(len(numbers)):
        if row and row not in broken:
            away = np.linalg.norm(expected[row - 1][:, None] - world[row][None], axis=-1)
            away[~(scene.seen[row - 1][:, None] & scene.seen[row][None])] = 1e3
            for before, now in zip(*linear_sum_assignment(np.minimum(away, 1.0)), strict=True):
                if away[before, now] < SAME_BALL:
                    numbers[row, now] = numbers[row - 1, before]
        for slot in np.flatnonzero(scene.seen[row] & (numbers[row] < 0)):
            numbers[row, slot], balls = balls, balls + 1
    return numbers


def pairs(numbers: np.ndarray) -> np.ndarray:
    """(row, slot, slot in the next row) of each ball that is in two rows one after the other: (pairs, 3)."""
    same = (numbers[:-1, :, None] == numbers[1:, None, :]) & (numbers[:-1, :, None] >= 0)
    return np.argwhere(same)


def find_headings(recorded: Scene) -> np.ndarray:
    """The robot's heading in each row, rad, from its way and from how the balls' velocities seem to turn."""
    way = np.diff(recorded.robot, axis=0)
    length = np.linalg.norm(way, axis=-1)
    trusted = (length > MOVED) & (length < JUMP)
    along = np.arctan2(way[:, 1] * np.sign(way[:, 0]), np.abs(way[:, 0]))  # it drives backwards, too
    rows = np.arange(len(recorded.robot))
    headings = np.interp(rows, rows[:-1][trusted] + 0.5, along[trusted]) if trusted.any() else np.zeros(len(rows))
    weight = trusted / TRACK**2
    for _ in range(ROUNDS):
        turns, spread = turns_of(recorded, headings, follow(in_the_world(recorded, headings)))
        headings = combine(turns, 1 / spread**2, along, weight)
        off = (headings[1:] + headings[:-1]) / 2 - along
        weight = trusted / (TRACK**2 + off**2)  # a way on which the robot turned says little
    return headings


def turns_of(recorded: Scene, headings: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much the robot turned from each row to the next, and the spread of that, both (rows - 1,) in rad."""
    row, before, now = pairs(numbers).T
    kept = turned(recorded.velocity[row, before], headings[row]) + recorded.robot[row] - recorded.robot[row + 1]
    seen = recorded.velocity[row + 1, now]
    steady = np.abs(np.linalg.norm(kept, axis=-1) - np.linalg.norm(seen, axis=-1)) < STEADY
    angle = np.arctan2(kept[:, 1], kept[:, 0]) - np.arctan2(seen[:, 1], seen[:, 0]) - headings[row]
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    count = np.bincount(row[steady], minlength=len(headings) - 1)
    total = np.bincount(row[steady], weights=angle[steady], minlength=len(headings) - 1)
    return total / np.maximum(count, 1), np.where(count > 0, SURE, UNKNOWN)


def combine(turns, turn_weight, along, along_weight) -> np.ndarray:
    """Headings h (rows,) that come nearest to h[k+1] - h[k] = turns and (h[k] + h[k+1]) / 2 = along."""
    rows = len(turns) + 1
    bands, right = np.zeros((2, rows)), np.zeros(rows)
    bands[1] += 1e-9  # in case nothing is known
    for place, sign in ((slice(None, -1), -1), (slice(1, None), 1)):
        bands[1, place] += turn_weight + along_weight / 4
        right[place] += sign * turn_weight * turns + along_weight * along / 2
    bands[0, 1:] = along_weight / 4 - turn_weight
    return solveh_banded(bands, right)


def deflections(velocity: np.ndarray) -> np.ndarray:
    """Rows of one ball, velocity (rows, 2), after which a collision changed its way."""
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=-1)
    change[:SLIDING] = 0
    return np.flatnonzero(change > DEFLECTED)


def approaches(scene: Scene, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closest that each ball comes to the robot, and whether it was deflected close to it: (balls,) each.

    From a collision with the robot on, the ball's way is taken to go on straight, as it does in our world, and the
    robot's as recorded. nan: the ball was not seen up to the robot.
    """
    closest, hit = np.full(numbers.max() + 1, np.nan), np.zeros(numbers.max() + 1, dtype=bool)
    for ball in range(len(closest)):
        row, slot = np.nonzero(numbers == ball)
        place, velocity = scene.place[row, slot], scene.velocity[row, slot]
        distance = np.linalg.norm(place, axis=-1)
        near = [at for at in deflections(velocity) if min(distance[at : at + 2]) < NEAR]
        hit[ball], last = bool(near), near[0] if near else len(row) - 1
        robot = scene.robot[row[last] : row[last] + 8]
        further = place[last] + ROW * np.arange(len(robot))[:, None] * velocity[last] - (robot - robot[0])
        way = np.concatenate([place[:last], further])
        if way[-1, 1] < 0:
            closest[ball] = closest_approach(way[:-1], way[1:]).min()
    return closest, hit & (closest < CONTACT)
