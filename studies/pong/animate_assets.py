#!/usr/bin/env python
"""A film of how an asset transformer makes frames: its assets, where it moves each, their sum, and the frame.

    python studies/pong/animate_assets.py FOLDER --output assets.gif

Each asset is shown as it would look alone, first as it was learned, then where the model has moved it, and below by how
many pixels. Then their sum with what is added to every pixel (black is the least), the frame that comes of it, and the
game's, with the action of the agent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sim2seq._support import command
from studies.pong import viewing
from studies.pong.beginning import as_bytes, begin
from studies.pong.play import SPEED, action_words
from studies.pong.worlds import draw

SMALL, LARGE = 96, 192  # height of an asset and of a frame, in pixels


@dataclass(frozen=True)
class Made:
    """One frame and what it is made of.

    assets, moved   (assets, height, width): pictures as learned, and where this frame has them
    shifts          (assets, 2): pixels down and to the right
    total           (height, width): the sum of the moved ones, and what is added to all
    frame, true     (height, width), bytes: the model's and the game's
    action          what led to it
    """

    assets: np.ndarray
    moved: np.ndarray
    shifts: np.ndarray
    total: np.ndarray
    background: float
    frame: np.ndarray
    true: np.ndarray
    action: int


def network_of(model):
    """The asset transformer in a finished model. Raises ValueError for another one."""
    from sim2seq.models.stepping import core_of
    from studies.pong.spatial import AssetTransformerRNN

    core = core_of(model)
    found = [layer for layer in core.layers if isinstance(layer, AssetTransformerRNN)] if core else []
    if not found:
        raise ValueError(f"model: expected an asset_transformer; got {core.name if core else model.name}")
    return found[0]


def parts_of(network, state) -> tuple[np.ndarray, np.ndarray]:
    """Moved assets (assets, height, width), and their shifts (assets, 2) in pixels, of a state of one episode."""
    from keras import ops

    hidden = ops.convert_to_tensor(state.inner.state[-1][:, -1])  # of the last layer, what it said last
    shifts = ops.convert_to_numpy(network.placing(hidden)).reshape(-1, 2)
    halves = np.array([network.height - 1, network.width - 1]) / 2
    return ops.convert_to_numpy(network.moved(hidden))[0], -shifts * halves  # a shift says where a place looks


def watch(dream, network, seed: int) -> Iterator[Made]:
    """The frames of an episode after those that the model is shown, up to the end of the game; the agent plays."""
    from keras import ops

    begun, world = begin(dream, seed), dream.world
    states, state, over = begun.states, begun.state, False
    assets, background = ops.convert_to_numpy(network.pictures), float(ops.convert_to_numpy(network.background))
    while not over:
        action = int(begun.agent(states)[0])
        states, ends, _ = world.step(states, np.array([action]))
        frame, state = dream.step(state, action)
        moved, shifts = parts_of(network, state)
        total, over = moved.sum(axis=0) + background, bool(ends[0])
        yield Made(assets, moved, shifts, total, background, as_bytes(frame), draw(world, states)[0], action)


def alone(pictures: np.ndarray, background: float) -> np.ndarray:
    """Bytes of pictures as they would look alone."""
    return as_bytes(1 / (1 + np.exp(-np.clip(pictures + background, -60, 60))))


def picture(made: Made, world) -> Image.Image:
    small, large = (viewing.scale_of(world.height, panel) for panel in (SMALL, LARGE))
    colours, rows = world.colours, []
    pairs = (alone(each, made.background) for each in (made.assets, made.moved))
    for number, (asset, moved) in enumerate(zip(*pairs, strict=True), start=1):
        down, right = made.shifts[number - 1]
        panels = [(f"asset {number}", colours[asset]), ("moved", colours[moved])]
        rows.append(viewing.picture(panels, f"down {down:.1f} px, right {right:.1f} px", scale=small))
    most = max(np.abs(made.total).max(), 1e-9)
    panels = [
        ("sum", colours[as_bytes(made.total / most / 2 + 0.5)]),
        ("frame", colours[made.frame]),
        ("game", colours[made.true]),
    ]
    return viewing.beside(
        [viewing.stacked(rows), viewing.picture(panels, action_words(world, made.action), scale=large)]
    )


def main(argv=None):
    parser = command.Parser(description="A film of how an asset transformer makes frames.")
    parser.add_argument("model", help="folder of a finished training of an asset_transformer")
    parser.add_argument("--seed", type=int, default=2_000_000, help="of the episode")
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time of the film")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, default=Path("assets.gif"), help="GIF to write")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE")
    options = parser.parse_args(argv)
    if options.seed < 0:
        raise ValueError(f"--seed {options.seed}: expected 0 or more")
    if not 0 < options.seconds <= viewing.MOST_SECONDS:
        raise ValueError(f"--seconds {options.seconds}: expected more than 0 and up to {viewing.MOST_SECONDS:g}")
    viewing.check_output(options.output, ".gif", replace=options.replace)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    dream, network = opened(options.model)
    pictures = [
        picture(made, dream.world)
        for made, _ in zip(watch(dream, network, options.seed), range(round(options.seconds * SPEED)), strict=False)
    ]
    size = viewing.write_film(pictures, options.output, speed=SPEED, colours=dream.world.colours)
    print(f"{options.output}: {size / 1e6:.2f} MB, {len(pictures)} frames, seed {options.seed}")


def opened(folder):
    """The dream and the network of a training. Raises ValueError for one that is no asset transformer."""
    from studies.pong.dream import of_training, playable, training_of

    training = training_of(folder)
    return playable(of_training(training)), network_of(training.model)


if __name__ == "__main__":
    sys.exit(command.run(main))
