"""Who plays: agents for many episodes at once, each driven by the seed of its episode alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from studies.pong.worlds import AGENT, CubeCrash, Pong, generators

BLOCK = 64  # steps drawn at a time


class Chance:
    """Random numbers, (episodes, many) a step, that do not depend on how many episodes are played beside."""

    def __init__(self, sources: list[np.random.Generator], many: int):
        self.sources, self.many, self.step = sources, many, 0

    def __call__(self) -> np.ndarray:
        if self.step % BLOCK == 0:
            self.drawn = np.reshape(
                [source.random((BLOCK, self.many)) for source in self.sources], (-1, BLOCK, self.many)
            )
        self.step += 1
        return self.drawn[:, (self.step - 1) % BLOCK]


class PongAgent:
    """The source's agent. For each plank: with a probability called stochasticity a move drawn from down, stay and up;
    otherwise towards the ball, up or down, when the ball is on its half, and by a slow wave when it is not.

    stochasticity   (episodes,) or one for all; or a function of a random number of the episode that gives it
    inputs          name -> (episodes,), for the record
    Called with the states (episodes, 6) once a step, it gives the actions (episodes,).
    """

    def __init__(self, world: Pong, seeds, stochasticity):
        sources = generators(seeds, AGENT)
        first = np.reshape([source.random(2) for source in sources], (-1, 2))
        self.phase = 2 * np.pi * first[:, 0]
        drawn = stochasticity(first[:, 1]) if callable(stochasticity) else stochasticity
        self.stochasticity = np.broadcast_to(np.asarray(drawn, dtype=float), len(seeds))
        self.inputs = {"stochasticity": self.stochasticity}
        self.world, self.chance = world, Chance(sources, 4)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        self.phase = self.phase + 0.1
        chance = self.chance()
        wave = np.where(np.sin(self.phase) >= 0, 1, -1)
        moves = []
        for plank, half in ((0, -1), (1, 1)):
            towards, near = aim(self.world, states[:, :2], states[:, 4 + plank], half)
            aimed = np.where(near, towards, wave)
            random = (3 * chance[:, 2 + plank]).astype(int) - 1
            moves.append(np.where(chance[:, plank] < self.stochasticity, random, aimed))
        return 3 * (moves[1] + 1) + (moves[0] + 1)


def aim(world: Pong, ball, top, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a plank with this top would go after a ball (..., 2), 1 or -1; and whether the ball is on its half.

    half    -1 of the left plank, 1 of the right one
    """
    above = ball[..., 1] - top + world.plank_height // 2
    return np.where(above >= 0, 1, -1), half * ball[..., 0] >= 0


class RandomAgent:
    """Draws each action from all."""

    inputs: ClassVar[dict] = {}

    def __init__(self, world, seeds):
        self.actions, self.chance = world.actions, Chance(generators(seeds, AGENT), 1)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        return (self.actions * self.chance()[:, 0]).astype(int)


def make_agent(world, seeds, stochasticity=0.5):
    """The agent that plays a world in the source: PongAgent, or RandomAgent in CubeCrash; or a world's own."""
    if hasattr(world, "agent"):
        return world.agent(seeds, stochasticity)
    return RandomAgent(world, seeds) if world.name == CubeCrash.name else PongAgent(world, seeds, stochasticity)
