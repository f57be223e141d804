"""Loading makes one array of runs of any length, in memory or in a file that nobody sees, and does not dawdle."""

import os
import time
from contextlib import closing

import numpy as np
import orjson
import pytest
from runs import make_runs

from sim2seq.data import arrays
from sim2seq.data.records import Run
from sim2seq.store import store
from sim2seq.store.room import Room


def counters(lengths) -> list[Run]:
    """Runs that count from 0, 1000, 2000, ..."""
    starts = range(0, 1000 * len(lengths), 1000)
    return [
        Run(f"a_{run}", {}, {"x": list(map(float, range(s, s + n)))})
        for run, (s, n) in enumerate(zip(starts, lengths, strict=True))
    ]


@pytest.mark.parametrize("in_memory", [None, 100])
def test_any_order_of_lengths_gives_the_same_array(sqlite_store, in_memory):
    lengths = [3, 50, 2, 51, 64, 300, 1, 299]
    store.ingest(sqlite_store, counters(lengths))
    there = sorted(os.listdir(sqlite_store.parent))
    ensemble = store.load(sqlite_store, in_memory=in_memory)
    assert isinstance(ensemble.values, np.memmap) == (in_memory is not None)
    assert sorted(os.listdir(sqlite_store.parent)) == there
    expected = 1000.0 * np.arange(8)[:, None] + np.arange(300)
    expected[np.arange(300) >= np.array(lengths)[:, None]] = np.nan
    np.testing.assert_array_equal(ensemble.values[..., 0], expected)
    assert ensemble.lengths.tolist() == lengths
    with pytest.raises(ValueError, match="read-only"):
        ensemble.values[0, 0, 0] = 1.0


def test_a_room_that_grows_keeps_what_was_put():
    room = Room(3, 1, np.uint8)
    room.put(0, np.full((2, 1), 7))
    room.put([1, 2], np.full((2, 5, 1), 9))
    values = room.finish(np.array([2, 5, 4]))
    assert values[..., 0].tolist() == [[7, 7, 0, 0, 0], [9, 9, 9, 9, 9], [9, 9, 9, 9, 0]]
    assert values.dtype == np.uint8


def test_array_files_and_records_of_any_length_load_together(sqlite_store, tmp_path):
    for name, steps in (("b", 4), ("c", 6)):
        values = 10.0 * np.arange(2)[:, None] + np.arange(steps)
        arrays.write(tmp_path / f"{name}.h5", [f"{name}_0", f"{name}_1"], {}, {"x": values}, range(steps))
        store.ingest(sqlite_store, arrays.read(tmp_path / f"{name}.h5"))
    store.ingest(sqlite_store, counters([5, 2]))
    ensemble = store.load(sqlite_store)
    assert ensemble.run_ids == ("a_0", "a_1", "b_0", "b_1", "c_0", "c_1")
    assert ensemble.lengths.tolist() == [5, 2, 4, 4, 6, 6]
    np.testing.assert_array_equal(np.nanmax(ensemble.values[..., 0], axis=1), [4, 1001, 3, 13, 5, 15])
    assert ensemble.times.tolist() == list(range(6))


def test_loading_runs_costs_few_times_what_parsing_does(sqlite_store):
    (run,) = make_runs(1)
    store.ingest(sqlite_store, [run._replace(id=f"a_{number}") for number in range(1024)])

    def parse():
        with closing(store.connect(sqlite_store)) as opened:
            assert sum(len(orjson.loads(raw)) for raw in opened.entries(opened.run_ids()))

    def load():
        assert store.load(sqlite_store).values.shape == (1024, 400, 3)

    def seconds(work) -> float:
        """Of processor time, the least of three: what else the machine does comes on top."""
        found = []
        for _ in range(3):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
        return min(found)

    parsing = seconds(parse)
    assert seconds(load) < 5 * parsing
    assert seconds(lambda: store.unusable_inputs(sqlite_store)) < parsing  # without the series
