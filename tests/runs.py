"""The study's own runs as records, and what a store holds of them."""

import contextlib
from pathlib import Path

import sqlalchemy

import ball_bounce
import pgen_ensembles
from sim2seq.store import store
from sim2seq.store.database import read_url

COLUMNS = {f"{axis}{kind}": f"{axis.upper()}_{kind.upper()}_INITIAL" for axis in "xyz" for kind in ("pos", "vel")}
COLUMNS |= {"gravity": "GRAVITY", "box_side_length": "BOX_SIDE_LENGTH", "drag": "DRAG"}
FIXED = {"runtime": 20.0, "frequency": 20, "restitution": 1.0, "scheme": "tick"}


def make_runs(count, *, only=None, **arguments):
    """Runs of the study's own simulator, as records; further arguments as in pgen_ensembles.ARGUMENTS.

    only: row numbers of the table, if not all.
    """
    table = pgen_ensembles.parameter_table(NUM_STUDIES=count, **arguments)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    rows = rows if only is None else [rows[number] for number in only]
    flags = [{flag: float(row[name]) for flag, name in COLUMNS.items()} for row in rows]
    return [ball_bounce.make_run(f | FIXED, row["GROUP_ID"], row["RUN_ID"]) for f, row in zip(flags, rows, strict=True)]


def short_runs(count, steps):
    """The same, of which only the first steps are kept."""
    runs = make_runs(count)
    return [run._replace(series={name: each[:steps] for name, each in run.series.items()}) for run in runs]


def library_store(path: Path, runs) -> Path:
    """A store at `path` into which the library itself has put these runs."""
    store.create(path)
    store.ingest(path, runs)
    return path


def with_kosh(path):
    """Every dataset of the store as plain Kosh finds it, by id."""
    import kosh

    return {dataset.id: dataset for dataset in kosh.connect(str(path)).find()}


def address(path) -> str:
    """What Sina and Kosh call the store: a path, or the URL in the file."""
    if str(path).endswith(".url"):
        return read_url(path).render_as_string(hide_password=False)
    return str(path)


@contextlib.contextmanager
def opened(path):
    """An SQL connection to the store, past everything that guards it; what is done is committed at the end."""
    url = address(path) if "://" in address(path) else sqlalchemy.URL.create("sqlite", database=str(path))
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).begin() as connection:
        yield connection


def content(path) -> dict[str, list]:
    """Every row of every table."""
    with opened(path) as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        rows = {table: connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).all() for table in tables}
    return {table: sorted(map(tuple, some), key=repr) for table, some in rows.items()}


def dump(path) -> dict[str, list[str]]:
    """Every row of every table, JSON and dates of creation apart."""
    rows = content(path)
    rows["Record"] = [(run_id, kind) for run_id, kind, _ in rows["Record"]]
    rows["StringData"] = [row for row in rows["StringData"] if not row[1].endswith("_date")]
    return {table: list(map(repr, some)) for table, some in rows.items()}
