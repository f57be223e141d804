"""Style: what all figures share: colours, their page, words on axes, what of much is shown. Nothing needs a display."""

from __future__ import annotations

from functools import wraps
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from sim2seq.report.colours import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
MOST_FEATURES = 9  # rows of a figure, columns of a table
MOST_EDGES = 1000  # steps of an area: it is kept point by point, where a line is simplified
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
}


def styled(draw):
    """Draw with this module's style, and leave the user's style alone."""

    @wraps(draw)
    def draw_styled(*args, **options):
        with rc_context(STYLE):
            return draw(*args, **options)

    return draw_styled


class Picture(Figure):
    """A Figure that Jupyter shows by itself, whatever plotting backend is or is not set up."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def grid(rows: int, columns: int, *, width: float = 9.0, height: float = 2.0, **options):
    """A new Figure and its axes (rows, columns); `height` is that of one row, in inches."""
    figure = Picture(figsize=(width, height * rows + 0.4), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def legend_above(figure: Figure, handles, labels) -> None:
    """One legend above all axes: in one row, or in as many columns as the longest of its labels leaves room for."""
    widths = [0.6 + 0.08 * len(text) for text in labels]  # inches: the mark, and a letter of the style's size
    room = figure.get_figwidth()
    columns = len(widths) if sum(widths) <= room else int(room / max(widths))
    figure.legend(handles, labels, loc="outside upper center", ncols=max(1, columns))


def label(name: str, unit: str) -> str:
    """ "name [unit]", or the name alone where there is no unit; both shown as they are written."""
    return plain(f"{name} [{unit}]" if unit else name)


def with_unit(text: str, unit: str | None) -> str:
    """ "text unit", or the text alone where there is no unit."""
    return f"{text} {unit}" if unit else text


def plain(text: str) -> str:
    """`text` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the places of `count`, evenly from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def area(axis, x, low, high, **options) -> None:
    """The area between two lines; of more than MOST_EDGES places some, evenly."""
    places = spread(len(x), MOST_EDGES)
    axis.fill_between(x[places], low[places], high[places], lw=0, **options)


def by_error(errors: dict[str, float], *, most: int = MOST_FEATURES) -> list[str]:
    """Names to show: all, or of more than `most` the worst, the median, the best, and evenly between.

    Some of many are in the order of their error, the largest first, or one that is no number.
    """
    if len(errors) <= most:
        return list(errors)
    worst_first = sorted(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf), reverse=True)
    return [worst_first[place] for place in spread(len(errors), most)]


def turn_off(axes, used: int) -> None:
    """Leave the places of a grid empty from `used` on."""
    for axis in list(axes.flat)[used:]:
        axis.set_axis_off()
