"""Networks that say, after each step of a run, how it will end: builders in the form of sim2seq/models/builders.py.

The first features of a step are those whose end is asked for, in the order of the answers; all in physical units.
Conditions are those of the frame, scaled.

    standard, bidirectional, lite   the source's, layer for layer: without conditions 131 043, 78 211, 30 403 parameters
    attention                       causal attention over checkpoints
    change                          a small one on what a prefix looks like; answers with the change from its last value
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

PLACES = 10  # of a prefix that the bidirectional network is shown, as the source's
BACK = (0.0, 0.25, 0.5, 0.75, 0.9)  # shares of a prefix that its last value is compared with
RECENT = (0.5, 0.8)  # shares of a prefix after which its mean and spread are taken
QUANTILES = 9  # of a condition, between which its rank is linear
FARTHEST = 4.0  # standard deviations: a network that has never been there should not be asked
LEAST = 1e-3  # of a feature's typical size, below which its logarithm is not told


def standard(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """LSTM 128, 64, 32 with dropout, dense 32, 16."""
    steps = [*recurrent((128, 0.3), (64, 0.3), (32, 0.2)), *dense(32, 0.2), *dense(16)]
    return chain("standard", steps, sizes)


def lite(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """LSTM 64, 32 with dropout, dense 16."""
    return chain("lite", [*recurrent((64, 0.2), (32, 0.0)), *dense(16)], sizes)


def recurrent(*sizes: tuple[int, float]) -> list:
    """LSTM layers, (units, dropout after it) each, that answer at every step."""
    found = [[layers.LSTM(units, return_sequences=True), layers.Dropout(rate)] for units, rate in sizes]
    return [layer for pair in found for layer in pair]


def dense(units: int, dropout: float = 0.0) -> list:
    return [layers.Dense(units, activation="relu"), layers.Dropout(dropout)]


def chain(name: str, steps: list, sizes) -> keras.Model:
    """The source's input, the features asked for alone, with the conditions beside every step; layers; the answers."""
    inputs = inputs_of(sizes)
    before = keras.Model(inputs, fed(inputs, sizes), name="before")
    first = keras.Input((None, sizes.outputs + sizes.conditions))
    network = keras.Model(first, applied([*steps, layers.Dense(sizes.outputs)], first), name="network")
    return core(name, inputs, network(before(inputs)))


def applied(steps: list, hidden):
    for layer in steps:
        hidden = layer(hidden)
    return hidden


