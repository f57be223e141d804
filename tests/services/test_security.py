"""Nobody else gets in: modes of files and folders, what another user may reach, what pickle may run, what is shown."""

import contextlib
import json
import os
import pickle
import socket
import stat
import tempfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers import Trap

from sim2seq import ranking
from sim2seq._support import permissions
from sim2seq.evaluation.scores import Scores
from sim2seq.report import report
from sim2seq.report.figures import Picture, forecast_with_band
from sim2seq.workflow import broker, messages
from sim2seq.workflow.broker import Broker

NOBODY = 65534
HOSTILE = "<script>alert(1)</script>"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def running():
    """A private broker, started with a umask that forbids nothing."""
    before = os.umask(0)
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(Broker())
        finally:
            os.umask(before)
        yield started


def as_nobody(attempt) -> str:
    """What `attempt()` raises in a process of another user, by name; "nothing" where it goes through."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        said = "nothing"
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            attempt()
        except BaseException as error:
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as file:
        return file.read()


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


# the broker


def test_nobody_else_enters_the_brokers_folder_under_any_umask(running):
    assert mode(running.folder) == 0o700
    files = {name: mode(os.path.join(running.folder, name)) for name in os.listdir(running.folder)}
    assert files.keys() >= {"app.yaml", "encryption_key", "broker.log", "broker.sock"}
    assert not any(each & 0o077 for each in files.values()), files


@as_root
def test_another_user_reaches_neither_the_broker_nor_its_secrets(running):
    inside = [os.path.join(running.folder, name) for name in ("app.yaml", "encryption_key")]
    attempts = [lambda: socket.socket(socket.AF_UNIX).connect(running.socket), lambda: os.listdir(running.folder)]
    attempts += [lambda path=path: os.open(path, os.O_RDONLY) for path in inside]
    attempts += [lambda: os.rename(running.folder, running.folder + "-mine"), lambda: os.rmdir(running.folder)]
    assert [as_nobody(attempt) for attempt in attempts] == ["PermissionError"] * 6
    assert as_nobody(lambda: os.listdir("/")) == "nothing"


def test_the_broker_opens_no_port(running):
    servers = running.guarded.members()
    assert [each.name() for each in servers] == ["valkey-server"]
    assert not any(each.net_connections("inet") for each in servers)


def test_secrets_stand_in_no_command_line(running):
    key = Path(running.folder, "encryption_key").read_text()
    lines = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert any(running.socket in line for line in lines)
    assert not any(key in line for line in lines)


@pytest.mark.parametrize("put", [os.mkdir, lambda path: os.symlink(os.path.dirname(path), path)])
def test_what_is_in_the_brokers_place_is_refused_and_left_alone(tmp_path, monkeypatch, put):
    """A folder, a link."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(broker.secrets, "token_hex", lambda _: "known")
    (tmp_path / "theirs").touch()
    put(str(tmp_path / "sim2seq-known"))
    with pytest.raises(OSError, match="something is in the place of the broker's folder"):
        Broker().__enter__()
    assert sorted(os.listdir(tmp_path)) == ["sim2seq-known", "theirs"]


