#!/usr/bin/env python
"""Play many episodes of Pong, CubeCrash or Atari's Pong and write their frames as one array file.

    python studies/pong/simulate.py --set test --episodes 500 --seed 0 --output test.h5

Each episode follows from its seed alone. Row t of an episode holds the frame at step t, the action that led to it (in
row 0, which nothing led to, that of doing nothing), whether the game is over there, and the true state. The row where
the game is over is the last one; `lengths` counts the rows, and what stands after them belongs to nobody.

Each set has seeds of its own, and `--seed` counts from its first one. The same agents play in training, validation and
test; in `shift` they follow the ball much better or hardly. `other` is for everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2seq._support.files import check_place
from studies.pong.agents import make_agent
from studies.pong.worlds import BLOCK, ENVIRONMENTS, draw, make_world

# 16 known frames and 60 steps fit in; no cube falls longer than 37 rows
STEPS = {"pong": 96, "cube_crash": 40, "atari_pong": 96}
MOST_SEEDS, MOST_BYTES = 1_000_000, 2 * 2**30
SUFFIX = ".h5"


def spread(low: float, high: float) -> Callable:
    """Stochasticity of an agent, from a random number of its episode: anything from low to high."""
    return lambda chance: low + (high - low) * chance


def either(one: float, other: float) -> Callable:
    """Stochasticity of an agent, from a random number of its episode: one of two."""
    return lambda chance: np.where(chance < 0.5, one, other)


@dataclass(frozen=True)
class Set:
    """Where its seeds begin, how many episodes it has unless told otherwise, and who plays."""

    first: int
    episodes: int
    stochasticity: Callable


SOURCE = spread(0.5, 1.0)
SETS = {
    "train": Set(0, 4000, SOURCE),
    "validation": Set(1 * MOST_SEEDS, 500, SOURCE),
    "test": Set(2 * MOST_SEEDS, 500, SOURCE),
    "shift": Set(3 * MOST_SEEDS, 500, either(0.2, 0.9)),
    "other": Set(4 * MOST_SEEDS, 500, SOURCE),
}


@dataclass(frozen=True)
class Episodes:
    """Episodes side by side; the rows from an episode's length on are zeros, its states there NaN.

    frames          (episodes, steps, height, width) bytes
    actions         (episodes, steps) bytes: what led to the frame
    terminals       (episodes, steps): whether the game is over there
    states          (episodes, steps, world.names)
    rewards         (episodes, steps)
    lengths         (episodes,): rows
    """

    frames: np.ndarray
    actions: np.ndarray
    terminals: np.ndarray
    states: np.ndarray
    rewards: np.ndarray
    lengths: np.ndarray


def simulate(world, seeds, agent, *, steps: int | None = None) -> Episodes:
    """Play one episode a seed, up to `steps` rows each (default: STEPS of the world).

    agent   states (episodes, names) -> actions (episodes,), asked once a step
    """
    steps = steps or STEPS[world.name]
    if hasattr(world, "play"):  # a world whose state cannot be seen whole
        return Episodes(**world.play(seeds, agent, steps))
    shape = (len(seeds), steps)
    states, rewards = np.full((*shape, len(world.names)), np.nan), np.zeros(shape)
    actions, terminals = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool)
    lengths, running = np.full(len(seeds), steps), np.ones(len(seeds), dtype=bool)
    states[:, 0] = now = world.launch(seeds)
    actions[:, 0] = world.idle
    for step in range(1, steps):
        chosen = agent(now)
        now, over, earned = world.step(now, chosen)
        states[running, step], actions[running, step] = now[running], chosen[running]
        terminals[running, step], rewards[running, step] = over[running], earned[running]
        lengths[running & over] = step + 1
        running &= ~over
        if not running.any():
            break
    return Episodes(drawn(world, states, lengths), actions, terminals, states, rewards, lengths)


def drawn(world, states: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Frames of states (episodes, steps, names), black from an episode's length on."""
    frames = np.zeros((*states.shape[:2], world.height, world.width), dtype=np.uint8)
    rows = np.nonzero(np.arange(states.shape[1]) < lengths[:, None])
    for first in range(0, len(rows[0]), BLOCK):
        block = tuple(index[first : first + BLOCK] for index in rows)
        frames[block] = draw(world, states[block])
    return frames


