"""Notebook: what lets one notebook run in Jupyter, and, converted to a script, as the last step of a study."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from sim2seq._support.files import read_json

STORE = "create-initial-store/ensembles_output.sqlite"
STUDIES = "studies_output"
COUNTED = "completeness.json"  # in the folder of the last step, which counts the runs and then runs the notebook


class SettingsLike(Protocol):
    """The settings of a study: training.settings.Settings, or a study's own."""

    @classmethod
    def parse(cls, words, *, base) -> Self:
        """`base` changed by texts such as "epochs=2". Raises ValueError, in one line, for what is not possible."""


@dataclass(frozen=True)
class Opened:
    """Where a study's store is, where results go, the settings, and who was counted (None: nobody)."""

    store: Path
    output: Path
    settings: SettingsLike
    completeness: dict | None


def open_study(workspace, settings: SettingsLike, *, arguments=None) -> Opened:
    """The study in the folder `workspace`; None is the newest one below ./studies_output.

    In Jupyter, results go to `workspace`/notebook. As a script, the command line says WORKSPACE [name=value ...],
    the settings are changed by it, and results go to the current folder; from then on a ValueError or OSError ends the
    script with one line and exit code 2. `arguments` stands for that command line.
    Raises FileNotFoundError, in one line, when there is no store.
    """
    if arguments is None:
        arguments = [] if "kernel_launcher" in sys.argv[0] else sys.argv[1:]
        sys.excepthook = end_in_one_line if arguments else sys.excepthook
    if arguments:
        workspace, output, settings = Path(arguments[0]), Path(), type(settings).parse(arguments[1:], base=settings)
        counted = [Path(COUNTED)]
    else:
        workspace = Path(workspace or newest(STUDIES))
        output, counted = workspace / "notebook", workspace.glob(f"*/{COUNTED}")
    if not (workspace / STORE).exists():
        raise FileNotFoundError(f"{workspace / STORE}: no store there; expected a study's folder, got {workspace}")
    found = [path for path in counted if path.exists()]
    last = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return Opened(workspace / STORE, output, settings, read_json(last) if last else None)


def end_in_one_line(kind, error, trace) -> None:
    """What Python calls for an error that nobody caught: one line for a ValueError or OSError, and exit code 2."""
    if not issubclass(kind, (ValueError, OSError)):
        sys.__excepthook__(kind, error, trace)
        return
    print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)


def newest(folder) -> Path:
    """The newest study below `folder`. Raises FileNotFoundError when there is none."""
    studies = [path.parents[1] for path in Path(folder).glob(f"*/{STORE}")]
    if not studies:
        raise FileNotFoundError(f"{folder}: no study here; run one first (make run), or name its folder")
    return max(studies, key=lambda path: path.stat().st_mtime)
