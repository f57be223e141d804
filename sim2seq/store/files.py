"""Files: what a simulation left below a folder goes into the store, as `sim2seq ingest` and dsv_to_kosh.py do it.

Every simulation pays for what this module imports: the standard library, and for a record no more than its reader.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from sim2seq.store import store
from sim2seq.store.sina import StoreError, differences, sina_record

MANY = 100  # records
SUFFIXES = (".dsv", ".h5")


def ingest_folder(folder, path, *, replace: bool = False) -> Counter:
    """Put every record (*.dsv) and every array file (*.h5) below `folder` into the store `path`, all or none.

    Returns counts as store.ingest does. Raises ValueError where there is no such file, StoreError, naming the files,
    for a run that does not fit the store, or another one of its id.
    """
    files = find_records(folder)
    try:
        return store.ingest(path, Finished(files), replace=replace, alike=True)
    except StoreError as error:
        if not error.run:
            raise
        raise StoreError(in_files(files, error), run=error.run) from error


class Finished:
    """The runs of these files, which are read each time someone goes through them."""

    def __init__(self, files: list[str]):
        self.files = files

    def __iter__(self) -> Iterator:
        return (run for file in watched(self.files) for run in read(file))


def in_files(files: list[str], error: StoreError) -> str:
    """What is wrong with a run, with the file that it stands in, or with two of them."""
    held = [(file, run) for file in files for run in read(file) if run.id == error.run]
    (first, run), (last, other) = held[0], held[-1]
    if len(held) > 1 and (found := differences(sina_record(run), sina_record(other), ("the one has", "the other"))):
        where = f"in {first} and in {last}" if first != last else f"twice in {first}"
        return f"run {run.id} stands {where}, with other content ({found[0]}): each run needs an id of its own"
    return f"{first}: {error}"


def find_records(folder) -> list[str]:
    """The records and array files below `folder`, sorted; ValueError where there are none."""
    if not os.path.isdir(folder):
        raise ValueError(f"{folder}: expected a folder with the output of a run")
    walk = os.walk(folder, onerror=refuse)
    found = [os.path.join(root, name) for root, _, names in walk for name in names if name.endswith(SUFFIXES)]
    if not found:
        raise ValueError(f"{folder}: expected a *.dsv or *.h5 file below it, found none (did the simulation finish?)")
    return sorted(found)


def refuse(error):
    """An unreadable folder must not look like an empty one."""
    raise error


def watched(paths: list[str]) -> Iterable[str]:
    """The paths one by one, with a progress bar where there are many and someone looks."""
    if len(paths) < MANY or not sys.stderr.isatty():
        return paths
    from rich.console import Console  # 0.1 s, which the ingest of one run must not pay
    from rich.progress import track

    return track(paths, description="ingest", console=Console(stderr=True))


def read(path: str) -> Iterator:
    """The runs of a record or an array file."""
    if path.endswith(".h5"):
        from sim2seq.data import arrays  # 0.2 s, which a record must not pay

        return arrays.read(path)
    from sim2seq.data import records

    return iter(records.read(path))
