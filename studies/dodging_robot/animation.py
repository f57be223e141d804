#!/usr/bin/env python
"""Draw several robots that dodge the same balls side by side, as a GIF.

    python studies/dodging_robot/animation.py --policies still expert --aim robot --seed 7 --output dodging.gif
    python studies/dodging_robot/animation.py --policies still expert --model FOLDER --output dodging.gif

With --model the robot of that folder, as learning.py saved it, is the last one.
"""

import os
import sys
from itertools import count
from pathlib import Path
from time import monotonic

import numpy as np
from PIL import Image

from studies.dodging_robot import drawing
from studies.dodging_robot.environment import Episode
from studies.dodging_robot.policies import POLICIES
from studies.dodging_robot.simulate import AIMS, WORLD

PANEL, GAP, TOP = (300, 500), 14, 40  # pixels: a robot's picture, between them, and the line above them
PICTURES = 2  # a control step
STAYS = 2000  # ms that the last picture is shown
MOST, MOST_SECONDS = 4, 60.0  # robots; s: a GIF's pictures are all held in memory
TITLES = {"still": "standing still", "human_like": "human-like"}
TELL = 2.0  # s between two lines of progress


def watch(maker, *, aim: str, seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Play the episode of simulate() with that seed: its rows (steps, len(SERIES)) and hits (steps,) up to each row.

    maker  (episodes, seed) -> policy, as in policies.POLICIES
    """
    episode, policy = Episode(seed, aim, seconds), maker(1, seed)
    rows, hits = [], []
    for _ in range(episode.steps):
        rows.append(episode.row())
        hits.append(episode.hits)
        command = policy(episode.scene.observe(), episode.robot)
        for _ in episode.advance(float(command[0])):
            pass
    return np.array(rows), np.array(hits)


def moments(rows: np.ndarray, hits: np.ndarray | None, title: str):
    """The Moments of a run's rows, PICTURES a row: between two rows balls roll on and the robot goes straight on."""
    counted = np.zeros(len(rows), int) if hits is None else np.asarray(hits)
    rising = np.flatnonzero(np.diff(counted, prepend=counted[0]) > 0)
    for picture in range(PICTURES * (len(rows) - 1) + 1):
        row, part = divmod(picture, PICTURES)
        share, nearest = part / PICTURES, row + (2 * part >= PICTURES)
        hit = rising[rising <= nearest]
        since = (row + share - hit[-1] + 0.5) * WORLD.control_step if len(hit) else np.inf
        here = between(rows[row], rows[min(row + 1, len(rows) - 1)], share)
        seen = None if hits is None else int(counted[nearest])
        yield drawing.moment(here, None, hits=seen, since_hit=since, title=title)


def between(row: np.ndarray, following: np.ndarray, share: float) -> np.ndarray:
    """The row `share` of a control step after `row`."""
    here = row.copy()
    here[-1] += share * (following[-1] - row[-1])
    for ball in (1, 5):
        here[ball : ball + 2] += share * WORLD.control_step * row[ball + 2 : ball + 4]
        here[ball] -= here[-1] - row[-1]
    return here


def animate(robots: dict, path, *, headline: str = "The same launches for all") -> None:
    """Write a GIF with a panel for each robot.

    robots  title -> (rows (steps, len(SERIES)) at 10 Hz, hits (steps,) up to each row or None), all of the same length

    Raises ValueError for no robots, too many or such of different lengths.
    """
    lengths = {len(rows) for rows, _ in robots.values()}
    if not 1 <= len(robots) <= MOST or len(lengths) != 1:
        raise ValueError(f"expected 1 to {MOST} robots with equally many rows, got {len(robots)} with {lengths or 0}")
    films = zip(*(moments(rows, hits, title) for title, (rows, hits) in robots.items()), strict=True)
    times = (number * WORLD.control_step / PICTURES for number in count())
    pictures = (picture(shown, headline, time) for shown, time in zip(films, times, strict=False))
    write_gif(pictures, Path(path), PICTURES * (lengths.pop() - 1) + 1)


def picture(shown, headline: str, time: float) -> Image.Image:
    """The panels of Moments at one time, side by side, below a line of words."""
    pygame, (width, height) = drawing.pygame, PANEL
    size = (len(shown) * (width + GAP) + GAP, TOP + height + GAP)
    surface = pygame.Surface(size, 0, 32)
    surface.fill(drawing.PAPER)
    drawing.write(surface, headline, (GAP + 0.04 * width, TOP / 2 + 4), 16, drawing.GREY)
    drawing.write(surface, f"{time:.1f} s", (size[0] - GAP - 0.04 * width, TOP / 2 + 4), 16, drawing.INK, right=True)
    for place, moment in enumerate(shown):
        left = GAP + place * (width + GAP)
        drawing.draw(surface.subsurface((left, TOP, width, height)), moment)
    return Image.fromarray(drawing.pixels(surface))


def palette() -> Image.Image:
    """The colours of drawing.py and what lies between them, where edges and trails mix them."""
    from studies.dodging_robot.drawing import BALL_COLOURS, BLUE, FLOOR, GREY, INK, PAPER, RED

    on_floor = [(FLOOR, colour, 16) for colour in (*BALL_COLOURS, RED, GREY)] + [(FLOOR, BLUE, 6), (FLOOR, INK, 6)]
    on_paper = [(PAPER, INK, 8), (PAPER, GREY, 6), (PAPER, RED, 6), (PAPER, BLUE, 4)]
    edges = [(colour, INK, 5) for colour in BALL_COLOURS] + [(BLUE, RED, 5), (GREY, INK, 3), (INK, RED, 5)]
    ramps = on_floor + on_paper + edges
    colours = [tuple(drawing.mixed(one, two, share)[:3]) for one, two, n in ramps for share in np.linspace(0, 1, n)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.array(list(dict.fromkeys(colours))).ravel().tolist())
    return image


def write_gif(pictures, path: Path, total: int) -> None:
    """Write `total` pictures as a GIF, whole or not at all."""
    colours = palette()
    frames = (image.quantize(palette=colours, dither=Image.Dither.NONE) for image in told(pictures, total))
    each = round(1000 * WORLD.control_step / PICTURES)
    durations = [each] * (total - 1) + [STAYS]
    temporary = path.with_name(f"unfinished_{path.name}")
    try:
        first = next(frames)
        first.save(temporary, "GIF", save_all=True, append_images=frames, duration=durations, loop=0)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def told(pictures, total: int):
    """The pictures; on stderr every few seconds how many there were."""
    last = monotonic()
    for number, image in enumerate(pictures, start=1):
        if monotonic() - last > TELL:
            last = monotonic()
            print(f"animation.py: picture {number} of {total}", file=sys.stderr, flush=True)
        yield image


def makers(arguments) -> dict:
    """Title -> maker for each robot of the command line. ValueError where there are too many or none."""
    chosen = {TITLES.get(name, name): POLICIES[name] for name in arguments.policies}
    if arguments.model is not None:
        from studies.dodging_robot.learning import load_policy

        chosen["learned"] = load_policy(arguments.model)
    if not 1 <= len(chosen) <= MOST:
        raise ValueError(f"--policies, --model: expected 1 to {MOST} robots, got {len(chosen)}")
    return chosen


def check(arguments) -> None:
    """ValueError names the first bad value."""
    for name, allowed, good in (
        ("seed", "0 or more", arguments.seed >= 0),
        ("seconds", f"up to {MOST_SECONDS:g}", arguments.seconds <= MOST_SECONDS),
        ("output", "a file that ends in .gif", arguments.output.suffix == ".gif"),
        ("output", "a folder that exists", arguments.output.absolute().parent.is_dir()),
    ):
        if not good:
            raise ValueError(f"--{name} {getattr(arguments, name)}: expected {allowed}")


def main(argv=None):
    from sim2seq._support.command import Parser

    parser = Parser(description="Draw several robots that dodge the same balls side by side, as a GIF.")
    parser.add_argument("--policies", nargs="*", choices=list(POLICIES), default=["still", "expert"], help="robots")
    parser.add_argument("--model", metavar="FOLDER", type=Path, help="a learned robot, for the last panel")
    parser.add_argument("--aim", choices=AIMS, default="robot", help="what the balls are aimed at")
    parser.add_argument("--seed", type=int, default=7, help="of the balls: equal seeds, equal balls")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the film")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, required=True, help="GIF to write")
    arguments = parser.parse_args(argv)
    check(arguments)
    same = {"aim": arguments.aim, "seed": arguments.seed, "seconds": arguments.seconds}
    robots = {title: watch(maker, **same) for title, maker in makers(arguments).items()}
    animate(robots, arguments.output, headline=f"The same launches for all, aimed {drawing.AIMED[arguments.aim]}")
    hits = ", ".join(f"{title} {hits[-1]}" for title, (_, hits) in robots.items())
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB; hits: {hits}")


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
