#!/usr/bin/env python
"""Draw several robots that dodge the same balls side by side, as a GIF.

    python studies/dodging_robot/animation.py --policies still expert --aim robot --seed 7 --output dodging.gif
    python studies/dodging_robot/animation.py --policies still expert --model FOLDER --output dodging.gif

With --model the robot of that training is the last one.
"""

import os
import sys
from pathlib import Path
from time import monotonic

import numpy as np
from PIL import Image

from sim2seq._support import command
from studies.dodging_robot import drawing
from studies.dodging_robot.drawing import BALL_COLOURS, BLUE, FLOOR, GREY, INK, PAPER, RED
from studies.dodging_robot.environment import Episode
from studies.dodging_robot.policies import POLICIES, learned
from studies.dodging_robot.world import AIMED, AIMS, WORLD

PANEL, GAP, TOP = (300, 500), 14, 40  # pixels: a robot's picture, between them, and the line above them
PICTURES = 2  # a control step
STAYS = 2000  # ms that the last picture is shown
MOST, MOST_SECONDS = 4, 60.0  # robots; s: a GIF's pictures are all held in memory
TITLES = {"still": "standing still", "human_like": "human-like"}
TELL = 2.0  # s between two lines of progress


def watch(maker, *, aim: str, seed: int, seconds: float, title: str = "") -> list[drawing.Moment]:
    """The Moments of an episode of simulate() with that seed, PICTURES a control step.

    maker  (episodes, seed) -> policy, as in policies.POLICIES
    """
    episode, policy = Episode(seed, aim, seconds), maker(1, seed)
    shown = {"time": None, "title": title}  # the time stands above all panels
    moments = [episode.moment(**shown)]
    for _ in range(episode.steps - 1):
        command = policy(episode.scene.observe(), episode.robot)
        moments += [episode.moment(**shown) for _ in episode.advance(float(command[0]), PICTURES)]
    return moments


def animate(robots: list[list[drawing.Moment]], path, *, headline: str = "The same launches for all") -> None:
    """Write a GIF with a panel for each robot, whole or not at all. Raises ValueError for no robots, or too many."""
    if not 1 <= len(robots) <= MOST:
        raise ValueError(f"expected 1 to {MOST} robots, got {len(robots)}")
    step, colours, frames, last = WORLD.control_step / PICTURES, palette(), [], monotonic()
    for number, moments in enumerate(zip(*robots, strict=True)):
        image = picture(moments, headline, number * step)
        frames.append(image.quantize(palette=colours, dither=Image.Dither.NONE))
        if monotonic() - last > TELL:
            last = monotonic()
            print(f"animation.py: picture {number + 1} of {len(robots[0])}", file=sys.stderr, flush=True)
    times = [round(1000 * step)] * (len(frames) - 1) + [STAYS]
    temporary = Path(path).with_name(f"unfinished_{Path(path).name}")
    frames[0].save(temporary, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    os.replace(temporary, path)


def picture(shown, headline: str, time: float) -> Image.Image:
    """The panels of Moments at one time, side by side, below a line of words."""
    pygame, (width, height) = drawing.pygame, PANEL
    size = (len(shown) * (width + GAP) + GAP, TOP + height + GAP)
    surface = pygame.Surface(size, 0, 32)
    surface.fill(PAPER)
    drawing.write(surface, headline, (GAP + 0.04 * width, TOP / 2 + 4), 16, GREY)
    drawing.write(surface, f"{time:.1f} s", (size[0] - GAP - 0.04 * width, TOP / 2 + 4), 16, INK, right=True)
    for place, moment in enumerate(shown):
        left = GAP + place * (width + GAP)
        drawing.draw(surface.subsurface((left, TOP, width, height)), moment)
    return Image.fromarray(drawing.pixels(surface))


def palette() -> Image.Image:
    """The colours of drawing.py and what lies between them, where edges and trails mix them."""
    on_floor = [(FLOOR, colour, 16) for colour in (*BALL_COLOURS, RED, GREY)] + [(FLOOR, BLUE, 6), (FLOOR, INK, 6)]
    on_paper = [(PAPER, INK, 8), (PAPER, GREY, 6), (PAPER, RED, 6), (PAPER, BLUE, 4)]
    edges = [(colour, INK, 5) for colour in BALL_COLOURS] + [(BLUE, RED, 5), (GREY, INK, 3), (INK, RED, 5)]
    ramps = on_floor + on_paper + edges
    colours = [tuple(drawing.mixed(one, two, share)[:3]) for one, two, n in ramps for share in np.linspace(0, 1, n)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.array(list(dict.fromkeys(colours))).ravel().tolist())
    return image


def makers(arguments) -> dict:
    """Title -> maker for each robot of the command line."""
    chosen = {TITLES.get(name, name): POLICIES[name] for name in arguments.policies}
    if arguments.model is not None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from sim2seq import load_training
        from studies.dodging_robot.study import STUDY

        chosen["learned"] = learned(load_training(arguments.model, STUDY).models)
    return chosen


def check(arguments) -> None:
    """ValueError names the first bad value."""
    robots = len(set(arguments.policies)) + (arguments.model is not None)
    for name, allowed, good in (
        ("policies", f"1 to {MOST} robots, with --model", 1 <= robots <= MOST),
        ("seed", "0 or more", arguments.seed >= 0),
        ("seconds", f"up to {MOST_SECONDS:g}", arguments.seconds <= MOST_SECONDS),
        ("output", "a file that ends in .gif", arguments.output.suffix == ".gif"),
        ("output", "a folder that exists", arguments.output.absolute().parent.is_dir()),
    ):
        if not good:
            raise ValueError(f"--{name} {getattr(arguments, name)}: expected {allowed}")


def main(argv=None):
    parser = command.Parser(description="Draw several robots that dodge the same balls side by side, as a GIF.")
    parser.add_argument("--policies", nargs="*", choices=list(POLICIES), default=["still", "expert"], help="robots")
    parser.add_argument("--model", metavar="FOLDER", help="of a training: a learned robot, for the last panel")
    parser.add_argument("--aim", choices=AIMS, default="robot", help="what the balls are aimed at")
    parser.add_argument("--seed", type=int, default=7, help="of the balls: equal seeds, equal balls")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the film")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, required=True, help="GIF to write")
    arguments = parser.parse_args(argv)
    check(arguments)
    same = {"aim": arguments.aim, "seed": arguments.seed, "seconds": arguments.seconds}
    robots = [watch(maker, **same, title=title) for title, maker in makers(arguments).items()]
    animate(robots, arguments.output, headline=f"The same launches for all, aimed {AIMED[arguments.aim]}")
    hits = ", ".join(f"{moments[-1].title} {moments[-1].hits}" for moments in robots)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB; hits: {hits}")


if __name__ == "__main__":
    sys.exit(command.run(main))
