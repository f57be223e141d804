"""When the rows of other programs' tables are: dates, durations, clocks that differ, times that are not there."""

import numpy as np
import pandas as pd
import pytest
from foreign import read, written

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.records import RecordError


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


def test_a_table_without_a_time_counts_its_steps(tmp_path):
    (run,) = read(*written(tmp_path, run="x,y\n5,6\n7,8\n")).values()
    assert (run.series["time"], run.units["time"]) == ([0, 1], "")


def test_files_with_times_and_without_are_refused(tmp_path):
    timed, counted = "time,x,y\n0,1,2\n1,2,3\n", "x,y\n1,2\n2,3\n"
    for first, second, words in ((timed, counted, "no column of times"), (counted, timed, "times, time")):
        with pytest.raises(RecordError, match=rf"b\.csv: it has {words}.*: expected the same in all"):
            read(*written(tmp_path, a=first, b=second))


@pytest.mark.parametrize(("freq", "unit", "step"), [("Q", "months", 3), ("M", "months", 1), ("D", "s", 86400)])
def test_periods_are_the_dates_that_they_begin_with(freq, unit, step):
    frame = pd.DataFrame({"x": np.arange(4.0)}, index=pd.period_range("2000-01-01", periods=4, freq=freq))
    for each in (frame, frame.rename_axis("date"), frame.rename_axis("date").reset_index()):
        ensemble = Ensemble.from_pandas(each)
        assert (ensemble.times.tolist(), ensemble.step_unit) == ([0, step, 2 * step, 3 * step], unit)
