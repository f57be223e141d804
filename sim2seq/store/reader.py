"""Reader: the runs of a store, from wherever their series stand and however long they are, become one Ensemble."""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from itertools import chain

import numpy as np

from sim2seq.data import arrays, clock
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.records import TIME, instead, is_result
from sim2seq.store.room import Room
from sim2seq.store.sina import CURVE_SET, NOTES, ROW, StoreError, place_of, units_of, values_of

SHOWN = 5  # names in a message


class ArrayFile:
    """An array file of this package, as `foreign.ForeignFile` is one of others."""

    def __init__(self, path: str):
        self.path, layout = path, arrays.layout_of(path)
        self.steps, self.runs_at_once = layout.steps, layout.runs_at_once
        self.features, self.types_of = layout.features, layout.types_of

    def series_of(self, run_ids: list[str], rows: list[int], digests: list[str]) -> arrays.Block:
        return arrays.series_of(self.path, run_ids, rows, digests)


def opened(path: str, reading: str):
    """The file that holds the series of some runs: an array file, or with a `reading`, JSON, a foreign one."""
    if not reading:
        return ArrayFile(path)
    from sim2seq.store.foreign import ForeignFile  # a second, which other stores must not pay

    return ForeignFile(path, json.loads(reading))


class Notes:
    """What was done to runs at their import, summed up."""

    def __init__(self, *lines: str):
        self.said = lines
        self.filled: Counter[str] = Counter()
        self.runs = 0
        self.left_out: dict[str, int] = {}

    def add(self, notes: dict) -> None:
        self.filled.update({str(name): int(number) for name, number in notes.get("filled", {}).items()})
        self.runs += bool(notes.get("filled"))
        self.left_out |= {str(name): int(number) for name, number in notes.get("left_out", {}).items()}

    def lines(self) -> tuple[str, ...]:
        """One line a thing that was done."""
        filled = listed([f"{name} {number}" for name, number in self.filled.items()])
        lines = [f"gaps filled by interpolation in {self.runs} runs: {filled}"] if self.filled else []
        lines += [f"{number} runs of {name} with gaps were left out" for name, number in self.left_out.items()]
        return (*self.said, *lines)


