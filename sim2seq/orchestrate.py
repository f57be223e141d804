"""Run a Merlin study on this machine from start to verdict: private broker, workers, progress, failures, continuation.

A study runs in rounds (sim2seq.rounds). If a worker or the broker dies, the tasks it held are lost to Merlin, so the
round ends and another goes on; a failed task ends the study with what is known about it.
"""

import contextlib
import os
import shlex
import signal
import time

from sim2seq import preflight
from sim2seq.rounds import Refused, Study, one_round, study_lock, vars_option

ROUNDS = 3
CONCURRENCY = "CONCURRENCY"  # the spec's variable that --workers sets


class Stopped(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(target, *, pgen=None, runs=None, workers=None, variables=(), pargs=(), output=None) -> int:
    """Run the spec `target`, or go on with the study in the folder `target`, and return the exit code.

    0: every task finished; 1: some failed or are missing, and a table says which; 130, 143: stopped by Ctrl-C, SIGTERM.
    `runs` and `pargs` ("NAME:VALUE") go to the parameter generator `pgen`, `variables` ("NAME=VALUE") to the spec;
    `workers` simulations run at once; the study's folder is made below `output`. Raises ValueError, before anything is
    started, with one line for each reason why the study cannot run.
    """
    _refuse(preflight.environment_problems())
    variables = list(variables) + ([f"{CONCURRENCY}={workers}"] if workers is not None else [])
    if os.path.isdir(target):
        _refuse_options(target, pgen=pgen, runs=runs, pargs=pargs, output=output)
        study = _unfinished_study(target, variables)
    else:
        study = _new_study(target, pgen, runs, variables, list(pargs), output)
    with _signals_raise(), contextlib.ExitStack() as stack:
        if study.folder:
            stack.enter_context(study_lock(study.folder))
        return _run_rounds(study, stack)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise Refused("\n".join(problems))


def _refuse_options(folder: str, **options) -> None:
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise Refused(f"{folder}: going on with a study takes no {', '.join(given)}: they were fixed when it began")


def _new_study(path: str, pgen, runs, variables: list[str], pargs: list[str], output) -> Study:
    spec = preflight.read_spec(path)
    problems = preflight.spec_problems(spec)
    known = preflight.variables(spec)
    if "OUTPUT_PATH" not in known:
        problems.append(f"{path}: expected a variable OUTPUT_PATH, so that the study gets a folder")
    problems += _variable_problems(path, known, variables)
    if runs is not None and runs < 1:
        problems.append(f"--runs {runs}: expected 1 or more")
    if (runs is not None or pargs) and not pgen:
        problems.append("--runs and --pargs need a parameter generator: add --pgen FILE")
    if pgen and (problem := preflight.pgen_problem(pgen)):
        problems.append(problem)
    _refuse(problems)
    output = os.path.abspath(output or _output_path(path, variables))
    if problem := preflight.target_problem(output, runs or 0):
        raise Refused(problem)
    variables = [item for item in variables if not item.startswith("OUTPUT_PATH=")] + [f"OUTPUT_PATH={output}"]
    client = ["run", os.path.abspath(path), *vars_option(variables)]
    if pgen:
        pargs = pargs + ([f"NUM_STUDIES:{runs}"] if runs is not None else [])
        client += ["--pgen", os.path.abspath(pgen), *(word for item in pargs for word in ("--pargs", item))]
    return Study(os.path.abspath(path), client, variables, output=output)


def _variable_problems(path: str, known: dict, variables: list[str]) -> list[str]:
    problems = []
    for item in variables:
        name, equals, value = item.partition("=")
        if not equals or "=" in value:
            problems.append(f"--vars {item}: expected NAME=VALUE, without another = (Merlin does not take it)")
        elif name not in known:
            option = "--workers" if name == CONCURRENCY else f"--vars {item}"
            problems.append(f"{option}: {path} has no variable {name}; it has {', '.join(known)}")
        elif name == CONCURRENCY and not value.isdigit():
            problems.append(f"{CONCURRENCY}={value}: expected the number of simulations at once")
    return problems


def _output_path(path: str, variables: list[str]) -> str:
    """The spec's OUTPUT_PATH with its variables replaced, as Merlin does it."""
    from sim2seq.messages import get_spec_with_expansion  # 0.5 s

    override = dict(item.split("=", 1) for item in variables)
    return get_spec_with_expansion(path, override_vars=override).environment["variables"]["OUTPUT_PATH"]


def _unfinished_study(folder: str, variables: list[str]) -> Study:
    from sim2seq.plan import expanded_spec

    folder = os.path.realpath(folder)
    spec = expanded_spec(os.path.join(folder, "merlin_info"))
    _refuse(_variable_problems(str(spec), preflight.variables(preflight.read_spec(str(spec))), variables))
    if problem := preflight.target_problem(folder, 0):
        raise Refused(problem)
    return Study(str(spec), ["restart", folder], variables, folder=folder)


@contextlib.contextmanager
def _signals_raise():
    """Turn SIGTERM, SIGHUP and Ctrl-C into Stopped, once: a second one does not interrupt the cleaning up."""

    def stop(number, _frame):
        for other in handlers:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run_rounds(study: Study, stack: contextlib.ExitStack) -> int:
    from sim2seq.progress import Display

    with Display() as display:
        try:
            if study.folder and not _prepare_restart(study, display):
                return 0
            for study.rounds in range(1, ROUNDS + 1):
                progress, trouble = one_round(study, display, stack)
                if progress.complete or not trouble or study.rounds == ROUNDS:
                    return _verdict(study, progress, trouble, display)
                display.say(f"{trouble}; going on in round {study.rounds + 1} of {ROUNDS}")
                study.client = ["restart", study.folder]
                _prepare_restart(study, display)
        except Stopped as stopped:
            display.say(f"stopped by {stopped}")
            if study.folder:
                display.say(_how_to_go_on(study))
            return 128 + stopped.number


def _prepare_restart(study: Study, display) -> bool:
    """Make every task run again that is unfinished or depends on such a one; False if there is none."""
    from sim2seq.plan import forget, load_plan

    plan = load_plan(study.folder)
    stale = plan.stale()
    if not stale:
        display.say(f"{study.folder}: this study is finished, nothing to do")
        return False
    display.say(f"going on with {study.folder}: {len(stale)} of {len(plan.tasks)} tasks to do")
    forget(stale)
    return True


def _verdict(study: Study, progress, trouble: str | None, display) -> int:
    from sim2seq import verdict

    progress.scan()
    display.show(progress, last=True)
    display.close()
    code = 0 if progress.complete else 1
    received, sent = study.traffic
    verdict.write_summary(
        study.folder,
        progress,
        verdict="finished" if code == 0 else trouble or "failed",
        exit_code=code,
        wall_seconds=time.time() - study.started,
        rounds=study.rounds,
        broker_bytes_in=received,
        broker_bytes_out=sent,
    )
    if code:
        unfinished = len(progress.plan.tasks) - len(progress.done)
        display.say(
            f"{unfinished} of {len(progress.plan.tasks)} tasks did not finish{f': {trouble}' if trouble else ''}"
        )
        display.say(verdict.failure_table(progress, study.folder))
        display.say(_how_to_go_on(study))
    if report := verdict.report_path(study.folder):
        display.say(f"report: {report}")
    display.say(f"study:  {study.folder}")
    return code


def _how_to_go_on(study: Study) -> str:
    return f"to go on where it stopped: sim2seq run {shlex.quote(study.folder)}"
