import numpy as np
import pytest
from helpers import counting_ensemble

from sim2seq.evaluation.baselines import (
    BASELINES,
    FROM_INPUTS,
    TARGET_BASELINES,
    Told,
    counted,
    held_to_the_end,
    last_state,
)
from sim2seq.evaluation.measures import rmse, spread

# rollout RMSE of 13 test runs after 38 training runs, by order, as published with the data
PUBLISHED = {"hold": 21.0, "mean trajectory": 2.00, "nearest run": 0.85, "ridge": 0.92, "extra trees": 0.42}


def forecast_of(name, values, context, steps, given=None, asked=None, **options):
    """A forecast of a baseline that has learned from `values`, told `given` of them and `asked` of the others."""
    return BASELINES[name](Told(given, values), context, steps, Told(asked), **options)


@pytest.mark.parametrize("name", PUBLISHED)
def test_baseline_scores_as_published(name, bouncing):
    training, test = bouncing.values[:38], bouncing.values[51:]
    forecast = forecast_of(name, training, test[:, :30], 370)
    assert rmse(forecast, test[:, 30:]) == pytest.approx(PUBLISHED[name], rel=0.02)


def test_constant_velocity_is_exact_where_every_step_adds_one():
    values = counting_ensemble(runs=3, steps=20).values
    forecast = forecast_of("constant velocity", values, values[:, :5], 15)
    np.testing.assert_allclose(forecast, values[:, 5:])


def test_hold_is_wrong_by_the_number_of_steps_ahead():
    values = counting_ensemble(runs=3, steps=20).values
    error = values[:, 5:] - forecast_of("hold", values, values[:, :5], 15)
    np.testing.assert_array_equal(error, np.broadcast_to(np.arange(1, 16)[None, :, None], (3, 15, 2)))


@pytest.mark.parametrize("name", ["nearest run", "ridge", "extra trees"])
def test_a_baseline_that_learns_knows_a_run_it_was_shown(name):
    values = counting_ensemble(runs=6, steps=20).values
    forecast = forecast_of(name, values, values[2:3, :5], 15)
    np.testing.assert_allclose(forecast, values[2:3, 5:], rtol=1e-3, atol=0.1)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_forecasts_runs_steps_features(name):
    values = counting_ensemble(runs=4, steps=20).values
    assert forecast_of(name, values, values[:2, :5], 7).shape == (2, 7, 2)


def test_last_state_is_position_and_ten_step_velocity():
    windows = counting_ensemble(runs=2, steps=30).values
    np.testing.assert_allclose(last_state(windows), np.concatenate([windows[:, -1], np.ones((2, 2))], axis=1))
    np.testing.assert_allclose(last_state(windows[:, :4])[:, 2:], 1)


def test_short_training_runs_and_wrong_features_are_refused():
    values = counting_ensemble(runs=3, steps=20).values
    with pytest.raises(ValueError, match="training runs of 21 steps"):
        forecast_of("ridge", values, values[:, :5], 16)
    with pytest.raises(ValueError, match="2 features"):
        forecast_of("ridge", values, values[:, :5, :1], 15)
    with pytest.raises(ValueError, match="at least 2 steps"):
        forecast_of("constant velocity", values, values[:, :1], 15)


def test_trees_grown_one_by_one_are_scikit_learns_forest():
    from sklearn.ensemble import ExtraTreesRegressor

    from sim2seq.evaluation.baselines import flat, last_state

    values = np.random.default_rng(0).normal(size=(12, 20, 2)).cumsum(axis=1)
    forest = ExtraTreesRegressor(n_estimators=7, random_state=3).fit(last_state(values[:, :5]), flat(values[:, 5:]))
    expected = forest.predict(last_state(values[:4, :5])).reshape(4, 15, 2)
    np.testing.assert_allclose(forecast_of("extra trees", values, values[:4, :5], 15, trees=7, seed=3), expected)


def test_ridge_of_many_outputs_is_that_of_scikit_learn():
    """At 1000 features its coefficients, one for each output and number of the window, would take 80 GB."""
    from sklearn.linear_model import Ridge

    values = np.random.default_rng(0).normal(size=(12, 20, 40)).cumsum(axis=1)
    values /= np.sqrt(np.square(spread(values)).mean())  # so that its penalty means the same
    ridge = Ridge(alpha=1e-3).fit(values[:, :5].reshape(12, -1), values[:, 5:].reshape(12, -1))
    expected = ridge.predict(values[:4, :5].reshape(4, -1) + 1).reshape(4, 15, 40)
    np.testing.assert_allclose(forecast_of("ridge", values, values[:4, :5] + 1, 15), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["mean trajectory", "ridge"])
