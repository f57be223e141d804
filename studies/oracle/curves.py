#!/usr/bin/env python
"""Not only maps: validation curves of networks of scikit-learn and Keras, learned by the oracle's own code.

    python studies/oracle/curves.py runs/curves.h5 --runs 1000 --keras 200 --histories ball=STORE
    sim2seq create curves.sqlite && sim2seq ingest runs curves.sqlite
    sim2seq train curves.sqlite --study studies/oracle/curves.py --output curves --report curves.html
    python benchmarks/oracle.py curves.sqlite --only curves          the tables of the card, for these runs

A run is one training on one data set, a step an epoch: of perceptrons, --runs by scikit-learn and --keras by Keras, and
those that sweeps of sweep.yaml have put into a store, or that lie in folders (histories.py). scikit-learn's data sets
are classified (or regressed), of the oracle's tables the last column is told from the others. Data sets, not runs, are
split.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from sim2seq.data import sampling
from studies.oracle import tables

FEATURES = ("error", "loss", "progress")
KNOWN = ("rows", "columns", "classes", "hidden", "learning_rate", "alpha", "batch", "adam", "relu", "epochs")
CLASSIFIED = ("iris", "wine", "breast_cancer", "digits")
MOST_ROWS, MOST_EPOCHS, MOST_ERROR, MOST_LOSS = (
    600,
    60,
    2.0,
    10.0,
)  # an error of 1 is that of the mean, or of no hit at all
RANGES = {
    "hidden": (4, 64),
    "learning_rate": (3e-4, 0.1),
    "alpha": (1e-6, 1e-1),
    "batch": (16, 128),
    "epochs": (20, 60),
}
WHOLE = ("hidden", "batch", "epochs")
MOST_SEED = 4294  # a training has the seed SEED x 1 000 000 + its number, which scikit-learn takes below 2^32

Curve = tuple[str, dict, np.ndarray]  # id of the run, what is known before it by the names KNOWN, (epochs, FEATURES)


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
            found.append((error, min(model.loss_, MOST_LOSS), epoch / known["epochs"]))
    return np.nan_to_num(np.array(found), nan=MOST_ERROR)


def trained(runs: int, seed: int, train=curve, mark: str = "") -> Iterator[Curve]:
    """`runs` networks, evenly over the data sets, that `train` (Problem, known, seed) trains; `mark` is in their ids.

    One that scikit-learn refuses since its weights overflow is left out.
    """
    given = problems() if runs else []
    for run, known in enumerate(drawn(runs, seed) if runs else []):
        one = given[run % len(given)]
        rows_and_columns = dict(zip(("rows", "columns"), map(float, one.inputs.shape), strict=True))
        known |= rows_and_columns | {"classes": float(one.classes)}
        try:
            yield f"{one.name}_{mark}{run + 1}", known, train(one, known, seed * 1_000_000 + run)
        except ValueError as error:
            print(f"left out: {one.name}_{mark}{run + 1}: {error}", file=sys.stderr)


def make(path, runs: int, seed: int, more: Iterable[Curve] = ()) -> None:
    """Train `runs` networks of scikit-learn's and write their curves, and `more`, to the array file `path`.

    Raises ValueError without any.
    """
    from sim2seq.data import arrays

    found = [*trained(runs, seed), *more]
    if not found:
        raise ValueError("expected curves to write: --runs, --keras or --histories of one or more")
    lengths = [len(each) for _, _, each in found]
    values = np.full((len(found), max(MOST_EPOCHS, *lengths), len(FEATURES)), np.nan)
    for place, (_, _, each) in enumerate(found):
        values[place, : len(each)] = each
    last = values[np.arange(len(found)), np.array(lengths) - 1]
    data = {name: np.array([known[name] for _, known, _ in found]) for name in KNOWN}
    data |= {f"{name}_final": last[:, place] for place, name in enumerate(FEATURES[:2])}
    series = {name: values[..., place] for place, name in enumerate(FEATURES)}
    Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
    arrays.write(path, [run for run, _, _ in found], data, series, range(1, values.shape[1] + 1), lengths=lengths)


@lru_cache(maxsize=1)
def study():
    """The oracle's Study with other names in it."""
    from sim2seq.data.stretches import UNTIL
    from studies.oracle.study import SHARES, STUDY, Ends, OracleSettings

    later = {"later": {"inputs": (*KNOWN, UNTIL)}}

    @dataclass(frozen=True)
    class CurveSettings(OracleSettings, recipes=OracleSettings.recipes | later):
        inputs: tuple[str, ...] = KNOWN
        split: str = "by_group"
        split_seed: int = 15  # trainings of any seed are judged on the same data sets

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
    from sim2seq._support.files import check_place

    parser = Parser(description="Validation curves of networks, as an array file.")
    parser.add_argument("output", help="file to write: HDF5")
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="trainings by scikit-learn")
    parser.add_argument("--keras", type=int, default=0, metavar="N", help="trainings by Keras, on the same data sets")
    kept = "trainings in the store of a sweep, or in folders below one, and the name of their data set"
    parser.add_argument("--histories", nargs="+", action="extend", default=[], metavar="NAME=PATH", help=kept)
    parser.add_argument("--seed", type=int, default=9)
    asked = parser.parse_args(argv)
    if min(asked.runs, asked.keras) < 0 or not 0 <= asked.seed < MOST_SEED:
        parser.error(f"expected --runs and --keras of 0 or more and a --seed from 0 to {MOST_SEED - 1}")
    check_place(asked.output)  # before networks are trained
    make(asked.output, asked.runs, asked.seed, others(asked.keras, asked.seed, asked.histories))


def others(runs: int, seed: int, histories: list[str]) -> Iterator[Curve]:
    """Curves of Keras' trainings, and of those in NAME=PATH. Raises ValueError for a name or path that cannot be."""
    from sim2seq.data.records import check_id
    from studies.oracle.histories import kept, keras_curve

    for text in histories:
        name, _, path = text.partition("=")
        if not name or not Path(path or ".").exists() or not path:
            raise ValueError(f"--histories {text:.80}: expected NAME=PATH, a store or a folder that is there")
        yield from kept(check_id(name), path)
    yield from trained(runs, seed, keras_curve, "k")


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
