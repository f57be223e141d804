"""What a failure shows in the terminal."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sim2seq._support import files
from sim2seq.workflow import summary, waiting
from sim2seq.workflow.plan import FINISHED, STATUS, Plan, Task
from sim2seq.workflow.progress import Display, Progress


def test_errors_are_shown_short_and_harmless(tmp_path):
    path = tmp_path / "task.err"
    path.write_bytes(b"old\n" + b"x" * 100_000 + b"\n\x1b[31mred\x1b[0m \x07bell\rlast\n\n")
    assert files.last_lines(path) == ["x" * files.LINE_LENGTH, "red bell", "last"]


def gathered(tmp_path):
    """As Merlin leaves four samples of a step: 0 ended well, 1 failed, 2 is to run again, 3 never began."""
    tasks = [Task("train", f"{tmp_path}/train/{sample:02}", "train") for sample in range(4)]
    states = dict(zip(tasks, ("FINISHED", "FAILED", "FAILED", "INITIALIZED"), strict=True))
    for task in tasks:
        (tmp_path / "train" / task.folder[-2:]).mkdir(parents=True)
    for task in tasks[:2]:
        (tmp_path / "train" / task.folder[-2:] / "train.err").write_text("lost\n")
    (tmp_path / "train" / "00" / FINISHED).touch()
    entries = {f"train/{task.folder[-2:]}": {"status": state} for task, state in states.items()}
    (tmp_path / "train" / STATUS).write_text(json.dumps({"train": {"parameters": {}, "workers": [], **entries}}))
    return tasks


def test_a_failed_sample_stays_failed_when_merlin_gathers_states(tmp_path):
    progress = Progress(Plan(tuple(gathered(tmp_path)), {}))
    progress.scan()
    rows = summary.unfinished_tasks(progress)
    assert [(task.folder[-2:], state) for task, state in rows] == [
        ("01", "failed"),
        ("02", "missing"),
        ("03", "missing"),
    ]
    summary.write_summary(str(tmp_path), progress)
    assert json.loads((tmp_path / summary.SUMMARY).read_text())["steps"]["train"]["failed"] == 1


@pytest.mark.parametrize(("since", "seconds"), [(0.0, 90.0), (50.0, None), (200.0, 90.0)])
def test_seconds_of_a_step_leave_out_the_pause_before_going_on(tmp_path, since, seconds):
    """A script was written at 10 s, a mark at 100 s; in between somebody may have gone on."""
    task = Task("train", f"{tmp_path}/train", "train")
    Path(task.folder).mkdir()
    for name, time in (("train.sh", 10), (FINISHED, 100)):
        Path(task.folder, name).touch()
        os.utime(Path(task.folder, name), (time, time))
    summary.write_summary(str(tmp_path), Progress(Plan((task,), {})), since=since)
    assert json.loads((tmp_path / summary.SUMMARY).read_text())["steps"]["train"]["seconds"] == seconds


def test_waiting_ends_with_a_failed_sample_of_gathered_states(tmp_path):
    """The broker may hold what others have put into these queues, for as long as they like."""
    progress = Progress(Plan(tuple(gathered(tmp_path)[:2]), {}))
    work = SimpleNamespace(workers_live=lambda: True, none_left=lambda display: False)
    display = SimpleNamespace(show=lambda progress: None)
    assert waiting._watch(progress, work, display, 0.001, 0.001) is None
    assert list(progress.failed.values()) == ["failed"]


def test_reason_is_kept_where_no_last_step_is_waited_for(tmp_path):
    """Nothing can be said of the steps after them."""
    tasks = (Task("simulate", f"{tmp_path}/simulate", "simulate"),)
    progress = Progress(Plan(tasks, {"simulate": ["learn"]}))
    assert summary.ending(progress, "the workers ended") == "1 of 1 tasks did not finish: the workers ended"
    whole = Progress(Plan((*tasks, learn := Task("learn", f"{tmp_path}/learn", "learn")), {"simulate": ["learn"]}))
    whole.done.add(learn)
    assert summary.ending(whole, None) == "1 of 2 tasks failed; the steps after them went on with what there was"


def test_first_failure_of_a_step_is_said_at_once(tmp_path, capsys):
    """Others of the step may go on for hours."""
    tasks = tuple(Task("simulate", f"{tmp_path}/simulate/{number}", "simulate") for number in range(9))
    for task in tasks:
        Path(task.folder).mkdir(parents=True)
        Path(task.folder, "simulate.err").write_text(f"odd\nno licence in {task.folder[-1]}\nexit code 3\n")
    progress, display = Progress(Plan(tasks, {})), Display()
    for task in tasks[:2]:
        progress.failed[task] = "failed"
        display.show(progress)
    lines = [line for line in capsys.readouterr().out.splitlines() if "licence" in line]
    assert lines == [f"simulate: failed: no licence in 0 | exit code 3 ({tmp_path}/simulate/0/simulate.err)"]
