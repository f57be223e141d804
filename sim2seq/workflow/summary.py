"""How a study ended: the table of failures, and the summary in its folder."""

import contextlib
import os
from collections import Counter
from pathlib import Path

from sim2seq._support.files import last_lines, read_json, write_json
from sim2seq.workflow.plan import FINISHED, STATUS, Task, folder_of
from sim2seq.workflow.progress import FAILED, Progress, error_output

SUMMARY = "sim2seq_run.json"
MISSING = "missing"  # of a task: it has not failed, and is not done
REPORTS = ("report.html", "leaderboard.png")  # what a person looks at first
ROWS = 20  # failed tasks shown; all of them are in the summary


def unfinished_tasks(progress: Progress) -> list[tuple[Task, str]]:
    """(task, its state in Merlin or MISSING): the failed ones first, as they explain why others are missing."""
    unfinished = [task for task in progress.plan.tasks if task not in progress.done]
    gathered = gathered_states([task for task in unfinished if task not in progress.failed])
    states = gathered | progress.failed
    return sorted(((task, states.get(task, MISSING)) for task in unfinished), key=lambda row: row[1] == MISSING)


def gathered_states(tasks: list[Task]) -> dict[Task, str]:
    """Those of the tasks that failed, as the step's status file tells, into which Merlin moves those of samples."""
    files, found = {}, {}
    for task in tasks:
        folder = Path(task.folder)
        if folder.name == task.step or not any(folder.glob("*.err")):
            continue  # no sample, or not begun since it was forgotten
        step = next(parent for parent in folder.parents if parent.name == task.step)
        for place in folder.parents[: len(folder.relative_to(step).parts)]:
            if place not in files:
                with contextlib.suppress(OSError, ValueError):
                    files[place] = {folder_of(name): each for name, each in read_json(place / STATUS).items()}
            entry = files.setdefault(place, {}).get(task.step, {}).get(str(folder.relative_to(step.parent)), {})
            if entry.get("status") in FAILED:
                found[task] = entry["status"].lower()
    return found


def ending(progress: Progress, trouble: str | None) -> str:
    """One line: how many tasks are missing, and whether the last steps went on without them."""
    plan = progress.plan
    if progress.complete:
        return "all tasks finished, but nobody works on a study that a step made"
    count = f"{len(plan.tasks) - len(progress.done)} of {len(plan.tasks)} tasks"
    last = [task for task in plan.tasks if not plan.children.get(task.node)]  # none, where only earlier steps are asked
    if last and progress.done.issuperset(last):
        return f"{count} failed; the steps after them went on with what there was"
    stopped = ", ".join(sorted({task.step for task in progress.stopped}))
    trouble = trouble or (f"{stopped} ended with MERLIN_STOP_WORKERS" if stopped else None)
    return f"{count} did not finish" + (f": {trouble}" if trouble else "")


def failure_table(progress: Progress, study: str) -> str:
    """Failed and missing tasks in the order of the steps, each with the last lines of its error output."""
    rows = unfinished_tasks(progress)
    lines = []
    for task, state in rows[:ROWS]:
        lines.append(f"{state:<9} {os.path.relpath(task.folder, study)}")
        lines += [f"          | {line}" for line in last_error(task.folder, f"{study}/")]
    if len(rows) > ROWS:
        lines.append(f"... and {len(rows) - ROWS} more, all in {SUMMARY}")
    return "\n".join(lines)


def last_error(folder: str, prefix: str = "") -> list[str]:
    """The last lines of the newest .err file in a task's folder; empty if it wrote none. See last_lines."""
    path = error_output(folder)
    return last_lines(path, prefix=prefix) if path else []


def step_times(tasks: list[Task]) -> tuple[float | None, float | None]:
    """When the first of these tasks began and the last one finished (seconds since 1970); None if unknown.

    A task begins when Merlin writes its script, and finishes when it leaves its mark.
    """
    begins, ends = [], []
    for task in tasks:
        with contextlib.suppress(FileNotFoundError), os.scandir(task.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".sh"):
                    begins.append(entry.stat().st_mtime)
                elif entry.name == FINISHED:
                    ends.append(entry.stat().st_mtime)
    return (min(begins) if begins else None), (max(ends) if ends else None)


def write_summary(study: str, progress: Progress, *, since: float = 0.0, **facts) -> None:
    """Write sim2seq_run.json: `facts`, then tasks, done, failed and times of each step, then the unfinished tasks.

    since   when this session began (seconds since 1970): of a step that began before and went on, nobody knows how long
            it has worked
    """
    rows = unfinished_tasks(progress)
    failures = Counter(task.step for task, state in rows if state != MISSING)
    steps: dict[str, dict[str, float | None]] = {}
    for step, (done, _, total) in progress.counts().items():
        began, ended = step_times(progress.plan.steps()[step])
        seconds = ended - began if began and ended and not began < since < ended else None
        steps[step] = {"tasks": total, "done": done, "failed": failures[step]}
        steps[step] |= {"seconds": seconds, "began": began, "ended": ended}
    unfinished = [{"task": os.path.relpath(task.folder, study), "state": state} for task, state in rows]
    write_json(Path(study, SUMMARY), facts | {"steps": steps, "unfinished": unfinished})


def report_path(progress: Progress, study: str) -> Path | None:
    """The newest report of a finished task; a failed one may have left an old report."""
    done = {task.folder for task in progress.done}
    reports = [path for name in REPORTS for depth in ("*", "*/*") for path in Path(study).glob(f"{depth}/{name}")]
    reports = [path for path in reports if done & {str(path.parent), str(path.parent.parent)}]
    return max(reports, key=lambda path: path.stat().st_mtime, default=None)
