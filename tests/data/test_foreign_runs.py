"""Which run the rows of other programs' tables belong to, and what stands beside it: inputs and controls."""

import numpy as np
import pandas as pd
import pytest
from foreign import COUNTING, read, written

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Beside, Seen, read_controls, read_inputs, runs_of
from sim2seq.data.records import RecordError


def test_one_table_a_run_has_its_id_from_the_name_of_the_file(tmp_path):
    runs = read(*written(tmp_path, run_1=COUNTING, run_2=COUNTING.replace("3,30", "4,40")))
    assert list(runs) == ["run_1", "run_2"]
    assert runs["run_2"].series == {"time": [0, 1, 2], "x": [1, 2, 4], "y": [10, 20, 40]}


def test_one_table_for_all_runs_is_told_apart_by_a_column(tmp_path):
    text = "run,t [ms],x [m/s],mass [kg],kind\na 1,0,1,5,hot\na 1,1,2,5,hot\nb,0,3,6,cold\nb,1,4,6,cold\nb,2,5,6,cold\n"
    runs = read(*written(tmp_path, all=text))
    assert runs["a_1"].series == {"time": [0, 1], "x": [1, 2]}
    assert runs["b"].series == {"time": [0, 1, 2], "x": [3, 4, 5]}
    assert [run.data for run in runs.values()] == [{"mass": 5, "kind": "hot"}, {"mass": 6, "kind": "cold"}]
    assert runs["a_1"].units == {"x": "m/s", "mass": "kg", "time": "ms"}


def test_a_time_in_each_of_several_runs_asks_for_their_column(tmp_path):
    paths = written(tmp_path, all="x,firm no,year\n1,7,1935\n2,7,1936\n3,8,1935\n4,8,1936\n")
    with pytest.raises(RecordError, match=r"counts; or is each firm no a run\? --run 'firm no'"):
        read(*paths)
    assert [run.series["x"] for run in read(*paths, run="firm no").values()] == [[1, 2], [3, 4]]
    with pytest.raises(RecordError, match=r"or is each variable a feature\? frame.pivot\(columns='variable'"):
        read(*written(tmp_path, long="variable,time,value\nx,0,1\nx,1,2\ny,0,3\ny,1,4\n"))


def test_inputs_come_from_a_table_of_their_own(tmp_path):
    data, table = written(tmp_path, a=COUNTING, inputs="name;mass [kg];kind\na;1,5;hot\nb;2,5;cold\n")
    given, units = read_inputs(table, Reading())
    assert given == {"a": {"mass": 1.5, "kind": "hot"}, "b": {"mass": 2.5, "kind": "cold"}}
    assert units == {"mass": "kg"}
    (run,) = runs_of(sources([data], Reading()), Reading(), Seen(), Beside(given, units))
    assert (run.data, run.units) == (given["a"], units)
    with pytest.raises(RecordError, match="--inputs: no line for run a; it has b"):
        list(runs_of(sources([data], Reading()), Reading(), Seen(), Beside({"b": {}})))


def test_controls_of_a_table_hold_until_the_next_line(tmp_path):
    data, table = written(tmp_path, a="t,x\n0,1\n1,2\n2,3\n3,4\n", controls="run,t,valve [%]\na,0,5\na,2,7\n")
    controls, units = read_controls(table, Reading())
    (run,) = runs_of(sources([data], Reading()), Reading(), Seen(), Beside(None, units, controls))
    assert (run.series["valve"], run.units) == ([5, 5, 7, 7], {"valve": "%"})
    table.write_text("run,t,valve\na,1,5\na,2,7\n")
    with pytest.raises(RecordError, match="--controls: the first line of run a is of time 1, the run begins at 0"):
        list(
            runs_of(sources([data], Reading()), Reading(), Seen(), Beside(None, {}, read_controls(table, Reading())[0]))
        )


