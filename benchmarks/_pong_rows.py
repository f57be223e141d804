"""The lines and rows of the table of Pong's models: each measure beside its goal, and what it is compared with."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from _rows import row

from studies.pong.scores import HORIZONS

GOALS = {("ours, angle told", "distance", 60): 1.5}
SHARES = {("ours, angle told", "ends_right"): 0.9, ("ours", "ends_right"): 0.99, ("ours", "exact"): 0.99}  # to reach
OF_LIMIT, TIMES = (20, 60), 3  # steps after which the goal of ours is so many times the limit
AS_COPY = 10  # steps, after which a source family has to be no worse than copying the last frame
NO_WORSE = f"no worse than copying the last frame at {AS_COPY} steps"
MEASURES = ("distance", "others", "pixel_mse", "ends_right", "bounce_right", "exact")
MEASURES += ("training_cpu_seconds", "frames_a_second")  # that have a mean over seeds


@dataclass(frozen=True)
class Beside:
    """What a line of the table is compared with: distances at each horizon, None where there is nothing of it.

    limit    of ours: the best that can be known from as many frames
    copied   of a model: those of copying the last of as many frames
    family   whether it is one of the source's, on Pong
    """

    limit: list[float] | None = None
    copied: list[float] | None = None
    family: bool = False


NOTHING = Beside()


def rows_of(name: str, found: dict, beside: Beside = NOTHING) -> list[dict]:
    """The rows of one line of the table."""
    rows = distance_rows(name, found["distance"], beside)
    for measure, unit in (("others", "px"), ("pixel_mse", "")):
        for step, value in zip(HORIZONS, found[measure], strict=False):
            rows.append(row(f"{name}: {measure}, {step} steps", value, None, "lower", unit))
    for measure in ("ends_right", "bounce_right", "exact"):
        if measure in found:
            goal = SHARES.get((without_seed(name), measure))
            rows.append(row(f"{name}: {measure}", found[measure], goal, "higher", "share"))
    if "frames_a_second" in found:
        rows.append(row(f"{name}: play", found["frames_a_second"], 60, "higher", "frames a second"))
    if "training_cpu_seconds" in found:
        rows.append(row(f"{name}: training", found["training_cpu_seconds"] / 60, 60, "lower", "CPU minutes"))
    return rows + ([verdict(name, found["distance"], beside.copied)] if beside.family else [])


def distance_rows(name: str, distances: list[float], beside: Beside) -> list[dict]:
    """The distance at each horizon, beside that of copying the last frame."""
    rows = []
    for place, step in enumerate(HORIZONS):
        goal = GOALS.get((without_seed(name), "distance", step))
        if beside.limit and step in OF_LIMIT:
            goal = TIMES * beside.limit[place]
        copied = beside.copied[place] if beside.copied else None
        rows.append(row(f"{name}: distance, {step} steps", distances[place], goal, "lower", "px", copied))
    return rows


def verdict(name: str, distances: list[float], copied: list[float]) -> dict:
    """The goal of the source's families."""
    place = HORIZONS.index(AS_COPY)
    return row(f"{name}: {NO_WORSE}", distances[place], copied[place], "lower", "px", copied[place])


def over_seeds(found: dict[str, dict], beside: dict[str, Beside]) -> list[dict]:
    """Of what was trained with several seeds: lines and rows of the mean over them, with its goal, and deviation."""
    rows = []
    for name in dict.fromkeys(map(without_seed, found)):
        several = [each for other, each in found.items() if without_seed(other) == name]
        if len(several) > 1:
            measures = [each for each in MEASURES if each in several[0]]
            table = {each: np.array([one[each] for one in several], dtype=float) for each in measures}
            mean = {each: values.mean(axis=0).tolist() for each, values in table.items()}
            deviation = {each: values.std(axis=0, ddof=1).tolist() for each, values in table.items()}
            rows += told(f"{name}, mean of {len(several)} seeds", mean, beside[name])
            rows += told(f"{name}, deviation of {len(several)} seeds", deviation)
    return rows


def without_seed(name: str) -> str:
    return re.sub(r", (seed \d+|mean of \d+ seeds)", "", name)


def told(name: str, found: dict, beside: Beside = NOTHING) -> list[dict]:
    """The rows of a line, which is printed."""
    print(line(name, found), flush=True)
    return rows_of(name, found, beside)


def line(name: str, found: dict) -> str:
    """A line of the table in Markdown."""
    cells = [f"{value:.2f}" for value in found["distance"]]
    cells += [f"{100 * found[each]:.3g} %" for each in ("ends_right", "bounce_right", "exact") if each in found]
    cells += [f"{found['pixel_mse'][3]:.4f}", f"{found['others'][3]:.2f}"]
    cells += [f"{found['training_cpu_seconds'] / 60:.1f}" if "training_cpu_seconds" in found else ""]
    cells += [f"{found['frames_a_second']:.0f}" if "frames_a_second" in found else ""]
    return f"| {name} | " + " | ".join("–" if "nan" in each else each for each in cells) + " |"
