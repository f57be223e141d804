"""Sliders: the numbers of a hidden state (hidden.Unit) as lines below a picture, which the mouse moves."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from studies.pong import viewing

SLIDER, TITLE = 26, 150  # height of a slider, and width of the words beside it


class Sliders:
    """Sliders below panels: where they are drawn, and which one the mouse has hold of."""

    def __init__(self, units: list, own: np.ndarray, top: int, width: int):
        self.units, self.own, self.values, self.top = units, own, own.copy(), top
        self.left, self.right, self.dragged = TITLE, width - TITLE, None

    def take(self, place: tuple[int, int]) -> None:
        """The mouse was pressed at this place of the window."""
        number = (place[1] - self.top) // SLIDER
        self.dragged = number if 0 <= number < len(self.units) else None
        self.drag(place)

    def drag(self, place: tuple[int, int]) -> None:
        if self.dragged is not None:
            unit, share = self.units[self.dragged], (place[0] - self.left) / (self.right - self.left)
            self.values[self.dragged] = unit.low + min(1.0, max(0.0, share)) * (unit.high - unit.low)

    def place(self, number: int, value: float) -> float:
        unit = self.units[number]
        share = min(1.0, max(0.0, (value - unit.low) / (unit.high - unit.low)))
        return self.left + share * (self.right - self.left)

    def draw(self, above: Image.Image) -> Image.Image:
        """The picture with the sliders below it."""
        height = self.top + SLIDER * len(self.units)
        whole = Image.new("RGB", (above.width, height), viewing.PAPER)
        whole.paste(above, (0, 0))
        pen = ImageDraw.Draw(whole)
        for number, unit in enumerate(self.units):
            middle = self.top + SLIDER * (number + 0.5)
            own, now = self.place(number, self.own[number]), self.place(number, self.values[number])
            pen.text(
                (viewing.GAP, middle), f"{unit.name}  {unit.words(unit.low)}", viewing.INK, viewing.font(), anchor="lm"
            )
            pen.text(
                (self.right + viewing.GAP, middle), unit.words(unit.high), viewing.INK, viewing.font(), anchor="lm"
            )
            pen.text((above.width - viewing.GAP, middle), unit.words(self.values[number]), viewing.ADDS_DARK,
                     viewing.font(), anchor="rm")  # fmt: skip
            pen.line([self.left, middle, self.right, middle], viewing.GREY, 2)
            pen.line([own, middle - 7, own, middle + 7], viewing.INK, 2)
            pen.ellipse([now - 7, middle - 7, now + 7, middle + 7], viewing.ADDS_DARK)
        return whole
