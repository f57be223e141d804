"""Does a training read an ensemble larger than memory in a stream? Shown with an artificial memory limit.

    python benchmarks/stream.py [--gigabytes 4] [--limit 3.4] [--quick] [--json FILE]

An ensemble of this study's simulator, whose conditions vary by 50 %, is written to disk in pieces: 9600 bytes a run, so
4 GB are 416 667 runs of 400 steps. Then, each in a process of its own:

whole    with the limit, the file is read into memory: a MemoryError, or the limit would not show anything.
stream   with the same limit, `training.fit` of the default model on the memory map: check, fingerprint, split,
         candidates, weights, scores. After it the targets that residual_lstm is trained on a second, without inputs of
         the run, files and validation: on the memory map, and on 1024 of its runs in memory.
few      without a limit, the same training on the first 1024 runs in memory: the way that small ensembles take.

The limit is RLIMIT_DATA: everything that a process may write to and shares with nobody, reserved or used. It does not
count a file that is mapped to be read, whose pages are the system's to take back; it does count what TensorFlow
reserves. (RLIMIT_AS counts the mapped file too, so nothing larger than the limit could be mapped at all.) What the
process held at most is sampled every 20 ms: RssAnon of /proc/self/status, its resident memory without pages of files.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _rows import publish, row

from sim2seq._support.command import Parser, run

sys.path.insert(0, str(Path(__file__).parent.parent))  # the study's scripts stand beside the package

STEPS, FEATURES, FEW = 400, ("x_pos", "y_pos", "z_pos"), 1024
PIECE = 10_000  # runs that are simulated at once
WORDS, INPUTS = ["epochs=2"], "inputs=gravity,drag,box"
QUICK = [*WORDS, "size=debug", "units=8"]
RATIO_GOAL = 1.5  # times longer that a target may take than in memory
BATCHES, NETWORK = 20, "residual_lstm"  # timed, of a network that reads all runs; the combination learns from some
STATUS = Path("/proc/self/status")


def write_ensemble(folder: Path, runs: int) -> None:
    """values.npy (runs, steps, features) and the inputs of the runs, one file each."""
    import ball_bounce

    values = np.lib.format.open_memmap(folder / "values.npy", "w+", "float64", (runs, STEPS, len(FEATURES)))
    conditions = {name: np.empty(runs) for name in ("gravity", "drag", "box")}
    generator = np.random.default_rng(0)
    for start in range(0, runs, PIECE):
        piece = slice(start, min(start + PIECE, runs))
        size = piece.stop - start
        position, velocity = generator.uniform(45, 50, (3, size)), generator.uniform(-6, 6, (3, size))
        means = {"gravity": 0.0981, "drag": 0.1, "box": 100.0}
        world = {name: mean * generator.uniform(0.5, 1.5, size) for name, mean in means.items()}
        _, series, *_ = ball_bounce.bounce(list(position), list(velocity), steps=STEPS, frequency=20, **world)
        values[piece] = np.moveaxis(np.array(series), (0, 1, 2), (2, 1, 0))
        for name, column in world.items():
            conditions[name][piece] = column
    values.flush()
    for name, column in conditions.items():
        np.save(folder / f"{name}.npy", column)


def ensemble_of(folder: Path, runs: int | None = None):
    """The runs as store.load would give them: a memory map, or the first `runs` in memory."""
    from sim2seq.data.ensemble import Ensemble

    values = np.load(folder / "values.npy", mmap_mode="r")
    values = values if runs is None else np.array(values[:runs])
    inputs = {name: np.load(folder / f"{name}.npy")[:runs] for name in ("gravity", "drag", "box")}
    names = tuple(f"run_{number}" for number in range(len(values)))
    return Ensemble(values, names, FEATURES, np.arange(STEPS) / 20, inputs)


def whole(folder: Path, words) -> dict:
    """Whether the values fit into memory."""
    try:
        return {"fits": bool(np.load(folder / "values.npy").size)}
    except MemoryError:
        return {"fits": False}


def stream(folder: Path, words) -> dict:
    return train(folder, None, words)


def few(folder: Path, words) -> dict:
    return train(folder, FEW, words)


def train(folder: Path, runs: int | None, words) -> dict:
    """Seconds and scores of a training, the most that it held, and the targets a second of its network."""
    from backends import speed

    from sim2seq.data.splits import select
    from sim2seq.training.fit import fit
    from sim2seq.training.settings import Settings

    settings, imports, start = Settings.parse([*words, INPUTS]), status("RssAnon"), time.perf_counter()
    with sampled() as most, tempfile.TemporaryDirectory() as results:
        ensemble = ensemble_of(folder, runs)
        trained = fit(ensemble, settings, results)
    seconds, scores = time.perf_counter() - start, trained.scores
    part = select(ensemble, trained.split.train)
    batches = NETWORK, settings.targets, settings.batch_size, BATCHES
    return {
        "imports": imports,
        "peak": most["RssAnon"],
        "reserved": most["VmData"],
        "seconds": seconds,
        "speed": speed(part, words, *batches),
        "in_memory": speed(part.take(range(min(FEW, part.runs))), words, *batches),
        "rmse": scores.errors["test"].rmse,
        "skill": scores.skill,
    }


QUESTIONS = {each.__name__: each for each in (whole, stream, few)}


def status(name: str) -> int:
    """Bytes that /proc says of this process."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


