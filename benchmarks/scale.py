#!/usr/bin/env python
"""Does a run cost the same in an ensemble of a thousand and of a hundred thousand?

    python benchmarks/scale.py [--runs 1000 10000 100000] [--json FILE]

Runs `sim2seq run` on the suite for large ensembles, without its training step, once a size: seconds a run for simulate
+ ingest, bytes through the broker, files and bytes in the study's folder, and the time to load the store, in a process
of its own. Beside it the plain way: one process a simulation, one an ingest, as many at once as there are cores.
Growth is the value a run at a size over that at the first one; linear is 1, and 1.5 is the limit. Last, what ten
million runs would need, from the figures of the largest size.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _rows import publish, row
from _study import ROOT, run_study

from sim2seq._support.command import Parser, run

SPEC = ROOT / "ball_bounce_suite_merlin_samples.yaml"
PLAIN_RUNS = 16
GROWTH = 1.5
PAPER_RUNS = 10_000_000
UNITS = {
    "simulate + ingest": "ms",
    "broker traffic": "bytes",
    "files": "files",
    "store and array files": "bytes",
    "load the store": "ms",
}
GOALS = {"simulate + ingest": 50}  # times faster than the plain way in the same run, at the largest size
LOAD = """
import json, resource, sys, time
from sim2seq.store import store
start = time.perf_counter()
ensemble = store.load(sys.argv[1])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "runs": ensemble.runs, "peak_kilobytes": peak}))
"""


def measure(runs: int) -> dict[str, float]:
    """Cost of one study: name -> value a run, in UNITS; checked to have all its runs in the store."""
    with tempfile.TemporaryDirectory() as folder:
        summary = run_study(SPEC, folder, "--runs", runs)
        loaded = json.loads(subprocess.check_output([sys.executable, "-c", LOAD, summary["store"]]))
        files = [path for path in summary["folder"].rglob("*") if path.is_file()]
        sizes = sum(path.stat().st_size for path in files if path.suffix in (".h5", ".sqlite"))
    if loaded["runs"] != runs:
        raise SystemExit(f"expected {runs} runs in the store, found {loaded['runs']}")
    whole = {
        "simulate + ingest": 1e3 * summary["simulate_and_ingest"],
        "broker traffic": summary["broker_bytes_in"] + summary["broker_bytes_out"],
        "files": len(files),
        "store and array files": sizes,
        "load the store": 1e3 * loaded["seconds"],
    }
    return {name: value / runs for name, value in whole.items()}


def plain_milliseconds(folder: Path) -> float:
    """Milliseconds a run with a process for each simulation and each ingest, all cores at work."""
    store = folder / "plain.sqlite"
    subprocess.run([sys.executable, ROOT / "create_store.py", store], check=True, stdout=subprocess.DEVNULL)

    def one(number):
        run = folder / str(number)
        run.mkdir()
        simulate = [sys.executable, ROOT / "ball_bounce.py", "-x", "4", "-R", str(number), "-o", run / "output.dsv"]
        subprocess.run(simulate, check=True)
        ingest = [sys.executable, ROOT / "dsv_to_kosh.py", run, store]
        subprocess.run(ingest, check=True, stdout=subprocess.DEVNULL)

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(PLAIN_RUNS)))
    return 1e3 * (time.perf_counter() - start) / PLAIN_RUNS


def rows_of(costs: dict[int, dict[str, float]], plain: float) -> list[dict]:
    """The rows of the table: each cost at each size, and its growth over the first size."""
    first = min(costs)
    rows = []
    for name, unit in UNITS.items():
        for runs, cost in costs.items():
            reference = plain if name == "simulate + ingest" else None
            goal = reference / GOALS[name] if reference and runs == max(costs) else None
            rows.append(row(f"{name}, {runs} runs", cost[name], goal, "lower", f"{unit} a run", reference))
            if runs != first:
                rows.append(row("  growth", cost[name] / costs[first][name], GROWTH, "lower", f"over {first} runs"))
    return rows


def on_paper(cost: dict[str, float]) -> str:
    """What PAPER_RUNS runs would need if each cost the same."""
    need = {name: value * PAPER_RUNS for name, value in cost.items()}
    return (
        f"{PAPER_RUNS:,} runs at these costs: {need['files']:,.0f} files, "
        f"{need['store and array files'] / 1e9:,.0f} GB of store and array files, "
        f"{need['broker traffic'] / 1e6:,.0f} MB through the broker, "
        f"{need['simulate + ingest'] / 3.6e6:.1f} hours on {os.cpu_count()} cores, "
        f"{need['load the store'] / 60e3:.0f} minutes to load"
    )


def main():
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000, 100_000], help="sizes of the ensemble")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = plain_milliseconds(Path(folder))
    costs = {runs: measure(runs) for runs in sorted(arguments.runs)}
    publish(rows_of(costs, plain), arguments.json)
    print(on_paper(costs[max(costs)]))


if __name__ == "__main__":
    sys.exit(run(main))
