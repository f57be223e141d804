"""Commands of steps, as far as they are plain: the Python and notebooks that they run, the inputs of runs they
name; what their exit codes mean."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sim2seq.workflow.checks.preflight import search_path

TOKEN = re.compile(r"\$\(([\w.-]+)\)")
PROGRAMS = ("sim2seq", "python", "python3", "ipython", "jupyter", "jupyter-nbconvert")
OWN_ENVIRONMENT = re.compile(r"(^|[;&|(])\s*(source|module|\.|conda|mamba|eval|pip)\s|PATH=", re.MULTILINE)
SYSTEMS = ("/bin/", "/usr/", "/sbin/", "/opt/homebrew/", f"{sys.prefix}/")  # programs that write no runs of ours
MOST_FILES, MOST_BYTES = 50, 500_000  # of scripts beside a script, which are read for names
WORD = re.compile(r"-{0,2}([A-Za-z_]\w*)")
MERLINS_CODES = {  # exit codes by which a step asks for something (merlin/common/enums.py)
    **{100: "MERLIN_RESTART", 101: "MERLIN_SOFT_FAIL", 102: "MERLIN_HARD_FAIL"},
    **{104: "MERLIN_RETRY", 105: "MERLIN_STOP_WORKERS", 106: "MERLIN_RAISE_ERROR"},
}
SAMPLES = "the study's samples"  # what is said in the place of a step's name
NOT_FOUND = 127  # a shell's exit code


def calls(cmd: str) -> Iterator[list[str]]:
    """The commands of a script that call one of PROGRAMS, from its name on; $(NAME) becomes {NAME}."""
    for line in TOKEN.sub(r"{\1}", cmd.replace("\\\n", " ")).splitlines():
        parser = shlex.shlex(line, posix=True, punctuation_chars=True)
        parser.whitespace_split = True
        try:
            whole = list(parser)
        except ValueError:  # part of something longer
            continue
        for words in simple(whole):
            places = [number for number, word in enumerate(words) if os.path.basename(word) in PROGRAMS]
            if places:
                yield [os.path.basename(words[places[0]]), *words[places[0] + 1 :]]


def simple(words: list[str]) -> Iterator[list[str]]:
    """Words of a line, cut at ; | && and so on."""
    part: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set(";|&()<>"):
            yield part
            part = []
        else:
            part.append(word)


def trainings(spec: dict, place: str) -> list[dict]:
    """The trainings that steps of a spec begin, by `sim2seq train` or a notebook as a script; a dict each.

    step        its name
    train       what follows `sim2seq train`; or
    notebook    path of the notebook, with `script`, the name of what is made of it, `runner` (python or ipython),
                `to` (what nbconvert makes of it: script or python) and `words`, what follows the script's name
    """
    found = []
    for step in spec["study"]:
        cmd = step["run"]["cmd"].replace("$(SPECROOT)", place)
        if OWN_ENVIRONMENT.search(cmd):
            continue
        notebooks: dict[str, str] = {}  # name of the script -> path
        to = "script"
        for program, *words in calls(cmd):
            if program == "sim2seq" and words[:1] == ["train"]:
                found.append({"step": step["name"], "train": words[1:]})
            elif program in ("jupyter", "jupyter-nbconvert"):
                notebooks |= {f"{Path(path).stem}.py": path for path in converted(words)}
                to = "python" if "python" in " ".join(words).partition("--to")[2][:8] else "script"
            elif program in ("python", "python3", "ipython") and words and words[0] in notebooks:
                one = {"notebook": notebooks[words[0]], "script": words[0], "runner": program, "words": words[1:]}
                found.append({"step": step["name"], "to": to, **one})
    return found


def converted(words: list[str]) -> list[str]:
    """The notebooks that nbconvert makes scripts of, with these words after its name."""
    to_script = any(f"--to{mark}{kind}" in " ".join(words) for mark in " =" for kind in ("script", "python"))
    return [word for word in words if word.endswith(".ipynb")] if to_script and "--execute" not in words else []


def scripts(spec: dict, place: str) -> Iterator[tuple[str, Path]]:
    """(who, Python file) of each script that a step, or the command for the samples, calls by its whole path."""
    cmds = [(f"step {step['name']!r}", step["run"]["cmd"]) for step in spec["study"]]
    for who, cmd in (
        (who, cmd.replace("$(SPECROOT)", place)) for who, cmd in [*cmds, (SAMPLES, samples_command(spec))]
    ):
        for program, *words in () if OWN_ENVIRONMENT.search(cmd) else calls(cmd):
            if program in ("python", "python3") and words and words[0].endswith(".py") and os.path.isabs(words[0]):
                yield who, Path(words[0])


def script_problems(spec: dict, place: str) -> Iterator[str]:
    """Scripts that are not there, are no Python, or need a package that is not installed."""
    for who, path in dict.fromkeys(scripts(spec, place)):
        try:
            tree = ast.parse(path.read_text())
        except OSError as error:
            yield f"{who}: {path}: {error.strerror}"
        except (SyntaxError, ValueError) as error:
            yield f"{who}: {path}: expected a Python file, {error}"
        else:
            missing = [name for name in imported(tree) if not is_module(name, path.parent)]
            yield from (f"{who}: {path} needs the package {name}, which is not installed" for name in missing)


def _samples(spec: dict) -> dict:
    return (spec.get("merlin") or {}).get("samples") or {}


def samples_command(spec: dict) -> str:
    """The command that makes a spec's samples; empty if it has none."""
    return (_samples(spec).get("generate") or {}).get("cmd") or ""


