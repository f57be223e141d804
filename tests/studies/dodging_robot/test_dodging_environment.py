"""The dodging robot as a Gymnasium environment, and its pictures."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from studies.dodging_robot import drawing, environment, policies, world

pygame = drawing.pygame


def rounded(policy):
    """A policy that sees what the environment shows: 32-bit numbers."""
    return lambda balls, robot: policy(balls.astype(np.float32), robot)


def single(maker):
    """Observation and info -> action, by a policy of simulate()."""
    policy = maker(1, 0)
    return lambda seen, info: policy(seen[None], np.array([[info["robot_x"], info["robot_v"]]])).astype(np.float64)


def test_gymnasium_finds_nothing_to_say_against_the_environment(screen):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(environment.ID, duration=2.0).unwrapped)


@pytest.mark.parametrize("aim", world.AIMS)
def test_an_episode_is_that_of_simulate_row_by_row(aim):
    expected = world.simulate(rounded(policies.expert(1)), [7], aim, duration=20.0)
    robot, act = gymnasium.make(environment.ID, aim=aim, duration=20.0), single(policies.expert)
    seen, info = robot.reset(seed=7)
    reward, ends = 0.0, []
    for row in expected.rows[0]:
        assert robot.unwrapped.episode.row().tolist() == row.tolist()
        assert seen.tolist() == row[1:9].astype(np.float32).tolist()
        seen, earned, *end, info = robot.step(act(seen, info))
        reward += earned
        ends.append(end)
    assert ends == [[False, False]] * 199 + [[False, True]]
    assert (info["hits"], info["balls"], info["seed"]) == (expected.counts["hits"][0], expected.counts["balls"][0], 7)
    assert reward == -info["hits"]


def test_each_hit_costs_one_and_who_stands_still_is_hit_by_all():
    robot = gymnasium.make(environment.ID, aim="robot", duration=10.0)
    robot.reset(seed=3)
    rewards = [robot.step([0.0])[1] for _ in range(100)]
    info = robot.unwrapped.info()
    assert set(rewards) <= {0.0, -1.0, -2.0}
    assert -sum(rewards) == info["hits"]
    assert info["balls"] - info["hits"] in (2, 3)  # the last two are on their way, or one has touched already


def test_a_command_comes_into_force_one_step_after_it_was_given():
    robot = environment.DodgingRobot()
    robot.reset(seed=0)
    places = [robot.step(np.array([1.0]))[-1]["robot_x"] for _ in range(3)]
    # 5 m/s^2 to 1 m/s in 0.2 s: nothing, then 0.5 * 5 * 0.1^2, then 0.5 * 5 * 0.2^2
    assert places == pytest.approx([0.0, 0.025, 0.1])


def test_the_next_episode_follows_from_the_first_seed():
    robot = environment.DodgingRobot(duration=5.0)
    episodes = []
    for _ in range(2):
        robot.reset(seed=11)
        seen, info = robot.reset()
        episodes.append((info["seed"], seen.tolist()))
    assert episodes[0] == episodes[1]
    assert episodes[0][1] == robot.reset(seed=episodes[0][0])[0].tolist()
    assert episodes[0][1] != robot.reset(seed=11)[0].tolist()


def test_no_observation_leaves_its_bounds():
    box = environment.DodgingRobot().observation_space
    # the widest line: from x = 1.5 to -1.5 at y = 0 and on to y = -0.2067, seen from the other end of the track
    assert box.high[0] == pytest.approx(1.5 + 3 * 0.2067 / 5 + 1.5)
    assert (box.low[1], box.high[1]) == pytest.approx((-0.2067, 5.0))
    assert box.low[3] == -5.0
    for aim in world.AIMS:
        rows = world.simulate(policies.random(50), range(50), aim, duration=30.0).rows
        seen = rows[..., 1:9].astype(np.float32)
        assert (seen >= box.low).all()
        assert (seen <= box.high).all()


def test_options_of_a_reset_are_for_that_episode_only():
    robot = environment.DodgingRobot(aim="straight", duration=5.0)
    robot.reset(seed=1, options={"aim": "center", "duration": 2.0})
    assert robot.episode.steps == 20
    straight, _ = robot.reset(seed=1)
    assert robot.episode.steps == 50
    assert straight[[2, 6]].tolist() == [0.0, 0.0]


BAD_USES = {
    "aim": lambda: environment.DodgingRobot(aim="left"),
    "duration": lambda: environment.DodgingRobot(duration=1.23),
    "render_mode": lambda: environment.DodgingRobot("ascii"),
    "options": lambda: environment.DodgingRobot().reset(options={"speed": 2}),
    "action": lambda: started().step(np.array([np.nan])),
    "shape": lambda: started().step(np.array([0.0, 1.0])),
}


def started():
    robot = environment.DodgingRobot()
    robot.reset(seed=0)
    return robot


@pytest.mark.parametrize("use", BAD_USES)
def test_the_environment_refuses_what_it_cannot_play(use):
    with pytest.raises(ValueError, match=r"expected .*got|expected a multiple"):
        BAD_USES[use]()


def test_a_step_before_the_first_reset_is_refused():
    with pytest.raises(gymnasium.error.ResetNeeded):
        environment.DodgingRobot().step(np.zeros(1))


def picture(**changed):
    """The colour at a place (x, y) of a picture: balls at (-1, 2) and (1, 3) from the robot at x = 0.5."""
    row = np.array([0.75, -1.0, 2.0, 0.0, -3.0, 1.0, 3.0, 0.0, -3.0, 1.0, 1.0, 0.5])
    row[9] = changed.pop("present", 1.0)
    surface = pygame.Surface(drawing.WINDOW, 0, 32)
    drawing.draw(surface, drawing.moment(row, time=1.0, **changed))
    width, height = drawing.WINDOW
    header = round(drawing.HEADER * height)
    view = drawing.view_of(pygame.Surface((width, height - header)), world.WORLD)

    def colour(x, y):
        across, down = view.at(x, y)
        return surface.get_at((round(across), round(down) + header))

    return colour


def test_a_picture_shows_balls_in_true_size_where_they_are():
    colour, floor = picture(), pygame.Color(drawing.FLOOR)
    for (x, y), expected in zip([(-0.5, 2.0), (1.5, 3.0)], drawing.BALL_COLOURS, strict=True):
        assert colour(x, y) == pygame.Color(expected)
        assert colour(x + 0.16, y) == pygame.Color(expected)
        assert colour(x + 0.24, y) == floor  # the radius is 0.2067
        assert colour(x, y - 0.24) == floor
        assert colour(x, y + 0.3) != floor  # the tail: it came from there
    assert colour(0.5 + 0.06, 0.0) == pygame.Color(drawing.BLUE)
    assert colour(0.5 + 0.25, 0.0) == pygame.Color(drawing.BLUE)  # the arrow of its command
    assert colour(0.5 - 0.25, 0.0) != pygame.Color(drawing.BLUE)


def test_a_ball_that_is_not_there_is_not_drawn():
    assert picture(present=0.0)(-0.5, 2.0) == pygame.Color(drawing.FLOOR)


def test_a_hit_turns_the_robot_red_for_a_moment():
    assert picture(since_hit=0.0)(0.56, 0.0) == pygame.Color(drawing.RED)
    assert picture(since_hit=5.0)(0.56, 0.0) == pygame.Color(drawing.BLUE)


def test_rgb_array_needs_no_display(monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    robot = gymnasium.make(environment.ID, render_mode="rgb_array")
    robot.reset(seed=0)
    image = robot.render()
    assert (image.shape, image.dtype) == ((720, 420, 3), np.uint8)
    assert (image == pygame.Color(drawing.BLUE)[:3]).all(axis=-1).any()
