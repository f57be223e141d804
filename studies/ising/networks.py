"""Networks that read a lattice as a sentence of spins along its snake and tell its energy.

Builders in the form of sim2seq/models/builders.py, of a square lattice, spins plus or minus one as they are, which they
see all: (samples, sites, 1) -> (samples, 1, 1), the energy in units of its spread. Each ends in a sum over the sites of
a number of any sign. None is told the energy, what a neighbour is, or that the lattice is periodic.

recurrent     the source's eight: a recurrent layer, in one direction or both, attention after it or none, along the
              rows or along rows and columns, two stacks whose energies add up
of_places     ours: attention from site to site by learned places, then the same small network for every site
convolution   a baseline that is told more: what is near, and that all sites are alike
"""

from __future__ import annotations

from functools import partial
from itertools import product
from math import isqrt

import keras
import numpy as np
from keras import ops

from studies.ising.lattice import Lattice

CELLS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
HEADS = (
    1  # of the attention by places: a site has four bonds alike, and more heads answer by differences of blurred ones
)
SHARPER = 8.0  # a logit over the number that is learned: weights become sharp within a few hundred steps


def square(sites: int) -> Lattice:
    """The square lattice of that many sites. Raises ValueError where there is none."""
    if sites < 4 or isqrt(sites) ** 2 != sites:
        raise ValueError(f"setting window: expected the sites of a square lattice, such as 64; got {sites}")
    return Lattice(isqrt(sites), isqrt(sites))


def along_columns(lattice: Lattice) -> np.ndarray:
    """The step along the rows' snake, (sites,), at which each step along the columns' snake is found."""
    return np.argsort(lattice.snake())[lattice.snake(columns=True)]


def recurrent(sizes, settings, *, values=None, conditions=None, both_ways: bool, attends: bool, columns: bool):
    """One of the source's eight. `units` is the size of the recurrent layer, `cell` its kind."""
    spins = keras.Input((settings.window, sizes.inputs), name="series")
    ways = [spins]
    if columns:
        ways.append(ops.take(spins, along_columns(square(settings.window)), axis=1))
    energies = [energy_along(way, settings, both_ways, attends, number) for number, way in enumerate(ways)]
    return finished(spins, energies[0] if len(energies) == 1 else ops.add(*energies), settings)


def energy_along(spins, settings, both_ways: bool, attends: bool, number: int):
    """The energy (samples, 1) that one stack tells of spins in some order; one head of attention, as the source has."""
    layer = CELLS[settings.cell](settings.units[0], return_sequences=True, name=f"recurrent_{number}")
    hidden = (keras.layers.Bidirectional(layer, name=f"both_ways_{number}") if both_ways else layer)(spins)
    if attends:
        attention = keras.layers.MultiHeadAttention(1, hidden.shape[-1], name=f"attention_{number}")
        hidden = attention(hidden, hidden)
    return ops.sum(keras.layers.Dense(1, name=f"energy_{number}")(hidden), axis=1)


def of_places(sizes, settings, *, values=None, conditions=None, relative: bool):
    """Each site looks at others by their places alone; what it sees, and its own spin, go through a small network.

    The weights of a head are softmax(logits) over all sites, itself among them; a logit is learned for each pair of
    sites or, `relative`, for each shift between two sites around the lattice: then all sites look at others alike.
    (Random Synthesizer: Y. Tay et al., Synthesizer: Rethinking Self-Attention in Transformer Models, 2021.)
    """
    spins = keras.Input((settings.window, sizes.inputs), name="series")
    weights = ops.softmax(logits_of(spins, square(settings.window), relative), axis=-1)  # (1, heads, sites, sites)
    seen = ops.transpose(ops.matmul(weights[0], ops.transpose(spins[..., 0])), (2, 1, 0))  # (samples, sites, heads)
    hidden = ops.concatenate([spins, seen], axis=-1)
    for number, size in enumerate(settings.units):
        hidden = keras.layers.Dense(size, activation="relu", name=f"site_{number}")(hidden)
    return finished(spins, ops.sum(keras.layers.Dense(1, name="energy")(hidden), axis=1), settings)


def logits_of(spins, lattice: Lattice, relative: bool):
    """(1, heads, sites, sites), learned: from which site to which. They are rows of an embedding of places."""
    sites, size = lattice.sites, lattice.n_x
    step = ops.cast(ops.cumsum(ops.ones_like(spins[:1, :, 0]), axis=1) - 1, "int32")  # 0 to sites - 1, as a tensor
    if not relative:
        rows = SHARPER * keras.layers.Embedding(sites, HEADS * sites, name="places")(step)  # (1, sites, heads x sites)
        return ops.transpose(ops.reshape(rows, (-1, sites, HEADS, sites)), (0, 2, 1, 3))
    row, column = (ops.take(each, step) for each in np.divmod(lattice.snake(), size))
    down, right = ((each[:, None, :] - each[:, :, None]) % size for each in (row, column))
    table = SHARPER * keras.layers.Embedding(sites, HEADS, name="shifts")(
        down * size + right
    )  # (1, sites, sites, heads)
    return ops.transpose(table, (0, 3, 1, 2))


