"""A hidden state whose numbers are changed one at a time."""

import os

import numpy as np
import pytest
from PIL import Image

from sim2seq._support import command
from studies.pong import hidden, viewing
from studies.pong.beginning import begin
from studies.pong.dream import Dream
from studies.pong.hidden import Unit
from studies.pong.locating import find_ball, find_planks
from studies.pong.simple import constant_velocity, copy
from studies.pong.sliders import SLIDER, TITLE, Sliders

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
DREAM = constant_velocity()  # its state: x, y, vx, vy of the ball, tops of the planks
WORLD = DREAM.world
SEED, STEPS = 2_000_007, 3


@pytest.fixture(scope="module")
def seen():
    return hidden.watched(DREAM, begin(DREAM, SEED), 12)


def idle(steps):
    return np.full(steps, WORLD.idle)


def test_only_the_number_that_is_changed_changes(seen):
    state = hidden.repeated(seen[1][0], 3)
    own = hidden.arrays_of(seen[1][0])[0][0]
    unit = Unit(0, 2, -1.0, 1.0)
    changed = hidden.arrays_of(hidden.with_values(state, [unit], np.array([[0.5], [np.nan], [-1.0]])))[0]
    expected = np.stack([own] * 3)
    expected[0, 2], expected[2, 2] = 0.5, -1.0
    assert np.array_equal(changed, expected)
    assert np.array_equal(hidden.arrays_of(state)[0], np.stack([own] * 3))  # the state itself is left alone


def test_a_changed_number_moves_what_it_stands_for(seen):
    state = hidden.repeated(seen[1][0], 2)
    x, y = hidden.arrays_of(seen[1][0])[0][0, :2]
    units = [Unit(0, 2, -1, 1), Unit(0, 3, -1, 1), Unit(0, 5, 0, 9)]
    values = np.array([[1.0, -2.0, 9.0], [-1.0, 1.0, 2.0]])
    frames = hidden.ahead(DREAM, hidden.with_values(state, units, values), idle(STEPS))
    assert find_ball(WORLD, 255 * frames).tolist() == [[x + 3, y - 6], [x - 3, y + 3]]
    assert find_planks(WORLD, 255 * frames)[:, 1].tolist() == [9, 2]


def test_numbers_are_ranked_by_what_they_change(seen):
    actions, states = seen
    units = hidden.units_of(DREAM, states, actions[:STEPS], 6)
    assert [unit.array for unit in units] == [0] * len(units)
    assert {unit.place for unit in units} <= {0, 1, 4, 5}  # the velocity stays as it is: it has no range
    for unit in units:
        values = [hidden.arrays_of(state)[0][0, unit.place] for state in states]
        assert (unit.low, unit.high) == (min(values), max(values))
    first, last = (
        sum(np.abs(ends - ends[:1]).sum() for ends in hidden.at_ends(DREAM, states[0], [unit], actions[:STEPS]))
        for unit in (units[0], units[-1])
    )
    assert first >= last


def glimmer(slope: float) -> Dream:
    """A frame whose brightness follows a number of the state, which grows by 1e-4 a step."""

    def advance(numbers, actions):
        numbers = numbers + 1e-4
        frames = np.broadcast_to(0.5 + slope * (numbers[:, :, None] - 0.01), (len(numbers), 32, 32))
        return frames, np.zeros(len(numbers)), numbers

    return Dream(WORLD, 1, (), lambda *shown: np.full((1, 1), 0.01), advance)


@pytest.mark.parametrize(("slope", "times"), [(100, 1), (50, 4), (15, 16), (4, 64), (1, 0), (0, 0)])
def test_a_range_that_nobody_sees_is_widened(slope, times):
    """Its number is 0.01 to 0.0111: from the first value 0.0011, then 0.00275, 0.00935, 0.03575 to an end; times the
    slope these are brightness, of which 0.1 is seen."""
    dream = glimmer(slope)
    actions, states = hidden.watched(dream, begin(dream, SEED), 11)
    (unit,) = hidden.units_of(dream, states, actions[:1], 1)
    assert unit.times == times
    assert unit.high - unit.low == pytest.approx(max(times, 1) * 11e-4)
    assert (unit.high + unit.low) / 2 == pytest.approx(0.01 + 11e-4 / 2)
    below, above = (ends[1] - ends[0] for ends in hidden.at_ends(dream, states[0], [unit], actions[:1]))
    assert (max(np.abs(below).max(), np.abs(above).max()) >= hidden.SEEN) == (times > 0)


