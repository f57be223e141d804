"""The dodging robot's world: rolling balls, straight ways, hits counted exactly, a robot with limits."""

import subprocess
import sys
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from test_rooms import imported

from sim2seq.data import records
from studies.dodging_robot import pgen_ensembles
from studies.dodging_robot.policies import POLICIES, disturbance, middle_of_track, plan
from studies.dodging_robot.world import (
    AIMS,
    LAYOUT,
    SERIES,
    WORLD,
    Scene,
    closest_approach,
    rolled,
    simulate,
)

STUDY = Path(__file__).parents[3] / "studies" / "dodging_robot"
STILL = POLICIES["still"]
SIDES = {"exactly touching": 0.0, "a millimetre nearer": -1e-3, "a millimetre further": 1e-3}


def column(rows, name):
    return rows[..., SERIES.index(name)]


def balls_in_the_world(rows, ball):
    """x, y (episodes, steps) of a ball."""
    return column(rows, f"ball_{ball}_x") + column(rows, "robot_x"), column(rows, f"ball_{ball}_y")


def flights(rows, ball):
    """(episode, rows from a launch to the last one before the next): slices of whole flights."""
    y = column(rows, f"ball_{ball}_y")
    for episode in range(len(rows)):
        edges = [0, *(np.flatnonzero(np.diff(y[episode]) > 0) + 1), y.shape[1]]
        yield from ((episode, slice(*edge)) for edge in pairwise(edges))


def always(speed):
    return lambda balls, robot: np.full(len(balls), speed)


def test_a_ball_ends_rolling_at_5_sevenths_of_its_launch_speed():
    launch = np.array([3.0, 4.0, 5.0])
    _, speed = rolled(launch, np.full(3, 10.0))
    assert speed == pytest.approx(launch * 5 / 7, rel=1e-14)
    slides = 2 * launch / (7 * 9.81)  # s: 0.087, 0.116, 0.146
    _, before = rolled(launch, slides * 0.999)
    _, after = rolled(launch, slides * 1.001)
    assert (before > speed).all()
    assert after == pytest.approx(speed, rel=1e-14)


def test_the_way_of_a_ball_is_its_speed_summed():
    ages = np.linspace(0, 2, 20_001)
    way, speed = rolled(4.0, ages)
    summed = np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(ages))])
    assert way == pytest.approx(summed, abs=1e-6)


def test_recorded_balls_roll_and_keep_their_line():
    rows = simulate(always(0.3), range(20), "random", duration=10.0).rows
    seen = 0
    for ball in (1, 2):
        x, y = balls_in_the_world(rows, ball)
        vx, vy = column(rows, f"ball_{ball}_vx"), column(rows, f"ball_{ball}_vy")
        for episode, here in flights(rows, ball):
            px, py, ux, uy = (each[episode, here] for each in (x, y, vx, vy))
            assert ux * uy[0] == pytest.approx(uy * ux[0], abs=1e-12)  # one direction
            assert (px - px[0]) * uy[0] == pytest.approx((py - py[0]) * ux[0], abs=1e-12)  # one line
            rolls = np.hypot(ux, uy)[3:]  # 0.3 s after the launch: all have stopped sliding
            assert rolls == pytest.approx(rolls[:1].repeat(len(rolls)), rel=1e-12)
            assert len(rolls) == 0 or 5 / 7 * 3 <= rolls.max() <= 5 / 7 * 5
            seen += len(rolls)
    assert seen > 1000


@pytest.mark.parametrize("aim", AIMS)
def test_balls_are_aimed_as_they_say(aim):
    rows = simulate(always(0.1), range(30), aim, duration=20.0).rows
    crossings, launches, robots = [], [], []
    for ball in (1, 2):
        x, y = balls_in_the_world(rows, ball)
        for episode, here in flights(rows, ball):
            px, py = x[episode, here], y[episode, here]
            if len(px) > 1 and py[0] > 4.4:
                crossings.append(px[0] - py[0] * (px[1] - px[0]) / (py[1] - py[0]))
                launches.append(px[0] + (5 - py[0]) * (px[1] - px[0]) / (py[1] - py[0]))
                robots.append(column(rows, "robot_x")[episode, here][0])
    crossings, launches, robots = map(np.array, (crossings, launches, robots))
    assert np.abs(launches).max() <= 1.5 + 1e-9
    if aim == "straight":
        assert crossings == pytest.approx(launches, abs=1e-9)
    elif aim == "center":
        assert crossings == pytest.approx(0, abs=1e-9)
    elif aim == "robot":  # where it was when the ball was launched, up to 0.1 s before the row
        assert np.abs(crossings - robots).max() <= 0.1 * 0.1 + 1e-9
    else:
        assert np.abs(crossings).max() <= 1.5 + 1e-9
        assert np.std(crossings) == pytest.approx(1.5 / np.sqrt(3), rel=0.1)  # uniform
        assert abs(np.corrcoef(crossings, launches)[0, 1]) < 0.2


