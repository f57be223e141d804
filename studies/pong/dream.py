"""Dream: a model in use. It is shown the first frames of an episode, and from there on makes the next ones itself.

    dream = load("folder of a training")              or load("copy"), load("constant velocity")
    state = dream.begin(frames, actions, meta)        the known frames
    frame, state = dream.step(state, action)          one frame later; state.over is the chance that the game is over

A step costs the same however long the episode is: all that is kept is in the state. Episodes may stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from sim2seq._support.files import read_json, write_json
from studies.pong import pictures, places
from studies.pong.worlds import BRIGHT, Pong, make_world

WORLD = "world.json"  # in the folder of a training
ROUND = "launch_sin", "launch_cos"  # what is told of an angle: the squares add up to 1
OFF_THE_CIRCLE = 0.01  # of that sum, at most: numbers that were written with few digits are taken


@dataclass(frozen=True)
class State:
    """Where some episodes are.

    inner    what the model keeps
    over     (episodes,), or one number: the chance that the game ended with the last step, 0 to 1
    single   whether it is one episode, without an axis of episodes
    """

    inner: Any
    over: np.ndarray
    single: bool = False


@dataclass(frozen=True)
class Dream:
    """A model that makes frames.

    world     whose frames it makes: worlds.Pong or CubeCrash
    known     how many frames it must be shown
    told      names of the inputs of an episode that it must be told, such as launch_sin, launch_cos
    start     frames (episodes, known, height, width) bytes, actions (episodes, known), inputs (episodes, told) or None
              -> inner state
    advance   inner state, actions (episodes,) -> frames (episodes, height, width) 0..1, over (episodes,), inner state
    ranges    name of an input -> lowest and highest value in the training episodes, where they are known
    """

    world: Any
    known: int
    told: tuple[str, ...]
    start: Callable
    advance: Callable
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def begin(self, frames, actions, meta=None) -> State:
        """The state after the known frames of an episode (known, height, width), or of some (episodes, known, ...).

        frames    bytes; the first ones of the episode
        actions   (known,) or (episodes, known): what led to each frame; of the first one, that of doing nothing
        meta      (told,) or (episodes, told): what `told` names; None for a model that is told nothing

        Raises ValueError for frames of another number, size or type, actions that the world has not, or other inputs:
        not as many, not finite, sine and cosine of no angle, or further outside the training's than these are apart.
        """
        frames, actions = np.asarray(frames), np.asarray(actions)
        single = frames.ndim == 3
        check_frames(self.world, frames, self.known)
        check_actions(self.world, actions, frames.shape[:-2])
        meta = check_told(self, meta, frames.shape[:-3])
        if single:
            frames, actions, meta = frames[None], actions[None], None if meta is None else meta[None]
        inner = self.start(frames, actions, meta)
        return State(inner, np.zeros(()) if single else np.zeros(len(frames)), single)

    def step(self, state: State, action) -> tuple[np.ndarray, State]:
        """The next frame (height, width), 0 to 1, or frames (episodes, height, width), and the state with it.

        action   one, or (episodes,). Raises ValueError for one that the world has not.
        """
        actions = np.asarray(action)
        check_actions(self.world, actions, np.shape(state.over))
        frames, over, inner = self.advance(state.inner, actions[None] if state.single else actions)
        if state.single:
            return frames[0], State(inner, over[0], True)
        return frames, State(inner, over)


def check_frames(world, frames: np.ndarray, known: int) -> None:
    """Raise ValueError, in one line, unless these are `known` frames of this world, bytes."""
    if frames.dtype != np.uint8:
        raise ValueError(f"frames: expected bytes, 0 to {BRIGHT}; got {frames.dtype}")
    if frames.ndim not in (3, 4):
        raise ValueError(f"frames: expected (frames, height, width), or (episodes, ...) of these; got {frames.shape}")
    if frames.shape[-2:] != (world.height, world.width):
        got = " x ".join(map(str, frames.shape[-2:]))
        raise ValueError(f"frames: expected {world.height} x {world.width} pixels, those of {world.name}; got {got}")
    if frames.shape[-3] != known:
        raise ValueError(f"frames: expected the first {known} of an episode; got {frames.shape[-3]}")


def check_actions(world, actions: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError, in one line, unless these are actions of this world, as many as `shape` says."""
    if actions.shape != shape:
        raise ValueError(f"actions: expected {shape or 'one'}, one a frame; got {actions.shape or 'one'}")
    whole = actions.dtype.kind in "ui" or (actions.dtype.kind == "f" and (actions == np.floor(actions)).all())
    if not whole or ((actions < 0) | (actions >= world.actions)).any():
        wrong = actions if not whole else actions[(actions < 0) | (actions >= world.actions)]
        raise ValueError(
            f"actions: expected whole numbers from 0 to {world.actions - 1} in {world.name}; got {wrong.ravel()[0]}"
        )


