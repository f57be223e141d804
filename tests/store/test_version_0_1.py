"""What version 0.1 wrote still loads, number by number: those that it printed itself."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sim2seq.data import arrays
from sim2seq.store import store

OLD = Path(__file__).parents[1] / "samples" / "version_0_1"
DIGESTS = {
    "g_1": "c0e594c9c706ed20cd6bfaeab3ae63c2",
    "g_2": "0da8bc0535d8d5258011165fedf46a0b",
    "g_10": "478caf2a8e1c9aaa362dae9765eeafd5",
}


@pytest.fixture
def old_store(tmp_path):
    (path := tmp_path / "store.sqlite").write_bytes((OLD / "store.sqlite").read_bytes())
    return path


def test_an_old_store_loads_with_the_same_numbers(old_store):
    ensemble = store.load(old_store)
    assert ensemble.run_ids == tuple(f"47bcda_{number}" for number in range(1, 7))
    assert (ensemble.features, ensemble.values.shape) == (("x_pos", "y_pos", "z_pos"), (6, 400, 3))
    np.testing.assert_allclose(ensemble.values[0, 0], [49.09702, 49.09127, 50.008235], rtol=1e-9)
    np.testing.assert_allclose(ensemble.values[5, 399], [56.40219577, 9.63509137, 57.24473702], rtol=1e-8)
    written = "cb94e3d593df78fb2d080541f96fbcc96ec085878fea0673a33e758c75bc36dc"
    assert hashlib.sha256(ensemble.values.tobytes()).hexdigest() == written
    assert (ensemble.times[-1], ensemble.uniform) == (19.95, True)
    assert ensemble.inputs["x_vel_initial"].tolist() == [5.1944, 5.3815, 5.2117, 5.1411, 5.2635, 5.3049]
    assert store.unusable_inputs(old_store) == {}


def test_an_old_store_takes_more_runs(old_store, tmp_path):
    arrays.write(tmp_path / "runs.h5", ["a_1"], {}, {f"{axis}_pos": [[1.0, 2.0]] for axis in "xyz"}, [0.0, 0.05])
    assert store.ingest(old_store, arrays.read(tmp_path / "runs.h5")) == {"added": 1}
    assert store.load(old_store).lengths.tolist() == [400] * 6 + [2]


def test_an_old_array_file_fits_the_digests_in_old_stores():
    runs = list(arrays.read(OLD / "runs.h5"))
    assert {run.id: run.place[2] for run in runs} == DIGESTS
    assert [run.data for run in runs] == [
        {"drag": drag, "scheme": "tick", "num_bounces": bounces} for drag, bounces in [(0.1, 1), (0.2, 2), (0.3, 3)]
    ]
    block = arrays.series_of(OLD / "runs.h5", list(DIGESTS), [0, 1, 2], list(DIGESTS.values()))
    count = 10.0 * np.arange(3)[:, None] + np.arange(5)  # what its maker gave it
    np.testing.assert_array_equal(block.series["x"], count)
    np.testing.assert_array_equal(block.series["y"], -count / 3)
    assert (block.times.tolist(), block.lengths.tolist()) == ([0.0, 0.05, 0.1, 0.15, 0.2], [5, 5, 5])
