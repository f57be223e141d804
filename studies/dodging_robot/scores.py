"""Scores: was the robot hit? Play over many seeded episodes, with intervals."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from sim2seq.evaluation.intervals import over_seeds
from studies.dodging_robot.world import AIMS, BALL_FEATURES, Episodes, simulate

# seeds: no episode is both learned from and judged on; pgen_ensembles.py begins at 1 000 000
TEST_SEED, NOTEBOOK_SEED, VALIDATION_SEED = 0, 250_000, 500_000  # for the benchmark; for who tunes; for the sweep
DURATION = 60.0  # s


@dataclass(frozen=True)
class Score:
    """How a policy does in one aiming mode.

    hits       a minute, mean over the episodes; `low` and `high`: its 95 % interval (Student's t)
    distance   that the robot travels, m a minute
    dodged     share of the balls launched head-on that did not hit; None where there were none
    """

    hits: float
    low: float
    high: float
    distance: float
    dodged: float | None
    episodes: int

    @classmethod
    def of(cls, played: Episodes, which: slice, duration: float) -> Score:
        """The score of the episodes `which`, of `duration` seconds each."""
        counts, minutes = {name: counted[which] for name, counted in played.counts.items()}, duration / 60
        hits, head_on = counts["hits"] / minutes, int(counts["head_on"].sum())
        low, high = over_seeds(hits)
        dodged = 1 - int(counts["head_on_hits"].sum()) / head_on if head_on else None
        return cls(float(hits.mean()), low, high, float(played.distance[which].mean() / minutes), dodged, len(hits))


def play(maker, aims=AIMS, seeds=range(100), duration: float = DURATION) -> dict[str, Score]:
    """Aiming mode -> Score of the policies that `maker(episodes, seed)` makes, one episode a seed in each mode."""
    aims, seeds = list(aims), list(seeds)
    everyone = np.tile(seeds, len(aims))
    policy = maker(len(everyone), seeds[0])
    played = simulate(policy, everyone, np.repeat(aims, len(seeds)), duration=duration, keep=False)
    return {aim: Score.of(played, slice(i * len(seeds), (i + 1) * len(seeds)), duration) for i, aim in enumerate(aims)}


def board_of(makers: dict, **options) -> dict[str, dict[str, Score]]:
    """Policy -> aim -> Score; options as for `play`."""
    return {name: play(maker, **options) for name, maker in makers.items()}


def mean_hits(scores: dict[str, Score]) -> float:
    """Hits a minute, mean over the aiming modes."""
    return float(np.mean([score.hits for score in scores.values()]))


def latency(maker, decisions: int = 500) -> float:
    """The median time of one decision for one robot on one core, ms."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return median_ms(maker, decisions)
    finally:
        os.sched_setaffinity(0, cores)


def median_ms(maker, decisions: int) -> float:
    policy, seen, robot = maker(1, 0), np.full((1, len(BALL_FEATURES)), -1.0), np.zeros((1, 2))
    times = []
    for _ in range(decisions + 20):  # the first ones compile
        began = time.perf_counter()
        policy(seen, robot)
        times.append(time.perf_counter() - began)
    return float(1e3 * np.median(times[20:]))
