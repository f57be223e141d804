"""A store that cannot be made is said before the first simulation."""

import os
import sqlite3

import pytest

from sim2seq.workflow.checks import stores

CREATES = 'set -e\npython "$(SPECROOT)/create_store.py" ensembles_output.sqlite\n'


def spec_of(cmd: str, database=stores.NONE) -> dict:
    return {"study": [{"name": "create", "run": {"cmd": cmd}}], "env": {"variables": {"DATABASE": database}}}


@pytest.mark.parametrize("cmd", [CREATES, "sim2seq create ensembles_output.sqlite"])
def test_place_that_sqlite_cannot_write_to_is_refused(tmp_path, monkeypatch, cmd):
    assert list(stores.store_problems(spec_of(cmd), str(tmp_path / "out"))) == []
    assert os.listdir(tmp_path) == []

    def locked(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite3, "connect", locked)
    assert list(stores.store_problems(spec_of("echo create_store.py"), str(tmp_path))) == []
    (line,) = stores.store_problems(spec_of(cmd), str(tmp_path))
    assert line == f"the store cannot be made: SQLite cannot write below {tmp_path}: database is locked"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a file with the URL of its database"),
        ("mariadb+pymysql://me:pw@127.0.0.1:1/runs\n", "cannot connect"),
        ("sqlite:///runs.sqlite\n", "expected one line mariadb+pymysql://"),
    ],
)
def test_database_that_cannot_be_reached_is_refused(tmp_path, content, words):
    pytest.importorskip("pymysql")
    path = tmp_path / "runs.url"
    if content:
        path.touch(0o600)
        path.write_text(content)
    (line,) = stores.store_problems(spec_of(CREATES, str(path)), str(tmp_path))
    assert line.startswith("the store cannot be made: ")
    assert words in line
    assert "pw" not in line
    (line,) = stores.store_problems(spec_of(CREATES, "runs.url"), str(tmp_path))
    assert "expected the whole path of a file" in line
