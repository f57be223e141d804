"""How tables are written: comments, headers, thousands, numbers of runs; and the tables that stand beside the runs."""

import pandas as pd
import pytest
from foreign import read

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign import text
from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Beside, Seen, read_controls, read_inputs, runs_of
from sim2seq.data.records import RecordError


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


def steered(folder, runs: str, valves: str, **options):
    """The run a of the table `runs` with the controls of the table `valves`."""
    reading = Reading(**options)
    (folder / "a.csv").write_text(runs)
    (folder / "valves.csv").write_text(valves)
    controls, units = read_controls(folder / "valves.csv", Reading())
    (run,) = runs_of(sources([folder / "a.csv"], reading), reading, Seen(), Beside(None, units, controls))
    return run.series


def test_a_blank_control_is_what_was_set_before(tmp_path):
    lines = "run,t,valve,heat\na,0,5,1\na,2,,2\na,1,7,\na,2,8,\na,3,,3\n"
    series = steered(tmp_path, "t,x\n0,1\n1,2\n2,3\n3,4\n", lines)
    assert (series["valve"], series["heat"]) == ([5, 7, 8, 8], [1, 1, 2, 3])
    with pytest.raises(RecordError, match="run a, column heat: expected a number at time 1 or before, got blank cells"):
        steered(tmp_path, "t,x\n1,1\n2,2\n", "run,t,valve,heat\na,0,5,\na,1,6,\na,2,7,1\n")


def test_every_number_of_a_table_of_controls_is_one(tmp_path):
    runs = "run,t,x\na,0,1\na,1,2\nb,0,3\nb,1,4\n"
    (tmp_path / "a.csv").write_text(runs)
    for lines in ("a,0,5,1\na,1,7,1\nb,0,5,2\nb,1,8,2\n", "b,0,5,2\na,0,7,1\n"):
        (tmp_path / "valves.csv").write_text(f"run,t,valve,heat\n{lines}")
        controls, _ = read_controls(tmp_path / "valves.csv", Reading())
        found = runs_of(sources([tmp_path / "a.csv"], Reading()), Reading(), Seen(), Beside(None, {}, controls))
        assert {run.id: run.series["heat"] for run in found} == {"a": [1, 1], "b": [2, 2]}


def test_controls_stay_at_their_times_when_runs_are_resampled(tmp_path):
    lines = "run,t,valve\na,0,1\na,5,2\na,6,3\n"
    series = steered(tmp_path, "t,x\n5,50\n6,60\n7,70\n", lines, resample=0.5)
    assert series == {"time": [0, 0.5, 1, 1.5, 2], "x": [50, 55, 60, 65, 70], "valve": [2, 2, 3, 3, 3]}


def test_controls_are_at_times_in_the_unit_of_the_runs(tmp_path):
    with pytest.raises(RecordError, match="--controls: expected times in 's', as those of run a; got 'ms'"):
        steered(tmp_path, "t [s],x\n0,1\n1,2\n", "run,t [ms],valve\na,0,5\na,1,7\n")
    assert steered(tmp_path, "t [s],x\n0,1\n1,2\n", "run,t,valve\na,0,5\na,1,7\n")["valve"] == [5, 7]


