"""An SQLite store without runs and a file to import, for the tests of this room."""

import shutil

import pytest

from sim2seq.store import store

pytest.register_assert_rewrite("store_laws", "store_sql_laws")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    assert store.create(path) is True
    return path


@pytest.fixture
def sqlite_store(empty_store, tmp_path):
    return shutil.copy(empty_store, tmp_path / "store.sqlite")


@pytest.fixture
def counting(tmp_path):
    """The counting dummy as a NetCDF file."""
    from helpers import counting_ensemble  # Keras comes with it

    counting_ensemble().to_xarray().to_netcdf(tmp_path / "runs.nc")
    return tmp_path / "runs.nc"


@pytest.fixture
def everything_stays(monkeypatch):
    """Files of any size are left where they are, and the store keeps their place."""
    from sim2seq.data.foreign import runs as foreign

    monkeypatch.setattr(foreign, "STAYS", 0)
