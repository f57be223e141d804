"""A task that cannot run fails at once, and its error output says why; Merlin tries again only what may get better."""

import errno
import os
from collections import Counter
from types import SimpleNamespace

import pytest
from merlin.common.enums import ReturnCode
from merlin.study import script_adapter

from sim2seq.workflow import messages, tasks
from sim2seq.workflow.plan import Plan, Task


def step(folder, error):
    """A step of Merlin's whose execution raises `error`."""
    script = folder / "one.sh"
    script.write_text("#!/bin/bsah\n\necho\n")
    record = SimpleNamespace(script=str(script))

    def execute(self, config):
        raise error(str(script))

    return tasks._fail_at_once(execute), SimpleNamespace(
        mstep=record, get_workspace=lambda: str(folder), name=lambda: "one"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            lambda script: OSError(errno.ENOENT, "No such file", script),
            "the shell of this step is not there: /bin/bsah",
        ),
        (lambda script: OSError(errno.EACCES, "Permission denied", script), "mounted noexec?"),
        (lambda script: OSError(errno.ENAMETOOLONG, "File name too long", "x"), "File name too long: 'x'"),
        (lambda script: ValueError("16 is no valid code"), "ValueError: 16 is no valid code"),
    ],
)
def test_error_that_lasts_is_a_failure_with_its_reason(tmp_path, error, words):
    execute, made = step(tmp_path, error)
    assert execute(made, {}) == ReturnCode.SOFT_FAIL
    (line,) = (tmp_path / "one.err").read_text().splitlines()
    assert words in line


def test_error_that_may_pass_is_left_to_merlin(tmp_path):
    execute, made = step(tmp_path, lambda script: OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    with pytest.raises(OSError, match="temporarily"):
        execute(made, {})


@pytest.mark.parametrize(
    ("cmd", "last"),
    [
        ("exit 3", "one.sh: exit code 3"),
        ("nosuchcommand > build.out 2>&1", "one.sh: exit code 127, as where a command is not found"),
        ("kill -9 $$", "one.sh: ended by SIGKILL"),
        ("sh -c 'kill -15 $$'", "one.sh: exit code 143, as after SIGTERM"),
        ("exit 101", "one.sh: exit code 101, MERLIN_SOFT_FAIL"),
        ("printf '\\377\\n' >&2; exit 0", "\ufffd"),
    ],
)
def test_end_of_a_script_is_the_last_line_of_its_errors(tmp_path, cmd, last):
    script = tmp_path / "one.sh"
    script.write_text(f"#!/bin/bash\n\n{cmd}\n")
    os.chmod(script, 0o755)
    script_adapter.MerlinScriptAdapter()._execute_subprocess("one", str(script), str(tmp_path))
    assert ["", *(tmp_path / "one.err").read_text().splitlines()][-1] == last


def test_hard_fail_ends_a_study_and_other_codes_are_counted(tmp_path):
    """Tasks of two runs, each below a study, one of which a step of the other has made."""
    asked = Counter()
    for study in ("outer", "outer/next/inner"):
        (tmp_path / study / "merlin_info").mkdir(parents=True)
    news = tasks.News(str(tmp_path / "outer"), print, asked)
    for task, code in (("outer/runs/00", 100), ("outer/runs/01", 100), ("outer/next/inner/work", 104), ("outer/a", 3)):
        news.hear([{"task": str(tmp_path / task), "code": code}])
    assert tasks.in_words(asked) == "runs MERLIN_RESTART 2 times, work MERLIN_RETRY once"
    assert news.ended() is None
    news.hear([{"task": str(tmp_path / "outer" / "check"), "code": 102}])
    assert news.ended() == "check ended with MERLIN_HARD_FAIL"


CHAIN = {"_source": ["a"], "a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}


@pytest.mark.parametrize(
    ("node", "children", "lost"),
    [
        ("a", CHAIN, {"b", "c", "d"}),
        ("b", CHAIN, set()),  # c does not depend on it
        ("c", {"_source": ["a"], "a": ["c"], "c": ["d"], "d": []}, {"d"}),
        ("a", CHAIN | {"_source": ["a", "e"], "e": []}, set()),
    ],
)
def test_tasks_that_all_need_what_failed_are_in_vain(tmp_path, monkeypatch, node, children, lost):
    (tmp_path / "merlin_info").mkdir()
    (tmp_path / "merlin_info" / "dag_1.pickle").touch()
    values = {name: SimpleNamespace(workspace=SimpleNamespace(value=str(tmp_path / name))) for name in children}
    graph = SimpleNamespace(maestro_values=values | {"_source": None}, maestro_adjacency_table=children)
    monkeypatch.setattr(messages, "load_graph", lambda path: graph)
    assert tasks._in_vain(str(tmp_path / node)) == lost
    study = Plan(tuple(Task(name, str(tmp_path / name), name) for name in children if name != "_source"), children)
    place = [task.node for task in study.tasks].index(node)
    failed, done = study.tasks[place], study.tasks[:place]
    assert study.needed_by_all([failed], {failed, *done}) == (failed if lost else None)


def test_study_ends_when_all_that_is_left_is_tried_in_vain():
    said = []
    news = tasks.News("/study", said.append)
    news.hear([{"task": "/study/one", "error": "OSError: no memory", "attempts": attempt} for attempt in (1, 2)])
    assert news.stuck(1) is None
    news.hear([{"task": "/study/one", "error": "OSError: no memory", "attempts": 3}])
    assert news.stuck(2) is None  # another task is at work, or waits
    assert news.stuck(1) == said[-1] == "one: OSError: no memory, attempt 3 (/study/logs/merlin_workers.log)"
