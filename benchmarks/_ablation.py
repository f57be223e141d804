"""What a combination is worth without each of its candidates: weighed again on the validation runs, judged on the test.

A candidate earns its place where the test error grows without it. Nothing is trained again: the others had less time
than they would have without it, so what stands here is an upper bound of what a candidate is worth.
"""

from __future__ import annotations

from statistics import fmean
from unittest import mock

import numpy as np
from _rows import short

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import select
from sim2seq.models.candidates import combination
from sim2seq.models.candidates.candidate import Runs
from sim2seq.training import candidates
from sim2seq.training.folder import Training


def all_kept():
    """Within it, candidates without weight stay in the folder of a training."""
    return mock.patch.object(candidates, "tidy")


def without_each(ensemble: Ensemble, trained: Training, folder) -> dict[str, float]:
    """Candidate with a weight -> test error without it, as a multiple of that with all."""
    settings, task = trained.settings, trained.study.task
    parts = candidates.parts_of(ensemble, settings, trained.split, task)
    test = task.usable(select(ensemble, trained.split.test), settings).some_runs()
    told = candidates.runs_of(test, settings, task, parts)
    fitted = candidates.learned(folder, parts)
    said = [{name: forecast_of(one, runs) for name, one in fitted.items()} for runs in (parts.validation, told)]
    whole = error_of(list(fitted), said, parts, told, settings.seed)
    carry = [name for name in fitted if name in trained.scores.combined.weights]
    return {
        name: error_of([n for n in fitted if n != name], said, parts, told, settings.seed) / whole for name in carry
    }


def forecast_of(one, runs: Runs) -> np.ndarray:
    return one.forecast(runs.context, runs.future.shape[1], conditions=runs.conditions, controls=runs.controls)


def error_of(names: list[str], said: list[dict], parts, test: Runs, seed: int) -> float:
    """The test error of a combination of these candidates, in standard deviations of the training runs."""
    validation, later = said
    found = combination.weigh(
        {name: validation[name] for name in names},
        parts.validation.future,
        *parts.training.bounds(0),
        seed=seed,
        groups=parts.groups,
    )
    each = np.stack([later[name] for name in found.names])
    weights = combination.weights_at(found.centres, found.weights, test.future.shape[1])
    middle, _ = combination.within(each, weights, *parts.training.bounds(combination.MARGIN))
    return combination.rmse_of(middle, test.future)


def ablation(results: list[dict]) -> str:
    """A line a candidate: on how many systems and seeds it carries weight, and how the error grows without it."""
    there = [each for each in results if each.get("without")]
    if not there:
        return ""
    lines = [
        "| candidate | carries weight | error without it, mean of all | where it is worth most |",
        "|---|---|---|---|",
    ]
    for name in dict.fromkeys(name for each in there for name in each["without"]):
        shares = {f"{each['title']}, seed {each['seed']}": each["without"].get(name, 1.0) for each in there}
        most = max(shares, key=lambda where: shares[where])
        used = sum(name in each["without"] for each in there)
        mean = short(fmean(shares.values()))
        lines.append(f"| {name} | {used} of {len(there)} | {mean} times | {most}: {short(shares[most])} times |")
    return "\n".join(lines)
