"""Faults to inject into a study: each trial ends with a complete and correct store, or counts what it lost.

Used by tests/test_faults.py (a trial of each) and by benchmarks/soak.py (many), with those of kills.py.
"""

import contextlib
import json
import random
import shutil
import sqlite3
from pathlib import Path

import daemons
import psutil
from disks import mounted, resize, unwritable, used
from scene import finish
from suite import (
    LEARN,
    ROOT,
    SIMULATE,
    STORE,
    Outcome,
    Suite,
    continue_and_verify,
    expect,
    finish_and_verify,
    is_over,
    started,
    stored_ids,
    verify,
)


def delivered_twice(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """Every simulation is handed out a second time while the first is at work; so each ingest comes twice too."""
    suite = Suite(folder, runs=runs)
    suite.marked_once = False
    with started(suite, hold=True, workers=2 * runs) as (process, outcome):
        suite.wait_for(lambda: len(suite.held()) == runs)
        deliver_again(suite.brokers()[0])
        suite.wait_for(lambda: len(suite.held()) == 2 * runs)
        suite.remove("hold")
        finish_and_verify(suite, process, outcome)
    return outcome


def deliver_again(broker: psutil.Process) -> None:
    """Put a copy of every message that a worker holds back into its queue, as after the visibility timeout."""
    from kombu import Connection

    with Connection(f"redis+socket://{broker.cwd()}/broker.sock") as connection:
        channel = connection.default_channel
        for content in channel.client.hvals(channel.unacked_key):
            with channel.client.pipeline() as pipe:
                channel._do_restore_message(*json.loads(content), pipe, False)
                pipe.execute()


def full_disk(folder: Path, generator: random.Random, *, runs=8) -> Outcome:
    """The disk fills up while simulations begin; the study ends and says so; with room again, it goes on. For root."""
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=1500m", "tmpfs"):
        suite = Suite(folder, runs=runs)
        with started(suite, hold=True) as (process, outcome):
            suite.wait_for(suite.held)
            resize(folder, used(folder) + generator.choice([1, 200_000, 5_000_000]))
            suite.remove("hold")
            code, output = finish(process)
            expect(outcome, code == 1 and "no space left" in output, f"full disk: exit code {code}: {output[-300:]}")
            stored_ids(suite.study() / STORE)  # readable
            resize(folder, 1_500_000_000)
            continue_and_verify(suite, outcome)
    return outcome


def read_only(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """The store cannot be written to when the first ingest comes."""
    suite = Suite(folder, runs=runs)
    with started(suite, hold=True) as (process, outcome):
        suite.wait_for(suite.held)
        with unwritable(suite.study() / STORE):
            suite.remove("hold")
            code, output = finish(process)
        expect(outcome, code == 1 and "cannot write" in output, f"read-only store: exit code {code}: {output[-300:]}")
        continue_and_verify(suite, outcome)
    return outcome


SIMULATION = f'shift; "$(which -a python | sed -n 2p)" {ROOT}/ball_bounce.py "$@"'  # what stood in its place
HALF_WRITTEN, NO_NUMBER = (
    f"{SIMULATION} && truncate -s -30 output.dsv",
    f"{SIMULATION} && sed -i 's/%\\[/%[nan, /' output.dsv",
)
LASTS = f"sleep 4 && {SIMULATION}"
HANGS, FAILS = "exec sleep 1000", "echo the ball left the box >&2; exit 1"


def damaged_records(folder: Path, generator: random.Random, *, runs=6) -> Outcome:
    """Two simulations end well, but one record is half-written and another holds no number."""
    suite = Suite(folder, runs=runs, hostile={2: HALF_WRITTEN, 5: NO_NUMBER})
    suite.touch("hostile")
    with started(suite) as (process, outcome):
        code, output = finish(process)
        named = all(text in output for text in ("truncated", "column"))
        expect(outcome, code == 1 and named, f"damaged records: exit code {code}: {output[-600:]}")
        suite.remove("hostile")
        code, output = suite.go_on()
        expect(outcome, code == 1, f"damaged records: exit code {code} with the damage still there")
        forget_runs(suite, 2, 5)
        continue_and_verify(suite, outcome)
    return outcome


def forget_runs(suite: Suite, *numbers: int) -> None:
    """Remove the folders of these runs, as a person does who no longer trusts them."""
    for path in suite.study().glob(f"{SIMULATE}/*"):
        if {f"R{number}" for number in numbers} & set(path.name.split(".")):
            shutil.rmtree(path)


def foreign_store(folder: Path, generator: random.Random, *, runs=4) -> Outcome:
    """Something else lies where the store was: no database, one of another kind, a Kosh store of another version."""
    suite = Suite(folder, runs=runs)
    with started(suite, hold=True) as (process, outcome):
        suite.wait_for(suite.held)
        path = suite.study() / STORE
        kept = path.read_bytes()
        generator.choice([no_database, other_database, other_version])(path)
        foreign = path.read_bytes()
        suite.remove("hold")
        code, output = finish(process)
        expect(outcome, code == 1 and "not a Kosh store" in output, f"foreign store: exit code {code}: {output[-300:]}")
        expect(outcome, path.read_bytes() == foreign, "foreign store: it was written to")
        path.write_bytes(kept)
        continue_and_verify(suite, outcome)
    return outcome


def no_database(path: Path) -> None:
    path.write_bytes(b"one,two,three\n" * 1000)


def other_database(path: Path) -> None:
    path.unlink()
    _execute(path, "CREATE TABLE Record (id, type, raw)")


def other_version(path: Path) -> None:
    _execute(path, "ALTER TABLE ScalarData RENAME COLUMN units TO unit")


def _execute(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def hang(folder: Path, generator: random.Random, *, runs=6) -> Outcome:
    """One simulation never ends: the time limit ends it, and the study names it with the reason."""
    suite = Suite(folder, runs=runs, hostile={3: HANGS}, changes={"TIME_LIMIT": 2})
    suite.touch("hostile")
    with started(suite) as (process, outcome):
        code, output = finish(process)
        named = "failed    run-ball-bounce/" in output and "timeout: sending signal TERM" in output
        expect(outcome, code == 1 and named, f"hanging simulation: exit code {code}: {output[-600:]}")
        suite.remove("hostile")
        continue_and_verify(suite, outcome)
    return outcome


def failures(folder: Path, generator: random.Random, *, runs=100, share=0.01) -> Outcome:
    """`share` of the simulations fail: the training must not begin, unless this share is tolerated."""
    number = round(share * runs)
    broken = dict.fromkeys(generator.sample(range(1, runs + 1), number), FAILS)
    suite = Suite(folder, runs=runs, hostile=broken)
    suite.touch("hostile")
    with started(suite) as (process, outcome):
        code, output = finish(process)
        expect(outcome, code == 1 and "the ball left the box" in output, f"failing runs: exit code {code}")
        trained = suite.study() / LEARN / "digest.json"
        expect(outcome, not trained.exists(), "failing runs: the training began without them, unasked")
        code, output = suite.go_on("--vars", f"FAILURES_ALLOWED={share}")
        expect(outcome, code == 1 and "went on with what there was" in output, f"tolerated failures: exit code {code}")
        held = len(json.loads(trained.read_text())["runs"]) if trained.exists() else 0
        expect(outcome, held == runs - number, f"tolerated failures: the training saw {held} runs")
        suite.remove("hostile")
        continue_and_verify(suite, outcome)
    return outcome


def clock_jumps(folder: Path, generator: random.Random, *, runs=12) -> Outcome:
    """The workers' clock is hours wrong, as on another machine, and jumps while they work."""
    suite = Suite(folder, runs=runs, changes=wrong_clock(folder))
    set_clock(suite, generator)
    with started(suite) as (process, outcome):
        jump = generator.randrange(runs)
        suite.wait_for(lambda: suite.done() >= jump)
        set_clock(suite, generator)
        finish_and_verify(suite, process, outcome)
    return outcome


def wrong_clock(folder: Path) -> dict[str, str]:
    """Variables of the suite that let its workers and their tasks take the time that the file `clock` says."""
    fake = {"LD_PRELOAD": str(daemons.program("libfaketime.so.1")), "FAKETIME_TIMESTAMP_FILE": f"{folder}/clock"}
    return fake | {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


def set_clock(suite: Suite, generator: random.Random) -> None:
    (suite.folder / "clock").write_text(f"{generator.choice('+-')}{generator.randint(1, 30)}h")


def two_people(folder: Path, generator: random.Random, *, runs=6) -> Outcome:
    """Two people go on with the same interrupted study at the same moment: one does, the other is told so."""
    suite = Suite(folder, runs=runs)
    with started(suite) as (process, outcome):
        moment = generator.randrange(runs)
        suite.wait_for(lambda: (suite.study() and suite.done() >= moment) or is_over(process))
        process.kill()
        process.wait()
        both = [suite.start(suite.study()) for _ in range(2)]
        ends = sorted(map(finish, both))
        refused = "another sim2seq run is at work on this study" in ends[1][1]
        expect(outcome, [code for code, _ in ends] == [0, 2] and refused, f"two people: {ends}")
        outcome.sessions = 3
        verify(suite, outcome)
    return outcome


# above a simulation stand timeout, its script, the worker's process that runs the task, and the worker
ANCESTORS = "up() { ps -o ppid= -p $1 | tr -d ' '; }; process=$(up $(up $PPID))"
KILLS_ITS_PROCESS, KILLS_ITS_WORKER = (f"{ANCESTORS}; kill -9 {who}; sleep 9" for who in ("$process", "$(up $process)"))


def deadly_task(folder: Path, generator: random.Random, *, runs=6) -> Outcome:
    """One task kills the process that runs it, or the worker itself, each time: the study must end, and say so."""
    suite = Suite(folder, runs=runs, hostile={4: generator.choice([KILLS_ITS_PROCESS, KILLS_ITS_WORKER])})
    suite.touch("hostile")
    with started(suite) as (process, outcome):
        code, output = finish(process)
        expect(outcome, code == 1 and ("again and again" in output or "no task ended" in output), f"{code}: {output}")
        suite.remove("hostile")
        continue_and_verify(suite, outcome)
    return outcome


FAULTS = {
    "task delivered twice": delivered_twice,
    "full disk": full_disk,
    "read-only store": read_only,
    "damaged records": damaged_records,
    "store of another kind or version": foreign_store,
    "simulation that hangs": hang,
    "1 % of the simulations fail": failures,
    "clock jumps": clock_jumps,
    "two people, one study": two_people,
    "task that kills its worker": deadly_task,
}
