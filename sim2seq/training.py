"""Training: model, scaling, settings, split and scores travel together in one folder.

    model.keras      the best model so far: loads alone, takes and returns physical units
    settings.json    every setting, resolved           split.json     run ids and steps of each part; the data's digest
    history.csv      losses by epoch (see models.py)   logs/          the same for TensorBoard
    scores.json      errors and skill, written last    versions.json  every installed package
    figures/         PNG                               checkpoint/    while training: what a resumed training needs

A folder without scores.json is an unfinished training: `fit` with the same settings and data goes on at the last
whole epoch. A folder with scores.json is finished: `fit` reads it, says so, and trains nothing. A folder with other
settings or other data is refused, or with `replace` emptied first.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

import keras

from sim2seq import metrics
from sim2seq.callbacks import Checkpoint
from sim2seq.ensemble import Ensemble
from sim2seq.files import NOTE, read_json, remove, write_json, write_text
from sim2seq.models import MODELS, SquaredError, with_scaling
from sim2seq.settings import DEBUG, Settings
from sim2seq.windows import PARTS, SPLITS, Part, Scaling, Split, Windows, select, windows_of

__all__ = ["DEBUG", "Settings", "Training", "fit", "load"]

CONTENT = ("scores.json", "model.keras", "history.csv", "versions.json", "figures", "logs", "checkpoint", NOTE)


@dataclass(frozen=True)
class Training:
    """A finished training, as its folder holds it. `history` is name -> one number an epoch."""

    folder: Path
    model: keras.Model
    settings: Settings
    split: Split
    history: dict[str, list[float]]
    scores: dict
    versions: dict[str, str]


def fit(ensemble: Ensemble, settings: Settings | None = None, folder="training", *, replace: bool = False) -> Training:
    """Train on the ensemble and fill `folder`; resume, or read, what is there with the same settings and data.

    Raises ValueError when the folder holds a training with other settings or other data, unless `replace`,
    and when a part of the split is not longer than the window.
    """
    settings, folder = settings or Settings(), Path(folder)
    split = SPLITS[settings.split](ensemble, settings.fractions, seed=settings.seed)
    check_parts(ensemble, split, settings.window)
    claim(folder, ensemble, settings, split, replace)
    if (folder / "scores.json").exists():
        print(f"{folder}: already trained with these settings on these data; nothing to do")
    else:
        train(ensemble, settings, split, folder)
        finish(ensemble, settings, split, folder)
    return load(folder)


def check_parts(ensemble: Ensemble, split: Split, window: int) -> None:
    """Raise ValueError, before anything is trained or written, when a part is too short to learn from or to score."""
    for name in PARTS:
        windows_of(select(ensemble, getattr(split, name)).values, window)
    steps = {name: part.stop - part.start for name, part in vars(split).items()}
    if steps["test"] > steps["train"]:
        raise ValueError(f"fractions: the test part must not be longer than the training part; got {steps} steps")


def load(folder) -> Training:
    """Read a finished training. Raises FileNotFoundError when the folder does not hold one."""
    folder = Path(folder)
    if not (folder / "scores.json").exists():
        raise FileNotFoundError(f"{folder}: no finished training here (scores.json is missing)")
    parts = read_json(folder / "split.json")
    return Training(
        folder=folder,
        model=keras.saving.load_model(folder / "model.keras"),
        settings=Settings.of(read_json(folder / "settings.json")),
        split=Split(*(Part(tuple(parts[name]["runs"]), parts[name]["start"], parts[name]["stop"]) for name in PARTS)),
        history=read_history(folder / "history.csv"),
        scores=read_json(folder / "scores.json"),
        versions=read_json(folder / "versions.json"),
    )


def claim(folder: Path, ensemble: Ensemble, settings: Settings, split: Split, replace: bool) -> None:
    """Write settings and split into the folder; what it holds must be the same, or is removed with `replace`."""
    wanted = {
        "settings.json": asdict(settings),
        "split.json": {"data": digest(ensemble), **{name: asdict(getattr(split, name)) for name in PARTS}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    different = [name for file, content in wanted.items() for name in differences(folder / file, content)]
    if different and not replace:
        raise ValueError(
            f"{folder} holds a training with other settings or data ({', '.join(different)} differ); "
            "choose another folder, or replace it"
        )
    if different:
        for name in CONTENT:
            remove(folder / name)
    for file, content in wanted.items():
        write_json(folder / file, content)


def differences(path: Path, content: dict) -> list[str]:
    """The names whose values in a JSON file differ from `content`; none when there is no such file."""
    if not path.exists():
        return []
    held, content = read_json(path), json.loads(json.dumps(content))
    return sorted(name for name in {*held, *content} if held.get(name) != content.get(name))


def digest(ensemble: Ensemble) -> str:
    """A fingerprint of run ids, features and values: equal for equal data only."""
    names = json.dumps([ensemble.run_ids, ensemble.features, ensemble.values.shape]).encode()
    return hashlib.sha256(names + ensemble.values.astype("float64").tobytes()).hexdigest()


def train(ensemble: Ensemble, settings: Settings, split: Split, folder: Path) -> None:
    """Train, from the start or from the last whole epoch, until model.keras in `folder` is the best model."""
    keras.utils.set_random_seed(settings.seed)
    training, validation = select(ensemble, split.train), select(ensemble, split.validation)
    scaling, window = Scaling.of(training), settings.window
    known, unknown = scaling.scale(training.values), scaling.scale(validation.values)
    core = MODELS[settings.model](window, len(ensemble.features), units=settings.units, values=known)
    shared = {"limit": settings.windows_per_epoch, "dtype": core.inputs[0].dtype}
    shuffled = {"batch_size": settings.batch_size, "seed": settings.seed, "passes": settings.passes}
    batches = Windows(known, window, **shuffled, **shared)
    checks = Windows(unknown, window, batch_size=validation.steps - window, **shared)
    learner = compiled(core, settings, len(batches))
    early = keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)
    checkpoint = Checkpoint(folder, early, with_scaling(core, scaling))
    learner.fit(
        batches,
        validation_data=checks,
        epochs=settings.epochs,
        initial_epoch=checkpoint.restore(learner, settings.epochs),
        shuffle=False,  # Windows shuffles, by seed and epoch
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin_epoch(epoch)),
            keras.callbacks.CSVLogger(folder / "history.csv", append=True),
            keras.callbacks.TensorBoard(folder / "logs"),
            early,
            checkpoint,
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: say(
                    folder, f"epoch {epoch + 1} of {settings.epochs}, validation loss {logs['val_loss']:.3g}"
                )
            ),
        ],
        verbose=1 if sys.stdout.isatty() or "ipykernel" in sys.modules else 2,  # a bar for a person, lines for a log
    )


def compiled(core: keras.Model, settings: Settings, batches: int) -> keras.Model:
    """A model of the core's own layers with loss and Adam, whose learning rate falls to 0 along a cosine.

    The core itself stays without them, since a saved model that holds our loss would not load alone.
    """
    learner = keras.Model(core.inputs, core.outputs[0])
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * batches)
    learner.compile(
        loss=SquaredError(getattr(core, "error_unit", 1.0), dtype=core.inputs[0].dtype),
        optimizer=keras.optimizers.Adam(rate),
        jit_compile=settings.jit_compile,
        steps_per_execution=min(settings.steps_per_execution, batches),
    )
    return learner


def finish(ensemble: Ensemble, settings: Settings, split: Split, folder: Path) -> None:
    """Judge the best model, draw the figures and write scores.json, which marks the folder as finished."""
    from sim2seq.figures import save_figures

    say(folder, "scores and figures")
    model = keras.saving.load_model(folder / "model.keras")
    scores = metrics.score(model, ensemble, split, settings.window)
    save_figures(folder / "figures", ensemble, model, split, read_history(folder / "history.csv"), scores)
    write_json(folder / "versions.json", versions())
    write_json(folder / "scores.json", scores)
    remove(folder / "checkpoint")
    remove(folder / NOTE)


def say(folder: Path, note: str) -> None:
    """Leave a line that whoever watches the study can show (sim2seq.progress)."""
    write_text(folder / NOTE, note + "\n")


def read_history(path: Path) -> dict[str, list[float]]:
    """The losses of history.csv: name -> one number an epoch."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "epoch"}


def versions() -> dict[str, str]:
    """Python and every installed package, by name."""
    packages = {package.metadata["Name"]: package.version for package in distributions()}
    return {"python": sys.version.split()[0], **dict(sorted(packages.items(), key=lambda item: item[0].lower()))}
