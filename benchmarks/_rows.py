"""The rows that every benchmark prints and writes: one measured number beside its goal."""

from __future__ import annotations

import json
import math
from pathlib import Path

from sim2seq._support.files import read_json


def row(name, measured, goal, better, unit, reference=None) -> dict:
    """One result as a dict; `better` is "lower" or "higher", `reference` the plain way measured in the same run."""
    if better not in ("lower", "higher"):
        raise ValueError(f'better: expected "lower" or "higher", got {better!r}')
    return {
        "name": name,
        "measured": number(measured),
        "goal": number(goal),
        "better": better,
        "unit": unit,
        "reference": number(reference),
    }


def number(value) -> float | None:
    """`value` as a plain float that JSON can hold; None stays None, and nan, of what there is nothing of, is None."""
    return None if value is None or math.isnan(value) else float(value)


def publish(rows, json_path=None) -> None:
    """Print the rows as a table and, where a path is given, write them there as a JSON list."""
    print(table(rows))
    if json_path is not None:
        Path(json_path).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def kept(path: Path | None, setup: dict, instead: str = "another file or --again") -> dict:
    """What an earlier run with the same setup left in `path`. Raises ValueError for a file of another one.

    instead   what to take then
    """
    if path is None or not path.exists():
        return {}
    content = read_json(path)
    held = content.get("setup") if isinstance(content, dict) else None
    if held != setup:
        raise ValueError(f"{path}: expected results with {setup}; got those with {held}, take {instead}")
    return content


def table(rows) -> str:
    """The rows as text: a column each for name, measured, reference, ratio, goal, whether it is met."""
    lines = [("what", "measured", "reference", "ratio", "goal", "met", "unit")]
    lines += [
        (r["name"], short(r["measured"]), short(r["reference"]), ratio(r), short(r["goal"]), met(r), r["unit"])
        for r in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def short(value) -> str:
    """A number in four significant digits; a dash for None."""
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def ratio(result) -> str:
    """How many times better than the reference: above 1 is better, whichever direction counts."""
    measured, reference = result["measured"], result["reference"]
    if not measured or not reference:
        return "-"
    return f"{reference / measured if result['better'] == 'lower' else measured / reference:.3g}x"


def met(result) -> str:
    """ "yes" or "no" where there is a goal and a measurement, else a dash."""
    measured, goal = result["measured"], result["goal"]
    if measured is None or goal is None:
        return "-"
    return "yes" if (measured <= goal if result["better"] == "lower" else measured >= goal) else "no"
