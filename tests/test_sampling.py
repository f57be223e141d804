"""The ensemble is one joint draw, and its table, names and arguments keep their promises."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pgen_ensembles
from sim2seq import sampling

ROOT = Path(__file__).parent.parent


def inputs(runs, seed=1777):
    table = pgen_ensembles.parameter_table(NUM_STUDIES=runs, SEED=seed)
    return np.array([table[name] for name in pgen_ensembles.RANGES])


def test_no_two_inputs_correlate_above_a_tenth_at_1024_runs():
    correlation = np.corrcoef(inputs(1024)) - np.eye(6)
    assert np.abs(correlation).max() < 0.1


def test_each_input_is_a_latin_hypercube():
    low, high = np.transpose(list(pgen_ensembles.RANGES.values()))
    cells = np.floor((inputs(64).T - low) / (high - low) * 64).clip(0, 63)
    for column in cells.T:
        # one value a cell; rounding to 4 decimals may move a value over an edge
        assert len(set(column)) >= 62


def test_same_seed_same_table_and_other_seed_other_table():
    np.testing.assert_array_equal(inputs(16), inputs(16))
    assert np.all(inputs(16) != inputs(16, seed=1))


def test_defaults_are_the_source_study():
    table = pgen_ensembles.parameter_table()
    assert table["RUN_ID"] == list(range(1, 1025))
    assert [set(table[name]) for name in ("GRAVITY", "BOX_SIDE_LENGTH", "GROUP_ID")] == [{0.0981}, {100}, {"47bcda"}]


@pytest.mark.parametrize(
    "arguments", [{"NUM_STUDIES": "0"}, {"NUM_STUDIES": "many"}, {"RUNS": "4"}, {"SEED": "-1"}, {"SEED": "1.5"}]
)
def test_unknown_or_impossible_arguments_are_errors(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=name):
        pgen_ensembles.get_custom_generator(None, **arguments)


def test_small_ranges_keep_their_strata_apart():
    (values,) = sampling.latin_hypercube({"mass": (1e-6, 9e-6)}, 64, seed=0).values()
    assert len(set(values)) == 64
    assert 1e-6 <= min(values) <= max(values) <= 9e-6


def test_empty_range_is_an_error():
    with pytest.raises(ValueError, match="range of mass"):
        sampling.latin_hypercube({"mass": (2.0, 1.0)}, 4, seed=0)


def test_names_of_folders_and_scripts_stay_under_120_characters():
    generator = pgen_ensembles.get_custom_generator(None, NUM_STUDIES="1024")
    longest = max(len(str(combination)) for combination in map(combination_name, generator))
    assert len("ingest-ball-bounce_") + longest + len(".out") < 120


def combination_name(combination):
    return combination.get_param_string(pgen_ensembles.LABELS)


def test_as_a_script_it_prints_the_table_as_csv():
    command = [sys.executable, ROOT / "pgen_ensembles.py", "NUM_STUDIES:3"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].split(",")[-1] == "RUN_ID"
    assert [line.split(",")[-1] for line in lines[1:]] == ["1", "2", "3"]


def test_as_a_script_it_refuses_in_one_line():
    command = [sys.executable, ROOT / "pgen_ensembles.py", "NUM_STUDIES:0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "NUM_STUDIES:0" in done.stderr
