"""Page: what every report is made with: one HTML page that needs no other file, and numbers as people write them."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import jinja2
from matplotlib import rc_context

SVG: dict[Any, Any] = {
    "svg.hashsalt": "sim2seq",  # equal figures, equal bytes
    "path.simplify_threshold": 0.5,  # points: noisy lines take half of the room
}


def template(name: str, *folders) -> jinja2.Template:
    """The template `name`, looked for in `folders` and beside this file, with every value escaped.

    It extends page.html.j2 and may import shared.html.j2.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    environment.filters["skill"] = skill_text
    return environment.get_template(name)


def skill_text(value: float) -> str:
    """A skill as people write it; one that is nearly 1 with as many digits as tell it from 1."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "−∞" if value < 0 else "∞"
    missing = 1 - value
    digits = 3 if missing <= 0 or missing > 0.005 else 1 - math.floor(math.log10(missing))
    return f"{value:.{digits}g}".replace("-", "−")


def interval_text(scores) -> str:
    """The interval of the skill, or that one test run has none; "" where it has no width for other reasons."""
    low, high = scores.skill_interval
    if low < high:
        return f"95 %: {skill_text(low)} to {skill_text(high)}"
    return "one test run: no interval" if scores.scored_runs["test"] == 1 else ""


def number(value) -> str:
    """A number as people write it: three digits that count, a true minus sign; a dash for None, a text as it is."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", "−")


def embed(figure) -> str:
    """A figure as a data URI (SVG, transparent), so that the page needs no other file; equal figures, equal bytes."""
    buffer = io.BytesIO()
    with rc_context(SVG):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return data_uri(buffer.getvalue(), "image/svg+xml")


def data_uri(content: bytes, kind: str) -> str:
    """The content of a file of this kind, such as image/gif, as an address that holds it."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")
