"""What the dodging robot's figures, goals and report promise, on small numbers."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from page import Page, text_of

from sim2seq import Ensemble, ranking
from sim2seq.training.folder import Prediction
from studies.dodging_robot import figures, judging, report, scenes, world
from studies.dodging_robot.judging import EXPERT, FORWARD, HUMAN, PLAIN
from studies.dodging_robot.scores import Score
from studies.dodging_robot.study import RobotSettings

AIMS = world.AIMS


def scored(hits: float) -> Score:
    return Score(hits, hits - 0.1, hits + 0.1, 5.0, 0.9, 7)


def board_of(**hits) -> dict:
    """policy -> aim -> Score: these hits in every aiming mode."""
    return {name: dict.fromkeys(AIMS, scored(number)) for name, number in hits.items()}


def result(data: str, window: int, units: int, seed: int, *, losses=(3.0, 2.0, 1.0)) -> ranking.Result:
    """5 rows and 10 neurons are hit least by far."""
    settings = {"data": data, "window": window, "units": str(units), "seed": seed}
    hits = 10 - window - units / 2 + 0.1 * seed
    content = {
        "study": "dodging_robot",
        "ranked_by": "hits",
        "hits": hits,
        "parameters": units,
        "results": "hits,parameters",
    }
    name = f"w-{window}_u-{units}_{data}_{seed}"
    return ranking.Result(name, settings | content, {"loss": list(losses), "val_loss": [loss + 1 for loss in losses]})


def sweep_of(*data: str) -> tuple[ranking.Result, ...]:
    """A sweep of 2 x 2 points and two seeds on each of these data."""
    return tuple(
        result(each, window, units, seed) for each in data for window in (2, 5) for units in (6, 10) for seed in (0, 1)
    )


def prediction(middle, truth) -> Prediction:
    columns = [np.asarray(each, dtype=float)[None, :, None] for each in (middle, middle, middle, truth)]
    return Prediction(("human_1",), *columns)


def training(test: Prediction, *, train=(0.5, 0.25), **settings):
    """What a report asks a Training for."""
    part = SimpleNamespace(runs=("human_1",))
    return SimpleNamespace(
        settings=RobotSettings(**settings),
        predictions={"test": test, "train": prediction(train, train)},
        split=SimpleNamespace(train=part, validation=part, test=part),
        history={"loss": [2.0, 1.0]},
        model=SimpleNamespace(count_params=lambda: 1091),
        scores=SimpleNamespace(errors={"validation": SimpleNamespace(rmse=0.25)}),
    )


def ensemble_of(rows: np.ndarray) -> Ensemble:
    """One run of the expert and one of a person, with these rows each, in the layout."""
    return Ensemble(np.stack([rows, rows])[..., :9], ("expert_1", "human_1"), world.LAYOUT, np.arange(len(rows)) / 10)


GOOD = board_of(still=8.0, expert=1.0) | {EXPERT: dict.fromkeys(AIMS, scored(1.5))}
BAD = GOOD | {EXPERT: GOOD[EXPERT] | {"robot": scored(1.7), "center": scored(2.5)}}


def test_goals_are_shares_of_the_expert_and_of_standing_still():
    goals = judging.goals_of(GOOD)
    assert [(goal.aim, goal.limit) for goal in goals] == [(a, 1.5) for a in AIMS] + [(a, 2.0) for a in AIMS]
    assert all(goal.met for goal in goals)
    missed = [(goal.aim, goal.limit) for goal in judging.goals_of(BAD) if not goal.met]
    assert missed == [("center", 1.5), ("robot", 1.5), ("center", 2.0)]
    assert judging.allowed(GOOD) == dict.fromkeys(AIMS, 1.5)


def test_peoples_pupil_must_beat_the_feed_forward_net():
    board = GOOD | {name: dict.fromkeys(AIMS, scored(4.0)) for name in (HUMAN, FORWARD)}
    goals = judging.goals_of(board)[8:]
    assert [goal.met for goal in goals] == 4 * [False] + 4 * [True]  # and half of 8 hits is 4
    assert len(judging.goals_of(GOOD)) == 8


def test_the_error_must_beat_the_best_other_and_latency_2_ms():
    errors = {HUMAN: 0.2, FORWARD: 0.3, PLAIN: 0.1, judging.HOLD: 0.25, judging.MEAN: 0.4}
    error, latency = judging.goals_of(GOOD, errors=errors, latency=2.0)[-2:]
    assert (error.value, error.limit, error.met) == (0.2, 0.25, True)
    assert not latency.met


def test_held_out_errors_are_of_the_rows_that_all_have_seen():
    """Commands rise by 0.1 a row; one network says the right ones, one with a longer window is 0.5 off."""
    truth = np.arange(12) / 10
    trained = {
        "right": training(prediction(truth[3:], truth[3:]), data="human"),
        "longer": training(prediction(truth[5:] + 0.5, truth[5:]), data="human"),
        "expert's pupil": training(prediction(truth[3:], truth[3:])),
    }
    errors = judging.held_out(trained)
    assert list(errors) == ["right", "longer", judging.HOLD, judging.MEAN, judging.STAY]
    assert judging.held_out({"expert's pupil": trained["expert's pupil"]}) == {}
    assert errors["right"] == pytest.approx(0)
    assert errors["longer"] == pytest.approx(0.5)
    assert errors[judging.HOLD] == pytest.approx(0.1)
    assert errors[judging.STAY] == pytest.approx(truth[6:].mean())
    assert errors[judging.MEAN] == pytest.approx(np.abs(truth[6:] - 0.375).mean())  # of the training rows: 0.5, 0.25


def test_bars_share_an_axis_and_the_most_hits_are_on_top():
    figure = figures.hits_by_policy(GOOD, allowed=judging.allowed(GOOD))
    assert len(figure.axes) == len(AIMS)
    for axis in figure.axes:
        bars = [patch.get_width() for patch in axis.patches if patch.get_height() == 0.5]
        assert bars == [8.0, 1.5, 1.0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["still", EXPERT, "expert"]


def test_a_policy_that_is_never_hit_can_be_drawn(tmp_path):
    never = dict.fromkeys(AIMS, Score(0.0, 0.0, 0.0, 0.0, None, 1))
    figures.hits_by_policy(board_of(still=1.0) | {"expert": never}).savefig(tmp_path / "hits.png")


def panel(axis):
    """What lies behind the losses; a report makes the axes' own background transparent."""
    (rectangle,) = axis.patches
    return rectangle


