"""One study, one orchestrator: locks between processes and users."""

import os
from pathlib import Path

import pytest

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
                rounds._open_lock(str(lock))
        else:
            with rounds._locked(str(lock), wait=True) as held:
                assert held
    finally:
        os.seteuid(0)
