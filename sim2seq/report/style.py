"""Style: what all figures share: colours, their page, words on axes. Nothing here needs a display."""

from __future__ import annotations

from functools import wraps
from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

from sim2seq.report.colours import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
STYLE = {
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


def label(name: str, unit: str) -> str:
    """ "name [unit]", or the name alone where there is no unit; both shown as they are written."""
    return plain(f"{name} [{unit}]" if unit else name)


def plain(text: str) -> str:
    """`text` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")
