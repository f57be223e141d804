"""What the dodging robot's figures and report promise, on small numbers."""

import re
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
from page import Page

from sim2seq.sweep import Result, as_written
from studies.dodging_robot import figures, judging, learning, report, scenes, simulate, sweep

AIMS = simulate.AIMS
KIND_SETTINGS = {kind: replace(learning.Settings(), **change) for kind, change in sweep.KINDS.items()}


def scored(hits: float) -> dict:
    return {"hits": hits, "low": hits - 0.1, "high": hits + 0.1, "distance": 5.0, "dodged": 0.9, "episodes": 7}


def board_of(**hits) -> dict:
    """policy -> aim -> Score as a dict: these hits in every aiming mode."""
    return {name.replace("_", " "): {aim: scored(number) for aim in AIMS} for name, number in hits.items()}


def result(kind: str, timesteps: int, neurons: int, seed: int, *, hits: float, losses=(3.0, 2.0, 1.0)) -> Result:
    settings = replace(KIND_SETTINGS[kind], timesteps=timesteps, neurons=neurons, seed=seed)
    data = {name: as_written(value) for name, value in asdict(settings).items()}
    name = f"t-{timesteps}_n-{neurons}_{kind}_{seed}"
    data |= {"kind": kind, "point": name, "hits": hits}
    return Result(name, data, {"loss": list(losses), "val_loss": [loss + 1 for loss in losses]})


def sweep_of(kinds=tuple(sweep.KINDS)) -> tuple[Result, ...]:
    """A sweep of 2 x 2 points and two seeds, in which 5 timesteps and 10 neurons are best by far."""
    places = [
        (kind, timesteps, neurons, seed)
        for kind in kinds
        for timesteps in (2, 5)
        for neurons in (6, 10)
        for seed in (0, 1)
    ]
    return tuple(result(*place, hits=10 - place[1] - place[2] / 2 + 0.1 * place[3]) for place in places)


def text_of(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split())


GOOD = board_of(still=8.0, expert=1.0, net=1.5)
BAD = GOOD | {"net": GOOD["net"] | {"robot": scored(1.7), "center": scored(2.5)}}


def test_goals_are_one_and_a_half_times_the_expert_and_a_quarter_of_standing_still():
    goals = judging.goals_of(GOOD, "net")
    assert [(goal["aim"], goal["limit"]) for goal in goals] == [(a, 1.5) for a in AIMS] + [(a, 2.0) for a in AIMS]
    assert all(goal["met"] for goal in goals)
    missed = [(goal["aim"], goal["limit"]) for goal in judging.goals_of(BAD, "net") if not goal["met"]]
    assert missed == [("center", 1.5), ("robot", 1.5), ("center", 2.0)]
    assert judging.allowed(GOOD) == dict.fromkeys(AIMS, 1.5)


def test_a_network_that_learned_from_people_must_beat_the_feed_forward_one_and_halve_standing_still():
    board = GOOD | board_of(lstm=4.0, feed_forward=4.0)
    goals = judging.goals_of(board, "net", human=("lstm", "feed forward"))[8:]
    assert [goal["met"] for goal in goals] == 4 * [False] + 4 * [True]
    assert len(judging.goals_of(GOOD, "net", human=("lstm", "feed forward"))) == 8


def test_the_error_on_recordings_is_set_against_the_best_of_the_others_and_the_latency_against_2_ms():
    errors = {"lstm": 0.2, "ff": 0.3, "other head": 0.1, judging.HOLD: 0.25, judging.MEAN: 0.4}
    error, latency = judging.goals_of(GOOD, "net", human=("lstm", "ff"), errors=errors, latency=2.0)[-2:]
    assert (error["value"], error["limit"], error["met"]) == (0.2, 0.25, True)
    assert not latency["met"]


