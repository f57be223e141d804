"""One round of a study: a fresh broker, the study's workers, one `merlin run` or `merlin restart`, and the watch."""

import contextlib
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sim2seq._support import locks
from sim2seq._support.files import last_lines, write_json
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.checks.serving import Serving
from sim2seq.workflow.nested import QUEUES, Nested, take_in
from sim2seq.workflow.tasks import REFUSAL, REFUSED, REHEARSAL, News
from sim2seq.workflow.workers import CLIENT_LOG, MERLIN, Processes, Workers

TICK_SECONDS = 0.5
FULL_BYTES = 20_000_000  # with less than this free the disk counts as full
IDLE_SECONDS = 2.0  # an empty broker for this long means that nothing will ever happen
STUDY_FOLDER = re.compile(r"Study workspace is '(.+)'")  # as `merlin run` reports it


class Refused(ValueError):
    """The study cannot start as requested; one line a problem."""


@dataclass
class StudyRun:
    """A Merlin study on its way: how to start it, how to start its workers, and its folder once Merlin has made it."""

    spec: str
    client: list[str]  # arguments of merlin
    variables: list[str]
    made: str | None = None  # the folder, once there is one
    output: str = ""  # a new study's folder is made below
    served: Serving = field(default_factory=Serving)
    nested: list[Nested] = field(default_factory=list)  # studies that its steps have made
    asked: Counter = field(default_factory=Counter)  # (step, name of an exit code of Merlin's) -> how often
    packages: dict[str, str] = field(default_factory=preflight.installed_packages)  # before any step ran
    expanded: dict = field(default_factory=dict)  # the sections of a new study's spec
    generator: str | None = None  # of its parameters
    rehearse: Callable[..., dict | None] | None = None  # (spec, its folder, generator) -> what to try before it begins
    started: float = field(default_factory=time.time)
    rounds: int = 0
    hopeless: bool = False  # another round would end as the last one did
    traffic: tuple[int, int] = (0, 0)

    @property
    def folder(self) -> str:
        """The study's folder. Raises ValueError before Merlin has made it."""
        if self.made is None:
            raise ValueError(f"{self.spec}: expected a study with a folder, Merlin has not made one yet")
        return self.made

    @property
    def place(self) -> str:
        """The study's folder, or what it will be made below."""
        return self.made or self.output

    def worker_command(self) -> list[str]:
        spec = self.spec
        if self.made:  # the expanded spec has its variables replaced already, this one does not
            spec = str(next(Path(self.folder, "merlin_info").glob("*.partial.yaml"), self.spec))
        return [*MERLIN, "run-workers", spec, *vars_option(self.variables)]


def vars_option(variables: list[str]) -> list[str]:
    return ["--vars", *variables] if variables else []


@contextlib.contextmanager
def study_lock(folder: str):
    """Hold the study; the system frees it when this process ends in whatever way."""
    with _locked(os.path.join(folder, ".sim2seq.lock")) as held:
        if not held:
            raise Refused(f"{folder}: another sim2seq run is at work on this study")
        yield


@contextlib.contextmanager
def _locked(path: str, *, wait: Callable[[], None] | None = None):
    """As locks.locked. Raises Refused where nothing can be held."""
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(locks.locked(path, wait=wait))
        except locks.NoLock as error:
            raise Refused(f"{error}: choose another place with --output") from error
        yield held


def space_problem(folder: str) -> str | None:
    """That nothing can be written, which Merlin itself meets by trying again for hours; None if something can."""
    if not os.access(folder, os.W_OK):
        return f"{folder} can no longer be written to"
    free = preflight.free_bytes(folder)
    return f"no space left: {free / 1e6:.1f} MB free for {folder}" if free < FULL_BYTES else None


def one_round(study: StudyRun, display, stack: contextlib.ExitStack):
    """One broker, one set of workers, one queueing of the study: (progress, what broke the round or None)."""
    from sim2seq.workflow.broker import Broker
    from sim2seq.workflow.plan import load_whole_plan
    from sim2seq.workflow.progress import Progress

    with Broker() as broker, Processes(broker.folder, study.place) as processes:
        try:
            Path(broker.folder, QUEUES).write_text("\n".join(study.served.queues))
            if study.rounds == 1:
                _prepare_rehearsal(study, broker.folder)
            workers = Workers(study.worker_command(), len(study.served.started), processes, broker)
            if study.made is None:
                _begin(study, processes, display)
                stack.enter_context(study_lock(study.folder))
            else:
                processes.start([*MERLIN, *study.client], CLIENT_LOG)
            trouble = _wait_for_client(processes, broker, study.folder)
            Path(broker.folder, REHEARSAL).unlink(missing_ok=True)
            if trouble and (refusal := _refusal(study, processes, broker, trouble)):
                if study.client[0] == "run":  # Merlin made it a moment ago, and nothing began in it
                    shutil.rmtree(study.folder, ignore_errors=True)
                raise Refused(refusal)
            ended = processes.guards[CLIENT_LOG].poll()
            study.hopeless = ended == 1 and broker.answers()  # Merlin itself would say the same the next time
            for one in study.nested if study.client[0] == "restart" else ():
                if one.kind == "queued" and not trouble:
                    processes.start([*MERLIN, "restart", one.folder], CLIENT_LOG)
                    trouble = _wait_for_client(processes, broker, study.folder)
            if study.client[0] == "run":
                display.say(f"study: {study.folder}")
            progress = Progress(load_whole_plan(study.folder))
            trouble = trouble or _watch(progress, broker, workers, study, display)
            if _is_quiet(broker):
                workers.end()
            return progress, trouble
        finally:
            study.traffic = tuple(before + now for before, now in zip(study.traffic, broker.traffic(), strict=True))


