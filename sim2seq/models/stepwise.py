"""Stepwise: a Keras model of the next step, which computes in physical units, as a candidate, which is scaled."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from sim2seq.data.windows import Scaling
from sim2seq.models.rollout import rollout


@dataclass(frozen=True)
class Stepwise:
    """A model of models.builders, free-running, and the scalings of what it is told."""

    model: keras.Model
    series: Scaling
    conditions: Scaling | None = None
    controls: Scaling | None = None

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        told = {
            "conditions": None
            if conditions is None or self.conditions is None
            else self.conditions.restore(conditions),
            "controls": None if controls is None or self.controls is None else self.controls.restore(controls),
        }
        return np.asarray(self.series.scale(rollout(self.model, self.series.restore(context), steps, **told)))
