"""Models: builders of Keras models that map a window to the next step; the table MODELS names them.

A builder is called as `build(window, features, *, units, values)`, with `values` the scaled training runs
(runs, steps, features), and makes the core, which works on scaled values and is what is trained. A core whose errors
are far from 1 says in its attribute `error_unit` (features,) which error counts as 1 in the loss.
`with_scaling` wraps a core in the scaling of the training runs: that model takes and returns physical units, and is
what is saved and used.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from sim2seq.windows import Scaling, windows_of

PRECISE = "float64"  # of the autoregression, whose increments float32 would round away
LAGS = 3  # steps that the autoregression sees
AT_WALL = 1e-6  # scaled: this near counts as at the wall, so that values once rounded to float32 still do
SMALLEST = 1e-9  # scaled: an error below this is rounding, nothing to learn from


def stacked_lstm(window: int, features: int, *, units=(64, 32, 16, 8), values=None) -> keras.Model:
    """LSTM layers on top of each other and a linear layer: the source's network, 33 787 parameters at 3 features.

    Input (samples, window, features), output (samples, features), both scaled; float32. `values` are not used.
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


def autoregression(window: int, features: int, *, units=(16, 16), values=None) -> keras.Model:
    """The next increment of each feature from its own last three steps and from the walls that it keeps within.

    next = last + pace (linear + spread network), clipped to the walls. `pace` is the typical increment of a feature,
    `linear` is fitted in closed form, the network (a small one for each feature, starting at 0) is trained on what the
    linear part leaves, `spread`. A piecewise linear autoregression with known thresholds, after Tong, Threshold Models
    in Non-linear Time Series Analysis, 1983; the network adds what is not linear.

    Input (samples, window, features), output (samples, features), both scaled; float64. No feature sees another one.
    Raises ValueError for a window below 3, and without `values`, the scaled training runs.
    """
    if window < LAGS or values is None:
        got = "no training runs" if values is None else f"a window of {window}"
        raise ValueError(f"autoregression: expected training runs and a window of at least {LAGS} steps; got {got}")
    low, high = walls(values)
    pace = typical_size(np.diff(values, axis=1), axis=(0, 1))
    kernel, bias, spread = fit_linear(values, pace, low, high)

    contexts = keras.Input((window, features), name="window", dtype=PRECISE)
    state = recent_state(contexts, pace, low, high)
    linear = per_feature((features,), name="linear", trainable=False)
    increment = linear(linear_terms(*state))
    linear.set_weights([kernel, bias])
    hidden = ops.stack(state, axis=-1)
    for size in units:
        hidden = per_feature((features, size), activation="tanh")(hidden)
    residual = per_feature((features,), kernel_initializer="zeros", name="residual")(hidden)
    following = keep_between(contexts[:, -1] + (increment + residual * spread) * pace, low, high)
    core = keras.Model(contexts, following, name="autoregression")
    core.error_unit = pace * spread
    return core


MODELS = {"stacked_lstm": stacked_lstm, "autoregression": autoregression}
LEAST_WINDOW = {"autoregression": LAGS}  # steps; 1 for a model that is not named here


