"""Windows: scale an ensemble and cut it into samples of a window and its targets, without copying it.

A *sample* is a context of `window` steps and the `targets` answers that are learned from it, each from all steps before
it (teacher forcing). With one target that is a window and its next step; with as many as a run has after its first
window, it is the whole run. Samples are cut inside one run, so none ever crosses from a run into another, and where
runs differ in length nothing beyond the end of a run counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from sim2seq.data.streaming import Rows, extent, moments

ALL = slice(None)  # features
LEAST_DEVIATION, MOST_DEVIATION = 1e-7, 1e15  # that Keras' Normalization, which counts in float32, scales by
FARTHEST_MEAN = 1e4  # standard deviations: float32 would round the mean of what varies less, or is larger
RANGE = (1e-30, 1e30)  # standard deviations that are computed with
MOST_PERMUTED = 1_000_000  # samples to shuffle as a whole; of more, an epoch's are drawn one by one


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each feature, or condition of the run, both (features,), in physical units."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, training: np.ndarray | Rows, lengths: np.ndarray | None = None, *, names=()) -> Scaling:
        """The scaling of training runs (..., features), or of their inputs; what never changes keeps its unit (std 1).

        Steps from `lengths` (runs,) on are left out. Mean and variance are numbers of float32, the precision in which
        a saved Keras model keeps them, where that does not change them much. Raises ValueError for a feature, one of
        `names`, whose standard deviation is not within RANGE.
        """
        others = tuple(range(training.ndim - 2))
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = moments(training, lengths)
        lowest, highest = extent(training, lengths)
        varies = np.nanmax(highest, axis=others) > np.nanmin(lowest, axis=others)  # equal 0.1 have a variance above 0
        std = np.sqrt(np.where(varies, variance, 1.0))
        for place in np.flatnonzero(~((std >= RANGE[0]) & (std <= RANGE[1]) & np.isfinite(mean))):
            name = names[place] if len(names) else f"number {place + 1}"
            expected = f"a standard deviation from {RANGE[0]:g} to {RANGE[1]:g}"
            raise ValueError(f"{name}: expected {expected}; got {std[place]:g}: give it in another unit")
        plain = fits_float32(mean, std)
        rounded = np.sqrt(in_float32(np.where(plain & varies, variance, 1.0)))
        return cls(np.where(plain, in_float32(mean), mean), np.where(plain, rounded, std))

    @property
    def plain(self) -> bool:
        """Whether float32, in which Keras' Normalization counts, keeps these numbers."""
        return bool(fits_float32(self.mean, self.std).all()) or not self.std.all()

    @classmethod
    def none(cls, features: int) -> Scaling:
        """The scaling that changes nothing."""
        return cls(np.zeros(features), np.ones(features))

    def take(self, places) -> Scaling:
        """The scaling of some features."""
        return Scaling(self.mean[places], self.std[places])

    def scale(self, values) -> np.ndarray | Rows:
        """Physical units to mean 0 and standard deviation 1; the last axis is the features. `Rows` stay unread."""
        return values.then(self.scale) if isinstance(values, Rows) else (np.asarray(values) - self.mean) / self.std

    def restore(self, scaled) -> np.ndarray:
        """Back to physical units."""
        return np.asarray(scaled) * self.std + self.mean


