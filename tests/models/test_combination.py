"""Weights of candidates: what makes the error least, over the whole horizon or a stretch of it."""

import numpy as np
import pytest

from sim2seq.data.windows import Scaling
from sim2seq.models.candidates.candidate import Hold
from sim2seq.models.candidates.combination import (
    FOLDS,
    Combination,
    folds_of,
    least_squares,
    mixed,
    stays,
    stretches_of,
    weigh,
    weights_at,
)

LOW, HIGH = np.full(1, -5.0), np.full(1, 5.0)


def noise(seed, runs=40, steps=50) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(runs, steps, 1))


def test_two_forecasts_that_err_apart_count_by_their_variance():
    truth = noise(0)
    found = weigh({"good": truth + 0.1 * noise(1), "poor": truth + 0.2 * noise(2)}, truth, LOW, HIGH)
    assert found.weights.mean(axis=(0, 1)) == pytest.approx(
        [0.8, 0.2], abs=0.03
    )  # 1 / variance, as Bates and Granger say
    assert found.error == pytest.approx(0.1 * np.sqrt(0.8), rel=0.05)


def test_good_early_counts_early_and_good_late_counts_late():
    truth, late = noise(0), np.arange(50)[None, :, None] >= 25
    early_one, late_one = truth + np.where(late, 1.0, 0.1) * noise(1), truth + np.where(late, 0.1, 1.0) * noise(2)
    found = weigh({"early": early_one, "late": late_one}, truth, LOW, HIGH)
    assert found.rule.startswith("by stretch")
    assert found.weights[0, 0, 0] > 0.9
    assert found.weights[-1, 0, 1] > 0.9
    assert found.error < 0.25 < min(found.errors.values())


def test_a_feature_may_have_weights_of_its_own():
    truth, first = noise(0), np.array([1.0, 0.1])
    truth = np.concatenate([truth, noise(3)], axis=2)
    errors = np.concatenate([noise(1), noise(2)], axis=2), np.concatenate([noise(4), noise(5)], axis=2)
    said = {"first": truth + first * errors[0], "second": truth + first[::-1] * errors[1]}
    found = weigh(said, truth, np.full(2, -9.0), np.full(2, 9.0))
    assert "feature" in found.rule
    assert found.weights[:, 0, 1].min() > 0.9 < found.weights[:, 1, 0].min()


def test_weights_are_not_negative_and_add_up_to_one():
    for seed in range(20):
        errors = np.random.default_rng(seed).normal(size=(30, 6)) * 10.0 ** np.arange(-3, 3)
        weights = least_squares(errors.T @ errors)
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)


def test_what_leaves_the_range_or_is_no_number_is_out():
    truth = noise(0)
    far, none = truth.copy(), truth.copy()
    far[3, 7], none[5, 2] = 50.0, np.nan
    found = weigh({"far": far, "none": none, "hold": 0 * truth}, truth, LOW, HIGH)
    assert found.names == ("hold",)
    assert "1 of 40 validation runs leave the range of training, by up to 4.5 ranges" in found.out["far"]
    assert "no number" in found.out["none"]
    with pytest.raises(ValueError, match="no candidate stays within the range of training: far"):
        weigh({"far": far}, truth, LOW, HIGH)


def test_a_feature_that_never_moved_puts_nobody_out():
    """Networks answer with a millionth where nothing ever was: that is no leaving of a range."""
    truth = np.concatenate([noise(0), np.full((40, 50, 1), 3.0)], axis=2)
    near, low, high = truth + np.array([0.1, 1e-6]), np.array([-5.0, 3.0]), np.array([5.0, 3.0])
    found = weigh({"near": near, "hold": 0 * truth}, truth, low, high)
    assert not found.out
    assert found.weights[:, 0, 0].min() > 0.9
    plain = Scaling(np.zeros(2), np.ones(2))
    one = Combination({"hold": Hold(2)}, np.ones(1), np.ones((1, 1, 1)), low, high, plain)
    assert one.forecasts(np.array([[[1.0, 3.1]]]), 2)[:, 0, :, 1].tolist() == [[3, 3]] * 3


def test_what_lies_beyond_the_end_of_a_run_counts_nowhere():
    truth = noise(0)
    truth[:20, 30:] = np.nan
    known = np.where(np.isfinite(truth), truth, 4.0)
    found = weigh({"right": known, "other": known + 0.5}, truth, LOW, HIGH)
    assert found.errors == {"right": pytest.approx(0), "other": pytest.approx(0.5)}
    assert found.weights[..., 0] == pytest.approx(1)


