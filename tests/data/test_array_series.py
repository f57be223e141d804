"""Series of an array file may have further dimensions, other types and runs that end early; they stay what they are."""

import os

import h5py
import numpy as np
import pytest

from sim2seq.data import array_layout, arrays
from sim2seq.data.records import RecordError, Run
from sim2seq.store import store

SERIES = "physics_cycle_series"
IDS = ["a_1", "a_2", "a_3"]
FRAMES = np.arange(3 * 4 * 2 * 3, dtype=np.uint8).reshape(3, 4, 2, 3)  # runs, steps, rows, columns
PIXELS = tuple(f"frame[{row},{column}]" for row in range(2) for column in range(3))
LENGTHS = [4, 1, 3]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    store.create(path := tmp_path_factory.mktemp("empty") / "store.sqlite")
    return path


@pytest.fixture
def loaded(empty, tmp_path):
    """Write runs to an array file and load them from a store."""
    (path := tmp_path / "store.sqlite").write_bytes(empty.read_bytes())

    def load(series, *, lengths=None, units=None, **options):
        steps, more = next(iter(series.values())).shape[1], {"lengths": lengths, "units": units}
        arrays.write(tmp_path / "runs.h5", IDS, {"seed": [1, 2, 3]}, series, np.arange(steps) / 10, **more)
        store.ingest(path, arrays.read(tmp_path / "runs.h5"), replace=True)
        return store.load(path, **options)

    return load


def digests(path) -> list[str]:
    return [run.place[2] for run in arrays.read(path)]


def test_frames_stay_bytes_and_become_features_row_by_row(loaded):
    ensemble = loaded({"frame": FRAMES})
    assert (ensemble.features, ensemble.values.dtype) == (PIXELS, np.uint8)
    np.testing.assert_array_equal(ensemble.values, FRAMES.reshape(3, 4, 6))
    assert ensemble.inputs["seed"].tolist() == [1, 2, 3]


def test_units_of_columns_are_those_of_features_inputs_and_steps(loaded):
    units = {"frame": "lx", "time": "min", "seed": "", "x": "µm"}
    ensemble = loaded({"frame": FRAMES, "x": np.ones((3, 4))}, units=units)
    assert ensemble.units_of(ensemble.features) == ("lx",) * 6 + ("µm",)
    assert (ensemble.step_unit, ensemble.units_of(["seed"])) == ("min", ("",))
    before = loaded({"x": np.ones((3, 4))})
    assert (before.step_unit, before.units) == ("s", {})


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (np.bytes_("m%"), "unit of x: expected printable text"),
        ("m", "expected its units to be one text of a fixed length"),
    ],
)
def test_what_is_no_unit_is_refused(tmp_path, unit, words):
    arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4))}, range(4), units={"x": "m"})
    with h5py.File(tmp_path / "runs.h5", "r+") as file:
        file[SERIES]["x"].attrs["units"] = unit
    with pytest.raises(RecordError, match=words):
        list(arrays.read(tmp_path / "runs.h5"))
    with pytest.raises(RecordError, match="unit of 'y': expected the name of a column"):
        arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4))}, range(4), units={"y": "m"})


def test_a_name_is_that_of_a_number_or_of_a_series(tmp_path):
    with pytest.raises(RecordError, match="expected each name once, got 'x' of the run and of its steps"):
        arrays.write(tmp_path / "runs.h5", IDS, {"x": 1}, {"x": np.ones((3, 4))}, range(4))


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "f4", "f8"])
def test_series_of_one_type_keep_it(loaded, kind):
    values = np.arange(-6, 6).reshape(3, 4).astype(kind)
    ensemble = loaded({"x": values, "spin": -values})
    assert ensemble.values.dtype == np.dtype(kind)
    np.testing.assert_array_equal(ensemble.values[..., 1], -values)


