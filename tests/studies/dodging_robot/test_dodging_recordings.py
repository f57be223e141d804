"""The recordings of people: what the source did to them is undone, and the rest is what it was."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import Trap

from benchmarks import dodging_recordings as measures
from sim2seq.data import records
from sim2seq.store import store
from studies.dodging_robot import recordings, tracking, world

ROOT = Path(__file__).parents[3]
NAME = "001_2ball_straight_1.5x5_vector_keyboard_somebody.npy"
SHORTEST = "003_2ball_neato_1.5x5_vector_keyboard_nathan.npy"


@pytest.fixture(scope="module")
def runs():
    return [recordings.read(path) for path in sorted(recordings.FOLDER.glob("*.npy"))]


def balls_of(run):
    """Rows (rows, 2 balls, 4) and flags (rows, 2)."""
    rows = np.stack([run.series[name] for name in world.BALL_FEATURES], axis=-1).reshape(-1, 2, 4)
    return rows, np.stack([run.series["present_1"], run.series["present_2"]], axis=-1)


def sway(balls, robot):
    """A command that keeps the robot going to and fro: it turns round when it is 0.8 m away."""
    sway.now = np.where(np.abs(robot[:, 0]) > 0.8, -np.sign(robot[:, 0]) * 0.75, sway.now)
    return sway.now


def episode(steps):
    """A simulated episode, no two balls replaced at once: command (steps,), balls (steps, 2, 4), robot_x (steps,)."""
    sway.now = 0.75
    rows = world.simulate(sway, [3], "straight", duration=steps / 10).rows[0]
    balls = rows[:, 1:9].reshape(-1, 2, 4).copy()
    balls[:, :, 0] += rows[:, -1:]
    return rows[:, 0], balls, rows[:, -1]


def as_recorded(command, balls, robot, heading):
    """The same in the source's columns: turned by the heading, velocities moved, too, and the nearest ball first."""
    place = tracking.turned(balls[..., :2] - robot[:, None], -heading[:, None])
    velocity = tracking.turned(balls[..., 2:] - robot[:, None], -heading[:, None])
    both = np.concatenate([place, velocity], axis=-1)
    nearest = np.argsort(np.linalg.norm(place, axis=-1), axis=1)
    both = np.take_along_axis(both, nearest[..., None], axis=1)
    return np.column_stack([command, both.reshape(-1, 8), robot])


def test_what_the_source_did_to_places_and_slots_is_undone(tmp_path):
    command, balls, way = episode(150)
    heading = 0.3 * np.sin(np.arange(len(way)) / 60)
    step = np.diff(way)
    robot = np.zeros((len(way), 2))
    middle = (heading[1:] + heading[:-1]) / 2
    robot[1:] = np.cumsum(np.stack([step * np.cos(middle), step * np.sin(middle)], axis=-1), axis=0)
    damaged = as_recorded(command, balls, robot, heading)
    scene, headings = tracking.repair(tracking.scene_of(damaged))
    assert np.abs(headings - heading)[2:].max() < 1e-4  # rad
    assert measures.slot_swaps(tracking.follow(scene)) >= 5
    np.save(tmp_path / NAME, damaged)
    run = recordings.read(tmp_path / NAME)
    found, present = balls_of(run)
    true = balls.copy()
    true[..., :2] -= robot[:, None]
    if abs(found[0, 0, 0] - true[0, 0, 0]) > 0.1:
        true = true[:, ::-1]  # which ball is the first is nobody's promise
    seen = true[2:, :, 1] > -0.19  # as long as balls slide, a turn cannot be seen on them
    assert present[2:][seen].all()
    assert np.abs(found - true)[2:][seen].max() < 0.001
    assert run.series["robot_x"] == pytest.approx(robot[:, 0])
    assert run.series["command"] == pytest.approx(command)


def test_the_first_recordings_have_only_their_sign_turned(tmp_path):
    command, balls, way = episode(100)
    balls[..., 0] -= way[:, None]
    flipped = balls * [-1, -1, 1, 1]
    np.save(tmp_path / NAME, np.column_stack([command, flipped.reshape(-1, 8), way, np.zeros(100)]))
    found, present = balls_of(recordings.read(tmp_path / NAME))
    assert present.all()
    assert np.array_equal(found, balls)