@pytest.mark.parametrize(
    ("table", "expected"),
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
def test_signs_between_thousands_are_not_decimal_ones(tmp_path, table, expected):
    (tmp_path / "a.csv").write_text(table)
    assert read(tmp_path / "a.csv")["a"].series["x"] == expected


GROUPED = ["998", "999", "1,000", "1,001", "1,234.5"]
THOUSANDS = [998, 999, 1000, 1001, 1234.5]


@pytest.mark.parametrize("mixed", [False, True])
def test_thousands_in_frames_and_parquet_are_no_ones(tmp_path, mixed):
    cells = [998, 999, *GROUPED[2:]] if mixed else GROUPED
    frame = pd.DataFrame({"t": range(5), "x": pd.Series(cells, dtype=object)})
    assert Ensemble.from_pandas(frame).values[0, :, 0].tolist() == THOUSANDS
    decimals = frame.assign(x=["0,5", "1,125", "2,0", None, "1"])
    assert Ensemble.from_pandas(decimals, gaps="fill").values[0, :3, 0].tolist() == [0.5, 1.125, 2]
    with pytest.raises(RecordError, match="run run, column x: '1,000' is in thousands, or has decimals: write it wit"):
        Ensemble.from_pandas(frame[:4])
    pytest.importorskip("pyarrow")
    frame.assign(x=GROUPED).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["a"].series["x"] == THOUSANDS


@pytest.mark.parametrize(("separator", "turned"), [("\t", False), (";", False), (";", True), (" ", False)])
def test_thousands_far_down_a_table_are_no_ones(tmp_path, monkeypatch, separator, turned):
    monkeypatch.setattr(text, "LOOK", 40)
    turn = str.maketrans(",.", ".,") if turned else {}
    lines = [f"{t}.5{separator}{x}" for t, x in enumerate(["1.5"] * 20 + GROUPED)]
    path, content = tmp_path / "a.txt", f"t{separator}x\n" + "\n".join(lines).translate(turn)
    path.write_text(content + "\n")
    assert read(path)["a"].series["x"][-5:] == THOUSANDS
    path.write_text(content.replace(f"1{',' if turned else '.'}5\n", "1\n").rpartition("\n")[0] + "\n")
    words = "'1.000' is in thousands, .* a point" if turned else "'1,000' is in thousands, .* a comma"
    with pytest.raises(RecordError, match=rf"a\.txt, column x: {words}"):
        read(path)


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


def test_a_run_goes_on_in_another_file_only_by_its_times(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("run,t,x\n1,0,1\n1,1,2\n2,0,5\n2,1,6\n")
    second.write_text("run,t,x\n1,2,3\n1,3,4\n2,2,7\n2,3,8\n")
    assert {run.id: run.series["x"] for run in read(first, second).values()} == {"1": [1, 2, 3, 4], "2": [5, 6, 7, 8]}
    second.write_text("run,t,x\n1,2,3\nb,0,7\nb,1,8\nb,2,9\n")  # 1 is a text here, and the same run
    assert read(first, second)["1"].series["x"] == [1, 2, 3]
    for path in (first, second):
        path.write_text("run,x\n1,1\n1,2\n2,5\n2,6\n")
    with pytest.raises(RecordError, match=r"b\.csv: run 1 is there already, in .*a\.csv, and no column is its time"):
        read(first, second)


def test_runs_of_one_id_are_not_joined(tmp_path):
    (tmp_path / "a.csv").write_text("run,t,x\na 1,0,1\na 1,1,2\na_1,2,5\na_1,3,6\n")
    with pytest.raises(RecordError, match=r"a\.csv: runs 'a_1' and 'a 1' have one id, a_1: expected ids that differ"):
        read(tmp_path / "a.csv")
    for name, run in {"b": "k 1", "c": "k_1"}.items():
        (tmp_path / f"{name}.csv").write_text(f"run,t,x\n{run},0,1\n{run},1,2\n")
    with pytest.raises(RecordError, match=r"c\.csv: runs 'k_1' and 'k 1', of .*b\.csv, have one id, k_1"):
        read(tmp_path / "b.csv", tmp_path / "c.csv")


@pytest.mark.parametrize("separator", [",", ";", " "])
@pytest.mark.parametrize("comment", ['# it "was; so', "# end, of the, file", "# a; b; c", "#;", "# last"])
def test_comments_anywhere_do_not_mislead_the_separator(tmp_path, separator, comment):
    rows = ["t,x,y", "0,1,2", *[comment] * 12, "1,2,3", *[comment] * 30]
    lines = [row if row == comment else row.replace(",", separator) for row in rows]
    for more in ([], [comment], [f"# made; by, {number}" for number in range(3000)]):
        (tmp_path / "a.txt").write_text("\n".join(more + lines))
        assert read(tmp_path / "a.txt")["a"].series == {"time": [0, 1], "x": [1, 2], "y": [2, 3]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_of_names_may_have_any_length(tmp_path, encoding):
    names = [f"a_feature_of_a_long_name_{number}" for number in range(5000)]
    rows = [",".join(map(str, range(row, row + 5001))) for row in range(3)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["time", *names]), *rows]), encoding=encoding)
    series = read(tmp_path / "a.csv")["a"].series
    assert (list(series)[1:], series[names[-1]]) == (names, [5000, 5001, 5002])


