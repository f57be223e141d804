"""Self-organising maps: one run trains one map on one table and writes down how it goes.

    training = train(table.values, Settings(map_rows=12, seed=3))
    training.checkpoints[:, SERIES.index("mqe")]

Weights begin uniform in [0, 1]. For each row in turn the nearest neuron is sought over the row's known values, and
every neuron moves towards the row by rate * exp(-D^2 / (2 radius^2)), D its distance to the nearest one on the grid
(Kohonen 1982). Learning rate, radius and batch size belong to an iteration: settings.py, schedules.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from studies.oracle import kernels, metrics
from studies.oracle.grids import Grid, grid
from studies.oracle.schedules import schedule
from studies.oracle.settings import FEWEST_CHECKPOINTS, Settings

SERIES = ("progress", "mqe", "topographic_error", "dead_ratio", "learning_rate", "radius", "work")
WHOLE, EARLY, WATCHED = "whole", "early stop", "ended by watch"
MOST_UPDATES = 200_000_000  # minutes; the rows of a stretch between checkpoints are drawn at once


@dataclass(frozen=True)
class Plan:
    """What a run will do, known before it begins.

    rates, radii   (iterations,)
    takes          (iterations,): rows from each section
    updates        (iterations,): weight updates, rows from all sections
    checkpoints    (checkpoints,): iterations done at each
    """

    rates: np.ndarray
    radii: np.ndarray
    takes: np.ndarray
    updates: np.ndarray
    checkpoints: np.ndarray

    @property
    def work(self) -> np.ndarray:
        """(checkpoints,): the share of all updates that is done at each, which is the share of the time it takes."""
        done = np.cumsum(self.updates)
        return done[self.checkpoints - 1] / done[-1]


@dataclass(frozen=True)
class Training:
    """What came of a run.

    weights        (map rows, map columns, features)
    checkpoints    (checkpoints, len(SERIES)): progress and work as shares of the planned run, mqe in the table's scaled
                   units, topographic_error and dead_ratio as shares, learning_rate and radius of the last iteration
    ended          WHOLE, EARLY or WATCHED
    updates        weight updates done
    seconds        wall time
    """

    weights: np.ndarray
    checkpoints: np.ndarray
    ended: str
    updates: int
    seconds: float


def plan(settings: Settings, rows: int) -> Plan:
    """What a run with these settings will do on a table of `rows`. ValueError for too short or too long a run."""
    iterations = int(rows * settings.epoch_multiplier)
    if iterations < FEWEST_CHECKPOINTS:
        raise ValueError(
            f"epoch_multiplier {settings.epoch_multiplier:g} on {rows} rows: {iterations} iterations, "
            f"expected {FEWEST_CHECKPOINTS} or more, one a checkpoint"
        )
    sizes = section_sizes(settings, rows)
    takes = rows_to_take(settings, rows, iterations)
    fitting, counts = np.unique(sizes, return_counts=True)
    updates = sum(count * np.minimum(takes, size) for size, count in zip(fitting, counts, strict=True))
    if updates.sum() > MOST_UPDATES:
        raise ValueError(f"{updates.sum():,} weight updates: expected up to {MOST_UPDATES:,}; lower epoch_multiplier")
    marks = min(settings.checkpoints, iterations)
    return Plan(
        along(settings, "rate", settings.rate_start, iterations),
        along(settings, "radius", settings.radius_start, iterations),
        takes,
        updates,
        -(-np.arange(1, marks + 1) * iterations // marks),  # rounded up: the last is the end
    )


def along(settings: Settings, what: str, start: float, iterations: int) -> np.ndarray:
    """(iterations,): the schedule of `what`."""
    name, end = (getattr(settings, f"{what}_{part}") for part in ("schedule", "end"))
    return schedule(name, start, end, iterations, growth=settings.growth)


def section_sizes(settings: Settings, rows: int) -> np.ndarray:
    """(sections,): rows in each part, as equal as can be. Raises ValueError for more sections than rows."""
    sections = settings.sections if settings.mode == "sections" else 1
    if sections > rows:
        raise ValueError(f"sections {sections}: expected up to the {rows} rows of the table")
    return np.full(sections, rows // sections) + (np.arange(sections) < rows % sections)


def rows_to_take(settings: Settings, rows: int, iterations: int) -> np.ndarray:
    """(iterations,): rows that each section gives to an iteration, at least one."""
    if settings.mode == "sections":
        percent = along(settings, "batch", settings.batch_start, iterations)
        return np.maximum(1, np.ceil(rows * percent / 100)).astype(np.int64)
    return np.full(iterations, 1 if settings.mode == "stochastic" else rows)


def train(values, settings: Settings, *, watch: Callable | None = None) -> Training:
    """Train a map on `values` (rows, features), in [0, 1], not a number where there is a gap.

    watch   called at every checkpoint with the checkpoints so far (checkpoints, len(SERIES)) and the weights, as in
            Training; what it returns says whether the run ends there
    Equal settings give equal weights. Raises ValueError for a run that cannot be planned.
    """
    begun, planned, lattice = time.perf_counter(), plan(settings, len(values)), grid_of(settings)
    table, generator = filled(values), np.random.default_rng(settings.seed)
    weights = np.ascontiguousarray(generator.random((lattice.neurons, values.shape[1])).T)
    done, log, ended, work = 0, [], WHOLE, planned.work
    pairs = lattice.gaps, lattice.rises, lattice.ranks
    for mark, (order, ends) in zip(planned.checkpoints, draws(planned, settings, len(values), generator), strict=True):
        now = slice(done, mark)
        schedules = planned.rates[now], planned.radii[now]
        kernels.follow(weights, *table, order, ends, *schedules, *pairs, settings.unit_norm)
        errors = measure(weights, *table, lattice)
        progress = mark / len(planned.rates)
        log.append((progress, *errors, planned.rates[mark - 1], planned.radii[mark - 1], work[len(log)]))
        done = mark
        if mark == len(planned.rates):
            break
        if is_stalled([entry[1] for entry in log], settings.window, settings.patience):
            ended = EARLY
        elif watch is not None and watch(np.array(log), shaped(weights, lattice)):
            ended = WATCHED
        if ended != WHOLE:
            break
    updates = int(planned.updates[:done].sum())
    return Training(shaped(weights, lattice), np.array(log), ended, updates, time.perf_counter() - begun)


def grid_of(settings: Settings) -> Grid:
    return grid(settings.grid, settings.map_rows, settings.map_columns)


def filled(values) -> tuple[np.ndarray, np.ndarray]:
    """Values with gaps as finite values (rows, features), and which are known."""
    values = np.ascontiguousarray(values, dtype=float)
    known = np.isfinite(values)
    return np.where(known, values, 0.0), known


def shaped(weights: np.ndarray, lattice: Grid) -> np.ndarray:
    """Weights (features, neurons) as a copy (map rows, map columns, features)."""
    return weights.T.reshape(lattice.rows, lattice.columns, -1).copy()


def measure(weights, values, known, lattice: Grid) -> tuple[float, float, float]:
    """Mean quantisation error, topographic error, ratio of dead neurons."""
    found = metrics.hits(weights, values, known)
    return metrics.mqe(found), metrics.topographic_error(found, lattice), metrics.dead_ratio(found, lattice)


def draws(planned: Plan, settings: Settings, rows: int, generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each stretch up to a checkpoint: the rows in their order, and (iterations,) where each iteration's end."""
    sizes = section_sizes(settings, rows)
    starts, cursors = np.concatenate([[0], np.cumsum(sizes)]), np.zeros(len(sizes), dtype=np.int64)
    in_order = settings.mode == "deterministic" and not settings.reshuffle
    dealt = np.arange(rows) if in_order else generator.permutation(rows)
    for first, last in zip([0, *planned.checkpoints[:-1]], planned.checkpoints, strict=True):
        takes, total = planned.takes[first:last], int(planned.updates[first:last].sum())
        if in_order:
            yield np.tile(dealt, last - first), rows * np.arange(1, last - first + 1)
            continue
        order, ends = np.empty(total, dtype=np.int64), np.empty(last - first, dtype=np.int64)
        kernels.draw(dealt, starts, cursors, takes, settings.reshuffle, generator.random(total), order, ends)
        yield order, ends


def is_stalled(errors: list[float], window: int, patience: int) -> bool:
    """Whether the moving mean of `window` errors was not the lowest so far for the last `patience` checkpoints."""
    if not patience or len(errors) < window + patience:
        return False
    means = np.convolve(errors, np.ones(window) / window, mode="valid")
    return len(means) - 1 - int(np.argmin(means)) >= patience


def follow(weights, values, order, rates, radii, lattice: Grid) -> np.ndarray:
    """The weights after one update for each row in `order`, with its own rate and radius.

    weights (map rows, map columns, features) stay as they are; values (rows, features) may have gaps; order, rates and
    radii (updates,). For comparisons with other programs; `train` chooses order and schedules by its settings.
    """
    moved = np.ascontiguousarray(np.reshape(weights, (lattice.neurons, -1)).T, dtype=float)
    order, ends = np.asarray(order, dtype=np.int64), np.arange(1, len(order) + 1)
    schedules = (np.asarray(each, dtype=float) for each in (rates, radii))
    kernels.follow(moved, *filled(values), order, ends, *schedules, lattice.gaps, lattice.rises, lattice.ranks, False)
    return shaped(moved, lattice)
