"""Tasks: why one did not run, or how its script ended, said where it is looked for; hooks for Merlin's workers.

Merlin tries again, for hours and without a word, whatever goes wrong before a script runs: a shell that is not there, a
file system that lets nothing run. Here what will not get better by itself fails at once, with the reason in the task's
error output; what may get better is tried again as before, and told to whoever watches the study.
"""

import errno
import functools
import json
import os
import subprocess
from collections import Counter
from pathlib import Path

from sim2seq.workflow.checks.commands import MERLINS_CODES, ending
from sim2seq.workflow.checks.expansion import reached

NEWS, READY = "sim2seq:news", "sim2seq:ready"  # in the broker: a list of what went wrong, a set of workers
LASTING = {  # errors of the system that are there the next time too
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.ENAMETOOLONG, errno.EROFS, errno.E2BIG, errno.EINVAL, errno.ENODEV),
}
FAILED = "sim2seq:failed"  # in the broker: folders of failed tasks that are alone in their step
REFUSED, REFUSAL = 65, "sim2seq: "  # exit code of `merlin run`, and how a line of the reason begins
REHEARSAL = "rehearsal.json"  # beside the broker: the command that rehearses the last steps, and what for
MOST_ATTEMPTS = 3  # of Merlin at a task that nothing else is left beside
WORKERS_LOG = "merlin_workers.log"
SOFT_FAIL, HARD_FAIL = 101, 102
_tells = False  # whether whoever started this worker listens


def report_failures() -> None:
    """Let Merlin's tasks leave the reason of a failure, in this process."""
    from merlin.study import script_adapter
    from merlin.study.step import Step

    adapter = script_adapter.MerlinScriptAdapter
    if not hasattr(Step.execute, "__wrapped__"):
        Step.execute = _fail_at_once(Step.execute)
        adapter._execute_subprocess = _say_how_it_ended(adapter._execute_subprocess)
        script_adapter.start_process = _start_process


def _fail_at_once(merlins):
    """Merlin's `Step.execute`: an error that lasts is a failure of the step, not a reason to try again."""

    @functools.wraps(merlins)
    def execute(step, adapter_config):
        from celery.exceptions import Ignore
        from merlin.common.enums import ReturnCode

        if _is_in_vain(step):
            raise Ignore  # whoever watches the study ends it, a moment later
        try:
            return merlins(step, adapter_config)
        except Exception as error:
            if isinstance(error, OSError) and error.errno not in LASTING:
                raise
            script = getattr(step.mstep, "script", "") or str(Path(step.get_workspace(), f"{step.name()}.sh"))
            _remember(step.get_workspace(), 1)
            _add_line(script, reason(error, script))  # raises where there is no folder: then Merlin tries again
            return ReturnCode.SOFT_FAIL

    return execute


def reason(error: Exception, script: str) -> str:
    """Why `script` did not run, in one line."""
    words = f"{type(error).__name__}: {' '.join(str(error).split())}"
    code = getattr(error, "errno", None)
    if not Path(script).exists() or getattr(error, "filename", None) != script:
        return words
    if code == errno.ENOENT:
        with open(script, errors="replace") as file:
            return f"the shell of this step is not there: {file.readline()[2:].strip()} ({words})"
    if code == errno.EACCES:
        return f"the system does not let the script run: is its file system mounted noexec? ({words})"
    return words


def _say_how_it_ended(merlins):
    """Merlin's `_execute_subprocess`: an exit code or signal is the last line of the task's error output."""

    @functools.wraps(merlins)
    def execute(self, output_name, script_path, cwd, *arguments, **options):
        record = merlins(self, output_name, script_path, cwd, *arguments, **options)
        if code := record.return_code:
            _tell({"task": cwd, "code": code})
            _remember(cwd, code)
            _add_line(script_path, f"{Path(script_path).name}: {ending(code)}")
        return record

    return execute


def _start_process(command, cwd=None, env=None, shell=True):
    """Maestro's `start_process`, for output in any encoding: its own fails over the first byte that is not UTF-8."""
    pipe = subprocess.PIPE
    shell = shell and isinstance(command, str)
    return subprocess.Popen(command, shell=shell, cwd=cwd, env=env, stdout=pipe, stderr=pipe, errors="replace")


def _add_line(script: str, text: str) -> None:
    with Path(script).with_suffix(".err").open("a", errors="replace") as file:
        file.write(f"{text}\n")


def tell_broker() -> None:
    """Put into the broker what `sim2seq run` cannot see in folders, from now on, in this process and those it forks."""
    from celery import signals

    global _tells
    _tells = True
    signals.worker_ready.connect(_ready, weak=False)
    signals.task_retry.connect(_retried, weak=False)
    signals.task_failure.connect(_failed, weak=False)


def _ready(sender, **_) -> None:
    sender.app.backend.client.sadd(READY, f"{sender.hostname} {os.getpid()}")


def _retried(sender, request, reason, **_) -> None:
    if getattr(reason, "exc", None) is not None:  # else a step asked for it, by its exit code
        _tell({"task": request.id, "error": _words(reason.exc), "attempts": request.retries + 1})


