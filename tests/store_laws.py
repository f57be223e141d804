"""What holds for a store in any backend: tests that take the path of an empty store, `store_path`.

tests/store runs them on SQLite and on a backend of its own, tests/services on MariaDB. What asks for Kosh, Sina and
SQL stands in store_sql_laws.py.
"""

import numpy as np
import pytest
from runs import make_runs

from sim2seq.data import arrays
from sim2seq.data.records import Run
from sim2seq.store import store
from sim2seq.store.kind import Twins


def values_by_run(ensemble) -> dict:
    """Run id -> (steps, features) as lists, without padding."""
    pairs = zip(ensemble.run_ids, ensemble.values, ensemble.lengths, strict=True)
    return {run_id: values[:length].tolist() for run_id, values, length in pairs}


def test_ingest_twice_changes_nothing(store_path):
    runs = make_runs(3)
    assert store.ingest(store_path, runs) == {"added": 3}
    before = store.load(store_path)
    assert store.ingest(store_path, runs) == {"unchanged": 3}
    assert values_by_run(store.load(store_path)) == values_by_run(before)


def test_other_content_is_refused_and_shown_unless_replace(store_path):
    run = Run("a_1", {"drag": 0.1, "mass": 1.0}, {"x": [1.0], "y": [2.0]})
    store.ingest(store_path, [run])
    for other, words in (
        (run._replace(data={"drag": 0.1}), r"a_1 is in the store with other content: mass: store 1\.0, new None"),
        (run._replace(series={"x": [1.0]}), "y: store 1 steps, new 0 steps"),
        (run._replace(series={"x": [1.0], "y": [3.0]}), r"y at step 0: store 2\.0, new 3\.0"),
    ):
        with pytest.raises(store.StoreError, match=words):
            store.ingest(store_path, [other])
    assert values_by_run(store.load(store_path)) == {"a_1": [[1.0, 2.0]]}
    assert store.ingest(store_path, [other], replace=True) == {"replaced": 1}
    assert values_by_run(store.load(store_path)) == {"a_1": [[1.0, 3.0]]}


@pytest.mark.parametrize("batch", [1, 10])
def test_no_replacing_between_the_runs_of_one_ingest(store_path, monkeypatch, batch):
    monkeypatch.setattr(store, "BATCH", batch)
    run, other = Run("a_1", {}, {"x": [1.0]}), Run("a_2", {}, {"x": [1.0]})
    with pytest.raises(store.StoreError, match=r"a_1 is in the store with other content: x at step 0: .* new 2\.0"):
        store.ingest(store_path, [run, other, run._replace(series={"x": [2.0]})], replace=True)
    assert store.run_ids(store_path) == []
    assert store.ingest(store_path, [run, other, run], replace=True) == {"added": 2, "unchanged": 1}


def test_units_are_kept_and_one_run_in_another_unit_is_refused(store_path):
    run = Run("a_1", {"mass": 1.0, "x_final": 2.0}, {"time": [0.0, 1.0], "x": [1.0, 2.0]})
    units = {"time": "min", "x": "m", "mass": "kg", "x_final": "m"}
    store.ingest(store_path, [run._replace(units=units)])
    ensemble = store.load(store_path)
    assert ensemble.step_unit == "min"
    assert ensemble.units == {"x": "m", "mass": "kg", "x_final": "m"}
    with pytest.raises(store.StoreError, match="unit of x: store m, new mm"):
        store.ingest(store_path, [run._replace(units=units | {"x": "mm"})])
    store.ingest(store_path, [run._replace(id="a_2", units=units | {"x": "mm"})])
    with pytest.raises(store.StoreError, match="run a_2 has x in 'mm', another run in 'm'"):
        store.load(store_path)


def test_runs_without_units_have_none_and_steps_in_seconds(store_path):
    store.ingest(store_path, make_runs(2))
    ensemble = store.load(store_path)
    assert (ensemble.units, ensemble.step_unit) == ({}, "s")


def test_what_fails_on_the_way_undoes_the_whole_call(store_path, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 2)

    def runs():
        yield from (Run(f"a_{number}", {}, {"x": [1.0]}) for number in range(5))
        raise ValueError("a bad file")

    store.ingest(store_path, [Run("b_1", {}, {"x": [1.0]})])
    with pytest.raises(ValueError, match="a bad file"):
        store.ingest(store_path, runs())
    assert store.run_ids(store_path) == ["b_1"]