def test_an_ensemble_comes_of_a_frame_with_a_row_a_step():
    index = pd.MultiIndex.from_product([["a", "b"], [0.0, 0.5, 1.0]], names=["run", "time"])
    frame = pd.DataFrame({"x [m]": np.arange(6.0), "mass": [1, 1, 1, 2, 2, 2]}, index)
    ensemble = Ensemble.from_pandas(frame.iloc[:-1], inputs=pd.DataFrame({"drag": [0.1, 0.2]}, index=["a", "b"]))
    assert (ensemble.run_ids, ensemble.features, ensemble.lengths.tolist()) == (("a", "b"), ("x",), [3, 2])
    np.testing.assert_array_equal(ensemble.values[..., 0], [[0, 1, 2], [3, 4, np.nan]])
    assert {name: column.tolist() for name, column in ensemble.inputs.items()} == {"mass": [1, 2], "drag": [0.1, 0.2]}
    assert ensemble.units == {"x": "m"}


def test_an_ensemble_comes_of_a_frame_a_run():
    frames = {name: pd.DataFrame({"x": [1.0, 2.0]}, pd.date_range("2024", periods=2, freq="h")) for name in "ab"}
    ensemble = Ensemble.from_pandas(frames)
    assert (ensemble.run_ids, ensemble.times.tolist(), ensemble.step_unit) == (("a", "b"), [0, 3600], "s")


def test_a_table_of_what_runs_were_given_is_no_run(tmp_path):
    (file,) = written(tmp_path, table="run,alpha,beta\nrun_1,1,2\nrun_2,3,4\n")
    with pytest.raises(
        RecordError, match=r"table.csv: 'run' is another one in each line: .* --inputs; if .* --time none"
    ):
        read(file)
    assert read(file, time="none")["table"].series["alpha"] == [1, 3]
    (dated,) = written(tmp_path, dated="time,id,x\n0,a,1\n1,b,2\n")
    assert read(dated)["dated"].series == {"time": [0, 1], "x": [1, 2]}


@pytest.mark.parametrize("name", ["number", "trajectory", "seed", "replicate", "ens"])
def test_a_column_of_other_programs_tells_runs_apart_by_times(tmp_path, name):
    both = f"{name},t,x\n3,0,1\n3,1,2\n5,0,3\n5,1,4\n"
    assert list(read(*written(tmp_path, all=both))) == ["3", "5"]
    assert list(read(*written(tmp_path, one=f"{name},t,x\n3,0,1\n4,1,2\n4,2,3\n"))["one"].series) == ["time", name, "x"]
    runs = read(*written(tmp_path, a=f"{name},t,x\n3,0,1\n3,1,2\n", b=f"{name},t,x\n4,0,1\n4,1,2\n"))
    assert {run: each.data for run, each in runs.items()} == {"a": {name: 3}, "b": {name: 4}}


@pytest.mark.parametrize("time", ["t,", ""])
def test_files_of_one_scenario_that_begin_anew_are_runs(tmp_path, time):
    rows = [f"scenario,{time}x", *(",".join(["dry", *([str(t)] if time else []), f"{t}"]) for t in range(3))]
    texts = {"a": "\n".join(rows), "b": "\n".join(rows).replace("2\n", "2\n")[:-1] + "7", "c": "\n".join(rows)}
    texts["c"] = texts["c"].replace("dry", "wet")
    runs = read(*written(tmp_path, **texts))
    assert {name: (run.series["x"], run.data) for name, run in runs.items()} == {
        "a": ([0, 1, 2], {"scenario": "dry"}),
        "b": ([0, 1, 7], {"scenario": "dry"}),
        "wet": ([0, 1, 2], {}),
    }


def test_a_word_in_the_column_of_runs_may_be_another_files_name(tmp_path):
    runs = read(*written(tmp_path, a="t,x\n0,1\n1,2\n", b="run,t,x\na,0,1\na,1,3\n"))
    assert {name: (run.series["x"], run.data) for name, run in runs.items()} == {
        "a": ([1, 2], {}),
        "b": ([1, 3], {"run": "a"}),
    }


def test_files_that_go_on_after_each_other_are_one_run(tmp_path):
    files = written(tmp_path, a="run,t,x\n5,0,1\n5,1,2\n", b="run,t,x\n5,2,3\n5,3,4\n")
    assert read(*files)["5"].series["x"] == [1, 2, 3, 4]
