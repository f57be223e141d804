"""The wheel: it holds every file of the package and nothing else, and works where there is no clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "requirements.txt", "README.md", "LICENSE")
UV = Path(sys.executable).with_name("uv")


def build(folder: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, target, folder], check=True, timeout=120)
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of what a wheel is made from, since setuptools builds inside it; with files of every kind in template/."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "sim2seq", folder / "sim2seq", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("sample.py", "suite.yaml", ".hidden", "_last", "deeper/.folder/test_it.py", "deeper/data.npz"):
        path = folder / "sim2seq" / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory):
    return build(sources, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of an empty environment into which the wheel was installed, with what it asks for and no clone.

    Its packages are links into the installer's cache, which setup.sh has just filled: that takes seconds, and the
    wheel's own list of packages is put to the test. A path to this environment's packages would not do: their commands
    (merlin, celery) start this environment's Python, which finds the clone.
    """
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "sim2seq", folder / "sources" / "sim2seq", ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(ROOT / name, folder / "sources")
    wheel = build(folder / "sources", folder)
    shutil.rmtree(folder / "sources")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    command = [UV, "pip", "install", "--quiet", "--python", python, "--constraint", ROOT / "requirements.lock", wheel]
    subprocess.run(command, check=True, timeout=280)
    share_bytecode(Path(sysconfig.get_path("purelib")), next((folder / "venv").glob("lib/*/site-packages")))
    return python


def share_bytecode(ours: Path, theirs: Path) -> None:
    """Give the other environment what this one has compiled of the same files, for which it would need half a minute.

    The versions are those of one lock. Bytecode begins with 8 bytes of its own, then time and size of its source.
    """
    for compiled in ours.glob("**/__pycache__/*.pyc"):
        place = theirs / compiled.relative_to(ours)
        source, content = place.parents[1] / f"{place.name.partition('.')[0]}.py", compiled.read_bytes()
        if source.exists() and source.stat().st_size == int.from_bytes(content[12:16], "little"):
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content[:8] + int(source.stat().st_mtime).to_bytes(4, "little") + content[12:])


def run(*words: object, folder: Path) -> str:
    """What a command prints in a folder outside the clone, with no variable that leads Python to this environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package_and_no_other(sources, wheel):
    files = {str(path.relative_to(sources)) for path in (sources / "sim2seq").rglob("*") if path.is_file()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert len(files) > 60
    assert packed == files


def test_the_installed_wheel_answers_without_a_clone(installed, tmp_path):
    where = run(installed, "-c", "import sim2seq; print(sim2seq.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(installed.with_name("sim2seq"), "--version", folder=tmp_path) == f"sim2seq {version}\n"


def test_a_new_study_runs_from_the_wheel_alone(installed, tmp_path, monkeypatch):
    """In a folder of its own, from parameters to a report, and its notebook as a script on what it left.

    Of one kind; the others are in tests/services/test_new_study.py.
    """
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    sim2seq = installed.with_name("sim2seq")
    run(sim2seq, "new", "mine", "--task", "target-per-step", "--notebook", folder=tmp_path)
    folder, words = tmp_path / "mine", ["--vars", "TRAINING=size:debug window:5"]
    run(sim2seq, "run", "suite.yaml", "--pgen", "pgen_ensembles.py", "--runs", "8", *words, folder=folder)
    (page,) = folder.glob("studies_output/mine_*/learn/report.html")
    assert "All 8 expected runs are in the store" in page.read_text()
    run(installed.with_name("jupyter"), "nbconvert", "--to", "script", "mine.ipynb", folder=folder)
    run(installed, "mine.py", page.parents[1], "size=debug", "window=5", folder=folder)
    assert (folder / "report.html").stat().st_size > 100_000
