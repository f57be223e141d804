"""Report: one self-contained HTML page that says how far the model of a study can be trusted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np

from sim2seq._support.files import write_text
from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.windows import PARTS
from sim2seq.evaluation.scores import skill
from sim2seq.report.figures import draw_all
from sim2seq.report.page import embed, number, template
from sim2seq.training.training import Training, load

CAPTIONS = {
    "input_ranges": "What was varied: how often each value of each input occurs in the ensemble.",
    "sample_trajectories": "Sample trajectories. Grey: the range of all runs at each step.",
    "split_example": "The split: one run of each part, over the steps that belong to that part.",
    "learning_curve": "Learning curve. The weights of the epoch with the lowest validation loss are kept.",
    "closed_loop": "Closed loop: the model sees only the shaded window of true values, then is fed its own forecasts. "
    "In each column the run whose error is the median of its part.",
    "error_by_horizon": "Error by horizon on the test runs, all free-running from the same window. Lower is better.",
    "band_coverage": "The band on the test runs. Left: how much of the truth it holds in each tenth of the horizon. "
    "Right: half its width beside the actual error.",
    "outside_ranges": "The error of each run against its inputs, inside and outside the ranges of the training runs.",
}
BAND_CAPTION = " Below each feature, the size of the error; where that line is shaded, the band holds the truth."
ENDS = {  # uncertainty.trusted_steps: why a forecast is not to be trusted any further
    "width": "its band is more than half as wide as the range of the training runs",
    "baseline": "its error is no longer below that of the best baseline",
}


def write_report(
    path, ensemble: Ensemble, training: Training | str | Path, completeness=None, *, title=None, checks=None
) -> Path:
    """Write the report of a finished training to `path` and return it as a Path.

    training      a Training or its folder
    completeness  {"expected": int, "stored": int, "missing": [run ids], "allowed": share of runs that may fail},
                  or None when nobody counted
    checks        physics checks of the forecast, a dict each: name, forecast and truth (numbers or texts), unit, holds
                  (whether the forecast passes) and note, a text
    """
    training = training if isinstance(training, Training) else load(training)
    drawn = draw_all(
        ensemble,
        training.models,
        training.split,
        training.history,
        training.scores,
        band=training.band,
        inputs=training.settings.inputs,
    )
    captions = CAPTIONS | {"closed_loop": CAPTIONS["closed_loop"] + (BAND_CAPTION if training.band else "")}
    page = template("report.html.j2").render(
        title=title or "sim2seq: study report",
        verdict=verdict(training.scores),
        trust=trust(training.scores),
        some_scored=some_scored(training.scores),
        band=band_summary(training.scores),
        checks=checks,
        outside=outside_table(training.scores),
        by_run=training.settings.split == "by_run",
        facts=facts(ensemble, training),
        inputs=input_table(ensemble),
        correlation=largest_correlation(ensemble),
        completeness=completeness,
        figures={name: {"image": embed(figure), "caption": captions[name]} for name, figure in drawn.items()},
        scores=score_table(training.scores),
        parts=part_table(training),
        features=training.scores["features"],
        unit=common_unit(training.scores["units"]),
        settings=asdict(training.settings),
        versions=training.versions,
    )
    write_text(Path(path), page)
    return Path(path)


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
        "runs": scores.get("scored_runs", scores["runs"])["test"],
    }


def some_scored(scores: dict) -> str | None:
    """A sentence on which runs were scored, and learned from by baselines, of a large ensemble; None: all."""
    runs, scored = scores["runs"], scores.get("scored_runs", scores["runs"])
    if runs == scored:
        return None
    counts = ", ".join(f"{number(scored[part])} of {number(runs[part])} {part} runs" for part in PARTS)
    return (
        f"Errors are those of some runs, drawn at random: {counts}. The baselines have learned from no other training "
        "runs than these, the network from all, which is to its advantage."
    )


def trust(scores: dict) -> dict | None:
    """How far to trust the forecast, as the first lines say it; None for a training without a band."""
    band = scores.get("band")
    if not band:
        return None
    steps, whole = band["trusted_steps"], band["trusted_steps"] == band["steps"]
    time = f"{number(steps * scores['time_step'])} {scores['time_unit']}" if scores.get("time_step") else None
    return {"steps": steps, "whole": whole, "time": time, "reason": None if whole else ENDS[band["reason"]]}


def band_summary(scores: dict) -> dict | None:
    """What the band holds on the test runs, in per cent; None for a training without a band."""
    band = scores.get("band")
    if not band:
        return None
    tenths = [100 * share for share in band["coverage_by_tenth"]]
    level = 100 * band["level"]
    return {
        "level": level,
        "members": band["members"],
        "coverage": 100 * band["coverage"],
        "lowest": min(tenths),
        "highest": max(tenths),
        "by_feature": {name: 100 * share for name, share in band["coverage_by_feature"].items()},
        "inside": sum(level - 5 <= share <= level + 5 for share in tenths),
        "tenths": len(tenths),
    }


def outside_table(scores: dict) -> list[dict] | None:
    """A row for the test runs inside the ranges of training, one for those outside; None when none were held out."""
    held_out = scores.get("held_out")
    if not held_out:
        return None
    closed = {"inside": {"model": scores["closed_loop"]["test"], **scores["baselines"]["closed_loop"]}}
    closed["outside"] = held_out["closed_loop"]
    rows = []
    for (where, results), runs in zip(closed.items(), (scores["runs"]["test"], held_out["runs"]), strict=True):
        errors = {name: result["rmse"] for name, result in results.items()}
        model = errors.pop("model")
        best = min(errors, key=errors.get)
        row = {"where": where, "runs": runs, "model": model, "best": best, "baseline": errors[best]}
        rows.append(row | {"skill": skill(model, errors[best])})
    return rows


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
        "models": str(len(training.models)),
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
