#!/usr/bin/env python
"""Was the robot hit? Every policy of the dodging robot, played over many episodes in every aiming mode.

    make run STUDY=dodging_robot                                         a study, with its sweep
    python benchmarks/dodging_robot.py studies_output/dodging-robot_... [--json FILE]

Trains, on the study's runs and at the size that its sweep recommends, what the goals are about; of each, the best of
`--seeds` by play on validation launches. Nothing is chosen by what is then measured: test launches, and recordings that
were left out one after the other (but the size is the sweep's, which has seen most of them). Trainings and the pictures
of the study's card are kept in `--folder`; a second call goes on with them. About half an hour on 2 cores.
"""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from _rows import publish, row

import sim2seq
from sim2seq import Ensemble, ranking
from sim2seq._support.command import Parser, run
from sim2seq._support.files import write_json
from sim2seq.data.splits import Part, Split
from sim2seq.notebook import STORE
from studies.dodging_robot import animation, figures, judging, policies, scores
from studies.dodging_robot.judging import EXPERT, FORWARD, HUMAN, TRAINED
from studies.dodging_robot.study import STUDY, RobotSettings, choose
from studies.dodging_robot.world import AIMS, LAYOUT, WORLD, simulate

PLAIN_INPUT = "LSTM (expert), input as it is"
MORE = {  # policies beside those that a study trains, and what they change in the settings
    "LSTM (both)": {"data": "both"},
    PLAIN_INPUT: {"data": "expert", "physics": False},
    "left-right LSTM (expert)": {"data": "expert", "head": "left_right"},
    "plain feed-forward (human)": {"data": "human", "model": "feed_forward", "head": "plain"},
}
SCRIPTED = {"still": "still", "random": "random", "human_like": "human-like", "expert": "expert"}
SCRIPTED |= {"sharp": "sharp expert", "insider": "insider"}
SPEED_EPISODES, PER_AIM = 10_000, 180
VALIDATION = range(scores.VALIDATION_SEED, scores.VALIDATION_SEED + 50)
AIM_SEED = 2_000_000  # of the episodes of the 4 x 4 table
UNIT = "hits a minute"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def fit_one(ensemble: Ensemble, settings: RobotSettings, folder: Path, split: Split | None) -> Path:
    sim2seq.fit(ensemble, settings, folder, study=STUDY, split=split, quiet=True)
    return folder


def fit_all(jobs: dict) -> dict:
    """name -> Training, of name -> arguments of `fit_one`; as many at once as cores."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        begun = {pool.submit(fit_one, *arguments): name for name, arguments in jobs.items()}
        for number, done in enumerate(as_completed(begun), start=1):
            say(f"training {number} of {len(jobs)}: {done.result()}")
        return {name: sim2seq.load_training(done.result(), STUDY) for done, name in begun.items()}


def best_seed(trained: list):
    """The training with the fewest hits on validation launches."""
    hits = [scores.mean_hits(scores.play(policies.learned(one.models), seeds=VALIDATION)) for one in trained]
    name = trained[0].folder.parent.name
    say(f"{name}: {', '.join(f'{value:.3g}' for value in hits)} hits a minute on validation launches")
    return trained[int(np.argmin(hits))]


def board_rows(board: dict) -> list[dict]:
    """Hits, distance and dodged share of every policy in every mode, beside those of standing still."""
    rows = []
    for name, by_aim in board.items():
        for aim, score in by_aim.items():
            hits = row(f"{name}, {aim}", score.hits, None, "lower", UNIT, board["still"][aim].hits)
            rows.append(hits | {what: value for what, value in asdict(score).items() if what != "hits"})
    return rows


def goal_rows(goals: list[judging.Goal]) -> list[dict]:
    return [row(f"{g.policy}: {g.text} {g.aim}".strip(), g.value, g.limit, "lower", g.unit) for g in goals]


def board_table(board: dict) -> str:
    """Markdown: hits a minute with intervals; in brackets metres a minute and the share of head-on balls dodged."""
    lines = ["| policy | " + " | ".join(AIMS) + " |", "|---|" + "---|" * len(AIMS)]
    for name, by_aim in board.items():
        cells = [
            f"{s.hits:.3g} ({s.low:.3g} to {s.high:.3g}); {s.distance:.3g} m; {s.dodged:.2%}" for s in by_aim.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def left_out(people: Ensemble) -> dict[str, Split]:
    """Recording -> the split that leaves it out; the one before it says when to stop."""
    splits = {}
    for number, test in enumerate(people.run_ids):
        stop = people.run_ids[number - 1]
        others = tuple(name for name in people.run_ids if name not in (test, stop))
        splits[test] = Split(*(Part(runs, 0, people.steps) for runs in (others, (stop,), (test,))))
    return splits


def held_out_errors(people: Ensemble, trained: dict) -> dict[str, float]:
    """Error of the command where each recording in turn is left out, m/s: policy or baseline -> mean over all rows."""
    sums, counted = {}, 0
    for test, steps in zip(people.run_ids, people.lengths, strict=True):
        errors = judging.held_out({name: trained[name, test] for name in (HUMAN, FORWARD)})
        rows = int(steps) - trained[HUMAN, test].settings.window - 1
        counted += rows
        for name, error in errors.items():
            sums[name] = sums.get(name, 0.0) + error * rows
        say(f"left out {test}: " + ", ".join(f"{name} {error:.3f}" for name, error in errors.items()))
    return {name: total / counted for name, total in sums.items()}


def episodes_of(aim: str) -> Ensemble:
    """Episodes of the disturbed expert that see one way of aiming only."""
    rates = np.random.default_rng(AIM_SEED).uniform(0, 0.5, PER_AIM)
    disturb = policies.disturbance(rates, AIM_SEED)
    rows = simulate(policies.expert(PER_AIM), range(AIM_SEED, AIM_SEED + PER_AIM), aim, disturb=disturb).rows
    names = tuple(f"expert_{number}" for number in range(PER_AIM))
    return Ensemble(rows[..., : len(LAYOUT)], names, LAYOUT, np.arange(rows.shape[1]) * WORLD.control_step)


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


def draw(folder: Path, results, board: dict, aims: dict, makers: dict) -> None:
    """The pictures of the study's card, into `folder`."""
    drawn = {"hits": figures.hits_by_policy(board, allowed=judging.allowed(board))}
    drawn |= {"aims": figures.train_play_table(aims)}
    for data, some in ranking.divided(results, "data").items():
        drawn[f"sweep_{data}"] = figures.sweep(ranking.points_of(some))
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    shown = {"standing still": "still", "expert": "expert", "expert's pupil": EXPERT, "people's pupil": HUMAN}
    same = {"aim": "robot", "seed": scores.TEST_SEED + 7, "seconds": 20.0}
    robots = [animation.watch(makers[name], **same, title=title) for title, name in shown.items()]
    animation.animate(robots, folder / "dodging.gif")


