#!/usr/bin/env python
"""Can a file from a stranger break the readers? Inputs by the million through sim2seq/data.

    python benchmarks/fuzz.py [--inputs 1000000] [--seed 0] [--ways mutated hypothesis ...] [--json FILE]

mutated      valid records changed a few times where it hurts, one in eight as bytes of a file
hypothesis   records drawn column by column, with wrong cells among the right ones
atheris      libFuzzer's search for new paths through the reader; needs `pip install atheris`
arrays       bytes changed in a small valid array file (HDF5), in processes of their own: a crash of the library counts
foreign      bytes changed in small files of other programs (CSV, NetCDF, HDF5, .npz), likewise

Every input must give runs that survive writing and reading bit for bit, or one RecordError of one line, within
SECONDS. The ways share the inputs as SHARES says. Exit code 1 if one does not, and the input is shown.
"""

import argparse
import importlib.util
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from _mutations import SEEDS, changed_bytes, drawn, mutate
from _rows import publish, row

from sim2seq.data import records
from sim2seq.data.records import RecordError, Run

SECONDS = 2  # of computing that an input may take
LONGEST_MESSAGE = 500  # characters
BATCH = 500  # array files a process
SHARES = {"mutated": 655, "hypothesis": 10, "atheris": 330, "arrays": 4, "foreign": 1}  # of the inputs, in proportion


class Broken(AssertionError):
    """The reader did what it must not do."""


class TooLong(BaseException):
    """An input took more than SECONDS of computing; no Exception, so that no reader takes it for its own."""


