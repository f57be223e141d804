"""`sim2seq import` and `export`: a first look, what is printed, refusals in one line, and the circle of both."""

import shlex

import numpy as np
import pandas as pd
import pytest
from foreign import imported, same

from sim2seq import cli
from sim2seq.cli_data import words_for_training
from sim2seq.data.foreign import runs as foreign
from sim2seq.data.foreign.runs import Seen
from sim2seq.data.records import Run
from sim2seq.store import store


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


def test_the_next_line_does_not_train_on_the_numbers_of_runs():
    numbers = {name: [1.0, 2.0] for name in ("seed", "Run ID", "drag")}
    assert words_for_training(Seen(lengths=[3, 3], inputs=numbers), ()) == " inputs:drag"


def test_the_next_line_can_be_given_to_a_shell(tmp_path, counting, capsys):
    path = str(tmp_path / "s.sqlite")
    names = ["--rename", "start=start $(id)", "--rename", "count_1=x 1", "--controls", "x 1"]
    assert cli.main(["import", path, str(counting), *names]) == 0
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[4:] == ["inputs:start $(id),other", "controls:x 1", "--report", "report.html"]


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


def test_files_may_be_told_by_a_pattern(tmp_path, capsys):
    """What lies beside them, as logs that end in .txt do, is not read; ** is of any number of folders."""
    for name in ("run_10", "run_9"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "out.csv").write_text(f"t,x\n0,1\n1,{name[4:]}\n")
        (tmp_path / name / "log.txt").write_text("done\n")
    path = str(tmp_path / "s.sqlite")
    for pattern in ("run_*/out.csv", "**/out.csv"):
        assert cli.main(["import", path, str(tmp_path / pattern)]) == 0
    assert store.run_ids(path) == ["run_9", "run_10"]
    capsys.readouterr()
    assert cli.main(["import", path, str(tmp_path / "run_*" / "none.csv")]) == 2
    assert "none.csv: expected a pattern of files that are there; none is called so" in capsys.readouterr().err
    (tmp_path / "a[1].csv").write_text("t,x\n0,1\n1,5\n")
    assert cli.main(["import", str(tmp_path / "other.sqlite"), str(tmp_path / "a[1].csv")]) == 0
