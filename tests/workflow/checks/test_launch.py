"""What would keep a worker or a script from starting is found by trying."""

import os

import pytest

from sim2seq.workflow.checks import launch

ARGS = "-l INFO --concurrency 1 -O fair --prefetch-multiplier 2 --without-gossip"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (ARGS, None),
        ("", None),
        ("-P threads -n me.%%h --autoscale 3,1", None),
        ("-l INFO --concurency 1", "No such option '--concurency'. Did you mean '--concurrency'?"),
        ("--concurrency many", "'many' is not a valid integer"),
        ("-O fare", "'fare' is not one of 'default', 'fair'"),
        ("-n 'half", "No closing quotation"),
    ],
)
def test_arguments_of_a_worker_are_read_as_celery_reads_them(arguments, words):
    said = launch.bad_arguments(arguments)
    assert said is None if words is None else words in said


def test_each_shell_starts_a_script_where_the_study_will_be(tmp_path):
    (tmp_path / "plain").write_text("")
    shells = ("/bin/bash", "/bin/sh -e", "/usr/bin/env python3", "/bin/bsah", "bash", f"{tmp_path}/plain")
    shells += ("/usr/bin/env nosuchshell",)
    spec = {"study": [{"name": f"s{i}", "run": {"cmd": "", "shell": shell}} for i, shell in enumerate(shells)]}
    lines = launch.launch_problems(spec, [], str(tmp_path / "not" / "there"))
    assert [line.split(":")[0] for line in lines] == ["step s3", "step s4", "step s5", "step s6"]
    assert "no script of /bin/bsah can start: expected the whole path of a program that is there" in lines[0]
    assert "plain: Permission denied" in lines[2]
    assert os.listdir(tmp_path) == ["plain"]
