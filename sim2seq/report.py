"""Report: one self-contained HTML page that says how far the model of a study can be trusted."""

from __future__ import annotations

import base64
import io
from collections import Counter
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import jinja2
import numpy as np
from matplotlib import rc_context

from sim2seq.ensemble import Ensemble
from sim2seq.figures import draw_all, is_varying
from sim2seq.files import write_text
from sim2seq.training import Training, load
from sim2seq.windows import PARTS

CAPTIONS = {
    "input_ranges": "What was varied: how often each value of each input occurs in the ensemble.",
    "sample_trajectories": "Sample trajectories. Grey: the range of all runs at each step.",
    "split_example": "The split: one run of each part, over the steps that belong to that part.",
    "learning_curve": "Learning curve. The weights of the epoch with the lowest validation loss are kept.",
    "closed_loop": "Closed loop: the model sees only the shaded window of true values, then is fed its own forecasts. "
    "In each column the run whose error is the median of its part.",
    "error_by_horizon": "Error by horizon on the test runs, all free-running from the same window. Lower is better.",
}


def write_report(path, ensemble: Ensemble, training: Training | str | Path, completeness=None, *, title=None) -> Path:
    """Write the report of a finished training to `path` and return it as a Path.

    training      a Training or its folder
    completeness  {"expected": int, "stored": int, "missing": [run ids], "allowed": share of runs that may fail},
                  or None when nobody counted
    """
    training = training if isinstance(training, Training) else load(training)
    drawn = draw_all(ensemble, training.model, training.split, training.history, training.scores)
    page = template().render(
        title=title or "sim2seq: study report",
        verdict=verdict(training.scores),
        by_run=training.settings.split == "by_run",
        facts=facts(ensemble, training),
        inputs=input_table(ensemble),
        correlation=largest_correlation(ensemble),
        completeness=completeness,
        figures={name: {"image": embed(figure), "caption": CAPTIONS[name]} for name, figure in drawn.items()},
        scores=score_table(training.scores),
        parts=part_table(training),
        features=training.scores["features"],
        unit=common_unit(training.scores["units"]),
        settings=asdict(training.settings),
        versions=training.versions,
    )
    write_text(Path(path), page)
    return Path(path)


def template() -> jinja2.Template:
    """The page, with every value escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    return environment.get_template("report.html.j2")


def verdict(scores: dict) -> dict:
    """What the first lines say: whether the model beats its best baseline, and by how much."""
    model, best = scores["closed_loop"]["test"]["rmse"], scores["best_baseline"]
    baseline = scores["baselines"]["closed_loop"][best]["rmse"]
    below = [name for name, result in scores["baselines"]["closed_loop"].items() if not model < result["rmse"]]
    return {
        "beats": bool(scores["skill"] > 0),  # a skill that is no number is no success either
        "skill": scores["skill"],
        "model": model,
        "best": best,
        "baseline": baseline,
        "better": below,
        "count": len(scores["baselines"]["closed_loop"]),
        "steps": len(scores["closed_loop"]["test"]["by_horizon"]),
        "window": scores["window"],
        "runs": scores["runs"]["test"],
    }


def facts(ensemble: Ensemble, training: Training) -> dict[str, str]:
    """The ensemble in a few short lines, name -> text."""
    first, last = ensemble.times[0], ensemble.times[-1]
    sizes = training.scores["runs"]
    return {
        "runs": str(ensemble.runs),
        "steps in each": f"{ensemble.steps} ({first:g} to {last:g} {ensemble.time_unit})",
        "features": ", ".join(ensemble.features),
        "inputs that vary": str(sum(is_varying(column) for column in ensemble.inputs.values())),
        "split": f"{training.settings.split}: " + " / ".join(str(sizes[part]) for part in PARTS) + " runs",
        "trained": f"{len(training.history['loss'])} of at most {training.settings.epochs} epochs",
    }


def input_table(ensemble: Ensemble) -> list[tuple[str, str, str]]:
    """Each input with its range, or its one value: (name, kind, text). Texts are counted."""
    return [(name, *describe(np.asarray(column))) for name, column in ensemble.inputs.items()]


def describe(column: np.ndarray) -> tuple[str, str]:
    """What one input's values are: ("varies", range) or ("fixed", value)."""
    if is_varying(column):
        return "varies", f"{number(column.min())} to {number(column.max())}"
    counts = Counter(column.tolist())
    if len(counts) > 1:
        return "varies", f"{len(counts)} different values"
    return "fixed", number(column[0]) if column.dtype.kind in "iuf" else str(column[0])


def largest_correlation(ensemble: Ensemble) -> dict | None:
    """The two inputs that move together most, with their correlation; None with fewer than two inputs or three runs."""
    varying = {name: np.asarray(c, dtype=float) for name, c in ensemble.inputs.items() if is_varying(c)}
    if len(varying) < 2 or ensemble.runs < 3:
        return None
    pairs = {pair: float(np.corrcoef(varying[pair[0]], varying[pair[1]])[0, 1]) for pair in combinations(varying, 2)}
    pair = max(pairs, key=lambda names: abs(pairs[names]))
    return {"names": pair, "value": pairs[pair]}


def score_table(scores: dict) -> list[dict]:
    """A row for the model and for each baseline on the test runs, the best closed loop first."""
    model = {"name": "model", "closed": scores["closed_loop"]["test"], "one_step": scores["one_step"]["test"]["rmse"]}
    one_step = scores["baselines"]["one_step"]
    naive = [
        {"name": name, "closed": closed, "one_step": one_step[name]["rmse"] if name in one_step else None}
        for name, closed in scores["baselines"]["closed_loop"].items()
    ]
    return sorted([model, *naive], key=lambda row: np.nan_to_num(row["closed"]["rmse"], nan=np.inf))


def part_table(training: Training) -> list[dict]:
    """A row for each part of the split: how the model does on it."""
    scores = training.scores
    return [
        {
            "name": part,
            "runs": scores["runs"][part],
            "closed": scores["closed_loop"][part]["rmse"],
            "one_step": scores["one_step"][part]["rmse"],
        }
        for part in PARTS
    ]


def common_unit(units) -> str:
    """The unit that all features share, or ""."""
    return units[0] if len(set(units)) == 1 else ""


def number(value) -> str:
    """A number as people write it: three digits that count, a true minus sign; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", "−")


def embed(figure) -> str:
    """A figure as a data URI (SVG, transparent), so that the page needs no other file; equal figures, equal bytes."""
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "sim2seq"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
