"""Ensemble: what a person hands over in Python, as arrays, lists or columns of a table."""

import numpy as np
import pandas as pd
import pytest

from sim2seq.data.ensemble import Ensemble

VALUES = np.arange(6.0).reshape(3, 2, 1)


def made(values=VALUES, **more) -> Ensemble:
    return Ensemble(values, ("a", "b", "c"), ("x",), [0.0, 1.0], **more)


@pytest.mark.parametrize(
    "column", [pd.Series([10.0, 20.0, 30.0], index=[2, 0, 1]), [10.0, 20.0, 30.0]], ids=["table", "list"]
)
def test_inputs_belong_to_runs_by_place_whatever_they_are(column):
    taken = made(inputs={"k": column}, results={"r": column}).take([2, 0])
    assert taken.inputs["k"].tolist() == taken.results["r"].tolist() == [30.0, 10.0]


def test_values_and_times_may_be_lists():
    ensemble = made(VALUES.tolist()).take([1], steps=slice(1, 2))
    assert ensemble.values.tolist() == [[[3.0]]]
    assert ensemble.times.tolist() == [1.0]


def test_values_that_are_no_numbers_are_refused_in_one_line():
    with pytest.raises(ValueError, match="an array of numbers; got one of <U3"):
        made(VALUES.astype("U3"))


def test_whole_numbers_of_a_series_end_in_nan_and_never_overflow():
    whole = np.array([[[9], [10]], [[9], [0]], [[9], [10]]], dtype=np.uint8)
    series = made(whole, lengths=np.array([2, 1, 2])).series()
    assert (series[0, 0] - series[0, 1]).tolist() == [-1]
    assert np.isnan(series[1, 1]).all()
    assert made(whole).series().dtype.kind == "f"


def test_an_input_that_a_run_lacks_is_named_when_asked_for():
    given = {"mass": np.array([1.0, np.nan]), "drag": np.array([1.0, 2.0])}
    ensemble = Ensemble(np.zeros((2, 3, 1)), ("a", "b"), ("x",), np.arange(3.0), given)
    assert ensemble.inputs_of_runs(["drag"]).tolist() == [[1], [2]]
    with pytest.raises(ValueError, match="input 'mass': expected a number in every run; run b has nan"):
        ensemble.inputs_of_runs(["drag", "mass"])
