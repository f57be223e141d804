"""Stepping: a finished model, one row after the other, for many episodes at once; what it keeps is its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from sim2seq.models import stepping


@dataclass(frozen=True)
class Inner:
    """What is kept of some episodes: the network's state, the last row (episodes, features), what was told of them."""

    state: Any
    row: np.ndarray
    told: np.ndarray | None


class Once(keras.Model):
    """A step as a model, to be compiled once: row, action of the next step, state[, told] -> next row, state."""

    def __init__(self, model: keras.Model, stepper: stepping.Stepper):
        super().__init__()
        self.model, self.stepper = model, stepper
        self.network = stepping.core_of(model)

    def call(self, fed):
        row, action, state, *told = fed
        inputs = stepping.scaled(self.model, row[:, None], action[:, None, None], *told)
        answer, state = stepping.advance(self.network, self.stepper, inputs, state)
        return stepping.restored(self.model, self.network)(answer), state


class Steps:
    """A model of any length under controls (sim2seq/models/builders.physical), stepped."""

    def __init__(self, model: keras.Model, known: int):
        core = stepping.core_of(model)
        stepper = None if core is None else stepping.stepper_of(core, steps=known + 1)
        if stepper is None:
            raise ValueError(f"{model.name}: expected a model that carries its state from step to step")
        self.stepper, self.once = stepper, Once(model, stepper)
        self.once.compile(jit_compile=True)

    def begin(self, rows: np.ndarray, actions: np.ndarray, told: np.ndarray | None) -> Inner:
        """After the known rows (episodes, known, features) and actions (episodes, known) that led to them."""
        state = keras.tree.map_structure(ops.convert_to_numpy, stepping.begin(self.stepper, len(rows)))
        told = None if told is None else told.astype("float32")
        inner = Inner(state, rows[:, 0], told)
        for number in range(1, rows.shape[1]):
            inner = Inner(self.advanced(inner, actions[:, number])[1], rows[:, number], told)
        return inner

    def step(self, inner: Inner, actions: np.ndarray) -> tuple[np.ndarray, Inner]:
        """The row after these actions (episodes,), and the state with it."""
        row, state = self.advanced(inner, actions)
        return row, Inner(state, row, inner.told)

    def advanced(self, inner: Inner, actions: np.ndarray):
        told = [] if inner.told is None else [inner.told]
        return self.once.predict_on_batch([inner.row, np.asarray(actions, dtype="float32"), inner.state, *told])
