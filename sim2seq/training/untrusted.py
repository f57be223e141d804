"""Untrusted: a training's folder that somebody sent is checked before it is used, and refused in one line.

Nothing in it is code: numbers and names as JSON, models as Keras files in safe mode. Keras refuses Lambda layers and
objects that are not its own; here the same is checked before Keras sees the file, together with what would make the
reader fail later or fill the memory.
"""

from __future__ import annotations

import json
import math
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sim2seq._support.command import plain
from sim2seq._support.files import read_json
from sim2seq.evaluation.conformal import Band
from sim2seq.evaluation.scores import Scores

LONGEST_REASON = 300  # characters
LONGEST_NAME = 255
UNPACKED = 20  # a Keras file is not compressed: one that grows by more than this is a trap
SMALL = 10_000_000  # bytes, unpacked, that are always allowed
FOREIGN = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__", "__typespec__")


@contextmanager
def one_line(what: str):
    """Turn whatever fails inside into a ValueError of one line that begins with `what`."""
    try:
        yield
    except Exception as error:  # a broken file can raise anything in Keras, TensorFlow, HDF5 and NumPy
        reason = plain(error, LONGEST_REASON) or type(error).__name__
        raise ValueError(f"{what} ({reason})") from error


@dataclass(frozen=True)
class Told:
    """Names of what a model is told beside its window: inputs of the run, and controls."""

    inputs: tuple[str, ...]
    controls: tuple[str, ...]


def read_training(folder: Path) -> tuple[Band | None, Told, Scores]:
    """Band, names of what is told, and scores of a training. Raises ValueError for what a forecast could not use.

    A training that answers with probabilities has no band.
    """
    content, settings = (read_object(folder / f"{name}.json") for name in ("scores", "settings"))
    check_scores(content)
    told = Told(names(settings.get("inputs", []), "inputs"), names(settings.get("controls", []), "controls"))
    known = {*content["inputs"], *content.get("controls", told.controls)}  # older versions keep none of controls
    if missing := [name for name in (*told.inputs, *told.controls) if name not in known]:
        raise ValueError(f"scores.json has no range of {', '.join(missing)}")
    if content.get("measure", "RMSE") != "RMSE":
        return None, told, Scores.of(content)
    if not (folder / "band.json").exists():
        raise ValueError("no band.json, this training was made by an older version; train again")
    return read_band(read_object(folder / "band.json"), len(content["features"])), told, Scores.of(content)


def read_object(path: Path) -> dict:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: expected names with values, got {type(content).__name__}")
    return content


def read_band(content: dict, features: int) -> Band:
    """The band, or ValueError."""
    band = Band.of(content)
    if not is_count(band.members) or not is_number(band.level) or not 0 < band.level < 1:
        raise ValueError("band.json: expected a number of members and a level from 0 to 1")
    if band.factor.ndim != 2 or not len(band.factor) or not band.factor.shape == band.floor.shape:
        raise ValueError(f"band.json: expected factor and floor to be (steps, features), got {band.factor.shape}")
    if band.factor.shape[1] != features:
        raise ValueError(f"band.json: expected {features} features, got {band.factor.shape[1]}")
    return band


def check_scores(scores: dict) -> None:
    """Raise ValueError unless the part of scores.json that a forecast needs is of the right kind."""
    features = names(scores["features"], "features")
    if not features:
        raise ValueError("features: expected one name or more")
    if scores["window"] != 0 and not is_count(scores["window"]):
        raise ValueError("window: expected a number of steps")
    if not is_number(scores["time_step"]):
        raise ValueError("time_step: expected a number")
    units = [*texts(scores["units"], "units"), *texts([scores["time_unit"]], "time_unit")]
    if len(units) != len(features) + 1:
        raise ValueError(f"units: expected {len(features)}, one a feature")
    check_ranges(scores["inputs"], "inputs")
    if (first := scores.get("first_window")) is not None and scores["window"] != 0:
        check_ranges(first, "first_window")
        if not first or (scores.get("task", "forecast") == "forecast" and tuple(first) != features):
            raise ValueError("first_window: expected a range for each feature that is seen, in their order")
    check_ranges(scores.get("controls", {}), "controls")
    if not isinstance(of_told := scores.get("told_units", {}), dict):
        raise ValueError("told_units: expected names with units")
    texts([*of_told, *of_told.values()], "told_units")
    positions = scores.get("positions", [])
    if not isinstance(positions, list) or not all(map(is_number, positions)):
        raise ValueError("positions: expected a list of numbers")
    if (share := scores.get("share", "")) and share not in scores["first_window"]:
        raise ValueError("share: expected the name of a feature that is seen")
    if scores.get("combined") is not None:
        check_combined(scores["combined"])


