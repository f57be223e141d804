"""Axes: which dimension of a Dataset is the run, which the time, found by names, attributes and sizes, or asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from sim2seq.data.foreign.clock import SINCE
from sim2seq.data.foreign.formats import UNNAMED, text_of
from sim2seq.data.foreign.reading import (
    COUNTERS,
    NO_TIME,
    RUNS,
    Reading,
    clock_among,
    first_of,
    is_about_file,
    listed,
    named_clock,
)
from sim2seq.data.records import RecordError, shown

NUMBERS = "biuf"
TEXTS = "OSUT"
PER_RUN = ("inputs_", "input_", "param_", "params_", "parameter_")  # how arrays of one number a run begin


@dataclass(frozen=True)
class Axes:
    """What the dimensions of a Dataset are.

    time, run   dimensions; run "": the Dataset is one run
    clock, ids  variables that hold the times, (time,) or (run, time), and the runs' names; "": there is none
    labels      other dimensions whose places have names
    """

    time: str
    run: str = ""
    clock: str = ""
    ids: str = ""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)


def axes_of(data: xr.Dataset, reading: Reading, *, one_run: bool = False) -> Axes:
    """What the dimensions of a Dataset are; `one_run`: none of them is the run.

    Raises RecordError, with the option that says it, where nothing tells.
    """
    for name, each in data.variables.items():  # runs one after the other along one dimension, as CF has it
        if ragged := {"sample_dimension", "instance_dimension"} & each.attrs.keys():
            what = "a ragged array of runs, which is not read here: give each a row, filled up with nan"
            raise RecordError(f"variable {shown(name)} has {ragged.pop()}: {what}")
    said = asked_for(data, reading)
    clock = clock_of(data, reading)
    run, ids = ("", "") if one_run else run_of(data, reading, said)
    time = said.get("time") or time_of(data, reading, clock, run)
    labels = labels_of(data, {time, run})
    if not (time and (run or one_run or said)) and any(str(each).startswith(UNNAMED) for each in data.dims):
        time, run = by_shape(data, time, run, labels, one_run)
    if not time:
        what = f"which of its dimensions {listed(data.dims) or '(none)'} is the time? --time NAME says it"
        raise RecordError(f"{what}; its variables are {listed(data.variables)}")
    clock = clock if clock and time in data[clock].dims else ""
    if clock and [each for each in data[clock].dims if each not in (time, run) and data.sizes[each] > 1]:
        what = "expected a time for each step, or for each step of each run"
        raise RecordError(f"time {shown(clock)} {data[clock].shape} along {listed(data[clock].dims)}: {what}")
    ids = ids or names_along(data, run)
    return Axes(time, run, clock, ids, {name: each for name, each in labels.items() if name not in (time, run)})


def clock_of(data: xr.Dataset, reading: Reading) -> str:
    """The variable that holds the times; "": there is none. Raises RecordError where one was asked for."""
    if reading.time in data.dims:
        return reading.time if reading.time in data.variables else ""
    if reading.time == NO_TIME:
        return ""
    possible = [str(name) for name, each in data.variables.items() if 1 <= each.ndim <= 2]
    return clock_among(possible, reading.time) if reading.time else time_by_attributes(data) or clock_among(possible)


def asked_for(data: xr.Dataset, reading: Reading) -> dict[str, str]:
    """Axis -> dimension, as reading.dims says of the arrays with so many axes."""
    if not reading.dims:
        return {}
    fitting = [one for one in data.data_vars.values() if one.dtype.kind in NUMBERS and one.ndim == len(reading.dims)]
    if not fitting or "time" not in reading.dims:
        raise RecordError(f"--dims {','.join(reading.dims)}: expected the axes of an array, time among them")
    clock = clock_of(data, reading)
    timed = [one for one in fitting if clock and set(data[clock].dims) <= set(one.dims)]
    return dict(zip(reading.dims, map(str, (timed or fitting)[0].dims), strict=True))


def with_flat_times(data: xr.Dataset, reading: Reading) -> xr.Dataset:
    """The Dataset with times (steps, 1) and (1, steps) as (steps,), where the axis of length 1 has no name."""
    flat = {}
    for name, each in data.variables.items():
        single = [axis for axis, size in each.sizes.items() if size == 1 and str(axis).startswith(UNNAMED)]
        if single and len(single) < each.ndim and (name == reading.time or is_time(str(name), each)):
            flat[name] = each.squeeze(single)
    return data.assign(flat)


def with_inputs(
    data: xr.Dataset, groups: Mapping[str, xr.Dataset | None], reading: Reading
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """The Dataset with the inputs in groups beside its arrays, as inputs_NAME; and the names of all else in these.

    groups   name -> its arrays and attributes; None: one that is passed by
    """
    clock, made, others = clock_of(data, reading), dict[str, tuple](), list[str]()
    for group, content in groups.items():
        others += [group] if content is None else []
        for name, each in inputs_in(content).items() if content is not None else ():
            new = reading.name(name)
            possible = () if each is None else dims_within(data, each)
            steps = len(possible) == 1 and (possible == data[clock].dims if clock else clock_among(possible))
            taken = {new, f"inputs_{new}"} & {*data.variables, *made}
            if each is None or taken or len(possible) < each.ndim or (each.ndim and is_time(new, each)):
                others.append(f"{group}/{name}")
            else:  # what is set at each step is a series
                made[new if steps else f"inputs_{new}"] = (possible[: each.ndim], each.values, each.attrs)
    return data.assign(made), tuple(others)


def inputs_in(group: xr.Dataset) -> dict[str, xr.Variable | None]:
    """Name -> what may be an input, of the attributes and variables of a group; None for what may not."""
    told = {str(name): plain(value) for name, value in group.attrs.items() if not is_about_file(str(name))}
    found = {name: xr.Variable((), value) if isinstance(value, (float, str)) else None for name, value in told.items()}
    for name, each in group.variables.items():
        each = each.squeeze() if each.size == 1 and each.dtype.kind in NUMBERS else each
        if name not in group.dims:
            found[str(name)] = each if each.ndim < 2 and has_cells(each) else None
    return found


def has_cells(variable: xr.Variable) -> bool:
    """Whether a variable holds numbers or texts, rather than arrays or what else Python knows."""
    cells = variable.values.flat if variable.dtype.kind == "O" else ()
    return variable.dtype.kind in NUMBERS + TEXTS and all(isinstance(each, (str, bytes)) for each in cells)


def dims_within(data: xr.Dataset, variable: xr.Variable) -> tuple[str, ...]:
    """The dimensions of `data` along which a variable with one axis may lie: that of its name, else those as long."""
    name = str(variable.dims[0]) if variable.dims else ""
    if not name.startswith(UNNAMED):
        return (name,) if data.sizes.get(name) == variable.size else ()
    largest = max(data.data_vars.values(), key=lambda each: each.ndim, default=variable)
    return tuple(str(axis) for axis, size in largest.sizes.items() if size == variable.size and axis in data.dims)


def on_its_axis(data: xr.Dataset, reading: Reading) -> xr.Dataset:
    """The Dataset with times, inputs and names along the axes that are theirs, where another one is as long.

    Those that were said; else names, of features unless the word for them is one of runs, lie along the last that fits.
    """
    said, clock = asked_for(data, reading), clock_of(data, reading)
    moved = {}
    for name, each in data.variables.items():
        of_runs = name == reading.run or str(name).lower().startswith(PER_RUN) or first_of([str(name)], RUNS)
        role = "time" if name == clock else "run" if of_runs else "feature" if each.dtype.kind in TEXTS else ""
        fitting = dims_within(data, each) if role == "feature" and each.ndim == 1 and not said else ()
        axis = fitting[-1] if fitting else said.get(role, "")
        if each.ndim == 1 and axis and each.size == data.sizes[axis]:
            moved[name] = (axis, each.values, each.attrs)
    return data.assign(moved)


def is_time(name: str, variable: xr.Variable) -> bool:
    """Whether a variable says that it holds times, of the clock or others."""
    return bool(named_clock([name]) or SINCE.fullmatch(str(variable.attrs.get("units", ""))))


def time_by_attributes(data: xr.Dataset) -> str:
    """A variable whose attributes say that it is the time."""
    for name, each in data.variables.items():
        told = {each.attrs.get("standard_name"), each.attrs.get("axis")} & {"time", "T"}
        if each.ndim == 1 and (each.dtype.kind == "M" or told or SINCE.fullmatch(str(each.attrs.get("units", "")))):
            return str(name)
    return ""


def run_of(data: xr.Dataset, reading: Reading, said: dict[str, str]) -> tuple[str, str]:
    """The dimension of the runs and the variable with their names, as far as names tell."""
    name = reading.run or said.get("run") or first_of(map(str, data.dims), RUNS)
    if name and name in data.dims:
        return name, name if name in data.variables else ""
    if reading.run and (reading.run not in data.variables or data[reading.run].ndim != 1):
        raise RecordError(f"no run {shown(reading.run)}: its dimensions are {listed(data.dims)}")
    if said:
        return "", ""
    flat = [str(name) for name, each in data.variables.items() if each.ndim == 1]
    ids = reading.run or first_of(flat, RUNS)
    if ids:
        return str(data[ids].dims[0]), ids
    begun = [name for name in flat if name.lower().startswith(PER_RUN)]
    return (str(data[begun[0]].dims[0]), "") if begun else ("", "")


def time_of(data: xr.Dataset, reading: Reading, clock: str, run: str) -> str:
    """The dimension of the time, as far as names tell."""
    if reading.time in data.dims:
        return reading.time
    if clock:
        others = [str(each) for each in data[clock].dims if each != run]
        if not others:
            check_size(data, clock, run)
        if len(others) == 1:
            check_size(data, clock, others[0])
            return others[0]
    found = clock_among(str(each) for each in data.dims if each != run)
    return found or first_of((str(each) for each in data.dims if each != run), COUNTERS)


def check_size(data: xr.Dataset, clock: str, time: str) -> None:
    """Raise RecordError where unnamed axes of one size leave open which of them is the time."""
    for name, each in data.data_vars.items():
        alike = [axis for axis, size in each.sizes.items() if size == data.sizes[time]]
        if str(time).startswith(UNNAMED) and each.ndim > 1 and name != clock and len(alike) > 1:
            what = f"{name} {each.shape}: {clock} could belong to any of its axes: --dims says what they are"
            raise RecordError(f"{what}, such as --dims run,time,feature")


def labels_of(data: xr.Dataset, others: set[str]) -> dict[str, tuple[str, ...]]:
    """Dimension -> names of its places, of those that a variable of texts names, each once."""
    found: dict[str, tuple[str, ...]] = {}
    for each in data.variables.values():
        if each.ndim == 1 and str(each.dims[0]) not in others and each.dtype.kind in TEXTS:
            names = tuple(text_of(name) for name in each.values)
            if len(set(names)) == len(names):
                found.setdefault(str(each.dims[0]), names)
    return found


def names_along(data: xr.Dataset, run: str) -> str:
    """A variable of texts that names the runs, each once."""
    for name, each in data.variables.items():
        if run and each.dims == (run,) and each.dtype.kind in TEXTS:
            return str(name) if len(set(map(text_of, each.values))) == each.size else ""
    return ""


def by_shape(data: xr.Dataset, time: str, run: str, labels: dict, one_run: bool) -> tuple[str, str]:
    """Time and run of arrays without named dimensions: (runs, steps, ...). RecordError where there are more ways."""
    arrays = {str(name): each for name, each in data.data_vars.items() if each.dtype.kind in NUMBERS and each.ndim > 1}
    if not arrays:
        return time, run
    name, largest = max(arrays.items(), key=lambda item: item[1].ndim)
    free = [str(each) for each in largest.dims if each not in (time, run, *labels)]
    if not (run or one_run) and any(
        each in labels and each.startswith(UNNAMED) for each in map(str, largest.dims[:-1])
    ):
        raise RecordError(ambiguous(name, largest))  # texts may name the runs as well as the features
    if not free or one_run:
        return time or (free[0] if free else ""), run
    run = run or runs_by_shape(data, name, time, free)
    time = time or next(each for each in free if each != run)
    for other, each in arrays.items():
        if each.ndim == largest.ndim and run not in each.dims:
            raise RecordError(f"{name} {largest.shape}, {other} {each.shape}: expected the same runs, or a file each")
    return time, run


def runs_by_shape(data: xr.Dataset, name: str, time: str, free: list[str]) -> str:
    """That of the `free` axes of an array that is the run. Raises RecordError where nothing shows that there is one.

    It shows in times of each run, in a number for each, and in more than two axes of which the first is not the time:
    (steps, 3) are as well the three places of one run as three runs, and (steps, 32, 32) its frames.
    """
    array = data[name]
    if (array.ndim > 2 and time != array.dims[0] and len(free) + bool(time) > 1) or timed_by_run(data, free):
        return free[0]
    flat = {each.dims for each in data.variables.values() if each.ndim == 1 and each.dtype.kind in NUMBERS}
    told = [axis for axis in free if time and (axis,) in flat]
    if len(told) != 1:
        raise RecordError(ambiguous(name, array))
    return told[0]


def timed_by_run(data: xr.Dataset, free: list[str]) -> bool:
    """Whether there are times for each step of each run, along two `free` axes."""
    clock = named_clock([str(name) for name, each in data.variables.items() if each.dims == tuple(free)])
    return len(free) == 2 and bool(clock)


def ambiguous(name: str, array: xr.DataArray) -> str:
    ways = ("run,time", "time,feature") if array.ndim == 2 else ("run,time,feature", "time,feature,feature")
    return f"{name} {array.shape}: what are its axes? --dims says it, such as --dims {ways[0]} or --dims {ways[1]}"


def plain(value):
    """A NumPy number as float, a text as str; anything else as it is."""
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(value, (str, bytes)):
        return text_of(value)
    return float(value) if isinstance(value, (bool, int, float, np.bool_, np.number)) else value
