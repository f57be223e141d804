"""Text: how a table in a text file is written, separator, decimal sign, names, units, and its rows in pieces."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import TextIO

import pandas as pd

from sim2seq.data.foreign.columns import COMMA, PADDED, THOUSANDS, WITH_POINTS, are_grouped, is_number, ungrouped
from sim2seq.data.foreign.reading import RUNS, Reading, are_units, ends_oddly, first_of, listed, named_clock, split_unit
from sim2seq.data.records import RecordError, shown

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
LEAST_COUNT = 3  # numbers in a row that are no accident
LOOK, MOST_LOOK = 1 << 16, 1 << 26  # bytes of a file that are looked at; at most, where its first lines are long
TAIL = 20  # lines that tell the separator
ROWS = 100_000  # of a table that are read together
SEPARATORS = (";", "\t", "|", ",", " ")
COMMENTS = ("#", "//", "%", "!")
ARCHIVE = ("@relation", "@RELATION", "@problemName", "@problemname")  # how .ts, .tsf and .arff begin
MOST_BREAKS = 100  # of lines within a cell, or the cells of one line
MOST_NAMES = 50  # columns that someone would name by hand
COMMENT = re.compile(r"^[ \t]*#.*\n?", re.MULTILINE)
OPEN = re.compile(r'(^|[;,\t| ])"[^"]*$')  # a cell in quotes that goes on in the next line
BEGINS = re.compile(r"^\s*(#|//|%|!)+\s*")  # how comments begin


@dataclass(frozen=True)
class Format:
    """How a table is written.

    encoding, separator, decimal   as pandas wants them; separator " ": any white space
    thousands   the sign between these, "" where there is none; grouped: places of the columns with commas there
    names, units   of the columns; skip: lines before the first row of numbers
    unnamed        whether each row begins with a cell that has no name (R writes the names of rows so)
    ids            names of the columns that may tell runs apart, by numbers such as 001, which are texts then
    """

    encoding: str
    separator: str
    decimal: str
    thousands: str
    grouped: tuple[int, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    skip: int
    unnamed: bool = False
    ids: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The names of all columns, also of that without one."""
        return (["unnamed 0"] if self.unnamed else []) + list(self.names)


