import math

import numpy as np
import pytest

from ball_bounce import bounce
from studies.ball_bounce.laws import forecast_checks

AXES = "xyz"
WORLD = {"gravity": 0.1, "box": 100.0}


def flights(runs=8, *, gravity=0.1, box=100.0, drag=0.1, steps=380):
    """Positions (runs, steps, 3) in the tick scheme: each ball falls from half the box and drifts to the walls."""
    start = [np.full(runs, box / 2) for _ in AXES]
    launch = [np.linspace(low, low + 1, runs) for low in (5.0, -2.0, 4.0)]
    _, series, *_ = bounce(start, launch, gravity=gravity, box=box, drag=drag, frequency=20, steps=steps)
    return np.array(series).transpose(2, 1, 0)


def checks(truth, forecast, **world):
    return {row.pop("name"): row for row in forecast_checks(truth, forecast, **WORLD | world)}


def failed(truth, forecast, **world):
    return {name for name, row in checks(truth, forecast, **world).items() if not row["holds"]}


def test_the_truth_passes_every_check_of_itself():
    truth = flights()
    rows = checks(truth, truth)
    assert [row["holds"] for row in rows.values()] == [True] * 7
    assert all(row["forecast"] == row["truth"] for row in rows.values())
    zeros = ("time error of a hit, mean", "time error of a hit, largest", "distance outside the box")
    assert [rows[name]["forecast"] for name in zeros] == [0, 0, 0]
    assert rows["rise of the energy"]["forecast"] < 1e-12
    assert rows["runs with the same hits"]["forecast"] == 1


def test_checked_hits_are_the_simulators_bounces():
    rng = np.random.default_rng(0)
    box, launch = rng.uniform(5, 50, 100), list(rng.uniform(-40, 40, (3, 100)))
    options = {"gravity": 0.05, "box": box, "drag": 0.1, "frequency": 20, "steps": 400}
    _, series, *_, bounces = bounce(list(rng.uniform(0, 1, (3, 100)) * box), launch, **options)
    truth = np.array(series).transpose(2, 1, 0)
    rows = checks(truth, truth, gravity=0.05, box=box)
    assert rows["floor hits a run"]["truth"] + rows["wall hits a run"]["truth"] == pytest.approx(bounces.mean())
    assert bounces.mean() > 10
    assert rows["rise of the energy"]["truth"] < 1e-6


def test_a_free_flight_keeps_its_energy_under_its_own_gravity():
    truth = flights(drag=0.0, steps=20)  # no wall in sight
    assert checks(truth, truth)["rise of the energy"]["forecast"] < 1e-12
    assert failed(truth, truth, gravity=0.09) == {"rise of the energy"}  # too little for so fast a fall


def test_a_ceiling_may_lift_the_energy():
    upward = [np.zeros(1), np.full(1, 90.0), np.zeros(1)]
    _, series, *_ = bounce([np.full(1, 50.0)] * 3, upward, box=100.0, gravity=0.1, drag=0.0, frequency=20, steps=200)
    truth = np.array(series).transpose(2, 1, 0)
    assert truth.max() == 100
    assert not failed(truth, truth)


@pytest.mark.parametrize("shift", [1, 3])
def test_a_forecast_late_by_k_steps_has_a_time_error_of_k(shift):
    whole = flights()
    rows = checks(whole[:, shift:], whole[:, :-shift])
    assert [rows[f"time error of a hit, {kind}"]["forecast"] for kind in ("mean", "largest")] == [shift, shift]
    assert rows["time error of a hit, mean"]["holds"] == (shift == 1)
    assert rows["runs with the same hits"]["forecast"] == 1


