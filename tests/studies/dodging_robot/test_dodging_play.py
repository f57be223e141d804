"""The dodging robot for people: a keyboard to play it, a film to watch it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sim2seq._support import command
from sim2seq.data import records
from studies.dodging_robot import animation, drawing, play, policies, recordings, world

ROOT = Path(__file__).parents[3]
pygame = drawing.pygame
SESSION = "101_2ball_robot_1.5x5_vector_keyboard_me.npy"


def code(main, *arguments) -> int:
    """The exit code of a script's command line."""
    try:
        return command.run(lambda: main([str(argument) for argument in arguments]))
    except SystemExit as end:
        return end.code


class Script:
    """A clock that does not wait, and presses keys after given pictures: number -> [(up or down, key)]."""

    def __init__(self, events):
        self.events, self.pictures = events, 0

    def tick(self, pictures_a_second):
        self.pictures += 1
        for kind, key in self.events.get(self.pictures, []):
            pygame.event.post(pygame.event.Event(kind, key=key))


DOWN, UP = pygame.KEYDOWN, pygame.KEYUP
LEFT, RIGHT, ESCAPE = pygame.K_LEFT, pygame.K_RIGHT, pygame.K_ESCAPE
# one picture waits for the first arrow, then there are 5 a row; after picture 151 an arrow is tapped
KEYS = {
    1: [(DOWN, RIGHT)],
    51: [(DOWN, LEFT)],
    101: [(UP, LEFT), (UP, RIGHT)],
    151: [(DOWN, RIGHT), (UP, RIGHT)],
    201: [(DOWN, LEFT)],
    251: [(DOWN, ESCAPE)],
}
PLAYED = [0.0] + [0.75] * 10 + [-0.75] * 10 + [0.0] * 10 + [0.75] + [0.0] * 9 + [-0.75] * 9
SHORT = {1: [(DOWN, LEFT)], 51: [(DOWN, ESCAPE)]}


