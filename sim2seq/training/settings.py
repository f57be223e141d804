"""Settings of a training: one block, with defaults that work; unknown names fail. Losses and optimizers by name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import ops

from sim2seq._support.config import Config, one_of
from sim2seq.data.splits import SPLITS
from sim2seq.models.builders import LEAST_WINDOW, MODELS


class ScaledError(keras.losses.Loss):
    """The mean over the outputs of `error(targets - answers)` in units of `unit`; at `dtype`, Keras' own is float32."""

    def __init__(self, error, unit: float, *, dtype: str):
        super().__init__(name="scaled_error", dtype=dtype, reduction="mean_with_sample_weight")
        self.error, self.unit = error, unit

    def call(self, y_true, y_pred):
        return ops.mean(self.error((y_true - y_pred) / self.unit), axis=-1)


def huber(error):
    """Squared up to 1, then growing like the distance: Huber, Robust Estimation of a Location Parameter, 1964."""
    size = ops.absolute(error)
    return ops.where(size < 1, ops.square(error), 2 * size - 1)


LOSSES = {"squared": ops.square, "absolute": ops.absolute, "huber": huber}  # of an error in units of core.error_unit
OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}

SCHEDULES = {  # rate, steps -> what an optimizer is given; plateau: halved on the way (checkpoint.Plateau)
    "cosine": keras.optimizers.schedules.CosineDecay,
    "plateau": lambda rate, steps: rate,
}


def optimizer_of(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of these settings for a training of so many steps."""
    return OPTIMIZERS[settings.optimizer](SCHEDULES[settings.schedule](settings.learning_rate, steps))


def loss_of(core: keras.Model, name: str):
    """The loss that a core is trained with: its own, where it has one, or the named one in units of its error."""
    if own := getattr(core, "own_loss", None):
        return own
    return ScaledError(LOSSES[name], core.error_unit, dtype=core.inputs[0].dtype)


COMBINED = "combined"  # of candidates of different kinds: training/combine.py
RECIPES = {  # ready sets of settings, chosen as recipe:name or size:name; with both, the size goes over the recipe
    "full": {},
    # the source's network, as the source trains it: no linear part, one target for each window
    "stacked_lstm": {
        "model": "stacked_lstm",
        "targets": 1,
        "batch_size": 32,
        "epochs": 40,
        "passes": 1,
        "learning_rate": 2e-3,
        "steps_per_execution": 20,
    },
    # for a system whose features do not act on each other, with a lookback of three steps: see models.autoregression
    "autoregression": {
        "model": "autoregression",
        "units": (16, 16),
        "members": 3,
        "targets": 1,
        "batch_size": 128,
        "epochs": 20,
        "passes": 8,
        "learning_rate": 1e-2,
        "steps_per_execution": 2000,
    },
    # `debug` goes through everything in seconds; its scores mean nothing
    "debug": {
        "model": "residual_lstm",
        "units": (8,),
        "members": 1,
        "epochs": 2,
        "passes": 1,
        "targets": 10,
        "targets_per_epoch": 2_000,
        "batch_size": 64,
        "jit_compile": False,
        "steps_per_execution": 1,
    },
}


@dataclass(frozen=True)
class Settings(Config, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible.

    A study that needs others inherits this class, with more fields, other defaults and recipes of its own.
    """

    models: ClassVar[tuple[str, ...]] = (COMBINED, *MODELS)  # that a study knows beside its own (training/study.py)

    # model
    model: str = COMBINED  # or one alone: a name in models.builders.MODELS, or one of the study's
    budget: str = "3m"  # time for all candidates of `combined` together: 90s, 3m, 1h
    units: tuple[int, ...] = (64, 32, 16, 8)  # size of each layer
    window: int = 30  # steps that the model sees before its first answer; 0: none, a forecast from inputs alone
    inputs: tuple[str, ...] = ()  # names of inputs of the run that the model is told
    controls: tuple[str, ...] = ()  # names of features that are known for the future too and are not forecast
    members: int = 1  # models trained alike, each without some of the training runs, whose median is the answer
    # training
    loss: str = "squared"  # of an error, one step ahead: squared, absolute or huber
    optimizer: str = "adam"  # adam, adamw, nadam, rmsprop or sgd
    epochs: int = 20  # at most
    patience: int = 5  # epochs without a better validation loss before it stops
    batch_size: int = 32  # samples: windows with their targets
    targets: int = 50  # steps to predict in each sample, each from all before it; fewer where the runs are shorter
    targets_per_epoch: int = 16_000  # at most, drawn anew: a larger ensemble is learned in the same time
    passes: int = 2  # over those samples in an epoch, whose end costs time: validation, files
    learning_rate: float = 5e-3  # at the start
    schedule: str = "cosine"  # it falls to 0 along a cosine over all epochs; plateau: halves where the loss stays
    augment: bool = True  # one model alone: learn from the study's variations of samples, where it has some, too
    # data
    split: str = "by_run"  # or by_group, by_name, in_time
    fractions: tuple[float, ...] = (0.6, 0.2, 0.2)  # train, validation, test
    held_out: str = "outside"  # group of runs, by the start of their id, that are scored apart and never learned from
    split_seed: int = -1  # of the split; -1: the one below
    seed: int = 1777  # of weights and shuffling, and of the split
    # speed, without effect on what is learned; measured by benchmarks/training.py
    jit_compile: bool = True
    steps_per_execution: int = 10

    def __post_init__(self):
        for name, known in (("loss", LOSSES), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("split", SPLITS)):
            one_of(name, getattr(self, name), known)
        one_of("model", self.model, self.models)
        seconds_of(self.budget)
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"setting {name}: expected a number above 0; got {getattr(self, name)}")
        if self.model == COMBINED and self.members > 1:
            raise ValueError("setting members: of one model alone, such as model:stacked_lstm; candidates are combined")
        if self.window < 0:
            raise ValueError(f"setting window: expected 0 or more; got {self.window}")
        if self.window == 0 and self.model == COMBINED and not self.inputs:
            raise ValueError("setting window: 0 is a forecast from the inputs of the run alone; name them, inputs:a,b")
        if self.window < (least := self.least_window):
            raise ValueError(f"setting window: {self.model} needs {least} steps or more; got {self.window}")
        if not self.units or min(self.units) < 1:
            raise ValueError(f"setting units: expected layer sizes of 1 or more; got {self.units}")
        if self.split_seed < -1:
            raise ValueError(
                f"setting split_seed: expected 0 or more, or -1 for that of the weights; got {self.split_seed}"
            )

    @property
    def least_window(self) -> int:
        """The fewest steps that the model can begin with."""
        return LEAST_WINDOW.get(self.model, int(self.model != COMBINED))

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        return seconds_of(self.budget)

    @property
    def compiles(self) -> bool:
        """Whether steps are compiled by XLA, which takes 15 to 30 seconds: not for a budget below a minute."""
        return self.jit_compile and (self.model != COMBINED or self.seconds >= 60)

    @property
    def longest(self) -> float:
        """Seconds after which the training of one model ends, if its epochs have not; a study may say some."""
        return math.inf