def test_baselines_of_float32_are_those_of_float64(name):
    """A pressure of 101325 +- 1 Pa: the mean of 1000 runs, added up in float32, is half a pascal off."""
    values = (101325 + np.random.default_rng(0).normal(size=(1000, 6, 1))).astype("float32")
    exact = values.astype(float)
    found, expected = (forecast_of(name, each, each[:4, :3], 3) for each in (values, exact))
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["ridge", "extra trees"])
def test_a_baseline_that_is_told_an_input_of_the_run_uses_it(name):
    """What follows is the input, which the window does not show."""
    pace = np.linspace(1, 2, 40)
    values = np.concatenate([np.zeros((40, 5)), np.repeat(pace[:, None], 6, axis=1)], axis=1)[..., None]
    told = forecast_of(name, values, values[::9, :5], 6, pace[:, None], pace[::9, None])
    np.testing.assert_allclose(told, values[::9, 5:], atol=0.02)
    assert np.ptp(forecast_of(name, values, values[::9, :5], 6)) < 1e-6


def test_a_run_that_ended_is_held_at_its_last_value():
    values = np.array([[[1.0], [2.0], [np.nan]], [[3.0], [4.0], [5.0]]])
    np.testing.assert_array_equal(held_to_the_end(values)[..., 0], [[1, 2, 2], [3, 4, 5]])


@pytest.mark.parametrize("name", TARGET_BASELINES)
def test_a_baseline_of_targets_answers_for_each_sample(name):
    known = np.arange(40.0).reshape(20, 2)
    wanted = known.sum(axis=1, keepdims=True)
    answers = TARGET_BASELINES[name](known, wanted, known[3:5])
    expected = wanted.mean() if name == "mean" else wanted[3:5]
    np.testing.assert_allclose(answers, np.broadcast_to(expected, (2, 1)), atol=0.02)


def test_controls_do_not_hide_an_input_from_a_gaussian_process():
    """One input that says all of a run, and 60 steps of a control that says nothing."""
    rng, times = np.random.default_rng(0), np.arange(60) / 10
    inputs, control = rng.uniform(0.5, 1.5, (60, 1)), rng.normal(size=(60, 60))
    values, numbers = np.sin(inputs * times)[..., None], np.concatenate([inputs, control], axis=1)
    learned = Told(numbers[:40], values[:40], inputs=1)
    forecast = FROM_INPUTS["gaussian process"]
    found = forecast(learned, values[40:, :0], 60, Told(numbers[40:], inputs=1))
    alone = forecast(Told(inputs[:40], values[:40]), values[40:, :0], 60, Told(inputs[40:]))
    assert rmse(alone, values[40:]) < 0.01
    assert rmse(found, values[40:]) < 0.01


def big_and_small(runs: int, seed: int) -> np.ndarray:
    """Pressures of 1e5 that say nothing of what follows, beside a wave of metres that tells its course."""
    rng, phase = np.random.default_rng(seed), np.random.default_rng(seed + 1).uniform(0, 6, (runs, 1))
    wave = np.sin(0.3 * np.arange(40) + phase)
    return np.stack([1e5 + 1e3 * rng.standard_normal((runs, 40)), wave, np.full((runs, 40), 3e4)], axis=2)


@pytest.mark.parametrize(("name", "most"), [("nearest run", 0.45), ("extra trees", 0.1)])
def test_a_feature_of_large_numbers_does_not_drown_the_others(name, most):
    training, test = big_and_small(60, 0), big_and_small(20, 2)
    told = Told(None, training, scale=spread(training))
    found = BASELINES[name](told, test[:, :3], 37, Told())
    assert rmse(found[..., 1], test[:, 3:, 1]) < most
    raw = forecast_of(name, training, test[:, :3], 37)  # as it is where features have one unit
    assert rmse(raw[..., 1], test[:, 3:, 1]) > 1.5 * most


@pytest.mark.parametrize("name", ["nearest run", "ridge", "extra trees"])
def test_a_baseline_forecasts_the_same_in_any_unit(name):
    units = 2.0 ** np.array([17, -20, 0])  # powers of two leave rounding as it is, which decides between equal splits
    waves, others = np.split(np.random.default_rng(0).standard_normal((69, 40, 3)).cumsum(axis=1), [60])
    given, asked = waves[:, 3, 1:2], others[:, 3, 1:2]

    def said(unit, of_input):
        told = Told(given * of_input, waves * unit, scale=spread(waves * unit))
        return BASELINES[name](told, others[:, :3] * unit, 37, Told(asked * of_input)) / unit

    np.testing.assert_allclose(said(units, 2.0**-30), said(1.0, 1.0), rtol=1e-9)


@pytest.mark.parametrize("name", ["nearest run", "ridge", "extra trees"])
def test_features_that_never_change_leave_a_baseline_its_answer(name):
    values = np.full((6, 20, 2), 7.0)
    for scale in (None, np.zeros(2)):
        found = BASELINES[name](Told(None, values, scale=scale), values[:2, :5] + 1, 15, Told())
        np.testing.assert_allclose(found, 7.0)


def test_trees_of_targets_count_each_as_the_score_does():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (300, 2))
    targets = np.stack([1e5 * rng.standard_normal(300), np.sign(inputs[:, 0])], axis=1)
    asked = rng.uniform(-1, 1, (100, 2))
    raw, alike = (counted(TARGET_BASELINES["extra trees"], scale) for scale in (None, targets.std(axis=0)))
    errors = [rmse(each(inputs, targets, asked)[:, 1], np.sign(asked[:, 0])) for each in (raw, alike)]
    assert errors[1] < 0.6 * errors[0]
