"""Columns: how numbers in the cells of tables are written; and the rows of tables, put together piece by piece.

They stand in a file without a name: numbers, words as codes, times.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sim2seq.data.foreign import clock
from sim2seq.data.foreign.clock import as_numbers
from sim2seq.data.foreign.reading import id_of, listed
from sim2seq.data.records import RecordError, shown

MOST_WRONG = 0.5  # share of the cells that are no numbers, from which on a column is one of words


NUMBER = re.compile(
    r"\s*[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?\s*|\s*[-+]?(nan|inf|infinity|na|n/a|null|none)\s*", re.IGNORECASE
)
COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
WITH_COMMAS = re.compile(r"\s*[-+]?\d{1,3}(,\d{3})+(\.\d*)?\s*")
WITH_POINTS = re.compile(r"\s*[-+]?\d{1,3}(\.\d{3})+,\d+\s*")
THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?\s*")
NO_COMMA = re.compile(r"\s*[-+]?(\d*\.\d+|\d{4,}|\d{1,3}(,\d{3})+(,\d{3}|\.\d*))\s*")  # is the decimal sign here
PADDED = re.compile(r"\s*0\d+\s*")  # the numbers of runs, such as 001
TURNED = str.maketrans(",.", ".,")


def is_number(cell: str) -> bool:
    return bool(cell.strip()) and any(each.fullmatch(cell) for each in (NUMBER, COMMA, WITH_POINTS, WITH_COMMAS))


def can_be_grouped(cells: Iterable[str]) -> bool:
    """Whether commas are in numbers of a column, between thousands in all that have one."""
    those = [cell for cell in cells if "," in cell and is_number(cell)]
    return bool(those) and all(map(THOUSANDS.fullmatch, those))


def are_grouped(cells: Iterable[str]) -> bool:
    """Whether commas are between thousands, for sure: a number of the column shows that they are not decimal ones."""
    return can_be_grouped(cells) and any(map(NO_COMMA.fullmatch, cells))


def ungrouped(where: str, cells: pd.Series, *, decimal: str = ".", sure: bool = False) -> pd.Series:
    """The texts of a column without the sign between thousands, where they are numbers with it; else as they are.

    sure    whether the file shows that this sign, the one that is not `decimal`, stands there; else the column has to
    Raises RecordError, of the file `where`, where nothing shows which of the two it is, and for lists in cells.
    """
    try:
        codes, held = pd.factorize(cells.astype(object))
    except TypeError as error:  # what has no hash: lists and records, as Parquet has them
        what = "holds lists or records: expected one number or word a row"
        advice = f"frame.explode({cells.name!r}) makes rows of lists"
        raise RecordError(f"{where}: column {cells.name} {what}; {advice}") from error
    texts = [str(each).translate(TURNED) if decimal == "," else str(each) for each in held]
    if not any(isinstance(each, str) for each in held) or not can_be_grouped(texts):
        return cells
    if not (sure or are_grouped(texts)):
        one = next(each for each, text in zip(held, texts, strict=True) if THOUSANDS.fullmatch(text))
        sign = "point" if decimal == "," else "comma"
        what = f"{shown(one)} is in thousands, or has decimals: write it without a {sign}"
        raise RecordError(f"{where}, column {cells.name}: {what}")
    plain = [text.replace(",", "") if is_number(text) else each for each, text in zip(held, texts, strict=True)]
    return pd.Series(plain, dtype=object).reindex(codes).set_axis(cells.index).rename(cells.name)


def matched(run_ids: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Run id -> the one of `names` that is it, or, where none is, that alone is the same whole number: 1 for 001."""
    runs, names = list(run_ids), list(names)
    left, free = by_number(set(runs) - set(names)), by_number(set(names) - set(runs))
    pairs = [(left[number], free[number]) for number in left.keys() & free.keys()]
    same = {one[0]: other[0] for one, other in pairs if len(one) == len(other) == 1}
    held = set(names)
    return {run: run if run in held else same[run] for run in runs if run in held or run in same}


def by_number(ids: Iterable[str]) -> dict[int, list[str]]:
    """The ids that are whole numbers, by these."""
    found: dict[int, list[str]] = {}
    for each in ids:
        if each.isdigit():
            found.setdefault(int(each), []).append(each)
    return found


