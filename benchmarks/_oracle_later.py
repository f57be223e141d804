"""How well later points are foretold, the values at 50 and 75 % of the run and its end, for benchmarks/oracle.py.

One training (`recipe:later` of the study) answers for all three; it is none of those that foretell the end alone. What
was seen counts as a share of the stretch up to the point, so half of a stretch to 50 % is a quarter of the run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _oracle_scores import COVERAGE, OURS, SHARES, STUDY, Said, baselines_of_runs, last_value, measured, say, store_of
from _rows import row

from sim2seq.data import stretches
from sim2seq.training.fit import fit


def later_rows(asked) -> list[dict]:
    """Train, or read, the training in `asked.folder`; its rows beside the baselines', by point and share."""
    ensemble = STUDY.read(str(store_of(Path(asked.study))))
    settings = STUDY.settings.parse(["recipe:later", *asked.settings])
    say(f"{OURS}, later points ...")
    trained = fit(ensemble, settings, Path(asked.folder, f"{OURS}_later"), study=STUDY, quiet=True, naive=last_value)
    if asked.train_only:
        return []
    test = trained.predictions["test"]
    runs = stretches.chosen(ensemble, settings)
    until = dict(zip(runs.run_ids, runs.inputs[stretches.UNTIL], strict=True))
    asked_for = np.array([until[run] for run in test.run_ids])
    naive = baselines_by_point(runs, test.run_ids, asked_for, Path(asked.folder), settings)
    said = {f"{OURS}, later points": Said(test.middle, test.low, test.high)}
    said |= {name: Said(each) for name, each in naive.items()}
    return rows_of(said, list(naive), test.truth, asked_for)


def baselines_by_point(runs, run_ids, until: np.ndarray, folder: Path, settings) -> dict[str, np.ndarray]:
    """Name -> prediction for these test runs; a baseline learns each point from the stretches to that point alone."""
    found: dict[str, np.ndarray] = {}
    for point in np.unique(until):
        here, of_point = until == point, runs.take(np.flatnonzero(runs.inputs[stretches.UNTIL] == point))
        ids = [run for run, is_here in zip(run_ids, here, strict=True) if is_here]
        each = baselines_of_runs(of_point, ids, folder / f"baselines_until_{point:g}.npz", settings)
        for name, values in each.items():
            found.setdefault(name, np.full((len(until), *values.shape[1:]), np.nan))[here] = values
    return found


def rows_of(said: dict[str, Said], naive: list[str], truth: np.ndarray, until: np.ndarray) -> list[dict]:
    """Error, beside the best baseline's, and coverage by point, `until` (runs,), and share of the run."""
    (ours,) = (name for name in said if name not in naive)
    rows = []
    for point in np.unique(until):
        here = until == point
        by = {name: measured(of_runs(each, here), truth[here]) for name, each in said.items()}
        for place, share in enumerate(SHARES):
            errors = {name: float(found["MAE"][place].mean()) for name, found in by.items()}
            best = min(naive, key=errors.__getitem__)
            what = f"{ours}: MAE at {point:.0%} of the run, after {share * point:.3g} of it (best baseline: {best})"
            rows.append(row(what, errors[ours], errors[best], "lower", "-", errors[best]))
        covered = by[ours]["coverage"].mean(axis=1)
        for end, limit, better in zip(("lowest", "highest"), COVERAGE, ("higher", "lower"), strict=True):
            value = covered.min() if end == "lowest" else covered.max()
            rows.append(row(f"{ours}: coverage at {point:.0%}, {end} of all prefixes", value, limit, better, "-"))
    return rows


def of_runs(said: Said, here: np.ndarray) -> Said:
    return Said(*(None if part is None else part[here] for part in (said.middle, said.low, said.high)))