def _failed(sender, task_id, exception, **_) -> None:
    if type(exception).__name__ != "HardFailException":  # a step's own exit code
        _tell({"task": task_id, "error": _words(exception), "attempts": 0})


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def _tell(news: dict) -> None:
    if _tells:
        from merlin.celery import app

        app.backend.client.rpush(NEWS, json.dumps(news))


def _remember(folder: str, code: int) -> None:
    """Keep in the broker that a task failed which is alone in its step, so that its folder is the step's own."""
    if _tells and code not in MERLINS_CODES and os.path.isdir(os.path.join(os.path.dirname(folder), "merlin_info")):
        from merlin.celery import app

        app.backend.client.sadd(FAILED, folder)


def _is_in_vain(step) -> bool:
    """Whether a task failed on which all others depend, and this step is one of those."""
    if not _tells:
        return False
    from merlin.celery import app

    failed = [folder.decode() for folder in app.backend.client.smembers(FAILED)]
    return any(step.name() in _in_vain(folder) for folder in failed)


@functools.lru_cache(maxsize=64)
def _in_vain(folder: str) -> set[str]:
    """The nodes of the graph that depend on the task in `folder`, where all do; else none."""
    from sim2seq.workflow.messages import load_graph

    paths = Path(folder).parent.glob("merlin_info/dag_*.pickle")
    graph = load_graph(str(max(paths, key=lambda path: path.stat().st_mtime)))
    values, children = graph.maestro_values, graph.maestro_adjacency_table
    node = next((name for name, record in values.items() if record and record.workspace.value == folder), "")
    after = reached(node, children)
    parents: dict[str, list[str]] = {}
    for parent, child in ((parent, child) for parent, those in children.items() for child in those):
        parents.setdefault(child, []).append(parent)
    before = reached(node, parents)
    return after if len(after) + len(before) + 1 == len(children) else set()


def begun_rehearsal(command: list[str], path: str) -> subprocess.Popen:
    """The process that rehearses what the file `path` asks for (sim2seq/rehearsal.py)."""
    return subprocess.Popen([*command, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def found_by(rehearsal: subprocess.Popen) -> list[str]:
    """What a rehearsal has found, once it has ended."""
    said, errors = rehearsal.communicate()
    found = [line.removeprefix(REFUSAL) for line in said.splitlines() if line.startswith(REFUSAL)]
    if rehearsal.returncode and not found:
        return [f"the last steps could not be rehearsed: {' '.join(errors.split())[-300:] or rehearsal.returncode}"]
    return found


def step_of(task: str) -> str:
    """The step of a task's folder, which lies below a study's."""
    parents = [Path(task), *Path(task).parents]
    return next((one.name for one in parents if Path(one.parent, "merlin_info").is_dir()), parents[0].name)


def in_words(asked: Counter) -> str:
    """What the steps asked for by their exit codes: (step, name) -> how often, as text."""
    counts = (f"{step} {name} {count} times" for (step, name), count in sorted(asked.items()))
    return ", ".join(counts).replace(" 1 times", " once")


class News:
    """What the workers tell of tasks beside what their folders say: said once, and when it means the end."""

    def __init__(self, study: str, say, asked: Counter | None = None):
        """`asked` counts (step, name of Merlin's exit code)."""
        self.study, self.say = study, say
        self.asked = Counter() if asked is None else asked
        self.last: str | None = None
        self._codes: dict[str, int] = {}  # folder of a task -> exit code of its script
        self._attempts: dict[str, int] = {}

    def hear(self, news: list[dict]) -> None:
        """Say errors that no script wrote down, and keep in mind what matters later."""
        for each in news:
            task = os.path.relpath(each["task"], self.study) if os.path.isabs(each["task"]) else each["task"]
            if "code" in each:
                self._codes[each["task"]] = each["code"]
                if name := MERLINS_CODES.get(each["code"]):
                    self.asked[step_of(each["task"]), name] += 1
                continue
            self._attempts[each["task"]] = each["attempts"]
            again = f", attempt {each['attempts']}" if each["attempts"] else ""
            self.last = f"{task}: {each['error']}{again} ({os.path.join(self.study, 'logs', WORKERS_LOG)})"
            self.say(self.last)

    def ended(self) -> str | None:
        """That a step asked for the end of the study; Merlin 1.13 means to obey, and goes on."""
        hard = next((task for task, code in self._codes.items() if code == HARD_FAIL), None)
        return hard and f"{step_of(hard)} ended with {MERLINS_CODES[HARD_FAIL]}"

    def stuck(self, waiting: int) -> str | None:
        """Why it is no use to go on, where all that is left are tasks that Merlin has tried again and again."""
        stuck = sum(attempts >= MOST_ATTEMPTS for attempts in self._attempts.values())
        return self.last if 0 < waiting <= stuck else None

    def needed(self, progress) -> str | None:
        """That a task failed which all others need; not by MERLIN_SOFT_FAIL, with which a step lets them go on."""
        failed = [task for task, state in progress.failed.items() if state == "failed"]
        failed = [task for task in failed if self._codes.get(task.folder) != SOFT_FAIL]
        task = failed and progress.plan.needed_by_all(failed, progress.done | progress.failed.keys())
        return f"{task.step} failed, and all that is left depends on it" if task else None
