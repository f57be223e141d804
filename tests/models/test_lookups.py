"""Lookups: candidates that are baselines, to the last digits."""

import numpy as np
import pytest

from sim2seq.evaluation import baselines
from sim2seq.evaluation.baselines import Told
from sim2seq.evaluation.measures import spread
from sim2seq.models.candidates import lookups
from sim2seq.models.candidates.candidate import Runs, error_of, fit_hold


def waves(runs, seed, *, window=6) -> Runs:
    """Waves whose frequency is told; some end before the others; pushed by a control that does nothing."""
    rng = np.random.default_rng(seed)
    pace, start = rng.uniform(0.2, 0.6, (runs, 1)), rng.uniform(0, 6, (runs, 1))
    phase = pace * np.arange(30) + start
    values = np.stack([np.sin(phase), np.cos(phase)], axis=2)
    values[::5, 25:] = np.nan
    return Runs(values, window, pace, rng.normal(size=(runs, 30, 1)))


def in_deviations(training: Runs, *parts: Runs) -> list[Runs]:
    """As candidates see runs, and as baselines that learn make them: in standard deviations of the training runs."""
    size = np.sqrt(np.square(spread(training.values)).mean())
    told = [each.std(axis=0) for each in (training.conditions, training.controls)]
    return [Runs(one.values / size, one.window, one.conditions / told[0], one.controls / told[1]) for one in parts]


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
    training, other = waves(60, 0), waves(7, 1)
    ours, theirs = both(name, *in_deviations(training, training, other))  # of fewer runs trees learn along other axes
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


@pytest.mark.parametrize("learn", [lookups.fit_nearest, lookups.fit_ridge, lookups.fit_trees])
def test_controls_may_end_with_a_shorter_forecast(learn):
    """What holds beyond the forecast is not known: the last control is taken to go on."""
    training, other = waves(20, 0), waves(3, 1)
    held = np.concatenate([other.controls[:, :15], np.repeat(other.controls[:, 14:15], 15, axis=1)], axis=1)
    found = learn(training, training)
    short, long = (
        found.forecast(other.context, steps, conditions=other.conditions, controls=controls)
        for steps, controls in ((9, other.controls[:, :15]), (24, held))
    )
    np.testing.assert_allclose(short, long[:, :9], rtol=1e-9, atol=1e-9)


def test_a_forecast_that_is_no_number_has_no_error_to_choose_by():
    runs = waves(5, 1)

    class Some:
        def forecast(self, context, steps, **told):
            return np.where(np.arange(steps)[:, None] < 20, np.zeros((len(context), steps, 2)), np.nan)

    assert error_of(Some(), runs) == np.inf
    runs.values[:, 26:] = np.nan  # no run is longer: nothing is missing
    assert error_of(Some(), runs) < 2


def test_blocks_are_as_long_as_the_longest_training_run_allows():
    training, other = waves(40, 0), waves(5, 1)
    training.values[:, 12:] = np.nan
    found = lookups.fit_blocks(training, other, seconds=100)
    assert len(found.mean) <= 6
    assert np.isfinite(found.forecast(other.context, 24, conditions=other.conditions, controls=other.controls)).all()


def test_without_a_window_lookups_go_by_what_is_told_of_a_run():
    training = waves(40, 0, window=0)
    assert error_of(lookups.fit_nearest(training, training), training) == 0
    assert error_of(lookups.fit_ridge(training, training), training) < 0.5
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


def test_blocks_of_many_features_are_learned_from_fewer_windows(monkeypatch):
    training, rows = waves(20, 1), []

    def counted(query, *others, **options):
        rows.append(len(query))
        return grown(query, *others, **options)

    grown = lookups.grown
    monkeypatch.setattr(lookups, "grown", counted)
    for numbers in (lookups.NUMBERS, 60 * 4 * training.features):
        monkeypatch.setattr(lookups, "NUMBERS", numbers)
        lookups.attempt(training, waves(5, 2), 4, False, 0)
    assert rows[1] <= 80 < rows[0]


@pytest.mark.parametrize("most", [100, 300, 1000, 5000])
@pytest.mark.parametrize("block", [3, 7, 23])
def test_blocks_never_hold_more_numbers_than_they_may(block, most, monkeypatch):
    """Twice as many came of a step between windows that was rounded down, any number of one window a run."""
    monkeypatch.setattr(lookups, "NUMBERS", most)
    training = waves(60, 1)
    query, change = lookups.told_and_changes(training, block, False, 4)
    told_ahead = query.shape[0] * block * training.controls.shape[2]
    assert 0 < change.size + told_ahead <= most
    assert len(query) == len(change)
