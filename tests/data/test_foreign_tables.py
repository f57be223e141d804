"""Tables that other programs write, one a run or one for all runs, are read as they are meant."""

import numpy as np
import pandas as pd
import pytest
from foreign import read

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading, split_unit
from sim2seq.data.foreign.runs import Beside, Seen, read_controls, read_inputs, runs_of
from sim2seq.data.records import RecordError

COUNTING = "time,x,y\n0,1,10\n1,2,20\n2,3,30\n"


def written(folder, **texts):
    """Files of these texts, NAME.csv."""
    paths = [folder / f"{name}.csv" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def test_one_table_a_run_has_its_id_from_the_name_of_the_file(tmp_path):
    runs = read(*written(tmp_path, run_1=COUNTING, run_2=COUNTING.replace("3,30", "4,40")))
    assert list(runs) == ["run_1", "run_2"]
    assert runs["run_2"].series == {"time": [0, 1, 2], "x": [1, 2, 4], "y": [10, 20, 40]}


@pytest.mark.parametrize(("before", "after"), [("time", "time [min]"), (",x,", ",x [kg],")])
def test_files_that_say_other_units_are_refused(tmp_path, before, after):
    first = COUNTING.replace("time", "time [s]").replace(",x,", ",x [m],")
    files = written(tmp_path, a=first, b=COUNTING.replace(before, after), c=COUNTING)
    with pytest.raises(RecordError, match=r"b.csv: '(time' in 'min'|x' in 'kg'), in files before it in '(s|m)'"):
        read(*files)
    assert len(read(files[0], files[2])) == 2  # who says none does not contradict


def test_one_table_for_all_runs_is_told_apart_by_a_column(tmp_path):
    text = "run,t [ms],x [m/s],mass [kg],kind\na 1,0,1,5,hot\na 1,1,2,5,hot\nb,0,3,6,cold\nb,1,4,6,cold\nb,2,5,6,cold\n"
    runs = read(*written(tmp_path, all=text))
    assert runs["a_1"].series == {"time": [0, 1], "x": [1, 2]}
    assert runs["b"].series == {"time": [0, 1, 2], "x": [3, 4, 5]}
    assert [run.data for run in runs.values()] == [{"mass": 5, "kind": "hot"}, {"mass": 6, "kind": "cold"}]
    assert runs["a_1"].units == {"x": "m/s", "mass": "kg", "time": "ms"}


@pytest.mark.parametrize(
    "text",
    [
        "t;x\n0,0;1,5\n0,5;2,5\n1,0;-3,5e2\n",
        "t;x\n0;1,5\n0,5;2,5\n1;-350\n",
        "\ufefft;x;\r\n0,0;1,5;\r\n0,5;2,5;\r\n1,0;-350,0;\r\n\r\n\r\n",
        "# made by a program\n# t x\n0 1.5\n0.5 2.5\n1.0 -3.5D+02\n",
        "   t      x\n 0.0    1.5\n 0.5    2.5\n 1.0 -350.\n",
        "Title of a log\nmade yesterday\n\nt\tx\n0\t1.5\n0.5\t2.5\n1\t-350\n",
        "t|x\ns|m\n0|1.5\n0.5|2.5\n1|-350\n",
        ",t,x\n0,0,1.5\n1,0.5,2.5\n2,1,-350\n",
        '"t" "x"\n"1" 0 1.5\n"2" 0.5 2.5\n"3" 1 -350\n',
        "x,t\n-350,1\n1.5,0\n2.5,0.5\n",
        ",x\n0.0,1.5\n0.5,2.5\n1.0,-350\n",
        "t,x,\n0,1.5\n0.5,2.5\n1,-350\n",
    ],
)
def test_separators_decimals_and_headers_of_many_programs(tmp_path, text):
    (run,) = read(*written(tmp_path, run=text)).values()
    assert run.series == {"time": [0, 0.5, 1], "x": [1.5, 2.5, -350]}


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_a_table_is_read_in_the_encoding_that_it_has(tmp_path, encoding):
    (run,) = read(*written(tmp_path, run="t,höhe [µm]\n0,1\n1,2\n".encode(encoding))).values()
    assert (run.series["höhe"], run.units["höhe"]) == ([1, 2], "µm")


@pytest.mark.parametrize(
    ("times", "expected", "unit"),
    [
        (["2024-01-01 00:00", "2024-01-01 00:30", "2024-01-01 01:00"], [0, 1800, 3600], "s"),
        (["2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00.5+01:00", "2024-01-01T00:00:01+01:00"], [0, 0.5, 1], "s"),
        (["31.12.2023", "01.01.2024", "02.01.2024"], [0, 86400, 172800], "s"),
        (["12/30/2023", "12/31/2023", "01/01/2024"], [0, 86400, 172800], "s"),
        (["2024-01-31", "2024-02-29", "2024-03-31"], [0, 1, 2], "months"),
        (["2021-07-01", "2022-07-01", "2023-07-01", "2024-07-01"], [0, 1, 2, 3], "years"),
        (["1970 Q1", "1970 Q2", "1970 Q3"], [0, 3, 6], "months"),
        (["20240228", "20240229", "20240301"], [0, 86400, 172800], "s"),
        (["202401", "202402", "202403"], [0, 1, 2], "months"),
        (["20240132", "20240133", "20240134"], [20240132, 20240133, 20240134], None),
        (["0:00:00", "0:00:01.5", "0:00:03"], [0, 1.5, 3], "s"),
        (["0 days 00:00:00", "0 days 12:00:00", "1 days 00:00:00"], [0, 43200, 86400], "s"),
    ],
)
def test_dates_and_durations_are_counted_from_the_start(tmp_path, times, expected, unit):
    text = "Date;x\n" + "".join(f"{time};{place}\n" for place, time in enumerate(times))
    (run,) = read(*written(tmp_path, run=text)).values()
    assert (run.series["time"], run.units.get("time")) == (expected, unit)


@pytest.mark.parametrize(
    "dates", ["1991 Jan,1991 Feb,1991 Mar", "1991-01,1991-02,1991-03", "Jan-1-91,Feb-1-91,Mar-1-91"]
)
def test_a_column_of_dates_is_the_time_and_one_of_words_is_not(tmp_path, dates):
    rows = zip(dates.split(","), ["fine", "rain", "rain"], [5, 6, 7], strict=True)
    paths = written(tmp_path, run="month,sky,x\n" + "".join(f"{day},{sky},{x}\n" for day, sky, x in rows))
    (run,) = read(*paths).values()
    assert (run.series, run.units["time"]) == ({"time": [0, 1, 2], "x": [5, 6, 7]}, "months")
    paths[0].write_text("sky,x\nfine,5\nrain,6\nrain,7\n")
    (run,) = read(*paths).values()
    assert run.series == {"time": [0, 1, 2], "x": [5, 6, 7]}


@pytest.mark.parametrize(
    ("text", "expected", "unit", "features"),
    [
        ("year,quarter,x\n1999,4,5\n2000,1,6\n2000,2,7\n", [0, 3, 6], "months", ["x"]),
        ("YR MON x\n1999 11 5\n1999 12 6\n2000 1 7\n", [0, 1, 2], "months", ["x"]),
        ("Year,Period,Value,\n1999,Q04,5\n2000,Q01,6\n2000,Q02,7\n", [0, 3, 6], "months", ["Value"]),
        ("year,month,day,hour,x\n1999,12,31,22,5\n1999,12,31,23,6\n2000,1,1,0,7\n", [0, 3600, 7200], "s", ["x"]),
        ("time,year,month,x\n0,1999,1,5\n1,1999,2,6\n2,1999,3,7\n", [0, 1, 2], None, ["month", "x"]),
        ("YR,MON,x\n99,1,5\n99,2,6\n99,3,7\n", [0, 1, 2], "", ["YR", "MON", "x"]),
        ("step,year,month,x\n3,1999,1,5\n4,1999,1,6\n5,1999,1,7\n", [3, 4, 5], "step", ["month", "x"]),
    ],
)
def test_a_date_in_several_columns_is_one_time(tmp_path, text, expected, unit, features):
    (run,) = read(*written(tmp_path, run=text)).values()
    assert (run.series.pop("time"), run.units.get("time")) == (expected, unit)
    assert (list(run.series), run.series[features[-1]]) == (features, [5, 6, 7])


def test_a_date_of_two_readings_is_refused_with_the_option(tmp_path):
    paths = written(tmp_path, run="date,x\n01/02/2024,1\n01/03/2024,2\n01/04/2024,3\n")
    with pytest.raises(RecordError, match=r"run\.csv: date '01/02/2024': day or month first\? --dates %d/%m/%Y or"):
        read(*paths)
    assert read(*paths, dates="%m/%d/%Y")["run"].series["time"] == [0, 86400, 172800]
    assert read(*paths, dates="%d/%m/%Y")["run"].units["time"] == "months"


def test_rows_in_any_order_and_rows_written_twice_are_one_run(tmp_path):
    paths = written(tmp_path, a="t,x\n2,3\n0,1\n1,2\n", b="run,t,x\nq,0,1\nq,1,2\nq,0,1\nq,1,2\nq,2,3\n")
    found = [(run.id, run.series["time"], run.series["x"]) for each in paths for run in read(each).values()]
    assert found == [("a", [0, 1, 2], [1, 2, 3]), ("q", [0, 1, 2], [1, 2, 3])]


def test_an_event_needs_to_be_told_which_row_counts(tmp_path):
    paths = written(tmp_path, run="t,x\n0,1\n1,2\n1,-2\n2,-1\n")
    with pytest.raises(RecordError, match="run run: time 1 stands there twice, x differs: --repeats first or last"):
        read(*paths)
    assert read(*paths, repeats="first")["run"].series["x"] == [1, 2, -1]
    assert read(*paths, repeats="last")["run"].series["x"] == [1, -2, -1]


def test_a_time_in_each_of_several_runs_asks_for_their_column(tmp_path):
    paths = written(tmp_path, all="x,firm no,year\n1,7,1935\n2,7,1936\n3,8,1935\n4,8,1936\n")
    with pytest.raises(RecordError, match=r"counts; or is each firm no a run\? --run 'firm no'"):
        read(*paths)
    assert [run.series["x"] for run in read(*paths, run="firm no").values()] == [[1, 2], [3, 4]]
    with pytest.raises(RecordError, match=r"or is each variable a feature\? frame.pivot\(columns='variable'"):
        read(*written(tmp_path, long="variable,time,value\nx,0,1\nx,1,2\ny,0,3\ny,1,4\n"))


@pytest.mark.parametrize(
    ("text", "times", "series"),
    [
        ("time,10,20\n0,1,2\n1,3,4\n", [0, 1], {"10": [1, 3], "20": [2, 4]}),
        (",0,1\n0,5,6\n1,7,8\n", [0, 1], {"0": [5, 7], "1": [6, 8]}),
        (",0\n1821,269\n1822,321\n", [0, 1], {"0": [269, 321]}),
        ("t,x\ns,1\n0,5\n1,7\n", [0, 1], {"x": [5, 7]}),
    ],
)
def test_names_of_columns_may_be_numbers(tmp_path, text, times, series):
    (run,) = read(*written(tmp_path, run=text)).values()
    assert run.series == {"time": times} | series


def test_gaps_are_counted_by_run_and_feature_filled_or_dropped(tmp_path):
    paths = written(tmp_path, a="t,x,y\n0,1,1\n2,.,2\n4,3,\n6,4,4\n", b="t,x,y\n0,1,1\n2,2,2\n4,3,3\n6,4,4\n")
    with pytest.raises(RecordError, match="x 1, y 1; run a: x 1, y 1; --gaps fill interpolates them"):
        read(*paths)
    filled = read(*paths, gaps="fill")
    assert filled["a"].series == {"time": [0, 2, 4, 6], "x": [1, 2, 3, 4], "y": [1, 2, 3, 4]}
    assert (filled["a"].notes, filled["b"].notes) == ({"filled": {"x": 1, "y": 1}}, None)
    assert list(read(*paths, gaps="drop")) == ["b"]


def test_a_run_may_end_early_as_empty_cells_and_has_its_length(tmp_path):
    (run,) = read(*written(tmp_path, run="t,x\n0,1\n1,2\n2,\n3,\n")).values()
    assert run.series == {"time": [0, 1], "x": [1, 2]}


def test_every_second_step_and_even_steps_by_interpolation(tmp_path):
    paths = written(tmp_path, run="t,x\n0,0\n1,2\n2,4\n3,6\n4,8\n")
    assert read(*paths, every=2)["run"].series == {"time": [0, 2, 4], "x": [0, 4, 8]}
    assert read(*paths, resample=1.5)["run"].series == {"time": [0, 1.5, 3], "x": [0, 3, 6]}


def test_clocks_that_differ_by_run_are_refused_or_interpolated(tmp_path):
    paths = written(tmp_path, a="t,x\n0,0\n1,1\n2,2\n", b="t,x\n0,0\n0.5,1\n2,4\n3,6\n")
    with pytest.raises(RecordError, match=r"run b has step 1 at time 0\.5, run a at 1: --resample DT brings all runs"):
        read(*paths)
    runs = read(*paths, resample=1)
    assert [run.series["time"] for run in runs.values()] == [[0, 1, 2], [0, 1, 2, 3]]
    assert runs["b"].series["x"] == [0, 2, 4, 6]


def test_features_controls_and_new_names_are_as_asked_for(tmp_path):
    paths = written(tmp_path, run="time,x,y,valve\n0,1,2,0\n1,3,4,0\n")
    runs = read(*paths, features=("pos",), controls=("valve",), rename={"x": "pos"})
    assert list(runs["run"].series) == ["time", "pos", "valve"]
    with pytest.raises(RecordError, match="no series z: columns of numbers are x, y, valve"):
        read(*paths, features=("z",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("hello\nworld\n", "expected a table of numbers below a line of names, got 'hello'"),
        ("1,2\n3,4\n", "expected a line of names above '1,2'; --columns time,x,... says them"),
        ("t,x\n0,1\n1,***\n2,3\n3,4\n", r"run\.csv, line 3, column x: expected a number, got '\*\*\*'"),
        ("t,x,x\n0,1,2\n", "two columns are named 'x': --columns A,B,... names all"),
        (
            " ".join(["1.5"] * 99),
            r"if each line is a run: numpy.save\('runs.npy', numpy.loadtxt\(FILE\)\), read with --dims",
        ),
        ("who,1960,1961,1962\na,1,2,4\nb,3,4,6\n", r"are 1960, 1961, 1 more steps.*pandas.melt\(frame, \['who'\], v"),
        ("# a\n@problemName vowels\n@data\n1,2:3,4:1\n", "a file of aeon, sktime or Weka .'@problemName'., which is"),
        ("run,t,x\na,0,1\n,1,2\na,2,3\n", r"run\.csv, line 3: run: expected the run that the row belongs to"),
        ("t,m\x1b[31m\n0,1\n1,abc\n2,3\n3,4\n", r"line 3, column m.x1b.*: expected a number, got .abc"),
        ("t,x\n0,1\n,2\n2,3\n", "run run: 1 steps have numbers and no time"),
        (b"\x00\x01\x02\x03", "expected a table in text, or NetCDF, HDF5, Zarr"),
        (b"\x1f\x8b\x08\x00", "compressed: unpack it first"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(RecordError, match=words) as caught:
        read(*written(tmp_path, run=text))
    assert str(caught.value).isprintable()


def test_a_table_without_names_is_read_with_names_given(tmp_path):
    (run,) = read(*written(tmp_path, run="0 1\n1 2\n"), columns=("t", "x")).values()
    assert run.series == {"time": [0, 1], "x": [1, 2]}


def test_a_table_without_a_time_counts_its_steps(tmp_path):
    (run,) = read(*written(tmp_path, run="x,y\n5,6\n7,8\n")).values()
    assert (run.series["time"], run.units["time"]) == ([0, 1], "")


def test_files_with_times_and_without_are_refused(tmp_path):
    timed, counted = "time,x,y\n0,1,2\n1,2,3\n", "x,y\n1,2\n2,3\n"
    for first, second, words in ((timed, counted, "no column of times"), (counted, timed, "times, time")):
        with pytest.raises(RecordError, match=rf"b\.csv: it has {words}.*: expected the same in all"):
            read(*written(tmp_path, a=first, b=second))


def test_files_with_other_columns_than_the_first_are_refused(tmp_path):
    with pytest.raises(RecordError, match=r"b\.csv: lacks y: expected the columns of the files before it"):
        read(*written(tmp_path, a=COUNTING, b="time,x\n0,1\n"))


@pytest.mark.parametrize(("freq", "unit", "step"), [("Q", "months", 3), ("M", "months", 1), ("D", "s", 86400)])
def test_periods_are_the_dates_that_they_begin_with(freq, unit, step):
    frame = pd.DataFrame({"x": np.arange(4.0)}, index=pd.period_range("2000-01-01", periods=4, freq=freq))
    for each in (frame, frame.rename_axis("date"), frame.rename_axis("date").reset_index()):
        ensemble = Ensemble.from_pandas(each)
        assert (ensemble.times.tolist(), ensemble.step_unit) == ([0, step, 2 * step, 3 * step], unit)


def test_a_table_larger_than_a_piece_is_read_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("sim2seq.data.foreign.text.ROWS", 7)
    text = "run,t,x,word\n" + "".join(f"{run},{t},{10 * run + t},w{run}\n" for t in range(20) for run in (2, 1))
    runs = read(*written(tmp_path, all=text))
    assert [run.series["x"] for run in runs.values()] == [[20 + t for t in range(20)], [10 + t for t in range(20)]]
    assert [run.data for run in runs.values()] == [{"word": "w2"}, {"word": "w1"}]


def test_inputs_come_from_a_table_of_their_own(tmp_path):
    data, table = written(tmp_path, a=COUNTING, inputs="name;mass [kg];kind\na;1,5;hot\nb;2,5;cold\n")
    given, units = read_inputs(table, Reading())
    assert given == {"a": {"mass": 1.5, "kind": "hot"}, "b": {"mass": 2.5, "kind": "cold"}}
    assert units == {"mass": "kg"}
    (run,) = runs_of(sources([data], Reading()), Reading(), Seen(), Beside(given, units))
    assert (run.data, run.units) == (given["a"], units)
    with pytest.raises(RecordError, match="--inputs: no line for run a; it has b"):
        list(runs_of(sources([data], Reading()), Reading(), Seen(), Beside({"b": {}})))


def test_controls_of_a_table_hold_until_the_next_line(tmp_path):
    data, table = written(tmp_path, a="t,x\n0,1\n1,2\n2,3\n3,4\n", controls="run,t,valve [%]\na,0,5\na,2,7\n")
    controls, units = read_controls(table, Reading())
    (run,) = runs_of(sources([data], Reading()), Reading(), Seen(), Beside(None, units, controls))
    assert (run.series["valve"], run.units) == ([5, 5, 7, 7], {"valve": "%"})
    table.write_text("run,t,valve\na,1,5\na,2,7\n")
    with pytest.raises(RecordError, match="--controls: the first line of run a is of time 1, the run begins at 0"):
        list(
            runs_of(sources([data], Reading()), Reading(), Seen(), Beside(None, {}, read_controls(table, Reading())[0]))
        )


def test_parquet_is_read_like_text(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"run": ["a"] * 3 + ["b"] * 2, "t": [0.0, 1, 2, 0, 1], "x [m]": [1.0, 2, 3, 4, 5]})
    frame.to_parquet(tmp_path / "all.parquet")
    runs = read(tmp_path / "all.parquet")
    assert {run.id: run.series["x"] for run in runs.values()} == {"a": [1, 2, 3], "b": [4, 5]}
    assert runs["a"].units["x"] == "m"


def test_an_ensemble_comes_of_a_frame_with_a_row_a_step():
    index = pd.MultiIndex.from_product([["a", "b"], [0.0, 0.5, 1.0]], names=["run", "time"])
    frame = pd.DataFrame({"x [m]": np.arange(6.0), "mass": [1, 1, 1, 2, 2, 2]}, index)
    ensemble = Ensemble.from_pandas(frame.iloc[:-1], inputs=pd.DataFrame({"drag": [0.1, 0.2]}, index=["a", "b"]))
    assert (ensemble.run_ids, ensemble.features, ensemble.lengths.tolist()) == (("a", "b"), ("x",), [3, 2])
    np.testing.assert_array_equal(ensemble.values[..., 0], [[0, 1, 2], [3, 4, np.nan]])
    assert {name: column.tolist() for name, column in ensemble.inputs.items()} == {"mass": [1, 2], "drag": [0.1, 0.2]}
    assert ensemble.units == {"x": "m"}


def test_an_ensemble_comes_of_a_frame_a_run():
    frames = {name: pd.DataFrame({"x": [1.0, 2.0]}, pd.date_range("2024", periods=2, freq="h")) for name in "ab"}
    ensemble = Ensemble.from_pandas(frames)
    assert (ensemble.run_ids, ensemble.times.tolist(), ensemble.step_unit) == (("a", "b"), [0, 3600], "s")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("x [m]", ("x", "m")),
        ("speed[m/s]", ("speed", "m/s")),
        ("T (°C)", ("T", "°C")),
        ("der(x)", ("der(x)", "")),
        ("frame[0,1]", ("frame[0,1]", "")),
        ("  two   words ", ("two words", "")),
        ("[m]", ("[m]", "")),
    ],
)
def test_units_stand_in_brackets_and_indices_do_not(header, expected):
    assert split_unit(header) == expected


def test_columns_name_all_columns_of_a_table(tmp_path):
    (file,) = written(tmp_path, a=COUNTING)
    with pytest.raises(RecordError, match=r"expected 2 cells \(a, b\), got 3"):
        read(file, columns=("a", "b"))


@pytest.mark.parametrize("asked", [{"group": "g"}, {"dims": ("run", "time")}])
def test_options_of_arrays_are_refused_for_tables_alone(tmp_path, asked):
    with pytest.raises(RecordError, match="--group and --dims are of files of arrays; got"):
        read(*written(tmp_path, a=COUNTING), **asked)


def test_a_table_of_what_runs_were_given_is_no_run(tmp_path):
    (file,) = written(tmp_path, table="run,alpha,beta\nrun_1,1,2\nrun_2,3,4\n")
    with pytest.raises(
        RecordError, match=r"table.csv: 'run' is another one in each line: .* --inputs; if .* --time none"
    ):
        read(file)
    assert read(file, time="none")["table"].series["alpha"] == [1, 3]
    (dated,) = written(tmp_path, dated="time,id,x\n0,a,1\n1,b,2\n")
    assert read(dated)["dated"].series == {"time": [0, 1], "x": [1, 2]}


@pytest.mark.parametrize("name", ["number", "trajectory", "seed", "replicate", "ens"])
def test_a_column_of_other_programs_tells_runs_apart_by_times(tmp_path, name):
    both = f"{name},t,x\n3,0,1\n3,1,2\n5,0,3\n5,1,4\n"
    assert list(read(*written(tmp_path, all=both))) == ["3", "5"]
    assert list(read(*written(tmp_path, one=f"{name},t,x\n3,0,1\n4,1,2\n4,2,3\n"))["one"].series) == ["time", name, "x"]
    runs = read(*written(tmp_path, a=f"{name},t,x\n3,0,1\n3,1,2\n", b=f"{name},t,x\n4,0,1\n4,1,2\n"))
    assert {run: each.data for run, each in runs.items()} == {"a": {name: 3}, "b": {name: 4}}


@pytest.mark.parametrize("time", ["t,", ""])
def test_files_of_one_scenario_that_begin_anew_are_runs(tmp_path, time):
    rows = [f"scenario,{time}x", *(",".join(["dry", *([str(t)] if time else []), f"{t}"]) for t in range(3))]
    texts = {"a": "\n".join(rows), "b": "\n".join(rows).replace("2\n", "2\n")[:-1] + "7", "c": "\n".join(rows)}
    texts["c"] = texts["c"].replace("dry", "wet")
    runs = read(*written(tmp_path, **texts))
    assert {name: (run.series["x"], run.data) for name, run in runs.items()} == {
        "a": ([0, 1, 2], {"scenario": "dry"}),
        "b": ([0, 1, 7], {"scenario": "dry"}),
        "wet": ([0, 1, 2], {}),
    }


def test_a_word_in_the_column_of_runs_may_be_another_files_name(tmp_path):
    runs = read(*written(tmp_path, a="t,x\n0,1\n1,2\n", b="run,t,x\na,0,1\na,1,3\n"))
    assert {name: (run.series["x"], run.data) for name, run in runs.items()} == {
        "a": ([1, 2], {}),
        "b": ([1, 3], {"run": "a"}),
    }


def test_files_that_go_on_after_each_other_are_one_run(tmp_path):
    files = written(tmp_path, a="run,t,x\n5,0,1\n5,1,2\n", b="run,t,x\n5,2,3\n5,3,4\n")
    assert read(*files)["5"].series["x"] == [1, 2, 3, 4]
