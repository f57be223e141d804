"""The callbacks of a training that Keras does not have."""

from __future__ import annotations

import csv
import math
import sys
import time
from pathlib import Path

import keras

from sim2seq._support.files import keep_lines, read_json, save_model, write_json


class Checkpoint(keras.callbacks.Callback):
    """After each epoch, keep what a training killed at any moment needs to go on, and the best model.

    Own code, because keras.callbacks.BackupAndRestore (3.15) overwrites its files in place, cannot read a half-written
    epoch number, and forgets the best weights and the patience of EarlyStopping. Here each epoch's weights and
    optimizer go to a new file, and state.json, renamed into place, says which files count.
    It must stand after `early` in the list of callbacks.
    """

    def __init__(self, paths: dict[str, Path], early: keras.callbacks.EarlyStopping, physical: keras.Model):
        super().__init__()
        self.paths, self.early, self.physical = paths, early, physical
        self.state_path = paths["checkpoint"] / "state.json"
        self.state_path.parent.mkdir(parents=True, exist_ok=True)
        self.state: dict | None = None
        self.best_weights: list | None = None

    def weights_path(self, epoch: int) -> Path:
        return self.state_path.parent / f"epoch_{epoch:04d}.weights.h5"

    def restore(self, learner: keras.Model, epochs: int) -> int:
        """Put weights and optimizer back and return the epoch to begin with: 0 when there is nothing yet."""
        history = self.paths["history"]
        if not self.state_path.exists():
            history.unlink(missing_ok=True)
            return 0
        state = self.state = read_json(self.state_path)
        keep_lines(history, state["epoch"] + 2)  # the header, and the epochs that count
        learner.load_weights(self.weights_path(state["best_epoch"]))
        self.best_weights = learner.get_weights()
        learner.load_weights(self.weights_path(state["epoch"]))
        return epochs if state["stopped"] else state["epoch"] + 1

    def on_train_begin(self, logs=None):
        if self.state is not None:
            self.early.best, self.early.wait = self.state["best"], self.state["wait"]
            self.early.best_epoch, self.early.best_weights = self.state["best_epoch"], self.best_weights

    def on_epoch_end(self, epoch, logs=None):
        self.model.save_weights(self.weights_path(epoch))
        if self.early.best_epoch == epoch:
            save_model(self.physical, self.paths["model"])
        kept = {"epoch": epoch, "best_epoch": self.early.best_epoch}
        counters = {"best": float(self.early.best), "wait": self.early.wait, "stopped": bool(self.model.stop_training)}
        write_json(self.state_path, kept | counters)
        for path in set(self.state_path.parent.glob("epoch_*")) - {self.weights_path(e) for e in kept.values()}:
            path.unlink()


class Deadline(keras.callbacks.Callback):
    """Ends a training after so many seconds, in the middle of an epoch."""

    def __init__(self, seconds: float):
        super().__init__()
        self.end = time.monotonic() + seconds

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() > self.end:
            self.model.stop_training = True


class Plateau(keras.callbacks.Callback):
    """Halves the learning rate after ten epochs without a better validation loss, down to 1e-7.

    Own code, because keras.callbacks.ReduceLROnPlateau (3.15) counts anew where a training goes on; here the losses in
    the file `history` count. It must stand before the Checkpoint, which keeps the learning rate.
    """

    FACTOR, PATIENCE, LEAST, MORE = 0.5, 10, 1e-7, 1e-4  # MORE: by which a loss has to be better, as Keras has it

    def __init__(self, history: Path):
        super().__init__()
        self.history, self.best, self.wait = history, math.inf, 0

    def on_train_begin(self, logs=None):
        self.best, self.wait = math.inf, 0
        for loss in losses_in(self.history):
            self.is_over(loss)

    def on_epoch_end(self, epoch, logs=None):
        if self.is_over((logs or {})["val_loss"]):
            optimizer = self.model.optimizer
            optimizer.learning_rate = max(float(optimizer.learning_rate) * self.FACTOR, self.LEAST)

    def is_over(self, loss: float) -> bool:
        """Whether, after this epoch, there were enough without a better loss."""
        if loss < self.best - self.MORE:
            self.best, self.wait = loss, 0
            return False
        self.wait = (self.wait + 1) % self.PATIENCE
        return self.wait == 0


def losses_in(path: Path) -> list[float]:
    """The validation loss of each epoch in a history.csv; none where there is no file yet, or an empty one."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


def verbosity(quiet: bool) -> int:
    """Keras' word for nothing, a bar for a person, or lines for a log."""
    return 0 if quiet else 1 if sys.stdout.isatty() or "ipykernel" in sys.modules else 2