def bidirectional(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """Bidirectional LSTM 64, 32, dense 32, on PLACES of each prefix: it would see what follows on all of its steps."""
    inputs = inputs_of(sizes)
    seen = fed(inputs, sizes)
    last = clock(seen)
    wanted = ops.floor(last * np.linspace(0, 1, PLACES, dtype="float32") + 1e-3)  # (samples, steps, places)
    prefixes = ops.reshape(taken(seen, layers.Reshape((-1, 1))(wanted)), (-1, PLACES, seen.shape[2]))
    steps = [
        layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
        layers.Dropout(0.3),
        layers.Bidirectional(layers.LSTM(32)),
        layers.Dropout(0.2),
        *dense(32, 0.2),
        layers.Dense(sizes.outputs),
    ]
    answers = applied(steps, prefixes)  # (samples x steps, outputs)
    row = ops.cumsum(ops.ones_like(last), axis=0) - 1
    count = ops.sum(ops.ones_like(last), axis=1, keepdims=True)
    places = ops.cast(row * count + last, "int32")[..., 0]
    return core("bidirectional", inputs, ops.take(answers, places, axis=0))


def attention(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """Two blocks of causal self-attention over the checkpoints (Vaswani et al., 2017), answering with the change."""
    check_values(values)
    inputs, width = inputs_of(sizes), settings.units[0]
    hidden = layers.Dense(width)(beside(standardised(inputs[0], values), ranks(inputs, conditions)))
    for _ in settings.units:
        near = layers.LayerNormalization()(hidden)
        seen = layers.MultiHeadAttention(4, max(1, width // 4), dropout=0.1)(near, near, use_causal_mask=True)
        hidden = hidden + seen
        wide = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(hidden))
        hidden = hidden + layers.Dropout(0.1)(layers.Dense(width)(wide))
    return adding("attention", inputs, layers.LayerNormalization()(hidden), values, sizes)


def change(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """Dense layers on `looks` of a prefix and what is known before the run, answering with the change."""
    check_values(values)
    inputs = inputs_of(sizes)
    typical = size_of(values)
    look = keras.Model(inputs[0], looks(inputs[0], typical, sizes.outputs), name="looks")
    hidden = standardised(look(inputs[0]), looks_of(look, values))
    hidden = beside(hidden, ranks(inputs, conditions))
    for units in settings.units:
        hidden = layers.Dropout(settings.dropout)(layers.Dense(units, activation="swish")(hidden))
    return adding("change", inputs, hidden, values, sizes)


def looks(series, typical: np.ndarray, asked: int):
    """What a prefix looks like at its end: (samples, steps, features) -> (samples, steps, numbers).

    Last values and their logarithms; of these the change from earlier places of the prefix, mean and spread of its last
    parts, the change over a step; how many steps there were.
    """
    logs = ops.log(ops.maximum(series / typical, LEAST))
    last, total, squares = clock(series), ops.cumsum(logs, axis=1), ops.cumsum(ops.square(logs), axis=1)
    found = [series[..., :asked], logs, ops.log(last + 1), logs - taken(logs, ops.maximum(last - 1, 0))]
    found += [logs - taken(logs, ops.floor(last * share)) for share in BACK]
    for share in RECENT:
        count = ops.ceil((last + 1) * (1 - share))
        mean, square = (mean_of(each, last, count) for each in (total, squares))
        spread = ops.sqrt(ops.maximum(square - ops.square(mean), 1e-12))
        found += [logs - mean, spread[..., :asked]]
    return ops.concatenate(found, axis=-1)


def clock(series):
    """The number of each step, from 0: (samples, steps, 1)."""
    return ops.cumsum(ops.ones_like(series[..., :1]), axis=1) - 1


def taken(values, steps):
    """`values` (samples, steps, numbers) at other steps, (samples, any, 1)."""
    places = ops.repeat(ops.cast(steps, "int32"), values.shape[2], axis=2)
    return ops.take_along_axis(values, places, axis=1)


def mean_of(total, last, count):
    """The mean over the last `count` steps, of sums from the start."""
    earlier = last - count
    before = ops.where(earlier >= 0, taken(total, ops.maximum(earlier, 0)), 0.0)
    return (total - before) / count


def adding(name: str, inputs: list, hidden, values, sizes) -> keras.Model:
    """A core that says `changed`; in use never below 0, where no value of the training runs is."""
    found = core(name, inputs, changed(inputs[0], hidden, values, sizes))
    if np.nanmin(np.asarray(values)[..., : sizes.outputs]) >= 0:
        found.decode = not_below_zero
    return found


def not_below_zero(answers):
    return ops.maximum(answers, 0.0)


def changed(series, hidden, values: np.ndarray, sizes):
    """The last value of each feature asked for, and what the network adds, in units of that value and a typical one."""
    last, typical = series[..., : sizes.outputs], size_of(values)[: sizes.outputs]
    said = layers.Dense(sizes.outputs, kernel_initializer="zeros", name="change")(hidden)
    return last + said * (last + typical)


def size_of(values) -> np.ndarray:
    """The median size of each feature of the training runs, (features,); 1 for one that is nothing."""
    middle = np.nanmedian(np.abs(np.asarray(values)), axis=(0, 1))
    return np.where(middle > 0, middle, 1.0).astype("float32")


def looks_of(look: keras.Model, values, *, most: int = 200) -> np.ndarray:
    """`looks` of some of the training runs, (runs, steps, numbers), nan beyond their end."""
    some = np.asarray(values)[np.unique(np.linspace(0, len(values) - 1, most).astype(int))]
    there = np.isfinite(some).all(axis=2, keepdims=True)
    return np.where(there, look.predict(np.where(there, some, 0), verbose=0), np.nan)


def standardised(hidden, values):
    """Mean 0 and standard deviation 1 over the training runs (runs, steps, numbers), never far from that."""
    mean, std = np.nanmean(values, axis=(0, 1)), np.nanstd(values, axis=(0, 1))
    std = np.where(std > 1e-6, std, 1.0)
    return ops.clip(layers.Rescaling(1 / std, -mean / std)(hidden), -FARTHEST, FARTHEST)


def ranks(inputs: list, conditions):
    """Each condition as its rank among the training runs, from -1 to 1, linear between QUANTILES; None without any."""
    if len(inputs) < 2:
        return None
    levels = np.quantile(conditions, np.linspace(0, 1, QUANTILES), axis=0).T  # (conditions, quantiles)
    low, width = levels[:, :-1], np.maximum(np.diff(levels, axis=1), 1e-6)
    ramps = layers.Rescaling(1 / width, -low / width)(ops.expand_dims(inputs[1], 2))
    return 2 * ops.mean(ops.clip(ramps, 0.0, 1.0), axis=2) - 1


def beside(series, of_run):
    """What is known of a run beside each of its steps."""
    if of_run is None:
        return series
    return ops.concatenate([series, ops.ones_like(series[..., :1]) * ops.expand_dims(of_run, 1)], axis=-1)


def fed(inputs: list, sizes):
    """What the source's networks see: the features asked for, and the conditions."""
    return beside(inputs[0][..., : sizes.outputs], inputs[1] if len(inputs) > 1 else None)


def inputs_of(sizes) -> list:
    series = keras.Input((None, sizes.inputs), name="series", dtype="float32")
    return [series, *([keras.Input((sizes.conditions,), name="inputs")] if sizes.conditions else [])]


def core(name: str, inputs: list, answers) -> keras.Model:
    found = keras.Model(inputs, answers, name=name)
    found.lookback, found.error_unit = None, 1.0
    return found


def check_values(values) -> None:
    if values is None:
        raise ValueError("expected training runs to scale by; got none")


NETWORKS = {
    "standard": standard,
    "bidirectional": bidirectional,
    "lite": lite,
    "attention": attention,
    "change": change,
}
