"""Curves of learning as other programs keep them: one run's as JSON, as far as it has come, or many whole ones as CSV.

    {"epochs": [10, 50, 100], "mqe": [0.5, 0.3, 0.25], "topographic_error": [...], "dead_neuron_ratio": [...]}

    uid,final_mqe,final_topographic_error,final_dead_neuron_ratio,training_history

The CSV has a line a run; `training_history` is the JSON of its curves, every `final_NAME` what came of it. These are
the formats of the oracle's source (studies/oracle/README.md); names other than its own may stand in their places.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from sim2seq._support.command import plain
from sim2seq._support.files import read_json
from sim2seq.data.ensemble import Ensemble

EPOCHS, HISTORY, FINAL = "epochs", "training_history", "final_"
SHARES = ("topographic_error", "topo_error", "dead_neuron_ratio", "dead_ratio", "progress", "work")  # from 0 to 1
COUNTS = (EPOCHS, "mqe", "learning_rate", "radius")  # from 0 on: a distance, too, is never below
SAME = (("topographic_error", "topo_error"), ("dead_neuron_ratio", "dead_ratio"))  # the source has both
LONGEST = 10_000_000  # characters of one history


def read_sequence(path) -> dict[str, np.ndarray]:
    """The curves in a JSON file, name -> (checkpoints,). Raises ValueError, in one line, as `curves_of` does."""
    return curves_of(read_json(Path(path)), str(path))


def curves_of(content, where: str) -> dict[str, np.ndarray]:
    """The lists of numbers in `content`, name -> (checkpoints,), epochs among them where they are given.

    Raises ValueError, in one line that begins with `where`, for no curve, unequal lengths, what is no finite number,
    epochs that do not increase, a share outside 0 to 1, and a distance or another of COUNTS below 0.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where}: expected names with lists of numbers, got {type(content).__name__}")
    found = {
        plain(name, 80): numbers(values, plain(name, 80), where)
        for name, values in content.items()
        if isinstance(values, list)
    }
    if not set(found) - {EPOCHS}:
        raise ValueError(f"{where}: expected at least one list of numbers beside {EPOCHS}")
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"{where}: expected lists of one length, got {said}")
    if EPOCHS in found and not (np.diff(found[EPOCHS]) > 0).all():
        raise ValueError(f"{where}: {EPOCHS}: expected them to increase from each checkpoint to the next")
    return found


def numbers(values: list, name: str, where: str) -> np.ndarray:
    """The list of a curve as numbers that it can have (checkpoints,); or ValueError."""
    if not values or not all(type(each) in (int, float) for each in values):
        raise ValueError(f"{where}: {name}: expected a list of one number or more")
    try:
        found = np.array(values, dtype=float)
    except OverflowError:
        raise ValueError(f"{where}: {name}: expected finite numbers, got one of hundreds of digits") from None
    for place, each in enumerate(found.tolist(), start=1):
        if wrong := impossible(name, each):
            raise ValueError(f"{where}: {name}: checkpoint {place}: {wrong}")
    return found


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest number that a curve of this name, or the end of one, can have."""
    return 0.0 if name in SHARES + COUNTS else -np.inf, 1.0 if name in SHARES else np.inf


def impossible(name: str, value: float) -> str:
    """Why a curve of this name cannot have a value; "" where it can."""
    least, most = limits(name)
    if not np.isfinite(value):
        return f"expected a finite number, got {value}"
    if not least <= value <= most:
        expected = "a share from 0 to 1" if name in SHARES else "0 or more"
        return f"expected {expected}, got {value:g}"
    return ""


def as_series(curves: dict[str, np.ndarray], features) -> np.ndarray:
    """The curves of these names, in this order, (checkpoints, features). Raises ValueError for one that is missing."""
    names = {name: next((each for each in (name, *others(name)) if each in curves), "") for name in features}
    if missing := [name for name, found in names.items() if not found]:
        raise ValueError(f"expected curves of {', '.join(features)}; missing {', '.join(missing)}")
    return np.stack([curves[found] for found in names.values()], axis=1)


def others(name: str) -> list[str]:
    """Other names of the same curve."""
    return [other for pair in SAME if name in pair for other in pair if other != name]


def read_curves(path) -> Ensemble:
    """The runs of a CSV file of curves: features are the curves, epochs first; results NAME_final.

    Runs may differ in length. Run ids are the numbers of the lines, since the source has some ids twice. Raises
    ValueError, in one line, for a file without such lines, and as `curves_of` for each of them and for its ends.
    """
    rows = list(lines_of(path))
    if not rows:
        raise ValueError(f"{path}: expected a line a run; got none")
    curves = [history(row[HISTORY], f"{path}: line {line}") for line, row in enumerate(rows, start=2)]
    names = tuple(sorted(curves[0], key=lambda name: name != EPOCHS))
    for line, each in enumerate(curves, start=2):
        if set(each) != set(names):
            raise ValueError(f"{path}: line {line}: expected curves of {', '.join(names)}; got {', '.join(each)}")
    lengths = np.array([len(each[names[0]]) for each in curves])
    values = np.full((len(rows), lengths.max(), len(names)), np.nan)
    for place, each in enumerate(curves):
        values[place, : lengths[place]] = np.stack([each[name] for name in names], axis=1)
    finals = [name for name in rows[0] if name.startswith(FINAL)]
    results = {f"{name.removeprefix(FINAL)}_final": column(rows, name, path) for name in finals}
    ids = tuple(f"curve_{place}" for place in range(1, len(rows) + 1))
    checkpoints = np.arange(1, values.shape[1] + 1)
    return Ensemble(values, ids, names, checkpoints, results=results, lengths=lengths, step_unit="")


def lines_of(path):
    """The lines of a CSV file of curves, column -> text. Raises ValueError where it is none."""
    csv.field_size_limit(LONGEST)
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            columns = reader.fieldnames or []
            if HISTORY not in columns or not any(name.startswith(FINAL) for name in columns):
                raise ValueError(
                    f"{path}: expected columns {HISTORY} and {FINAL}NAME; got {plain(', '.join(columns), 200)}"
                )
            for row in reader:
                if None in row:  # cells without a name
                    raise ValueError(
                        f"{path}: line {reader.line_num}: expected {len(columns)} cells as in the first line"
                    )
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: expected a CSV file ({plain(error, 200)})") from None


def history(text, where: str) -> dict[str, np.ndarray]:
    try:
        return curves_of(json.loads(text or ""), f"{where}: {HISTORY}")
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{where}: {HISTORY}: expected JSON ({plain(error, 200)})") from None


def column(rows: list[dict], name: str, path) -> np.ndarray:
    """The numbers in a column of ends, (runs,). Raises ValueError for one that its curve cannot have."""
    found = np.empty(len(rows))
    for line, row in enumerate(rows, start=2):
        try:
            found[line - 2] = float(row[name])
        except (TypeError, ValueError):
            found[line - 2] = np.nan
        if wrong := impossible(name.removeprefix(FINAL), found[line - 2]):
            said = wrong if np.isfinite(found[line - 2]) else f"expected a finite number, got {plain(row[name], 40)!r}"
            raise ValueError(f"{path}: line {line}: {name}: {said}")
    return found
