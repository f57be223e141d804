"""A spec of Merlin with one step, and what the `sim2seq` command says of it when it refuses."""

import yaml

from sim2seq import cli

STEP = {"name": "simulate", "description": "one run", "run": {"cmd": "echo $(RUN_ID)"}}
SPEC = {
    "description": {"name": "tiny", "description": "a study"},
    "env": {"variables": {"OUTPUT_PATH": "out"}},
    "study": [STEP],
}


def write_spec(spec: dict, **changes) -> None:
    with open("spec.yaml", "w") as file:
        yaml.safe_dump(spec | changes, file)


def refusal(capsys, *arguments) -> str:
    """What the command says on stderr when it refuses; one line, nothing on stdout."""
    assert cli.main([str(word) for word in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err
