"""A run as far as a point on its way is a run whose end is what stands there."""

import numpy as np
import pytest

from sim2seq import Ensemble
from sim2seq.data import stretches

FEATURES = ("loss", "progress")


def falling(lengths=(8, 4)) -> Ensemble:
    """Runs whose loss is what is left of them."""
    values = np.full((len(lengths), max(lengths), 2), np.nan)
    for run, length in enumerate(lengths):
        values[run, :length, 1] = np.arange(1, length + 1) / length
        values[run, :length, 0] = 1 - values[run, :length, 1]
    ids = tuple(f"a_{run}" for run in range(len(lengths)))
    shape = {"lengths": lengths, "inputs": {"rows": np.arange(len(lengths))}}
    results = {"loss_final": np.zeros(len(lengths)), "seconds_final": np.ones(len(lengths))}
    return Ensemble(values, ids, FEATURES, np.arange(max(lengths)), results=results, step_unit="", **shape)


def test_a_stretch_ends_with_what_stands_at_its_point():
    found = stretches.beside(falling(), (0.5, 0.75))
    assert found.run_ids == ("a_0", "a_1", "a_0-until-0.5", "a_1-until-0.5", "a_0-until-0.75", "a_1-until-0.75")
    assert found.lengths.tolist() == [8, 4, 4, 2, 6, 3]
    assert found.results["loss_final"].tolist() == [0, 0, 0.5, 0.5, 0.25, 0.25]
    assert found.inputs["until"].tolist() == [1, 1, 0.5, 0.5, 0.75, 0.75]
    assert found.inputs["rows"].tolist() == [0, 1] * 3
    np.testing.assert_allclose(found.values[3, :2], [[0.75, 0.5], [0.5, 1.0]])  # progress: share of the stretch
    assert set(found.results) == {"loss_final"}  # how long a stretch took is not known
    assert found.groups == ("a",) * 6


def test_a_point_between_two_steps_is_the_later_one():
    found = stretches.beside(falling((3,)), (0.5,))
    assert found.lengths.tolist() == [3, 2]
    assert found.results["loss_final"] == pytest.approx([0, 1 / 3])
    assert found.values[1, :2, 1] == pytest.approx([2 / 3, 1.0])


def test_whole_runs_alone_are_learned_from_unless_asked():
    class Settings:
        inputs = ("rows",)

    runs = falling()
    assert stretches.chosen(runs, Settings) is runs
    Settings.inputs = ("rows", "until")
    assert stretches.chosen(runs, Settings).runs == 3 * runs.runs


def test_a_point_that_the_run_has_passed_cannot_be_asked_for():
    series = falling().values[0, :5]
    assert stretches.later(series, FEATURES) == [0.75]
    asked, inputs = stretches.asked(series, FEATURES, {"rows": 0}, 0.75)
    assert asked[:, 1] == pytest.approx(series[:, 1] / 0.75)
    assert inputs == {"rows": 0, "until": 0.75}
    with pytest.raises(ValueError, match=r"until 0\.5: .* that the run has not passed"):
        stretches.asked(series, FEATURES, {}, 0.5)


def test_runs_without_an_end_of_a_feature_have_no_stretches():
    from dataclasses import replace

    with pytest.raises(ValueError, match="expected results NAME_final of features; got seconds_final"):
        stretches.beside(replace(falling(), results={"seconds_final": np.ones(2)}))
