"""How fast does sim2seq learn and forecast beside the plain Keras recipe? Both in one run, on the same runs.

    python benchmarks/training.py [--quick] [--json FILE]

The plain recipe is the source project's, as a user would write it: windows stacked into an array, LSTM 64-32-16-8,
batch 32, Adam, mean squared error, `model.fit` with EarlyStopping, nothing compiled, and a Python loop around
`model.predict` for the closed loop, all runs in one call (a few steps are timed and scaled to all of them). Ours are
residual_lstm, the autoregression with one member, and the source's network as this project trains it;
each with TensorFlow and, where it is installed, with JAX (`./setup.sh jax`), in processes of their own. What is
measured, and how, stands in benchmarks/backends.py.

The data are ball_bounce_64_correlated.npz of tests/samples, split in its order, 38 / 13 / 13; the test runs are
not used. Three seeds, 0 to 2, for what is trained to the end; the plain recipe has one. The full size takes about 15
minutes on two quiet cores, of which the plain recipe takes 4 to 7; --quick shows in a minute or two that all of it
works: small networks on few runs, with numbers that mean little.
"""

from __future__ import annotations

import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"  # of the plain recipe; ours chooses in its own processes

import keras
import numpy as np
from _rows import publish, row
from backends import CLOSED_LOOP_GOAL, MANY, ask, is_installed, ordered_runs

from sim2seq._support.command import Parser, run
from sim2seq.data.splits import select
from sim2seq.data.windows import Scaling
from sim2seq.evaluation.measures import rmse
from sim2seq.models.rollout import rollout

WINDOW = 30
STEPS = 370  # of a closed loop of many runs
TIMED_STEPS = 10  # of the slow closed loop
TIMED_BATCHES = 100  # of the plain recipe
GOALS = {"to loss": 10, "speed": 40, "loop": 50}  # times faster than the plain recipe
MEMORY_GOAL = 2e9  # bytes
BACKENDS = ("tensorflow", "jax")


