"""Locks between processes, held by a file; the system frees them when a process ends in whatever way."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LOCK = ".lock"  # in a folder that one process holds


class NoLock(ValueError):
    """A place where no process can hold anything."""


@contextlib.contextmanager
def locked(path, *, wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Whether this process holds the lock; where another one does, it calls `wait`, if there is one, and waits.

    Raises NoLock, in one line, for a file of somebody else and on a file system without locks.
    """
    file, held = _acquired(path, wait)
    with file:
        yield held


@contextlib.contextmanager
def alone_in(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a folder, which is made if it is not there, as long as this lasts.

    While another process holds it, `tell` is given a line and this one waits: a task of a cluster that is delivered a
    second time then finds the work done. Where nothing can be held nobody waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(NoLock):
            words = f"{folder}: another process is at work there; waiting for it to end"
            stack.enter_context(locked(folder / LOCK, wait=lambda: tell(words)))
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)  # whoever has opened it meanwhile opens it again


def _acquired(path, wait: Callable[[], None] | None) -> tuple[IO, bool]:
    """The open file, and whether this process holds it: the one that stands there, not one that was removed since."""
    while True:
        file, held = os.fdopen(_opened(path)), True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = wait is not None
            if wait:
                wait()
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            file.close()
            raise NoLock(f"{path}: no lock on this file system ({error.strerror})") from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file, held
        file.close()


def _opened(path) -> int:
    """Open the lock file, or make it. Another user's is not writable, but reading is enough for a lock."""
    for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # NFS wants writing; a sticky folder no O_CREAT
        with contextlib.suppress(FileNotFoundError, PermissionError):
            return os.open(path, flags, 0o644)
    raise NoLock(f"{path}: cannot be opened, another user holds this place")
