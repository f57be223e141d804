"""Splits: which runs are learned from, chosen by and judged on. Whole runs or groups, or every run cut in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise

import numpy as np

from sim2seq.data.ensemble import Ensemble

PARTS = ("train", "validation", "test")
LOOKED_AT = 8  # steps of a run, by which almost all that differ are told apart
SMALL_GROUP = 10  # runs: groups of fewer are shuffled together, as a share of a few runs is no share


@dataclass(frozen=True)
class Part:
    """The runs named in `runs`, each from step `start` up to, not including, step `stop`."""

    runs: tuple[str, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Split:
    """What is learned from (train), chosen by (validation) and judged on (test)."""

    train: Part
    validation: Part
    test: Part


def split_by_run(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Split by whole runs, shuffled with `seed` (the source's "acyclic").

    Every run belongs to one part, and every large group of runs (Ensemble.groups) has its share in each part. Raises
    ValueError when there are fewer runs than parts.
    """
    check_fractions(fractions)
    if ensemble.runs < len(PARTS):
        raise ValueError(f"a split by run needs at least {len(PARTS)} runs, one a part; got {ensemble.runs}")
    place = {run: i for i, run in enumerate(ensemble.run_ids)}
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    for runs in strata(ensemble):
        for part, some in split_names(runs, fractions, seed=seed).items():
            names[part] += some
    whole = {part: tuple(sorted(some, key=place.__getitem__)) for part, some in names.items()}
    return Split(*(Part(runs, 0, ensemble.steps) for runs in whole.values()))


def strata(ensemble: Ensemble) -> list[list[str]]:
    """The run ids of each large group, and of all small ones together."""
    counts = Counter(ensemble.groups)
    large = [group for group, count in counts.items() if count >= SMALL_GROUP]
    pairs = list(zip(ensemble.run_ids, ensemble.groups, strict=True))
    rest = [run for run, group in pairs if group not in large]
    if 0 < len(rest) < len(PARTS):
        return [list(ensemble.run_ids)]
    found = [[run for run, one in pairs if one == group] for group in large]
    return [*found, rest] if rest else found


def split_by_group(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Split by whole groups of runs (Ensemble.groups), shuffled with `seed`: what is judged on is of another group.

    Raises ValueError when there are fewer groups than parts.
    """
    names = split_names(dict.fromkeys(ensemble.groups), fractions, seed=seed)
    pairs = list(zip(ensemble.run_ids, ensemble.groups, strict=True))
    runs = (tuple(run for run, group in pairs if group in groups) for groups in names.values())
    return Split(*(Part(some, 0, ensemble.steps) for some in runs))


def split_names(names, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> dict[str, tuple[str, ...]]:
    """The names of whole runs, or of groups of runs, shuffled with `seed`: part -> its names, in the order given.

    Raises ValueError for fewer names than parts, and for a name that is there twice.
    """
    check_fractions(fractions)
    names = tuple(names)
    if len(names) < len(PARTS):
        raise ValueError(f"a split needs at least {len(PARTS)} names, one a part; got {len(names)}")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"expected every name once; {repeated[0]} is there more often")
    order = np.random.default_rng(seed).permutation(len(names))
    groups = np.split(order, np.cumsum(shares(len(names), fractions))[:-1])
    return {part: tuple(names[i] for i in sorted(group)) for part, group in zip(PARTS, groups, strict=True)}


def split_in_time(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Cut every series in time, first part to learn from, last part to judge on (the source's "cyclic").

    Nothing is drawn, so `seed` has no effect. Raises ValueError when there are fewer steps than parts, and for runs of
    unequal length.
    """
    check_fractions(fractions)
    if ensemble.steps < len(PARTS):
        raise ValueError(f"a split in time needs at least {len(PARTS)} steps, one a part; got {ensemble.steps}")
    if not ensemble.uniform:
        raise ValueError("a split in time expects runs of one length; take split:by_run")
    edges = np.cumsum([0, *shares(ensemble.steps, fractions)])
    return Split(*(Part(ensemble.run_ids, int(a), int(b)) for a, b in pairwise(edges)))


def split_by_name(ensemble: Ensemble, fractions=(0.6, 0.2, 0.2), *, seed: int = 0) -> Split:
    """Groups (Ensemble.groups) named train, validation and test are the parts; runs of other groups are in none.

    Nothing is drawn, so neither `fractions` nor `seed` has an effect. Raises ValueError where a part has no run.
    """
    named = {
        part: tuple(r for r, g in zip(ensemble.run_ids, ensemble.groups, strict=True) if g == part) for part in PARTS
    }
    for part, runs in named.items():
        if not runs:
            there = ", ".join(dict.fromkeys(ensemble.groups))
            raise ValueError(f"a split by name expects runs of a group {part!r}; there are: {there}")
    return Split(*(Part(runs, 0, ensemble.steps) for runs in named.values()))


SPLITS = {"by_run": split_by_run, "by_group": split_by_group, "by_name": split_by_name, "in_time": split_in_time}


def check_fractions(fractions) -> None:
    """Raise ValueError unless there are three positive fractions that add up to 1."""
    if len(fractions) != len(PARTS) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions: expected three positive numbers that add up to 1; got {tuple(fractions)}")


def shares(count: int, fractions) -> list[int]:
    """Three whole numbers that add up to `count`, near `fractions`, none of them 0."""
    validation, test = (max(1, round(count * fraction)) for fraction in fractions[1:])
    while count - validation - test < 1:
        validation, test = max(1, validation - 1), max(1, test - 1)
    return [count - validation - test, validation, test]


def groups_apart(groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]] | None:
    """The group of each run by part (Ensemble.groups), where no group stands in two parts; else None."""
    names = [set(each) for each in groups.values()]
    return groups if sum(map(len, names)) == len(set().union(*names)) else None


