"""Whole studies through real Merlin, real workers and a real broker, as small as they can be."""

import contextlib
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sim2seq import broker, orchestrate, plan, preflight, rounds, verdict

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
                args: --concurrency $(CONCURRENCY) -O fair --prefetch-multiplier 1 -l INFO
                steps: [simulate, ingest]
            other_worker:
                args: --concurrency 1 -O fair --prefetch-multiplier 1 -l INFO
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


@pytest.fixture
def study(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    for process in scene.processes():  # only after a failed test
        process.kill()


class Scene:
    """A tiny study in a folder of its own; every process of it carries a mark in its environment."""

    def __init__(self, folder: Path):
        self.folder, self.mark = folder, f"scene-{folder}"
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
            try:
                if process.environ().get("SIM2SEQ_SCENE") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
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


def finish(process: subprocess.Popen) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_failure_is_named_and_going_on_redoes_what_depended_on_it(study):
    study.touch("broken")
    code, output = finish(study.start_new("--vars", "TOLERATED=1"))
    assert code == 1
    assert "failed    simulate/R3" in output
    assert "| the ball left the box" in output
    assert "2 of 14 tasks failed; the steps after them went on with what there was" in output
    assert "learn 5+1" in study.log()
    (folder,) = study.studies()
    assert f"sim2seq run {folder}" in output
    summary = json.loads((folder / "sim2seq_run.json").read_text())
    assert summary["exit_code"] == 1
    assert summary["steps"]["simulate"]["done"] == RUNS - 1
    assert summary["steps"]["simulate"]["failed"] == 1

    study.remove("broken")
    before = len(study.log())
    code, output = finish(study.start(folder, "--vars", "TOLERATED=0", "CONCURRENCY=1"))
    assert code == 0, output
    assert sorted(study.log()[before:]) == ["ingest 3", "learn 6+0", "simulate 3"]
    assert all(task.finished for task in plan.load_plan(folder).tasks)
    assert f"report: {folder}/learn/report.html" in output

    code, output = finish(study.start(folder, "--vars", "TOLERATED=0"))
    assert (code, "finished, nothing to do" in output) == (0, True)
    assert f"report: {folder}/learn/report.html" in output
    assert plan.expected_runs(folder / "merlin_info") == [f"tiny_{run}" for run in range(1, RUNS + 1)]

    third = next(task for task in plan.load_plan(folder).tasks if task.folder.endswith("simulate/R3"))
    Path(third.folder, plan.FINISHED).unlink()
    stale = [os.path.relpath(task.folder, folder) for task in plan.load_plan(folder).stale()]
    assert sorted(stale) == ["ingest/R3", "learn", "simulate/R3"]  # Merlin itself would keep the old model


def test_two_studies_at_once_are_private_and_nothing_outlives_them(study):
    study.touch("hold")
    first, second = study.start_new(), study.start_new()
    study.wait_for(lambda: study.log().count("simulate 1") == 2)
    folders = study.studies()
    assert len(folders) == 2
    brokers = study.brokers()
    private = [Path(broker.cwd()) for broker in brokers]
    assert len(set(private)) == 2
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in private] == [0o700, 0o700]
    assert not [process for process in study.processes() + brokers if listens(process)]

    code, output = finish(study.start(folders[0]))
    assert (code, "another sim2seq run is at work on this study" in output) == (2, True)

    first.kill()
    second.terminate()
    code, output = finish(second)
    assert code == 128 + signal.SIGTERM
    assert "to go on where it stopped: sim2seq run " in output
    verdicts = [path.read_text() for path in study.folder.glob("studies_output/*/sim2seq_run.json")]
    assert [json.loads(text)["verdict"] for text in verdicts] == ["stopped"]
    study.wait_for(lambda: not study.processes() and not any(broker.is_running() for broker in brokers), seconds=20)
    assert not any(folder.exists() for folder in private)
    assert not (study.folder / ".merlin").exists()

    study.remove("hold")
    code, output = finish(study.start(folders[0]))
    assert code == 0, output