def test_a_series_may_not_take_the_name_of_the_step_axis(store_path):
    with pytest.raises(store.StoreError, match="'cycle'"):
        store.ingest(store_path, [Run("a_1", {}, {"cycle": [1.0]})])


def test_ids_and_names_are_told_apart_by_their_bytes(store_path):
    data = {"drag": 1.0, "Drag": 2.0, "drag ": 3.0, "dräg": 4.0, "dra\u0308g": 5.0, "\N{DUCK}": 6.0}
    runs = [Run(name, data, {"x": [value], "X": [-value]}) for value, name in enumerate(["a_1", "A_1", "a-1"])]
    assert store.ingest(store_path, runs) == {"added": 3}
    assert store.ingest(store_path, runs) == {"unchanged": 3}
    ensemble = store.load(store_path)
    assert values_by_run(ensemble) == {"a_1": [[0.0, 0.0]], "A_1": [[1.0, -1.0]], "a-1": [[2.0, -2.0]]}
    assert {name: column[0] for name, column in ensemble.inputs.items()} == data


def test_missing_runs_are_listed_in_the_given_order(store_path):
    store.ingest(store_path, make_runs(2))
    assert store.missing_runs(store_path, ["47bcda_9", "47bcda_2", "47bcda_3"]) == ["47bcda_9", "47bcda_3"]


def test_trainings_are_replaced_and_are_no_runs(store_path):
    said = [store.add_training(store_path, "t_1", {"window": 5}, {"loss": losses}) for losses in ([], [0.5, 0.25])]
    assert said == ["added", "replaced"]
    ((data, losses),) = store.load_trainings(store_path).values()
    assert (data["window"], losses) == (5, {"loss": [0.5, 0.25]})
    assert store.add_training(store_path, "t_1", {"window": 5}, {"loss": []}) == "replaced"
    assert store.run_ids(store_path) == []


# load


def test_runs_load_by_number_and_results_are_no_inputs(store_path):
    store.ingest(store_path, make_runs(12)[::-1])
    ensemble = store.load(store_path)
    assert ensemble.run_ids == tuple(f"47bcda_{number}" for number in range(1, 13))
    assert (ensemble.features, ensemble.values.shape) == (("x_pos", "y_pos", "z_pos"), (12, 400, 3))
    assert ensemble.uniform
    assert {"x_pos_initial", "gravity", "drag"} <= set(ensemble.inputs)
    finals = {f"{axis}_{kind}_final" for axis in "xyz" for kind in ("pos", "vel")}
    assert set(ensemble.results) == finals | {"num_bounces"}
    np.testing.assert_array_equal(ensemble.results["x_pos_final"], ensemble.values[:, -1, 0])
    assert not {"group_id", "scheme"} & {*ensemble.inputs, *ensemble.results}  # words
    np.testing.assert_allclose(np.diff(ensemble.times), 0.05)


def test_chosen_runs_load_in_the_given_order(store_path):
    values = {"a_2": [1.0, 2.0], "a_10": [3.0, 4.0], "human_1": [5.0, 6.0, 7.0]}
    store.ingest(store_path, [Run(name, {"drag": x[0]}, {"x": x}) for name, x in values.items()])
    for names in (["a_10", "a_2"], ("human_1",), ["human_1", "a_2"]):
        ensemble = store.load(store_path, runs=names)
        assert ensemble.run_ids == tuple(names)
        assert values_by_run(ensemble) == {name: [[x] for x in values[name]] for name in names}
        assert ensemble.inputs["drag"].tolist() == [values[name][0] for name in names]
    store.add_training(store_path, "point", {}, {"val_loss": [1.0]})
    for names, words in (
        (["a_2", "a_3", "a_4"], "run a_3 is not in the store"),
        (["a_2", "point"], "run point is not in the store"),
        (["a_2", "a_2"], "expected the ids of the runs to load, each once, got a_2 2 times"),
        ([], "got none"),
        ("a_2", "expected a list of the ids of the runs to load, got the text 'a_2'"),
    ):
        with pytest.raises(store.StoreError, match=words):
            store.load(store_path, runs=names)


