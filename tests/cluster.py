"""Whole studies: `sim2seq run`; as on a cluster, plain `merlin run` and `merlin run-workers` with an app.yaml."""

import contextlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from sim2seq import cli, rehearsal
from sim2seq._support.guard import Guarded

ROOT = Path(__file__).parent.parent
SPEC, PGEN = ROOT / "ball_bounce_suite_merlin_lstm.yaml", ROOT / "pgen_ensembles.py"
BIN = Path(sys.executable).parent


WITHOUT = str(Path(__file__).with_name("without"))  # packages that plain Merlin starts sooner without


def environment(**more):
    python = os.pathsep.join(filter(None, [WITHOUT, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "C_FORCE_ROOT": "1", "PYTHONPATH": python} | more


def run(*command, folder, check=True, env=None):
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=env or environment(), capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run_study(spec, *words, folder) -> str:
    """`sim2seq run` in this process and this folder, and what it said.

    Without the rehearsal, which would import Keras once more for each study: test_suites.py goes through those of all.
    """
    said, mask = io.StringIO(), os.umask(0o022)
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.chdir(folder)
            patch.setenv("C_FORCE_ROOT", "1")
            patch.setattr(rehearsal, "request", lambda *_: None)
            code = cli.main(["run", *map(str, (spec, *words))])
    finally:
        os.umask(mask)
    assert code == 0, said.getvalue()
    return said.getvalue()


def study_folder(folder):
    (study,) = (path for path in folder.glob("*/ball-bounce-lstm_*") if path.is_dir())
    return study


def store_of(study):
    return study / "create-initial-store" / "ensembles_output.sqlite"


def write_suite_without_training(folder) -> Path:
    spec = yaml.safe_load(SPEC.read_text().replace("$(SPECROOT)", str(ROOT)))
    last = spec["study"].pop()["name"]
    spec["merlin"]["resources"]["workers"]["other_worker"]["steps"].remove(last)
    (folder / "suite.yaml").write_text(yaml.safe_dump(spec))
    return folder / "suite.yaml"


def variables(folder):
    return ["--vars", f"OUTPUT_PATH={folder / 'out'}", "CONCURRENCY=2"]


def queue(folder, home, runs, **options):
    """`merlin run` of the suite without its training, results below `folder`, `home` holds the app.yaml."""
    spec = write_suite_without_training(folder)
    words = ["--pgen", PGEN, "--pargs", f"NUM_STUDIES:{runs}", *variables(folder)]
    return run(BIN / "merlin", "run", spec, *words, folder=home, **options)


@contextlib.contextmanager
def workers(folder, home, *words, env=None):
    """`merlin run-workers` for what `queue` queued, to the end of the block; their words go to `folder`/workers.log."""
    command = [str(BIN / "merlin"), "run-workers", str(folder / "suite.yaml"), *words, *variables(folder)]
    with (folder / "workers.log").open("wb") as log:
        guarded = Guarded(command, output=log, cwd=str(home), env=env or environment())
    try:
        yield guarded
    finally:
        guarded.stop()
    assert not guarded.members()


def wait(folder, runs, meanwhile=lambda: None, seconds=150):
    """Until every task of the suite without its training has finished: one for the store, two a run."""
    deadline = time.monotonic() + seconds
    while len(list(folder.glob("out/*/**/MERLIN_FINISHED"))) < 1 + 2 * runs:
        assert time.monotonic() < deadline, (folder / "workers.log").read_text()
        meanwhile()
        time.sleep(0.2)
