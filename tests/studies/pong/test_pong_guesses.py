"""What stands beside a model of Pong: guesses shown as many frames, the limit, and pictures of all by horizon."""

from dataclasses import replace

import numpy as np
import pytest

from studies.pong import figures, guesses, limit, simple
from studies.pong.agents import make_agent
from studies.pong.atari import AtariPong
from studies.pong.locating import find_ball
from studies.pong.scores import HORIZONS, Episodes
from studies.pong.simulate import simulate
from studies.pong.worlds import CubeCrash, Pong, draw

PONG, CUBE = Pong(), CubeCrash()


def played(world, episodes: int = 24):
    return simulate(world, range(episodes), make_agent(world, range(episodes), 0.6))


def next_frames(guess, episodes, known: int) -> np.ndarray:
    """What a guess makes of episodes one step after the known frames."""
    state = guess.begin(episodes.frames[:, :known], episodes.actions[:, :known])
    return guess.step(state, episodes.actions[:, known])[0]


@pytest.mark.parametrize("known", [1, 3, 16])
@pytest.mark.parametrize("world", [PONG, CUBE], ids=lambda world: world.name)
def test_guesses_go_on_from_the_known_frames_at_each_p(world, known):
    episodes = played(world)
    lasting = np.flatnonzero(episodes.lengths > known)
    found = guesses.beside(world, episodes.frames, episodes.lengths, known)
    made = {name: next_frames(make(), episodes, known)[lasting] for name, make in found.items()}
    true = episodes.frames[lasting, known] / np.float32(255)
    assert np.allclose(made["copy the last frame"], episodes.frames[lasting, known - 1] / 255)
    assert np.allclose(made["mean frame"], true.mean(axis=0))
    assert (
        np.allclose(made["nearest training episode"][:, : world.height - 5], true[:, : world.height - 5]) or known == 1
    )
    if world is CUBE:
        assert np.allclose(made["told the rules"], true)
    assert ("constant velocity" in made) == ("constant velocity with walls" in made) == (world is PONG and known > 1)


@pytest.mark.parametrize("guess", [simple.constant_velocity, guesses.rules])
def test_one_frame_of_pong_shows_no_way_of_the_ball(guess):
    with pytest.raises(ValueError, match="expected 2 or more, which show which way the ball flies; got 1"):
        guess(PONG, 1)


@pytest.mark.parametrize("known", [3, 16])
def test_constant_velocity_is_that_since_the_last_bounce(known):
    """Balls that bounce at a plank while they are shown go on backwards, not with the mean of there and back."""
    angles = np.linspace(-0.6, 0.6, 24)
    launches = PONG.launch_at(angles)
    states = [launches]
    for _ in range(known):
        states.append(PONG.step(states[-1], np.full(len(launches), 4))[0])
    states = np.stack(states, axis=1)
    frames, idle = draw(PONG, states), np.full((len(launches), known), 4)
    guess = simple.constant_velocity(PONG, known)
    state = guess.begin(frames[:, :known], idle)
    slack = 1 / (known - 1) if known < 8 else 1 / 5  # of places that are cut to pixels, over the steps since the bounce
    assert np.abs(state.inner[:, 2:4] - states[:, known - 1, 2:4]).max() <= slack
    if known > 8:
        assert (state.inner[:, 2] < 0).all()


@pytest.mark.parametrize("toward", [0, np.pi / 2, np.pi, -np.pi / 2])
def test_constant_velocity_stays_where_balls_can_be(toward):
    states = PONG.launch_at(np.array([toward]))
    second = PONG.step(states, np.array([4]))[0]
    guess = simple.constant_velocity(PONG)
    state = guess.begin(draw(PONG, np.stack([states, second], axis=1)), np.full((1, 2), 4))
    for _ in range(40):
        frame, state = guess.step(state, [4])
    expected = {0: (8, 0), np.pi / 2: (0, 14), np.pi: (-8, 0), -np.pi / 2: (0, -13)}[toward]
    assert np.abs(find_ball(PONG, 255 * frame)[0] - expected).max() <= 1


def test_told_the_rules_a_ball_of_many_frames_is_known_well():
    """The launch fits all that was seen, the frames after a bounce too."""
    episodes = played(PONG)
    lasting = np.flatnonzero(episodes.lengths > 26)
    frames, actions = episodes.frames[lasting], episodes.actions[lasting]
    guess = guesses.rules(PONG, 16)
    state = guess.begin(frames[:, :16], actions[:, :16])
    for step in range(16, 26):
        frame, state = guess.step(state, actions[:, step])
    away = np.linalg.norm(find_ball(PONG, 255 * frame) - find_ball(PONG, frames[:, 25]), axis=-1)
    assert away.mean() < 0.5
    assert len(away) >= 10


