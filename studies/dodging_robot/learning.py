"""Learning: from the runs in a store to a policy in a folder, and back.

model.keras     takes (samples, timesteps, 8) as observed, gives commands (samples, 1), m/s; loads alone
settings.json   every setting        split.json    run ids of each part
history.csv     losses by epoch      scores.json   errors of the command, written last
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from sim2seq._support.config import FromWords, one_of
from sim2seq._support.files import read_json, save_model, write_json
from sim2seq.data.windows import PARTS, split_names, windows_of
from sim2seq.store import store
from sim2seq.training.training import read_history
from sim2seq.training.untrusted import one_line
from studies.dodging_robot.network import HEADS, NETWORKS, deciding
from studies.dodging_robot.simulate import BALL_FEATURES, LAYOUT, WORLD

MIRROR = np.array([-1, 1, -1, 1] * 2, dtype="float32")  # left is right: x and vx change sign, and so does the command
SWAP = [4, 5, 6, 7, 0, 1, 2, 3]  # which ball has which slot means nothing
DATA = {"expert": ("expert",), "human": ("human",), "both": ("expert", "human")}  # which groups of runs
LOSSES = ("mae", "mse")
MOVES = 1 / 3  # of the speed limit: a slower command counts as staying
MOST_SCORED = 5_000  # windows
MOST_TIMESTEPS = 60  # each becomes a part of the compiled step

RECIPES = {
    # every epoch is trained, since over-fitting is to be seen; the weights of the best one are kept
    "sweep": {"epochs": 12, "patience": 12, "windows_per_epoch": 20_000},
    "debug": {"epochs": 2, "windows_per_epoch": 2_000, "neurons": 4, "timesteps": 3, "jit_compile": False},
}


@dataclass(frozen=True)
class Settings(FromWords, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    network: str = "single_lstm"  # or feed_forward
    timesteps: int = 10  # rows that the network sees
    neurons: int = 20
    head: str = "plain"  # or left_right
    loss: str = "mae"  # between two good answers it takes one; the mean of left and right, mse, is to stay
    data: str = "expert"  # human, expert or both: groups of runs in the store
    physics: bool = True  # the first layer tells when and where balls cross the robot's line
    mirror: bool = True  # learn from mirrored windows too
    epochs: int = 60  # at most
    patience: int = 15  # epochs without a better validation loss before it stops
    batch_size: int = 128  # windows
    windows_per_epoch: int = 100_000  # at most, drawn anew
    learning_rate: float = 1e-2  # at the start; falls to 0 along a cosine
    fractions: tuple[float, ...] = (0.75, 0.125, 0.125)  # of the runs of each group: train, validation, test
    split_seed: int = 1777
    seed: int = 0  # of weights and shuffling
    jit_compile: bool = True  # for speed alone

    def __post_init__(self):
        for name, known in (("network", NETWORKS), ("head", HEADS), ("loss", LOSSES), ("data", DATA)):
            one_of(name, getattr(self, name), known)
        for name in ("timesteps", "neurons", "epochs", "patience", "batch_size", "windows_per_epoch", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"setting {name}: expected a number above 0; got {getattr(self, name)}")
        if self.timesteps > MOST_TIMESTEPS:
            raise ValueError(f"setting timesteps: expected up to {MOST_TIMESTEPS}; got {self.timesteps}")


def load_runs(path) -> dict[str, np.ndarray]:
    """Every run of the store in the run layout: id -> (steps, 9), float32. Lengths may differ."""
    runs = {}
    for group, ids in groups_of(store.run_ids(path)).items():
        same_length = [[run] for run in ids] if group == "human" else [ids]
        for together in same_length:
            ensemble = store.load(path, runs=together)
            missing = [name for name in LAYOUT if name not in ensemble.features]
            if missing:
                raise ValueError(f"{path}: run {together[0]}: expected the series {', '.join(LAYOUT)}; no {missing[0]}")
            columns = [ensemble.features.index(name) for name in LAYOUT]
            runs |= zip(ensemble.run_ids, ensemble.values[:, :, columns].astype("float32"), strict=True)
    return runs


def groups_of(run_ids) -> dict[str, list[str]]:
    """Run ids by group, which is what stands before the last "_"."""
    groups = {}
    for run in run_ids:
        groups.setdefault(run.rpartition("_")[0], []).append(run)
    return groups


def split_runs(runs: dict, settings: Settings) -> dict[str, tuple[str, ...]]:
    """Part -> ids of its runs. Each group is split for itself, so that the parts of "both" are those of its groups."""
    groups, split = groups_of(runs), {part: () for part in PARTS}
    for group in DATA[settings.data]:
        if group not in groups:
            raise ValueError(
                f"data {settings.data}: expected runs of the group {group!r}; there are: {', '.join(groups)}"
            )
        names = split_names(groups[group], settings.fractions, seed=settings.split_seed)
        split = {part: split[part] + names[part] for part in PARTS}
    return split


def cut(runs: dict, names, timesteps: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of these runs, (samples, timesteps, 8), and the command of each next row, (samples, 1).

    Raises ValueError, naming the first one, where a run has no window.
    """
    if short := [name for name in names if len(runs[name]) <= timesteps]:
        raise ValueError(f"timesteps {timesteps}: expected runs of more steps, {short[0]} has {len(runs[short[0]])}")
    pieces = [
        windows_of(runs[name][None], timesteps, known=slice(1, len(LAYOUT)), wanted=slice(0, 1)) for name in names
    ]
    known, wanted = zip(*pieces, strict=True)
    size = (-1, timesteps, len(BALL_FEATURES))
    return np.concatenate([k.reshape(size) for k in known]), np.concatenate([w.reshape(-1, 1) for w in wanted])


