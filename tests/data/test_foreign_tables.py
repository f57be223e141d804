"""Tables that other programs write: separators, encodings, names, units and gaps; and what is no table."""

import pandas as pd
import pytest
from foreign import COUNTING, read, written

from sim2seq.data.foreign.reading import split_unit
from sim2seq.data.records import RecordError


@pytest.mark.parametrize(("before", "after"), [("time", "time [min]"), (",x,", ",x [kg],")])
def test_files_that_say_other_units_are_refused(tmp_path, before, after):
    first = COUNTING.replace("time", "time [s]").replace(",x,", ",x [m],")
    files = written(tmp_path, a=first, b=COUNTING.replace(before, after), c=COUNTING)
    with pytest.raises(RecordError, match=r"b.csv: '(time' in 'min'|x' in 'kg'), in files before it in '(s|m)'"):
        read(*files)
    assert len(read(files[0], files[2])) == 2  # who says none does not contradict


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


def test_files_with_other_columns_than_the_first_are_refused(tmp_path):
    with pytest.raises(RecordError, match=r"b\.csv: lacks y: expected the columns of the files before it"):
        read(*written(tmp_path, a=COUNTING, b="time,x\n0,1\n"))


def test_a_table_larger_than_a_piece_is_read_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("sim2seq.data.foreign.text.ROWS", 7)
    text = "run,t,x,word\n" + "".join(f"{run},{t},{10 * run + t},w{run}\n" for t in range(20) for run in (2, 1))
    runs = read(*written(tmp_path, all=text))
    assert [run.series["x"] for run in runs.values()] == [[20 + t for t in range(20)], [10 + t for t in range(20)]]
    assert [run.data for run in runs.values()] == [{"word": "w2"}, {"word": "w1"}]


def test_parquet_is_read_like_text(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"run": ["a"] * 3 + ["b"] * 2, "t": [0.0, 1, 2, 0, 1], "x [m]": [1.0, 2, 3, 4, 5]})
    frame.to_parquet(tmp_path / "all.parquet")
    runs = read(tmp_path / "all.parquet")
    assert {run.id: run.series["x"] for run in runs.values()} == {"a": [1, 2, 3], "b": [4, 5]}
    assert runs["a"].units["x"] == "m"


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
