"""Policies: what commands the robot.

    policy = POLICIES[name](episodes, seed)
    commands = policy(balls, robot)

balls (episodes, 8) is the observation of simulate.py, robot (episodes, 2) the robot's place on its track and its speed,
commands (episodes,) are m/s. A policy may remember; it is made anew for each set of episodes. The balls have the stream
`seed` of random numbers, so policies draw from streams of their own. None but `insider` looks
at `robot`: the learned ones, and the expert that they learn from, know only what is seen of the balls.
"""

import numpy as np

from studies.dodging_robot.world import BALLS, WORLD, World

MARGIN = 0.2  # m: what the expert keeps free beyond touching
HOMESICK = 0.4  # how a metre from the middle of the track counts for the expert, beside a metre to go
SLOW_DOWN = 0.25  # s: it goes at full speed until its target is nearer than it gets in this time
TOUCHING = 0.1  # s before and after a ball crosses the line in which it can touch
DANGER = 20.0  # m to go that a metre of missing room counts like
KEY = 0.75  # m/s: what a key stands for in the recordings


def still(episodes: int, seed: int = 0):
    """Stay."""
    return lambda balls, robot: np.zeros(len(balls))


def random(episodes: int, seed: int = 0, *, held: int = 5):
    """Any speed, another one every `held` control steps."""
    generator, step, commands = np.random.default_rng([seed, 1]), 0, np.zeros(episodes)

    def command(balls, robot):
        nonlocal step, commands
        if step % held == 0:
            commands = generator.uniform(-WORLD.robot_speed, WORLD.robot_speed, episodes)
        step += 1
        return commands

    return command


def expert(episodes: int, seed: int = 0):
    """The physics of rolling balls and a plan for the next two of them; sees what a learned policy sees."""
    return lambda balls, robot: plan(balls, middle_of_track(balls))


def sharp(episodes: int, seed: int = 0):
    """The expert at its best: half the margin, and twice as much drawn to the middle of the track.

    It is hit far less often, and is harder to learn from: what learns misses by more than its margin.
    """
    return lambda balls, robot: plan(balls, middle_of_track(balls), margin=MARGIN / 2, homesick=2 * HOMESICK)


def insider(episodes: int, seed: int = 0):
    """The expert, but it is told where on its track it stands."""
    return lambda balls, robot: plan(balls, -robot[:, 0], ends=WORLD.track)


def human_like(episodes: int, seed: int = 0, *, delay: int = 2, noise: float = 0.1):
    """The expert seen through human senses and hands: late by `delay` control steps, unsure of a ball's place by
    `noise` m, with a key for left and one for right."""
    generator, seen = np.random.default_rng([seed, 1]), []

    def command(balls, robot):
        seen.append(balls)
        late = seen[max(0, len(seen) - 1 - delay)].copy()
        del seen[: -1 - delay]
        late[:, ::4] += generator.normal(0, noise, (episodes, BALLS))
        commands = plan(late, middle_of_track(late))
        return KEY * np.sign(commands) * (np.abs(commands) > KEY / 2)

    return command


POLICIES = {"still": still, "random": random, "expert": expert, "sharp": sharp, "insider": insider}
POLICIES |= {"human_like": human_like}


def learned(models):
    """A maker of policies that see the last rows as these models want them, at first the first row for all.

    models  such as a Training has: (episodes, window, 8) as observed -> (episodes, 1); of several their median counts
    """
    window = models[0].inputs[0].shape[1]
    for model in models:
        model.compile(jit_compile=False)  # a decision takes no longer, and compiling would

    def make(episodes: int, seed: int = 0):
        rows = None

        def command(balls, robot):
            nonlocal rows
            now = balls[:, None].astype("float32")
            rows = np.repeat(now, window, axis=1) if rows is None else np.concatenate([rows[:, 1:], now], axis=1)
            return np.median([np.asarray(model.predict_on_batch(rows)) for model in models], axis=0)[:, 0].astype(float)

        return command

    return make


def crossing(balls: np.ndarray):
    """When and where balls (..., 4) cross the robot's line, if they roll on: seconds, and m from the robot's place."""
    x, y, vx, vy = np.moveaxis(balls, -1, 0)
    coming = vy < 0
    time = np.where(coming, np.maximum(y, 0) / np.where(coming, -vy, 1.0), np.inf)
    return time, x + vx * np.where(coming, time, 0.0)


