#!/usr/bin/env python
"""Drawing: a map, a run that the oracle ended beside one that it let run, time saved against quality lost.

python studies/oracle/drawing.py TRAINING MASS-Boston FOLDER      strip.png, map.png: runs of a random search
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from sim2seq.oracle.stopping import Answer, Decision, Oracle
from sim2seq.report.style import COLOURS, styled
from studies.oracle import ending, maps, metrics, simulate
from studies.oracle.grids import Grid
from studies.oracle.settings import Settings

SHOWN = 5  # maps of a strip
MOST_PLANES = 6
SEARCHED = 40  # runs of a random search, at most, until one is ended after a whole one


@dataclass
class Story:
    """A run that was watched: its checkpoints and maps, and what was asked: (progress, Answer, Decision) each."""

    settings: Settings
    values: np.ndarray
    goal: object
    bar: float
    log: np.ndarray = field(default_factory=lambda: np.empty((0, len(maps.SERIES))))
    weights: list[np.ndarray] = field(default_factory=list)
    asked: list[tuple[float, Answer, Decision]] = field(default_factory=list)
    ended: bool = False


def draw_cells(axes, values: np.ndarray, hexagonal: bool, *, title: str, bar: bool = True, **options) -> None:
    """The neurons of a map (rows, columns), each in the colour of its value; nan stays white."""
    row, column = np.indices(values.shape)
    turns = np.deg2rad(np.arange(6) * 60 + 30) if hexagonal else np.deg2rad(np.arange(4) * 90 + 45)
    reach = 1 / np.sqrt(3) if hexagonal else 1 / np.sqrt(2)
    x, y = column + (row % 2) / 2 * hexagonal, row * (np.sqrt(3) / 2 if hexagonal else 1.0)
    shape = reach * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    cells = np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + shape
    drawn = PolyCollection(list(cells), array=np.ma.masked_invalid(values.ravel()), linewidths=0, **options)
    axes.add_collection(drawn)
    axes.set(xlim=(x.min() - 0.7, x.max() + 0.7), ylim=(y.max() + 0.7, y.min() - 0.7), aspect="equal", title=title)
    axes.axis("off")
    if bar:
        axes.figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.02)


@styled
def draw_map(weights: np.ndarray, values: np.ndarray, columns, grid: Grid, *, hexagonal: bool, title: str) -> Figure:
    """Hits, U-matrix and component planes of a map (map rows, map columns, features) on values (rows, features)."""
    flat = weights.reshape(grid.neurons, -1).T.copy()
    hits = metrics.hit_map(metrics.hits(flat, *maps.filled(values)), grid).astype(float)
    panels = {"hits (white: none)": np.where(hits > 0, hits, np.nan), "U-matrix": metrics.u_matrix(flat, grid)}
    names = list(columns)[:MOST_PLANES]
    panels |= {f"{name[:22]}": weights[..., place] for place, name in enumerate(names)}
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    for place, (name, panel) in enumerate(panels.items()):
        axes = figure.add_subplot(2, 4, place + 1)
        draw_cells(axes, panel, hexagonal, title=name, cmap="viridis" if place else "magma_r")
    figure.suptitle(title)
    return figure


@styled
def draw_strip(stories: list[Story], *, table: str) -> Figure:
    """A row a run: its U-matrix on the way, and its goal with what was foretold of its end, against the bar."""
    figure = Figure(figsize=(12, 2.3 * len(stories)), layout="constrained")
    grid = figure.add_gridspec(len(stories), SHOWN + 2)
    for row, story in enumerate(stories):
        chosen = np.unique(np.linspace(0, len(story.weights) - 1, SHOWN).round().astype(int))
        shown = [metrics.u_matrix(flat(story.weights[step]), lattice(story)) for step in chosen]
        scale = {"cmap": "magma", "clim": (0, max(map(np.max, shown))), "bar": False}  # one for all of a run
        for place, (step, values) in enumerate(zip(chosen, shown, strict=True)):
            axes = figure.add_subplot(grid[row, place])
            title = f"{100 * story.log[step, 0]:.0f} % of the run"
            draw_cells(axes, values, story.settings.grid != "square", title=title, **scale)
        draw_goal(figure.add_subplot(grid[row, SHOWN:]), story)
    figure.suptitle(f"{table}: U-matrix on the way, and what the oracle said of the end")
    return figure


def draw_goal(axes, story: Story) -> None:
    goal = story.log[:, 1:4] @ np.array(list(story.goal.weights.values()))
    axes.plot(100 * story.log[:, 0], goal, color=COLOURS[0], label="goal so far")
    for place, (progress, answer, _) in enumerate(story.asked):
        middle, half = story.goal.foretold(answer)
        label = "foretold for the end" if not place else None
        axes.errorbar(100 * progress, middle, half, color=COLOURS[3], fmt="o", markersize=3, capsize=2, label=label)
    axes.axhline(story.bar, color=COLOURS[2], linewidth=1, label="bar")
    axes.set(xlim=(0, 102), xlabel="% of the run", title="ended by the oracle" if story.ended else "let run")
    axes.legend(fontsize=7)


def flat(weights: np.ndarray) -> np.ndarray:
    """Weights (map rows, map columns, features) as (features, neurons)."""
    return weights.reshape(-1, weights.shape[2]).T.copy()


def lattice(story: Story) -> Grid:
    return maps.grid_of(story.settings)


@styled
def saved_against_lost(points: Mapping[str, list[tuple[float, float]]]) -> Figure:
    """Name -> (share of the time saved, loss of best goal) at each setting, of which the first is the judged one."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, settings), colour in zip(points.items(), COLOURS, strict=False):
        saved, lost = 100 * np.array(settings).T
        order = np.argsort(saved)
        axes.plot(saved[order], lost[order], "o-", color=colour, markersize=3.5, label=name)
        axes.plot(saved[0], lost[0], "o", color=colour, markersize=8)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set(xlabel="training time saved, %", ylabel="loss of the best goal, %: 90 % of the searches lose less")
    axes.set_ylim(0, None)
    axes.axhline(3, color="0.5", linewidth=0.8, linestyle=":")
    axes.legend()
    return figure


