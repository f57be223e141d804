"""Whole studies through real Merlin, real workers and a real broker, as small as they can be."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from scene import RUNS, SPEC, finish, listens, prepared

from sim2seq.workflow import orchestrate, plan, rounds, summary, waiting
from sim2seq.workflow.checks import preflight


def test_a_failure_is_named_and_what_depends_on_it_is_redone(study):
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


def test_two_studies_at_once_are_private_and_nothing_is_left(study):
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
    assert "1 of 2 workers died; starting them again" in output
    assert "the broker died; going on in round 2" in output
    assert study.log().count(f"learn {RUNS}+0") == 1


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


def test_step_whose_folder_has_another_name_is_known_by_its_own(study):
    """Maestro leaves out : and writes blanks as _; the step was neither done again nor waited for."""
    study.spec.write_text(SPEC.replace("name: learn", "name: learn:all now").replace("[prepare, learn]", "[all]"))
    folder = prepared(study)
    whole = plan.load_plan(folder)
    for task in whole.tasks:
        Path(task.folder).mkdir(parents=True, exist_ok=True)
        Path(task.folder, plan.FINISHED).touch()
    plan.change_variables(str(folder), ["TOLERATED=0.5"])
    assert [task.step for task in whole.tasks if not task.finished] == ["learnall_now"]
    assert [task.step for task in waiting._part(whole, ["learn:all now"], "").tasks] == ["learnall_now"]


def test_variable_that_cannot_change_safely_is_refused(study):
    study.spec.write_text(SPEC.replace("TOLERATED: 0", "TOLERATED: 0, SHARE: $(TOLERATED)"))
    folder = prepared(study)
    with pytest.raises(ValueError, match="SHARE is made from TOLERATED: give SHARE as well"):
        plan.change_variables(str(folder), ["TOLERATED=1"])
    for value in ("a: b", "null"):  # Merlin writes it without quotes
        with pytest.raises(rounds.Refused):
            orchestrate._change_variables(rounds.StudyRun("", [], [f"SHARE={value}"], made=str(folder)))
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
    now = rounds.StudyRun(str(study.spec), [], [], made=folder)
    progress = orchestrate._progress(now)
    trouble = rounds._watch(progress, None, None, now, Silent())
    assert trouble.startswith("no space left: ")

    display = Silent()
    monkeypatch.setattr("sim2seq.workflow.progress.Display", lambda: display)
    monkeypatch.setattr(orchestrate, "one_round", lambda *_: (progress, trouble))
    with contextlib.ExitStack() as stack:
        assert orchestrate._run_rounds(now, stack) == 1
    assert now.rounds == 1
    assert any("tasks did not finish: no space left" in text for text in display.said)


def test_study_stopped_before_its_check_is_removed(study, monkeypatch):
    """Its samples may be half made; a look at its tasks would make them, now without an end by Ctrl-C."""
    now = rounds.StudyRun(str(study.spec), ["run"], [])

    def one_round(*_):
        now.made = str(prepared(study))
        raise orchestrate.Stopped(signal.SIGTERM)

    display = Silent()
    monkeypatch.setattr("sim2seq.workflow.progress.Display", lambda: display)
    monkeypatch.setattr(orchestrate, "one_round", one_round)
    monkeypatch.setattr(orchestrate, "_progress", None)
    assert orchestrate._run_rounds(now, None) == 128 + signal.SIGTERM
    assert not Path(now.folder).exists()
    assert display.said == ["stopped by SIGTERM", "no task had begun: the study's folder is removed"]


def test_only_a_study_that_was_checked_goes_on(study, monkeypatch):
    """Those of earlier versions have no mark, but the graph that was queued; of Merlin itself, the states of tasks."""
    folder = prepared(study)
    monkeypatch.setattr(orchestrate, "_run_rounds", lambda *_: 0)
    with pytest.raises(rounds.Refused, match="stopped before its samples and tasks were checked: start it anew"):
        orchestrate.run(str(folder))
    for path in ("merlin_info/dag_0a.pickle", f"simulate/R1/{plan.STATUS}"):
        Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, path).touch()
        assert orchestrate.run(str(folder)) == 0
        Path(folder, path).unlink()
        Path(folder, "merlin_info", plan.CHECKED).unlink()


def test_room_to_go_on_is_that_of_the_tasks_to_do(study, monkeypatch):
    """Of two runs there is room for one; a study that is finished needs none."""
    now = rounds.StudyRun(str(study.spec), [], [], made=str(prepared(study)))
    monkeypatch.setattr(preflight, "free_bytes", lambda _: preflight.FREE_BYTES + preflight.BYTES_PER_RUN)
    with pytest.raises(rounds.Refused, match=r"1\.00 GB free, 1\.00 GB needed: make room there"):
        orchestrate._prepare_restart(now, Silent())
    tasks = plan.load_plan(now.folder).tasks
    for task in tasks:
        Path(task.folder).mkdir(parents=True)
        Path(task.folder, plan.FINISHED).touch()
    Path(tasks[1].folder, plan.FINISHED).unlink()
    assert orchestrate._prepare_restart(now, Silent())
    for task in tasks:
        Path(task.folder, plan.FINISHED).touch()
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 0)
    assert not orchestrate._prepare_restart(now, Silent())


def test_unfinished_step_shows_neither_old_report_nor_old_errors(study):
    folder = prepared(study)
    learn = next(task for task in plan.load_plan(folder).tasks if task.step == "learn")
    Path(learn.folder).mkdir()
    for name in ("report.html", plan.FINISHED, "learn.sh", "learn.err", "learn.out", "notes.err"):
        Path(learn.folder, name).touch()
    now = rounds.StudyRun(str(study.spec), [], [], made=str(folder))
    report = Path(learn.folder, "report.html")
    assert summary.report_path(orchestrate._progress(now), folder) == report
    plan.forget([learn])
    assert sorted(os.listdir(learn.folder)) == ["learn.sh", "notes.err", "report.html"]
    assert summary.report_path(orchestrate._progress(now), folder) is None


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


def test_celery_that_drops_tasks_is_named():
    assert "celery>=5.5,<5.7" in preflight.celery_problem("5.7.0", "1.13.0")
    assert preflight.celery_problem("5.6.3", "1.13.0") is None


def test_workers_start_without_a_grammar_that_nobody_needs():
    """A second of a core for each worker; what they do with its absence is what jsonschema does without the package."""
    words = "import merlin.celery, sys; merlin.celery.app.loader.import_default_modules()"
    words += "; print(sys.modules['rfc3987_syntax'], 'jsonschema' in sys.modules)"
    environment = os.environ | {"CELERY_LOADER": "sim2seq.workflow.loader:Loader"}
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["None", "True"]