def stack_windows(values, window):
    """Windows and targets as the plain recipe makes them: one by one, then stacked."""
    pairs = [(run[i : i + window], run[i + window]) for run in values for i in range(len(run) - window)]
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def train_plainly(train, validation, units, window, epochs):
    """The plain recipe: returns model, validation losses, and the seconds at which each epoch ended."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.LSTM(size, return_sequences=size != units[-1]) for size in units]
    model = keras.Sequential([keras.Input((window, train.shape[2])), *layers, keras.layers.Dense(train.shape[2])])
    model.compile(optimizer="adam", loss="mse")
    contexts, targets = stack_windows(train, window)
    ends, start = [], time.perf_counter()
    history = model.fit(
        contexts,
        targets,
        batch_size=32,
        epochs=epochs,
        validation_data=stack_windows(validation, window),
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter() - start)),
        ],
    )
    return model, history.history["val_loss"], ends


def forecast_plainly(model, context, steps):
    """Feed the model with its own forecasts, one `model.predict` a step."""
    window, forecast = context, []
    for _ in range(steps):
        following = model.predict(window, verbose=0)
        forecast.append(following)
        window = np.concatenate([window[:, 1:], following[:, None]], axis=1)
    return np.stack(forecast, axis=1)


def timed(function, *arguments, **options) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def measure_plainly(quick: bool) -> dict:
    """The plain recipe: its best loss, when it had it, how fast it trains and forecasts, how far its closed loop is."""
    ensemble, split = ordered_runs(quick)
    train, validation = select(ensemble, split.train), select(ensemble, split.validation)
    scaling = Scaling.of(train.values)
    scaled = [scaling.scale(part.values).astype("float32") for part in (train, validation)]
    units, epochs = ((8,), 3) if quick else ((64, 32, 16, 8), 100)
    model, losses, ends = train_plainly(*scaled, units, WINDOW, epochs)
    forecast = scaling.restore(rollout(model, scaled[1][:, :WINDOW], validation.steps - WINDOW))
    contexts, targets = (each[: 32 * TIMED_BATCHES] for each in stack_windows(scaled[0], WINDOW))
    many = np.resize(scaled[0][:, :WINDOW], (MANY, WINDOW, train.values.shape[2]))
    forecast_plainly(model, many, 1)  # the first call compiles
    return {
        "loss": min(losses),
        "seconds": ends[-1],
        "epochs": len(ends),
        "to_loss": ends[int(np.argmin(losses))],
        "closed_loop": float(rmse(forecast, validation.values[:, WINDOW:])),
        "speed": len(contexts) / timed(model.fit, contexts, targets, batch_size=32, verbose=0),
        "loop": timed(forecast_plainly, model, many, TIMED_STEPS) / TIMED_STEPS * STEPS,
    }


def learning_rows(label: str, trainings: list[dict], plain: dict) -> list[dict]:
    """What the trainings of one model reached, one a seed: mean and worst; None where a seed did not reach it."""
    reached, trained = ([each[name] for each in trainings] for name in ("reached", "trained"))
    to_loss, to_closed_loop = ([each.get(name) for each in reached] for name in ("loss", "closed_loop"))
    shares = [seconds and seconds / plain["seconds"] for seconds in to_closed_loop]
    seconds, losses, errors = ([each[name] for each in trained] for name in ("seconds", "loss", "closed_loop"))
    share, untrained = f"time to closed-loop RMSE {CLOSED_LOOP_GOAL} / plain training", trainings[0]["untrained"]
    facts = [  # what, one value a seed, goal, unit, reference
        ("time to the plain best loss", to_loss, plain["to_loss"] / GOALS["to loss"], "s", plain["to_loss"]),
        (share, shares, 1.0, "", None),
        ("whole training", seconds, None, "s", plain["seconds"]),
        ("loss (one-step scaled MSE)", losses, None, "", plain["loss"]),
        ("closed-loop RMSE", errors, CLOSED_LOOP_GOAL, "length", plain["closed_loop"]),
    ]
    rows = []
    for what, values, goal, unit, reference in facts:
        for end, of in (("mean", np.mean), ("worst", np.max)):
            measured = None if None in values else of(values)
            rows.append(row(f"{label}: {what}, {end}", measured, goal, "lower", unit, reference))
    facts = [("s", "seconds", None), ("", "loss", plain["loss"]), ("length", "closed_loop", plain["closed_loop"])]
    return rows + [
        row(f"{label}: linear part alone, {name}", untrained[name], None, "lower", unit, reference)
        for unit, name, reference in facts
    ]


def backend_rows(backend: str, plain: dict, quick: bool) -> list[dict]:
    """Everything that is measured with one backend."""
    learning = ask(backend, "learning", quick=quick, best_loss=plain["loss"])
    rows = [each for name, found in learning.items() for each in learning_rows(f"{backend}, {name}", found, plain)]
    goal = GOALS["speed"] * plain["speed"]
    for (name, targets, batch_size), speed in ask(backend, "speeds", quick=quick):
        what = f"{backend}, {name}: targets a second, {targets} a sample, batch {batch_size}"
        rows.append(row(what, speed, goal, "higher", "targets/s", plain["speed"]))
    runs = 64 if quick else MANY
    for name, seconds in ask(backend, "loops", quick=quick).items():
        what = f"{backend}, {name}: closed loop, {runs} runs x {STEPS} steps"
        reference = plain["loop"] if runs == MANY else None
        goal = reference and reference / GOALS["loop"]
        rows.append(row(f"{what}, warm", seconds["warm"], goal, "lower", "s", reference))
        rows.append(row(f"{what}, first call", seconds["first"], None, "lower", "s", reference))
    return rows


def memory_rows(quick: bool) -> list[dict]:
    """The most memory that training and scoring take, beside what copied windows and bare imports would."""
    runs, steps = (64, 100) if quick else (MANY, 400)
    rows = []
    for backend in filter(is_installed, BACKENDS):
        found, what = ask(backend, "memory", quick=quick), f"{runs} runs x {steps} steps"
        rows.append(row(f"{backend}: memory, training on {what}", found["training"], MEMORY_GOAL, "lower", "bytes"))
        rows.append(row(f"{backend}: memory, imports alone", found["imports"], None, "lower", "bytes"))
    copies = runs * (steps - WINDOW) * (WINDOW + 1) * 3 * np.dtype("float64").itemsize
    return [*rows, row(f"windows of {WINDOW} and their targets, if copied", copies, None, "lower", "bytes")]


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small networks on few runs, in a minute or two")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    plain = measure_plainly(arguments.quick)
    print("plain recipe: " + ", ".join(f"{name} {value:.4g}" for name, value in plain.items()), flush=True)
    rows = []
    for backend in BACKENDS:
        if is_installed(backend):
            rows += backend_rows(backend, plain, arguments.quick)
        else:
            print(f"{backend}: not installed, not measured")
    publish([*rows, *memory_rows(arguments.quick)], arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
