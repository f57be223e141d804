"""Pong's study: frames and actions in, the next frames out, judged by where things are in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim2seq import Ensemble, Forecast, Settings, Study, load_store
from sim2seq.data.windows import Columns
from sim2seq.evaluation.baselines import BASELINES
from sim2seq.models.rollout import rollout
from sim2seq.training.task import Layout, some
from studies.pong import dream, pictures, places, scores
from studies.pong.networks import NETWORKS
from studies.pong.places import ACTION, FRAME, PLACES, TERMINAL
from studies.pong.worlds import Pong

OURS = "objects"  # the one network that is given places instead of frames
SIMPLE = ("hold", "constant velocity", "nearest run")  # of the package's baselines, those that say something here
TOGETHER = 50  # episodes whose frames are made at once
LOOKED_AT = 200  # training episodes that pictures are learned from
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
        if self.closed_loop and self.model == OURS:
            raise ValueError(f"setting closed_loop: {OURS} is never shown true frames; expected false")

    @property
    def longest(self) -> float:
        return self.seconds


def choose(ensemble: Ensemble, settings) -> Ensemble:
    """As many episodes of each set, and steps of them, as the settings say; as places, for who learns from these.

    What is told of an episode, and the frames that are known, are those of its beginning, so a sample is no later part.
    """
    order, seen = [], dict.fromkeys(ensemble.groups, 0)
    for number, group in enumerate(ensemble.groups):
        if seen[group] < (settings.episodes if group == "train" else settings.judged):
            order.append(number)
        seen[group] += 1
    kept = ensemble.take(order, steps=slice(settings.window + settings.targets))
    return places.of_frames(kept) if settings.model == OURS else kept


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

    Beside the model it leaves what makes frames of its answers: the world's name, and pictures for who has places only.
    """
    world = places.world_of(ensemble.features)
    dream.write_world(training.folder, world)
    if training.settings.model == OURS:
        learned_pictures(world, ensemble, training.split.train.runs).write(training.folder)
    seen = training.predictions["validation"]
    away = np.linalg.norm(seen.middle[..., :2] - seen.truth[..., :2], axis=-1)
    horizons = (60, 20) if world.name == Pong.name else (20, 10)
    found = {f"distance_{steps}": mean_at(away, steps) for steps in horizons}
    return found | {"wrong_ends": scores.wrong_ends(seen.middle[..., -1], seen.truth[..., -1], max(horizons))}


def learned_pictures(world, ensemble: Ensemble, runs) -> pictures.Pictures:
    """What things look like, from frames of some training runs."""
    number = {run: place for place, run in enumerate(ensemble.run_ids)}
    chosen = [number[run] for run in runs[:LOOKED_AT]]
    frames = places.frames_of(world, np.asarray(ensemble.values[chosen]))
    valid = np.arange(ensemble.steps) < ensemble.lengths[chosen, None]
    return pictures.learn(world, frames[valid], places.find(world, frames[valid]))


def mean_at(away: np.ndarray, steps: int) -> float:
    """The mean so many steps ahead, of the episodes (episodes, steps) that last; the last step's where none does."""
    there = away[:, min(steps, away.shape[1]) - 1]
    return float(np.nanmean(there)) if np.isfinite(there).any() else float(np.nanmean(away))


def read(path) -> Ensemble:
    """The episodes of a store: frames as bytes, whether the game is over, and actions; never the true state."""
    return load_store(path, features=[FRAME, TERMINAL, ACTION])


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
