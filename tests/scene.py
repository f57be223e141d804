"""A tiny study of the shape of a real one, and what tests need to watch it: its log, its processes, its broker."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

RUNS = 6
SPEC = """
description: {name: tiny, description: four steps like those of a real study}
env:
    variables: {OUTPUT_PATH: ./studies_output, CONCURRENCY: 1, TOLERATED: 0}
study:
    - name: prepare
      description: opens the store
      run:
          cmd: |
              set -euo pipefail
              echo prepare >> $(SPECROOT)/log
          task_queue: other
    - name: simulate
      description: one run; waits while the file `hold` exists, run 3 fails while `broken` exists
      run:
          cmd: |
              set -euo pipefail
              echo simulate $(RUN_ID) >> $(SPECROOT)/log
              while [ -e $(SPECROOT)/hold ]; do sleep 0.1; done
              if [ $(RUN_ID) = 3 ] && [ -e $(SPECROOT)/broken ]; then echo "the ball left the box" >&2; exit 1; fi
          depends: [prepare]
          task_queue: many
    - name: ingest
      description: needs its own run
      run:
          cmd: |
              set -euo pipefail
              test -e $(simulate.workspace)/MERLIN_FINISHED
              echo ingest $(RUN_ID) >> $(SPECROOT)/log
          depends: [simulate]
          task_queue: many
    - name: learn
      description: needs all runs
      run:
          cmd: |
              set -euo pipefail
              done=$(ls $(ingest.workspace)/*/MERLIN_FINISHED | wc -l)
              echo learn $done+$(TOLERATED) >> $(SPECROOT)/log
              test $((done + $(TOLERATED))) = RUNS
              echo "<html></html>" > report.html
          depends: [ingest_*]
          task_queue: other
merlin:
    resources:
        overlap: False
        workers:
            simulation_worker:
                args: --concurrency $(CONCURRENCY) -O fair --prefetch-multiplier 1 --without-mingle -l INFO
                steps: [simulate, ingest]
            other_worker:
                args: --concurrency 1 -O fair --prefetch-multiplier 1 --without-mingle -l INFO
                steps: [prepare, learn]
""".replace("RUNS", str(RUNS))

PGEN = """
from maestrowf.datastructures.core import ParameterGenerator


def get_custom_generator(env, **kwargs):
    runs = int(kwargs["NUM_STUDIES"])
    generator = ParameterGenerator()
    generator.add_parameter("RUN_ID", list(range(1, runs + 1)), "R%%")
    generator.add_parameter("GROUP_ID", ["tiny"] * runs, "G%%")
    return generator
"""


class Scene:
    """A tiny study in a folder of its own; every process of it carries a mark in its environment."""

    def __init__(self, folder: Path):
        self.folder, self.mark = folder, f"scene-{folder}"
        self.others: set[psutil.Process] = set()  # known to be none of this study's: a look at all of them takes long
        self.environment = os.environ | {"C_FORCE_ROOT": "1", "SIM2SEQ_SCENE": self.mark, "HOME": str(folder)}
        self.spec, self.pgen = folder / "tiny.yaml", folder / "pgen.py"
        self.spec.write_text(SPEC)
        self.pgen.write_text(PGEN)

    def start(self, *words) -> subprocess.Popen:
        command = [sys.executable, "-m", "sim2seq.cli", "run", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes)

    def start_new(self, *options) -> subprocess.Popen:
        return self.start(self.spec, "--pgen", self.pgen, "--runs", RUNS, "--workers", 2, *options)

    def touch(self, name: str) -> None:
        (self.folder / name).touch()

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for(self, found, seconds=45.0):
        deadline = time.monotonic() + seconds
        while not (result := found()):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return result

    def studies(self) -> list[Path]:
        return sorted((self.folder / "studies_output").glob("tiny_*"))

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            if process in self.others:
                continue
            try:
                environment = process.environ()
                if environment.get("SIM2SEQ_SCENE") == self.mark:
                    found += [process] if process.status() != psutil.STATUS_ZOMBIE else []
                elif environment:  # not in the middle of its start
                    self.others.add(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def brokers(self) -> list[psutil.Process]:
        """The servers: they overwrite their environment, so they are known by their guards."""
        guards = {process.pid for process in self.processes()}
        running = psutil.process_iter(["name", "ppid"])
        return [one for one in running if one.info["name"] == "valkey-server" and one.info["ppid"] in guards]

    def worker(self) -> psutil.Process:
        """The Celery worker of the queue `many`; its children have the same command line."""
        found = [process for process in self.processes() if {"worker", "-Q"} <= set(process.cmdline())]
        found = {process.pid: process for process in found if process.cmdline()[-1].endswith("many")}
        return next(process for process in found.values() if process.ppid() not in found)


def listens(process: psutil.Process) -> bool:
    try:
        return bool(process.net_connections("inet"))
    except psutil.NoSuchProcess:
        return False


def finish(process: subprocess.Popen, seconds=120.0) -> tuple[int, str]:
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


def prepared(study) -> Path:
    """A study as `merlin run` leaves it before any worker begins."""
    from sim2seq.workflow import messages

    output = study.folder / "studies_output"
    variables = {"OUTPUT_PATH": str(output)}
    made = messages.MerlinStudy(str(study.spec), variables, pgen_file=str(study.pgen), pargs=["NUM_STUDIES:2"])
    return Path(made.workspace)