def weights_of(model: keras.Model) -> np.ndarray:
    """Of a model with attention by places: from which site to which, row by row, (heads, sites, sites).

    `model` is a core, or one that holds it, as a training leaves it. Raises ValueError for another one.
    """
    inner = [layer for each in model.layers for layer in getattr(each, "layers", ())]
    found = {layer.name: layer for layer in [*model.layers, *inner]}
    for name in ("places", "shifts"):
        if name in found:
            table = found[name].get_weights()[0]
            break
    else:
        raise ValueError(f"{model.name}: expected a model with attention")
    lattice = square(len(table))
    if name == "shifts":
        row, column = np.divmod(np.arange(lattice.sites), lattice.n_x)
        shifts = [(each[None, :] - each[:, None]) % lattice.n_x for each in (row, column)]
        logits = np.moveaxis(table[shifts[0] * lattice.n_x + shifts[1]], 2, 0)
    else:
        back = np.argsort(lattice.snake())
        logits = np.moveaxis(table.reshape(lattice.sites, HEADS, lattice.sites), 1, 0)[:, back][:, :, back]
    weights = np.exp(SHARPER * (logits - logits.max(axis=2, keepdims=True)))
    return weights / weights.sum(axis=2, keepdims=True)


def looks_of(model: keras.Model, grids: np.ndarray) -> np.ndarray:
    """From which site to which a model with attention looks, row by row, (sites, sites); a row sums to 1.

    Attention by places is the same for every lattice; any other is the mean over `grids` (lattices, n, n) and over the
    stacks. `model` is a core, or one that holds it. Raises ValueError for a model without attention.
    """
    cores = {layer.name: each for each in (*model.layers, model) for layer in getattr(each, "layers", ())}
    if not cores.keys() & {"attention_0", "attention_1"}:
        return weights_of(model).mean(axis=0)
    lattice, found = square(grids[0].size), []
    spins = grids.reshape(len(grids), -1)[:, lattice.snake(), None].astype("float32")
    for number, columns in enumerate((False, True)):
        if core := cores.get(f"attention_{number}"):
            name = f"both_ways_{number}" if f"both_ways_{number}" in cores else f"recurrent_{number}"
            hidden = keras.Model(core.input, core.get_layer(name).output)(spins)
            weights = core.get_layer(f"attention_{number}")(hidden, hidden, return_attention_scores=True)[1]
            back = np.argsort(lattice.snake(columns=columns))
            found.append(np.mean(weights, axis=(0, 1))[back][:, back])
    return np.mean(found, axis=0)


def convolution(sizes, settings, *, values=None, conditions=None):
    """Two-dimensional convolutions of 3 x 3 around the lattice, then a sum over the sites."""
    spins = keras.Input((settings.window, sizes.inputs), name="series")
    lattice = square(settings.window)
    grid = ops.take(spins, np.argsort(lattice.snake()), axis=1)
    grid = ops.reshape(grid, (-1, lattice.n_x, lattice.n_y, sizes.inputs))
    grid = ops.concatenate([grid[:, -1:], grid, grid[:, :1]], axis=1)
    grid = ops.concatenate([grid[:, :, -1:], grid, grid[:, :, :1]], axis=2)
    hidden = keras.layers.Conv2D(settings.units[0], 3, activation="relu", name="around")(grid)
    for number, size in enumerate(settings.units[1:]):
        hidden = keras.layers.Dense(size, activation="relu", name=f"site_{number}")(hidden)
    energies = keras.layers.Dense(1, name="energy")(hidden)
    return finished(spins, ops.sum(energies, axis=(1, 2)), settings)


def finished(spins, energy, settings) -> keras.Model:
    """The core: (samples, sites, 1) -> (samples, 1, 1)."""
    core = keras.Model(spins, ops.expand_dims(energy, 1), name=settings.model)
    core.lookback, core.error_unit = settings.window, 1.0
    return core


def name_of(both_ways: bool, attends: bool, columns: bool) -> str:
    """The name of one of the eight: energy, energy_2d_bi_attention and so on."""
    return "energy" + "_2d" * columns + "_bi" * both_ways + "_attention" * attends


RECURRENT = {
    name_of(both_ways, attends, columns): partial(recurrent, both_ways=both_ways, attends=attends, columns=columns)
    for columns, attends, both_ways in product((False, True), repeat=3)
}
NETWORKS = {
    **RECURRENT,
    "places": partial(of_places, relative=False),
    "shifts": partial(of_places, relative=True),
    "convolution": convolution,
}
