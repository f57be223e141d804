#!/usr/bin/env python
"""Change one number of a model's hidden state, and see what becomes of its frame.

    python studies/pong/hidden.py FOLDER                     a window: drag the sliders with the mouse
    python studies/pong/hidden.py FOLDER --output units.png  a picture: a line of frames for each number that is changed

The numbers are those whose change, within the range that they have while the model plays on, changes the frame most;
where nobody could see that, the range is up to 64 times as wide.
In the window the space bar goes on by a step, r sets the sliders back, Escape ends. Left the frame that the state leads
to `--ahead` steps later (the agent playing), then the same with the numbers as they are set, then the difference.
Where there is no display, the picture is written.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sim2seq._support import command
from studies.pong import viewing
from studies.pong.beginning import as_bytes, begin
from studies.pong.sliders import Sliders
from studies.pong.worlds import WORLDS

WATCHED = 40  # steps in which the numbers show their range
LARGEST = 1024  # numbers of an array of the state, at most: larger ones are frames that are kept
VALUES, MOST_UNITS, MOST_AHEAD = 7, 24, 60
SEEN = 0.1  # of the brightness of a pixel: less of a difference nobody sees
WIDER, ROUNDS = 4, 3  # a range whose ends nobody tells apart is made so many times as wide, so often at most
MOST_DECIMALS = 6
ALONE = "hidden.png"  # the picture where there is no display


@dataclass(frozen=True)
class Unit:
    """One number of a hidden state: in which of its arrays, where there, and its range while the model plays on.

    times   how many times as wide as that the range is made, so that a change is seen; 0 where none would be
    """

    array: int
    place: int
    low: float
    high: float
    times: int = 1

    @property
    def name(self) -> str:
        return f"{self.array + 1}.{self.place + 1}"

    @property
    def wider(self) -> Unit:
        """The same over a wider range, about the same middle."""
        more = (WIDER - 1) * (self.high - self.low) / 2
        return replace(self, low=self.low - more, high=self.high + more, times=WIDER * self.times)

    def words(self, value: float) -> str:
        """A value with as many digits as tell it from the next of VALUES in the range."""
        step = (self.high - self.low) / (VALUES - 1)
        decimals = max(2, 1 - math.floor(math.log10(step))) if step > 0 else 2
        return f"{value:.{decimals}f}" if decimals <= MOST_DECIMALS else f"{value:.3e}"


def mapped(inner, change: Callable):
    """An inner state with `change` done to each of its arrays (episodes, ...)."""
    import keras

    if is_dataclass(inner) and not isinstance(inner, type):
        return replace(inner, **{field.name: mapped(getattr(inner, field.name), change) for field in fields(inner)})
    return None if inner is None else keras.tree.map_structure(change, inner)


def arrays_of(state) -> list[np.ndarray]:
    """The arrays (episodes, numbers) of a dream's state; what a model keeps beside its network's state is left out."""
    import keras

    found = keras.tree.flatten(getattr(state.inner, "state", state.inner))
    return [np.reshape(each, (len(each), -1)) for each in found]


def repeated(state, many: int):
    """The state of one episode as that of many equal ones."""
    inner = mapped(state.inner, lambda each: np.repeat(np.asarray(each), many, axis=0))
    return replace(state, inner=inner, over=np.zeros(many), single=False)


def with_values(state, units: list[Unit], values: np.ndarray):
    """The state with these numbers in place of its own: values (episodes, units), NaN where it keeps its own."""
    import keras

    kept = getattr(state.inner, "state", state.inner)
    arrays = [np.array(each) for each in keras.tree.flatten(kept)]
    for unit, given in zip(units, np.transpose(values), strict=True):
        flat = arrays[unit.array].reshape(len(given), -1)  # a view
        flat[:, unit.place] = np.where(np.isnan(given), flat[:, unit.place], given)
    changed = keras.tree.pack_sequence_as(kept, arrays)
    return replace(state, inner=replace(state.inner, state=changed) if kept is not state.inner else changed)


def ahead(dream, state, actions) -> np.ndarray:
    """(episodes, height, width), 0 to 1: the frames of a state of several episodes after these actions (steps,)."""
    for action in actions:
        frames, state = dream.step(state, np.full(len(state.over), action))
    return frames


def watched(dream, begun, steps: int) -> tuple[np.ndarray, list]:
    """The agent's actions (steps,) from a beginning on, whatever the model makes of them; and the states with each."""
    actions, states, now = [], [begun.state], begun.states
    for _ in range(steps):
        actions.append(int(begun.agent(now)[0]))
        now, _, _ = dream.world.step(now, np.array(actions[-1:]))
        states.append(dream.step(states[-1], actions[-1])[1])
    return np.array(actions), states


