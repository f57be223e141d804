#!/usr/bin/env python
"""How many runs a second go into a store from many writers at once?

    python benchmarks/writers.py [--store study.url] [--writers 1 8 32] [--runs 320] [--batch 1] [--json FILE]

Each writer is a process of its own, and each call of `ingest` a transaction of `--batch` runs of 400 steps; imports are
not counted. Without --store: an SQLite file in a temporary folder. Every run is looked for afterwards.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

from _rows import publish, row

from sim2seq._support.command import Parser, run
from sim2seq.data.records import Run
from sim2seq.store import store

STEPS = 400
SERIES = {name: [0.1 * step + number / 3 for step in range(STEPS)] for number, name in enumerate("xyz")}
DATA = {f"number_{number}": number / 7 for number in range(20)}


def write(path, names: list[str], batch: int, start) -> None:
    """One writer: these runs, `batch` at a time."""
    start.wait()
    for first in range(0, len(names), batch):
        store.ingest(path, [Run(name, DATA, SERIES) for name in names[first : first + batch]])


def seconds(path, names: list[str], writers: int, batch: int) -> float:
    """Seconds until all runs are in the store. Raises RuntimeError if a writer fails or a run is not there."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(writers + 1)
    shares = [names[number::writers] for number in range(writers)]
    processes = [context.Process(target=write, args=(path, share, batch, start)) for share in shares]
    for process in processes:
        process.start()
    start.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    took = time.perf_counter() - began
    if any(process.exitcode for process in processes) or store.missing_runs(path, names):
        raise RuntimeError(f"{writers} writers: a writer failed, or runs are missing")
    return took


def measure(path, writers: list[int], runs: int, batch: int) -> list[dict]:
    rates, kind = {}, "MariaDB" if store.is_url(path) else "SQLite"
    for count in writers:
        names = [f"w{os.getpid()}_{count}_{number}" for number in range(runs)]
        rates[count] = runs / seconds(path, names, count, batch)
    return [
        row(f"{kind}, {count} writers, {batch} runs a call", rate, None, "higher", "runs a second", rates[writers[0]])
        for count, rate in rates.items()
    ]


def main():
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", help="an SQLite file or a .url file with a store (default: a new SQLite file)")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 8, 32], help="processes at once")
    parser.add_argument("--runs", type=int, default=320, help="runs in all, for each number of writers")
    parser.add_argument("--batch", type=int, default=1, help="runs a transaction")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.store or Path(folder) / "store.sqlite"
        store.create(path)
        publish(measure(path, arguments.writers, arguments.runs, arguments.batch), arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
