"""Pong for people: a window to play in beside a model, and a film of it."""

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from games import perfect
from PIL import Image

from sim2seq._support import command
from studies.pong import animate_assets, beginning, hidden, play, viewing, web
from studies.pong.dream import Dream
from studies.pong.simple import constant_velocity
from studies.pong.simulate import simulate
from studies.pong.worlds import CubeCrash, Pong, draw

PONG, ROOT = Pong(), Path(__file__).parents[3]
SHORT = 2  # the seed of an episode of fewer than 30 frames
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def idle(states):
    return np.full(len(states), 4)


def code(main, *arguments) -> int:
    """The exit code of a script's command line."""
    try:
        return command.run(lambda: main([str(argument) for argument in arguments]))
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("known", [1, 2, 9])
def test_the_game_beside_the_model_is_that_of_simulate(known):
    played = simulate(PONG, [3], idle, steps=60)
    moments = list(play.watch(perfect(known), 3, idle))
    assert len(moments) == played.lengths[0]
    assert [moment.made is None for moment in moments] == [step < known for step in range(len(moments))]
    for step, moment in enumerate(moments):
        assert moment.true.tobytes() == played.frames[0, step].tobytes()
        assert (moment.step, moment.action, moment.over) == (step, 4, bool(played.terminals[0, step]))
        if moment.made is not None:
            assert beginning.as_bytes(moment.made).tobytes() == moment.true.tobytes()
            assert moment.said == float(moment.over)


def test_a_game_that_ends_while_it_is_shown_ends_the_watching():
    moments = list(play.watch(perfect(60), 3, idle))
    assert moments[-1].over
    assert all(moment.made is None for moment in moments)


def test_a_model_is_shown_the_first_episode_that_lasts(monkeypatch):
    begun = beginning.begin(perfect(30), SHORT, stochasticity=1.0)
    assert begun.seed > SHORT
    assert begun.frames.shape == (30, 32, 32)
    assert np.array_equal(draw(PONG, begun.states)[0], begun.frames[-1])
    assert np.allclose(begun.state.inner, begun.states)
    monkeypatch.setattr(beginning, "TRIED", 1)
    with pytest.raises(ValueError, match="expected a game that lasts 30 frames; 1 were shorter"):
        beginning.begin(perfect(30), SHORT, stochasticity=1.0)


def test_a_model_that_wants_what_no_launch_tells_is_refused():
    dream = Dream(PONG, 1, ("wind",), None, None)
    with pytest.raises(ValueError, match="expected inputs of launch_angle, launch_sin, launch_cos; it wants wind"):
        beginning.begin(dream, 0)


def test_a_difference_shows_what_a_model_lacks_and_what_it_adds():
    true, made = np.array([[0, 255, 0, 255]], dtype=np.uint8), np.array([[0, 255, 255, 0]], dtype=np.uint8)
    orange, sky = (0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9)
    assert viewing.difference(true, made).tolist() == [[[0, 0, 0], [0, 0, 0], [*sky], [*orange]]]


def test_a_picture_shows_each_pixel_of_each_frame():
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    image = np.asarray(viewing.picture([(name, frame) for name, frame in zip("abc", frames, strict=True)], scale=3))
    gap, line = viewing.GAP, viewing.LINE
    assert image.shape == (5 * 3 + 2 * line, 3 * (4 * 3 + gap) + gap, 3)
    for number, frame in enumerate(frames):
        left = gap + number * (4 * 3 + gap)
        assert np.array_equal(image[line : line + 15 : 3, left : left + 12 : 3], frame)


# keys held -> moves of the left and the right plank, where the agent would move (1, -1)
KEYS = {
    (1, ""): (1, 0),
    (1, "w"): (1, 1),
    (1, "s"): (1, -1),
    (1, "UP"): (1, 1),
    (1, "DOWN"): (1, -1),
    (2, ""): (0, 0),
    (2, "w DOWN"): (1, -1),
    (2, "s UP"): (-1, 1),
    (2, "w s"): (0, 0),
    (0, "w UP"): (1, -1),
}


@pytest.mark.parametrize(("players", "keys"), KEYS)
def test_keys_move_the_planks_of_those_who_play(screen, players, keys):
    import pygame

    keyboard = play.Keyboard(pygame)
    for name in keys.split():
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}")))
    keyboard.listen()
    moves = PONG.moves(keyboard.action(PONG, players, 2))  # 2 = 3 * (-1 + 1) + (1 + 1)
    assert tuple(map(int, moves)) == KEYS[players, keys]


@pytest.mark.parametrize(("name", "action"), [("a", 1), ("LEFT", 1), ("d", 2), ("RIGHT", 2), ("w", 0)])
def test_keys_move_the_cube(screen, name, action):
    import pygame

    keyboard = play.Keyboard(pygame)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}")))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=getattr(pygame, f"K_{name}")))  # tapped: it counts once
    for expected in (action, 0):
        keyboard.listen()
        assert keyboard.action(CubeCrash(), 1, 1) == expected


