"""One study, one orchestrator: locks between processes and users."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from sim2seq._support import locks
from sim2seq.workflow import rounds


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_lock_of_another_user(tmp_path, monkeypatch, mode):
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    lock = Path(".sim2seq.lock")
    lock.touch()
    lock.chmod(mode)
    os.seteuid(65534)
    try:
        if mode == 0o600:
            with pytest.raises(rounds.Refused, match="another user"):
                rounds._locked(str(lock)).__enter__()
        else:
            with rounds._locked(str(lock)) as held:
                assert held
    finally:
        os.seteuid(0)


def test_a_place_without_locks_is_refused_in_one_line(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.raises(rounds.Refused, match=r"\.lock: no lock on this file system \(No locks available\): choose"):
        rounds.study_lock(str(tmp_path)).__enter__()


def test_who_waits_for_another_process_says_so_first(tmp_path):
    said, released = [], contextlib.ExitStack()
    released.enter_context(rounds.study_lock(str(tmp_path)))

    def wait():
        said.append("waiting")
        released.close()

    with rounds._locked(str(tmp_path / ".sim2seq.lock"), wait=wait) as held:
        assert (held, said) == (True, ["waiting"])
