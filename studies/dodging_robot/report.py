"""Report: one self-contained HTML page that says how far the learned robots can be trusted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sim2seq import Ensemble, ranking
from sim2seq._support.files import write_text
from sim2seq.report.page import data_uri, embed, template
from sim2seq.training.folder import versions
from studies.dodging_robot import figures, judging, scenes
from studies.dodging_robot.network import MOVES
from studies.dodging_robot.scores import mean_hits
from studies.dodging_robot.world import WORLD


@dataclass(frozen=True)
class Findings:
    """What a study has found; all but the first three may be missing, and is then left out of the report.

    ensemble    every run of the store
    trained     policy -> its Training
    board       policy -> aim -> scores.Score, with "still" and "expert" among the policies
    results     ranking.Result each, of the sweep
    matrix      aim learned from -> aim played -> hits a minute
    latency     ms of one decision
    episode     rows for scenes.episode
    commands    rows and predictions for scenes.commands
    animation   a GIF
    """

    ensemble: Ensemble
    trained: dict
    board: dict
    results: tuple[ranking.Result, ...] = ()
    matrix: dict | None = None
    latency: float | None = None
    episode: np.ndarray | None = None
    commands: tuple[np.ndarray, dict] | None = None
    animation: Path | str | None = None

    @cached_property
    def errors(self) -> dict[str, float]:
        """Of the command on held-out recordings: judging.held_out."""
        return judging.held_out(self.trained)

    def goals(self) -> list[judging.Goal]:
        return judging.goals_of(self.board, errors=self.errors, latency=self.latency)

    def drawn(self) -> dict:
        """The figures that there is something to show for, by name."""
        found = {"hits": figures.hits_by_policy(self.board, allowed=judging.allowed(self.board))}
        if self.episode is not None:
            found["episode"] = scenes.episode(self.episode)
        if self.commands is not None:
            found["commands"] = scenes.commands(*self.commands)
        for data, results in ranking.divided(self.results, "data").items() if self.results else ():
            found[f"sweep_{data}"] = figures.sweep(ranking.points_of(results))
        if self.matrix:
            found["matrix"] = figures.train_play_table(self.matrix)
        return found


def write_report(path, found: Findings, completeness=None, *, title: str = "sim2seq: the dodging robot") -> Path:
    """Write the report to `path` and return it as a Path; completeness as for sim2seq.write_report."""
    page = template("report.html.j2", Path(__file__).parent).render(
        title=title,
        found=found,
        goals=found.goals(),
        points=judging.recommended(found.results) if found.results else {},
        facts=facts(found.ensemble),
        animation=data_uri(Path(found.animation).read_bytes(), "image/gif") if found.animation else None,
        completeness=completeness,
        figures={name: embed(figure) for name, figure in found.drawn().items()},
        judging=judging,
        mean_hits=mean_hits,
        settings=[asdict(one.settings) for one in found.trained.values()],
        versions=versions(),
        learned=figures.LEARNED,
        world=WORLD,
    )
    write_text(Path(path), page)
    return Path(path)


def facts(ensemble: Ensemble) -> list[dict]:
    """A row for each group of runs: how many, how long, and how much of the time the robot is told to move."""
    groups, commands = np.array(ensemble.groups), np.asarray(ensemble.values)[..., ensemble.features.index("command")]
    rows = []
    for group in dict.fromkeys(ensemble.groups):
        steps, moves = ensemble.lengths[groups == group], np.abs(commands[groups == group]) > MOVES * WORLD.robot_speed
        counted = {"runs": len(steps), "minutes": float(steps.sum()) * WORLD.control_step / 60}
        rows.append({"group": group, **counted, "moving": moves.sum() / steps.sum()})  # a joystick never rests
    return rows
