"""Files of other programs go into a store: whole or not at all, once, and large ones by their place."""

import os
import shlex
from contextlib import ExitStack, closing

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import counting_ensemble

from sim2seq import cli
from sim2seq.data.foreign import runs as foreign
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError, Run
from sim2seq.store import imports, store
from sim2seq.store.sina import StoreError, sina_record


def imported(path, *files, **options):
    """Import; the counts."""
    return imports.import_files(path, files, Reading(**options)).counts


@pytest.fixture
def counting(tmp_path):
    """The counting dummy as a NetCDF file."""
    counting_ensemble().to_xarray().to_netcdf(tmp_path / "runs.nc")
    return tmp_path / "runs.nc"


@pytest.fixture
def everything_stays(monkeypatch):
    monkeypatch.setattr(foreign, "STAYS", 0)


def same(one, other):
    """Whether two ensembles are equal."""
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)
    names = ("run_ids", "features", "units", "step_unit")
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        one.inputs[name].tolist() == other.inputs[name].tolist() for name in {*one.inputs, *other.inputs}
    )


def test_an_import_makes_the_store_and_a_second_one_adds_nothing(tmp_path, counting):
    assert imported(tmp_path / "s.sqlite", counting) == {"added": 6}
    assert imported(tmp_path / "s.sqlite", counting) == {"unchanged": 6}
    assert same(store.load(tmp_path / "s.sqlite"), counting_ensemble())


@pytest.mark.usefixtures("everything_stays")
def test_a_large_file_stays_and_the_store_keeps_place_and_digest(tmp_path, counting):
    assert imported(tmp_path / "s.sqlite", counting) == {"added": 6}
    assert imported(tmp_path / "s.sqlite", counting) == {"unchanged": 6}
    assert same(store.load(tmp_path / "s.sqlite"), counting_ensemble())
    part = store.load(tmp_path / "s.sqlite", runs=["run_4", "run_1"], features=["count_1"])
    np.testing.assert_array_equal(part.values[..., 0], counting_ensemble().values[[4, 1], :, 1])
    with xr.open_dataset(counting, engine="h5netcdf") as data:
        changed = data.load()
    changed["count_0"][4, 7] += 1
    os.remove(counting)
    with pytest.raises(ValueError, match=r"runs\.nc: no such file; was it moved\?"):
        store.load(tmp_path / "s.sqlite")
    changed.to_netcdf(counting)
    with pytest.raises(ValueError, match=r"runs\.nc: run run_4 has other numbers than at the import"):
        store.load(tmp_path / "s.sqlite")
    changed.isel(run=slice(4)).to_netcdf(counting)
    with pytest.raises(ValueError, match="expected run run_4 in place 4; the file was changed since the import"):
        store.load(tmp_path / "s.sqlite")


@pytest.mark.usefixtures("everything_stays")
@pytest.mark.parametrize("options", [{"every": 3}, {"features": ("count_1",)}, {"rename": {"count_0": "x"}}])
def test_a_file_that_stays_is_read_again_as_at_the_import(tmp_path, counting, options, monkeypatch):
    assert imported(tmp_path / "stays.sqlite", counting, **options) == {"added": 6}
    monkeypatch.setattr(foreign, "STAYS", 10**9)
    assert imported(tmp_path / "copied.sqlite", counting, **options) == {"added": 6}
    assert same(store.load(tmp_path / "stays.sqlite"), store.load(tmp_path / "copied.sqlite"))


@pytest.mark.usefixtures("everything_stays")
def test_runs_of_own_clocks_and_lengths_stay_group_by_group(tmp_path):
    runs = {
        f"r{n}": pd.DataFrame({"x": np.arange(float(3 + n))}, pd.Index(np.arange(3.0 + n), name="t")) for n in range(3)
    }
    tree = xr.DataTree.from_dict({name: frame.to_xarray().assign_attrs(mass=1.0) for name, frame in runs.items()})
    tree.to_netcdf(tmp_path / "runs.nc", engine="h5netcdf")
    assert imported(tmp_path / "s.sqlite", tmp_path / "runs.nc") == {"added": 3}
    ensemble = store.load(tmp_path / "s.sqlite")
    assert (ensemble.lengths.tolist(), ensemble.values[2, :, 0].tolist()) == ([3, 4, 5], [0, 1, 2, 3, 4])
    assert ensemble.inputs["mass"].tolist() == [1, 1, 1]


