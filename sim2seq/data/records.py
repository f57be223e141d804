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
from collections.abc import Callable

DELIMITER = "%"
LONGEST_ID = 255  # characters; Sina's column
LARGEST = sys.float_info.max
CURVE_SET = "physics_cycle_series"  # where the series of a run stand, in array files and in the store
TIME, STEP_AXIS = "time", "cycle"  # series: of a run's times; the store's own, which counts the steps
PRINTED = re.compile(r"(?:np|numpy)\.\w+\((.*)\)")  # a number as NumPy prints it: np.float64(1.5)
ARRAY = r"(?:(?:np|numpy|jnp|torch)\.)?(?:array|Array|tensor)\("  # numbers as an array prints itself
SERIES = re.compile(rf"(?:{ARRAY})?\[")
LISTED = re.compile(rf"(?:{ARRAY})?\[([^\[\]]*)\](?:\s*,\s*dtype=[\w.]+)?\)?")
UNIT = re.compile(r"(.+?)\s+\[([^\[\]]*)\]")  # a name with its unit: x_pos [m]
WITHOUT_UNIT = ("", "1", "-")
TRUTH = {"true": 1.0, "false": 0.0, "np.true_": 1.0, "np.false_": 0.0}
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

Run = namedtuple("Run", "id data series place units notes", defaults=[None, None, None])
Run.__doc__ = """One run: its id, data (name -> number or word), series (name -> list of numbers, one a step).

`place` is None, or where the series stand instead of here: (array file, row, digest of the series).
Of a run in a foreign file there is a fourth: how the file is read.
`units` is None, or name -> unit, of data and series; that of the series `time` is the unit of the steps.
`notes` is None, or what was done to the run at its import: "filled" -> series -> how many numbers.
"""

SHOWN = 60  # characters of untrusted text in a message

csv.field_size_limit(2**31 - 1)


class RecordError(ValueError):
    """A record that cannot be used; the message names file, column and reason, in one line that upsets no terminal."""

    def __init__(self, message):
        super().__init__("".join(each if each.isprintable() else repr(each)[1:-1] for each in str(message)))


def shown(text) -> str:
    """Untrusted text as a message may hold it: short, quoted, without control characters."""
    return repr(str(text)[:SHOWN])[: 2 * SHOWN]


def instead(value) -> str:
    """What a run has in the place of a number, in words; None and nan: nothing."""
    return "lacks it" if value is None or value != value else f"has {shown(value)}"


def unlike(found: set[str], expected: set[str], listed: Callable[[list[str]], str]) -> str:
    """How the features of a run differ from those expected, "lacks a and has b"; "" where they do not."""
    pairs = (("lacks", expected - found), ("has", found - expected))
    return " and ".join(f"{verb} {listed(sorted(names))}" for verb, names in pairs if names)


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
    units, names = first.units or {}, [*first.data, *first.series]
    lines = [["id", *(f"{name} [{units[name]}]" if units.get(name) else name for name in names)]]
    for run in runs:
        if [*run.data, *run.series] != names or (run.units or {}) != units:
            raise RecordError(f"run {run.id:.60}: expected the columns and units of run {first.id:.60} in their order")
        series = [json.dumps([float(value) for value in values]) for values in run.series.values()]
        lines.append([run.id, *map(str, run.data.values()), *series])
    return "".join(DELIMITER.join(cells) + "\r\n" for cells in lines)


