"""The world: a robot that dodges balls, and episodes of it.

The robot stands on the line y = 0 and moves along x only. Two balls are alive at a time: each is launched from y = 5 m,
slides, rolls, and is replaced by a new one when it has passed. SI units. World.* holds every number, with its reason.

Observation, made every 0.1 s: for each ball x, y relative to the robot and vx, vy of the ball in the world. The command
given on it comes into force 0.1 s later, which is the delay of the recorded robot. Balls, a function of their age, are
exact; the robot moves in steps of `physics_step`.
"""

from dataclasses import dataclass

import numpy as np

BALLS = 2
BALL_FEATURES = tuple(f"ball_{ball}_{what}" for ball in (1, 2) for what in ("x", "y", "vx", "vy"))
LAYOUT = ("command", *BALL_FEATURES)  # what is learned from: (steps, 9)
SERIES = (*LAYOUT, "present_1", "present_2", "robot_x")
AIMED = {"straight": "straight ahead", "center": "at the middle", "robot": "at the robot", "random": "at random"}
AIMS = tuple(AIMED)
COUNTS = ("balls", "hits", "head_on", "head_on_hits")


@dataclass(frozen=True)
class World:
    """Lengths in m, times in s."""

    ball_radius: float = 0.2067
    robot_radius: float = 0.0  # the robot is a point: a ball hits it that comes within the ball's radius
    launch_y: float = 5.0
    launch_x: float = 1.5  # launched anywhere within plus or minus this
    speeds: tuple[float, float] = (3.0, 5.0)  # of the launch
    friction: float = 1.0  # between ball and floor
    gravity: float = 9.81
    robot_speed: float = 1.0  # limit
    robot_acceleration: float = 5.0  # limit; measured: benchmarks/dodging_recordings.py
    track: float = 1.5  # the robot's line ends at plus or minus this, or a robot that drives away is never hit
    control_step: float = 0.1
    physics_step: float = 0.01

    @property
    def contact(self) -> float:
        """The distance of the centres at which ball and robot touch."""
        return self.ball_radius + self.robot_radius

    @property
    def shortest_flight(self) -> float:
        """The least time that a ball takes from its launch to its replacement."""
        return (self.launch_y + self.contact) / self.speeds[1]


WORLD = World()


def rolled(speed, age, world: World = WORLD):
    """Way and speed of a solid sphere launched sliding at `speed`, after `age` seconds (arrays that broadcast).

    Friction brakes it by mu g and spins it up until it rolls, at 5/7 of its launch speed after 2 v / (7 mu g) seconds.
    """
    braking = world.friction * world.gravity
    sliding = np.minimum(age, 2 * speed / (7 * braking))
    now = speed - braking * sliding
    return speed * sliding - braking * sliding**2 / 2 + now * (age - sliding), now


def closest_approach(before, after):
    """The least distance from the origin of the straight way from `before` to `after`, both (..., 2)."""
    way = after - before
    length = np.einsum("...i,...i", way, way)
    share = -np.einsum("...i,...i", before, way) / np.where(length > 0, length, 1.0)
    nearest = before + np.clip(share, 0.0, 1.0)[..., None] * way
    return np.sqrt(np.einsum("...i,...i", nearest, nearest))


