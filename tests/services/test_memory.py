"""A training on disk under a limit of memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

UNDER_A_LIMIT = """
import json, resource, sys
import numpy as np
from sim2seq.data import streaming
from sim2seq.data.ensemble import Ensemble
from sim2seq.training.settings import Settings
from sim2seq.training.fit import fit
from stream import sampled, status

streaming.CHUNK = streaming.LARGEST_COPY = 4e6
streaming.MOST_RUNS = 50
few = np.load(sys.argv[1])["positions"]

def fit_on_disk(runs):
    values = np.lib.format.open_memmap(f"{runs}.npy", "w+", "float64", (runs, *few.shape[1:]))
    for start in range(0, runs, len(few)):
        values[start : start + len(few)] = few[: runs - start]
    values.flush()
    values = np.load(f"{runs}.npy", mmap_mode="r")
    if runs > 64:
        size = status("VmData") + values.nbytes // 2
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        try:
            np.array(values)
        except MemoryError:
            print("whole: MemoryError", file=sys.stderr)
    with sampled() as most:
        names = tuple(f"run_{run}" for run in range(runs))
        ensemble = Ensemble(values, names, ("x_pos", "y_pos", "z_pos"), np.arange(few.shape[1]) / 20)
        fit(ensemble, Settings.parse(["size=debug", "epochs=1", "units=4"]), f"training_{runs}")
    return most["RssAnon"]

print(json.dumps({runs: fit_on_disk(runs) for runs in (64, 40_000)}))
"""


def test_training_on_40_000_runs_takes_no_more_memory_than_on_64(tmp_path):
    """384 MB on disk, and room for half of it beside what the first training leaves reserved."""
    here = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(here / "benchmarks"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", UNDER_A_LIMIT, here / "tests" / "samples" / "ball_bounce_64_correlated.npz"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "whole: MemoryError" in done.stderr
    small, large = json.loads(done.stdout.splitlines()[-1]).values()
    assert large - small < 384e6 / 2
