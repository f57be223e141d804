#!/usr/bin/env python
"""Play a game and a model of it side by side: the model is given your actions, and nothing else after the first frames.

    python studies/pong/play.py FOLDER                     the model in the folder of a training; one player
    python studies/pong/play.py FOLDER --players 2         w, s: left plank; arrows: right plank
    python studies/pong/play.py FOLDER --output film.gif   the agent plays, and a film is written
    python studies/pong/play.py FOLDER --measure           how many frames a second the model makes, alone, on one core

Left the game, then what the model makes of it, then the difference: orange is what the model lacks, blue what it adds.
One player has the right plank, by w and s or by the arrows, and the agent the left one; none leaves both to the agent.
CubeCrash is played with a and d, or the arrows. Escape ends. Where there is no display, a film is written.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np

from sim2seq._support import command
from studies.pong import viewing
from studies.pong.agents import make_agent
from studies.pong.beginning import STOCHASTICITY, as_bytes, begin, told
from studies.pong.worlds import WORLDS, CubeCrash, draw

SPEED, LEAST_SPEED, MOST_SPEED = 15.0, 0.1, 200.0  # steps a second; a picture of a GIF lasts 655 s at most
ENDS = 15  # pictures for which the end of a game stays
ALONE = "play.gif"  # the film where there is no display
RATE_GOAL, RATE_STRETCH = 60, 500  # frames a second on one core
MEASURED = 2000  # steps


@dataclass(frozen=True)
class Moment:
    """One step of a game, and of a model beside it.

    step     steps since the launch
    true     (height, width), bytes: the game's frame
    made     (height, width), 0 to 1: the model's; None while it is shown the game
    action   what led to this frame
    over     whether the game is over
    said     the chance of that by the model
    """

    step: int
    true: np.ndarray
    made: np.ndarray | None
    action: int
    over: bool
    said: float = 0.0


def watch(dream, seed: int, act: Callable) -> Iterator[Moment]:
    """The moments of one episode up to its end.

    act   states (1, names) -> actions (1,), asked once a step
    """
    world = dream.world
    launch = states = world.launch([seed])
    action, over, state, frames, actions = world.idle, False, None, [], []
    for step in count():
        true, made, said = draw(world, states)[0], None, 0.0
        if step < dream.known:
            frames.append(true)
            actions.append(action)
        else:
            made, state = dream.step(state, action)
            said = float(state.over)
        if step == dream.known - 1:
            state = dream.begin(np.array(frames), np.array(actions), told(dream, launch))
        yield Moment(step, true, made, action, over, said)
        if over:
            return
        action = int(act(states)[0])
        states, ends, _ = world.step(states, np.array([action]))
        over = bool(ends[0])


def shown(moment: Moment, world, known: int, *, panel: int = viewing.PANEL):
    """The picture of a moment."""
    made = moment.true if moment.made is None else as_bytes(moment.made)
    panels = [
        ("game" + ", over" * moment.over, world.colours[moment.true]),
        (f"model, shown the first {known}" if moment.made is None else "model", world.colours[made]),
        ("difference", viewing.difference(moment.true, made)),
    ]
    note = f"step {moment.step}   {action_words(world, moment.action)}"
    if moment.said >= 0.5:
        note += f"   the model: over ({moment.said:.0%})"
    return viewing.picture(panels, note, scale=viewing.scale_of(world.height, panel))


def action_words(world, action: int) -> str:
    """What an action is called."""
    if world.actions == CubeCrash.actions:
        return ("stay", "left", "right")[action]
    names = {-1: "down", 0: "stay", 1: "up"}
    return "   ".join(
        f"{side} {names[int(move)]}" for side, move in zip(("left", "right"), world.moves(action), strict=True)
    )


class Keyboard:
    """Which keys are held, or were pressed and let go since the last look; and whether the player ended."""

    def __init__(self, pygame):
        self.pygame, self.held, self.pressed, self.ended = pygame, set(), set(), False

    def listen(self) -> None:
        """Take the events that came since the last call."""
        pygame, tapped = self.pygame, set()
        for event in pygame.event.get():
            if event.type == pygame.QUIT or getattr(event, "key", None) == pygame.K_ESCAPE:
                self.ended = True
            elif event.type == pygame.KEYDOWN:
                tapped.add(event.key)
                self.held.add(event.key)
            elif event.type == pygame.KEYUP:
                self.held.discard(event.key)
        self.pressed = self.held | tapped

    def way(self, more: str, less: str) -> int:
        """1, -1 or 0, by which of two keys is pressed, named as in pygame."""
        down = [getattr(self.pygame, f"K_{name}") in self.pressed for name in (more, less)]
        return int(down[0]) - int(down[1])

    def action(self, world, players: int, agents: int) -> int:
        """What the keys say, where `players` play; `agents` is the action of the agent."""
        if not players:
            return agents
        if world.actions == CubeCrash.actions:
            return (0, 2, 1)[self.way("d", "a") or self.way("RIGHT", "LEFT")]
        letters, arrows = self.way("w", "s"), self.way("UP", "DOWN")
        left = letters if players == 2 else int(world.moves(agents)[0])
        right = arrows if players == 2 else letters or arrows
        return 3 * (right + 1) + left + 1


def play(dream, window: viewing.Window, options) -> int:
    """Let people play until they end; how many steps were played."""
    keyboard, steps = Keyboard(window.pygame), 0
    for seed in count(options.seed):
        agent = make_agent(dream.world, [seed], options.stochasticity)

        def act(states, agent=agent):
            return [keyboard.action(dream.world, options.players, int(agent(states)[0]))]

        for moment in watch(dream, seed, act):
            for _ in range(ENDS if moment.over else 1):
                window.show(shown(moment, dream.world, dream.known), options.speed)
                keyboard.listen()
                if keyboard.ended:
                    return steps
            steps += 1


def moments_of(dream, options) -> Iterator[Moment]:
    """The agent's episodes, one after the other, without end; the last moment of each stays."""
    for seed in count(options.seed):
        for moment in watch(dream, seed, make_agent(dream.world, [seed], options.stochasticity)):
            yield from [moment] * (ENDS if moment.over else 1)


