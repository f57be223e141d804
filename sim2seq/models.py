"""Models: builders of Keras models that map a window to the next step; the table MODELS names them.

A builder makes the core, which works on scaled values and is what is trained. `with_scaling` wraps a core in the
scaling of the training runs: that model takes and returns physical units, and is what is saved and used.
"""

from __future__ import annotations

import keras

from sim2seq.windows import Scaling


def stacked_lstm(window: int, features: int, *, units=(64, 32, 16, 8)) -> keras.Model:
    """LSTM layers on top of each other and a linear layer: the source's network, 33 787 parameters at 3 features.

    Input (samples, window, features), output (samples, features), both scaled.
    Hochreiter and Schmidhuber, Long Short-Term Memory, 1997. Raises ValueError when `units` is empty.
    """
    if not units:
        raise ValueError("units: expected at least one layer size; got none")
    contexts = keras.Input((window, features), name="window")
    hidden = contexts
    for size in units[:-1]:
        hidden = keras.layers.LSTM(size, return_sequences=True)(hidden)
    hidden = keras.layers.LSTM(units[-1])(hidden)
    return keras.Model(contexts, keras.layers.Dense(features, name="next_step")(hidden), name="stacked_lstm")


MODELS = {"stacked_lstm": stacked_lstm}


def with_scaling(core: keras.Model, scaling: Scaling) -> keras.Model:
    """`core` between scaling and its inverse; the layers are shared, so training `core` trains this model.

    Input (samples, window, features), output (samples, features), both in physical units.
    """
    statistics = {"mean": scaling.mean.tolist(), "variance": (scaling.std**2).tolist()}
    contexts = keras.Input(core.input_shape[1:], name="window")
    scaled = keras.layers.Normalization(**statistics, name="to_scaled")(contexts)
    following = keras.layers.Normalization(invert=True, **statistics, name="to_physical")(core(scaled))
    return keras.Model(contexts, following, name=f"scaled_{core.name}")
