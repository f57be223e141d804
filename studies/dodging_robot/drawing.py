"""The dodging robot seen from above, drawn with pygame; `draw` needs no display.

Balls have their true size. The robot is a point for them (World.robot_radius): it is hit when a ball's disc reaches the
white dot in its middle.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # pygame greets on stdout
import pygame

from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, RED
from studies.dodging_robot.world import BALLS, SERIES, WORLD, World

WINDOW = (420, 720)  # pixels
SHARP = 2  # everything but text is drawn this many times larger, then scaled down
SIDE, BELOW, ABOVE = 0.55, 0.65, 0.35  # m that are shown beside and below the track, and above the launch
HEADER = 0.105  # share of the height
PAPER, FLOOR, INK = "#FFFFFF", "#EEF2F5", "#222222"
BALL_COLOURS = (ORANGE, GREEN)
ROBOT_DISC = 0.1  # m
TRAIL, TRAIL_PARTS = 0.32, 14  # s, and in how many parts it fades
FLASH = 0.6  # s
ARROW = 0.3  # m for 1 m/s


@dataclass(frozen=True)
class Moment:
    """What one picture shows: robot_x in m, command in m/s, balls (BALLS, 4) relative to the robot, SI units.

    time       seconds; None: not shown
    present    (BALLS,) which balls are there
    hits       up to now; None: not counted
    since_hit  seconds since the last one
    note       a line below the track, in the place of where the balls are aimed
    """

    robot_x: float
    command: float
    balls: np.ndarray
    present: tuple[bool, ...] = (True,) * BALLS
    time: float | None = None
    hits: int | None = 0
    since_hit: float = np.inf
    title: str = ""
    note: str = ""


def moment(row: np.ndarray, **shown) -> Moment:
    """The Moment of a row (len(SERIES),); further fields as in Moment."""
    columns = dict(zip(SERIES, row, strict=True))
    balls = np.array(row[1 : 1 + 4 * BALLS]).reshape(BALLS, 4)
    present = tuple(columns[f"present_{ball}"] > 0 for ball in range(1, BALLS + 1))
    return Moment(columns["robot_x"], columns["command"], balls, present, **shown)


def draw(surface: pygame.Surface, shown: Moment, world: World = WORLD) -> None:
    """Draw a moment over the whole surface, which keeps its size."""
    width, height = surface.get_size()
    header = round(HEADER * height)
    field = pygame.Surface((SHARP * width, SHARP * (height - header)), 0, 32)
    draw_field(field, shown, world)
    surface.fill(PAPER)
    surface.blit(pygame.transform.smoothscale(field, (width, height - header)), (0, header))
    write_words(surface, shown, header)


@dataclass(frozen=True)
class View:
    """Where a place in m is on a surface: robot's line at `line` pixels from the top, `scale` pixels a metre."""

    middle: float
    line: float
    scale: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.middle + self.scale * x, self.line - self.scale * y


def view_of(surface: pygame.Surface, world: World) -> View:
    """The largest view of the world that fits."""
    width, height = surface.get_size()
    tall = world.launch_y + ABOVE + BELOW
    scale = min(width / (2 * (max(world.track, world.launch_x) + SIDE)), height / tall)
    return View(width / 2, height / 2 + scale * (tall / 2 - BELOW), scale)


def draw_field(field: pygame.Surface, shown: Moment, world: World) -> None:
    """Everything but the words."""
    view, flash = view_of(field, world), flash_of(shown)
    field.fill(FLOOR)
    draw_track(field, view, world)
    here = [ball for ball, there in zip(range(BALLS), shown.present, strict=True) if there]
    for ball in here:
        draw_trail(field, view, shown.balls[ball], shown.robot_x, BALL_COLOURS[ball], world)
    for ball in here:
        draw_ball(field, view, shown.balls[ball], shown.robot_x, BALL_COLOURS[ball], world)
    draw_robot(field, view, shown, flash, world)
    if flash > 0:
        pygame.draw.rect(field, mixed(FLOOR, RED, flash), field.get_rect(), width=round(0.035 * view.scale))


def flash_of(shown: Moment) -> float:
    """From 1 at a hit to 0."""
    return max(0.0, 1 - shown.since_hit / FLASH)


def draw_track(field, view: View, world: World) -> None:
    """The robot's line with its ends and a tick every half metre, and the line that balls are launched from."""
    thin = max(1, round(0.012 * view.scale))
    pale = mixed(FLOOR, GREY, 0.55)
    for tick in np.arange(-world.track, world.track + 0.01, 0.5):
        end = abs(abs(tick) - world.track) < 0.01
        long = 0.14 if end else 0.05
        pygame.draw.line(field, GREY if end else pale, view.at(tick, -long), view.at(tick, long), thin * (1 + 2 * end))
    pygame.draw.line(field, GREY, view.at(-world.track, 0), view.at(world.track, 0), 2 * thin)
    for dash in np.arange(-world.launch_x, world.launch_x - 0.01, 0.12):
        pygame.draw.line(field, pale, view.at(dash, world.launch_y), view.at(dash + 0.06, world.launch_y), thin)


