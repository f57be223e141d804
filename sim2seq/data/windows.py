"""Windows: split an ensemble, scale it, and cut it into samples of a window and its targets, without copying it.

A *part* of a split is some runs and a range of their steps. Samples are cut inside one part of one run,
so none ever crosses from a run or a part into another.

A *sample* is a context of `window` steps and the `targets` steps after it. A model is given all of its steps but the
last and answers for each target from what comes before it (teacher forcing). With one target that is a window and its
next step; with as many as a run has after its first window, it is the whole run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import keras
import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.streaming import Rows, extent, moments

PARTS = ("train", "validation", "test")
ALL = slice(None)  # features
LEAST_DEVIATION = 1e-7  # of what varies: Keras scales by nothing smaller
MOST_PERMUTED = 1_000_000  # samples to shuffle as a whole; of more, an epoch's are drawn one by one


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
    names = split_names(ensemble.run_ids, fractions, seed=seed)
    return Split(*(Part(runs, 0, ensemble.steps) for runs in names.values()))


def split_names(names, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> dict[str, tuple[str, ...]]:
    """The names of whole runs, recordings or groups of either, shuffled with `seed`: part -> its names, as given.

    For runs that are not one Ensemble, since they differ in length. Raises ValueError for fewer names than parts, and
    for a name that is there twice.
    """
    check_fractions(fractions)
    names = tuple(names)
    if len(names) < len(PARTS):
        raise ValueError(f"a split needs at least {len(PARTS)} names, one a part; got {len(names)}")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"expected every name once; {repeated[0]} is there more often")
    order = np.random.default_rng(seed).permutation(len(names))
    groups = np.split(order, np.cumsum(shares(len(names), fractions))[:-1])
    return {part: tuple(names[i] for i in sorted(group)) for part, group in zip(PARTS, groups, strict=True)}


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
    return ensemble.take([place[run] for run in part.runs], steps=slice(part.start, part.stop))


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each feature, or input of the run, both (features,), in physical units."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, training: np.ndarray) -> Scaling:
        """The scaling of training runs (..., features), or of their inputs; what never changes keeps its unit (std 1).

        Mean and variance are numbers of float32, the precision in which a saved Keras model keeps them.
        """
        others = tuple(range(training.ndim - 2))
        mean, variance = moments(training)
        lowest, highest = extent(training)
        varies = highest.max(axis=others) > lowest.min(axis=others)  # 0.1 and 0.1 have a variance above 0
        if (np.sqrt(variance[varies]) < LEAST_DEVIATION).any() or not np.isfinite(variance).all():
            raise ValueError(
                f"expected features and inputs of a standard deviation of at least {LEAST_DEVIATION:g}, in some other "
                f"unit; got {np.sqrt(variance).tolist()}"
            )
        return cls(in_float32(mean), np.sqrt(in_float32(np.where(varies, variance, 1.0))))

    def scale(self, values) -> np.ndarray | Rows:
        """Physical units to mean 0 and standard deviation 1; the last axis is the features. `Rows` stay unread."""
        return values.then(self.scale) if isinstance(values, Rows) else (np.asarray(values) - self.mean) / self.std

    def restore(self, scaled) -> np.ndarray:
        """Back to physical units."""
        return np.asarray(scaled) * self.std + self.mean


def in_float32(values) -> np.ndarray:
    """The nearest numbers of float32, as float64."""
    return np.asarray(values, dtype="float32").astype("float64")


def windows_of(
    values: np.ndarray, window: int, targets: int = 1, *, known=ALL, wanted=ALL
) -> tuple[np.ndarray, np.ndarray]:
    """All samples of a window and its targets, as read-only views into `values`.

    values (runs, steps, features) -> known (runs, samples, window + targets - 1, features), what a model is given,
    and wanted (runs, samples, targets, features): 400 steps, a window of 30 and 1 target give 370 samples a run.
    `known` and `wanted` say which features: a slice, or a list of places, which copies. A command in the first of nine
    columns, learned from the eight others: known=slice(1, 9), wanted=slice(0, 1).
    Raises ValueError when a run is shorter than window and targets together.
    """
    check_lengths(values.shape[1], window, targets)
    samples = np.moveaxis(np.lib.stride_tricks.sliding_window_view(values, window + targets, axis=1), -1, 2)
    return samples[:, :, :-1, known], samples[:, :, window:, wanted]


def check_lengths(steps: int, window: int, targets: int = 1) -> None:
    """Raise ValueError, with what would fit, when a run of `steps` is shorter than window and targets together."""
    if not 1 <= window < steps:
        raise ValueError(f"window: expected 1 to {steps - 1} for runs of {steps} steps; got {window}")
    if not 1 <= targets <= steps - window:
        raise ValueError(
            f"targets: expected 1 to {steps - window} for runs of {steps} steps and a window of {window}; got {targets}"
        )


class Windows(keras.utils.PyDataset):
    """Batches of samples for `model.fit`, each gathered when it is asked for; samples are never copied beforehand.

    values (runs, steps, features), an array or `Rows` of a larger one, and the inputs of the run, given (runs, inputs)
    or None, already scaled. A batch is known (batch, window + targets - 1, features), or with inputs (known, (batch,
    inputs)), and wanted (batch, targets, features), in the precision `dtype`, which must be the model's.
    With a `seed` the samples are shuffled by (seed, epoch), so a resumed training sees the order of an uninterrupted
    one. All batches have one size, since a compiled step is compiled again for each new size: what is left over
    is dropped when shuffled (the shuffle drops others in the next epoch) and makes a last small batch when not.
    `limit` is the most targets in an epoch: drawn anew each time when shuffled, spread evenly over the data when not.
    Shuffled, it takes them `passes` times over, in another order each time.
    """

    def __init__(
        self,
        values,
        window: int,
        *,
        batch_size: int,
        targets: int = 1,
        given=None,
        seed: int | None = None,
        limit: int | None = None,
        passes: int = 1,
        dtype: str = "float32",
    ):
        super().__init__()
        in_memory = not isinstance(values, Rows)
        self.rows = Rows(np.asarray(values, dtype=dtype), np.arange(len(values))) if in_memory else values
        self.known, self.wanted = windows_of(self.rows.source, window, targets)
        self.given = None if given is None else np.asarray(given, dtype=dtype)
        self.dtype, self.available = dtype, len(self.rows) * self.wanted.shape[1]
        self.samples = min(self.available, max(1, (limit or self.available * targets) // targets))
        self.batch_size = min(batch_size, self.samples)
        self.seed, self.passes = seed, passes
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of `epoch`, counted from 0. The training loop says when (see training.py)."""
        if self.seed is None:
            self.order = np.linspace(0, self.available - 1, self.samples).round().astype(int)
        else:
            generator = np.random.default_rng((self.seed, epoch))
            self.order = np.concatenate([self.draw(generator) for _ in range(self.passes)])

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """The samples of one pass, in random order, each at most once."""
        if self.available <= MOST_PERMUTED:
            return generator.permutation(self.available)[: self.samples]
        return generator.choice(self.available, self.samples, replace=False)

    def __len__(self) -> int:
        batches, left_over = divmod(len(self.order), self.batch_size)
        return batches + int(self.seed is None and left_over > 0)

    def __getitem__(self, index: int) -> tuple:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        runs, starts = np.divmod(chosen, self.wanted.shape[1])
        places = self.rows.runs[runs], starts
        known, wanted = (
            self.rows.changed(each[places]).astype(self.dtype, copy=False) for each in (self.known, self.wanted)
        )
        return (known if self.given is None else (known, self.given[runs])), wanted
