"""Walled: the linear part of the models of the next step (models/terms.py), alone, as the law of a candidate.

It holds what a bouncing ball does: drag as signed squares, walls that are met exactly and may move with an input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim2seq.models import terms
from sim2seq.models.candidates.candidate import MARGIN, Runs
from sim2seq.models.stepping import CONDITIONS, CONTROLS

LAGS, TERMS = terms.LAGS, 6  # of terms.free_terms, each also at two walls and times what is told
NUMBERS = 3e7  # that are learned from, about: steps times terms times features


@dataclass(frozen=True)
class Walled:
    """A fitted linear part, in scaled units; low, high (features,): the range that forecasts stay within."""

    part: terms.LinearPart
    low: np.ndarray
    high: np.ndarray

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        from sim2seq.models.rollout import rollout

        later = None if controls is None else controls[:, context.shape[1] - LAGS : context.shape[1] + steps]
        return rollout(self.model(), context[:, -LAGS:], steps, conditions=conditions, controls=later)

    def model(self):
        """The law as a Keras model: (samples, LAGS, features) [, controls] [, conditions] -> the next step."""
        import keras
        from keras import ops

        features, _, factors, _ = self.part.weights.shape
        told = len(self.part.walls[0]) - 1
        shapes = {"window": (LAGS, features), CONTROLS: (LAGS, factors - 1 - told), CONDITIONS: (told,)}
        inputs = {
            name: keras.Input(shape, name=name, dtype=terms.PRECISE) for name, shape in shapes.items() if shape[-1]
        }
        conditions = inputs.get(CONDITIONS)
        _, following = self.part.inputs_and_next(inputs["window"], inputs.get(CONTROLS), conditions)
        kept = ops.clip(self.part.keep_between_walls(following, conditions), self.low, self.high)
        model = keras.Model(list(inputs.values()), kept[:, 0])
        model.get_layer("linear").set_weights([self.part.weights])
        return model


def fit(training: Runs) -> Walled:
    """Raises ValueError for runs of fewer than four steps."""
    terms_of_step = 3 * TERMS * (1 + training.told)
    steps = NUMBERS / (terms_of_step * training.features)
    training = training.take(slice(max(1, int(steps / training.values.shape[1]))))
    many = 0 if training.controls is None else training.controls.shape[2]
    values = training.values if not many else np.concatenate([training.values, training.controls], axis=2)
    return Walled(terms.fit(values, training.conditions, many), *training.bounds(MARGIN))
