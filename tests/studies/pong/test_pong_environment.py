"""Pong and CubeCrash as Gymnasium environments, and a model of Pong as one."""

import warnings

import gymnasium
import numpy as np
import pytest
from games import perfect
from gymnasium.utils.env_checker import check_env

from studies.pong import beginning, environment
from studies.pong.agents import make_agent
from studies.pong.simple import copy
from studies.pong.simulate import simulate
from studies.pong.worlds import SIZES, CubeCrash, Pong

GAMES = {f"pong {size}": (environment.PONG, {"size": size}, Pong(size)) for size in SIZES}
NAMES = (environment.PONG, environment.CUBE_CRASH)
GAMES["cube crash"] = (environment.CUBE_CRASH, {}, CubeCrash())


@pytest.mark.parametrize("game", GAMES)
def test_gymnasium_finds_nothing_to_say_against_the_environment(game):
    name, options, _ = GAMES[game]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, render_mode="rgb_array", **options).unwrapped)


@pytest.mark.parametrize("game", GAMES)
def test_an_episode_is_that_of_simulate_frame_by_frame(game):
    name, options, world = GAMES[game]
    seeds = range(20, 26)
    played, env = simulate(world, seeds, make_agent(world, seeds, 0.8), steps=64), gymnasium.make(name, **options)
    for number, seed in enumerate(seeds):
        frame, info = env.reset(seed=seed)
        for row in range(played.lengths[number]):
            if row:
                frame, reward, over, truncated, info = env.step(int(played.actions[number, row]))
                assert (reward, over) == (played.rewards[number, row], played.terminals[number, row])
                assert not truncated
            assert frame.tobytes() == world.colours[played.frames[number, row]].tobytes()
            assert [info[each] for each in world.names] == played.states[number, row].tolist()


def test_pong_is_white_on_black_and_cubecrash_has_three_colours():
    colours = [np.unique(gymnasium.make(name).reset(seed=0)[0].reshape(-1, 3), axis=0).tolist() for name in NAMES]
    assert colours == [[[0, 0, 0], [255, 255, 255]], [[0, 0, 0], [0, 255, 0], [255, 255, 255]]]


def test_the_launch_angle_can_be_chosen():
    env = gymnasium.make(environment.PONG, angle=0.3)
    env.reset(seed=1)
    steps = 0
    over = False
    while not over:
        _, reward, over, _, info = env.step(4)
        steps += 1
        assert reward == (0.0 if over else 1.0)
    assert (steps, info["ball_x"]) == (9, 8.0)  # beyond x = 8 above the plank: 9 cos 0.3 = 8.6, 9 sin 0.3 = 2.66
    assert env.reset(options={"angle": 0.0})[1]["ball_vx"] == 1.0
    assert env.reset()[1]["ball_vx"] == np.cos(0.3)


def test_the_next_episode_follows_from_the_first_seed():
    env = environment.Game()
    env.reset(seed=11)
    _, first = env.reset()
    env.reset(seed=11)
    assert env.reset()[1] == first
    assert env.reset(seed=first["seed"])[1] == first


def test_rgb_array_is_the_frame_that_was_observed():
    env = gymnasium.make(environment.CUBE_CRASH, render_mode="rgb_array")
    env.reset(seed=3)
    frame = env.step(0)[0]
    assert env.render().tobytes() == frame.tobytes()


def after_the_end():
    env = environment.Game(environment="cube_crash")
    env.reset(seed=0)
    while not env.step(1)[2]:  # to the left wall
        continue
    return env.step(1)


@pytest.mark.parametrize("use", [lambda: environment.Game().step(0), after_the_end])
def test_a_step_outside_an_episode_is_refused(use):
    with pytest.raises(gymnasium.error.ResetNeeded):
        use()


def started(**options):
    env = environment.Game(**options)
    env.reset(seed=0)
    return env


BAD_USES = {
    "9": lambda: started().step(9),
    "-1": lambda: started().step(-1),
    "3 of cube crash": lambda: started(environment="cube_crash").step(3),
    "half an action": lambda: started().step(0.5),
    "options": lambda: started().reset(options={"speed": 2}),
    "angle": lambda: environment.Game(angle=np.nan),
    "angle of cube crash": lambda: environment.Game(environment="cube_crash", angle=1.0),
    "size": lambda: environment.Game(size=33),
    "size that is not whole": lambda: environment.Game(size=32.0),
    "words for an angle": lambda: environment.Game(angle="a"),
    "a table for an angle": lambda: environment.Game(angle={"launch": 1.0}),
    "an angle of one episode": lambda: started().reset(options={"angle": "a"}),
    "options that are none": lambda: started().reset(options=3),
    "no model": lambda: environment.DreamedPong(model=None),
    "options of a dream": lambda: environment.DreamedPong().reset(options=3),
    "a list for an environment": lambda: environment.Game(environment=["pong"]),
    "environment": lambda: environment.Game(environment="chess"),
    "a rally": lambda: environment.Game(environment="atari_pong"),
    "render_mode": lambda: environment.Game("ascii"),
}


@pytest.mark.parametrize("use", BAD_USES)
def test_the_environment_refuses_what_it_cannot_play(use):
    with pytest.raises(ValueError, match=r"expected .* got"):
        BAD_USES[use]()


def test_gymnasium_finds_nothing_to_say_against_the_dreamed_game():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(environment.DREAMED_PONG, render_mode="rgb_array").unwrapped)


@pytest.fixture
def dreamed(monkeypatch):
    monkeypatch.setattr(environment, "load", lambda model: perfect(3))
    return environment.DreamedPong(render_mode="rgb_array", model="the game itself")


def test_a_perfect_models_environment_is_the_game(dreamed):
    game = environment.Game()
    frame, info = dreamed.reset(seed=3)
    game.reset(seed=3)
    shown = beginning.begin(perfect(3), 3, stochasticity=environment.SETS["train"].stochasticity)
    for action in shown.actions[1:]:
        true = game.step(action)[0]
    assert frame.tobytes() == true.tobytes()
    over = False
    while not over:
        frame, reward, over, truncated, info = dreamed.step(4)
        true, earned, ended, *_ = game.step(4)
        assert (reward, over, truncated) == (earned, ended, False)
        assert frame.tobytes() == true.tobytes() == dreamed.render().tobytes()
    assert info == {"seed": 3, "over": 1.0}
    with pytest.raises(gymnasium.error.ResetNeeded, match="the game is over"):
        dreamed.step(4)


def test_the_dreamed_game_refuses_what_it_cannot_play(dreamed, monkeypatch):
    with pytest.raises(gymnasium.error.ResetNeeded):
        dreamed.step(4)
    with pytest.raises(ValueError, match="options: expected none, got angle"):
        dreamed.reset(seed=0, options={"angle": 1.0})
    dreamed.reset(seed=0)
    with pytest.raises(ValueError, match="action: expected a whole number from 0 to 8, got 9"):
        dreamed.step(9)
    with pytest.raises(ValueError, match="render_mode"):
        environment.DreamedPong("ascii")
    monkeypatch.setattr(environment, "load", lambda model: copy(CubeCrash()))
    with pytest.raises(ValueError, match="cubes: expected a model of pong; got one of cube_crash"):
        environment.DreamedPong(model="cubes")