def test_killed_worker_and_broker_do_not_lose_the_study(study):
    study.touch("hold")
    process = study.start_new()
    study.wait_for(lambda: "simulate 1" in study.log())
    study.worker().kill()
    study.wait_for(lambda: study.log().count("simulate 1") == 2)
    study.brokers()[0].kill()
    study.remove("hold")
    code, output = finish(process)
    assert code == 0, output
    assert "1 of 2 workers died; going on in round 2" in output
    assert "the broker died; going on in round 3" in output
    assert study.log().count(f"learn {RUNS}+0") == 1


def test_graph_travels_as_a_path(tmp_path):
    """The message of a task must not grow with the number of runs."""
    from sim2seq import messages

    content = pickle.dumps({"maestro_values": {}, "study_name": "tiny"})
    path = tmp_path / messages._file_name(content)
    path.write_bytes(content)
    graph = messages.load_graph(str(path))
    assert len(pickle.dumps(graph)) < 100 + len(str(path))
    assert pickle.loads(pickle.dumps(graph)).study_name == "tiny"
    path.write_bytes(b"something else")
    messages.load_graph.cache_clear()
    with pytest.raises(ValueError, match="damaged"):
        messages.load_graph(str(path))


def test_message_does_not_grow_with_the_runs(study):
    """Neither the graph nor a step takes the other runs along when it is pickled for the broker."""
    from sim2seq import messages

    lengths = {}
    for runs in (16, 256):
        output = study.folder / f"runs_{runs:03}"
        pargs, variables = [f"NUM_STUDIES:{runs}"], {"OUTPUT_PATH": str(output)}
        graph = messages.MerlinStudy(str(study.spec), variables, pgen_file=str(study.pgen), pargs=pargs).dag
        step = graph.step("simulate_R10")
        lengths[runs] = [len(pickle.dumps(graph)), len(pickle.dumps(step))]
        assert pickle.loads(pickle.dumps(step)).get_workspace() == step.get_workspace()
    assert lengths[256] == pytest.approx(lengths[16], abs=16)
    assert max(lengths[256]) < 3000, lengths


def prepared(study) -> Path:
    """A study as `merlin run` leaves it before any worker begins."""
    from sim2seq import messages

    output = study.folder / "studies_output"
    variables = {"OUTPUT_PATH": str(output)}
    made = messages.MerlinStudy(str(study.spec), variables, pgen_file=str(study.pgen), pargs=["NUM_STUDIES:2"])
    return Path(made.workspace)


def test_changed_variable_redoes_the_steps_that_use_it(study):
    folder = prepared(study)
    (path,) = folder.glob("merlin_info/*.expanded.yaml")
    before = path.read_text()
    tasks = plan.load_plan(folder).tasks
    for task in tasks:
        Path(task.folder).mkdir(parents=True, exist_ok=True)
        Path(task.folder, plan.FINISHED).touch()
    plan.change_variables(str(folder), ["TOLERATED=0"])
    assert path.read_text() == before
    plan.change_variables(str(folder), ["TOLERATED=0.5"])
    assert path.read_text() == before.replace("TOLERATED: 0", "TOLERATED: 0.5").replace(
        "done + 0", "done + 0.5"
    ).replace("$done+0", "$done+0.5")
    assert [task.step for task in tasks if not task.finished] == ["learn"]
    (partial,) = folder.glob("merlin_info/*.partial.yaml")
    assert "TOLERATED: 0.5" in partial.read_text()
    plan.change_variables(str(folder), ["TOLERATED=0"])
    assert path.read_text() == before