def watched(table, settings: Settings, judge: ending.Judge) -> Story:
    """Train a map under a judge, and keep how it went."""
    inputs = simulate.inputs_of(table, settings, maps.plan(settings, len(table.values)))
    goal, watch = ending.goal_of(float(inputs["table_spread"])), judge.watch(inputs)
    bar = judge.rule.bar(judge.finished[table.name], judge.begun[table.name])
    story = Story(settings, table.values, goal, bar)

    def keep(log: np.ndarray, weights: np.ndarray) -> bool:
        before, stop = watch.asked, watch(log, weights)
        story.weights.append(weights)
        if watch.asked > before and watch.answer is not None and watch.decision is not None:
            story.asked.append((float(log[-1, 0]), watch.answer, watch.decision))
        return stop

    training = maps.train(table.values, settings, watch=keep)
    story.log, story.ended = training.checkpoints, training.ended == maps.WATCHED
    story.weights = story.weights if story.ended else [*story.weights, training.weights]
    judge.results(inputs, simulate.results_of(training, maps.grid_of(settings)), watch)
    return story


def find_stories(table, oracle: Oracle, *, seed: int = 0) -> list[Story]:
    """Of a random search: the last run that was ended, and the best one of those let run against others."""
    from studies.oracle import evolution

    generator, judge = np.random.default_rng(seed), ending.Judge(oracle)
    stories: list[Story] = []
    while len(stories) < SEARCHED and not (any(map(is_rival, stories)) and sum(each.ended for each in stories) >= 3):
        settings = evolution.settings_of(generator.random(len(evolution.GENES)), table)
        stories.append(watched(table, settings, judge))
    whole = list(filter(is_rival, stories)) or stories[:1]
    best = min(whole, key=lambda each: float(each.log[-1, 1:4] @ np.array(list(each.goal.weights.values()))))
    return [*[each for each in stories if each.ended][-1:], best]


def is_rival(story: Story) -> bool:
    """Whether a run was let run against others."""
    return not story.ended and bool(np.isfinite(story.bar))


def main(argv=None) -> None:
    from sim2seq._support.command import Parser
    from studies.oracle import tables

    parser = Parser(description="Draw a run that the oracle ended, one that it let run, and the map of that.")
    parser.add_argument("model", metavar="TRAINING", help="the folder of a finished training of this study")
    parser.add_argument("table", help="a name that tables.py lists")
    parser.add_argument("folder", metavar="FOLDER", help="for strip.png and map.png")
    asked = parser.parse_args(argv)
    table, folder = tables.load(asked.table), Path(asked.folder)
    if asked.table not in tables.entries():
        parser.error(f"{asked.table}: expected a name that studies/oracle/tables.py lists")
    oracle = ending.load(asked.model)
    simulate.warm_up()
    stories = find_stories(table, oracle)
    folder.mkdir(parents=True, exist_ok=True)
    draw_strip(stories, table=table.name).savefig(folder / "strip.png", dpi=90)
    best = stories[-1]
    options = {"hexagonal": best.settings.grid != "square", "title": f"{table.name}: the map that was let run"}
    draw_map(best.weights[-1], table.values, table.columns, lattice(best), **options).savefig(
        folder / "map.png", dpi=90
    )


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
