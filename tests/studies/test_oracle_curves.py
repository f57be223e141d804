"""Other curves through the same code: what a run of scikit-learn's is, and that the study learns it by other names."""

import numpy as np
import pytest

from sim2seq import load_study
from sim2seq.data import arrays
from studies.oracle import curves


@pytest.fixture(scope="module")
def two() -> list[curves.Problem]:
    """A target that is one of the inputs, and two classes that one input tells apart."""
    inputs = np.random.default_rng(0).normal(size=(80, 2))
    told = curves.problem("line", inputs, inputs[:, 0], False)
    return [told, curves.problem("classes", inputs, inputs[:, 0] > 0, True)]


def test_a_curve_falls_to_what_can_be_learned(two):
    known = {"hidden": 8, "learning_rate": 0.01, "alpha": 1e-6, "batch": 16, "adam": 1, "relu": 1, "epochs": 30}
    for given in two:
        found = curves.curve(given, known, seed=1)
        assert found.shape == (30, 3)
        assert found[-1, 0] < 0.2 < found[0, 0]
        np.testing.assert_allclose(found[:, 2], np.arange(1, 31) / 30)
        np.testing.assert_array_equal(found, curves.curve(given, known, seed=1))


def test_runs_are_written_with_what_is_known_and_how_they_ended(two, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "problems", lambda: two)
    monkeypatch.setitem(curves.RANGES, "epochs", (3, 6))
    curves.make(tmp_path / "c.h5", 4, seed=2)
    held = list(arrays.read(tmp_path / "c.h5"))
    assert [run.id for run in held] == ["line_1", "classes_2", "line_3", "classes_4"]
    assert set(curves.KNOWN) | {"error_final", "loss_final"} == set(held[0].data)
    block = arrays.series_of(tmp_path / "c.h5", ["line_1"], [0], [held[0].place[2]])
    assert block.values([0])[0, block.lengths[0] - 1, 0] == held[0].data["error_final"]


def test_the_study_of_curves_is_the_oracles_with_other_names():
    study, own = load_study(curves.__file__), load_study(curves.tables.LIST.with_name("study.py"))
    assert list(study.models) == list(own.models)
    assert study.settings().inputs == curves.KNOWN
    assert study.settings().split == "by_group"
    assert study.task.at == own.task.at
