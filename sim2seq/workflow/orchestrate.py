"""Run a Merlin study on this machine from start to summary: private broker, workers, progress, failures, continuation.

A study runs in rounds (rounds.py). If a worker dies, all are started again within the round (workers.py); if
the broker dies, or what dead workers held does not come back, the round ends and another goes on, as long as rounds
finish tasks. A failed task ends the study with what is known about it.
"""

import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from sim2seq._support import permissions
from sim2seq.workflow import tasks
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.request import CONCURRENCY, merlins_refusal, new_study, refuse, unfinished_study
from sim2seq.workflow.rounds import Refused, StudyRun, one_round, space_problem, study_lock
from sim2seq.workflow.workers import PATIENCE, wait_for_earlier_processes


class Stopped(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(target, *, pgen=None, runs=None, workers=None, variables=(), pargs=(), output=None, rehearse=None) -> int:
    """Run the spec `target`, or go on with the study in the folder `target`, and return the exit code.

    0: every task finished; 1: some failed or are missing, and a table says which; 130, 143: stopped by Ctrl-C, SIGTERM.
    `runs` and `pargs` ("NAME:VALUE") go to the parameter generator `pgen`, `variables` ("NAME=VALUE") to the spec;
    `workers` simulations run at once; the study's folder is made below `output`. Going on, a variable's new value holds
    from then on, and what was done with the old one is done again. `rehearse` says what is to be tried before the first
    task (sim2seq/rehearsal.py). Raises ValueError, before any task begins, with one line for each reason why the study
    cannot run.
    """
    refuse(preflight.environment_problems())
    variables = list(variables) + ([f"{CONCURRENCY}={workers}"] if workers is not None else [])
    if os.path.isdir(target):
        _refuse_options(target, pgen=pgen, runs=runs, pargs=pargs, output=output)
        study = unfinished_study(target, variables)
    else:
        study = new_study(target, pgen, runs, variables, list(pargs), output)
    study.rehearse = rehearse
    permissions.keep_others_from_writing()
    if doubt := preflight.sqlite_doubt(study.place):
        print(f"sim2seq run: {doubt}", file=sys.stderr)
    for note in study.served.notes:
        print(f"sim2seq run: note: {note}", file=sys.stderr)
    with _signals_raise(), contextlib.ExitStack() as stack:
        if study.made:
            stack.enter_context(study_lock(study.folder))
            if not wait_for_earlier_processes(study.folder):
                raise Refused(f"{study.folder}: processes of an earlier sim2seq run are still at work on this study")
            _refuse_unchecked(study.folder)
            _change_variables(study)
        return _run_rounds(study, stack)


def _refuse_options(folder: str, **options) -> None:
    refused = [f"--{name}" for name, value in options.items() if value]
    if refused:
        raise Refused(f"{folder}: going on with a study takes no {', '.join(refused)}: they were fixed when it began")


def _refuse_unchecked(folder: str) -> None:
    from sim2seq.workflow.plan import CHECKED, was_checked

    if not was_checked(folder):
        raise Refused(f"{folder}: it was stopped before its samples and tasks were checked: start it anew")
    Path(folder, "merlin_info", CHECKED).touch()  # what tells it of an older one goes when its tasks run again


def _change_variables(study: StudyRun) -> None:
    changes = [item for item in study.variables if not item.startswith(f"{CONCURRENCY}=")]  # that is for the workers
    if changes:
        from sim2seq.workflow.plan import change_variables

        with merlins_refusal(f"--vars {' '.join(changes)}"):
            change_variables(study.folder, changes)


@contextlib.contextmanager
def _signals_raise():
    """Turn SIGTERM, SIGHUP and Ctrl-C into Stopped, once: a second one does not interrupt the cleaning up.

    A signal that is ignored already (nohup, a shell's background job) stays ignored.
    """

    def stop(number, _frame):
        for other in handlers:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run_rounds(study: StudyRun, stack: contextlib.ExitStack) -> int:
    from sim2seq.workflow.plan import was_checked
    from sim2seq.workflow.progress import Display

    most, fruitless = 0, 0  # tasks that were ever done at the end of a round; rounds since then
    with Display() as display:
        try:
            if study.made and not _prepare_restart(study, display):
                return 0
            while True:
                study.rounds += 1
                progress, trouble = one_round(study, display, stack)
                full, done = space_problem(study.folder), len(progress.done)
                most, fruitless = (done, 0) if done > most else (most, fruitless + 1)
                if progress.complete or not trouble or full or study.hopeless or fruitless == PATIENCE:
                    return _end(study, progress, full or trouble, display)
                display.say(f"{trouble}; going on in round {study.rounds + 1}")
                study.client = ["restart", study.folder]
                _prepare_restart(study, display)
        except Stopped as stopped:
            display.say(f"stopped by {stopped}")
            if study.made and study.client[0] == "run" and not was_checked(study.folder):
                display.say("no task had begun: the study's folder is removed")
                shutil.rmtree(study.folder, ignore_errors=True)
            elif study.made:
                display.say(_how_to_go_on(study))
                _summarise(study, _progress(study), display, outcome="stopped", code=128 + stopped.number)
            return 128 + stopped.number


def _progress(study: StudyRun):
    from sim2seq.workflow.plan import load_whole_plan
    from sim2seq.workflow.progress import Progress

    progress = Progress(load_whole_plan(study.folder))
    progress.scan()
    return progress


def _prepare_restart(study: StudyRun, display) -> bool:
    """Make every task run again that is unfinished or depends on such a one; False if there is none."""
    from sim2seq.workflow.plan import FINISHED, forget

    if study.nested:
        _drop_outdated(study)
    progress = _progress(study)
    for task in progress.stopped:  # or Merlin would do it again, and it would stop the workers again
        Path(task.folder, FINISHED).touch()
    stale = progress.plan.stale()
    if not stale:
        display.say(f"{study.folder}: this study is finished, nothing to do")
        _say_report(study, progress, display)
        return False
    most = max(Counter(task.step for task in stale).values())  # runs to do; later rounds meet a full disk by themselves
    if study.rounds == 0 and (problem := preflight.target_problem(study.folder, most, begun=True)):
        raise Refused(problem)
    display.say(f"going on with {study.folder}: {len(stale)} of {len(progress.plan.tasks)} tasks to do")
    forget(stale)
    return True


def _drop_outdated(study: StudyRun) -> None:
    """Let the steps make their studies again that cannot go on by themselves, or are made from what changes."""
    from sim2seq.workflow.nested import keep_notes, read_notes, without_stale
    from sim2seq.workflow.plan import forget, load_plan, load_whole_plan

    def lost(one):
        return one.kind == "refused" or (one.kind == "local" and any(load_plan(one.folder).stale()))

    study.nested = read_notes(os.path.join(study.folder, "merlin_info"))
    plan, makers = load_whole_plan(study.folder), {one.task for one in study.nested if lost(one)}
    forget(task for task in plan.tasks if task.folder in makers)
    study.nested = without_stale(study.nested, {task.folder for task in plan.stale()})
    keep_notes(study.folder, study.nested)


def _end(study: StudyRun, progress, trouble: str | None, display) -> int:
    from sim2seq.workflow import summary

    progress.scan()
    display.show(progress, last=True)
    display.close()
    refused = any(one.kind == "refused" for one in study.nested)
    code = 0 if progress.complete and not refused else 1
    _summarise(study, progress, display, outcome="finished" if code == 0 else trouble or "failed", code=code)
    if code:
        display.say(summary.ending(progress, trouble))
        display.say(summary.failure_table(progress, study.folder))
        display.say(_how_to_go_on(study))
    _say_report(study, progress, display)
    display.say(f"study:  {study.folder}")
    return code


def _say_report(study: StudyRun, progress, display) -> None:
    from sim2seq.workflow.summary import report_path

    if report := report_path(progress, study.folder):
        display.say(f"report: {report}")


def _summarise(study: StudyRun, progress, display, *, outcome: str, code: int) -> None:
    from sim2seq.workflow.summary import SUMMARY, write_summary

    changes = preflight.package_changes(study.packages, preflight.installed_packages())
    if changes:
        display.say(f"this environment changed while the study ran, by a step or from outside: {', '.join(changes)}")
    if study.asked:
        display.say(f"exit codes of Merlin's own: {tasks.in_words(study.asked)}")
    received, sent = study.traffic
    facts = {"verdict": outcome, "exit_code": code, "wall_seconds": time.time() - study.started}
    facts |= {"rounds": study.rounds, "broker_bytes_in": received, "broker_bytes_out": sent}
    facts["environment_changes"] = changes
    facts["merlin_codes"] = [[step, name, count] for (step, name), count in sorted(study.asked.items())]
    try:
        write_summary(study.folder, progress, since=study.started, **facts)
    except OSError as error:  # a full disk
        display.say(f"{SUMMARY} is not written: {error.strerror}")


def _how_to_go_on(study: StudyRun) -> str:
    return f"to go on where it stopped: sim2seq run {shlex.quote(study.folder)}"
