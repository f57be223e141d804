"""`sim2seq new`: a study of one's own, small, whole, and running at once."""

import subprocess
import sys

import pytest

from sim2seq import cli
from sim2seq.new import KINDS, new_study
from sim2seq.study import load_study

MOST_LINES = 150


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_study_is_small_and_loads(kind, tmp_path):
    files = new_study("mine", tmp_path / "mine", kind=kind)
    assert sum(len(path.read_text().splitlines()) for path in files) <= MOST_LINES
    study = load_study(tmp_path / "mine")
    assert (study.name, study.task.kind) == ("mine", kind.replace("-", " "))
    assert not any("{{" in path.read_text() for path in files)


def test_the_law_of_a_new_study_holds(tmp_path):
    new_study("mine", tmp_path / "mine")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path / "mine", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["My Study"], "expected a name of lower-case letters"),
        (["1st"], "expected a name of lower-case letters"),
        (["null"], "null: expected a name that YAML reads as a word"),
        (["on"], "on: expected a name that YAML reads as a word"),
        (["taken"], "it is there already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_writes_nothing(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    assert cli.main(["new", *words]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["taken"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_that", "needs the package nothing_like_that, which is not installed"),
        ("STUDY = 3", "expected STUDY = sim2seq.Study"),
        (None, "expected the file of a study"),
    ],
)
def test_a_file_without_a_study_is_refused_in_one_line(text, said, tmp_path):
    path = tmp_path / "study.py"
    if text is not None:
        path.write_text(text + "\n")
    with pytest.raises(ValueError, match=said):
        load_study(path)