@pytest.mark.parametrize("guess", [simple.constant_velocity, guesses.rules])
def test_a_world_without_pongs_ball_has_no_velocity(guess):
    with pytest.raises(ValueError, match=r"expected the environment pong.*; got atari_pong"):
        guess(AtariPong(), 2)


def test_an_exact_forecast_is_seen_on_the_axis_of_distances():
    results = {"ours": [0.0, 0.0, 0.02, 0.0, 0.0, 0.0], "copy": [1.0, 5.0, 8.0, 8.0, 10.0, 8.0]}
    axis = figures.by_horizon(results, guessed=["copy"]).axes[0]
    heights = axis.transData.transform([(1, 0.0), (1, 0.02), (1, 1.0), (1, 8.0)])[:, 1]
    bottom = axis.bbox.y0
    assert axis.get_yscale() == "symlog"
    assert bottom < heights[0] < heights[1] < heights[2] < heights[3]
    assert axis.get_ylabel() == "distance of the ball [px], linear below 0.01"


def episodes_of(world, found) -> Episodes:
    return Episodes(found.frames, found.actions.astype(float), found.lengths, world.inputs(found.states[:, 0]))


@pytest.mark.parametrize("known", [3, 16])
def test_the_limit_of_a_report_is_that_of_the_true_states(known):
    found = played(PONG)
    (name,), (said,) = zip(*figures.limits(simple.copy(PONG, known), episodes_of(PONG, found)).items(), strict=True)
    paths = limit.every_angle(PONG, found.frames.shape[1])
    errors = limit.limit(paths, found.states, found.actions, found.lengths, known)
    assert name == f"limit, P = {known}"
    assert said == pytest.approx(limit.by_horizon(errors, known, HORIZONS)[0].tolist(), nan_ok=True)


def test_a_report_has_limit_and_guesses_beside_the_model():
    found = episodes_of(PONG, played(PONG))
    results = figures.beside(simple.copy(PONG, 3), "objects", found, found)
    assert set(results) == {"objects", "limit, P = 3", *guesses.beside(PONG, found.frames, found.lengths, 3)}
    assert results["objects"] == results["copy the last frame"]
    assert results["limit, P = 3"][3] < min(results[name][3] for name in ("copy the last frame", "mean frame"))
    legend = figures.by_horizon(results, guessed=[name for name in results if name != "objects"]).legends[0]
    told = [text.get_text() for text in legend.get_texts()]
    assert told[:2] == [f"{name}: {results[name][2]:.2f}" for name in ("objects", "limit, P = 3")]


def test_what_a_frame_or_the_angle_tells_has_the_limit_zero():
    cubes = episodes_of(CUBE, played(CUBE))
    assert figures.limits(simple.copy(CUBE), cubes) == {"limit": [0.0] * len(HORIZONS)}
    told = replace(simple.copy(PONG), told=("launch_sin", "launch_cos"))
    assert figures.limits(told, episodes_of(PONG, played(PONG))) == {"limit": [0.0] * len(HORIZONS)}


def test_distances_above_zero_stand_on_a_logarithmic_axis():
    axis = figures.by_horizon({"copy": [1.0, 5.0, 8.0, np.nan, np.nan, np.nan]}).axes[0]
    assert (axis.get_yscale(), axis.get_ylabel()) == ("log", "distance of the ball [px]")


def test_a_picture_of_cubes_ends_where_they_do():
    """No cube falls for 40 steps; what a limit of 0 says of them is not drawn."""
    results = {"ours": [0.1, 0.2, 0.3, 0.4, np.nan, np.nan], "limit": [0.0] * 6}
    axis = figures.by_horizon(results, guessed=["limit"], of="cube").axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "5", "10", "20"]
    assert max(line.get_xdata()[-1] for line in axis.lines) == 20
    assert axis.get_ylabel().startswith("distance of the cube [px]")


def test_the_picture_by_horizon_has_room_for_few():
    guessed = ["copy, P = 3", "copy, P = 16", "limit 16"]
    models = ["dense rnn, P = 3", "dense rnn skip 8", "dense rnn angle told", "ours angle told", "ours, P = 16"]
    results = {name: [1.0] for name in [*models, *guessed]}
    kept = ["dense rnn, P = 3", "ours angle told", "ours, P = 16", "copy, P = 3", "limit 16"]
    assert list(figures.few(results, guessed)) == kept
    cubes = {name: [1.0] for name in ["dense rnn", "dense rnn skip 8", "copy, P = 1"]}
    assert list(figures.few(cubes, ["copy, P = 1"])) == ["dense rnn", "copy, P = 1"]


def test_distances_that_are_all_zero_are_drawn():
    axis = figures.by_horizon({"ours": [0.0] * len(HORIZONS)}).axes[0]
    assert axis.get_ylim()[0] < 0 < axis.get_ylim()[1]