@pytest.fixture
def session(screen, monkeypatch, tmp_path):
    """Plays by pressing keys, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def play_session(*arguments, keys=SHORT):
        monkeypatch.setattr(pygame.time, "Clock", lambda: Script(keys))
        return code(play.main, "--aim", "robot", "--seed", 5, *arguments)

    return play_session


def test_a_session_is_read_back_as_it_was_played(session, capsys):
    assert session("--minutes", 1, keys=KEYS) == 0
    told = capsys.readouterr().out
    run = recordings.read(SESSION)
    assert run.series["command"] == PLAYED
    given = iter(PLAYED[1:] + [0.0] * 600)
    expected = world.simulate(lambda balls, robot: np.array([next(given)]), [5], "robot", duration=60.0)
    for name, values in zip(world.SERIES, expected.rows[0, :50].T, strict=True):
        assert run.series[name] == values.tolist(), name
    assert (run.id, run.data["aim"], run.data["player"], run.data["policy"]) == ("human_101", "robot", "me", "human")
    assert told.startswith(f"{SESSION}: 5.0 s, ")
    assert told.endswith(f" {run.data['num_hits']} hits, seed 5\n")
    assert run.data["num_hits"] > 0


def test_a_session_goes_through_the_importer(session, tmp_path):
    assert session() == 0
    assert code(recordings.main, SESSION, "--output", tmp_path / "human") == 0
    (run,) = records.read(tmp_path / "human" / "human_101.dsv")
    assert len(run.series["time"]) == 10


def test_a_session_ends_by_itself_and_the_next_gets_a_number(session, tmp_path):
    keys = {1: [(DOWN, LEFT)]}
    assert session("--minutes", 1 / 60, keys=keys) == 0
    assert session("--minutes", 1 / 60, keys=keys) == 0
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["101_", "102_"]
    assert recordings.read_rows(SESSION).shape == (10, 11)


def test_what_was_not_begun_is_not_saved(session, tmp_path, capsys):
    assert session(keys={3: [(DOWN, ESCAPE)]}) == 0
    assert capsys.readouterr().out == "nothing was played, nothing is saved\n"
    assert not list(tmp_path.iterdir())


def test_a_session_is_overwritten_only_where_that_was_asked_for(session, tmp_path, capsys):
    (tmp_path / SESSION).write_text("precious")
    assert session("--output", SESSION) == 2
    assert "exists; --replace overwrites it" in capsys.readouterr().err
    assert (tmp_path / SESSION).read_text() == "precious"
    assert session("--output", SESSION, "--replace") == 0
    assert len(recordings.read_rows(SESSION)) == 10
    assert [path.name for path in tmp_path.iterdir()] == [SESSION]


def test_a_second_of_play_takes_a_second(screen, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    pygame.event.post(pygame.event.Event(DOWN, key=LEFT))
    before = time.monotonic()
    assert code(play.main, "--minutes", 1.5 / 60) == 0
    assert 1.4 < time.monotonic() - before < 4.0
    assert len(recordings.read_rows(SESSION)) == 15


BAD_SESSIONS = {
    "--minutes 0": "expected more than 0",
    "--minutes nan": "expected more than 0",
    "--minutes 61": "up to 60",
    "--seed -1": "expected 0 or more",
    "--player Me": "expected small letters",
    "--player a/b": "expected small letters",
    "--aim left": "invalid choice",
    "--output me.npy": f"expected a name that says what was played, like {SESSION}",
    "--output 101_2ball_random_1.5x5_vector_keyboard_me.npy": "expected a name that says what was played",
    "--output nowhere/101_2ball_robot_1.5x5_vector_keyboard_me.npy": "expected a folder that exists",
}


@pytest.mark.parametrize("arguments", BAD_SESSIONS)
def test_bad_arguments_of_play_end_in_one_line(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert code(play.main, *arguments.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert BAD_SESSIONS[arguments] in line
    assert not list(tmp_path.iterdir())


def test_without_a_display_play_says_so_in_one_line(tmp_path):
    hidden = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "SDL_VIDEODRIVER"}
    script = [sys.executable, ROOT / "studies/dodging_robot/play.py"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, env=hidden, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected a display" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_an_animation_shows_the_episode_of_simulate():
    expected = world.simulate(policies.human_like(1, 3), [3], "robot", duration=10.0)
    moments = animation.watch(policies.human_like, aim="robot", seed=3, seconds=10.0)
    assert len(moments) == 2 * 99 + 1  # two pictures a row
    for row, moment in zip(expected.rows[0], moments[::2], strict=True):
        assert [*moment.balls.ravel(), moment.robot_x] == [*row[1:9], row[-1]]
    assert [half.command for half in moments[1::2]] == expected.rows[0, :-1, 0].tolist()


def test_hits_of_an_animation_count_up_to_those_of_simulate():
    shown = [moment.hits for moment in animation.watch(policies.still, aim="robot", seed=3, seconds=10.0)]
    expected = world.simulate(policies.still(1), [3], "robot", duration=9.9).counts["hits"][0]
    assert (shown[0], shown[-1], len(shown)) == (0, expected, 199)
    assert shown == sorted(shown)


def test_between_two_rows_balls_roll_on_and_the_robot_drives():
    before, half, after = animation.watch(policies.expert, aim="random", seed=3, seconds=2.0)[24:27]
    assert min(before.robot_x, after.robot_x) <= half.robot_x <= max(before.robot_x, after.robot_x)
    rolled = before.balls[:, 1] + 0.05 * before.balls[:, 3]
    assert half.balls[:, 1] == pytest.approx(rolled)


def test_an_animation_is_a_film_of_all_robots(tmp_path, capsys):
    path = tmp_path / "dodging.gif"
    arguments = ["--policies", "still", "expert", "human_like", "--seconds", "1.5", "--output"]
    assert code(animation.main, *arguments, path) == 0
    assert f"{path}: " in capsys.readouterr().out
    with Image.open(path) as film:
        assert (film.n_frames, film.size) == (29, (956, 554))
        durations = []
        for number in range(film.n_frames):
            film.seek(number)
            durations.append(film.info["duration"])
    assert durations == [50] * 28 + [2000]
    assert path.stat().st_size < 375_000  # 5 MB for 20 s
    assert [file.name for file in tmp_path.iterdir()] == ["dodging.gif"]


def test_robots_with_different_lengths_make_no_film(tmp_path):
    robots = [animation.watch(policies.still, aim="robot", seed=3, seconds=seconds) for seconds in (0.5, 0.3)]
    with pytest.raises(ValueError, match="shorter"):
        animation.animate(robots, tmp_path / "no.gif")
    assert not list(tmp_path.iterdir())


BAD_FILMS = {
    "--seconds 1.23": "expected a multiple",
    "--seconds 61": "up to 60",
    "--seconds nan": "up to 60",
    "--seed -1": "expected 0 or more",
    "--policies winner": "invalid choice",
    "--policies": "expected 1 to 4 robots",
    "--policies still random expert sharp insider": "expected 1 to 4 robots",
    "--output a.mp4": "ends in .gif",
    "--output nowhere/a.gif": "expected a folder that exists",
}


@pytest.mark.parametrize("arguments", BAD_FILMS)
def test_bad_arguments_of_the_animation_end_in_one_line(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert code(animation.main, "--output", "a.gif", *arguments.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert BAD_FILMS[arguments] in line
    assert not list(tmp_path.iterdir())
