"""The Merlin processes of a round, and the study's workers, which are replaced when they die."""

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path

import psutil

from sim2seq._support.files import last_lines
from sim2seq._support.guard import GRACE, Guarded, runs
from sim2seq.workflow import nested
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.tasks import WORKERS_LOG

CLIENT_LOG = "merlin_client.log"
MERLIN = [sys.executable, "-c", "from sim2seq.workflow.messages import merlin; merlin()"]
PATIENCE = 3  # rounds in a row that bring nothing
LAST_LINES = 6  # of the workers' log
MOST_FRUITLESS = 6  # replacements in a row during which no task ended
MOST_UNREADY = 2  # starts in a row after which not every worker came as far as to be ready
MOST_RESPAWNS = 3  # looks at which workers had replaced processes while no task ended: a task that kills its own


class Processes:
    """The Merlin processes of a round, each under a guard with a log below `folder`; a context manager."""

    def __init__(self, cwd: str, folder: str):
        self.cwd, self.folder = cwd, folder
        self.guards: dict[str, Guarded] = {}
        self.logs: dict[str, Path] = {}
        kept = {name: value for name, value in os.environ.items() if name not in (*nested.ADDRESSES, nested.BROKER)}
        self.environment = kept | {"PATH": preflight.search_path(), "TMPDIR": cwd}  # what they leave goes with it
        self.environment |= {"CELERY_LOADER": "sim2seq.workflow.loader:Loader"}
        self.environment |= {"SIM2SEQ_OUTPUT": folder, "SIM2SEQ_FROM": os.getcwd()}

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        for guarded in self.guards.values():
            guarded.release()
        for guarded in self.guards.values():
            guarded.stop()
        for path in self.logs.values():
            if path.name.startswith("."):  # it never came to a study
                path.unlink(missing_ok=True)

    def start(self, command: list[str], log: str) -> Guarded:
        self.logs[log] = self._log_path(log)
        self.logs[log].parent.mkdir(parents=True, exist_ok=True)
        with self.logs[log].open("a+b") as output:  # reading too, or NFS gives no lock to share
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(output, fcntl.LOCK_SH)  # whoever writes there holds it: see wait_for_earlier_processes
            self.guards[log] = Guarded(command, output=output, cwd=self.cwd, env=self.environment)
        return self.guards[log]

    def size_of(self, log: str) -> int:
        """Bytes in a log; 0 before there is one."""
        path = self._log_path(log)
        return path.stat().st_size if path.exists() else 0

    def _log_path(self, log: str) -> Path:
        if os.path.isdir(os.path.join(self.folder, "merlin_info")):
            return Path(self.folder, "logs", log)
        return Path(self.folder, f".sim2seq_{os.getpid()}_{log}")  # there is no study yet

    def settle(self, folder: str) -> None:
        """Move the logs into the study's folder, now that there is one."""
        self.folder = folder
        for log, path in self.logs.items():
            self.logs[log] = self._log_path(log)
            self.logs[log].parent.mkdir(exist_ok=True)
            path.rename(self.logs[log])


def wait_for_earlier_processes(folder: str) -> bool:
    """Wait until no process of an earlier session still works on the study; False if some do not end.

    A session that was killed leaves its guards, which need a moment to end its workers. A task of theirs that ended
    after its mark was removed would mark it again, for work that was done before.
    """
    deadline = time.monotonic() + 3 * GRACE
    for name in (CLIENT_LOG, WORKERS_LOG):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, "logs", name), "r+b") as log:
            while not _unused(log):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
    return True


def _unused(log) -> bool:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


