"""A model, its folder or a window from a stranger runs nothing: it is used, or refused in one line, exit code 2."""

import json
import os
import pickle
import shutil
import zipfile

import keras
import numpy as np
import pytest
from helpers import Trap, counting_model
from surrogates import SCORES, WINDOW, save

from sim2seq import cli
from sim2seq.training import untrusted
from sim2seq.training.fit import fit
from sim2seq.training.folder import load, load_models


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("window.npy", WINDOW)
    return tmp_path


def refused(capsys, place, *arguments) -> str:
    """The one line, short and printable, of a `sim2seq predict` that ends with exit code 2 and writes nothing."""
    before = {path.name for path in place.iterdir()}
    assert cli.main(["predict", *map(str, arguments), "--output", "out.csv"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert {path.name for path in place.iterdir()} == before
    line = captured.err.removesuffix("\n")
    assert line.isprintable(), line
    assert len(line) < 700, line
    return line


def with_layer(path, **layer):
    """Put one more layer into a Keras file, behind Keras' back."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(contents["config.json"])
    config["config"]["layers"].append({"registered_name": None, "name": "evil", "inbound_nodes": [], **layer})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (contents | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)


def hostile_layers(trap):
    """Layers that would run something or read a file: what was tried on Keras before (CVE-2025-1550, 8747, 9906)."""
    words = ["mkdir", str(trap)]
    return [
        {"module": "os", "class_name": "mkdir", "config": {"path": words[1]}},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": words}, "registered_name": "Popen"},
        {"module": "builtins", "class_name": "exec", "config": {"source": "import os"}},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": "keras.utils", "class_name": "get_file", "config": {"fname": "x", "origin": "file:///etc/passwd"}},
        {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": words[1]}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}},
        {"module": "keras.src.utils.file_utils", "class_name": "copy", "config": {"src": "x", "dst": words[1]}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"class_name": "__lambda__", "config": {"value": "x"}},
    ]


@pytest.mark.parametrize("number", range(11))
def test_foreign_code_in_a_model_is_refused_by_us_and_by_keras(place, capsys, trap, number):
    folder = save(place / "training", [counting_model()], SCORES)
    with_layer(folder / "model.keras", **hostile_layers(trap)[number])
    assert "cannot read the models" in refused(capsys, place, folder, "--initial", "window.npy")
    with pytest.raises(Exception, match=r"."):  # and had we not asked: safe mode
        keras.saving.load_model(folder / "model.keras")
    assert keras.src.saving.serialization_lib.in_safe_mode() is not False


def test_a_model_with_a_lambda_layer_is_refused(place, capsys):
    """Its function is stored as Python bytecode, and does what it likes once it is allowed to."""
    folder, window = save(place / "training", [counting_model()], SCORES), keras.Input((5, 2))
    evil = keras.layers.Lambda(lambda x: __import__("os").makedirs("ran", exist_ok=True) or x[:, -1], output_shape=(2,))
    keras.Model(window, evil(window)).save(folder / "model.keras")
    assert "keras.layers.Lambda" in refused(capsys, place, folder, "--initial", "window.npy")
    with pytest.raises(Exception, match="Lambda"):
        load_models(folder)
    assert not os.path.exists("ran")
    keras.saving.load_model(folder / "model.keras", safe_mode=False)(WINDOW[None])
    assert os.path.exists("ran")


def test_a_model_of_other_sizes_is_refused_before_it_runs(place, capsys):
    windows = keras.Input((5, 2)), keras.Input((3, 2)), keras.Input((5,))
    for model in (keras.Model(window, keras.layers.Flatten()(window)) for window in windows):
        folder = save(place / "training", [model], SCORES)
        assert "features and 0 inputs to 2 numbers" in refused(capsys, place, folder, "--initial", "window.npy")


def test_a_model_file_that_would_fill_the_memory_is_refused(place, capsys):
    folder = save(place / "training", [counting_model()], SCORES)
    with zipfile.ZipFile(folder / "model.keras", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more", bytes(2 * untrusted.SMALL))
    assert "bytes in a file of" in refused(capsys, place, folder, "--initial", "window.npy")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\3\4" + bytes(100), b"\x89HDF\r\n\x1a\n", "folder"])
def test_a_model_file_that_is_none_is_refused(place, capsys, content):
    folder = save(place / "training", [counting_model()], SCORES)
    (folder / "model.keras").unlink()
    if content == "folder":  # Keras would read one
        (folder / "model.keras").mkdir()
        (folder / "model.keras" / "config.json").write_text("{}")
    else:
        (folder / "model.keras").write_bytes(content)
    assert "cannot read the models" in refused(capsys, place, folder, "--initial", "window.npy")


# the JSON of a training


def changed(**values):
    return json.dumps(SCORES | values)


HOSTILE_JSON = [
    *[(name, text) for name in ("scores", "settings", "band") for text in ("[]", "1", "", "[" * 100_000, "\0", "NaN")],
    ("scores", changed(window="5")),
    ("scores", changed(window=10**400)),
    ("scores", changed(window=0)),
    ("scores", changed(window=True)),
    ("scores", changed(features=["x", "x"])),
    ("scores", changed(features="xy")),
    ("scores", changed(features=[["x"], "y"])),
    ("scores", changed(features=[])),
    ("scores", changed(features=["x\x1b[2J", "y"])),
    ("scores", changed(features=["x" * 10**6, "y"])),
    ("scores", changed(units=["m"])),
    ("scores", changed(units={"m": 1, "n": 2})),
    ("scores", changed(time_step="0.5")),
    ("scores", changed(time_step=float("nan"))),
    ("scores", changed(time_unit=None)),
    ("scores", changed(inputs=[])),
    ("scores", changed(inputs={"gravity": [1]})),
    ("scores", changed(first_window={"x": [0, "1"], "y": [0, 1]})),
    ("scores", changed(first_window={"x": [0, 1], "y": [0, 1], "z": [0, 1]})),
    ("scores", changed(controls={"u": [0]})),
    ("scores", changed(controls=["u"])),
    ("scores", changed(told_units=["V"])),
    ("scores", changed(told_units={"u": 1})),
    ("scores", changed(told_units={"u": "V\x1b[2J"})),
    ("settings", '{"controls": ["u"]}'),
    ("settings", '{"inputs": "gravity"}'),
    ("settings", '{"inputs": [["gravity"]]}'),
    ("settings", '{"inputs": ["../gravity"]}'),
    *[
        ("band", json.dumps({"level": 0.9, "members": 1, "factor": [[2, 2]], "floor": [[1, 1]]} | change))
        for change in (
            {"factor": [[2]]},
            {"factor": [2, 2]},
            {"factor": []},
            {"factor": "2"},
            {"factor": [[2, 2], [2]]},
            {"factor": {"a": 1}},
            {"members": "1"},
            {"members": -1},
            {"level": 2},
            {"level": "0.9"},
        )
    ],
]


@pytest.mark.parametrize(("name", "content"), HOSTILE_JSON, ids=[str(n) for n in range(len(HOSTILE_JSON))])
def test_hostile_json_of_a_training_is_refused_before_any_model(place, capsys, name, content):
    folder = save(place / "training", [], SCORES)
    (folder / "model.keras").touch()
    (folder / f"{name}.json").write_text(content)
    assert "expected scores, settings and band" in refused(capsys, place, folder, "--initial", "window.npy")


# what a forecast goes on from


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    return save(tmp_path_factory.mktemp("counting") / "training", [counting_model()], SCORES)


def hostile_initials(trap):
    """(name, what it holds)"""
    wide = ",".join(f"c{number}" for number in range(100_000))
    return [
        ("a.npy", pickle.dumps(Trap(trap))),
        ("b.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 5, 2), }\n"),
        ("c.npy", b"\x93NUMPY\x01\x00v\x00{'descr': __import__('os').abort(), 'fortran_order': 0, 'shape': (5, 2)}"),
        ("a.csv", f"{wide}\n".encode()),
        ("b.csv", b'"x\x1b[2J\n\n","y\x07"\n1,2\n'),
        ("c.csv", b"x,y\n" + b"9" * 10**6 + b",\0\n"),
        ("d.csv", b"\xff\xfe" * 1000),
        ("a.dsv", b"id%x%y\n../../x%[1]%[2]\n"),
        ("b.dsv", b"id%" + b"x" * 10**6 + b"%y\nr%[1]%[NaN]\n"),
        ("c.dsv", b"id%x%y\nr%" + b"[" * 10**6 + b"%[1]\n"),
        ("d.dsv", b"id%x%y\nr%[1]%[" + b"1" * 10**6 + b"]\n"),
        ("e.dsv", b"id%" + wide.replace(",", "%").encode() + b"\nr%[1]\n"),
        ("f.dsv", b"id%x%y\x1b[2J\nr%[1]%[2]\n"),
    ]


@pytest.mark.parametrize("number", range(13))
def test_hostile_windows_are_refused_in_one_line(counting, place, capsys, trap, number):
    name, content = hostile_initials(trap)[number]
    (place / name).write_bytes(content)
    assert name in refused(capsys, place, counting, "--initial", name)


def test_a_pickled_window_is_refused(counting, place, capsys, trap):
    np.save("evil.npy", np.array([[Trap(trap)]]), allow_pickle=True)
    assert "expected an array of numbers" in refused(capsys, place, counting, "--initial", "evil.npy")


@pytest.mark.parametrize("suffix", [".dsv", ".csv", ".npy"])
def test_a_pipe_is_no_file_and_is_not_waited_for(counting, place, capsys, suffix):
    os.mkfifo(f"pipe{suffix}")
    assert "expected a file" in refused(capsys, place, counting, "--initial", f"pipe{suffix}")


# a training that is read again


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("split", "[]"),
        ("split", "[" * 100_000),
        ("split", '{"train": {"runs": 1}}'),
        ("settings", '{"window": "5"}'),
        ("settings", '{"model": ["x"]}'),
        ("settings", '{"__class__": 1}'),
        ("scores", "\0"),
        ("band", "1"),
        ("versions", ""),
    ],
)
def test_a_damaged_training_is_refused_in_one_line(tiny_training, tmp_path, name, content):
    folder = shutil.copytree(tiny_training[0].folder, tmp_path / "training")
    (folder / f"{name}.json").write_text(content)
    with pytest.raises(ValueError, match="expected a finished training") as refusal:
        load(folder)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 700


@pytest.mark.parametrize("content", ["[]", "1", "[" * 100_000])
def test_a_training_is_not_continued_from_hostile_json(tiny_training, tmp_path, content):
    trained, ensemble = tiny_training
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(ValueError, match=r"settings.json: expected"):
        fit(ensemble, trained.settings, tmp_path)