def check_combined(combined) -> None:
    """Raise ValueError unless a combination has weights of named candidates, a number for each stretch."""
    weights, steps = combined["weights"], combined["steps"]
    if not isinstance(weights, dict) or not weights or not isinstance(steps, list) or not all(map(is_number, steps)):
        raise ValueError("combined: expected the steps and weights of candidates")
    names(list(weights), "combined")
    for column in weights.values():
        if not isinstance(column, list) or len(column) != len(steps) or not all(map(is_number, column)):
            raise ValueError("combined: expected a weight for each stretch of the horizon")


def check_ranges(ranges, what: str) -> None:
    if not isinstance(ranges, dict):
        raise ValueError(f"{what}: expected names with values, got {type(ranges).__name__}")
    names(list(ranges), what)
    for pair in ranges.values():
        if not isinstance(pair, list) or len(pair) != 2 or not all(map(is_number, pair)):
            raise ValueError(f"{what}: expected a lowest and a highest number for each name")


def names(values, what: str) -> tuple[str, ...]:
    """Different names, none of them empty; or ValueError."""
    found = texts(values, what)
    if "" in found or len(set(found)) < len(found):
        raise ValueError(f"{what}: expected different names")
    return found


def texts(values, what: str) -> tuple[str, ...]:
    """Texts of one line each; or ValueError."""
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ValueError(f"{what}: expected a list of texts")
    if not all(each.isprintable() and len(each) <= LONGEST_NAME for each in values):
        raise ValueError(f"{what}: expected printable texts of up to {LONGEST_NAME} characters")
    return tuple(values)


def is_count(value) -> bool:
    return type(value) is int and value > 0


def is_number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def check_archives(paths: list[Path]) -> None:
    """Raise ValueError unless every Keras file is a small enough archive that names nothing but parts of Keras."""
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path.name}: expected a file")
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max(SMALL, UNPACKED * path.stat().st_size):
                raise ValueError(f"{path.name}: {unpacked} bytes in a file of {path.stat().st_size}")
            config = json.loads(archive.read("config.json"))
        for module, name, registered in objects(config):
            if not is_known(module, name, registered):
                raise ValueError(f"{path.name} asks for {plain(f'{module}.{name}', 80)}, which could run code: refused")


def objects(config):
    """(module, class, registered name) of everything that a Keras config would make."""
    pending = [config]
    while pending:
        each = pending.pop()
        if isinstance(each, dict) and "class_name" in each:
            name = each["config"] if each["class_name"] == "function" else each["class_name"]
            yield each.get("module"), name, each.get("registered_name")
        if isinstance(each, (dict, list)):
            pending += each.values() if isinstance(each, dict) else each


def is_known(module, name, registered) -> bool:
    """Whether this is a part of Keras without foreign code in it, or was registered by this program."""
    from keras.saving import get_registered_object

    if isinstance(registered, str) and get_registered_object(registered) is not None:
        return True
    own = module in (None, "builtins", "keras") or (isinstance(module, str) and module.startswith("keras."))
    return own and isinstance(name, str) and name not in FOREIGN


def check_model(model, window: int, shape: tuple[int, int], told: Told) -> None:
    """Raise ValueError unless a model maps windows to answers of these sizes, shape (inputs, outputs)."""
    inputs = [tuple(each.shape) for each in model.inputs]
    steps = inputs[0][1] if len(inputs[0]) == 3 else 0
    expected: list[tuple] = [(None, steps, shape[0])]
    expected += [(None, steps, len(told.controls))] if told.controls else []
    expected += [(None, len(told.inputs))] if told.inputs else []
    answers = [tuple(each.shape) for each in model.outputs]
    if inputs != expected or steps not in (None, window) or answers != [(None, shape[1])]:
        raise ValueError(
            f"expected models from {window} steps of {shape[0]} features and {len(told.inputs)} inputs to "
            f"{shape[1]} numbers; got one from {inputs} to {answers}"
        )
