"""The environment: the lock agrees with the ranges, what is installed with the lock, and setup.sh says what it does."""

import platform
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11.9", "3.12.9", "3.13.9")
LINUX = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
GPU_BUILDS = {"tensorflow-cpu": "tensorflow"}  # where there is a GPU, setup.sh puts one in the place of the other
LOCKED_PLATFORM = (platform.system(), platform.machine()) == ("Linux", "x86_64")


def requirements(path: Path) -> list[Requirement]:
    lines = (line.split(" #")[0].strip() for line in path.read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def ranges() -> list[Requirement]:
    """Of requirements.txt and of every extra in pyproject.toml, without the extras that name other extras."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    listed = [Requirement(words) for extra in extras.values() for words in extra]
    return requirements(ROOT / "requirements.txt") + [each for each in listed if each.name != "sim2seq"]


def locked(environment: dict) -> dict[str, list[str]]:
    """The versions that the lock has for an environment, by canonical name."""
    versions = {}
    for requirement in requirements(ROOT / "requirements.lock"):
        if requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            versions.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    return versions


def needed(name: str, extras: frozenset[str], found: dict) -> dict[str, str]:
    """The installed version of a package and of all that it asks for here: canonical name -> version."""
    if (name, extras) not in found:
        installed = name if any(metadata.distributions(name=name)) else GPU_BUILDS.get(name, name)
        found[name, extras] = metadata.version(installed)
        for requirement in map(Requirement, metadata.requires(installed) or ()):
            chosen = [{"extra": extra} for extra in extras | {""}]
            if requirement.marker is None or any(map(requirement.marker.evaluate, chosen)):
                more = frozenset(map(canonicalize_name, requirement.extras))
                needed(canonicalize_name(requirement.name), more, found)
    return {name: version for (name, _), version in found.items()}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_one_version_for_each_range(python):
    environment = LINUX | {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    versions = locked(environment)
    assert [name for name, found in versions.items() if len(found) > 1] == []
    wanted = [each for each in ranges() if each.marker is None or each.marker.evaluate(environment)]
    assert len(wanted) > 30
    pins = [(each, *versions.get(canonicalize_name(each.name), ["0"])) for each in wanted]
    assert [f"{each}: {pin}" for each, pin in pins if pin not in each.specifier] == []


def test_the_lock_names_no_host_and_no_path():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "/" in line or line.startswith("-")] == []


@pytest.mark.skipif(not LOCKED_PLATFORM, reason="the lock is for Linux x86-64")
def test_what_is_installed_is_what_the_lock_says():
    versions = locked({})
    here = needed("sim2seq", frozenset({"test"}), {})
    del here["sim2seq"]
    assert len(here) > 150
    assert {name: version for name, version in here.items() if [version] != versions.get(name)} == {}


def test_the_version_is_the_same_everywhere():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert stated == metadata.version("sim2seq") == yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]


# --- setup.sh and the Makefile ---


PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv")
        echo venv >> calls; sleep 1; mkdir -p .venv/bin .venv/lib/python3.12/site-packages
        cp "$0" .venv/bin/python; echo "command = python -m venv $PWD/.venv" > .venv/pyvenv.cfg
        printf '#!/bin/sh\necho "uv $*" >> calls\n' > .venv/bin/uv; chmod +x .venv/bin/uv ;;
    *"print("*) echo 3.12 ;;
esac
"""


@pytest.fixture
def clone(tmp_path):
    """A folder with what setup.sh reads, and a Python that installs nothing but writes down what it is asked to."""
    for name in ("setup.sh", "requirements.txt", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def start(folder: Path, *extras: str) -> subprocess.Popen:
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(folder / "python")}
    command = ["bash", folder / "setup.sh", *extras]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def built(folder: Path, *extras: str) -> tuple[list[str], list[str]]:
    """What setup.sh says, and what it has installed by then, call by call."""
    said, errors = (process := start(folder, *extras)).communicate()
    assert (process.returncode, errors) == (0, "")
    calls = (folder / "calls").read_text().splitlines()
    return said.splitlines(), [line.rpartition(" ")[2] for line in calls]


def test_setup_installs_what_is_missing_and_keeps_extras(clone):
    assert built(clone)[1] == ["venv", "."]
    assert built(clone) == ([], ["venv", "."])
    assert built(clone, "pong")[1] == ["venv", ".", ".[pong]"]
    assert built(clone) == ([], ["venv", ".", ".[pong]"])
    assert built(clone, "dodging_robot")[1][3:] == [".[dodging-robot,pong]"]
    with open(clone / "requirements.txt", "a") as file:
        file.write("# another range\n")
    assert built(clone)[1][4:] == [".[dodging-robot,pong]"]


def test_an_active_environment_of_others_is_left_alone(clone):
    """uv would install into it: the environment of VIRTUAL_ENV goes before that of the folder."""
    built(clone)
    calls = [line.split() for line in (clone / "calls").read_text().splitlines() if line.startswith("uv ")]
    assert [call[call.index("--python") + 1] for call in calls] == [".venv/bin/python"] * len(calls)


def test_a_kernel_is_registered_by_every_call_that_asks_for_one(clone):
    (clone / "python").write_text(PYTHON + '[ "$2" != ipykernel ] || echo "$* kernel" >> calls\n')
    assert built(clone, "--kernel")[1] == ["venv", ".", "kernel"]
    assert built(clone)[1] == ["venv", ".", "kernel"]
    assert built(clone, "--kernel", "pong")[1] == ["venv", ".", "kernel", ".[pong]", "kernel"]
    assert built(clone, "--kernel") == ([], ["venv", ".", "kernel", ".[pong]", "kernel", "kernel"])


def test_setup_says_what_it_waits_for_and_since_when(clone):
    said, _ = built(clone)
    assert [re.fullmatch(r"setup\.sh: +\d+ s  (\w+).*", line).group(1) for line in said] == [
        *("Python", "making", "downloading", "compiling", "done")
    ]


def test_a_moved_environment_is_made_anew(clone, tmp_path):
    built(clone)
    moved = clone.rename(tmp_path.with_name("moved"))
    assert built(moved)[1] == ["venv", ".", "venv", "."]


def test_of_two_setups_at_once_one_builds_and_one_waits(clone):
    said = [process.communicate()[0].splitlines() for process in [start(clone), start(clone)]]
    waited, worked = sorted(said, key=len)
    assert len(waited) == 1
    assert "another setup.sh is at work in this folder" in waited[0]
    assert "done" in worked[-1]
    assert (clone / "calls").read_text().splitlines().count("venv") == 1


def refusal(folder: Path, *extras: str) -> str:
    said, error = (process := start(folder, *extras)).communicate()
    assert (process.returncode, said, error.count("\n")) == (2, "", 1)
    assert not (folder / ".venv").exists()
    return error


def test_an_extra_that_is_not_there_is_refused_in_one_line(clone):
    assert "swing: expected --kernel, or extras of pyproject.toml: dodging_robot " in refusal(clone, "test", "swing")


def test_a_python_that_does_not_fit_is_refused_in_one_line(clone):
    (clone / "python").write_text("#!/bin/sh\nif [ $1 = --version ]; then echo Python 3.9; else exit 1; fi\n")
    assert "expected Python 3.11, 3.12 or 3.13, found Python 3.9" in refusal(clone)


def test_only_a_run_of_a_study_asks_for_its_packages():
    def said(*words):
        done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return [line.strip() for line in done.stdout.splitlines() if "setup.sh" in line]

    assert said("run") == ["./setup.sh"]
    assert said("run", "STUDY=dodging_robot") == ["./setup.sh dodging_robot"]
    assert said("test") == said("test-services") == ["./setup.sh test"]