def seconds_of(text: str) -> float:
    """A time like 90s, 3m or 1h (or a number of seconds) in seconds. Raises ValueError for others."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not match or float(match[1]) <= 0:
        raise ValueError(f"setting budget: expected a time like 90s, 3m or 1h; got {text!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "": 1}[match[2]]


TARGET_RECIPES = {"debug": RECIPES["debug"] | {"model": "stacked_lstm", "epochs": 4, "targets": 20}}


@dataclass(frozen=True)
class TargetSettings(Settings, recipes=TARGET_RECIPES):
    """The settings of a study that learns targets: an LSTM alone, since no linear part forecasts them."""

    models: ClassVar[tuple[str, ...]] = tuple(MODELS)
    model: str = "stacked_lstm"
    units: tuple[int, ...] = (32, 16)
    window: int = 5  # the fewest steps before an answer
    batch_size: int = 16
    epochs: int = 60
    patience: int = 15


SYMBOL_RECIPES = {"debug": RECIPES["debug"] | {"model": "stacked_lstm", "epochs": 4}}


@dataclass(frozen=True)
class SymbolSettings(Settings, recipes=SYMBOL_RECIPES):
    """The settings of a study that learns the next symbol: an LSTM alone, from a start token on, without a window."""

    models: ClassVar[tuple[str, ...]] = ("stacked_lstm",)
    model: str = "stacked_lstm"
    units: tuple[int, ...] = (32,)
    window: int = 0
    batch_size: int = 128
    targets_per_epoch: int = 1_000_000
    passes: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.window != 0:
            raise ValueError(f"setting window: a model of the next symbol begins with a start token; got {self.window}")

    @property
    def least_window(self) -> int:
        return 0


POSITIVE: tuple[str, ...] = ("members", "epochs", "patience", "batch_size", "targets")
POSITIVE += ("targets_per_epoch", "passes", "learning_rate", "steps_per_execution")
DEBUG = Settings.of(RECIPES["debug"])
