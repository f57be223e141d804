"""Files of other programs go into a store: whole or not at all, once, and large ones by their place."""

import os
from contextlib import ExitStack, closing

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from foreign import imported, same
from helpers import counting_ensemble

from sim2seq.data.foreign import runs as foreign
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError, Run
from sim2seq.store import imports, store
from sim2seq.store.sina import StoreError, sina_record


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


def test_a_file_of_many_runs_may_have_any_name(tmp_path, counting):
    counting.rename(tmp_path / "数据.nc")
    assert imported(tmp_path / "s.sqlite", tmp_path / "数据.nc") == {"added": 6}


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


def test_a_run_that_is_stored_under_another_name_is_refused(tmp_path):
    """Alone, a/out.csv is named out; beside b/out.csv it is named a, so that it would be in the store twice."""
    for name, last in (("a", 3), ("b", 4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "out.csv").write_text(f"t,x,y\n0,1,5\n1,2,7\n2,{last},6\n")
    path, one, other = (tmp_path / name for name in ("s.sqlite", "a/out.csv", "b/out.csv"))
    assert (imported(path, one), imported(path, one)) == ({"added": 1}, {"unchanged": 1})
    refused = "run a is run out, which is in the store, under another name: leave it out, or import all files"
    for options in ({}, {"replace": True}):
        with pytest.raises(ValueError, match=refused):
            imports.import_files(path, [one, other], Reading(), **options)
    assert refused in imports.import_files(path, [one, other], Reading(), dry_run=True).refused
    assert (store.run_ids(path), imported(path, other.rename(tmp_path / "b.csv"))) == (["out"], {"added": 1})
    (tmp_path / "mass").write_text("run,mass\na,1\n")
    done = imports.import_files(path, [one.rename(tmp_path / "a.csv")], Reading(), inputs=tmp_path / "mass")
    assert done.counts == {"added": 1}  # of another input: both may come of one start


@pytest.mark.usefixtures("everything_stays")
def test_a_run_in_a_file_stored_under_another_name_is_refused(tmp_path, counting):
    assert imported(tmp_path / "s.sqlite", counting) == {"added": 6}
    with xr.open_dataset(counting, engine="h5netcdf") as data:
        renamed = data.load().assign_coords(run=[f"again_{number}" for number in range(6)])
    renamed.to_netcdf(tmp_path / "again.nc")
    with pytest.raises(ValueError, match="run again_0 is run run_0, which is in the store, under another name"):
        imported(tmp_path / "s.sqlite", tmp_path / "again.nc")


def test_equal_runs_within_an_import_are_told(tmp_path):
    """Runs that all come to rest may be equal."""
    for name, values in (("a", "0,1"), ("b", "0,2"), ("c", "0,1")):
        (tmp_path / f"{name}.csv").write_text(f"t,x\n{values}\n1,2\n")
    for options in ({"dry_run": True}, {}):
        done = imports.import_files(tmp_path / "s.sqlite", sorted(tmp_path.glob("*.csv")), Reading(), **options)
        said = [line for line in done.lines if line.startswith("equal")]
        assert (said, done.refused) == (
            ["equal in all numbers, so that one may be learned from and the other scored: c is a"],
            "",
        )
