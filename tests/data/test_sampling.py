"""The ensemble is one joint draw, and its table, names and arguments keep their promises."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import make_runs

import pgen_ensembles
from sim2seq.data import sampling

ROOT = Path(__file__).parents[2]


def inputs(runs, seed=1777):
    table = pgen_ensembles.parameter_table(NUM_STUDIES=runs, SEED=seed)
    return np.array([table[name] for name in pgen_ensembles.RANGES])


def varied(runs, share=0.5, outside=0, seed=1777):
    """The table as arrays, with three more columns: the share by which each condition deviates from the baseline."""
    table = pgen_ensembles.parameter_table(NUM_STUDIES=runs, CONDITIONS=share, OUTSIDE=outside, SEED=seed)
    table = {name: np.array(values) for name, values in table.items()}
    return table, np.array([table[name] / value - 1 for name, value in pgen_ensembles.BASELINE.items()])


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
    fixed = ("GRAVITY", "BOX_SIDE_LENGTH", "DRAG", "GROUP_ID")
    assert [set(table[name]) for name in fixed] == [{0.0981}, {100}, {0.1}, {"47bcda"}]
    assert [table[name][0] for name in pgen_ensembles.RANGES] == [48.4424, 48.5899, 50.3687, 5.2567, 5.0482, 4.9646]
    sampled = json.dumps({name: table[name] for name in pgen_ensembles.RANGES})
    # of the table before conditions could vary: a store of those runs can be filled up
    assert hashlib.sha256(sampled.encode()).hexdigest().startswith("778a89dbb35620d3")


@pytest.mark.parametrize("share", [0.5, 0.59, 1 / 3, 0.001])
def test_conditions_fill_their_ranges_and_stay_inside(share):
    _, deviations = varied(1024, share)
    assert np.abs(deviations).max() <= share * (1 + 1e-9)
    for deviation in deviations:
        assert deviation.min() < -0.99 * share
        assert deviation.max() > 0.99 * share


def test_initial_values_and_conditions_are_one_joint_draw():
    for rows in (slice(0, 1024), slice(1024, 2048)):
        table, deviations = varied(1024, outside=1024)
        scale = {name: table["BOX_SIDE_LENGTH"] / 100 if "_POS_" in name else 1 for name in pgen_ensembles.RANGES}
        columns = np.array([*(table[name] / scale[name] for name in scale), *deviations])[:, rows]
        assert np.abs(np.corrcoef(columns) - np.eye(9)).max() < 0.1
        for name, values in zip(scale, columns, strict=False):
            low, high = pgen_ensembles.RANGES[name]
            assert low - 0.001 <= values.min() < low + 0.01 < high - 0.01 < values.max() <= high + 0.001


def test_every_ball_starts_well_inside_its_box():
    table, _ = varied(256, 0.59, outside=256)
    for axis in "XYZ":
        shares = table[f"{axis}_POS_INITIAL"] / table["BOX_SIDE_LENGTH"]
        assert 0.47 < shares.min() < shares.max() < 0.53


@pytest.mark.parametrize("share", [0.5, 0.59, 1 / 3])
def test_outside_runs_lie_beyond_the_range_of_every_condition(share):
    table, deviations = varied(64, share, outside=32)
    inside = table["GROUP_ID"] == "47bcda"
    assert inside.tolist() == [True] * 64 + [False] * 32
    assert set(table["GROUP_ID"][~inside]) == {"outside"}
    assert table["RUN_ID"].tolist() == list(range(1, 97))
    beyond = deviations[:, ~inside]
    assert np.abs(beyond).min() >= share * (1 - 1e-9)
    assert np.abs(beyond).max() <= 1.5 * share * (1 + 1e-9)
    assert (beyond > 0).sum(axis=1).tolist() == [16, 16, 16]
    assert len({tuple(signs) for signs in (beyond > 0).T}) == 8  # up and down in every combination


def test_outside_runs_leave_the_others_as_they_are():
    alone, both = varied(16)[0], varied(16, outside=16)[0]
    for name, values in alone.items():
        np.testing.assert_array_equal(both[name][:16], values)
    assert not np.any(both["X_VEL_INITIAL"][:16] == both["X_VEL_INITIAL"][16:])


def test_the_simulator_takes_each_row_and_records_its_conditions():
    runs = make_runs(8, CONDITIONS=0.59, OUTSIDE=8)
    assert [run.id for run in runs] == [f"{'47bcda' if row <= 8 else 'outside'}_{row}" for row in range(1, 17)]
    table, _ = varied(8, 0.59, outside=8)
    for name in ("GRAVITY", "BOX_SIDE_LENGTH", "DRAG"):
        assert [run.data[name.lower()] for run in runs] == table[name].tolist()


@pytest.mark.parametrize(
    "arguments",
    [
        {"NUM_STUDIES": "0"},
        {"NUM_STUDIES": "many"},
        {"RUNS": "4"},
        {"SEED": "-1"},
        {"SEED": "1.5"},
        {"CONDITIONS": "0.6"},
        {"CONDITIONS": "-0.1"},
        {"CONDITIONS": "nan"},
        {"CONDITIONS": "some"},
        {"OUTSIDE": "8"},
        {"OUTSIDE": "-1"},
    ],
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


def test_names_stay_under_255_characters_when_all_values_vary():
    arguments = {"NUM_STUDIES": "1024", "CONDITIONS": str(1 / 3), "OUTSIDE": "1024"}
    longest = max(map(len, map(combination_name, pgen_ensembles.get_custom_generator(None, **arguments))))
    assert len("ingest-ball-bounce_") + longest + len(".out") < 150


def combination_name(combination):
    return combination.get_param_string(pgen_ensembles.LABELS)


def test_as_a_script_it_prints_the_table_as_csv():
    command = [sys.executable, ROOT / "pgen_ensembles.py", "NUM_STUDIES:3"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].split(",")[-1] == "RUN_ID"
    assert [line.split(",")[-1] for line in lines[1:]] == ["1", "2", "3"]


@pytest.mark.parametrize("argument", ["NUM_STUDIES:0", "CONDITIONS:0.7", "OUTSIDE:8"])
def test_as_a_script_it_refuses_in_one_line(argument):
    command = [sys.executable, ROOT / "pgen_ensembles.py", argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert argument in done.stderr
