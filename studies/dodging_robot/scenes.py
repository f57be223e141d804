"""Figures of what happens in a run: a stretch of an episode, and the commands in a recording."""

from __future__ import annotations

import numpy as np

from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from sim2seq.report.style import Picture, grid, legend_above, plain, styled
from studies.dodging_robot.world import BALLS, SERIES, WORLD

BALL_COLOURS = (ORANGE, GREEN)  # as in drawing.py
SHOWN = 30.0  # s of an episode or recording
PLAYERS = ((RED, "-"), (BLUE, "--"), (PURPLE, "-."), (GREEN, ":"))
AROUND = np.linspace(-0.2, 0.2, 81)  # s around a crossing at which the distance is looked at


@styled
def episode(rows: np.ndarray, *, seconds: float = SHOWN) -> Picture:
    """The robot's way over time, the balls that roll towards its line, and where they cross it.

    rows  (steps, len(SERIES)), 10 Hz, of an episode or a recording. Where a ball crosses, its width is drawn; it has
          hit the robot if that touches the robot's way (within half a step: rows are 0.1 s apart).
    """
    rows = rows[: round(seconds / WORLD.control_step)]
    times, robot = np.arange(len(rows)) * WORLD.control_step, rows[:, SERIES.index("robot_x")]
    figure, axes = grid(1, 1, width=11, height=3.6)
    axis, names = axes[0, 0], set()
    for ball in range(BALLS):
        for first, last in flights(rows, ball):
            way = rows[first:last, 1 + 4 * ball] + robot[first:last]
            axis.plot(times[first:last], way, color=BALL_COLOURS[ball], lw=0.9, alpha=0.55)
            names = draw_crossing(axis, times, robot, rows[last - 1, 1 + 4 * ball :][:4], last - 1, names)
    axis.plot(times, robot, color=BLUE, lw=2.2, label="robot", zorder=4)
    for ball, colour in enumerate(BALL_COLOURS, start=1):
        axis.plot([], [], color=colour, lw=0.9, label=f"ball {ball} on its way")
    axis.set(xlabel="time [s]", ylabel="x, along the robot's line [m]", xlim=(0, times[-1]))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def flights(rows: np.ndarray, ball: int) -> list[tuple[int, int]]:
    """(first row, row after the last) of each ball in this slot: its y falls from row to row."""
    present = rows[:, SERIES.index(f"present_{ball + 1}")] > 0
    y = rows[:, 2 + 4 * ball]
    begins = present & np.concatenate([[True], ~present[:-1] | (np.diff(y) > 0)])
    ends = present & np.concatenate([begins[1:] | ~present[1:], [True]])
    return list(zip(np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist(), strict=True))


def draw_crossing(axis, times, robot, ball, row: int, named: set) -> set:
    """The width of a ball, as last seen in `row`, where it crosses the line; what has a name in the legend by now."""
    x, y, vx, vy = ball
    wait = y / -vy if vy < 0 else np.inf
    if wait > 2 * WORLD.control_step:  # it was not seen up to the line
        return named
    time, place = times[row] + wait, robot[row] + x + vx * wait
    beside = place + vx * AROUND - np.interp(time + AROUND, times, robot)
    hit = np.hypot(beside, vy * AROUND).min() <= WORLD.contact
    look, name = ({"color": RED, "lw": 4}, "hit") if hit else ({"color": GREY, "lw": 2.6}, "ball crosses, dodged")
    label = None if name in named else name
    axis.plot([time, time], [place - WORLD.contact, place + WORLD.contact], **look, label=label, solid_capstyle="round")
    return named | {name}


@styled
def commands(rows: np.ndarray, predicted: dict, *, seconds: float = SHOWN, person: str = "person") -> Picture:
    """The commands of a person and of policies that see the same, and below them the balls that they saw.

    rows       (steps, 9), the run layout at 10 Hz, the stretch to show first
    predicted  policy -> (steps,), m/s, not a number where it has not seen enough rows yet
    """
    rows = rows[: round(seconds / WORLD.control_step)]
    times = np.arange(len(rows)) * WORLD.control_step
    figure, axes = grid(2, 1, width=11, height=2.0, sharex=True, height_ratios=[1.5, 1])
    above, below = axes[:, 0]
    above.plot(times, rows[:, 0], color=GREY, lw=3, alpha=0.6, label=person, drawstyle="steps-mid")
    for (name, values), (colour, dashes) in zip(predicted.items(), PLAYERS, strict=False):
        above.plot(times, values[: len(rows)], color=colour, ls=dashes, label=plain(name))
    draw_balls(below, times, rows)
    most = WORLD.robot_speed
    above.set(ylabel="command [m/s]", ylim=(-1.1 * most, 1.1 * most))
    above.set_yticks([-most, 0, most], [f"left −{most:g}", "0", f"right {most:g}"])
    below.set(xlabel="time [s]", xlim=(0, times[-1]), ylabel="x from the\nrobot [m]")
    legend_above(figure, *above.get_legend_handles_labels())
    return figure


def draw_balls(axis, times: np.ndarray, rows: np.ndarray) -> None:
    """Where balls are beside the robot, the nearer the larger, over the width in which they touch it."""
    axis.axhspan(-WORLD.contact, WORLD.contact, color=RED, alpha=0.12, lw=0)
    for ball, colour in enumerate(BALL_COLOURS):
        x, y, vx, vy = rows[:, 1 + 4 * ball : 5 + 4 * ball].T
        there = (vx != 0) | (vy != 0)
        near = np.clip(1 - np.maximum(y, 0) / WORLD.launch_y, 0, 1)
        axis.scatter(times[there], x[there], s=1 + 22 * near[there] ** 3, color=colour, lw=0, alpha=0.8)
    note = {"xy": (1, 0.04), "xycoords": "axes fraction", "ha": "right", "fontsize": 8, "color": GREY}
    axis.annotate("balls, the nearer the larger; red: they touch", **note)
    axis.set_ylim(-2, 2)
