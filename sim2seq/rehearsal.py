"""Rehearsal: the trainings of a study gone through up to where they need its runs, before its first simulation.

    python -m sim2seq.rehearsal FILE

FILE is what `request` says, as JSON. A process of its own, because it imports whatever the last steps import: Keras and
its backend, the study's own modules, those of its notebook.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sim2seq._support import command
from sim2seq.workflow.checks.commands import beside, named_inputs, names_in, trainings
from sim2seq.workflow.tasks import REFUSAL, begun_rehearsal, found_by

HARMLESS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)


def request(spec: dict, place: str, generator: str | None) -> dict | None:
    """What is to be rehearsed of an expanded spec that stands in the folder `place`; None if it begins no training."""
    found = trainings(spec, place)
    if not found:
        return None
    names = named_inputs(spec, place, generator, [one["step"] for one in found])
    line = [sys.executable, "-P", "-m", "sim2seq.rehearsal"]  # -P: as little of this folder as a step sees
    return {"command": line, "trainings": found, "names": None if names is None else sorted(names)}


def tried(asked: dict) -> list[str]:
    """What comes of such a request, in the process that it asks for."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        return found_by(begun_rehearsal(asked["command"], file.name))


def problems(found: list[dict], names: list[str] | None) -> Iterator[str]:
    """Why these trainings (workflow/checks/commands.py) would fail whatever the runs are; one line each.

    names   that inputs of the runs may have, in lower case; None: any
    """
    for one in found:
        where = f"step {one['step']!r}: {one.get('notebook', 'sim2seq train')}"
        try:
            yield from (f"{where}: {line}" for line in _rehearsed(one, names))
        except ModuleNotFoundError as error:
            yield f"{where}: it needs the package {error.name}, which is not installed"
        except (ValueError, OSError) as error:
            yield f"{where}: {command.plain(error)}"
        except Exception as error:  # of a study's own files
            yield f"{where}: {type(error).__name__}: {command.plain(error)}"


def _rehearsed(one: dict, names: list[str] | None) -> Iterator[str]:
    from sim2seq._support import keras_settings

    keras_settings.check()
    import sim2seq.report.report
    import sim2seq.training.fit  # noqa: F401

    if "train" in one:
        studies, chosen = _train(one["train"])
    else:
        yield from (lines := list(_notebook_problems(Path(one["notebook"]), one)))
        studies, chosen = ([], []) if lines else _notebook(Path(one["notebook"]), one)
    known_here = with_readers(names, studies)
    asked = dict.fromkeys(name for settings in chosen for name in settings.inputs)
    others = {name: why for study in studies for settings in chosen for name, why in no_inputs(study, settings).items()}
    yield from (f"setting inputs {name!r}: {others[name]}" for name in asked if name in others)
    yield from _unnamed((name for name in asked if name not in others), known_here, "setting inputs")
    for study in studies:
        yield from _unnamed(study.needs, names, f"the study {study.name}, with its laws, needs of each run the input")


def _unnamed(inputs: Iterable[str], names: list[str] | None, what: str) -> Iterator[str]:
    for name in dict.fromkeys(inputs):
        if names is not None and name.lower() not in names:
            near = difflib.get_close_matches(name.lower(), names, n=1)
            yield (
                f"{what} {name!r}: nothing in the spec, its generator or the scripts of its steps has this name"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )


def with_readers(names: list[str] | None, studies: list) -> list[str] | None:
    """The names, and those in the files of studies that read by themselves: there, inputs may get other names.

    None, which stands for any name, where such a file cannot be read.
    """
    for read in (study.read for study in studies if study.read is not None):
        path = Path(getattr(getattr(read, "__code__", None), "co_filename", ""))
        if names is None or not path.is_file():
            return None
        names = sorted({*names, *(name for near in beside([path]) for name in names_in(near))})
    return names


def no_inputs(study, settings) -> dict[str, str]:
    """Which of the inputs that the settings name are none, and why, as far as that is known before there are runs.

    That is what the study or the settings call something else. Whether the simulation writes a number of another name
    once a run or once a step is known with its first record; a reader of the study's own may make either of anything.
    """
    from sim2seq.data.records import is_result

    if study.read is not None:
        return {}
    per_step = features_named(study.task, settings)
    results = {name: "a result, as its name says (num_*, *_final)" for name in settings.inputs if is_result(name)}
    return results | {
        name: "expected one number a run; the study or the settings name it as a feature, one number a step"
        for name in settings.inputs
        if name in per_step
    }


