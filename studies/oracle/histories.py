"""Histories: curves of networks that Keras trains, and of the trainings that this project keeps, for curves.py.

    keras_curve(problem, known, seed)    one training of a perceptron, told the same as scikit-learn's
    kept("ball", "ensembles_output.sqlite")    those that a sweep has put into its store, or that lie in folders

What is known of a kept training has the names of curves.KNOWN: rows are runs, columns the steps of its window, hidden
is its first layer. Its error is the validation loss.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from studies.oracle.curves import MOST_ERROR, MOST_LOSS, Curve, Problem

ADAMS = ("adam", "adamw", "nadam")
FEWEST = 2  # epochs


def keras_curve(given: Problem, known: dict, seed: int) -> np.ndarray:
    """One training by Keras: (epochs, 3): validation error, training loss, share of the epochs done."""
    import keras

    keras.utils.set_random_seed(seed)
    order = np.random.default_rng(seed).permutation(len(given.targets))
    train, rest = np.split(order, [int(0.7 * len(order))])
    classes = {name: place for place, name in enumerate(np.unique(given.targets))} if given.classes else {}
    targets = np.array([classes[each] for each in given.targets]) if classes else given.targets
    model = perceptron(keras, known, given, len(train))
    model.compile(optimizer_of(keras, known), "sparse_categorical_crossentropy" if classes else "mse")
    errors = []

    def check(epoch, logs=None):
        said = model(given.inputs[rest]).numpy()
        wrong = said.argmax(axis=1) != targets[rest] if classes else np.square(said[:, 0] - targets[rest])
        errors.append(float(wrong.mean() / (1.0 if classes else targets[rest].var())))

    told = {"epochs": int(known["epochs"]), "batch_size": min(int(known["batch"]), len(train)), "verbose": 0}
    last = keras.callbacks.LambdaCallback(on_epoch_end=check)
    losses = model.fit(given.inputs[train], targets[train], callbacks=[last], **told).history["loss"]
    return curve_of(errors, losses, known["epochs"])


def perceptron(keras, known: dict, given: Problem, rows: int):
    """scikit-learn's network: one hidden layer, weights with a penalty that counts by rows."""
    pull = keras.regularizers.L2(0.5 * known["alpha"] / rows)
    hidden = keras.layers.Dense(int(known["hidden"]), "relu" if known["relu"] else "tanh", kernel_regularizer=pull)
    last = ("softmax",) if given.classes else ()
    output = keras.layers.Dense(given.classes or 1, *last, kernel_regularizer=pull)
    return keras.Sequential([keras.Input((given.inputs.shape[1],)), hidden, output])


def optimizer_of(keras, known: dict):
    rate = known["learning_rate"]
    return keras.optimizers.Adam(rate) if known["adam"] else keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)


def curve_of(errors, losses, epochs: float) -> np.ndarray:
    """(epochs, 3) of both lists; what is no number counts as the worst."""
    progress = np.arange(1, len(errors) + 1) / epochs
    columns = [np.clip(errors, None, MOST_ERROR), np.clip(losses, None, MOST_LOSS), progress]
    return np.where(np.isfinite(found := np.stack(columns, axis=1)), found, MOST_ERROR)


def kept(name: str, path) -> Iterator[Curve]:
    """The trainings in a store, or in the folders below `path`, that came to their last epoch, as runs on `name`.

    Of the others it says on stderr why they are left out. Raises ValueError where there is none.
    """
    found = 0
    for training, data, losses in trainings_in(Path(path)):
        if why := unusable(data, losses):
            print(f"left out: {training}: {why}", file=sys.stderr)
            continue
        found += 1
        yield f"{name}_t{found}", known_of(data), curve_of(losses["val_loss"], losses["loss"], int(data["epochs"]))
    if not found:
        raise ValueError(f"{path}: expected trainings that came to their last epoch; got none")


def trainings_in(path: Path) -> Iterator[tuple[str, dict, dict]]:
    """(name, settings and results, losses by epoch) of each training in a store, or in folders."""
    from sim2seq._support.files import read_json
    from sim2seq.store.store import load_trainings
    from sim2seq.training.folder import read_history

    if not path.is_dir():
        yield from ((name, *both) for name, both in load_trainings(path).items())
        return
    for scores in sorted(path.rglob("scores.json")):
        folder = scores.parent
        runs = read_json(scores).get("runs", {})
        yield (
            str(folder),
            read_json(folder / "settings.json") | {"runs": sum(runs.values())},
            read_history(folder / "history.csv"),
        )


def unusable(data: dict, losses: dict) -> str:
    """Why a training is no run to learn from; "" for one that is."""
    if not {"loss", "val_loss"} <= set(losses):
        return "it has no losses by epoch"
    if len(losses["loss"]) < max(FEWEST, int(data["epochs"])):
        return f"it ended after {len(losses['loss'])} of {data['epochs']} epochs"
    return "" if np.isfinite([losses["loss"], losses["val_loss"]]).all() else "it diverged"


def known_of(data: dict) -> dict[str, float]:
    """What is known before a training of this project, by the names of curves.KNOWN."""
    units = data["units"]
    first = str(units).split(",")[0] if isinstance(units, (str, int)) else units[0]
    return {
        "rows": float(data["runs"]),
        "columns": float(data["window"]),
        "classes": 0.0,
        "hidden": float(first),
        "learning_rate": float(data["learning_rate"]),
        "alpha": 0.0,
        "batch": float(data["batch_size"]),
        "adam": float(data["optimizer"] in ADAMS),
        "relu": 0.0,
        "epochs": float(data["epochs"]),
    }
