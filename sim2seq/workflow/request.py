"""Request: what `sim2seq run` is to do, a new study or one to go on with, refused in one line where it cannot run."""

import contextlib
import logging
import os
import re

import yaml

from sim2seq._support.config import assignments, split_assignment
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.checks.commands import samples_command, script_problems
from sim2seq.workflow.checks.generators import RUNS_ARGUMENT, generator_problems
from sim2seq.workflow.checks.launch import launch_problems
from sim2seq.workflow.checks.serving import serving
from sim2seq.workflow.checks.steps import sample_problems, step_problems, table_problems
from sim2seq.workflow.checks.stores import store_problems
from sim2seq.workflow.nested import read_notes
from sim2seq.workflow.rounds import Refused, StudyRun, vars_option

CONCURRENCY = "CONCURRENCY"  # the spec's variable that --workers sets
RUNS = "RUNS"  # the variable that --runs sets in a spec whose samples are batches of runs
NUMBERS = {CONCURRENCY: "the number of simulations at once", RUNS: "the number of runs"}
STORE = "STORE"  # the spec's variable that names a store which must be there


def refuse(problems: list[str]) -> None:
    if problems:
        raise Refused("\n".join(problems))


def new_study(path: str, pgen, runs, variables: list[str], pargs: list[str], output) -> StudyRun:
    spec = preflight.read_spec(path)
    problems = [*step_problems(spec), *table_problems(spec), *sample_problems(spec)] or serving(spec).problems
    declared = preflight.variables(spec)
    if runs is not None and runs < 1:
        problems.append(f"--runs {runs}: expected 1 or more")
    if batched := not pgen and _makes_samples(spec, RUNS):
        variables, runs = variables + ([f"{RUNS}={runs}"] if runs is not None else []), None
    if (runs is not None or pargs) and not pgen:
        problems.append("--runs and --pargs need a parameter generator: add --pgen FILE")
    problems += _variable_problems(path, declared, variables, batched=batched)
    if pgen:
        given = assignments(pargs, "--pargs: ")
        problems += generator_problems(pgen, [*given, *([RUNS_ARGUMENT] if runs is not None else [])])
    refuse(problems)
    expanded = _expanded(path, variables)
    served = serving(expanded)
    refuse(served.problems)
    written = {name: str(value) for name, value in preflight.variables(expanded).items()}
    stated = os.path.expandvars(os.path.expanduser(written.get("OUTPUT_PATH", "")))
    places = {"OUTPUT_PATH": os.path.abspath(output)} if output and "OUTPUT_PATH" in declared else {}
    output = os.path.abspath(output or stated)
    if places and "=" in output:
        raise Refused(f"{output}: Merlin does not take a path with = in it: choose another place with --output")
    if batched and not written[RUNS].isdigit():
        raise Refused(f"{path}: {RUNS}: {written[RUNS]}: expected {NUMBERS[RUNS]}")
    expected = int(written[RUNS]) if batched else _run_count(runs, pargs, spec)
    if problem := preflight.target_problem(output, expected, batched=batched):
        raise Refused(problem)
    refuse(launch_problems(expanded, served.started, output))
    refuse([*script_problems(expanded, os.path.dirname(os.path.abspath(path))), *store_problems(expanded, output)])
    places |= {STORE: _store(written[STORE])} if _makes_samples(spec, STORE) else {}
    variables = [item for item in variables if split_assignment(item)[0] not in places]
    variables += [f"{name}={place}" for name, place in places.items()]
    client = ["run", os.path.abspath(path), *vars_option(variables)]
    if pgen:
        pargs = pargs + ([f"{RUNS_ARGUMENT}:{runs}"] if runs is not None else [])
        client += ["--pgen", os.path.abspath(pgen), *(word for item in pargs for word in ("--pargs", item))]
    options: dict = {"output": output, "served": served, "expanded": expanded, "generator": pgen}
    return StudyRun(os.path.abspath(path), client, variables, **options)


def _makes_samples(spec: dict, name: str) -> bool:
    """Whether the spec has this variable and makes its samples with it: else it means whatever its author likes."""
    declared = preflight.variables(spec)
    return name in declared and any(f"$({name})" in str(text) for text in (samples_command(spec), *declared.values()))


