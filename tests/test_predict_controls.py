"""`sim2seq predict`, and its forecast in Python, of a model under controls: ranges, units, several runs in a file."""

import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
from surrogates import WINDOW

from sim2seq import cli, surrogate
from sim2seq.data import records
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
def test_what_an_older_folder_has_no_range_of_is_not_called_inside(steered, lacking, words):
    model = surrogate.load(steered)
    old = replace(model, scores=replace(model.scores, **lacking))
    begun, last = words[0], words[-1]
    more = f"{last} this training keeps no ranges: not looked at"
    assert looked_at(old, []) == [*([begun] if "ranges" in begun else []), *([more] if last.startswith("of ") else [])]
    assert looked_at(old, ["u 9 is outside"]) == ["u 9 is outside", *([more] if last.startswith("of ") else [])]


def test_a_folder_from_before_has_no_ranges_of_controls_and_loads(steered, place, capsys):
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
