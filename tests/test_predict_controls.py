"""`sim2seq predict`, and its forecast in Python, of a model under controls: ranges, units, several runs in a file."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from surrogates import WINDOW

from sim2seq import cli, surrogate
from sim2seq.data import records
from sim2seq.data.context import read_context
from sim2seq.predict import looked_at

OUTSIDE = "u 10000 is outside the range of the training runs, 0 to 1 mV: neither forecast nor band is vouched for"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(controls, header="x,y,u", name="run.csv", first=0.0):
    """A file of one run: x and y count on by one within the window, and are empty after it."""
    lines = [f"{first + step},{first + 10 + step},{u}" for step, u in enumerate(controls)]
    with open(name, "w") as file:
        file.write("\n".join([header, *lines]) + "\n")


def said(capsys, folder, *arguments) -> list[str]:
    assert cli.main(["predict", str(folder), *arguments]) == 0
    return capsys.readouterr().err.splitlines()


def test_controls_far_outside_training_are_not_vouched_for(steered, place, capsys):
    write([1.0] * 7 + [1e4] * 2)
    assert said(capsys, steered, "--initial", "run.csv")[-1] == f"sim2seq predict: {OUTSIDE}"
    assert not any(OUTSIDE in line for line in said(capsys, steered, "--initial", "run.csv", "--steps", "2"))
    write([1.0] * 9)
    inside = "what this begins with and the controls lie in the ranges of the training runs"
    assert said(capsys, steered, "--initial", "run.csv")[-1] == f"sim2seq predict: {inside}"


def test_a_forecast_under_controls_outside_training_warns(steered):
    model = surrogate.load(steered)
    with pytest.warns(surrogate.OutsideTraining, match=OUTSIDE):
        model.forecast(WINDOW, 3, controls=np.full((8, 1), 1e4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.forecast(WINDOW, 3, controls=np.ones((8, 1)))
        model.forecast(WINDOW, 3, controls=np.full((8, 1), 1 + 1e-9))  # as single precision keeps it


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"controls": {}}, ["what this begins with lies in the ranges of the training runs", "of the controls"]),
        ({"first_window": {}}, ["the controls lie in the ranges of the training runs", "of the first window"]),
        ({"first_window": {}, "controls": {}}, ["of the first window and the controls"]),
        ({"window": 0, "first_window": {}}, ["the controls lie in the ranges of the training runs"]),
    ],
)
def test_what_has_no_range_in_a_folder_is_not_called_inside(steered, lacking, words):
    model = surrogate.load(steered)
    old = replace(model, scores=replace(model.scores, **lacking))
    begun, last = words[0], words[-1]
    more = f"{last} this training keeps no ranges: not looked at"
    assert looked_at(old, []) == [*([begun] if "ranges" in begun else []), *([more] if last.startswith("of ") else [])]
    assert looked_at(old, ["u 9 is outside"]) == ["u 9 is outside", *([more] if last.startswith("of ") else [])]


def test_an_older_folder_without_ranges_of_controls_loads(steered, place, capsys):
    shutil.copytree(steered, place / "old")
    content = json.loads((place / "old" / "scores.json").read_text())
    kept = {name: each for name, each in content.items() if name not in ("controls", "told_units")}
    (place / "old" / "scores.json").write_text(json.dumps(kept))
    write([1e4] * 9)
    lines = said(capsys, place / "old", "--initial", "run.csv")
    assert lines[-1] == "sim2seq predict: of the controls this training keeps no ranges: not looked at"


@pytest.mark.parametrize(("header", "unit"), [("x,y,u [V]", "V"), ("x,y,u (kV)", "kV"), ("x,y,u [mV]", None)])
def test_controls_in_another_unit_are_refused(steered, place, capsys, header, unit):
    write([1.0] * 9, header)
    assert cli.main(["predict", str(steered), "--initial", "run.csv"]) == (2 if unit else 0)
    captured = capsys.readouterr()
    assert (f"run.csv: u: the model knows it in mV; got {unit}" in captured.err) == bool(unit)
    assert ("u in mV" in captured.err) == (unit is None)


def test_controls_of_a_record_in_another_unit_are_refused(steered, place, capsys):
    series = {"x": np.arange(9.0), "y": np.arange(9.0), "u": np.ones(9)}
    records.write("run.dsv", [records.Run("a", {}, series, units={"u": "V"})])
    assert cli.main(["predict", str(steered), "--initial", "run.dsv"]) == 2
    assert "run.dsv: u: the model knows it in mV; got V" in capsys.readouterr().err


def of_controls(window=2, controls=("u",)):
    """A model of x, under controls, as far as a file is held against it."""
    scores = SimpleNamespace(features=["x"], units=[""], time_unit="s", told_units={})
    told = SimpleNamespace(controls=controls)
    model = SimpleNamespace(features=("x",), inputs=(), told=told, window=window, time_step=1.0, scores=scores)
    model.check_window = lambda windows: windows
    return model


RUNS = {"b": [(0, 1, 10), (1, 2, 20), (2, "", 30)], "a": [(5, 3, 40), (6, 4, 50), (7, "", 60), (8, "", 70)]}
LINES = [(run, *line) for run, lines in RUNS.items() for line in lines]


def write_runs(lines, header="case,time,x,u"):
    with open("runs.csv", "w") as file:
        file.write("\n".join([header, *(",".join(map(str, line)) for line in lines)]) + "\n")


@pytest.mark.parametrize("name", ["run", "Run", "run_id", "case", "member"])
@pytest.mark.parametrize("order", [range(7), [3, 0, 4, 1, 5, 2, 6]])
def test_several_runs_in_a_table_are_several_runs(place, name, order):
    """Each has its own clock and its own controls, as far as all go, whether the runs stand one below the other."""
    write_runs([LINES[line] for line in order], f"{name},time,x,u")
    found = read_context(Path("runs.csv"), of_controls())
    expected = {"b": ([[1], [2]], [[10], [20], [30]]), "a": ([[3], [4]], [[40], [50], [60]])}
    assert sorted(found.runs) == ["a", "b"]
    for run, window, controls in zip(found.runs, found.windows.tolist(), found.controls.tolist(), strict=True):
        assert (window, controls) == expected[run]


def test_several_runs_without_controls_are_several_windows(place):
    write_runs([("b", 0, 1), ("b", 1, 2), ("a", 0, 3), ("a", 1, 4)], "run,time,x")
    found = read_context(Path("runs.csv"), of_controls(controls=()))
    assert (found.runs, found.windows.tolist()) == (["b", "a"], [[[1], [2]], [[3], [4]]])
    with pytest.raises(ValueError, match=r"runs\.csv: run b: expected a window of 4 steps; got 2"):
        read_context(Path("runs.csv"), of_controls(window=4, controls=()))


def test_several_runs_from_their_controls_alone(place):
    write_runs([("b", 1), ("b", 2), ("a", 3), ("a", 4)], "run,u")
    found = read_context(Path("runs.csv"), of_controls(window=0))
    assert (found.runs, found.windows.shape) == (["b", "a"], (2, 0, 1))
    assert found.controls.tolist() == [[[1], [2]], [[3], [4]]]


@pytest.mark.parametrize(
    ("header", "cells", "runs"),
    [
        ("id,x,u", ["1", "2", "3"], ["1"]),  # counts the lines
        ("id,x,u", ["k", "k", "k"], ["k"]),
        ("run,case,x,u", ["r,k", "r,k", "r,l"], ["k", "l"]),
        ("other,x,u", ["k", "k", "l"], ["1"]),
    ],
)
def test_a_column_that_counts_the_lines_tells_no_runs_apart(place, header, cells, runs):
    write_runs([(cell, 1, 2) for cell in cells], header)
    assert read_context(Path("runs.csv"), of_controls(window=1)).runs == runs


def test_a_line_of_no_run_among_several_is_refused(place):
    write_runs([("b", 1, 2), ("b", 1, 2), ("", 1, 2)], "run,x,u")
    with pytest.raises(ValueError, match=r"runs\.csv: run '': expected an id with letters or digits"):
        read_context(Path("runs.csv"), of_controls())
    write_runs([("b", 1, 2), ("b", 1, 2), ("a", "one", 2), ("a", 1, 2)], "run,x,u")
    with pytest.raises(ValueError, match=r"runs\.csv: run a: step 1: expected numbers"):
        read_context(Path("runs.csv"), of_controls())
