"""What an array is in its file, a series, an input, the clock or the lengths of runs."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from foreign import as_matlab_writes, read

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import open_arrays
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError

T = np.arange(5) / 4


@pytest.mark.parametrize("runs", [1, 3])
def test_places_that_are_coordinates_of_others_are_series(tmp_path, runs):
    dims, x = ("obs",) if runs == 1 else ("trajectory", "obs"), np.outer([1.0, 2, 3], 1 + T)[:runs].squeeze()
    data = xr.Dataset({"temp": (dims, x), "area": ("cell", [1.0, 2.0])}, {"lat": (dims, 2 * x), "lon": (dims, 3 * x)})
    data = data.assign_coords(time=(dims, np.broadcast_to(T, x.shape)), month=("cell", [1, 1]))
    data.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", decode_coords=False) as raw:
        assert raw["temp"].attrs["coordinates"].split() == ["lat", "lon", "time"]
    options = {} if runs == 1 else {"run": "trajectory"}
    found = list(read(tmp_path / "a.nc", **options).values())
    assert len(found) == runs
    for run, last in zip(found, x.reshape(runs, 5)[:, -1], strict=True):
        assert {name: values[-1] for name, values in run.series.items()} == {
            **{"time": 1, "temp": last},
            **{"lat": 2 * last, "lon": 3 * last},
        }
    assert sorted(open_arrays(str(tmp_path / "a.nc"), Reading(**options)).passed_by) == ["area", "month"]


def test_both_kinds_of_matlabs_files_give_the_same_runs(tmp_path):
    x = np.arange(30.0).reshape(3, 5, 2)
    arrays = {"t": T[:, None], "x": x, "inputs_mass": np.arange(3.0)[:, None], "dt": 0.25, "mode": "fast"}
    scipy.io.savemat(tmp_path / "a.mat", arrays)
    old = read(tmp_path / "a.mat")
    as_matlab_writes(tmp_path / "a.mat", arrays)
    assert open_arrays(str(tmp_path / "a.mat"), Reading()).passed_by == ["cell"]
    new = read(tmp_path / "a.mat")
    assert new == old
    assert new["a_2"].series == {"time": T.tolist(), "x[0]": x[2, :, 0].tolist(), "x[1]": x[2, :, 1].tolist()}
    assert new["a_2"].data == {"mass": 2, "dt": 0.25, "mode": "fast"}


@pytest.mark.parametrize("turned", [False, True])
def test_times_with_an_axis_of_one_place_are_the_clock(tmp_path, turned):
    arrays = {"t": T[None] if turned else T[:, None], "x": np.arange(30.0).reshape(3, 5, 2)}
    np.savez(tmp_path / "a.npz", **arrays)
    with h5py.File(tmp_path / "b.h5", "w") as file, h5py.File(tmp_path / "c.h5", "w") as many:
        for name, each in arrays.items():
            file[name], many[f"r1/{name}"], many[f"r2/{name}"] = each, each[..., 0], each[..., 0]
        for run in many.values():
            del run["t"], run["x"]
            run["t"], run["x"] = arrays["t"], T
    for path in (tmp_path / "a.npz", tmp_path / "b.h5", tmp_path / "c.h5"):
        runs = list(read(path).values())
        assert len(runs) == (2 if path.stem == "c" else 3)
        assert [run.series["time"] for run in runs] == [T.tolist()] * len(runs)


def test_times_along_another_axis_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", t=np.outer(T, [1, 2]), x=np.arange(30.0).reshape(3, 5, 2))
    with pytest.raises(
        RecordError, match=r"time 't' \(5, 2\) along .*: expected a time for each step, or for each step"
    ):
        read(tmp_path / "a.npz")


def test_a_length_of_runs_that_go_on_is_an_input(tmp_path):
    x = np.outer([1.0, 2.0, 3.0], 1 + T)
    for name, lengths in (("length", [0.5, 1.5, 2.5]), ("lengths", [1, 2, 3]), ("n_steps", [7, 8, 9])):
        xr.Dataset({"x": (("run", "time"), x), name: ("run", lengths)}).to_netcdf(tmp_path / f"{name}.nc")
        runs = read(tmp_path / f"{name}.nc")
        assert [run.data for run in runs.values()] == [{name: value} for value in lengths]
        assert [len(run.series["x"]) for run in runs.values()] == [5, 5, 5]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for run, length in (("r1", 1), ("r2", 2)):
            file[f"{run}/length"], file[f"{run}/t"], file[f"{run}/x"] = length, T, T
    assert [run.data for run in read(tmp_path / "a.h5").values()] == [{"length": 1}, {"length": 2}]


@pytest.mark.parametrize("padding", [np.nan, 0, -1])
def test_a_length_after_which_nothing_comes_ends_the_run(tmp_path, padding):
    lengths, x = np.array([2, 5, 3]), np.outer([1.0, 2.0, 3.0], 1 + T)
    x[np.arange(5) >= lengths[:, None]] = padding
    np.savez(tmp_path / "a.npz", t=T, x=x, y=x, length=lengths)
    runs = read(tmp_path / "a.npz")
    assert [len(run.series["x"]) for run in runs.values()] == [2, 5, 3]
    assert (runs["a_2"].series["y"], runs["a_2"].data) == ([3, 3.75, 4.5], {})
    data = xr.Dataset({"x": (("run", "time"), x), "length": ("run", lengths, {"units": "m"})})
    assert Ensemble.from_xarray(data.fillna(0)).inputs["length"].tolist() == [2, 5, 3]


def test_runs_as_many_as_steps_leave_open_what_the_time_is(tmp_path):
    x = np.outer(T, 1 + T)
    np.savez(tmp_path / "a.npz", x=x, t=T, inputs_mass=1 + T)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["t"], file["inputs/mass"] = x, T, 1 + T
    for path in (tmp_path / "a.npz", tmp_path / "a.h5"):
        with pytest.raises(
            RecordError, match=r"x \(5, 5\): t could belong to any of its axes: --dims says what they are"
        ):
            read(path)
        run = read(path, dims=("time", "run"))["a_2"]
        assert (run.series, run.data) == ({"time": T.tolist(), "x": x[:, 2].tolist()}, {"mass": 1.5})


def test_arrays_of_other_runs_are_no_features_of_these(tmp_path):
    train, test = np.arange(24.0).reshape(4, 3, 2), np.arange(30.0).reshape(5, 3, 2)
    np.savez(tmp_path / "a.npz", x_train=train, x_test=test)
    with pytest.raises(
        RecordError, match=r"x_train \(4, 3, 2\), x_test \(5, 3, 2\): expected the same runs, or a file"
    ):
        read(tmp_path / "a.npz")


def test_what_is_neither_series_nor_input_is_said(tmp_path):
    parts = np.zeros((2, 2), [("re", "f8"), ("im", "f8")])
    with h5py.File(tmp_path / "a.h5", "w") as file, h5py.File(tmp_path / "b.h5", "w") as groups:
        file["x"], file["t"], file["inputs/mass"], file["mesh/nodes"] = np.outer([1.0, 2, 3], T), T, [1, 2, 3], [1, 2]
        file["inputs/time"] = T
        file["inputs/table"], file["inputs/matrix"], file["waves"] = [1.0, 2], np.zeros((3, 3)), 1j * T
        file.create_dataset("inputs/ragged", (3,), h5py.vlen_dtype(float))
        file.attrs["bounds"], file["inputs"].attrs["box"] = [0.0, 1], [0.0, 1]
        for run in ("r1", "r2"):
            groups[f"{run}/t"], groups[f"{run}/x"], groups[f"{run}/waves"] = T, T, 1j * T
            groups[f"{run}/parts"], groups[run].attrs["bounds"] = parts, [0.0, 1]
    expected = [
        "bounds",
        "inputs/box",
        "inputs/matrix",
        "inputs/ragged",
        "inputs/table",
        "inputs/time",
        "mesh",
        "waves",
    ]
    assert sorted(open_arrays(str(tmp_path / "a.h5"), Reading()).passed_by) == expected
    assert sorted(open_arrays(str(tmp_path / "b.h5"), Reading()).passed_by) == ["bounds", "parts", "waves"]
    assert [run.data for run in read(tmp_path / "a.h5").values()] == [{"mass": 1}, {"mass": 2}, {"mass": 3}]
    assert [list(run.series) for run in read(tmp_path / "b.h5").values()] == [["time", "x"]] * 2


def test_runs_that_stay_fit_into_the_type_of_the_first(tmp_path, monkeypatch):
    types = ("i2", "f4")
    for name in types:
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            for run, kind in enumerate((name, *set(types) - {name})):
                file[f"r{run}/t"], file[f"r{run}/x"] = T, (T + 0.5).astype(kind)
    assert read(tmp_path / "i2.h5")["r1"].series["x"] == (T + 0.5).tolist()
    monkeypatch.setattr("sim2seq.data.foreign.runs.STAYS", 0)
    assert [run.place[1] for run in read(tmp_path / "f4.h5").values()] == [0, 1]
    with pytest.raises(RecordError, match=r"i2.h5: run r1: expected x in numbers of type int16, .*; got float32: w"):
        read(tmp_path / "i2.h5")


def test_a_name_to_be_changed_that_nothing_has_is_refused():
    frame, inputs = pd.DataFrame({"t": T, "x": T}), pd.DataFrame({"mass": [1.0]}, index=["run"])
    with pytest.raises(RecordError, match="nothing that was read is named xx; did you mean x"):
        Ensemble.from_pandas(frame, rename={"xx": "y"})
    with pytest.raises(RecordError, match="nothing that was read is named xx; did you mean x"):
        Ensemble.from_xarray(frame.set_index("t").to_xarray(), rename={"xx": "y"})
    assert Ensemble.from_pandas(frame, rename={"mass": "m", "x": "y"}, inputs=inputs).inputs["m"].tolist() == [1]


def test_an_input_without_end_is_refused_with_its_run(tmp_path):
    held = xr.Dataset({"x": ("time", T), "tol": np.inf}, {"time": T})
    held.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(RecordError, match="run a, input tol: expected a finite number or a gap, got inf"):
        read(tmp_path / "a.nc")


@pytest.mark.parametrize("way", ["number", "trajectory", "ens", "standard_name=realization", "cf_role=trajectory_id"])
def test_a_dimension_that_other_programs_call_so_is_the_run(tmp_path, way):
    attribute, _, value = way.rpartition("=")
    dim = "m" if attribute else way
    data = xr.Dataset({"x": ((dim, "time"), np.outer([1.0, 2, 3], 1 + T))}, {"time": T, dim: [7, 8, 9]})
    data[dim].attrs |= {attribute: value} if attribute else {}
    data.to_netcdf(tmp_path / "a.nc")
    assert {name: run.series["x"][0] for name, run in read(tmp_path / "a.nc").items()} == {"7": 1, "8": 2, "9": 3}


def test_a_series_named_as_a_run_may_be_is_a_series(tmp_path):
    xr.Dataset({"number": ("time", 2 * T), "x": ("time", T)}, {"time": T}).to_netcdf(tmp_path / "a.nc")
    assert list(read(tmp_path / "a.nc")["a"].series) == ["time", "number", "x"]


def test_labels_and_fields_of_tables_take_other_names(tmp_path):
    values = np.arange(20.0).reshape(2, 5, 2)
    data = xr.Dataset({"v": (("run", "time", "part"), values)}, {"time": T, "part": ["left", "right"], "run": [1, 2]})
    data.to_netcdf(tmp_path / "a.nc")
    found = read(tmp_path / "a.nc", rename={"left": "x"}, features=("right", "x"))
    assert found["2"].series["x"] == values[1, :, 0].tolist()
    with pytest.raises(RecordError, match="two series are named right: --rename OLD=NEW"):
        read(tmp_path / "a.nc", rename={"left": "right"})
    table = np.array([(t, 2 * t) for t in T], dtype=[("time", float), ("x", float)])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["table"] = table
    assert read(tmp_path / "b.h5", rename={"x": "y"})["b"].series["y"] == (2 * T).tolist()


@pytest.mark.parametrize("version", [2, 3])
def test_zeros_in_zarr_are_numbers_and_other_fills_are_not(tmp_path, version):
    zarr = pytest.importorskip("zarr")
    x = np.array([[0.0, 1, 0, 3, 0], [5, -999, 7, 8, 9]])
    held = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    for name, each, fill in (("x", x, 0), ("n", x.astype("i4"), 0), ("gaps", x, -999), ("time", T, 0)):
        dims = ["run", "time"][-each.ndim :]
        named = {"dimension_names": dims} if version == 3 else {}
        array = held.create_array(name, shape=each.shape, dtype=each.dtype, fill_value=fill, **named)
        array[...] = each
        array.attrs.update({"_ARRAY_DIMENSIONS": dims} if version == 2 else {})
    first, second = read(tmp_path / "a.zarr", features=("x", "n")).values()
    assert (first.series["x"], second.series["n"]) == (x[0].tolist(), x[1].tolist())
    assert first.series["time"] == T.tolist()
    if version == 2:  # in version 3 a fill value is no word of a gap
        with pytest.raises(RecordError, match="gaps 1; run a_1: gaps 1"):
            read(tmp_path / "a.zarr", features=("gaps",))


@pytest.mark.parametrize("group", ["", "result"])
def test_axes_of_which_only_some_have_a_scale_are_read(tmp_path, group):
    x = np.outer([1.0, 2, 3], T)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        held = file.require_group(group or "/")
        held["time"], held["x"], held["y"], held["mass"] = T, x, 2 * x, [4.0, 5, 6]
        held["time"].make_scale("time")
        held["x"].dims[1].attach_scale(held["time"])
        held.attrs["solver"], held.attrs["dt"], held["x"].attrs["units"] = "exact", 0.25, "m"
    assert open_arrays(str(tmp_path / "a.h5"), Reading()).passed_by == []
    for options in ({}, {"dims": ("run", "time")}):
        run = read(tmp_path / "a.h5", **options)["a_2"]
        assert run.series == {"time": T.tolist(), "x": x[2].tolist(), "y": (2 * x[2]).tolist()}
        assert (run.data["mass"], run.units["x"]) == (6, "m")


def test_objects_of_python_are_left_out_and_said(tmp_path):
    x = np.outer([1.0, 2, 3], T)
    np.savez(tmp_path / "a.npz", t=T, x=x, mass=[4, 5, 6], config=np.array({"seed": 1}, dtype=object))
    assert open_arrays(str(tmp_path / "a.npz"), Reading()).passed_by == ["config"]
    assert [(run.series["x"], run.data) for run in read(tmp_path / "a.npz").values()] == [
        (x[place].tolist(), {"mass": 4 + place}) for place in range(3)
    ]


def test_what_is_no_array_in_matlabs_files_is_said(tmp_path):
    others = {"config": {"seed": 1.0}, "words": np.array(["a", 2.0], dtype=object), "waves": 1j * T}
    scipy.io.savemat(tmp_path / "a.mat", {"t": T, "x": np.outer([1, 2, 3], T), "mass": [4, 5, 6], **others})
    assert open_arrays(str(tmp_path / "a.mat"), Reading()).passed_by == list(others)
    assert read(tmp_path / "a.mat")["a_2"].data == {"mass": 6}


def test_an_input_that_a_run_lacks_is_named_with_the_run():
    frame = pd.DataFrame({"run": [1, 1, 2, 2], "t": [0, 1, 0, 1], "x": [1.0, 2, 3, 4]})
    frame["mass"], frame["mode"] = [1.0, 1, None, None], ["a", "a", "b", "b"]
    data = xr.Dataset({"x": (("run", "time"), np.outer([1, 2], T)), "mass": ("run", [1.0, np.nan])}, {"time": T})
    data["mode"], data["run"] = ("run", ["a", "b"]), [1, 2]
    for ensemble in (Ensemble.from_pandas(frame), Ensemble.from_xarray(data)):
        assert ensemble.unusable == {"mass": "run 2 lacks it", "mode": "run 1 has 'a'"}
        with pytest.raises(ValueError, match="input 'mass': expected a number in every run; run 2 lacks it"):
            ensemble.inputs_of_runs(["mass"])


def test_complex_columns_of_a_frame_are_refused():
    frame = pd.DataFrame({"t": T, "x": T, "wave": 1 + 1j * T})
    with pytest.raises(RecordError, match="column 'wave': expected real numbers, got complex ones"):
        Ensemble.from_pandas(frame)
    assert Ensemble.from_pandas(frame, features=("x",)).features == ("x",)


@pytest.mark.parametrize("way", [("row", "sample_dimension"), ("obs", "instance_dimension")])
def test_ragged_arrays_of_cf_are_refused_by_name(tmp_path, way):
    dim, attribute = way
    data = xr.Dataset({"x": ("obs", np.arange(6.0))}, {"time": ("obs", np.arange(6.0))})
    data["which"] = (dim, np.array([2, 4] if dim == "row" else [0, 0, 1, 1, 1, 1]), {attribute: "obs"})
    data.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(RecordError, match=f"variable 'which' has {attribute}: a ragged array"):
        read(tmp_path / "a.nc")