class Workers:
    """The study's Celery workers. Each that dies is replaced, with the messages it held, while the study gets on."""

    def __init__(self, command: list[str], expected: int, processes: Processes, broker):
        self.command, self.expected, self.processes, self.broker = command, expected, processes, broker
        self.replaced, self._fruitless, self._respawns, self._unready, self._mark = 0, 0, 0, 0, None
        self._start()

    def _start(self) -> None:
        self.broker.expect_workers()
        self._said_before = self.processes.size_of(WORKERS_LOG)
        self.guarded = self.processes.start(self.command, WORKERS_LOG)
        self._celery: list[psutil.Process] | None = None
        self._children: set[int] = set()

    def dead(self) -> int:
        """How many workers are gone; 0 while Merlin is still starting them."""
        if self._celery is None:
            self._celery = celery_workers(self.guarded)
        return 0 if self._celery is None else max(0, self.expected - sum(map(runs, self._celery)))

    def look_after(self, mark, say) -> str | None:
        """Replace the workers if one died; why that is no use any more, or None. Progress changes `mark`."""
        if mark != self._mark:
            self._mark, self._fruitless, self._respawns = mark, 0, 0
        if self._respawned() > MOST_RESPAWNS:
            return "a task ended the process that ran it, again and again"
        if not (dead := self.dead()):
            return None
        words = f"{dead} of {self.expected} workers died"
        if self._never_began():
            return f"{words} as they began: {self.last_words()}"
        if self._fruitless == MOST_FRUITLESS:
            return f"{words}, and no task ended since they were last replaced: {self.last_words()}"
        say(f"{words}; starting them again ({self.processes.logs[WORKERS_LOG]})")
        self._fruitless += 1
        self.replaced += 1
        self.end()
        give_back(self.broker.socket)
        self._start()
        return None

    def _never_began(self) -> bool:
        """Whether some ended before they were ready, and again: another start would end as the last ones did."""
        self._unready = self._unready + 1 if self.broker.ready() < self.expected else 0
        return self._unready == MOST_UNREADY

    def last_words(self) -> str:
        """The end of what the workers said since they were last started, and where all of it stands."""
        path = self.processes.logs[WORKERS_LOG]
        said = last_lines(path, LAST_LINES, start=self._said_before)
        return "".join(f"\n    | {line}" for line in said) + f"\n    {path}"

    def end(self) -> None:
        """End all workers at once, who are at nothing or will do it again: a warm shutdown takes seconds."""
        for process in self.guarded.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.guarded.stop()

    def history(self) -> str | None:
        """What happened to the workers, in words; None if nothing did."""
        return f"workers died and were replaced, {self.replaced} times" if self.replaced else None

    def _respawned(self) -> int:
        """At how many looks workers had started processes in the place of others, while `mark` stayed the same.

        Celery replaces a process that dies, and hands the task that it had to the next one, for ever.
        """
        children = {child.pid for worker in self._celery or () for child in _children(worker)}
        before, self._children = self._children, children
        self._respawns += bool(before - children and children - before)  # a pool that starts only adds
        return self._respawns


def give_back(socket: str) -> None:
    """Put every message that was handed out back into its queue; only while no worker is connected.

    Celery would do so after the visibility timeout, which has to be longer than any task.
    """
    from kombu import Connection

    with Connection(f"redis+socket://{socket}", transport_options={"max_retries": 3}) as connection:
        channel = connection.default_channel
        for tag in channel.client.hkeys(channel.unacked_key):
            channel.qos.restore_by_tag(tag.decode())


def _children(worker: psutil.Process) -> list[psutil.Process]:
    try:
        return worker.children()
    except psutil.NoSuchProcess:
        return []


def celery_workers(workers: Guarded) -> list[psutil.Process] | None:
    """The Celery workers without their child processes; None while Merlin is still starting them."""
    celery = {}
    for process in workers.members():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if words[: len(MERLIN) + 1] == [*MERLIN, "run-workers"]:
                return None
            if {"worker", "-Q"} <= set(words) and "celery" in map(os.path.basename, words[:3]):
                celery[process] = process.ppid()
    if not celery and workers.poll() is None:  # the guard has not started Merlin yet
        return None
    pids = {process.pid for process in celery}
    return [process for process, parent in celery.items() if parent not in pids]
