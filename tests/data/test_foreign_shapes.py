"""What axes without names are, told by their lengths where these show it."""

import h5py
import numpy as np
import pytest
import scipy.io
from foreign import TIMES, VALUES, read

from sim2seq.data.records import RecordError

T = np.arange(5) / 4


def write_arrays(path, arrays):
    """Arrays without names of axes, in the kind of file that the suffix says."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, each in arrays.items():
                file[name] = each
    return path


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5"])
def test_three_places_of_one_run_are_not_taken_for_three_runs(tmp_path, suffix):
    place = np.arange(15.0).reshape(5, 3)
    path = write_arrays(tmp_path / f"a{suffix}", {"t": T, "pos": place, "vel": 2 * place})
    with pytest.raises(
        RecordError, match=r"(pos|vel) \(5, 3\): what are its axes\? --dims says it, such as --dims run,"
    ):
        read(path)
    (run,) = read(path, dims=("time", "feature")).values()
    assert [run.series[f"vel[{axis}]"] for axis in range(3)] == (2 * place.T).tolist()
    assert {run.id: run.series["pos"] for run in read(path, dims=("time", "run")).values()} == {
        f"a_{number}": place[:, number].tolist() for number in range(3)
    }


@pytest.mark.parametrize("arrays", [{"x": np.ones((3, 5)), "y": np.ones((3, 5))}, {"t": T, "f": np.ones((5, 3, 3))}])
def test_arrays_without_a_sign_of_runs_are_asked_about(tmp_path, arrays):
    with pytest.raises(RecordError, match=r"what are its axes\? --dims says it, such as --dims run,time"):
        read(write_arrays(tmp_path / "a.npz", arrays))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (5, 2, 3)])
def test_a_number_for_each_run_shows_the_runs(tmp_path, shape):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    runs = read(write_arrays(tmp_path / "a.npz", {"t": T, "x": x, "y": x, "mass": [4, 5, 6]}))
    along = np.moveaxis(x, shape.index(3), 0).reshape(3, 5, -1)
    for run, values, mass in zip(runs.values(), along, (4, 5, 6), strict=True):
        assert run.series["x" if len(shape) == 2 else "x[0]"] == values[:, 0].tolist()
        assert run.data.get("mass") == mass


def test_times_of_each_run_show_the_runs(tmp_path):
    x = np.arange(15.0).reshape(3, 5)
    runs = read(write_arrays(tmp_path / "a.npz", {"t": np.tile(T, (3, 1)), "x": x, "y": x}))
    assert [(run.series["time"], run.series["y"]) for run in runs.values()] == [(T.tolist(), row.tolist()) for row in x]


def test_dims_are_those_of_arrays_along_the_times(tmp_path):
    path = write_arrays(tmp_path / "a.h5", {"edges": np.zeros((7, 2)), "t": T, "x": np.ones((5, 3))})
    (run,) = read(path, dims=("time", "feature")).values()
    assert run.series == {"time": T.tolist()} | {f"x[{place}]": [1] * 5 for place in range(3)}


@pytest.mark.parametrize("beside", [{}, {"inputs_k": np.arange(3.0)}, {"run": ["a", "b", "c"]}])
@pytest.mark.parametrize("time", [{}, {"time": TIMES}])
def test_as_many_runs_as_features_are_told_apart(tmp_path, beside, time):
    np.savez(tmp_path / "a.npz", values=VALUES[:3], names=["x", "y", "z"], **beside, **time)
    for options in ({}, {"dims": ("run", "time", "feature")}):
        runs = read(tmp_path / "a.npz", **options)
        assert list(runs) == (["a", "b", "c"] if "run" in beside else ["a_0", "a_1", "a_2"])
        for run, values in zip(runs.values(), VALUES[:3], strict=True):
            assert {name: run.series[name] for name in "xyz"} == dict(zip("xyz", values.T.tolist(), strict=True))
    np.savez(tmp_path / "a.npz", values=VALUES[:3].transpose(2, 1, 0), names=["x", "y", "z"], **beside, **time)
    (first, *_) = read(tmp_path / "a.npz", dims=("feature", "time", "run")).values()
    assert first.series["y"] == VALUES[0, :, 1].tolist()


def test_texts_along_another_axis_than_the_last_ask_what_it_is(tmp_path):
    np.savez(tmp_path / "a.npz", values=VALUES, t=TIMES, label=list("abcd"))
    with pytest.raises(RecordError, match=r"values \(4, 6, 3\): what are its axes\? --dims says it"):
        read(tmp_path / "a.npz")
    assert list(read(tmp_path / "a.npz", dims=("run", "time", "feature"))) == list("abcd")
    assert list(read(tmp_path / "a.npz", dims=("feature", "time", "run"))["a_0"].series)[1:] == list("abcd")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"t": TIMES, "y": VALUES[0]}, r"a\.npz: y \(6, 3\): what are its axes\? --dims says it"),
        ({"t": TIMES, "y": np.zeros((6, 6, 2))}, "t could belong to any of its axes: --dims says what they are"),
        ({"t": TIMES, "word": np.array("x")}, "no series: along phony_dim_6 it has no numbers"),
        ({"y": np.array([[1], [1, 2]], dtype=object)}, "y holds objects of Python, such as arrays of unequal lengths"),
    ],
)
def test_arrays_that_leave_two_ways_open_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(RecordError, match=words):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("dims", [("time", "feature"), ("run", "time"), ("time", "run")])
def test_axes_without_names_are_what_they_are_said_to_be(tmp_path, dims):
    np.savez(tmp_path / "a.npz", y=VALUES[0])
    ensemble = read(tmp_path / "a.npz", dims=dims)
    shapes = {("time", "feature"): (1, 6, 3), ("run", "time"): (6, 3, 1), ("time", "run"): (3, 6, 1)}
    (first, *_) = ensemble.values()
    assert (len(ensemble), len(first.series["time"]), len(first.series) - 1) == shapes[dims]
