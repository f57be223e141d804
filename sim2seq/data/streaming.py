"""Streaming: how an ensemble larger than memory goes through a training.

The values of such an ensemble are a memory map, which the system reads from disk as it is asked for and forgets as it
likes (store.load makes one). What is done with them is done in one of three ways:

in chunks     what every run must be looked at for, one pass each: checks, fingerprint, scaling, ranges, walls
on demand     the samples that the network is trained on: each batch gathers its own (`Rows`, windows.Windows)
on some runs  what takes memory or long for each run: scores, band, baselines, closed-form fit (`some_runs`)

Which way is taken depends on sizes alone and not on where the numbers lie, so an ensemble in memory and the same one on
disk give the same numbers. Below these sizes all runs are used, in one piece:
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

CHUNK = 32e6  # bytes looked at together; an expression holds a few arrays of this size
LARGEST_COPY = 128e6  # bytes of a memory map that are copied into memory for a part of it; a larger part is a `Rows`
MOST_RUNS = 1000  # a mean over as many independent runs is known to 3 %; forecasts and trees of them take seconds
MOST_BYTES = LARGEST_COPY  # of those runs, where each is large
SMALLEST_FLOAT = 4  # bytes of what is computed with
SEED = 0  # of the choice of those runs: an ensemble may lie in the order of its parameters, so every n-th would not do


class Rows:
    """Some runs of a larger array, in some order, read when asked for: like a read-only array (runs, steps, features).

    `rows[i]` and `rows[i:j]`, with or without further indices, are ordinary arrays, for which only these runs are read.
    What needs the whole, like np.asarray(rows), reads it into memory.
    source     (all runs, steps, features), most likely a memory map
    runs       indices of the runs
    change     what is done to values (..., features) once they are read; None: nothing
    features   how many there are after that; None: as many as before
    """

    ndim = 3

    def __init__(
        self, source: np.ndarray, runs: np.ndarray, change: Callable | None = None, features: int | None = None
    ):
        self.source, self.runs, self.change = source, np.asarray(runs), change
        self.features = source.shape[2] if features is None else features

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.runs), self.source.shape[1], self.features)

    @property
    def nbytes(self) -> int:
        return len(self.runs) * self.source[:1].nbytes

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, key):
        first, *rest = key if isinstance(key, tuple) else (key,)
        if not isinstance(first, (slice, int, np.integer)):
            return np.asarray(self)[key]
        read = self.changed(self.source[self.runs[first]])
        return read[(slice(None), *rest) if isinstance(first, slice) else tuple(rest)]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def then(self, change: Callable) -> Rows:
        """The same runs, with one more change."""
        return Rows(self.source, self.runs, lambda read: change(self.changed(read)), self.features)

    def pick(self, features: list[int]) -> Rows:
        """The same runs with some features, by place."""
        return Rows(self.source, self.runs, lambda read: self.changed(read)[..., features], len(features))

    def changed(self, read) -> np.ndarray:
        return np.asarray(read if self.change is None else self.change(read))


def lazily(values):
    """Values as `Rows` where their numbers are smaller than floats, such as bytes: they stay so until they are read."""
    small = not isinstance(values, Rows) and np.dtype(values.dtype).itemsize < SMALLEST_FLOAT
    return Rows(values, np.arange(len(values))) if small else values


def take(values, runs, steps: slice = slice(None)):
    """Runs, by index, and steps of an array as a copy; as `Rows` where they are too large a part of a memory map."""
    if not isinstance(values, (Rows, np.memmap)):
        return values[:, steps][runs]
    if isinstance(values, Rows):
        rows = Rows(values.source[:, steps], values.runs[runs], values.change, values.features)
    else:
        rows = Rows(values[:, steps], runs)
    return rows if rows.nbytes > LARGEST_COPY else rows[:]


def chunks(values) -> Iterator[np.ndarray]:
    """An array (runs, ...) in pieces of whole runs, each of up to CHUNK bytes or of one run."""
    runs = max(1, int(CHUNK // max(1, values[:1].nbytes)))
    for start in range(0, len(values), runs):
        yield np.asarray(values[start : start + runs])


def chunks_within(values, lengths) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `chunks`, each with which of its steps lie within the `lengths` (runs,) of its runs, (runs, steps)."""
    first = 0
    for chunk in chunks(values):
        some = np.full(len(chunk), chunk.shape[1]) if lengths is None else np.asarray(lengths)[first:][: len(chunk)]
        first += len(chunk)
        yield chunk, np.arange(chunk.shape[1]) < some[:, None]


def extent(values, lengths=None) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest value of all runs (runs, steps, features) at each step: (steps, features) each.

    Steps from `lengths` (runs,) on do not count; nan at a step that no run has.
    """
    if lengths is None:
        pairs = [(chunk.min(axis=0), chunk.max(axis=0)) for chunk in chunks(values)]
    else:
        held = (np.where(there[..., None], chunk, np.nan) for chunk, there in chunks_within(values, lengths))
        pairs = [(np.fmin.reduce(chunk), np.fmax.reduce(chunk)) for chunk in held]
    lowest, highest = zip(*pairs, strict=True)
    return np.fmin.reduce(lowest), np.fmax.reduce(highest)


def moments(values, lengths=None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the last axis of (runs, ..., features), over all others, up to the `lengths` of the runs.

    Those of chunks are put together by the formula of Chan, Golub and LeVeque (Updating formulae and a pairwise
    algorithm for computing sample variances, 1979), which loses no digits. In float64: NumPy adds rows of float32 one
    after the other in float32, which has no place for the last ones of a million.
    """
    if lengths is None:
        pieces = (chunk.reshape(-1, chunk.shape[-1]) for chunk in chunks(values))
    else:
        pieces = (chunk[there] for chunk, there in chunks_within(values, lengths))
    mean: np.ndarray | float = 0.0
    variance: np.ndarray | float = 0.0
    seen = 0
    for rows in pieces:
        if not len(rows):
            continue
        seen += len(rows)
        share, away = len(rows) / seen, rows.mean(axis=0, dtype=float) - mean
        variance = (1 - share) * variance + share * rows.var(axis=0, dtype=float) + share * (1 - share) * away**2
        mean = mean + share * away
    return np.asarray(mean), np.asarray(variance)


def some_runs(values) -> np.ndarray | None:
    """Indices of runs of (runs, ...) to look at where all would be too many, in their order; None: look at all."""
    most = int(min(MOST_RUNS, max(1, MOST_BYTES // max(1, values[:1].nbytes))))
    if len(values) <= most:
        return None
    return np.sort(np.random.default_rng(SEED).choice(len(values), most, replace=False))
