"""Preparation: from a data frame of anything to a table of numbers that a map can learn.

The rule, column by column, and then for the rows:

    ids         dropped: a name such as id, row or case_id; or numbers that rise by the same step from row to row
    numbers     as they are; true and false are 1 and 0; infinite ones are gaps
    words       numbers where all of them read as numbers; else their places in alphabetical order; dropped as names
                where there are more than 50 different ones, or more than half as many as values
    gaps        stay gaps; a column of more than half gaps is dropped
    constant    dropped
    scale       what is left goes to [0, 1], least to greatest
    rows        those without any value are dropped
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

FEWEST_ROWS, FEWEST_COLUMNS = 20, 2
MOST_WORDS = 50
IDS = {"rownames", "id", "ids", "index", "obs", "no", "number", "row", "case", "subject", "x", "unnamed: 0"}
ID_ENDING = re.compile(r"[_. ](id|ID|Id)$|[a-z](ID|Id)$")
MISSING = ("", "NA", "NaN", "nan", "?")


@dataclass(frozen=True)
class Table:
    """A table that a map can learn.

    values    (rows, columns) in [0, 1], not a number where there is a gap
    columns   their names; words how many of them were words
    dropped   column -> why
    """

    name: str
    values: np.ndarray
    columns: tuple[str, ...]
    words: int = 0
    dropped: dict[str, str] = field(default_factory=dict)


class DroppedError(ValueError):
    """Why a column is no part of the table."""


def prepare(frame: pd.DataFrame, name: str) -> Table:
    """The table in a data frame, by the rule above. Raises ValueError, in one line, where too little is left."""
    kept, words, dropped = {}, 0, {}
    for position, column in enumerate(frame.columns):
        try:
            values, is_word = numbers_of(str(column), frame.iloc[:, position])
            kept[str(column)] = scaled(values)
            words += is_word
        except DroppedError as why:
            dropped[str(column)] = str(why)
    if len(kept) < FEWEST_COLUMNS:
        why = "; ".join(f"{column:.40} {reason}" for column, reason in list(dropped.items())[:5]) or "none was dropped"
        raise ValueError(f"table {name:.80}: expected {FEWEST_COLUMNS} columns that vary, got {len(kept)} ({why})")
    values = np.stack(list(kept.values()), axis=1)
    values = values[np.isfinite(values).any(axis=1)]
    if len(values) < FEWEST_ROWS:
        raise ValueError(f"table {name:.80}: expected {FEWEST_ROWS} rows with values, got {len(values)}")
    return Table(name, values, tuple(kept), words, dropped)


def numbers_of(name: str, column: pd.Series) -> tuple[np.ndarray, bool]:
    """A column as numbers (rows,), gaps not a number, and whether it was words. Raises DroppedError."""
    if is_id(name):
        raise DroppedError("is an id by its name")
    if column.dtype.kind in "biuf":
        values, is_word = column.to_numpy(dtype=float), False
    else:
        values, is_word = numbers_of_words(column)
    values = np.where(np.isfinite(values), values, np.nan)
    if not is_word and is_counter(values):
        raise DroppedError("counts the rows")
    return values, is_word


def is_id(name: str) -> bool:
    return name.strip().lower() in IDS or bool(ID_ENDING.search(name.strip()))


def is_counter(values: np.ndarray) -> bool:
    """Whether numbers rise by the same step from row to row."""
    with np.errstate(over="ignore"):
        steps = np.diff(values)
    return len(steps) > 1 and bool(np.isfinite(values).all()) and steps[0] > 0 and np.allclose(steps, steps[0], atol=0)


def numbers_of_words(column: pd.Series) -> tuple[np.ndarray, bool]:
    """Words as numbers (rows,), and whether they are words after all. Raises DroppedError for names."""
    texts = pd.Series([None if pd.isna(value) else str(value).strip() for value in column], dtype=object)
    texts = texts.where(~texts.isin(MISSING), None)
    known = texts.dropna()
    read = pd.to_numeric(known, errors="coerce")
    if read.notna().all():
        return read.reindex(texts.index).to_numpy(dtype=float), False
    different = sorted(set(known))
    if len(different) > min(MOST_WORDS, len(known) / 2):
        raise DroppedError(f"holds names: {len(different)} different words")
    return texts.map({word: place for place, word in enumerate(different)}).to_numpy(dtype=float), True


def scaled(values: np.ndarray) -> np.ndarray:
    """Numbers scaled to [0, 1], least to greatest. Raises DroppedError for a constant, or for too many gaps."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        raise DroppedError("has no value")
    if len(known) < len(values) / 2:
        raise DroppedError("has more gaps than values")
    least, most = float(known.min()), float(known.max())
    if least == most:
        raise DroppedError("is constant")
    if not math.isfinite(most - least):
        raise DroppedError("spans more than a number can hold")
    return (values - least) / (most - least)


def facts(table: Table) -> dict[str, float]:
    """What is known of a table before a run begins: its size, and how its rows lie.

    table_spread   the error of a map of one neuron: mean distance of the rows to the mean of all
    table_plane    the share of the variance that the best plane holds (gaps at the mean): what a flat map could reach
    """
    known = np.isfinite(table.values)
    centred = np.where(known, table.values - np.nanmean(table.values, axis=0), 0.0)
    variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    rows, columns = table.values.shape
    return {
        "table_rows": rows,
        "table_columns": columns,
        "table_words": table.words,
        "table_gaps": float(1 - known.mean()),
        "table_spread": float(np.linalg.norm(centred, axis=1).mean()),
        "table_plane": float(variances[:2].sum() / variances.sum()),
    }
