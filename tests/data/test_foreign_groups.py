"""Runs and inputs in groups of HDF5, NetCDF, Zarr and DataTree, and what else stands there."""

from contextlib import nullcontext

import h5py
import numpy as np
import pytest
import xarray as xr
from foreign import FIRST, TIMES, VALUES, as_matlab_writes, dataset, read

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import open_arrays
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError

T = np.arange(5) / 4


def test_matlabs_structs_are_groups(tmp_path):
    as_matlab_writes(tmp_path / "a.mat", {"r1/t": T, "r1/x": T + 1, "r1/mass": 2, "r2/t": T, "r2/x": T, "r2/mass": 3})
    runs = read(tmp_path / "a.mat")
    assert {run.id: (run.series["x"], run.data) for run in runs.values()} == {
        "r1": ((T + 1).tolist(), {"mass": 2}),
        "r2": (T.tolist(), {"mass": 3}),
    }


def test_inputs_in_a_group_beside_the_arrays_are_inputs(tmp_path):
    zarr = pytest.importorskip("zarr")
    x, mass, force = np.outer([1.0, 2, 3], T), np.array([4.0, 5, 6]), T + 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["t"], file["inputs/mass"], file["inputs/force"] = x, T, mass, force
        file["inputs"].attrs.update({"dt": 0.25, "solver": "exact"})
        file["inputs/mass"].attrs["units"] = "kg"
    root = xr.Dataset({"x": (("run", "time"), x)}, {"time": T})
    inputs = xr.Dataset({"mass": ("run", mass, {"units": "kg"}), "force": ("time", force)})
    tree = xr.DataTree.from_dict({"/": root, "/inputs": inputs.assign_attrs(dt=0.25, solver="exact")})
    assert Ensemble.from_xarray(tree).inputs["mass"].tolist() == mass.tolist()
    tree.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    tree.to_zarr(tmp_path / "a.zarr", consolidated=False)
    bare = zarr.open_group(str(tmp_path / "b.zarr"), mode="w")
    for name, each in {"x": x, "t": T, "inputs/mass": mass, "inputs/force": force}.items():
        bare[name] = each
    bare["inputs"].attrs.update({"dt": 0.25, "solver": "exact"})
    bare["inputs/mass"].attrs["units"] = "kg"
    for path in tmp_path.iterdir():
        runs = list(read(path, rename={"mass": "weight"}).values())
        assert [run.series["x"] for run in runs] == x.tolist()
        assert [run.series["force"] for run in runs] == [force.tolist()] * 3
        assert [run.data for run in runs] == [{"weight": each, "dt": 0.25, "solver": "exact"} for each in (4, 5, 6)]
        assert runs[0].units.get("weight") == "kg"


def test_inputs_beside_the_group_of_the_arrays_are_inputs(tmp_path):
    x, mass = np.outer([1.0, 2, 3], T), np.array([4.0, 5, 6])
    with h5py.File(tmp_path / "a.h5", "w") as file, h5py.File(tmp_path / "b.h5", "w") as one:
        file["outputs/x"], file["outputs/t"], file["inputs/mass"] = x, T, mass
        one["outputs/x"], one["outputs/t"], one["inputs/box"] = x.T, T, mass
    for options in ({}, {"group": "outputs"}):
        runs = read(tmp_path / "a.h5", **options)
        assert {run.id: (run.series["x"], run.data) for run in runs.values()} == {
            f"a_{place}": (x[place].tolist(), {"mass": mass[place]}) for place in range(3)
        }
    (run,) = read(tmp_path / "b.h5").values()
    assert [run.series[f"x[{place}]"] for place in range(3)] == x.tolist()


