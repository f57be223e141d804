"""Wide: an xarray Dataset as runs: what is a series of its runs, what an input; some runs are read at a time."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr

from sim2seq.data.array_layout import NUMBERS_AT_ONCE, RUNS_AT_ONCE
from sim2seq.data.arrays import Block
from sim2seq.data.foreign import clock as foreign_clock
from sim2seq.data.foreign.axes import (
    NUMBERS,
    TEXTS,
    Axes,
    axes_of,
    is_time,
    on_its_axis,
    plain,
    with_flat_times,
    with_inputs,
)
from sim2seq.data.foreign.formats import text_of, with_fields
from sim2seq.data.foreign.reading import Reading, id_of, is_about_file, listed, with_run_of, without_prefix
from sim2seq.data.foreign.tidy import is_one_clock, plain_type
from sim2seq.data.records import RecordError

OWN_LENGTHS = "sim2seq_length"  # the variable with the steps of each run that `sim2seq export` writes
LENGTHS = (OWN_LENGTHS, "length", "lengths", "n_steps")  # of other programs: these steps, or an input


@dataclass(frozen=True)
class Wide:
    """Runs in the variables of a Dataset.

    data      with decoded masks; times may be undecoded
    name      of the file or group: the run's id where there is one run, else the beginning of ids that are places only
    words     whether attributes that are words are inputs too, beside numbers: those of a group that is one run
    beside    the names of what is passed by in groups beside the arrays
    """

    data: xr.Dataset
    axes: Axes
    name: str
    reading: Reading = field(default_factory=Reading)
    words: bool = False
    beside: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: xr.Dataset, name: str, reading: Reading, *, one_run: bool = False, groups=None) -> Wide:
        """The runs in a Dataset, or the one run of a group; `groups`: beside its arrays, as for `with_inputs`.

        Raises RecordError, in one line, where its variables do not say what they are.
        """
        data = with_fields(data)
        there = {str(each) for each in [*data.variables, *data.dims]}
        try:
            data = data.rename({old: new for old in there if (new := reading.name(old)) != old})
        except ValueError as error:
            raise RecordError(f"rename: {' '.join(str(error).split())[:200]}") from error
        data, beside = with_inputs(with_flat_times(data, reading), groups or {}, reading)
        told = reading if one_run else with_run_of(data, reading)
        data = on_its_axis(data, told)
        axes = axes_of(data, told, one_run=one_run)
        if empty := [axis for axis in (axes.run, axes.time) if axis and not data.sizes[axis]]:
            raise RecordError(f"nothing was written: {empty[0]} has length 0")
        return cls(data, axes, name, reading, one_run, beside)

    @cached_property
    def ids(self) -> list[str]:
        if not self.axes.run:
            return [id_of(self.name)]
        if self.axes.ids:
            return [id_of(plain(each)) for each in self.data[self.axes.ids].values]
        return [id_of(f"{self.name}_{place}") for place in range(self.data.sizes[self.axes.run])]

    @cached_property
    def columns(self) -> dict[str, tuple[str, int | None]]:
        """Series -> the variable that holds it, and its place along a dimension whose places have names."""
        found: list[tuple[str, tuple[str, int | None]]] = []
        labelled = [name for name in self.along if self.labels_of(name)]
        for name, each in self.along.items():
            if name in (self.axes.clock, self.axes.ids, *self.bounds) or each.dtype.kind not in NUMBERS:
                continue
            for place, label in enumerate(self.labels_of(name)):
                made = label if len(labelled) == 1 else f"{name}_{label}"
                found.append((self.reading.name(made), (name, place)))
            if not self.labels_of(name):
                found.append((name, (name, None)))
        if twice := [name for name, count in Counter(name for name, _ in found).items() if count > 1]:
            raise RecordError(f"two series are named {listed(twice)}: --rename OLD=NEW")
        return self.wanted(dict(found))

    @cached_property
    def along(self) -> dict[str, xr.Variable]:
        """The variables along the time; of those that are coordinates of others such as each step of each run has.

        CF's trajectories name their places so: temperature:coordinates = "time lat lon".
        """
        own = {self.axes.run, self.axes.time} - {""}
        held = {str(name): each for name, each in self.data.variables.items() if self.axes.time in each.dims}
        coordinates = held.keys() - own - set(self.data.data_vars)
        left = {name for name in coordinates if set(held[name].dims) != own or is_time(name, held[name])}
        return {name: each for name, each in held.items() if name not in own | left}

    @cached_property
    def bounds(self) -> set[str]:
        """Variables that say where the cells of others end."""
        told = [each.attrs.get("bounds") or each.encoding.get("bounds") for each in self.data.variables.values()]
        return {str(name) for name in told if name}

    def labels_of(self, name: str) -> tuple[str, ...]:
        """The names along the one dimension of a variable that is neither run nor time; none for other variables."""
        others = [str(each) for each in self.data[name].dims if each not in (self.axes.run, self.axes.time)]
        return self.axes.labels.get(others[0], ()) if len(others) == 1 else ()

    def wanted(self, found: dict) -> dict:
        """Those of the series that were asked for, in that order. Raises RecordError where there is none."""
        unknown = [name for name in (*self.reading.series, *self.reading.controls) if name not in found]
        if unknown or not found:
            what = f"no series {listed(unknown)}" if unknown else "no series"
            raise RecordError(f"{what}: along {self.axes.time} it has {listed(found) or 'no numbers'}")
        return {name: found[name] for name in self.reading.series or found}

    @cached_property
    def series(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Name -> (shape of a step, type), as `array_layout.Layout` has them."""
        shapes = {}
        for name, (variable, place) in self.columns.items():
            each = self.data[variable]
            others = tuple(size for dim, size in each.sizes.items() if dim not in (self.axes.run, self.axes.time))
            kind = np.dtype(float) if self.reading.resample else plain_type(each.dtype)
            shapes[name] = (others if place is None else (), kind)
        return shapes

    @cached_property
    def clock(self) -> tuple[np.ndarray, str, bool]:
        """Times (steps,), or (runs, steps) where runs differ in them; their unit; whether they count from the start."""
        if not self.axes.clock:
            times = np.arange(self.data.sizes[self.axes.time], dtype=float)
            return times, *foreign_clock.unit_of("", self.axes.time, times)
        found = self.data[self.axes.clock]
        found = found.squeeze([axis for axis in found.dims if axis not in (self.axes.run, self.axes.time)])
        if self.axes.run in found.dims:
            found = found.transpose(self.axes.run, self.axes.time)
        said = str(found.attrs.get("units", ""))
        values = foreign_clock.of_days(found.values, said)
        times = foreign_clock.parse(values, self.reading.dates).reshape(found.shape)
        if times.ndim == 2 and times.dtype.kind == "f" and is_one_clock(times):
            times = times[0]
        return times, *foreign_clock.unit_of(said, self.axes.clock, times)

    @cached_property
    def units(self) -> dict[str, str]:
        """Name -> unit of series, inputs and `time`, where an attribute says it."""
        held = {name: self.data[variable] for name, (variable, _) in self.columns.items()} | self.given
        units = {name: text_of(each.attrs["units"]).strip() for name, each in held.items() if "units" in each.attrs}
        return {name: unit for name, unit in units.items() if unit} | self.unit_of_steps

    @property
    def unit_of_steps(self) -> dict[str, str]:
        """The unit of the times, or nothing where there are some and nobody says it."""
        said = not self.axes.clock or self.clock[1] or "units" in self.data[self.axes.clock].attrs
        return {"time": self.clock[1]} if said else {}

    @cached_property
    def given(self) -> dict[str, xr.DataArray]:
        """The variables with one number or word a run, or one for all."""
        known = {*self.axes.labels, self.axes.ids, self.axes.clock, self.axes.run, self.axes.time, self.counted}
        dims = ((), (self.axes.run,))
        found = {str(name): each for name, each in self.data.variables.items() if each.dims in dims}
        kinds = NUMBERS + TEXTS
        found = {name: each for name, each in found.items() if name not in known and each.dtype.kind in kinds}
        return {without_prefix(name): self.data[name] for name in found}

    @cached_property
    def inputs(self) -> dict[str, list]:
        """Name -> one number or word a run: variables, and attributes of the file that are numbers."""
        runs = len(self.ids)
        made = {
            name: [plain(value) for value in np.broadcast_to(each.values, runs)] for name, each in self.given.items()
        }
        attributes = {} if self.axes.run else self.data.attrs
        for name, value in attributes.items():
            value = plain(value)
            if is_about_file(str(name)):
                continue
            if isinstance(value, float) or (self.words and isinstance(value, str) and value):
                made.setdefault(self.reading.name(str(name)), [value] * runs)
        return made

    def units_of(self, row: int) -> dict[str, str]:
        return self.units

    def inputs_of(self, row: int) -> dict:
        return {name: column[row] for name, column in self.inputs.items() if column[row] == column[row]}

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """(runs,): steps of each run, where a variable says so."""
        if not self.counted:
            return None
        return np.minimum(self.data[self.counted].values, self.data.sizes[self.axes.time]).astype(int)

    @cached_property
    def counted(self) -> str:
        """The variable with the steps of each run; "": there is none.

        One whose name may also be that of an input counts steps where it is in no unit and no run goes on after them.
        """
        for name in LENGTHS:
            each = self.data.variables.get(name)
            if each is None or each.dims != (self.axes.run,):
                continue
            if np.dtype(each.encoding.get("dtype", each.dtype)).kind not in "iu" or not each.values.min() >= 1:
                continue  # as the file has it, before its masks are decoded
            if name == OWN_LENGTHS or (each.attrs.get("units", "") in ("", "1") and self.end_at(each.values)):
                return name
        return ""

    def end_at(self, lengths: np.ndarray) -> bool:
        """Whether all series, after so many steps of each run, have only nan, or only one and the same number."""
        steps = self.data.sizes[self.axes.time]
        held = {name for name, _ in self.columns.values() if self.axes.run in self.data[name].dims}
        if not held or lengths.max() > steps:
            return False
        for name in held:
            padding = None
            for first in range(0, len(lengths), self.runs_at_once):
                rows = list(range(first, min(first + self.runs_at_once, len(lengths))))
                after = self.read(name, rows)[np.arange(steps) >= lengths[rows][:, None]]
                padding = after.flat[0] if padding is None and after.size else padding
                if after.size and not np.array_equal(after, np.full_like(after, padding), equal_nan=True):
                    return False
        return True

    @cached_property
    def passed_by(self) -> list[str]:
        """The variables and lists in attributes that are neither series nor inputs nor say what these are."""
        used = {name for name, _ in self.columns.values()} | {self.axes.clock, self.axes.ids, self.counted}
        used |= {str(each.name) for each in self.given.values()} | {str(name) for name in self.data.dims}
        others = [str(name) for name in self.data.variables if str(name) not in used]
        others = [name for name in others if not set(self.data[name].dims) & self.axes.labels.keys()]
        lists = [name for name, value in self.data.attrs.items() if np.size(value) > 1 and not is_about_file(str(name))]
        return [*others, *map(str, lists), *self.beside]

    @property
    def numbers(self) -> int:
        """How many numbers all series have."""
        step = sum(math.prod(shape) for shape, _ in self.series.values())
        return len(self.ids) * self.data.sizes[self.axes.time] * step

    @property
    def runs_at_once(self) -> int:
        """How many runs are read together: those of one clock, in memory."""
        if self.clock[0].ndim == 2:
            return 1
        fitting = max(1, min(RUNS_AT_ONCE, NUMBERS_AT_ONCE * len(self.ids) // max(1, self.numbers)))
        return max(fitting // self.runs_stored_together, 1) * self.runs_stored_together

    @property
    def runs_stored_together(self) -> int:
        """How many runs share a chunk of the file; part of a chunk takes as long to read as all of it."""
        together = [1]
        for name in {each for each, _ in self.columns.values()}:
            variable = self.data.variables[name]
            sizes = variable.encoding.get("chunksizes") or variable.encoding.get("chunks") or ()
            together += [size for size, dim in zip(sizes, variable.dims, strict=False) if dim == self.axes.run]
        return min(max(together), RUNS_AT_ONCE)

    def block(self, rows: list[int]) -> Block:
        """The series of these rows as the file has them; with runs of clocks of their own, of one row."""
        held = {variable: self.read(variable, rows) for variable, _ in self.columns.values()}
        series = {
            name: held[each] if place is None else held[each][..., place]
            for name, (each, place) in self.columns.items()
        }
        times, unit, from_start = self.clock
        times = foreign_clock.count(times[rows[0]] if times.ndim == 2 else times, unit, from_start)
        lengths = np.full(len(rows), len(times)) if self.lengths is None else self.lengths[rows]
        return Block(series, times, lengths)

    def read(self, variable: str, rows: list[int]) -> np.ndarray:
        """A variable of these runs, (runs, steps, ...)."""
        each, axes = self.data.variables[variable], [self.axes.time]
        if self.axes.run in each.dims:
            together = rows == list(range(rows[0], rows[-1] + 1))
            each = each.isel({self.axes.run: slice(rows[0], rows[-1] + 1) if together else rows})
            axes = [self.axes.run, self.axes.time]
        order = [each.dims.index(name) for name in (*axes, *(dim for dim in each.dims if dim not in axes))]
        values = each.to_numpy().transpose(order)  # xarray's own transpose reads number by number
        if len(axes) == 1:
            values = np.broadcast_to(values, (len(rows), *values.shape))
        return np.ascontiguousarray(values, plain_type(values.dtype))
