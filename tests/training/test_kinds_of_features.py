"""Features of every kind train together: what never changes, flags, counters, copies, and of any unit."""

from dataclasses import replace

import numpy as np
import pytest

from sim2seq import surrogate
from sim2seq.data.ensemble import Ensemble
from sim2seq.models import terms
from sim2seq.report.report import write_report
from sim2seq.report.summary import summary
from sim2seq.training.fit import fit
from sim2seq.training.settings import Settings

RUNS, STEPS = 10, 40
WAVE = np.sin(0.3 * np.arange(STEPS) + np.arange(RUNS)[:, None])
KINDS = {
    "wave": WAVE,
    "copy": WAVE,
    "constant": np.full((RUNS, STEPS), 0.0981),
    "of_run": np.repeat(np.arange(RUNS)[:, None], STEPS, axis=1),
    "flag": np.arange(STEPS) >= 10 + np.arange(RUNS)[:, None],
    "count": np.tile(np.arange(STEPS), (RUNS, 1)),
    "tiny": 1e-12 * WAVE,
    "huge": 1e18 * WAVE,
    "far": 1.7e9 + 1e-3 * WAVE,
}


def ensemble_of_kinds(names) -> Ensemble:
    values = np.stack([np.asarray(KINDS[name], dtype=float) for name in names], axis=2)
    return Ensemble(values, tuple(f"g_{run}" for run in range(RUNS)), tuple(names), np.arange(STEPS) / 10)


def test_features_of_every_kind_train_and_forecast(tmp_path):
    """The linear part holds every kind but the flag: one step ahead, the errors are small shares of the spread."""
    ensemble = ensemble_of_kinds(KINDS)
    trained = fit(ensemble, Settings.parse(["size:debug", "units:4", "window:5"]), tmp_path / "training", quiet=True)
    spread = dict(zip(KINDS, np.maximum(ensemble.values.std(axis=(0, 1)), 1e-15), strict=True))
    errors = {name: error / spread[name] for name, error in trained.scores.one_step["test"].by_feature.items()}
    assert max(error for name, error in errors.items() if name != "flag") < 0.05
    assert errors["flag"] < 1
    middle, low, high = surrogate.load(tmp_path / "training").forecast(ensemble.values[0, :5], steps=3)
    assert np.isfinite([middle, low, high]).all()
    np.testing.assert_allclose(middle[:, list(KINDS).index("constant")], 0.0981, rtol=1e-6)
    assert write_report(tmp_path / "report.html", ensemble, trained).stat().st_size > 1e5


@pytest.mark.parametrize("name", KINDS)
def test_the_linear_part_takes_a_feature_of_any_kind_alone(name):
    values = ensemble_of_kinds([name]).values
    scaled = (values - values.mean()) / (values.std() or 1)
    fitted = terms.fit(scaled)
    assert np.isfinite(fitted.weights).all()
    assert (fitted.pace > 0).all()
    assert (fitted.spread > 0).all()


def test_features_that_never_change_leave_nothing_to_beat(tmp_path):
    ensemble = ensemble_of_kinds(["constant"])
    trained = fit(ensemble, Settings.parse(["size:debug", "units:4", "window:5"]), tmp_path / "training", quiet=True)
    said = summary(trained, ensemble)
    assert not said.skill > 0
    assert not said.beats
    assert "hold" in said.better


@pytest.mark.parametrize(
    ("runs", "steps", "words"),
    [
        (RUNS, 1, "expected runs of two steps or more to learn from; got 1"),
        (RUNS, 5, "window: expected 1 to 4 for runs of 5 steps; got 5"),
        (1, STEPS, "a split by run needs at least 3 runs, one a part; got 1"),
    ],
)
def test_too_few_runs_or_steps_are_refused_each_in_its_words(tmp_path, runs, steps, words):
    ensemble = ensemble_of_kinds(["wave"]).take(range(runs), steps=slice(steps))
    with pytest.raises(ValueError, match=words):
        fit(ensemble, Settings.parse(["size:debug", "window:5"]), tmp_path / "training")
    assert not (tmp_path / "training").exists()


def test_uneven_steps_are_never_forecast_on_a_wrong_clock(tmp_path):
    ensemble = ensemble_of_kinds(["wave"])
    ensemble.times[7:] += 0.2
    words = "run g_0: a forecast expects even steps; got 0.1 apart, and step 7 at 0.9, after 0.6: resample, such as 0.1"
    with pytest.raises(ValueError, match=words):
        fit(ensemble, Settings.parse(["size:debug", "window:5"]), tmp_path / "training")


def test_runs_too_short_for_an_answer_are_named(tmp_path, capsys):
    ensemble = ensemble_of_kinds(["wave"])
    lengths = np.array([4, 5, *[STEPS] * 8])
    values = np.where(np.arange(STEPS)[:, None] < lengths[:, None, None], ensemble.values, np.nan)
    short = replace(ensemble, values=values, lengths=lengths)
    with pytest.raises(ValueError, match="members"):
        fit(short, Settings.parse(["size:debug", "window:5", "members:99"]), tmp_path / "training")
    assert capsys.readouterr().out == "left out, with fewer than 6 steps: g_0, g_1\n"
