"""Episodes in array files, by seeded calls of a command line."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from sim2seq.data import arrays
from studies.pong import simulate
from studies.pong.agents import PongAgent, make_agent
from studies.pong.worlds import CubeCrash, Pong, draw

SCRIPT = Path(__file__).parents[3] / "studies" / "pong" / "simulate.py"


def written(folder, *words):
    """The array file of a call: name -> numbers, of series and columns alike."""
    path = folder / "episodes.h5"
    simulate.main([*words, "--output", str(path)])
    with h5py.File(path) as file:
        found = {name: file["physics_cycle_series"][name][:] for name in file["physics_cycle_series"]}
        columns = {name: file["data"][name][:] for name in file["data"]}
        return found | columns | {"id": file["id"].asstr()[:].tolist(), "length": file["length"][:]}


def test_a_file_holds_frames_actions_ends_and_the_true_state(tmp_path):
    found = written(tmp_path, "--set", "test", "--episodes", "9", "--steps", "40")
    world, seeds = Pong(), range(2_000_000, 2_000_009)
    played = simulate.simulate(world, seeds, PongAgent(world, seeds, simulate.spread(0.5, 1.0)), steps=40)
    assert (found["frame"].shape, found["frame"].dtype) == ((9, 40, 32, 32), np.uint8)
    assert found["frame"].tobytes() == played.frames.tobytes()
    assert found["length"].tolist() == played.lengths.tolist()
    assert found["action"].dtype == found["terminal"].dtype == np.uint8
    for number, name in enumerate(world.names):
        assert np.array_equal(found[name], played.states[..., number], equal_nan=True)
    assert found["time"].tolist() == list(range(40))
    assert found["seed"].tolist() == list(seeds)
    assert found["id"] == [f"test_{number}" for number in range(9)]
    assert found["launch_angle"] == pytest.approx(np.arctan2(found["launch_sin"], found["launch_cos"]) % (2 * np.pi))


def test_files_pass_the_checks_of_whoever_reads_them(tmp_path):
    written(tmp_path, "--episodes", "5", "--steps", "30")
    first, *others = arrays.read(tmp_path / "episodes.h5")
    assert [run.id for run in (first, *others)] == [f"train_{number}" for number in range(5)]
    assert first.data["environment"] == "pong"
    assert {"launch_sin", "launch_cos", "stochasticity", "num_steps", "over_final", "reward_final"} <= first.data.keys()


def test_each_row_follows_from_the_one_before_and_its_action(tmp_path):
    found = written(tmp_path, "--episodes", "20", "--steps", "50")
    world = Pong()
    states = np.stack([found[name] for name in world.names], axis=-1)
    assert (found["action"][:, 0] == 4).all()
    assert not found["terminal"][:, 0].any()
    for number, length in enumerate(found["length"]):
        following, over, _ = world.step(states[number, : length - 1], found["action"][number, 1:length])
        assert following.tolist() == states[number, 1:length].tolist()
        assert over.tolist() == found["terminal"][number, 1:length].astype(bool).tolist()
        assert draw(world, states[number, :length]).tobytes() == found["frame"][number, :length].tobytes()


def test_an_episode_ends_with_its_game_and_nothing_follows(tmp_path):
    found = written(tmp_path, "--episodes", "40", "--steps", "50")
    ended = found["terminal"].any(axis=1)
    assert 0 < ended.sum() < 40
    assert (found["terminal"].sum(axis=1) == ended).all()
    assert (found["length"][ended] == found["terminal"].argmax(axis=1)[ended] + 1).all()
    assert (found["length"][~ended] == 50).all()
    assert found["reward_final"].tolist() == (found["length"] - 1 - ended).tolist()  # 1 a step, 0 for the last
    assert found["over_final"].tolist() == ended.tolist()
    assert found["num_steps"].tolist() == found["length"].tolist()
    after = np.arange(50) >= found["length"][:, None]
    assert not found["frame"][after].any()
    assert np.isnan(found["ball_x"]).tolist() == after.tolist()


def test_parts_of_a_set_are_the_episodes_of_the_whole(tmp_path):
    whole = written(tmp_path, "--set", "validation", "--episodes", "7", "--steps", "30")
    part = written(tmp_path, "--set", "validation", "--episodes", "3", "--seed", "4", "--steps", "30")
    assert part["id"] == whole["id"][4:]
    for name in ("frame", "action", "stochasticity", "launch_angle"):
        assert part[name].tobytes() == whole[name][4:].tobytes()


def test_the_same_call_writes_the_same_numbers(tmp_path):
    digests = []
    for _ in range(2):
        written(tmp_path, "--episodes", "3", "--steps", "20")
        digests.append([(run.data, run.place[2]) for run in arrays.read(tmp_path / "episodes.h5")])
    assert digests[0] == digests[1]


def test_sets_share_no_seed_and_only_shift_has_other_agents():
    firsts = sorted(one.first for one in simulate.SETS.values())
    assert np.diff(firsts).min() == simulate.MOST_SEEDS
    chances = np.array([0.0, 0.25, 0.5, 1.0])
    drawn = {name: one.stochasticity(chances).tolist() for name, one in simulate.SETS.items()}
    assert drawn["train"] == drawn["validation"] == drawn["test"] == [0.5, 0.625, 0.75, 1.0]
    assert drawn["shift"] == [0.2, 0.2, 0.9, 0.9]


def test_the_shift_set_is_half_calm_and_half_wild(tmp_path):
    found = written(tmp_path, "--set", "shift", "--episodes", "100", "--steps", "2")
    assert np.unique(found["stochasticity"]).tolist() == [0.2, 0.9]
    assert (found["stochasticity"] == 0.2).sum() == pytest.approx(50, abs=20)  # 4 sd


def test_cubecrash_keeps_every_episode_whatever_its_end(tmp_path):
    found = written(tmp_path, "--environment", "cube_crash", "--episodes", "200")
    assert found["frame"].shape == (200, 40, 40, 32)
    assert (found["terminal"].sum(axis=1) == 1).all()
    assert found["length"].max() <= 37  # from row 4 to 40
    through = found["reward_final"] > 0.5
    assert through.sum() > 10
    assert (found["cube_y"][np.arange(200), found["length"] - 1][through] == 40).all()
    assert (found["action"][:, 0] == 0).all()
    assert "stochasticity" not in found


def test_an_agent_is_asked_once_a_step_with_what_it_acts_on():
    asked = []
    world = CubeCrash()

    def agent(states):
        asked.append(states.copy())
        return np.zeros(len(states), dtype=int)

    played = simulate.simulate(world, range(3), agent, steps=5)
    assert [states.tolist() for states in asked] == [played.states[:, row].tolist() for row in range(4)]


def test_a_call_of_the_script_needs_nothing_but_its_options(tmp_path):
    path = tmp_path / "episodes.h5"
    command = [sys.executable, SCRIPT, "--episodes", "2", "--steps", "12", "--size", "40", "--output", path]
    subprocess.run([*map(str, command)], check=True, cwd=SCRIPT.parents[2], env={"PYTHONPATH": str(SCRIPT.parents[2])})
    with h5py.File(path) as file:
        assert file["physics_cycle_series/frame"].shape == (2, 12, 40, 40)


BAD_CALLS = {
    "--output episodes.dsv": "expected a name that ends in .h5",
    "--steps 1": "expected 2 to 10000",
    "--episodes 0": "expected 1 or more",
    "--seed -1": "expected 0 or more",
    "--seed 999999 --episodes 2": "expected seeds below 1000000",
    "--episodes 90000": "expected up to 5461 of 96 steps",
    "--size 33": "expected one of 32, 40, 50, 64; got 33",
    "--environment cube_crash --size 32": "expected none for cube_crash",
    "--environment cube_crash --set shift": "expected no stochasticity",
    "--stochasticity 0.1 0.2": "expected no --stochasticity",
    "--set other --stochasticity 0.4 0.2": "expected two numbers from 0 to 1",
    "--set other --stochasticity nan 1": "expected two numbers from 0 to 1",
}


@pytest.mark.parametrize("words", BAD_CALLS)
def test_bad_options_are_refused_before_anything_is_played(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    given = words.split()
    with pytest.raises(ValueError, match=BAD_CALLS[words]) as refused:
        simulate.main(given if "--output" in given else [*given, "--output", "episodes.h5"])
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["--set all", "--environment chess", "--size large", "--episodes 3"])
def test_words_that_no_option_knows_end_with_exit_code_two(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        simulate.main(words.split())  # the last has no output
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["pong", "cube_crash"])
def test_episodes_that_end_at_once_leave_no_step_undone(name):
    world = simulate.make_world(name)
    played = simulate.simulate(world, [0], make_agent(world, [0]), steps=2)
    assert played.lengths.tolist() == [2]
    assert not np.isnan(played.states).any()