def units_of(dream, states: list, actions, most: int) -> list[Unit]:
    """The numbers of the hidden state that change the frame most, after these actions from the first state on.

    Each is set to both ends of the range that it has in `states`; that of numbers whose ends then look alike is
    widened. Raises ValueError for a state without numbers.
    """
    history = [np.concatenate(parts) for parts in zip(*map(arrays_of, states), strict=True)]
    units = [
        Unit(number, place, float(low), float(high))
        for number, values in enumerate(history)
        if values.shape[1] <= LARGEST and values.dtype.kind == "f"
        for place, (low, high) in enumerate(zip(values.min(axis=0), values.max(axis=0), strict=True))
        if high > low
    ]
    if not units:
        raise ValueError("model: expected a hidden state whose numbers change as it plays; it has none")
    effects = sum(np.abs(ends - ends[:1]).sum(axis=(1, 2)) for ends in at_ends(dream, states[0], units, actions))
    order = np.argsort(-effects[1:], kind="stable")[:most]
    return widened(dream, states[0], [units[number] for number in order], actions)


def widened(dream, state, units: list[Unit], actions) -> list[Unit]:
    """The same numbers; ranges whose ends change no pixel by SEEN made wider until they do, or as they were."""
    found = units
    for _ in range(ROUNDS):
        alike = look_alike(dream, state, found, actions)
        if not alike.any():
            return found
        found = [unit.wider if dark else unit for unit, dark in zip(found, alike, strict=True)]
    alike = look_alike(dream, state, found, actions)
    return [replace(own, times=0) if dark else wide for own, wide, dark in zip(units, found, alike, strict=True)]


def look_alike(dream, state, units: list[Unit], actions) -> np.ndarray:
    """(units,): whether neither end of a range changes a pixel by SEEN."""
    changes = [np.abs(ends[1:] - ends[:1]).max(axis=(1, 2)) for ends in at_ends(dream, state, units, actions)]
    return np.max(changes, axis=0) < SEEN


def at_ends(dream, state, units: list[Unit], actions):
    """Frames with each unit at the lower, then at the upper end of its range: (1 + units, ...), first as it is."""
    many = len(units) + 1
    for end in ("low", "high"):
        values = np.full((many, len(units)), np.nan)
        values[np.arange(1, many), np.arange(len(units))] = [getattr(unit, end) for unit in units]
        yield ahead(dream, with_values(repeated(state, many), units, values), actions)


