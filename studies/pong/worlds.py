"""The two games, for thousands of episodes at once: Pong for two planks, and CubeCrash.

A world says what happens and how it looks; who plays is said in agents.py. It has

    height, width, actions   of a frame, in pixels; how many actions there are, numbered from 0
    idle                     the action of whoever does nothing
    names                    what the state of an episode is made of
    launch(seeds)            (episodes, names): the states of new episodes, each made by its seed alone
    moves(actions)           (episodes,) or more of them: what the actions move, -1, 0 or 1
    step(states, actions)    (episodes, names), (episodes,) whether the game is over, (episodes,) the reward
    paint(states, frames)    draws (episodes, names) into (episodes, height, width)
    inputs(states)           name -> (episodes,): what a launch was made of, for the record
    colours                  (256, 3): red, green and blue of each brightness

and `draw(world, states)` gives the frames, bytes, of states of any shape (..., names). Lengths are in pixels, a step is
the unit of time. Rules and sizes are those of https://github.com/ichko/forward-model (src/data/pong.py) and of OpenAI
Gym's CubeCrash-v0 (gym/envs/unittest/cube_crash.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SIZES = (32, 40, 50, 64)  # of Pong's frames
LAUNCH, AGENT = 0, 1  # an episode's two sources of chance: the game does not depend on who plays it
BRIGHT = 255
BLOCK = 2048  # frames drawn at a time: about what fits into a processor's cache


def draw(world, states: np.ndarray) -> np.ndarray:
    """(..., height, width): the frames of these states (..., names), bytes."""
    flat = states.reshape(-1, len(world.names))
    frames = np.empty((len(flat), world.height, world.width), dtype=np.uint8)
    for first in range(0, len(flat), BLOCK):
        world.paint(flat[first : first + BLOCK], frames[first : first + BLOCK])
    return frames.reshape(*states.shape[:-1], world.height, world.width)


def generators(seeds, source: int) -> list[np.random.Generator]:
    """One generator an episode."""
    return [np.random.default_rng([source, int(seed)]) for seed in seeds]


@dataclass(frozen=True)
class Pong:
    """Two planks and a ball on a square canvas of `size` pixels, origin in its middle, y up.

    The state: centre and velocity of the ball, and the top edge of each plank. The ball starts in the middle with speed
    1, at an angle drawn from the whole circle. It turns at limits that its centre cannot pass: its place is set to the
    limit and that part of its velocity changes sign. It ends the game where it passes the limit of a side whose plank
    is not level with it. Each step moves the left plank, the right plank, then the ball. The reward is 1 a step, and 0
    for the last.

    Action 3 * (right + 1) + (left + 1): a plank's move is -1 (down), 0 or 1 (up).
    """

    size: int = 32
    plank_width: int = 5
    plank_height: int = 15
    ball: int = 2  # half its size
    name = "pong"
    names = ("ball_x", "ball_y", "ball_vx", "ball_vy", "left", "right")
    actions, idle = 9, 4
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)

    @property
    def height(self) -> int:
        return self.size

    @property
    def width(self) -> int:
        return self.size

    @property
    def plank_limits(self) -> tuple[float, float]:
        """The lowest and the highest top of a plank."""
        return self.plank_height - self.size / 2, self.size / 2

    @property
    def side(self) -> float:
        """The limit of the ball's centre on the right; on the left it is minus this."""
        return self.size / 2 - self.plank_width - (self.ball + 1)

    @property
    def ball_limits(self) -> tuple[float, float]:
        """The lowest and the highest y of the ball's centre."""
        return self.ball + 1 - self.size / 2, self.size / 2 - self.ball

    def launch(self, seeds) -> np.ndarray:
        return self.launch_at([generator.uniform(0, 2 * np.pi) for generator in generators(seeds, LAUNCH)])

    def launch_at(self, angles) -> np.ndarray:
        """States of new episodes with these angles of the ball, radians."""
        states = np.zeros((len(angles), len(self.names)))
        states[:, 2], states[:, 3] = np.cos(angles), np.sin(angles)
        return states

    def inputs(self, states: np.ndarray) -> dict[str, np.ndarray]:
        cosine, sine = states[:, 2], states[:, 3]
        return {"launch_angle": np.arctan2(sine, cosine) % (2 * np.pi), "launch_sin": sine, "launch_cos": cosine}

    def moves(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the left and the right plank: -1, 0 or 1."""
        actions = np.asarray(actions, dtype=int)
        return actions % 3 - 1, actions // 3 - 1

    def step(self, states: np.ndarray, actions: np.ndarray):
        x, y, vx, vy, left, right = states.T
        left, right = (
            np.clip(top + move, *self.plank_limits)
            for top, move in zip((left, right), self.moves(actions), strict=True)
        )
        (x, y, vx, vy), (crossed, level) = self.fly(x, y, vx, vy)
        over = self.missed(crossed, level, left, right)
        return np.stack([x, y, vx, vy, left, right], axis=-1), over, np.where(over, 0.0, 1.0)

    def fly(self, x, y, vx, vy):
        """The ball one step later; -1, 0 or 1 for the side that it has crossed; and its y before a limit held it."""
        (low, high), side = self.ball_limits, self.side
        x, level = x + vx, y + vy
        crossed = (x > side) * 1 - (x < -side)
        vy = np.where((level > high) | (level < low), -vy, vy)
        return (np.clip(x, -side, side), np.clip(level, low, high), np.where(crossed, -vx, vx), vy), (crossed, level)

    def missed(self, crossed, level, left, right):
        """Whether a ball that crosses at this y is beside the plank of that side."""
        top = np.where(crossed < 0, left, right)
        return (crossed != 0) & ~((level - self.ball < top) & (level + self.ball > top - self.plank_height))

    @property
    def plank_rows(self) -> int:
        """How many places a plank has."""
        return self.size - self.plank_height + 1

    @property
    def plank_shapes(self) -> np.ndarray:
        """(plank_rows, size): which lines of a frame show a plank whose top is in each of the first rows."""
        return bars(self.size, self.plank_rows, self.plank_height + 1)

    def corner(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the ball's upper left pixel: its place without the part after the point."""
        column = (states[..., 0] - self.ball) + self.size / 2  # in the source's order, which decides about rounding
        row = self.size / 2 - (states[..., 1] + self.ball)
        return row.astype(int), column.astype(int)

    def shown(self, states: np.ndarray) -> np.ndarray:
        """(..., 2): x and y of the ball as a frame shows them: whole pixels, to the left and up of its true place."""
        row, column = self.corner(states)
        return np.stack([column + self.ball - self.size / 2, self.size / 2 - self.ball - row], axis=-1)

    def paint(self, states: np.ndarray, frames: np.ndarray) -> None:
        """Planks are 6 x 16 and the ball 5 x 5: the corners of the source's rectangles belong to them."""
        planks, balls, lines = pictures(self)
        row, column = self.corner(states)
        left, right = ((self.size / 2 - states[..., plank]).astype(int) for plank in (4, 5))
        places = (left * self.plank_rows + right, row * self.size + column)
        codes = np.take(planks, places[0], axis=0, mode="clip")  # all are in range: without a check and a copy
        codes += np.take(balls, places[1], axis=0, mode="clip")
        np.take(lines, codes, axis=0, out=frames, mode="clip")


def bars(size: int, places: int, length: int) -> np.ndarray:
    """(places, size): 1 for the `length` lines of a frame from each place on, 0 for the others."""
    after = np.arange(size) - np.arange(places)[:, None]
    return ((after >= 0) & (after < length)).astype(np.uint8)


@lru_cache
def pictures(world: Pong) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a frame is made of: codes of its lines by the rows of both planks and by the ball's place, lines by code.

    A line's code: 1 for the left plank, 2 for the right one, 4 times the ball's column as counted from the left plank.
    """
    size, wide, ball = world.size, world.plank_width, 2 * world.ball + 1
    planks = world.plank_shapes[:, None] + 2 * world.plank_shapes
    start = np.clip(np.arange(size) - wide, 0, size - 3 * wide)
    balls = bars(size, size, ball)[:, None] * (4 * start[:, None]).astype(np.uint8)
    left, right = np.arange(size) <= wide, np.arange(size) >= size - wide
    shown = [bars(size, size, ball)[code // 4 + wide] * (code >= 4) for code in range(4 * (size - 3 * wide + 1))]
    lines = [left * (code % 2) | right * (code // 2 % 2) | each for code, each in enumerate(shown)]
    return planks.reshape(-1, size), balls.reshape(-1, size), np.array(lines, dtype=np.uint8) * np.uint8(BRIGHT)


@dataclass(frozen=True)
class CubeCrash:
    """A cube falls 1 pixel a step towards a floor with a hole; the actions are stay, left and right by 1 pixel.

    The state: column and row of the cube's middle, counted from the upper left pixel, and column of the hole's. The
    game is over at a side wall (reward -1), on the floor beside the hole (-1) and at the bottom of the hole (+1); until
    then a step earns 0.01 for each pixel that the cube has come nearer to the hole's column.

    One difference: the source forgets to draw a cube that has hit the left wall; here its two columns are shown.
    """

    name = "cube_crash"
    names = ("cube_x", "cube_y", "hole_x")
    height, width, actions, idle = 40, 32, 3, 0
    floor, hole, cube = 5, 4, 1  # height of the floor; half the hole's width, and half the cube's
    grey = 150  # of the green cube: ITU-R BT.601, 0.587 * 255
    colours = np.stack(
        [np.interp(np.arange(256), [0, 150, 255], ends) for ends in ([0, 0, 255], [0, 255, 255], [0, 0, 255])], axis=1
    ).astype(np.uint8)

    def launch(self, seeds) -> np.ndarray:
        """After the one step without a move that the source makes at once."""
        low, high = np.array([[3, 3, 2 * self.hole], [self.width - 3, self.height // 6, self.width - 2 * self.hole]])
        drawn = np.reshape([generator.random(3) for generator in generators(seeds, LAUNCH)], (-1, 3))
        return np.floor(low + drawn * (high - low)) + np.array([0.0, 1.0, 0.0])

    def inputs(self, states: np.ndarray) -> dict[str, np.ndarray]:
        return {f"launch_{name}": states[:, number] for number, name in enumerate(self.names)}

    def moves(self, actions: np.ndarray) -> np.ndarray:
        """Of the cube: -1, 0 or 1."""
        return np.array([0.0, -1.0, 1.0])[np.asarray(actions, dtype=int)]

    def step(self, states: np.ndarray, actions: np.ndarray):
        x, y, hole = states.T
        before = np.abs(x - hole)
        x, y = x + self.moves(actions), y + 1
        distance = np.abs(x - hole)
        wall = (x - self.cube < 0) | (x + self.cube >= self.width)
        crash = ~wall & (y + self.cube >= self.height - self.floor) & (distance >= self.hole)
        through = ~wall & ~crash & (y == self.height)
        reward = np.select([wall | crash, through], [-1.0, 1.0], 0.01 * (before - distance))
        return np.stack([x, y, hole], axis=-1), wall | crash | through, reward

    def paint(self, states: np.ndarray, frames: np.ndarray) -> None:
        x, y, hole = states.T.astype(int)
        np.take(floors(self), hole, axis=0, out=frames, mode="clip")
        for line in range(-self.cube, self.cube + 1):
            for column in range(-self.cube, self.cube + 1):
                seen = (y + line < self.height) & (x + column >= 0) & (x + column < self.width)
                frames[seen, y[seen] + line, x[seen] + column] = self.grey


@lru_cache
def floors(world: CubeCrash) -> np.ndarray:
    """(width, height, width): the frame without a cube for each column of the hole."""
    line, hole = np.arange(world.height)[:, None], np.arange(world.width)[:, None, None]
    floor = (line >= world.height - world.floor) & (np.abs(np.arange(world.width) - hole) > world.hole)
    return floor.astype(np.uint8) * np.uint8(BRIGHT)


WORLDS = {Pong.name: Pong, CubeCrash.name: CubeCrash}
ENVIRONMENTS = (*WORLDS, "atari_pong")


def each_once(text: str) -> list[str]:
    """Names of WORLDS with spaces between, as a list. Raises ValueError for others, for one twice and for none."""
    names = text.split()
    if not names or len(set(names)) < len(names) or set(names) - set(WORLDS):
        raise ValueError(f"expected each environment once, of {', '.join(WORLDS)}; got {text or 'none'}")
    return names


def make_world(name: str, size: int | None = None):
    """The world of this name; ValueError for an unknown one, or a size of its frames that it does not have."""
    if name not in ENVIRONMENTS:
        raise ValueError(f"environment: expected one of {', '.join(ENVIRONMENTS)}; got {name}")
    if name == Pong.name:
        if size is not None and not (isinstance(size, int | np.integer) and size in SIZES):
            raise ValueError(f"size: expected one of {', '.join(map(str, SIZES))}; got {size}")
        return Pong(SIZES[0] if size is None else int(size))
    if name in WORLDS:
        world = WORLDS[name]()
    else:
        from studies.pong.atari import AtariPong  # not below worlds.py, but beside it

        world = AtariPong()
    if size is not None:
        raise ValueError(f"size: expected none for {name}, whose frames are {world.height} x {world.width}; got {size}")
    return world
