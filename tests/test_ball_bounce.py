"""Laws of the simulator, in both schemes, and the promises of its command line."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ball_bounce import bounce
from sim2seq.data import records

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "samples"
SOURCE_RUNS = sorted(DATA.glob("run_*.dsv"))  # written by the public demo's simulator, see tests/samples/README.md
AXES = "xyz"


def tick_run(data):
    return bounce(
        [data[f"{axis}_pos_initial"] for axis in AXES],
        [data[f"{axis}_vel_initial"] for axis in AXES],
        gravity=data["gravity"], box=data["box_side_length"], drag=0.1, frequency=20, steps=400,
    )  # fmt: skip


def exact(position, velocity, *, steps, frequency=20, gravity=9.81, box=10.0, drag=0.0, restitution=1.0):
    world = {"gravity": gravity, "box": box, "drag": drag, "frequency": frequency, "restitution": restitution}
    times, series, position, velocity, bounces = bounce(position, velocity, steps=steps, scheme="exact", **world)
    return np.array(times), np.array(series), np.array(position), np.array(velocity), bounces


def energy(position, velocity, gravity):
    return 0.5 * sum(v**2 for v in velocity) + gravity * position[1]


@pytest.mark.parametrize("path", SOURCE_RUNS, ids=lambda path: path.stem)
def test_tick_reproduces_the_source_series_exactly(path):
    (run,) = records.read(path)
    times, series, position, velocity, bounces = tick_run(run.data)
    assert times == run.series["time"]
    for axis, values, p, v in zip(AXES, series, position, velocity, strict=True):
        assert values == run.series[f"{axis}_pos"]
        assert (p, v) == (run.data[f"{axis}_pos_final"], run.data[f"{axis}_vel_final"])
    assert bounces == run.data["num_bounces"]


@pytest.mark.parametrize("scheme", ["tick", "exact"])
def test_many_runs_at_once_equal_each_alone(scheme):
    rng = np.random.default_rng(0)
    positions, velocities = rng.uniform(1, 9, (3, 20)), rng.uniform(-9, 9, (3, 20))
    world = {"gravity": 0.4, "box": 10.0, "drag": 0.05, "frequency": 10, "steps": 80, "scheme": scheme}
    together = bounce(list(positions), list(velocities), **world)
    for run in range(20):
        alone = bounce(positions[:, run].tolist(), velocities[:, run].tolist(), **world)
        np.testing.assert_allclose(np.array(together[1])[:, :, run], np.array(alone[1]), rtol=1e-12, atol=1e-12)
        assert together[4][run] == alone[4]


def test_flight_without_drag_follows_the_parabola():
    times, series, _, _, bounces = exact([1.0, 2.0, 3.0], [1.0, 5.0, -0.5], steps=21)
    assert bounces == 0
    np.testing.assert_allclose(series[0], 1 + times, rtol=1e-13)
    np.testing.assert_allclose(series[1], 2 + 5 * times - 9.81 * times**2 / 2, rtol=1e-12)
    np.testing.assert_allclose(series[2], 3 - 0.5 * times, rtol=1e-13)


def test_energy_is_constant_without_drag_at_restitution_1():
    start, launch = [5.0, 5.0, 5.0], [13.0, -20.0, 7.0]
    for steps in (2, 101, 1001):
        *_, position, velocity, _ = exact(start, launch, steps=steps)
        assert energy(position, velocity, 9.81) == pytest.approx(energy(start, launch, 9.81), rel=1e-11)


@pytest.mark.parametrize(("drag", "restitution"), [(0.1, 1.0), (0.0, 0.7), (1.0, 0.9), (0.3, 0.0)])
def test_energy_never_rises(drag, restitution):
    state, before = ([5.0, 9.0, 5.0], [13.0, -20.0, 7.0]), math.inf
    for _ in range(300):
        *_, position, velocity, _ = exact(*state, steps=2, drag=drag, restitution=restitution)
        state, now = (list(position), list(velocity)), energy(position, velocity, 9.81)
        assert now <= before * (1 + 1e-13)
        before = now


@pytest.mark.parametrize("axis", [0, 2])
def test_mirror_symmetry(axis):
    position, velocity = [3.0, 5.0, 4.0], [6.0, 2.0, -3.0]
    mirrored = [10 - p if i == axis else p for i, p in enumerate(position)]
    turned = [-v if i == axis else v for i, v in enumerate(velocity)]
    _, series, *_ = exact(position, velocity, steps=200, drag=0.1)
    _, mirror, *_ = exact(mirrored, turned, steps=200, drag=0.1)
    mirror[axis] = 10 - mirror[axis]
    np.testing.assert_allclose(series, mirror, atol=1e-11)


def mean_error(frequency, restitution, *, drag=0.5, seconds=2):
    """Mean distance to a fine solution after 2 s over 200 launches: where in a step a wall is hit averages out."""
    rng = np.random.default_rng(1)
    positions, velocities = list(rng.uniform(1, 9, (3, 200))), list(rng.uniform(-6, 6, (3, 200)))

    def final(frequency):
        options = {"drag": drag, "restitution": restitution, "frequency": frequency}
        return exact(positions, velocities, steps=seconds * frequency + 1, **options)[2]

    return np.linalg.norm(final(frequency) - final(800), axis=0).mean()


@pytest.mark.parametrize("restitution", [1.0, 0.7])
def test_halving_the_step_converges_with_order_2(restitution):
    errors = [mean_error(frequency, restitution) for frequency in (20, 40, 80)]
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("restitution", [0.9, 0.5])
def test_rebound_height_is_restitution_squared_times_height(restitution):
    _, series, *_, bounces = exact(
        [5.0, 8.0, 5.0], [0.0, 0.0, 0.0], steps=2500, frequency=1000, restitution=restitution
    )
    first_hit = math.sqrt(2 * 8 / 9.81)
    second_hit = first_hit * (1 + 2 * restitution)
    between = series[1][int(first_hit * 1000) + 1 : min(int(second_hit * 1000), 2500)]
    assert bounces >= 1
    assert between.max() == pytest.approx(restitution**2 * 8, rel=1e-6)


def test_wall_is_hit_at_its_true_time():
    _, series, _, velocity, bounces = exact([9.0, 5.0, 5.0], [3.0, 0.0, 0.0], steps=2, frequency=1, gravity=0.0)
    assert (series[0][1], velocity[0], bounces) == (pytest.approx(8.0, rel=1e-14), -3.0, 1)


def test_a_lossy_ball_comes_to_rest_on_the_floor():
    _, series, _, velocity, _ = exact([5.0, 1.0, 5.0], [0.0, 0.0, 0.0], steps=600, restitution=0.5)
    assert velocity.tolist() == [0, 0, 0]
    assert series[1][-1] == 0


def run_script(folder, *options, output="output.dsv"):
    command = [sys.executable, ROOT / "ball_bounce.py", "--output", output, *map(str, options)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_command_line_writes_one_record(tmp_path):
    done = run_script(tmp_path, "-x", 48, "-y", 49, "-z", 50, "-X", 5, "-g", 0.0981, "-b", 100, "-G", "demo", "-R", 7)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (run,) = records.read(tmp_path / "output.dsv")
    assert run.id == "demo_7"
    assert [len(values) for values in run.series.values()] == [400] * 4
    assert (run.data["x_pos_initial"], run.data["drag"], run.data["scheme"]) == (48, 0.1, "tick")
    assert os.listdir(tmp_path) == ["output.dsv"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--xpos", "11"], "--xpos 11"),
        (["--ypos", "-1"], "--ypos -1"),
        (["--box_side_length", "-5"], "--box_side_length -5"),
        (["--drag", "-0.1"], "--drag -0.1"),
        (["--xvel", "nan"], "--xvel nan"),
        (["--gravity", "inf"], "--gravity inf"),
        (["--frequency", "0"], "--frequency 0"),
        (["--runtime", "0.03"], "--runtime 0.03"),
        (["--xpos", "left"], "left"),
        (["--scheme", "exact", "--restitution", "1.5"], "--restitution 1.5"),
        (["--run", "../../etc"], "../../etc"),
        (["--scheme", "exact", "--xvel", "1e9"], "--frequency 20"),
        (["--xvel=1e200"], "--frequency 20"),
        (["--group", "50%"], "50%"),
    ],
)
def test_bad_input_ends_with_one_line_and_writes_nothing(tmp_path, options, named):
    done = run_script(tmp_path, *options)
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_unwritable_output_is_refused(tmp_path):
    done = run_script(tmp_path, output="no_such_folder/output.dsv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no_such_folder/output.dsv" in done.stderr


def test_one_run_takes_at_most_150_ms(tmp_path):
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert run_script(tmp_path).returncode == 0
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.15