def _variable_problems(path: str, declared: dict, variables: list[str], *, batched=False) -> list[str]:
    problems = []
    for item in variables:
        name, value = split_assignment(item) if "=" in item else (item, "")
        if not value or "=" in value:
            problems.append(f"--vars {item}: expected NAME=VALUE, without another = (Merlin does not take it)")
        elif name not in declared:
            option = "--workers" if name == CONCURRENCY else f"--vars {item}"
            problems.append(f"{option}: {path} has no variable {name}; it has {', '.join(declared) or 'none'}")
        elif name in NUMBERS and (batched or name != RUNS) and not value.isdigit():
            problems.append(f"{name}={value}: expected {NUMBERS[name]}")
    return problems


def _run_count(runs: int | None, pargs: list[str], spec: dict) -> int:
    """Runs to expect, for the room they need; 0 if only the generator knows."""
    requested = assignments(pargs, "--pargs: ").get(RUNS_ARGUMENT, "")
    if runs is None and requested.isdigit():
        return int(requested)
    return preflight.table_size(spec) if runs is None else runs


def _store(path: str) -> str:
    """The whole path of a store that is there with runs in it: Merlin and its workers do not stand where the user does.

    Raises ValueError, in one line, if it is not.
    """
    from sim2seq.store.store import check_store

    check_store(path)
    if "=" in (path := os.path.abspath(path)):
        raise Refused(f"{path}: Merlin does not take a path with = in it: choose another place for the store")
    return path


def _expanded(path: str, variables: list[str]) -> dict:
    """The spec with its defaults and variables replaced as Merlin does it; Refused if Merlin cannot read it."""
    from sim2seq.workflow.messages import get_spec_with_expansion  # 0.5 s

    with merlins_refusal(path):
        spec = get_spec_with_expansion(path, override_vars=dict(item.split("=", 1) for item in variables))
    sections = {"env": spec.environment, "study": spec.study, "merlin": spec.merlin, "batch": spec.batch}
    return sections | {"global.parameters": spec.globals}


@contextlib.contextmanager
def merlins_refusal(what: str):
    """Turn whatever Merlin raises over a spec into Refused, in one line."""
    from sim2seq.workflow.messages import ValidationError

    logging.getLogger("merlin").addHandler(logging.NullHandler())  # or it prints a traceback beside our line
    try:
        yield
    except ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        raise Refused(f"{what}: Merlin refuses it: {place}{': ' if place else ''}{error.message:.200}") from error
    except (ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise Refused(f"{what}: {' '.join(str(error).split()):.300}") from error


def unfinished_study(folder: str, variables: list[str]) -> StudyRun:
    from sim2seq.workflow.plan import expanded_spec

    folder = os.path.realpath(folder)
    path = str(expanded_spec(os.path.join(folder, "merlin_info")))
    spec = preflight.read_spec(path)
    if "user" not in spec:  # the last section that Merlin writes, in any case
        raise Refused(f"{path}: half-written, the study never began: start it anew")
    problems = _variable_problems(path, preflight.variables(spec), variables)
    problems += [
        f"--vars {item}: a study stays where it began" for item in variables if item.startswith("OUTPUT_PATH=")
    ]
    served = serving(spec)
    refuse(problems + served.problems)
    if problem := _moved(folder, spec):
        raise Refused(problem)
    made = read_notes(os.path.join(folder, "merlin_info"))
    return StudyRun(path, ["restart", folder], variables, made=folder, served=served, nested=made)


def _moved(folder: str, spec: dict) -> str | None:
    """That the folder is not where Merlin made it: the commands in its spec still name the old place."""
    from sim2seq.workflow.plan import made_as

    made = made_as(preflight.variables(spec), folder)
    name = spec["description"]["name"].replace(" ", "_")
    if os.path.realpath(made) == folder and re.fullmatch(re.escape(name) + r"_\d{8}-\d{6}", os.path.basename(folder)):
        return None
    return f"{folder}: this study was made in {os.path.dirname(made)} as {name}_<date>-<time>: move it back"