def walls(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest value that each feature can take, (features,) each; infinite where there is no wall.

    An extreme of `values` (runs, steps, features) is a wall when it is met exactly, and in more than one run: a
    smooth extreme differs from run to run, saturation does not. A feature that never changes has none.
    """
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))

    def is_wall(extreme):
        return ((values == extreme).any(axis=1).sum(axis=0) > 1) & (low < high)

    return np.where(is_wall(low), low, -np.inf), np.where(is_wall(high), high, np.inf)


def typical_size(values, *, axis) -> np.ndarray:
    """Root mean square over `axis`; 1 where all values are nearly 0."""
    size = np.sqrt(np.mean(np.square(values), axis=axis))
    return np.where(size > SMALLEST, size, 1.0)


def recent_state(contexts, pace, low, high) -> list:
    """Last value, last two increments in units of `pace`, whether at the low and at the high wall (0 or 1).

    contexts (samples, window, features), as tensors or as a model's input -> five of (samples, features).
    """
    last, before, earlier = (contexts[:, -lag] for lag in range(1, LAGS + 1))
    flags = (ops.cast(at_wall, PRECISE) for at_wall in (last <= low + AT_WALL, last >= high - AT_WALL))
    return [last, (last - before) / pace, (before - earlier) / pace, *flags]


def linear_terms(last, step, previous, at_low, at_high):
    """What the linear part weighs: value and increments, and all of it again at each wall: (samples, features, 11)."""
    free = [last, step, previous]
    turned = [flag * term for flag in (at_low, at_high) for term in free]
    return ops.stack([*free, at_low, at_high, *turned], axis=-1)


def fit_linear(values, pace, low, high) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares of the increments on `linear_terms`: kernel (features, 11), bias and spread (features,).

    Steps that end at a wall are left out, as their increment is cut short. `spread` is the root mean square of what
    the fit leaves, in units of `pace`.
    """
    contexts, targets = (part.reshape(-1, *part.shape[2:]) for part in windows_of(values, LAGS))
    terms = linear_terms(*recent_state(ops.convert_to_tensor(contexts, dtype=PRECISE), pace, low, high))
    terms = np.concatenate([ops.convert_to_numpy(terms), np.ones((*targets.shape, 1))], axis=-1)
    increments = (targets - contexts[:, -1]) / pace
    weights, spreads = [], []
    for feature in range(values.shape[2]):
        inside = (targets[:, feature] > low[feature]) & (targets[:, feature] < high[feature])
        known, wanted = terms[inside, feature], increments[inside, feature]
        weights.append(np.linalg.lstsq(known, wanted, rcond=1e-12)[0])
        left = wanted - known @ weights[-1]
        spreads.append(max(np.sqrt(np.mean(left**2)) if left.size else 0.0, SMALLEST))
    weights = np.array(weights)
    return weights[:, :-1], weights[:, -1], np.array(spreads)


def per_feature(shape: tuple, **options) -> keras.layers.EinsumDense:
    """A Dense layer with weights of its own for each feature: (samples, features, inputs) -> (samples, *shape).

    `shape` is (features,), one number a feature, or (features, size).
    """
    equation, bias = ("bfi,fi->bf", "f") if len(shape) == 1 else ("bfi,fio->bfo", "fo")
    return keras.layers.EinsumDense(equation, output_shape=shape, bias_axes=bias, dtype=PRECISE, **options)


def keep_between(values, low, high):
    """`values` cut off at the walls."""
    return ops.minimum(ops.maximum(values, low), high)


def with_scaling(core: keras.Model, scaling: Scaling) -> keras.Model:
    """`core` between scaling and its inverse; the layers are shared, so training `core` trains this model.

    Input (samples, window, features), output (samples, features), both in physical units, in the precision of `core`.
    """
    statistics = {"mean": scaling.mean.tolist(), "variance": (scaling.std**2).tolist(), "dtype": core.inputs[0].dtype}
    contexts = keras.Input(core.input_shape[1:], name="window", dtype=core.inputs[0].dtype)
    scaled = keras.layers.Normalization(**statistics, name="to_scaled")(contexts)
    following = keras.layers.Normalization(invert=True, **statistics, name="to_physical")(core(scaled))
    return keras.Model(contexts, following, name=f"scaled_{core.name}")


class SquaredError(keras.losses.Loss):
    """The mean squared error in units of `unit`, (features,) or a number; at `dtype`, where Keras' own is float32."""

    def __init__(self, unit, *, dtype: str):
        super().__init__(name="squared_error", dtype=dtype)
        self.unit = np.asarray(unit, dtype=dtype)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square((y_true - y_pred) / self.unit), axis=-1)