class Batches(keras.utils.PyDataset):
    """Batches of windows, shuffled by (seed, epoch); half of them mirrored, if asked for, and half with balls swapped.

    Mirrored twins are made here, of training windows only, so none is ever judged on.
    """

    def __init__(self, known, wanted, settings: Settings, *, targets: Callable = lambda commands: commands):
        super().__init__()
        self.known, self.wanted, self.settings, self.targets = known, wanted, settings, targets
        self.samples = min(len(known), settings.windows_per_epoch)
        self.batch_size = min(settings.batch_size, self.samples)
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        generator = np.random.default_rng((self.settings.seed, epoch))
        self.order = generator.permutation(len(self.known))[: self.samples]
        self.mirrored = generator.random(self.samples) < (0.5 if self.settings.mirror else 0.0)
        self.swapped = generator.random(self.samples) < 0.5

    def __len__(self) -> int:
        return self.samples // self.batch_size  # of one size, or the step is compiled again

    def __getitem__(self, index: int):
        here = slice(index * self.batch_size, (index + 1) * self.batch_size)
        known, wanted = self.known[self.order[here]], self.wanted[self.order[here]]
        mirrored, swapped = self.mirrored[here, None, None], self.swapped[here, None, None]
        known = np.where(swapped, known[..., SWAP], known)
        known, wanted = np.where(mirrored, known * MIRROR, known), np.where(mirrored[:, 0], -wanted, wanted)
        return known, self.targets(wanted)


def choice_of(commands: np.ndarray) -> np.ndarray:
    """The place in CHOICES of each command, (samples, 1)."""
    moves = np.abs(commands) > MOVES * WORLD.robot_speed
    return (np.sign(commands) * moves + 1).astype("int32")