@pytest.mark.parametrize("width", [1e-12, 3e-4, 0.01, 1.0, 700.0])
def test_values_of_a_range_are_told_apart(width):
    unit = Unit(0, 0, 0.1 * width, 1.1 * width)
    words = [unit.words(value) for value in np.linspace(unit.low, unit.high, hidden.VALUES)]
    assert np.allclose([float(word) for word in words], np.linspace(unit.low, unit.high, hidden.VALUES), rtol=0.1)
    assert len(set(words)) == hidden.VALUES


def test_a_state_without_moving_numbers_is_refused():
    dream = copy()
    actions, states = hidden.watched(dream, begin(dream, SEED), 4)
    with pytest.raises(ValueError, match="expected a hidden state whose numbers change"):
        hidden.units_of(dream, states, actions[:1], 3)


def test_a_slider_follows_the_mouse_within_its_range():
    units = [Unit(0, 0, -1.0, 3.0), Unit(0, 1, 0.0, 1.0)]
    sliders = Sliders(units, np.array([0.0, 0.5]), top=100, width=2 * TITLE + 200)
    sliders.take((TITLE + 50, 100 + SLIDER // 2))  # a quarter of the way
    assert sliders.values.tolist() == [0.0, 0.5]
    sliders.drag((TITLE + 150, 0))
    assert sliders.values.tolist() == [2.0, 0.5]
    sliders.drag((5000, 0))
    assert sliders.values.tolist() == [3.0, 0.5]
    sliders.take((TITLE, 20))  # beside all sliders
    assert sliders.values.tolist() == [3.0, 0.5]
    sliders.take((TITLE, 100 + SLIDER + 1))
    assert sliders.values.tolist() == [3.0, 0.0]
    assert sliders.own.tolist() == [0.0, 0.5]


def test_the_window_shows_what_the_mouse_changed(seen, screen):
    import pygame

    actions, states = seen
    session = hidden.Session(DREAM, states, actions, [Unit(0, 0, -8.0, 8.0)], STEPS)
    own, changed = session.frames()
    assert np.array_equal(own, changed)
    place = (session.sliders.right, session.top + 1)
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=1))
    assert hidden.turn(session, pygame)
    own, changed = session.frames()
    ball = hidden.arrays_of(states[0])[0][0]
    assert find_ball(WORLD, changed).tolist() == [8 + STEPS * ball[2], find_ball(WORLD, own)[1]]
    viewing.Window(pygame, "test").show(session.picture(), 1000)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE))
    assert hidden.turn(session, pygame)
    assert session.at == 1
    assert np.array_equal(*session.frames())  # the sliders are where the next state has them
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))
    assert not hidden.turn(session, pygame)


def test_without_a_display_a_line_of_frames_a_number_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert command.run(lambda: hidden.main(["constant velocity", "--units", "2", "--ahead", "2"])) == 0
    assert capsys.readouterr().err == "no display: a picture is written to hidden.png\n"
    with Image.open("hidden.png") as image:
        assert image.size == (7 * (96 + viewing.GAP) + viewing.GAP, 2 * (96 + 2 * viewing.LINE))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("copy --units 0", "--units 0: expected 1 to 24"),
        ("copy --ahead 61", "--ahead 61: expected 1 to 60"),
        ("copy -o strip.gif", "strip.gif: expected a name that ends in .png"),
        ("nowhere -o strip.png", "nowhere: expected the folder of a finished training"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(words, said, capsys):
    assert command.run(lambda: hidden.main(words.split())) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
