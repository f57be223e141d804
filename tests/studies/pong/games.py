"""Episodes of Pong and CubeCrash for tests, and a model of Pong that is the game itself."""

import numpy as np

from studies.pong import simulate
from studies.pong.agents import make_agent
from studies.pong.dream import Dream
from studies.pong.worlds import Pong, draw

PONG = Pong()
SETS = {"train": 16, "validation": 8, "test": 8}  # the episodes of the fixture `ensemble`


def played(world, episodes: int, first: int = 0):
    seeds = range(first, first + episodes)
    return simulate.simulate(world, seeds, make_agent(world, seeds, 0.7))


def perfect(known: int = 2) -> Dream:
    """Pong itself, told how the ball was launched: what it makes is the game."""

    def start(frames, actions, meta):
        states = np.concatenate([np.zeros((len(meta), 2)), meta[:, ::-1], np.zeros((len(meta), 2))], axis=-1)
        for step in range(1, known):
            states, _, _ = PONG.step(states, actions[:, step])
        return states

    def advance(states, actions):
        states, over, _ = PONG.step(states, actions)
        return draw(PONG, states) / np.float32(255), over.astype(float), states

    return Dream(PONG, known, ("launch_sin", "launch_cos"), start, advance)