def read(path) -> list[Run]:
    """The runs of a record file; RecordError for whatever is truncated, empty, not finite or of unequal length."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise RecordError(f"{path}: expected a file")  # a pipe or a device might never end
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            got = f"byte {error.object[error.start]:#x}"
            raise RecordError(f"{path}: expected UTF-8 text, got {got}: save it as UTF-8") from error
    return parse(path, text)


def parse(path, text) -> list[Run]:
    """The runs in the text of a record file; RecordError as for `read`, naming `path`."""
    if not text.strip():
        raise RecordError(f"{path}: the file is empty, expected a line of names and a line of values")
    if not text.rstrip(" \t").endswith("\n"):
        raise RecordError(f"{path}: truncated, the last line has no end")
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=DELIMITER, strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if "".join(cells).strip()]
    except csv.Error as error:
        raise RecordError(f"{path}: line {reader.line_num}: not a record file ({error})") from error
    if not lines:
        raise RecordError(f"{path}: expected a line of names and a line of values, got delimiters alone")
    (first, names), *rows = lines
    names, units = names_and_units(f"{path}: line {first}", [name.strip() for name in names])
    if not rows:
        raise RecordError(f"{path}: truncated, a line of names and no line of values")
    runs = [read_row(f"{path}: line {line}", names, cells)._replace(units=units or None) for line, cells in rows]
    for run, (line, _) in zip(runs, rows, strict=True):
        if run.series.keys() != runs[0].series.keys():
            raise RecordError(f"{path}: line {line}: run {run.id:.60}: expected the same series as in the first run")
    return runs


def names_and_units(where: str, columns: list[str]) -> tuple[list[str], dict[str, str]]:
    """The names of columns such as "x_pos [m]", and name -> unit of those with one.

    Raises RecordError where they are no names, or one is there twice.
    """
    found = [UNIT.fullmatch(column) for column in columns]
    names = [each[1] if each else column for each, column in zip(found, columns, strict=True)]
    units = {each[1]: each[2].strip() for each in found if each and each[2].strip() not in WITHOUT_UNIT}
    for name, unit in units.items():
        check_word(where, f"unit of {name:.60}", unit)
    if names[0] != "id" or "" in names:
        raise RecordError(f"{where}: expected unique column names, the first one 'id'; got {shown(names[0])} first")
    seen = set[str]()
    for name in names:
        check_word(where, "name of a column", name)
        if name in seen:
            raise RecordError(f"{where}: expected unique column names, got {name:.60} twice")
        seen.add(name)
    return names, units


def read_row(where: str, names: list[str], cells: list[str]) -> Run:
    """One line of a record file as a Run; RecordError as for `read`, after `where`."""
    if len(cells) != len(names):
        broken = any(SERIES.match(cell.strip()) and "]" not in cell for cell in cells)
        why = "a series goes on in the next line: write it in one" if broken else "truncated?"
        raise RecordError(f"{where}: expected {len(names)} columns, got {len(cells)} ({why})")
    run_id, data, series = cells[0].strip(), {}, {}
    try:
        check_id(run_id)
    except RecordError as error:
        raise RecordError(f"{where}, column id: {error}") from error
    for name, cell in zip(names[1:], cells[1:], strict=True):
        column = f"{where}, column {name:.60}"
        if SERIES.match(cell.strip()):
            series[name] = read_series(column, cell.strip())
        else:
            data[name] = read_value(column, cell)
    check_series(where, series)
    return Run(run_id, data, series)


def check_series(where: str, series: dict[str, list[float]]) -> None:
    """Raise RecordError for what no model could be trained on: no series, other lengths, times that do not rise."""
    if not series.keys() - {TIME}:
        raise RecordError(f"{where}: expected at least one series beside {TIME}, a cell like [0.0, 0.05]")
    if STEP_AXIS in series:
        raise RecordError(f"{where}, column {STEP_AXIS}: this name is the store's own: expected another one")
    steps = len(next(iter(series.values())))
    for name, values in series.items():
        if len(values) != steps:
            raise RecordError(f"{where}, column {name:.60}: expected {steps} steps as in the first, got {len(values)}")
    times = series.get(TIME, [])
    for step in range(1, len(times)):
        if not times[step] > times[step - 1]:
            got = f"a time after {times[step - 1]!r}, got {times[step]!r}"
            raise RecordError(f"{where}, column {TIME}: step {step}: times must increase: expected {got}")


def read_series(where: str, cell: str) -> list[float]:
    """A cell like [0.0, 0.05] as floats; also as Python and NumPy print lists and arrays of numbers."""
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError) as error:
        values = printed_numbers(where, cell, error)
    if not values:
        raise RecordError(f"{where}: the series is empty: expected one step or more")
    if all(type(value) is bool for value in values):
        values = list(map(float, values))
    for step, value in enumerate(values):
        if type(value) not in (float, int):
            one = ", one a step: arrays go into an array file (*.h5)" if type(value) is list else ""
            raise RecordError(f"{where}: step {step}: expected a number{one}, got {type(value).__name__}")
        if not abs(value) <= LARGEST:
            got = f"a finite number, got {value!s:.40}"
            raise RecordError(f"{where}: step {step}: expected {got}: fill it, or end the run before it")
    return [float(value) for value in values]


def printed_numbers(where: str, cell: str, error) -> list[float]:
    """The numbers in a cell that is no JSON: [np.float64(0.5), 1.], [0. 1.], array([0., 1.]), [0,5; 1,5], [True]."""
    found = LISTED.fullmatch(cell)
    if not found:
        raise RecordError(f"{where}: expected numbers in brackets ({error})") from error
    inside = found[1].replace(",", ".").split(";") if ";" in found[1] else found[1].rstrip(" ,").split(",")
    words = [word.strip() for word in (inside if len(inside) > 1 else inside[0].split())]
    if "..." in words:
        raise RecordError(f"{where}: numbers are left out (...): write all of them, as values.tolist() does")
    if all(word.lower() in TRUTH for word in words):
        return [TRUTH[word.lower()] for word in words]
    values = []
    for step, word in enumerate(words):
        try:
            values.append(as_number(word))
        except ValueError:
            raise RecordError(f"{where}: expected numbers in brackets; step {step} is {shown(word)}") from None
    return values


def as_number(text: str) -> float:
    """What Python's float reads, or NumPy prints, as a number. Raises ValueError for anything else."""
    found = PRINTED.fullmatch(text.strip())
    return float(found[1].strip("'") if found else text)


def read_value(where: str, cell: str):
    """A cell as a number where it is one, otherwise as a word."""
    if not cell.strip():
        raise RecordError(f"{where}: the cell is empty")
    try:
        value = as_number(cell)
    except ValueError:
        if DECIMAL_COMMA.fullmatch(cell.strip()):
            raise RecordError(f"{where}: expected a number or a word, got {shown(cell)}: write 0.5, not 0,5") from None
        return check_word(where, "value", cell)
    if not math.isfinite(value):
        raise RecordError(f"{where}: expected a finite number, got {shown(cell)}")
    return value


def check_word(where, what: str, text: str) -> str:
    """Return `text`, or raise RecordError where it could not be written again or would upset a terminal."""
    if not text.isprintable() or DELIMITER in text or text.startswith('"'):
        expected = f"expected printable text without {DELIMITER} or a quote at its start"
        raise RecordError(f"{where}: {what}: {expected}, got {shown(text)}")
    return text
