"""Expansion: does Merlin's graph hold every step, row and sample that was asked for? Looked at before it is queued."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

import yaml

from sim2seq.workflow.checks.generators import no_parameter_twice
from sim2seq.workflow.checks.preflight import FAST_LOADER, search_path
from sim2seq.workflow.checks.steps import table_problems

MARK = "\ufeff"  # with which some programs begin a file in UTF-8
NAME_MAX, PATH_MAX = 255, 4095  # bytes of a name and of a path, on Linux
LONGEST_END = ".restart.sh"  # of what Merlin calls after a task, in its folder
VARIABLE = re.compile(r"\$\(([A-Z][A-Z0-9_]*)\)")
WORKSPACE = re.compile(r"\$\(([^()\s]+)\.workspace\)")
OWN_COMMANDS = re.compile(r"(^|[;&|(])\s*(source|module|\.|conda|eval|alias|function)\s|PATH=", re.MULTILINE)
SHOWN = 3  # of the lines of one kind


def expansion_problems(study) -> list[str]:
    """What a MerlinStudy lost of what its spec asks for, or could not run; one line each, empty if nothing."""
    spec, graph = study.expanded_spec, study.dag
    steps: dict[str, list] = {}  # name -> the records of its tasks, without samples
    for record in graph.maestro_values.values():
        if record is not None:
            folder = Path(record.workspace.value).relative_to(study.workspace).parts[0]
            steps.setdefault(folder, []).append(record)
    kinds = (
        lost_steps([step["name"] for step in spec.study], steps, graph.maestro_adjacency_table),
        lost_rows(spec.globals, {step: sorted(records[0].params) for step, records in steps.items()}),
        altered(study),
        bad_folders([record for records in steps.values() for record in records]),
        lost_samples(study, [graph.step(records[0].name) for records in steps.values()]),
        unknown_names({step: records[0].step.run for step, records in steps.items()}, study.sample_labels),
    )
    return [line for kind in kinds for line in some_of(kind)]


def checked_generator(merlins):
    """MerlinStudy's `load_pgen`: whatever the generator raises, and a table that is none, become a ValueError."""

    @functools.wraps(merlins)
    def load_pgen(self, filepath, *arguments):
        try:
            with no_parameter_twice():
                table = merlins(self, filepath, *arguments)
        except Exception as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise ValueError(f"{filepath}: {kind}{error}") from error
        for line in table_problems({"global.parameters": table}):
            raise ValueError(f"{filepath}: {line}")
        return table

    return load_pgen


def some_of(lines: Iterable[str]) -> list[str]:
    lines = list(dict.fromkeys(lines))
    return [*lines[:SHOWN], f"... and {len(lines) - SHOWN} more of this kind"] if len(lines) > SHOWN else lines


def lost_steps(names: list[str], steps: dict[str, list], children: dict[str, list[str]]) -> Iterator[str]:
    """Steps of one name, or of names that make one folder, and tasks that nothing leads to."""
    if len(steps) < len(names):
        yield f"{len(names)} steps in {len(steps)} folders ({', '.join(names)}): Merlin runs one a folder"
    begins = reached("_source", children)
    for step, records in steps.items():
        if not begins.issuperset(record.name for record in records):
            yield f"step {step!r} would never begin: it depends on itself, or on a step that does"


