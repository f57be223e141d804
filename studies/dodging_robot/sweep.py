#!/usr/bin/env python
"""The sweep: train at every point of a grid of timesteps and neurons, on each kind of data, and let each robot play.

    python studies/dodging_robot/sweep.py grid FOLDER "timesteps=2 5 8" "neurons=6 10"       Merlin's samples
    python studies/dodging_robot/sweep.py point STORE --output FOLDER timesteps:5 neurons:6  one point, into the store
    python studies/dodging_robot/sweep.py rank STORE                                         what came of it

The recommendation is made by closed-loop play on seeds that are neither learned from nor tested on, not by the loss.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from sim2seq.data.records import check_id
from sim2seq.store import store
from sim2seq.sweep import GRID, Result, as_written, missing_points, points

# What is trained at each point. People mostly stay, and a plain head learns just that; network.py has the other one.
KINDS = {
    "human": {"data": "human", "head": "left_right"},
    "expert": {"data": "expert"},
    "both": {"data": "both"},
}
PLAYED = 50  # episodes in each aiming mode
# over-fits: better in training than the point of its kind with the lowest validation loss, and this much worse in that
OVER = 1.05
UNDER = 1.25  # under-fits: the training loss ends this much above the lowest of all points of its kind
AXES = ("timesteps", "neurons")
OWN = ("data", "seed", "head")  # settings that KINDS and --seeds say


def write_grid(folder: Path, axes: list[str], training: str = "") -> int:
    """Write the points for Merlin's samples, (points, 2): a name and the words of its settings; how many."""
    import numpy as np

    from sim2seq._support.files import write_array
    from studies.dodging_robot.learning import Settings

    if (named := [axis.partition("=")[0].strip() for axis in axes]) != list(AXES):
        raise ValueError(f"expected the axes {' and '.join(AXES)}, got {' and '.join(named)}")
    grid = points(axes, check_words(training.split()), settings=Settings)
    write_array(folder / GRID, np.array([[name, " ".join(words)] for name, words in grid.items()]))
    return len(grid)


def check_words(words: list[str]) -> str:
    """The words as one text. Raises ValueError for one that is not the sweep's to choose."""
    for word in words:
        if re.split("[:=]", word)[0] in OWN:
            raise ValueError(f"{word}: each point is trained on every kind of data and with every seed, without this")
    return " ".join(words)


def train_point(
    path, words: list[str], folder: Path, *, point: str, kinds, seeds, episodes: int, duration=60.0
) -> None:
    """Train at one point, each of KINDS with each seed, play, and put every result into the store."""
    from studies.dodging_robot import learning, scores
    from studies.dodging_robot.simulate import count_steps

    check_words(words)
    check_id(f"{point}_{max(kinds, key=len)}_seed-{max(seeds)}")
    count_steps(duration)
    base, runs = learning.Settings.parse(words), learning.load_runs(path)
    folder.mkdir(parents=True, exist_ok=True)
    judged = range(scores.VALIDATION_SEED, scores.VALIDATION_SEED + episodes)
    wanted = [(kind, seed) for kind in kinds for seed in seeds]
    for number, (kind, seed) in enumerate(wanted, start=1):
        settings = learning.Settings.of(asdict(base) | KINDS[kind] | {"seed": seed})
        name = f"{point}_{kind}_seed-{seed}"
        trained = learning.fit(runs, settings, folder / name)
        played = scores.play(learning.load_policy(trained), seeds=judged, duration=duration)
        found = {"point": point, "kind": kind} | result_of(settings, learning.scores_of(trained), played)
        store.add_training(path, name, found, learning.losses_of(trained))
        say(folder, f"training {number} of {len(wanted)}: {name}, {found['hits']:.3g} hits a minute")


def result_of(settings, scores: dict, played: dict) -> dict:
    """Settings and results of a training, as numbers and words for the store."""
    from studies.dodging_robot.scores import mean_hits

    return {
        **{name: as_written(value) for name, value in asdict(settings).items()},
        **{f"hits_{aim}": score.hits for aim, score in played.items()},
        "hits": mean_hits(played),
        "distance": statistics.fmean(score.distance for score in played.values()),
        "validation_mae": scores["validation"]["model"],
        "seconds": scores["seconds"],
    }


def say(folder: Path, text: str) -> None:
    """Tell whoever watches the study how far this task is (sim2seq.workflow.progress)."""
    from sim2seq._support.files import NOTE, write_text

    write_text(folder / NOTE, f"{text}\n")
    print(text, flush=True)


def load(path) -> list[Result]:
    """Every recorded training of the sweep. Raises ValueError, in one line, where there is none."""
    found = [Result(name, data, losses) for name, (data, losses) in store.load_trainings(path).items()]
    found = [result for result in found if "kind" in result.data]
    if not found:
        raise ValueError(f"{path}: expected trainings of a sweep, found none")
    return sorted(found, key=lambda result: (result.data["kind"], place_of(result), result.data["seed"]))


def place_of(result: Result) -> tuple[int, int]:
    """(timesteps, neurons)"""
    return int(result.data["timesteps"]), int(result.data["neurons"])


