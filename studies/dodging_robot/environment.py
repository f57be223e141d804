"""The dodging robot as a Gymnasium environment.

    import gymnasium
    import studies.dodging_robot.environment  # registers it

    robot = gymnasium.make("sim2seq/DodgingRobot-v0", aim="robot")
    observation, info = robot.reset(seed=7)

An episode with seed 7 has the balls of simulate(policy, [7], aim, duration=duration), and with the commands of that
policy it is the same episode, step by step: a command given in step k comes into force in step k + 1.
"""

from typing import ClassVar

import gymnasium
import numpy as np

from studies.dodging_robot import drawing
from studies.dodging_robot.world import AIMED, AIMS, BALLS, WORLD, Scene, World, count_steps

ID = "sim2seq/DodgingRobot-v0"


class Episode:
    """One episode of simulate(), step by step.

    command  in force, m/s; `advance` puts its own in force for the step after
    """

    def __init__(self, seed: int, aim: str, duration: float, world: World = WORLD):
        self.scene, self.world = Scene([seed], aim, duration, world), world
        self.steps, self.step, self.part, self.command = count_steps(duration, world), 0, 0.0, 0.0
        self.last_hit = -np.inf  # s

    @property
    def time(self) -> float:
        return (self.step + self.part) * self.world.control_step

    @property
    def hits(self) -> int:
        return int(self.scene.counts["hits"][0])

    @property
    def robot(self) -> np.ndarray:
        """(1, 2): place and speed, as policies want it."""
        return np.stack([self.scene.robot_x, self.scene.robot_v], axis=-1)

    def row(self) -> np.ndarray:
        """(len(SERIES),): what is seen now."""
        return np.concatenate([[self.command], self.scene.observe()[0], np.ones(BALLS), self.scene.robot_x])

    def moment(self, **shown):
        """What drawing.draw wants; fields as in drawing.Moment in the place of what is now."""
        now = {"time": self.time, "hits": self.hits, "since_hit": self.time - self.last_hit}
        return drawing.moment(self.row(), **now | shown)

    def advance(self, command: float, parts: int = 1):
        """Go on by one control step, in `parts` of equal length; a generator, which yields after each."""
        moves = round(self.world.control_step / self.world.physics_step)
        for part in range(parts):
            before = self.hits
            for _ in range(moves * part // parts, moves * (part + 1) // parts):
                self.scene.move(np.array([self.command]))
            self.part = (part + 1) / parts
            self.last_hit = self.time if self.hits > before else self.last_hit
            yield
        self.step, self.part = self.step + 1, 0.0
        self.command = float(np.clip(command, -self.world.robot_speed, self.world.robot_speed))


def bounds(world: World = WORLD) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest observation, (8,) each.

    The widest line goes from one end of the launch to the other end of the track, and on until the ball is replaced.
    """
    target = max(world.launch_x, world.track)
    aside, slowest, fastest = target + world.launch_x, 5 / 7 * world.speeds[0], world.speeds[1]
    far = target + aside * world.contact / world.launch_y + world.track
    steep = np.hypot(aside, world.launch_y)
    low = [-far, -world.contact, -fastest * aside / steep, -fastest]
    high = [far, world.launch_y, fastest * aside / steep, -slowest * world.launch_y / steep]
    return np.tile(low, BALLS).astype(np.float32), np.tile(high, BALLS).astype(np.float32)


class DodgingRobot(gymnasium.Env):
    """A robot on a line that two balls at a time are launched at; the reward is -1 for each hit.

    observation  (8,): for each ball x, y relative to the robot (m) and its vx, vy (m/s)
    action       (1,): command, m/s, in force 0.1 s later; beyond the speed limit it counts as the limit
    info         hits and balls launched so far, robot_x (m), robot_v (m/s), seed
    options      of reset: aim, duration (s), for this episode in the place of those that the environment was made with

    `reset(seed=s)` plays the balls of simulate(policy, [s], aim, duration=duration); reset without a seed draws the
    next one. An episode is never terminated, and truncated at its end. Raises ValueError for an unknown aim, a duration
    that is no whole number of steps, an unknown option, or an action that is not one finite number.
    """

    metadata: ClassVar = {"render_modes": ["human", "rgb_array"], "render_fps": round(1 / WORLD.control_step)}

    def __init__(self, render_mode=None, *, aim: str = "robot", duration: float = 60.0, world: World = WORLD):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode: expected human, rgb_array or None, got {render_mode!r}")
        self.render_mode, self.world = render_mode, world
        self.options = checked({"aim": aim, "duration": duration}, world)
        self.observation_space = gymnasium.spaces.Box(*bounds(world), dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-world.robot_speed, world.robot_speed, (1,), np.float32)
        self.episode = self.window = self.clock = None

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self.playing = checked({**self.options, **(options or {})}, self.world)
        self.episode = Episode(self.seed, **self.playing, world=self.world)
        self.show()
        return self.observation(), self.info()

    def step(self, action):
        if self.episode is None:
            raise gymnasium.error.ResetNeeded("expected reset() before the first step()")
        if self.episode.step >= self.episode.steps:
            raise gymnasium.error.ResetNeeded("the episode is over: expected reset() before the next step()")
        command = np.asarray(action, dtype=float)
        if command.shape != (1,) or not np.isfinite(command).all():
            raise ValueError(f"action: expected one finite number, shape (1,), got {action!r}")
        before = self.episode.hits
        for _ in self.episode.advance(command[0]):
            pass
        self.show()
        reward, truncated = float(before - self.episode.hits), self.episode.step >= self.episode.steps
        return self.observation(), reward, False, truncated, self.info()

    def observation(self) -> np.ndarray:
        return self.episode.scene.observe()[0].astype(np.float32)

    def info(self) -> dict:
        scene = self.episode.scene
        robot = {"robot_x": float(scene.robot_x[0]), "robot_v": float(scene.robot_v[0])}
        return {"hits": self.episode.hits, "balls": int(scene.counts["balls"][0]), **robot, "seed": self.seed}

    def render(self):
        """The picture (height, width, 3) in the mode rgb_array; the mode human shows each step by itself."""
        if self.render_mode != "rgb_array":
            return None
        if self.episode is None:
            raise gymnasium.error.ResetNeeded("expected reset() before render()")
        surface = drawing.pygame.Surface(drawing.WINDOW, 0, 32)
        drawing.draw(surface, self.moment(), self.world)
        return drawing.pixels(surface)

    def moment(self):
        return self.episode.moment(title="dodging robot", note=f"balls aimed {AIMED[self.playing['aim']]}")

    def show(self) -> None:
        """In the mode human: show the window, and wait for the time of the step to be over."""
        if self.render_mode != "human":
            return
        if self.window is None:
            self.window, self.clock = drawing.open_window("dodging robot"), drawing.pygame.time.Clock()
        drawing.pygame.event.pump()
        drawing.draw(self.window, self.moment(), self.world)
        drawing.pygame.display.flip()
        self.clock.tick(self.metadata["render_fps"])

    def close(self) -> None:
        if self.window is not None:
            drawing.pygame.display.quit()
            self.window = None


def checked(options: dict, world: World) -> dict:
    """Options of an episode; ValueError names what is wrong."""
    if unknown := set(options) - {"aim", "duration"}:
        raise ValueError(f"options: expected aim and duration, got {', '.join(sorted(map(str, unknown)))}")
    if options["aim"] not in AIMS:
        raise ValueError(f"aim: expected one of {', '.join(AIMS)}; got {options['aim']}")
    count_steps(options["duration"], world)
    return options


gymnasium.register(id=ID, entry_point=f"{__name__}:DodgingRobot")