def columns_of(world, group: str, seeds, episodes: Episodes, agent) -> dict:
    """The cells of the episodes' records that are no series."""
    columns = {"group_id": group, "source": "simulation", "environment": world.name, "seed": np.array(seeds)}
    columns |= world.inputs(episodes.states[:, 0]) | agent.inputs
    over, earned = episodes.terminals.any(axis=1), episodes.rewards.sum(axis=1)
    return columns | {"num_steps": episodes.lengths, "over_final": over.astype(float), "reward_final": earned}


def series_of(world, episodes: Episodes) -> dict:
    """The series of the episodes' records."""
    series = {"frame": episodes.frames, "action": episodes.actions, "terminal": episodes.terminals.astype(np.uint8)}
    return series | {name: episodes.states[..., number] for number, name in enumerate(world.names)}


def check(options) -> None:
    """Raise ValueError, or FileNotFoundError, for the first bad option of the command line."""
    check_place(options.output)
    most = MOST_BYTES // (64 * 64)
    for name, allowed, good in (
        ("output", f"a name that ends in {SUFFIX}", options.output.endswith(SUFFIX)),
        ("steps", "2 to 10000", 2 <= options.steps <= 10_000),
        ("episodes", "1 or more", options.episodes >= 1),
        ("seed", "0 or more", options.seed >= 0),
        (
            "episodes",
            f"up to {most // options.steps} of {options.steps} steps",
            options.episodes * options.steps <= most,
        ),
        ("seed", f"seeds below {MOST_SEEDS}, the set's", options.seed + options.episodes <= MOST_SEEDS),
    ):
        if not good:
            raise ValueError(f"--{name} {getattr(options, name)}: expected {allowed}")
    if options.environment == "cube_crash" and (options.set == "shift" or options.stochasticity):
        raise ValueError(f"{options.environment}: expected no stochasticity, its agent draws every action")
    if options.stochasticity and options.set != "other":
        raise ValueError(f"--set {options.set}: expected no --stochasticity, its agents are fixed; try --set other")
    low, high = options.stochasticity or (0.0, 1.0)
    if not 0 <= low <= high <= 1:
        raise ValueError(f"--stochasticity {low} {high}: expected two numbers from 0 to 1, the lower one first")


def make_parser():
    from sim2seq._support.command import Parser

    parser = Parser(description="Play many episodes of a game and write their frames as one array file.")
    parser.add_argument("--environment", choices=ENVIRONMENTS, default="pong", help="the game")
    parser.add_argument("--size", type=int, help="of Pong's frames: 32 (the default), 40, 50 or 64")
    parser.add_argument("--set", choices=list(SETS), default="train", help="whose seeds and agents; the runs' group")
    parser.add_argument("--seed", type=int, default=0, help="the first episode, counted within its set")
    parser.add_argument("--episodes", type=int, help="how many (default: 4000 of train, 500 of others)")
    parser.add_argument("--steps", type=int, help="rows kept of an episode (default: 96; of cube_crash 40)")
    low_high = {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH"), "help": "of Pong's agents, with --set other"}
    parser.add_argument("--stochasticity", **low_high)
    parser.add_argument("--output", "-o", required=True, help=f"array file to write, {SUFFIX}")
    return parser


def main(argv=None):
    from sim2seq.data import arrays

    options = make_parser().parse_args(argv)
    chosen = SETS[options.set]
    options.episodes = chosen.episodes if options.episodes is None else options.episodes
    options.steps = STEPS[options.environment] if options.steps is None else options.steps
    check(options)
    world, first = make_world(options.environment, options.size), chosen.first + options.seed
    seeds = range(first, first + options.episodes)
    stochasticity = spread(*options.stochasticity) if options.stochasticity else chosen.stochasticity
    agent = make_agent(world, seeds, stochasticity)
    episodes = simulate(world, seeds, agent, steps=options.steps)
    run_ids = [f"{options.set}_{options.seed + number}" for number in range(options.episodes)]
    columns, series = columns_of(world, options.set, seeds, episodes, agent), series_of(world, episodes)
    arrays.write(options.output, run_ids, columns, series, np.arange(options.steps), lengths=episodes.lengths)


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
