"""Table: rows of tables as runs: which column is the time, which tells runs apart, which are series, which inputs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from sim2seq.data.arrays import Block
from sim2seq.data.foreign import clock
from sim2seq.data.foreign.columns import Columns, Piece, number_or_word, without_categories
from sim2seq.data.foreign.reading import (
    COUNTERS,
    MAYBE_RUNS,
    NO_TIME,
    RUNS,
    TAKEN,
    Reading,
    clock_among,
    first_of,
    listed,
)
from sim2seq.data.foreign.text import is_count
from sim2seq.data.records import RecordError, shown

FEATURES = ("variable", "parameter", "quantity", "feature", "channel", "signal", "series")  # names a column of names
NO_NAME = "unnamed 1"  # of a table's first column
UNNAMED = ("unnamed ", "Unnamed: ")  # how the names of columns without one begin, here and in pandas


def runs_in(cells: pd.Series, piece: Piece) -> tuple[np.ndarray, list]:
    """The run of each row, as a place in the runs that there are. Raises RecordError, with the line, where none is."""
    codes, held = pd.factorize(cells)
    if (codes < 0).any():
        line = cells.index[int(np.argmax(codes < 0))] + piece.skipped + 1
        what = f"{cells.name}: expected the run that the row belongs to"
        raise RecordError(f"{piece.origin}, line {line}: {what}")
    return codes, list(held)


def index_in(frame: pd.DataFrame, names: list[str], run: str) -> str:
    """The column without a name in which pandas writes an index, where that is a clock; "": none.

    A clock rises in each run and is written with a point; whole numbers count rows.
    """
    if names[:1] != [NO_NAME] or frame[NO_NAME].dtype.kind != "f" or frame[NO_NAME].isna().any():
        return ""
    runs = frame[run] if run else np.zeros(len(frame))
    return NO_NAME if frame.groupby(runs)[NO_NAME].is_monotonic_increasing.all() else ""


def check_direction(frame: pd.DataFrame, names: list[str]) -> None:
    """Raise RecordError for columns named 1960, 1961, ...: each line is a run rather than a step."""
    steps = [name for name in names if name.isdigit()]
    if is_count(steps) and int(steps[0]) > 1:
        others = [name for name in names if name not in steps and clock.are_words(frame[name])][:1]
        turned = f"pandas.melt(frame, {others}, var_name='time') makes a line a step of them"
        raise RecordError(f"are {listed(steps, 2)} steps, each line a run? {turned}; --time none: they are features")


class Table:
    """Runs in the rows of tables, of which every run is read by itself."""

    runs_at_once = 1

    def __init__(self, pieces: Iterable[Piece], reading: Reading):
        asked = (*reading.series, *reading.controls) if reading.series else ()
        self.reading, self.columns = reading, Columns(reading.dates, asked)
        self.time, self.said = "", dict[str, str]()
        self._run: dict[str, str] = {}  # file -> the column that tells its runs apart
        self._said: dict[str, tuple[str, dict]] = {}  # file -> its name, and what that column says where it is constant
        for piece in pieces:
            self._add(piece)
        self._apart()
        if not self.columns.rows:
            raise RecordError("expected tables with rows, got none")

    def _apart(self) -> None:
        """Make a run of each file, where several that begin anew have one and the same word in the column of runs."""
        files = set() if self.reading.run else self.columns.begun_anew()
        self._said = {file: self._said[file] for file in files}
        self.columns.set_apart({file: name for file, (name, _) in self._said.items()})
        self.columns.check_order()

    def _add(self, piece: Piece) -> None:
        frame = piece.frame.rename(columns=self.reading.name).dropna(how="all")
        if frame.columns.duplicated().any():
            twice = frame.columns[frame.columns.duplicated()][0]
            raise RecordError(f"{piece.origin}: two columns are named {shown(twice)}")
        frame = without_categories(frame)
        names = [str(name) for name in frame.columns]
        try:
            run = self._run[piece.origin] if piece.origin in self._run else self._run_among(frame, names)
            frame, time = self._timed(frame, [name for name in names if name != run], run)
        except RecordError as error:
            raise RecordError(f"{piece.origin}: {error}") from error
        self._run[piece.origin] = run
        if self.columns.rows and bool(time) != bool(self.time):
            lacks = (
                f"no column of times, and files before it have {shown(self.time)}" if self.time else f"times, {time}"
            )
            raise RecordError(f"{piece.origin}: it has {lacks}: expected the same in all; --time none counts steps")
        self.time = self.time or time
        for name, unit in zip(names, piece.units, strict=False):
            if unit and self.said.setdefault(name, unit) != unit:
                raise RecordError(
                    f"{piece.origin}: {shown(name)} in {unit!r}, in files before it in {self.said[name]!r}"
                )
        codes, runs = runs_in(frame[run], piece) if run else (np.zeros(len(frame), dtype=int), [piece.name])
        rest = frame.drop(columns=[name for name in (run, time) if name])
        if rest.columns.empty:
            raise RecordError(f"{piece.origin}: expected columns with numbers beside {listed(names)}")
        times = clock.of_digits(frame[time].to_numpy(), time) if time else None
        places = np.array([self.columns.place_of(each, piece.origin) for each in runs], dtype=np.int32)
        self._said.setdefault(piece.origin, (piece.name, {run: number_or_word(runs[0])} if run and runs else {}))
        self.columns.add(rest, piece.origin, places[codes], times, piece.skipped)

    def _run_among(self, frame: pd.DataFrame, names: list[str]) -> str:
        """The column that tells runs apart; "": there is none. Raises RecordError where one was asked for.

        A column with another number in each row counts rows.
        """
        asked = self.reading.run
        if asked and asked not in names:
            raise RecordError(f"no column {shown(asked)} that tells runs apart: it has {listed(names)}")
        several = [name for name in names if len(frame) < 2 or frame[name].nunique() < len(frame)]
        once = first_of([name for name in names if name not in several and clock.are_words(frame[name])], RUNS)
        if once and not asked and not self.reading.time and not clock_among(name for name in names if name != once):
            steps = "if its lines are the steps of one run, --time none"
            raise RecordError(
                f"{shown(once)} is another one in each line: a table with a line a run is --inputs; {steps}"
            )
        return asked or first_of(several, RUNS) or self._run_by_times(frame, several)

    def _run_by_times(self, frame: pd.DataFrame, names: list[str]) -> str:
        """A column that may tell runs apart and, as times stand there more than once, does: each once with each."""
        found = first_of(names, MAYBE_RUNS)
        time = self.reading.time or clock_among(name for name in names if name != found)
        if not found or time not in frame or not frame[time].duplicated().any():
            return ""
        return "" if frame[[found, time]].duplicated().any() else found

    def _timed(self, frame: pd.DataFrame, names: list[str], run: str) -> tuple[pd.DataFrame, str]:
        """The frame, with a date in several columns as one, and the column of the time; "": none."""
        if self.reading.time == NO_TIME:
            return frame, ""
        day, clock_ = (first_of(names, those) for those in (clock.DAYS, clock.TIMES_OF_DAY))
        if not self.reading.time and day and clock_ and all(clock.are_words(frame[each]) for each in (day, clock_)):
            both = frame[day].astype(str) + " " + frame[clock_].astype(str)
            return frame.drop(columns=clock_).assign(**{day: both}), day
        dates = [name for name in names if clock.are_words(frame[name]) and frame[name].map(clock.is_date).all()]
        found = clock_among(names, self.reading.time) or (dates[0] if len(dates) == 1 else "")
        if not self.reading.time and not self.reading.dates:
            parts, days = clock.of_parts(frame[names])
            if days is not None and (
                found in parts or (not found and clock.is_each_once(frame[run] if run else None, days))
            ):
                return frame.drop(columns=parts[1:]).assign(**{parts[0]: days}), parts[0]
        found = found or index_in(frame, names, run)
        if not found and not self.reading.columns:
            check_direction(frame, names)
        return frame, found

    @cached_property
    def ids(self) -> list[str]:
        return list(self.columns.ids)

    @cached_property
    def _rows(self) -> list[np.ndarray]:
        """Which rows each run has."""
        codes = self.columns.codes
        order = np.argsort(codes, kind="stable")
        return np.split(order, np.searchsorted(codes[order], np.arange(1, len(self.ids))))

    @cached_property
    def _extent(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest number of each column in each run, both (runs, columns); nan without any."""
        table, shape = self.columns.table, (len(self.ids), len(self.columns.names))
        low, high = np.full(shape, np.nan), np.full(shape, np.nan)
        for run, rows in enumerate(self._rows):
            values = table[rows]
            there = ~np.isnan(values)
            some = there.any(axis=0)
            low[run, some] = np.where(there, values, np.inf).min(axis=0)[some]
            high[run, some] = np.where(there, values, -np.inf).max(axis=0)[some]
        return low, high

    @cached_property
    def _constant(self) -> dict[str, bool]:
        """Whether each column has one value in each run."""
        low, high = self._extent
        return dict(zip(self.columns.names, ((low == high) | np.isnan(low)).all(axis=0).tolist(), strict=True))

    @cached_property
    def _empty(self) -> set[str]:
        low, _ = self._extent
        return {name for name, none in zip(self.columns.names, np.isnan(low).all(axis=0), strict=True) if none}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that are series: those asked for, or numbers that change within a run."""
        numbers = [name for name in self.columns.names if name not in self.columns.words]
        asked = (*self.reading.series, *self.reading.controls)
        unknown = [name for name in asked if name not in numbers]
        if unknown:
            raise RecordError(f"no series {listed(unknown)}: columns of numbers are {listed(numbers) or 'none'}")
        if self.reading.series:
            return self.reading.series
        several = len(self.ids) > 1 and max(map(len, self._rows)) > 1
        changing = [name for name in self.numbered if not self._constant[name] or name in self.reading.controls]
        chosen = changing if several and changing else self.numbered
        if not chosen:
            raise RecordError(f"no series: columns of numbers are {listed(numbers) or 'none'}")
        return tuple(chosen)

    @property
    def numbered(self) -> list[str]:
        """The columns with numbers, but for those that only count rows: without a name, or a counter beside a clock."""
        counts = (*COUNTERS, *RUNS) if self.time else RUNS
        found = [name for name in self.columns.names if name not in self._empty and name not in self.columns.words]
        return [name for name in found if not name.startswith(UNNAMED) and name.lower() not in counts]

    @cached_property
    def series(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        return {name: ((), np.dtype(float)) for name in self.names}

    @cached_property
    def given(self) -> list[str]:
        """The columns that are inputs: one number or word in each run."""
        names = [name for name in self.columns.names if name not in (*self.names, *self._empty)]
        names = [name for name in names if not (name in self.columns.words and name in TAKEN)]
        return [name for name in names if self._constant[name] and not name.startswith(UNNAMED)]

    def inputs_of(self, row: int) -> dict:
        """Name -> number or word of a run."""
        low, _ = self._extent
        found = {name: float(low[row, self.columns.names.index(name)]) for name in self.given}
        texts = {name: list(codes) for name, codes in self.columns.words.items()}
        found = {name: number for name, number in found.items() if number == number}
        _, said = self._said.get(self.files_of(row)[0], ("", {}))
        return said | {name: texts[name][int(number)] if name in texts else number for name, number in found.items()}

    @cached_property
    def passed_by(self) -> list[str]:
        """The columns that are neither series nor inputs."""
        there = dict.fromkeys((*self.columns.names, *self.columns.others))
        return [name for name in there if name not in (*self.names, *self.given)]

    @cached_property
    def clock(self) -> tuple[np.ndarray, str, bool]:
        """The time of each row; its unit; whether each run counts it from its own start."""
        times = self.columns.times
        if times is None:
            return np.zeros(0), "", False
        times = clock.after_midnight(times, self._rows)
        return times, *clock.unit_of(self.said.get(self.time, ""), self.time, times)

    @cached_property
    def units(self) -> dict[str, str]:
        units = {name: unit for name, unit in self.said.items() if unit and name != self.time}
        return units if self.time and not self.clock[1] else units | {"time": self.clock[1]}

    def units_of(self, row: int) -> dict[str, str]:
        return self.units

    def files_of(self, row: int) -> list[str]:
        return list(self.columns.files[self.ids[row]])

    @property
    def advice(self) -> str:
        """What else may be meant by rows of one time: another run, told by a column, or the next step."""
        times, table, words = self.columns.times, self.columns.table, self.columns.words
        for name in sorted(self.columns.names, key=lambda name: name not in words):
            values = table[:, self.columns.names.index(name)]
            if times is not None and (name in words or (values % 1 == 0).all()) and 1 < len(set(values)) < len(values):
                rows = pd.DataFrame({"run": self.columns.codes, "time": times, "other": values})
                if not rows.duplicated().any() and name.lower() in FEATURES:
                    return f"; or is each {name} a feature? frame.pivot(columns={name!r}, ...) makes a column of it"
                if not rows.duplicated().any():
                    return f"; or is each {name} a run? --run {shlex.quote(name)}"
        return "; --time none counts the steps"

    @property
    def numbers(self) -> int:
        return self.columns.rows * len(self.names)

    def block(self, rows: list[int]) -> Block:
        """The series of one run as the table has them."""
        held, (times, unit, from_start) = self._rows[rows[0]], self.clock
        values = self.columns.table[held]
        places = {name: self.columns.names.index(name) for name in self.names}
        series = {name: values[None, :, place] for name, place in places.items()}
        counted = clock.count(times[held], unit, from_start) if len(times) else np.arange(len(held), dtype=float)
        return Block(series, counted, np.array([len(held)]))