def test_series_of_two_types_become_64_bit(loaded):
    series = {"frame": FRAMES, "action": np.full((3, 4), 0.5, np.float32)}
    ensemble = loaded(series)
    assert (ensemble.features, ensemble.values.dtype) == ((*PIXELS, "action"), np.float64)
    np.testing.assert_array_equal(ensemble.values[..., :6], FRAMES.reshape(3, 4, 6))
    assert (ensemble.values[..., 6] == 0.5).all()
    assert loaded(series, features=["frame"]).values.dtype == np.uint8
    assert loaded(series, features=["action"]).values.dtype == np.float32


@pytest.mark.parametrize("kind", ["i4", "u2", "bool", "f2"])
def test_numbers_of_other_types_are_written_as_64_bit(tmp_path, kind):
    arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4), kind)}, range(4))
    assert arrays.layout_of(tmp_path / "runs.h5").series == {"x": ((), np.dtype("f8"))}


def test_a_part_of_a_series_loads_in_the_given_order(loaded):
    series = {"frame": FRAMES, "action": np.arange(12, dtype=np.uint8).reshape(3, 4)}
    ensemble = loaded(series, features=["action", "frame[1,2]", "frame[0,1]"])
    assert ensemble.features == ("action", "frame[1,2]", "frame[0,1]")
    np.testing.assert_array_equal(ensemble.values[..., 1], FRAMES[..., 1, 2])
    np.testing.assert_array_equal(ensemble.values[..., 2], FRAMES[..., 0, 1])
    np.testing.assert_array_equal(ensemble.values[..., 0], series["action"])


@pytest.mark.parametrize(("kind", "padding"), [("u1", 0), ("f4", np.nan)])
def test_what_stands_after_the_end_of_a_run_is_not_read(loaded, kind, padding):
    values = 1 + np.arange(12, dtype=kind).reshape(3, 4)
    expected = np.where(np.arange(4) < np.array(LENGTHS)[:, None], values, padding)
    values[1, 1:] = 99 if kind == "u1" else np.inf
    ensemble = loaded({"x": values}, lengths=LENGTHS)
    assert (ensemble.lengths.tolist(), ensemble.values.dtype) == (LENGTHS, np.dtype(kind))
    np.testing.assert_array_equal(ensemble.values[..., 0], expected)
    shorter = loaded({"x": values}, lengths=LENGTHS, runs=["a_3", "a_2"])
    assert (shorter.lengths.tolist(), shorter.times.tolist()) == ([3, 1], [0.0, 0.1, 0.2])


def test_digests_are_those_of_a_run_that_was_written_alone(tmp_path):
    padded, alone = tmp_path / "padded.h5", tmp_path / "alone.h5"
    values = np.arange(12.0).reshape(3, 4)
    arrays.write(padded, IDS, {}, {"x": values}, range(4), lengths=LENGTHS)
    for run, length in enumerate(LENGTHS):
        arrays.write(alone, ["b"], {}, {"x": values[run : run + 1, :length]}, range(length))
        assert digests(alone) == [digests(padded)[run]]
    before = digests(padded)
    with h5py.File(padded, "r+") as file:
        file[SERIES]["x"][1, 2] = 5.0
    assert digests(padded) == before
    with h5py.File(padded, "r+") as file:
        file[SERIES]["x"][1, 0] = 5.0
    assert [was == now for was, now in zip(before, digests(padded), strict=True)] == [True, False, True]


def test_the_same_bytes_in_another_shape_are_other_content(tmp_path):
    shapes = [FRAMES, FRAMES.reshape(3, 4, 3, 2), FRAMES.reshape(3, 4, 6), FRAMES.view(np.int8)]
    found = []
    for number, frames in enumerate(shapes):
        arrays.write(tmp_path / f"{number}.h5", IDS, {}, {"frame": frames}, range(4))
        found += digests(tmp_path / f"{number}.h5")
    assert len(set(found)) == 12


