"""The cut of the package: what may import what, how long files and names are, what a look at the names costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sim2seq

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sim2seq"
# each imports those before it
ROOMS = ["_support", "data", "store", "models", "evaluation", "training", "report"]
MOST_FILES, MOST_LINES, LONGEST_NAME = 14, 300, 60


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_of(path: Path) -> set[str]:
    """The rooms that a file imports; "" for modules outside a room."""
    parts = (name.split(".") for name in imported(path) if name.split(".")[0] == "sim2seq")
    return {part[1] if len(part) > 1 and (PACKAGE / part[1]).is_dir() else "" for part in parts}


@pytest.mark.parametrize("room", [*ROOMS, "workflow"])
def test_a_room_imports_only_the_rooms_below_it(room):
    below = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ["_support", "data", "store", "workflow"]
    for path in (PACKAGE / room).rglob("*.py"):
        assert rooms_of(path) <= set(below), path


def test_the_checks_know_nothing_of_a_study_that_runs():
    for path in (PACKAGE / "workflow" / "checks").glob("*.py"):
        ours = {name for name in imported(path) if name.startswith("sim2seq.workflow")}
        assert all(name.startswith("sim2seq.workflow.checks") for name in ours), path


@pytest.mark.parametrize("room", [*ROOMS, "oracle", "workflow", "workflow/checks", "data/foreign", "models/candidates"])
def test_a_room_is_small_and_says_what_belongs_in_it(room):
    files = sorted((PACKAGE / room).glob("*.py"))
    assert len(files) <= MOST_FILES
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text())
    assert "Not here:" in ast.get_docstring(tree)
    assert len(tree.body) == 1  # a docstring and nothing else: an import of a room costs nothing


def test_no_file_has_more_than_300_lines():
    folders = (PACKAGE, *(ROOT / name for name in ("studies", "tests", "benchmarks")))
    files = [path for folder in folders for path in folder.rglob("*.py")] + [*ROOT.glob("*.py")]
    assert not [path for path in files if len(path.read_text().splitlines()) > MOST_LINES]


def test_no_test_has_a_name_of_more_than_60_characters():
    """Longer ones are not read; what more there is to say stands in a docstring."""
    texts = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    names = [name for text in texts for name in re.findall(r"^ *def (test_\w+)", text, re.MULTILINE)]
    assert len(names) > 1000
    assert not [name for name in names if len(name) > LONGEST_NAME]


def test_the_package_knows_no_study():
    assert not [path for path in PACKAGE.rglob("*.py") if any(name.startswith("studies") for name in imported(path))]


def test_a_look_at_the_package_imports_nothing_heavy():
    code = "import sys, sim2seq; print(*(name for name in ('numpy', 'keras', 'pandas') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("name", sim2seq.__all__)
def test_a_public_name_is_there_documented_and_described(name):
    found = getattr(sim2seq, name)
    assert found.__doc__
    assert f"`{name}" in (ROOT / "docs" / "library.md").read_text()


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match="has no 'Ensembles'; it has: Ensemble"):
        sim2seq.Ensembles  # noqa: B018
