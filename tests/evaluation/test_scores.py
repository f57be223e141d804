import json

import keras
import numpy as np
import pytest
from helpers import counting_ensemble, counting_model

from sim2seq.data.splits import Part, split_by_run, split_in_time
from sim2seq.evaluation.intervals import over_runs, over_seeds
from sim2seq.evaluation.measures import rmse, scale_of
from sim2seq.evaluation.scores import Scores, errors_of, judge, skill, skill_interval
from sim2seq.training.evaluate import evaluate, kept_baselines
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST, Study

WINDOW = Settings(model="stacked_lstm", window=5)


def score(models, ensemble, split, settings=WINDOW, **options):
    scores, band, _ = evaluate(FORECAST, models, ensemble, split, settings, **options)
    assert Scores.of(json.loads(json.dumps(scores.to_json()))) == scores
    return scores, band


def holding(pace=0.0):
    """A model that adds `pace` at each step."""
    contexts = keras.Input((5, 2))
    return keras.Model(contexts, keras.layers.Cropping1D((4, 0))(contexts)[:, 0] + pace)


def test_rmse_of_an_error_of_three_everywhere_is_three():
    assert rmse(np.full((2, 4, 3), 5.0), np.full((2, 4, 3), 2.0)) == 3.0


def test_what_lies_beyond_the_end_of_a_run_does_not_count():
    truth = np.zeros((2, 4, 1))
    truth[1, 2:] = np.nan
    prediction = np.ones((2, 4, 1))
    prediction[1, 2:] = 1e9
    assert rmse(prediction, truth) == 1.0
    assert rmse(prediction, truth, axis=(0, 2)).tolist() == [1.0] * 4
    assert np.isnan(rmse(np.full((2, 4, 1), np.nan), truth))  # what is not finite is no perfect prediction


def test_errors_are_told_apart_by_feature_and_by_position():
    truth = np.zeros((2, 12, 2))
    forecast = truth.copy()
    forecast[..., 1] = np.arange(1, 13)  # feature b is wrong by the number of steps ahead
    result = errors_of(forecast, truth, ("a", "b"))
    assert result.by_feature == {"a": 0.0, "b": pytest.approx(np.sqrt(650 / 12))}
    assert result.by_position == pytest.approx(np.arange(1, 13) / np.sqrt(2))
    assert result.first == {"1": pytest.approx(np.sqrt(1 / 2)), "10": pytest.approx(np.sqrt(385 / 20))}


def test_features_of_several_units_count_alike():
    """Metres within 1 and pascals within 1e6: what a baseline wins of the pascals is not all there is."""
    truth = np.stack([np.sin(np.arange(60) + run)[:, None] * [1.0, 1e6] for run in range(8)])
    parts = dict.fromkeys(("train", "validation", "test"), truth)
    model, naive = truth + np.array([0.0, 2e5]), truth + np.array([1.0, 1e5])
    predicted = {part: model[None] for part in parts}

    def judged(units):
        scale = scale_of(units, truth, "RMSE")
        return judge(predicted, parts, {"hold": naive}, ("x", "pressure"), scale=scale)

    assert judged(("Pa", "Pa")).skill == pytest.approx(-1, abs=1e-3)
    for units in (("m", "Pa"), ("", "")):
        found = judged(units)
        low, high = found.skill_interval
        assert 0.7 < low <= found.skill <= high
        assert found.errors["test"].by_feature == {"x": 0, "pressure": pytest.approx(2e5)}
        assert found.errors["test"].rmse == pytest.approx(0.2, rel=0.02)


def test_a_feature_that_never_moves_has_no_part_in_the_error():
    truth = np.stack([np.arange(5.0), np.full(5, 3.0)], axis=1)[None]
    scale = scale_of(("m", "s"), truth, "RMSE")
    assert scale[1] == 0
    assert errors_of(truth + np.array([0, 1]), truth, ("x", "still"), scale=scale).rmse == 0
    assert scale_of(("m", "s"), np.ones((2, 3, 2)), "RMSE") is None


def test_forecast_and_truth_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        rmse(np.zeros((2, 3)), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("error", "baseline", "expected"), [(0, 2, 1), (2, 2, 0), (4, 2, -1), (0, 0, 0), (1, 0, -np.inf)]
)
def test_skill_is_one_minus_the_ratio_to_the_baseline(error, baseline, expected):
    assert skill(error, baseline) == expected


def test_the_interval_of_a_mean_narrows_by_the_root_of_the_runs():
    values = np.random.default_rng(0).normal(size=400)
    few, many = (over_runs(np.mean, values[:count]) for count in (25, 400))
    assert few[1] - few[0] == pytest.approx(2 * 1.96 / 5, rel=0.3)
    assert many[1] - many[0] == pytest.approx(2 * 1.96 / 20, rel=0.3)
    assert over_runs(np.mean, values[:1]) == [values[0]] * 2