def test_runs_that_end_early_are_padded_with_nan(store_path):
    series = {f"a_{steps}": [10.0 * steps + step for step in range(steps)] for steps in (2, 1, 7, 3)}
    store.ingest(store_path, [Run(name, {}, {"x": x}) for name, x in series.items()])
    ensemble = store.load(store_path)
    assert (ensemble.run_ids, ensemble.lengths.tolist()) == (("a_1", "a_2", "a_3", "a_7"), [1, 2, 3, 7])
    assert ensemble.times.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert values_by_run(ensemble) == {name: [[x] for x in values] for name, values in series.items()}
    np.testing.assert_array_equal(np.isnan(ensemble.values[..., 0]).sum(axis=1), [6, 5, 4, 0])


def test_times_of_a_shorter_run_are_the_beginning_of_the_longest(store_path):
    def run(name, times):
        return Run(name, {}, {"time": times, "x": [0.0] * len(times)})

    store.ingest(store_path, [run("a_1", [0.0, 0.1]), run("a_2", [0.0, 0.1 + 1e-8, 0.2]), run("a_3", [0.0])])
    ensemble = store.load(store_path)
    assert ensemble.times.tolist() == [0.0, 0.1 + 1e-8, 0.2]
    assert ensemble.lengths.tolist() == [2, 3, 1]
    store.ingest(store_path, [run("a_4", [0.0, 0.11])])
    words = r"run a_4 has step 1 at time 0\.11, in run a_2 at time 0\.1.*: resample, such as 0\.1"
    with pytest.raises(store.StoreError, match=words):
        store.load(store_path)


def test_runs_of_other_clocks_are_resampled_on_request(store_path, tmp_path):
    """x is the time since the first step of the run, so it is that of the new steps too."""
    clocks = {"a_1": [0.0, 0.2, 0.4], "a_2": [5.0, 5.3, 5.35, 5.7], "a_3": [1.0]}
    for name, times in clocks.items():
        store.ingest(store_path, [Run(name, {}, {"time": times, "x": [time - times[0] for time in times]})])
    arrays.write(tmp_path / "runs.h5", ["b_1", "b_2"], {}, {"x": [[0, 1, 4], [0, 1, 0]]}, [0, 1, 4], lengths=[3, 2])
    store.ingest(store_path, arrays.read(tmp_path / "runs.h5"))
    with pytest.raises(store.StoreError, match="run a_2 has step 0 at time 5"):
        store.load(store_path)
    ensemble = store.load(store_path, resample=0.1)
    assert ensemble.lengths.tolist() == [5, 8, 1, 41, 11]
    np.testing.assert_allclose(ensemble.times, np.arange(41) / 10)
    for values, length in zip(ensemble.values[..., 0], ensemble.lengths, strict=True):
        np.testing.assert_allclose(values[:length], np.arange(length) / 10, atol=1e-9)
    assert ensemble.notes == ("interpolated linearly to a time step of 0.1",)


def test_steps_without_times_have_no_unit(store_path):
    store.ingest(store_path, [Run("a_1", {}, {"x": [1.0, 2.0]})])
    assert store.load(store_path).step_unit == ""


def test_features_are_matched_by_name_and_others_are_named(store_path):
    order = Run("g_1", {}, {"time": [0.0, 1.0], "x": [1.0, 2.0], "y": [3.0, 4.0]})
    other = Run("g_2", {}, {"y": [30.0, 40.0], "time": [0.0, 1.0], "x": [10.0, 20.0]})
    store.ingest(store_path, [order, other])
    ensemble = store.load(store_path)
    assert ensemble.features == ("x", "y")
    assert values_by_run(ensemble) == {"g_1": [[1.0, 3.0], [2.0, 4.0]], "g_2": [[10.0, 30.0], [20.0, 40.0]]}
    store.ingest(store_path, [Run("g_3", {}, {"time": [0.0, 1.0], "x": [1.0, 2.0], "z": [3.0, 4.0]})])
    with pytest.raises(store.StoreError, match="run g_3 lacks y, has z: expected the series of run g_1"):
        store.load(store_path)