def reached(node: str, children: dict[str, list[str]]) -> set[str]:
    """The nodes that can be reached from a node, at any distance."""
    found: set[str] = set()
    pending = [node]
    while pending:
        new = set(children.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def lost_rows(table: dict[str, dict], used: dict[str, list[str]]) -> Iterator[str]:
    """Rows of the parameters that Merlin takes for another one: it tells them apart by their labels.

    table   parameter -> values and label, as in global.parameters
    used    step -> the parameters that tell its tasks apart, sorted
    """
    rows = [
        dict(zip(table, row, strict=True)) for row in zip(*(each["values"] for each in table.values()), strict=True)
    ]
    if len(rows) > 1 and not any(used.values()):
        yield f"no step uses the parameters {', '.join(table)}: all {len(rows)} rows would be one task"
        return
    labels = [{name: label(each["label"], i, row[name]) for name, each in table.items()} for i, row in enumerate(rows)]
    seen: dict[tuple, int] = {}
    for step, names in used.items():
        first: dict[tuple, int] = {}
        for number, (row, words) in enumerate(zip(rows, labels, strict=True)):
            before = rows[first.setdefault(tuple(words[name] for name in names), number)]
            if differing := [name for name in names if str(row[name]) != str(before[name])]:
                other = f"{differing[0]} is {before[differing[0]]!s:.40} and {row[differing[0]]!s:.40}"
                yield f"step {step!r}: two rows have the label {'.'.join(words[n] for n in names)}, but {other}"
    for number, words in enumerate(labels):
        names = sorted(set().union(*used.values()))
        same = seen.setdefault(tuple(words[name] for name in names), number)
        if same != number:
            values = ", ".join(f"{name}: {rows[number][name]!s:.40}" for name in names)
            yield (
                f"rows {same + 1} and {number + 1} of the parameters are the same ({values}), and Merlin runs one: "
                "remove one, or let a step use a parameter that numbers them"
            )


def altered(study) -> Iterator[str]:
    """What becomes another value when Merlin writes the spec and reads it again: it writes words without quotes."""
    original = study.original_spec
    again = yaml.load(original.dump(), Loader=FAST_LOADER)
    written = yaml.load(Path(study.expanded_spec.path).read_text(), Loader=FAST_LOADER)["global.parameters"] or {}
    tables = [(study.expanded_spec.globals, written)]
    tables += [(original.globals, again["global.parameters"] or {})] if not study.pgen_file else []
    for table, read in tables:
        for name, column in table.items():
            for value, other in zip_longest(column["values"], read[name]["values"]):
                if str(value) != str(other):
                    yield f"global.parameters: {name}: Merlin reads {value!r:.60} as {other!r:.60}: choose another word"
    for name, value in original.environment["variables"].items():
        if as_lines(value) != as_lines(other := again["env"]["variables"][name]):
            yield f"env.variables: {name}: Merlin reads {value!r:.60} as {other!r:.60}: choose another word"
    for step, read in zip(original.study, again["study"], strict=True):
        for key in ("cmd", "restart"):
            if as_lines(step["run"].get(key)) != as_lines(read["run"].get(key)):
                yield f"step {step['name']!r}: Merlin loses a part of its {key}: write it as a block, after `{key}: |`"


def as_lines(text) -> list[str]:
    """A text without what YAML may change of it: blanks at the ends of lines, and empty lines around it."""
    return [line.rstrip() for line in ("" if text is None else str(text)).strip().splitlines()]


def label(template, number: int, value) -> str:
    """What Maestro calls a value in the names of folders."""
    return str(template[number]) if isinstance(template, list) else str(template).replace("%%", str(value))


def bad_folders(records: list) -> Iterator[str]:
    """Folders that two tasks would share, and names that no file system takes."""
    counts = Counter(record.workspace.value for record in records)
    for record in records:
        folder = record.workspace.value
        longest = f"{record.step.name}{LONGEST_END}"
        if counts[folder] > 1:
            name = os.path.basename(folder)
            yield f"{counts[folder]} tasks would share the folder {name}: of a label only letters, digits, -_.() count"
        if len(longest.encode()) > NAME_MAX or len(f"{folder}/{longest}".encode()) > PATH_MAX:
            yield (
                f"{record.step.name:.60}...: a name of {len(longest.encode())} bytes is too long for a file: shorten "
                "the labels of the parameters, or number the rows and let a table hold their values"
            )


def lost_samples(study, steps: list) -> Iterator[str]:
    """Columns of the samples without a name, names without a column, samples that no step uses, lines that are cut."""
    labels = list(study.sample_labels)
    try:
        samples = study.samples
    except (ValueError, TypeError) as error:
        yield " ".join(str(error).split())
        return
    if not labels and not len(samples):
        return
    if samples.shape[1] != len(labels):
        yield f"{study.samples_file}: {samples.shape[1]} columns, {len(labels)} column_labels ({', '.join(labels)})"
    if str(samples[0, 0]).startswith(MARK):
        yield f"{study.samples_file}: it begins with a byte order mark, which the first sample would hold"
    first = [str(word).strip(f"{MARK}#\"' ").casefold() for word in samples[0]]
    if len(samples) > 1 and first == [name.casefold() for name in labels[: samples.shape[1]]]:
        yield f"{study.samples_file}: its first line is a header, which Merlin takes for a sample: begin it with #"
    if len({name.upper() for name in labels}) < len(labels):
        yield f"column_labels {', '.join(labels)}: expected names that differ, in more than their case"
    if not any(step.check_if_expansion_needed([*labels]) for step in steps):
        yield f"no step uses {', '.join(labels)}: none of the {len(samples)} samples would be run"
    if not str(study.samples_file).endswith(".npy"):
        for number, line in enumerate(Path(study.samples_file).read_text(errors="replace").splitlines(), start=1):
            if "#" in line.strip()[1:] and not line.strip().startswith("#"):
                yield f"{study.samples_file}, line {number}: what follows # would be lost, as a comment"


def unknown_names(runs: dict[str, dict], labels: list[str]) -> Iterator[str]:
    """$(NAME) that nobody replaces: a shell takes it for a command that is not there, and goes on with nothing."""
    from merlin.spec.expansion import RESERVED

    known = {*RESERVED, "VLAUNCHER", "MERLIN_SAMPLE_VECTOR", "MERLIN_SAMPLE_NAMES"} | {name.upper() for name in labels}
    for step, run in runs.items():
        for text in filter(None, (run["cmd"], run.get("restart"))):
            for other in WORKSPACE.findall(text):
                yield f"step {step!r}: $({other}.workspace) names no step that comes before it"
            for name in set(VARIABLE.findall(text)) - known:
                if not OWN_COMMANDS.search(text) and not is_command(name, text):
                    yield f"step {step!r}: $({name}) is no variable, parameter or column of the samples, and no command"


def is_command(name: str, text: str) -> bool:
    """Whether a shell finds `name`: a program, one of its own words, or a function in `text`."""
    if shutil.which(name, path=search_path()) or re.search(rf"\b{name}\s*\(\)", text):
        return True
    return subprocess.run(["sh", "-c", f"type {name}"], capture_output=True, check=False).returncode == 0
