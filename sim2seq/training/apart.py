"""Apart: one candidate learns in a process of its own: python -m sim2seq.training.apart FOLDER NAME SECONDS."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from sim2seq._support.files import NOTE, read_json, write_text
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Part, Split
from sim2seq.models import closed_loop, keeping
from sim2seq.training.candidates import NETWORK, parts_of
from sim2seq.training.combine import DATA, TASK
from sim2seq.training.fit import train
from sim2seq.training.forecast import Forecast
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST


def main(folder: str, name: str, seconds: str) -> None:
    """Learn, and leave in `folder` what was learned."""
    place = Path(folder)
    ensemble, split, settings = read_data(place.parent)
    if not name.startswith(NETWORK):
        train(
            ensemble,
            settings.of({**vars(settings), "model": name}),
            split,
            place,
            FORECAST,
            quiet=True,
            seconds=float(seconds),
        )
        return
    parts = parts_of(ensemble, settings, split, Forecast(settings.controls))
    seed = settings.seed + (name != NETWORK)

    def tell(text: str) -> None:
        write_text(place / NOTE, text + "\n")

    keeping.save(closed_loop.fit(parts.training, parts.validation, seconds=float(seconds), seed=seed, tell=tell), place)


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
    lengths, values = join.pop("lengths"), join.pop("values")
    names = {
        part: tuple(f"{part} {run}" for run in runs) for part, runs in ids.items()
    }  # a split in time has runs twice
    ensemble = Ensemble(
        values,
        tuple(run for part in names.values() for run in part),
        tuple(task["features"]),
        longest,
        join,
        lengths=lengths,
    )
    of_part = [Part(names[part], 0, int(each["lengths"].max())) for part, each in zip(ids, parts, strict=True)]
    return ensemble, Split(of_part[0], of_part[1], of_part[1]), settings


def padded(values: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, steps - values.shape[1]), (0, 0)), constant_values=np.nan)


if __name__ == "__main__":
    main(*sys.argv[1:])