def test_weights_change_linearly_between_middles_of_stretches():
    weights = weights_at([2, 6], np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), 8)
    assert weights[:, 0, 1].tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]


@pytest.mark.parametrize("steps", [1, 3, 10, 370])
def test_stretches_cover_the_horizon_once(steps):
    assert [step for each in stretches_of(steps) for step in range(steps)[each]] == list(range(steps))


def test_middle_and_spread_are_those_of_a_weighted_mean():
    said, everywhere = np.array([1.0, 4.0]).reshape(2, 1, 1, 1), np.ones((2, 1), dtype=bool)
    middle, spread = mixed(said, np.array([[[2 / 3, 1 / 3]]]), everywhere)
    assert (middle.item(), spread.item()) == (pytest.approx(2), pytest.approx(np.sqrt(2)))


def test_the_middle_of_a_combinations_three_is_its_forecast():
    series = Scaling(np.array([10.0]), np.array([2.0]))
    one = Combination({"hold": Hold(1)}, np.ones(1), np.ones((1, 1, 1)), LOW, HIGH, series)
    context = np.array([[[8.0], [14.0]], [[8.0], [99.0]]])
    below, middle, above = one.forecasts(context, 3)
    assert middle[..., 0].tolist() == [[14, 14, 14], [20, 20, 20]]  # 99 is beyond the range: 5 standard deviations
    assert (below == middle).all()
    assert (above == middle).all()


def test_what_runs_away_in_one_run_has_no_weight_there():
    """It stayed in range on every validation run; 10 is the upper end of training, 11.5 beyond what is believed."""
    said = np.array([[[2.0, 2], [2, 11.5]], [[6.0, 6], [6, 6]], [[8.0, 8], [8, 8]]])[..., None]
    low, high = np.zeros(1), np.full(1, 10.0)
    stay = stays(said, low, high)
    assert stay.tolist() == [[True, False], [True, True], [True, True]]
    weights = np.array([[[0.5, 0.25, 0.25]], [[1.0, 0.0, 0.0]]])
    middle, spread = mixed(said, weights, stay)
    assert middle[..., 0].tolist() == [[4.5, 2], [7, 7]]  # where all weight was its own, the others' of all steps
    assert spread[1, :, 0].tolist() == [1, 1]
    alone = mixed(said, np.tile([1.0, 0.0, 0.0], (2, 1, 1)), stay)[0]
    assert alone[..., 0].tolist() == [[2, 2], [2, 11.5]]  # nobody else has any
    series = Scaling(np.zeros(1), np.ones(1))
    one = Combination({"far": Away(), "hold": Hold(1)}, np.ones(1), np.full((1, 1, 2), 0.5), LOW, HIGH, series)
    assert one.forecasts(np.array([[[1.0]], [[2.0]]]), 3)[1, :, -1, 0].tolist() == [pytest.approx(1.4), 2]


class Away:
    """1.8 times the last value: beyond the range of training, 2.5 either way, by over a tenth of it from 1.7 on."""

    def forecast(self, context, steps, **told):
        return np.repeat(1.8 * context[:, -1:], steps, axis=1)


def test_weights_of_a_run_are_judged_without_its_group():
    """Each candidate knows one of two groups: what the weights have not seen is forecast by the other's."""
    truth, groups = noise(0), ["left"] * 20 + ["right"] * 20
    left = np.array([group == "left" for group in groups])[:, None, None]
    said = {"of left": truth + np.where(left, 0.01, 1.0), "of right": truth + np.where(left, 1.0, 0.01)}
    assert weigh(said, truth, LOW, HIGH, groups=groups).error == pytest.approx(1, abs=0.02)
    assert weigh(said, truth, LOW, HIGH).error < 0.8


def test_a_fold_holds_whole_groups_or_runs_of_a_single_one():
    groups = np.repeat([f"table {number}" for number in range(15)], 4)
    folds = folds_of(60, groups, 0)
    assert all(len(set(folds[groups == name])) == 1 for name in set(groups))
    assert len(set(folds)) == FOLDS
    for single in (None, ["one"] * 60):
        assert np.bincount(folds_of(60, single, 0)).tolist() == [6] * FOLDS
    assert folds_of(1, ["one"], 0).tolist() == [0]
