"""What a failure shows in the terminal."""

import json

from sim2seq.workflow import summary
from sim2seq.workflow.plan import FINISHED, STATUS, Plan, Task
from sim2seq.workflow.progress import Progress


def test_errors_are_shown_short_and_harmless(tmp_path):
    path = tmp_path / "task.err"
    path.write_bytes(b"old\n" + b"x" * 100_000 + b"\n\x1b[31mred\x1b[0m \x07bell\rlast\n\n")
    assert summary.last_lines(path) == ["x" * summary.LINE_LENGTH, "red bell", "last"]


def test_a_sample_that_failed_is_said_to_have_failed_after_merlin_has_gathered_the_states_of_its_step(tmp_path):
    """As Merlin leaves four samples of a step: 0 ended well, 1 failed, 2 is to run again, 3 never began."""
    tasks = [Task("train", f"{tmp_path}/train/{sample:02}", "train") for sample in range(4)]
    states = dict(zip(tasks, ("FINISHED", "FAILED", "FAILED", "INITIALIZED"), strict=True))
    for task in tasks:
        (tmp_path / "train" / task.folder[-2:]).mkdir(parents=True)
    for task in tasks[:2]:
        (tmp_path / "train" / task.folder[-2:] / "train.err").write_text("lost\n")
    (tmp_path / "train" / "00" / FINISHED).touch()
    gathered = {f"train/{task.folder[-2:]}": {"status": state} for task, state in states.items()}
    (tmp_path / "train" / STATUS).write_text(json.dumps({"train": {"parameters": {}, "workers": [], **gathered}}))
    progress = Progress(Plan(tuple(tasks), {}))
    progress.scan()
    rows = summary.unfinished_tasks(progress)
    assert [(task.folder[-2:], state) for task, state in rows] == [
        ("01", "failed"),
        ("02", "missing"),
        ("03", "missing"),
    ]
    summary.write_summary(str(tmp_path), progress)
    assert json.loads((tmp_path / summary.SUMMARY).read_text())["steps"]["train"]["failed"] == 1