def features_named(task, settings) -> set[str]:
    """The features that a task, or its settings, name."""
    from sim2seq.training.targets import PerStep

    fields = ("controls", "inputs", *(("outputs",) if isinstance(task, PerStep) else ()))
    return {*settings.controls, *(name for field in fields for name in getattr(task, field, ()))}


class Strict(command.Parser):
    """A parser whose errors are ValueErrors."""

    def error(self, message):
        raise ValueError(message)


def _train(words: list[str]) -> tuple[list, list]:
    """The study and all settings of a `sim2seq train` with these words."""
    from sim2seq.cli_learn import add_train
    from sim2seq.study import FORECAST, load_study
    from sim2seq.sweep import crossed

    parser = Strict(prog="sim2seq train")
    add_train(parser)
    chosen, more = parser.parse_known_args(words)
    if unknown := [word for word in more if word.startswith("-")]:
        raise ValueError(f"unrecognized arguments: {' '.join(unknown)}")
    study = load_study(chosen.study) if chosen.study and known(chosen.study) else FORECAST
    plain = [word for word in (*chosen.settings, *more) if known(word)]
    each = crossed(chosen.each) if chosen.each and all(map(known, chosen.each)) else [[]]
    return [study], [study.settings.parse([*plain, *point]) for point in each]


def known(word: str) -> bool:
    """Whether a word is known before the study runs: of a sample, or of Merlin, it is {NAME} here."""
    return "{" not in word


def _notebook_problems(path: Path, one: dict) -> Iterator[str]:
    """Why a notebook cannot run as a script: cells that are not Python, or metadata that say another language."""
    from IPython.core.inputtransformer2 import TransformerManager
    from nbconvert.exporters import PythonExporter, ScriptExporter

    exporter = PythonExporter if one["to"] == "python" else ScriptExporter
    end = exporter().from_filename(str(path))[1]["output_extension"]
    if end != ".py":
        yield f"its metadata do not say Python, and nbconvert would write {path.stem}{end}: convert it with --to python"
    for number, source in enumerate(code_cells(path), start=1):
        code = TransformerManager().transform_cell(source)
        if "get_ipython()" in code and "get_ipython()" not in source and one["runner"] != "ipython":
            first = magic(source)
            yield f"code cell {number}: {first!r:.80} is for IPython: run `ipython {one['script']}`, or remove it"
        try:
            ast.parse(code)
        except SyntaxError as error:
            yield f"code cell {number}, line {error.lineno}: expected Python ({error.msg})"


def magic(source: str) -> str:
    """The first line of a cell that only IPython understands."""
    from IPython.core.inputtransformer2 import TransformerManager

    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if "get_ipython()" in TransformerManager().transform_cell(line)), lines[0])


def code_cells(path: Path) -> list[str]:
    import nbformat

    with contextlib.redirect_stderr(None):  # it complains about metadata of others
        cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


class Rehearsed(BaseException):
    """The notebook has come to where it opens its study, with these settings."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings


def _notebook(path: Path, one: dict) -> tuple[list, list]:
    """The studies and settings with which the notebook, as a script, would open its study's folder."""
    from IPython.core.inputtransformer2 import TransformerManager

    from sim2seq.training.study import Study

    words = [word for word in one["words"][1:] if known(word)]

    def open_study(workspace, settings, *, arguments=None):
        raise Rehearsed(type(settings).parse(words, base=settings))

    code = ast.parse("\n".join(TransformerManager().transform_cell(source) for source in code_cells(path)))
    opens = any(map(calls_open_study, code.body))
    names: dict = {"__name__": "__main__"}
    chosen = []
    with opened_by(open_study):
        for statement in code.body:
            if isinstance(statement, HARMLESS if opens else HARMLESS[:2]) or calls_open_study(statement):
                try:
                    exec(compile(ast.Module([statement], []), one["script"], "exec"), names)
                except Rehearsed as reached:
                    chosen.append(reached.settings)
                    break
    return [value for value in names.values() if isinstance(value, Study)], chosen


@contextlib.contextmanager
def opened_by(function) -> Iterator[None]:
    """While this lasts, `function` is `open_study` under both its names."""
    import sim2seq
    from sim2seq import notebook

    before = notebook.open_study
    notebook.open_study = sim2seq.open_study = function
    try:
        yield
    finally:
        notebook.open_study = sim2seq.open_study = before


def calls_open_study(statement: ast.stmt) -> bool:
    calls = (node.func for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(getattr(func, "attr", getattr(func, "id", "")) == "open_study" for func in calls)


def main() -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    content = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # as empty as that of a step
        for line in problems(content["trainings"], content["names"]):
            print(f"{REFUSAL}{line}", flush=True)  # libraries print others
    return 0


if __name__ == "__main__":
    sys.exit(main())
