"""The dodging robot's study: what is learned, from whose runs, and by what it is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sim2seq import Ensemble, PerStep, Settings, Study, load_store
from sim2seq._support.config import one_of
from sim2seq.data.windows import Scaling
from studies.dodging_robot import environment as environment  # whose packages are missed here, not in the last step
from studies.dodging_robot import policies, scores
from studies.dodging_robot.figures import hits_by_policy
from studies.dodging_robot.network import MOVES, NETWORKS
from studies.dodging_robot.world import BALL_FEATURES, LAYOUT, WORLD, count_steps

MIRROR = np.array([-1, *[-1, 1, -1, 1] * 2], dtype="float32")  # left is right: the command, x and vx change sign
SWAP = [0, 5, 6, 7, 8, 1, 2, 3, 4]  # which ball has which slot means nothing
DATA = {"expert": ("expert",), "human": ("human",), "both": ("expert", "human")}  # which groups of runs
HEADS = ("", "plain", "left_right")
MOST_WINDOW = 60  # each row becomes a part of the compiled step

RECIPES = {
    # every epoch is trained, since over-fitting is to be seen; the weights of the best one are kept
    "sweep": {"epochs": 12, "patience": 12, "targets_per_epoch": 20_000, "episodes": 50},
    "debug": {"epochs": 2, "targets_per_epoch": 2_000, "units": (4,), "window": 3, "steps_per_execution": 1}
    | {"episodes": 2, "duration": 6.0},
}


@dataclass(frozen=True)
class RobotSettings(Settings, recipes=RECIPES):
    """The settings of a training. Raises ValueError, in one line, for a value that is not possible."""

    models: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    model: str = "single_lstm"  # or feed_forward
    units: tuple[int, ...] = (20,)  # neurons of the LSTM layer
    window: int = 10  # rows that the network sees, 0.1 s apart
    head: str = ""  # plain: a command; left_right: a choice; "": a choice for who learns from people, as most stay
    data: str = "expert"  # human, expert or both: groups of runs in the store
    physics: bool = True  # the first layer tells when and where balls cross the robot's line
    loss: str = "absolute"  # between two good answers it takes one; the mean of left and right, squared, is to stay
    epochs: int = 60
    patience: int = 15
    batch_size: int = 128
    targets: int = 1  # no others: each window is a sample
    targets_per_epoch: int = 100_000
    passes: int = 1
    learning_rate: float = 1e-2
    fractions: tuple[float, ...] = (0.75, 0.125, 0.125)
    split_seed: int = 1777
    seed: int = 0
    jit_compile: bool = False  # no faster with it, once the steps are compiled, which takes longer than a training
    steps_per_execution: int = 1_000
    episodes: int = 100  # to play in each aiming mode, by which trainings are ranked
    duration: float = 60.0  # of an episode, s

    def __post_init__(self):
        super().__post_init__()
        for name, choices in (("head", HEADS), ("data", DATA)):
            one_of(name, getattr(self, name), choices)
        for name, expected, good in (
            ("window", f"up to {MOST_WINDOW}", self.window <= MOST_WINDOW),
            ("units", "one layer size", len(self.units) == 1),
            ("targets", "1", self.targets == 1),
            ("episodes", "1 or more", self.episodes >= 1),
        ):
            if not good:
                raise ValueError(f"setting {name}: expected {expected}; got {getattr(self, name)}")
        count_steps(self.duration)

    @property
    def chooses(self) -> bool:
        """Whether the network chooses between left, stay and right."""
        return (self.head or ("left_right" if self.data == "human" else "plain")) == "left_right"


@dataclass(frozen=True)
class Commands(PerStep):
    """The command of the next row from the balls up to this one; a choice moves at the mean speed of who moves."""

    def scalings(self, training: Ensemble, settings, *, scaled: bool = True):
        found = super().scalings(training, settings, scaled=scaled)
        if not settings.chooses:
            return found
        speeds = np.abs(np.asarray(training.values)[..., training.places(self.outputs)])
        moving = speeds[speeds > MOVES * WORLD.robot_speed]
        return replace(found, results=Scaling(np.zeros(1), np.array([moving.mean() if len(moving) else 0.0])))


def choose(ensemble: Ensemble, settings) -> Ensemble:
    """The runs that `settings.data` names, up to the end of the longest of them."""
    groups = DATA[settings.data]
    if missing := [group for group in groups if group not in ensemble.groups]:
        there = ", ".join(dict.fromkeys(ensemble.groups))
        raise ValueError(f"data {settings.data}: expected runs of the group {missing[0]!r}; there are: {there}")
    kept = np.flatnonzero(np.isin(ensemble.groups, groups))
    return ensemble.take(kept, steps=slice(int(ensemble.lengths[kept].max())))


def varied(block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Samples (samples, steps, 9), half of them mirrored, and half with the balls in each other's slots."""
    mirrored, swapped = generator.random((2, len(block), 1, 1)) < 0.5
    block = np.where(swapped, block[..., SWAP], block)
    return np.where(mirrored, block * MIRROR, block)


def judge(training, ensemble) -> dict[str, float]:
    """Hits a minute, over all aiming modes and in each, on launches that are neither learned from nor tested on."""
    seeds = range(scores.VALIDATION_SEED, scores.VALIDATION_SEED + training.settings.episodes)
    played = scores.play(policies.learned(training.models), seeds=seeds, duration=training.settings.duration)
    hits = {f"hits_{aim}": score.hits for aim, score in played.items()}
    return {"hits": scores.mean_hits(played), **hits, "distance": np.mean([s.distance for s in played.values()])}


def figures(training, ensemble) -> dict:
    """Hits of this robot beside those of the expert and of one that stands still, on the same launches."""
    makers = {name: policies.POLICIES[name] for name in ("still", "expert")} | {
        "learned": policies.learned(training.models)
    }
    seeds = range(scores.NOTEBOOK_SEED, scores.NOTEBOOK_SEED + training.settings.episodes)
    board = scores.board_of(makers, seeds=seeds, duration=training.settings.duration)
    return {"hits": (hits_by_policy(board), "Hits a minute by policy, with 95 % intervals, on the same launches.")}


STUDY = Study(
    name="dodging_robot",
    title="sim2seq: the dodging robot",
    settings=RobotSettings,
    task=Commands(inputs=BALL_FEATURES, outputs=("command",), ahead=1),
    read=lambda path: load_store(path, features=LAYOUT),
    choose=choose,
    models=NETWORKS,
    baselines={"stay": lambda inputs, targets, queries: np.zeros((len(queries), 1))},  # the median of people's commands
    augment=varied,
    scaled=False,  # the networks' first layer has the world's own scales
    judge=judge,
    figures=figures,
)
