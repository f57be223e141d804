"""Pong and CubeCrash as Gymnasium environments.

    import gymnasium
    import studies.pong.environment  # registers them

    game = gymnasium.make("sim2seq/Pong-v0", size=32)
    frame, info = game.reset(seed=7)
    dream = gymnasium.make("sim2seq/DreamedPong-v0", model="folder of a training")

An episode with seed 7 begins like that of simulate(world, [7], agent), and with the actions of that it is the same
episode, frame by frame: both are made by worlds.py.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import ClassVar

import gymnasium
import numpy as np

from studies.pong.beginning import as_bytes, begin
from studies.pong.dream import load
from studies.pong.simulate import SETS
from studies.pong.worlds import WORLDS, Pong, draw, make_world

PONG, CUBE_CRASH, DREAMED_PONG = "sim2seq/Pong-v0", "sim2seq/CubeCrash-v0", "sim2seq/DreamedPong-v0"


class Game(gymnasium.Env):
    """One episode of a world at a time; actions, rewards and ends are the world's.

    observation  (height, width, 3) bytes: Pong in white on black, CubeCrash's cube in green
    info         the true state by its names, and the seed
    options      of reset, Pong only: angle, that of the launch in radians, for this episode

    `reset(seed=s)` begins the episode of that seed; reset without a seed draws the next one. Raises ValueError for an
    unknown environment, a size that it does not have, an angle that is no number, options that are no dictionary or
    have an unknown name, or an action that is no number from 0 on.
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 30}

    def __init__(self, render_mode=None, *, environment: str = "pong", size: int | None = None, angle=None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode: expected rgb_array or None, got {render_mode!r}")
        if environment not in tuple(WORLDS):
            raise ValueError(f"environment: expected one of {', '.join(WORLDS)}; got {environment}")
        self.render_mode, self.world, self.state = render_mode, make_world(environment, size), None
        self.angle = check_angle(self.world, angle)
        shape = (self.world.height, self.world.width, 3)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, dtype=np.uint8)
        self.action_space = gymnasium.spaces.Discrete(self.world.actions)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.seed = int(self.np_random.integers(2**31)) if seed is None else seed
        angle = check_angle(self.world, check_options(options, "angle").get("angle", self.angle))
        self.state = self.world.launch([self.seed]) if angle is None else self.world.launch_at([angle])
        self.over = False
        return self.render_frame(), self.info()

    def step(self, action):
        check_running(self)
        chosen = check_action(self.world, action)
        self.state, over, reward = self.world.step(self.state, np.array([chosen]))
        self.over = bool(over[0])
        return self.render_frame(), float(reward[0]), self.over, False, self.info()

    def render_frame(self) -> np.ndarray:
        return self.world.colours[draw(self.world, self.state)[0]]

    def info(self) -> dict:
        return {**dict(zip(self.world.names, self.state[0].tolist(), strict=True)), "seed": self.seed}

    def render(self):
        """The frame (height, width, 3) in the mode rgb_array."""
        if self.render_mode != "rgb_array":
            return None
        if self.state is None:
            raise gymnasium.error.ResetNeeded("expected reset() before render()")
        return self.render_frame()


class DreamedPong(gymnasium.Env):
    """A model of Pong as the game: after the frames that it must be shown, every frame is its own.

    model        folder of a training, or the name of a simple model (simple.SIMPLE)
    observation  (size, size, 3) bytes; after `reset` the last frame that the model was shown
    terminated   where the model takes the game to be over: its chance for that is 1/2 or more
    reward       1 a step, and 0 for the last, as in Pong
    info         the seed of the episode that the model was shown, the agent of the training sets playing; and the
                 model's chance that the game is over

    `reset(seed=s)` shows it the episode of seed s, or the first one after it that lasts as long as must be shown.
    Raises ValueError for what is no model of this study, or one of another world, for options, and for an action that
    is none of 0 to 8.
    """

    metadata: ClassVar = Game.metadata

    def __init__(self, render_mode=None, *, model="constant velocity"):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode: expected rgb_array or None, got {render_mode!r}")
        self.render_mode, self.dream, self.state = render_mode, load(model), None
        self.world = self.dream.world
        if not isinstance(self.world, Pong):
            raise ValueError(f"{model}: expected a model of pong; got one of {self.world.name}")
        self.observation_space = gymnasium.spaces.Box(0, 255, (self.world.size, self.world.size, 3), dtype=np.uint8)
        self.action_space = gymnasium.spaces.Discrete(self.world.actions)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        check_options(options)
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        begun = begin(self.dream, drawn, stochasticity=SETS["train"].stochasticity)
        self.seed, self.state, self.over = begun.seed, begun.state, False
        return self.observe(begun.frames[-1]), self.info()

    def step(self, action):
        check_running(self)
        made, self.state = self.dream.step(self.state, check_action(self.world, action))
        self.over = bool(self.state.over >= 0.5)
        return self.observe(as_bytes(made)), float(not self.over), self.over, False, self.info()

    def observe(self, frame: np.ndarray) -> np.ndarray:
        self.seen = self.world.colours[frame]
        return self.seen

    def info(self) -> dict:
        return {"seed": self.seed, "over": float(self.state.over)}

    def render(self):
        """The frame (size, size, 3) in the mode rgb_array."""
        if self.render_mode != "rgb_array":
            return None
        if self.state is None:
            raise gymnasium.error.ResetNeeded("expected reset() before render()")
        return self.seen


def check_running(env) -> None:
    """Raise ResetNeeded outside an episode."""
    if env.state is None:
        raise gymnasium.error.ResetNeeded("expected reset() before the first step()")
    if env.over:
        raise gymnasium.error.ResetNeeded("the game is over: expected reset() before the next step()")


def check_action(world, action) -> int:
    """An action as a number; ValueError for what is none of this world."""
    try:
        chosen = operator.index(action)
    except TypeError:
        chosen = -1
    if not 0 <= chosen < world.actions:
        raise ValueError(f"action: expected a whole number from 0 to {world.actions - 1}, got {action!r}")
    return chosen


def check_options(options, *known: str) -> dict:
    """Options of reset as a dictionary; ValueError for what is none, or has other names than the known ones."""
    wanted = ", ".join(known) or "none"
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"options: expected a dictionary ({wanted}), got {options!r}")
    if unknown := set(options or {}) - set(known):
        raise ValueError(f"options: expected {wanted}, got {', '.join(sorted(map(str, unknown)))}")
    return dict(options or {})


def check_angle(world, angle) -> float | None:
    """A launch angle, or None; ValueError for what is none."""
    if angle is None:
        return None
    value = np.asarray(angle)
    number = value.shape == () and value.dtype.kind in "iuf" and np.isfinite(value)
    if not isinstance(world, Pong) or not number:
        raise ValueError(f"angle: expected one finite number of radians, and Pong; got {angle!r} in {world.name}")
    return float(angle)


gymnasium.register(id=PONG, entry_point=f"{__name__}:Game", kwargs={"environment": "pong"})
gymnasium.register(id=CUBE_CRASH, entry_point=f"{__name__}:Game", kwargs={"environment": "cube_crash"})
gymnasium.register(id=DREAMED_PONG, entry_point=f"{__name__}:DreamedPong")