def test_what_is_refused_leaves_no_run_and_no_store(tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,2\n2,3\n")
    (tmp_path / "b.csv").write_text("t,x\n0,1\n1,\n2,3\n")
    with pytest.raises(ValueError, match="run b: x 1"):
        imported(tmp_path / "s.sqlite", tmp_path / "a.csv", tmp_path / "b.csv")
    assert not (tmp_path / "s.sqlite").exists()


@pytest.fixture
def failing_beside(sqlite_store, monkeypatch):
    """An import of one run that fails; once its store is made, a function gets a connection to it."""
    monkeypatch.setattr(store, "create", lambda path: True)

    def fail(writer):
        def runs():
            yield Run("a", {}, {"x": [1.0]})
            writer(store.connect(sqlite_store))
            raise RecordError("bad")

        with pytest.raises(RecordError, match="bad"):
            imports.put(sqlite_store, runs(), False)

    return fail


def test_a_failing_import_leaves_the_store_to_another_writer(sqlite_store, failing_beside):
    with ExitStack() as at_work:

        def begin(held):
            at_work.callback(held.close)
            at_work.enter_context(held.transaction())
            held.insert([sina_record(Run("b", {}, {"x": [1.0]}))])

        failing_beside(begin)
    assert store.run_ids(sqlite_store) == ["b"]


def test_a_writer_to_a_store_that_was_taken_away_is_told(sqlite_store, failing_beside):
    connections = []
    failing_beside(connections.append)
    assert not os.path.exists(sqlite_store)
    with (
        closing(connections[0]) as held,
        pytest.raises(StoreError, match=r"store.sqlite: cannot w"),
        held.transaction(),
    ):
        held.insert([sina_record(Run("b", {}, {"x": [1.0]}))])


@pytest.fixture
def gaps_among_many(tmp_path, monkeypatch):
    """Four runs of which two, b and d, have a gap; the store takes one run after the other."""
    monkeypatch.setattr(store, "BATCH", 1)
    gap = {"a": "5", "b": "", "c": "5", "d": ""}
    lines = [f"{run},0,1,2\n{run},1,{cell},2\n{run},2,3,3\n" for run, cell in gap.items()]
    (tmp_path / "all.csv").write_text("run,t,x,y\n" + "".join(lines))
    return tmp_path / "all.csv"


def test_gaps_beyond_the_first_batch_are_all_counted(tmp_path, gaps_among_many):
    with pytest.raises(ValueError, match="missing or not finite: x 2; run b: x 1; run d: x 1; --gaps fill"):
        imported(tmp_path / "s.sqlite", gaps_among_many)
    assert not (tmp_path / "s.sqlite").exists()
    store.create(tmp_path / "s.sqlite")
    with pytest.raises(ValueError, match="run b: x 1; run d: x 1"):
        imported(tmp_path / "s.sqlite", gaps_among_many)
    assert store.run_ids(tmp_path / "s.sqlite") == []  # a store that was there stays
    assert imported(tmp_path / "s.sqlite", gaps_among_many, gaps="drop") == {"added": 2}


def test_an_import_of_which_gaps_leave_nothing_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,\n2,3\n")
    with pytest.raises(ValueError, match="no run is without gaps: run a: x 1"):
        imported(tmp_path / "s.sqlite", tmp_path / "a.csv", gaps="drop")
    assert not (tmp_path / "s.sqlite").exists()


def test_an_interrupted_import_leaves_no_half_of_it(tmp_path, counting, monkeypatch, capsys):
    store.create(tmp_path / "s.sqlite")
    seen = []

    def interrupt(*arguments):
        seen.append(arguments)
        if len(seen) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(foreign, "remember", interrupt)
    assert cli.main(["import", str(tmp_path / "s.sqlite"), str(counting)]) == 130
    assert capsys.readouterr().err == "sim2seq import: interrupted, nothing was imported\n"
    assert store.run_ids(tmp_path / "s.sqlite") == []


def test_what_was_filled_or_left_out_goes_with_the_runs(tmp_path):
    for name, cells in {"a": "1 2 3 4", "b": "1  3 4", "c": "1   4"}.items():
        lines = [f"{step},{cell}" for step, cell in enumerate(cells.split(" "))]
        (tmp_path / f"{name}.csv").write_text("t,x\n" + "\n".join(lines) + "\n")
    assert imported(tmp_path / "s.sqlite", tmp_path, gaps="fill") == {"added": 3}
    ensemble = store.load(tmp_path / "s.sqlite")
    np.testing.assert_array_equal(ensemble.values[..., 0], [[1, 2, 3, 4]] * 3)
    assert ensemble.notes == ("gaps filled by interpolation in 2 runs: x 3",)
    assert imported(tmp_path / "d.sqlite", tmp_path, gaps="drop") == {"added": 1}
    assert store.load(tmp_path / "d.sqlite").notes == ("2 runs of the tables with gaps were left out",)


def test_a_first_look_changes_nothing_and_says_what_is_there(tmp_path, counting, capsys):
    words = ["--inputs", str(tmp_path / "inputs.csv"), "--rename", "count_0=x"]
    (tmp_path / "inputs.csv").write_text("run,drag [1/s]\n" + "".join(f"run_{run},{run / 2}\n" for run in range(6)))
    assert cli.main(["import", str(tmp_path / "s.sqlite"), str(counting), "--dry-run", *words]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "6 runs of 20 steps of 0.05 s",
        "feature x [m]: 0 to 519",
        "feature count_1 [m]: 10000 to 10519",
    ]
    assert {"input start: 0 to 500", "input fixed: 1", "input drag [1/s]: 0 to 2.5"} <= set(said)
    assert not (tmp_path / "s.sqlite").exists()
    (tmp_path / "gaps.csv").write_text("t,x\n0,1\n1,\n2,3\n")
    assert cli.main(["import", str(tmp_path / "s.sqlite"), str(tmp_path / "gaps.csv"), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("sim2seq import: numbers are missing or not finite: x 1; run gaps: x 1; --gaps fill")
    assert said.out.splitlines()[-1] == "gaps: x 1, in 1 runs"


def test_the_command_says_how_to_train_on_what_was_imported(tmp_path, counting, capsys):
    path = str(tmp_path / "s.sqlite")
    assert cli.main(["import", path, str(counting), "--controls", "count_1"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{path}: 6 added",
        f"next: sim2seq train {path} inputs:start,other controls:count_1 --report report.html",
    ]


def test_the_next_line_can_be_given_to_a_shell(tmp_path, counting, capsys):
    path = str(tmp_path / "s.sqlite")
    names = ["--rename", "start=start $(id)", "--rename", "count_1=x 1", "--controls", "x 1"]
    assert cli.main(["import", path, str(counting), *names]) == 0
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[4:] == ["inputs:start $(id),other", "controls:x 1", "--report", "report.html"]


def test_values_in_the_names_of_files_are_inputs(tmp_path):
    for k, mode in ((0.5, "fast"), (-2e-3, "slow")):
        (tmp_path / f"k={k}_n_ball=3_mode={mode}.csv").write_text("t,x\n0,1\n1,2\n")
    (tmp_path / "inputs.csv").write_text("run,n_ball\nk_0.5_n_ball_3_mode_fast,4\nk_-0.002_n_ball_3_mode_slow,5\n")
    files = sorted(tmp_path.glob("k*.csv"))
    assert imported(tmp_path / "s.sqlite", *files, rename={"k": "stiffness"}) == {"added": 2}
    given = store.load(tmp_path / "s.sqlite").inputs
    assert {name: values.tolist() for name, values in given.items()} == {"stiffness": [0.5, -0.002], "n_ball": [3, 3]}
    table = {"inputs": tmp_path / "inputs.csv", "replace": True}
    assert imports.import_files(tmp_path / "s.sqlite", files, Reading(), **table).counts == {"replaced": 2}
    assert store.load(tmp_path / "s.sqlite").inputs["n_ball"].tolist() == [4, 5]


@pytest.mark.usefixtures("everything_stays")
def test_values_in_names_without_a_suffix_are_whole(tmp_path):
    pytest.importorskip("zarr")
    for value in (0.5, 1.5):
        xr.Dataset({"x": ("t", [value, 2.0])}, {"t": [0.0, 1.0]}).to_zarr(tmp_path / f"T={value}")
        assert imported(tmp_path / "s.sqlite", tmp_path / f"T={value}") == {"added": 1}
    ensemble = store.load(tmp_path / "s.sqlite")
    assert (ensemble.run_ids, ensemble.inputs["T"].tolist()) == (("T_0.5", "T_1.5"), [0.5, 1.5])


@pytest.mark.parametrize("written", ["001,1.5\n1,2.5\n02,3.5\n", "2,3.5\n001,1.5\n1,2.5\n"])
def test_runs_of_one_number_are_told_apart_as_they_are_written(tmp_path, written):
    files = [tmp_path / f"{name}.csv" for name in ("001", "1", "002")]
    for file in files:
        file.write_text("t,x\n0,1\n1,2\n")
    (tmp_path / "inputs").write_text("nr,mass\n" + written)
    set_at = [(t, *line.split(",")) for t in (0, 1) for line in written.split()]
    (tmp_path / "valve").write_text("t,valve,run\n" + "".join(f"{t},{value},{run}\n" for t, run, value in set_at))
    beside = {"inputs": tmp_path / "inputs", "controls": tmp_path / "valve"}
    done = imports.import_files(tmp_path / "s.sqlite", files, Reading(), **beside)
    assert (done.counts, [line for line in done.lines if "passed" in line]) == ({"added": 3}, [])
    ensemble = store.load(tmp_path / "s.sqlite", runs=["001", "1", "002"], features=["valve"])
    assert ensemble.inputs["mass"].tolist() == [1.5, 2.5, 3.5]
    assert ensemble.values[:, 1, 0].tolist() == [1.5, 2.5, 3.5]


def test_a_file_of_many_runs_may_have_any_name(tmp_path, counting):
    counting.rename(tmp_path / "数据.nc")
    assert imported(tmp_path / "s.sqlite", tmp_path / "数据.nc") == {"added": 6}


def test_lines_of_inputs_that_no_run_has_are_told(tmp_path, counting, capsys):
    table = tmp_path / "inputs.csv"
    table.write_text("run,drag\n" + "".join(f"run_{run},1\n" for run in range(8)))
    assert cli.main(["import", str(tmp_path / "s.sqlite"), str(counting), "--inputs", str(table)]) == 0
    assert "passed by: the line of run run_6, the line of run run_7" in capsys.readouterr().out.splitlines()


def test_a_name_to_be_changed_may_stand_in_any_of_the_tables(tmp_path, counting, capsys):
    (tmp_path / "inputs.csv").write_text("run,drag\n" + "".join(f"run_{run},1\n" for run in range(6)))
    set_at = "".join(f"run_{run},0,1\nrun_{run},1,0\n" for run in range(6))
    (tmp_path / "valve.csv").write_text(f"run,time,valve\n{set_at}")
    words = ["--inputs", str(tmp_path / "inputs.csv"), "--controls", str(tmp_path / "valve.csv")]
    words += ["--rename", "drag=friction", "--rename", "valve=open", "--rename", "start=begin"]
    assert cli.main(["import", str(tmp_path / "s.sqlite"), str(counting), *words]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("inputs:begin,other controls:open --report report.html")
    ensemble = store.load(tmp_path / "s.sqlite")
    assert {"friction", "begin"} < set(ensemble.inputs)
    assert "open" in ensemble.features


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.csv"], "missing.csv: no such file"),
        (["runs.nc", "--rename", "cuont_0=x"], "--rename cuont_0=x: nothing that was read is named cuont_0; did"),
        (["runs.nc", "--rename", "x"], "--rename x: expected OLD=NEW"),
        (["runs.nc", "--features", "z"], "runs.nc: no series z: along time it has count_0, count_1"),
        (["runs.nc", "--every", "0"], "every: expected 1 or more; got 0"),
        (["runs.nc", "--dims", "run,place"], "unknown axis 'place'; known: run, time, feature"),
        (["runs.nc", "runs.nc", "again.nc"], "again.nc: run run_0 is there already, in runs.nc"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(tmp_path, counting, words, said, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "again.nc").write_bytes(counting.read_bytes())
    assert cli.main(["import", "s.sqlite", *words]) == 2
    assert capsys.readouterr().err.startswith(f"sim2seq import: {said}")


def test_export_closes_the_circle(tmp_path, counting, capsys):
    first, second = str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite")
    imported(first, counting)
    assert cli.main(["export", first, "--netcdf", str(tmp_path / "out.nc")]) == 0
    imported(second, tmp_path / "out.nc")
    assert same(store.load(second), store.load(first))
    assert cli.main(["export", first, "--netcdf", str(tmp_path / "none" / "out.nc")]) == 2


def test_an_export_says_which_inputs_it_leaves_out(tmp_path, capsys):
    path, series = tmp_path / "s.sqlite", {"time": [0.0, 1.0], "x": [1.0, 2.0]}
    store.create(path)
    store.ingest(path, [Run("a_1", {"mass": 1.0, "scheme": "tick"}, series), Run("a_2", {"mass": 2.0}, series)])
    assert cli.main(["export", str(path), "--netcdf", str(tmp_path / "out.nc")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{tmp_path}/out.nc", "left out: scheme, which is no number in every run: run a_1 has 'tick'"]


def test_other_content_of_known_ids_is_refused_unless_replaced(tmp_path, counting):
    imported(tmp_path / "s.sqlite", counting)
    with pytest.raises(StoreError, match="run run_0 is in the store with other content: time: store 20 steps, new 7"):
        imported(tmp_path / "s.sqlite", counting, every=3)
    again = imports.import_files(tmp_path / "s.sqlite", [counting], Reading(every=3), replace=True)
    assert again.counts == {"replaced": 6}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha,beta\n1,2\n3,4\n", "only one of them has alpha, beta, x; a store holds runs of one kind"),
        ("t [s],x [cm]\n0,1\n1,2\n", "x in 'cm' and 'm'"),
        ("t [min],x [m]\n0,1\n1,2\n", "time in 'min' and 's'"),
        ("t [s],x [m]\n0,1\n2,2\n", "step 1 at time 2 and 1: --resample DT"),
    ],
)
def test_runs_unlike_those_in_the_store_are_refused(tmp_path, text, words):
    (tmp_path / "a.csv").write_text("t [s],x [m]\n0,1\n1,2\n")
    (tmp_path / "b.csv").write_text(text)
    assert imported(tmp_path / "s.sqlite", tmp_path / "a.csv") == {"added": 1}
    with pytest.raises(ValueError, match=f"run b is unlike run a, which is in the store: {words}"):
        imported(tmp_path / "s.sqlite", tmp_path / "b.csv")
    assert store.run_ids(tmp_path / "s.sqlite") == ["a"]
    (tmp_path / "a.csv").write_text(text)
    done = imports.import_files(tmp_path / "s.sqlite", [tmp_path / "a.csv"], Reading(), replace=True)
    assert done.counts == {"replaced": 1}


def test_runs_that_are_longer_or_say_no_unit_go_into_the_store(tmp_path):
    (tmp_path / "a.csv").write_text("t [s],x [m]\n0,1\n1,2\n")
    (tmp_path / "b.csv").write_text("t,x\n0,1\n1,2\n2,3\n")
    for name in ("a", "b"):
        assert imported(tmp_path / "s.sqlite", tmp_path / f"{name}.csv") == {"added": 1}


def test_the_table_of_inputs_is_no_run_and_other_files_are_named(tmp_path, capsys):
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, slope in (("a", 1), ("b", 2)):
        pd.DataFrame({"t": np.arange(5.0), "x": slope * np.arange(5.0)}).to_csv(folder / f"{name}.csv", index=False)
    pd.DataFrame({"run": ["a", "b"], "slope": [1, 2]}).to_csv(folder / "table.csv", index=False)
    for name in ("c.csv.gz", "notes.out", ".hidden"):
        (folder / name).write_bytes(b"")
    store_there = folder / "s.sqlite"
    for attempt in ("first", "second"):
        command = ["import", str(store_there), str(folder), "--inputs", str(folder / "table.csv")]
        assert cli.main(command) == 0
        printed = capsys.readouterr().out
        assert "passed by: 2 other files such as c.csv.gz below" in printed, attempt
    assert store.load(store_there).inputs["slope"].tolist() == [1, 2]
    assert cli.main(["import", str(store_there), str(folder / "table.csv"), "--inputs", str(folder / "table.csv")]) == 2
    assert "expected files of runs beside" in capsys.readouterr().err


def test_a_file_unlike_those_before_it_is_refused_and_named(tmp_path):
    for name, features in (("a", ("x", "y")), ("b", ("x",)), ("c", ("x", "z"))):
        data = {feature: ("time", [1.0, 2.0, 4.0]) for feature in features}
        xr.Dataset(data, {"time": [0.0, 1.0, 2.0]}).to_netcdf(tmp_path / f"{name}.nc")
    files = [tmp_path / f"{name}.nc" for name in "abc"]
    for some, words in (
        (files[:2], r"b\.nc: run b lacks y: expected the features of run a; or --features x"),
        (files[1:], r"c\.nc: run c has z: expected the features of run b; or --features x"),
        (files[::2], r"c\.nc: run c lacks y and has z: expected the features of run a; or --features x"),
    ):
        with pytest.raises(RecordError, match=words):
            imported(tmp_path / "s.sqlite", *some)
        assert not (tmp_path / "s.sqlite").exists()
    assert imported(tmp_path / "s.sqlite", *files, features=("x",)) == {"added": 3}


@pytest.mark.parametrize("kind", ["nc", "csv", "parts"])
def test_inputs_in_the_name_of_a_file_are_of_all_its_runs(tmp_path, kind):
    for k in (1, 2):
        frame = pd.DataFrame({"run": [f"a{k}"] * 4 + [f"b{k}"] * 4, "t": [*range(4)] * 2, "x": np.arange(8.0)})
        if kind == "nc":
            frame.set_index(["run", "t"]).to_xarray().to_netcdf(tmp_path / f"k={k}.nc")
        elif kind == "csv":
            frame.to_csv(tmp_path / f"k={k}.csv", index=False)
        else:  # of which each has a part of each run: what the parts say in different ways is no input of a run
            frame.iloc[::2].to_csv(tmp_path / f"k={k}_part=1.csv", index=False)
            frame.iloc[1::2].to_csv(tmp_path / f"k={k}_part=2.csv", index=False)
    assert imported(tmp_path / "s.sqlite", *sorted(tmp_path.glob("k=*"))) == {"added": 4}
    inputs = store.load(tmp_path / "s.sqlite", runs=["a1", "b1", "a2", "b2"]).inputs
    assert {name: column.tolist() for name, column in inputs.items()} == {"k": [1, 1, 2, 2]}


def test_dropped_runs_are_told_of_their_own_file(tmp_path):
    for name, x in (("a", [1.0, 2.0]), ("b", [1.0, np.nan, 3.0]), ("c", [1.0, np.inf])):
        data = xr.Dataset({"x": (("run", "time"), [x, list(range(len(x)))])}, {"run": [f"{name}1", f"{name}2"]})
        data.assign_coords(time=np.arange(float(len(x)))).to_netcdf(tmp_path / f"{name}.nc")
    assert imported(tmp_path / "s.sqlite", *(tmp_path / f"{name}.nc" for name in "abc"), gaps="drop") == {"added": 4}
    notes = [f"1 runs of {name}.nc with gaps were left out" for name in "bc"]
    assert list(store.load(tmp_path / "s.sqlite").notes) == notes


def test_an_empty_table_of_parquet_is_refused_with_its_name(tmp_path):
    frame = pd.DataFrame({"t": [0.0, 1.0], "x": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.iloc[:0].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(RecordError, match=r"b\.parquet: expected a table with rows, got none"):
        imported(tmp_path / "s.sqlite", tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_a_first_look_says_what_the_store_would_do_with_the_runs(tmp_path, capsys):
    path, files = str(tmp_path / "s.sqlite"), [tmp_path / f"{name}.csv" for name in "abc"]
    for file in files:
        file.write_text("t,x\n0,1\n1,2\n")
    imported(path, *files[:2])
    files[0].write_text("t,x\n0,1\n1,5\n")
    before = (tmp_path / "s.sqlite").read_bytes()
    words = ["import", path, *map(str, files), "--dry-run"]
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"{path}: would be 1 added, 1 the same, 1 refused (a)"
    assert "run a is in the store with other content: x at step 1: store 2.0, new 5.0: --replace" in said.err
    assert cli.main([*words, "--replace"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{path}: would be 1 added, 1 the same, 1 replaced (a)"
    assert (tmp_path / "s.sqlite").read_bytes() == before