def test_a_session_in_a_window_goes_on_until_escape(screen):
    import pygame

    window, options = viewing.Window(pygame, "test"), Namespace(seed=3, stochasticity=0.2, players=2, speed=1000)
    seen, show = [], window.show

    def shown(image, speed):
        seen.append(image)
        if len(seen) == 3:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))
        show(image, speed)

    window.show = shown
    assert play.play(constant_velocity(), window, options) == 2
    surface = np.transpose(pygame.surfarray.array3d(pygame.display.get_surface()), (1, 0, 2))
    assert np.array_equal(surface, np.asarray(seen[2]))


def test_without_a_display_the_agent_plays_and_a_film_is_written(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"SDL_VIDEODRIVER": "dummy", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, str(ROOT / "studies/pong/play.py"), "copy", "--seconds", "1", "--seed", "3"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no display: the agent plays, and a film is written to play.gif" in done.stderr
    with Image.open(tmp_path / "play.gif") as film:
        assert (film.size, film.n_frames) == ((3 * (192 + 12) + 12, 192 + 2 * 24), 15)
    assert [path.name for path in tmp_path.iterdir()] == ["play.gif"]


def test_a_film_shows_frames_in_their_own_colours(tmp_path):
    path = tmp_path / "cube.gif"
    assert code(play.main, "copy", "--environment", "cube_crash", "--seconds", 0.5, "-o", path) == 0
    with Image.open(path) as film:
        colours = {colour for _, colour in film.convert("RGB").getcolors(10_000)}
    assert {(0, 0, 0), (0, 255, 0), (255, 255, 255)} <= colours


def test_the_models_frames_a_second_are_those_of_its_steps():
    assert play.measure(constant_velocity(), steps=50) > 60


BAD_CALLS = {
    "nowhere": "nowhere: expected the folder of a finished training",
    "copy --seed -1": "--seed -1: expected 0 or more",
    "copy --stochasticity 2": "--stochasticity 2.0: expected 0 to 1",
    "copy --speed 0": "--speed 0.0: expected 0.1 to 200",
    "copy --speed 0.09": "--speed 0.09: expected 0.1 to 200",
    "copy --speed 201": "--speed 201.0: expected 0.1 to 200",
    "copy --seconds nan": "--seconds nan: expected more than 0 and up to 120",
    "copy -o film.mp4": "film.mp4: expected a name that ends in .gif",
    "copy -o nowhere/film.gif": "film.gif: expected a folder that exists",
    "copy -o there.gif": "there.gif: expected a new file; --replace overwrites it",
    "copy -o ..": "..: expected a name that ends in .gif",
    "copy --players 3": "invalid choice",
    "copy --environment chess": "invalid choice",
}


@pytest.mark.parametrize("words", BAD_CALLS)
def test_a_call_that_cannot_be_played_is_refused_in_one_line(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    Path("there.gif").write_text("kept")
    assert code(play.main, *words.split()) == 2
    told = capsys.readouterr().err
    assert BAD_CALLS[words] in told
    assert told.count("\n") == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.gif", "kept")]


def test_the_slowest_film_is_written(tmp_path):
    path = tmp_path / "slow.gif"
    assert code(play.main, "copy", "--speed", play.LEAST_SPEED, "--seconds", 120, "--seed", 3, "-o", path) == 0
    with Image.open(path) as film:
        assert (film.n_frames, film.info["duration"]) == (12, 10_000)


def test_constant_velocity_plays_cubecrash(tmp_path):
    path = tmp_path / "cube.gif"
    words = ("constant velocity", "--environment", "cube_crash", "--seconds", 0.5, "-o", path)
    assert code(play.main, *words) == 0
    assert path.stat().st_size > 0


WITHOUT_A_WINDOW = {play: "play.gif", hidden: "hidden.png", animate_assets: "assets.gif", web: "pong.html"}


@pytest.mark.parametrize("script", WITHOUT_A_WINDOW, ids=lambda script: script.__name__)
def test_a_file_that_is_there_is_refused_in_one_line(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    path = Path(WITHOUT_A_WINDOW[script])
    path.write_text("kept")
    assert code(script.main, "constant velocity") == 2
    told = capsys.readouterr().err
    assert f"{path}: expected a new file; --replace overwrites it" in told
    assert told.count("\n") == 1
    path.unlink()
    path.mkdir()
    assert code(script.main, "constant velocity", "--replace") == 2
    assert f"{path}: expected a file to write; it is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("script", WITHOUT_A_WINDOW, ids=lambda script: script.__name__)
def test_a_training_of_another_study_is_refused_in_one_line(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    (tmp_path / "oracle").mkdir()
    (tmp_path / "oracle" / "scores.json").write_text('{"task": "target per run"}')
    assert code(script.main, "oracle") == 2
    told = capsys.readouterr().err
    assert "oracle: expected a training of Pong or CubeCrash" in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["oracle"]


def test_without_pygame_there_is_no_window(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    assert viewing.pygame_or_none() is None