def test_a_sweep_has_a_panel_a_point_and_frames_the_recommended():
    figure = figures.sweep(ranking.points_of(list(sweep_of("expert"))))
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [f"{rows} rows, {neurons} neurons" for rows in (2, 5) for neurons in (6, 10)]
    assert [panel(axis).get_edgecolor()[3] for axis in figure.axes] == [0, 0, 0, 1]
    solid, dashed = figure.axes[3].lines[:2]
    np.testing.assert_allclose(solid.get_ydata(), [3, 2, 1])
    np.testing.assert_allclose(dashed.get_ydata(), [4, 3, 2])


def test_a_panel_of_the_sweep_says_hits_and_is_darker_for_more():
    """10 - 5 - 10 / 2, and 0.1 for half of the seeds."""
    figure = figures.sweep(ranking.points_of(list(sweep_of("human"))))
    texts = [axis.texts[0].get_text().split()[0] for axis in figure.axes]
    assert texts == ["5.05", "3.05", "2.05", "0.05"]
    shades = [sum(panel(axis).get_facecolor()[:3]) for axis in figure.axes]
    assert shades == sorted(shades)


def test_the_table_of_aims_is_read_by_rows():
    matrix = {"straight": {"straight": 0.0, "robot": 7.0}, "robot": {"straight": 0.25, "robot": 1.0}}
    axis = figures.train_play_table(matrix).axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.00", "7.00", "0.25", "1.00"]


