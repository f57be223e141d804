"""The limit: what the first frames of an episode leave open."""

import numpy as np
import pytest

from studies.pong import limit
from studies.pong.agents import PongAgent
from studies.pong.limit import (
    by_horizon,
    every_angle,
    fitting,
    follow,
    likelihood,
    moved,
    returning,
    still_on,
    true_place,
)
from studies.pong.simulate import SOURCE, simulate
from studies.pong.worlds import Pong

PONG = Pong()
# frames known -> mean error 10, 30, 60 and 90 steps after the last of them: computed by those who set the goals
TABLE = {
    2: (3.7, 6.2, 7.8, 8.2),
    3: (1.5, 3.3, 4.6, 6.6),
    5: (0.67, 1.6, 2.6, 3.2),
    8: (0.31, 0.67, 1.2, 1.6),
    16: (0.12, 0.22, 0.36, 0.52),
}
HORIZONS = (10, 30, 60, 90)


@pytest.fixture(scope="module")
def paths():
    return every_angle(PONG, 106, angles=2**14, place=true_place)


@pytest.fixture(scope="module")
def episodes():
    seeds = range(2_000_000, 2_000_040)
    return simulate(PONG, seeds, PongAgent(PONG, seeds, SOURCE), steps=60)


def errors_of(paths, episodes, known, **options):
    return limit.limit(paths, episodes.states, episodes.actions, episodes.lengths, known, **options)


@pytest.mark.parametrize("known", TABLE)
def test_planks_that_always_return_have_the_limits_of_the_table(paths, known):
    errors = returning(paths, known)
    found = [errors[known - 1 + horizon] for horizon in HORIZONS]
    assert found == pytest.approx(TABLE[known], rel=0.025)


def test_two_frames_leave_a_quarter_circle():
    # after t steps, before any limit, the ball is anywhere on a quarter circle of radius t: the mean place is
    # t * sin(pi/4) / (pi/4) from the middle, and the mean distance from it an integral over the quarter
    angles = (np.arange(20_000) + 0.5) / 20_000 * np.pi / 2 - np.pi / 4
    mean = np.sin(np.pi / 4) / (np.pi / 4)
    distance = np.hypot(np.cos(angles) - mean, np.sin(angles)).mean()
    errors = returning(every_angle(PONG, 8, angles=2**12, place=true_place), 2)
    assert errors[1:8] == pytest.approx(distance * np.arange(1, 8), rel=1e-3)


def test_one_frame_tells_nothing_of_the_angle(paths):
    assert returning(paths, 1)[:8] == pytest.approx(np.arange(8), abs=1e-3)  # a circle of radius t around its middle


def test_paths_are_those_of_a_game_whose_planks_return():
    seeds = range(8)
    played = simulate(PONG, seeds, PongAgent(PONG, seeds, 0.2), steps=80)
    balls = follow(PONG, played.states[:, 0], 80, place=true_place)
    assert played.lengths.max() == 80
    for number, length in enumerate(played.lengths):
        own = played.states[number, :length]
        assert balls.ball[:length, number] == pytest.approx(own[:, :2], abs=1e-5)
        assert balls.shown[:length, number].tolist() == PONG.shown(own).tolist()


def test_the_true_launch_is_always_among_the_possible_ones(episodes):
    none = every_angle(PONG, 60, angles=1)
    errors = errors_of(none, episodes, 16)
    assert np.nanmax(errors) == 0.0


def test_the_limit_counts_the_rows_that_are_to_be_forecast(episodes):
    errors = errors_of(every_angle(PONG, 60, angles=2**10), episodes, 5)
    rows = np.arange(60)
    expected = (rows >= 5) & (rows < episodes.lengths[:, None])
    assert (~np.isnan(errors)).tolist() == expected.tolist()
    assert errors[expected].min() >= 0
    assert (episodes.lengths.min(), episodes.lengths.max()) == (10, 60)  # some end, some go on


def test_more_frames_leave_less_open(paths, episodes):
    means = [np.nanmean(errors_of(paths, episodes, known)[:, 20:]) for known in (2, 3, 5, 8, 16)]
    assert means == sorted(means, reverse=True)