def without_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the numbers or texts that its categorical columns stand for."""
    coded = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)]
    return frame.assign(**{str(name): frame[name].astype(object).infer_objects() for name in coded}) if coded else frame


def cells_of(cells: pd.Series, where: str, runs: list[str]) -> list:
    """Numbers, or words where most of them are none; None for what is missing.

    Raises RecordError, of the file `where`, with the run for a cell that is no number beside such that are.
    """
    numbers, wrong = as_numbers(cells)
    if are_few(wrong, cells):
        place = int(np.argmax(wrong))
        what = f"column {cells.name}: expected a number, got {shown(cells.iloc[place])}"
        raise RecordError(f"{where}: run {runs[place]}, {what}")
    if wrong.any():
        return [str(each) if there else None for each, there in zip(cells, cells.notna(), strict=True)]
    return [each if each == each else None for each in numbers.tolist()]


def number_or_word(cell) -> float | str:
    """A cell as an input."""
    return float(cell) if isinstance(cell, (int, float, np.number)) else str(cell)


def are_few(wrong: np.ndarray, cells: pd.Series) -> bool:
    """Whether some cells are `wrong`, and too few for a column of words."""
    return bool(0 < wrong.sum() <= MOST_WRONG * cells.notna().sum())


def words_for(values: list, runs: int) -> str:
    """The range of an input, or its words."""
    lack = f", {runs - len(values)} runs lack it" if len(values) < runs else ""
    if all(isinstance(value, float) for value in values):
        return (f"{min(values):.6g} to {max(values):.6g}" if min(values) < max(values) else f"{values[0]:.6g}") + lack
    return f"words: {listed(dict.fromkeys(map(str, values)), 4)}{lack}"


@dataclass(frozen=True)
class Piece:
    """Some rows of a table.

    frame    with the names of the file; its index counts the lines after the first `skipped` ones
    origin   the file; name: the run of a table without a column that tells runs apart
    units    of the columns, in their order
    """

    frame: pd.DataFrame
    origin: str
    name: str
    units: tuple[str, ...] = ()
    skipped: int = 0


@dataclass
class Columns:
    """Rows of tables with the same columns.

    names   of all columns but the time; words: name -> the texts that its numbers stand for, where it holds words
    asked   the columns that all files must have; none: all. What is not asked for and not in the first: `others`
    codes   of each row, which run it belongs to: a place in `ids`; files: run id -> the files that it is in
    """

    dates: str = ""
    asked: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: dict[str, int] = field(default_factory=dict)
    files: dict[str, dict[str, None]] = field(default_factory=dict)
    words: dict[str, dict[str, int]] = field(default_factory=dict)
    numeric: set[str] = field(default_factory=set)
    rows: int = 0
    others: dict[str, None] = field(default_factory=dict)

    def __post_init__(self):
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as this object
        self._told: dict[str, tuple[str, str]] = {}  # run id -> as it was written, and the first file that it is in
        self._codes: list[np.ndarray] = []
        self._origins: list[str] = []  # of each of these
        self._times: list[np.ndarray] = []

    def place_of(self, run, origin: str) -> int:
        """The place of a run, as it is written in the file `origin`, among `ids`.

        Raises RecordError for one that another run, which is written in another way, has the id of.
        """
        run_id, text = id_of(run), str(int(run) if isinstance(run, float) and run.is_integer() else run).strip()
        other, before = self._told.setdefault(run_id, (text, origin))
        if other != text:
            where = "" if before == origin else f", of {before},"
            what = f"runs {shown(text)} and {shown(other)}{where} have one id, {run_id}"
            raise RecordError(f"{origin}: {what}: expected ids that differ in letters, digits or ._+-")
        self.files.setdefault(run_id, {})[origin] = None
        return self.ids.setdefault(run_id, len(self.ids))

    def check_order(self) -> None:
        """Raise RecordError for a run in several files, though no time says which row comes first."""
        for run, (first, *others) in self.files.items():
            if others and not self._times:
                raise RecordError(f"{others[0]}: run {run} is there already, in {first}, and no column is its time")

    def begun_anew(self) -> set[str]:
        """The files of a run that have the same first time, or none, where each of them is of that run only."""
        held, begins = Counter(file for files in self.files.values() for file in files), dict[str, Any]()
        for place, origin in enumerate(self._origins):
            first = self._times[place].min() if self._times and len(self._times[place]) else None
            begins[origin] = min((each for each in (begins.get(origin), first) if each is not None), default=None)
        alone = [[*files] for files in self.files.values() if len(files) > 1 and all(held[each] == 1 for each in files)]
        return {each for files in alone if len({begins[each] for each in files}) < len(files) for each in files}

    def set_apart(self, names: dict[str, str]) -> None:
        """Give the rows of each of these files, file -> name of its run, a run of their own. Raises RecordError."""
        if not names:
            return
        told, self.ids, self.files, self._told = list(self.ids), {}, {}, {}
        for place, origin in enumerate(self._origins):
            runs = {code: names.get(origin, told[code]) for code in np.unique(self._codes[place]).tolist()}
            places = {code: self.place_of(run, origin) for code, run in runs.items()}
            self._codes[place] = np.array([places[code] for code in self._codes[place].tolist()], dtype=np.int32)
        if twice := [run for run, files in self.files.items() if len(files) > 1 and {*files} & names.keys()]:
            raise RecordError(f"{[*self.files[twice[0]]][1]}: run {twice[0]} is there already, in a column of runs")

    def add(self, frame: pd.DataFrame, origin: str, runs: np.ndarray, times, skipped: int = 0) -> None:
        """Add rows: frame without times and runs, whose index counts lines after `skipped`.

        runs    (rows,) the place of the run of each row
        times   (rows,) of any kind; None: the rows are the steps
        Raises RecordError, with the line, for a cell that does not fit.
        """
        if not self.names:
            self.names = tuple(frame.columns)
        lacks, more = (set(one) - set(other) for one, other in ((self.names, frame), (frame, self.names)))
        if self.asked and lacks.isdisjoint(self.asked):
            self.others |= dict.fromkeys(sorted(more))
            frame = frame.reindex(columns=list(self.names))
        elif lacks or more:
            what = f"lacks {listed(sorted(lacks))}" if lacks else f"has {listed(sorted(more))}"
            raise RecordError(f"{origin}: {what}: expected the columns of the files before it")
        lines = frame.index.to_numpy() + skipped + 1
        block = np.stack([self.numbers(frame[name], origin, lines) for name in self.names], axis=1)
        block.tofile(self.file)
        self.rows += len(block)
        self._codes.append(runs)
        self._origins.append(origin)
        if times is not None:
            self._times.append(self.parsed(times, origin))

    def parsed(self, times, origin: str) -> np.ndarray:
        """Times, all of one kind. Raises RecordError."""
        try:
            found = clock.parse(times, self.dates)
        except RecordError as error:
            raise RecordError(f"{origin}: {error}") from error
        if self._times and self._times[0].dtype != found.dtype:
            raise RecordError(f"{origin}: expected times of the kind that stands before, got {shown(times[0])}")
        return found

    def numbers(self, cells: pd.Series, origin: str, lines: np.ndarray) -> np.ndarray:
        """Cells of a column as numbers: of words, their codes; nan where there is none."""
        name = str(cells.name)
        if name not in self.words:
            made, wrong = as_numbers(cells)
            if wrong.any() and (name in self.numeric or are_few(wrong, cells)):
                place = int(np.argmax(wrong))
                what = f"expected a number, got {shown(cells.iloc[place])}"
                raise RecordError(f"{origin}, line {lines[place]}, column {name}: {what}")
            if not wrong.any():
                self.numeric |= {name} if np.isfinite(made).any() else set()
                return made
        codes = self.words.setdefault(name, {})
        there = zip(cells, cells.notna(), strict=True)
        return np.array([codes.setdefault(str(each), len(codes)) if is_there else np.nan for each, is_there in there])

    @property
    def table(self) -> np.ndarray:
        """All rows, (rows, columns), which the machine keeps in memory or not."""
        self.file.flush()
        shape = (self.rows, len(self.names))
        return (
            np.memmap(self.file, dtype=float, mode="r", shape=shape)
            if os.fstat(self.file.fileno()).st_size
            else np.empty(shape)
        )

    @property
    def codes(self) -> np.ndarray:
        return np.concatenate(self._codes)

    @property
    def times(self) -> np.ndarray | None:
        return np.concatenate(self._times) if self._times else None
