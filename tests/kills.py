"""kill -9 of whatever a study consists of, at random moments."""

import contextlib
import random
import time
from pathlib import Path

import psutil
from suite import INGEST, SIMULATE, Outcome, Suite, finish_and_verify, is_over, started

VICTIMS = {
    "simulation": lambda suite: suite.script("ball_bounce.py"),
    "ingest": lambda suite: suite.script("dsv_to_kosh.py"),
    "worker": lambda suite: suite.workers(children=True),
    "all workers": lambda suite: suite.workers(),
    "broker": lambda suite: suite.brokers(),
    "training": lambda suite: suite.script("visualization_lstm_kosh.py"),
    "orchestrator": lambda suite: [psutil.Process(suite.first.pid)],
}
USUAL_SECONDS = 8.0  # of a small study, before the training
TRAINING_SECONDS = 10.0  # of the smallest training


def killed(folder: Path, generator: random.Random, kind: str, *, runs=12) -> Outcome:
    """Kill one process of this kind (for "all workers" all of them) at a random moment; go on until all is done."""
    suite = Suite(folder, runs=runs, training="size:debug" if kind == "training" else None)
    with started(suite) as (process, outcome):
        moment = wait_for_moment(suite, kind, generator)
        victims = find(suite, kind, generator)
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        outcome.notes = f"killed {len(victims)} {moment}"
        finish_and_verify(suite, process, outcome)
    return outcome


def wait_for_moment(suite: Suite, kind: str, generator: random.Random) -> str:
    """Wait until a random moment of those in which such a process may live; which one it was."""
    if kind in ("simulation", "ingest"):  # each lives for milliseconds: after the n-th one
        number = generator.randrange(len(suite.ids))
        step = SIMULATE if kind == "simulation" else INGEST
        suite.wait_for(lambda: suite.done(step) >= number)
        return f"after {number}"
    if kind == "training":
        suite.wait_for(lambda: suite.script("visualization_lstm_kosh.py"))
    moment = generator.uniform(0.2, TRAINING_SECONDS if kind == "training" else USUAL_SECONDS)
    time.sleep(moment)
    return f"after {moment:.1f} s"


def find(suite: Suite, kind: str, generator: random.Random) -> list[psutil.Process]:
    """One of the processes of this kind, or all of them; none if the study ends before there is one."""
    while not (found := VICTIMS[kind](suite)) and not is_over(suite.first):
        time.sleep(0.005)
    return found if kind == "all workers" else found and [generator.choice(found)]