def test_held_out_errors_are_those_of_the_command_of_the_next_row():
    """The command of each row is the x of ball 1 in the row before, which the model repeats: any shift would show."""
    command = np.arange(12) / 10
    rows = np.zeros((12, 9), dtype="float32")
    rows[:, 0], rows[:-1, 1] = command, command[1:]
    window = keras.Input((3, 8))
    model = keras.Model(window, window[:, -1, :1])
    split = {"train": ("a",), "validation": ("b",), "test": ("c",)}
    errors, predicted = judging.held_out({"repeat": model}, dict.fromkeys("abc", rows), split)
    assert errors["repeat"] == pytest.approx(0, abs=1e-6)
    assert errors[judging.HOLD] == pytest.approx(0.1)
    assert errors[judging.MEAN] == pytest.approx(np.abs(command[3:] - 0.55).mean())
    assert np.isnan(predicted["c"]["repeat"][:3]).all()


def test_the_recommendation_holds_unless_the_settings_say_otherwise():
    ready, said = learning.Settings(), learning.Settings(neurons=7)
    assert judging.as_recommended(ready, ((5, 8), "why")) == replace(ready, timesteps=5, neurons=8)
    assert judging.as_recommended(said, ((5, 8), "why")) == said
    assert judging.as_recommended(ready, None) == ready


def test_the_bars_of_all_policies_share_an_axis_and_the_most_hits_are_on_top():
    figure = figures.hits_by_policy(GOOD, allowed=judging.allowed(GOOD))
    assert len(figure.axes) == len(AIMS)
    for axis in figure.axes:
        bars = [patch.get_width() for patch in axis.patches if patch.get_height() == 0.5]
        assert bars == [8.0, 1.5, 1.0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["still", "net", "expert"]


def test_a_policy_that_is_never_hit_can_be_drawn(tmp_path):
    never = {"hits": 0.0, "low": 0.0, "high": 0.0, "distance": 0.0, "dodged": None, "episodes": 1}
    figures.hits_by_policy(board_of(still=1.0) | {"expert": dict.fromkeys(AIMS, never)}).savefig(tmp_path / "hits.png")


def test_the_grid_has_a_panel_a_point_and_frames_the_recommended_one():
    results = sweep_of(kinds=("expert", "both"))
    figure = figures.sweep_grid(results, {("human", 2, 6): "over-fits"}, {"expert": (5, 10)})
    assert len(figure.axes) == 4
    assert [len([p for p in axis.patches if not p.get_fill()]) for axis in figure.axes] == [0, 0, 0, 1]
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["over-fits"], [], [], []]
    solid, dashed = figure.axes[3].lines[:2]
    np.testing.assert_allclose(solid.get_ydata(), [3, 2, 1])
    np.testing.assert_allclose(dashed.get_ydata(), [4, 3, 2])


def test_losses_of_another_unit_have_an_axis_of_their_own_above_the_others():
    """Cross-entropies of 1 to 4 and errors of 1 to 4 m/s must not lie on each other."""
    figure = figures.sweep_grid(sweep_of(), {}, {})
    panels, beside = figure.axes[:4], figure.axes[4:]
    assert len(beside) == 4
    for left, right in zip(panels, beside, strict=True):
        (low, high), (bottom, top) = left.get_ylim(), right.get_ylim()
        assert (4 - low) / (high - low) < 0.42
        assert (1 - bottom) / (top - bottom) > 0.5


def test_the_map_of_hits_shows_the_mean_of_the_seeds():
    """10 - 5 - 10 / 2, and 0.1 for half of the seeds."""
    figure = figures.sweep_hits(sweep_of(kinds=("human", "expert")), {"human": (5, 10)})
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["5.05", "3.05", "2.05", "0.05"]


def test_the_table_of_aims_is_read_by_rows():
    matrix = {"straight": {"straight": 0.0, "robot": 7.0}, "robot": {"straight": 0.25, "robot": 1.0}}
    axis = figures.train_play_table(matrix).axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.00", "7.00", "0.25", "1.00"]


def rolling(robot_x: float) -> np.ndarray:
    """Two balls after each other in slot 1, from y = 1 m at 3 m/s along x = 0, and a robot that stands at robot_x."""
    rows = np.zeros((8, len(simulate.SERIES)))
    for row in range(8):
        rows[row, 1:5] = -robot_x, 1 - 0.3 * (row % 4), 0, -3
    rows[:, simulate.SERIES.index("present_1")] = 1
    rows[:, simulate.SERIES.index("robot_x")] = robot_x
    return rows