def _prepare_rehearsal(study: StudyRun, folder: str) -> None:
    """Leave beside the broker what the client is to have rehearsed before it queues anything, if there is something."""
    from sim2seq.workflow.plan import expanded_spec

    if study.rehearse is None:
        return
    spec = study.expanded or preflight.read_spec(str(expanded_spec(os.path.join(study.folder, "merlin_info"))))
    if asked := study.rehearse(spec, os.path.dirname(study.spec), study.generator):
        write_json(Path(folder, REHEARSAL), asked)


def _is_quiet(broker) -> bool:
    """Whether the workers have nothing in hand, at once or a moment after the last task has marked its end."""
    import redis

    deadline = time.monotonic() + IDLE_SECONDS
    with contextlib.suppress(redis.RedisError):
        while broker.waiting():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
    return False


def _begin(study: StudyRun, processes: Processes, display) -> None:
    """Start `merlin run` and note the folder that it makes, which carries a time stamp in seconds in its name.

    Merlin deletes a folder of the same name, so whoever comes next waits for the next second.
    Raises Refused with Merlin's last words if it makes none.
    """
    from sim2seq.workflow.plan import MADE_AS

    os.makedirs(study.output, exist_ok=True)
    words = f"waiting for another sim2seq run, which begins a study in {study.output}"
    with _locked(os.path.join(study.output, ".sim2seq.lock"), wait=lambda: display.say(words)):
        before = set(os.listdir(study.output))
        client = processes.start([*MERLIN, *study.client], CLIENT_LOG)
        log = processes.logs[CLIENT_LOG]
        while not (found := STUDY_FOLDER.search(log.read_text(errors="replace"))):
            if client.poll() is not None:
                words = _merlins_words(log)
                _discard_empty_study(study.output, before)
                raise Refused(f"merlin run: {words}")
            time.sleep(0.05)
        study.made = folder = found.group(1)
        Path(folder, "merlin_info", MADE_AS).write_text(folder)
        processes.settle(folder)
        while time.strftime("%Y%m%d-%H%M%S") == folder[-15:]:
            time.sleep(0.05)


def _discard_empty_study(output: str, before: set[str]) -> None:
    """Remove the folder that Merlin made before it gave up; it holds nothing but an empty merlin_info."""
    for name in set(os.listdir(output)) - before:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(output, name, "merlin_info"))
            os.rmdir(os.path.join(output, name))


def _merlins_words(log: Path) -> str:
    words = next(iter(last_lines(log, 1)), f"ended without a word, see {log}")
    return re.sub(r"^\[.*?: ERROR\] ", "", words.strip())


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


def _refusal(study: StudyRun, processes: Processes, broker, trouble: str) -> str | None:
    """Why the client did not want to queue the study, or did not come so far; None where something may have begun."""
    from sim2seq.workflow.plan import was_checked

    client, log = processes.guards[CLIENT_LOG], processes.logs[CLIENT_LOG]
    lines = log.read_text(errors="replace").splitlines() if (ended := client.poll()) == REFUSED else []
    if said := [line.removeprefix(REFUSAL) for line in lines if line.startswith(REFUSAL)]:
        return "\n".join(said)
    if study.client[0] != "run":
        return None
    if was_checked(study.folder) and (ended != 1 or not broker.answers() or broker.waiting() or broker.results()):
        return None
    client.stop()  # what is left of a study that was not checked would go on without a check
    return f"merlin run: {_merlins_words(log)}" if ended == 1 else trouble


def _watch(progress, broker, workers: Workers, study: StudyRun, display) -> str | None:
    """Follow the study until nothing more will happen; what broke the round, or None."""
    import redis
    from kombu.exceptions import OperationalError

    idle_since, news = None, News(study.folder, display.say, study.asked)
    while True:
        began = time.monotonic()
        progress.scan()
        if not progress.complete and (full := space_problem(study.folder)):
            return full
        take_in(study, progress, broker.folder, display.say)
        display.show(progress)
        if progress.complete:
            with contextlib.suppress(redis.RedisError):
                news.hear(broker.news())
            return None
        try:
            waiting, mark = broker.waiting(), (len(progress.done), broker.results())
            news.hear(broker.news())
            words = news.ended() or news.stuck(waiting) or news.needed(progress)
            if progress.stopped and workers.dead() == workers.expected:
                return None
            if not words and waiting and not progress.stopped:
                words = workers.look_after(mark, display.say)
        except (redis.RedisError, OperationalError):
            return "the broker died"
        if words:
            study.hopeless = True
            return words
        idle_since = None if waiting else idle_since or began
        if idle_since and began - idle_since > IDLE_SECONDS:
            progress.scan()
            return news.last or workers.history()
        time.sleep(max(TICK_SECONDS, 5 * (time.monotonic() - began)))  # a slow file system is looked at less often
