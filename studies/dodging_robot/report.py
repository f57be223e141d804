"""Report: one self-contained HTML page that says how far the learned robot can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sim2seq._support.files import write_text
from sim2seq.report.page import data_uri, embed, template
from sim2seq.training.training import versions
from studies.dodging_robot import figures, scenes, sweep
from studies.dodging_robot.judging import HOLD, OF_EXPERT, OF_STILL, allowed, goals_of, settings_table
from studies.dodging_robot.learning import MOVES, groups_of
from studies.dodging_robot.simulate import WORLD

CAPTIONS = {
    "hits": "Hits a minute by policy, with 95 % intervals. Green: what the goals allow a robot that learned from the "
    "expert. All policies of a panel play the same launches.",
    "episode": "An episode: the robot's way, the balls on theirs, and where each ball crosses the robot's line. The "
    "bars are as long as the balls are wide.",
    "commands": "A stretch of a held-out recording: what the person commanded, and what the networks would have "
    "commanded on what the person saw. Below, the balls beside the robot.",
    "grid": "The sweep: losses of training and validation by epoch, the mean of the seeds and their range. Over-fits: "
    "lower in training than the point with the lowest validation loss of its kind, and over {over:.0f} % higher in "
    "validation. Under-fits: the training loss ends over {under:.0f} % above the lowest of its kind. Framed: the point "
    "recommended by closed-loop play.",
    "sweep_hits": "The same sweep, judged by play: hits a minute, mean over seeds and aiming modes. Fewer, lighter, is "
    "better; the recommended point is framed.",
    "matrix": "Robots that have learned from one aiming mode, played in each. Fewer, lighter, is better.",
}


@dataclass(frozen=True)
class Findings:
    """What a study has found; all but the first two may be missing, and is then left out of the report.

    board       policy -> aim -> scores.Score as a dict, with "still" and "expert" among the policies
    policy      the policy that the first lines are about
    trainings   policy -> folder of its training
    runs        id -> (steps, 9), every run of the store
    human       names of the LSTM and the feed-forward network that learned from people
    heads       names of policies that differ in their head only
    held_out    name -> mean absolute error of the command on held-out recordings, the LSTM first
    recordings  how many these are
    results     sweep.Result each
    matrix      aim learned from -> aim played -> hits a minute
    latency     ms of one decision
    episode     rows for scenes.episode
    commands    rows and predictions for scenes.commands
    animation   a GIF
    """

    board: dict
    policy: str
    trainings: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)
    human: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    held_out: dict | None = None
    recordings: int = 0
    results: tuple = ()
    matrix: dict | None = None
    latency: float | None = None
    episode: np.ndarray | None = None
    commands: tuple[np.ndarray, dict] | None = None
    animation: Path | str | None = None

    def goals(self) -> list[dict]:
        """Each goal and whether it is met: judging.goals_of."""
        return goals_of(self.board, self.policy, human=self.human, errors=self.held_out, latency=self.latency)


def write_report(path, found: Findings, completeness=None, *, title="sim2seq: the dodging robot") -> Path:
    """Write the report to `path` and return it as a Path.

    completeness  {"expected": int, "stored": int, "missing": [run ids], "allowed": share that may fail}, or None
    """
    goals = found.goals()
    recommended = recommendations(found.results)
    page = template("report.html.j2", Path(__file__).parent).render(
        title=title,
        found=found,
        verdict=verdict(found.board, found.policy, goals),
        goals=by_text(goals),
        aims=list(found.board[found.policy]),
        heads=[name for name in found.heads if name in found.board],
        naive=HOLD,
        recommended={figures.LEARNED[kind]: why for kind, (_, why) in recommended.items()},
        trainings=settings_table(found.trainings),
        facts=facts(found.runs),
        animation=data_uri(Path(found.animation).read_bytes(), "image/gif") if found.animation else None,
        completeness=completeness,
        figures={name: {"image": embed(one), "caption": caption(name)} for name, one in draw_all(found).items()},
        world=WORLD,
        versions=versions(),
    )
    write_text(Path(path), page)
    return Path(path)


def caption(name: str) -> str:
    return CAPTIONS[name].format(over=100 * (sweep.OVER - 1), under=100 * (sweep.UNDER - 1))


def recommendations(results) -> dict[str, tuple]:
    """Kind -> ((timesteps, neurons), why), of a sweep's results."""
    there = {one.data["kind"] for one in results}
    return {kind: sweep.recommend(results, kind) for kind in figures.KINDS if kind in there}


def draw_all(found: Findings) -> dict:
    """The figures that there is something to show for, by name."""
    drawn = {"hits": figures.hits_by_policy(found.board, allowed=allowed(found.board))}
    if found.episode is not None:
        drawn["episode"] = scenes.episode(found.episode)
    if found.commands is not None:
        drawn["commands"] = scenes.commands(*found.commands)
    if found.results:
        places = {kind: place for kind, (place, _) in recommendations(found.results).items()}
        drawn["grid"] = figures.sweep_grid(found.results, sweep.verdicts(found.results), places)
        drawn["sweep_hits"] = figures.sweep_hits(found.results, places)
    if found.matrix:
        drawn["matrix"] = figures.train_play_table(found.matrix)
    return drawn


def verdict(board: dict, policy: str, goals: list[dict]) -> dict:
    """What the first lines say: whether the policy meets its goals, where it does not, and its hits in each mode."""
    own = [goal for goal in goals if goal["goal"].startswith(f"{policy}: at most")]
    missed = list(dict.fromkeys(goal["aim"] for goal in own if not goal["met"]))
    rows = [row_of(board, policy, aim) for aim in board[policy]]
    mean = {name: float(np.mean([score["hits"] for score in board[name].values()])) for name in board}
    episodes = min(score["episodes"] for score in board[policy].values())
    return {"missed": missed, "good": not missed, "rows": rows, "mean": mean, "episodes": episodes}


def by_text(goals: list[dict]) -> dict[str, dict]:
    """Goal -> aim -> that goal, as judging.goals_of gives them."""
    table = {}
    for goal in goals:
        table.setdefault(goal["goal"], {})[goal["aim"]] = goal
    return table


def row_of(board: dict, policy: str, aim: str) -> dict:
    """A policy beside standing still and the expert in one aiming mode, with both goals."""
    hits, still, expert = (board[name][aim]["hits"] for name in (policy, "still", "expert"))
    both = {"near_expert": hits <= OF_EXPERT * expert, "far_from_still": hits <= OF_STILL * still}
    return {"aim": aim, "score": board[policy][aim], "still": still, "expert": expert} | both


def facts(runs: dict) -> list[dict]:
    """A row for each group of runs: how many, how long, and how much of the time the robot is told to move."""
    rows = []
    for group, ids in groups_of(runs).items():
        commands = np.concatenate([runs[run][:, 0] for run in ids])
        minutes = len(commands) * WORLD.control_step / 60
        moving = float(np.mean(np.abs(commands) > MOVES * WORLD.robot_speed))  # a joystick never rests
        rows.append({"group": group, "runs": len(ids), "minutes": minutes, "moving": moving})
    return rows
