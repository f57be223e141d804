"""Ending: a Keras callback that asks an oracle after epochs, and ends a training that is not worth finishing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from sim2seq.data.stretches import PROGRESS
from sim2seq.oracle.stopping import Decision, Goal, Rule, loaded


class OracleStopping(keras.callbacks.Callback):
    """Ends `fit` where the oracle foretells that it will not be worth finishing (stopping.Rule).

    oracle     an Oracle, or the folder of one; its features are logs of an epoch by their names, such as val_loss, and
               maybe progress, the share of the epochs
    goal       output -> weight: what is to be small
    finished   goals of whole trainings so far; runs: how many have begun, those that were ended too
    inputs     name -> number: what is known before, for an oracle that is told
    every      ask after every so many epochs
    rule       when a run is worth finishing

    `decision` is the last one; where it says stop, `ended` is the number of the epoch, from 1, else None. Raises
    ValueError, in one line, for a log that is missing.
    """

    def __init__(
        self,
        oracle,
        goal: Mapping[str, float],
        finished: Sequence[float],
        *,
        runs: int | None = None,
        inputs: Mapping[str, float] | None = None,
        every: int = 1,
        rule: Rule | None = None,
    ):
        super().__init__()
        self.oracle = loaded(oracle)
        self.goal, self.finished, self.runs = Goal(dict(goal)), list(finished), runs
        self.inputs, self.every, self.rule = inputs, every, rule or Rule()
        self.decision: Decision | None = None
        self.ended: int | None = None
        self.seen: list[list[float]] = []

    def on_train_begin(self, logs=None):
        self.decision, self.ended, self.seen = None, None, []

    def on_epoch_end(self, epoch, logs=None):
        epochs = self.params.get("epochs") or epoch + 1
        self.seen.append(self.checkpoint({PROGRESS: (epoch + 1) / epochs, **(logs or {})}))
        if not np.isfinite(self.seen[-1]).all():  # it has diverged
            self.ended, self.model.stop_training = epoch + 1, True
            return
        trained = self.oracle.surrogate
        enough = trained.window <= len(self.seen) <= trained.scores.steps and not len(self.seen) % self.every
        if not enough or epoch + 1 == epochs or len(self.finished) < self.rule.begin:
            return
        answer = self.oracle.ask(np.array(self.seen), self.inputs)
        self.decision = self.rule.decide(answer, self.goal, self.finished, self.runs)
        if self.decision.stop:
            self.ended, self.model.stop_training = epoch + 1, True

    def checkpoint(self, logs: Mapping[str, float]) -> list[float]:
        missing = [name for name in self.oracle.features if name not in logs]
        if missing:
            raise ValueError(f"the oracle sees {', '.join(missing)}; the logs of an epoch have {', '.join(logs)}")
        return [float(logs[name]) for name in self.oracle.features]