def test_groups_of_runs_beside_one_of_inputs_are_no_single_run(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for run in range(3):
            file[f"run_{run}/t"], file[f"run_{run}/x"] = T, run + T
        file.create_group("params").attrs["dt"] = 0.1
    with pytest.raises(RecordError, match="groups of equal arrays beside params: --group NAME reads one"):
        read(tmp_path / "a.h5")
    (run,) = read(tmp_path / "a.h5", group="run_1").values()
    assert run.series["x"] == (1 + T).tolist()


def test_a_file_of_one_run_has_inputs_in_a_group_of_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["x"], file["params/mass"] = T, T + 1, 2.0
        file["params"].attrs["drag"], file["params/shape/size"] = 0.5, 3.0
    (run,) = read(tmp_path / "a.h5").values()
    assert (run.series, run.data) == ({"time": T.tolist(), "x": (T + 1).tolist()}, {"mass": 2, "drag": 0.5, "size": 3})


@pytest.mark.parametrize("widths", [(2, 3), (3, 2)])
def test_groups_whose_series_differ_in_shape_are_refused(tmp_path, widths):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for run, width in enumerate(widths):
            file[f"r{run}/t"], file[f"r{run}/u"], file[f"r{run}/v"] = T, np.ones((5, width)), np.ones((5, width))
    words = rf"a.h5: group '/r1' has 'u' of shape \({widths[1]},\) at a step, the first one of \({widths[0]},\)"
    with pytest.raises(RecordError, match=words):
        read(tmp_path / "a.h5")


def test_groups_in_other_units_make_no_ensemble():
    runs = {f"r{n}": xr.Dataset({"x": ("t", T, {"units": unit})}, {"t": T}) for n, unit in enumerate(("m", "mm"))}
    with pytest.raises(RecordError, match="run r1 has x in 'mm', another run in 'm'"):
        Ensemble.from_xarray(xr.DataTree.from_dict(runs))
    runs["r1"]["x"].attrs["units"] = "m"
    assert Ensemble.from_xarray(xr.DataTree.from_dict(runs)).units == {"x": "m"}


def bare_group(path, kind):
    """An open file of groups, of HDF5 or Zarr."""
    if kind == "h5":
        return h5py.File(path, "w")
    return nullcontext(pytest.importorskip("zarr").open_group(str(path), mode="w"))


@pytest.mark.parametrize("kind", ["h5", "zarr"])
def test_a_run_without_arrays_and_a_mesh_are_said(tmp_path, kind):
    with bare_group(tmp_path / f"a.{kind}", kind) as root:
        for run in range(3):
            group = root.create_group(f"runs/run_{run}")
            group.attrs["k"] = float(run)
            for name in ("t", "x") if run != 1 else ():
                group[name] = T + run if name == "x" else T
        root.create_group("runs/mesh")["nodes"] = np.zeros(7)
        root.create_group("made").attrs["by"] = "a solver"
    runs = read(tmp_path / f"a.{kind}")
    assert {name: (run.series["x"], run.data) for name, run in runs.items()} == {
        f"run_{number}": ((T + number).tolist(), {"k": number}) for number in (0, 2)
    }
    passed_by = open_arrays(str(tmp_path / f"a.{kind}"), Reading()).passed_by
    assert sorted(passed_by) == ["made (no arrays)", "mesh", "run_1 (no arrays)"]


@pytest.mark.parametrize("kind", ["h5", "zarr"])
def test_the_only_run_that_did_not_crash_tells_the_others(tmp_path, kind):
    with bare_group(tmp_path / f"a.{kind}", kind) as root:
        root.create_group("run_0")
        root.create_group("run_1")["t"] = T
        root["run_1"]["x"] = T
    assert open_arrays(str(tmp_path / f"a.{kind}"), Reading()).passed_by == ["run_0 (no arrays)"]


@pytest.mark.parametrize("kind", ["h5", "zarr"])
def test_a_mesh_beside_series_is_no_run(tmp_path, kind):
    with bare_group(tmp_path / f"a.{kind}", kind) as root:
        root["t"], root["x"], root.create_group("mesh")["nodes"] = T, T + 1, np.zeros(7)
    (run,) = read(tmp_path / f"a.{kind}").values()
    assert (run.id, run.series) == ("a", {"time": T.tolist(), "x": (T + 1).tolist()})
    assert open_arrays(str(tmp_path / f"a.{kind}"), Reading()).passed_by == ["mesh"]


def test_two_kinds_of_groups_are_asked_about(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(2):
            file[f"run_{number}/x"], file[f"mesh_{number}/nodes"] = T, T
    with pytest.raises(RecordError, match="which of the groups /mesh_0, /mesh_1, /run_0, /run_1 holds the runs"):
        read(tmp_path / "a.h5")


def test_inputs_in_groups_of_a_run_are_read_in_every_kind(tmp_path):
    pytest.importorskip("zarr")
    groups = {}
    for run in range(2):
        groups[f"/run_{run}/outputs"] = xr.Dataset({"x": ("time", run + T)}, {"time": T})
        groups[f"/run_{run}/inputs"] = xr.Dataset({"mass": ((), float(run))}, attrs={"drag": 0.5})
        groups[f"/run_{run}/inputs/shape"] = xr.Dataset({"size": ((), 3.0), "table": ("cell", [1.0, 2])})
    tree = xr.DataTree.from_dict(groups)
    tree.to_zarr(tmp_path / "a.zarr", consolidated=False)
    tree.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for path in (tmp_path / "a.zarr", tmp_path / "a.nc"):
        runs = read(path)
        assert {name: run.data for name, run in runs.items()} == {
            f"run_{run}": {"mass": run, "drag": 0.5, "size": 3} for run in range(2)
        }
    inputs = {name: each.tolist() for name, each in Ensemble.from_xarray(tree).inputs.items()}
    assert inputs == {"mass": [0, 1], "drag": [0.5, 0.5], "size": [3, 3]}
    assert Ensemble.from_xarray(tree["run_1"]).inputs["mass"].tolist() == [1]


def grouped(path):
    """A group a run, with unequal lengths, inputs as attributes and a unit."""
    with h5py.File(path, "w") as file:
        for number, length in ((2, 5), (10, 6)):
            group = file.create_group(f"runs/run_{number}")
            group.attrs.update({"mass": 1.5 * number, "label": f"case {number}"})
            group["x"] = VALUES[0, :length, 0]
            group["x"].attrs["units"] = "m"
            group["velocity"] = VALUES[0, :length, :2]
            group["time"] = TIMES[:length]
            group["time"].attrs["units"] = "ms"


def test_one_group_a_run_with_its_inputs_as_attributes(tmp_path):
    grouped(tmp_path / "a.h5")
    runs = read(tmp_path / "a.h5")
    assert {run.id: run.data for run in runs.values()} == {
        "run_2": {"mass": 3, "label": "case 2"},
        "run_10": {"mass": 15, "label": "case 10"},
    }
    assert list(runs["run_2"].series) == ["time", "velocity[0]", "velocity[1]", "x"]
    assert runs["run_2"].series["x"] == FIRST[:5]
    assert runs["run_10"].series["time"] == TIMES.tolist()
    assert runs["run_2"].units == {"x": "m", "time": "ms"}


def test_one_group_a_run_in_netcdf_and_zarr(tmp_path):
    pytest.importorskip("zarr")
    tree = xr.DataTree.from_dict({f"/run_{n}": dataset().isel(member=n, drop=True) for n in range(3)})
    tree.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    tree.to_zarr(tmp_path / "a.zarr", consolidated=False)
    for runs in (read(tmp_path / "a.nc"), read(tmp_path / "a.zarr")):
        assert list(runs) == ["run_0", "run_1", "run_2"]
        assert runs["run_2"].series["x"] == VALUES[2, :, 0].tolist()
        assert runs["run_2"].data == {"mass": 2}
    assert Ensemble.from_xarray(tree).run_ids == ("run_0", "run_1", "run_2")


def test_a_group_that_holds_the_arrays_can_be_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["result/x"], file["result/t"], file["mesh/nodes"] = VALUES[..., 0], TIMES, np.zeros(7)
    with pytest.raises(RecordError, match=r"which of the groups /mesh, /result holds the runs\? --group NAME says it"):
        read(tmp_path / "a.h5")
    with pytest.raises(RecordError, match="no group 'none': it has mesh, result"):
        read(tmp_path / "a.h5", group="none")
    assert read(tmp_path / "a.h5", group="result", dims=("run", "time"))["a_0"].series["x"] == FIRST
