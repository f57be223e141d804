"""Run a Merlin study on this machine from start to verdict: private broker, workers, progress, failures, continuation.

A study runs in rounds (sim2seq.rounds). If a worker or the broker dies, the tasks it held are lost to Merlin, so the
round ends and another goes on; a failed task ends the study with what is known about it.
"""

import contextlib
import logging
import os
import re
import shlex
import signal
import time

import yaml

from sim2seq import preflight
from sim2seq.rounds import Refused, Study, one_round, space_problem, study_lock, vars_option

ROUNDS = 3
CONCURRENCY = "CONCURRENCY"  # the spec's variable that --workers sets
STORE = "STORE"  # the spec's variable that names a store which must be there


class Stopped(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(target, *, pgen=None, runs=None, workers=None, variables=(), pargs=(), output=None) -> int:
    """Run the spec `target`, or go on with the study in the folder `target`, and return the exit code.

    0: every task finished; 1: some failed or are missing, and a table says which; 130, 143: stopped by Ctrl-C, SIGTERM.
    `runs` and `pargs` ("NAME:VALUE") go to the parameter generator `pgen`, `variables` ("NAME=VALUE") to the spec;
    `workers` simulations run at once; the study's folder is made below `output`. Going on, a variable's new value holds
    from then on, and what was done with the old one is done again. Raises ValueError, before anything is started, with
    one line for each reason why the study cannot run.
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
            _change_variables(study)
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
    written = _expanded_variables(path, variables)
    output = os.path.abspath(output or written["OUTPUT_PATH"])
    if "=" in output:
        raise Refused(f"{output}: Merlin does not take a path with = in it: choose another place with --output")
    if problem := preflight.target_problem(output, _run_count(runs, pargs, spec)):
        raise Refused(problem)
    places = {"OUTPUT_PATH": output} | ({STORE: _store(written[STORE])} if STORE in known else {})
    variables = [item for item in variables if item.partition("=")[0] not in places]
    variables += [f"{name}={place}" for name, place in places.items()]
    client = ["run", os.path.abspath(path), *vars_option(variables)]
    if pgen:
        pargs = pargs + ([f"NUM_STUDIES:{runs}"] if runs is not None else [])
        client += ["--pgen", os.path.abspath(pgen), *(word for item in pargs for word in ("--pargs", item))]
    return Study(os.path.abspath(path), client, variables, output=output)


def _variable_problems(path: str, known: dict, variables: list[str]) -> list[str]:
    problems = []
    for item in variables:
        name, _, value = item.partition("=")
        if not value or "=" in value:
            problems.append(f"--vars {item}: expected NAME=VALUE, without another = (Merlin does not take it)")
        elif name not in known:
            option = "--workers" if name == CONCURRENCY else f"--vars {item}"
            problems.append(f"{option}: {path} has no variable {name}; it has {', '.join(known)}")
        elif name == CONCURRENCY and not value.isdigit():
            problems.append(f"{CONCURRENCY}={value}: expected the number of simulations at once")
    return problems


def _run_count(runs: int | None, pargs: list[str], spec: dict) -> int:
    """Runs to expect, for the room they need; 0 if only the generator knows."""
    asked = [value for name, _, value in (item.partition(":") for item in pargs) if name == "NUM_STUDIES"]
    if runs is None and asked and asked[-1].isdigit():
        return int(asked[-1])
    return preflight.table_size(spec) if runs is None else runs


def _store(path: str) -> str:
    """The whole path of a store that is there with runs in it: Merlin and its workers do not stand where the user does.

    Raises ValueError, in one line, if it is not.
    """
    from sim2seq.sweep import check_store

    check_store(path)
    if "=" in (path := os.path.abspath(path)):
        raise Refused(f"{path}: Merlin does not take a path with = in it: choose another place for the store")
    return path


def _expanded_variables(path: str, variables: list[str]) -> dict[str, str]:
    """The spec's variables, replaced in each other as Merlin does it; Refused if Merlin cannot read the spec."""
    from sim2seq.messages import get_spec_with_expansion  # 0.5 s

    with _merlins_refusal(path):
        spec = get_spec_with_expansion(path, override_vars=dict(item.split("=", 1) for item in variables))
    return {name: str(value) for name, value in spec.environment["variables"].items()}


@contextlib.contextmanager
def _merlins_refusal(what: str):
    """Turn whatever Merlin raises over a spec into Refused, in one line."""
    from sim2seq.messages import ValidationError

    logging.getLogger("merlin").addHandler(logging.NullHandler())  # or it prints a traceback beside our line
    try:
        yield
    except ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        raise Refused(f"{what}: Merlin refuses it: {place}{': ' if place else ''}{error.message:.200}") from error
    except (ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise Refused(f"{what}: {' '.join(str(error).split()):.300}") from error


def _unfinished_study(folder: str, variables: list[str]) -> Study:
    from sim2seq.plan import expanded_spec

    folder = os.path.realpath(folder)
    path = str(expanded_spec(os.path.join(folder, "merlin_info")))
    spec = preflight.read_spec(path)
    problems = _variable_problems(path, preflight.variables(spec), variables)
    problems += [
        f"--vars {item}: a study stays where it began" for item in variables if item.startswith("OUTPUT_PATH=")
    ]
    _refuse(problems)
    for problem in (_moved(folder, spec), preflight.target_problem(folder, preflight.table_size(spec))):
        if problem:
            raise Refused(problem)
    return Study(path, ["restart", folder], variables, folder=folder)


def _moved(folder: str, spec: dict) -> str | None:
    """That the folder is not where Merlin made it: the commands in its spec still name the old place."""
    from sim2seq.plan import made_as

    made = made_as(preflight.variables(spec), folder)
    name = spec["description"]["name"].replace(" ", "_")
    if os.path.realpath(made) == folder and re.fullmatch(re.escape(name) + r"_\d{8}-\d{6}", os.path.basename(folder)):
        return None
    return f"{folder}: this study was made in {os.path.dirname(made)} as {name}_<date>-<time>: move it back"


def _change_variables(study: Study) -> None:
    changes = [item for item in study.variables if not item.startswith(f"{CONCURRENCY}=")]  # that is for the workers
    if changes:
        from sim2seq.plan import change_variables

        with _merlins_refusal(f"--vars {' '.join(changes)}"):
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


def _run_rounds(study: Study, stack: contextlib.ExitStack) -> int:
    from sim2seq.progress import Display

    with Display() as display:
        try:
            if study.folder and not _prepare_restart(study, display):
                return 0
            for study.rounds in range(1, ROUNDS + 1):
                progress, trouble = one_round(study, display, stack)
                full = space_problem(study.folder)
                if progress.complete or not trouble or full or study.rounds == ROUNDS:
                    return _verdict(study, progress, full or trouble, display)
                display.say(f"{trouble}; going on in round {study.rounds + 1} of {ROUNDS}")
                study.client = ["restart", study.folder]
                _prepare_restart(study, display)
        except Stopped as stopped:
            display.say(f"stopped by {stopped}")
            if study.folder:
                display.say(_how_to_go_on(study))
                _summarise(study, _progress(study), display, verdict="stopped", code=128 + stopped.number)
            return 128 + stopped.number


def _progress(study: Study):
    from sim2seq.plan import load_plan
    from sim2seq.progress import Progress

    progress = Progress(load_plan(study.folder))
    progress.scan()
    return progress


def _prepare_restart(study: Study, display) -> bool:
    """Make every task run again that is unfinished or depends on such a one; False if there is none."""
    from sim2seq.plan import forget

    progress = _progress(study)
    stale = progress.plan.stale()
    if not stale:
        display.say(f"{study.folder}: this study is finished, nothing to do")
        _say_report(study, progress, display)
        return False
    display.say(f"going on with {study.folder}: {len(stale)} of {len(progress.plan.tasks)} tasks to do")
    forget(stale)
    return True


def _verdict(study: Study, progress, trouble: str | None, display) -> int:
    from sim2seq import verdict

    progress.scan()
    display.show(progress, last=True)
    display.close()
    code = 0 if progress.complete else 1
    _summarise(study, progress, display, verdict="finished" if code == 0 else trouble or "failed", code=code)
    if code:
        display.say(verdict.ending(progress, trouble))
        display.say(verdict.failure_table(progress, study.folder))
        display.say(_how_to_go_on(study))
    _say_report(study, progress, display)
    display.say(f"study:  {study.folder}")
    return code


def _say_report(study: Study, progress, display) -> None:
    from sim2seq.verdict import report_path

    if report := report_path(progress, study.folder):
        display.say(f"report: {report}")


def _summarise(study: Study, progress, display, *, verdict: str, code: int) -> None:
    from sim2seq.verdict import SUMMARY, write_summary

    received, sent = study.traffic
    facts = {"verdict": verdict, "exit_code": code, "wall_seconds": time.time() - study.started}
    facts |= {"rounds": study.rounds, "broker_bytes_in": received, "broker_bytes_out": sent}
    try:
        write_summary(study.folder, progress, **facts)
    except OSError as error:  # a full disk
        display.say(f"{SUMMARY} is not written: {error.strerror}")


def _how_to_go_on(study: Study) -> str:
    return f"to go on where it stopped: sim2seq run {shlex.quote(study.folder)}"
