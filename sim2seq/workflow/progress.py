"""How far a study is, read from the marks that Merlin leaves in the task folders, and shown in the terminal."""

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from sim2seq._support.files import NOTE, last_lines
from sim2seq.workflow.plan import STATUS, Plan, Task

STOPPED = "CANCELLED"  # the state of a task that ended with MERLIN_STOP_WORKERS: it did what it was to do
FAILED = {"FAILED", "CANCELLED", "UNKNOWN", "DRY_RUN"}  # states in which Merlin leaves a task for good
PLAIN_SECONDS = 10.0  # between two lines when stdout is no terminal


@dataclass
class Progress:
    """Which tasks of a plan are done and which failed; `scan` looks at the unfinished ones only.

    `stopped` are those of the done that stopped the workers, after whatever they themselves had to do.
    """

    plan: Plan
    done: set[Task] = field(default_factory=set)
    failed: dict[Task, str] = field(default_factory=dict)  # task -> Merlin's state
    stopped: set[Task] = field(default_factory=set)
    _seen: dict[Task, int] = field(default_factory=dict)  # task -> time stamp of the status file last read

    def scan(self) -> None:
        for task in self.plan.tasks:
            if task in self.done:
                continue
            if task.finished:
                self.done.add(task)
                self.failed.pop(task, None)
            else:
                self._read_status(task)

    def _read_status(self, task: Task) -> None:
        path = os.path.join(task.folder, STATUS)
        with contextlib.suppress(FileNotFoundError):
            changed = os.stat(path).st_mtime_ns
            if self._seen.get(task) == changed:
                return
            state = _state(path)
            if state is None:  # being written
                return
            self._seen[task] = changed
            if state == STOPPED:
                self.done.add(task)
                self.stopped.add(task)
            elif state in FAILED:
                self.failed[task] = state.lower()
            else:
                self.failed.pop(task, None)

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self.plan.tasks)

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Step -> (done, failed, total)."""
        return {
            step: (sum(task in self.done for task in tasks), sum(task in self.failed for task in tasks), len(tasks))
            for step, tasks in self.plan.steps().items()
        }

    def notes(self) -> dict[str, str]:
        """Step -> the latest note of its only task, while that is at work."""
        alone = {step: tasks[0] for step, tasks in self.plan.steps().items() if len(tasks) == 1}
        notes = {step: _note(task.folder) for step, task in alone.items() if task not in self.done | self.failed.keys()}
        return {step: note for step, note in notes.items() if note}


def _note(folder: str) -> str:
    paths = [*Path(folder).glob(NOTE), *Path(folder).glob(f"*/{NOTE}")]
    with contextlib.suppress(OSError):
        return " ".join(max(paths, key=lambda path: path.stat().st_mtime).read_text().split()) if paths else ""
    return ""


def error_output(folder: str) -> Path | None:
    """The newest .err file in a task's folder; None if it has none."""
    return max(Path(folder).glob("*.err"), key=lambda path: path.stat().st_mtime, default=None)


def _state(path: str) -> str | None:
    """The task's state in a MERLIN_STATUS.json; None while the file is being written."""
    try:
        content = json.loads(Path(path).read_text())
    except json.JSONDecodeError:
        return None
    states = [part["status"] for step in content.values() for part in step.values() if _is_state(part)]
    return states[0] if len(states) == 1 else ""


def _is_state(part) -> bool:
    return isinstance(part, dict) and "status" in part


class Display:
    """The study's progress: a live table in a terminal, else a line now and then. A context manager."""

    def __init__(self):
        from rich.console import Console
        from rich.live import Live

        self.console = Console(soft_wrap=True)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        self._moved = {}  # step -> (time, tasks ended) when it was first seen moving, (tasks ended, time) at the latest
        self._line, self._next_line = "", 0.0
        self._told: set[str] = set()  # steps of which a failure was said

    def __enter__(self):
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Leave the table as it is; what is said from now on comes below it."""
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)

    def show(self, progress: Progress, *, last: bool = False) -> None:
        self._say_first_failures(progress)
        counts, notes = progress.counts(), progress.notes()
        if self.live:
            self.live.update(self._table(counts, notes), refresh=True)
            return
        moving = {step: count for step, count in counts.items() if any(count[:2]) or step in notes}
        lines = (_line(step, *count, *self._pace(step, *count), notes.get(step)) for step, count in moving.items())
        line = "   ".join(lines)
        if line and line != self._line and (last or time.monotonic() >= self._next_line):
            self.say(line)
            self._line, self._next_line = line, time.monotonic() + PLAIN_SECONDS

    def _say_first_failures(self, progress: Progress) -> None:
        """Of each step the first failure, at once: hours of other tasks may go on, and who watches can mend it."""
        for task, state in progress.failed.items():
            if task.step not in self._told:
                self._told.add(task.step)
                log = error_output(task.folder)
                words = " | ".join(last_lines(log, 2)) if log else "without a word"
                self.say(f"{task.step}: {state}: {words} ({log or task.folder})")

    def _pace(self, step: str, done: int, failed: int, total: int) -> tuple[float | None, float | None]:
        """Tasks a second since the step began to move, and seconds left for it; None while unknown."""
        now, ended = time.monotonic(), done + failed
        if ended == 0:
            return None, None
        began, before, last, until = self._moved.get(step, (now, ended, ended, now))
        if ended != last:
            last, until = ended, now
        self._moved[step] = began, before, last, until
        if last == before or until - began < 1:
            return None, None
        rate = (last - before) / (until - began)
        return rate, (total - ended) / rate

    def _table(self, counts, notes):
        from rich.markup import escape
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for title in ("step", "", "done", "failed", "total", "per second", "left", " "):
            table.add_column(title, justify="left" if title in ("step", "", " ") else "right")
        for step, (done, failed, total) in counts.items():
            rate, left = self._pace(step, done, failed, total)
            bar = ProgressBar(total=total, completed=done + failed, width=30)
            red = f"[red]{failed}[/red]" if failed else "0"
            speed = "" if rate is None else f"{rate:.1f}"
            remaining = _duration(left) if total > done + failed else ""
            table.add_row(step, bar, str(done), red, str(total), speed, remaining, escape(notes.get(step, "")))
        return table


def _line(step: str, done: int, failed: int, total: int, rate: float | None, left: float | None, note) -> str:
    text = f"{step} {done}/{total}" + (f" ({note})" if note else "")
    if failed:
        text += f", {failed} failed"
    if rate is not None and done + failed < total:
        text += f", {rate:.1f}/s, {_duration(left)} left"
    return text


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
