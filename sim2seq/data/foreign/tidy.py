"""Tidy: some runs as a file has them become runs on one clock: sorted, each time once, ends found, gaps dealt with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from sim2seq.data import clock
from sim2seq.data.array_layout import TYPES
from sim2seq.data.arrays import Block
from sim2seq.data.foreign.reading import Reading, listed
from sim2seq.data.records import RecordError

OWN_NAME = "sim2seq_name"  # the attribute in which `sim2seq export` keeps a name that NetCDF does not take
WORST = 5  # runs in a message
FILL_VALUES = {  # what stands in a number of NetCDF that was never written; in 16 bits or fewer it may be meant
    **{"f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "u4": 2**32 - 1, "u8": 2**64 - 2},
    **{"i4": 1 - 2**31, "i8": 2 - 2**63},
}


class Twice(RecordError):
    """Several steps of a run have one time, and differ."""


@dataclass
class Gaps:
    """Numbers that are missing within runs: run -> feature -> how many; `left_out`: the runs that they cost."""

    found: dict[str, Counter] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, run_id: str, name: str, number: int) -> None:
        self.found.setdefault(run_id, Counter())[name] += number

    def lines(self) -> list[str]:
        """One line a run, of the first few."""
        runs = [
            f"run {run_id}: " + listed([f"{name} {number}" for name, number in counts.items()])
            for run_id, counts in list(self.found.items())[:WORST]
        ]
        return runs + ([f"and {len(self.found) - WORST} more runs"] if len(self.found) > WORST else [])

    def refusal(self, way: str) -> str:
        """What is missing, by run and feature, and what would settle it; `way`: what was asked for, as in Reading."""
        if way == "fill":
            return f"nothing to fill the gaps from: {'; '.join(self.lines())}; --gaps drop leaves these runs out"
        what = f"numbers are missing or not finite: {self.by_feature()}; {'; '.join(self.lines())}"
        return f"{what}; --gaps fill interpolates them, --gaps drop leaves these runs out"

    def notes(self) -> tuple[str, ...]:
        """What was done with them."""
        if self.left_out:
            return (f"{len(self.left_out)} runs with gaps were left out",)
        filled = f"gaps filled by interpolation in {len(self.found)} runs: {self.by_feature()}"
        return (filled,) if self.found else ()

    def by_feature(self) -> str:
        total: Counter[str] = sum(self.found.values(), Counter())
        return listed([f"{name} {number}" for name, number in total.items()])


def decoded(data: xr.Dataset, *, netcdf: bool = True) -> xr.Dataset:
    """The Dataset with decoded masks, and times as they stand there; of NetCDF with nan where nothing was written."""
    names = {name: str(each.attrs[OWN_NAME]) for name, each in data.data_vars.items() if OWN_NAME in each.attrs}
    made = data = data.rename(names) if names else data.copy()
    for name, each in data.variables.items() if netcdf else ():
        fill = FILL_VALUES.get(each.dtype.str[1:])
        if fill is not None and each.ndim and not {"_FillValue", "missing_value"} & {*each.attrs, *each.encoding}:
            made[name].attrs["_FillValue"] = each.dtype.type(fill)
    return xr.decode_cf(made, decode_times=False, decode_timedelta=False)


def tidy(block: Block, ids: list[str], reading: Reading, gaps: Gaps) -> tuple[list[int], Block]:
    """The runs of a block as `reading` wants them, and their places in it: gaps may leave some out.

    block   runs of one clock, in any order of steps; nan where a number is missing. After the end of a run, in all of
            its series: nan, or whatever stands there where block.lengths already says so
    Raises RecordError, in one line with the run, for times that cannot be a clock.
    """
    block, kept = in_order(block, ids, reading), list(range(len(ids)))
    if is_doubtful(block):
        block = end(block)
        kept, block = without_gaps(block, ids, reading, gaps)
    if reading.resample and kept:
        block = resampled(block, reading.resample)
    return kept, thinned(block, reading.every)


def in_order(block: Block, ids: list[str], reading: Reading) -> Block:
    """The block with its times rising, each once."""
    times = block.times
    if len(times) < 2 or (np.diff(times) > 0).all():
        return block
    if np.isnan(times).any():
        block = timed(block, ids)
        times = block.times
    order = np.argsort(times, kind="stable")
    again = np.flatnonzero(np.diff(times[order]) <= 0)
    if len(again):
        order = np.delete(order, again + chosen(block, ids, order, again, reading.repeats))
    return at_steps(block, order)


def holding(block: Block, run_id: str) -> Block:
    """What was set in one run, line by line: its times rising, each once, a blank cell as the number before it."""
    block = timed(block, [run_id]) if np.isnan(block.times).any() else block
    block = at_steps(block, np.argsort(block.times, kind="stable"))
    lines = np.arange(len(block.times))
    last = {name: np.maximum.accumulate(np.where(np.isnan(each[0]), 0, lines)) for name, each in block.series.items()}
    held = {name: each[:, last[name]] for name, each in block.series.items()}
    return in_order(replace(block, series=held), [run_id], Reading(repeats="last"))


def timed(block: Block, ids: list[str]) -> Block:
    """The block without steps of no time and no numbers. Raises RecordError for numbers without a time."""
    there = ~np.isnan(block.times)
    if any(not empty(values[:, ~there]) for values in block.series.values()):
        raise RecordError(f"run {ids[0]}: {int((~there).sum())} steps have numbers and no time")
    return at_steps(block, np.flatnonzero(there))


def empty(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).all())


def chosen(block: Block, ids: list[str], order: np.ndarray, again: np.ndarray, repeats: str) -> int:
    """0 to leave out the earlier one of two steps of one time, 1 to leave out the later one."""
    for name, values in block.series.items():
        one, other = values[:, order[again]], values[:, order[again + 1]]
        same = (one == other) | ((one != one) & (other != other))
        if repeats == "refuse" and not same.all():
            run, place = np.argwhere(~same)[0][:2]
            what = f"time {block.times[order[again[place]]]:g} stands there twice, {name} differs"
            raise Twice(f"run {ids[run]}: {what}: --repeats first or last says which one counts")
    return 0 if repeats == "last" else 1


def at_steps(block: Block, steps) -> Block:
    """The block at some of its steps; all runs have all of them."""
    series = {name: values[:, steps] for name, values in block.series.items()}
    lengths = (block.lengths[:, None] > np.arange(len(block.times))[steps]).sum(axis=1)
    return Block(series, block.times[steps], lengths)


def floats(block: Block) -> dict[str, np.ndarray]:
    """The series that can hold nan."""
    return {name: values for name, values in block.series.items() if values.dtype.kind == "f"}


def is_doubtful(block: Block) -> bool:
    """Whether a number may be missing or not finite; quick where none is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return not all(np.isfinite(values.sum(dtype=float)) for values in floats(block).values())


