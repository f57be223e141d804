"""Where things are in a frame: one rule for each, exact on true frames, and defined on blurred, predicted ones.

ball     Between the planks nothing but the ball is bright: its centre is the centroid of the brightness there. Pixels
         less than a quarter as bright as the brightest count as dark, so that no glow draws it aside. Of frames that
         are means over possible places it gives about the mean place, the best that a forecast in doubt can do (within
         2 % of the limit's error). Where all is dark, the ball is taken to be in the middle.
planks   The top of a plank is the one, of all that it can have, whose picture differs least (in squares) from the
         columns of the plank.
cube     The same, over every place of the cube, in the picture of how near each pixel is to the cube's grey.
hole     The same, over every floor.
rally    Atari's: whatever is not as grey as the empty field, between the planks the ball, in their columns each plank,
         by the ball's rule; to 0.4 pixels, as the console's pixels are parts of the frame's and some are faint.

Frames are (..., height, width), brightness 0 to 255, bytes or other numbers.
"""

from __future__ import annotations

import numpy as np

from studies.pong.worlds import BRIGHT, CubeCrash, Pong

DARK = 0.25  # of the brightest pixel
EMPTY, LINES = 87, slice(7, 38)  # of Atari's field: its grey, where it is in the frame
COLUMNS = {"ball": slice(6, 35), "opponent": slice(3, 6), "player": slice(35, 38)}


def find_ball(world: Pong, frames: np.ndarray) -> np.ndarray:
    """(..., 2): x and y of the ball's centre in pixels; on true frames those of `world.shown`."""
    check_size(world, frames)
    first, last = world.plank_width + 1, world.size - world.plank_width
    middle = world.size / 2
    column, row = spot(frames[..., first:last], np.arange(first, last), np.arange(world.size), (middle, middle))
    return np.stack([column - middle, middle - row], axis=-1)


def spot(frames, columns, lines, otherwise) -> tuple[np.ndarray, np.ndarray]:
    """The centroid of what is bright in frames (..., lines, columns); `otherwise` (column, line) where all is dark."""
    field = np.asarray(frames, dtype=np.float32)
    brightest = field.max(axis=(-2, -1), keepdims=True)
    weight = np.where((field > 0) & (field >= DARK * brightest), field, 0)
    across, down = weight.sum(axis=-2, dtype=float), weight.sum(axis=-1, dtype=float)
    total = across.sum(axis=-1)
    return moment(across, columns, total, otherwise[0]), moment(down, lines, total, otherwise[1])


def find_rally(world, frames: np.ndarray) -> np.ndarray:
    """(..., 4): of Atari's Pong x and y of the ball, y of the opponent's and of the player's plank, in pixels from the
    upper left corner; where nothing is seen, the middle of the field."""
    check_size(world, frames)
    bright = np.abs(np.asarray(frames[..., LINES, :], dtype=np.float32) - EMPTY)
    lines, found = np.arange(LINES.start, LINES.stop) + 0.5, []
    for columns in COLUMNS.values():
        places = np.arange(columns.start, columns.stop) + 0.5
        found.append(spot(bright[..., columns], places, lines, (places.mean(), lines.mean())))
    (x, y), (_, opponent), (_, player) = found
    return np.stack([x, y, opponent, player], axis=-1)


def moment(weights, places, total, otherwise: float) -> np.ndarray:
    """The mean of places (n,) under weights (..., n); `otherwise` where these are all zero."""
    return np.where(total > 0, weights @ places / np.where(total > 0, total, 1), otherwise)


def find_planks(world: Pong, frames: np.ndarray) -> np.ndarray:
    """(..., 2): y of the top of the left and the right plank, whole pixels."""
    check_size(world, frames)
    shapes = world.plank_shapes
    wide = world.plank_width + 1
    found = []
    for columns in (slice(None, wide), slice(world.size - world.plank_width, None)):
        bright = np.asarray(frames[..., columns], dtype=float).mean(axis=-1) / BRIGHT
        row = np.argmax((2 * bright - 1) @ shapes.T, axis=-1)  # |bright - shape|^2, less what is the same for all
        found.append(world.size / 2 - row)
    return np.stack(found, axis=-1)


def find_cube(world: CubeCrash, frames: np.ndarray) -> np.ndarray:
    """(..., 2): column and row of the cube's middle, whole pixels."""
    check_size(world, frames)
    near = 1 - np.abs(np.asarray(frames, dtype=float) - world.grey) / (BRIGHT - world.grey)
    likeness = 2 * np.clip(near, 0, 1) - 1
    edge = world.cube
    around = [(0, 0)] * (likeness.ndim - 2) + [(edge, 2 * edge), (edge, edge)]  # it may stand a line below the frame
    padded = np.pad(likeness, around)
    places = (world.height + edge, world.width)
    sums = np.zeros((*likeness.shape[:-2], *places))
    for line in range(2 * edge + 1):
        for column in range(2 * edge + 1):
            sums += padded[..., line : line + places[0], column : column + places[1]]
    row, column = np.divmod(np.argmax(sums.reshape(*likeness.shape[:-2], -1), axis=-1), world.width)
    return np.stack([column, row], axis=-1).astype(float)


def find_hole(world: CubeCrash, frames: np.ndarray) -> np.ndarray:
    """(...,): column of the hole's middle, whole pixels: that of the floor that differs least from the frame's."""
    check_size(world, frames)
    bright = np.asarray(frames[..., -world.floor :, :], dtype=float).mean(axis=-2) / BRIGHT
    columns = np.arange(2 * world.hole, world.width - 2 * world.hole)
    shapes = (np.abs(np.arange(world.width) - columns[:, None]) > world.hole).astype(float)
    return columns[np.argmax((2 * bright - 1) @ shapes.T, axis=-1)].astype(float)


def check_size(world, frames) -> None:
    """Raise ValueError for what are no frames of this world."""
    if np.asarray(frames).dtype.kind not in "uif":
        raise ValueError(f"frames: expected numbers from 0 to {BRIGHT}, got {np.asarray(frames).dtype}")
    expected, got = (world.height, world.width), np.shape(frames)[-2:]
    if got != expected:
        raise ValueError(f"frames: expected {expected[0]} x {expected[1]} pixels, got {' x '.join(map(str, got))}")
