"""Models of Pong in use: what they must be shown, what they refuse, and simple ones."""

import numpy as np
import pytest

from studies.pong import dream, simple
from studies.pong.agents import make_agent
from studies.pong.locating import find_ball, find_planks
from studies.pong.simulate import simulate
from studies.pong.worlds import CubeCrash, Pong

PONG = Pong()
PLAYED = simulate(PONG, range(6), make_agent(PONG, range(6), 0.6))
FRAMES, ACTIONS = PLAYED.frames, PLAYED.actions


def test_a_copy_stays_as_it_is():
    made, _ = simple.copy().step(simple.copy().begin(FRAMES[:, :1], ACTIONS[:, :1]), ACTIONS[:, 1])
    assert (made == FRAMES[:, 0] / np.float32(255)).all()


def test_constant_velocity_goes_on_and_planks_obey():
    made = simple.constant_velocity(PONG, 3)
    state = made.begin(FRAMES[:, :3], ACTIONS[:, :3])
    pace = (find_ball(PONG, FRAMES[:, 2]) - find_ball(PONG, FRAMES[:, 0])) / 2
    for step in range(3, 6):
        frame, state = made.step(state, ACTIONS[:, step])
        assert (find_planks(PONG, 255 * frame) == find_planks(PONG, FRAMES[:, step])).all()
    expected = np.round(find_ball(PONG, FRAMES[:, 2]) + 3 * pace)
    assert (find_ball(PONG, frame) == expected).all()


def test_one_episode_needs_no_axis_of_episodes():
    made = dream.load("constant velocity")
    many, _ = made.step(made.begin(FRAMES[:, :2], ACTIONS[:, :2]), ACTIONS[:, 2])
    one, state = made.step(made.begin(FRAMES[0, :2], ACTIONS[0, :2]), ACTIONS[0, 2])
    assert one.shape == (32, 32)
    assert (one == many[0]).all()
    assert state.over.shape == ()


@pytest.mark.parametrize(
    ("frames", "actions", "meta", "said"),
    [
        (FRAMES[0, :1], ACTIONS[0, :1], None, "expected the first 2 of an episode; got 1"),
        (FRAMES[0, 0], ACTIONS[0, :2], None, r"or \(episodes, ...\) of these; got \(32, 32\)"),
        (FRAMES[None, :2, :2], ACTIONS[0, :2], None, r"got \(1, 2, 2, 32, 32\)"),
        (FRAMES[0, :2, :30], ACTIONS[0, :2], None, "expected 32 x 32 pixels, those of pong; got 30 x 32"),
        (FRAMES[0, :2] / 255, ACTIONS[0, :2], None, "expected bytes, 0 to 255; got float64"),
        (FRAMES[0, :2], np.array([4, 9]), None, "from 0 to 8 in pong; got 9"),
        (FRAMES[0, :2], np.array([4, 0.5]), None, "from 0 to 8 in pong; got 4.0"),
        (FRAMES[0, :2], ACTIONS[0, :3], None, r"expected \(2,\), one a frame; got \(3,\)"),
        (FRAMES[0, :2], ACTIONS[0, :2], [0.0, 1.0], r"expected none; got \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(frames, actions, meta, said):
    with pytest.raises(ValueError, match=said) as error:
        simple.constant_velocity().begin(frames, actions, meta)
    assert "\n" not in str(error.value)


TOLD = dream.Dream(PONG, 1, dream.ROUND, lambda *shown: shown[2], None, {"launch_sin": (-1.0, 1.0)})
HOLE = dream.Dream(PONG, 1, ("hole",), lambda *shown: shown[2], None, {"hole": (8.0, 23.0)})


@pytest.mark.parametrize(
    ("made", "meta", "said"),
    [
        (TOLD, [np.nan, 1], "expected finite numbers, launch_sin, launch_cos; got"),
        (TOLD, [0, np.inf], "expected finite numbers"),
        (TOLD, ["a", "b"], "expected finite numbers"),
        (TOLD, [50, -3], "expected those of an angle, squares that add up to 1; got 2509"),
        (TOLD, [0, 0], "squares that add up to 1; got 0"),
        (HOLE, [38.1], "hole: expected about 8 to 23, as in training; got 38.1"),
        (HOLE, [-7.1], "hole: expected about 8 to 23"),
    ],
)
def test_what_no_episode_tells_is_refused_in_one_line(made, meta, said):
    with pytest.raises(ValueError, match=said) as error:
        made.begin(FRAMES[0, :1], ACTIONS[0, :1], meta)
    assert "\n" not in str(error.value)
    many = np.stack([made.begin(FRAMES[0, :1], ACTIONS[0, :1], fine).inner[0] for fine in FINE[made.told]])
    with pytest.raises(ValueError, match=said.split(";", maxsplit=1)[0]):  # one bad episode among good ones
        made.begin(FRAMES[:3, :1], ACTIONS[:3, :1], [*many.tolist(), meta])


FINE = {TOLD.told: [[0.6, 0.8], [-1, 0.001]], HOLE.told: [[38], [-7]]}


def test_constant_velocity_lets_the_cube_fall_on_and_obey():
    world = CubeCrash()
    cubes = simulate(world, range(4), make_agent(world, range(4)))
    made = dream.load("constant velocity", environment="cube_crash")
    state = made.begin(cubes.frames[:, :2], cubes.actions[:, :2])
    for step in range(2, 5):
        frame, state = made.step(state, cubes.actions[:, step])
        assert (255 * frame == cubes.frames[:, step]).all()


def test_constant_velocity_of_another_world_is_refused():
    with pytest.raises(ValueError, match="expected the environment pong or cube_crash; got atari_pong"):
        dream.load("constant velocity", environment="atari_pong")


@pytest.mark.parametrize("folder", [None, 3, ["copy"]])
def test_what_is_no_folder_is_refused(folder):
    with pytest.raises(ValueError, match="expected the folder of a finished training, or one of copy"):
        dream.load(folder)


@pytest.mark.parametrize("held", ["{}", "[]", '{"environment": "chess", "height": 8}', "no JSON"])
def test_a_folder_with_a_broken_world_is_refused(tmp_path, held):
    (tmp_path / "scores.json").write_text("{}")
    (tmp_path / "world.json").write_text(held)
    with pytest.raises(ValueError, match="expected environment, height and width of Pong or CubeCrash") as error:
        dream.load(tmp_path)
    assert "\n" not in str(error.value)


def test_an_action_that_the_world_has_not_is_refused():
    made = simple.copy(CubeCrash())
    cubes = simulate(CubeCrash(), range(2), make_agent(CubeCrash(), range(2)))
    state = made.begin(cubes.frames[:, :1], cubes.actions[:, :1])
    with pytest.raises(ValueError, match="from 0 to 2 in cube_crash; got 3"):
        made.step(state, [0, 3])


def test_a_folder_without_a_training_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the folder of a finished training"):
        dream.load(tmp_path)
