#!/usr/bin/env python
"""How long does an import of a large file take, against plain xarray, and how much memory?

    python benchmarks/import_speed.py [--gigabytes 1] [--folder DIR] [--json FILE]

runs first   NetCDF 4, five variables (run, time) of 2000 steps: 80 kB a run
time first   plain HDF5, five datasets (time, run), chunked

Each file is written, read once, and then, in processes of their own, in turn three times: loaded by
`xarray.open_dataset(...).load()`, and imported into an empty store, where its numbers stay in the file. The fastest of
each counts; importing the packages and making the store are not timed. A run's entry in the store takes a tenth of a
millisecond, so that shorter runs take longer a byte. Memory is the most that the import held. The
files are removed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from _rows import publish, row

from sim2seq._support.command import Parser, run

STEPS, FEATURES, TIMES = 2000, ("u", "v", "x", "y", "z"), 3
RATIO_GOAL, MEMORY_GOAL = 3.0, 1.0


def write(path: Path, gigabytes: float, *, time_first: bool) -> None:
    """A file of that size."""
    import h5py
    import numpy as np

    runs = int(gigabytes * 1e9 / (8 * STEPS * len(FEATURES)))
    shape = (STEPS, runs) if time_first else (runs, STEPS)
    generator = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["time"] = np.arange(STEPS) / 20
        if not time_first:
            file["time"].make_scale("time")
            file["run"] = np.arange(runs)
            file["run"].make_scale("run")
        for name in FEATURES:
            made = file.create_dataset(name, shape, "f8", chunks=(STEPS, 64) if time_first else None)
            for first in range(0, runs, 4096):
                part = slice(first, first + 4096)
                values = generator.normal(size=(min(4096, runs - first), STEPS))
                made[(slice(None), part) if time_first else part] = values.T if time_first else values
            if not time_first:
                made.dims[0].attach_scale(file["run"])
                made.dims[1].attach_scale(file["time"])


def timed(way: str, file: str, store: str) -> None:
    """Print how long it took and how much memory this process held: what a process of its own does."""
    import xarray as xr

    from sim2seq.data.foreign.reading import Reading
    from sim2seq.store.imports import import_files

    begin = perf_counter()
    if way == "load":
        xr.open_dataset(file, engine="h5netcdf", phony_dims="access").load()
    else:
        import_files(store, [file], Reading())
    print(json.dumps([perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


def measured(way: str, file: Path, store: Path) -> list[float]:
    """Seconds and GB of a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--timed", way, str(file), str(store)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def compare(name: str, folder: Path, gigabytes: float) -> list[dict]:
    """The rows of one kind of file."""
    from sim2seq.store import store

    file, results = folder / f"{name.replace(' ', '_')}.h5", {"load": [], "import": []}
    write(file, gigabytes, time_first=name == "time first")
    for number in range(TIMES):
        for way, found in results.items():
            path = folder / f"{number}.sqlite"
            if way == "import":
                store.create(path)
            found.append(measured(way, file, path))
            path.unlink(missing_ok=True)
    file.unlink()
    load, imported = (min(seconds for seconds, _ in found) for found in results.values())
    return [
        row(f"{name}: import", imported, RATIO_GOAL * load, "lower", "s", load),
        row(f"{name}: memory", max(held for _, held in results["import"]), MEMORY_GOAL, "lower", "GB"),
    ]


def main() -> int:
    if sys.argv[1:2] == ["--timed"]:
        return timed(*sys.argv[2:])
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of each file (default: %(default)s)")
    parser.add_argument("--folder", help="where to write them; without it, a temporary folder")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = [
            each for name in ("runs first", "time first") for each in compare(name, Path(folder), arguments.gigabytes)
        ]
    publish(rows, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
