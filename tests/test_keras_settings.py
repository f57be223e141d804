"""Which backend Keras would take is known, and refused in one line where it is not there, before Keras is imported."""

import json
import subprocess
import sys

import pytest

from sim2seq import cli
from sim2seq._support import keras_settings


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return tmp_path


def test_the_variable_beats_the_file_and_the_file_the_default(home, monkeypatch):
    assert keras_settings.backend() == ("tensorflow", "Keras' default")
    (home / "keras.json").write_text('{"backend": "torch"}')
    assert keras_settings.backend() == ("torch", str(home / "keras.json"))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_settings.backend() == ("jax", "KERAS_BACKEND")


@pytest.mark.parametrize("command", [["train", "no.sqlite"], ["card", "no"], ["grid", "-", "no", "window=3 4"]])
def test_a_backend_that_is_not_there_is_refused_in_one_line(home, capsys, monkeypatch, command):
    monkeypatch.setattr(keras_settings, "find_spec", lambda name: None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert cli.main(command) == 2
    words = "Keras' backend is jax (KERAS_BACKEND), which is not installed: install it, or set KERAS_BACKEND=tensorflow"
    assert capsys.readouterr().err == f"sim2seq {command[0]}: {words}\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"backend": "torch"}', "Keras' backend is 'torch' ({path}): expected tensorflow or jax"),
        ('{"backend": 5}', "Keras' backend is '5' ({path})"),
        ('{"floatx": "bfloat16"}', "{path}: floatx: expected one of float16, float32, float64, got 'bfloat16'"),
        ('{"epsilon": 1}', "{path}: epsilon: expected a number such as 1e-07, got 1"),
        ("[]", "{path}: expected names with values, got list"),
    ],
)
def test_settings_that_trip_keras_are_refused_with_their_file(home, content, words):
    (home / "keras.json").write_text(content)
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refusal:
        keras_settings.check()
    assert words.format(path=home / "keras.json") in str(refusal.value)


@pytest.mark.parametrize("content", ["", "no json", "{}"])
def test_settings_that_keras_passes_by_are_passed_by(home, content):
    (home / "keras.json").write_text(content)
    keras_settings.check()


def test_the_doctor_says_what_backend_is_not_there(home, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert cli.main(["doctor"]) == 2
    captured = capsys.readouterr()
    assert "sim2seq doctor: Keras' backend is 'torch' (KERAS_BACKEND): expected tensorflow or jax" in captured.err
    assert "a study can run here" not in captured.out


def test_precision_is_not_the_users_to_set(home):
    (home / "keras.json").write_text(json.dumps({"floatx": "float16", "epsilon": 0.1, "backend": "tensorflow"}))
    code = "import sim2seq, keras; sim2seq.Settings; print(keras.config.floatx(), keras.config.epsilon())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "float32 1e-07\n"


def test_a_name_that_a_terminal_has_no_letters_for_ends_nothing(home):
    code = "import sys; from sim2seq import cli; sys.exit(cli.main(['create', 'no\\u00fc/x.sqlite']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert b"no\\xfc" in done.stderr
