"""The notebook runs in Jupyter, on the store of a finished study."""

from pathlib import Path

import nbclient
import nbformat

from sim2seq.training.folder import load

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "visualization_lstm_kosh.ipynb"
TINY = ["size=debug", "units=2", "window=20", "epochs=1"]


def test_the_notebook_runs_in_jupyter(workspace, tmp_path):
    page = nbformat.read(NOTEBOOK, as_version=4)
    for cell in page.cells:
        if "settings" in cell.metadata.get("tags", []):
            cell.source += f"\nWORKSPACE, SETTINGS = {str(workspace)!r}, sim2seq.Settings.parse({TINY})"
    nbclient.NotebookClient(page, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output for cell in page.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(shown) == 6
    assert load(workspace / "notebook" / "training").scores.runs == {"train": 4, "validation": 1, "test": 1}
    assert "skill" in (workspace / "notebook" / "report.html").read_text()
    assert not list(tmp_path.iterdir())