def fits_float32(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Which features, or conditions, float32 scales well: (features,)."""
    return (std >= LEAST_DEVIATION) & (std <= MOST_DEVIATION) & (np.abs(mean) <= FARTHEST_MEAN * std)


def in_float32(values) -> np.ndarray:
    """The nearest numbers of float32, as float64."""
    return np.asarray(values, dtype="float32").astype("float64")


def windows_of(
    values: np.ndarray, window: int, targets: int = 1, *, inputs=ALL, outputs=ALL
) -> tuple[np.ndarray, np.ndarray]:
    """All samples of a window and its targets, as read-only views into `values`.

    values (runs, steps, features) -> inputs (runs, samples, window + targets - 1, features), what a model is given,
    and targets (runs, samples, targets, features): 400 steps, a window of 30 and 1 target give 370 samples a run.
    `inputs` and `outputs` say which features: a slice, or a list of places, which copies.
    Raises ValueError when a run is shorter than window and targets together.
    """
    check_lengths(values.shape[1], window, targets)
    samples = np.moveaxis(np.lib.stride_tricks.sliding_window_view(values, window + targets, axis=1), -1, 2)
    return samples[:, :, :-1, inputs], samples[:, :, window:, outputs]


def check_lengths(steps: int, window: int, targets: int = 1) -> None:
    """Raise ValueError, with what would fit, when a run of `steps` is shorter than window and targets together."""
    if not 1 <= window < steps:
        raise ValueError(f"window: expected 1 to {steps - 1} for runs of {steps} steps; got {window}")
    if not 1 <= targets <= steps - window:
        raise ValueError(
            f"targets: expected 1 to {steps - window} for runs of {steps} steps and a window of {window}; got {targets}"
        )


@dataclass(frozen=True)
class Columns:
    """Which columns of a run (steps, features) make a sample: of a forecast, all of them go in and come out.

    inputs     places of what a model is given at each step; None: all
    targets    places of what it answers with; None: all
    controls   places of what is known one step ahead: at each step a model is given those of the next one
    ahead      1: the answer after a window is that of the step after it; 0: of its last step
    """

    inputs: tuple[int, ...] | None = None
    targets: tuple[int, ...] | None = None
    controls: tuple[int, ...] = ()
    ahead: int = 1

    def cut(self, block: np.ndarray, window: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
        """A block of samples (samples, window + targets - 1 + ahead, features) -> inputs and targets."""
        seen, answered = (ALL if places is None else list(places) for places in (self.inputs, self.targets))
        inputs = block[:, : window + targets - 1, seen]
        if self.controls:
            inputs = np.concatenate([inputs, block[:, 1 : window + targets, list(self.controls)]], axis=2)
        first = window - 1 + self.ahead
        return inputs, block[:, first : first + targets, answered]


class Windows(keras.utils.PyDataset):
    """Batches of samples for `model.fit`, each gathered when it is needed; samples are never copied beforehand.

    values (runs, steps, features), an array or `Rows` of a larger one, and `conditions` of the run, (runs, conditions)
    or None, already scaled. A batch is inputs (batch, window + targets - 1, inputs), or with conditions a pair, and
    targets (batch, targets, outputs), in the precision `dtype`, which must be the model's; for runs that differ in
    length also the weights of the targets, (batch, targets), 0 beyond the end of a run.

    columns     which features are inputs and which are targets
    lengths     (runs,): steps of each run; None: all have all
    of_run      (runs, outputs): the target of each step is the same number, one of the run; with `last_only` the last
                step of a run alone counts
    augment     (block (samples, steps, features), generator) -> block: other samples that are as true, by chance
    encode      targets -> what the loss is given in their place
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
        columns: Columns | None = None,
        conditions=None,
        lengths=None,
        of_run=None,
        last_only: bool = False,
        augment: Callable | None = None,
        encode: Callable | None = None,
        seed: int | None = None,
        limit: int | None = None,
        passes: int = 1,
        dtype: str = "float32",
    ):
        super().__init__()
        in_memory = not isinstance(values, Rows)
        self.rows = Rows(np.asarray(values, dtype=dtype), np.arange(len(values))) if in_memory else values
        self.columns, self.window, self.targets, self.dtype = columns or Columns(), window, targets, dtype
        self.span = window + targets - 1 + self.columns.ahead
        steps = self.rows.source.shape[1]
        if self.span > steps:
            check_lengths(steps, window, targets)
        self.blocks = np.lib.stride_tricks.sliding_window_view(self.rows.source, self.span, axis=1)
        self.lengths = None if lengths is None or (np.asarray(lengths) == steps).all() else np.asarray(lengths)
        self.first = np.concatenate([[0], np.cumsum(self.samples_of_runs(len(self.rows), steps))])
        self.conditions = None if conditions is None else np.asarray(conditions, dtype=dtype)
        self.of_run, self.last_only, self.augment, self.encode = of_run, last_only, augment, encode
        self.available = int(self.first[-1])
        if not self.available:
            raise ValueError(f"window: expected runs of more than {window} steps; got none")
        self.samples = min(self.available, max(1, (limit or self.available * targets) // targets))
        self.batch_size = min(batch_size, self.samples)
        self.seed, self.passes = seed, passes
        self.begin_epoch(0)

    def samples_of_runs(self, runs: int, steps: int) -> np.ndarray:
        """How many samples each run gives, (runs,); one, with fewer targets, where it is too short for all of them."""
        lengths = np.full(runs, steps) if self.lengths is None else self.lengths
        return np.where(lengths >= self.window + self.columns.ahead, np.maximum(lengths - self.span + 1, 1), 0)

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of `epoch`, counted from 0. The training loop says when (see training/fit.py)."""
        self.epoch = epoch
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
        runs = np.searchsorted(self.first, chosen, side="right") - 1
        starts = chosen - self.first[runs]
        block = self.rows.changed(np.moveaxis(self.blocks[self.rows.runs[runs], starts], -1, 1))
        there = self.there(runs, starts)
        if there is not None:
            block = np.where(there[..., None], block, 0)  # nan times a weight of 0 is nan
        if self.augment and self.seed is not None:
            block = self.augment(block, np.random.default_rng((self.seed, self.epoch, index)))
        inputs, targets = self.columns.cut(block, self.window, self.targets)
        if self.of_run is not None:
            targets = np.repeat(self.of_run[runs, None], self.targets, axis=1)
        targets = self.encode(targets) if self.encode else targets.astype(self.dtype, copy=False)
        inputs = inputs.astype(self.dtype, copy=False)
        fed = inputs if self.conditions is None else (inputs, self.conditions[runs])
        return fed, targets, *self.weights(runs, starts, there)

    def weights(self, runs: np.ndarray, starts: np.ndarray, there: np.ndarray | None) -> tuple:
        """The weights of the targets of these samples, (samples, targets), in a tuple; none where all count alike."""
        if self.last_only:
            lengths = np.full(len(self.rows), self.rows.shape[1]) if self.lengths is None else self.lengths
            steps = starts[:, None] + self.span - self.targets + np.arange(self.targets)
            return ((steps == lengths[runs, None] - 1).astype("float32"),)
        return () if there is None else (there[:, -self.targets :].astype("float32"),)

    def there(self, runs: np.ndarray, starts: np.ndarray) -> np.ndarray | None:
        """Which steps of these samples lie within their run, (samples, span); None where all do."""
        if self.lengths is None:
            return None
        return starts[:, None] + np.arange(self.span) < self.lengths[runs, None]
