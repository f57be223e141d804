"""Launch: would the workers of a spec start, and a script in the shell of each of its steps? Tried, not guessed."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from sim2seq.workflow.checks.preflight import search_path

NOT_STARTED = (126, 127)  # exit codes of /usr/bin/env and shells for a program that cannot be started, or found
SECONDS = 60  # that an empty script, or the help of a worker, may take


def launch_problems(spec: dict, started: list[str], output: str) -> list[str]:
    """Why a worker or a script of an expanded spec cannot start on this machine; one line each, empty if they can.

    started   the workers that Merlin starts here (serving.py)
    output    folder in which the study's folder will be made; scripts are tried in what there is of it
    """
    return [*shell_problems(shells_of(spec), output), *argument_problems(spec, started)]


def shells_of(spec: dict) -> dict[str, list[str]]:
    """Shell -> the steps that ask for it."""
    default = (spec.get("batch") or {}).get("shell") or "/bin/bash"
    found: dict[str, list[str]] = {}
    for step in spec["study"]:
        found.setdefault(str(step["run"].get("shell") or default), []).append(step["name"])
    return found


def shell_problems(shells: dict[str, list[str]], output: str) -> Iterator[str]:
    """Try an empty script of each shell, below `output`, as Merlin would write and start it."""
    place = Path(os.path.abspath(output))
    place = next(folder for folder in (place, *place.parents) if folder.is_dir())
    for shell, steps in shells.items():
        if why := refused(shell, place):
            yield f"{'step' if len(steps) == 1 else 'steps'} {', '.join(steps)}: no script of {shell} can start: {why}"


def refused(shell: str, folder: Path) -> str | None:
    """Why an empty script of this shell cannot start in the folder; None if it can."""
    with tempfile.TemporaryDirectory(prefix=".sim2seq_", dir=folder) as inside:
        script = Path(inside, "try.sh")
        script.write_text(f"#!{shell}\n\n\n")
        script.chmod(0o755)
        options: dict = {"cwd": inside, "env": environment(), "stdin": subprocess.DEVNULL, "capture_output": True}
        try:
            done = subprocess.run([str(script)], timeout=SECONDS, check=False, **options)
        except subprocess.TimeoutExpired:
            return None
        except OSError as error:
            return reason(error, next(iter(shell.split()), ""), folder)
    words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
    return words[0] if done.returncode in NOT_STARTED else None


def reason(error: OSError, program: str, folder: Path) -> str:
    """What an error at the start of a script means, in words."""
    if isinstance(error, FileNotFoundError):
        return f"expected the whole path of a program that is there, got {program!r}"
    if isinstance(error, PermissionError) and os.access(program, os.X_OK):
        return f"the file system of {folder} lets nothing start (mounted noexec?): choose another one with --output"
    return f"{program}: {error.strerror}"


def environment() -> dict[str, str]:
    return os.environ | {"PATH": search_path()}


def argument_problems(spec: dict, started: list[str]) -> Iterator[str]:
    """Arguments that Celery does not take, of the workers that Merlin starts here."""
    for name in started:
        if why := bad_arguments(os.path.expandvars(str(settings_of(spec, name).get("args") or ""))):
            yield f"worker {name!r}: args: {why}"


def settings_of(spec: dict, worker: str) -> dict:
    """What the spec says of a worker; nothing of the default worker."""
    return (((spec.get("merlin") or {}).get("resources") or {}).get("workers") or {}).get(worker) or {}


def bad_arguments(text: str) -> str | None:
    """What Celery says to these arguments of a worker; None if it takes them."""
    import click
    from celery.bin.worker import worker

    app = SimpleNamespace(conf=SimpleNamespace(worker_pool="prefork"))
    try:
        worker.make_context("worker", shlex.split(text), obj=SimpleNamespace(app=app))
    except (click.ClickException, ValueError) as error:
        words = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return " ".join(words.split())
    except (click.exceptions.Exit, Exception):  # --help; or what only a running worker can tell
        return None
    return None


def started_problems(spec, started: list[str]) -> Iterator[str]:
    """Start each worker's whole launch line, with --help in the place of work: what it says if that fails.

    spec   an expanded MerlinSpec; started: the workers that Merlin starts here.
    """
    from merlin.study.batch import batch_worker_launch

    for name in started:
        worker = spec.merlin["resources"]["workers"].get(name) or {}
        command = f"celery -A merlin worker {worker.get('args') or ''}"
        try:
            line = batch_worker_launch(spec, f"{command} --help", nodes=worker.get("nodes"), batch=worker.get("batch"))
            done = subprocess.run(
                os.path.expandvars(line),
                shell=True,
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            yield f"worker {name!r}: {command!r} did not answer within {SECONDS} s"
        except Exception as error:  # Merlin's own, of any kind
            yield f"worker {name!r}: Merlin cannot say how to start it: {' '.join(str(error).split()):.200}"
        else:
            words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or ["nothing said"]
            if done.returncode:
                yield f"worker {name!r}: {command!r} ends with exit code {done.returncode}: {words[-1]}"