def test_the_interval_over_seeds_is_students():
    assert over_seeds([1.0, 2.0, 3.0]) == pytest.approx([2 - 4.3027 / np.sqrt(3), 2 + 4.3027 / np.sqrt(3)], rel=1e-4)
    assert over_seeds([2.0, 2.0]) == [2.0, 2.0]


def test_runs_with_equal_errors_give_a_skill_without_width():
    truth = np.zeros((6, 3, 1))
    assert skill_interval(truth + 1, truth + 4, truth) == [0.75, 0.75]


def test_the_interval_of_a_skill_is_over_groups_that_stand_apart():
    """Ten copies of each run, in a group, say no more than the run."""
    truth = np.zeros((8, 5, 1))
    model, naive = np.random.default_rng(0).normal(size=(2, 8, 5, 1)) * np.array([1, 3])[:, None, None, None]
    alone = skill_interval(model, naive, truth)
    copies = [np.repeat(each, 10, axis=0) for each in (model, naive, truth)]
    groups = np.repeat([f"table {run}" for run in range(8)], 10)
    assert skill_interval(*copies, groups=groups) == pytest.approx(alone)
    of_runs = skill_interval(*copies)
    assert of_runs[1] - of_runs[0] < 0.5 * (alone[1] - alone[0])


@pytest.mark.parametrize("split", [split_by_run, split_in_time])
def test_a_perfect_model_has_no_error(split):
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, _ = score([counting_model(window=5)], ensemble, split(ensemble))
    assert [scores.errors[part].rmse for part in ("train", "validation", "test")] == [0, 0, 0]
    assert scores.one_step["test"].rmse == 0
    assert scores.one_step_baselines["hold"].rmse == 1
    assert scores.one_step_baselines["constant velocity"].rmse == 0
    assert scores.best_baseline == "constant velocity"


def test_a_model_that_holds_has_the_error_of_the_baseline_hold():
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, _ = score([holding()], ensemble, split_by_run(ensemble))
    assert scores.errors["test"].rmse == pytest.approx(scores.baselines["hold"].rmse)
    assert scores.skill < 0


def test_members_are_judged_by_their_median():
    """Members count by 0.5, 1 and 3 a step: two are wrong, their median is not."""
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, band = score([holding(pace) for pace in (0.5, 1.0, 3.0)], ensemble, split_by_run(ensemble))
    assert scores.errors["test"].rmse == pytest.approx(0, abs=1e-9)
    assert (scores.members, band.members) == (3, 3)


def test_held_out_runs_are_scored_apart_with_the_same_baselines():
    ensemble = counting_ensemble(runs=12, steps=50)
    split = split_by_run(ensemble.take(range(10)))
    contexts, told = keras.Input((5, 2)), keras.Input((1,), name="inputs")
    model = keras.Model([contexts, told], keras.layers.Cropping1D((4, 0))(contexts)[:, 0] + 1.0 + 0.0 * told)
    settings = Settings(model="stacked_lstm", window=5, inputs=("start",))
    scores, _ = score([model], ensemble, split, settings, held_out=Part(ensemble.run_ids[10:], 0, 50))
    apart = scores.held_out
    assert (apart.runs, apart.rmse_by_run) == (2, [0.0, 0.0])
    assert apart.errors["model"].rmse == 0
    assert apart.errors["extra trees"].rmse > 50  # trees do not extrapolate
    assert apart.inputs == {"start": [1000.0, 1100.0]}
    assert scores.inputs["start"][1] <= 900
    assert len(apart.test_rmse_by_run) == scores.runs["test"] == len(apart.test_inputs["start"])


def test_the_skill_is_within_its_interval_for_runs_of_any_length():
    """A long run counts for more than a short one, in both."""
    drawn, lengths = np.random.default_rng(0), np.repeat([20, 400], 15)
    truth = np.where(np.arange(400) < lengths[:, None], 0.0, np.nan)[..., None]
    sizes = [np.where(lengths > 100, size, 1.0)[:, None, None] for size in (3, 2)]
    model, naive = (drawn.normal(size=truth.shape) * size for size in sizes)
    low, high = skill_interval(model, naive, truth)
    assert low < skill(rmse(model, truth), rmse(naive, truth)) < high


def test_kept_baselines_are_asked_once_for_the_same_runs():
    asked, naive = [], kept_baselines()

    def zero(training, context, steps, told):
        asked.append(len(context))
        return np.zeros((len(context), steps, context.shape[2]))

    study = Study("counted", baselines={"zero": zero})
    for runs in (4, 4, 5, 4):  # the last answer alone is kept
        ensemble = counting_ensemble(runs=runs, steps=20)
        found = naive(study, {"train": ensemble, "test": ensemble}, WINDOW)
        assert found["zero"].shape[0] == runs
    assert asked == [4, 5, 4]
