"""Transfer: an energy model of one size of lattice, asked about a larger one, as it is or after a few samples there.

Attention by places ends in a small network that is the same for every site, so that only the places are new: shifts
that the smaller lattice has keep their weight and longer ones get none; a place of its own for each site must be
learned anew. An energy is taken for a sum over sites, whose offset grows with their number.
"""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from sim2seq.models.builders import Sizes
from studies.ising.networks import NETWORKS, square
from studies.ising.study import varied

NEVER = -30.0  # a logit of what is not looked at


def enlarged(training, side: int) -> keras.Model:
    """The model of a training for side x side lattices: (samples, sites, 1) -> (samples, 1), in units of J.

    Raises ValueError for a training without attention by places, or a smaller lattice than it has learned from.
    """
    settings = training.settings
    if settings.model not in ("places", "shifts") or side**2 < settings.window:
        raise ValueError(
            f"side {side}: expected a lattice no smaller than the {settings.window} sites of {settings.model}, "
            "and one of the models places and shifts"
        )
    core = NETWORKS[settings.model](Sizes(1, 1, 0, 0), replace(settings, window=side**2))
    learned = learned_core(training.model)
    for layer in core.layers:
        if layer.name == "energy" or layer.name.startswith("site_"):
            layer.set_weights(learned.get_layer(layer.name).get_weights())
    if settings.model == "shifts":
        table = learned.get_layer("shifts").get_weights()[0]
        core.get_layer("shifts").set_weights([longer(table, side)])
    restore = training.model.get_layer("to_physical")
    mean, spread = float(np.ravel(restore.mean)[0]), float(np.sqrt(np.ravel(restore.variance)[0]))
    energy = core.output[:, 0] * spread + mean * side**2 / settings.window
    return keras.Model(core.input, energy, name=f"{settings.model}_{side}")


def learned_core(model: keras.Model) -> keras.Model:
    """The core within a model between scalings."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def longer(table: np.ndarray, side: int) -> np.ndarray:
    """Logits of the shifts of a small lattice (sites, heads) as those of a larger one; longer shifts get NEVER."""
    small = square(len(table)).n_x
    found = np.full((side, side, table.shape[1]), NEVER)
    shifts = np.arange(small) - (small - 1) // 2  # -3 to 4 of 8 sites: the shorter way around
    found[np.ix_(shifts % side, shifts % side)] = table.reshape(small, small, -1)[
        np.ix_(shifts % small, shifts % small)
    ]
    return found.reshape(side * side, -1)


def tuned(
    model: keras.Model,
    samples: np.ndarray,
    energies: np.ndarray,
    *,
    steps: int,
    rate: float,
    places_only: bool,
    seed: int,
):
    """Train an enlarged model further, in place, on few lattices (lattices, sites, 1), varied by their symmetries.

    rate   of Adam at the start, which falls to 0 along a cosine over all steps
    """
    for layer in model.layers:
        layer.trainable = not places_only or layer.name in ("places", "shifts")
    generator = np.random.default_rng(seed)
    spread = float(np.std(energies))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    model.compile(optimizer, loss=lambda true, told: keras.ops.mean(((true - told) / spread) ** 2))
    for _ in range(steps):
        chosen = generator.integers(len(samples), size=64)
        model.train_on_batch(varied(samples[chosen], generator).astype("float32"), energies[chosen, None])
    return model