def strips(dream, state, units: list[Unit], actions) -> Image.Image:
    """A picture: a line a unit, with the frames that VALUES values from the low to the high end of its range give."""
    scale = viewing.scale_of(dream.world.height, viewing.FILM // 2)
    lines = []
    for unit in units:
        values = np.linspace(unit.low, unit.high, VALUES)
        frames = ahead(dream, with_values(repeated(state, VALUES), [unit], values[:, None]), actions)
        panels = [
            (unit.words(value), dream.world.colours[frame])
            for value, frame in zip(values, as_bytes(frames), strict=True)
        ]
        own = arrays_of(state)[unit.array][0, unit.place]
        words = f"number {unit.name} of the hidden state, which is {unit.words(own)}: {len(actions)} steps later"
        words += {0: "; no change is seen", 1: ""}.get(unit.times, f"; {unit.times} times its range")
        lines.append(viewing.picture(panels, words, scale=scale))
    return viewing.stacked(lines)


class Session:
    """What the window shows: a state, its numbers as the sliders set them, and the frames that come of both."""

    def __init__(self, dream, states: list, actions, units: list[Unit], steps: int):
        self.dream, self.states, self.actions, self.units, self.steps = dream, states, actions, units, steps
        self.at, world = 0, dream.world
        scale = viewing.scale_of(world.height)
        self.width = 3 * (scale * world.width + viewing.GAP) + viewing.GAP
        self.top = scale * world.height + 2 * viewing.LINE
        self.reset()

    def reset(self) -> None:
        """Sliders where the state has them."""
        found = arrays_of(self.states[self.at])
        own = np.array([found[unit.array][0, unit.place] for unit in self.units], dtype=float)
        self.sliders = Sliders(self.units, own, self.top, self.width)

    def on(self) -> None:
        """Go on by a step, up to the last that was watched."""
        self.at = min(self.at + 1, len(self.states) - 1 - self.steps)
        self.reset()

    def frames(self) -> np.ndarray:
        """(2, height, width), bytes: of the state as it is, and as the sliders set it."""
        set_here = np.where(self.sliders.values == self.sliders.own, np.nan, self.sliders.values)
        values = np.stack([np.full(len(self.units), np.nan), set_here])
        state = with_values(repeated(self.states[self.at], 2), self.units, values)
        return as_bytes(ahead(self.dream, state, self.actions[self.at : self.at + self.steps]))

    def picture(self) -> Image.Image:
        own, changed = self.frames()
        world = self.dream.world
        panels = [
            (f"the model, {self.steps} steps later", world.colours[own]),
            ("changed", world.colours[changed]),
            ("difference", viewing.difference(own, changed)),
        ]
        note = f"step {self.dream.known - 1 + self.at}   drag a slider; space: a step, r: back, Escape: end"
        return self.sliders.draw(viewing.picture(panels, note, scale=viewing.scale_of(world.height)))


def turn(session: Session, pygame) -> bool:
    """Take what the mouse and the keys did; whether to go on."""
    for event in pygame.event.get():
        key = getattr(event, "key", None) if event.type == pygame.KEYDOWN else None
        if event.type == pygame.QUIT or key == pygame.K_ESCAPE:
            return False
        if event.type == pygame.MOUSEBUTTONDOWN:
            session.sliders.take(event.pos)
        elif event.type == pygame.MOUSEMOTION and any(event.buttons):
            session.sliders.drag(event.pos)
        elif key == pygame.K_SPACE:
            session.on()
        elif key == pygame.K_r:
            session.reset()
    return True


def parse(argv):
    parser = command.Parser(description="Change one number of a model's hidden state, and see its frame change.")
    parser.add_argument("model", help="folder of a finished training, or the name of a simple model")
    parser.add_argument("--environment", choices=list(WORLDS), help="the game, for a simple model (default: pong)")
    parser.add_argument("--seed", type=int, default=2_000_000, help="of the episode")
    parser.add_argument("--units", type=int, default=6, help="numbers that can be changed, those that change most")
    parser.add_argument("--ahead", type=int, default=5, help="how many steps later the frame is")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, help="write a picture, .png; open no window")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE")
    options = parser.parse_args(argv)
    for name, allowed, good in (
        ("seed", "0 or more", options.seed >= 0),
        ("units", f"1 to {MOST_UNITS}", 1 <= options.units <= MOST_UNITS),
        ("ahead", f"1 to {MOST_AHEAD}", 1 <= options.ahead <= MOST_AHEAD),
    ):
        if not good:
            raise ValueError(f"--{name} {getattr(options, name)}: expected {allowed}")
    return options


def main(argv=None):
    options = parse(argv)
    pygame, path = viewing.window_or_file(options.output, ALONE, replace=options.replace)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from studies.pong.dream import load, playable

    dream = playable(load(options.model, environment=options.environment))
    actions, states = watched(dream, begin(dream, options.seed), max(WATCHED, options.ahead))
    units = units_of(dream, states, actions[: options.ahead], options.units)
    if not pygame:
        viewing.save_picture(strips(dream, states[0], units, actions[: options.ahead]), path)
        if not options.output:  # said when it is true: what fails says one line
            print(f"{viewing.no_window()}: a picture is written to {path}", file=sys.stderr)
        return print(f"{path}: numbers {', '.join(unit.name for unit in units)}, seed {options.seed}")
    window, session = viewing.Window(pygame, "hidden state"), Session(dream, states, actions, units, options.ahead)
    while turn(session, pygame):
        window.show(session.picture(), 30)
    return pygame.display.quit()


if __name__ == "__main__":
    sys.exit(command.run(main))