@pytest.mark.parametrize("side", SIDES)
def test_a_ball_that_touches_hits_a_millimetre_beside_is_a_miss(side):
    scene = Scene([0], "straight", 10.0)
    scene.origin[0, 0] = scene.place[0, 0] = [WORLD.ball_radius + SIDES[side], 5.0]
    scene.origin[0, 1] = scene.place[0, 1] = [1.5, 5.0]
    scene.direction[:] = [0.0, -1.0]
    while scene.launched[0, 0] == 1:
        scene.advance(np.zeros(1))
    assert scene.counts["hits"][0] == (0 if SIDES[side] > 0 else 1)


def test_a_ball_aslant_is_judged_by_its_distance():
    """At 45 degrees a ball that crosses 0.28 m beside the robot comes within 0.28 / sqrt(2) = 0.198 m."""
    for beside, hits in ((0.28, 1), (0.30, 0)):  # 0.198 and 0.212 m
        scene = Scene([0], "straight", 10.0)
        scene.origin[0] = scene.place[0] = [[beside + 5.0, 5.0], [1.5, 5.0]]
        scene.direction[0] = [[-np.sqrt(0.5), -np.sqrt(0.5)], [0.0, -1.0]]
        while scene.launched[0, 0] == 1:
            scene.advance(np.zeros(1))
        assert scene.counts["hits"][0] == hits


def test_a_robot_that_drives_into_a_ball_beside_it_is_hit_once():
    scene = Scene([0], "straight", 10.0)
    scene.origin[0] = scene.place[0] = [[0.3, 5.0], [-1.5, 5.0]]
    scene.direction[:] = [0.0, -1.0]
    while scene.launched[0, 0] == 1:
        near = scene.place[0, 0, 1] < 1.0
        scene.advance(np.full(1, 1.0 if near else 0.0))
    assert scene.counts["hits"][0] == 1


def test_closest_approach_is_that_of_many_points_on_the_way():
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=(2, 200, 2))
    shares = np.linspace(0, 1, 2_001)[:, None, None]
    points = np.linalg.norm(before + shares * (after - before), axis=-1).min(axis=0)
    assert closest_approach(before, after) == pytest.approx(points, abs=2e-3)
    assert closest_approach(before, before) == pytest.approx(np.linalg.norm(before, axis=-1))


def test_every_ball_that_goes_for_a_still_robot_hits_it():
    played = simulate(STILL(40), range(40), "robot", duration=20.0)
    passed = played.counts["balls"] - 2  # two are still on their way
    assert (played.counts["hits"] >= passed).all()
    assert (played.counts["hits"] <= played.counts["balls"]).all()
    assert (played.counts["head_on"] == passed).all()
    assert (played.counts["head_on_hits"] == passed).all()


def test_equal_seeds_give_equal_episodes_whoever_plays_beside():
    expert = POLICIES["expert"]
    together = simulate(expert(4), [7, 8, 9, 7], ["robot", "center", "random", "robot"], duration=12.0)
    alone = simulate(expert(1), [9], "random", duration=12.0)
    longer = simulate(expert(1), [9], "random", duration=30.0)
    assert np.array_equal(together.rows[0], together.rows[3])
    assert np.array_equal(together.rows[2], alone.rows[0])
    assert np.array_equal(longer.rows[0, :120], alone.rows[0])
    assert not np.array_equal(together.rows[0], together.rows[1])


def test_commands_act_one_step_late_and_within_the_limits():
    rows = simulate(always(5.0), [1], "center", duration=4.0).rows[0]
    x = column(rows, "robot_x")
    assert rows[0, 0] == 0  # nothing was commanded yet
    assert (rows[1:, 0] == WORLD.robot_speed).all()  # limited
    assert (x[:2] == 0).all()  # given on row 0, in force from row 1
    assert x[2] == pytest.approx(5.0 * 0.1**2 / 2)  # 5 m/s^2 for 0.1 s
    assert np.diff(x).max() == pytest.approx(0.1)  # 1 m/s
    assert x.max() == WORLD.track
    assert x[-1] == WORLD.track


def test_features_are_relative_places_and_absolute_velocities():
    still, moving = (simulate(always(speed), [3], "straight", duration=1.2).rows[0] for speed in (0.0, 0.8))
    for name in ("ball_1_vx", "ball_1_vy", "ball_2_vx", "ball_2_vy", "ball_1_y", "ball_2_y"):
        assert np.array_equal(column(still, name), column(moving, name))
    shift = column(still, "ball_1_x") - column(moving, "ball_1_x")
    assert shift == pytest.approx(column(moving, "robot_x"), abs=1e-12)
    assert column(moving, "robot_x")[-1] > 0.7