def draw_trail(field, view: View, ball, robot_x: float, colour: str, world: World) -> None:
    """Where a ball was in the last TRAIL seconds, as a tail that gets thinner and paler; none before its launch."""
    x, y, vx, vy = ball
    ago = min(TRAIL, max(0.0, (world.launch_y - y) / -vy)) if vy < 0 else TRAIL
    across = np.array([-vy, vx]) / max(np.hypot(vx, vy), 1e-9) * world.ball_radius * 0.92

    def edge(share: float) -> list:
        back = np.array([robot_x + x - vx * ago * share, y - vy * ago * share])
        return [view.at(*(back + side * across * (1 - share))) for side in (-1, 1)]

    for part in reversed(range(TRAIL_PARTS)):
        near, far = edge(part / TRAIL_PARTS), edge((part + 1) / TRAIL_PARTS)
        pygame.draw.polygon(field, mixed(FLOOR, colour, 0.6 * (1 - part / TRAIL_PARTS)), [*near, *reversed(far)])


def draw_ball(field, view: View, ball, robot_x: float, colour: str, world: World) -> None:
    centre, radius = view.at(robot_x + ball[0], ball[1]), world.ball_radius * view.scale
    pygame.draw.circle(field, mixed(colour, INK, 0.35), centre, radius)
    pygame.draw.circle(field, colour, centre, radius - max(1, 0.018 * view.scale))


def draw_robot(field, view: View, shown: Moment, flash: float, world: World) -> None:
    """A disc with a dot in its middle and an arrow for the command; red, with a ring that grows, after a hit."""
    centre, radius = view.at(shown.robot_x, 0), max(world.robot_radius, ROBOT_DISC) * view.scale
    colour = mixed(BLUE, RED, min(1.0, 2 * flash))
    if flash > 0:
        ring = radius + (1 - flash) * 0.5 * view.scale
        pygame.draw.circle(field, mixed(FLOOR, RED, flash), centre, ring, max(2, round(0.05 * view.scale * flash)))
    draw_arrow(field, centre, shown.command * ARROW * view.scale, radius, colour)
    pygame.draw.circle(field, PAPER, centre, radius + 0.02 * view.scale)
    pygame.draw.circle(field, colour, centre, radius)
    pygame.draw.circle(field, PAPER, centre, radius / 3)


def draw_arrow(field, start, length: float, radius: float, colour) -> None:
    """An arrow to the right, to the left where `length` is negative, none where it would be inside of the robot."""
    if abs(length) < 0.5 * radius:
        return
    x, y = start
    way, thick = np.sign(length), 0.45 * radius
    neck = x + length + way * radius
    pygame.draw.rect(field, colour, pygame.Rect(min(x, neck), y - thick / 2, abs(neck - x), thick))
    tip = neck + way * 1.5 * radius
    pygame.draw.polygon(field, colour, [(neck, y - 0.95 * radius), (neck, y + 0.95 * radius), (tip, y)])


def write_words(surface: pygame.Surface, shown: Moment, header: int) -> None:
    """The title and the hits above the field, time and note in it."""
    width, height = surface.get_size()
    size, edge = round(0.4 * header), round(0.04 * width)
    write(surface, shown.title, (edge, header / 2), size, INK, bold=True)
    if shown.hits is not None:
        colour = mixed(INK, RED, 0.6 + 0.4 * flash_of(shown)) if shown.hits else INK
        left = write(surface, f"{shown.hits}", (width - edge, header / 2), round(1.6 * size), colour, right=True)
        write(surface, "hits", (left - size / 3, header / 2), size, GREY, right=True)
    foot = height - 0.7 * size
    if shown.time is not None:
        write(surface, f"{shown.time:.1f} s", (width - edge, foot), round(0.62 * size), INK, right=True)
    write(surface, shown.note, (edge, foot), round(0.62 * size), GREY)


def write(surface, words: str, place, size: int, colour, *, bold=False, right=False) -> float:
    """Write words whose left (or right) end is at `place`, centred upwards and downwards; returns the other end."""
    text = font(size, bold).render(words, True, colour)
    x, y = place
    left = x - text.get_width() if right else x
    surface.blit(text, (round(left), round(y - text.get_height() / 2)))
    return left if right else left + text.get_width()


@cache
def font(size: int, bold: bool) -> pygame.font.Font:
    """matplotlib's own font: the machine's fonts differ, and there may be none."""
    from matplotlib import get_data_path

    pygame.font.init()
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return pygame.font.Font(str(Path(get_data_path(), "fonts", "ttf", name)), size)


def mixed(one, other, share: float) -> pygame.Color:
    """The colour that is `share` of the way from one to the other."""
    return pygame.Color(one).lerp(pygame.Color(other), min(1.0, max(0.0, share)))


def pixels(surface: pygame.Surface) -> np.ndarray:
    """(height, width, 3), 8 bits a colour."""
    return np.transpose(pygame.surfarray.array3d(surface), (1, 0, 2)).copy()


def open_window(title: str) -> pygame.Surface:
    """Open a window; OSError where there is no display."""
    try:
        pygame.display.init()
        hidden = pygame.display.get_driver() in ("offscreen", "dummy")  # what SDL falls back to, without a word
        if hidden and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("SDL found none")
        pygame.display.set_caption(title)
        return pygame.display.set_mode(WINDOW)
    except pygame.error as error:
        pygame.display.quit()
        raise OSError(f"expected a display to open a window on ({error})") from error