def measure(study: Path, folder: Path, *, episodes: int, seeds: list[int], words: list[str]) -> list[dict]:
    judged = range(scores.TEST_SEED, scores.TEST_SEED + episodes)
    ensemble, results = STUDY.read(study / STORE), ranking.load(study / STORE, STUDY.name)
    settings = judging.settings_of(RobotSettings.parse(words), judging.recommended(results), TRAINED | MORE)
    people = choose(ensemble, settings[HUMAN])
    rows = speed_rows()
    jobs = {
        (name, seed): (choose(ensemble, one), replace(one, seed=seed), folder / name / f"seed_{seed}", None)
        for name, one in settings.items()
        for seed in seeds
    }
    jobs |= {
        (name, test): (people, settings[name], folder / name / f"without_{test}", split)
        for name in (HUMAN, FORWARD)
        for test, split in left_out(people).items()
    }
    jobs |= {aim: (episodes_of(aim), settings[EXPERT], folder / f"aimed_{aim}", None) for aim in AIMS}
    trained = fit_all(jobs)

    makers = {shown: policies.POLICIES[name] for name, shown in SCRIPTED.items()}
    makers |= {name: policies.learned(best_seed([trained[name, seed] for seed in seeds]).models) for name in settings}
    board, aims = {}, {}
    for name, maker in makers.items():
        board |= scores.board_of({name: maker}, seeds=judged)
        say(f"played {name}")
    for aim in AIMS:
        played = scores.play(policies.learned(trained[aim].models), seeds=judged)
        aims[aim] = {played_in: score.hits for played_in, score in played.items()}
        say(f"played what learned from {aim}")
    errors = held_out_errors(people, trained)
    late = max(scores.latency(makers[name]) for name in settings)
    goals = judging.goals_of(board, errors=errors, latency=late)

    kept = {name: {aim: asdict(score) for aim, score in by_aim.items()} for name, by_aim in board.items()}
    write_json(folder / "board.json", {"board": kept, "errors": errors, "aims": aims, "latency": late})
    draw(folder, results, board, aims, makers)
    print(board_table(board))
    named = [row(f"held-out command error, {name}", error, None, "lower", "m/s") for name, error in errors.items()]
    sharper = [
        row(f"{EXPERT}: 1.5 x the hits of the sharp expert {aim}", board[EXPERT][aim].hits,
            judging.OF_EXPERT * board["sharp expert"][aim].hits, "lower", UNIT)
        for aim in AIMS
    ]  # fmt: skip
    return [*rows, *goal_rows(goals), *sharper, *named, *board_rows(board), *aim_rows(aims)]


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the folder of a finished study of the dodging robot")
    parser.add_argument("--folder", type=Path, help="where trainings are kept (default: benchmark/ in the study)")
    parser.add_argument("--episodes", type=int, default=1000, help="of 60 s, for each policy and aiming mode")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the weights")
    parser.add_argument("--training", nargs="*", default=[], metavar="name:value", help="settings, to try it out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    if arguments.episodes < 2 or min(arguments.seeds) < 0:
        raise ValueError(f"expected 2 episodes or more and seeds from 0, got {arguments.episodes}, {arguments.seeds}")
    if not (arguments.study / STORE).exists():
        raise ValueError(f"{arguments.study}: expected the folder of a finished study, with {STORE}")
    folder = arguments.folder or arguments.study / "benchmark"
    print(f"speed limit {WORLD.robot_speed} m/s, {arguments.episodes} episodes of 60 s, seeds {arguments.seeds}")
    options = {"episodes": arguments.episodes, "seeds": arguments.seeds, "words": arguments.training}
    publish(measure(arguments.study, folder, **options), arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
