"""Arrays that other programs write, in NetCDF, HDF5, Zarr or NumPy's files, are read as they are meant."""

import h5py
import numpy as np
import pytest
import xarray as xr
from foreign import FIRST, RUNS, STEPS, TIMES, VALUES, dataset, read

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import open_arrays
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError


def test_netcdf_3_and_4_and_zarr_give_runs_inputs_and_units(tmp_path):
    pytest.importorskip("zarr")
    dataset().to_netcdf(tmp_path / "four.nc", engine="h5netcdf")
    dataset().to_netcdf(tmp_path / "three.nc", engine="scipy")
    dataset().to_zarr(tmp_path / "z.zarr", zarr_format=2)
    for path in tmp_path.iterdir():
        runs = list(read(path).values())
        assert [run.id for run in runs] == [f"{path.stem}_{place}" for place in range(4)]
        assert runs[1].series == {"time": TIMES.tolist(), "x": VALUES[1, :, 0].tolist(), "y": VALUES[1, :, 1].tolist()}
        assert runs[1].data == {"mass": 1}
        assert runs[1].units == {"x": "m", "mass": "kg", "time": "d"}


@pytest.mark.parametrize("times", ["numbers", "dates", "durations", "since"])
def test_times_are_numbers_dates_durations_or_since_a_date(tmp_path, times):
    data = dataset()
    if times == "dates":
        data = xr.decode_cf(data)
    elif times == "durations":
        data["time"] = (TIMES * 86400e9).astype("timedelta64[ns]")
    elif times == "numbers":
        data["time"] = ("time", TIMES * 86400, {"units": "seconds"})
    else:
        data["time"] = ("time", TIMES + 5, {"units": "days since 2001-01-01"})
    ensemble = Ensemble.from_xarray(data)
    expected = {"since": (TIMES, "d")}.get(times, (TIMES * 86400, "s"))
    np.testing.assert_array_equal(ensemble.times, expected[0])
    assert ensemble.step_unit == expected[1]


@pytest.mark.parametrize("order", [("member", "time"), ("time", "member")])
def test_the_time_may_be_the_first_or_the_last_dimension(order):
    ensemble = Ensemble.from_xarray(dataset().transpose(*order))
    np.testing.assert_array_equal(ensemble.values, VALUES[..., :2])


def test_names_along_a_dimension_are_features():
    array = xr.DataArray(
        VALUES, dims=("run", "t", "variable"), coords={"variable": ["x", "y", "z"], "run": list("abcd")}
    )
    ensemble = Ensemble.from_xarray(array)
    assert (ensemble.features, ensemble.run_ids) == (("x", "y", "z"), ("a", "b", "c", "d"))
    np.testing.assert_array_equal(ensemble.values, VALUES)
    assert (ensemble.step_unit, ensemble.times.tolist()) == ("", list(range(STEPS)))


def test_other_dimensions_are_parts_of_a_series():
    array = xr.DataArray(VALUES.reshape(RUNS, STEPS, 1, 3), dims=("run", "time", "lat", "lon"), name="T")
    ensemble = Ensemble.from_xarray(array)
    assert ensemble.features == ("T[0,0]", "T[0,1]", "T[0,2]")
    np.testing.assert_array_equal(ensemble.values, VALUES)


def test_a_series_without_a_run_belongs_to_all_of_them():
    data = dataset()
    data["forcing"] = ("time", TIMES)
    ensemble = Ensemble.from_xarray(data, features=("x", "forcing"))
    np.testing.assert_array_equal(ensemble.values[..., 1], np.tile(TIMES, (4, 1)))


def test_npz_is_read_by_the_sizes_of_its_arrays(tmp_path):
    names = {"features": ["x", "y", "z"], "inputs_mass": np.arange(4.0)}
    np.savez(tmp_path / "a.npz", values=VALUES, times=TIMES, **names)
    np.savez_compressed(tmp_path / "b.npz", values=VALUES.transpose(1, 2, 0), times=TIMES, **names)
    for name in "ab":
        runs = list(read(tmp_path / f"{name}.npz").values())
        assert [run.data for run in runs] == [{"mass": place} for place in range(4)]
        assert runs[2].series == {"time": TIMES.tolist()} | dict(zip("xyz", VALUES[2].T.tolist(), strict=True))


