"""Networks by name: builders in the form of sim2seq/models/builders.py, of cores that make frames, or places.

The source's families are given bytes, 0 to 255, and learn frames from 0 to 1 by cross-entropy; `objects` has places.
"""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
from keras import ops

from sim2seq.models.builders import Sizes, core_inputs, one_or_all
from sim2seq.models.stepping import STEPPERS, Stepper
from studies.pong.atari import AtariPong
from studies.pong.families import BRIGHT, DeconvolvingRNN, DenseRNN, FrameTransformer
from studies.pong.objects import objects
from studies.pong.places import world_of_size
from studies.pong.spatial import AssetTransformerRNN, SpatialTransformerRNN
from studies.pong.worlds import CubeCrash, Pong

SIDE = 6  # columns of the source's first assets: left, right, and what is between
SURE = 12.0  # what a bright pixel of a first asset adds before the sigmoid
AVERAGED, LEAST = 200, 0.01  # training episodes whose mean frame a family begins with; the least brightness of it
LEAST_SPREAD = 0.2  # of a pixel of the known frames, 0 to 1
END_COUNTS = 0.1  # of the chance of the end, beside the mean over pixels

FAMILIES = {
    "dense_rnn": DenseRNN,
    "deconvolving_rnn": DeconvolvingRNN,
    "spatial_transformer": SpatialTransformerRNN,
    "asset_transformer": AssetTransformerRNN,
    "frame_transformer": FrameTransformer,
}


@keras.saving.register_keras_serializable("sim2seq.pong")
class PixelsAndEnd(keras.losses.Loss):
    """Cross-entropy of pixels and of the end, its mean over the frames that there are: padding does not count."""

    def __init__(self):
        super().__init__(name="pixels_and_end", reduction="mean_with_sample_weight")

    def call(self, true, said):
        said = ops.clip(said, 1e-6, 1 - 1e-6)
        each = -true * ops.log(said) - (1 - true) * ops.log(1 - said)
        return ops.mean(each[..., :-1], axis=-1) + END_COUNTS * each[..., -1]


def world_of_pixels(pixels: int) -> Pong | CubeCrash | AtariPong:
    """The world whose frames have so many pixels. Raises ValueError for a number that is none's."""
    cube = CubeCrash()
    side = round(pixels**0.5)
    return cube if pixels == cube.height * cube.width else world_of_size(side, pixels // max(side, 1))


def family(kind: type, sizes: Sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The core: frame (bytes), end and action of each step [, inputs of the episode] -> next frame and end."""
    world = world_of_pixels(sizes.inputs - 1)
    options = {"known": settings.window, "actions": world.actions, "told": sizes.conditions, "skip": settings.skip}
    options |= {"hidden": settings.units[0], "closed": settings.closed_loop}
    layer = kind(world.height, world.width, **options, name="network")
    inputs = core_inputs(sizes, "float32")
    told = [ops.ones_like(inputs[0][..., :1]) * each[:, None] for each in inputs[1:]]
    core = keras.Model(one_or_all(inputs), layer(ops.concatenate([inputs[0], *told], axis=-1)), name=kind.__name__)
    if values is not None:
        begin(layer, world, np.asarray(values[:AVERAGED]))
    core.lookback, core.error_unit, core.own_loss = None, 1.0, PixelsAndEnd()
    core.encode, core.decode = from_bytes, to_bytes
    return core


def begin(layer, world, values) -> None:
    """Let a family begin with what episodes (runs, steps, pixels, end, action) say at once."""
    known = values[:, : layer.known, : layer.pixels] / BRIGHT
    layer.middle.assign(known.mean(axis=0))
    layer.spread.assign(np.maximum(known.std(axis=0), LEAST_SPREAD))
    if isinstance(layer, AssetTransformerRNN):
        layer.pictures.assign(first_pictures(world, values[0, 0, : layer.pixels]))
    else:
        layer.background.assign(usual(values))


def usual(values) -> np.ndarray:
    """(pixels,): what says the mean frame, before the sigmoid; of episodes (runs, steps, pixels, end[, action]).

    The end is 1 in the last row of an episode that ends; what stands behind that belongs to nobody.
    """
    pixels = values.shape[-1] - 2
    ended = np.cumsum(values[..., pixels], axis=1) - values[..., pixels]
    mean = np.clip(values[ended == 0, :pixels].mean(axis=0) / BRIGHT, LEAST, 1 - LEAST)
    return np.log(mean / (1 - mean))


def first_pictures(world, frame) -> np.ndarray:
    """(3, height, width): a first frame's left columns, right columns and what is between, as the source begins."""
    frame = SURE * np.reshape(frame, (world.height, world.width)) / BRIGHT
    columns = np.arange(world.width)
    parts = (columns < SIDE, columns >= world.width - SIDE, (columns >= SIDE) & (columns < world.width - SIDE))
    return np.stack([frame * part for part in parts])


def from_bytes(targets: np.ndarray) -> np.ndarray:
    """What the loss is given: frames 0 to 1, and the end as it is; (..., pixels + 1)."""
    return np.concatenate([targets[..., :-1] / np.float32(BRIGHT), targets[..., -1:]], axis=-1, dtype="float32")


def to_bytes(said):
    """What a network says, (samples, pixels + 1), in the units of the files."""
    return ops.concatenate([said[..., :-1] * BRIGHT, said[..., -1:]], axis=-1)


def stepper(core: keras.Model) -> Stepper:
    network = core.get_layer("network")
    return Stepper(network.begin, network.step)


STEPPERS.update({kind.__name__: stepper for kind in FAMILIES.values()})
NETWORKS = {"objects": objects} | {name: partial(family, kind) for name, kind in FAMILIES.items()}