def end(block: Block) -> Block:
    """The block with the end of each run where nothing but nan follows in all of its series."""
    if len(floats(block)) < len(block.series):
        return block
    there = np.zeros((len(block.lengths), len(block.times)), dtype=bool)
    for values in block.series.values():
        there |= ~np.isnan(values).all(axis=tuple(range(2, values.ndim)))
    last = len(block.times) - np.argmax(there[:, ::-1], axis=1)
    return replace(block, lengths=np.minimum(block.lengths, np.where(there.any(axis=1), last, 0)))


def gaps_in(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Where numbers within a run are not finite, (runs, steps, ...)."""
    within = np.arange(values.shape[1]) < lengths[:, None]
    return ~np.isfinite(values) & within.reshape(*within.shape, *(1,) * (values.ndim - 2))


def without_gaps(block: Block, ids: list[str], reading: Reading, gaps: Gaps) -> tuple[list[int], Block]:
    """The block with its gaps filled, or without the runs that have some; they are counted in any case."""
    series, spoilt = dict(block.series), block.lengths == 0
    for name, values in block.series.items():
        bad = gaps_in(values, block.lengths) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
        for run in np.flatnonzero(bad.any(axis=tuple(range(1, bad.ndim)))):
            gaps.add(ids[run], name, int(bad[run].sum()))
            spoilt[run] = spoilt[run] or reading.gaps == "drop" or not can_be_filled(bad[run][: block.lengths[run]])
    for run in np.flatnonzero(block.lengths == 0):
        gaps.add(ids[run], "all", len(block.times))
    if reading.gaps == "fill":
        series = {name: fill(values, gaps_in(values, block.lengths), block.times) for name, values in series.items()}
    kept = np.flatnonzero(~spoilt).tolist()
    gaps.left_out += [ids[run] for run in np.flatnonzero(spoilt)]
    return kept, Block({name: values[kept] for name, values in series.items()}, block.times, block.lengths[kept])


def can_be_filled(bad: np.ndarray) -> bool:
    """Whether each feature of a run (steps, ...) has a number to interpolate from."""
    return bool((~bad).any(axis=0).all())


def fill(values: np.ndarray, bad: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Numbers in the place of gaps, interpolated in time; before the first and after the last one the nearest."""
    if not bad.any():
        return values
    made = values.copy()
    for place in np.argwhere(bad.any(axis=1)):
        where = (place[0], slice(None), *place[1:])
        good = ~bad[where] & np.isfinite(values[where])  # not beyond the end of the run
        if good.any():
            made[where][bad[where]] = np.interp(times[bad[where]], times[good], values[where][good])
    return made


def resampled(block: Block, step: float) -> Block:
    """Runs interpolated in time every `step` from their first one on, up to the end of each; nan after it."""
    flat = np.concatenate([each.reshape(*each.shape[:2], -1) for each in block.series.values()], axis=2)
    each_run = zip(flat, block.lengths, strict=True)
    made = [clock.resampled(block.times[:length], values[:length].astype(float), step) for values, length in each_run]
    lengths = np.array([len(times) for times, _ in made])
    values = np.full((len(made), lengths.max(), flat.shape[2]), np.nan)
    for run, (_, of_run) in enumerate(made):
        values[run, : lengths[run]] = of_run
    series, first = {}, 0
    for name, each in block.series.items():
        width = int(np.prod(each.shape[2:]))
        series[name] = values[..., first : first + width].reshape(*values.shape[:2], *each.shape[2:])
        first += width
    return Block(series, max((times for times, _ in made), key=len), lengths)


def thinned(block: Block, every: int) -> Block:
    """Every so-manieth step."""
    return block if every == 1 else at_steps(block, slice(None, None, every))


def is_one_clock(times: np.ndarray) -> bool:
    """Whether all runs have the times of the first one, but for rounding; (runs, steps)."""
    return all(clock.first_difference(times[0], each) is None for each in times)


def plain_type(dtype: np.dtype) -> np.dtype:
    """The type in which numbers of a file are kept: itself where array files know it, else float64."""
    native = np.dtype("u1") if dtype.kind == "b" else dtype.newbyteorder("=")
    return native if native in TYPES else np.dtype(float)