def imported(tree: ast.Module) -> list[str]:
    """The first parts of the names that a file imports at its top, whatever happens."""
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def is_module(name: str, folder: Path) -> bool:
    """Whether a script in this folder finds the module, there or above, in case that it changes sys.path first."""
    near = [folder, *list(folder.parents)[:3]]
    if any((place / f"{name}.py").exists() or (place / name).is_dir() for place in near):
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ValueError, ImportError):
        return True


def named_inputs(spec: dict, place: str, generator: str | None, last: Iterable[str]) -> set[str] | None:
    """Names, in lower case, that may be inputs of the runs; None where a program is called that cannot be read.

    They are those of parameters and samples, of options in commands, and words of the generator and of the scripts of
    all steps but the `last`.
    """
    samples = _samples(spec)
    found = {name.lower() for name in (*(spec.get("global.parameters") or {}), *(samples.get("column_labels") or ()))}
    cmds = [step["run"]["cmd"] for step in spec["study"] if step["name"] not in last]
    cmds.append(samples_command(spec))
    files = [Path(generator)] if generator else []
    for cmd in (each.replace("$(SPECROOT)", place) for each in cmds):
        found |= {word.lower() for word in re.findall(r"[A-Za-z_]\w*", cmd)}
        for line in filter(None, map(str.split, cmd.splitlines())):
            program = shutil.which(line[0], path=search_path())
            if OWN_ENVIRONMENT.search(cmd) or (program and not program.startswith(SYSTEMS) and not is_text(program)):
                return None
        files += [
            Path(word) for word in re.findall(r"[\w./+@~-]+", cmd) if os.path.isabs(word) and os.path.isfile(word)
        ]
    return found | {name for path in beside(files) for name in names_in(path)}


def beside(files: list[Path]) -> list[Path]:
    """These files, and the Python files in the folders of those that are Python."""
    more = [near for path in files if path.suffix == ".py" for near in sorted(path.parent.glob("*.py"))]
    found = list(dict.fromkeys([*files, *more[:MOST_FILES]]))
    return [path for path in found if path.stat().st_size < MOST_BYTES and is_text(path)]


def is_text(path) -> bool:
    with open(path, "rb") as file:
        return b"\0" not in file.read(4096)


def names_in(path: Path) -> set[str]:
    """Words of a file, in lower case; of Python, what may be names of data: strings, options, arguments, fields."""
    text = path.read_text(errors="replace")
    try:
        tree = ast.parse(text) if path.suffix == ".py" else None
    except (SyntaxError, ValueError):
        tree = None
    if tree is None:
        return {word.lower() for word in re.findall(r"[A-Za-z_]\w*", text)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (word := WORD.fullmatch(node.value)):
            found.add(word[1].lower())
        elif isinstance(node, (ast.keyword, ast.arg)) and node.arg:
            found.add(node.arg.lower())
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id.lower())
    return found


def ending(code: int) -> str:
    """An exit code in words; those of signals and Merlin's own have names."""
    if code in MERLINS_CODES:
        return f"exit code {code}, {MERLINS_CODES[code]}"
    if code == NOT_FOUND:
        return f"exit code {code}, as where a command is not found"
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit code {code}"
    return f"ended by {name}" if code < 0 else f"exit code {code}, as after {name}"
