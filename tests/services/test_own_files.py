"""README, "Your own files": from files of another program to a forecast and back, by the commands that stand there.

In this process, which imports Keras once; only networks of a combination learn in processes of their own.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sim2seq import cli

RUNS, STEPS = 20, 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with runs.nc: damped oscillators of different masses, drags and beginnings."""
    place, generator = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    mass, drag, phase = generator.uniform((1, 0.02, 0), (2, 0.1, 1), (RUNS, 3)).T
    time = np.arange(STEPS) * 0.2
    place_of = np.exp(-drag[:, None] * time) * np.cos(time / np.sqrt(mass)[:, None] + phase[:, None])
    series = {"x": (("run", "time"), place_of), "v": (("run", "time"), np.gradient(place_of, 0.2, axis=1))}
    given = {"mass": ("run", mass), "drag": ("run", drag)}
    xr.Dataset(series | given, {"time": time}).to_netcdf(place / "runs.nc", engine="h5netcdf")
    first = pd.DataFrame({"time": time[:30], "x": place_of[0, :30], "v": series["v"][1][0, :30]})
    first.to_csv(place / "first_steps.csv", index=False)
    return place


@pytest.fixture
def sim2seq(folder, monkeypatch, capfd):
    """Runs a command in the folder and gives what it printed."""
    monkeypatch.chdir(folder)

    def said(words: str) -> str:
        assert cli.main(words.split()) == 0, capfd.readouterr()
        return "".join(capfd.readouterr())

    return said


def test_files_of_another_program_become_a_forecast(folder, sim2seq):
    assert "20 runs" in sim2seq("import store.sqlite runs.nc --dry-run")
    assert not (folder / "store.sqlite").exists()
    assert "next: sim2seq train store.sqlite inputs:" in sim2seq("import store.sqlite runs.nc")
    sim2seq("train store.sqlite inputs:mass,drag --budget 12s --report report.html")
    assert (folder / "report.html").stat().st_size > 1e5
    table = "predict training --initial first_steps.csv --inputs mass=1.2,drag=0.1 --anyway --output forecast.csv"
    assert "skill" in sim2seq(table)
    forecast = pd.read_csv(folder / "forecast.csv")
    assert len(forecast) == STEPS - 30
    assert forecast.select_dtypes("number").notna().all(axis=None)


@pytest.fixture(scope="module")
def imported(folder):
    """The same runs in a store of its own."""
    path = folder / "again.sqlite"
    assert cli.main(["import", str(path), str(folder / "runs.nc")]) == 0
    return path


def test_a_store_goes_back_into_a_file_of_other_programs(folder, imported, sim2seq):
    sim2seq("export again.sqlite --netcdf back.nc")
    with xr.open_dataset(folder / "runs.nc") as ours, xr.open_dataset(folder / "back.nc") as back:
        np.testing.assert_array_equal(np.sort(back["x"].values, axis=0), np.sort(ours["x"].values, axis=0))


def test_inputs_alone_become_a_forecast(folder, imported, sim2seq):
    sim2seq("train again.sqlite window:0 inputs:mass,drag --budget 3s --output from_inputs")
    said = sim2seq("predict from_inputs --inputs mass=1.2,drag=0.1 --anyway --output from_inputs.csv")
    assert "skill" in said
    assert len(pd.read_csv(folder / "from_inputs.csv")) == STEPS
