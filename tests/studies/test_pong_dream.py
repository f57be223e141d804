"""Models of Pong in use: what they must be shown, what they refuse, and simple ones."""

import numpy as np
import pytest

from studies.pong import dream
from studies.pong.agents import make_agent
from studies.pong.locating import find_ball, find_planks
from studies.pong.simulate import simulate
from studies.pong.worlds import CubeCrash, Pong

PONG = Pong()
PLAYED = simulate(PONG, range(6), make_agent(PONG, range(6), 0.6))
FRAMES, ACTIONS = PLAYED.frames, PLAYED.actions


def test_a_copy_stays_as_it_is():
    made, _ = dream.copy().step(dream.copy().begin(FRAMES[:, :1], ACTIONS[:, :1]), ACTIONS[:, 1])
    assert (made == FRAMES[:, 0] / np.float32(255)).all()


def test_constant_velocity_goes_on_and_planks_obey():
    made = dream.constant_velocity(PONG, 3)
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
        dream.constant_velocity().begin(frames, actions, meta)
    assert "\n" not in str(error.value)


def test_an_action_that_the_world_has_not_is_refused():
    made = dream.copy(CubeCrash())
    cubes = simulate(CubeCrash(), range(2), make_agent(CubeCrash(), range(2)))
    state = made.begin(cubes.frames[:, :1], cubes.actions[:, :1])
    with pytest.raises(ValueError, match="from 0 to 2 in cube_crash; got 3"):
        made.step(state, [0, 3])


def test_a_folder_without_a_training_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the folder of a finished training"):
        dream.load(tmp_path)