def middle_of_track(balls: np.ndarray, world: World = WORLD) -> np.ndarray:
    """Where the middle of the track is, from the robot's place (episodes,): the middle of what both launches allow.

    Balls are launched within plus or minus `launch_x` of it; seen from a robot at x, within that of -x.
    """
    x, y, vx, vy = np.moveaxis(balls.reshape(len(balls), BALLS, 4), -1, 0)
    launched = x + vx * np.where(vy < 0, (world.launch_y - y) / np.where(vy < 0, vy, 1.0), 0.0)
    least, most = launched.max(axis=1) - world.launch_x, launched.min(axis=1) + world.launch_x
    return np.clip((least + most) / 2, -world.track, world.track)


def plan(
    balls: np.ndarray,
    middle: np.ndarray,
    *,
    ends: float | None = None,
    margin: float = MARGIN,
    homesick: float = HOMESICK,
    world: World = WORLD,
) -> np.ndarray:
    """Commands (episodes,) that go where both balls miss: the cheapest of staying and passing either ball on one side.

    balls   (episodes, 8) as observed
    middle  (episodes,) the middle of the track from the robot's place, which draws it
    ends    half the length of the track, where it counts with its ends; None: it does not
    For each place to go to, `room` is what is left free beyond touching when the balls cross, if it goes there at full
    speed. Cost: the way, plus `homesick` of the way from there to the middle, plus DANGER times the missing room.
    """
    balls = balls.reshape(len(balls), BALLS, 4)
    time, cross = crossing(balls)
    there = np.isfinite(time) & (balls[..., 1] > -world.contact)
    slope = np.where(there, balls[..., 2] / np.where(there, balls[..., 3], 1.0), 0.0)
    wide = world.contact * np.sqrt(1 + slope**2)  # where a ball that comes aslant touches along the line
    beside = np.where(there, wide + margin, 0.0)[..., None] * [-1, 1] + np.where(there, cross, 0.0)[..., None]
    targets = np.concatenate([np.zeros((len(balls), 1)), beside.reshape(len(balls), -1)], axis=1)
    if ends is not None:
        targets = np.clip(targets, middle[:, None] - ends, middle[:, None] + ends)
    room = np.full(targets.shape, np.inf)
    for ball in range(BALLS):
        free = room_beside(targets, time[:, ball], cross[:, ball], balls[:, ball, 2], wide[:, ball], world)
        room = np.where(there[:, ball, None], np.minimum(room, free), room)
    missing = np.maximum(0.95 * margin - room, 0.0)
    cost = np.abs(targets) + homesick * np.abs(targets - middle[:, None]) + DANGER * missing
    best = np.take_along_axis(targets, cost.argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.clip(best / SLOW_DOWN, -world.robot_speed, world.robot_speed)


def room_beside(targets, time, cross, drift, wide, world: World) -> np.ndarray:
    """The least room (episodes, targets) between the robot under way and a ball, before, while and after it crosses."""
    lost = world.control_step + world.robot_speed / world.robot_acceleration / 2  # s until it is under way
    room = np.full(targets.shape, np.inf)
    for shift, share in ((-TOUCHING, 0.7), (0.0, 1.0), (TOUCHING, 0.7)):  # a ball beside its middle is narrower
        left = np.maximum(np.where(np.isfinite(time), time, 0.0) + shift - lost, 0.0)[:, None]
        robot = np.sign(targets) * np.minimum(np.abs(targets), world.robot_speed * left)
        room = np.minimum(room, np.abs(robot - (cross + drift * shift)[:, None]) - share * wide[:, None])
    return room


def disturbance(rates: np.ndarray, seed: int = 0):
    """What happens to commands on their way to the wheels: now and then another one is carried out.

    A disturbed expert shows how to come back from where a learner will stray (Laskey et al., DART: Noise Injection for
    Robust Imitation Learning, 2017). rates (episodes,), 0 to 1: a fifth of it is the chance, at each free step, that a
    random command begins, which is held for 0.2 to 0.8 s: a rate of 0.5 disturbs a third of the time, 1 half of it.
    """
    generator, left, wrong = np.random.default_rng([seed, 2]), np.zeros(len(rates), int), np.zeros(len(rates))

    def disturb(commands: np.ndarray) -> np.ndarray:
        nonlocal left, wrong
        begins = (left == 0) & (generator.random(len(rates)) < rates / 5)
        left = np.where(begins, generator.integers(2, 9, len(rates)), np.maximum(left - 1, 0))
        wrong = np.where(begins, generator.uniform(-WORLD.robot_speed, WORLD.robot_speed, len(rates)), wrong)
        return np.where(left > 0, wrong, commands)

    return disturb
