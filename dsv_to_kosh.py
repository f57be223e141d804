#!/usr/bin/env python
"""Ingest the finished run(s) below a folder into the study's Kosh store; safe with many processes at once.

    python dsv_to_kosh.py RUN_DIR ensembles_output.sqlite

Reads every record (*.dsv) and every array file of many runs (*.h5) below RUN_DIR. All runs of one call go in together
or not at all; when it exits with 0 they are on disk. A run that is in the store already changes nothing; one with the
same id and other content is an error.
"""

import os
import sys

from sim2seq._support.command import Parser, run

MANY = 100  # records
SUFFIXES = (".dsv", ".h5")


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


def watched(paths):
    """The paths one by one, with a progress bar where there are many and someone looks."""
    if len(paths) < MANY or not sys.stderr.isatty():
        return paths
    from rich.console import Console  # 0.1 s, which the ingest of one run must not pay
    from rich.progress import track

    return track(paths, description="ingest", console=Console(stderr=True))


def read(path):
    """The runs of a record or an array file."""
    if path.endswith(".h5"):
        from sim2seq import arrays  # 0.2 s, which a record must not pay

        return arrays.read(path)
    from sim2seq.data import records

    return records.read(path)


def main():
    from sim2seq.store import store

    parser = Parser(description="Ingest the finished run(s) below a folder into the study's Kosh store.")
    parser.add_argument("run_dir", metavar="RUN_DIR", help="folder with *.dsv or *.h5 files, at any depth")
    parser.add_argument("store", metavar="STORE", help="Kosh store made by create_store.py")
    parser.add_argument("--replace", action="store_true", help="overwrite runs stored with other content")
    arguments = parser.parse_args()
    runs = (run for path in watched(find_records(arguments.run_dir)) for run in read(path))
    counts = store.ingest(arguments.store, runs, replace=arguments.replace)
    print(f"{arguments.store}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    sys.exit(run(main))
