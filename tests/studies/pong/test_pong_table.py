"""Pong's table: goals that each line is measured by, means over seeds, names of trainings, and the table of a sweep."""

import json
from argparse import Namespace

import numpy as np
import pytest
from scripts import script

from studies.pong import grids, trainings
from studies.pong.scores import HORIZONS
from studies.pong.worlds import Pong

PONG = Pong()
OURS, TOLD = ([f"ours, {shown}{seed}" for seed in ("", ", seed 1", ", seed 2")] for shown in ("P = 3", "angle told"))


def scored(distance: float, ends: float = 0.95) -> dict:
    """What the benchmark keeps of a model: the same distance at each horizon."""
    numbers = {"distance": [distance] * len(HORIZONS), "others": [0.5] * len(HORIZONS)}
    numbers |= {"pixel_mse": [0.01] * len(HORIZONS), "ends_right": ends, "bounce_right": 0.5}
    return numbers | {"training_cpu_seconds": 60.0, "frames_a_second": 200.0}


def rows_of_table(folder, models: dict[str, dict], capsys) -> tuple[dict[str, dict], str]:
    """The rows of a table of small sets, by name, and what was printed; `models` were trained before."""
    module = script("_pong_models")
    asked = [name for name in module.trials(PONG) if any(part in name for part in models)]
    assert sorted(asked) == sorted(models)  # nothing is trained here
    for name, numbers in models.items():
        place = folder / "pong" / name.replace(" ", "_").replace(",", "").replace("=", "")
        place.mkdir(parents=True)
        for file in ("test.json", "shift.json"):
            (place / file).write_text(json.dumps(numbers))
    sizes = {"train": 20, "validation": 4, "test": 4}
    (folder / "pong" / "setup.json").write_text(json.dumps({"setup": sizes}))
    options = {"environment": "pong", "episodes": 4, "training_episodes": 20, "only": list(models), "study": None}
    rows = module.models(Namespace(folder=folder, **options))
    return {row["name"]: row for row in rows}, capsys.readouterr().out


def test_each_source_family_has_a_verdict_beside_the_copy(tmp_path, capsys):
    models = {f"{family}, P = 3": scored(1.0) for family in script("_pong_models").FAMILIES}
    models |= {"spatial_transformer, angle told": scored(90.0)} | {name: scored(1.0) for name in OURS}
    rows, printed = rows_of_table(tmp_path, models, capsys)
    found = {name: row for name, row in rows.items() if "no worse than copying the last frame at 10 steps" in name}
    assert len(found) == 6
    for name, row in found.items():
        known = 1 if "told" in name else 3
        assert (
            row["goal"] == row["reference"] == rows[f"copy the last frame, P = {known}: distance, 10 steps"]["measured"]
        )
        assert script("_rows").met(row) == ("no" if "told" in name else "yes")
    assert rows["ours, P = 3: distance, 10 steps"]["reference"] == row_of_copy(rows, 3)
    assert rows["limit, angle told: distance, 60 steps"]["measured"] == 0
    assert [f"| limit, {each} |" in printed for each in ("P = 3", "P = 16", "angle told")] == [True] * 3


def row_of_copy(rows, known: int) -> float:
    return rows[f"copy the last frame, P = {known}: distance, 10 steps"]["measured"]


def test_the_goal_of_ends_is_that_of_our_model_alone(tmp_path, capsys):
    told = {name: scored(1.0) for name in (*TOLD, "dense_rnn, angle told")}
    rows, _ = rows_of_table(tmp_path, told, capsys)
    assert rows["ours, angle told: ends_right"]["goal"] == 0.9
    assert rows["dense_rnn, angle told: ends_right"]["goal"] is None
    assert rows["ours, angle told, other players: ends_right"]["goal"] is None


def test_the_spatial_transformer_learns_from_its_own_frames():
    words = trainings.trainings(["spatial_transformer", "dense_rnn"], ["1"], ours="", theirs="", shared="", told=True)
    assert ["closed_loop:true" in each for each in words] == [True, True, False, False]
    (chosen,) = trainings.trainings(
        ["spatial_transformer"], ["1"], ours="", theirs="closed_loop:false", shared="", told=False
    )
    assert "closed_loop:true" not in chosen
    learned = script("_pong_models").trials(PONG)
    of_it = {name: "closed_loop:true" in each for name, each in learned.items() if "spatial" in name}
    assert [name for name, own in of_it.items() if not own] == ["spatial_transformer, true frames"]


