"""Files that other programs wrote, as they came inside packages (tests/samples/README.md)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foreign import read

from sim2seq.data.records import RecordError

OTHERS = Path(__file__).parent.parent / "samples" / "others"
DAYS = 86_400


def test_runs_of_unequal_lengths_written_by_aeon():
    runs = read(OTHERS / "vowels.csv")
    assert [len(run.series["0"]) for run in runs.values()] == [20, 26, 22, 20, 21, 23]
    assert list(runs["1"].series)[1:] == [str(feature) for feature in range(12)]
    table = pd.read_csv(OTHERS / "vowels.csv")
    for number, run in enumerate(runs.values()):
        np.testing.assert_array_equal(run.series["11"], table.loc[table["run"] == number, "11"])


@pytest.mark.parametrize(
    ("name", "steps", "unit", "last", "feature", "first"),
    [
        ("danish_data.csv", 55, "months", 162, "lrm", 11.63255023),  # quarters, below a byte order mark
        ("elec_equip.csv", 257, "months", 256, "STS.M.I7.W.TOVT.NS0016.4.000", 66.19),  # Jan-1-1995
        ("PBS_dataset.csv", 204, "months", 203, "Scripts", 1),  # 1991 Jul
        ("solar.csv", 289, "s", 6 * DAYS, "solar_gen", 0.0),  # 2021-05-01 00:30:00+00:00
    ],
)
def test_dates_of_other_programs_are_times(name, steps, unit, last, feature, first):
    (run,) = read(OTHERS / name).values()
    assert (len(run.series[feature]), run.units["time"], run.series[feature][0]) == (steps, unit, first)
    assert (run.series["time"][0], run.series["time"][-1]) == (0, last)


def test_a_panel_of_firms_is_asked_about_and_then_read():
    with pytest.raises(RecordError, match="or is each firm a run"):
        read(OTHERS / "grunfeld.csv")
    runs = read(OTHERS / "grunfeld.csv", run="firm")
    assert len(runs) == 11
    assert {len(run.series["invest"]) for run in runs.values()} == {20}
    assert runs["General_Motors"].series["invest"][:2] == [317.6, 391.8]
    assert runs["General_Motors"].series["time"][-1] == 1954


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cpunish.dat", "expected a line of names above"),  # blanks in the place of some tabs
        ("UnitTest_TRAIN.ts", "a file of aeon, sktime or Weka"),
        ("bears.nc", "which of its dimensions i, j, l is the time. --time NAME says it"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_asked_about(name, words):
    with pytest.raises(RecordError, match=words):
        read(OTHERS / name)
