"""A record reads back bit for bit, and everything else is refused with file, column and reason."""

import math
import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2seq.data import records
from sim2seq.data.records import RecordError, Run

GOOD = "id%mass%label%time%x\r\nrun_1%2.5%red%[0.0, 0.5]%[1.0, 2.0]\r\n"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def record(tmp_path):
    def write(text):
        path = tmp_path / "output.dsv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_a_record_reads_as_written(record):
    assert records.read(record(GOOD)) == [
        Run("run_1", {"mass": 2.5, "label": "red"}, {"time": [0, 0.5], "x": [1.0, 2.0]})
    ]


@settings(deadline=None)  # each example waits for the disk
@given(mass=FINITE, values=st.lists(FINITE, min_size=1, max_size=50))
def test_numbers_survive_the_round_trip_bit_for_bit(tmp_path_factory, mass, values):
    path = tmp_path_factory.mktemp("round") / "run.dsv"
    run = Run("a_1", {"mass": mass}, {"x": values})
    records.write(path, [run, run._replace(id="a_2")])
    assert repr(records.read(path)) == repr([run, run._replace(id="a_2")])


@pytest.mark.parametrize(
    "printed",
    [
        "[np.float64(1.0), np.float64(2.5)]",
        "[numpy.float32(1), np.longdouble('2.5'), ]",
        "[1.  2.5]",
        "array([1. , 2.5])",
        "np.array([1., 2.5], dtype=float32)",
        "[1,0; 2,5]",
    ],
)
def test_numbers_are_read_as_programs_print_them(record, printed):
    (run,) = records.read(record(GOOD.replace("[1.0, 2.0]", printed).replace("%2.5%", "%np.float64(2.5)%")))
    assert (run.series["x"], run.data["mass"]) == ([1.0, 2.5], 2.5)


@pytest.mark.parametrize("flags", ["[True, False]", "[np.True_, np.False_]", "[true, false]"])
def test_flags_are_ones_and_zeros(record, flags):
    assert records.read(record(GOOD.replace("[1.0, 2.0]", flags)))[0].series["x"] == [1.0, 0.0]


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf" + GOOD.encode(), GOOD + "\r\n \n\t", GOOD.replace("\r\n", "\n\n"), GOOD.replace("%", " % ")],
)
def test_marks_blank_lines_and_spaces_mean_nothing(record, text):
    (run,) = records.read(record(text))
    assert (run.id, run.data["mass"], run.series["time"], run.series["x"]) == ("run_1", 2.5, [0.0, 0.5], [1.0, 2.0])


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["empty"]),
        ("\n \n", ["empty"]),
        ("%\n", ["delimiters alone"]),
        ("\n%%%\r\n%\n", ["delimiters alone"]),
        (GOOD[:-3], ["truncated"]),
        (GOOD[:-4] + "\r\n", ["column x", "expected numbers"]),
        ("id%time%x\r\nrun_1%[0.0]\r\n", ["expected 3 columns, got 2"]),
        ("id%time%x\r\n", ["no line of values"]),
        (GOOD.replace("[1.0, 2.0]", "[]"), ["column x", "empty"]),
        (GOOD.replace("[1.0, 2.0]", ""), ["column x", "empty"]),
        (GOOD.replace("2.0]", "NaN]"), ["line 2, column x", "step 1", "finite", "nan"]),
        (GOOD.replace("2.0]", "nan]"), ["line 2, column x", "step 1", "finite", "nan", "end the run before it"]),
        (GOOD.replace("2.0]", "np.float64(nan)]"), ["step 1", "a finite number, got nan"]),
        (GOOD.replace("[1.0, 2.0]", "[1. ... 2.]"), ["column x", "left out", "values.tolist()"]),
        (GOOD.replace("[1.0, 2.0]", "[[1.0], [2.0]]"), ["column x", "one a step", "array file"]),
        (GOOD.replace("[1.0, 2.0]", "[1.\r\n 2.]"), ["line 2, column x", "expected numbers in brackets"]),
        (GOOD.replace("[0.0, 0.5]", "[0.\r\n 0.5]"), ["line 2", "goes on in the next line"]),
        (GOOD.replace("%2.5%", "%2,5%"), ["line 2, column mass", "'2,5'", "write 0.5, not 0,5"]),
        (GOOD.replace("0.5]", "0.0]"), ["line 2, column time", "step 1", "expected a time after 0.0, got 0.0"]),
        (GOOD.replace("%x", "%cycle"), ["line 2, column cycle", "the store's own"]),
        ("id%time\nrun_1%[0.0, 0.5]\n", ["line 2", "at least one series beside time"]),
        (GOOD + GOOD.splitlines()[1] + "%1\n", ["line 3", "expected 5 columns, got 6"]),
        (GOOD.replace("2.0]", "-Infinity]"), ["column x", "step 1", "finite"]),
        (GOOD.replace("2.0]", "1e999]"), ["column x", "step 1", "finite"]),
        (GOOD.replace("2.0]", "true]"), ["column x", "step 1", "number"]),
        (GOOD.replace("2.0]", "9" * 400 + "]"), ["column x", "step 1", "finite"]),
        (GOOD.replace("2.0]", '"2"]'), ["column x"]),
        (GOOD.replace("2.0]", "__import__('os')]"), ["column x", "expected numbers"]),
        (GOOD.replace("%2.5%", "%inf%"), ["column mass", "finite"]),
        (GOOD.replace("[1.0, 2.0]", "[1.0, 2.0, 3.0]"), ["column x", "expected 2 steps", "got 3"]),
        (GOOD.replace("%mass%", "%time%"), ["unique column names"]),
        (GOOD.replace("id%", "name%"), ["'id'"]),
        (GOOD.replace("run_1", "../run_1"), ["column id", "../run_1"]),
        (GOOD.replace("run_1", "a" * 300), ["column id", "255"]),
        (b"\xff\xfe" + GOOD.encode(), ["UTF-8"]),
        (GOOD.replace("[1.0, 2.0]", "[" * 100_000), ["column x"]),
    ],
)  # fmt: skip
def test_bad_records_are_refused_with_file_column_and_reason(record, text, reasons):
    path = record(text)
    with pytest.raises(RecordError) as refusal:
        records.read(path)
    for reason in [str(path), *reasons]:
        assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(text=st.binary(max_size=300))
