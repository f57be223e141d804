"""`sim2seq predict` of a model that forecasts from the inputs of a run alone."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import scores_json
from surrogates import predicted

from sim2seq import cli, predict, surrogate
from sim2seq.data import records
from sim2seq.data.context import read_context
from sim2seq.models.candidates import keeping
from sim2seq.models.candidates.lookups import Lookup
from sim2seq.predict import context_of


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Two known runs, of length 1 and 3 by their input: x stays at the length, y at ten times that, within 0.5."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "training"
    levels = np.array([[1.0, 10.0], [3.0, 30.0]])
    futures = np.repeat(levels[:, None], 8, axis=1)
    known = np.array([[1.0, 0.0], [3.0, 0.0]])
    keeping.save(Lookup("nearest run", futures, {"known": known}), folder / "candidates" / "nearest_run")
    plain = {"mean": [0.0, 0.0], "std": [1.0, 1.0]}
    content = {"names": ["nearest run"], "centres": [4.0], "weights": [[[1.0]]], "low": [-99, -99], "high": [99, 99]}
    content |= {"series": plain, "conditions": plain, "controls": None}
    band = {"level": 0.9, "members": 3, "factor": [[1.0, 1.0]] * 8, "floor": [[0.5, 0.5]] * 8}
    ranges = {"length": [1.0, 3.0], "drag": [0.0, 0.0]}
    scores = scores_json(window=0, first_window={}, inputs=ranges, members=3, steps=8)
    files = {"combination": content, "band": band, "scores": scores, "settings": {"inputs": ["length", "drag"]}}
    for name, each in files.items():
        (folder / f"{name}.json").write_text(json.dumps(each))
    return folder


@pytest.mark.parametrize("words", [["length=2.9,drag=0"], ["length=2.9", "drag=0"], ["length=2.9,", "drag=0"]])
def test_inputs_are_told_with_commas_or_spaces_between(model, capsys, words):
    rows = predicted(capsys, model, "--inputs", *words)
    assert [float(row["time"]) for row in rows] == [0.5 * step for step in range(8)]  # the first step is forecast too
    assert {(row["run"], row["x"], row["y"], row["x_low"]) for row in rows} == {("1", "3.0", "30.0", "2.5")}


def test_inputs_are_told_by_a_file_of_parameters(model, capsys):
    """Later words go over it; what no model is told is ignored."""
    Path("params.yaml").write_text("length: {value: 1.1, unit: m}\ndrag: 0\nname: first\n")
    assert predicted(capsys, model, "--inputs", "params.yaml")[0]["x"] == "1.0"
    assert predicted(capsys, model, "--inputs", "params.yaml", "length=2.9")[0]["x"] == "3.0"
    Path("params.yaml").write_text("length: long\ndrag: 0\n")
    assert cli.main(["predict", str(model), "--inputs", "params.yaml"]) == 2
    assert capsys.readouterr().err == "sim2seq predict: params.yaml: length: expected a number; got 'long'\n"
    assert cli.main(["predict", str(model), "--inputs", "none.json"]) == 2
    assert "none.json" in capsys.readouterr().err


def test_a_table_of_inputs_has_a_line_a_run(model, capsys):
    with open("inputs.csv", "w") as file:
        file.write("run,drag [1/s],length (m),note\nshort,0,1.1,a\nlong,0,2.8,b\nother,0,1.3,c\n")
    rows = predicted(capsys, model, "--inputs", "inputs.csv", "--steps", "1", "--figure", "first.png")
    assert [(row["run"], row["x"]) for row in rows] == [("short", "1.0"), ("long", "3.0"), ("other", "1.0")]
    assert (model.parent / "first.png").exists()


def test_times_of_the_smallest_steps_are_told_apart():
    model = SimpleNamespace(features=("x",), window=1, scores=SimpleNamespace(time_step=1e-12))
    lines = predict.table(model, ["a"], [np.zeros((1, 3, 1))] * 3).splitlines()
    assert [line.split(",")[2] for line in lines] == ["time", "1e-12", "2e-12", "3e-12"]


def windowed(step, unit):
    """What a file of first steps is held against: a model of x, told the length, with this time step."""
    scores = SimpleNamespace(features=["x"], units=[""], time_unit=unit, told_units={})
    model = SimpleNamespace(features=("x",), inputs=("length",), told=SimpleNamespace(controls=()), window=1)
    model.time_step, model.scores, model.check_window = step, scores, lambda windows: windows
    return model


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("run,length\nc 1,3\nz,9\na,1\nb,2\n", [1, 2, 3]),
        *((f"{name},length\nb,2\nc_1,3\na,1\n", [1, 2, 3]) for name in ("run_id", "Run", "case", "Member", "sim")),
        ("file,length\nb,2\nc_1,3\na,1\n", [1, 2, 3]),
        ("mass,length\n7,3\n8,1\n9,2\n", [3, 1, 2]),
        ("length\n3\n1\n2\n", [3, 1, 2]),
        ("case,length\nb,2\na,1\n", "no line for run c_1; it has b, a"),
        ("length\n5\n", [5]),
        ("run,length\na,1\nc 1,3\n", "no line for run b; it has a, c_1: without a column run, its lines are taken in"),
        ("run,length\na,1\nb,2\nc 1,3\na,4\n", "t.csv: expected one line for each run; got a, b, c 1, a"),
    ],
)
def test_a_run_is_forecast_with_the_line_of_its_own_inputs(tmp_path, monkeypatch, table, expected):
    monkeypatch.chdir(tmp_path)
    model = windowed(None, "s")
    records.write("runs.dsv", [records.Run(name, {"length": 0.0}, {"x": [1.0]}) for name in ("a", "b", "c_1")])
    (tmp_path / "t.csv").write_text(table)
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            context_of(model, "runs.dsv", ["t.csv"], False)
    else:
        assert context_of(model, "runs.dsv", ["t.csv"], False).inputs == {"length": expected}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("length [cm]", "t.csv: length: the model knows it in m; got cm"),
        ("length [m],x [kg]", None),
        ("length,force [N]", None),
    ],
)
def test_inputs_of_a_table_or_record_are_in_the_models_unit(tmp_path, monkeypatch, header, said):
    """Units of what is passed by do not matter."""
    monkeypatch.chdir(tmp_path)
    model = windowed(None, "s")
    model.scores.told_units = {"length": "m"}
    records.write("run.dsv", [records.Run("a", {}, {"x": [1.0]})])
    (tmp_path / "t.csv").write_text(f"{header}\n" + ",".join("3" for _ in header.split(",")) + "\n")
    if said:
        with pytest.raises(ValueError, match=said):
            context_of(model, "run.dsv", ["t.csv"], False)
    else:
        assert context_of(model, "run.dsv", ["t.csv"], False).inputs == {"length": [3]}
    records.write("run.dsv", [records.Run("a", {"length": 3.0}, {"x": [1.0]}, units={"length": "cm"})])
    with pytest.raises(ValueError, match=r"run\.dsv: length: the model knows it in m; got cm"):
        context_of(model, "run.dsv", None, False)


def test_a_run_called_1_gets_the_line_of_001_as_in_an_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records.write("runs.dsv", [records.Run(name, {}, {"x": [1.0]}) for name in ("1", "2")])
    (tmp_path / "t.csv").write_text("run,length\n002,20\n001,10\n")
    assert context_of(windowed(None, "s"), "runs.dsv", ["t.csv"], False).inputs == {"length": [10, 20]}


@pytest.mark.parametrize(
    ("cells", "step", "unit", "said"),
    [
        ("2024-01-31;2024-02-29;2024-03-31", 1.0, "months", None),
        ("2024-01-01;2025-01-01;2026-01-01", 1.0, "years", None),
        ("31.12.2023;01.01.2024;02.01.2024", 86400.0, "s", None),
        ("0:00:00;0:00:01.5;0:00:03", 1.5, "s", None),
        ("2024-01-01;2024-01-02;2024-01-03", 1.0, "", None),
        ("2024-01-01;2024-01-02;2024-01-04", 86400.0, "s", "steps of 86400 s; got 259200 at step 2 after the first"),
        ("2024-01-01;2024-01-02;2024-01-03", 1.0, "months", "time: expected times that increase"),
        ("2024-01-01;2024-01-02;2024-01-03", 24.0, "h", "time '2024-01-01': expected numbers, in h as the model"),
        ("one;two;three", 1.0, "s", "time 'one': expected numbers, or dates such as 2024-01-31 12:00:00"),
        ("0;;1", 1.0, "s", "time: expected a time for each step; step 2 has none"),
    ],
)
def test_dates_of_first_steps_are_held_against_the_models_step(tmp_path, cells, step, unit, said):
    model = windowed(step, unit)
    lines = [f"{cell},{x}" for x, cell in enumerate(cells.split(";"))]
    (tmp_path / "first.csv").write_text("date,x\n" + "\n".join(lines) + "\n")
    if said:
        with pytest.raises(ValueError, match=said):
            read_context(tmp_path / "first.csv", model)
    else:
        assert read_context(tmp_path / "first.csv", model).windows.tolist() == [[[0], [1], [2]]]


def test_it_is_said_how_far_to_trust_it_and_what_lies_outside(model, capsys):
    assert cli.main(["predict", str(model), "--inputs", "length=7,drag=0", "--steps", "1"]) == 0
    assert "length 7 is outside the range of the training runs, 1 to 3" in capsys.readouterr().err
    assert cli.main(["predict", str(model), "--inputs", "length=2,drag=0", "--steps", "1"]) == 0
    said = capsys.readouterr().err
    assert "the inputs lie in the ranges of the training runs" in said
    assert "window" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--initial", "run.csv"], "--initial run.csv: the model forecasts from inputs alone: length, drag"),
        ([], "the model expects length, drag; missing length, drag"),
        (["--inputs", "length=1"], "missing drag"),
        (["--inputs", "length=1,drag=0,mass=2"], "the model expects length, drag; got mass"),
        (["--inputs", "length=1,drag"], "--inputs drag: expected NAME=VALUE, with a number; or a table, .csv"),
        (["--inputs", "nowhere.csv"], "nowhere.csv"),
        (["--inputs", "bad.csv"], "bad.csv: run 2, length: expected a number; got 'long'"),
        (["--inputs", "empty.csv"], "empty.csv: expected a line with names and one for each run; got no run"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(model, capsys, words, said):
    for name, text in {"bad": "length,drag\n1,0\nlong,0\n", "empty": "length,drag\n", "run": "x,y\n1,2\n"}.items():
        (model.parent / f"{name}.csv").write_text(text)
    assert cli.main(["predict", str(model), *words, "--output", "out.csv"]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not (model.parent / "out.csv").exists()


def test_a_model_with_a_window_asks_for_first_steps(model, capsys):
    scores = scores_json(inputs={"length": [1, 3], "drag": [0, 0]})
    (model / "scores.json").write_text(json.dumps(scores))
    assert cli.main(["predict", str(model), "--inputs", "length=1,drag=0"]) == 2
    assert "--initial FILE: the model expects the first 5 steps of a run; got no file" in capsys.readouterr().err


def test_in_python_a_list_of_inputs_gives_a_list_of_runs(model):
    loaded = surrogate.load(model)
    middle, _, _ = loaded.forecast(inputs={"length": [1.2, 2.9], "drag": 0.0}, steps=4)
    assert middle.shape == (2, 4, 2)
    assert loaded.forecast(inputs={"length": 1.2, "drag": 0.0}, steps=4)[0].shape == (4, 2)
    with pytest.raises(ValueError, match="the model forecasts from its inputs alone"):
        loaded.forecast(np.ones((5, 2)), inputs={"length": 1.2, "drag": 0.0})


def test_a_combination_that_is_the_best_baseline_is_not_refused(model, capsys):
    combined = {"steps": [4.0], "weights": {"nearest run": [1.0]}, "validation": {}, "test": {}, "out": {}}
    combined |= {"seconds": {}, "rule": "best alone"}
    content = json.loads((model / "scores.json").read_text()) | {"skill": 0.0, "best_baseline": "ridge"}
    (model / "scores.json").write_text(json.dumps(content | {"combined": combined}))
    words = ["predict", str(model), "--inputs", "length=1,drag=0", "--steps", "1"]
    assert cli.main(words) == 2
    assert "its best baseline, ridge, does as well" in capsys.readouterr().err
    (model / "scores.json").write_text(json.dumps(content | {"combined": combined, "best_baseline": "nearest run"}))
    assert cli.main(words) == 0
    assert "no model beat nearest run here: the forecast is its" in capsys.readouterr().err


def test_an_input_may_have_any_name_that_a_table_gives():
    assert predict.named_number("mass flow=1.2") == ("mass flow", 1.2)
    assert predict.named_number("wall-thickness = 3") == ("wall-thickness", 3.0)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("date;x [m]\n0;0,5\n1;1,5\n2;2,5\n", "utf-8"),
        ("# made by a tool, once\ndate,x\n0,0.5\n# halfway\n1,1.5\n2,2.5\n", "utf-8"),
        ("date\tx\n0\t0.5\n1\t1.5\n2\t2.5\n", "utf-16"),
        ("# date x\n0 0.5\n1 1.5\n2 2.5\n", "utf-8"),
        ("date,x,Größe\n0,0.5,1\n1,1.5,1\n2,2.5,1\n", "cp1252"),
        ("date;x\n2024-01-01 00:00:00;0,5\n2024-01-01 00:00:01;1,5\n2024-01-01 00:00:02;2,5\n", "utf-8"),
    ],
)
def test_first_steps_are_read_as_imports_read_tables(tmp_path, text, encoding):
    (tmp_path / "first.csv").write_bytes(text.encode(encoding))
    assert read_context(tmp_path / "first.csv", windowed(1.0, "s")).windows.tolist() == [[[0.5], [1.5], [2.5]]]
