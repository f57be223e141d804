"""New: write a small study that runs at once, to be made one's own (`sim2seq new NAME`)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
import yaml

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FILES = ("simulate.py", "pgen_ensembles.py", "study.py", "suite.yaml", "README.md", "test_{name}.py")
NOTEBOOK = "{name}.ipynb"


@dataclass(frozen=True)
class Kind:
    """What differs between the kinds of task: names to import, the task, its settings, the first ones to try."""

    imports: str
    task: str
    settings: str
    config: str
    question: str


KINDS = {
    "forecast": Kind(
        "Forecast, Settings, Study",
        "Forecast()",
        "Settings",
        "window:20 budget:40s",
        "How far can an oscillation be forecast from its first second?",
    ),
    "target-per-step": Kind(
        "PerStep, Study, TargetSettings",
        'PerStep(inputs=("x",), outputs=("v",), ahead=0)',
        "TargetSettings",
        "window:10",
        "Can a network tell the velocity from the last positions?",
    ),
    "target-per-run": Kind(
        "PerRun, Study, TargetSettings",
        'PerRun(outputs=("energy_final",))',
        "TargetSettings",
        "window:5",
        "Can a network tell from the beginning of a run how much energy is left at its end?",
    ),
}


def new_study(name: str, folder=None, *, kind: str = "forecast", notebook: bool = False) -> list[Path]:
    """Write the study `name` into `folder` (None: ./NAME), whole or not at all; the files.

    Raises ValueError for a name that could not name steps and queues, an unknown kind, or a folder that is there.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60}: expected a name of lower-case letters, digits and _, beginning with a letter")
    if yaml.safe_load(name) != name:
        raise ValueError(f"{name}: expected a name that YAML reads as a word: Merlin writes it without quotes")
    if kind not in KINDS:
        raise ValueError(f"--task {kind}: expected one of {', '.join(KINDS)}")
    folder = Path(folder or name)
    if folder.exists():
        raise ValueError(f"{folder}: it is there already; choose another name or folder")
    chosen = KINDS[kind]
    values = {"name": name, "words": ", ".join(f'"{word}"' for word in chosen.config.split()), **vars(chosen)}
    unfinished = folder.with_name(f".unfinished_{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for file in (*FILES, *([NOTEBOOK] if notebook else [])):
        (unfinished / file.format(name=name)).write_text(rendered(file, values), encoding="utf-8")
    unfinished.rename(folder)
    return sorted(folder.iterdir())


def rendered(file: str, values: dict) -> str:
    """A file of the template with its values."""
    source = {NOTEBOOK: "notebook.ipynb"}.get(file, file.format(name="NAME"))
    text = resources.files("sim2seq").joinpath("template", f"{source}.j2").read_text(encoding="utf-8")
    return jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True).render(values)
