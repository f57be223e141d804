"""Foreign: a file of another program in which the series of runs stayed, read again as it was at the import."""

import numpy as np

from sim2seq.data.array_layout import features_of
from sim2seq.data.arrays import Block, digests
from sim2seq.data.foreign.files import open_arrays, reading_errors
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.tidy import Gaps, tidy
from sim2seq.data.records import RecordError


class ForeignFile:
    """An open file of arrays. Raises RecordError, in one line, for one that is gone, damaged or read in another way.

    steps       of its longest run, or more; features: series -> the features that it becomes
    """

    def __init__(self, path: str, reading: dict):
        self.path = path
        with reading_errors(path):
            self.reading = Reading.of(reading)
            self.runs = open_arrays(path, self.reading)
            self.series, self.runs_at_once = self.runs.series, self.runs.runs_at_once
        self.features = {name: features_of(name, shape) for name, (shape, _) in self.series.items()}
        self.steps = 0

    def types_of(self, features) -> set[np.dtype]:
        """The types of the series that have one of these features."""
        return {self.series[name][1] for name, held in self.features.items() if not set(held).isdisjoint(features)}

    def series_of(self, run_ids: list[str], rows: list[int], expected: list[str]) -> Block:
        """The series of some runs, whose rows rise. Raises RecordError where they are others than at the import."""
        with reading_errors(self.path):
            held = self.runs.ids
            for run_id, row in zip(run_ids, rows, strict=True):
                if not 0 <= row < len(held) or held[row] != run_id:
                    raise RecordError(f"expected run {run_id} in place {row}; the file was changed since the import")
            kept, block = tidy(self.runs.block(rows), run_ids, self.reading, Gaps())
            if len(kept) < len(rows):
                raise RecordError("some runs have gaps that they had not at the import")
            for run_id, was, now in zip(run_ids, expected, digests(block), strict=True):
                if was != now:
                    raise RecordError(f"run {run_id} has other numbers than at the import")
        return block