def film(dream, path: Path, options) -> None:
    """Write a film of the agent's play, and say so."""
    moments = islice(moments_of(dream, options), max(2, round(options.seconds * options.speed)))
    pictures = (shown(moment, dream.world, dream.known, panel=viewing.FILM) for moment in moments)
    size = viewing.write_film(pictures, path, speed=options.speed, colours=dream.world.colours)
    print(f"{path}: {size / 1e6:.2f} MB, {options.seconds:g} s, seed {options.seed}")


def measure(dream, *, steps: int = MEASURED, seed: int = 7) -> float:
    """Frames that a model makes in a second of one core's time, one after the other, in one episode."""
    world, state, chance = dream.world, begin(dream, seed).state, np.random.default_rng(seed)
    chosen = chance.integers(0, world.actions, steps + 10).tolist()
    for action in chosen[:10]:  # what is compiled at the first call is not counted
        _, state = dream.step(state, action)
    began = time.process_time()
    for action in chosen[10:]:
        _, state = dream.step(state, action)
    return steps / max(time.process_time() - began, 1e-9)


def parse(argv):
    parser = command.Parser(description="Play a game and a model of it side by side.")
    parser.add_argument("model", help="folder of a finished training, or the name of a simple model")
    parser.add_argument("--environment", choices=list(WORLDS), help="the game, for a simple model (default: pong)")
    parser.add_argument("--players", type=int, choices=(0, 1, 2), default=1, help="people; the agent plays the rest")
    parser.add_argument("--seed", type=int, default=2_000_000, help="of the first episode; each next one has the next")
    parser.add_argument(
        "--stochasticity", type=float, default=STOCHASTICITY, help="of the agent: how much it leaves to chance"
    )
    parser.add_argument("--speed", type=float, default=SPEED, help="steps a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a film")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, help="write a film, .gif, and open no window")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE")
    parser.add_argument("--measure", action="store_true", help="print the model's frames a second, and play nothing")
    options = parser.parse_args(argv)
    for name, allowed, good in (
        ("seed", "0 or more", options.seed >= 0),
        ("stochasticity", "0 to 1", 0 <= options.stochasticity <= 1),
        ("speed", f"{LEAST_SPEED:g} to {MOST_SPEED:g}", LEAST_SPEED <= options.speed <= MOST_SPEED),
        ("seconds", f"more than 0 and up to {viewing.MOST_SECONDS:g}", 0 < options.seconds <= viewing.MOST_SECONDS),
    ):
        if not good:
            raise ValueError(f"--{name} {getattr(options, name)}: expected {allowed}")
    return options


def main(argv=None):
    options = parse(argv)
    pygame = path = None
    if not options.measure:
        pygame, path = viewing.window_or_file(options.output, ALONE, replace=options.replace)
    if options.measure:  # before anything is imported that counts the cores
        os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from studies.pong.dream import load, playable

    dream = playable(load(options.model, environment=options.environment))
    if options.measure:
        rate = measure(dream)
        return print(
            f"{options.model}: {rate:.0f} frames a second of one core (goal {RATE_GOAL}, stretch {RATE_STRETCH})"
        )
    if pygame:
        steps = play(dream, viewing.Window(pygame, f"{dream.world.name}: {options.model}"), options)
        pygame.display.quit()
        return print(f"{steps} steps were played")
    film(dream, path, options)
    if not options.output:  # said when it is true: what fails says one line
        print(f"{viewing.no_window()}: the agent plays, and a film is written to {path}", file=sys.stderr)
    return None


if __name__ == "__main__":
    sys.exit(command.run(main))