@pytest.fixture
def short_path():
    """A folder with a path that leaves room for a socket's name; several workers' folders do not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_the_broker_avoids_folders_whose_entries_others_may_swap(short_path, monkeypatch):
    below = short_path / "open" / "mine"
    below.mkdir(parents=True)
    assert permissions.weak_spot(below) is None
    below.parent.chmod(0o777)
    assert permissions.weak_spot(below) == str(below.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(below))
    assert not Broker().folder.startswith(str(short_path))
    swappable = {str(below): "here", "/tmp": "there"}  # as in some containers
    with monkeypatch.context() as patch:
        patch.setattr(permissions, "weak_spot", swappable.get)
        patch.setenv("HOME", str(short_path))
        assert os.path.dirname(Broker().folder) == str(short_path)
    below.parent.chmod(0o1777)  # sticky, as /tmp is
    assert permissions.weak_spot(below) is None
    monkeypatch.setattr(permissions, "weak_spot", str)
    with pytest.raises(OSError, match="set TMPDIR to one of your own"):
        Broker()


@as_root
def test_a_folder_of_somebody_else_is_a_weak_spot(short_path):
    below = short_path / "theirs"
    below.mkdir()
    assert permissions.weak_spot(below) is None
    os.chown(below, 1234, 1234)
    assert permissions.weak_spot(below) == str(below)


def test_what_a_study_writes_is_never_writable_for_everybody(tmp_path):
    """Whoever may change the script of a task runs code as whoever runs the task."""
    before = os.umask(0)
    try:
        permissions.keep_others_from_writing()
        (tmp_path / "task.sh").touch()
        assert mode(tmp_path / "task.sh") == 0o664
        os.umask(0o077)
        permissions.keep_others_from_writing()
        (tmp_path / "private.sh").touch()
        assert mode(tmp_path / "private.sh") == 0o600
    finally:
        os.umask(before)


# the graph, which is pickle


def test_only_the_graph_that_the_message_names_is_unpickled(tmp_path, trap):
    content = pickle.dumps({"study_name": "tiny"})
    path = tmp_path / messages._file_name(content)
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ValueError, match="damaged"):
        messages.load_graph(str(path))


def test_a_private_file_is_new_and_follows_no_link(tmp_path):
    before = os.umask(0)
    try:
        permissions.write(str(tmp_path / "key"), b"secret")
    finally:
        os.umask(before)
    assert mode(tmp_path / "key") == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("key", "link"):
        with pytest.raises(FileExistsError):
            permissions.write(str(tmp_path / name), b"other")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert not (tmp_path / "elsewhere").exists()


# arrays of samples


def test_pickled_objects_in_samples_are_refused(tmp_path, trap):
    """Merlin itself would unpickle them: it reads samples with allow_pickle=True."""
    from merlin.spec import specification as merlin_specification
    from merlin.study import study as merlin_study

    path = tmp_path / "grid.npy"
    np.save(path, np.array([[Trap(trap), "window:5"]]), allow_pickle=True)
    with pytest.raises(ValueError, match="expected an array"):
        merlin_study.load_array_file(str(path))
    with pytest.raises(ValueError, match="allow_pickle"):
        ranking.missing_points([], path)
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ValueError, match="expected an array"):
        merlin_specification.load_array_file(str(path))
    np.save(path, np.array([["point", "window:5"]]))
    assert merlin_study.load_array_file(str(path)).tolist() == [["point", "window:5"]]


# the report


class Tags(HTMLParser):
    """The names of a page's tags, and of their attributes."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_names_in_a_report_are_text_and_no_environment_is_in_it(tiny_training, tmp_path, monkeypatch):
    blank = {name: (Picture(), text) for name, text in report.CAPTIONS.items()}
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cret-of-this-test")
    training, ensemble = tiny_training
    text = json.dumps(training.scores.to_json()).replace(f'"{ensemble.features[0]}"', json.dumps(HOSTILE))
    scores = Scores.of(json.loads(text))
    inputs = {f'"><img src=x onerror={name}>': column for name, column in ensemble.inputs.items()}
    hostile = replace(ensemble, features=(HOSTILE, *ensemble.features[1:]), inputs=inputs)
    check = dict.fromkeys(("name", "forecast", "truth", "unit", "note"), HOSTILE) | {"holds": False}
    missing = {"expected": 3, "stored": 1, "missing": [HOSTILE, "<b>"], "allowed": 0.0}
    changed = replace(training, scores=scores, versions={HOSTILE: HOSTILE})
    options = {"title": HOSTILE, "checks": [check], "drawn": blank}
    html = report.write_report(tmp_path / "report.html", hostile, changed, missing, **options).read_text()
    page = Tags(html)
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert html.count("&lt;script&gt;") > 8
    assert "s3cret-of-this-test" not in html


def test_names_are_drawn_as_they_are(tmp_path):
    """A dollar sign begins a formula for matplotlib, and a wrong formula is an error."""
    names = {"features": (r"$\frac$", HOSTILE), "units": ("$x", "m$")}
    figure = forecast_with_band(*[np.zeros((5, 2))] * 4, **names, level=0.9)
    figure.savefig(tmp_path / "figure.svg")
    assert "<script" not in (tmp_path / "figure.svg").read_text()
