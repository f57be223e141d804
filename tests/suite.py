"""The bouncing-ball study as small as it can be, and what must hold of it after whatever went wrong on the way."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml
from runs import make_runs
from scene import Scene, finish

from sim2seq.store import store as stores
from sim2seq.workflow import plan

ROOT = Path(__file__).resolve().parent.parent
SUITE = ROOT / "ball_bounce_suite_merlin_lstm.yaml"
STORE = "create-initial-store/ensembles_output.sqlite"
SIMULATE, INGEST, LEARN = "run-ball-bounce", "ingest-ball-bounce", "lstm-ball-bounce"
CHEAP = f'python "{Path(__file__).with_name("digest.py")}" "$(create-initial-store.workspace)/ensembles_output.sqlite"'
MOST_SESSIONS = 5  # calls of `sim2seq run` until a study has to be whole


class Suite(Scene):
    """The bouncing-ball study in a folder of its own; its training is real, or reads the store and says what it saw."""

    source = SUITE
    most_seconds = 120.0  # of one session
    marked_once = True  # a task delivered twice marks its end twice, the second time while others have gone on

    def __init__(self, folder: Path, *, runs=12, training=None, hostile=None, changes=None):
        """`hostile`: run number -> what its simulation does instead, in shell, while the file `hostile` exists."""
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.runs = self.known_runs(runs)  # as the library itself simulates them
        self.ids = [f"{self.runs[0].id.rpartition('_')[0]}_{number}" for number in range(1, runs + 1)]
        self.spec, self.pgen = folder / "suite.yaml", ROOT / "pgen_ensembles.py"
        spec = yaml.safe_load(self.source.read_text().replace("$(SPECROOT)", str(ROOT)))
        spec["description"]["name"] = "tiny"
        learn = spec["study"][-1]["run"]
        head, check, *train = learn["cmd"].splitlines()
        learn["cmd"] = "\n".join([head, check, *(train if training else [CHEAP])]) + "\n"
        if training:
            spec["env"]["variables"]["TRAINING"] = training
        simulate = spec["study"][1]["run"]
        simulate["cmd"] = simulate["cmd"].replace("\n", f"\n{self._prelude(hostile or {})}\n", 1)
        spec["env"]["variables"] |= changes or {}
        self.spec.write_text(yaml.safe_dump(spec, sort_keys=False))

    def known_runs(self, count: int) -> list:
        return make_runs(count)

    def _prelude(self, hostile: dict[int, str]) -> str:
        """Shell lines before a simulation: wait while the file `hold` exists, and put another `python` in its place."""
        for number, script in hostile.items():
            place = self.folder / "hostile_bin" / str(number)
            place.mkdir(parents=True)
            (place / "python").write_text(f"#!/bin/bash\n{script}\n")
            (place / "python").chmod(0o755)
        return (
            f'while [ -e "{self.folder}/hold" ]; do sleep 0.05; done\n'
            f'if [ -e "{self.folder}/hostile" ]; then PATH="{self.folder}/hostile_bin/$(RUN_ID):$PATH"; fi'
        )

    def start_new(self, *options, workers=2) -> subprocess.Popen:
        words = ["--pgen", self.pgen, "--runs", len(self.ids), "--workers", workers, *options]
        self.first = self.start(self.spec, *words)
        return self.first

    def wait_for(self, found, seconds=90.0):
        """As in a Scene; with what `sim2seq run` said, if it ended before `found` was true."""
        ended = []

        def found_or_over():
            if not (result := found()) and self.first.poll() is not None:
                ended.append(True)
            return result or ended

        result = super().wait_for(found_or_over, seconds)
        assert not ended, finish(self.first)
        return result

    def study(self) -> Path | None:
        """The study's folder; None before it can be gone on with."""
        return next(filter(plan.was_checked, self.studies()), None)

    def done(self, step=SIMULATE) -> int:
        study = self.study()
        return len(list(study.glob(f"{step}/**/{plan.FINISHED}"))) if study else 0

    def script(self, name: str) -> list[psutil.Process]:
        """Running Python processes of the script `name`."""
        return [one for one in self.processes() if name in map(os.path.basename, words(one)[1:2])]

    def workers(self, *, children=False) -> list[psutil.Process]:
        """The Celery workers, with or without the processes in which they run tasks."""
        found = {one.pid: one for one in self.processes() if {"worker", "-Q"} <= set(words(one)[1:])}
        found = {pid: one for pid, one in found.items() if not words(one)[0].endswith("sh")}
        return [one for one in found.values() if children or parent(one) not in found]

    def held(self) -> list[psutil.Process]:
        """The scripts of the simulations that are at work or wait."""
        return [one for one in self.processes() if words(one)[-1].endswith(".sh") and SIMULATE in words(one)[-1]]

    def go_on(self, *options) -> tuple[int, str]:
        """`sim2seq run FOLDER` to its end; the whole command again if there is no folder to go on with."""
        study = self.study()
        return finish(self.start(study, *options) if study else self.start_new(*options), self.most_seconds)

    def clear(self) -> None:
        """End whatever still runs."""
        for process in [*self.processes(), *self.brokers()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() or [""]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return [""]


def parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


@dataclass
class Outcome:
    """What a trial left: runs lost (missing, or with other values), doubled, and what was wrong without a word."""

    lost: int = 0
    doubled: int = 0
    silent: list[str] = field(default_factory=list)  # exit code 0, and yet
    sessions: int = 0  # calls of `sim2seq run` until it ended with 0
    seconds: float = 0.0
    notes: str = ""
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.silent)


