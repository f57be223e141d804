"""Inputs of imported runs: from the names of their files, and from tables beside them by the number of a run."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from foreign import imported

from sim2seq.data.foreign.reading import Reading
from sim2seq.store import imports, store


def test_values_in_the_names_of_files_are_inputs(tmp_path):
    for k, mode in ((0.5, "fast"), (-2e-3, "slow")):
        (tmp_path / f"k={k}_n_ball=3_mode={mode}.csv").write_text("t,x\n0,1\n1,2\n")
    (tmp_path / "inputs.csv").write_text("run,n_ball\nk_0.5_n_ball_3_mode_fast,4\nk_-0.002_n_ball_3_mode_slow,5\n")
    files = sorted(tmp_path.glob("k*.csv"))
    assert imported(tmp_path / "s.sqlite", *files, rename={"k": "stiffness"}) == {"added": 2}
    given = store.load(tmp_path / "s.sqlite").inputs
    assert {name: values.tolist() for name, values in given.items()} == {"stiffness": [0.5, -0.002], "n_ball": [3, 3]}
    table = {"inputs": tmp_path / "inputs.csv", "replace": True}
    assert imports.import_files(tmp_path / "s.sqlite", files, Reading(), **table).counts == {"replaced": 2}
    assert store.load(tmp_path / "s.sqlite").inputs["n_ball"].tolist() == [4, 5]


@pytest.mark.parametrize("name", ["run", "Case", "id", "sim_id", "seed"])
def test_the_number_of_a_run_in_the_name_of_a_file_is_no_input(tmp_path, name):
    """Unless it gets another name: seed=7 may be what a noise was drawn by, which nobody learns from."""
    for number in (1, 2):
        (tmp_path / f"{name}={number}_k={number / 2}_mode=fast.csv").write_text(f"t,x\n0,1\n1,{number}\n")
    files = sorted(tmp_path.glob("*.csv"))
    assert imported(tmp_path / "s.sqlite", *files) == {"added": 2}
    assert list(store.load(tmp_path / "s.sqlite").inputs) == ["k"]
    assert imported(tmp_path / "renamed.sqlite", *files, rename={name: "batch"}) == {"added": 2}
    assert store.load(tmp_path / "renamed.sqlite").inputs["batch"].tolist() == [1, 2]


@pytest.mark.usefixtures("everything_stays")
def test_values_in_names_without_a_suffix_are_whole(tmp_path):
    pytest.importorskip("zarr")
    for value in (0.5, 1.5):
        xr.Dataset({"x": ("t", [value, 2.0])}, {"t": [0.0, 1.0]}).to_zarr(tmp_path / f"T={value}")
        assert imported(tmp_path / "s.sqlite", tmp_path / f"T={value}") == {"added": 1}
    ensemble = store.load(tmp_path / "s.sqlite")
    assert (ensemble.run_ids, ensemble.inputs["T"].tolist()) == (("T_0.5", "T_1.5"), [0.5, 1.5])


@pytest.mark.parametrize("written", ["001,1.5\n1,2.5\n02,3.5\n", "2,3.5\n001,1.5\n1,2.5\n"])
def test_runs_of_one_number_are_told_apart_as_they_are_written(tmp_path, written):
    files = [tmp_path / f"{name}.csv" for name in ("001", "1", "002")]
    for file in files:
        file.write_text("t,x\n0,1\n1,2\n")
    (tmp_path / "inputs").write_text("nr,mass\n" + written)
    set_at = [(t, *line.split(",")) for t in (0, 1) for line in written.split()]
    (tmp_path / "valve").write_text("t,valve,run\n" + "".join(f"{t},{value},{run}\n" for t, run, value in set_at))
    beside = {"inputs": tmp_path / "inputs", "controls": tmp_path / "valve"}
    done = imports.import_files(tmp_path / "s.sqlite", files, Reading(), **beside)
    assert (done.counts, [line for line in done.lines if "passed" in line]) == ({"added": 3}, [])
    ensemble = store.load(tmp_path / "s.sqlite", runs=["001", "1", "002"], features=["valve"])
    assert ensemble.inputs["mass"].tolist() == [1.5, 2.5, 3.5]
    assert ensemble.values[:, 1, 0].tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize("kind", ["nc", "csv", "parts"])
def test_inputs_in_the_name_of_a_file_are_of_all_its_runs(tmp_path, kind):
    for k in (1, 2):
        frame = pd.DataFrame({"run": [f"a{k}"] * 4 + [f"b{k}"] * 4, "t": [*range(4)] * 2, "x": np.arange(8.0)})
        if kind == "nc":
            frame.set_index(["run", "t"]).to_xarray().to_netcdf(tmp_path / f"k={k}.nc")
        elif kind == "csv":
            frame.to_csv(tmp_path / f"k={k}.csv", index=False)
        else:  # of which each has a part of each run: what the parts say in different ways is no input of a run
            frame.iloc[::2].to_csv(tmp_path / f"k={k}_part=1.csv", index=False)
            frame.iloc[1::2].to_csv(tmp_path / f"k={k}_part=2.csv", index=False)
    assert imported(tmp_path / "s.sqlite", *sorted(tmp_path.glob("k=*"))) == {"added": 4}
    inputs = store.load(tmp_path / "s.sqlite", runs=["a1", "b1", "a2", "b2"]).inputs
    assert {name: column.tolist() for name, column in inputs.items()} == {"k": [1, 1, 2, 2]}
