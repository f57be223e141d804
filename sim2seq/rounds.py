"""One round of a study: a fresh broker, the study's workers, one `merlin run` or `merlin restart`, and the watch."""

import contextlib
import fcntl
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sim2seq import preflight
from sim2seq.guard import Guarded, runs

TICK_SECONDS = 0.5
FULL_BYTES = 20_000_000  # with less than this free the disk counts as full
IDLE_SECONDS = 2.0  # an empty broker for this long means that nothing will ever happen
STUDY_FOLDER = re.compile(r"Study workspace is '(.+)'")  # as `merlin run` reports it
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CLIENT_LOG, WORKERS_LOG = "merlin_client.log", "merlin_workers.log"
MERLIN = [sys.executable, "-c", "from sim2seq.messages import merlin; merlin()"]


class Refused(ValueError):
    """The study cannot start as asked; one line a problem."""


@dataclass
class Study:
    """A study on its way: how to start it, how to start its workers, and its folder once Merlin has made it."""

    spec: str
    client: list[str]  # arguments of merlin
    variables: list[str]
    folder: str | None = None
    output: str | None = None  # a new study's folder is made below
    started: float = field(default_factory=time.time)
    rounds: int = 0
    traffic: tuple[int, int] = (0, 0)

    def worker_command(self) -> list[str]:
        spec = self.spec
        if self.folder:  # the expanded spec has its variables replaced already, this one does not
            spec = str(next(Path(self.folder, "merlin_info").glob("*.partial.yaml"), self.spec))
        return [*MERLIN, "run-workers", spec, *vars_option(self.variables)]


def vars_option(variables: list[str]) -> list[str]:
    return ["--vars", *variables] if variables else []


@contextlib.contextmanager
def study_lock(folder: str):
    """Hold the study; the system frees it when this process ends in whatever way."""
    with _locked(os.path.join(folder, ".sim2seq.lock"), wait=False) as held:
        if not held:
            raise Refused(f"{folder}: another sim2seq run is at work on this study")
        yield


@contextlib.contextmanager
def _locked(path: str, *, wait: bool):
    with os.fdopen(_open_lock(path)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def _open_lock(path: str) -> int:
    """Open the lock file, or make it. Another user's is not writable, but reading is enough for a lock."""
    for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # NFS wants writing; a sticky folder no O_CREAT
        with contextlib.suppress(FileNotFoundError, PermissionError):
            return os.open(path, flags, 0o644)
    raise Refused(f"{path}: cannot be opened, another user holds this place: choose another one with --output")


def space_problem(folder: str) -> str | None:
    """That the disk is full, which Merlin itself meets by trying again for days; None if it is not."""
    free = preflight.free_bytes(folder)
    return f"no space left: {free / 1e6:.1f} MB free for {folder}" if free < FULL_BYTES else None


def one_round(study: Study, display, stack: contextlib.ExitStack):
    """One broker, one set of workers, one queueing of the study: (progress, what broke the round or None)."""
    from sim2seq.broker import Broker
    from sim2seq.plan import load_plan
    from sim2seq.progress import Progress

    with Broker() as broker, Processes(broker.folder, study.folder or study.output) as processes:
        try:
            workers = processes.start(study.worker_command(), WORKERS_LOG)
            if study.folder is None:
                study.folder = _begin(study, processes)
                stack.enter_context(study_lock(study.folder))
                display.say(f"study: {study.folder}")
            else:
                processes.start([*MERLIN, *study.client], CLIENT_LOG)
            trouble = _wait_for_client(processes, broker, study.folder)
            ended = processes.guards[CLIENT_LOG].poll() not in (None, 0)
            if ended and (refusal := _samples_refusal(study)):
                shutil.rmtree(study.folder, ignore_errors=True)  # Merlin made it a moment ago, and nothing began in it
                raise Refused(refusal)
            progress = Progress(load_plan(study.folder))
            return progress, trouble or _watch(progress, broker, workers, study, display)
        finally:
            study.traffic = tuple(before + now for before, now in zip(study.traffic, broker.traffic(), strict=True))


class Processes:
    """The Merlin processes of a round, each under a guard with a log below `folder`; a context manager."""

    def __init__(self, cwd: str, folder: str):
        self.cwd, self.folder = cwd, folder
        self.guards, self.logs = {}, {}
        self.environment = os.environ | {"PATH": preflight.search_path(), "TMPDIR": cwd}  # what they leave goes with it

    def __enter__(self):
        return self

    def __exit__(self, *_):
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
        with self.logs[log].open("ab") as output:
            self.guards[log] = Guarded(command, output=output, cwd=self.cwd, env=self.environment)
        return self.guards[log]

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


def _begin(study: Study, processes: Processes) -> str:
    """Start `merlin run` and return the folder that it makes, which carries a time stamp in seconds in its name.

    Merlin deletes a folder of the same name, so whoever comes next waits for the next second.
    Raises Refused with Merlin's last words if it makes none.
    """
    os.makedirs(study.output, exist_ok=True)
    with _locked(os.path.join(study.output, ".sim2seq.lock"), wait=True):
        before = set(os.listdir(study.output))
        client = processes.start([*MERLIN, *study.client], CLIENT_LOG)
        log = processes.logs[CLIENT_LOG]
        while not (found := STUDY_FOLDER.search(log.read_text(errors="replace"))):
            if client.poll() is not None:
                words = _merlins_words(log)
                _discard_empty_study(study.output, before)
                raise Refused(f"merlin run: {words}")
            time.sleep(0.05)
        folder = found.group(1)
        processes.settle(folder)
        while time.strftime("%Y%m%d-%H%M%S") == folder[-15:]:
            time.sleep(0.05)
    return folder


def _discard_empty_study(output: str, before: set[str]) -> None:
    """Remove the folder that Merlin made before it gave up; it holds nothing but an empty merlin_info."""
    for name in set(os.listdir(output)) - before:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(output, name, "merlin_info"))
            os.rmdir(os.path.join(output, name))