def test_plain_hdf5_with_the_time_first_is_read_as_it_is_meant(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"], file["t"] = VALUES[..., 0].T, VALUES[..., 1].T, TIMES
        file["mass"] = np.arange(4)
    runs = read(tmp_path / "a.h5")
    assert runs["a_1"].series == {"time": TIMES.tolist(), "x": VALUES[1, :, 0].tolist(), "y": VALUES[1, :, 1].tolist()}
    assert runs["a_1"].data == {"mass": 1}


def test_runs_end_where_only_nan_follows_and_gaps_are_counted():
    data = dataset().astype(float)
    data["x"][1, 4:] = data["y"][1, 4:] = np.nan
    ensemble = Ensemble.from_xarray(data)
    assert ensemble.lengths.tolist() == [6, 4, 6, 6]
    data["x"][2, 1:3] = np.nan
    with pytest.raises(RecordError, match="x 2; run run_2: x 2; --gaps fill"):
        Ensemble.from_xarray(data)
    filled = Ensemble.from_xarray(data, gaps="fill")
    np.testing.assert_array_equal(filled.values[2, :, 0], VALUES[2, :, 0])
    assert Ensemble.from_xarray(data, gaps="drop").run_ids == ("run_0", "run_1", "run_3")


def test_clocks_of_their_own_that_differ_by_rounding_are_one():
    data = dataset().drop_vars("time")
    clocks = np.tile(TIMES, (4, 1))
    data["time"] = (("member", "time"), clocks * (1 + 1e-9 * np.arange(4))[:, None])
    np.testing.assert_array_equal(Ensemble.from_xarray(data).times, TIMES)
    data["time"] = (("member", "time"), clocks * (1 + np.arange(4))[:, None])
    with pytest.raises(RecordError, match=r"run run_1 has step 1 at time 1, run run_0 at 0\.5: --resample DT"):
        Ensemble.from_xarray(data)
    assert Ensemble.from_xarray(data, resample=0.5).lengths.tolist() == [6, 11, 16, 21]


def test_packed_numbers_and_missing_values_of_netcdf_are_decoded(tmp_path):
    packed = {"x": {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -999}}
    data = dataset()
    data["x"][3, 5] = data["y"][3, 5] = np.nan
    data.to_netcdf(tmp_path / "a.nc", engine="scipy", encoding=packed)
    runs = read(tmp_path / "a.nc")
    assert runs["a_0"].series["x"] == FIRST
    assert len(runs["a_3"].series["x"]) == 5


def test_an_ensemble_is_equal_after_the_way_through_xarray(tmp_path):
    lengths, counted = np.array([6, 5, 6, 4]), np.where(np.arange(STEPS) < [[6], [5], [6], [4]], 1.0, np.nan)
    ensemble = Ensemble(
        VALUES[..., :1].astype(float) * counted[..., None],
        ("a", "b", "c", "d"),
        ("x",),
        TIMES,
        inputs={"mass": np.arange(4.0)},
        results={"num_hits": np.ones(4)},
        units={"x": "m", "mass": "kg"},
        step_unit="h",
        lengths=lengths,
    )
    again = Ensemble.from_xarray(ensemble.to_xarray())
    np.testing.assert_array_equal(again.values, ensemble.values)
    for name in ("run_ids", "features", "units", "step_unit", "notes"):
        assert getattr(again, name) == getattr(ensemble, name)
    for name in ("inputs", "results"):
        assert {key: each.tolist() for key, each in getattr(again, name).items()} == {
            key: each.tolist() for key, each in getattr(ensemble, name).items()
        }
    assert (again.lengths.tolist(), again.times.tolist()) == (lengths.tolist(), TIMES.tolist())


def test_names_with_a_slash_come_back_from_netcdf(tmp_path):
    """For NetCDF a / parts groups; xarray refuses it."""
    names = ("p/q", "u/v[0]", "u/v[1]")
    ensemble = Ensemble(VALUES.astype(float), tuple("abcd"), names, TIMES, {"L/D": np.arange(4.0)}, {"p/q": "1"})
    data = ensemble.to_xarray()
    data.to_netcdf(tmp_path / "runs.nc", engine="h5netcdf")
    assert (list(data.data_vars), data["p_q"].attrs["long_name"]) == (["L_D", "p_q", "u_v"], "p/q")
    for again in (Ensemble.from_xarray(data), Ensemble.from_xarray(xr.open_dataset(tmp_path / "runs.nc"))):
        assert (again.features, again.units["p/q"], again.inputs["L/D"].tolist()) == (names, "1", [0, 1, 2, 3])
        np.testing.assert_array_equal(again.values, ensemble.values)
    assert set(read(tmp_path / "runs.nc")["a"].series) == {"time", *names}
    taken = Ensemble(VALUES.astype(float), tuple("abcd"), ("L/D", "L_D", "x"), TIMES)
    with pytest.raises(ValueError, match="'L_D': expected another name, L_D is taken"):
        taken.to_xarray()


def test_frames_keep_whole_numbers_and_lengths_through_xarray():
    pixels = VALUES.astype("u1").reshape(RUNS, STEPS, 3)
    features = ("frame[0,0]", "frame[0,1]", "frame[0,2]")
    ensemble = Ensemble(pixels, tuple("abcd"), features, TIMES, lengths=np.array([6, 6, 2, 6]))
    data = ensemble.to_xarray()
    assert (data["frame"].shape, data["frame"].dtype) == ((4, 6, 1, 3), np.uint8)
    again = Ensemble.from_xarray(data)
    assert (again.values.dtype, again.features, again.lengths.tolist()) == (np.uint8, features, [6, 6, 2, 6])
    np.testing.assert_array_equal(again.values[3], pixels[3])


def test_a_file_is_read_some_runs_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("sim2seq.data.foreign.wide.NUMBERS_AT_ONCE", 20)
    np.savez(tmp_path / "a.npz", values=VALUES, times=TIMES, features=["x", "y", "z"])
    assert open_arrays(str(tmp_path / "a.npz"), Reading()).runs_at_once == 1
    assert read(tmp_path / "a.npz")["a_3"].series["z"] == VALUES[3, :, 2].tolist()


def test_a_dimension_that_no_name_tells_is_asked_for(tmp_path):
    data = dataset().rename(time="n", member="k").drop_vars("n")
    with pytest.raises(RecordError, match=r"which of its dimensions k, n is the time\? --time NAME says it"):
        Ensemble.from_xarray(data)
    np.testing.assert_array_equal(Ensemble.from_xarray(data, time="n", run="k").values, VALUES[..., :2])


def test_a_file_into_which_nothing_was_written_is_refused():
    for empty in ("time", "member"):
        with pytest.raises(RecordError, match=f"nothing was written: {empty} has length 0"):
            Ensemble.from_xarray(dataset().isel({empty: slice(0)}))


def test_days_in_digits_are_dates_in_netcdf_too():
    data = dataset().assign_coords(time=("time", [20240228, 20240228.5, 20240229, 20240229.5, 20240301, 20240301.5]))
    data["time"].attrs["units"] = "day as %Y%m%d.%f"
    ensemble = Ensemble.from_xarray(data)
    assert (ensemble.times.tolist(), ensemble.step_unit) == ([43200 * step for step in range(6)], "s")


def test_a_table_in_hdf5_has_its_fields_as_series(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["log"] = np.array(list(zip(TIMES, FIRST, strict=True)), dtype=[("time", "f8"), ("x", "f4")])
    assert read(tmp_path / "a.h5")["a"].series == {"time": TIMES.tolist(), "x": FIRST}