@contextlib.contextmanager
def sampled():
    """The most that was seen of RssAnon and VmData inside: name -> bytes, filled as time goes by."""
    most, ended = {"RssAnon": 0, "VmData": 0}, threading.Event()

    def watch():
        while not ended.wait(0.02):
            most.update({name: max(held, status(name)) for name, held in most.items()})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def ask(question: str, folder: Path, quick: bool, limit: float | None = None) -> dict:
    """The answer of a process of its own, under a limit of so many bytes."""
    print(question, file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--ask", question, "--folder", str(folder), *(["--quick"] if quick else [])]
    command += ["--bytes", str(int(limit))] if limit else []
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def answer(arguments) -> None:
    """What a process of its own does."""
    if arguments.bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (arguments.bytes, arguments.bytes))
    with contextlib.redirect_stdout(io.StringIO()):
        found = QUESTIONS[arguments.ask](arguments.folder, QUICK if arguments.quick else WORDS)
    print(json.dumps(found))


def measure(gigabytes: float, limit: float, quick: bool, folder: Path) -> list[dict]:
    """The rows of the table."""
    size = STEPS * len(FEATURES) * 8
    runs = int(gigabytes * 1e9) // size
    start = time.perf_counter()
    write_ensemble(folder, runs)
    written = time.perf_counter() - start
    read, large, small = (
        ask(name, folder, quick, end) for name, end in (("whole", limit), ("stream", limit), ("few", None))
    )
    return [
        row("size of the ensemble", runs * size, None, "higher", "bytes"),
        row("limit: RLIMIT_DATA", limit, None, "lower", "bytes"),
        row("simulated and written", written / runs, None, "lower", "s a run"),
        row("read whole under the limit: fits (1) or MemoryError (0)", read["fits"], 0, "lower", ""),
        row(
            "streamed training: memory at most, imports included", large["peak"], limit, "lower", "bytes", small["peak"]
        ),
        row("  the same, reserved", large["reserved"], limit, "lower", "bytes", small["reserved"]),
        row("  imports alone", large["imports"], None, "lower", "bytes", small["imports"]),
        row("streamed training: whole", large["seconds"], None, "lower", "s", small["seconds"]),
        row("  for each GB", large["seconds"] / gigabytes, None, "lower", "s/GB"),
        row(
            "  targets a second",
            large["speed"],
            large["in_memory"] / RATIO_GOAL,
            "higher",
            "targets/s",
            large["in_memory"],
        ),
        row("  closed-loop RMSE", large["rmse"], None, "lower", "length", small["rmse"]),
        row("  skill", large["skill"], None, "higher", "", small["skill"]),
    ]


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0, help="size of the ensemble")
    parser.add_argument("--limit", type=float, default=3.4, help="of memory, in GB")
    parser.add_argument("--quick", action="store_true", help="a small network: numbers that mean little")
    parser.add_argument("--folder", type=Path, help="where the ensemble is written (default: a temporary folder)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--ask", choices=QUESTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        answer(arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = measure(arguments.gigabytes, arguments.limit * 1e9, arguments.quick, Path(folder))
    publish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
