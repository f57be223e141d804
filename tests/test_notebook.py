import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pytest

from sim2seq import notebook
from sim2seq.data.records import Run
from sim2seq.store import store
from sim2seq.training.settings import Settings
from studies.dodging_robot.study import RobotSettings

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "visualization_lstm_kosh.ipynb"
DEFAULTS = {NOTEBOOK: Settings(), ROOT / "studies" / "dodging_robot" / "visualization.ipynb": RobotSettings()}
TINY = ["size=debug", "units=2", "window=20", "epochs=1"]


def code_cells(page: Path):
    return [cell for cell in nbformat.read(page, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("page", DEFAULTS, ids=lambda page: page.stem)
def test_a_notebook_stores_no_outputs_and_its_cells_are_short(page):
    nbformat.validate(nbformat.read(page, as_version=4))
    for cell in code_cells(page):
        assert not cell.outputs
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 20
    assert sum("settings" in cell.metadata.get("tags", []) for cell in code_cells(page)) == 1


@pytest.mark.parametrize("page", DEFAULTS, ids=lambda page: page.stem)
def test_the_settings_cell_holds_the_defaults(page):
    imports, *cells = code_cells(page)
    (cell,) = (cell for cell in cells if "settings" in cell.metadata.get("tags", []))
    names = {}
    exec(f"{imports.source}\n{cell.source}", names)
    assert names["SETTINGS"] == DEFAULTS[page]


def test_a_study_with_too_few_runs_fails_in_one_line(tmp_path):
    study = tmp_path / "study"
    (study / notebook.STORE).parent.mkdir(parents=True)
    store.create(study / notebook.STORE)
    series = {"time": [0.0, 1.0], "x": [1.0, 2.0]}
    store.ingest(study / notebook.STORE, [Run(f"run_{i}", {}, series) for i in range(2)])
    script = (
        "import sim2seq; from sim2seq.data.splits import SPLITS; "
        "study = sim2seq.open_study(None, sim2seq.Settings()); "
        "SPLITS['by_run'](sim2seq.load_store(study.store), (0.6, 0.2, 0.2))"
    )
    command = [sys.executable, "-c", script, str(study)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == "-c: a split by run needs at least 3 runs, one a part; got 2"


def test_in_jupyter_the_count_of_runs_is_the_studys_own_last_one(workspace, tmp_path, monkeypatch):
    (tmp_path / "completeness.json").write_text('{"missing": ["of another study"]}')
    monkeypatch.chdir(tmp_path)
    assert notebook.open_study(workspace, Settings(), arguments=[]).completeness is None
    for seconds, step in ((200, "learn"), (100, "lstm-ball-bounce")):
        counted = workspace / step / notebook.COUNTED
        counted.parent.mkdir()
        counted.write_text(json.dumps({"missing": [step]}))
        os.utime(counted, (seconds, seconds))
    assert notebook.open_study(workspace, Settings(), arguments=[]).completeness == {"missing": ["learn"]}
    for step in ("learn", "lstm-ball-bounce"):
        (workspace / step / notebook.COUNTED).unlink()


@dataclass(frozen=True)
class Stride:
    """Settings of another study, that has its own words."""

    steps: int = 3

    @classmethod
    def parse(cls, assignments=(), *, base=None):
        words = dict(text.split("=") for text in assignments)
        if set(words) - {"steps"}:
            raise ValueError(f"unknown setting {min(words)!r}; known: steps")
        return replace(base or cls(), **{name: int(text) for name, text in words.items()})


def test_a_study_may_have_settings_of_its_own(workspace):
    assert notebook.open_study(workspace, Stride(5), arguments=[]).settings == Stride(5)
    assert notebook.open_study(None, Stride(5), arguments=[str(workspace)]).settings == Stride(5)
    assert notebook.open_study(None, Stride(5), arguments=[str(workspace), "steps=8"]).settings == Stride(8)
    with pytest.raises(ValueError, match="unknown setting 'epochs'; known: steps"):
        notebook.open_study(None, Stride(5), arguments=[str(workspace), "epochs=8"])


def test_the_script_takes_workspace_and_settings_as_arguments(workspace):
    study = notebook.open_study(None, Settings(), arguments=[str(workspace), "epochs=3"])
    assert (study.output, study.settings) == (Path(), Settings(epochs=3))
    assert store.load(study.store).runs == 6


def test_the_newest_study_is_found_and_one_without_store_refused(workspace, tmp_path):
    assert notebook.newest(workspace.parent).name.startswith("study")
    with pytest.raises(FileNotFoundError, match="no study here"):
        notebook.newest(tmp_path)
    with pytest.raises(FileNotFoundError, match="no store there"):
        notebook.open_study(tmp_path, Settings(), arguments=[])
