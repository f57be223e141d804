"""Places that cannot be written to: a file system without room, a file that can only be read."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from suite import Unavailable


@contextlib.contextmanager
def mounted(folder: Path, *options: str):
    """A mount on `folder`. Raises Unavailable where this user may not mount."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        for _ in range(50):  # a process that ends still holds it for a moment
            if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)


def unwritable(file: Path):
    """The file can only be read; for root, who may write anywhere, by a mount."""
    return _bound_read_only(file) if os.geteuid() == 0 else _without_permission(file)


@contextlib.contextmanager
def _bound_read_only(file: Path):
    with mounted(file, "--bind", str(file)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(file)], check=True)
        yield


@contextlib.contextmanager
def _without_permission(file: Path):
    mode = file.stat().st_mode
    file.chmod(0o400)
    try:
        yield
    finally:
        file.chmod(mode)


def used(folder: Path) -> int:
    """Bytes in use on the folder's file system."""
    system = os.statvfs(folder)
    return (system.f_blocks - system.f_bfree) * system.f_frsize


def resize(folder: Path, size: int) -> None:
    """Give the tmpfs on `folder` another size in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
