"""What a network is fed of many features: what their components carry, when they are worth it, that they are kept."""

from dataclasses import dataclass

import numpy as np
import pytest

from sim2seq.models.candidates import keeping
from sim2seq.models.candidates.candidate import Runs
from sim2seq.models.candidates.feeding import Basis, basis_of


@pytest.fixture
def waves() -> np.ndarray:
    """Three waves on 40 points, scaled, and a point that never moves: (20 runs, 30 steps, 41 features)."""
    rng = np.random.default_rng(0)
    shapes = np.sin(np.outer([1, 2, 3], np.linspace(0, 6, 40)) + rng.uniform(0, 6, (3, 1)))
    values = rng.normal(size=(20, 30, 3)) @ shapes
    values = np.concatenate([values / values.std((0, 1)), np.zeros((20, 30, 1))], axis=2)
    values[::3, 20:] = np.nan  # unequal lengths
    return values


def of(values: np.ndarray) -> Basis:
    basis = basis_of(values, 0.1)
    assert basis is not None
    return basis


def test_components_carry_the_features_there_and_back(waves):
    basis = of(waves)
    known = basis.reduced(Runs(waves, 5))
    assert known.values.shape == (20, 30, 3)
    assert known.window == 5
    assert np.nanmax(np.abs(basis.features(known.values) - waves)) < 1e-9


def test_a_mean_square_is_the_same_in_components(waves):
    known = of(waves).components(waves)
    assert np.nanmean(known**2) == pytest.approx(np.nanmean(waves**2))


def test_features_that_move_alone_are_left_as_they_are():
    assert basis_of(np.random.default_rng(0).normal(size=(20, 30, 3)), 0.1) is None


def test_the_way_back_keeps_the_range_and_its_margin(waves):
    basis = of(waves)
    far = basis.features(100 * np.ones((1, 3)))
    low, high = np.nanmin(waves, (0, 1)), np.nanmax(waves, (0, 1))
    assert np.all((low - 0.1 * (high - low) <= far + 1e-9) & (far <= high + 0.1 * (high - low) + 1e-9))


@dataclass(frozen=True)
class Holder:
    basis: Basis | None


def test_a_basis_or_none_is_read_as_it_was_saved(waves, tmp_path):
    basis = of(waves)
    for name, each in (("some", basis), ("none", None)):
        keeping.save(Holder(each), tmp_path / name)
    again = keeping.read(Holder, tmp_path / "some").basis
    assert again is not None
    assert np.array_equal(again.features(np.eye(3)), basis.features(np.eye(3)))
    assert keeping.read(Holder, tmp_path / "none").basis is None