def test_repaired_velocities_are_how_places_change(runs):
    for run in runs:
        rows, present = balls_of(run)
        both = (present[1:] * present[:-1]).astype(bool)
        change = np.diff(rows[..., 0], axis=0) + np.diff(run.series["robot_x"])[:, None]
        defect = np.abs(change / 0.1 - (rows[1:, :, 2] + rows[:-1, :, 2]) / 2)[both]
        assert np.median(defect) < 0.01, run.id  # m/s; of 005 as recorded: 0.52
        assert np.quantile(defect, 0.95) < 0.05, run.id


def test_balls_that_were_aimed_straight_come_straight(runs):
    straight = [run for run in runs if run.data["aim"] == "straight"]
    assert [run.id for run in straight] == ["human_002", "human_007"]
    for run in straight:
        rows, present = balls_of(run)
        assert np.quantile(np.abs(rows[..., 2][present == 1]), 0.9) < 0.01


def test_a_ball_keeps_its_slot_until_it_is_gone(runs):
    for run in runs:
        rows, present = balls_of(run)
        both = (present[1:] * present[:-1]).astype(bool)
        moved = np.linalg.norm(np.diff(rows[..., :2], axis=0), axis=-1)
        assert np.sum(moved[both] > 0.6) == (2 if run.id == "human_005" else 0)  # 6 m/s; 005 was interrupted once


def test_absent_balls_are_zeros_and_present_ones_come(runs):
    for run in runs:
        rows, present = balls_of(run)
        assert set(np.unique(present)) == {0.0, 1.0}
        assert not rows[present == 0].any()
        assert (np.linalg.norm(rows[..., 2:], axis=-1)[present == 1] > 0.1).all()
        assert (rows[..., 1][present == 1] > -0.2067).all()
        assert np.abs(rows[..., :2]).max() < 7


def test_the_name_of_a_recording_becomes_its_data(runs):
    assert [run.id[-3:] for run in runs] == ["001", "002", "003", "005", "006", "007", "009", "010", "012"]
    amy = runs[3].data
    assert (amy["group_id"], amy["aim"], amy["policy"], amy["device"]) == ("human", "robot", "human", "joystick")
    assert (amy["source"], amy["player"]) == ("005_2ball_neato_1.5x5_vector_joystick_amy.npy", "amy")
    assert [len(run.series["command"]) for run in runs] == [1381, 1443, 683, 2235, 1014, 1882, 933, 963, 1437]
    assert [run.data["num_gaps"] for run in runs] == [0, 0, 0, 1, 1, 0, 0, 1, 0]
    assert amy["duration"] == 223.5


@pytest.mark.parametrize(("beside", "hits"), [(0.2, 1), (0.213, 0)])
def test_a_hit_comes_within_the_radius_of_a_ball(beside, hits):
    rows = np.zeros((25, 11))
    rows[:, 1:5] = np.array([beside, 5.0, 0.0, -2.5]) + np.arange(25)[:, None] * [0, -0.25, 0, 0]
    rows[:, 5:9] = (0, 100, 0, 0)
    scene = tracking.scene_of(rows)
    assert recordings.results(scene, tracking.follow(scene))["num_hits"] == hits


def test_a_ball_that_bounces_is_judged_by_where_it_was_going():
    rows = np.zeros((25, 11))
    rows[:, 1:5] = np.array([0.1, 5.0, 0.0, -2.5]) + np.arange(25)[:, None] * [0, -0.25, 0, 0]
    rows[19:, 1] += np.arange(1, 7) * 0.15  # at y = 0.5 it leaves sideways
    rows[19:, 3] = 1.5
    rows[:, 5:9] = (0, 100, 0, 0)
    scene = tracking.scene_of(rows)
    closest, bounced = tracking.approaches(scene, tracking.follow(scene))
    assert closest == pytest.approx([0.1])
    assert bounced.tolist() == [True]


def test_the_response_of_our_own_robot_is_found_in_its_episode():
    command, balls, way = episode(200)
    robot = np.stack([way, np.zeros_like(way)], axis=-1)
    scene = tracking.scene_of(as_recorded(command, balls, robot, np.zeros(200)))
    delay, acceleration, misfit = measures.robot_response(scene, np.zeros(200))
    assert (round(delay, 3), acceleration) == (0.0, world.WORLD.robot_acceleration)
    assert misfit < 0.01


