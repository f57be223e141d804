import json

import keras
import numpy as np
import pytest
from helpers import counting_ensemble, counting_model

from sim2seq.data.windows import Part, split_by_run, split_in_time
from sim2seq.evaluation.scores import errors, rmse, score, skill


def test_rmse_of_an_error_of_three_everywhere_is_three():
    assert rmse(np.full((2, 4, 3), 5.0), np.full((2, 4, 3), 2.0)) == 3.0


def test_errors_are_told_apart_by_feature_and_by_horizon():
    truth = np.zeros((2, 12, 2))
    forecast = truth.copy()
    forecast[..., 1] = np.arange(1, 13)  # feature b is wrong by the number of steps ahead
    result = errors(forecast, truth, ("a", "b"))
    assert result["by_feature"] == {"a": 0.0, "b": pytest.approx(np.sqrt(650 / 12))}
    assert result["by_horizon"] == pytest.approx(np.arange(1, 13) / np.sqrt(2))
    assert result["first"] == {"1": pytest.approx(np.sqrt(1 / 2)), "10": pytest.approx(np.sqrt(385 / 20))}


def test_forecast_and_truth_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        rmse(np.zeros((2, 3)), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("error", "baseline", "expected"), [(0, 2, 1), (2, 2, 0), (4, 2, -1), (0, 0, 0), (1, 0, -np.inf)]
)
def test_skill_is_one_minus_the_ratio_to_the_baseline(error, baseline, expected):
    assert skill(error, baseline) == expected


@pytest.mark.parametrize("split", [split_by_run, split_in_time])
def test_a_perfect_model_has_no_error_in_closed_loop_and_one_step(split):
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, _ = score([counting_model(window=5)], ensemble, split(ensemble), 5)
    assert [scores["closed_loop"][part]["rmse"] for part in ("train", "validation", "test")] == [0, 0, 0]
    assert scores["one_step"]["test"]["rmse"] == 0
    assert scores["baselines"]["one_step"]["hold"]["rmse"] == 1
    assert scores["baselines"]["one_step"]["constant velocity"]["rmse"] == 0
    assert scores["best_baseline"] == "constant velocity"
    assert json.loads(json.dumps(scores)) == scores


def test_a_model_that_holds_has_the_error_of_the_baseline_hold():
    contexts = keras.Input((5, 2))
    model = keras.Model(contexts, keras.layers.Cropping1D((4, 0))(contexts)[:, 0])
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, _ = score([model], ensemble, split_by_run(ensemble), 5)
    assert scores["closed_loop"]["test"]["rmse"] == pytest.approx(scores["baselines"]["closed_loop"]["hold"]["rmse"])
    assert scores["skill"] < 0


def test_members_are_judged_by_their_median():
    """Members count by 0.5, 1 and 3 a step: two are wrong, their median is not."""
    contexts = keras.Input((5, 2))
    last = keras.layers.Cropping1D((4, 0))(contexts)[:, 0]
    ensemble = counting_ensemble(runs=10, steps=50)
    scores, band = score(
        [keras.Model(contexts, last + pace) for pace in (0.5, 1.0, 3.0)], ensemble, split_by_run(ensemble), 5
    )
    assert scores["closed_loop"]["test"]["rmse"] == pytest.approx(0, abs=1e-9)
    assert (scores["members"], band.members) == (3, 3)


def test_runs_that_are_held_out_are_scored_apart_beside_the_same_baselines():
    ensemble = counting_ensemble(runs=12, steps=50)
    split = split_by_run(ensemble.take(range(10)))
    held_out = Part(ensemble.run_ids[10:], 0, 50)
    contexts, given = keras.Input((5, 2)), keras.Input((1,))
    model = keras.Model([contexts, given], keras.layers.Cropping1D((4, 0))(contexts)[:, 0] + 1.0 + 0.0 * given)
    scores, _ = score([model], ensemble, split, 5, inputs=("start",), held_out=held_out)
    apart = scores["held_out"]
    assert (apart["runs"], apart["rmse_by_run"]) == (2, [0.0, 0.0])
    assert apart["closed_loop"]["model"]["rmse"] == 0
    assert apart["closed_loop"]["extra trees"]["rmse"] > 50  # trees do not extrapolate
    assert apart["inputs"] == {"start": [1000.0, 1100.0]}
    assert scores["inputs"]["start"][1] <= 900
    assert len(scores["test_rmse_by_run"]) == scores["runs"]["test"] == len(scores["test_inputs"]["start"])
    assert json.loads(json.dumps(scores)) == scores
