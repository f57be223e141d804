"""Candidates: what a combination may be made of, what they learn from, and how their folders are read.

candidates/NAME/    what a candidate has learned (models/candidates/keeping.py), its seconds, or why it learned nothing
combination.json    weights by horizon, errors on the validation runs, who is out and why
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sim2seq._support.files import read_json, remove, write_json
from sim2seq.data.ensemble import Ensemble, groups_of
from sim2seq.data.splits import PARTS, Part, Split, groups_apart, select
from sim2seq.data.windows import Scaling
from sim2seq.evaluation.scores import Combined
from sim2seq.models.builders import Stepwise
from sim2seq.models.candidates import (
    analogues,
    candidate,
    closed_loop,
    combination,
    components,
    gaussian,
    keeping,
    lookups,
    polynomial,
    reservoir,
    steps_from_inputs,
)
from sim2seq.models.candidates.candidate import Runs
from sim2seq.models.candidates.combination import Combination, Weighing
from sim2seq.training.settings import Settings

FOLDER, FILE = "candidates", "combination.json"
DATA = "data.npz"  # what candidates in processes of their own learn from
INPUT = "input."  # before the names of inputs there, which are the user's
TASK = "task.json"  # there as long as candidates learn
NETWORK = "closed-loop network"
LOOKUPS: dict[str, Callable] = {
    "mean trajectory": lookups.fit_mean,
    "hold": candidate.fit_hold,
    "nearest run": lookups.fit_nearest,
    "ridge": lookups.fit_ridge,
    "extra trees": lookups.fit_trees,
}
OTHERS: dict[str, Callable] = {
    "trees in blocks": lookups.fit_blocks,
    "polynomial": polynomial.fit,
    "polynomial of components": components.fit,
    "analogues": analogues.fit,
    "steps from inputs": steps_from_inputs.fit,
    "gaussian process": gaussian.fit,
    "echo state network": reservoir.fit,
}
KINDS: dict[str, Any] = dict.fromkeys(LOOKUPS, lookups.Lookup) | {
    "hold": candidate.Hold,
    "trees in blocks": lookups.Blocks,
    "polynomial": polynomial.Polynomial,
    "polynomial of components": components.Components,
    "analogues": analogues.Analogues,
    "steps from inputs": steps_from_inputs.StepsFromInputs,
    "gaussian process": gaussian.GaussianProcess,
    "echo state network": reservoir.Reservoir,
    NETWORK: closed_loop.ClosedLoop,
    f"{NETWORK} 2": closed_loop.ClosedLoop,
}
NAMES = (*LOOKUPS, *OTHERS, "residual_lstm", "stacked_lstm", NETWORK, f"{NETWORK} 2")


@dataclass(frozen=True)
class Parts:
    """What candidates learn from and are weighed by, scaled, and the scalings.

    groups   of the validation runs, where a split keeps groups apart; else None
    """

    training: Runs
    validation: Runs
    series: Scaling
    conditions: Scaling | None
    controls: Scaling | None
    groups: tuple[str, ...] | None = None


def parts_of(ensemble: Ensemble, settings, split: Split, task) -> Parts:
    """Training and validation runs of an ensemble; of a large one as many as are enough to judge by."""
    parts = [task.usable(select(ensemble, part), settings).some_runs() for part in (split.train, split.validation)]
    told, (features, steered) = parts[0].inputs_of_runs(settings.inputs), task.split(parts[0], settings)
    series = Scaling.of(features, None if parts[0].uniform else parts[0].lengths)
    conditions = None if told is None else Scaling.of(told)
    controls = None if steered is None else Scaling.of(steered)
    scalings = (series, conditions, controls)
    training, validation = (scaled_runs(part, settings, task, *scalings) for part in parts)
    apart = groups_apart({part: groups_of(getattr(split, part).runs) for part in PARTS})
    return Parts(training, validation, *scalings, parts[1].groups if apart else None)


def runs_of(part: Ensemble, settings, task, parts: Parts) -> Runs:
    """Other runs, such as those of the test part, scaled alike."""
    return scaled_runs(part, settings, task, parts.series, parts.conditions, parts.controls)


def scaled_runs(part: Ensemble, settings, task, series, conditions, controls) -> Runs:
    values, steered = task.split(part, settings)
    given = part.inputs_of_runs(settings.inputs)
    return Runs(
        np.asarray(series.scale(values)),
        settings.window,
        None if given is None else np.asarray(conditions.scale(given)),
        None if steered is None else np.asarray(controls.scale(steered)),
    )


def learned(folder: Path, parts: Parts) -> dict[str, Any]:
    """The candidates that have learned, by name, in the order of NAMES."""
    scalings = [parts.series, parts.conditions, parts.controls]
    there = [
        name
        for name in NAMES
        if (path := place_of(folder, name) / "done.json").exists() and not read_json(path)["error"]
    ]
    return {name: read_candidate(place_of(folder, name), name, scalings) for name in there}


def read_candidate(place: Path, name: str, scalings) -> Any:
    """A candidate as its folder holds it; a model of the next step is as its training left it, model.keras."""
    if name in KINDS:
        return keeping.read(KINDS[name], place)
    import keras

    return Stepwise(keras.saving.load_model(place / "model.keras", safe_mode=True), *scalings)


def weigh(folder: Path, parts: Parts, seed: int) -> tuple[Combination, Weighing]:
    """Weigh what has learned; what has no weight stays in its folder until `end`."""
    fitted = learned(folder, parts)
    truth, runs = parts.validation.future, parts.validation
    steps = truth.shape[1]
    said = {
        name: one.forecast(runs.context, steps, conditions=runs.conditions, controls=runs.controls)
        for name, one in fitted.items()
    }
    found = combination.weigh(said, truth, *parts.training.bounds(0), seed=seed, groups=parts.groups)
    kept = {name: fitted[name] for name in found.names}
    scalings = (parts.series, parts.conditions, parts.controls)
    low, high = parts.training.bounds(combination.MARGIN)
    return Combination(kept, found.centres, found.weights, low, high, *scalings), found


def write_combination(folder: Path, made: Combination) -> None:
    """Write combination.json, beside the scores and the band that are its."""
    content: dict[str, Any] = {"names": list(made.candidates)}
    content |= {name: getattr(made, name).tolist() for name in ("centres", "weights", "low", "high")}
    scalings = {name: getattr(made, name) for name in SCALINGS}
    content |= {name: None if each is None else plain(each) for name, each in scalings.items()}
    write_json(folder / FILE, content)


SCALINGS = ("series", "conditions", "controls")


def plain(scaling: Scaling) -> dict[str, list[float]]:
    return {"mean": scaling.mean.tolist(), "std": scaling.std.tolist()}


def read_combination(folder: Path) -> Combination:
    """The combination that a folder holds. Raises ValueError or KeyError for a broken one."""
    content = read_json(folder / FILE)
    scalings: list[Any] = [
        None if content[name] is None else Scaling(*(np.array(content[name][part]) for part in ("mean", "std")))
        for name in SCALINGS
    ]
    weights = np.array(content["weights"], dtype=float)
    if (
        scalings[0] is None
        or weights.ndim != 3
        or weights.shape[::2] != (len(content["centres"]), len(content["names"]))
    ):
        raise ValueError(f"{FILE}: expected weights of {len(content['names'])} candidates; got shape {weights.shape}")
    used = {name: weights[..., i] for i, name in enumerate(content["names"]) if weights[..., i].any()}
    fitted = {name: read_candidate(place_of(folder, name), name, scalings) for name in used}
    low, high = (np.array(content[name], dtype=float) for name in ("low", "high"))
    return Combination(
        fitted, np.array(content["centres"]), np.stack(list(used.values()), axis=2), low, high, *scalings
    )


def is_learning(folder: Path) -> bool:
    """Whether candidates are not done yet; scores that are there are those of the first ones."""
    return (folder / FOLDER / TASK).exists()


def place_of(folder: Path, name: str) -> Path:
    return folder / FOLDER / name.replace(" ", "_")


def combined(folder: Path, parts: Parts, found: Weighing, test: Runs) -> Combined:
    """What there is to say of a combination: weights, errors of every candidate alone, who is out."""
    done = {name: read_json(path) for name in NAMES if (path := place_of(folder, name) / "done.json").exists()}
    failed = {name: each["error"] for name, each in done.items() if each["error"]}
    of_stretch = found.weights.mean(axis=1)
    weights = {name: column.tolist() for name, column in zip(found.names, of_stretch.T, strict=True)}
    return Combined(
        steps=found.centres.tolist(),
        weights={name: column for name, column in weights.items() if any(column)},
        validation=found.errors,
        test={name: candidate.error_of(one, test) for name, one in learned(folder, parts).items()},
        out=found.out | failed,
        seconds={name: each["seconds"] for name, each in done.items()},
        rule=found.rule,
    )


def end(folder: Path, models: Combination) -> None:
    """Nothing learns here any more: away with what it learned from, and with candidates that have no weight."""
    for name in (TASK, DATA):
        remove(folder / FOLDER / name)
    tidy(folder, models)


def tidy(folder: Path, models: Combination) -> None:
    """Away with candidates that have no weight."""
    for name in NAMES:
        if name not in models.used:
            remove(place_of(folder, name))


def write_data(ensemble: Ensemble, settings, split: Split, task, folder: Path) -> None:
    """What a process of its own learns from: training and validation runs, and what is learned of them."""
    some = [task.usable(select(ensemble, part), settings).some_runs() for part in (split.train, split.validation)]
    arrays: dict[str, Any] = {
        f"{part}.{name}": np.asarray(value)
        for part, one in zip(PARTS, some, strict=False)
        for name, value in (
            {"values": one.values, "times": one.times, "lengths": one.lengths}
            | {f"{INPUT}{name}": column for name, column in one.inputs.items()}
        ).items()
    }
    with (folder / FOLDER / DATA).open("wb") as file:
        np.savez(file, **arrays)
    controls = getattr(task, "controls", ()) or settings.controls
    settings = asdict(settings) | {"controls": controls, "members": 1}
    names = {part: one.run_ids for part, one in zip(PARTS, some, strict=False)}
    write_json(folder / FOLDER / TASK, {"settings": settings, "runs": names, "features": some[0].features})


def read_data(folder: Path) -> tuple[Ensemble, Split, Settings]:
    """The runs that combine.write_data wrote, with their split, and the settings."""
    task = read_json(folder / TASK)
    known = {field.name for field in fields(Settings)}
    settings = Settings.of({name: value for name, value in task["settings"].items() if name in known})
    with np.load(folder / DATA, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    parts, ids = [], task["runs"]
    steps = max(arrays[f"{part}.values"].shape[1] for part in ids)
    for part in ids:
        inner = {name.partition(".")[2]: each for name, each in arrays.items() if name.startswith(f"{part}.")}
        parts.append(inner | {"values": padded(inner["values"], steps)})
    join = {name: np.concatenate([each[name] for each in parts]) for name in parts[0] if name != "times"}
    longest = max((each["times"] for each in parts), key=len)
    inputs = {name.removeprefix(INPUT): each for name, each in join.items() if name.startswith(INPUT)}
    names = {
        part: tuple(f"{part} {run}" for run in runs) for part, runs in ids.items()
    }  # a split in time has runs twice
    ensemble = Ensemble(
        join["values"],
        tuple(run for part in names.values() for run in part),
        tuple(task["features"]),
        longest,
        inputs,
        lengths=join["lengths"],
    )
    of_part = [Part(names[part], 0, int(each["lengths"].max())) for part, each in zip(ids, parts, strict=True)]
    return ensemble, Split(of_part[0], of_part[1], of_part[1]), settings


def padded(values: np.ndarray, steps: int) -> np.ndarray:
    nothing = np.nan if values.dtype.kind == "f" else 0  # as in a store; their lengths say where runs end
    return np.pad(values, ((0, 0), (0, steps - values.shape[1]), (0, 0)), constant_values=nothing)