@pytest.mark.parametrize("aim", AIMS)
def test_the_expert_is_hit_a_tenth_as_often_as_who_stays(aim):
    seeds = range(300_000, 300_020)
    hits = {
        name: simulate(POLICIES[name](20), seeds, aim, duration=30.0, keep=False).counts["hits"].sum()
        for name in ("still", "expert", "human_like")
    }
    assert hits["expert"] <= hits["still"] / 10
    assert hits["human_like"] <= hits["still"] / 4


def test_the_plan_is_mirrored_with_its_balls_in_any_order():
    balls = simulate(STILL(1), [5], "random", duration=30.0).rows[0, :, 1:9]
    mirror, swap = np.array([-1, 1, -1, 1] * 2), [4, 5, 6, 7, 0, 1, 2, 3]
    commands = plan(balls, middle_of_track(balls))
    assert plan(balls * mirror, middle_of_track(balls * mirror)) == pytest.approx(-commands, abs=1e-12)
    assert plan(balls[:, swap], middle_of_track(balls[:, swap])) == pytest.approx(commands, abs=1e-12)
    assert np.abs(commands).max() == 1.0


def test_the_expert_does_not_look_at_the_robots_place():
    balls = simulate(STILL(1), [5], "random", duration=5.0).rows[0, :, 1:9]
    anywhere = np.random.default_rng(0).uniform(-1, 1, (len(balls), 2))
    expert = POLICIES["expert"](len(balls))
    assert np.array_equal(expert(balls, anywhere), expert(balls, 0 * anywhere))


def test_a_disturbed_episode_keeps_the_experts_commands():
    shares = np.array([0.0, 0.5])
    rows = simulate(POLICIES["expert"](2), [4, 4], "robot", duration=20.0, disturb=disturbance(shares, 1)).rows
    undisturbed = simulate(POLICIES["expert"](1), [4], "robot", duration=20.0).rows[0]
    assert np.array_equal(rows[0], undisturbed)
    seen = rows[1, :-1, 1:9]
    assert rows[1, 1:, 0] == pytest.approx(plan(seen, middle_of_track(seen)), abs=1e-12)
    assert not np.array_equal(column(rows[1], "robot_x"), column(rows[0], "robot_x"))


def test_a_run_is_a_record_of_nine_learned_series_and_three_more(tmp_path):
    path = tmp_path / "run.dsv"
    command = [sys.executable, STUDY / "simulate.py", "--seed", "1000003", "--duration", "6", "--aim", "robot"]
    subprocess.run([*command, "--disturbance", "0.2", "-G", "expert", "-R", "4", "-o", path], check=True)
    (run,) = records.read(path)
    assert run.id == "expert_4"
    assert list(run.series) == ["time", *LAYOUT, "present_1", "present_2", "robot_x"]
    assert run.series["time"] == [step / 10 for step in range(60)]
    assert run.data["source"] == "simulation"
    assert run.data["num_hits"] == sum(
        simulate(
            POLICIES["expert"](1), [1000003], "robot", duration=6.0, disturb=disturbance(np.array([0.2]), 1000003)
        ).counts["hits"]
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--disturbance", "2"], "--disturbance 2.0: expected a rate from 0 to 1"),
        (["--duration", "0.25"], "duration 0.25: expected a multiple of 0.1 s"),
        (["--duration", "nan"], "--duration nan: expected up to 3600 s"),
        (["--aim", "sky"], "invalid choice: 'sky'"),
        (["--group", "../x"], "run id '../x_1'"),
    ],
)
def test_bad_input_ends_in_one_line_with_exit_code_2_and_no_file(words, expected, tmp_path):
    output = tmp_path / "run.dsv"
    command = [sys.executable, STUDY / "simulate.py", *words, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_quarter_of_the_table_has_each_aim_and_no_judged_seed():
    table = pgen_ensembles.parameter_table(NUM_STUDIES="40")
    assert {aim: table["AIM"].count(aim) for aim in AIMS} == dict.fromkeys(AIMS, 10)
    assert len(set(table["SEED"])) == 40
    assert min(table["SEED"]) == 1_000_000
    assert 0 <= min(table["DISTURBANCE"]) < 0.02 < 0.48 < max(table["DISTURBANCE"]) <= 0.5
    assert {len(values) for values in table.values()} == {40}


@pytest.mark.parametrize("given", [{"POLICY": "nobody"}, {"SEED": "5"}, {"NUM_STUDIES": "0"}, {"DURATION": "-1"}])
def test_a_parameter_table_that_cannot_be_is_refused(given):
    with pytest.raises(ValueError, match="expected"):
        pgen_ensembles.parameter_table(**given)


def test_imports_of_the_study_have_no_circle():
    here = "studies.dodging_robot."
    files = {path.stem: imported(path) for path in STUDY.glob("*.py")}
    uses = {name: {one.split(".")[2] for one in found if one.startswith(here)} for name, found in files.items()}
    assert uses["policies"] == {"world"}
    TopologicalSorter(uses).prepare()  # raises CycleError