def test_the_delay_of_a_player_is_counted_from_the_launch():
    rows = np.zeros((60, 11))
    rows[:, 5:9] = (0, 100, 0, 0)
    fall = np.arange(20)[:, None] * [0, -0.25, 0, 0]
    for start, x in ((0, 0.1), (20, 1.2), (40, -0.1)):
        rows[start : start + 20, 1:5] = np.array([x, 5.0, 0.0, -2.5]) + fall
    rows[[4, 36], 0] = 0.75
    scene = tracking.scene_of(rows)
    numbers = tracking.follow(scene)
    assert measures.reactions(scene, numbers, lambda beside: beside < 0.35).tolist() == [4]
    assert measures.reactions(scene, numbers, lambda beside: beside > 0.8).tolist() == [16]


def test_the_description_shows_the_defect_and_its_repair(capsys):
    measures.main([str(recordings.FOLDER / "006_2ball_neato_1.5x5_vector_keyboard_nathan.npy")])
    lines = {line[:34].strip(): line[34:].split() for line in capsys.readouterr().out.splitlines()}
    assert (lines["recording"], lines["interruptions"]) == (["006"], ["1"])
    before, after = (float(lines[f"velocity residual {when}, median"][0]) for when in ("before", "after"))
    assert (before, after) == (pytest.approx(0.31, abs=0.02), pytest.approx(0.02, abs=0.01))
    shares = [float(share) for share in lines["answered, threat (49)"]]
    assert shares == sorted(shares)


def run_script(script, *arguments):
    return subprocess.run([sys.executable, ROOT / script, *arguments], capture_output=True, text=True, cwd=ROOT)


def test_recordings_go_through_the_store_like_any_run(tmp_path):
    folder, path = tmp_path / "human", tmp_path / "store.sqlite"
    importer = run_script("studies/dodging_robot/recordings.py", "--output", folder)
    assert (importer.returncode, importer.stdout) == (0, f"{folder}: 9 recordings, 20.0 minutes\n")
    store.create(path)
    ingest = run_script("dsv_to_kosh.py", folder, path)
    assert ingest.stdout == f"{path}: 9 added\n"
    (written,) = records.read(folder / "human_003.dsv")
    loaded = store.load(path, runs=["human_003"])
    assert loaded.values.shape == (1, 683, 12)
    for name, values in zip(loaded.features, loaded.values[0].T, strict=True):
        assert values.tolist() == written.series[name]
    assert store.load(path, runs=["human_009"]).values.shape == (1, 933, 12)


BAD = {
    "pickle": np.array([Trap("never")], dtype=object),
    "columns": np.zeros((50, 9)),
    "words": np.full((50, 11), "x"),
    "finite": np.full((50, 11), np.nan),
    "large": np.full((50, 11), 1e30),
    "empty": np.zeros((0, 11)),
    "no balls": np.tile([0, 0, 100, 0, 0, 0, 100, 0, 0, 0, 0], (50, 1)),
}


@pytest.mark.parametrize("what", BAD)
def test_a_foreign_array_is_refused(tmp_path, what):
    np.save(tmp_path / NAME, BAD[what], allow_pickle=True)
    with pytest.raises(ValueError, match="expected") as caught:
        recordings.main(["--output", str(tmp_path / "human"), str(tmp_path / NAME)])
    assert NAME in str(caught.value)
    assert not (tmp_path / "human").exists()


@pytest.mark.parametrize("keep", [0, 5, 100, 200, 5000])
def test_a_truncated_recording_is_refused(tmp_path, keep):
    (tmp_path / SHORTEST).write_bytes((recordings.FOLDER / SHORTEST).read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"expected an \.npy file"):
        recordings.read(tmp_path / SHORTEST)


def test_what_is_no_recording_ends_with_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "notes.npy").write_text("hello")
    for wrong in (tmp_path / "notes.npy", tmp_path / NAME):
        ended = run_script("studies/dodging_robot/recordings.py", "--output", tmp_path / "human", wrong)
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert "expected" in ended.stderr
    assert not (tmp_path / "human").exists()