def test_a_position_outside_is_reported_with_its_distance():
    truth = flights()
    forecast = truth.copy()
    forecast[2, np.argmax(truth[2, :, 1] == 0), 1] = -0.5
    row = checks(truth, forecast)["distance outside the box"]
    assert (row["forecast"], row["truth"], row["unit"], row["holds"]) == (0.5, 0, "length", False)
    assert failed(truth, forecast) == {"distance outside the box"}
    forecast[5, np.argmax(truth[5, :, 0] == 100), 0] = 102
    assert checks(truth, forecast)["distance outside the box"]["forecast"] == 2


def test_a_ball_that_gains_energy_in_flight_fails_by_that_much():
    truth = flights(runs=1, drag=0.0, steps=20)  # no wall in sight
    forecast = truth.copy()
    forecast[:, 10:, 0] += 0.2 * np.arange(1, 11)  # from step 10 on 0.2 length a tick faster along x
    (slow, moved, across), height = truth[0, 1] - truth[0, 0], truth[0, :2, 1].mean()
    energy = (slow**2 + moved**2 + across**2) / 2 + WORLD["gravity"] * height
    row = checks(truth, forecast)["rise of the energy"]
    assert row["forecast"] == pytest.approx(((slow + 0.2) ** 2 - slow**2) / 2 / energy, rel=1e-9)
    assert not row["holds"]


def test_a_ball_that_leaves_the_floor_faster_gains_energy():
    truth = flights(runs=1, steps=60)
    floor = int(np.argmax(truth[0, :, 1] == 0))
    assert 20 < floor < 50
    forecast = truth.copy()
    forecast[0, floor:, 1] *= 1.5
    assert failed(truth, forecast) == {"rise of the energy"}


def test_a_forecast_that_misses_a_bounce_has_fewer_hits():
    truth = flights()
    forecast = truth.copy()
    last = [np.flatnonzero(run[:, 1] == 0)[-1] for run in truth]
    forecast[range(8), last, 1] = 0.2  # turns round just above the floor
    rows = checks(truth, forecast)
    assert rows["floor hits a run"]["truth"] - rows["floor hits a run"]["forecast"] == 1
    assert rows["wall hits a run"]["truth"] == rows["wall hits a run"]["forecast"]
    assert rows["runs with the same hits"]["forecast"] == 0
    assert rows["time error of a hit, largest"]["forecast"] == 0  # the hits that are there are on time
    assert {"floor hits a run", "runs with the same hits"} <= failed(truth, forecast)


def test_a_forecast_that_never_hits_has_no_time_error():
    truth = flights()
    rows = checks(truth, np.full_like(truth, 50.0))
    assert math.isnan(rows["time error of a hit, mean"]["forecast"])
    assert not rows["time error of a hit, mean"]["holds"]
    assert not failed(truth[:, :10], truth[:, :10])  # nothing hits, in truth and forecast


def test_gravity_and_box_may_differ_from_run_to_run():
    gravity, box = np.linspace(0.05, 0.15, 8), np.linspace(50.0, 150.0, 8)
    truth = flights(gravity=gravity, box=box)
    assert not failed(truth, truth, gravity=gravity, box=box)
    assert "rise of the energy" in failed(truth, truth, gravity=gravity[::-1], box=box)
    assert "distance outside the box" in failed(truth, truth, gravity=gravity, box=box[::-1])


def test_a_rounded_forecast_passes_and_one_with_nan_fails():
    truth = flights()
    assert not failed(truth, truth.astype(np.float32))
    forecast = truth.copy()
    forecast[0, -1, 0] = np.nan
    assert {"distance outside the box", "rise of the energy"} <= failed(truth, forecast)


def test_checks_refuse_shapes_that_do_not_fit():
    truth = flights()
    for arrays in ((truth, truth[:, :-1]), (truth[0], truth[0]), (truth[..., :2],) * 2, (truth[:0],) * 2):
        with pytest.raises(ValueError, match=r"expected \(runs, steps, 3\)"):
            forecast_checks(*arrays, **WORLD)
    with pytest.raises(ValueError, match="gravity of shape"):
        forecast_checks(truth, truth, gravity=np.ones(3), box=100)
