#!/usr/bin/env python
"""Was the robot hit? Every policy of the dodging robot, played over many episodes in every aiming mode.

    make run STUDY=dodging_robot                                         a study, with its sweep
    python benchmarks/dodging_robot.py studies_output/dodging-robot_... [--json FILE]

Trains, on the study's runs and at the size that its sweep recommends, what the goals are about; of each, the best of
`--seeds` by play on validation launches. Nothing is chosen by what is then measured: test launches, and recordings that
were left out one after the other. Trainings are kept in `--folder`, and a second call goes on with them. About 40
minutes on 2 cores.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from _rows import publish, row

from sim2seq.files import write_json
from sim2seq.notebook import STORE
from studies.dodging_robot import judging, learning, policies, scores, sweep
from studies.dodging_robot.simulate import AIMS, LAYOUT, WORLD, simulate

EXPERT, HUMAN, BOTH = "LSTM (expert)", "LSTM (human)", "LSTM (both)"
FORWARD = "feed-forward (human)"
OTHER_HEAD = {EXPERT: "left-right LSTM (expert)", HUMAN: "plain LSTM (human)", FORWARD: "plain feed-forward (human)"}
SCRIPTED = {"still": "still", "random": "random", "human_like": "human-like", "expert": "expert", "insider": "insider"}
SPEED_EPISODES, PER_AIM = 10_000, 180
VALIDATION = range(scores.VALIDATION_SEED, scores.VALIDATION_SEED + 50)
AIM_SEED = 2_000_000  # of the episodes of the 4 x 4 table
UNIT = "hits a minute"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def wanted_settings(results, words: list[str]) -> dict[str, learning.Settings]:
    """Policy -> settings of its training, changed by `words`, at the size recommended for its kind of data."""
    base = learning.Settings.parse(words)
    places = {kind: sweep.recommend(results, kind)[0] for kind in sweep.KINDS}
    sized = {
        kind: replace(base, timesteps=timesteps, neurons=neurons, **sweep.KINDS[kind])
        for kind, (timesteps, neurons) in places.items()
    }
    found = {EXPERT: sized["expert"], HUMAN: sized["human"], BOTH: sized["both"]}
    found[FORWARD] = replace(sized["human"], network="feed_forward")
    for name, other in OTHER_HEAD.items():
        found[other] = replace(found[name], head="plain" if found[name].head == "left_right" else "left_right")
    return found


def best_seed(runs, settings, seeds, folder: Path) -> Path:
    """Train with each seed; the folder of the one with the fewest hits on validation launches."""
    trained = [learning.fit(runs, replace(settings, seed=seed), folder / f"seed_{seed}") for seed in seeds]
    hits = [scores.mean_hits(scores.play(learning.load_policy(path), seeds=VALIDATION)) for path in trained]
    say(f"{folder.name}: {', '.join(f'{value:.3g}' for value in hits)} hits a minute on validation launches")
    return trained[int(np.argmin(hits))]


def board_rows(board: dict) -> list[dict]:
    """Hits, distance and dodged share of every policy in every mode, beside those of standing still."""
    rows = []
    for name, by_aim in board.items():
        for aim, score in by_aim.items():
            hits = row(f"{name}, {aim}", score["hits"], None, "lower", UNIT, board["still"][aim]["hits"])
            rows.append(hits | {name: score[name] for name in ("low", "high", "distance", "dodged", "episodes")})
    return rows


def goal_rows(goals: list[dict]) -> list[dict]:
    return [row(f"{g['goal']} {g['aim']}".strip(), g["value"], g["limit"], "lower", g["unit"]) for g in goals]


def board_table(board: dict) -> str:
    """Markdown: hits a minute with intervals; in brackets metres a minute and the share of head-on balls dodged."""
    lines = ["| policy | " + " | ".join(AIMS) + " |", "|---|" + "---|" * len(AIMS)]
    for name, by_aim in board.items():
        cells = [
            f"{s['hits']:.3g} ({s['low']:.3g} to {s['high']:.3g}); {s['distance']:.3g} m; {s['dodged']:.2%}"
            for s in by_aim.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def held_out_errors(runs, settings: dict, folder: Path) -> dict[str, float]:
    """Error of the command where each recording in turn is left out, m/s: policy or baseline -> mean over all rows.

    The recording before the one left out says when to stop.
    """
    people = sorted(name for name in runs if name.startswith("human"))
    sums, counted = {}, 0
    for number, test in enumerate(people):
        others = [name for name in people if name not in (test, people[number - 1])]
        split = {"train": tuple(others), "validation": (people[number - 1],), "test": (test,)}
        trained = {
            name: learning.fit(runs, one, folder / f"{name}_without_{test}", split=split)
            for name, one in settings.items()
        }
        errors, _ = judging.held_out(judging.load_models(trained), runs, split)
        rows = len(runs[test]) - max(one.timesteps for one in settings.values())
        counted += rows
        for name, error in errors.items():
            sums[name] = sums.get(name, 0.0) + error * rows
        say(f"left out {test}: " + ", ".join(f"{name} {error:.3f}" for name, error in errors.items()))
    return {name: total / counted for name, total in sums.items()}


def aim_table(settings: learning.Settings, episodes: int, folder: Path) -> dict[str, dict[str, float]]:
    """Aim learned from -> aim played -> hits a minute; experts that see one way of aiming only."""
    table = {}
    for aim in AIMS:
        shares = np.random.default_rng(AIM_SEED).uniform(0, 0.5, PER_AIM)
        seeds = range(AIM_SEED, AIM_SEED + PER_AIM)
        disturb = policies.disturbance(shares, AIM_SEED)
        rows = simulate(policies.expert(PER_AIM), seeds, aim, disturb=disturb).rows[:, :, : len(LAYOUT)]
        runs = {f"expert_{number}": one for number, one in enumerate(rows.astype("float32"))}
        maker = learning.load_policy(learning.fit(runs, settings, folder / f"aimed_{aim}"))
        table[aim] = {played: score.hits for played, score in scores.play(maker, seeds=range(episodes)).items()}
        say(f"learned from {aim}: {table[aim]}")
    return table


def aim_rows(table: dict) -> list[dict]:
    return [
        row(f"learned from {aim}, played in {played}", hits, None, "lower", UNIT, table[played][played])
        for aim, by_aim in table.items()
        for played, hits in by_aim.items()
    ]


def speed_rows() -> list[dict]:
    """Seconds of one core for 10 000 episodes of 60 s, and for as many one by one."""
    rows = []
    for name in ("still", "expert"):
        seconds = {}
        for episodes in (1, SPEED_EPISODES):
            began = time.process_time()
            simulate(policies.POLICIES[name](episodes), range(episodes), "robot", keep=False)
            seconds[episodes] = time.process_time() - began
        alone = seconds[1] * SPEED_EPISODES
        rows.append(row(f"10 000 episodes of 60 s, {name}", seconds[SPEED_EPISODES], 60, "lower", "s, one core", alone))
    return rows


def measure(study: Path, folder: Path, *, episodes: int, seeds: list[int], words: list[str]) -> list[dict]:
    path = study / STORE
    runs, settings = learning.load_runs(path), wanted_settings(sweep.load(path), words)
    rows = speed_rows()
    say("speed measured")
    trained = {name: best_seed(runs, one, seeds, folder / name) for name, one in settings.items()}
    makers = {shown: policies.POLICIES[name] for name, shown in SCRIPTED.items()}
    makers |= {name: learning.load_policy(path) for name, path in trained.items()}
    board = {}
    for name, maker in makers.items():
        board |= judging.board_of({name: maker}, range(scores.TEST_SEED, scores.TEST_SEED + episodes))
        say(f"played {name}")
    print(board_table(board))
    errors = held_out_errors(runs, {name: settings[name] for name in (HUMAN, FORWARD)}, folder / "left_out")
    late = scores.latency(makers[EXPERT])
    goals = judging.goals_of(board, EXPERT, human=(HUMAN, FORWARD), errors=errors, latency=late)
    table = aim_table(settings[EXPERT], episodes, folder)
    write_json(folder / "board.json", {"board": board, "errors": errors, "aims": table})
    named = [row(f"held-out command error, {name}", error, None, "lower", "m/s") for name, error in errors.items()]
    return [*rows, *goal_rows(goals), *named, *board_rows(board), *aim_rows(table)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the folder of a finished study of the dodging robot")
    parser.add_argument("--folder", type=Path, help="where trainings are kept (default: benchmark/ in the study)")
    parser.add_argument("--episodes", type=int, default=1000, help="of 60 s, for each policy and aiming mode")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the weights")
    parser.add_argument("--training", nargs="*", default=[], metavar="name:value", help="settings, to try it out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    folder = arguments.folder or arguments.study / "benchmark"
    print(f"speed limit {WORLD.robot_speed} m/s, {arguments.episodes} episodes of 60 s, seeds {arguments.seeds}")
    options = {"episodes": arguments.episodes, "seeds": arguments.seeds, "words": arguments.training}
    publish(measure(arguments.study, folder, **options), arguments.json)


if __name__ == "__main__":
    main()