def format_of(path, reading: Reading) -> Format:
    """How the table in a text file is written. Raises RecordError, in one line, for what is none."""
    encoding, text, whole = beginning(path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines, starts = joined(lines if whole or len(lines) < 2 else lines[:-1])
    full = [number for number, line in enumerate(lines) if line.strip()]
    if not full:
        raise RecordError(f"{path}: the file is empty, expected a table")
    said, full = full, [number for number in full if not is_comment(lines[number])] or full
    if opening := next((lines[number] for number in full if lines[number].lstrip().startswith(ARCHIVE)), ""):
        what = f"a file of aeon, sktime or Weka ({shown(opening.split()[0])}), which is not read here"
        raise RecordError(f"{path}: {what}: write it as CSV by the package it is of, as docs/data_format.md shows")
    separator, rows = separated(lines, full)
    first = first_row(rows, full)
    if first in (None, full[-1]) and ends_oddly([len(rows[number]) for number in full[-TAIL:]]):
        what = f"expected {len(rows[full[-2]])} cells, as above, got {shown(lines[full[-1]])}"
        raise RecordError(f"{path}, line {starts[full[-1]] + 1}: {what}")
    if first is None:
        raise RecordError(f"{path}: expected a table of numbers below a line of names, got {shown(lines[full[0]])}")
    header, below = above(lines, said, first, separator, len(rows[first]))
    if header is None and not reading.columns:
        what = f"expected a line of names above {shown(lines[first])}; --columns time,x,... says them"
        wide = "; if each line is a run: numpy.save('runs.npy', numpy.loadtxt(FILE)), read with --dims run,time"
        raise RecordError(f"{path}: {what}{wide if len(rows[first]) > MOST_NAMES else ''}")
    where, asked = f"{path}, line {starts[first] + 1}", list(reading.columns)
    names, units, unnamed = names_of(where, asked or header or [], below, rows[first], all_named=bool(asked))
    columns = list(zip_longest(*(rows[number] for number in full if number >= first), fillvalue=""))
    grouped = tuple(place for place, cells in enumerate(columns) if are_grouped(cells))
    cells = [cell for place, column in enumerate(columns) if place not in grouped for cell in column]
    commas = [cell for cell in cells if COMMA.fullmatch(cell)]
    decimal = "," if separator != "," and commas else "."
    thousands = "." if decimal == "," and any(map(WITH_POINTS.fullmatch, cells)) else ""
    thousands = "," if separator == "," and all(map(THOUSANDS.fullmatch, commas)) else thousands
    form = Format(encoding, separator, decimal, thousands, grouped, names, units, starts[first], unnamed)
    numbered = [name for name, cells in zip(form.columns, columns, strict=False) if any(map(PADDED.fullmatch, cells))]
    renamed = {name: reading.rename.get(name, name) for name in numbered}
    return replace(
        form, ids=tuple(name for name, new in renamed.items() if new == reading.run or first_of([new], RUNS))
    )


def joined(lines: list[str]) -> tuple[list[str], list[int]]:
    """The lines, those as one within which a cell in quotes has line breaks, and the number of the first of each."""
    found, starts, place = [], [], 0
    while place < len(lines):
        last = place
        if lines[place].count('"') % 2 and not is_comment(lines[place]) and OPEN.search(lines[place]):
            following = range(place + 1, min(place + MOST_BREAKS, len(lines)))
            last = next((number for number in following if lines[number].count('"') % 2), place)
        found.append(" ".join(lines[place : last + 1]))
        starts.append(place)
        place = last + 1
    return found, starts


def is_comment(line: str) -> bool:
    """Whether a line, anywhere in a table, is passed by."""
    return line.lstrip().startswith("#")


def names_of(where: str, header: list[str], below, row: list[str], *, all_named=False) -> tuple[tuple, tuple, bool]:
    """The names and units of the columns, and whether rows begin with a cell that the header has no name for.

    below   a line of units, or None; row: the first one of numbers; all_named: there is no such cell
    """
    trailing = len(row) == len(header) + 1 and row[-1].strip() == ""
    unnamed = len(row) == len(header) + 1 and not trailing and not all_named
    header = [*header, ""] if trailing else header
    if len(header) != len(row) - unnamed:
        raise RecordError(f"{where}: expected {len(header)} cells ({listed(header)}), got {len(row)}")
    pairs = [split_unit(name) for name in header]
    names = [name or f"unnamed {place}" for place, (name, _) in enumerate(pairs, 1)]
    if (twice := pd.Index(names).duplicated()).any():
        raise RecordError(f"{where}: two columns are named {shown(names[twice.argmax()])}: --columns A,B,... names all")
    others = [*(below or ()), *[""] * len(names)]
    return tuple(names), tuple(unit or other for (_, unit), other in zip(pairs, others, strict=False)), unnamed


def beginning(path) -> tuple[str, str, bool]:
    """The encoding of a file, its first characters, and whether these are all."""
    with open(path, "rb") as file:
        head = more = file.read(LOOK)
        while more and len(head) < MOST_LOOK and lines_in(head) <= TAIL:
            more = file.read(len(head))
            head += more
        whole = not file.read(1)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding, head.decode(encoding, "replace"), whole
    if b"\0" in head:
        raise RecordError(
            f"{path}: expected a table in text, or NetCDF, HDF5, Zarr, .npz, Parquet; it is none of these"
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return "cp1252", head.decode("cp1252", "replace"), whole
    return "utf-8", head.decode("utf-8", "replace"), whole


def lines_in(head: bytes) -> int:
    """How many lines, neither blank nor comments, begin in the first bytes of a file."""
    begun = (line.strip(b" \t\0") for line in head.splitlines())
    return sum(1 for line in begun if line and not line.startswith(b"#"))


def separated(lines: list[str], full: list[int]) -> tuple[str, dict[int, list[str]]]:
    """The separator that cuts the last lines into as many cells each, and the cells of all full lines by number."""
    tail = [lines[number] for number in full[-TAIL:]]
    for separator in SEPARATORS:
        counts = {len(cut(line, separator)) for line in tail[len(tail) // 2 :]}
        if len(counts) == 1 and counts.pop() > 1:
            return separator, {number: cut(lines[number], separator) for number in full}
    return ",", {number: cut(lines[number], ",") for number in full}


def cut(line: str, separator: str) -> list[str]:
    """The cells of a line."""
    if separator == " " and '"' not in line:
        return line.split()
    try:
        line = " ".join(line.split()) if separator == " " else line
        return next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration):
        return line.split(separator)


def first_row(rows: dict[int, list[str]], full: list[int]) -> int | None:
    """The number of the first line that holds numbers, and is as wide as the last one."""
    width = len(rows[full[-1]])
    for number in full:
        cells = rows[number]
        some = [cell for cell in cells if cell.strip()]
        comment = cells[0].lstrip().startswith(COMMENTS)
        if len(cells) == width and some and not comment and any(map(is_number, some)):
            below = [rows[each] for each in full[-TAIL:] if each > number and len(rows[each]) == width]
            if not are_names(cells, below):
                return number
    return None


def are_names(cells: list[str], below: list[list[str]]) -> bool:
    """Whether a line with numbers names columns, as time,10,20 or Country,1960,1961,1962 do: they rise, and stand

    beside a text that is no number as those in the lines below are, or count by one, which the lines below do not.
    """
    places = [place for place, cell in enumerate(cells) if is_number(cell)]
    if not below or not all(cells[place].strip().isdigit() for place in places) or 0 in places:
        return False
    numbers = [int(cells[place]) for place in places]
    if not all(one < other for one, other in pairwise(numbers)):
        return False
    if all(is_number(row[0]) for row in below):
        return bool(cells[0].strip()) or numbers == list(range(len(cells) - 1))
    return is_count(numbers) and not any(is_count([row[place] for place in places]) for row in below)


def is_count(cells: list) -> bool:
    """Whether these are three or more whole numbers, each one more than the one before."""
    if len(cells) < LEAST_COUNT or not all(str(cell).strip().isdigit() for cell in cells):
        return False
    return [int(cell) for cell in cells] == list(range(int(cells[0]), int(cells[0]) + len(cells)))


def above(lines, full: list[int], first: int, separator: str, width: int) -> tuple[list[str] | None, list[str] | None]:
    """The line of names above the first row, and a line of units between the two; None for what is not there."""
    before = [number for number in full if number < first][-2:]
    rows = [[cell.strip() for cell in cut(BEGINS.sub("", lines[number]), separator)] for number in before]
    rows = [row[:-1] if len(row) == width + 1 and not row[-1] else row for row in rows]
    if len(rows) == 2 and len(rows[1]) == 1 and named_clock(rows[1]):  # # Probe 0 1, # Time, as OpenFOAM writes
        rows = [[rows[1][0], *rows[0][1:]]]
    fitting = [row for row in rows if fits(row, width, separator)]
    if len(fitting) == 2 and before[1] == before[0] + 1 and are_units(fitting[1]):
        return fitting[0], [cell.strip("[]() ") for cell in fitting[1]]
    return (fitting[-1] if fitting else None), None


def fits(row: list[str], width: int, separator: str) -> bool:
    """Whether a line can hold the names of so many columns, or of all but the first; a whole number may be a name."""
    enough = len(row) == width or (len(row) == width - 1 and (len(row) > 1 or separator == " "))
    numbers = [cell for cell in row if is_number(cell)]
    return enough and len(numbers) < len(row) and all(map(str.isdigit, numbers))


class Rows:
    """The text of a table for pandas: `skip` blank lines before its first row, and no lines of comments.

    What pandas takes for a comment is also the end of a line, such as that of a cell case#1.
    """

    def __init__(self, file: TextIO, skip: int):
        self.file, self.before = file, "\n" * skip
        for _ in range(skip):
            file.readline()

    def __iter__(self) -> Iterator[str]:  # pandas wants it
        return iter(self.file)

    def read(self, size: int = -1) -> str:
        """The next whole lines, of about `size` characters."""
        text = self.before + self.file.read(size) + self.file.readline()
        self.before = ""
        return COMMENT.sub("", text) if "#" in text else text


def pieces(path, form: Format) -> Iterator[pd.DataFrame]:
    """The rows of a table, some at a time, with its line as the index; cells that are no numbers stay texts."""
    names = form.columns

    def plain(cells: pd.Series) -> pd.Series:
        sure = bool(form.thousands) or names.index(cells.name) in form.grouped
        as_decimals = form.separator == "," and not sure  # as the first lines show
        return cells if as_decimals else ungrouped(path, cells, decimal=form.decimal, sure=sure)

    options = {"sep": r"\s+"} if form.separator == " " else {"sep": form.separator, "skipinitialspace": True}
    try:
        with (
            open(path, encoding=form.encoding, errors="replace") as file,
            pd.read_csv(
                Rows(file, form.skip),
                **options,
                names=names,
                header=None,
                skiprows=form.skip,
                decimal=form.decimal,
                dtype=dict.fromkeys(form.ids, str),
                chunksize=ROWS,
                index_col=False,
                on_bad_lines="error",
                low_memory=False,
                skip_blank_lines=False,  # so that rows and lines can be told from each other
            ) as frames,
        ):
            for frame in frames:
                texts = [name for name in names if not pd.api.types.is_numeric_dtype(frame[name])]
                yield frame.assign(**{name: plain(frame[name]) for name in texts})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, csv.Error) as error:
        raise RecordError(f"{path}: {' '.join(str(error).split())[:200]}") from error
