"""Ball, planks and cube are found in frames: exactly in true ones, sensibly in blurred ones."""

import numpy as np
import pytest

from studies.pong.agents import make_agent
from studies.pong.locating import find_ball, find_cube, find_planks
from studies.pong.simulate import simulate
from studies.pong.worlds import SIZES, CubeCrash, Pong, draw

PONG, CUBE = Pong(), CubeCrash()


def frame_at(x, y, left=0.0, right=0.0):
    return draw(PONG, np.array([x, y, 0.0, 0.0, left, right])).astype(float)


def blurred(frames):
    """Each pixel the mean of the 3 x 3 around it, edges repeated."""
    padded = np.pad(frames, [(0, 0), (1, 1), (1, 1)], mode="edge")
    height, width = frames.shape[1:]
    return sum(padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)) / 9


def rows_of(world):
    """True frames and states of some episodes, ends among them."""
    played = simulate(world, range(40), make_agent(world, range(40), 0.6))
    valid = np.arange(played.states.shape[1]) < played.lengths[:, None]
    return played.frames[valid], played.states[valid]


@pytest.mark.parametrize("size", SIZES)
def test_ball_and_planks_are_found_exactly_in_every_true_frame(size):
    world = Pong(size)
    frames, states = rows_of(world)
    assert find_ball(world, frames).tolist() == world.shown(states).tolist()
    assert find_planks(world, frames).tolist() == states[:, 4:].tolist()
    assert np.abs(world.shown(states) - states[:, :2]).max() < 1  # what a frame can show of the true place
    assert find_ball(world, frames / 255).tolist() == find_ball(world, frames).tolist()


def test_the_cube_is_found_exactly_in_every_true_frame():
    frames, states = rows_of(CUBE)
    assert find_cube(CUBE, frames).tolist() == states[:, :2].tolist()


def test_the_cube_is_found_at_every_place_that_it_can_have():
    places = [(x, y, 16) for x in range(32) for y in range(4, 41)]
    found = find_cube(CUBE, draw(CUBE, np.array(places, dtype=float)))
    assert found.tolist() == [[x, y] for x, y, _ in places]


def test_blurred_frames_are_read_like_sharp_ones():
    x, y = np.meshgrid(np.arange(-6.0, 7), np.arange(-11.0, 12))  # away from the edges, where a blur is cut off
    states = np.stack([x, y, 0 * x, 0 * x, y // 2 + 5, 8 - y // 2], axis=-1).reshape(-1, 6)
    frames = blurred(draw(PONG, states).astype(float))
    frames[:, :, 6] = frames[:, :, 26] = 0  # what the planks lend to the columns beside them
    assert find_ball(PONG, frames) == pytest.approx(states[:, :2], abs=1e-6)
    assert find_planks(PONG, frames).tolist() == states[:, 4:].tolist()


def test_the_mean_of_two_frames_has_its_ball_at_the_mean_place():
    mean = 0.75 * frame_at(-6.0, 4.0) + 0.25 * frame_at(2.0, -8.0)
    assert find_ball(PONG, mean).tolist() == [-4.0, 1.0]


def test_a_faint_glow_does_not_move_the_ball():
    assert find_ball(PONG, np.maximum(frame_at(-8.0, 14.0), 0.24 * 255)).tolist() == [-8.0, 14.0]
    assert find_ball(PONG, np.maximum(frame_at(-8.0, 14.0) / 10, 0.02 * 255)).tolist() == [-8.0, 14.0]


def test_the_ball_of_a_dark_frame_is_in_the_middle():
    dark = np.stack([np.zeros((32, 32)), np.full((32, 32), -3.0)])
    assert find_ball(PONG, dark).tolist() == [[0.0, 0.0]] * 2


def test_planks_and_cube_are_where_their_picture_differs_least():
    planks = 0.6 * frame_at(0.0, 0.0, left=5.0, right=-1.0) + 0.4 * frame_at(0.0, 0.0, left=9.0, right=16.0)
    assert find_planks(PONG, planks).tolist() == [5.0, -1.0]
    cubes = draw(CUBE, np.array([[10.0, 20.0, 16.0], [12.0, 21.0, 16.0]])).astype(float)
    assert find_cube(CUBE, 0.7 * cubes[0] + 0.3 * cubes[1]).tolist() == [10.0, 20.0]


def test_frames_may_have_any_shape_before_their_own():
    frames = np.broadcast_to(frame_at(3.0, -4.0), (2, 5, 32, 32))
    assert find_ball(PONG, frames).shape == find_planks(PONG, frames).shape == (2, 5, 2)
    assert find_cube(CUBE, np.zeros((2, 5, 40, 32))).shape == (2, 5, 2)


@pytest.mark.parametrize("find", [find_ball, find_planks])
def test_frames_of_another_size_or_type_are_refused(find):
    with pytest.raises(ValueError, match="expected 32 x 32 pixels, got 40 x 32"):
        find(PONG, np.zeros((3, 40, 32)))
    with pytest.raises(ValueError, match="expected numbers from 0 to 255, got <U1"):
        find(PONG, np.full((32, 32), "#"))
    with pytest.raises(ValueError, match="expected 40 x 32 pixels, got 32 x 32"):
        find_cube(CUBE, np.zeros((32, 32)))
