"""How policies of the dodging robot are judged: own launches, episodes counted, over-fitting, the size to take."""

import numpy as np
import pytest

from sim2seq import ranking
from sim2seq.evaluation.intervals import over_seeds
from studies.dodging_robot import judging, pgen_ensembles, scores
from studies.dodging_robot.policies import POLICIES
from studies.dodging_robot.study import STUDY, RobotSettings
from studies.dodging_robot.world import simulate


def test_learned_from_tuned_on_and_judged_by_are_other_launches():
    launches = pgen_ensembles.parameter_table(NUM_STUDIES="1000")["SEED"]
    starts = [scores.TEST_SEED, scores.NOTEBOOK_SEED, scores.VALIDATION_SEED, min(launches)]
    assert starts == sorted(starts)
    assert min(np.diff(starts)) >= 100_000  # episodes, far more than anybody plays


def test_scores_are_those_of_the_episodes():
    played = simulate(POLICIES["still"](6), range(6), "robot", duration=12.0)
    score = scores.play(POLICIES["still"], ["robot"], range(6), 12.0)["robot"]
    assert score.hits == pytest.approx(played.counts["hits"].sum() / (6 * 0.2))
    assert [score.low, score.high] == over_seeds(played.counts["hits"] / 0.2)
    assert score.low < score.hits < score.high
    assert score.distance == 0
    assert score.dodged == 0


def result(window, units, seed, hits, loss, val_loss):
    data = {
        "study": STUDY.name,
        "ranked_by": "hits",
        "hits": hits,
        "parameters": units**2,
        "results": "hits,parameters",
    }
    settings = {"data": "expert", "window": window, "units": str(units), "seed": seed}
    return ranking.Result(f"{window}_{units}_{seed}", data | settings, {"loss": loss, "val_loss": val_loss})


RESULTS = [
    result(5, 6, 0, 3.0, [1.0, 0.5], [1.0, 0.6]),
    result(5, 6, 1, 5.0, [1.0, 0.5], [1.0, 0.6]),
    result(5, 20, 0, 1.0, [1.0, 0.2], [0.55, 0.6]),
    result(5, 20, 1, 2.0, [1.0, 0.2], [0.55, 0.6]),
    result(8, 10, 0, 1.9, [1.0, 0.24], [0.6, 0.5]),
    result(8, 10, 1, 1.9, [1.0, 0.24], [0.6, 0.5]),
    result(10, 10, 0, 1.8, [1.0, 0.24], [0.6, 0.51]),
]


def size(point) -> tuple[int, str]:
    return point.settings["window"], point.settings["units"]


def test_over_and_under_fitting_go_by_their_rules():
    points = ranking.points_of(RESULTS[:6])
    assert dict(zip(map(size, points), judging.fits(points), strict=True)) == {
        (5, "6"): "under-fits",  # ends at 0.5, the best at 0.2
        (5, "20"): "over-fits",  # 0.2 is below the 0.24 of the lowest validation loss, 0.55 is 10 % above it
        (8, "10"): "",
    }


def test_recommended_is_the_smallest_within_one_standard_error():
    chosen, best = judging.recommended(RESULTS)["expert"]
    assert size(best) == (5, "20")
    assert (best.error, best.standard_error) == (1.5, 0.5)
    assert size(chosen) == (8, "10")  # 1.9 <= 1.5 + 0.5; as many weights as 10 x 10, and the shorter window


def test_the_recommended_size_holds_unless_settings_say_another():
    points = judging.recommended(RESULTS)
    found = judging.settings_of(RobotSettings(), points)
    assert list(found) == list(judging.TRAINED)
    assert found[judging.EXPERT] == RobotSettings(data="expert", window=8, units=(10,))
    assert found[judging.FORWARD] == RobotSettings(data="human", model="feed_forward")  # no sweep on people
    assert judging.settings_of(RobotSettings(units=(7,)), points)[judging.EXPERT].window == 10
    assert judging.settings_of(RobotSettings(), {})[judging.EXPERT] == RobotSettings()
