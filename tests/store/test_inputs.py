"""What keeps a column from being an input is said with the run and the column."""

import pytest

from sim2seq.data.records import Run
from sim2seq.store import store


def test_a_column_that_is_no_input_is_named_with_the_run(tmp_path):
    path = tmp_path / "store.sqlite"
    store.create(path)
    series = {"time": [0.0, 1.0], "x": [1.0, 2.0]}
    inputs = [{"mass": 1.0, "scheme": "tick", "drag": 0.5}, {"mass": "heavy", "scheme": "tick", "late": 1.0}]
    store.ingest(path, [Run(f"a_{i}", each, series) for i, each in enumerate(inputs, start=1)])
    ensemble = store.load(path)
    said = {"mass": "run a_2 has 'heavy'", "scheme": "run a_1 has 'tick'", "drag": "run a_2 lacks it"}
    said |= {"late": "run a_1 lacks it"}
    assert ensemble.unusable.items() >= said.items()  # and the names that Kosh gives each entry
    for name, words in said.items():
        with pytest.raises(ValueError, match=f"input '{name}': expected a number in every run; {words}"):
            ensemble.take([0, 1]).inputs_of_runs((name,))
    with pytest.raises(ValueError, match="unknown input 'gravity'; the runs have: none"):
        ensemble.inputs_of_runs(("gravity",))