def equal_across(ensemble: Ensemble, split: Split) -> list[tuple[str, str]]:
    """Pairs of runs in different parts whose series and inputs are equal, each with its part.

    None of a split that has runs in several parts, as in time, and of values that are not in memory.
    """
    parts = {run: part for part in PARTS for run in getattr(split, part).runs}
    several = len(parts) < sum(len(getattr(split, part).runs) for part in PARTS)
    if several or not isinstance(ensemble.values, np.ndarray) or isinstance(ensemble.values, np.memmap):
        return []
    places = [place for place, run in enumerate(ensemble.run_ids) if run in parts]
    alike = equal_by(places, partial(looked_at, ensemble, most=LOOKED_AT))  # few of them are read as a whole
    equal = [group for some in alike for group in equal_by(some, partial(looked_at, ensemble))]
    named = [[(ensemble.run_ids[place], parts[ensemble.run_ids[place]]) for place in group] for group in equal]
    pairs = [(first, other) for first, *others in named for other in others if other[1] != first[1]]
    return [(f"{a} ({part})", f"{b} ({other})") for (a, part), (b, other) in pairs]


def equal_by(places: list[int], key: Callable) -> list[list[int]]:
    """Those that share a key with another one, together."""
    found: dict[bytes, list[int]] = {}
    for place in places:
        found.setdefault(key(place), []).append(place)
    return [group for group in found.values() if len(group) > 1]


def looked_at(ensemble: Ensemble, run: int, most: int = 0) -> bytes:
    """A fingerprint of a run: its inputs, its length and its series, or up to so many steps of it."""
    inputs = np.array([column[run] for column in ensemble.inputs.values()], dtype=float)
    length = int(ensemble.lengths[run])
    series = ensemble.values[run, :length]
    series = series[np.linspace(0, length - 1, most).astype(int)] if most else series
    found = sha256(inputs.tobytes() + str(length).encode())
    found.update(np.ascontiguousarray(series).data)
    return found.digest()


def select(ensemble: Ensemble, part: Part) -> Ensemble:
    """The runs and steps of `part`, as an Ensemble. Raises ValueError, naming the run, when one is not there."""
    place = {run: i for i, run in enumerate(ensemble.run_ids)}
    missing = [run for run in part.runs if run not in place]
    if missing:
        raise ValueError(f"the split names runs that the ensemble does not have, the first is {missing[0]}")
    return ensemble.take([place[run] for run in part.runs], steps=slice(part.start, part.stop))
