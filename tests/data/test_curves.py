"""Curves of learning in the formats of the oracle's source: what is read, what is refused in one line."""

import json

import numpy as np
import pytest
from oracles import source_curves

from sim2seq.data.curves import as_series, curves_of, read_curves, read_sequence

SEQUENCE = {
    "epochs": [10, 50, 100],
    "mqe": [0.5, 0.3, 0.25],
    "topographic_error": [0.1, 0.09, 0.08],
    "dead_neuron_ratio": [0.2, 0.15, 0.12],
}


def test_the_sources_sequence_is_read_as_it_is(tmp_path):
    path = tmp_path / "partial.json"
    path.write_text(json.dumps(SEQUENCE | {"num_checkpoints": 3}))
    series = as_series(read_sequence(path), ["mqe", "dead_ratio"])  # by its other name
    assert series.tolist() == [[0.5, 0.2], [0.3, 0.15], [0.25, 0.12]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mqe": [0.5, 0.3]}, "expected lists of one length, got epochs 3, mqe 2"),
        ({"epochs": [10, 100, 50]}, "epochs: expected them to increase"),
        ({"mqe": [0.5, float("nan"), 0.2]}, "mqe: checkpoint 2: expected a finite number, got nan"),
        ({"mqe": [0.5, "0.3", 0.2]}, "mqe: expected a list of one number or more"),
        ({"mqe": []}, "mqe: expected a list of one number or more"),
        ({"mqe": [0.5, 10**400, 0.2]}, "mqe: expected finite numbers, got one of hundreds of digits"),
        ({"dead_neuron_ratio": [0.2, 1.5, 0.1]}, "checkpoint 2: expected a share from 0 to 1, got 1.5"),
        ({"topographic_error": [0.2, 0.1, -0.1]}, "checkpoint 3: expected a share from 0 to 1, got -0.1"),
        ({"mqe": [0.5, 0.3, -0.5]}, "mqe: checkpoint 3: expected 0 or more, got -0.5"),
        ({"epochs": [-30, -20, -10]}, "epochs: checkpoint 1: expected 0 or more, got -30"),
    ],
)
def test_a_sequence_that_cannot_be_is_refused(change, said):
    with pytest.raises(ValueError, match=said) as error:
        curves_of(SEQUENCE | change, "partial.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [[1, 2], {}, {"epochs": [1, 2]}, {"mqe": 0.5}])
def test_what_holds_no_curve_is_refused(content):
    with pytest.raises(ValueError, match=r"^partial\.json: expected"):
        curves_of(content, "partial.json")


def test_a_sequence_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "partial.json").write_text(json.dumps(SEQUENCE), encoding="utf-8-sig")
    assert read_sequence(tmp_path / "partial.json")["mqe"].tolist() == SEQUENCE["mqe"]


def test_a_curve_that_is_missing_is_named():
    with pytest.raises(ValueError, match="expected curves of mqe, progress; missing progress"):
        as_series({"mqe": np.ones(2)}, ["mqe", "progress"])


def test_the_sources_table_is_runs_with_what_came_of_them(tmp_path):
    ensemble = read_curves(source_curves(tmp_path / "dataset.csv", 12))
    assert ensemble.values.shape == (12, 10, 4)  # a name that is there twice is two runs
    assert ensemble.features == ("epochs", "mqe", "topographic_error", "dead_neuron_ratio")
    first, last = ensemble.values[:, 0, 1], ensemble.values[:, -1, 1]
    found = (last - np.exp(-3) * first) / (1 - np.exp(-3))  # the formula gives its end away
    assert found == pytest.approx(ensemble.results["mqe_final"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "expected columns training_history and final_NAME; got a, b"),
        ("final_x,training_history\n", "expected a line a run; got none"),
        ('final_x,training_history\n1,"{"\n', "line 2: training_history: expected JSON"),
        (f'final_x,training_history\n1,"{"[" * 100_000}"\n', "line 2: training_history: expected JSON"),
        ('final_x,training_history\n1,"{""x"": [1]}",\n', "line 2: expected 2 cells as in the first line"),
        ('final_x,training_history\nn/a,"{""x"": [1, 2]}"\n', "line 2: final_x: expected a finite number, got 'n/a'"),
        ('final_x,training_history\n1,"{""x"": [1]}"\n2,"{""y"": [1]}"\n', "line 3: expected curves of x; got y"),
        (
            'final_mqe,training_history\n1,"{""mqe"": [1]}"\n-5,"{""mqe"": [1]}"\n',
            "line 3: final_mqe: expected 0 or more",
        ),
        (
            'final_dead_ratio,training_history\n7.5,"{""x"": [1]}"\n',
            "line 2: final_dead_ratio: expected a share from 0",
        ),
    ],
)
def test_a_table_that_holds_no_curves_is_refused(tmp_path, text, said):
    path = tmp_path / "dataset.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_curves(path)