def test_variable_that_cannot_change_safely_is_refused(study):
    study.spec.write_text(SPEC.replace("TOLERATED: 0", "TOLERATED: 0, SHARE: $(TOLERATED)"))
    folder = prepared(study)
    with pytest.raises(ValueError, match="SHARE is made from TOLERATED: give SHARE as well"):
        plan.change_variables(str(folder), ["TOLERATED=1"])
    for value in ("a: b", "null"):  # Merlin writes it without quotes
        with pytest.raises(rounds.Refused):
            orchestrate._change_variables(rounds.Study("", [], [f"SHARE={value}"], folder=str(folder)))
    (partial,) = folder.glob("merlin_info/*.partial.yaml")
    partial.write_text(partial.read_text().replace("echo prepare", "echo other"))
    with pytest.raises(ValueError, match="does not lead to the expanded spec"):
        plan.change_variables(str(folder), ["SHARE=1"])


class Silent:
    """A display that keeps what is said."""

    def __init__(self):
        self.said = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    close = show = lambda self, *_, **__: None

    def say(self, text):
        self.said.append(text)


def test_full_disk_ends_the_study(study, monkeypatch):
    folder = str(prepared(study))
    monkeypatch.setattr(rounds, "FULL_BYTES", 10**18)
    now = rounds.Study(str(study.spec), [], [], folder=folder)
    progress = orchestrate._progress(now)
    trouble = rounds._watch(progress, None, None, now, Silent())
    assert trouble.startswith("no space left: ")

    display = Silent()
    monkeypatch.setattr("sim2seq.progress.Display", lambda: display)
    monkeypatch.setattr(orchestrate, "one_round", lambda *_: (progress, trouble))
    with contextlib.ExitStack() as stack:
        assert orchestrate._run_rounds(now, stack) == 1
    assert now.rounds == 1
    assert any("tasks did not finish: no space left" in text for text in display.said)


def test_unfinished_step_shows_neither_old_report_nor_old_errors(study):
    folder = prepared(study)
    learn = next(task for task in plan.load_plan(folder).tasks if task.step == "learn")
    Path(learn.folder).mkdir()
    for name in ("report.html", plan.FINISHED, "learn.sh", "learn.err", "learn.out", "notes.err"):
        Path(learn.folder, name).touch()
    now = rounds.Study(str(study.spec), [], [], folder=str(folder))
    report = Path(learn.folder, "report.html")
    assert verdict.report_path(orchestrate._progress(now), folder) == report
    plan.forget([learn])
    assert sorted(os.listdir(learn.folder)) == ["learn.sh", "notes.err", "report.html"]
    assert verdict.report_path(orchestrate._progress(now), folder) is None


def test_errors_are_shown_short_and_harmless(tmp_path):
    path = tmp_path / "task.err"
    path.write_bytes(b"old\n" + b"x" * 100_000 + b"\n\x1b[31mred\x1b[0m \x07bell\rlast\n\n")
    assert verdict.last_lines(path) == ["x" * verdict.LINE_LENGTH, "red bell", "last"]


def test_ignored_signal_stays_ignored():
    """nohup and background jobs of a shell ignore signals on purpose."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orchestrate._signals_raise():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(orchestrate.Stopped):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("place", ["_write_app_yaml", "Guarded"])
def test_stopped_before_it_began_the_broker_leaves_no_folder(monkeypatch, place):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(broker, place, stop)
    private = broker.Broker()
    with pytest.raises(KeyboardInterrupt):
        private.__enter__()
    assert not os.path.exists(private.folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_lock_of_another_user(tmp_path, monkeypatch, mode):
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    lock = Path(".sim2seq.lock")
    lock.touch()
    lock.chmod(mode)
    os.seteuid(65534)
    try:
        if mode == 0o600:
            with pytest.raises(rounds.Refused, match="another user"):
                rounds._open_lock(str(lock))
        else:
            with rounds._locked(str(lock), wait=True) as held:
                assert held
    finally:
        os.seteuid(0)


def test_celery_that_drops_tasks_is_named():
    assert "celery>=5.5,<5.7" in preflight.celery_problem("5.7.0", "1.13.0")
    assert preflight.celery_problem("5.6.3", "1.13.0") is None