def test_any_bytes_give_runs_or_a_record_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "output.dsv"
    path.write_bytes(text)
    try:
        runs = records.read(path)
    except RecordError:
        return
    assert all(math.isfinite(value) for run in runs for values in run.series.values() for value in values)


def test_arrays_are_written_as_numbers(tmp_path):
    path = tmp_path / "run.dsv"
    records.write(path, [Run("a", {"m": np.float32(0.5)}, {"x": np.array([1, 2]), "y": [np.float64(0.1), 3]})])
    assert records.read(path) == [Run("a", {"m": 0.5}, {"x": [1.0, 2.0], "y": [0.1, 3.0]})]


@pytest.mark.parametrize(
    "run",
    [
        Run("a", {}, {"x": [1.0, math.nan]}),
        Run("a", {"m": math.inf}, {"x": [1.0]}),
        Run("a", {"share": "50%"}, {"x": [1.0]}),
        Run("a", {"note": "two\nlines"}, {"x": [1.0]}),
        Run("a/b", {}, {"x": [1.0]}),
        Run("a", {}, {"x": [1.0], "y": [1.0, 2.0]}),
        Run("a", {}, {}),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, run):
    with pytest.raises(RecordError):
        records.write(tmp_path / "run.dsv", [run])
    assert os.listdir(tmp_path) == []


def test_units_stand_behind_names_and_are_read_as_written(tmp_path):
    run = Run("a", {"mass": 2.0, "n": 1.0}, {"time": [0.0], "frame[0,0]": [1.0]}, units={"mass": "kg", "time": "min"})
    records.write(tmp_path / "run.dsv", [run])
    text = "id%mass [kg]%n%time [min]%frame[0,0]\na%2.0%1.0%[0.0]%[1.0]\n"
    assert (tmp_path / "run.dsv").read_text() == text
    assert records.read(tmp_path / "run.dsv") == [run]
    assert records.parse("run.dsv", text.replace("%n%", "%n [1]%")) == [run]
    with pytest.raises(RecordError, match="got mass twice"):
        records.parse("run.dsv", text.replace("%n%", "%mass [g]%"))
    with pytest.raises(RecordError, match="columns and units of run a"):
        records.write(tmp_path / "run.dsv", [run, run._replace(id="b", units=None)])


def test_runs_of_one_file_have_the_same_columns(tmp_path):
    with pytest.raises(RecordError, match="columns and units of run a"):
        records.write(tmp_path / "run.dsv", [Run("a", {}, {"x": [1.0]}), Run("b", {}, {"y": [1.0]})])


def test_writing_replaces_whole_files_only(tmp_path):
    path = tmp_path / "output.dsv"
    path.write_text("old")
    with pytest.raises(AttributeError):
        records.write(path, ["no run"])
    assert path.read_text() == "old"
    records.write(path, [Run("a", {}, {"x": [1.0]})])
    assert path.read_text() == "id%x\na%[1.0]\n"
    assert os.listdir(tmp_path) == ["output.dsv"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_a_folder_is_no_output_file(tmp_path):
    with pytest.raises(OSError, match="expected the name of a file"):
        records.write(tmp_path, [Run("a", {}, {"x": [1.0]})])
