import json
import warnings
from dataclasses import asdict

import numpy as np
import pytest

from sim2seq.evaluation import conformal
from sim2seq.evaluation.conformal import Band, BandScores, calibrate, coverage, score_band, trusted_steps


def noisy_forecasts(runs, steps=40, features=2, members=3, *, seed):
    """Truth 0 and members that err by noise which grows with the step, ten times as much for half of the runs.

    The members share half of their error, so that they disagree most where they err most.
    """
    generator = np.random.default_rng(seed)
    size = np.arange(1, steps + 1)[:, None] * np.where(np.arange(runs) % 2, 10.0, 1.0)[:, None, None]
    shared = generator.normal(size=(1, runs, steps, features))
    own = generator.normal(size=(members, runs, steps, features))
    return (shared + own) * size, np.zeros((runs, steps, features))


@pytest.mark.parametrize("members", [1, 3])
def test_the_band_holds_its_level_in_every_tenth_of_unseen_runs(members):
    band = calibrate(*noisy_forecasts(200, members=members, seed=0))
    forecasts, truth = noisy_forecasts(200, members=members, seed=1)
    _, low, high = band.around(forecasts)
    np.testing.assert_allclose(coverage(low, high, truth), 0.9, atol=0.03)


def test_every_feature_has_its_level():
    """One errs by about 1 always, the other now and then by much: together, the first would make up for the second."""
    forecasts, truth = noisy_forecasts(200, members=1, seed=0)
    forecasts[..., 0] = 1 + forecasts[..., 0] / 1e6
    band = calibrate(forecasts[:, :100], truth[:100])
    _, low, high = band.around(forecasts[:, 100:])
    np.testing.assert_allclose(((low <= 0) & (high >= 0)).mean(axis=(0, 1)), 0.9, atol=0.03)


@pytest.mark.parametrize("level", [0.5, 0.8])
def test_the_level_can_be_chosen(level):
    band = calibrate(*noisy_forecasts(200, seed=0), level=level)
    forecasts, truth = noisy_forecasts(200, seed=1)
    _, low, high = band.around(forecasts)
    np.testing.assert_allclose(coverage(low, high, truth).mean(), level, atol=0.03)


def test_the_band_is_wide_where_the_members_disagree():
    """Half-width is factor x (spread + floor): two members 2 apart have the standard deviation sqrt(2)."""
    band = Band(0.9, 2, factor=np.full((4, 1), 3.0), floor=np.full((4, 1), 0.5))
    forecasts = np.zeros((2, 2, 4, 1))
    forecasts[:, 1] = np.array([-1.0, 1.0])[:, None, None]
    middle, low, high = band.around(forecasts)
    np.testing.assert_array_equal(middle, 0)
    np.testing.assert_allclose(high[0], 1.5)
    np.testing.assert_allclose(high[1], 3 * (np.sqrt(2) + 0.5))
    np.testing.assert_allclose(low, -high)


def test_a_model_without_error_has_a_band_as_wide_as_rounding():
    truth = np.arange(60.0).reshape(2, 10, 3)
    band = calibrate(truth[None], truth)
    _, low, high = band.around(truth[None])
    np.testing.assert_allclose(low, truth, rtol=0, atol=2 * conformal.ROUNDING * 60)
    np.testing.assert_allclose(high, truth, rtol=0, atol=2 * conformal.ROUNDING * 60)
    assert (coverage(low, high, truth) == 1).all()
    zero = np.zeros_like(truth)
    assert (coverage(*calibrate(zero[None], zero).around(zero[None])[1:], zero) == 1).all()


def test_what_rests_in_all_runs_is_held_however_sums_are_rounded():
    """Sums of other weights come out some units of the last place apart; a band of one unit would hold none of them."""
    truth = np.full((20, 10, 1), 5.0)
    here, there = np.nextafter(truth, 9), truth - 20 * np.spacing(5.0)
    _, low, high = calibrate(here[None], truth).around(there[None])
    assert (coverage(low, high, truth) == 1).all()
    assert (high - low).max() < 1e-11


def test_a_shorter_forecast_has_the_same_band():
    forecasts, truth = noisy_forecasts(20, seed=0)
    band = calibrate(forecasts, truth)
    for whole, short in zip(band.around(forecasts), band.around(forecasts[:, :, :7]), strict=True):
        np.testing.assert_array_equal(short, whole[:, :7])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3, 5, 41, 2), "41 steps"),
        ((2, 5, 40, 2), "got 2 members"),
        ((3, 5, 40, 1), "and 1 features"),
        ((5, 40, 2), "shape"),
    ],
)
def test_what_was_not_calibrated_is_refused(shape, words):
    band = calibrate(*noisy_forecasts(20, seed=0))
    with pytest.raises(ValueError, match=words):
        band.around(np.zeros(shape))


def test_forecasts_of_other_runs_are_refused():
    forecasts, truth = noisy_forecasts(20, seed=0)
    with pytest.raises(ValueError, match=r"\(20, 40, 2\); got shape \(3, 19, 40, 2\)"):
        calibrate(forecasts[:, 1:], truth)


