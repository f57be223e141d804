"""Pong of the Atari 2600 as a third world: the real game, run by the Arcade Learning Environment (package ale-py).

An episode is one rally against the game's own player: it begins with the first frame that shows a served ball, and is
over with the point. Each step holds the action for 4 pictures of the console, which draws 60 a second. Nothing is left
to chance (no sticky actions): a rally follows from its seed and the actions.

Frames are the whole screen, 210 x 160, in the console's grey, as means over the areas of 42 x 42 pixels: the usual
84 x 84, scaled down once more, in one step. The true state is read from the console's memory, at the addresses that
Anand et al. found (Unsupervised State Representation Learning in Atari, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from studies.pong.agents import Chance
from studies.pong.worlds import AGENT, LAUNCH, generators

ATARI = "atari_pong"
HELD = 4  # pictures of the console a step
WAITS, POINTS = 16, 3  # steps before the first action, and points before the rally: each launch draws fewer
MOVES = (0, 3, 4)  # of the console's joystick: nothing, right (the plank goes up), left (down)
SCREEN, SIDE = (210, 160), 42
BALL_X, BALL_Y, OPPONENT, PLAYER = 49, 54, 50, 51  # addresses
# address - OFFSETS: place of the middle on the screen, in its pixels
ADDRESSES, OFFSETS = [BALL_X, BALL_Y, OPPONENT, PLAYER], np.array([48, 12, 7, 6])


@dataclass(frozen=True)
class AtariPong:
    """The world of one rally; who plays has the right plank. Actions are stay, up and down; the reward is that of the
    console, 1 or -1 for the point and 0 until then.

    The state: x and y of the ball's middle, and y of the middle of the opponent's and of the player's plank, in pixels
    of the frame from its upper left corner, before the console cuts off what lies beyond the field.

    Its state cannot be seen whole, so unlike the worlds of worlds.py it plays whole episodes (`play`).
    """

    name = ATARI
    names = ("ball_x", "ball_y", "opponent", "player")
    height, width, actions, idle = 42, 42, 3, 0
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)

    def inputs(self, states: np.ndarray) -> dict[str, np.ndarray]:
        return {f"launch_{name}": states[:, number] for number, name in enumerate(self.names)}

    def agent(self, seeds, stochasticity=0.5) -> Follower:
        return Follower(seeds, stochasticity)

    def play(self, seeds, agent, steps: int) -> dict[str, np.ndarray]:
        """The parts of Episodes (simulate.py) of a rally a seed, of up to `steps` rows; ValueError without ale-py."""
        shape, running = (len(seeds), steps), np.ones(len(seeds), dtype=bool)
        parts = {
            "frames": np.zeros((*shape, self.height, self.width), dtype=np.uint8),
            "actions": np.zeros(shape, dtype=np.uint8),
            "terminals": np.zeros(shape, dtype=bool),
            "states": np.full((*shape, len(self.names)), np.nan),
            "rewards": np.zeros(shape),
            "lengths": np.full(len(seeds), steps),
        }
        rallies = [Rally(seed) for seed in seeds]
        for number, rally in enumerate(rallies):
            parts["frames"][number, 0], parts["states"][number, 0] = rally.frame, rally.state
        for step in range(1, steps):
            chosen = agent(np.reshape([rally.state for rally in rallies], (len(seeds), len(self.names))))
            for number in np.nonzero(running)[0]:
                row, rally = (number, step), rallies[number]
                reward = rally.step(chosen[number])
                parts["frames"][row], parts["states"][row] = rally.frame, rally.state
                parts["actions"][row], parts["rewards"][row] = chosen[number], reward
                parts["terminals"][row] = reward != 0
            over = parts["terminals"][:, step]
            parts["lengths"][over] = step + 1
            running &= ~over
        return parts


class Follower:
    """Plays the right plank: with a probability called stochasticity a move drawn from all, otherwise after the ball.

    As agents.PongAgent: called with the states (episodes, 4) once a step, it gives the actions (episodes,).
    """

    def __init__(self, seeds, stochasticity):
        sources = generators(seeds, AGENT)
        first = np.array([source.random() for source in sources])
        drawn = stochasticity(first) if callable(stochasticity) else stochasticity
        self.stochasticity = np.broadcast_to(np.asarray(drawn, dtype=float), len(seeds))
        self.inputs, self.chance = {"stochasticity": self.stochasticity}, Chance(sources, 2)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        chance, below = self.chance(), states[:, 1] - states[:, 3]
        aimed = np.select([below < -1, below > 1], [1, 2], 0)
        return np.where(chance[:, 0] < self.stochasticity, (3 * chance[:, 1]).astype(int), aimed)


@lru_cache
def console():
    """One console for all rallies: its state is kept for each, and laid back before a step."""
    try:
        from ale_py import ALEInterface, LoggerMode, roms
    except ImportError as error:
        raise ValueError(f"{ATARI}: expected the package ale-py, which the extra `atari` installs ({error})") from error
    ALEInterface.setLoggerMode(LoggerMode.Error)
    made = ALEInterface()
    made.setInt("frame_skip", HELD)
    made.setFloat("repeat_action_probability", 0.0)
    made.loadROM(roms.get_rom_path("pong"))
    return made, made.cloneState()


class Rally:
    """One rally: its frame and its state now, and a step.

    The seed draws for how long nothing is done at first, how many points are played before, and the moves until then.
    """

    def __init__(self, seed: int):
        self.console, self.held = console()
        self.console.restoreState(self.held)
        (chance,) = generators([seed], LAUNCH)
        for _ in range(chance.integers(WAITS)):
            self.act(0)
        points, moves = int(chance.integers(POINTS)), chance.integers(len(MOVES), size=4096)
        served = False
        for move in moves:
            before, served = served, bool(self.console.getRAM()[BALL_Y])
            if served and not before and points <= 0:
                break
            points -= self.act(move) != 0
        self.look()

    def act(self, action: int) -> float:
        return self.console.act(MOVES[action])

    def step(self, action: int) -> float:
        """Go on by a step; the reward."""
        self.console.restoreState(self.held)
        reward = self.act(int(action))
        self.look()
        return float(reward)

    def look(self) -> None:
        self.held = self.console.cloneState()
        self.frame = small(self.console.getScreenGrayscale())
        places = self.console.getRAM()[ADDRESSES].astype(float) - OFFSETS
        self.state = places * SIDE / [SCREEN[1], *[SCREEN[0]] * 3]


def small(screen: np.ndarray) -> np.ndarray:
    """(42, 42) bytes of a screen (210, 160)."""
    lines = screen.reshape(SIDE, -1, SCREEN[1]).mean(axis=1, dtype=np.float32)  # 5 lines of the screen are one
    return (lines @ areas(SCREEN[1], SIDE).T + 0.5).astype(np.uint8)


@lru_cache
def areas(length: int, parts: int) -> np.ndarray:
    """(parts, length): how much of a line each of its pixels is of each of `parts` even parts; rows sum to 1."""
    edges = np.arange(parts + 1) * length / parts
    inside = np.clip(edges[:, None] - np.arange(length), 0, 1)
    return np.diff(inside, axis=0).astype(np.float32) * parts / length