def verify(suite: Suite, outcome: Outcome) -> Outcome:
    """Compare a study that ended with exit code 0 with the library's own simulation, and the order of its marks."""
    study = suite.study()
    ids = stored_ids(study / STORE)
    outcome.doubled += len(ids) - len(set(ids)) + len(set(ids) - set(suite.ids))
    ensemble = stores.load(study / STORE)
    held = dict(zip(ensemble.run_ids, ensemble.values, strict=True))
    lost = [name for name in suite.ids if name not in held]
    lost += [run.id for run in suite.runs if run.id in held and not equal(held[run.id], run, ensemble.features)]
    outcome.lost += len(lost)
    outcome.silent += [f"{name} is missing or wrong" for name in lost] + disorder(study, suite) + outdated(study, suite)
    return outcome


def equal(values, run, features) -> bool:
    return values.T.tolist() == [run.series[name] for name in features]


def stored_ids(path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM Record WHERE type = 'dataset'")]


def disorder(study: Path, suite: Suite) -> list[str]:
    """Tasks without a mark, and tasks that began before something they depend on had ended."""
    tasks = plan.load_plan(str(study))
    unmarked = [f"{task.folder} has no mark" for task in tasks.tasks if not task.finished]
    if not suite.marked_once:
        return unmarked
    nodes = {}
    for task in tasks.tasks:
        nodes.setdefault(task.node, []).append(task)
    early = []
    for node, before in nodes.items():
        for after in (nodes[child] for child in tasks.children.get(node, ())):
            pairs = (
                zip(before, after, strict=True)
                if len(before) == len(after)
                else ((b, a) for b in before for a in after)
            )
            early += [f"{a.folder} began before {b.folder} ended" for b, a in pairs if began(a) < ended(b)]
    return unmarked + early


def began(task) -> float:
    return max((path.stat().st_mtime for path in Path(task.folder).glob("*.sh")), default=0.0)


def ended(task) -> float:
    path = Path(task.folder, plan.FINISHED)
    return path.stat().st_mtime if path.exists() else 0.0


def outdated(study: Path, suite: Suite) -> list[str]:
    """What the last step says about the store, where that is not what the store holds now."""
    from digest import digest

    said = []
    facts = json.loads((study / LEARN / "completeness.json").read_text())
    if (facts["expected"], facts["stored"]) != (len(suite.ids), len(suite.ids)):
        said.append(f"the training saw {facts['stored']} of {len(suite.ids)} runs")
    path = study / LEARN / "digest.json"
    if path.exists() and json.loads(path.read_text()) != digest(study / STORE):
        said.append("the training read other data than the store holds")
    if not path.exists() and not (study / LEARN / "training" / "model.keras").exists():
        said.append("there is no model")
    return said


class Unavailable(Exception):
    """This machine cannot inject the fault; the message says why."""


def is_over(process) -> bool:
    return process.poll() is not None


def until_whole(suite: Suite, code: int, output: str) -> Outcome:
    """Go on until exit code 0, and verify; each session that ends with 0 is held to its word."""
    outcome = Outcome(sessions=1)
    while code != 0:
        if outcome.sessions == MOST_SESSIONS:
            outcome.lost = len(suite.ids)
            outcome.notes = f"not whole after {MOST_SESSIONS} sessions: {output[-600:]}"
            return outcome
        code, output = suite.go_on()
        outcome.sessions += 1
    return verify(suite, outcome)


@contextlib.contextmanager
def started(suite: Suite, *options, hold=False, workers=2):
    """A started study and the outcome to fill; nothing of it is left at the end."""
    outcome, start = Outcome(sessions=1), time.monotonic()
    if hold:
        suite.touch("hold")
    process = suite.start_new(*options, workers=workers)
    try:
        yield process, outcome
    finally:
        suite.clear()
        outcome.seconds = time.monotonic() - start


def expect(outcome: Outcome, holds: bool, said: str) -> None:
    if not holds:
        outcome.silent.append(said)


def finish_and_verify(suite: Suite, process, outcome: Outcome) -> None:
    """Let the study end, go on with it until it is whole, and verify."""
    result = until_whole(suite, *finish(process))
    outcome.lost, outcome.doubled, outcome.sessions = result.lost, result.doubled, result.sessions
    outcome.silent += result.silent


def continue_and_verify(suite: Suite, outcome: Outcome) -> None:
    """Go on with a study that ended as it should; from here nothing is in its way, and one session must do."""
    code, output = suite.go_on()
    outcome.sessions += 1
    expect(outcome, code == 0, f"going on ended with exit code {code}: {output[-600:]}")
    verify(suite, outcome)
