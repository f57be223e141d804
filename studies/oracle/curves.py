#!/usr/bin/env python
"""Not only maps: validation curves of scikit-learn's multi-layer perceptrons, learned by the oracle's own code.

    python studies/oracle/curves.py curves.h5 --runs 1000
    sim2seq create curves.sqlite && sim2seq ingest curves.h5 curves.sqlite
    sim2seq train curves.sqlite --study studies/oracle/curves.py --output curves --report curves.html

A run is one training on one data set, a step an epoch. scikit-learn's own data sets are classified (or regressed), of
the oracle's tables the last column is told from the others. Data sets, not runs, are split.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from sim2seq.data import sampling
from studies.oracle import tables

FEATURES = ("error", "loss", "progress")
KNOWN = ("rows", "columns", "classes", "hidden", "learning_rate", "alpha", "batch", "adam", "relu", "epochs")
CLASSIFIED = ("iris", "wine", "breast_cancer", "digits")
MOST_ROWS, MOST_EPOCHS, MOST_ERROR = 600, 60, 2.0  # an error of 1 is that of the mean, or of no hit at all
RANGES = {
    "hidden": (4, 64),
    "learning_rate": (3e-4, 0.1),
    "alpha": (1e-6, 1e-1),
    "batch": (16, 128),
    "epochs": (20, 60),
}
WHOLE = ("hidden", "batch", "epochs")
MOST_SEED = 4294  # a training has the seed SEED x 1 000 000 + its number, which scikit-learn takes below 2^32


@dataclass(frozen=True)
class Problem:
    """A data set: inputs (rows, columns) of mean 0 and standard deviation 1, targets (rows,); 0 classes: numbers."""

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    classes: int


def problems() -> list[Problem]:
    """scikit-learn's, then the oracle's tables of up to MOST_ROWS rows."""
    from sklearn import datasets

    found = []
    for name in CLASSIFIED:
        inputs, targets = getattr(datasets, f"load_{name}")(return_X_y=True)
        some = np.random.default_rng(0).permutation(len(targets))[:MOST_ROWS]
        found.append(problem(f"sklearn-{name.replace('_', '-')}", inputs[some], targets[some], True))
    listed = [
        name for name, entry in tables.entries().items() if entry.rows <= MOST_ROWS and entry.package != "sklearn"
    ]
    for name in listed[::2]:
        values = tables.load(name).values
        values = values[np.isfinite(values[:, -1])]
        found.append(problem(name, values[:, :-1], values[:, -1], False))
    return found


def problem(name: str, inputs, targets, classified: bool) -> Problem:
    mean, std = np.nanmean(inputs, axis=0), np.nanstd(inputs, axis=0)
    inputs = np.nan_to_num((inputs - mean) / np.where(std > 0, std, 1.0))  # a gap is the mean
    if not classified:
        targets = (targets - targets.mean()) / targets.std()
    return Problem(name, inputs, targets, len(np.unique(targets)) if classified else 0)


def drawn(runs: int, seed: int) -> list[dict]:
    """One joint Latin hypercube over RANGES, on a logarithmic scale, and two choices."""
    unit = sampling.latin_hypercube(dict.fromkeys([*RANGES, "adam", "relu"], (0.0, 1.0)), runs, seed=seed)
    found = {name: low * (high / low) ** np.array(unit[name]) for name, (low, high) in RANGES.items()}
    found |= {name: np.round(found[name]) for name in WHOLE}
    found |= {name: np.round(unit[name]) for name in ("adam", "relu")}
    return [{name: float(column[run]) for name, column in found.items()} for run in range(runs)]


def curve(given: Problem, known: dict, seed: int) -> np.ndarray:
    """One training: (epochs, len(FEATURES)): validation error, training loss, share of the epochs done."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    order = np.random.default_rng(seed).permutation(len(given.targets))
    train, rest = np.split(order, [int(0.7 * len(order))])
    options = {
        "hidden_layer_sizes": (int(known["hidden"]),),
        "learning_rate_init": known["learning_rate"],
        "alpha": known["alpha"],
        "batch_size": min(int(known["batch"]), len(train)),
        "solver": "adam" if known["adam"] else "sgd",
        "activation": "relu" if known["relu"] else "tanh",
        "random_state": seed,
    }
    model = MLPClassifier(**options) if given.classes else MLPRegressor(**options)
    told = {"classes": np.unique(given.targets)} if given.classes else {}
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for epoch in range(1, int(known["epochs"]) + 1):
            model.partial_fit(given.inputs[train], given.targets[train], **told)
            error = min(1 - model.score(given.inputs[rest], given.targets[rest]), MOST_ERROR)
            found.append((error, min(model.loss_, 10.0), epoch / known["epochs"]))
    return np.nan_to_num(np.array(found), nan=MOST_ERROR)


def make(path, runs: int, seed: int) -> None:
    """Train `runs` networks, evenly over the data sets, and write their curves to the array file `path`.

    One that scikit-learn refuses since its weights overflow is left out.
    """
    from sim2seq.data import arrays

    given = problems()
    values, rows = np.full((runs, MOST_EPOCHS, len(FEATURES)), np.nan), []
    for run, known in enumerate(drawn(runs, seed)):
        one = given[run % len(given)]
        rows_and_columns = dict(zip(("rows", "columns"), map(float, one.inputs.shape), strict=True))
        known |= rows_and_columns | {"classes": float(one.classes)}
        try:
            found = curve(one, known, seed * 1_000_000 + run)
        except ValueError as error:
            print(f"left out: {one.name}_{run + 1}: {error}", file=sys.stderr)
            continue
        values[len(rows), : len(found)] = found
        ends = {f"{name}_final": value for name, value in zip(FEATURES[:2], found[-1], strict=False)}
        rows.append({"id": f"{one.name}_{run + 1}", "length": len(found)} | known | ends)
    ids, lengths = ([row.pop(name) for row in rows] for name in ("id", "length"))
    data = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    series = {name: values[: len(rows), :, place] for place, name in enumerate(FEATURES)}
    arrays.write(path, ids, data, series, range(1, MOST_EPOCHS + 1), lengths=lengths)


@lru_cache(maxsize=1)
def study():
    """The oracle's Study with other names in it."""
    from studies.oracle.study import SHARES, STUDY, Ends, OracleSettings

    @dataclass(frozen=True)
    class CurveSettings(OracleSettings):
        inputs: tuple[str, ...] = KNOWN
        split: str = "by_group"

    task = Ends(("error_final", "loss_final"), inputs=FEATURES, at=SHARES, share="progress")
    own = {"read": None, "split": None, "needs": KNOWN, "figures": None}
    return replace(STUDY, name="curves", title="sim2seq: validation curves", settings=CurveSettings, task=task, **own)


def __getattr__(name: str):
    """STUDY, which imports Keras, when it is asked for."""
    if name == "STUDY":
        return study()
    raise AttributeError(name)


def main(argv=None) -> None:
    from sim2seq._support.command import Parser

    parser = Parser(description="Validation curves of scikit-learn's multi-layer perceptrons, as an array file.")
    parser.add_argument("output", help="file to write: HDF5")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=9)
    asked = parser.parse_args(argv)
    if asked.runs < 1 or not 0 <= asked.seed < MOST_SEED:
        parser.error(f"expected --runs of 1 or more and a --seed from 0 to {MOST_SEED - 1}")
    make(asked.output, asked.runs, asked.seed)


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
