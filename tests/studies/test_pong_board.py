"""Pong's leaderboard over the environments."""

import csv

import pytest

from sim2seq.store import store
from studies.pong import board, scores


def recorded(path, name: str, distance: float, steps: int, copied: float | None, **settings):
    """Put a training into a store that is made where it is missing."""
    if not path.exists():
        store.create(path)
    judged = {f"distance_{steps}": distance, "wrong_ends": 0.25}
    judged |= {} if copied is None else {f"{scores.COPIED}{steps}": copied}
    results = {"study": "pong", "ranked_by": f"distance_{steps}", "measure": "RMSE", "parameters": 1, **judged}
    settings = {"model": "dense_rnn", "skip": 1, "window": 3, "inputs": ""} | settings
    store.add_training(path, name, settings | results | {"results": ",".join([*results, "results"])}, {})


@pytest.fixture
def stores(tmp_path):
    pong, cubes = tmp_path / "pong.sqlite", tmp_path / "cubes.sqlite"
    recorded(pong, "dense", 6.0, 60, 8.0)
    recorded(pong, "told", 1.0, 60, 8.0, model="objects", inputs="launch_sin,launch_cos", window=1)
    recorded(pong, "worse", 12.0, 60, 8.0, skip=8)
    recorded(cubes, "cube", 5.0, 20, 20.0, window=1)
    return [f"pong={pong}", f"cube_crash={cubes}"]


def test_one_board_ranks_environments_by_times_the_copy(stores, tmp_path, capsys):
    board.main([*stores, "--csv", str(tmp_path / "board.csv")])
    rows = list(csv.DictReader((tmp_path / "board.csv").open()))
    assert [row["recorded as"] for row in rows] == ["told", "cube", "dense", "worse"]
    assert [float(row["times"]) for row in rows] == [0.125, 0.25, 0.75, 1.5]
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