def test_the_limit_without_misses_is_that_of_returning_planks(paths):
    seeds = range(200)
    played = simulate(PONG, seeds, PongAgent(PONG, seeds, 0.0), steps=40)
    errors = errors_of(paths, played, 3, weigh=lambda balls, states, actions: np.ones(balls.crossed.shape))
    found, many = by_horizon(errors, 3, (10, 30))
    expected = returning(paths, 3)[[12, 32]]
    assert found == pytest.approx(expected, rel=0.12)
    assert many.min() > 175


def test_an_angle_whose_ball_would_have_missed_a_plank_drops_out():
    # idle planks (top 0): at 0.3 rad the ball passes the plank at step 9, 0.66 too high; at 0.1 rad it is returned
    balls = follow(PONG, PONG.launch_at([0.3, 0.1]), 12)
    states = np.zeros((12, 6))
    weights = still_on(balls, states, np.full(12, 4))
    assert weights[:, 0].tolist() == [1.0] * 10 + [0.0] * 2  # row 9 shows the miss: it still belongs to the game
    assert weights[:, 1].tolist() == [1.0] * 12


def test_moves_tell_whether_the_ball_is_above_or_below():
    # left half, planks idle at top 0 (middle -7); one ball rises, one falls below -7 after step 8; the plank goes down
    balls = follow(PONG, PONG.launch_at([np.pi / 2 + 0.01, -np.pi / 2 - 0.01]), 13)
    states, actions = np.zeros((13, 6)), np.full(13, 3)  # left down, right stay
    rising, falling = moved(balls, states, actions).T
    assert rising[1:9] == pytest.approx(falling[1:9])  # until then an agent would send the plank up for both
    ratio = falling / rising
    stochasticity = 0.5 + 0.5 * (np.arange(16) + 0.5) / 16
    follows, other = 1 - stochasticity * 2 / 3, stochasticity / 3  # of one move
    # a right move is never one that an agent makes on purpose: 9 others and 9 of the plank, which for the falling ball
    # becomes 8 others and 1 that follows
    assert ratio[9] == pytest.approx((other**17 * follows).mean() / (other**18).mean())
    assert (np.diff(ratio[8:]) > 0).all()


def test_all_moves_fit_to_an_agent_that_leaves_nothing_to_chance():
    agent = PongAgent(PONG, range(5), 0.0)
    phases = agent.phase
    played = simulate(PONG, range(5), agent, steps=40)
    balls = follow(PONG, played.states[:, 0], 40)
    for number, length in enumerate(played.lengths):
        own, moves = played.states[number, :length], played.actions[number, :length]
        fits = fitting(balls.cut(length, slice(number, number + 1)), own, moves, phases[number : number + 1])
        assert fits[0, 0].tolist() == list(range(0, 2 * length, 2))  # both moves of every step


def test_likelihoods_of_all_series_of_moves_sum_to_one():
    # of 2t moves, each is one towards the aim or one of two others
    table = likelihood(6)
    for step in range(6):
        ways = [1]
        for _ in range(2 * step):  # Pascal's triangle, each other move in two ways
            ways = [2 * a + b for a, b in zip([*ways, 0], [0, *ways], strict=True)]
        assert np.sum(np.array(ways) * np.exp(table[step, : 2 * step + 1])) == pytest.approx(1.0)


def test_moves_make_the_limit_smaller(paths, episodes):
    plain, told = (np.nanmean(errors_of(paths, episodes, 3, weigh=weigh)[:, 30:]) for weigh in (still_on, moved))
    assert told < 0.9 * plain


def test_a_horizon_counts_the_episodes_that_last_as_long():
    errors = np.array([[np.nan, np.nan, 1.0, 2.0], [np.nan, np.nan, 3.0, np.nan]])
    means, many = by_horizon(errors, 2, (1, 2, 3))
    assert means.tolist()[:2] == [2.0, 2.0]
    assert np.isnan(means[2])
    assert many.tolist() == [2, 1, 0]


@pytest.mark.parametrize("known", [0, 60])
def test_a_limit_of_no_or_all_frames_is_refused(paths, episodes, known):
    with pytest.raises(ValueError, match=f"expected 1 to 59 frames, got {known}"):
        errors_of(paths, episodes, known)
