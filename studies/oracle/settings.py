"""Settings of one training of a self-organising map, as people write them: map_rows:12 grid:square."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from sim2seq._support.config import Config
from studies.oracle.grids import GRIDS, MOST_NEURONS
from studies.oracle.schedules import SCHEDULES

MODES = ("stochastic", "deterministic", "sections")
FEWEST_CHECKPOINTS, MOST_CHECKPOINTS = 20, 200
DEBUG = {"map_rows": 5, "map_columns": 5, "epoch_multiplier": 1.0, "checkpoints": 20, "mode": "stochastic"}


@dataclass(frozen=True)
class Settings(Config, recipes={"debug": DEBUG}):
    """What one run is told. Rates are shares, batches per cent of all rows, window and patience checkpoints.

    mode               stochastic: a row an iteration; deterministic: all; sections: rows drawn from each of `sections`
                       parts into which the rows were dealt at random
    epoch_multiplier   iterations, as a multiple of the rows
    radius_ratio       the radius at the start, as a multiple of the map's longer side
    reshuffle          use every row once before any is used again; else draw anew in every iteration (and keep the
                       rows in their order, in the deterministic mode)
    window, patience   end when the mean error of the last `window` checkpoints was not the lowest so far for
                       `patience` checkpoints; 0: never
    """

    map_rows: int = 10
    map_columns: int = 10
    grid: str = "hexagonal"
    rate_start: float = 0.7
    rate_end: float = 0.05
    rate_schedule: str = "exp_drop"
    radius_ratio: float = 0.5
    radius_end: float = 1.0
    radius_schedule: str = "exp_drop"
    batch_start: float = 0.5
    batch_end: float = 5.0
    batch_schedule: str = "exp_growth"
    growth: float = 5.0
    epoch_multiplier: float = 1.0
    mode: str = "sections"
    sections: int = 5
    reshuffle: bool = True
    unit_norm: bool = False
    checkpoints: int = 100
    window: int = 0
    patience: int = 0
    seed: int = 0

    def __post_init__(self):
        check(self)

    @property
    def radius_start(self) -> float:
        return self.radius_ratio * max(self.map_rows, self.map_columns)


def check(settings: Settings) -> None:
    """Raise ValueError, in one line, for the first setting that cannot be."""
    for name, known in ALLOWED_WORDS.items():
        if getattr(settings, name) not in known:
            raise ValueError(f"{name} {getattr(settings, name)!r}: expected one of {', '.join(known)}")
    for field in fields(settings):
        value = getattr(settings, field.name)
        least, most = ALLOWED_NUMBERS.get(field.name, (-math.inf, math.inf))
        if isinstance(value, (int, float)) and not (math.isfinite(value) and least <= value <= most):
            limit = f"{least} to {most}" if most < math.inf else f"{least} or more"
            raise ValueError(f"{field.name} {value}: expected {limit}")
    if settings.map_rows * settings.map_columns > MOST_NEURONS:
        size = f"{settings.map_rows} x {settings.map_columns}"
        raise ValueError(f"a map of {size}: expected up to {MOST_NEURONS} neurons")
    if bool(settings.window) != bool(settings.patience):
        raise ValueError(f"window {settings.window}, patience {settings.patience}: expected both above 0, or both 0")


ALLOWED_WORDS = {"grid": GRIDS, "mode": MODES}
ALLOWED_WORDS |= dict.fromkeys(("rate_schedule", "radius_schedule", "batch_schedule"), SCHEDULES)
TINY = 1e-6
ALLOWED_NUMBERS = {
    "map_rows": (1, MOST_NEURONS),
    "map_columns": (1, MOST_NEURONS),
    "rate_start": (0.0, 1.0),
    "rate_end": (0.0, 1.0),
    "radius_ratio": (TINY, 100.0),
    "radius_end": (TINY, 100.0 * MOST_NEURONS),
    "batch_start": (0.0, 100.0),
    "batch_end": (0.0, 100.0),
    "growth": (TINY, 500.0),  # exp of it must stay a number
    "epoch_multiplier": (0.0, 100_000.0),
    "sections": (1, 1_000_000),
    "checkpoints": (FEWEST_CHECKPOINTS, MOST_CHECKPOINTS),
    "window": (0, MOST_CHECKPOINTS),
    "patience": (0, MOST_CHECKPOINTS),
    "seed": (0, math.inf),
}
