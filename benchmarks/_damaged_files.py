"""Damaged array files and files of other programs for fuzz.py, read in processes of their own."""

import math
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _mutations import changed_bytes
from _verdicts import SECONDS, Broken, check_message

from sim2seq.data.records import RecordError

BATCH = 500  # array files a process


def in_arrays(inputs: int, seed: int, tell, child: str = "--array-files") -> Counter:
    """Changed array files, BATCH of them a process; a process that dies or hangs names its input."""
    counts = Counter()
    for first in range(0, inputs, BATCH):
        command = [sys.executable, __file__, child, *map(str, (seed, first, min(BATCH, inputs - first)))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout.split()
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:] or f"exit code {done.returncode}"
            raise Broken(f"{child}: after input {said[-1:]} of seed {seed}: {why}")
        counts.update(word for word in said if not word.isdigit())
        tell(counts.total())
    return counts


def in_foreign(inputs: int, seed: int, tell) -> Counter:
    """Changed files of other programs, likewise."""
    return in_arrays(inputs, seed, tell, "--foreign-files")


def array_child(seed: int, first: int, count: int) -> None:
    """What `in_arrays` starts: says each input's number before it reads it, and its verdict after."""
    from sim2seq.data import arrays

    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # a loop inside the library can only be killed
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "runs.h5")
        series = {"x": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}
        arrays.write(path, ["run_1", "run_2"], {"mass": [1.0, 2.0], "label": ["red", "blue"]}, series, [0.0, 0.5, 1.0])
        whole = Path(path).read_bytes()
        for number in range(first, first + count):
            dice = random.Random(seed * 1_000_003 + number)
            print(number, flush=True)
            Path(path).write_bytes(changed_bytes(dice, whole, dice.randint(1, 6)))
            signal.setitimer(signal.ITIMER_PROF, 5 * SECONDS)
            print(judge_array(arrays, path), flush=True)
            signal.setitimer(signal.ITIMER_PROF, 0)


def judge_array(arrays, path) -> str:
    """ "read" or "refused"; Broken for anything else."""
    try:
        runs = list(arrays.read(path))
        arrays.series_of(path, [run.id for run in runs], list(range(len(runs))), [run.place[2] for run in runs])
    except RecordError as error:
        check_message(str(error))
        return "refused"
    return "read"


def foreign_files(folder: str) -> list[str]:
    """Small files of each kind, with two or three runs."""
    import h5py
    import numpy as np
    import xarray as xr

    texts = {
        "long.csv": "run,time [s],x [m],kind\na,0,1,hot\na,0.5,2,hot\nb,0,3,cold\nb,0.5,4,cold\n",
        "german.csv": "Datum;x (m)\n31.12.2023;1,5\n01.01.2024;2,5\n02.01.2024;-3,5e1\n",
        "log.txt": "# a log\n# t x y\n0 1 2\n1 3 4\n2 5 6\n",
    }
    for name, text in texts.items():
        Path(folder, name).write_text(text)
    values, times = np.arange(12.0).reshape(2, 3, 2), np.arange(3.0)
    data = xr.Dataset(
        {"x": (("run", "time"), values[..., 0])}, {"time": ("time", times, {"units": "days since 2000-01-01"})}
    )
    data.to_netcdf(Path(folder, "three.nc"), engine="scipy")
    data.to_netcdf(Path(folder, "four.nc"), engine="h5netcdf")
    np.savez(Path(folder, "a.npz"), values=values, times=times, features=["x", "y"], inputs_mass=[1.0, 2.0])
    np.savez_compressed(Path(folder, "b.npz"), values=values, times=times, features=["x", "y"])
    with h5py.File(Path(folder, "groups.h5"), "w") as file:
        for name in ("run_1", "run_2"):
            file[f"{name}/x"], file[f"{name}/time"] = times, times
            file[name].attrs["mass"] = 1.5
    return sorted(str(path) for path in Path(folder).iterdir())


def foreign_child(seed: int, first: int, count: int) -> None:
    """What `in_foreign` starts, as `array_child`."""
    import warnings

    from sim2seq.data.foreign.files import sources
    from sim2seq.data.foreign.reading import Reading
    from sim2seq.data.foreign.runs import Seen, runs_of
    from sim2seq.store.imports import first_look

    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as folder:
        whole = {path: Path(path).read_bytes() for path in foreign_files(folder)}
        for number in range(first, first + count):
            dice = random.Random(seed * 1_000_003 + number)
            path = dice.choice(list(whole))
            reading = Reading(gaps=dice.choice(["refuse", "fill", "drop"]), repeats=dice.choice(["refuse", "last"]))
            print(number, flush=True)
            Path(path).write_bytes(changed_bytes(dice, whole[path], dice.randint(1, 6)))
            signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
            seen = Seen(look=True)
            try:
                runs = list(runs_of(sources([path], reading), reading, seen))
                first_look(seen, [])
                print(
                    "read"
                    if all(map(math.isfinite, (v for run in runs for s in run.series.values() for v in s)))
                    else "inf"
                )
            except RecordError as error:
                check_message(str(error))
                print("refused")
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    {"--array-files": array_child, "--foreign-files": foreign_child}[sys.argv[1]](*map(int, sys.argv[2:]))