def test_a_mean_over_seeds_has_the_goal_and_a_deviation(tmp_path, capsys):
    models = {name: scored(distance, distance / 4) for name, distance in zip(TOLD, (1.0, 2.0, 3.0), strict=True)}
    rows, printed = rows_of_table(tmp_path, models, capsys)
    mean, deviation = (
        rows[f"ours, angle told, {each} of 3 seeds: distance, 60 steps"] for each in ("mean", "deviation")
    )
    assert (mean["measured"], mean["goal"]) == (2.0, 1.5)
    assert (deviation["measured"], deviation["goal"]) == (1.0, None)
    assert rows["ours, angle told, mean of 3 seeds: ends_right"]["measured"] == 0.5
    assert "| ours, angle told, mean of 3 seeds | 2.00 |" in printed
    assert "| ours, angle told, deviation of 3 seeds | 1.00 |" in printed


def test_one_seed_has_neither_mean_nor_deviation(tmp_path, capsys):
    rows, _ = rows_of_table(tmp_path, {"frame_transformer, P = 3": scored(1.0)}, capsys)
    assert not [name for name in rows if "seeds" in name]


def test_a_training_of_a_study_is_called_as_in_the_table():
    called = script("_pong_models").called
    settings = {"model": "dense_rnn", "inputs": [], "skip": 1, "window": 3}
    told = {"inputs": ["launch_sin", "launch_cos"], "window": 1}
    names = [
        called(settings | each) for each in ({}, {"skip": 8}, told, {"skip": 8} | told, {"model": "objects"} | told)
    ]
    assert names == [
        "dense_rnn, P = 3",
        "dense_rnn, skip 8",
        "dense_rnn, angle told",
        "dense_rnn, skip 8, angle told",
        "ours, angle told",
    ]


def test_a_model_of_a_study_has_no_time_of_training():
    found = {name: value for name, value in scored(1.0).items() if name != "training_cpu_seconds"}
    names = [row["name"] for row in script("_pong_rows").rows_of("dense_rnn, P = 3", found)]
    assert "dense_rnn, P = 3: play" in names
    assert "dense_rnn, P = 3: training" not in names


def test_guesses_beside_cubes_are_shown_one_frame(tmp_path, capsys):
    (tmp_path / "cube_crash").mkdir()
    (tmp_path / "cube_crash" / "setup.json").write_text(
        json.dumps({"setup": {"train": 20, "validation": 4, "test": 4}})
    )
    options = {"environment": "cube_crash", "episodes": 4, "training_episodes": 20, "only": ["none"], "study": None}
    script("_pong_models").models(Namespace(folder=tmp_path, **options))
    named = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines() if ", P = " in line]
    guessed = ["copy the last frame", "mean frame", "nearest training episode", "told the rules"]
    assert named == [f"| {name}, P = 1" for name in ["limit", *guessed]]


BOARD = """place,model,skip,inputs,window,error,recorded as
1,objects,1,"launch_sin,launch_cos",1,0.02,a
2,dense_rnn,8,,3,4.0,b
3,dense_rnn,8,,3,5.0,c
4,dense_rnn,1,"launch_sin,launch_cos",1,2.5,d
5,asset_transformer,1,,3,inf,e
"""
BOARDS = """place,environment,model,skip,known,told,steps,distance,copied,times,wrong_ends,recorded as
1,pong,objects,1,1,True,60,0.02,8,0.0025,0.1,a
2,cube_crash,objects,1,1,False,20,0.5,20,0.025,0.1,a
"""


def test_a_sweeps_table_says_model_skip_and_what_is_told(tmp_path):
    (tmp_path / "one.csv").write_text(BOARD)
    (tmp_path / "two.csv").write_text(BOARDS)
    found = {("objects", "skip 1, angle told"): 0.02, ("dense_rnn", "skip 8"): 4.5}
    found |= {("dense_rnn", "skip 1, angle told"): 2.5, ("asset_transformer", "skip 1"): np.inf}
    assert grids.board_of(tmp_path / "one.csv") == {"": found}
    both = {"pong": {("objects", "skip 1, angle told"): 0.02}, "cube_crash": {("objects", "skip 1"): 0.5}}
    assert grids.board_of(tmp_path / "two.csv") == both


def test_a_sweep_is_drawn_as_a_grid(tmp_path):
    (tmp_path / "one.csv").write_text(BOARD)
    (axis,) = grids.sweep(grids.board_of(tmp_path / "one.csv")).axes
    lines = [each.get_text() for each in axis.get_yticklabels()]
    columns = [each.get_text() for each in axis.get_xticklabels()]
    assert lines == ["objects", "dense rnn", "asset transformer"]
    assert columns == ["skip 1", "skip 1\nangle told", "skip 8"]
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axis.texts}
    assert cells == {(1, 0): "0.02", (2, 1): "4.50", (1, 1): "2.50", (0, 2): "diverged"}


@pytest.mark.parametrize("text", ["", "place,model\n1,objects\n", "model,error\nobjects,far\n"])
def test_a_table_that_is_no_leaderboard_is_refused(text, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=r"bad.csv: expected .*leaderboard") as error:
        grids.board_of(tmp_path / "bad.csv")
    assert "\n" not in str(error.value)
