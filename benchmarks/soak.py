#!/usr/bin/env python
"""What becomes of a study on a machine that fails?

    python benchmarks/soak.py [--trials 50] [--only FAULT ...] [--seed 1777] [--runs 20000] [--quick] [--json FILE]

First kill -9 at random moments, --trials over seven kinds of process, and --others trials of each other fault; each
trial is a study of its own, goes on until exit code 0, and is then compared with the library's own simulation. Then
the soak: --runs simulations, 50 a task, while every --every seconds a worker, or all of them, is killed. The table
that it ends with counts runs lost, runs doubled and silent failures (exit code 0 with something missing, wrong or out
of date, or an end without the reason); all three must be 0, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _rows import met, publish, row

from sim2seq._support.command import Parser, run

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import faults  # noqa: E402
import kills  # noqa: E402
import soaking  # noqa: E402
import starts  # noqa: E402
from suite import Outcome, Unavailable  # noqa: E402

SOAK = "soak, workers killed all the time"


def trials_of(arguments) -> list[tuple[str, object, int]]:
    """(fault, its trial as a function of folder and generator, how many), in the order of the table."""
    count = len(kills.VICTIMS)
    shares = [arguments.trials // count + (number < arguments.trials % count) for number in range(count)]
    killed = [functools.partial(kills.killed, kind=kind) for kind in kills.VICTIMS]
    planned = [(f"kill -9: {kind}", *rest) for kind, *rest in zip(kills.VICTIMS, killed, shares, strict=True)]
    planned += [(name, trial, arguments.others) for name, trial in (faults.FAULTS | starts.FAULTS).items()]
    soak = functools.partial(soaking.soak, runs=arguments.runs, every=arguments.every)
    planned.append((SOAK, soak, 1))
    return [plan for plan in planned if not arguments.only or any(word in plan[0] for word in arguments.only)]


def repeat(name: str, trial, count: int, seed: int) -> dict:
    """Run one fault's trials, each with a generator of its own, and sum up."""
    outcomes, problem = [], ""
    for number in range(count):
        with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
            try:
                outcome = trial(Path(folder, "study"), generator=random.Random(f"{seed} {name} {number}"))
            except Unavailable as error:
                problem = str(error)
                break
            except (AssertionError, subprocess.TimeoutExpired) as error:  # of waiting for what did not come
                outcome = Outcome(silent=[f"the trial did not end: {' '.join(str(error).split()):.300}"])
        outcomes.append(outcome)
        print(f"{name} {number + 1}/{count}: {describe(outcome)}", file=sys.stderr, flush=True)
    return summary(name, outcomes, problem)


def describe(outcome) -> str:
    words = "clean" if outcome.clean else f"LOST {outcome.lost}, DOUBLED {outcome.doubled}, {outcome.silent}"
    return f"{words}, {outcome.sessions} sessions, {outcome.seconds:.0f} s {outcome.notes}"


def summary(name: str, outcomes: list, problem: str) -> dict:
    """A line of the fault table; `memory` is what the soak measured, growth from its first to its last quarter."""
    return {
        "fault": name,
        "trials": len(outcomes),
        "lost": sum(outcome.lost for outcome in outcomes),
        "doubled": sum(outcome.doubled for outcome in outcomes),
        "silent": sum(len(outcome.silent) for outcome in outcomes),
        "sessions": [outcome.sessions for outcome in outcomes],
        "seconds": [round(outcome.seconds, 1) for outcome in outcomes],
        "said": [text for outcome in outcomes for text in outcome.silent] + ([problem] if problem else []),
        "measured": {key: value for outcome in outcomes for key, value in outcome.measured.items()},
    }


def markdown(lines: list[dict]) -> str:
    text = ["| fault | trials | runs lost | runs doubled | silent failures |", "|---|---|---|---|---|"]
    return "\n".join(text + ["| {fault} | {trials} | {lost} | {doubled} | {silent} |".format(**line) for line in lines])


def rows(line: dict) -> list[dict]:
    """One row a measured number, as every benchmark has them; the soak's memory with its limit."""
    found = [row(f"{line['fault']}: {what}", line[what], 0, "lower", "") for what in ("lost", "doubled", "silent")]
    found.append(row(f"{line['fault']}: trials", line["trials"], None, "higher", ""))
    for key, value in line["measured"].items():
        goal = soaking.MOST_GROWTH if key.endswith("%") else None
        found.append(row(f"soak: {key}", value, goal, "lower", ""))
    return found


def parse_arguments():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="of kill -9, over all kinds (default 50)")
    parser.add_argument("--others", type=int, default=3, help="of each other fault (default 3)")
    parser.add_argument("--runs", type=int, default=20_000, help="of the soak (default 20000)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between its kills (default 10)")
    parser.add_argument("--only", nargs="+", metavar="FAULT", help="faults whose names contain one of these words")
    parser.add_argument("--seed", type=int, default=1777)
    parser.add_argument("--quick", action="store_true", help="7 trials, 1 of each other fault, a soak of 1000 runs")
    parser.add_argument("--json", metavar="FILE", help="write the fault table here too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.trials, arguments.others, arguments.runs = 7, 1, 1000
    return arguments


def main() -> int:
    arguments = parse_arguments()
    started, lines = time.monotonic(), []
    for name, trial, count in trials_of(arguments):
        if count:
            lines.append(repeat(name, trial, count, arguments.seed))
            if arguments.json:  # after each fault: a soak that is stopped has said what it knew
                Path(arguments.json).write_text(json.dumps(lines, indent=2) + "\n")
    results = [one for line in lines for one in rows(line)]
    publish(results)
    print(f"\n{markdown(lines)}\n\n{(time.monotonic() - started) / 60:.1f} minutes, seed {arguments.seed}")
    for line in lines:
        for text in line["said"]:
            print(f"{line['fault']}: {text}", file=sys.stderr)
    return int("no" in map(met, results) or any(not line["trials"] for line in lines))


if __name__ == "__main__":
    sys.exit(run(main))
