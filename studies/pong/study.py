"""Pong's study: frames and actions in, the next frames out, judged by where things are in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sim2seq import Ensemble, Forecast, Settings, Study, load_store
from sim2seq.data.windows import Columns
from sim2seq.evaluation.baselines import BASELINES
from sim2seq.models.rollout import rollout
from sim2seq.training.task import Layout, some
from studies.pong import dream, limit, pictures, places, scores
from studies.pong.networks import NETWORKS
from studies.pong.places import ACTION, FRAME, PLACES, TERMINAL
from studies.pong.trainings import NEVER_TOLD, NOT_DILATED, OURS, SEE_THE_LAST
from studies.pong.worlds import CubeCrash, Pong

SIMPLE = ("hold", "constant velocity", "nearest run")  # of the package's baselines, those that say something here
TOGETHER = 50  # episodes whose frames are made at once
LOOKED_AT = 200  # training episodes that pictures are learned from
FARTHEST = 60  # steps ahead that every model is judged at, however few it learns
RECIPES = {
    # the source's families, on frames: few steps, as each is a picture
    # and small batches, as it takes many of them until the ball is seen
    "pixels": {"model": "dense_rnn", "window": 3, "units": (32,), "targets": 16, "batch_size": 16, "epochs": 8}
    | {"learning_rate": 4e-3, "jit_compile": False, "judged": 100, "targets_per_epoch": 25_600},
    "debug": {"epochs": 2, "targets": 8, "batch_size": 8, "window": 3, "units": (8,), "jit_compile": False}
    | {"steps_per_execution": 1, "targets_per_epoch": 160},
}


@dataclass(frozen=True)
class PongSettings(Settings, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    models: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    model: str = OURS
    units: tuple[int, ...] = (32, 32)  # of the layers that say when it is over; of a family, the state's size
    window: int = 16  # frames that are known
    inputs: tuple[str, ...] = ()  # launch_sin,launch_cos: the angle is told
    skip: int = 1  # of the dilated layers of recurrent families; the source has 1 and 8
    closed_loop: bool = False  # families that look at the frame before: learn from their own, not from true ones
    budget: str = "8m"  # longest time of a training
    episodes: int = 4000  # to learn from, at most
    judged: int = 500  # of each other set, at most
    targets: int = 64  # steps ahead that are learned; from the first known frames on, as far as episodes go
    targets_per_epoch: int = 256_000
    passes: int = 1
    batch_size: int = 64
    epochs: int = 6
    patience: int = 6
    learning_rate: float = 1e-2
    split: str = "by_name"  # the sets are fixed: studies/pong/simulate.py
    held_out: str = "shift"
    steps_per_execution: int = 1

    def __post_init__(self):
        super().__post_init__()
        for name in ("skip", "episodes", "judged"):
            if getattr(self, name) < 1:
                raise ValueError(f"setting {name}: expected 1 or more; got {getattr(self, name)}")
        if self.closed_loop and self.model not in SEE_THE_LAST:
            raise ValueError(f"setting closed_loop: {self.model} is shown no frame after the known; expected false")
        if self.skip > 1 and self.model in NOT_DILATED:
            raise ValueError(f"setting skip: {self.model} has no dilated layers; expected 1, got {self.skip}")
        if self.inputs and self.model in NEVER_TOLD:
            raise ValueError(f"setting inputs: {self.model} is told nothing but frames; expected none")

    @property
    def longest(self) -> float:
        return self.seconds


def choose(ensemble: Ensemble, settings) -> Ensemble:
    """As many episodes of each set as the settings say, with the steps that are learned from and those that are judged;
    as places, for who learns from these. Raises ValueError for that where things have no places in whole pixels."""
    world = places.world_of(ensemble.features)
    if settings.model == OURS and world.name not in pictures.THINGS:
        known = " and ".join(pictures.THINGS)
        raise ValueError(f"model {OURS}: it knows {known}; of {world.name} take a family: recipe:pixels")
    order, seen = [], dict.fromkeys(ensemble.groups, 0)
    for number, group in enumerate(ensemble.groups):
        if seen[group] < (settings.episodes if group == "train" else settings.judged):
            order.append(number)
        seen[group] += 1
    kept = ensemble.take(order, steps=slice(settings.window + max(settings.targets, FARTHEST)))
    return places.of_frames(kept) if settings.model == OURS else kept


def beginnings(part: Ensemble, settings) -> Ensemble:
    """The steps that are learned from: what is told, and the frames that are known, are those of the beginning."""
    return part.take(np.arange(part.runs), steps=slice(settings.window + settings.targets))


@dataclass(frozen=True)
class Played(Forecast):
    """A forecast of frames under the actions that were played, judged by where things are in them."""

    controls: tuple[str, ...] = (ACTION,)

    def layout(self, ensemble: Ensemble, settings) -> Layout:
        if not places.is_frames(ensemble):
            return super().layout(ensemble, settings)
        names = [name for name in ensemble.features if name != ACTION]
        columns = tuple(ensemble.places(names))
        found = (*PLACES[places.world_of(ensemble.features).name], TERMINAL)
        units = ("px",) * (len(found) - 1) + ("",)
        sizes = self.sizes(ensemble, settings, names, names, self.controls)
        return Layout((), found, units, Columns(columns, columns, tuple(ensemble.places(self.controls))), sizes)

    def learned_from(self, training: Ensemble, settings, scalings):
        return super().learned_from(beginnings(training, settings), settings, scalings)

    def windows(self, part: Ensemble, settings, scalings, targets: int, **options):
        return super().windows(beginnings(part, settings), settings, scalings, targets, **options)

    def truth(self, part: Ensemble, settings) -> np.ndarray:
        return super().truth(places.placed(part), settings)

    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        """(models, runs, steps - window, places and the chance of the end), of the frames that each model makes."""
        if not places.is_frames(part):
            return super().predict(models, part, settings)
        return np.stack([self.seen_in_rollout(model, part, settings) for model in models])

    def seen_in_rollout(self, model, part: Ensemble, settings) -> np.ndarray:
        world, layout = places.world_of(part.features), self.layout(part, settings)
        steps, told = part.steps - settings.window, part.inputs_of_runs(settings.inputs)
        found = []
        for first in range(0, part.runs, TOGETHER):
            runs = slice(first, first + TOGETHER)
            block = np.asarray(part.values[runs])
            context = block[:, : settings.window, list(layout.columns.inputs or ())]
            actions = block[..., list(layout.columns.controls)]
            made = rollout(model, context, steps, conditions=some(told, runs), controls=actions)
            frames = places.frames_of(world, made)
            found.append(np.concatenate([places.find(world, frames), made[..., -1:]], axis=-1))
        return np.concatenate(found)

    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping) -> dict:
        training, part = places.placed(training), places.placed(part)
        context, steps = self.split(part, settings)[0][:, : settings.window], part.steps - settings.window
        learned = self.told(training, settings, part.steps, values=True)
        chosen = {name: BASELINES[name] for name in SIMPLE if settings.window > 1 or name != "constant velocity"}
        return {name: each(learned, context, steps, learned) for name, each in (chosen | dict(more)).items()}

    def one_step(self, models, part: Ensemble, settings) -> None:
        return None  # a score of frames that are shown the truth would say nothing about a game

    def one_step_baselines(self, part: Ensemble, settings) -> dict:
        return {}


def judge(training, ensemble: Ensemble) -> dict[str, float]:
    """On validation episodes: distance of the ball, or cube, after 60 and 20 steps, or 20 and 10; wrong ends.

    Where all episodes end before, after as many as the longest has: the names say how many. `copied_` is the distance
    after the first of them of copying the last known frame, by which worlds are comparable, and `limit_` the best that
    could be known there (of Pong only, from the frames that are shown; 0 where these tell all). Beside the model it
    leaves what makes frames of its answers: the world's name, and pictures for who has places only.
    """
    world = places.world_of(ensemble.features)
    dream.write_world(training.folder, world)
    if training.settings.model == OURS:
        learned_pictures(world, ensemble, training.split.train.runs).write(training.folder)
    seen = training.predictions["validation"]
    away = np.linalg.norm(seen.middle[..., :2] - seen.truth[..., :2], axis=-1)
    reached = int(np.isfinite(seen.truth[..., 0]).any(axis=0).sum())
    wanted = (20, 10) if world.name == CubeCrash.name else (FARTHEST, 20)
    horizons = dict.fromkeys(min(steps, reached) for steps in wanted)
    found = {f"distance_{steps}": float(np.nanmean(away[:, steps - 1])) for steps in horizons}
    found["wrong_ends"] = scores.wrong_ends(seen.middle[..., -1], seen.truth[..., -1], max(horizons))
    runs, farthest = seen.run_ids, max(horizons)
    shown = last_known(world, ensemble, runs, training.settings.window)
    copied = np.linalg.norm(shown[:, None, :2] - seen.truth[..., :2], axis=-1)
    found[f"{scores.COPIED}{farthest}"] = float(np.nanmean(copied[:, farthest - 1]))
    known = limit_of(world, ensemble, runs, training.settings, farthest)
    return found | ({} if known is None else {f"{scores.LIMIT}{farthest}": known})


def limit_of(world, ensemble: Ensemble, runs, settings, steps: int) -> float | None:
    """The distance after so many steps of the best forecast from what a model is shown of these runs.

    None where nobody knows it: of a game without rules of its own, or runs without their launch.
    """
    if world.name == CubeCrash.name or (world.name == Pong.name and limit.tell_the_angle(settings.inputs)):
        return 0.0
    if world.name != Pong.name or not {*limit.LAUNCH} <= {*ensemble.inputs}:
        return None
    rows = rows_of(ensemble, runs)
    values = np.asarray(ensemble.values[rows])[:, : settings.window + steps]
    launched = (ensemble.inputs[name][rows] for name in limit.LAUNCH)
    states = limit.states_of(world, places.frames_of(world, values), *launched)
    paths = limit.every_angle(world, values.shape[1])
    errors = limit.limit(paths, states, values[..., -1].astype(int), ensemble.lengths[rows], settings.window)
    return float(limit.by_horizon(errors, settings.window, [steps])[0][0])


def rows_of(ensemble: Ensemble, runs) -> list[int]:
    """Where these runs stand in an ensemble."""
    number = {run: place for place, run in enumerate(ensemble.run_ids)}
    return [number[run] for run in runs]


def last_known(world, ensemble: Ensemble, runs, window: int) -> np.ndarray:
    """(runs, places): where things are in the last frame that a model is shown."""
    values = np.asarray(ensemble.values[rows_of(ensemble, runs)])[:, window - 1]
    return places.find(world, places.frames_of(world, values))


def learned_pictures(world, ensemble: Ensemble, runs) -> pictures.Pictures:
    """What things look like, from frames of some training runs."""
    chosen = rows_of(ensemble, runs[:LOOKED_AT])
    frames = places.frames_of(world, np.asarray(ensemble.values[chosen]))
    valid = np.arange(ensemble.steps) < ensemble.lengths[chosen, None]
    return pictures.learn(world, frames[valid], places.find(world, frames[valid]))


def read(path) -> Ensemble:
    """The episodes of a store: frames as bytes, whether the game is over, and actions; never the true state."""
    return replace(load_store(path, features=[FRAME, TERMINAL, ACTION]), step_unit="")  # a step is the unit of time


def figures(training, ensemble: Ensemble) -> dict:
    """Strips of frames, for the report."""
    from studies.pong.figures import of_training  # which draws with finished models

    return of_training(training, ensemble)


STUDY = Study(
    name="pong",
    title="sim2seq: Pong from pixels",
    settings=PongSettings,
    task=Played(),
    read=read,
    choose=choose,
    models=NETWORKS,
    scaled=False,
    judge=judge,
    shown=places.placed,
    figures=figures,
)