def by_point(results: list[Result]) -> dict[tuple, list[Result]]:
    """(kind, timesteps, neurons) -> its trainings, one a seed."""
    groups = {}
    for result in results:
        groups.setdefault((result.data["kind"], *place_of(result)), []).append(result)
    return groups


def verdicts(results: list[Result]) -> dict[tuple, str]:
    """(kind, timesteps, neurons) -> "over-fits", "under-fits" or "", by means over the seeds: see OVER, UNDER."""
    train, check = {}, {}
    for place, group in by_point(results).items():
        train[place] = statistics.fmean(result.losses["loss"][-1] for result in group)
        check[place] = statistics.fmean(min(result.losses["val_loss"]) for result in group)
    found = {}
    for place in train:
        kind = [other for other in train if other[0] == place[0]]
        best = min(kind, key=check.get)
        over = train[place] < train[best] and check[place] > OVER * check[best]
        under = train[place] > UNDER * min(train[other] for other in kind)
        found[place] = "over-fits" if over else "under-fits" if under else ""
    return found


def ranking(results: list[Result], kind: str) -> list[tuple[float, float, int, int]]:
    """Points of this kind, best first: (hits a minute, standard error over the seeds, timesteps, neurons)."""
    rows = []
    for (trained, timesteps, neurons), group in by_point(results).items():
        if trained == kind:
            hits = [result.data["hits"] for result in group]
            error = statistics.stdev(hits) / len(hits) ** 0.5 if len(hits) > 1 else 0.0
            rows.append((statistics.fmean(hits), error, timesteps, neurons))
    return sorted(rows)


def recommend(results: list[Result], kind: str) -> tuple[tuple[int, int], str]:
    """((timesteps, neurons), why): the smallest network within one standard error of the fewest hits.

    The one-standard-error rule: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10.
    """
    rows = ranking(results, kind)
    if not rows:
        raise ValueError(f"kind {kind}: expected trainings of it in the sweep, found none")
    fewest, error, *best = rows[0]
    near = [row for row in rows if row[0] <= fewest + error]
    hits, _, timesteps, neurons = min(near, key=lambda row: (row[3], row[2]))
    why = f"{hits:.3g} hits a minute over all aiming modes; the fewest, {fewest:.3g} +- {error:.2g}, has "
    why += f"{best[0]} x {best[1]}"
    return (timesteps, neurons), f"{timesteps} timesteps, {neurons} neurons: {why}"


def rank(path, expected=None) -> int:
    """Print the ranking and the recommendation for each kind; 1 where a point of the grid is missing."""
    results = load(path)
    marks = verdicts(results)
    for kind in (kind for kind in KINDS if ranking(results, kind)):
        print(f"{kind}: hits a minute (standard error over seeds), timesteps x neurons")
        for hits, error, timesteps, neurons in ranking(results, kind):
            print(f"  {hits:7.3f} ({error:.3f})  {timesteps:2} x {neurons:2}  {marks[kind, timesteps, neurons]}")
        print(f"recommended: {recommend(results, kind)[1]}")
    counts = Counter(result.data["point"] for result in results)
    whole = [Result(point, {}, {}) for point, count in counts.items() if count == max(counts.values())]
    missing = missing_points(whole, expected) if expected else []
    for name in missing:
        print(f"sweep.py: {name} is not recorded in {path}, or not with every kind and seed", file=sys.stderr)
    return int(bool(missing))


def main(argv=None) -> int:
    from sim2seq._support.command import Parser

    parser = Parser(description="Train over a grid of timesteps and neurons, on each kind of data, and let it play.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    grid = commands.add_parser("grid", help="write the points for Merlin")
    grid.add_argument("folder", metavar="FOLDER", type=Path)
    grid.add_argument("axes", nargs="+", metavar='name="value ..."', help="a setting and its values")
    grid.add_argument("--training", metavar="WORDS", default="", help="settings that all points share")
    point = commands.add_parser("point", help="train at one point, play, and record")
    point.add_argument("store", metavar="STORE")
    point.add_argument("settings", nargs="+", metavar="name:value", help="see Settings in learning.py")
    point.add_argument("--output", metavar="FOLDER", type=Path, default=Path("trainings"))
    point.add_argument("--record", metavar="NAME", required=True, help="how its results are called in the store")
    point.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="what to train on, and which head"
    )
    point.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    point.add_argument("--episodes", type=int, default=PLAYED, help="to play, in each aiming mode")
    point.add_argument("--duration", type=float, default=60.0, help="of an episode, s")
    ranked = commands.add_parser("rank", help="print ranking and recommendation")
    ranked.add_argument("store", metavar="STORE")
    ranked.add_argument("--expect", metavar="GRID", help="fail if a point of this grid is not recorded (grid.npy)")
    asked = parser.parse_args(argv)
    if asked.command == "grid":
        print(f"{write_grid(asked.folder, asked.axes, asked.training)} points")
        return 0
    if asked.command == "rank":
        return rank(asked.store, asked.expect)
    if asked.episodes < 1:
        raise ValueError(f"--episodes {asked.episodes}: expected 1 or more")
    options = {name: getattr(asked, name) for name in ("kinds", "seeds", "episodes", "duration")}
    train_point(asked.store, asked.settings, asked.output, point=asked.record, **options)
    return 0


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
