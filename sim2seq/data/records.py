"""Records: one run as a DSV file, written whole or not at all, checked whole when read.

A record file has a line of column names and one line a run, cells parted by `%`. The first column is the run's
`id`; a cell in brackets is a series with one number a step; every other cell is a number or a word.
docs/data_format.md states the format. Standard library only: each simulation pays for what this module imports.
"""

import csv
import io
import json
import math
import os
import re
import sys
from collections import namedtuple

DELIMITER = "%"
LONGEST_ID = 255  # characters; Sina's column
LARGEST = sys.float_info.max
CURVE_SET = "physics_cycle_series"  # where the series of a run stand, in array files and in the store
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

Run = namedtuple("Run", "id data series place units", defaults=[None, None])
Run.__doc__ = """One run: its id, data (name -> number or word), series (name -> list of numbers, one a step).

`place` is None, or where the series stand instead of here: (array file, row, digest of the series).
`units` is None, or name -> unit, of data and series; that of the series `time` is the unit of the steps.
"""

SHOWN = 60  # characters of untrusted text in a message

csv.field_size_limit(2**31 - 1)


class RecordError(ValueError):
    """A record that cannot be used; the message names file, column and reason."""


def shown(text) -> str:
    """Untrusted text as a message may hold it: short, quoted, without control characters."""
    return repr(str(text)[:SHOWN])[: 2 * SHOWN]


def check_id(run_id: str) -> str:
    """Return `run_id`, or raise RecordError where it could not name a file and a record safely."""
    if len(run_id) > LONGEST_ID or not SAFE_ID.fullmatch(run_id) or ".." in run_id:
        raise RecordError(
            f"run id {shown(run_id)}: expected up to {LONGEST_ID} letters, digits, '_', '+', '-' or single '.', "
            "beginning with a letter or digit"
        )
    return run_id


def is_result(name: str) -> bool:
    """Whether a number of this name came of the run; all other numbers were chosen before it."""
    return name.endswith("_final") or name.startswith("num_")


def write(path, runs) -> None:
    """Write runs of equal columns to `path`: a temporary file beside it, flushed to disk, then renamed.

    Series are lists or arrays of numbers. Raises RecordError for what `read` would refuse, OSError where the folder
    cannot be written; `path` is then as it was.
    """
    path = os.fspath(path)
    head, tail = os.path.split(path)
    if not tail or os.path.isdir(path):
        raise OSError(f"{path!r}: expected the name of a file to write")
    text = format_runs(runs)
    parse(path, text)  # what cannot be read is not written
    temporary = os.path.join(head, f".{tail}.{os.urandom(6).hex()}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(f"{path}: cannot write ({error.strerror})") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def format_runs(runs) -> str:
    """The text of a record file. Numbers are written so that they read back bit for bit."""
    first = runs[0]
    lines = [["id", *first.data, *first.series]]
    for run in runs:
        if [*run.data, *run.series] != lines[0][1:]:
            raise RecordError(f"run {run.id:.60}: expected the columns of run {first.id:.60} in their order")
        series = [json.dumps([float(value) for value in values]) for values in run.series.values()]
        lines.append([run.id, *map(str, run.data.values()), *series])
    return "".join(DELIMITER.join(cells) + "\r\n" for cells in lines)


def read(path) -> list[Run]:
    """The runs of a record file; RecordError for whatever is truncated, empty, not finite or of unequal length."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise RecordError(f"{path}: expected a file")  # a pipe or a device might never end
    with open(path, encoding="utf-8", newline="") as file:
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            raise RecordError(f"{path}: expected UTF-8 text, got byte {error.object[error.start]:#x}") from error
    return parse(path, text)


def parse(path, text) -> list[Run]:
    """The runs in the text of a record file; RecordError as for `read`, naming `path`."""
    if not text:
        raise RecordError(f"{path}: the file is empty, expected a line of names and a line of values")
    if not text.endswith("\n"):
        raise RecordError(f"{path}: truncated, the last line has no end")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="\n"), delimiter=DELIMITER, strict=True))
    except csv.Error as error:
        raise RecordError(f"{path}: not a record file ({error})") from error
    names, *rows = rows
    if names[:1] != ["id"] or "" in names or len(set(names)) != len(names):
        raise RecordError(f"{path}: expected a first line of unique column names, the first one 'id'")
    for name in names:
        check_word(path, "name of a column", name)
    if not rows:
        raise RecordError(f"{path}: truncated, a line of names and no line of values")
    runs = [read_row(path, names, cells) for cells in rows]
    for run in runs:
        if run.series.keys() != runs[0].series.keys():
            raise RecordError(f"{path}: run {run.id:.60}: expected the same series as in the first run")
    return runs


def read_row(path, names, cells) -> Run:
    """One line of a record file as a Run; RecordError as for `read`."""
    if len(cells) != len(names):
        raise RecordError(f"{path}: expected {len(names)} columns, got {len(cells)} (truncated?)")
    run_id, data, series = cells[0], {}, {}
    try:
        check_id(run_id)
    except RecordError as error:
        raise RecordError(f"{path}: column id: {error}") from error
    for name, cell in zip(names[1:], cells[1:], strict=True):
        if cell.startswith("["):
            series[name] = read_series(path, name, cell)
        else:
            data[name] = read_value(path, name, cell)
    if not series:
        raise RecordError(f"{path}: expected at least one series, a cell like [0.0, 0.05]")
    steps = len(next(iter(series.values())))
    for name, values in series.items():
        if len(values) != steps:
            raise RecordError(f"{path}: column {name:.60}: expected {steps} steps as in the first, got {len(values)}")
    return Run(run_id, data, series)


def read_series(path, name, cell) -> list[float]:
    """A cell like [0.0, 0.05] as floats."""
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: column {name:.60}: expected numbers in brackets ({error})") from error
    if not values:
        raise RecordError(f"{path}: column {name:.60}: the series is empty")
    for step, value in enumerate(values):
        if type(value) not in (float, int):
            raise RecordError(f"{path}: column {name:.60}: step {step}: expected a number, got {type(value).__name__}")
        if not abs(value) <= LARGEST:
            raise RecordError(f"{path}: column {name:.60}: step {step}: expected a finite number, got {value!s:.40}")
    return [float(value) for value in values]


def read_value(path, name, cell):
    """A cell as a number where it is one, otherwise as a word."""
    if cell == "":
        raise RecordError(f"{path}: column {name:.60}: the cell is empty")
    try:
        value = float(cell)
    except ValueError:
        return check_word(path, f"column {name:.60}", cell)
    if not math.isfinite(value):
        raise RecordError(f"{path}: column {name:.60}: expected a finite number, got {shown(cell)}")
    return value


def check_word(path, where: str, text: str) -> str:
    """Return `text`, or raise RecordError where it could not be written again or would upset a terminal."""
    if not text.isprintable() or DELIMITER in text or text.startswith('"'):
        raise RecordError(
            f"{path}: {where}: expected printable text without {DELIMITER} or a quote at its start, got {shown(text)}"
        )
    return text
