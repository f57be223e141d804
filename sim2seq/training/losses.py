"""Losses and optimizers that the settings name."""

from __future__ import annotations

import keras
from keras import ops


class ScaledError(keras.losses.Loss):
    """The mean over the outputs of `error(targets - answers)` in units of `unit`; at `dtype`, Keras' own is float32."""

    def __init__(self, error, unit: float, *, dtype: str):
        super().__init__(name="scaled_error", dtype=dtype, reduction="mean_with_sample_weight")
        self.error, self.unit = error, unit

    def call(self, y_true, y_pred):
        return ops.mean(self.error((y_true - y_pred) / self.unit), axis=-1)


def huber(error):
    """Squared up to 1, then growing like the distance: Huber, Robust Estimation of a Location Parameter, 1964."""
    size = ops.absolute(error)
    return ops.where(size < 1, ops.square(error), 2 * size - 1)


LOSSES = {"squared": ops.square, "absolute": ops.absolute, "huber": huber}  # of an error in units of core.error_unit
OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def loss_of(core: keras.Model, name: str):
    """The loss that a core is trained with: its own, where it has one, or the named one in units of its error."""
    if own := getattr(core, "own_loss", None):
        return own
    return ScaledError(LOSSES[name], core.error_unit, dtype=core.inputs[0].dtype)
