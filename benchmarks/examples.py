"""Does each spec that `merlin example` writes run through `sim2seq run` here, and if not, why?

    python benchmarks/examples.py [NAME ...] [--launcher] [--markdown]

One row a spec: what becomes of it, the tasks that finished, and the reason where it did not run through. Each is
written into a temporary folder, which is HOME too. A step that would install packages gets none (PIP_NO_INDEX). With
--launcher a stand-in for srun is on the PATH, which runs the command here: what specs for Slurm do where Slurm is.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from merlin.examples.generator import gather_all_examples

from sim2seq._support import command

SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do case $1 in *=*|--overlap) shift;; *) shift 2;; esac; done
exec "$@"
"""
VARIABLES = {"null_chain": ["MAX_SAMPLES=10"], "null_spec": ["N_SAMPLES=3"]}  # hours otherwise
MINUTES = 10


def specs() -> dict[str, str]:
    """Name -> path of each spec of Merlin's examples; `merlin example NAME` writes it, with what lies beside it."""
    return {Path(path).stem: path for path in sorted(gather_all_examples())}


def write(name: str, folder: Path) -> Path:
    """The spec `name` as `merlin example` writes it, below `folder`."""
    subprocess.run([sys.executable, "-m", "merlin.main", "example", name], cwd=folder, check=True, capture_output=True)
    return next(folder.rglob(f"{name}.yaml"))


def run(name: str, folder: Path, *, launcher=False) -> dict:
    """What becomes of the spec `name`: its exit code, tasks done and in all, seconds, and the words of a refusal."""
    spec = write(name, folder)
    path = os.environ["PATH"]
    if launcher:
        (folder / "srun").write_text(SRUN)
        (folder / "srun").chmod(0o755)
        path = f"{folder}{os.pathsep}{path}"
    words = [sys.executable, "-m", "sim2seq.cli", "run", spec.name]
    words += ["--vars", *VARIABLES[name]] if name in VARIABLES else []
    options = {"cwd": spec.parent, "stdin": subprocess.DEVNULL, "text": True, "timeout": 60 * MINUTES}
    environment = os.environ | {"HOME": str(folder), "PIP_NO_INDEX": "1", "PATH": path}
    start = time.monotonic()
    ended = subprocess.run(words, env=environment, capture_output=True, **options)
    done, total = tasks(folder)
    found = {"spec": name, "code": ended.returncode, "done": done, "tasks": total, "seconds": time.monotonic() - start}
    return found | {"words": reason(ended.stdout + ended.stderr) if ended.returncode else ""}


def tasks(folder: Path) -> tuple[int, int]:
    """Tasks that finished, and all, of the study below `folder`; (0, 0) if none was begun."""
    steps = [one for path in folder.rglob("sim2seq_run.json") for one in json.loads(path.read_text())["steps"].values()]
    return sum(step["done"] for step in steps), sum(step["tasks"] for step in steps)


def reason(output: str) -> str:
    """The refusal, or else the last words of the first task that failed."""
    lines = output.splitlines()
    refusals = [line.removeprefix("sim2seq run: ") for line in lines if line.startswith("sim2seq run: ")]
    errors = [line.partition("| ")[2] for line in lines if line.startswith("          | ")]
    found = [line for line in refusals if not line.startswith("note: ")] or errors[:1] or lines[-1:]
    return re.sub(r"/\S*/", "", found[0])


def line(found: dict, *, markdown: bool) -> str:
    outcome = {0: "runs", 1: "fails", 2: "refused"}.get(found["code"], f"exit code {found['code']}")
    cells = [found["spec"], outcome, f"{found['done']}/{found['tasks']}", found["words"]]
    widths = (0, 0, 0, 0) if markdown else (24, 8, 6, 0)
    text = (" | " if markdown else "  ").join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {text} |" if markdown else text


def main() -> None:
    parser = command.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--launcher", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.names or specs():
        with tempfile.TemporaryDirectory() as folder:
            print(line(run(name, Path(folder), launcher=arguments.launcher), markdown=arguments.markdown), flush=True)


if __name__ == "__main__":
    sys.exit(command.run(main))