def test_a_slot_holds_one_ball_after_the_other():
    assert scenes.flights(rolling(0.0), 0) == [(0, 4), (4, 8)]
    assert scenes.flights(rolling(0.0), 1) == []


@pytest.mark.parametrize(("robot_x", "name"), [(0.2, "hit"), (0.22, "ball crosses, dodged")])
def test_a_ball_that_touches_the_robots_way_is_drawn_as_a_hit(robot_x, name):
    """The ball is 0.2067 m wide on each side of x = 0; it crosses the line 1/3 s after it was 1 m away."""
    lines = {line.get_label(): line for line in scenes.episode(rolling(robot_x)).axes[0].lines}
    np.testing.assert_allclose(lines[name].get_xdata(), 1 / 3)
    np.testing.assert_allclose(lines[name].get_ydata(), [-0.2067, 0.2067], atol=1e-9)
    assert len({"hit", "ball crosses, dodged"} & set(lines)) == 1


def test_the_commands_of_a_person_and_of_networks_stand_in_one_panel():
    rows = rolling(0.0)[:, :9]
    rows[:, 0] = 0.5
    above, _ = scenes.commands(rows, {"LSTM": np.full(8, 0.25)}, seconds=0.5).axes
    person, network = above.lines
    np.testing.assert_array_equal(person.get_ydata(), 5 * [0.5])
    np.testing.assert_array_equal(network.get_ydata(), 5 * [0.25])


def test_the_first_lines_say_whether_the_goals_are_met_and_beside_whom(tmp_path):
    for board, words in (
        (GOOD, "✓ It dodges: net meets both of its goals in every aiming mode"),
        (BAD, "✗ net misses a goal with balls aimed center, robot"),
    ):
        text = text_of(report.write_report(tmp_path / "report.html", report.Findings(board, "net")).read_text())
        assert f"sim2seq: the dodging robot {words}" in text
    assert (
        "net: 1.8 hits a minute over all aiming modes. Standing still: 8. The expert, which knows the physics: 1."
        in text
    )
    assert "center 2.50 2.40 to 2.60 1 ✗ missed 8 ✗ missed" in text


def test_what_is_missing_is_left_out(tmp_path):
    html = report.write_report(tmp_path / "report.html", report.Findings(GOOD, "net")).read_text()
    assert re.findall(r'<section.* id="(\w+)"', html) == ["verdict", "hits", "goals", "data"]
    assert html.count("<img ") == 1
    assert "not counted" in html


def test_the_whole_report_needs_no_other_file_and_escapes_names(tmp_path):
    film = tmp_path / "film.gif"
    film.write_bytes(b"GIF89a")
    rows, name = rolling(0.0), "<b>LSTM</b>"
    runs = {"expert_1": rows[:, :9].astype("float32"), "human_001": rows[:, :9].astype("float32")}
    found = report.Findings(
        GOOD | board_of(feed_forward=5.0) | {name: GOOD["net"]},
        "net",
        runs=runs,
        human=(name, "feed forward"),
        heads=(name, "net"),
        held_out={name: 0.2, "feed forward": 0.3, judging.HOLD: 0.1, judging.MEAN: 0.4},
        recordings=2,
        results=sweep_of(),
        matrix={aim: dict.fromkeys(AIMS, 1.0) for aim in AIMS},
        latency=0.5,
        episode=rows,
        commands=(rows[:, :9], {name: rows[:, 0]}),
        animation=film,
    )
    completeness = {"expected": 3, "stored": 2, "missing": ["<i>run</i>"], "allowed": 0.5}
    html = report.write_report(tmp_path / "report.html", found, completeness).read_text()
    sections = ["verdict", "film", "hits", "goals", "people", "heads", "sweep", "aims", "data"]
    assert re.findall(r'<section.* id="(\w+)"', html) == sections
    assert len(Page(html).loads) == 7
    assert all(address.startswith("data:") for address in Page(html).loads)
    assert not re.search(r"@import|url\(|<script|<link|<b>|<i>", html)
    assert "the best other, hold last command 0.2 (0.1) ✗ m/s" in text_of(html)
    assert "people , recommended: 5 timesteps, 10 neurons" in text_of(html)