def check_told(dream: Dream, meta, episodes: tuple[int, ...]) -> np.ndarray | None:
    """What a model is told, (*episodes, told). Raises ValueError, in one line, for other than it can be told."""
    wanted, shape = (*episodes, len(dream.told)) if dream.told else None, None if meta is None else np.shape(meta)
    if shape != wanted:
        needs = f"{', '.join(dream.told)}: {wanted}" if dream.told else "none"
        raise ValueError(f"inputs of the episode: expected {needs}; got {shape}")
    if meta is None:
        return None
    values = np.asarray(meta)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError(f"inputs of the episode: expected finite numbers, {', '.join(dream.told)}; got {meta}")
    told = dict(zip(dream.told, np.moveaxis(values.astype(float), -1, 0), strict=True))
    if all(name in told for name in ROUND):
        squares = sum(np.square(told[name]) for name in ROUND)
        if (np.abs(squares - 1) > OFF_THE_CIRCLE).any():
            worst = squares.flat[np.abs(squares - 1).argmax()]
            raise ValueError(f"{', '.join(ROUND)}: expected those of an angle, squares that add up to 1; got {worst:g}")
    for name in told.keys() & dream.ranges.keys():
        check_near(name, told[name], *dream.ranges[name])
    return values.astype(float)


def check_near(name: str, values: np.ndarray, low: float, high: float) -> None:
    """Raise ValueError, in one line, for a value further outside a range than its ends are apart."""
    far = high - low or max(1.0, abs(high))
    beyond = np.maximum(low - values, values - high)
    if (beyond > far).any():
        raise ValueError(
            f"{name}: expected about {low:g} to {high:g}, as in training; got {values.flat[beyond.argmax()]:g}"
        )


def of_model(world, model, known: int, inputs: tuple[str, ...], drawn=None) -> Dream:
    """A finished model, stepped: one that makes frames, or one of places, of which `drawn` (pictures) makes them."""
    from studies.pong.stepping import Steps

    steps = Steps(model, known)
    pixels = world.height * world.width

    def rows_of(frames):
        seen = frames.reshape(*frames.shape[:2], pixels) if drawn is None else places.find(world, frames)
        return np.concatenate([seen, np.zeros((*seen.shape[:2], 1))], axis=-1, dtype="float32")

    def start(frames, actions, meta):
        return steps.begin(rows_of(frames), actions, meta)

    def advance(inner, actions):
        row, inner = steps.step(inner, actions)
        if drawn is None:
            return row[:, :-1].reshape(-1, world.height, world.width) / np.float32(BRIGHT), row[:, -1], inner
        return drawn.frames(row[:, :-1]), row[:, -1], inner

    return Dream(world, known, inputs, start, advance)


def playable(dream: Dream) -> Dream:
    """The same, of a world with rules of its own. Raises ValueError for the console's game."""
    if not hasattr(dream.world, "launch"):
        raise ValueError(f"world {dream.world.name}: expected one that can be played on from a state: pong, cube_crash")
    return dream


def load(folder, *, environment: str | None = None) -> Dream:
    """The model in the folder of a finished training; or the simple one of this name, of `environment` (default: pong).

    With an environment, a training of another one is refused. Raises ValueError, in one line, for that, and for a
    folder without a training of this study.
    """
    from studies.pong.simple import SIMPLE  # which are dreams, too

    if isinstance(folder, str) and folder in SIMPLE:
        return SIMPLE[folder](make_world(environment or Pong.name))
    return of_training(training_of(folder, others=f", or one of {', '.join(SIMPLE)}"), environment)


def training_of(folder, *, others: str = ""):
    """The finished training of this study in a folder. Raises ValueError as check_training."""
    check_training(folder, others=others)  # before it is read as this study's
    from sim2seq.training.folder import load as load_training
    from studies.pong.study import STUDY

    return load_training(folder, STUDY)


def check_training(folder, *, others: str = ""):
    """The world of the finished training in a folder. Raises ValueError, in one line, for what is none of this study.

    others   what else could have been given, for the message
    """
    wanted = f"expected the folder of a finished training{others}"
    if not isinstance(folder, str | PathLike):
        raise ValueError(f"model: {wanted}; got {folder!r}")
    if not Path(folder, "scores.json").exists():
        raise ValueError(f"{folder}: {wanted}")
    return read_world(folder)


def of_training(training, environment: str | None = None) -> Dream:
    """The first model of a finished training, stepped. Raises ValueError for one of another study, or environment."""
    from studies.pong.study import OURS

    folder, settings = training.folder, training.settings
    world = read_world(folder)
    if environment not in (None, world.name):
        raise ValueError(f"{folder}: expected a model of {environment}; got one of {world.name}")
    found = pictures.read(folder, world) if settings.model == OURS else None
    made = of_model(world, training.model, settings.window, settings.inputs, found)
    ends = {name: training.scores.inputs.get(name) for name in settings.inputs}
    return replace(made, ranges={name: each for name, each in ends.items() if each})


def write_world(folder, world) -> None:
    """Keep beside a model whose frames it makes."""
    write_json(Path(folder, WORLD), {"environment": world.name, "height": world.height, "width": world.width})


def read_world(folder):
    """The world whose frames a training makes. Raises ValueError for a training that is none of this study."""
    path = Path(folder, WORLD)
    if not path.exists():
        raise ValueError(f"{folder}: expected a training of Pong or CubeCrash ({WORLD} is missing)")
    try:
        held = read_json(path)
        return make_world(held["environment"], held["height"] if held["environment"] == Pong.name else None)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected environment, height and width of Pong or CubeCrash ({error})") from error