def test_some_series_load_in_the_given_order(store_path):
    store.ingest(store_path, [Run("g_1", {}, {"x": [1.0], "y": [2.0]}), Run("g_2", {}, {"y": [3.0], "z": [4.0]})])
    assert values_by_run(store.load(store_path, features=["y"])) == {"g_1": [[2.0]], "g_2": [[3.0]]}
    ensemble = store.load(store_path, runs=["g_1"], features=("y", "x"))
    assert (ensemble.features, values_by_run(ensemble)) == (("y", "x"), {"g_1": [[2.0, 1.0]]})
    for names, words in (
        (["y", "x"], "run g_2 lacks x, has z: expected the series that were asked for"),
        (["q"], "run g_1 lacks q, has x, y"),
        ([], "got none"),
        ("x", "expected a list of the names of the series to load, got the text 'x'"),
        (["x", "x"], "each once, got x 2 times"),
    ):
        with pytest.raises(store.StoreError, match=words):
            store.load(store_path, features=names)


def test_inputs_that_some_run_lacks_are_named(store_path, tmp_path):
    data = {"drag": 0.1, "mass": 1.0, "scheme": "tick", "num_hits": 1}
    runs = [Run("a_1", data, {"x": [1.0]}), Run("a_2", data | {"mass": "heavy"}, {"x": [1.0]})]
    store.ingest(store_path, runs)
    assert store.unusable_inputs(store_path) == {"mass": "run a_2 has 'heavy'"}
    store.ingest(store_path, [Run("a_10", {"drag": 0.1, "mass": 1.0, "scheme": 7}, {"x": [1.0]})])
    expected = {"mass": "run a_2 has 'heavy'", "scheme": "run a_1 has 'tick'"}
    assert store.unusable_inputs(store_path) == expected
    assert list(store.load(store_path).inputs) == ["drag"]
    assert store.load(store_path).results == {}
    arrays.write(tmp_path / "runs.h5", ["b_1"], {"mass": 2.0}, {"x": [[1.0]]}, [0.0])
    store.ingest(store_path, arrays.read(tmp_path / "runs.h5"))
    assert store.unusable_inputs(store_path) == expected | {"drag": "run b_1 lacks it"}


@pytest.mark.parametrize("batch", [1, 10])
def test_a_run_under_another_name_is_found(store_path, monkeypatch, batch):
    """One with equal series and data; the ranges of its series tell most others apart."""
    monkeypatch.setattr(store, "BATCH", batch)
    one = Run("a_1", {"drag": 0.1}, {"x": [1.0, 2.0, 3.0], "time": [0.0, 1.0, 2.0]})
    others = [
        one._replace(id="a_2", series=one.series | {"x": [1.0, 2.5, 3.0]}),
        one._replace(id="a_3", data={"drag": 0.2}),
    ]
    store.ingest(store_path, [one, *others])
    again = [each._replace(id=f"b_{number}") for number, each in enumerate([*others, one])]
    for run, told in zip(again, ("a_2", "a_3", "a_1"), strict=True):
        with pytest.raises(store.StoreError, match=f"run {run.id} is run {told}, which is in the store, under another"):
            store.ingest(store_path, [run], twins=Twins({run.id}))
    new = [one._replace(id=name, data={"drag": 0.3}) for name in ("c_1", "c_2")]
    assert store.ingest(store_path, new, twins=(twins := Twins({"c_1", "c_2"}))) == {"added": 2}
    assert twins.pairs == {"c_2": "c_1"}
    swapped = [others[0]._replace(id="a_1"), one._replace(id="a_2")]
    assert store.ingest(store_path, swapped, replace=True, twins=Twins({"a_1", "a_2"})) == {"replaced": 2}


def test_series_in_array_files_stay_there(store_path, tmp_path):
    values = np.arange(12.0).reshape(3, 4)
    arrays.write(tmp_path / "runs.h5", ["a_1", "a_2", "a_3"], {"drag": [0.1, 0.2, 0.3]}, {"x": values}, range(4))
    assert store.ingest(store_path, arrays.read(tmp_path / "runs.h5")) == {"added": 3}
    assert store.ingest(store_path, arrays.read(tmp_path / "runs.h5")) == {"unchanged": 3}
    store.ingest(store_path, [Run("a_4", {"drag": 0.4}, {"x": [9.0, 8.0]})])
    ensemble = store.load(store_path)
    np.testing.assert_array_equal(ensemble.values[:3, :, 0], values)
    assert (ensemble.values[3, :2, 0].tolist(), ensemble.lengths.tolist()) == ([9.0, 8.0], [4, 4, 4, 2])
    assert ensemble.inputs["drag"].tolist() == [0.1, 0.2, 0.3, 0.4]
