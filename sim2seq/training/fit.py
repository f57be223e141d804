"""Fit: train the members of a model on an ensemble, resume what was interrupted, judge the result.

    split -> build -> train each member -> predict once -> scores, band

What is learned is the task's; see folder.py for what is left behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sim2seq._support.files import NOTE, remove, write_json, write_text
from sim2seq._support.locks import alone_in
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.reading import listed
from sim2seq.data.splits import PARTS, SPLITS, Part, Split, equal_across, select
from sim2seq.models.builders import physical, teacher_forced
from sim2seq.training import candidates
from sim2seq.training.checkpoint import Checkpoint, Deadline, Plateau, verbosity
from sim2seq.training.evaluate import baselines_of, evaluate, kept_baselines
from sim2seq.training.folder import (
    Models,
    Training,
    claim,
    load,
    load_models,
    member_paths,
    versions,
    write_predictions,
)
from sim2seq.training.settings import COMBINED, Settings, loss_of, optimizer_of
from sim2seq.training.study import FORECAST, Study
from sim2seq.training.task import Scalings

SHOWN = 5  # runs in a message


def fit(
    ensemble: Ensemble,
    settings: Settings | None = None,
    folder="training",
    *,
    study: Study = FORECAST,
    split: Split | None = None,
    replace: bool = False,
    quiet: bool = False,
    naive: Callable = baselines_of,
) -> Training:
    """Train on the ensemble and fill `folder`; resume, or read, what is there with the same settings and data.

    study   what is learned, and with what; None of its own: a forecast
    split   of the runs, where they are divided in another way than the settings can say
    quiet   print nothing
    naive   what asks the baselines; for several trainings of the same runs, one evaluate.kept_baselines()
    Raises ValueError when the folder holds a training with other settings or other data, unless `replace`,
    and when a part of the split is not longer than the window.
    """
    settings, folder = settings or study.settings(), Path(folder)
    ensemble = study.choose(ensemble, settings) if study.choose else ensemble
    ensemble = study.task.checked(ensemble)
    split = split or split_runs(ensemble, settings, study)
    tell_runs(ensemble, settings, split, study, quiet)
    check_parts(ensemble, split, settings, study)
    with alone_in(folder, partial(say, quiet=quiet)):
        claim(folder, ensemble, settings, split, replace)
        models = None
        if (folder / "scores.json").exists() and not candidates.is_learning(folder):
            say(f"{folder}: already trained with these settings on these data; nothing to do", quiet)
        else:
            if settings.model == COMBINED:
                from sim2seq.training import combine

                naive = kept_baselines() if naive is baselines_of else naive  # they are asked twice
                judge = partial(finish, ensemble, settings, split, folder, study, naive, first=True)
                combine.train(ensemble, settings, split, folder, study, judge=judge, quiet=quiet)
            else:
                told: dict = {"quiet": quiet, "seconds": settings.longest}
                for member in range(settings.members):
                    train(ensemble, settings, split, folder, study, member=member, **told)
            judged = finish(ensemble, settings, split, folder, study, naive)
            models = judged if isinstance(judged, tuple) else None  # candidates without a weight are not read again
    return load(folder, study, models=models)


def say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text)


def tell_runs(ensemble: Ensemble, settings: Settings, split: Split, study: Study, quiet: bool) -> None:
    """Say which runs are too short for one answer, and so are left out, and which are in two parts by two names."""
    if names := study.task.too_short(ensemble, settings):
        least = settings.window + study.task.layout(ensemble, settings).columns.ahead
        say(f"left out, with fewer than {least} steps: {listed(names, SHOWN)}", quiet)
    if pairs := [" is ".join(pair) for pair in equal_across(ensemble, split)]:
        say(f"one run stands in two parts, so scores say less of new runs: {listed(pairs, SHOWN)}", quiet)


def split_runs(ensemble: Ensemble, settings: Settings, study: Study = FORECAST) -> Split:
    """The split of the study, or of the settings, of all runs but those that are held out."""
    kept = [i for i, run in enumerate(ensemble.run_ids) if not is_held_out(run, settings)]
    if not kept:
        raise ValueError(f"held_out: all runs begin with {settings.held_out!r}, none is left to learn from")
    if study.split:
        return study.split(ensemble.take(kept), settings)
    seed = settings.seed if settings.split_seed < 0 else settings.split_seed
    return SPLITS[settings.split](ensemble.take(kept), settings.fractions, seed=seed)


def held_out(ensemble: Ensemble, settings: Settings, split: Split) -> Part | None:
    """The runs that are only scored, apart from all others; None without any."""
    runs = tuple(run for run in ensemble.run_ids if is_held_out(run, settings))
    return Part(runs, 0, split.train.stop - split.train.start) if runs else None  # as far as baselines have learned


def is_held_out(run_id: str, settings: Settings) -> bool:
    """Whether this run belongs to the group that is never learned from."""
    return bool(settings.held_out) and run_id.startswith(f"{settings.held_out}_")


def check_parts(ensemble: Ensemble, split: Split, settings: Settings, study: Study) -> None:
    """Raise ValueError, before anything is trained or written, when a part is too short to learn from or to score."""
    if settings.model == COMBINED and study.augment and settings.augment:
        expected = "candidates of combined learn from the runs alone: expected false, or one model, such as"
        raise ValueError(f"setting augment: {expected} model:stacked_lstm")
    parts = {name: select(ensemble, getattr(split, name)) for name in PARTS}
    for name, part in parts.items():
        if not study.task.usable(part, settings).runs:
            longest = int(part.lengths.max())
            if longest < 2:
                raise ValueError(f"expected runs of two steps or more to learn from; got 1 ({name} part)")
            raise ValueError(
                f"window: expected 1 to {longest - 1} for runs of {longest} steps; got {settings.window} ({name} part)"
            )
    if study.task.of_whole_runs and (twice := set(split.train.runs) & {*split.validation.runs, *split.test.runs}):
        got = f"got run {min(twice)} in two"
        raise ValueError(f"split: a {study.task.kind} expects each run in one part; {got}: take split:by_run")
    if len(split.train.runs) < settings.members:
        raise ValueError(f"members: expected up to {len(split.train.runs)}, one a training run; got {settings.members}")
    steps = {name: int(part.lengths.max()) for name, part in parts.items()}
    if settings.split == "in_time" and steps["test"] > steps["train"]:
        raise ValueError(f"fractions: the test part must not be longer than the training part; got {steps} steps")


def train(
    ensemble: Ensemble,
    settings: Settings,
    split: Split,
    folder: Path,
    study: Study,
    *,
    member=0,
    quiet=False,
    seconds: float = math.inf,
) -> None:
    """Train one member, from the start or from the last whole epoch, until its model in `folder` is the best one.

    Stage 1, linear part: fitted in closed form when the core is built (terms.fit), where the model has one.
    Stage 2, network: trained on what that leaves, by teacher forcing over `settings.targets` steps.
    benchmarks/accuracy.py shows what each is worth.
    """
    seed = int(np.random.SeedSequence([settings.seed, member]).generate_state(1)[0])
    keras.utils.set_random_seed(seed)
    task = study.task
    training, validation = (task.usable(select(ensemble, getattr(split, part)), settings) for part in PARTS[:2])
    training = training.take(runs_of_member(training.runs, settings.members, member))
    core, scalings = build(training, settings, study)  # stage 1
    targets = task.targets([training, validation], settings)
    task.check_core(core, settings, targets)
    shared = {"limit": settings.targets_per_epoch, "dtype": core.inputs[0].dtype}
    shared["encode"] = getattr(core, "encode", None)
    order: dict = {"batch_size": settings.batch_size, "seed": seed, "passes": settings.passes}
    order["augment"] = study.augment if settings.augment else None
    batches = task.windows(training, settings, scalings, targets, **order, **shared)
    checks = task.windows(validation, settings, scalings, targets, batch_size=max(64, 1024 // targets), **shared)
    learner = compiled(core, settings, targets, len(batches), loss=task.loss(core, settings))
    early = keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)
    window = core.inputs[0].shape[1] or (None if task.carries(core, targets) else settings.window)
    saved = saved_model(core, training, settings, study, scalings, window)
    paths = member_paths(folder, member)
    checkpoint = Checkpoint(paths, early, saved)
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
            Deadline(seconds),
            *([Plateau(paths["history"])] if settings.schedule == "plateau" else []),
            checkpoint,
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: tell(folder, settings, member, epoch, logs)
            ),
        ],
        verbose=verbosity(quiet),
    )


def runs_of_member(runs: int, members: int, member: int) -> list[int]:
    """The training runs that a member learns from: all of one, else all but every `members`-th run, another one each.

    A committee whose members leave out different runs disagrees where the runs do not say enough (Krogh and Vedelsby,
    Neural Network Ensembles, Cross Validation, and Active Learning, 1995).
    """
    return [run for run in range(runs) if members == 1 or run % members != member]


def build(training: Ensemble, settings: Settings, study: Study = FORECAST) -> tuple[keras.Model, Scalings]:
    """The core for these training runs, and their scalings."""
    layout = study.task.layout(training, settings)
    scalings = study.task.scalings(training, settings, scaled=study.scaled)
    values = study.task.learned_from(training, settings, scalings)
    conditions = scalings.of_conditions(training.inputs_of_runs(settings.inputs))
    return study.builder(settings.model)(layout.sizes, settings, values=values, conditions=conditions), scalings


def saved_model(core, training: Ensemble, settings, study: Study, scalings: Scalings, window) -> keras.Model:
    """The core between scalings: the model that is saved."""
    layout = study.task.layout(training, settings)
    columns, series = layout.columns, scalings.series
    inputs = series if columns.inputs is None else series.take(list(columns.inputs))
    outputs = scalings.results or (series if columns.targets is None else series.take(list(columns.targets)))
    controls = series.take(list(columns.controls)) if columns.controls else None
    told = {"controls": controls, "conditions": scalings.conditions}
    return physical(core, window, inputs, answers=outputs, **told)


def compiled(core: keras.Model, settings: Settings, targets: int, batches: int, *, loss=None) -> keras.Model:
    """A model of the core's own layers with loss and optimizer, whose learning rate is the settings' schedule.

    loss None: that of the settings. The core itself stays without, since a saved model with our loss would not load.
    """
    learner = teacher_forced(core, targets)
    learner.compile(
        loss=loss or loss_of(core, settings.loss),
        optimizer=optimizer_of(settings, settings.epochs * batches),
        jit_compile=settings.jit_compile,
        steps_per_execution=min(settings.steps_per_execution, batches),
    )
    learner.optimizer.build(learner.trainable_variables)  # variables made while a step is traced have it traced again
    return learner


def finish(
    ensemble: Ensemble, settings: Settings, split: Split, folder: Path, study: Study, naive: Callable, first=False
) -> Models:
    """Judge the members together and write scores.json, which marks the folder as finished; return what was judged.

    `first`: other candidates go on learning, to be weighed with these.
    """
    write_text(folder / NOTE, "predictions and scores\n")
    told: dict[str, Any] = {"held_out": held_out(ensemble, settings, split)}
    if settings.model == COMBINED:
        models, more = weighed(ensemble, settings, split, folder, study)
        told |= more
    else:
        models = load_models(folder)
    scores, band, predictions = evaluate(study, models, ensemble, split, settings, **told, naive=naive)
    write_json(folder / "versions.json", versions())
    if isinstance(models, candidates.Combination):  # an interrupted training keeps one that was judged
        candidates.write_combination(folder, models)
    if band:
        write_json(folder / "band.json", band.to_dict())
    write_predictions(folder / "predictions.npz", predictions)
    write_json(folder / "scores.json", scores.to_json())
    if isinstance(models, candidates.Combination) and not first:
        candidates.end(folder, models)
    remove(folder / "checkpoint")
    remove(folder / NOTE)
    return models


def weighed(ensemble: Ensemble, settings: Settings, split: Split, folder: Path, study: Study):
    """The combination of what has learned; what there is to say of it, and its forecasts of the validation runs."""
    parts = candidates.parts_of(ensemble, settings, split, study.task)
    models, found = candidates.weigh(folder, parts, settings.seed)
    test = study.task.usable(select(ensemble, split.test), settings).some_runs()
    told = candidates.runs_of(test, settings, study.task, parts)
    combined = candidates.combined(folder, parts, found, told)
    return models, {"combined": combined, "validation": models.around(found.unseen, found.spread)}


def tell(folder: Path, settings: Settings, member: int, epoch: int, logs: dict) -> None:
    """Leave a line that whoever watches the study can show (workflow/progress.py)."""
    which = f"member {member + 1} of {settings.members}, " if settings.members > 1 else ""
    text = f"{which}epoch {epoch + 1} of {settings.epochs}, validation loss {logs['val_loss']:.3g}"
    write_text(folder / NOTE, text + "\n")
