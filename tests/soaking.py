"""The soak: a large study whose workers are killed all the time, and how much memory its processes take."""

import contextlib
import random
import statistics
import time
from pathlib import Path

import psutil
from runs import make_runs
from scene import finish
from suite import ROOT, Outcome, Suite, is_over, started, until_whole

RUNS_PER_TASK = 50
COMPARED = 500  # runs whose values are compared with the library's own simulation; of all, the ids are
LOOK_SECONDS = 2.0
STARTED_SECONDS = 5.0  # age of a process whose memory counts: before, it imports
MINUTES, BROKER, WORKER = "time, min", "growth of the broker's memory, %", "growth of a worker's memory, %"
MOST_MINUTES = 90.0  # then the killing ends, and the soak has failed
MOST_GROWTH = 20.0  # %, from the mean of the first quarter of the time to that of the last


class Batches(Suite):
    """The suite for large ensembles, with small batches as Merlin's samples: many tasks to be killed at."""

    source = ROOT / "ball_bounce_suite_merlin_samples.yaml"
    most_seconds = 3600.0

    def known_runs(self, count: int) -> list:
        return make_runs(count, only=sorted(random.Random(count).sample(range(count), min(count, COMPARED))))

    def start_new(self, *options, workers=2):
        words = ["--runs", len(self.ids), "--workers", workers, "--vars", f"RUNS_PER_TASK={RUNS_PER_TASK}", *options]
        self.first = self.start(self.spec, *words)
        return self.first


def soak(folder: Path, generator: random.Random, *, runs=20_000, every=10.0) -> Outcome:
    """Kill a worker, or all of them, every `every` seconds until the study ends; verify, and compare the memory."""
    suite = Batches(folder, runs=runs)
    with started(suite) as (process, timed):
        memory = Memory(suite)
        kills = kill_until_over(suite, process, generator, every, memory)
        minutes = (time.monotonic() - memory.began) / 60
        outcome = until_whole(suite, *finish(process))
    if minutes > MOST_MINUTES:
        outcome.silent.append(f"not over after {MOST_MINUTES:g} minutes")
    outcome.seconds, outcome.notes = timed.seconds, outcome.notes + f"{kills} kills"
    outcome.measured = {"kills": kills, MINUTES: minutes} | memory.measured()
    return outcome


def kill_until_over(suite: Suite, process, generator: random.Random, every: float, memory) -> int:
    """Kill and watch until the study ends; the number of kills."""
    kills, next_kill = 0, time.monotonic() + every
    while not is_over(process) and time.monotonic() - memory.began < 60 * MOST_MINUTES:
        memory.look()
        if time.monotonic() >= next_kill:
            workers = suite.workers()
            for victim in workers if generator.random() < 0.3 else workers and [generator.choice(workers)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()
            kills, next_kill = kills + 1, time.monotonic() + every
        time.sleep(min(LOOK_SECONDS, max(0.0, next_kill - time.monotonic())))
    return kills


class Memory:
    """Resident memory of the broker, and of the largest worker process, over the time."""

    def __init__(self, suite: Suite):
        self.suite, self.began = suite, time.monotonic()
        self.seen = {BROKER: [], WORKER: []}  # (seconds, bytes)

    def look(self) -> None:
        for name, processes in ((BROKER, self.suite.brokers()), (WORKER, self.suite.workers(children=True))):
            if sizes := [size for size in map(resident, processes) if size]:
                self.seen[name].append((time.monotonic() - self.began, max(sizes)))

    def measured(self) -> dict[str, float]:
        """Means of the first and the last quarter of the time in MB, and the growth between them in percent."""
        found = {}
        for name, seen in self.seen.items():
            first, last = quarters(seen)
            who = "broker" if name == BROKER else "worker"
            found |= {f"{who}, first quarter, MB": first / 1e6, f"{who}, last quarter, MB": last / 1e6}
            found[name] = 100 * (last / first - 1)
        return found


def quarters(seen: list[tuple[float, int]]) -> tuple[float, float]:
    end = seen[-1][0]
    first = [size for seconds, size in seen if seconds <= end / 4]
    last = [size for seconds, size in seen if seconds >= 3 * end / 4]
    return statistics.mean(first or last), statistics.mean(last)


def resident(process: psutil.Process) -> int:
    """Bytes in memory; 0 for a process that still starts or is gone."""
    try:
        return process.memory_info().rss if time.time() - process.create_time() > STARTED_SECONDS else 0
    except psutil.NoSuchProcess:
        return 0
