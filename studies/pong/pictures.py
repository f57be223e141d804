"""Pictures: what the things in a world look like, learned from its frames, and frames made of them.

Frames are laid over each other so that a thing is always at the same place: what is the same in nine of ten belongs to
it, the rest passes by.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studies.pong.worlds import BRIGHT, CubeCrash, Pong

FRAMES = 1000  # that are laid over each other
SHARE, SEEN = 0.1, 0.05  # of the frames in which a pixel of a thing may be darker; that must show its place
# thing -> which of the world's places are its x and its y; None: it does not move along that axis. The last is in front
THINGS: dict[str, dict[str, tuple[int | None, int | None]]] = {
    Pong.name: {"left": (None, 2), "right": (None, 3), "ball": (0, 1)},
    CubeCrash.name: {"hole": (2, None), "cube": (0, 1)},
}
FILE = "pictures.npz"


@dataclass(frozen=True)
class Pictures:
    """name -> (2 height, 2 width), 0 to 255: a thing at the place whose pixel is (height, width)."""

    world: Pong | CubeCrash
    of: dict[str, np.ndarray]

    def frames(self, places: np.ndarray) -> np.ndarray:
        """Frames (episodes, height, width), 0 to 1, of places (episodes, places), whole pixels."""
        drawn = np.zeros((len(places), self.world.height, self.world.width), dtype=np.float32)
        for name, axes in THINGS[self.world.name].items():
            lines, columns = canvas(self.world, places, axes)
            seen = self.of[name][lines[:, :, None], columns[:, None, :]]
            drawn = np.where(seen > 0, seen, drawn)
        return drawn / np.float32(BRIGHT)

    def write(self, folder) -> None:
        """Keep them beside the model."""
        np.savez_compressed(Path(folder, FILE), **self.of)  # type: ignore[arg-type]


def read(folder, world) -> Pictures:
    """Those of a training. Raises ValueError, in one line, where there are none, or of another world."""
    path, names = Path(folder, FILE), THINGS[world.name]
    if not path.exists():
        raise ValueError(f"{folder}: expected {FILE} beside the model: train it with sim2seq train")
    with np.load(path, allow_pickle=False) as held:
        found = {name: held[name] for name in held.files}
    wanted = (2 * world.height, 2 * world.width)
    if set(found) != set(names) or any(each.shape != wanted for each in found.values()):
        raise ValueError(f"{path}: expected pictures of {', '.join(names)} for {world.name}; got {', '.join(found)}")
    return Pictures(world, found)


def canvas(world, places: np.ndarray, axes) -> tuple[np.ndarray, np.ndarray]:
    """Which lines (episodes, height) and columns (episodes, width) of a thing's picture each frame shows."""
    across, down = axes
    half = world.height / 2 if world.name == Pong.name else 0
    x = np.zeros(len(places)) if across is None else places[:, across] + half
    y = np.zeros(len(places)) if down is None else (half - places[:, down] if half else places[:, down])
    lines = np.arange(world.height) - y[:, None].astype(int) + world.height
    columns = np.arange(world.width) - x[:, None].astype(int) + world.width
    return np.clip(lines, 0, 2 * world.height - 1), np.clip(columns, 0, 2 * world.width - 1)


def learn(world, frames: np.ndarray, places: np.ndarray) -> Pictures:
    """The pictures of the things in frames (frames, height, width), bytes, whose places (frames, places) are known."""
    chosen = np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int)
    frames, places = frames[chosen], places[chosen]
    number, found = np.arange(len(frames)), {}
    for name, axes in THINGS[world.name].items():
        lines, columns = canvas(world, places, axes)
        laid = np.full((len(frames), 2 * world.height, 2 * world.width), np.nan, dtype=np.float32)
        laid[number[:, None, None], lines[:, :, None], columns[:, None, :]] = frames
        seen = np.isfinite(laid).sum(axis=0) > len(frames) * SEEN
        picture = np.zeros(seen.shape, dtype=np.float32)
        picture[seen] = np.nanquantile(laid[:, seen], SHARE, axis=0, method="lower")
        found[name] = picture
    return Pictures(world, found)
