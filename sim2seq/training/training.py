"""Training: model, scaling, settings, split and scores travel together in one folder.

    model.keras      the best model so far: loads alone, takes and returns physical units
    model_2.keras    ... and so on: further members, where settings.members asks for them; history_2.csv likewise
    settings.json    every setting, resolved           split.json     run ids and steps of each part; the data's digest
    history.csv      losses by epoch (see models.py)   logs/          the same for TensorBoard
    scores.json      errors and skill, written last    versions.json  every installed package
    band.json        how wide the forecast's band is   figures/       PNG
    checkpoint/      while training: what a resumed training needs

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
import numpy as np

from sim2seq._support.files import NOTE, read_json, remove, write_json, write_text
from sim2seq.data import streaming
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.windows import PARTS, SPLITS, Part, Scaling, Split, Windows, check_lengths, select
from sim2seq.evaluation import scores as metrics
from sim2seq.evaluation.conformal import Band
from sim2seq.models.builders import MODELS, SquaredError, next_step, teacher_forced
from sim2seq.training.checkpoint import Checkpoint
from sim2seq.training.settings import DEBUG, Settings
from sim2seq.training.untrusted import one_line

__all__ = ["DEBUG", "Settings", "Training", "fit", "load"]

CONTENT = ("scores.json", "model*.keras", "history*.csv", "band.json", "versions.json")
CONTENT += ("figures", "logs", "checkpoint", NOTE)


@dataclass(frozen=True)
class Training:
    """A finished training, as its folder holds it. `history`, of the first member, is name -> one number an epoch."""

    folder: Path
    models: tuple[keras.Model, ...]
    band: Band
    settings: Settings
    split: Split
    history: dict[str, list[float]]
    scores: dict
    versions: dict[str, str]

    @property
    def model(self) -> keras.Model:
        """The first member, or the only one."""
        return self.models[0]


def fit(ensemble: Ensemble, settings: Settings | None = None, folder="training", *, replace: bool = False) -> Training:
    """Train on the ensemble and fill `folder`; resume, or read, what is there with the same settings and data.

    Raises ValueError when the folder holds a training with other settings or other data, unless `replace`,
    and when a part of the split is not longer than the window.
    """
    settings, folder = settings or Settings(), Path(folder)
    split = split_runs(ensemble, settings)
    check_parts(ensemble, split, settings)
    claim(folder, ensemble, settings, split, replace)
    if (folder / "scores.json").exists():
        print(f"{folder}: already trained with these settings on these data; nothing to do")
    else:
        for member in range(settings.members):
            train(ensemble, settings, split, folder, member=member)
        finish(ensemble, settings, split, folder)
    return load(folder)


def split_runs(ensemble: Ensemble, settings: Settings) -> Split:
    """The split that the settings ask for, of all runs but those that are held out."""
    kept = [i for i, run in enumerate(ensemble.run_ids) if not is_held_out(run, settings)]
    if not kept:
        raise ValueError(f"held_out: all runs begin with {settings.held_out!r}, none is left to learn from")
    return SPLITS[settings.split](ensemble.take(kept), settings.fractions, seed=settings.seed)


def held_out(ensemble: Ensemble, settings: Settings, split: Split) -> Part | None:
    """The runs that are only scored, apart from all others; None without any."""
    runs = tuple(run for run in ensemble.run_ids if is_held_out(run, settings))
    return Part(runs, 0, split.train.stop - split.train.start) if runs else None  # as far as baselines have learned


def is_held_out(run_id: str, settings: Settings) -> bool:
    """Whether this run belongs to the group that is never learned from."""
    return bool(settings.held_out) and run_id.startswith(f"{settings.held_out}_")


def check_parts(ensemble: Ensemble, split: Split, settings: Settings) -> None:
    """Raise ValueError, before anything is trained or written, when a part is too short to learn from or to score."""
    ensemble.inputs_of_runs(settings.inputs)
    for name in PARTS:
        part = getattr(split, name)
        check_lengths(part.stop - part.start, settings.window)
    if len(split.train.runs) < settings.members:
        raise ValueError(f"members: expected up to {len(split.train.runs)}, one a training run; got {settings.members}")
    steps = {name: part.stop - part.start for name, part in vars(split).items()}
    if steps["test"] > steps["train"]:
        raise ValueError(f"fractions: the test part must not be longer than the training part; got {steps} steps")


def load(folder) -> Training:
    """Read a finished training. Raises FileNotFoundError when the folder holds none, ValueError for a broken one."""
    folder = Path(folder)
    if not (folder / "scores.json").exists():
        raise FileNotFoundError(f"{folder}: no finished training here (scores.json is missing)")
    with one_line(f"{folder}: expected a finished training"):
        parts = read_json(folder / "split.json")
        split = (Part(tuple(parts[name]["runs"]), parts[name]["start"], parts[name]["stop"]) for name in PARTS)
        return Training(
            folder=folder,
            band=Band.of(read_json(folder / "band.json")),
            settings=Settings.of(read_json(folder / "settings.json")),
            split=Split(*split),
            history=read_history(folder / "history.csv"),
            scores=read_json(folder / "scores.json"),
            versions=read_json(folder / "versions.json"),
            models=load_models(folder),
        )


def claim(folder: Path, ensemble: Ensemble, settings: Settings, split: Split, replace: bool) -> None:
    """Write settings and split into the folder; what it holds must be the same, or is removed with `replace`."""
    wanted = {
        "settings.json": asdict(settings),
        "split.json": {
            "data": digest(ensemble, settings.inputs),
            **{name: asdict(getattr(split, name)) for name in PARTS},
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    different = [name for file, content in wanted.items() for name in differences(folder / file, content)]
    if different and not replace:
        raise ValueError(
            f"{folder} holds a training with other settings or data ({', '.join(different)} differ); "
            "choose another folder, or replace it"
        )
    if different:
        for pattern in CONTENT:
            for path in folder.glob(pattern):
                remove(path)
    for file, content in wanted.items():
        write_json(folder / file, content)


def differences(path: Path, content: dict) -> list[str]:
    """The names whose values in a JSON file differ from `content`; none when there is no such file."""
    if not path.exists():
        return []
    held, content = read_json(path), json.loads(json.dumps(content))
    if not isinstance(held, dict):
        raise ValueError(f"{path}: expected names with values, got {type(held).__name__}")
    return sorted(name for name in {*held, *content} if held.get(name) != content.get(name))


def digest(ensemble: Ensemble, inputs) -> str:
    """A fingerprint of run ids, features, units, values, times and these inputs: equal for equal data only."""
    names = json.dumps([ensemble.run_ids, ensemble.features, ensemble.units, ensemble.values.shape])
    fingerprint = hashlib.sha256(names.encode())
    for numbers in (ensemble.values, ensemble.times, *(ensemble.inputs[name] for name in inputs)):
        for chunk in streaming.chunks(numbers):
            fingerprint.update(np.ascontiguousarray(chunk, dtype="float64"))
    return fingerprint.hexdigest()


def train(ensemble: Ensemble, settings: Settings, split: Split, folder: Path, *, member: int = 0) -> None:
    """Train one member, from the start or from the last whole epoch, until its model in `folder` is the best one.

    Stage 1, linear part: fitted in closed form when the core is built (terms.fit), where the model has one.
    Stage 2, network: trained on what that leaves, by teacher forcing over `settings.targets` steps.
    benchmarks/accuracy.py shows what each is worth.
    """
    seed = int(np.random.SeedSequence([settings.seed, member]).generate_state(1)[0])
    keras.utils.set_random_seed(seed)
    training, validation = select(ensemble, split.train), select(ensemble, split.validation)
    training = training.take(runs_of_member(training.runs, settings.members, member))
    core, scaling, given = build(training, settings)  # stage 1
    targets = min(settings.targets, training.steps - settings.window, validation.steps - settings.window)
    shared = {"targets": targets, "limit": settings.targets_per_epoch, "dtype": core.inputs[0].dtype}
    batches, checks = (
        Windows(
            scaling.scale(part.values),
            settings.window,
            given=given and given.scale(part.inputs_of_runs(settings.inputs)),
            **order,
            **shared,
        )
        for part, order in (
            (training, {"batch_size": settings.batch_size, "seed": seed, "passes": settings.passes}),
            (validation, {"batch_size": max(64, 1024 // targets)}),
        )
    )
    learner = compiled(core, settings, targets, len(batches))
    early = keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)
    carries = targets > 1 and core.memory is None
    physical = next_step(core, None if carries else settings.window, scaling, given)
    paths = member_paths(folder, member)
    checkpoint = Checkpoint(paths, early, physical)
    learner.fit(  # stage 2
        batches,
        validation_data=checks,
        epochs=settings.epochs,
        initial_epoch=checkpoint.restore(learner, settings.epochs),
        shuffle=False,  # Windows shuffles, by seed and epoch
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin_epoch(epoch)),
            keras.callbacks.CSVLogger(paths["history"], append=True),
            keras.callbacks.TensorBoard(paths["logs"]),
            early,
            checkpoint,
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: say(folder, settings, member, epoch, logs)),
        ],
        verbose=1 if sys.stdout.isatty() or "ipykernel" in sys.modules else 2,  # a bar for a person, lines for a log
    )


def runs_of_member(runs: int, members: int, member: int) -> list[int]:
    """The training runs that a member learns from: all of one, else all but every `members`-th run, another one each.

    A committee whose members leave out different runs disagrees where the runs do not say enough (Krogh and Vedelsby,
    Neural Network Ensembles, Cross Validation, and Active Learning, 1995).
    """
    return [run for run in range(runs) if members == 1 or run % members != member]


def build(training: Ensemble, settings: Settings):
    """The core for these training runs, and the scaling of their values and of the inputs they give (or None)."""
    inputs = training.inputs_of_runs(settings.inputs)
    scaling, given = Scaling.of(training.values), None if inputs is None else Scaling.of(inputs)
    sizes = len(training.features), len(settings.inputs)
    known = {"values": scaling.scale(training.values), "given": None if inputs is None else given.scale(inputs)}
    return MODELS[settings.model](*sizes, units=settings.units, **known), scaling, given


def member_paths(folder: Path, member: int) -> dict[str, Path]:
    """Where a member's files are: those of the first one have plain names, the second one's end in _2, and so on."""
    end = f"_{member + 1}" if member else ""
    names = {"model": f"model{end}.keras", "history": f"history{end}.csv"}
    names |= {"logs": f"logs/member_{member + 1}", "checkpoint": f"checkpoint/member_{member + 1}"}
    return {what: folder / name for what, name in names.items()}


def compiled(core: keras.Model, settings: Settings, targets: int, batches: int) -> keras.Model:
    """A model of the core's own layers with loss and Adam, whose learning rate falls to 0 along a cosine.

    The core itself stays without them, since a saved model that holds our loss would not load alone.
    """
    learner = teacher_forced(core, targets)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * batches)
    learner.compile(
        loss=SquaredError(core.error_unit, dtype=core.inputs[0].dtype),
        optimizer=keras.optimizers.Adam(rate),
        jit_compile=settings.jit_compile,
        steps_per_execution=min(settings.steps_per_execution, batches),
    )
    return learner


def finish(ensemble: Ensemble, settings: Settings, split: Split, folder: Path) -> None:
    """Judge the members together, draw the figures and write scores.json, which marks the folder as finished."""
    from sim2seq.report.figures import save_figures

    write_text(folder / NOTE, "scores and figures\n")
    models = load_models(folder)
    apart = held_out(ensemble, settings, split)
    scores, band = metrics.score(models, ensemble, split, settings.window, inputs=settings.inputs, held_out=apart)
    save_figures(
        folder / "figures",
        ensemble,
        models,
        split,
        read_history(folder / "history.csv"),
        scores,
        band,
        inputs=settings.inputs,
    )
    write_json(folder / "versions.json", versions())
    write_json(folder / "band.json", band.to_dict())
    write_json(folder / "scores.json", scores)
    remove(folder / "checkpoint")
    remove(folder / NOTE)


def load_models(folder: Path) -> tuple[keras.Model, ...]:
    """The members of a training, in their order; nothing in the files is run (Keras' safe mode)."""
    paths = [member_paths(folder, member)["model"] for member in range(1 + len(list(folder.glob("model_*.keras"))))]
    return tuple(keras.saving.load_model(path, safe_mode=True) for path in paths)


def say(folder: Path, settings: Settings, member: int, epoch: int, logs: dict) -> None:
    """Leave a line that whoever watches the study can show (sim2seq.workflow.progress)."""
    which = f"member {member + 1} of {settings.members}, " if settings.members > 1 else ""
    note = f"{which}epoch {epoch + 1} of {settings.epochs}, validation loss {logs['val_loss']:.3g}"
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