class Scene:
    """Episodes side by side: robots, their balls, and what is counted.

    seeds   (episodes,) whole numbers: an episode's balls depend on its seed alone, not on its neighbours
    aims    (episodes,) names in AIMS, or one for all
    counts  name -> (episodes,): balls launched, hits, balls that were launched head-on (on a line that meets the robot
            where it stands then) and have passed, and how many of these hit
    """

    def __init__(self, seeds, aims, duration: float, world: World = WORLD):
        self.world, self.episodes = world, len(seeds)
        aims = np.broadcast_to(np.asarray(aims), self.episodes)
        if unknown := set(aims.tolist()) - set(AIMS):
            raise ValueError(f"aim: expected one of {', '.join(AIMS)}; got {', '.join(sorted(unknown))}")
        self.aim = np.array([AIMS.index(aim) for aim in aims])[:, None]
        launches = int(duration / world.shortest_flight) + 2
        shape = (launches, BALLS, 3)  # in this order, so that a shorter episode has the balls of a longer one
        self.draws = np.stack([np.random.default_rng(int(seed)).random(shape) for seed in seeds])
        zeros = np.zeros((self.episodes, BALLS))
        self.robot_x, self.robot_v, self.distance = (np.zeros(self.episodes) for _ in range(3))
        self.launched, self.age, self.speed = zeros.astype(int), zeros.copy(), zeros.copy()
        self.origin, self.direction, self.place = (np.zeros((self.episodes, BALLS, 2)) for _ in range(3))
        self.hit, self.head_on = zeros.astype(bool), zeros.astype(bool)
        self.counts = {name: np.zeros(self.episodes, dtype=int) for name in COUNTS}
        self.launch(np.ones_like(self.hit))

    def launch(self, where: np.ndarray) -> None:
        """Replace the balls (episodes, BALLS) that `where` is true for."""
        world = self.world
        episode, ball = np.nonzero(where)
        if not len(episode):
            return
        x, speed, aim = self.draws[episode, self.launched[episode, ball], ball].T
        x, random = ((2 * draw - 1) * world.launch_x for draw in (x, aim))
        robot = self.robot_x[episode]
        target = np.choose(self.aim[episode, 0], [x, np.zeros_like(x), robot, random])
        way = np.stack([target - x, np.full_like(x, -world.launch_y)], axis=-1)
        direction = way / np.linalg.norm(way, axis=-1, keepdims=True)
        origin = np.stack([x, np.full_like(x, world.launch_y)], axis=-1)
        self.origin[episode, ball], self.direction[episode, ball] = origin, direction
        self.speed[episode, ball] = world.speeds[0] + (world.speeds[1] - world.speeds[0]) * speed
        self.age[episode, ball], self.hit[episode, ball] = 0.0, False
        self.launched[episode, ball] += 1
        self.place[episode, ball] = origin
        miss = np.abs((origin[:, 0] - robot) * direction[:, 1] - origin[:, 1] * direction[:, 0])
        self.head_on[episode, ball] = miss <= world.contact
        np.add.at(self.counts["balls"], episode, 1)

    def observe(self) -> np.ndarray:
        """(episodes, 8): x, y relative to the robot and vx, vy in the world, ball by ball."""
        way, speed = rolled(self.speed, self.age, self.world)
        seen = np.empty((self.episodes, BALLS, 4))
        seen[..., :2] = self.origin + way[..., None] * self.direction
        seen[..., 0] -= self.robot_x[:, None]
        seen[..., 2:] = speed[..., None] * self.direction
        return seen.reshape(self.episodes, -1)

    def advance(self, command: np.ndarray) -> None:
        """One control step with `command` (episodes,), m/s, in force."""
        world = self.world
        target = np.clip(command, -world.robot_speed, world.robot_speed)
        for _ in range(round(world.control_step / world.physics_step)):
            self.move(target)

    def move(self, target: np.ndarray) -> None:
        """One step of the physics towards the speed `target` (episodes,), m/s."""
        world, step = self.world, self.world.physics_step
        most = world.robot_acceleration * step
        velocity = self.robot_v + np.clip(target - self.robot_v, -most, most)
        robot = np.clip(self.robot_x + (self.robot_v + velocity) / 2 * step, -world.track, world.track)
        self.robot_v = np.where(np.abs(robot) < world.track, velocity, 0.0)
        before = self.place.copy()
        before[..., 0] -= self.robot_x[:, None]
        self.distance += np.abs(robot - self.robot_x)
        self.robot_x = robot
        self.age += step
        way, _ = rolled(self.speed, self.age, world)
        self.place = self.origin + way[..., None] * self.direction
        near = self.place[..., 1] < 1.0  # m: nothing else is near enough to touch
        if near.any():
            self.judge(near, before)

    def judge(self, near: np.ndarray, before: np.ndarray) -> None:
        """Count the hits of the balls that are `near`, and replace those that can touch no more."""
        world = self.world
        episode, ball = np.nonzero(near)
        after = self.place[episode, ball]
        after[:, 0] -= self.robot_x[episode]
        touches = closest_approach(before[episode, ball], after) <= world.contact * (1 + 1e-12)
        new = touches & ~self.hit[episode, ball]
        self.hit[episode[new], ball[new]] = True
        np.add.at(self.counts["hits"], episode[new], 1)
        passed = np.zeros_like(near)
        passed[episode, ball] = after[:, 1] <= -world.contact
        self.counts["head_on"] += (passed & self.head_on).sum(axis=1)
        self.counts["head_on_hits"] += (passed & self.head_on & self.hit).sum(axis=1)
        self.launch(passed)


@dataclass(frozen=True)
class Episodes:
    """What came of a simulation: rows (episodes, steps, len(SERIES)), counts name -> (episodes,), distance in m."""

    rows: np.ndarray
    counts: dict[str, np.ndarray]
    distance: np.ndarray


def simulate(policy, seeds, aims="robot", *, duration: float = 60.0, world: World = WORLD, keep=True, disturb=None):
    """Play `policy` in one episode a seed; returns Episodes (with `keep=False` without rows: None).

    policy    (balls (episodes, 8), robot (episodes, 2): x and speed) -> commands (episodes,), m/s
    disturb   commands -> the commands carried out instead; the rows keep what the policy gave
    Row k is what is seen at time k * control_step and the command in force from then on, which was given on row k - 1;
    in row 0 it is 0.
    """
    steps = count_steps(duration, world)
    scene = Scene(seeds, aims, duration, world)
    rows = np.empty((scene.episodes, steps, len(SERIES))) if keep else None
    command, carried_out = np.zeros(scene.episodes), np.zeros(scene.episodes)
    for step in range(steps):
        balls = scene.observe()
        if keep:
            rows[:, step] = np.column_stack([command, balls, np.ones((scene.episodes, BALLS)), scene.robot_x])
        following = policy(balls, np.stack([scene.robot_x, scene.robot_v], axis=-1))
        scene.advance(carried_out)
        command = np.clip(following, -world.robot_speed, world.robot_speed)
        carried_out = command if disturb is None else disturb(command)
    return Episodes(rows, scene.counts, scene.distance)


def count_steps(duration: float, world: World = WORLD) -> int:
    """Control steps in `duration` seconds; ValueError where they are no whole number of at least 2."""
    steps = round(duration / world.control_step)
    if steps < 2 or abs(steps * world.control_step - duration) > 1e-9:
        raise ValueError(f"duration {duration}: expected a multiple of {world.control_step} s, of at least 2 steps")
    return steps
