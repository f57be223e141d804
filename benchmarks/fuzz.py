#!/usr/bin/env python
"""Can a file from a stranger break the readers? Inputs by the million through sim2seq/data.

    python benchmarks/fuzz.py [--inputs 1000000] [--seed 0] [--ways mutated hypothesis ...] [--json FILE]

mutated      valid records changed a few times where it hurts, one in eight as bytes of a file
hypothesis   records drawn column by column, with wrong cells among the right ones
atheris      libFuzzer's search for new paths through the reader; needs `./setup.sh fuzz`
arrays       bytes changed in a small valid array file (HDF5), in processes of their own: a crash of the library counts
foreign      bytes changed in small files of other programs (CSV, NetCDF, HDF5, .npz), likewise

Every input must give runs that survive writing and reading bit for bit, or one RecordError of one line, within
SECONDS (_verdicts.py). The ways share the inputs as SHARES says. Exit code 1 if one does not, and the input is shown.
"""

import importlib.util
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _damaged_files import in_arrays, in_foreign
from _mutations import SEEDS, changed_bytes, drawn, mutate
from _rows import publish, row
from _verdicts import SECONDS, Broken, judge, verdict, watch

from sim2seq._support.command import Parser, run
from sim2seq.data import records

SHARES = {"mutated": 655, "hypothesis": 10, "atheris": 330, "arrays": 4, "foreign": 1}  # of the inputs, in proportion


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
    parser = Parser(description=__doc__.splitlines()[0])
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
    sys.exit(run(main))
