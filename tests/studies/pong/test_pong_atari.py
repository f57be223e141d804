"""Atari's Pong as a world: rallies that follow from their seed, in the files that the other worlds write."""

import sys

import h5py
import numpy as np
import pytest

from sim2seq import Ensemble
from studies.pong import atari, places, simulate
from studies.pong.agents import make_agent
from studies.pong.dream import Dream, playable
from studies.pong.networks import NETWORKS
from studies.pong.simple import copy
from studies.pong.study import STUDY, PongSettings, choose
from studies.pong.worlds import make_world

WORLD = make_world("atari_pong")
SEEDS = range(7, 11)


@pytest.fixture(scope="module")
def played():
    return simulate.simulate(WORLD, SEEDS, make_agent(WORLD, SEEDS, 0.5), steps=60)


def test_a_rally_follows_from_its_seed_alone(played):
    alone = simulate.simulate(WORLD, [9], make_agent(WORLD, [9], 0.5), steps=60)
    for part in ("frames", "actions", "terminals", "states", "rewards"):
        together, one = getattr(played, part)[2], getattr(alone, part)[0]
        assert np.array_equal(together, one, equal_nan=part == "states"), part


def test_a_rally_ends_with_the_point(played):
    rows = np.arange(60)
    for number, length in enumerate(played.lengths):
        ended = bool(played.terminals[number].any())
        assert ended == (length < 60 or abs(played.rewards[number, -1]) == 1)
        assert played.terminals[number].tolist() == [ended and row == length - 1 for row in rows]
        assert np.abs(played.rewards[number]).tolist() == played.terminals[number].astype(float).tolist()
        assert not played.frames[number, length:].any()
        assert np.isnan(played.states[number, length:]).all()
    assert 60 > played.lengths.min() > 10


def test_the_state_says_where_the_ball_is_in_the_frame(played):
    field = np.abs(played.frames[:, :, 8:38, 6:35].astype(float) - 87)  # between the planks; 87 is the empty field
    columns, lines = np.arange(6, 35) + 0.5, np.arange(8, 38) + 0.5
    found = 0
    for number, length in enumerate(played.lengths):
        for row in range(length):
            x, y = played.states[number, row, :2]
            if 8 < x < 33 and 10 < y < 36:
                bright = field[number, row]
                assert (bright.sum(axis=0) @ columns) / bright.sum() == pytest.approx(x, abs=0.3)
                assert (bright.sum(axis=1) @ lines) / bright.sum() == pytest.approx(y, abs=0.3)
                found += 1
    assert found > 50


def test_things_are_found_where_the_state_has_them(played):
    rows = np.arange(60) < played.lengths[:, None]
    found, state = places.find(WORLD, played.frames)[rows], played.states[rows]
    between = ((state > [8, 10, 10, 10]) & (state < [33, 36, 35, 35])).all(axis=1)
    assert between.sum() > 50  # a ball beside a plank counts with it
    assert np.abs(found - state)[between].max() < 0.4


def test_rallies_are_learned_from_frames_by_the_families(played):
    names = [f"frame[{line},{column}]" for line in range(42) for column in range(42)]
    numbers = np.stack([played.terminals, played.actions], axis=-1)
    values = np.concatenate([played.frames.reshape(len(SEEDS), 60, -1), numbers], axis=-1).astype("uint8")
    ids = ("train_1", "train_2", "validation_1", "test_1")
    ensemble = Ensemble(values, ids, (*names, "terminal", "action"), np.arange(60.0), lengths=played.lengths)
    settings = PongSettings.parse(["size:debug", "model:dense_rnn"])
    kept = choose(ensemble, settings)
    layout = STUDY.task.layout(kept, settings)
    assert layout.outputs == (*WORLD.names, "terminal")
    core = NETWORKS["dense_rnn"](layout.sizes, settings, values=np.asarray(kept.values))
    assert core.output_shape[-1] == 42 * 42 + 1
    truth = STUDY.task.truth(kept, settings)
    np.testing.assert_array_equal(
        truth[0, 0, :4], places.find(WORLD, played.frames)[0, settings.window].astype("float32")
    )
    with pytest.raises(ValueError, match="model objects: it knows pong and cube_crash; of atari_pong take a family"):
        choose(ensemble, PongSettings.parse(["size:debug"]))


def test_actions_move_the_plank_up_and_down():
    places = []
    for action in (1, 0, 2):
        rally = atari.Rally(5)
        for _ in range(12):
            rally.step(action)
        places.append(rally.state[3])
    assert places == sorted(places)
    assert places[2] - places[0] > 15


def test_a_frame_is_the_mean_over_areas_of_the_screen():
    screen = np.zeros((210, 160), dtype=np.uint8)
    screen[:5] = 200  # five lines of the screen are one of the frame
    screen[5:7] = 100
    frame = atari.small(screen)
    assert frame.shape == (42, 42)
    assert set(frame[0]) == {200}
    assert set(frame[1]) == {40}
    assert not frame[2:].any()


def test_the_file_has_the_series_of_the_other_worlds(tmp_path):
    path = tmp_path / "rallies.h5"
    words = f"--environment atari_pong --set test --episodes 2 --steps 5 --output {path}"
    simulate.main(words.split())
    with h5py.File(path) as file:
        series = file["physics_cycle_series"]
        assert set(series) == {"time", "frame", "action", "terminal", *WORLD.names}
        assert series["frame"].shape == (2, 5, 42, 42)
        assert series["frame"].dtype == np.uint8
        assert file["data/seed"][:].tolist() == [2_000_000, 2_000_001]


def test_without_its_package_the_world_is_refused_in_one_line(monkeypatch):
    atari.console.cache_clear()
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(ValueError, match="expected the package ale-py") as refused:
        simulate.simulate(WORLD, [0], make_agent(WORLD, [0]), steps=2)
    assert "\n" not in str(refused.value)


def test_a_size_is_refused_by_the_world_that_has_one():
    with pytest.raises(ValueError, match="expected none for atari_pong, whose frames are 42 x 42; got 64"):
        make_world("atari_pong", 64)


def test_the_consoles_game_is_not_played_on_from_a_state():
    with pytest.raises(ValueError, match="world atari_pong: expected one that can be played on from a state"):
        playable(Dream(WORLD, 1, (), None, None))
    assert playable(copy(make_world("pong"))).world.name == "pong"
