"""Keeping: what a candidate has learned, as files without code."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from sim2seq.models.candidates import keeping


@dataclass(frozen=True)
class Part:
    network: keras.Model
    other: keras.Model | None


@dataclass(frozen=True)
class Whole:
    name: str
    count: int
    share: float
    on: bool
    table: np.ndarray
    maybe: np.ndarray | None
    state: dict[str, np.ndarray]
    parts: tuple[Part, ...]


def network(seed: int) -> keras.Model:
    inputs = keras.Input((2,))
    return keras.Model(
        inputs, keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=seed))(inputs)
    )


def test_what_was_kept_is_read_back(tmp_path):
    parts = tuple(Part(network(i), network(100) if i == 10 else None) for i in range(11))
    kept = Whole("trees", 3, np.inf, True, np.arange(6.0).reshape(2, 3), None, {"a": np.eye(2), "b": np.ones(1)}, parts)
    keeping.save(kept, tmp_path / "place")
    found = keeping.read(Whole, tmp_path / "place")
    assert (found.name, found.count, found.share, found.on, found.maybe) == ("trees", 3, np.inf, True, None)
    np.testing.assert_array_equal(found.table, kept.table)
    np.testing.assert_array_equal(found.state["a"], np.eye(2))
    assert set(found.state) == {"a", "b"}
    asked = np.array([[1.0, 2.0]])
    for ours, theirs in zip(kept.parts, found.parts, strict=True):
        np.testing.assert_array_equal(ours.network(asked), theirs.network(asked))
    assert [part.other is None for part in found.parts] == [True] * 10 + [False]


@dataclass(frozen=True)
class Table:
    table: np.ndarray


def test_an_array_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / keeping.ARRAYS, table=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        keeping.read(Table, tmp_path)


def test_a_number_that_is_missing_is_named(tmp_path):
    keeping.save(Table(np.ones(2)), tmp_path)
    with pytest.raises(KeyError, match="name"):
        keeping.read(Whole, tmp_path)


@dataclass(frozen=True)
class Grown(Table):
    gain: float = 1.0
    scale: np.ndarray | None = None


def test_what_was_kept_before_a_field_came_has_its_default(tmp_path):
    keeping.save(Table(np.eye(2)), tmp_path)
    found = keeping.read(Grown, tmp_path)
    assert (found.gain, found.scale) == (1.0, None)
    keeping.save(Grown(np.eye(2), 0.3, np.ones(2)), tmp_path)
    found = keeping.read(Grown, tmp_path)
    assert (found.gain, found.scale.tolist()) == (0.3, [1, 1])
