"""Keras' own settings: which backend it would take, and from where; said before Keras is imported, which takes seconds.

Keras reads the variable KERAS_BACKEND, and keras.json in the folder KERAS_HOME or ~/.keras. Precision and epsilon are
not the user's to set there: models/builders.py fixes them, or one saved model would give other numbers elsewhere.
"""

import json
import os
from importlib.util import find_spec

BACKENDS = ("tensorflow", "jax")
VARIABLE = "KERAS_BACKEND"
SAID = "Keras' backend"  # in the versions.json of a training: what it was trained with
WORDS = {"floatx": ("float16", "float32", "float64"), "image_data_format": ("channels_first", "channels_last")}


def path() -> str:
    """The file with the user's settings of Keras, which need not be there."""
    home = os.path.expanduser("~")
    folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # as Keras has it
    return os.path.join(os.environ.get("KERAS_HOME", folder), "keras.json")


def settings() -> dict:
    """The content of that file; nothing where it is not there, or no JSON, as Keras has it.

    Raises ValueError for JSON that Keras would stumble over.
    """
    try:
        with open(path(), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path()}: expected names with values, got {type(content).__name__}: correct or remove it")
    for name, right in WORDS.items():
        if content.get(name, right[0]) not in right:
            raise ValueError(f"{path()}: {name}: expected one of {', '.join(right)}, got {content[name]!r:.60}")
    if not isinstance(content.get("epsilon", 1e-7), float):
        raise ValueError(f"{path()}: epsilon: expected a number such as 1e-07, got {content['epsilon']!r:.60}")
    return content


def backend() -> tuple[str, str]:
    """The backend that Keras would take, and who says so."""
    held = settings()
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE], VARIABLE
    return (str(held["backend"]), path()) if "backend" in held else ("tensorflow", "Keras' default")


def problems() -> list[str]:
    """What `check` refuses, as lines: none, or one."""
    try:
        check()
    except ValueError as error:
        return [str(error)]
    return []


def check() -> None:
    """Raise ValueError, in one line, unless Keras can start here, on a backend that sim2seq runs on."""
    name, source = backend()
    way_out = f"set {VARIABLE}={BACKENDS[0]}"
    if name not in BACKENDS:
        raise ValueError(f"Keras' backend is {name!r:.60} ({source}): expected {' or '.join(BACKENDS)}: {way_out}")
    if find_spec(name) is None:
        raise ValueError(f"Keras' backend is {name} ({source}), which is not installed: install it, or {way_out}")