class Reader:
    """An Ensemble in the making: records are put one by one, at the positions of `run_ids`.

    names         of the series to load, or of features, in that order; None: all
    resample      a time step: every run is interpolated to it; None: as stored
    array_files   array file, and of a foreign one how it is read -> [(row, position, digest)] of the runs that it holds
    """

    def __init__(self, path, run_ids: list[str], names: list[str] | None, in_memory: int | None, resample=None):
        self.path, self.run_ids, self.names, self.in_memory = path, run_ids, names, in_memory
        self.resample = resample
        self.array_files: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        self.notes = Notes() if resample is None else Notes(f"interpolated linearly to a time step of {resample:g}")
        self.columns: dict[str, array] = {}  # name -> one number a run, where all runs so far have it
        self.lost: dict[str, str] = {}  # name -> which run has not
        self.lengths = np.zeros(len(run_ids), dtype=int)
        self.features: dict[str, None] = {}  # of every run, in this order; those of the run `first`
        self.times = np.empty(0)  # of the longest run so far
        self.units: dict[str, str] = {}  # of all runs
        self.first, self.longest = "", ""  # ids: whose features, whose times
        self.timed = False  # whether a run says when its steps were
        self.room: Room | None = None

    def add(self, position: int, record: dict) -> None:
        """Put a run: its numbers, and its series or in which file they stand."""
        data = values_of(record["data"])
        if CURVE_SET in record["curve_sets"]:
            self._add_series(position, values_of(record["curve_sets"][CURVE_SET]["dependent"]))
        else:
            path, row, digest, *reading = place_of(record)
            key = (str(path), json.dumps(reading[0]) if reading else "")
            self.array_files.setdefault(key, []).append((int(row), position, str(digest)))
            data.pop(ROW, None)
        gather(self.columns, self.lost, data, self.run_ids[position], self.run_ids[0])
        self._add_units(self.run_ids[position], units_of(record))
        self.notes.add(record["user_defined"].get(NOTES, {}))

    def _add_units(self, run_id: str, units: dict[str, str]) -> None:
        """Keep the units of a run. Raises StoreError for one that another run has otherwise."""
        for name, unit in units.items():
            if self.units.setdefault(name, str(unit)) != unit:
                what = f"run {run_id} has {name} in {unit!r:.60}, another run in {self.units[name]!r:.60}"
                raise StoreError(f"{self.path}: {what}")

    def _add_series(self, position: int, series: dict[str, list]) -> None:
        """Put the series of one run, name -> one number a step."""
        run_id, names = self.run_ids[position], [name for name in series if name != TIME]
        lengths = sorted({len(values) for values in series.values()})
        if not names or len(lengths) != 1 or not lengths[0]:
            raise StoreError(f"{self.path}: run {run_id}: expected series of as many steps each, got {lengths}")
        places = self._places(run_id, {name: (name,) for name in names})
        self.timed |= TIME in series
        values = np.array([series[names[place]] for place in places], dtype=float)
        if values.ndim != 2:
            raise StoreError(f"{self.path}: run {run_id}: expected Sina's JSON of a run, one number a step")
        self._put(position, np.array(series.get(TIME, range(*lengths)), dtype=float), values.T)

    def _put(self, position: int, times: np.ndarray, values: np.ndarray) -> None:
        """Put the values (steps, features) of a run, resampled where that is asked for."""
        if self.resample is not None:
            times, values = clock.resampled(times, values, self.resample)
        self._check_times(self.run_ids[position], times)
        self._room(float).put(position, values)
        self.lengths[position] = len(values)

    def add_array_files(self) -> None:
        """Put the runs that stand in array files, file by file and some runs at a time."""
        files = {key: opened(*key) for key in self.array_files}
        self.timed |= bool(files)
        features = {key: self._places_in(key, file) for key, file in files.items()}
        types = {each for file in files.values() for each in file.types_of(self.features)}
        types = types if self.resample is None else {np.dtype(float)}
        for key, file in files.items():
            room = self._room(*types if len(types) == 1 else [float])
            room.reserve(max(each.steps for each in files.values()) if self.resample is None else 1)
            places = sorted(self.array_files[key])
            for first in range(0, len(places), file.runs_at_once):
                self._add_block(room, file, places[first : first + file.runs_at_once], features[key])

    def _places_in(self, key: tuple[str, str], file: ArrayFile) -> list[int]:
        _, position, _ = self.array_files[key][0]
        return self._places(self.run_ids[position], file.features)

    def _add_block(self, room: Room, file: ArrayFile, places: list[tuple[int, int, str]], features: list[int]) -> None:
        rows, positions, digests = (list(each) for each in zip(*places, strict=True))
        block = file.series_of([self.run_ids[position] for position in positions], rows, digests)
        values = block.values(features)
        if self.resample is not None:
            for position, length, of_run in zip(positions, block.lengths, values, strict=True):
                self._put(position, block.times[:length], of_run[:length])
            return
        longest = int(np.argmax(block.lengths))
        self._check_times(self.run_ids[positions[longest]], block.times[: block.lengths[longest]])
        room.put(positions, values)
        self.lengths[positions] = block.lengths

    def _room(self, dtype) -> Room:
        """Where the values go; made, of this type, at the first call."""
        if self.room is None:
            folder = os.path.dirname(self.path)
            shape = (len(self.run_ids), len(self.features))
            self.room = Room(*shape, dtype, in_memory=self.in_memory, folder=folder)
        return self.room

    def _places(self, run_id: str, series: dict[str, tuple[str, ...]]) -> list[int]:
        """Where a run has the features of all runs, among those of its series, name -> features, one after the other.

        Raises StoreError, with what differs, for a run that has not the features of the first one.
        """
        held = {feature: place for place, feature in enumerate(chain.from_iterable(series.values()))}
        if not self.first:
            chosen = [series.get(name, (name,)) for name in (self.names or series)]
            self.features, self.first = dict.fromkeys(chain.from_iterable(chosen)), run_id
        lacks = [feature for feature in self.features if feature not in held]
        others = [feature for feature in held if feature not in self.features] if lacks or not self.names else []
        if lacks or others:
            found = [f"{verb} {listed(names)}" for verb, names in (("lacks", lacks), ("has", others)) if names]
            expected = f"the series of run {self.first}" if not self.names else "the series that were asked for"
            raise StoreError(f"{self.path}: run {run_id} {', '.join(found)}: expected {expected}")
        return [held[feature] for feature in self.features]

    def _check_times(self, run_id: str, times: np.ndarray) -> None:
        """Keep the times of the longest run. Raises StoreError for a run whose times are not the beginning of its."""
        if np.array_equal(times, self.times):
            return
        if (step := clock.first_difference(times, self.times)) is not None:
            what = f"step {step} at time {times[step]}, in run {self.longest} at time {self.times[step]}"
            suggested = f"to bring all runs to one time step: resample, such as {clock.time_step(self.times):.6g}"
            raise StoreError(f"{self.path}: run {run_id} has {what}; {suggested}")
        if len(times) > len(self.times):
            self.times, self.longest = times, run_id

    def _units(self) -> dict[str, str]:
        """Name -> unit, of features, inputs and results; the features of a series have that of the series."""
        parts = {name: self.units[series] for name in self.features if (series := name.partition("[")[0]) in self.units}
        return {name: unit for name, unit in (parts | self.units).items() if name != TIME}

    def ensemble(self) -> Ensemble:
        """All that was put. Raises ValueError for values that are not finite and times that do not rise."""
        columns = {name: np.array(column) for name, column in self.columns.items()}
        return Ensemble(
            values=self._room(float).finish(self.lengths),
            run_ids=tuple(self.run_ids),
            features=tuple(self.features),
            times=self.times,
            inputs={name: column for name, column in columns.items() if not is_result(name)},
            results={name: column for name, column in columns.items() if is_result(name)},
            unusable=self.lost,
            lengths=self.lengths,
            units=self._units(),
            step_unit=self.units.get(TIME, "s") if self.timed else "",
            notes=self.notes.lines(),
        )


def gather(columns: dict[str, array], lost: dict[str, str], data: dict, run_id: str, first: str) -> None:
    """Add a run's numbers to `columns`, name -> one number a run.

    A name without a number in some run is dropped for all, and goes into `lost`: name -> which run, and what it has.
    """
    if run_id == first:
        columns.update({name: array("d") for name in data})
    lost.update({name: f"run {first} lacks it" for name in data.keys() - columns.keys() - lost.keys()})
    for name in list(columns):
        if isinstance(data.get(name), (int, float)):
            columns[name].append(data[name])
        else:
            del columns[name]
            lost[name] = f"run {run_id} {instead(data.get(name))}"


def listed(names: list[str]) -> str:
    """Names as a message may hold them: some, short, without control characters."""
    shown = [name[:60] if name.isprintable() else repr(name[:60]) for name in names[:SHOWN]]
    return ", ".join([*shown, f"{len(names) - SHOWN} more"] if len(names) > SHOWN else shown)
