"""The study's own runs as records, and what a store holds of them."""

import sqlite3
from contextlib import closing

import ball_bounce
import pgen_ensembles


def make_runs(count):
    """Runs of the study's own simulator, as records."""
    table = pgen_ensembles.parameter_table(NUM_STUDIES=count)
    names = {f"{axis}{kind}": f"{axis.upper()}_{kind.upper()}_INITIAL" for axis in "xyz" for kind in ("pos", "vel")}
    fixed = {"gravity": 0.0981, "box_side_length": 100.0, "runtime": 20.0, "frequency": 20, "drag": 0.1}
    fixed |= {"restitution": 1.0, "scheme": "tick"}
    rows = [{flag: table[name][row] for flag, name in names.items()} | fixed for row in range(count)]
    return [ball_bounce.make_run(inputs, "47bcda", number) for number, inputs in enumerate(rows, start=1)]


def dump(path):
    """Every row of every table, JSON and dates of creation apart."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    rows["Record"] = [(run_id, kind) for run_id, kind, _ in rows["Record"]]
    rows["StringData"] = [row for row in rows["StringData"] if not row[1].endswith("_date")]
    return {table: sorted(map(repr, content)) for table, content in rows.items()}
