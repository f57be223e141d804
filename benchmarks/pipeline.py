#!/usr/bin/env python
"""What does a run cost, from parameters to the store, through Merlin's workers?

    python benchmarks/pipeline.py [--runs 64 1024] [--json FILE]

Measures one simulation from the command line; then, with `sim2seq run` on the study's own spec without its training
step: seconds a run for simulate + ingest, bytes through the broker, time to load the store. The plain way beside it:
the same simulation, and an ingest that imports Kosh and adds curve by curve, as the public demo does, one process a
run; simulations as many at once as there are cores, ingests one by one, as plain Kosh is not safe in parallel. Goals
are ratios to what is measured in the same run; a simulation is held against the start of a Python that does nothing.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _rows import publish, row
from _study import ROOT, run_study

from sim2seq._support.command import Parser, run

GOALS = {"simulation": 6, "simulate and ingest": 10, "load": 20}  # times a bare Python at most; times faster than plain
PLAIN_LOADED = 16  # runs
SPEC = ROOT / "ball_bounce_suite_merlin_lstm.yaml"
PLAIN_RUNS = 8

PLAIN_INGEST = """
import csv, json, sys
import kosh

csv.field_size_limit(2**31 - 1)
names, cells = csv.reader(open(sys.argv[1]), delimiter="%")
series = {n: json.loads(c) for n, c in zip(names[1:], cells[1:]) if c.startswith("[")}
data = {n: c for n, c in zip(names[1:], cells[1:]) if not c.startswith("[")}
dataset = kosh.connect(sys.argv[2]).create(id=cells[0], metadata=data)
dataset.add_curve(list(range(400)), "physics_cycle_series", "cycle", independent=True)
for name, values in series.items():
    dataset.add_curve(values, "physics_cycle_series", name, independent=False)
"""


def simulate(folder, number=1) -> Path:
    """One run from the command line, as a task of the study does it; the record's path."""
    where = ["-x", "48", "-y", "49", "-z", "50", "-X", "5", "-g", "0.0981", "-b", "100", "-R", str(number)]
    output = folder / f"{number}.dsv"
    subprocess.run([sys.executable, ROOT / "ball_bounce.py", *where, "-o", output], check=True)
    return output


def timed(action, *arguments) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def start_python() -> None:
    """A process that starts Python and does nothing."""
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def simulation_rows(folder) -> list:
    """Median of 9 single runs, the interpreter's start included, beside the start alone; taken in turns."""
    pairs = [(timed(simulate, folder), timed(start_python)) for _ in range(9)]
    simulation, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
    return [row("one simulation, command line", simulation, GOALS["simulation"] * bare, "lower", "s", bare)]


def load_seconds(path) -> tuple[float, float]:
    """Seconds to load a store, and what plain Kosh would take, some of its runs timed and scaled to all."""
    import kosh

    from sim2seq.store import store

    runs = store.load(path).runs  # imports and file cache

    def with_kosh():
        for dataset, _ in zip(kosh.connect(str(path)).find(), range(PLAIN_LOADED), strict=False):
            for name in ("time", "x_pos", "y_pos", "z_pos"):
                dataset[f"physics_cycle_series/{name}"][:]

    return timed(store.load, path), timed(with_kosh) / min(PLAIN_LOADED, runs) * runs


def plain_seconds(folder) -> float:
    """Seconds a run of the plain way, serial ingest into one store: it is not safe in parallel."""
    store = folder / "plain.sqlite"
    subprocess.run([sys.executable, ROOT / "create_store.py", store], check=True, stdout=subprocess.DEVNULL)

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(simulate, [folder] * PLAIN_RUNS, range(PLAIN_RUNS)):
            subprocess.run([sys.executable, "-c", PLAIN_INGEST, output, store], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) / PLAIN_RUNS


def measure(runs, plain) -> list:
    with tempfile.TemporaryDirectory() as folder:
        summary = run_study(SPEC, folder, "--pgen", ROOT / "pgen_ensembles.py", "--runs", runs)
        loaded, plainly = load_seconds(summary["store"])
    per_run = summary["simulate_and_ingest"] / runs
    most = plain / GOALS["simulate and ingest"]
    megabytes = (summary["broker_bytes_in"] + summary["broker_bytes_out"]) / 1e6
    return [
        row(f"simulate + ingest, {runs} runs", per_run, most, "lower", "s a run", plain),
        row(f"broker traffic, {runs} runs", megabytes, 300 if runs == 1024 else None, "lower", "MB"),
        row(f"load the store, {runs} runs", loaded, plainly / GOALS["load"], "lower", "s", plainly),
    ]


def main():
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[64, 1024], help="sizes of the ensemble")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = simulation_rows(Path(folder))
        plain = plain_seconds(Path(folder))
    rows += [line for runs in arguments.runs for line in measure(runs, plain)]
    publish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
