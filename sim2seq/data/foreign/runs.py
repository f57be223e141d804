"""Runs: what the sources hold as records.Run, one after the other, and a count of what was seen on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np
import pandas as pd

from sim2seq.data import clock
from sim2seq.data.array_layout import features_of
from sim2seq.data.arrays import Block, digests_of_kept
from sim2seq.data.foreign.columns import cells_of, matched
from sim2seq.data.foreign.files import TABLES, Source, kind_of, pieces_of, reading_errors
from sim2seq.data.foreign.reading import RUNS, TAKEN, Reading, first_of, id_of, listed, stem
from sim2seq.data.foreign.table import Table
from sim2seq.data.foreign.text import format_of
from sim2seq.data.foreign.tidy import Gaps, Twice, holding, tidy
from sim2seq.data.records import STEP_AXIS, TIME, RecordError, Run, unlike

STAYS = 1_000_000  # numbers in a file of arrays, from which on they stay there
ROW = "row"  # the number that a store gives a run whose series stay in a file


@dataclass
class Seen:
    """What was seen of the runs so far.

    lengths, units, inputs, names of their series   of all runs; where `look` asks for them:
    ranges, shapes           series -> (lowest, highest), its further dimensions
    times                    of the longest run, `longest`
    """

    look: bool = False
    lengths: list[int] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: dict[str, list] = field(default_factory=dict)
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    longest: str = ""
    first: str = ""  # run, whose names they are
    gaps: Gaps = field(default_factory=Gaps)
    stay: dict[str, int] = field(default_factory=dict)  # file -> runs whose numbers stay there

    def add(self, run_ids: list[str], block: Block) -> None:
        self.lengths += block.lengths.tolist()
        place = int(np.argmax(block.lengths))
        self.check_times(run_ids[place], block.times[: block.lengths[place]])
        self.check_names(run_ids[0], block)
        for name, values in block.series.items() if self.look else ():
            held = [values[run, :length] for run, length in enumerate(block.lengths)]
            low, high = self.ranges.get(name, (np.inf, -np.inf))
            self.ranges[name] = (min(low, *map(np.nanmin, held)), max(high, *map(np.nanmax, held)))
            self.shapes[name] = values.shape[2:]

    def check_names(self, run_id: str, block: Block) -> None:
        """Keep the names of the features. Raises RecordError for a run that has others than those before it."""
        found = {each for name, values in block.series.items() for each in features_of(name, values.shape[2:])}
        self.first, self.names = self.first or run_id, self.names or found
        if told := unlike(found, self.names, listed):
            common = ",".join(sorted(found & self.names))
            common = f"--features {common}" if common else "a store of its own"
            raise RecordError(f"run {run_id} {told}: expected the features of run {self.first}; or {common}")

    def check_times(self, run_id: str, times: np.ndarray) -> None:
        """Keep the times of the longest run. Raises RecordError for a run whose times are not the beginning of its."""
        if not np.isfinite(times).all():
            raise RecordError(f"run {run_id}: expected a time for each step")
        if (step := clock.first_difference(times, self.times)) is not None:
            what = f"run {run_id} has step {step} at time {times[step]:g}, run {self.longest} at {self.times[step]:g}"
            suggested = f"such as {clock.time_step(self.times):.6g}"
            raise RecordError(f"{what}: --resample DT brings all runs to one time step, {suggested}")
        if len(times) > len(self.times):
            self.times, self.longest = times, run_id


@dataclass(frozen=True)
class Beside:
    """What stands in tables beside the files of the runs.

    inputs     run id -> name -> number or word, over those in the files; None: no table. units of these and of controls
    controls   the runs of a table of what was set at each step, each held until the next one
    named      file -> name -> number or word, as its name says it of all of its runs, below what is in the file
    lines      run id -> that in the table of controls, where it is another one
    """

    inputs: dict[str, dict] | None = None
    units: dict[str, str] = field(default_factory=dict)
    controls: Table | None = None
    named: dict[str, dict] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)

    def told_by(self, files: list[str]) -> dict:
        """Name -> number or word, as the names of all of these files say it of a run that is in them."""
        first, *others = (self.named.get(file, {}) for file in files)
        return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}

    def of_runs(self, run_ids: list[str]) -> Beside:
        """The same for these runs, which tables may write as other numbers: 1 for 001."""
        inputs, lines = self.inputs, matched(run_ids, self.controls.ids if self.controls else ())
        given = {run: (inputs or {})[line] for run, line in matched(run_ids, inputs or ()).items()}
        return replace(self, inputs=inputs and inputs | given, lines=lines)

    def steered(self, block: Block, run_ids: list[str], unit: str, start: float) -> Block:
        """The block, its times in `unit` and counted from `start`, with the controls of its runs.

        Raises RecordError for times in another unit, for a run, or a first step, without any control.
        """
        if self.controls is None:
            return block
        if unit and (other := self.controls.clock[1]) not in ("", unit):
            raise RecordError(f"--controls: expected times in {unit!r}, as those of run {run_ids[0]}; got {other!r}")
        made: dict[str, list[np.ndarray]] = {name: [] for name in self.controls.names}
        for run_id in run_ids:
            if (line := self.lines.get(run_id, run_id)) not in self.controls.ids:
                raise RecordError(f"--controls: no line for run {run_id}; it has {listed(self.controls.ids)}")
            held = holding(self.controls.block([self.controls.ids.index(line)]), run_id)
            times = start + block.times
            places = np.searchsorted(held.times, times + clock.ALMOST * clock.time_step(times), "right") - 1
            if places[0] < 0:
                what = f"the first line of run {run_id} is of time {held.times[0]:g}"
                raise RecordError(f"--controls: {what}, the run begins at {times[0]:g}")
            for name, values in held.series.items():
                made[name].append(values[0, places])
                if np.isnan(made[name][-1][0]):
                    what = f"run {run_id}, column {name}: expected a number at time {held.times[places[0]]:g} or before"
                    raise RecordError(f"--controls: {what}, got blank cells")
        return replace(block, series=block.series | {name: np.stack(values) for name, values in made.items()})


def runs_of(sources: list[Source], reading: Reading, seen: Seen, beside: Beside | None = None) -> Iterator[Run]:
    """The runs of all sources; what was seen of them is in `seen` at the end.

    Raises RecordError, in one line: for a run twice, for a run that is not in the tables beside them, and, once all was
    read, for gaps and for names to be changed that nothing has.
    """
    beside = (beside or Beside()).of_runs([run_id for source in sources for run_id in source.runs.ids])
    check_ids(sources, beside.inputs)
    for source in sources:
        with reading_errors(source.path) if source.path else nullcontext():
            yield from of_source(source, reading, seen, beside)
    reading.check_renamed()
    check_gaps(seen, reading)


def check_gaps(seen: Seen, reading: Reading) -> None:
    """Raise RecordError for gaps that were to be refused, could not be filled, or have cost every run."""
    if seen.gaps.found and (reading.gaps == "refuse" or (reading.gaps == "fill" and seen.gaps.left_out)):
        raise RecordError(seen.gaps.refusal(reading.gaps))
    if not seen.lengths:
        lines = "; ".join(seen.gaps.lines())
        raise RecordError(f"no run is without gaps: {lines}" if lines else "expected runs, got none")


def check_ids(sources: list[Source], inputs: dict | None) -> None:
    """Raise RecordError for a run that is there twice, or that a table of inputs lacks."""
    held: dict[str, str] = {}
    for source in sources:
        for run_id in source.runs.ids:
            if run_id in held:
                raise RecordError(f"{source.path}: run {run_id} is there already, in {held[run_id] or 'a table'}")
            held[run_id] = source.path
    if lacking := [run_id for run_id in held if run_id not in inputs] if inputs is not None else []:
        raise RecordError(f"--inputs: no line for run {listed(lacking)}; it has {listed(inputs or ())}")


def of_source(source: Source, reading: Reading, seen: Seen, beside: Beside) -> Iterator[Run]:
    runs = source.runs
    stays, inputs = bool(source.path) and runs.numbers > STAYS and beside.controls is None, beside.inputs or {}
    path, read_as = os.path.abspath(source.path), source.reading.to_json()
    for first in range(0, len(runs.ids), runs.runs_at_once):
        rows = list(range(first, min(first + runs.runs_at_once, len(runs.ids))))
        counted = dict(seen.gaps.found)
        try:
            raw = runs.block(rows)
            kept, block = tidy(raw, [runs.ids[row] for row in rows], reading, seen.gaps)
        except Twice as error:
            raise RecordError(f"{error}{getattr(runs, 'advice', '')}") from error
        if not (rows := [rows[place] for place in kept]):
            continue
        start = float(np.nanmin(raw.times)) if reading.resample else 0.0  # resampled times count from the first one
        block = beside.steered(block, [runs.ids[row] for row in rows], runs.units_of(rows[0]).get(TIME, ""), start)
        seen.add([runs.ids[row] for row in rows], block)
        held = digests_of_kept(block, [runs.ids[row] for row in rows], runs.series) if stays else [""] * len(rows)
        for place, (row, digest) in enumerate(zip(rows, held, strict=True)):
            run_id = runs.ids[row]
            files = [source.path] if source.path else runs.files_of(row)
            given = beside.told_by(files) | runs.inputs_of(row) | inputs.get(run_id, {})
            data = named_data(run_id, given)
            said = {name: unit for name, unit in (runs.units_of(row) | beside.units).items() if name == TIME or unit}
            filled = {name: n for name, n in seen.gaps.found.get(run_id, {}).items() if run_id not in counted}
            note, where = {"filled": filled} if filled else None, (path, row, digest, read_as) if stays else None
            remember(seen, run_id, data, said)
            seen.stay[source.path] = seen.stay.get(source.path, 0) + stays
            if reading.gaps != "refuse" or not seen.gaps.found:  # else the rest is only read to count its gaps
                yield Run(run_id, data, {} if stays else lists(block, place), where, said, note)


def remember(seen: Seen, run_id: str, data: dict, units: dict[str, str]) -> None:
    """Keep what is said of a run. Raises RecordError where it has another unit than the runs before it."""
    for name, unit in units.items():
        if seen.units.setdefault(name, unit) != unit:
            raise RecordError(f"run {run_id} has {name} in {unit!r}, another run in {seen.units[name]!r}")
    for name, value in data.items():
        seen.inputs.setdefault(name, []).append(value)


def named_data(run_id: str, data: dict) -> dict:
    """Inputs by names that a store has not given away. Raises RecordError."""
    if taken := {ROW, *TAKEN} & data.keys():
        raise RecordError(f"run {run_id}: an input named {min(taken)} is the store's own: --rename {min(taken)}=OTHER")
    if bad := [name for name, value in data.items() if value in (np.inf, -np.inf)]:
        raise RecordError(f"run {run_id}, input {bad[0]}: expected a finite number or a gap, got {data[bad[0]]}")
    return data


def lists(block: Block, place: int) -> dict[str, list[float]]:
    """The series of a run as a record has them, feature by feature, and its times."""
    length = block.lengths[place]
    series = {TIME: block.times[:length].tolist()}
    for name, values in block.series.items():
        columns = values[place, :length].reshape(length, -1).T
        if name in (TIME, STEP_AXIS):
            raise RecordError(f"a series named {name} is the store's own: --rename {name}=OTHER")
        series |= dict(zip(features_of(name, values.shape[2:]), columns.astype(float).tolist(), strict=True))
    return series


def read_inputs(path, reading: Reading) -> tuple[dict[str, dict], dict[str, str]]:
    """Run id -> name -> number or word, and the units of these, of a table.

    The runs stand in the column that tells runs apart in the data, or one of such a name, or the first.
    Raises RecordError, in one line, for what is no such table.
    """
    path = str(path)
    if (kind := kind_of(path)) not in TABLES:
        raise RecordError(f"{path}: expected a table with a line for each run")
    reading = replace(reading, columns=())  # which names those of the runs' tables
    if kind == "text":  # it is told which column is to be read as ids
        names = [reading.name(name) for name in format_of(path, reading).columns]
        reading = replace(reading, run=run_in(names, reading))
    pieces = list(pieces_of(path, kind, reading))
    frame = pd.concat([each.frame for each in pieces]).dropna(how="all").rename(columns=reading.name)
    names = [str(name) for name in frame.columns]
    run = run_in(names, reading)
    ids = [id_of(each) for each in frame[run]]
    if (twice := pd.Index(ids).duplicated()).any():
        raise RecordError(f"{path}: run {ids[twice.argmax()]} has two lines")
    columns = {name: cells_of(frame[name], path, ids) for name in names if name != run}
    rows = [{name: each[row] for name, each in columns.items() if each[row] is not None} for row in range(len(ids))]
    units = dict(zip(names, pieces[0].units, strict=False))
    return dict(zip(ids, rows, strict=True)), {name: unit for name, unit in units.items() if unit and name != run}


def run_in(names: list[str], reading: Reading) -> str:
    return reading.run if reading.run in names else first_of(names, RUNS) or names[0]


def read_controls(path, reading: Reading) -> tuple[Table, dict[str, str]]:
    """The runs of a table of what was set at each step, and the units of what was set. Raises RecordError."""
    path = str(path)
    plain = Reading(time=reading.time, run=reading.run, rename=reading.rename, met=reading.met)
    pieces = pieces_of(path, kind_of(path), plain, stem(path))
    first = list(islice(pieces, 1))
    names = [reading.name(str(name)) for each in first for name in each.frame.columns]
    run = plain.run or first_of(names, RUNS)  # also where each run has one line
    table = Table(chain(first, pieces), replace(plain, run=run))
    if not table.time or table.clock[2]:
        raise RecordError(f"{path}: expected controls with times that are numbers, as those of the runs")
    table.reading = replace(plain, features=tuple(table.numbered))  # also what is constant within each run
    return table, {name: unit for name, unit in table.units.items() if name != TIME}
