"""The rules of Pong and CubeCrash, their frames against hand-drawn ones, and the agents."""

import numpy as np
import pytest

from studies.pong.agents import PongAgent, RandomAgent, make_agent
from studies.pong.simulate import simulate, spread
from studies.pong.worlds import SIZES, WORLDS, CubeCrash, Pong, draw, make_world

PONG, CUBE = Pong(), CubeCrash()
UP, DOWN, STAY = 8, 0, 4  # both planks


def state(x=0.0, y=0.0, vx=0.0, vy=0.0, left=0.0, right=0.0):
    return np.array([[x, y, vx, vy, left, right]])


def play(world, states, *actions):
    """The state after these actions, and the steps at which the game was over."""
    ends = []
    for number, action in enumerate(actions, start=1):
        states, over, _ = world.step(states, np.full(len(states), action))
        ends += [number] if over.any() else []
    return states, ends


def picture(*lines, **brightness):
    """A frame from (how often, a line of signs): "#" is 255."""
    levels = {".": 0, "#": 255, **brightness}
    return np.array([[levels[sign] for sign in line] for often, line in lines for _ in range(often)], dtype=np.uint8)


# Pong


def test_a_ball_flies_straight_with_speed_one_until_a_limit():
    angle = 0.4
    states = PONG.launch_at([angle])
    for number in range(1, 9):  # 8 cos 0.4 = 7.37 < 8
        states, _ = play(PONG, states, STAY)
        assert states[0, :2] == pytest.approx([number * np.cos(angle), number * np.sin(angle)], abs=1e-12)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (state(x=7.5, vx=1.0), [8.0, 0.0, -1.0, 0.0]),
        (state(x=-7.5, vx=-1.0), [-8.0, 0.0, 1.0, 0.0]),
        (state(y=13.5, vy=0.75), [0.0, 14.0, 0.0, -0.75]),
        (state(y=-12.5, vy=-0.75), [0.0, -13.0, 0.0, 0.75]),
        (state(x=7.0, vx=1.0), [8.0, 0.0, 1.0, 0.0]),  # at the limit is not beyond it
        (state(y=13.0, vy=1.0), [0.0, 14.0, 0.0, 1.0]),
        (state(x=7.75, y=13.75, vx=0.5, vy=0.5, right=16.0), [8.0, 14.0, -0.5, -0.5]),
    ],
)
def test_a_ball_is_set_to_the_limit_and_turns(start, end):
    assert play(PONG, start, STAY)[0][0, :4].tolist() == end


@pytest.mark.parametrize("size", SIZES)
def test_planks_stop_at_their_limits(size):
    half = size / 2
    world = Pong(size)
    up, down = (play(world, state(), *[move] * size)[0][0, 4:] for move in (UP, DOWN))
    assert up.tolist() == [half, half]
    assert down.tolist() == [15 - half, 15 - half]  # at 32: -1


def test_the_nine_actions_move_the_left_and_the_right_plank():
    moved = [play(PONG, state(left=5.0, right=5.0), action)[0][0, 4:].tolist() for action in range(9)]
    assert moved == [[4, 4], [5, 4], [6, 4], [4, 5], [5, 5], [6, 5], [4, 6], [5, 6], [6, 6]]
    left, right = PONG.moves(np.arange(9, dtype=np.uint8))
    assert (3 * (right + 1) + (left + 1)).tolist() == list(range(9))


def test_the_game_ends_at_the_step_at_which_a_plank_is_missed():
    # at 0.3 rad the ball is beyond x = 8 for the first time after 9 steps, at y = 9 sin 0.3 = 2.66
    assert play(PONG, PONG.launch_at([0.3]), *[STAY] * 9)[1] == [9]  # 2.66 - 2 is above the plank's top 0
    states, ends = play(PONG, PONG.launch_at([0.3]), *[7] * 9)  # the right plank goes up to 9
    assert (ends, states[0, 0]) == ([], 8.0)
    assert states[0, 2] == -np.cos(0.3)
    assert play(PONG, PONG.launch_at([np.pi - 0.3]), *[STAY] * 9)[1] == [9]  # and on the left
    assert play(PONG, PONG.launch_at([np.pi - 0.3]), *[5] * 9)[1] == []


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("y", "top", "missed"),
    [(1.0, -1.0, True), (0.999, -1.0, False), (-1.0, 16.0, True), (-0.999, 16.0, False), (14.0, 13.0, False)],
)
def test_a_ball_beside_a_plank_by_a_hair_is_missed(side, y, top, missed):
    other = {"left": 0.0, "right": top} if side > 0 else {"left": top, "right": 0.0}
    _, over, reward = PONG.step(state(x=7.5 * side, y=y, vx=side, **other), np.array([STAY]))
    assert (over[0], reward[0]) == (missed, 0.0 if missed else 1.0)