@contextmanager
def watch():
    """Let `judge` take the time of each input."""

    def ring(*_):
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def judge(read) -> str:
    """As `verdict`, within SECONDS."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)  # again and again: some callbacks swallow exceptions
    try:
        return verdict(read)
    except TooLong:
        raise Broken(f"TooLong: more than {SECONDS} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def verdict(read) -> str:
    """ "read" or "refused", what `read()`, a call that returns runs, did with its input; or Broken."""
    try:
        runs = read()
    except RecordError as error:
        check_message(str(error))
        return "refused"
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {str(error)[:200]}") from error
    check_runs(runs)
    return "read"


def check_message(message: str) -> None:
    if not message.isprintable() or len(message) > LONGEST_MESSAGE:
        raise Broken(f"expected a message of one line and up to {LONGEST_MESSAGE} characters: {message!r:.300}")


def check_runs(runs: list[Run]) -> None:
    """Raise Broken unless these are runs, and the same ones after they were written and read."""
    if not runs or not all(isinstance(run, Run) and run.series for run in runs):
        raise Broken(f"expected runs: {runs!r:.200}")
    if not all(math.isfinite(value) for run in runs for values in run.series.values() for value in values):
        raise Broken("a number is not finite")
    try:
        again = records.parse("again", records.format_runs(runs))
    except Exception as error:
        raise Broken(f"what was read cannot be written and read: {type(error).__name__}: {error}") from error
    if list(map(ordered, again)) != list(map(ordered, runs)):
        raise Broken("what was read is another one after writing and reading")


def ordered(run: Run) -> str:
    """All of a run as text, every bit of its numbers."""
    return repr((run.id, sorted(run.data.items()), sorted(run.series.items())))


def mutated(inputs: int, seed: int, tell) -> Counter:
    """Mutated records through `parse`, one in eight as bytes through a file and `read`."""
    counts = Counter()
    with tempfile.TemporaryDirectory() as folder, watch():
        path = os.path.join(folder, "run.dsv")
        for number in range(inputs):
            dice = random.Random(seed * inputs + number)
            text = mutate(dice, dice.choice(SEEDS), 1 + int(dice.expovariate(0.6)))
            try:
                if number % 8:
                    counts[judge(lambda text=text: records.parse("run.dsv", text))] += 1
                else:
                    content = changed_bytes(dice, text.encode("utf-8", "surrogatepass"), dice.randint(0, 3))
                    Path(path).write_bytes(content)
                    counts[judge(lambda: records.read(path))] += 1
            except Broken as error:
                raise Broken(f"{error}; input {number} of seed {seed}: {text!r:.2000}") from error
            tell(number)
    return counts


def by_hypothesis(inputs: int, seed: int, tell) -> Counter:
    """Records that hypothesis draws; a failure is shown as small as it can be made."""
    import hypothesis

    counts = Counter()
    options = {"database": None, "deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
    with watch():

        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=inputs, **options)
        @hypothesis.given(drawn())
        def hold(text):
            counts[judge(lambda: records.parse("run.dsv", text))] += 1
            tell(counts.total())

        hold()
    return counts


def by_atheris(inputs: int, seed: int, tell) -> Counter:
    """libFuzzer in a process of its own; it starts from SEEDS and looks for new paths through sim2seq.data.records."""
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(SEEDS):
            Path(folder, f"seed_{number}").write_text(text)
        options = [
            f"-runs={inputs}",
            f"-seed={seed + 1}",
            f"-timeout={10 * SECONDS}",
            "-max_len=4096",
            "-print_final_stats=1",
        ]
        command = [sys.executable, __file__, "--atheris", *options, f"-artifact_prefix={folder}/", folder]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        lines = done.stderr.decode(errors="replace").splitlines()
        found = re.search(r"number_of_executed_units: (\d+)", "\n".join(lines))
        if done.returncode or not found:
            bad = [path.read_bytes()[:2000] for path in Path(folder).glob("[cot]*-*")]  # crash-, oom-, timeout-
            raise Broken(f"atheris: {[line for line in lines if 'Broken' in line][:1] or lines[-3:]}, input {bad}")
    tell(int(found[1]))
    return Counter({"searched": int(found[1])})


def atheris_child(arguments: list[str]) -> None:
    """What `by_atheris` starts: one input after the other, until libFuzzer ends the process."""
    import atheris

    atheris.instrument_func(records.parse)
    for function in (records.read_row, records.read_series, records.read_value, records.check_word, records.check_id):
        setattr(records, function.__name__, atheris.instrument_func(function))

    def one_input(content):
        verdict(lambda: records.parse("run.dsv", content.decode("utf-8", "replace")))  # libFuzzer has its own clock

    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


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


def in_foreign(inputs: int, seed: int, tell) -> Counter:
    """Changed files of other programs, likewise."""
    return in_arrays(inputs, seed, tell, "--foreign-files")


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


WAYS = {
    "mutated": mutated,
    "hypothesis": by_hypothesis,
    "atheris": by_atheris,
    "arrays": in_arrays,
    "foreign": in_foreign,
}


def teller(way: str, inputs: int):
    """A line of progress each second, where someone looks."""
    last = [time.monotonic()]

    def tell(number):
        if number % 256 == 0 and sys.stderr.isatty() and time.monotonic() - last[0] > 1:
            last[0] = time.monotonic()
            print(f"\r{way}: {number:,} of {inputs:,} inputs", end="", file=sys.stderr, flush=True)

    return tell


def shares(inputs: int, ways: list[str]) -> dict[str, int]:
    """How many inputs each way gets, `inputs` or a few more in all."""
    whole = sum(SHARES[way] for way in ways)
    return {way: math.ceil(inputs * SHARES[way] / whole) for way in ways}


def fuzz(inputs: int, seed: int, ways: list[str]) -> list[dict]:
    """Rows of results, three a way: inputs, what became of them, time. Raises Broken at the first failure."""
    rows = []
    for way, count in shares(inputs, ways).items():
        start = time.perf_counter()
        counts = WAYS[way](count, seed, teller(way, count))
        seconds = time.perf_counter() - start
        print(f"{way}: {counts.total():,} inputs in {seconds:.0f} s, no failure", file=sys.stderr)
        rows.append(row(f"{way}: inputs", counts.total(), count, "higher", "inputs"))
        rows += [row(f"{way}: {what}", number, None, "higher", "inputs") for what, number in sorted(counts.items())]
        rows.append(row(f"{way}: time", seconds, None, "lower", "s"))
    total = sum(line["measured"] for line in rows if line["name"].endswith(": inputs"))
    return [*rows, row("all inputs", total, inputs, "higher", "inputs"), row("failures", 0, 0, "lower", "inputs")]


def main() -> int:
    if sys.argv[1:2] == ["--atheris"]:
        return atheris_child(sys.argv[2:])
    if sys.argv[1:2] == ["--foreign-files"]:
        return foreign_child(*map(int, sys.argv[2:]))
    if sys.argv[1:2] == ["--array-files"]:
        return array_child(*map(int, sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [way for way in WAYS if way != "atheris" or importlib.util.find_spec("atheris")]
    parser.add_argument("--inputs", type=int, default=1_000_000, help="number of inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other inputs (default: %(default)s)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=known, help=f"default here: {' '.join(known)}")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args()
    try:
        publish(fuzz(arguments.inputs, arguments.seed, arguments.ways), arguments.json)
    except Broken as error:
        print(f"fuzz.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
