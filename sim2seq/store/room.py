"""Room: an array for runs that may turn out longer than the first ones, in memory or in a file that has no name."""

import os
import resource
import tempfile

import numpy as np

SHARE_IN_MEMORY = 0.25  # of the memory there is: training needs some too
GROWTH = 1.25  # at least: all copies together are then a few times the final size


class Room:
    """An array (runs, steps, features) that gets more steps when a run needs them.

    in_memory   bytes beyond which it lies in a file; None: a quarter of the memory
    folder      where that file lies, if it can be written
    """

    def __init__(self, runs: int, features: int, dtype, *, in_memory: int | None = None, folder=None):
        self.in_memory = share_of_memory() if in_memory is None else in_memory
        self.folder, self.filled = folder, 0
        self.array = np.empty((runs, 0, features), dtype)

    def reserve(self, steps: int) -> None:
        """Make room for so many steps a run."""
        runs, held, features = self.array.shape
        if steps > held:
            shape = (runs, max(steps, int(GROWTH * held)), features)
            larger = allocate(shape, self.array.dtype, self.in_memory, self.folder)
            larger[: self.filled, :held] = self.array[: self.filled]
            self.array = larger

    def put(self, runs: int | list[int], values: np.ndarray) -> None:
        """Put values (steps, features) in the place of one run, or (some runs, steps, features) in those of some."""
        steps = values.shape[-2]
        self.reserve(steps)
        self.array[runs, :steps] = values
        self.filled = max(self.filled, int(np.max(runs)) + 1)

    def finish(self, lengths: np.ndarray) -> np.ndarray:
        """The array (runs, longest, features), read-only; after the end of a run stands nan, or 0 in whole numbers."""
        longest = lengths.max()
        values = self.array[:, :longest]
        for run in np.flatnonzero(lengths < longest):
            values[run, lengths[run] :] = np.nan if values.dtype.kind == "f" else 0
        values.flags.writeable = False
        return values


def allocate(shape: tuple[int, ...], dtype, in_memory: int, folder) -> np.ndarray:
    """An array in memory, or beyond `in_memory` bytes in a file in `folder` that has no name; undefined values."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    if size <= in_memory:
        return np.empty(shape, dtype)
    place = folder if os.access(folder or ".", os.W_OK) else None
    with tempfile.TemporaryFile(dir=place) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, later it would be a crash
        return np.memmap(file, dtype=dtype, mode="r+", shape=shape)


def share_of_memory() -> int:
    """Bytes that values may take in memory."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    return int(SHARE_IN_MEMORY * min([there, *(limit for limit in limits if limit != resource.RLIM_INFINITY)]))
