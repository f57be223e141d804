"""Pong's scores, and what its benchmark keeps: a perfect copy, bounces, results of other episodes, goals, time."""

import json

import numpy as np
import pytest
from games import played
from scripts import script

from studies.pong import places, scores
from studies.pong.simulate import STEPS
from studies.pong.worlds import Pong

PONG = Pong()


def test_a_perfect_copy_scores_zero_and_calls_every_end():
    episodes = played(PONG, 40)
    found = places.find(PONG, episodes.frames[:, 1:]).astype(float)
    valid = np.arange(1, STEPS["pong"]) < episodes.lengths[:, None]
    found[~valid] = np.nan
    over = np.where(valid, episodes.terminals[:, 1:], np.nan)
    made = scores.Rollout(np.where(valid, 0.0, np.nan), found, found, over, over)
    summary = scores.summary(made, PONG)
    assert summary["distance"] == [0] * 6
    assert summary["ends_right"] == summary["bounce_right"] == 1
    assert summary["episodes"][0] == 40


def test_a_bounce_that_never_comes_is_wrong():
    episodes = played(PONG, 40)
    found = places.find(PONG, episodes.frames[:, 1:]).astype(float)
    found[np.arange(1, STEPS["pong"]) >= episodes.lengths[:, None]] = np.nan
    still, none = 0 * found, np.zeros(found.shape[:2])
    bounces = np.isfinite(scores.first_bounce(found))
    found[np.flatnonzero(bounces)[::2]], still[1::2] = np.nan, found[1::2]
    made = scores.Rollout(none, still, found, none, none)
    right = np.flatnonzero(np.isfinite(scores.first_bounce(found))) % 2 == 1
    assert scores.summary(made, PONG)["bounce_right"] == right.mean() < 1


def test_what_is_kept_of_other_episodes_is_no_result(tmp_path):
    check, few, all_of_them = script("_pong_models").check_setup, {"test": 8}, {"test": 500}
    check(tmp_path / "pong" / "setup.json", few)
    check(tmp_path / "pong" / "setup.json", few)
    with pytest.raises(ValueError, match=r"expected results with .'test': 500.; got those with .'test': 8."):
        check(tmp_path / "pong" / "setup.json", all_of_them)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "complete").touch()
    with pytest.raises(ValueError, match="expected the numbers of episodes of what is kept there"):
        check(tmp_path / "old" / "setup.json", all_of_them)


def test_a_seed_changes_no_goal():
    rows_of, found = script("_pong_rows").rows_of, dict.fromkeys(("distance", "others", "pixel_mse"), [1.0] * 20)
    for name in ("ours, angle told", f"ours, angle told, {script('_pong_models').SHIFT}"):
        seeded = name.replace("angle told", "angle told, seed 1")
        goals = [[row["goal"] for row in rows_of(each, found)] for each in (name, seeded)]
        assert goals[0] == goals[1]
    assert 1.5 in [row["goal"] for row in rows_of("ours, angle told, seed 1", found)]


def test_the_time_of_a_training_that_was_cut_off_is_added_up(tmp_path):
    measured = script("_pong_models").measured

    def cut_off():
        sum(range(3_000_000))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path / "t" / "cpu.json", cut_off)
    before = json.loads((tmp_path / "t" / "cpu.json").read_text())
    assert before > 0.01
    found, seconds = measured(tmp_path / "t" / "cpu.json", lambda: 7)
    assert found == 7
    assert before <= seconds < before + 0.5
