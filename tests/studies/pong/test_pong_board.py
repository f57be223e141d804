"""Pong's leaderboard over the environments."""

import csv

import numpy as np
import pytest

from sim2seq.store import store
from studies.pong import board, pgen_ensembles, scores, trainings


def recorded(path, name: str, distance: float, steps: int, copied: float | None, limit=None, **settings):
    """Put a training into a store that is made where it is missing."""
    if not path.exists():
        store.create(path)
    judged = {f"distance_{steps}": distance, "wrong_ends": 0.25}
    judged |= {} if copied is None else {f"{scores.COPIED}{steps}": copied}
    judged |= {} if limit is None else {f"{scores.LIMIT}{steps}": limit}
    results = {"study": "pong", "ranked_by": f"distance_{steps}", "measure": "RMSE", "parameters": 1, **judged}
    settings = {"model": "dense_rnn", "skip": 1, "window": 3, "inputs": ""} | settings
    store.add_training(path, name, settings | results | {"results": ",".join([*results, "results"])}, {})


@pytest.fixture
def stores(tmp_path):
    pong, cubes = tmp_path / "pong.sqlite", tmp_path / "cubes.sqlite"
    recorded(pong, "dense", 6.0, 60, 8.0, limit=4.5)
    recorded(pong, "told", 1.0, 60, 8.0, model="objects", inputs="launch_sin,launch_cos", window=1)
    recorded(pong, "worse", 12.0, 60, 8.0, skip=8)
    recorded(cubes, "cube", 5.0, 20, 20.0, window=1)
    return [f"pong={pong}", f"cube_crash={cubes}"]


def test_one_board_ranks_environments_by_times_the_copy(stores, tmp_path, capsys):
    board.main([*stores, "--csv", str(tmp_path / "board.csv")])
    rows = list(csv.DictReader((tmp_path / "board.csv").open()))
    assert [row["recorded as"] for row in rows] == ["told", "cube", "dense", "worse"]
    assert [float(row["times"]) for row in rows] == [0.125, 0.25, 0.75, 1.5]
    assert [row["limit"] for row in rows] == ["", "", "4.5", ""]  # older versions recorded none
    assert [row["environment"] for row in rows] == ["pong", "cube_crash", "pong", "pong"]
    assert [(row["steps"], row["skip"], row["told"]) for row in rows[1:]] == [
        ("20", "1", "False"), ("60", "1", "False"), ("60", "8", "False"),
    ]  # fmt: skip
    assert capsys.readouterr().out.splitlines()[1].startswith("1  pong  objects  1  1  True  60  1.00  8.00  0.125")


def test_what_has_no_copy_beside_it_is_refused(tmp_path):
    recorded(tmp_path / "old.sqlite", "old", 1.0, 60, None)
    with pytest.raises(ValueError, match="old: expected a training with the distance of copying beside it"):
        board.main([f"pong={tmp_path / 'old.sqlite'}"])


@pytest.mark.parametrize("words", [["chess=a"], ["pong=a", "pong=b"]])
def test_environments_that_are_none_or_twice_are_refused(words):
    with pytest.raises(ValueError, match="expected each environment once, of pong"):
        board.main(words)


def grid_of(folder, names: list[str]) -> str:
    np.save(folder / "grid.npy", np.array([[name, "model:dense_rnn", "pong"] for name in names]))
    return str(folder / "grid.npy")


def test_a_training_that_no_store_has_fails_the_board(stores, tmp_path, capsys):
    there = ["told", "cube", "dense", "worse"]
    assert board.main([*stores, "--expect", grid_of(tmp_path, there)]) == 0
    assert board.main([*stores, "--expect", grid_of(tmp_path, [*there, "cube_crash_ours"])]) == 1
    assert capsys.readouterr().err.splitlines() == ["board.py: cube_crash_ours is not recorded"]


def test_the_picture_has_a_bar_a_training_of_all_environments(stores, tmp_path):
    board.main([*stores, "--figure", str(tmp_path / "board.png")])
    assert (tmp_path / "board.png").stat().st_size > 10_000
    bars, _ = board.figure(board.ranked(dict(each.split("=") for each in stores))).axes[:2]
    assert [bar.get_width() for bar in bars.patches] == [0.125, 0.25, 0.75, 1.5]
    told = [label.get_text().split() for label in bars.get_yticklabels()]
    assert told[:3] == [
        ["environment", "model", "skip", "known", "told"],
        ["pong", "objects", "1", "1", "True"],
        ["cube_crash", "dense_rnn", "1", "1", "False"],
    ]


def written_grid(folder, *words) -> list[list[str]]:
    trainings.main([str(folder), "--models", "objects dense_rnn frame_transformer", "--skips", "1 8", *words])
    return np.load(folder / "grid.npy").tolist()


def test_the_grid_has_each_environment_model_and_skip(tmp_path):
    cubes = ["--cube_crash", "epochs:60", "recipe:pixels", "window:1 targets:39"]
    rows = written_grid(tmp_path, "--environments", "pong cube_crash", "--pong", "", "recipe:pixels", "", *cubes)
    assert [world for *_, world in rows] == ["pong"] * 6 + ["cube_crash"] * 4
    words = [each for _, each, _ in rows]
    assert sum("dense_rnn" in each for each in words) == 5
    assert sum("skip:8" in each for each in words) == 2
    assert [world for _, each, world in rows if "launch_sin" in each] == ["pong"] * 2
    assert {name: each for name, each, _ in rows if name.startswith("ours")} == {
        "ours": "model:objects",
        "ours_cube_crash": "model:objects epochs:60 window:1 targets:39",
    }
    assert words[:2] == ["model:objects", "model:objects inputs:launch_sin,launch_cos window:1"]
    names = [name for name, *_ in rows]
    assert len({*names}) == len(names)
    plain = [name for name in names if not name.startswith("ours")]
    assert not [(one, other) for one in plain for other in plain if other.startswith(f"{one}_")]  # see ranking
    assert [world for *_, world in written_grid(tmp_path)] == ["pong"] * 6


def test_each_environment_has_parts_of_its_own_sets():
    table = pgen_ensembles.parameter_table("pong cube_crash", NUM_STUDIES="700", OTHERS="8")
    parts = list(zip(*table.values(), strict=True))
    assert parts[:2] == [("pong", "train", 0, 500), ("pong", "train", 500, 200)]
    named = [(world, group) for world, group, first, _ in parts if not first]
    sets = ["train", "validation", "test"]
    assert named == [("pong", group) for group in [*sets, "shift"]] + [("cube_crash", group) for group in sets]
    assert {*pgen_ensembles.parameter_table("cube_crash")["ENVIRONMENT"]} == {"cube_crash"}
    with pytest.raises(ValueError, match="expected each environment once, of pong, cube_crash; got chess"):
        pgen_ensembles.parameter_table("chess")