def fit(runs: dict, settings: Settings, folder, *, split: dict | None = None) -> Path:
    """Train on the runs and fill `folder`; a finished training with the same settings and runs is left as it is.

    split   part -> ids of its runs (None: as the settings say, see split_runs)
    Raises AnotherTraining, a ValueError, for a folder that holds another one.
    """
    folder, split = Path(folder), split or split_runs(runs, settings)
    parts = {part: cut(runs, names, settings.timesteps) for part, names in split.items()}
    wanted = {"settings.json": asdict(settings), "split.json": split | {"data": digest(runs, split)}}
    for name, content in wanted.items():
        held = read_json(folder / name) if (folder / name).exists() else None
        if held not in (None, json.loads(json.dumps(content))):
            raise AnotherTraining(
                f"{folder} holds a training with other settings or runs ({name}); choose another folder"
            )
    if (folder / "scores.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in wanted.items():
        write_json(folder / name, content)
    began = time.perf_counter()
    model = train(parts, settings, folder)
    save_model(model, folder / "model.keras")
    write_json(folder / "scores.json", score(model, parts) | {"seconds": time.perf_counter() - began})
    return folder


class AnotherTraining(ValueError):
    """The folder holds a training with other settings or runs."""


def digest(runs: dict, split: dict) -> str:
    """A fingerprint of the runs of a split: equal for equal numbers only."""
    fingerprint = hashlib.sha256()
    for names in split.values():
        for name in names:
            fingerprint.update(np.ascontiguousarray(runs[name], dtype="float32"))
    return fingerprint.hexdigest()


def train(parts: dict, settings: Settings, folder: Path) -> keras.Model:
    """The policy of lowest validation loss; losses go to history.csv."""
    chooses = settings.head == "left_right"
    batches = Batches(*parts["train"], settings, targets=choice_of if chooses else np.asarray)
    known, wanted = some(*parts["validation"])
    learner = renewed(compiled(replace(settings, seed=0, data="expert", mirror=True), len(batches)), settings)
    (folder / "history.csv").unlink(missing_ok=True)
    learner.fit(
        batches,
        validation_data=(known, choice_of(wanted) if chooses else wanted),
        validation_batch_size=len(known),
        epochs=settings.epochs,
        shuffle=False,  # Batches shuffles, by seed and epoch
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin_epoch(epoch)),
            keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True),
            keras.callbacks.CSVLogger(folder / "history.csv"),
        ],
        verbose=0,
    )
    moving = np.abs(parts["train"][1])
    moving = moving[moving > MOVES * WORLD.robot_speed]
    return deciding(learner, float(moving.mean()) if len(moving) else 0.0)


def built(settings: Settings) -> keras.Model:
    options = {"head": settings.head, "physics": settings.physics}
    return NETWORKS[settings.network](settings.timesteps, settings.neurons, **options)


@lru_cache(maxsize=1)
def compiled(settings: Settings, batches: int) -> keras.Model:
    """A network with its compiled steps, which the seeds of a sweep share: compiling takes longer than training."""
    network = built(settings)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * batches)
    network.compile(
        loss="sparse_categorical_crossentropy" if settings.head == "left_right" else settings.loss,
        optimizer=keras.optimizers.Adam(rate),
        jit_compile=settings.jit_compile,
        steps_per_execution=batches,
    )
    return network


def renewed(learner: keras.Model, settings: Settings) -> keras.Model:
    """The compiled network as if it had just been made with this seed."""
    keras.utils.set_random_seed(settings.seed)
    learner.set_weights(built(settings).get_weights())
    for variable in learner.optimizer.variables:
        if variable.path.rpartition("/")[2] != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))
    return learner


def some(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to MOST_SCORED windows, evenly spread: enough to judge by."""
    chosen = np.unique(np.linspace(0, len(known) - 1, MOST_SCORED).astype(int))
    return known[chosen], wanted[chosen]


def score(model: keras.Model, parts: dict) -> dict:
    """Mean absolute error of the command, m/s, on each part, beside that of the mean command of the training runs."""
    middle = float(parts["train"][1].mean())
    scores = {"parameters": model.count_params()}
    for part in PARTS:
        known, wanted = some(*parts[part])
        errors = {"model": model.predict(known, batch_size=len(known), verbose=0) - wanted, "mean": middle - wanted}
        scores[part] = {name: float(np.abs(error).mean()) for name, error in errors.items()} | {"windows": len(known)}
    return scores


def load_policy(folder):
    """The policy of a training's folder, as those of policies.py: maker(episodes, seed). No code in it is run."""
    with one_line(f"{folder}: expected a finished training"):
        read_json(Path(folder) / "scores.json")
        model = keras.saving.load_model(Path(folder) / "model.keras", safe_mode=True)
    return policy_of(model)


def policy_of(model: keras.Model):
    """A maker of policies that see the last rows as `model` wants them; at first the first row stands for all."""
    timesteps = model.inputs[0].shape[1]
    model.compile(jit_compile=True)

    def make(episodes: int, seed: int = 0):
        rows = np.empty((episodes, timesteps, len(BALL_FEATURES)), dtype="float32")
        first = True

        def command(balls, robot):
            nonlocal first
            rows[:, :-1] = balls[:, None] if first else rows[:, 1:]
            rows[:, -1], first = balls, False
            return np.asarray(model.predict_on_batch(rows), dtype=float)[:, 0]

        return command

    return make


def scores_of(folder) -> dict:
    """scores.json of a finished training."""
    return read_json(Path(folder) / "scores.json")


def losses_of(folder) -> dict[str, list[float]]:
    """history.csv of a training: name -> one number an epoch."""
    return read_history(Path(folder) / "history.csv")