def test_values_beyond_the_memory_keep_their_type(loaded, monkeypatch):
    monkeypatch.setattr(array_layout, "NUMBERS_AT_ONCE", 50)  # two runs of 24 numbers
    ensemble = loaded({"frame": FRAMES}, lengths=LENGTHS, in_memory=10)
    assert isinstance(ensemble.values, np.memmap)
    assert ensemble.values.dtype == np.uint8
    for run, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(ensemble.values[run, :length], FRAMES[run, :length].reshape(length, 6))
        assert not ensemble.values[run, length:].any()


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([4, 0, 3], "length: expected a whole number from 1 to 4 for each run"),
        ([4, 5, 3], "length: expected a whole number from 1 to 4"),
        ([4, 2.5, 3], "length: expected a whole number"),
        ([4, 3], r"length: expected numbers or words of shape \(3,\)"),
    ],
)
def test_lengths_that_do_not_fit_are_not_written(tmp_path, lengths, words):
    with pytest.raises(RecordError, match=words):
        arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4))}, range(4), lengths=lengths)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"x": np.ones((3, 5, 2))}, r"x: expected numbers of shape \(3, 4, \.\.\.\)"),
        ({"x": np.ones((3, 4, 0))}, "x: expected a series of shape"),
        ({"x": np.ones(3)}, "x: expected a series of shape"),
        ({"x": np.ones((3, 4, 1)), "x[0]": np.ones((3, 4))}, "expected each feature once"),
        ({"x": np.array([[[1.0, np.inf]] * 4] * 3)}, "column x: expected finite numbers, got inf"),
    ],
)
def test_series_that_do_not_fit_are_not_written(tmp_path, series, words):
    with pytest.raises(RecordError, match=words):
        arrays.write(tmp_path / "runs.h5", IDS, {}, series, range(4))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["i8", "u4", "f2", "c8"])
def test_a_foreign_file_with_other_types_is_refused(tmp_path, kind):
    arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4))}, range(4))
    with h5py.File(tmp_path / "runs.h5", "r+") as file:
        del file[SERIES]["x"]
        file[SERIES].create_dataset("x", data=np.ones((3, 4), kind))
    with pytest.raises(RecordError, match="x: expected uint8, int8, int16, float32, float64, got"):
        arrays.layout_of(tmp_path / "runs.h5")


def test_a_length_that_is_a_link_is_refused(tmp_path):
    arrays.write(tmp_path / "runs.h5", IDS, {}, {"x": np.ones((3, 4))}, range(4))
    with h5py.File(tmp_path / "runs.h5", "r+") as file:
        file["length"] = h5py.SoftLink("/nowhere")
    with pytest.raises(RecordError, match="expected 'length' in the file itself"):
        arrays.layout_of(tmp_path / "runs.h5")


def test_rows_far_apart_are_read_alone(tmp_path, monkeypatch):
    values, ids = np.arange(1000.0 * 4).reshape(1000, 4), [f"a_{run}" for run in range(1000)]
    arrays.write(tmp_path / "runs.h5", ids, {}, {"x": values}, range(4))
    runs, rows = list(arrays.read(tmp_path / "runs.h5")), [0, 1, 2, 500, 998, 999]
    block = arrays.series_of(tmp_path / "runs.h5", [ids[r] for r in rows], rows, [runs[r].place[2] for r in rows])
    np.testing.assert_array_equal(block.series["x"], values[rows])


def test_long_episodes_are_stored_in_pieces_of_a_megabyte(tmp_path):
    values = np.zeros((1, 3000, 32, 32), np.uint8)
    arrays.write(tmp_path / "runs.h5", ["a_1"], {}, {"frame": values}, range(3000))
    with h5py.File(tmp_path / "runs.h5") as file:
        assert file[SERIES]["frame"].chunks == (1, 1024, 32, 32)


def test_runs_of_records_and_frames_share_a_store(loaded, tmp_path):
    loaded({"x": np.ones((3, 4, 2), np.uint8)})
    store.ingest(
        tmp_path / "store.sqlite", [Run("b_1", {}, {"time": [0.0, 0.1], "x[1]": [1.0, 2.0], "x[0]": [3.0, 4.0]})]
    )
    ensemble = store.load(tmp_path / "store.sqlite")
    assert (ensemble.values.dtype, ensemble.lengths.tolist()) == (np.float64, [4, 4, 4, 2])
    np.testing.assert_array_equal(ensemble.values[3, :2, list(ensemble.features).index("x[1]")], [1.0, 2.0])
