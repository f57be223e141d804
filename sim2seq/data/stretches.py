"""Stretches: a run as far as a point on its way is a run, too, whose end is what stands there.

An oracle that learns from stretches beside whole runs foretells what will stand at later points, each with an interval
of its own, and the end, by one model: the input UNTIL says which of them is asked for, and the feature PROGRESS is the
share of the stretch. A prefix that reaches beyond a point is none of its stretch, so nothing is to be masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sim2seq.data.ensemble import Ensemble

UNTIL = "until"
PROGRESS = "progress"  # a feature of this name is the share of the run that was seen: nobody has to be told it
POINTS = (0.5, 0.75)  # shares of a run
FINAL = "_final"
NEAR = 1e-9


def chosen(ensemble: Ensemble, settings) -> Ensemble:
    """What a study learns from: stretches, too, where UNTIL is among the inputs of its settings (Study.choose)."""
    return beside(ensemble) if UNTIL in settings.inputs else ensemble


def beside(ensemble: Ensemble, points=POINTS) -> Ensemble:
    """The runs, input UNTIL 1, and after them the same as far as each of these shares, with ids of their own.

    Results are those that are the end of a feature, NAME_final: of the stretch that of its last step, the first one at
    its point or after. Raises ValueError without the feature PROGRESS and for runs without such a result.
    """
    ends = [name for name in ensemble.results if name.removesuffix(FINAL) in ensemble.features]
    if not ends:
        raise ValueError(f"expected results NAME{FINAL} of features; got {', '.join(ensemble.results) or 'none'}")
    whole = replace(ensemble, results={name: ensemble.results[name] for name in ends})
    parts = [told(whole, 1.0), *(until(whole, point) for point in points)]
    return replace(
        whole,
        values=np.concatenate([np.asarray(part.values) for part in parts]),
        run_ids=tuple(run for part in parts for run in part.run_ids),
        lengths=np.concatenate([part.lengths for part in parts]),
        inputs=joined([part.inputs for part in parts]),
        results=joined([part.results for part in parts]),
    )


def joined(columns: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([each[name] for each in columns]) for name in columns[0]}


def told(ensemble: Ensemble, point: float) -> Ensemble:
    return replace(ensemble, inputs=ensemble.inputs | {UNTIL: np.full(ensemble.runs, point)})


def until(ensemble: Ensemble, point: float) -> Ensemble:
    """The runs as far as this share of them."""
    (place,), values = ensemble.places([PROGRESS]), ensemble.series()
    lengths = np.minimum((values[..., place] < point - NEAR).sum(axis=1) + 1, ensemble.lengths)
    values = np.where((np.arange(ensemble.steps) < lengths[:, None])[..., None], values, np.nan)
    last = values[np.arange(ensemble.runs), lengths - 1]
    values[..., place] = share_of(values[..., place], point)
    results = {name: last[:, ensemble.features.index(name.removesuffix(FINAL))] for name in ensemble.results}
    ids = tuple(f"{run}-until-{point:g}" for run in ensemble.run_ids)
    return told(replace(ensemble, values=values, run_ids=ids, lengths=lengths, results=results), point)


def share_of(progress, point: float):
    """Which share of the stretch is done, of which share of the run."""
    return np.minimum(progress / point, 1.0)


def asked(series, features, inputs: Mapping[str, Any] | None, point: float):
    """A run (steps, features) and its inputs as an oracle of stretches is asked about this point.

    Raises ValueError for a point that the run has passed, or that is no share.
    """
    place, found = features.index(PROGRESS), np.array(series, dtype=float)
    if not 0 < point <= 1 or (found[..., -1, place] > point + NEAR).any():
        raise ValueError(f"{UNTIL} {point:g}: expected a share of the run, up to 1, that the run has not passed")
    found[..., place] = share_of(found[..., place], point)
    return found, {**(inputs or {}), UNTIL: point}


def later(series, features, points=POINTS) -> list[float]:
    """The points that are still to come after these steps (steps, features)."""
    seen = float(np.asarray(series)[-1, features.index(PROGRESS)])
    return [point for point in points if point > seen + NEAR]
