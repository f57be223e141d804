"""Windows: split an ensemble, scale it, and cut it into (window, next step) pairs without copying it.

A *part* of a split is some runs and a range of their steps. Windows are cut inside one part of one run,
so no window ever crosses from a run or a part into another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import keras
import numpy as np

from sim2seq.ensemble import Ensemble

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """The runs named in `runs`, each from step `start` up to, not including, step `stop`."""

    runs: tuple[str, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Split:
    """What is learned from (train), chosen by (validation) and judged on (test)."""

    train: Part
    validation: Part
    test: Part


def split_by_run(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Split by whole runs, shuffled with `seed` (the source's "acyclic").

    Every run belongs to one part. Raises ValueError when there are fewer runs than parts.
    """
    check_fractions(fractions)
    if ensemble.runs < len(PARTS):
        raise ValueError(f"a split by run needs at least {len(PARTS)} runs, one a part; got {ensemble.runs}")
    order = np.random.default_rng(seed).permutation(ensemble.runs)
    groups = np.split(order, np.cumsum(shares(ensemble.runs, fractions))[:-1])
    names = [tuple(ensemble.run_ids[i] for i in sorted(group)) for group in groups]
    return Split(*(Part(runs, 0, ensemble.steps) for runs in names))


def split_in_time(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Cut every series in time, first part to learn from, last part to judge on (the source's "cyclic").

    Nothing is drawn, so `seed` has no effect. Raises ValueError when there are fewer steps than parts.
    """
    check_fractions(fractions)
    if ensemble.steps < len(PARTS):
        raise ValueError(f"a split in time needs at least {len(PARTS)} steps, one a part; got {ensemble.steps}")
    edges = np.cumsum([0, *shares(ensemble.steps, fractions)])
    return Split(*(Part(ensemble.run_ids, int(a), int(b)) for a, b in pairwise(edges)))


SPLITS = {"by_run": split_by_run, "in_time": split_in_time}


def check_fractions(fractions) -> None:
    """Raise ValueError unless there are three positive fractions that add up to 1."""
    if len(fractions) != len(PARTS) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions: expected three positive numbers that add up to 1; got {tuple(fractions)}")


def shares(count: int, fractions) -> list[int]:
    """Three whole numbers that add up to `count`, near `fractions`, none of them 0."""
    validation, test = (max(1, round(count * fraction)) for fraction in fractions[1:])
    while count - validation - test < 1:
        validation, test = max(1, validation - 1), max(1, test - 1)
    return [count - validation - test, validation, test]


def select(ensemble: Ensemble, part: Part) -> Ensemble:
    """The runs and steps of `part`, as an Ensemble. Raises ValueError, naming the run, when one is not there."""
    place = {run: i for i, run in enumerate(ensemble.run_ids)}
    missing = [run for run in part.runs if run not in place]
    if missing:
        raise ValueError(f"the split names runs that the ensemble does not have, the first is {missing[0]}")
    taken = ensemble.take([place[run] for run in part.runs])
    steps = slice(part.start, part.stop)
    return replace(taken, values=taken.values[:, steps], times=taken.times[steps])


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each feature, both (features,), in physical units."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, training: Ensemble) -> Scaling:
        """The scaling of the training part; a feature that never changes keeps its unit (std 1).

        Mean and variance are numbers of float32, the precision in which a saved Keras model keeps them.
        """
        mean, variance = training.values.mean(axis=(0, 1)), training.values.var(axis=(0, 1))
        return cls(in_float32(mean), np.sqrt(in_float32(np.where(variance > 0, variance, 1.0))))

    def scale(self, values) -> np.ndarray:
        """Physical units to mean 0 and standard deviation 1; the last axis is the features."""
        return (np.asarray(values) - self.mean) / self.std

    def restore(self, scaled) -> np.ndarray:
        """Back to physical units."""
        return np.asarray(scaled) * self.std + self.mean


def in_float32(values) -> np.ndarray:
    """The nearest numbers of float32, as float64."""
    return np.asarray(values, dtype="float32").astype("float64")


def windows_of(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """All windows and their next steps, as read-only views into `values`.

    values (runs, steps, features) -> contexts (runs, steps - window, window, features)
    and targets (runs, steps - window, features): 400 steps and a window of 30 give 370 pairs a run.
    Raises ValueError when a run is not longer than the window.
    """
    steps = values.shape[1]
    if not 1 <= window < steps:
        raise ValueError(f"window: expected 1 to {steps - 1} for runs of {steps} steps; got {window}")
    contexts = np.lib.stride_tricks.sliding_window_view(values, window, axis=1)[:, :-1]
    return np.moveaxis(contexts, -1, 2), values[:, window:]


class Windows(keras.utils.PyDataset):
    """Batches of (contexts, targets) for `model.fit`, gathered from views; the ensemble is never copied.

    values (runs, steps, features), already scaled; a batch is (batch, window, features) and (batch, features) in the
    precision `dtype`, which must be the model's.
    With a `seed` the pairs are shuffled by (seed, epoch), so a resumed training sees the order of an uninterrupted one.
    All batches have one size, since a compiled step is compiled again for each new size: what is left over
    is dropped when shuffled (the shuffle drops others in the next epoch) and makes a last small batch when not.
    An epoch takes at most `limit` pairs: another draw each epoch when shuffled, evenly spread ones when not.
    Shuffled, it takes them `passes` times over, in another order each time.
    """

    def __init__(
        self,
        values,
        window: int,
        *,
        batch_size: int,
        seed: int | None = None,
        limit: int | None = None,
        passes: int = 1,
        dtype: str = "float32",
    ):
        super().__init__()
        self.contexts, self.targets = windows_of(np.asarray(values, dtype=dtype), window)
        self.available = self.targets.shape[0] * self.targets.shape[1]
        self.pairs = min(self.available, limit or self.available)
        self.batch_size = min(batch_size, self.pairs)
        self.seed, self.passes = seed, passes
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of `epoch`, counted from 0. The training loop says when (see training.py)."""
        if self.seed is None:
            self.order = np.linspace(0, self.available - 1, self.pairs).round().astype(int)
        else:
            generator = np.random.default_rng((self.seed, epoch))
            draws = [generator.permutation(self.available)[: self.pairs] for _ in range(self.passes)]
            self.order = np.concatenate(draws)

    def __len__(self) -> int:
        batches, left_over = divmod(len(self.order), self.batch_size)
        return batches + int(self.seed is None and left_over > 0)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        runs, steps = np.divmod(chosen, self.targets.shape[1])
        return self.contexts[runs, steps], self.targets[runs, steps]