def test_a_bad_cell_of_the_inputs_is_named_by_its_run_and_column(tmp_path):
    (tmp_path / "inputs.csv").write_text("run,mass,kind\na,1,x\nb,1.5,2\nc,1-2,y\n")
    with pytest.raises(RecordError, match=r"inputs\.csv: run c, column mass: expected a number, got '1-2'"):
        read_inputs(tmp_path / "inputs.csv", Reading())


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_files_may_differ_in_columns_that_nobody_asked_for(tmp_path, order):
    (tmp_path / "a.csv").write_text("t,x,mass,y\n0,1,5,1\n1,2,5,2\n")
    (tmp_path / "b.csv").write_text("t,x,z\n0,3,1\n1,4,2\n")
    files = [tmp_path / f"{name}.csv" for name in order]
    with pytest.raises(RecordError, match="expected the columns of the files before it"):
        read(*files)
    found = read(*files, features=("x",))
    assert {name: run.series for name, run in found.items()} == {
        "a": {"time": [0, 1], "x": [1, 2]},
        "b": {"time": [0, 1], "x": [3, 4]},
    }
    with pytest.raises(RecordError, match=r"lacks|no series y"):
        read(*files, features=("x", "y"))
    table = sources(files, Reading(features=("x",)))[0].runs
    assert {*table.passed_by, *table.given} == ({"mass", "y", "z"})


def test_a_row_that_lacks_a_cell_does_not_name_the_columns(tmp_path):
    """The rows above it would be lost: cpunish.dat of statsmodels has blanks in the place of some tabs."""
    (tmp_path / "a.dat").write_text("STATE\tX  Y  Z\nOhio\t9.5\t3 7\nUtah\t6\t1.5\t2\nIowa\t4\t2.5\t3\n")
    with pytest.raises(RecordError, match="expected a line of names above"):
        read(tmp_path / "a.dat")


@pytest.mark.parametrize("title", ["Test,Run 4", "Experiment 12,,", "a title"])
def test_names_with_units_below_a_title_are_no_units(tmp_path, title):
    (tmp_path / "a.csv").write_text(f"{title}\nTime (s),x (m),y (m)\n0,1,5\n1,2,6\n2,3,7\n")
    (run,) = read(tmp_path / "a.csv").values()
    assert run.series == {"time": [0, 1, 2], "x": [1, 2, 3], "y": [5, 6, 7]}
    assert run.units == {"time": "s", "x": "m", "y": "m"}


@pytest.mark.parametrize(
    ("names", "unit"), [("t / s,x / mm", "s"), ("flow-time,x", ""), ("Physical Time (min),x [mm]", "min")]
)
def test_clocks_as_other_programs_name_them(tmp_path, names, unit):
    (tmp_path / "a.csv").write_text(f"{names}\n0.5,1\n1.5,2\n2.5,3\n")
    (run,) = read(tmp_path / "a.csv").values()
    assert run.series == {"time": [0.5, 1.5, 2.5], "x": [1, 2, 3]}
    assert run.units.get("time", "") == unit


@pytest.mark.parametrize(("scale", "unit"), [(1, ""), (1e3, "ms"), (1e6, "us")])
def test_stamps_since_1970_say_by_their_size_what_they_count(tmp_path, scale, unit):
    stamps = [int((1_700_000_000 + each) * scale) for each in (0, 2, 4)]
    (tmp_path / "a.csv").write_text("timestamp,x\n" + "".join(f"{each},{x}\n" for x, each in enumerate(stamps)))
    (run,) = read(tmp_path / "a.csv").values()
    assert run.units.get("time", "") == unit
    assert [each - run.series["time"][0] for each in run.series["time"]] == [0, 2 * scale, 4 * scale]


def test_probes_of_openfoam_have_their_time(tmp_path):
    """The name of the clock stands alone below the names of the others."""
    lines = [
        "# Probe 0 (0 0 0)",
        "# Probe 1 (1 0 0)",
        "#       Probe     0     1",
        "#        Time",
        "0.1 1 5",
        "0.2 2 6",
    ]
    (tmp_path / "p").write_text("\n".join(lines) + "\n")
    (run,) = read(tmp_path / "p").values()
    assert run.series == {"time": [0.1, 0.2], "0": [1, 2], "1": [5, 6]}


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("Total rows: 3", "a.csv, line 5: expected 3 cells, as above, got 'Total rows: 3'"),
        ("3,1", "a.csv, line 5: expected 3 cells, as above, got '3,1'"),
        ("Mean,0.1,0.2", "time 'Mean': expected numbers, durations or dates"),
    ],
)
def test_a_last_line_that_is_no_row_is_named(tmp_path, last, words):
    (tmp_path / "a.csv").write_text(f"time,x,y\n0,1,5\n1,2,6\n2,3,7\n{last}\n")
    with pytest.raises(RecordError, match=words):
        read(tmp_path / "a.csv")
