"""How a game and a model of it are shown: frames enlarged side by side with words, in a window or as a GIF.

A panel is a title and a picture (height, width, 3), bytes, one dot a pixel of the frame.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from sim2seq.report.colours import BLUE, GREY, ORANGE, SKY

PANEL, FILM = 320, 192  # height of a frame in a window and in a film, in pixels, about
GAP, LINE = 12, 24  # between panels, and of words above and below
PAPER, INK = "#EEF2F5", "#222222"
LACKS, ADDS = ORANGE, SKY  # in a difference: what the model lacks, and what it adds
ADDS_DARK = BLUE  # the second as words on paper
SHADES = 16  # of each colour, in a film
LARGEST = 1_000_000  # bytes of a film
MOST_SECONDS = 120.0  # of a film: its pictures are all held in memory


def difference(true: np.ndarray, made: np.ndarray) -> np.ndarray:
    """(height, width, 3) of two frames of bytes: black where they agree, else in the colours LACKS and ADDS."""
    more = made.astype(float) - true
    amounts = np.stack([np.clip(-more, 0, 255), np.clip(more, 0, 255)], axis=-1) / 255
    return (amounts @ np.array([ImageColor.getrgb(colour) for colour in (LACKS, ADDS)])).astype(np.uint8)


def scale_of(height: int, panel: int = PANEL) -> int:
    """How many times a frame of this height is enlarged."""
    return max(1, panel // height)


def picture(panels: list[tuple[str, np.ndarray]], note: str = "", *, scale: int = 8) -> Image.Image:
    """Panels side by side, their titles above, a line of words below."""
    height, width = (scale * side for side in panels[0][1].shape[:2])
    size = (len(panels) * (width + GAP) + GAP, height + 2 * LINE)
    canvas = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(canvas)
    for number, (title, dots) in enumerate(panels):
        left = GAP + number * (width + GAP)
        canvas.paste(Image.fromarray(dots).resize((width, height), Image.Resampling.NEAREST), (left, LINE))
        pen.text((left, LINE / 2), title, INK, font(), anchor="lm")
    pen.text((GAP, size[1] - LINE / 2), note, GREY, font(), anchor="lm")
    return canvas


@cache
def font() -> ImageFont.FreeTypeFont:
    """matplotlib's own font: the machine's fonts differ, and there may be none."""
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 13)


def palette(colours: np.ndarray) -> Image.Image:
    """What a film is made of: these colours of a world (256, 3), those of differences, and words."""

    def ramp(one: str, other: str) -> np.ndarray:
        return np.linspace(*(ImageColor.getrgb(colour) for colour in (one, other)), SHADES)

    parts = [colours[:: 256 // (2 * SHADES)], colours[-1:], colours[150:151]]
    parts += [ramp("#000000", LACKS), ramp("#000000", ADDS), ramp(PAPER, INK), ramp(PAPER, GREY)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.unique(np.concatenate(parts).astype(np.uint8), axis=0).ravel().tolist())
    return image


def write_film(pictures, path, *, speed: float, colours: np.ndarray) -> int:
    """Write a GIF of pictures, `speed` a second, whole or not at all; its bytes.

    One of more than 1 MB gets fewer pictures. Raises ValueError for no pictures.
    """
    path, used = Path(path), palette(colours)
    shown = [image.quantize(palette=used, dither=Image.Dither.NONE) for image in pictures]
    if not shown:
        raise ValueError(f"{path}: expected pictures for a film, got none")
    seconds, temporary = len(shown) / speed, path.with_name(f"unfinished_{path.name}")
    while save(temporary, shown, 1000 * seconds / len(shown)) > LARGEST and len(shown) > 2:
        shown = [*shown[:-1:2], shown[-1]]
    os.replace(temporary, path)
    return path.stat().st_size


def save(path: Path, shown: list[Image.Image], each: float) -> int:
    """Save pictures that last `each` ms as a GIF; its bytes."""
    shown[0].save(path, "GIF", save_all=True, append_images=shown[1:], duration=round(each), loop=0)
    return path.stat().st_size


def stacked(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one width, one below the other."""
    whole = Image.new("RGB", (pictures[0].width, sum(each.height for each in pictures)), PAPER)
    top = 0
    for each in pictures:
        whole.paste(each, (0, top))
        top += each.height
    return whole


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Pictures side by side, their upper edges level."""
    whole = Image.new("RGB", (sum(each.width for each in pictures), max(each.height for each in pictures)), PAPER)
    left = 0
    for each in pictures:
        whole.paste(each, (left, 0))
        left += each.width
    return whole


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    temporary = path.with_name(f"unfinished_{path.name}")
    image.save(temporary, "PNG", optimize=True)
    os.replace(temporary, path)


def check_output(output: Path, ending: str, *, replace: bool, why: str = "") -> None:
    """Raise ValueError, in one line that begins with `why`, for a file that must not be written."""
    for allowed, good in (
        (f"a name that ends in {ending}", output.suffix == ending),
        ("a folder that exists", output.absolute().parent.is_dir()),
        ("a file to write; it is a folder", not output.is_dir()),
        ("a new file; --replace overwrites it", replace or not output.exists()),
    ):
        if not good:
            raise ValueError(f"{why}{output}: expected {allowed}")


def window_or_file(output: Path | None, alone: str, *, replace: bool):
    """pygame, to open a window, and None; or None and the file to write: `output`, or `alone` where no window opens.

    Raises ValueError, in one line, for a file that must not be written.
    """
    pygame = None if output else pygame_or_none()
    if pygame:
        return pygame, None
    why = "" if output else f"{no_window()}: "
    check_output(output or Path(alone), Path(alone).suffix, replace=replace, why=why)
    return None, output or Path(alone)


def pygame_or_none():
    """pygame, if it is installed and there is a display to open a window on; otherwise None."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # pygame greets on stdout
    try:
        import pygame

        pygame.display.init()
    except ImportError:
        return None
    except pygame.error:
        return None
    if pygame.display.get_driver() in ("offscreen", "dummy"):  # what SDL falls back to, without a word
        pygame.display.quit()
        return None
    return pygame


def no_window() -> str:
    """Why there is none, where pygame_or_none gives None."""
    return "no display" if find_spec("pygame") else "pygame is not installed"


class Window:
    """A window that shows pictures."""

    def __init__(self, pygame, title: str):
        self.pygame, self.clock, self.surface = pygame, pygame.time.Clock(), None
        pygame.display.set_caption(title)

    def show(self, image: Image.Image, speed: float) -> None:
        """Show a picture, and wait until it is time for the next, `speed` a second."""
        if self.surface is None or self.surface.get_size() != image.size:
            self.surface = self.pygame.display.set_mode(image.size)
        self.surface.blit(self.pygame.image.frombuffer(image.tobytes(), image.size, "RGB"), (0, 0))
        self.pygame.display.flip()
        self.clock.tick(speed)