def rolling(robot_x: float) -> np.ndarray:
    """Two balls after each other in slot 1, from y = 1 m at 3 m/s along x = 0, and a robot that stands at robot_x."""
    rows = np.zeros((8, len(world.SERIES)))
    for row in range(8):
        rows[row, 1:5] = -robot_x, 1 - 0.3 * (row % 4), 0, -3
    rows[:, world.SERIES.index("present_1")] = 1
    rows[:, world.SERIES.index("robot_x")] = robot_x
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


def test_commands_of_person_and_networks_stand_in_one_panel():
    rows = rolling(0.0)[:, :9]
    rows[:, 0] = 0.5
    above, _ = scenes.commands(rows, {"LSTM": np.full(8, 0.25)}, seconds=0.5).axes
    person, network = above.lines
    np.testing.assert_array_equal(person.get_ydata(), 5 * [0.5])
    np.testing.assert_array_equal(network.get_ydata(), 5 * [0.25])


def written(tmp_path, board=GOOD, **more) -> str:
    found = report.Findings(ensemble_of(rolling(0.0)), more.pop("trained", {}), board, **more)
    return report.write_report(tmp_path / "report.html", found).read_text()


def test_the_first_lines_say_whether_goals_are_met(tmp_path):
    for board, words in (
        (GOOD, f"✓ It dodges: {EXPERT} meets both of its goals in every aiming mode"),
        (BAD, f"✗ {EXPERT} misses a goal with balls aimed center, robot"),
    ):
        text = text_of(written(tmp_path, board))
        assert f"sim2seq: the dodging robot {words}" in text
    hits = (
        f"{EXPERT}: 1.8 hits a minute over all aiming modes. Standing still: 8. The expert, which knows the physics: 1."
    )
    assert hits in text
    assert "center 2.50 2.40 to 2.60 1 ✗ missed 8 ✗ missed" in text


def test_what_is_missing_is_left_out(tmp_path):
    html = written(tmp_path)
    assert re.findall(r'<section.* id="(\w+)"', html) == ["summary", "hits", "goals", "data"]
    assert html.count("<img ") == 1
    assert "not counted" in html


def test_the_whole_report_needs_no_other_file(tmp_path):
    film = tmp_path / "film.gif"
    film.write_bytes(b"GIF89a")
    rows, truth = rolling(0.0), np.linspace(0, 0.5, 6)
    trained = {
        name: training(prediction(truth + error, truth), data=data)
        for name, data, error in (
            (EXPERT, "expert", 0),
            (HUMAN, "human", 0.2),
            (FORWARD, "human", 0.3),
            (PLAIN, "human", 0),
        )
    }
    found = report.Findings(
        ensemble_of(rows),
        trained,
        GOOD | {name: GOOD[EXPERT] for name in (HUMAN, FORWARD, PLAIN, "<b>other</b>")},
        results=sweep_of("human", "expert", "both"),
        matrix={aim: dict.fromkeys(AIMS, 1.0) for aim in AIMS},
        latency=0.5,
        episode=rows,
        commands=(rows[:, :9], {"<b>LSTM</b>": rows[:, 0]}),
        animation=film,
    )
    completeness = {"expected": 3, "stored": 2, "missing": ["<i>run</i>"], "allowed": 0.5}
    html = report.write_report(tmp_path / "report.html", found, completeness).read_text()
    sections = ["summary", "film", "hits", "goals", "people", "heads", "sweep", "aims", "data"]
    assert re.findall(r'<section.* id="(\w+)"', html) == sections
    assert len(Page(html).loads) == 8
    assert all(address.startswith("data:") for address in Page(html).loads)
    assert not re.search(r"@import|url\(|<script|<link|<b>|<i>", html)
    assert "the best other, hold last command 0.2 (0.1) ✗ m/s" in text_of(html)
    assert "Learned from people, recommended: 5 rows, 10 neurons, 0.05 hits a minute" in text_of(html)


def test_facts_count_the_runs_of_each_group():
    rows = rolling(0.0)
    rows[:2, 0] = 0.75
    ensemble = ensemble_of(rows)
    assert report.facts(ensemble) == [
        {"group": group, "runs": 1, "minutes": pytest.approx(0.8 / 60), "moving": 0.25} for group in ("expert", "human")
    ]