def test_a_band_comes_back_from_json_bit_for_bit():
    band = calibrate(*noisy_forecasts(20, seed=0))
    read = Band.of(json.loads(json.dumps(band.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(read.factor, band.factor)
    np.testing.assert_array_equal(read.floor, band.floor)
    assert (read.level, read.members, read.steps) == (0.9, 3, 40)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_forecast_that_diverges_has_an_infinite_band(lost):
    """In all runs after step 30, which the floor sees two steps earlier, and the trust two steps before that."""
    forecasts, truth = noisy_forecasts(20, seed=0)
    forecasts[:, :, 30:] = lost
    band = Band.of(json.loads(json.dumps(calibrate(forecasts, truth).to_dict(), allow_nan=False)))
    _, _, high = band.around(forecasts)
    assert np.isfinite(high[:, :28]).all()
    assert np.isinf(band.floor[30:]).all()
    scores = score_band(
        band, forecasts, truth, training=np.random.default_rng(0).normal(size=truth.shape) * 1e6,
        baseline=np.full(40, 1e6), features=("a", "b"),
    )  # fmt: skip
    json.dumps(asdict(scores), allow_nan=False)
    assert scores.trusted_steps == 26
    assert scores.reason == "width"


def test_coverage_is_counted_by_tenth():
    truth = np.zeros((2, 20, 1))
    truth[0, :2] = 5
    shares = coverage(truth - 1 - truth, truth - truth + 1, truth)
    np.testing.assert_array_equal(shares, [0.5] + 9 * [1.0])
    assert len(coverage(truth[:, :3], truth[:, :3], truth[:, :3])) == 3


# 90 % of these runs lie between -1 and 1, at each of 100 steps
TRAINING = np.repeat(np.linspace(-1, 1, 101)[:, None, None] / 0.9, 100, axis=1)
STEP = (np.arange(100.0) + 0.25) / 100


@pytest.mark.parametrize(
    ("width", "error", "expected"),
    [
        (STEP / 10, STEP / 10, (100, None)),
        (STEP, STEP / 10, (50, "width")),  # reaches half of 1 after step 50
        (STEP / 10, STEP, (80, "baseline")),  # reaches 0.8 after step 80
        (1 + STEP, STEP, (0, "width")),
        (STEP * np.nan, STEP, (0, "width")),
    ],
)
def test_a_forecast_is_trusted_while_it_beats_the_training_runs(width, error, expected):
    assert trusted_steps(width[:, None], error, TRAINING, np.full(100, 0.8), 0.9) == expected


def test_one_step_at_which_runs_meet_does_not_end_the_trust():
    meeting = TRAINING.copy()
    meeting[:, 40] = 0
    assert trusted_steps(STEP[:, None] / 10, STEP / 10, meeting, np.full(100, 0.8), 0.9) == (100, None)


def test_every_feature_must_be_trusted_but_those_that_stay_equal():
    widths, training = np.stack([STEP / 10, STEP], axis=1), np.repeat(TRAINING, 2, axis=2)
    assert trusted_steps(widths, STEP / 10, training, np.full(100, 0.8), 0.9) == (50, "width")
    training[:, :, 1] = 7.0
    assert trusted_steps(widths, STEP / 10, training, np.full(100, 0.8), 0.9) == (100, None)


def test_scores_of_the_band_are_plain_and_of_calibrated_steps():
    """One member, off by 1 everywhere, with a band of half-width 2: all points are in it."""
    truth, band = np.zeros((4, 30, 2)), Band(0.9, 1, factor=np.ones((20, 2)), floor=np.full((20, 2), 2.0))
    training = np.random.default_rng(0).normal(size=(50, 30, 2)) * 10
    known = {"training": training, "baseline": np.full(30, 3.0), "features": ("x", "y")}
    scores = BandScores(**json.loads(json.dumps(asdict(score_band(band, truth[None] + 1, truth, **known)))))
    assert scores.steps == 20
    assert scores.coverage == 1
    assert scores.coverage_by_tenth == 10 * [1.0]
    assert scores.coverage_by_feature == {"x": 1.0, "y": 1.0}
    assert scores.half_width == {"x": 20 * [2.0], "y": 20 * [2.0]}
    assert scores.error == {"x": 20 * [1.0], "y": 20 * [1.0]}
    assert (scores.trusted_steps, scores.reason) == (20, None)


def test_the_tenth_around_a_step_is_cut_at_the_ends():
    assert conformal.near(0, 100) == slice(0, 6)
    assert conformal.near(50, 100) == slice(45, 56)
    assert conformal.near(3, 5) == slice(3, 4)


def test_what_lies_beyond_the_end_of_a_run_calibrates_nothing():
    """Runs of two lengths: the band is that of the steps which are there, and ends where the longest run does."""
    forecasts, truth = noisy_forecasts(40, members=1, seed=0)
    short = truth.copy()
    short[::2, 20:] = np.nan
    short[:, 30:] = np.nan
    forecasts[:, ::2, 20:] = 1e9
    band = calibrate(forecasts, short)
    assert band.steps == 30
    _, low, high = band.around(forecasts[:, 1::2, :30])
    assert np.nanmax(high - low) < 1e4
    np.testing.assert_allclose(coverage(low, high, short[1::2, :30]), 0.9, atol=0.12)


def test_runs_of_a_group_count_as_one_of_as_many_as_there_are():
    """Ten groups, level 0.9: the quantile at 0.9 (1 + 1 / 10) of all that is calibrated on."""
    forecasts, truth = noisy_forecasts(1000, steps=10, features=1, members=1, seed=0)
    band = calibrate(forecasts, truth, groups=[f"table {run // 100}" for run in range(1000)])
    _, low, high = band.around(forecasts)
    np.testing.assert_allclose(coverage(low, high, truth), 0.99, atol=0.0011)


def test_quantiles_end_with_the_longest_run_and_warn_of_nothing():
    values = np.arange(24.0).reshape(3, 8, 1)
    values[0, 3:], values[:, 6:] = np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = conformal.quantiles(values, [0.5])[0, :, 0]
    assert found.tolist()[:6] == [8, 9, 10, 15, 16, 17]
    assert np.isnan(found[6:]).all()
