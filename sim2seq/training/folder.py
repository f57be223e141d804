"""The folder that a training leaves: model, scaling, settings, split and scores travel together.

    model.keras       the best model so far: loads alone, takes and returns physical units
    model_2.keras     ... and so on: further members, as many as settings.members says; history_2.csv likewise
    settings.json     every setting, resolved           split.json     run ids and steps of each part; the data's digest
    history.csv       losses by epoch                   logs/          the same for TensorBoard
    scores.json       errors and skill, written last    versions.json  every installed package
    band.json         how wide the conformal band is, where numbers are predicted, not probabilities
    figures/          PNG
    predictions.npz   what was predicted of the runs that were scored, for whoever draws or checks it
    checkpoint/       while training: what a resumed training needs

A folder without scores.json is an unfinished training: fit.fit with the same settings and data goes on at the last
whole epoch. A folder with scores.json is finished. Folders of version 0.1 are read too; they have no predictions.npz.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sim2seq._support import keras_settings
from sim2seq._support.brief import brief
from sim2seq._support.files import NOTE, read_json, remove, write_json
from sim2seq.data import streaming
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import PARTS, Part, Split
from sim2seq.evaluation.conformal import Band
from sim2seq.evaluation.scores import Scores
from sim2seq.models.candidates.combination import Combination
from sim2seq.training.candidates import FILE, read_combination
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST, Study
from sim2seq.training.untrusted import one_line

CONTENT: tuple[str, ...] = ("scores.json", "model*.keras", "history*.csv", "band.json", "predictions.npz")
CONTENT += ("versions.json", "figures", "logs", "checkpoint", "candidates", "combination.json", NOTE)
CONTENT += ("judged.json", "seconds.json", "world.json", "pictures.npz")  # of sweep.train_one, and of judges of studies
MADE_LATER = {
    "model": "residual_lstm",
    "budget": "3m",
    "controls": [],
    "loss": "squared",
    "optimizer": "adam",
    "schedule": "cosine",
    "split_seed": -1,
    "augment": True,
}  # not in 0.1
SHOWN = 3  # names in a message


Models = tuple[keras.Model, ...] | Combination


@dataclass(frozen=True)
class Prediction:
    """What the members predicted of the scored runs of a part, in physical units.

    run_ids (runs,); middle, low, high and truth (runs, positions, outputs): nan beyond the end of a run, and the band
    also at positions that it is not calibrated for.
    """

    run_ids: tuple[str, ...]
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    truth: np.ndarray

    def __repr__(self) -> str:
        return brief(self, run_ids=self.run_ids, shape=self.middle.shape)


@dataclass(frozen=True)
class Training:
    """A finished training, as its folder holds it. `history`, of the first member, is name -> one number an epoch."""

    folder: Path
    models: Models
    band: Band | None
    settings: Settings
    split: Split
    history: dict[str, list[float]]
    scores: Scores
    versions: dict[str, str]
    study: Study = FORECAST

    def __repr__(self) -> str:
        return brief(self, folder=str(self.folder), model=self.settings.model, scores=self.scores)

    @property
    def model(self) -> keras.Model:
        """The first member, or the only one. Raises ValueError for a combination, which is not one model."""
        if isinstance(self.models, Combination):
            raise ValueError(f"{self.folder}: a combination of {', '.join(self.models.candidates)} is not one model")
        return self.models[0]

    @property
    def parameters(self) -> int:
        """Numbers that were learned, of a member or of all candidates that have a weight."""
        return self.models.parameters if isinstance(self.models, Combination) else self.models[0].count_params()

    @cached_property
    def predictions(self) -> dict[str, Prediction]:
        """Part -> what was predicted of its scored runs. Raises FileNotFoundError for a folder of version 0.1."""
        return read_predictions(self.folder / "predictions.npz")


def load(folder, study: Study = FORECAST, *, models: Models | None = None) -> Training:
    """Read a finished training; `models` are those of the folder, where they have been read already.

    Raises FileNotFoundError when the folder holds none, ValueError for a broken one.
    """
    folder = Path(folder)
    if not (folder / "scores.json").exists():
        raise FileNotFoundError(f"{folder}: no finished training here (scores.json is missing)")
    with one_line(f"{folder}: expected a finished training"):
        parts = read_json(folder / "split.json")
        split = (Part(tuple(parts[name]["runs"]), parts[name]["start"], parts[name]["stop"]) for name in PARTS)
        scores = Scores.of(read_json(folder / "scores.json"))
        if scores.task != study.task.kind:
            raise ValueError(
                f"it answers with a {scores.task}: load it with its study, this one has a {study.task.kind}"
            )
        return Training(
            folder=folder,
            band=Band.of(read_json(folder / "band.json")) if scores.measure == "RMSE" else None,
            settings=study.settings.of(read_json(folder / "settings.json")),
            split=Split(*split),
            history=read_history(folder / "history.csv"),
            scores=scores,
            versions=read_json(folder / "versions.json"),
            models=load_models(folder) if models is None else models,
            study=study,
        )


def claim(folder: Path, ensemble: Ensemble, settings: Settings, split: Split, replace: bool) -> None:
    """Write settings and split into the folder; what it holds must be the same, or is removed with `replace`."""
    files = {
        "settings.json": asdict(settings),
        "split.json": {
            "data": digest(ensemble, settings.inputs),
            **{name: asdict(getattr(split, name)) for name in PARTS},
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    if not any((folder / file).exists() for file in files) and (theirs := contents(folder)):
        names = ", ".join(sorted(path.name for path in theirs)[:SHOWN])
        raise ValueError(f"{folder}: expected a folder of a training, or one without {names}; choose another folder")
    different = [name for file, content in files.items() for name in differences(folder / file, content)]
    if different and not replace:
        raise AnotherTraining(
            f"{folder} holds a training with other settings or data ({', '.join(different)} differ); "
            "choose another folder, or replace it"
        )
    if different:
        for path in contents(folder):
            remove(path)
    for file, content in files.items():
        write_json(folder / file, content)


def contents(folder: Path) -> list[Path]:
    """What a training has written there, but for settings and split; or others, under the same names."""
    return [path for pattern in CONTENT for path in folder.glob(pattern)]


class AnotherTraining(ValueError):
    """The folder holds a training with other settings or data."""


def differences(path: Path, content: dict) -> list[str]:
    """The names whose values in a JSON file differ from `content`; none when there is no such file."""
    if not path.exists():
        return []
    held, content = read_json(path), json.loads(json.dumps(content))
    if not isinstance(held, dict):
        raise ValueError(f"{path}: expected names with values, got {type(held).__name__}")
    if path.name == "settings.json":
        held = MADE_LATER | held
    return sorted(name for name in {*held, *content} if held.get(name) != content.get(name))


def digest(ensemble: Ensemble, inputs) -> str:
    """A fingerprint of run ids, features, values, times, these inputs, and units: equal for equal data only."""
    names: list = [ensemble.run_ids, ensemble.features, ensemble.units_of(ensemble.features), ensemble.values.shape]
    told = [ensemble.step_unit, *ensemble.units_of(inputs)]
    if set(told) - {"s", ""}:  # what 0.1 and its stores know has the fingerprint that it had
        names.append(told)
    fingerprint = hashlib.sha256(json.dumps(names).encode())
    columns = [ensemble.inputs[name] for name in inputs] + list(ensemble.results.values())
    if not ensemble.uniform:
        columns.append(ensemble.lengths)
    for numbers in (ensemble.values, ensemble.times, *columns):
        for chunk in streaming.chunks(numbers):
            dtype = None if chunk.dtype == np.uint8 else "float64"
            fingerprint.update(np.ascontiguousarray(chunk, dtype=dtype).data)
    return fingerprint.hexdigest()


def member_paths(folder: Path, member: int) -> dict[str, Path]:
    """Where a member's files are: those of the first one have plain names, the second one's end in _2, and so on."""
    end = f"_{member + 1}" if member else ""
    names = {"model": f"model{end}.keras", "history": f"history{end}.csv"}
    names |= {"logs": f"logs/member_{member + 1}", "checkpoint": f"checkpoint/member_{member + 1}"}
    return {what: folder / name for what, name in names.items()}


def load_models(folder: Path) -> Models:
    """The members of a training, in their order, or its combination; nothing in the files is run."""
    if (folder / FILE).exists():
        return read_combination(folder)
    paths = [member_paths(folder, member)["model"] for member in range(1 + len(list(folder.glob("model_*.keras"))))]
    return tuple(keras.saving.load_model(path, safe_mode=True) for path in paths)


def write_predictions(path: Path, predictions: dict[str, Prediction]) -> None:
    """Keep predictions whole or not at all: one array of numbers or words for each of their fields."""
    arrays: dict[str, Any] = {
        f"{part}.{name}": np.asarray(value) for part, one in predictions.items() for name, value in vars(one).items()
    }
    temporary = path.with_name(f"unfinished_{path.name}")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    temporary.replace(path)


def read_predictions(path: Path) -> dict[str, Prediction]:
    """What `write_predictions` wrote: part -> Prediction. Raises ValueError, in one line, for a broken file."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no predictions, this training was made by an older version; train again")
    with one_line(f"{path}: expected predictions"), np.load(path, allow_pickle=False) as arrays:
        names = ("middle", "low", "high", "truth")
        parts = dict.fromkeys(name.partition(".")[0] for name in arrays.files)
        return {
            part: Prediction(tuple(arrays[f"{part}.run_ids"].tolist()), *(arrays[f"{part}.{name}"] for name in names))
            for part in parts
        }


def read_history(path: Path) -> dict[str, list[float]]:
    """The losses of history.csv: name -> one number an epoch."""
    if not path.exists():  # of a combination without a network that was trained by epochs
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "epoch"}


@cache  # half a second
def versions() -> dict[str, str]:
    """Python, Keras' backend and every installed package, by name."""
    packages = {package.metadata["Name"]: package.version for package in distributions()}
    here = {"python": sys.version.split()[0], keras_settings.SAID: keras.backend.backend()}
    return {**here, **dict(sorted(packages.items(), key=lambda item: item[0].lower()))}
