"""Lookups: candidates that are baselines, to the last digits."""

import numpy as np
import pytest

from sim2seq.evaluation import baselines
from sim2seq.evaluation.baselines import Told
from sim2seq.models.candidates import lookups
from sim2seq.models.candidates.candidate import Runs, fit_hold


def waves(runs, seed, *, window=6) -> Runs:
    """Waves whose frequency is told; some end before the others; pushed by a control that does nothing."""
    rng = np.random.default_rng(seed)
    pace, start = rng.uniform(0.2, 0.6, (runs, 1)), rng.uniform(0, 6, (runs, 1))
    phase = pace * np.arange(30) + start
    values = np.stack([np.sin(phase), np.cos(phase)], axis=2)
    values[::5, 25:] = np.nan
    return Runs(values, window, pace, rng.normal(size=(runs, 30, 1)))


def both(name: str, training: Runs, other: Runs) -> list[np.ndarray]:
    """A candidate's forecast, and the baseline's."""
    told = [np.concatenate([runs.conditions, runs.controls.reshape(len(runs.values), -1)], axis=1)
            for runs in (training, other)]  # fmt: skip
    table = {"hold": fit_hold, "mean trajectory": lookups.fit_mean, "nearest run": lookups.fit_nearest,
             "ridge": lookups.fit_ridge, "extra trees": lookups.fit_trees}  # fmt: skip
    options = {"trees": 20} if name == "extra trees" else {}
    fitted = table[name](training, other, seed=0)
    ours = fitted.forecast(other.context, 24, conditions=other.conditions, controls=other.controls)
    function = getattr(baselines, name.replace(" ", "_"))
    return [ours, function(Told(told[0], training.values), other.context, 24, Told(told[1]), **options)]


@pytest.mark.parametrize("name", ["hold", "mean trajectory", "ridge", "extra trees"])  # the nearest run sees more
def test_a_lookup_forecasts_what_the_baseline_does(name, monkeypatch):
    monkeypatch.setattr(lookups, "TREES", 20)
    monkeypatch.setattr(lookups, "ALPHAS", (1e-3,))
    alike = lambda futures, **told: (None, baselines.flat(futures), None)  # noqa: E731
    monkeypatch.setattr(lookups, "principal", alike)  # rounding decides between splits that are as good
    ours, theirs = both(name, waves(60, 0), waves(7, 1))  # of fewer runs trees learn along other axes
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_nearest_run_is_the_run_itself():
    training = waves(20, 0)
    found = lookups.fit_nearest(training, training)
    said = found.forecast(training.context, 24, conditions=training.conditions, controls=training.controls)
    np.testing.assert_array_equal(said, lookups.held_to_the_end(training.values)[:, 6:])


def test_a_shorter_forecast_is_the_beginning_of_a_longer_one():
    training, other = waves(20, 0), waves(3, 1)
    for learn in (lookups.fit_mean, lookups.fit_nearest, lookups.fit_ridge):
        one, told = learn(training, other), {"conditions": other.conditions, "controls": other.controls}
        short, long = (one.forecast(other.context, steps, **told) for steps in (9, 24))
        np.testing.assert_allclose(short, long[:, :9], rtol=1e-12, atol=1e-12)


def test_without_a_window_lookups_go_by_what_is_told_of_a_run():
    training = waves(40, 0, window=0)
    assert lookups.error_of(lookups.fit_nearest(training, training), training) == 0
    assert lookups.error_of(lookups.fit_ridge(training, training), training) < 0.5
    with pytest.raises(ValueError, match="hold needs a window"):
        fit_hold(training, training)


def test_coordinates_of_futures_keep_their_distances():
    from scipy.spatial.distance import pdist

    futures = np.random.default_rng(0).normal(size=(9, 10, 2))
    found = lookups.principal(futures, share=1 - lookups.NEGLIGIBLE, most=9)[1]
    assert found.shape == (9, 8)  # around their mean
    np.testing.assert_allclose(pdist(found), pdist(futures.reshape(9, -1)))


def test_trees_are_fewer_where_time_is_short():
    training = waves(40, 0)
    counts = [len(lookups.fit_trees(training, training, seconds=seconds).state["leaf"]) for seconds in (0, 60)]
    assert counts == [lookups.FEWEST_TREES, lookups.TREES]
