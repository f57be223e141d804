"""Ask the workers of one allocation on this node to end, as Ctrl-C does, and nobody else.

    python -m sim2seq._support.allocation NAME

NAME is the environment variable in which the batch system says whose allocation a process belongs to. The first call
lets the workers finish what they are at, the second makes them put it back into the queue. A signal to all processes
of a job step is no way to do that: it would reach a simulation under `timeout`, which hears what it should ignore, and
the worker would count it as failed.
"""

import contextlib
import os
import signal
import sys

import psutil


def workers(name: str) -> list[psutil.Process]:
    """Celery's processes on this node whose variable `name` has the value that it has here."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it ended, or is another user's
            words = process.cmdline()
            celery = {"worker", "-Q"} <= set(words) and "celery" in map(os.path.basename, words[:2])
            if celery and process.environ().get(name) == os.environ[name]:
                found.append(process)
    return found


def main() -> None:
    for process in workers(sys.argv[1]):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)  # the child processes of a worker ignore it


if __name__ == "__main__":
    main()
