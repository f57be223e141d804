"""Faults that keep a study, a worker or a task from starting: each ends in a minute, with the reason, and goes on."""

import random
import subprocess
from pathlib import Path

import yaml
from disks import mounted
from scene import finish
from suite import LEARN, Outcome, Suite, continue_and_verify, expect, started

SECONDS = 60.0  # until the reason stands on the screen


def changed(suite: Suite, step: int, **run) -> None:
    """Change what a step of the suite runs."""
    spec = yaml.safe_load(suite.spec.read_text())
    spec["study"][step]["run"] |= run
    suite.spec.write_text(yaml.safe_dump(spec, sort_keys=False))


def refused(suite: Suite, outcome: Outcome, words: str) -> None:
    """The study does not even begin, and says why."""
    code, output = finish(suite.start_new())
    expect(outcome, code == 2 and words in output and not suite.studies(), f"not refused: {code}: {output[-300:]}")


def ends(process, outcome: Outcome, words: str) -> None:
    """The study ends soon, with the reason."""
    try:
        code, output = finish(process, SECONDS)
    except subprocess.TimeoutExpired:
        code, output = None, f"no end within {SECONDS:g} s"
    expect(outcome, code == 1 and words in output, f"expected {words!r}: exit code {code}: {output[-600:]}")


def missing_shell(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """The shell of the simulations is not there at the start; later, it goes away between two of them."""
    suite = Suite(folder, runs=runs)
    shell, before = folder / "shell", Outcome()
    changed(suite, 1, shell=str(shell))
    refused(suite, before, f"no script of {shell} can start")
    shell.symlink_to("/bin/bash")
    with started(suite, hold=True, workers=1) as (process, outcome):
        outcome.silent += before.silent
        suite.wait_for(suite.held)
        shell.unlink()
        suite.remove("hold")
        ends(process, outcome, f"the shell of this step is not there: {shell}")
        shell.symlink_to("/bin/bash")
        continue_and_verify(suite, outcome)
    return outcome


def no_execution(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """The study's file system lets no program start: from the beginning, and from the middle on. For root."""
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=1500m,noexec", "tmpfs"):
        suite, before = Suite(folder, runs=runs), Outcome()
        refused(suite, before, "mounted noexec?")
        remount(folder, "exec")
        with started(suite, hold=True, workers=1) as (process, outcome):
            outcome.silent += before.silent
            suite.wait_for(suite.held)
            remount(folder, "noexec")
            suite.remove("hold")
            ends(process, outcome, "is its file system mounted noexec?")
            remount(folder, "exec")
            continue_and_verify(suite, outcome)
    return outcome


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def worker_never_starts(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """What the workers are launched with fails each time, and says why only in their log."""
    launcher = folder / "launch"
    suite = Suite(folder, runs=runs, changes={"BATCH": "slurm", "WORKER_LAUNCH": str(launcher)})
    launcher.write_text(
        f'#!/bin/bash\nif [ -e "{folder}/broken" ]; then echo "no node is free" >&2; exit 1; fi\nexec "$@"\n'
    )
    launcher.chmod(0o755)
    suite.touch("broken")
    with started(suite) as (process, outcome):
        ends(process, outcome, "no node is free")
        suite.remove("broken")
        continue_and_verify(suite, outcome)
    return outcome


def store_not_made(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """The step that makes the store fails: no simulation is run for nothing."""
    suite = Suite(folder, runs=runs)
    cmd = yaml.safe_load(suite.spec.read_text())["study"][0]["run"]["cmd"]
    changed(suite, 0, cmd=f'if [ -e "{folder}/broken" ]; then echo "no place for a store" >&2; exit 3; fi\n{cmd}')
    suite.touch("broken")
    with started(suite) as (process, outcome):
        ends(process, outcome, "create-initial-store failed, and all that is left depends on it")
        expect(outcome, suite.done() == 0, f"{suite.done()} simulations ran without a store")
        expect(outcome, not (suite.study() / LEARN).exists(), "the training ran without a store")
        suite.remove("broken")
        continue_and_verify(suite, outcome)
    return outcome


FAULTS = {
    "missing shell": missing_shell,
    "no execution": no_execution,
    "worker that never starts": worker_never_starts,
    "store that cannot be made": store_not_made,
}