def test_the_plank_moves_before_the_ball():
    start = state(x=7.5, y=1.5, vx=1.0, right=-1.0)  # 1.5 - 2 is above -1, but not above 0
    assert play(PONG, start, STAY)[1] == [1]
    assert play(PONG, start, 7)[1] == []


@pytest.mark.parametrize("size", SIZES)
def test_no_ball_leaves_its_limits_and_none_changes_its_speed(size):
    world, seeds = Pong(size), range(200)
    states = simulate(world, seeds, PongAgent(world, seeds, 0.3), steps=200).states
    half = size / 2
    x, y, vx, vy = np.moveaxis(states[..., :4][~np.isnan(states[..., 0])], -1, 0)
    assert (x.min(), x.max()) == (8 - half, half - 8)
    assert (y.min(), y.max()) == (3 - half, half - 2)
    assert vx**2 + vy**2 == pytest.approx(1.0, abs=1e-12)


def test_launch_angles_cover_the_circle_evenly():
    angles = PONG.inputs(PONG.launch(range(4000)))["launch_angle"]
    assert np.histogram(angles, bins=8, range=(0, 2 * np.pi))[0] == pytest.approx(500, abs=90)  # 4 sd


def test_pongs_first_frame_is_the_hand_drawn_one():
    expected = picture(
        (14, "................................"),
        (2, "..............#####............."),
        (3, "######........#####........#####"),
        (13, "######.....................#####"),
    )
    assert draw(PONG, state())[0].tolist() == expected.tolist()


def test_planks_at_their_limits_and_a_ball_in_the_corner():
    expected = picture(
        (5, "###########....................."),
        (11, "######.........................."),
        (1, "................................"),
        (15, "...........................#####"),
    )
    assert draw(PONG, state(-8.0, 14.0, left=16.0, right=-1.0))[0].tolist() == expected.tolist()


def test_the_part_of_a_place_after_the_point_is_not_seen():
    def corner(x, y):
        rows, columns = np.nonzero(draw(PONG, state(x, y))[0][:, 6:27])
        return rows.min(), columns.min() + 6

    assert corner(0.0, 0.0) == corner(0.99, -0.99) == (14, 14)
    assert corner(-0.01, 0.01) == (13, 13)
    assert PONG.shown(state(-0.01, 0.01)).tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("size", [40, 50, 64])
def test_larger_frames_have_the_same_things_in_more_room(size):
    frame, half = draw(Pong(size), state())[0] == 255, size // 2
    assert frame[half : half + 16, :6].all()
    assert frame[half : half + 16, -5:].all()
    assert frame[half - 2 : half + 3, half - 2 : half + 3].all()
    assert frame.sum() == 16 * 11 + 25


# CubeCrash


def cube(x, y, hole):
    return np.array([[x, y, hole]], dtype=float)


def test_cubecrashs_frame_is_the_hand_drawn_one():
    expected = picture(
        (3, "................................"),
        (3, "....ggg........................."),
        (29, "................................"),
        (5, "################.........#######"),
        g=150,
    )
    assert draw(CUBE, cube(5, 4, 20))[0].tolist() == expected.tolist()


def test_a_cube_is_cut_off_at_the_edges_of_the_frame():
    sizes = [(draw(CUBE, cube(*place, 16))[0] == 150).sum() for place in ((0, 20), (31, 20), (16, 39), (16, 40))]
    assert sizes == [6, 6, 6, 3]


def test_a_cube_is_green_on_black_and_the_floor_white():
    shown = CUBE.colours[draw(CUBE, cube(5, 4, 20))[0]]
    assert shown[4, 5].tolist() == [0, 255, 0]
    assert shown[39, 0].tolist() == [255, 255, 255]
    assert shown[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("start", "actions", "number", "last"),
    [
        (cube(16, 4, 16), [0] * 50, 36, 1.0),  # falls through: from 4 to 40
        (cube(16, 4, 13), [0] * 50, 36, 1.0),  # 3 beside the middle of the hole is through
        (cube(16, 4, 12), [0] * 50, 30, -1.0),  # 4 is a crash, at 34
        (cube(3, 4, 16), [1] * 50, 3, -1.0),  # the left wall
        (cube(28, 4, 16), [2] * 50, 3, -1.0),  # the right one
        (cube(16, 4, 16), [0] * 32 + [2] * 9, 36, -1.0),  # out of the middle inside the hole
    ],
)
def test_cubecrash_ends_at_the_step_that_its_rules_say(start, actions, number, last):
    steps, over = 0, [False]
    while not over[0]:
        start, over, reward = CUBE.step(start, np.array([actions[steps]]))
        steps += 1
    assert (steps, reward[0]) == (number, last)


