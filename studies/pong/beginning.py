"""How an episode begins for a model: the first frames of a game, what it is told of the launch, and its state then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from studies.pong.agents import make_agent
from studies.pong.simulate import simulate

STOCHASTICITY = 0.2  # of the agent: how much it leaves to chance; that of the source's films
TRIED = 200  # episodes, until one lasts as long as a model must be shown


@dataclass(frozen=True)
class Begun:
    """A game up to the last frame that a model is shown.

    seed      of the episode
    frames    (known, height, width), bytes
    actions   (known,): what led to them
    states    (1, names): the world's, with the last frame
    agent     who goes on from there: states (1, names) -> actions (1,)
    state     the model's
    """

    seed: int
    frames: np.ndarray
    actions: np.ndarray
    states: np.ndarray
    agent: Callable
    state: Any


def begin(dream, seed: int, *, stochasticity=STOCHASTICITY) -> Begun:
    """Show a model the episode of this seed, or the first one after it that lasts as long as it must be shown.

    Raises ValueError where none does.
    """
    for number in range(seed, seed + TRIED):
        agent = make_agent(dream.world, [number], stochasticity)
        played = simulate(dream.world, [number], agent, steps=dream.known)
        if not played.terminals.any():
            frames, actions, states = played.frames[0], played.actions[0], played.states[0]
            state = dream.begin(frames, actions, told(dream, states[:1]))
            return Begun(number, frames, actions, states[-1:], agent, state)
    raise ValueError(f"model: expected a game that lasts {dream.known} frames; {TRIED} were shorter")


def told(dream, launch: np.ndarray) -> np.ndarray | None:
    """(told,): what a model must be told of this launch (1, names). ValueError for what no launch tells."""
    inputs = dream.world.inputs(launch)
    if unknown := set(dream.told) - set(inputs):
        raise ValueError(f"model: expected inputs of {', '.join(inputs)}; it wants {', '.join(sorted(unknown))}")
    return np.array([inputs[name][0] for name in dream.told]) if dream.told else None


def as_bytes(made: np.ndarray) -> np.ndarray:
    """Frames of a model, brightness 0 to 1, as bytes; what is no number is black."""
    return (255 * np.clip(np.nan_to_num(made), 0, 1) + 0.5).astype(np.uint8)
