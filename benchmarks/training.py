"""How fast, and how well, does sim2seq learn beside the plain Keras recipe? Both in one run, on the same runs.

    python benchmarks/training.py [--quick] [--json FILE]

The plain recipe is the source project's, as a user would write it: windows stacked into an array, LSTM 64-32-16-8,
batch 32, Adam, mean squared error, `model.fit` with EarlyStopping, nothing compiled, and a Python loop around
`model.predict` for the closed loop (a few steps are timed and scaled to all of them). Only training and validation
runs are used; the data are tests/data/ball_bounce_64_correlated.npz. The full size takes about ten minutes on two
cores; --quick does the same in seconds with a small network on few runs, to see that it works: its ratios mean little.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from _rows import publish, row

from sim2seq import training
from sim2seq.ensemble import Ensemble
from sim2seq.forecast import closed_loop
from sim2seq.metrics import rmse
from sim2seq.settings import Settings
from sim2seq.windows import SPLITS, Scaling, select

DATA = Path(__file__).parent.parent / "tests" / "data" / "ball_bounce_64_correlated.npz"
TIMED_STEPS = 10  # of the slow closed loop


def read_ensemble(runs: int | None, steps: int | None) -> Ensemble:
    """The bouncing ball's runs, or the first `runs` of them cut after `steps` steps."""
    values = np.load(DATA)["positions"][:runs, :steps]
    return Ensemble(
        values=values,
        run_ids=tuple(f"run_{number}" for number in range(1, len(values) + 1)),
        features=("x_pos", "y_pos", "z_pos"),
        times=np.arange(values.shape[1]) / 20,
    )


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


def epoch_ends(logs: Path) -> list[float]:
    """Seconds from the start of a training to the end of each epoch, from its TensorBoard log."""
    records = tf.data.TFRecordDataset(sorted(map(str, logs.glob("train/events*"))))
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in records]
    ends = {event.step: event.wall_time for event in events if event.summary.value}
    return [ends[step] - events[0].wall_time for step in sorted(ends)]


def throughput(ends, windows):
    """Windows a second, validation included, without the first epoch, in which the network is compiled."""
    return windows * (len(ends) - 1) / (ends[-1] - ends[0])


def timed(function, *arguments):
    """What a call returns and the seconds it took."""
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def compare(ensemble: Ensemble, settings: Settings, plain_epochs: int, folder: Path) -> list[dict]:
    """Train both ways and measure both closed loops on the validation runs."""
    split, window = SPLITS[settings.split](ensemble, settings.fractions, seed=settings.seed), settings.window
    train, validation = select(ensemble, split.train), select(ensemble, split.validation)
    scaling = Scaling.of(train)
    scaled = [scaling.scale(part.values).astype("float32") for part in (train, validation)]
    plain, plain_losses, plain_ends = train_plainly(*scaled, settings.units, window, plain_epochs)
    print(f"plain recipe: {len(plain_ends)} epochs, {plain_ends[-1]:.0f} s")
    with contextlib.redirect_stdout(io.StringIO()):
        ours, our_time = timed(training.fit, ensemble, settings, folder)
    our_ends, our_losses = epoch_ends(folder / "logs"), ours.history["val_loss"]
    print(f"sim2seq: {len(our_ends)} epochs, {our_ends[-1]:.0f} s; with scores and figures {our_time:.0f} s")

    truth, context = validation.values[:, window:], validation.values[:, :window]
    steps = truth.shape[1]
    _, slow = timed(forecast_plainly, plain, scaled[1][:, :window], TIMED_STEPS)
    plain_forecast = scaling.restore(closed_loop(plain, scaled[1][:, :window], steps))
    forecast, first = timed(closed_loop, ours.model, context, steps)
    _, again = timed(closed_loop, ours.model, context, steps)
    windows = train.runs * (train.steps - window)
    plain_speed, best = throughput(plain_ends, windows), min(plain_losses)
    reached = [end for end, loss in zip(our_ends, our_losses, strict=True) if loss <= best]
    plain_reached = plain_ends[int(np.argmin(plain_losses))]
    shape, plain_error = f"{truth.shape[0]} runs x {steps} steps", rmse(plain_forecast, truth)
    return [
        row("training throughput", throughput(our_ends, windows), plain_speed, "higher", "windows/s", plain_speed),
        row(
            "time to the plain recipe's best loss",
            reached[0] if reached else None,
            plain_reached,
            "lower",
            "s",
            plain_reached,
        ),
        row("best validation loss (scaled MSE)", min(our_losses), best, "lower", "", best),
        row("closed-loop RMSE, validation runs", rmse(forecast, truth), plain_error, "lower", "length", plain_error),
        row(f"closed loop, {shape}, later calls", again, 1.0, "lower", "s", slow / TIMED_STEPS * steps),
        row(f"closed loop, {shape}, first call", first, None, "lower", "s", slow / TIMED_STEPS * steps),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small network on few runs, in seconds")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    size = ["units=8", "epochs=3", "window=10", "patience=100"] if arguments.quick else []
    ensemble = read_ensemble(8, 100) if arguments.quick else read_ensemble(None, None)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(ensemble, Settings.parse(size), 3 if arguments.quick else 100, Path(folder))
    publish(rows, arguments.json)


if __name__ == "__main__":
    main()