def test_a_cube_is_paid_for_coming_nearer():
    rewards = [CUBE.step(cube(10, 10, 20), np.array([action]))[2][0] for action in range(3)]
    assert rewards == pytest.approx([0.0, -0.01, 0.01])


def test_cubes_start_anywhere_that_the_rules_allow():
    x, y, hole = CUBE.launch(range(3000)).T
    assert (set(x), set(y), set(hole)) == (set(range(3, 29)), {4, 5, 6}, set(range(8, 24)))


# agents


def test_an_agent_without_chance_follows_the_ball_on_its_half():
    agent = PongAgent(PONG, [0], 0.0)
    agent.phase = np.array([-1.0])  # the wave is negative: down
    # left half: the ball is above the middle of the plank (top 0, middle -7): up; the right plank waves down
    assert PONG.moves(agent(state(x=-3.0, y=-6.9))) == (1, -1)
    assert PONG.moves(agent(state(x=-3.0, y=-7.1))) == (-1, -1)
    assert PONG.moves(agent(state(x=-3.0, y=-7.0))) == (1, -1)  # level counts as up
    assert PONG.moves(agent(state(x=3.0, y=5.0))) == (-1, 1)
    assert PONG.moves(agent(state(x=0.0, y=5.0))) == (1, 1)  # the middle belongs to both


def test_an_agent_away_from_the_ball_waves_for_31_steps_each_way():
    agent = PongAgent(PONG, [0], 0.0)
    agent.phase = np.array([-0.05])
    moves = [int(PONG.moves(agent(state(x=-3.0)))[1][0]) for _ in range(94)]
    assert moves == [1] * 31 + [-1] * 32 + [1] * 31  # half a period is 31.4 steps


def test_an_agent_of_pure_chance_draws_down_stay_and_up_alike():
    agent = PongAgent(PONG, range(300), 1.0)
    drawn = np.concatenate([agent(np.zeros((300, 6))) for _ in range(30)])
    assert np.bincount(drawn, minlength=9) == pytest.approx(1000, abs=120)  # 4 sd


def test_stochasticity_is_the_share_of_moves_left_to_chance():
    agent = PongAgent(PONG, range(300), 0.6)
    left = np.concatenate([PONG.moves(agent(np.tile(state(x=-3.0), (300, 1))))[0] for _ in range(30)])
    assert (left == 1).mean() == pytest.approx(0.4 + 0.6 / 3, abs=0.02)  # 4 sd


def test_each_plank_is_left_to_chance_independently():
    agent = PongAgent(PONG, range(300), 0.5)
    moves = [PONG.moves(agent(np.tile(state(x=0.0, y=5.0), (300, 1)))) for _ in range(30)]  # both would go up
    both = np.mean([(left == 1) & (right == 1) for left, right in moves])
    assert both == pytest.approx((0.5 + 0.5 / 3) ** 2, abs=0.021)  # 4 sd


def test_stochasticity_is_drawn_for_each_episode():
    drawn = PongAgent(PONG, range(2000), spread(0.5, 1.0)).stochasticity
    assert np.histogram(drawn, bins=5, range=(0.5, 1.0))[0] == pytest.approx(400, abs=75)  # 4 sd


def test_a_launch_tells_nothing_of_the_agent():
    seeds = range(1000)
    agent, angles = PongAgent(PONG, seeds, spread(0.5, 1.0)), PONG.inputs(PONG.launch(seeds))["launch_angle"]
    for drawn in (agent.phase, agent.stochasticity):
        assert abs(np.corrcoef(angles, drawn)[0, 1]) < 0.13  # 4 sd


@pytest.mark.parametrize("name", WORLDS)
def test_an_episode_depends_on_its_own_seed_alone(name):
    world = make_world(name)
    many = simulate(world, range(5, 12), make_agent(world, range(5, 12), 0.7), steps=90)  # more than a block of draws
    alone = simulate(world, [8], make_agent(world, [8], 0.7), steps=90)
    assert np.array_equal(many.states[3], alone.states[0], equal_nan=True)
    assert many.frames[3].tobytes() == alone.frames[0].tobytes()


def test_a_random_agent_draws_all_actions_alike():
    agent = RandomAgent(CUBE, range(300))
    drawn = np.concatenate([agent(None) for _ in range(30)])
    assert np.bincount(drawn) == pytest.approx(3000, abs=180)  # 4 sd


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [("pong", 33, "expected one of 32, 40, 50, 64; got 33"), ("cube_crash", 32, "40 x 32"), ("chess", None, "pong")],
)
def test_a_world_that_is_not_there_is_refused(name, size, message):
    with pytest.raises(ValueError, match=message):
        make_world(name, size)
