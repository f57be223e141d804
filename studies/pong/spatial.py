"""Two of the source's families that move pictures: features of the frame before, or assets that are learned.

Both move and scale along the two axes, between pixels linearly; shear and rotation, which the source allows in one of
them, are left out, since nothing turns in these worlds.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from studies.pong.families import LAST, Recurrent, conv, dense, up

NEARLY = 0.01  # of the weights that say where things are moved, at first: by less than a pixel
MOST_SHIFT = 1.0  # of an asset, in halves of the frame


def nearly():
    """Begins with shifts that are small, but not 0: at whole pixels `moved_by` has no slope to learn from."""
    return keras.initializers.RandomNormal(stddev=NEARLY)


@keras.saving.register_keras_serializable("sim2seq.pong")
class SpatialTransformerRNN(Recurrent):
    """Features of the previous frame, each scaled and moved as the state says, then put together to a frame."""

    maps = 3

    def make(self) -> None:
        super().make()
        self.features = [layers.Dropout(0.3), conv(16, 3), conv(16, 5, 2), conv(self.maps, 7)]
        self.placing = dense(4 * self.maps, None, kernel_initializer=nearly())  # scale and shift, down and across
        self.decoder = [up(16), conv(1, 5, **LAST)]

    def decode(self, hidden, frame, training):
        features = self.images(frame)
        for layer in self.features:
            features = layer(features, training=training) if isinstance(layer, layers.Dropout) else layer(features)
        placing = ops.reshape(self.placing(hidden), (-1, self.maps, 4))
        moved = moved_by(ops.transpose(features, (0, 3, 1, 2)), 1 + placing[..., :2], placing[..., 2:])
        moved = ops.transpose(moved, (0, 2, 3, 1))
        for layer in self.decoder:
            moved = layer(moved)
        return ops.reshape(moved, (-1, self.pixels))


@keras.saving.register_keras_serializable("sim2seq.pong")
class AssetTransformerRNN(Recurrent):
    """Learned pictures as large as a frame, each moved as the state says; their sum is the frame.

    They are weights, saved with the model, and begin as parts of a first frame (`pictures`, see models.first_pictures).
    """

    assets, dark = 3, -6.0
    grounds = ()  # one number for all pixels

    def make(self) -> None:
        super().make()
        self.placing = dense(2 * self.assets, "tanh", kernel_initializer=nearly())

    def build(self, shape):
        size = (self.assets, self.height, self.width)
        self.pictures = self.add_weight(shape=size, name="pictures", initializer="random_normal")
        super().build(shape)
        self.background.assign(self.dark)

    def decode(self, hidden, frame, training):
        return ops.reshape(ops.sum(self.moved(hidden), axis=1), (-1, self.pixels))

    def moved(self, hidden):
        """(runs, assets, height, width): each picture where this state puts it."""
        placing = MOST_SHIFT * ops.reshape(self.placing(hidden), (-1, self.assets, 2))
        pictures = ops.repeat(self.pictures[None], ops.shape(hidden)[0], axis=0)
        return moved_by(pictures, ops.ones_like(placing), placing)


def moved_by(images, scale, shift):
    """Images (runs, n, height, width), scaled and moved in two dimensions, between pixels linearly, dark outside.

    scale, shift   (runs, n, 2), down and across: what is seen at a place comes from scale * place + shift, in which
                   -1 and 1 are the edges of the image
    """
    down, across = (hats(images.shape[2 + axis], scale[..., axis], shift[..., axis]) for axis in (0, 1))
    return ops.matmul(ops.matmul(down, images), ops.transpose(across, (0, 1, 3, 2)))


def hats(size: int, scale, shift):
    """(runs, n, size, size): what each place takes from each pixel along an axis."""
    places = ops.arange(size, dtype="float32")
    ends = (size - 1) / 2
    wanted = (scale[..., None] * (places / ends - 1) + shift[..., None] + 1) * ends
    return ops.relu(1 - ops.absolute(wanted[..., None] - places))
