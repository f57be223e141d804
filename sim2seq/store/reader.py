"""Assembly: the runs of a store, from wherever their series stand, become one Ensemble."""

from __future__ import annotations

import os
import resource
import tempfile

import numpy as np

from sim2seq.data import arrays
from sim2seq.data.ensemble import Ensemble
from sim2seq.store.sina import StoreError

SHARE_IN_MEMORY = 0.25  # of the memory there is: training needs some too
TIME = "time"


class Assembly:
    """An Ensemble on its way: values are put run by run, at the positions of `run_ids`.

    elsewhere   array file -> [(row, position, digest)], of the runs whose series stand there
    """

    def __init__(self, path, run_ids: list[str], in_memory: int | None):
        self.path, self.run_ids = path, run_ids
        self.in_memory = share_of_memory() if in_memory is None else in_memory
        self.elsewhere: dict[str, list[tuple[int, int, str]]] = {}
        self.features, self.times, self.values = None, None, None
        self.first = None  # id of the run that the others must be like

    def add(self, position: int, series: dict[str, list]) -> None:
        """Put one run, name -> one number a step."""
        features = tuple(name for name in series if name != TIME)
        run_id, steps = self.run_ids[position], len(next(iter(series.values())))
        if any(len(values) != steps for values in series.values()):
            raise StoreError(f"{self.path}: run {run_id}: expected {steps} steps in each series")
        self._check(run_id, features, np.array(series.get(TIME, range(steps)), dtype=float), steps)
        for feature, name in enumerate(features):
            self.values[position, :, feature] = series[name]

    def read_arrays(self) -> None:
        """Put the runs that stand in array files, file by file."""
        for path, places in self.elsewhere.items():
            rows, positions, digests = (list(each) for each in zip(*sorted(places), strict=True))
            for first in range(0, len(rows), arrays.BLOCK):
                some = slice(first, first + arrays.BLOCK)
                run_ids = [self.run_ids[position] for position in positions[some]]
                values, features, times = arrays.series_of(path, run_ids, rows[some], digests[some])
                self._check(run_ids[0], features, times, values.shape[1])
                self.values[positions[some]] = values

    def _check(self, run_id: str, features: tuple, times: np.ndarray, steps: int) -> None:
        """Make room at the first run; raise StoreError for one with other features, length or times."""
        if self.first is None:
            self.first, self.features, self.times = run_id, features, times
            self.values = room((len(self.run_ids), steps, len(features)), self.in_memory, os.path.dirname(self.path))
        if features != self.features or steps != self.values.shape[1]:
            raise StoreError(f"{self.path}: run {run_id} differs from {self.first} in its series or their length")
        if not np.array_equal(times, self.times):
            raise StoreError(f"{self.path}: run {run_id} has other times than {self.first}")

    def ensemble(self, columns: dict) -> Ensemble:
        self.values.flags.writeable = False
        return Ensemble(
            values=self.values,
            run_ids=tuple(self.run_ids),
            features=self.features,
            times=self.times,
            inputs={name: np.array(column) for name, column in columns.items()},
        )


def room(shape: tuple[int, ...], in_memory: int, folder) -> np.ndarray:
    """An array of float64: in memory, or beyond `in_memory` bytes in a file in `folder` that has no name."""
    size = 8 * int(np.prod(shape))
    if size <= in_memory:
        return np.empty(shape)
    place = folder if os.access(folder or ".", os.W_OK) else None
    with tempfile.TemporaryFile(dir=place) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, later it would be a crash
        return np.memmap(file, dtype=float, mode="r+", shape=shape)


def share_of_memory() -> int:
    """Bytes that values may take in memory."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    return int(SHARE_IN_MEMORY * min([there, *(limit for limit in limits if limit != resource.RLIM_INFINITY)]))
