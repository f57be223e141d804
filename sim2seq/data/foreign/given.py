"""Given: a table with a line for each run, of what it was given."""

from __future__ import annotations

import pandas as pd

from sim2seq.data.foreign.columns import as_numbers
from sim2seq.data.foreign.files import TABLES, kind_of, pieces_of
from sim2seq.data.foreign.reading import RUNS, Reading, first_of, run_id
from sim2seq.data.records import RecordError


def read_inputs(path, reading: Reading) -> tuple[dict[str, dict], dict[str, str]]:
    """Run id -> name -> number or word, and the units of these, of a table.

    The runs stand in the column that tells runs apart in the data, or one of such a name, or the first.
    Raises RecordError, in one line, for what is no such table.
    """
    path = str(path)
    if (kind := kind_of(path)) not in TABLES:
        raise RecordError(f"{path}: expected a table with a line for each run")
    pieces = list(pieces_of(path, kind, reading))
    frame = pd.concat([each.frame for each in pieces]).dropna(how="all").rename(columns=reading.name)
    names = [str(name) for name in frame.columns]
    run = reading.run if reading.run in names else first_of(names, RUNS) or names[0]
    ids = [run_id(each) for each in frame[run]]
    if len(set(ids)) < len(ids):
        raise RecordError(f"{path}: run {next(each for each in ids if ids.count(each) > 1)} has two lines")
    columns = {name: cells_of(frame[name]) for name in names if name != run}
    rows = [
        {name: column[row] for name, column in columns.items() if column[row] is not None} for row in range(len(ids))
    ]
    units = dict(zip(names, pieces[0].units, strict=False))
    return dict(zip(ids, rows, strict=True)), {name: unit for name, unit in units.items() if unit and name != run}


def cells_of(cells: pd.Series) -> list:
    """Numbers, or words where one of them is none; None for what is missing."""
    numbers, wrong = as_numbers(cells)
    held = (
        [str(each) if each == each and each is not None else None for each in cells]
        if wrong.any()
        else numbers.tolist()
    )
    return [each if each == each else None for each in held]
