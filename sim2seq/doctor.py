"""Doctor: start what a study would start, without its study: its workers, its shells, its last steps."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile

from sim2seq import rehearsal
from sim2seq.workflow.checks.launch import started_problems


def problems_of(path: str, generator: str | None, variables: list[str]) -> list[str]:
    """Why the spec at `path` cannot run here, one line each: what `sim2seq run` refuses, and what fails when tried."""
    from sim2seq.workflow.messages import get_spec_with_expansion
    from sim2seq.workflow.request import new_study

    try:
        study = new_study(path, generator, None, list(variables), [], None)
    except ValueError as error:
        return str(error).splitlines()
    spec = get_spec_with_expansion(path, override_vars=dict(item.split("=", 1) for item in study.variables))
    found = list(started_problems(spec, study.served.started))
    asked = rehearsal.request(study.expanded, os.path.dirname(study.spec), generator)
    found += lost(path, study, generator)
    return found + (rehearsal.tried(asked) if asked else [])


def lost(path: str, study, generator: str | None) -> list[str]:
    """What Merlin's graph would lose of the parameters; not looked at where samples would have to be made first."""
    from sim2seq.workflow.checks.expansion import expansion_problems
    from sim2seq.workflow.messages import MerlinStudy
    from sim2seq.workflow.request import merlins_refusal

    if study.expanded["merlin"].get("samples") or not (generator or study.expanded["global.parameters"]):
        return []
    logging.getLogger("maestrowf").addHandler(logging.NullHandler())
    path, generator = os.path.abspath(path), generator and os.path.abspath(generator)
    variables = dict(item.split("=", 1) for item in study.variables)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        variables |= {"OUTPUT_PATH": folder} if "OUTPUT_PATH" in study.expanded["env"]["variables"] else {}
        try:
            with merlins_refusal(path):
                return expansion_problems(MerlinStudy(path, variables, pgen_file=generator))
        except ValueError as error:
            return str(error).splitlines()
