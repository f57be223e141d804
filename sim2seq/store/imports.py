"""Imports: runs in files that other programs wrote go into the store; what is large stays where it is.

`import_files` is `sim2seq import`; `export` writes a store's runs as NetCDF.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sim2seq.data.foreign.files import Source, sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Seen, first_look, read_inputs, runs_of
from sim2seq.data.records import Run
from sim2seq.store import store

MANY = 20  # runs, from which on progress is shown


@dataclass(frozen=True)
class Imported:
    """What an import did: counts as of store.ingest, and lines that say what was seen."""

    counts: Counter
    seen: Seen
    lines: list[str]


def import_files(path, files: Iterable, reading: Reading, *, inputs=None, replace=False, dry_run=False) -> Imported:
    """Put the runs in files of other programs into the store `path`, which is made if it is not there: all or none.

    inputs    a table with a line for each run: what it was given
    dry_run   only look; the store is not touched
    Raises RecordError or StoreError, in one line, for what cannot be read or does not fit.
    """
    warnings.simplefilter("ignore")  # of libraries, on what is refused or said below
    found = sources(files, reading)
    given, units = read_inputs(inputs, reading) if inputs else (None, {})
    seen = Seen(look=dry_run)
    runs = watched(runs_of(found, reading, seen, inputs=given, units=units), sum(len(each.runs.ids) for each in found))
    passed_by = [name for each in found for name in getattr(each.runs, "passed_by", ())]
    if dry_run:
        counts = Counter(seen=sum(1 for _ in runs))
        return Imported(counts, seen, first_look(seen, passed_by))
    if reading.gaps == "drop":
        runs = noted(found, reading, list(runs), seen)
    counts = put(path, runs, replace)
    return Imported(counts, seen, first_look(seen, passed_by))


def noted(found: list[Source], reading: Reading, runs: list[Run], seen: Seen) -> list[Run]:
    """The runs, the first of which says how many were left out."""
    if not seen.gaps.left_out:
        return runs
    name = found[0].path or "the tables"
    note = {"left_out": {os.path.basename(name): len(seen.gaps.left_out)}}
    return [each._replace(notes=(each.notes or {}) | note) for each in runs]


def put(path, runs: Iterable[Run], replace: bool) -> Counter:
    """Ingest into a store that is made once the first runs are read."""

    def made() -> Iterator[Run]:
        for number, run in enumerate(runs):
            if number == 0:
                store.create(path)
            yield run

    return store.ingest(path, made(), replace=replace)


def watched(runs: Iterator[Run], total: int) -> Iterable[Run]:
    """The runs, with a progress bar where there are many and someone looks."""
    if total < MANY or not sys.stderr.isatty():
        return runs
    from rich.console import Console
    from rich.progress import track

    return track(runs, description="import", total=total, console=Console(stderr=True))


def export(path, file) -> None:
    """Write the runs of the store `path` as a NetCDF file, whole or not at all; `import_files` reads it back."""
    file = Path(file)
    if not file.absolute().parent.is_dir():
        raise FileNotFoundError(f"{file}: its folder does not exist")
    temporary = file.with_name(f"unfinished_{file.name}")
    try:
        store.load(path).to_xarray().to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
