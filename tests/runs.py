"""The study's own runs as records, and what a store holds of them."""

import sqlite3
from contextlib import closing

import ball_bounce
import pgen_ensembles

COLUMNS = {f"{axis}{kind}": f"{axis.upper()}_{kind.upper()}_INITIAL" for axis in "xyz" for kind in ("pos", "vel")}
COLUMNS |= {"gravity": "GRAVITY", "box_side_length": "BOX_SIDE_LENGTH", "drag": "DRAG"}
FIXED = {"runtime": 20.0, "frequency": 20, "restitution": 1.0, "scheme": "tick"}


def make_runs(count, **arguments):
    """Runs of the study's own simulator, as records; further arguments as in pgen_ensembles.ARGUMENTS."""
    table = pgen_ensembles.parameter_table(NUM_STUDIES=count, **arguments)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    flags = [{flag: float(row[name]) for flag, name in COLUMNS.items()} for row in rows]
    return [ball_bounce.make_run(f | FIXED, row["GROUP_ID"], row["RUN_ID"]) for f, row in zip(flags, rows, strict=True)]


def dump(path):
    """Every row of every table, JSON and dates of creation apart."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    rows["Record"] = [(run_id, kind) for run_id, kind, _ in rows["Record"]]
    rows["StringData"] = [row for row in rows["StringData"] if not row[1].endswith("_date")]
    return {table: sorted(map(repr, content)) for table, content in rows.items()}