def _merlins_words(log: Path) -> str:
    lines = [COLOUR.sub("", line).strip() for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    return lines[-1] if lines else f"ended without a word, see {log}"


def _wait_for_client(processes: Processes, broker, folder: str) -> str | None:
    """Wait until the study is queued; what broke that, or None."""
    client = processes.guards[CLIENT_LOG]
    while client.poll() is None:
        if broker.guarded.poll() is not None:
            return "the broker died"
        if full := space_problem(folder):
            return full
        time.sleep(0.05)
    if client.poll() != 0:
        return f"Merlin could not queue the study: {_merlins_words(processes.logs[CLIENT_LOG])}"
    return None


def _samples_refusal(study: Study) -> str | None:
    """Why the study's samples could not be made; None if they were. Merlin itself says no more than "not found"."""
    info = Path(study.folder, "merlin_info")
    specs = [preflight.read_spec(str(path)) for path in info.glob("*.expanded.yaml")]
    files = [((spec.get("merlin") or {}).get("samples") or {}).get("file") for spec in specs]
    if study.client[0] != "run" or all(not file or os.path.exists(file) for file in files):
        return None
    said = [line for path in info.glob("cmd.err") for line in path.read_text(errors="replace").splitlines()]
    return f"the study's samples: {said[-1].strip() if said else 'their command made none'}"


def _worker_count(study: Study) -> int:
    spec = preflight.read_spec(study.spec)
    return len(((spec.get("merlin") or {}).get("resources") or {}).get("workers") or ["default_worker"])


def _watch(progress, broker, workers: Guarded, study: Study, display) -> str | None:
    """Follow the study until nothing more will happen; what broke the round, or None."""
    import redis

    idle_since, celery, expected = None, None, _worker_count(study)
    while True:
        began = time.monotonic()
        progress.scan()
        display.show(progress)
        if progress.complete:
            return None
        if full := space_problem(study.folder):
            return full
        try:
            idle = broker.waiting() == 0
        except redis.RedisError:
            return "the broker died"
        if not idle:
            idle_since = None
            celery = _celery_workers(workers) if celery is None else celery
            if celery is not None and (alive := sum(map(runs, celery))) < expected:
                stopped = "cancelled" in progress.failed.values()  # a step asked for it with MERLIN_STOP_WORKERS
                return None if stopped else f"{expected - alive} of {expected} workers died"
        elif idle_since is None:
            idle_since = began
        elif began - idle_since > IDLE_SECONDS:
            progress.scan()
            return None
        time.sleep(max(TICK_SECONDS, 5 * (time.monotonic() - began)))  # a slow file system is asked less often


def _celery_workers(workers: Guarded) -> list[psutil.Process] | None:
    """The Celery workers without their child processes; None while Merlin is still starting them."""
    celery = {}
    for process in workers.members():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if words[: len(MERLIN) + 1] == [*MERLIN, "run-workers"]:
                return None
            if {"worker", "-Q"} <= set(words) and "celery" in map(os.path.basename, words[:3]):
                celery[process] = process.ppid()
    pids = {process.pid for process in celery}
    return [process for process, parent in celery.items() if parent not in pids]
