"""Analogues continue a window as similar ones went on."""

import numpy as np
import pytest

from sim2seq.models.candidates import analogues
from sim2seq.models.candidates.candidate import NotForThese, Runs

NOISE = 0.1


def waves(runs: int, steps: int = 120, *, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """One oscillation begun anywhere, in two features: (runs, steps, 2)."""
    draw = np.random.default_rng(seed)
    turns = 2 * np.pi / 40 * (np.arange(steps) + draw.integers(0, 40, (runs, 1)))
    return np.stack([np.sin(turns), np.cos(turns)], axis=2) + noise * draw.normal(size=(runs, steps, 2))


def test_what_came_before_is_continued_as_it_went_on():
    fitted = analogues.fit(Runs(waves(20), 10), Runs(waves(5, seed=1), 10))
    truth = waves(4, 400, seed=2)
    assert fitted.forecast(truth[:, :10], 390) == pytest.approx(truth[:, 10:], abs=1e-9)


def test_the_mean_of_many_windows_has_less_than_their_noise():
    runs = (Runs(waves(count, noise=NOISE, seed=count), 10) for count in (40, 10))
    fitted = analogues.fit(*runs)
    seen, truth = waves(4, noise=NOISE, seed=2), waves(4, noise=0, seed=2)
    assert fitted.neighbours > 1
    assert np.sqrt(np.mean((fitted.forecast(seen[:, :10], 110) - truth[:, 10:]) ** 2)) < NOISE


def test_the_noisier_a_feature_the_less_it_counts(monkeypatch):
    """The noise of the second hides where it stands; that of the first is told to a few percent."""
    spoilt = np.array([0.02, 0.5])
    draw = np.random.default_rng(3)
    monkeypatch.setattr(analogues, "AHEAD", (60,))
    monkeypatch.setattr(analogues, "COMPARED", (10,))
    many, few = (Runs(each + spoilt * draw.normal(size=each.shape), 10) for each in (waves(40), waves(10, seed=1)))
    assert analogues.noise_of(many.values) == pytest.approx(spoilt, rel=0.1)
    fitted = analogues.fit(many, few)
    assert fitted.scale is not None
    assert fitted.scale[0] > 5 * fitted.scale[1]
    assert analogues.scales_of(waves(3, 3)) == [None]  # too short to tell


def test_conditions_of_a_run_count():
    """The windows are alike, what follows is told by the condition alone."""
    told = np.repeat([[-1.0], [1.0]], 10, axis=0)
    values = np.concatenate([np.zeros((20, 5, 1)), np.repeat(told[:, None], 15, axis=1)], axis=1)
    fitted = analogues.fit(Runs(values, 5, told), Runs(values[::5], 5, told[::5]))
    assert fitted.forecast(np.zeros((2, 5, 1)), 15, conditions=np.array([[1.0], [-1.0]]))[:, -1, 0].tolist() == [1, -1]


def test_nothing_is_taken_from_beyond_the_end_of_a_run():
    values = waves(20)
    values[::2, 60:] = np.nan
    fitted = analogues.fit(Runs(values, 10), Runs(waves(5, seed=1), 10))
    assert np.isfinite(fitted.forecast(waves(4, seed=2)[:, :10], 200)).all()


@pytest.mark.parametrize("runs", [Runs(waves(4), 0), Runs(waves(4), 5, controls=waves(4)), Runs(waves(4, 10), 10)])
def test_runs_of_another_kind_are_left_to_others(runs):
    with pytest.raises(NotForThese, match="analogues need"):
        analogues.fit(runs, runs)
