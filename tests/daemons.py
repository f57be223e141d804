"""Real daemons for the tests: found system-wide, or fetched from Debian into .services/; never installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

from sim2seq._support.guard import Guarded

HERE = Path(__file__).parent
PRIVATE = HERE.parent / ".services"
SERVICES = {  # the folder in .services/: Debian's packages, the programs in them
    "redis": ("redis-server", "redis-server redis-cli"),
    "rabbitmq": ("rabbitmq-server", "rabbitmq-server rabbitmqctl epmd"),
    "mariadb": ("mariadb-server", "mariadbd mariadb mariadb-install-db mariadb-admin"),
    "slurm": (
        "slurmctld slurmd slurm-client munge",
        "slurmctld slurmd slurmstepd munged mungekey srun sbatch scancel sinfo squeue scontrol",
    ),
    "faketime": ("faketime", "faketime libfaketime.so.1"),
    "openssl": ("openssl", "openssl"),
}
# RabbitMQ's own folder first: its commands in usr/sbin change the user
FOLDERS = ("usr/lib/rabbitmq/bin", "usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/*-linux-gnu/faketime")


def program(name: str) -> Path:
    """The file of a daemon, a tool or a library; fetched if need be. Skips the test if there is none."""
    system = _below(Path("/"), name) or shutil.which(name)
    if system:
        return Path(system)
    service, packages = next((key, value[0]) for key, value in SERVICES.items() if name in value[1].split())
    problem = _fetch(service, packages)
    private = _below(PRIVATE / service, name)
    if not private:
        pytest.skip(f"{name} is not installed and was not fetched: {problem or f'it is not in {packages}'}")
    return private


def _below(root: Path, name: str) -> Path | None:
    names = (name, f"{name}-wlm")  # slurmd-wlm: Debian's install script would link it
    return next((file for one in names for folder in FOLDERS for file in root.glob(f"{folder}/{one}")), None)


@cache
def _fetch(service: str, packages: str) -> str:
    """Why the packages could not be unpacked; empty if they are there."""
    command = ["bash", HERE / "daemons.sh", PRIVATE / service, *packages.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = done.stderr.strip() or f"daemons.sh ended with exit code {done.returncode}"
    return words.splitlines()[-1] if done.returncode else ""


def environment() -> dict[str, str]:
    """This process's environment, with the programs and libraries below .services/ after the system's own."""
    unpacked = [mark.parent for mark in sorted(PRIVATE.glob("*/unpacked"))]
    programs = [str(root / folder) for root in unpacked for folder in FOLDERS if (root / folder).is_dir()]
    libraries = {str(file.parent) for root in unpacked for file in root.glob("**/lib*.so*")}
    paths = {"PATH": [os.environ.get("PATH", os.defpath), *programs]}
    paths["LD_LIBRARY_PATH"] = [*filter(None, [os.environ.get("LD_LIBRARY_PATH")]), *sorted(libraries)]
    return os.environ | {name: os.pathsep.join(places) for name, places in paths.items() if places}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(command, answers, *, folder: Path, env: dict[str, str] | None = None, seconds: float = 60.0):
    """`command` under a guard in `folder`, from when `answers()` is true to the end of the block; gives the guard.

    Its output goes to `folder`/daemon.log. Raises AssertionError with the log's end if it stops or does not answer.
    """
    log = folder / "daemon.log"
    with log.open("wb") as output:
        words = [str(word) for word in command]
        guarded = Guarded(words, output=output, cwd=str(folder), env=env or environment())
    try:
        deadline = time.monotonic() + seconds
        while not answers():
            alive = guarded.poll() is None and time.monotonic() < deadline
            assert alive, f"{words[0]} does not answer: {log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.05)
        yield guarded
    finally:
        guarded.stop()
