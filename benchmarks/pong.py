#!/usr/bin/env python
"""What Pong costs, and how well its ball can be known: the tables of the study's card.

    python benchmarks/pong.py [cost] [limit] [models] [--episodes 500] [--json FILE]

cost    frames a second of one core, drawing included, of thousands of episodes at once; beside them the source's way,
        one episode drawn by OpenCV (pip install opencv-python-headless; without it, those cells stay empty).
limit   the mean distance of the best forecast from the ball after P known frames. Planks that always return: over all
        launch angles, beside the numbers that the goals were set by. Real planks: over the episodes of the test set.

models  every model trained and played on the test episodes, beside guesses and the limit (_pong_models.py). What is
        in --folder already is not made again, so a benchmark that was interrupted goes on.

The first two take about two minutes on one core, the third an hour. TABLES has a function for each table: name -> rows.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _rows import publish, row

from sim2seq._support.command import Parser, run
from studies.pong import limit, locating, simulate
from studies.pong.agents import PongAgent, make_agent
from studies.pong.worlds import SIZES, WORLDS, CubeCrash, Pong, draw

RATE_GOAL, RATIO_GOAL = 200_000, 50
EPISODES_AT_ONCE, REPEATS = 2048, 7
KNOWN, HORIZONS = (2, 3, 5, 8, 16), (1, 5, 10, 20, 40, 60)
UNIT = "frames a second, one core"
RETURNING = (10, 30, 60, 90)
EXPECTED = {
    2: (3.7, 6.2, 7.8, 8.2),
    3: (1.5, 3.3, 4.6, 6.6),
    5: (0.67, 1.6, 2.6, 3.2),
    8: (0.31, 0.67, 1.2, 1.6),
    16: (0.12, 0.22, 0.36, 0.52),
}


class OneGame:
    """Pong as the source plays it: numbers of Python, and OpenCV's rectangles on a new canvas of three channels."""

    def __init__(self, cv2, angle: float, size: int = 32):
        self.cv2, self.size = cv2, size
        self.x = self.y = self.left = self.right = 0.0
        self.vx, self.vy = math.cos(angle), math.sin(angle)

    def step(self, action: int) -> tuple[np.ndarray, bool]:
        half, over = self.size / 2, False
        self.left = min(max(self.left + action % 3 - 1, 15 - half), half)
        self.right = min(max(self.right + action // 3 - 1, 15 - half), half)
        self.x, self.y = self.x + self.vx, self.y + self.vy
        for top, beyond in ((self.left, self.x < 8 - half), (self.right, self.x > half - 8)):
            if beyond:
                over |= not (self.y - 2 < top and self.y + 2 > top - 15)
                self.x, self.vx = math.copysign(half - 8, self.x), -self.vx
        if not 3 - half <= self.y <= half - 2:
            self.y, self.vy = min(max(self.y, 3 - half), half - 2), -self.vy
        return self.frame(), over

    def frame(self) -> np.ndarray:
        half, canvas = self.size / 2, np.zeros((self.size, self.size, 3))
        for x, y, width, height in (
            (-half, self.left, 5, 15),
            (half - 5, self.right, 5, 15),
            (self.x - 2, self.y + 2, 4, 4),
        ):
            column, line = half + x, half - y
            corners = (int(column), int(line)), (int(column + width), int(line + height))
            self.cv2.rectangle(canvas, *corners, (1, 1, 1), thickness=-1)
        return canvas * 255


def prepared(cv2, game: OneGame, action: int) -> np.ndarray:
    """A step as the source's workers make it: drawn by the game, drawn again, resized, channels first, over 256."""
    game.step(action)
    return np.transpose(cv2.resize(game.frame(), (32, 32)), (2, 0, 1)) / 256


def seconds_of(work) -> float:
    """The least of some measurements of one core's time, after a first call that is not counted."""
    work()
    measured = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        measured.append(time.process_time() - began)
    return min(measured)


def source_rate(cv2, step, steps: int = 2000) -> float:
    """Frames a second of one episode after the other, each of 60 steps."""

    def play():
        for number in range(steps):
            if number % 60 == 0:
                game = OneGame(cv2, number)
            step(game, number % 9)

    return steps / seconds_of(play)


def different_frames(cv2, episodes: int = 50) -> tuple[int, int]:
    """How many frames of some episodes differ from those that OpenCV draws, and how many were compared."""
    played = episodes_of(Pong(), range(episodes))
    different = compared = 0
    for number, length in enumerate(played.lengths):
        game = OneGame(cv2, 0.0)
        game.vx, game.vy = played.states[number, 0, 2:4]
        frames = [game.frame(), *(game.step(int(action))[0] for action in played.actions[number, 1:length])]
        wanted = played.frames[number, :length, ..., None]
        different += int((np.array(frames) != wanted).any(axis=(1, 2, 3)).sum())
        compared += int(length)
    return different, compared


def episodes_of(world, seeds):
    return simulate.simulate(world, seeds, make_agent(world, seeds, simulate.SETS["train"].stochasticity))


def environment_rate(world) -> float:
    """Frames a second of many episodes at once whose actions are given: a step and the drawing of all."""
    states = world.launch(range(EPISODES_AT_ONCE))
    actions = np.random.default_rng(0).integers(0, world.actions, EPISODES_AT_ONCE)
    return EPISODES_AT_ONCE / seconds_of(lambda: draw(world, world.step(states, actions)[0]))


def generation_rate(world) -> float:
    """Frames a second of whole episodes, from their seeds on, agents included."""
    rows = episodes_of(world, range(EPISODES_AT_ONCE)).lengths.sum()
    return rows / seconds_of(lambda: episodes_of(world, range(EPISODES_AT_ONCE)))


def file_rows() -> list[dict]:
    """Seconds and bytes of the test set's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "test.h5")
        began = time.process_time()
        simulate.main(["--set", "test", "--output", str(path)])
        seconds, size = time.process_time() - began, path.stat().st_size
    return [
        row("the test set of 500 episodes, written", seconds, None, "lower", "s"),
        row("its file", size / 1e6, None, "lower", "MB"),
    ]


def finding_rows() -> list[dict]:
    """Microseconds that it takes to find things in a frame."""
    rows = []
    for name, world, find in (
        ("the ball", Pong(), locating.find_ball),
        ("the planks", Pong(), locating.find_planks),
        ("the cube", CubeCrash(), locating.find_cube),
    ):
        frames = draw(world, world.launch(range(EPISODES_AT_ONCE)))
        seconds = seconds_of(lambda find=find, world=world, frames=frames: find(world, frames))
        rows.append(row(f"finding {name}", 1e6 * seconds / EPISODES_AT_ONCE, None, "lower", "µs a frame"))
    return rows


def source_rows(rate: float) -> list[dict]:
    """The environment beside the source's way, where OpenCV is there."""
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed: nothing is measured of the source's way", file=sys.stderr)
        return []
    cv2.setNumThreads(1)
    game = source_rate(cv2, OneGame.step)
    worker = source_rate(cv2, lambda one, action: prepared(cv2, one, action))
    different, compared = different_frames(cv2)
    return [
        row("the source's game", game, None, "higher", UNIT),
        row("the source's game, prepared for its models", worker, None, "higher", UNIT),
        row("Pong 32 x 32: times the source's game", rate / game, RATIO_GOAL, "higher", "times"),
        row("Pong 32 x 32: times the same, prepared", rate / worker, None, "higher", "times"),
        row(f"of {compared} frames, different from OpenCV's", different, 0, "lower", "frames"),
    ]


def cost(arguments) -> list[dict]:
    pong, cube = Pong(), CubeCrash()
    games = {f"Pong {size} x {size}": Pong(size) for size in SIZES} | {"CubeCrash 40 x 32": cube}
    rows = [row(f"{name}, environment", environment_rate(games[name]), RATE_GOAL, "higher", UNIT) for name in games]
    compared = source_rows(rows[0]["measured"])
    whole = {"Pong 32 x 32": pong, "CubeCrash 40 x 32": cube}
    rows += [row(f"{name}, with agents", generation_rate(whole[name]), RATE_GOAL, "higher", UNIT) for name in whole]
    return [*rows, *compared, *file_rows(), *finding_rows()]


def returning_rows(world) -> list[dict]:
    """Planks that always return, beside the numbers that the goals were set by."""
    paths = limit.every_angle(world, max(KNOWN) + max(RETURNING), place=limit.true_place)
    table = {known: limit.returning(paths, known)[[known - 1 + step for step in RETURNING]] for known in KNOWN}
    print_table("planks that always return", RETURNING, table)
    return [
        row(f"planks that always return, P = {known}, {step} steps", mean, None, "lower", "px", expected)
        for known, means in table.items()
        for step, mean, expected in zip(RETURNING, means, EXPECTED[known], strict=True)
    ]


def real_rows(title: str, paths, played, weigh) -> list[dict]:
    """Real planks and actions, over the episodes that last as long."""
    rows, table = [], {}
    for known in KNOWN:
        errors = limit.limit(paths, played.states, played.actions, played.lengths, known, weigh=weigh)
        table[known], many = limit.by_horizon(errors, known, HORIZONS)
        for step, mean, episodes in zip(HORIZONS, table[known], many, strict=True):
            one = row(f"{title}, P = {known}, {step} steps", mean, None, "lower", "px")
            rows.append(one | {"episodes": int(episodes)})
    print_table(title, HORIZONS, table)
    return rows


def limits(arguments) -> list[dict]:
    world, chosen = Pong(), simulate.SETS["test"]
    seeds = range(chosen.first, chosen.first + arguments.episodes)
    played = simulate.simulate(world, seeds, PongAgent(world, seeds, chosen.stochasticity))
    paths = limit.every_angle(world, simulate.STEPS[world.name])
    rows = returning_rows(world)
    for title, weigh in (("real planks", limit.still_on), ("real planks, and what moves tell", limit.moved)):
        rows += real_rows(title, paths, played, weigh)
    return rows


def print_table(title: str, steps, table: dict) -> None:
    """Markdown: a line for each number of known frames, a column for each horizon."""
    print(f"\n| {title}: P | " + " | ".join(f"{step} steps" for step in steps) + " |")
    print("|---" * (len(steps) + 1) + "|")
    for known, means in table.items():
        print(f"| {known} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    print("| angle told | " + " | ".join("0" for _ in steps) + " |")


def models(arguments) -> list[dict]:
    from _pong_models import models  # Keras, which the other tables do not need

    return models(arguments)


TABLES = {"cost": cost, "limit": limits, "models": models}


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; default: all")
    parser.add_argument("--episodes", type=int, default=500, help="of the test set")
    parser.add_argument("--training-episodes", type=int, default=4000, help="of models")
    parser.add_argument("--environment", choices=list(WORLDS), default="pong", help="of models")
    parser.add_argument("--folder", type=Path, default=Path("pong_models"), help="where models are kept, to go on")
    parser.add_argument("--study", type=Path, metavar="FOLDER", help="play the trainings of this study; train none")
    parser.add_argument("--only", nargs="+", metavar="PART", help="of models, those whose name has one of these in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        raise ValueError(f"expected tables of {', '.join(TABLES)}; got {', '.join(sorted(unknown))}")
    if not 1 <= arguments.episodes <= simulate.MOST_SEEDS:
        raise ValueError(f"--episodes {arguments.episodes}: expected 1 to {simulate.MOST_SEEDS}")
    rows = [each for name in arguments.tables or TABLES for each in TABLES[name](arguments)]
    print()
    publish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
