"""Networks that give the probability of each spin: builders for sim2seq's NextSymbol and for the pseudo-likelihood.

    one_way              a recurrent layer along the path; told nothing
    one_way_attention    the same, and causal attention over what it has seen; told at which step it is
    frontier             for each step a small network on the spins read before that have a bond with one not read yet;
                         told the bonds and at which step it is, and that a lattice and its negative are alike
    both_ways            two recurrent layers, up to the spin before and back to the one after: pseudo-likelihood
    both_ways_attention  the same, and attention over all spins but the one that is asked for

Each is (tokens (samples, steps, 2)) -> logits (samples, steps, 2); see sim2seq/training/symbols.py. Stock layers alone.
"""

import keras
import numpy as np
from keras import layers, ops

from sim2seq.models.builders import core_inputs
from studies.ising.lattice import Lattice
from studies.ising.networks import CELLS, square
from studies.ising.paths import frontier

HEADS = 4


def one_way(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """A recurrent layer of `settings.units[0]`, and a dense one."""
    tokens = core_inputs(sizes, "float32")[0]
    hidden = CELLS[settings.cell](settings.units[0], return_sequences=True)(tokens)
    return finished("one_way", tokens, layers.Dense(sizes.outputs)(hidden))


def one_way_attention(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The same, with attention of each step to itself and those before it, which joins what the layer said."""
    tokens = fixed_input(values)
    hidden = CELLS[settings.cell](settings.units[0], return_sequences=True)(tokens)
    placed = layers.Concatenate()([hidden, tokens, positions(tokens, settings.units[0])])
    attention = layers.MultiHeadAttention(HEADS, settings.units[0] // HEADS)
    seen = attention(placed, placed, use_causal_mask=True)
    return finished("one_way_attention", tokens, answers(sizes, settings, [placed, seen]))


def both_ways(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """Two recurrent layers, one up to the spin before, one back to the spin after."""
    tokens = fixed_input(values)
    return finished("both_ways", tokens, answers(sizes, settings, beside(tokens, settings)))


def both_ways_attention(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """The same, with attention to all tokens but the one that is asked for."""
    tokens, size = fixed_input(values), settings.units[0]
    place = positions(tokens, size)
    asking = layers.Concatenate()([*beside(tokens, settings), place])
    told = layers.Concatenate()([tokens, place])
    others = ~np.eye(tokens.shape[1], dtype=bool)[None]
    seen = layers.MultiHeadAttention(HEADS, size // HEADS)(asking, told, attention_mask=others)
    return finished("both_ways_attention", tokens, answers(sizes, settings, [asking, seen]))


def frontier_network(sizes, settings, *, values=None, conditions=None) -> keras.Model:
    """A linear part and a hidden layer of `settings.units[0]` for each step; odd in the spins, as it has no bias."""
    tokens, side = fixed_input(values), square(values.shape[1]).n_x
    lattice = Lattice(side, side, settings.hamiltonian)
    steps, there = frontier(lattice, lattice.snake())
    spins = tokens[..., 1] - tokens[..., 0]  # of the step before; 0 at the start token
    told = ops.take(spins, np.minimum(steps + 1, lattice.sites - 1).ravel(), axis=1)
    told = ops.reshape(told, (-1, *steps.shape)) * there.astype("float32")
    hidden = by_step(told, "bti,tih->bth", settings.units[0], activation="tanh")
    logit = by_step(told, "bti,tio->bto", 1) + by_step(hidden, "bth,tho->bto", 1, kernel_initializer="zeros")
    return finished("frontier", tokens, layers.Concatenate()([-logit / 2, logit / 2]))


def fixed_input(values):
    """Tokens of runs of one length, that of the training runs."""
    return keras.Input(values.shape[1:], name="series")


def beside(tokens, settings) -> list:
    """What a recurrent layer says of the tokens before each step, and another one of those after it."""
    cell, size = CELLS[settings.cell], settings.units[0]
    before = layers.ZeroPadding1D((1, 0))(layers.Cropping1D((0, 1))(tokens))
    after = layers.ZeroPadding1D((0, 1))(layers.Cropping1D((1, 0))(tokens))
    back = cell(size, return_sequences=True, go_backwards=True)(after)
    return [cell(size, return_sequences=True)(before), ops.flip(back, axis=1)]


def positions(tokens, size: int):
    """A learned vector for each step (samples, steps, size)."""
    return layers.Embedding(tokens.shape[1], size)(ops.cumsum(ops.ones_like(tokens[..., 0]), axis=1) - 1)


def answers(sizes, settings, parts: list):
    """A dense layer on all that is known at a step, and the logits."""
    hidden = layers.Dense(settings.units[0], activation="relu")(layers.Concatenate()(parts))
    return layers.Dense(sizes.outputs)(hidden)


def by_step(inputs, equation: str, size: int, **options):
    """A dense layer without bias of its own for each step."""
    return layers.EinsumDense(equation, (inputs.shape[1], size), **options)(inputs)


def finished(name: str, tokens, logits) -> keras.Model:
    core = keras.Model(tokens, logits, name=name)
    core.lookback, core.error_unit = None, 1.0
    return core


NETWORKS = {
    "one_way": one_way,
    "one_way_attention": one_way_attention,
    "frontier": frontier_network,
    "both_ways": both_ways,
    "both_ways_attention": both_ways_attention,
}
