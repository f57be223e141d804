"""Peers of benchmarks/general.py: packages that forecast too, each in an environment that uv makes for it alone.

    python _peers.py NAME ASKED.npz ANSWER.npz

reservoirpy   an echo state network of 500 units, fed with its own forecasts
pysindy       sparse regression of the next step on polynomials (DiscreteSINDy)
darts         TiDE (Das et al. 2023): a dense encoder and decoder, one for all runs; window as input chunk, fed with its
              own forecasts a chunk at a time. Torch and its CUDA libraries come with it: 4 GB on disk, none is used

All see what the model sees: window, inputs and controls, in standard deviations of the training runs; darts may see
the number of the step too. Each has four settings, of which the validation runs choose by the error that is reported;
pysindy has none of degree 3 where it sees more than MOST_NUMBERS. An answer is cut at a million standard deviations.
A setting of darts learns for TRAINED seconds of one core, with a learning rate that falls to zero; kept are the weights
that were best on a tenth of the training runs, held out.

ASKED holds, for part in train, validation and test: part (runs, steps, features) and told_part (runs, steps, numbers),
nan beyond the end of a run; and window. ANSWER holds forecast (runs, steps - window, features) of the test part.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import cache
from inspect import unwrap
from pathlib import Path

import numpy as np

PACKAGES = {
    "reservoirpy": ("reservoirpy==0.4.2",),
    "pysindy": ("pysindy==2.1.0",),
    "darts": ("darts[torch]==0.48.1", "torch==2.15.0"),
}
NAMES = tuple(PACKAGES)
PATIENCE = 900  # seconds for all four settings
TRAINED, RATE = 20, 1e-3  # seconds of the processor for one setting of darts, and its first learning rate
FAR = 1e6
MOST_NUMBERS = 12  # 455 terms of degree 3


def asked(name: str, parts: dict, trained) -> np.ndarray | str:
    """The forecast of a peer for the test runs, in the unit of the values; or in one line why there is none."""
    window = trained.settings.window
    if not window:
        return "it needs a window"
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "asked.npz"), Path(folder, "answer.npz")
        mean, scale, arrays = question_of(parts, trained)
        np.savez(question, window=window, **arrays)
        packages = [word for package in PACKAGES[name] for word in ("--with", package)]
        command = ["uv", "run", "--quiet", "--isolated", "--no-project", *packages, "python", __file__]
        try:
            done = subprocess.run(
                [*command, name, question, answer], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except (subprocess.TimeoutExpired, FileNotFoundError) as error:
            return f"no answer: {type(error).__name__}"
        if done.returncode:
            return f"no answer: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}"
        with np.load(answer) as arrays:
            return arrays["forecast"] * scale + mean


def question_of(parts: dict, trained) -> tuple[np.ndarray, np.ndarray, dict]:
    """Mean and scale of the features, and the parts in that scale with what is told of each step."""
    task, settings = trained.study.task, trained.settings
    both = {name: task.split(part, settings) for name, part in parts.items()}
    series = {name: features for name, (features, _) in both.items()}
    told = {f"told_{name}": told_of(parts[name], controls, settings) for name, (_, controls) in both.items()}
    mean, scale = moments(series["train"])
    center, width = moments(told["told_train"])
    scaled = {name: (each - mean) / scale for name, each in series.items()}
    return mean, scale, scaled | {name: (each - center) / width for name, each in told.items()}


def told_of(part, controls, settings) -> np.ndarray:
    """Controls and inputs of each step: (runs, steps, numbers)."""
    inputs = part.inputs_of_runs(settings.inputs)
    steady = np.zeros((part.runs, 0)) if inputs is None else inputs
    steady = np.repeat(steady[:, None], part.steps, axis=1)
    return steady if controls is None else np.concatenate([controls, steady], axis=2)


def moments(values) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; 1 of a constant one."""
    scale = np.nanstd(values, axis=(0, 1))
    return np.nanmean(values, axis=(0, 1)), np.where(scale > 0, scale, 1.0)


def pairs(features, told) -> tuple[list, list]:
    """Of each run what is seen at a step, with what is told of the next, and the next step: (steps - 1, numbers)."""
    lengths = np.isfinite(features).all(axis=2).sum(axis=1)
    seen = [np.concatenate([x[: n - 1], u[1:n]], axis=1) for x, u, n in zip(features, told, lengths, strict=True)]
    return seen, [x[1:n] for x, n in zip(features, lengths, strict=True)]


def run_by_run(forecast):
    """A function (contexts, told) -> forecasts of all runs, from one of a single run."""
    return lambda contexts, told: np.array([forecast(*each) for each in zip(contexts, told, strict=True)])


def reservoirpy(features, told, setting, _window):
    """A function (contexts, told) -> forecasts of all runs."""
    from reservoirpy.nodes import Reservoir, Ridge

    radius, leak = setting
    model = Reservoir(500, sr=radius, lr=leak, input_scaling=0.5, seed=0) >> Ridge(ridge=1e-6)
    model.fit(*pairs(features, told), warmup=5)

    def forecast(context, numbers):
        model.reset()
        latest, answers = context[0], []
        for step in range(1, len(numbers)):
            said = model.step(np.concatenate([latest, numbers[step]]))
            latest = context[step] if step < len(context) else np.clip(said, -FAR, FAR)
            answers.append(latest)
        return np.array(answers[len(context) - 1 :])

    return run_by_run(forecast)


def pysindy(features, told, setting, _window):
    """A function (contexts, told) -> forecasts of all runs."""
    from pysindy import STLSQ, DiscreteSINDy, PolynomialLibrary

    degree, threshold = setting
    seen, following = pairs(features, told)
    size = features.shape[2]
    library = PolynomialLibrary(degree=degree)
    model = DiscreteSINDy(optimizer=STLSQ(threshold=threshold, alpha=1e-6), feature_library=library)
    told_runs = [run[:, size:] for run in seen] if told.shape[2] else None
    model.fit([run[:, :size] for run in seen], t=1, x_next=following, u=told_runs)
    powers = model.feature_library.powers_  # the same law, evaluated without the checks of 10 000 calls
    law = model.coefficients().T

    def forecast(context, numbers):
        latest, answers = context[-1], []
        for step in range(len(context), len(numbers)):
            state = np.concatenate([latest, numbers[step]])
            latest = np.clip(np.prod(state**powers, axis=1) @ law, -FAR, FAR)
            answers.append(latest)
        return np.array(answers)

    return run_by_run(forecast)


def known(features, told, clock: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each run its steps until its end, and what is told of them, with `clock` the time too, from -1 to 1."""
    lengths = np.isfinite(features).all(axis=2).sum(axis=1)
    return [(x[:n], u[:n]) for x, u, n in zip(features, clocked(told, clock), lengths, strict=True)]


def clocked(told, clock: bool) -> np.ndarray:
    """What is told of each step, and with `clock` the time as one number more."""
    runs, steps, _ = told.shape
    clock_of = np.broadcast_to(np.linspace(-1, 1, steps)[:, None], (runs, steps, 1))
    return np.concatenate([told, clock_of], axis=2) if clock else told


def time_series(arrays) -> list | None:
    """Arrays (steps, numbers) as darts takes them; None where nothing is told."""
    from darts import TimeSeries

    return [TimeSeries.from_values(np.float32(each)) for each in arrays] if arrays[0].shape[1] else None


def darts(features, told, setting, window):
    """A function (contexts, told) -> forecasts of all runs."""
    import torch
    from darts.models import TiDEModel
    from darts.utils.data.torch_datasets.training_dataset import ShiftedTorchTrainingDataset as Samples

    torch.set_num_threads(1)
    Samples.__getitem__ = cache(unwrap(Samples.__getitem__))  # cutting a sample anew each epoch is half of the time
    chunk, clock = setting
    chunk = min(chunk, features.shape[1] - window)
    runs = [run for run in known(features, told, clock) if len(run[0]) >= window + chunk]
    held = max(len(runs) // 10, 1)
    seen, numbers = (time_series(each) for each in zip(*runs, strict=True))
    learned, checked = (None, None) if numbers is None else (numbers[:-held], numbers[-held:])
    trainer = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "callbacks": [until(TRAINED)]}
    with tempfile.TemporaryDirectory() as folder:
        model = TiDEModel(
            window,
            chunk,
            dropout=0.0,
            batch_size=256,
            n_epochs=100_000,
            random_state=0,
            optimizer_kwargs={"lr": RATE},
            pl_trainer_kwargs=trainer,
            save_checkpoints=True,
            work_dir=folder,
        )
        model.fit(seen[:-held], None, learned, seen[-held:], None, checked, load_best=True)

    def forecast(contexts, told):
        steps, futures = told.shape[1] - window, time_series(clocked(told, clock))
        said = model.predict(steps, time_series(contexts), future_covariates=futures, batch_size=64)
        return np.clip(np.nan_to_num([each.values() for each in said], nan=FAR), -FAR, FAR)

    return forecast


def until(seconds: float):
    """What ends a training after so many seconds of the processor; until then its learning rate falls to zero."""
    from pytorch_lightning.callbacks import Callback

    end = time.process_time() + seconds

    class Until(Callback):
        def on_train_batch_end(self, trainer, *_):
            left = max(end - time.process_time(), 0.0)
            trainer.should_stop = not left
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = RATE * left / seconds

        def __reduce__(self):  # checkpoints hold the trainer's callbacks, and only what can be imported: one that idles
            return Callback, ()

    return Until()


PEERS = {
    "reservoirpy": (reservoirpy, ((0.4, 1.0), (0.9, 1.0), (0.9, 0.3), (1.2, 0.3))),  # spectral radius, leak
    "pysindy": (pysindy, ((2, 1e-4), (2, 1e-2), (3, 1e-4), (3, 1e-2))),  # degree, threshold
    "darts": (darts, ((10, False), (50, False), (10, True), (50, True))),  # output chunk, whether it sees the time
}


def settings_for(name: str, numbers: int) -> tuple:
    """The settings that are tried for so many numbers a step."""
    settings = PEERS[name][1]
    return settings[:2] if name == "pysindy" and numbers > MOST_NUMBERS else settings


def error(forecasts, truth) -> float:
    return float(np.sqrt(np.nanmean(np.square(forecasts - truth))))


def all_of(forecast, features, told, window: int) -> np.ndarray:
    """The forecasts of all runs, (runs, steps - window, features)."""
    return forecast(features[:, :window], told)


def answer(name: str, given, window: int) -> np.ndarray:
    """The forecast of the test runs by the setting that is best on the validation runs."""
    told = {part: np.nan_to_num(given[f"told_{part}"]) for part in ("train", "validation", "test")}
    train, validation = given["train"], given["validation"]
    settings = settings_for(name, train.shape[2] + told["train"].shape[2])
    learned = [PEERS[name][0](train, told["train"], setting, window) for setting in settings]
    errors = [error(all_of(each, validation, told["validation"], window), validation[:, window:]) for each in learned]
    return all_of(learned[int(np.argmin(errors))], given["test"], told["test"], window)


def main() -> None:
    name, question, target = sys.argv[1:]
    with np.load(question) as given, np.errstate(all="ignore"):
        np.savez(target, forecast=answer(name, given, int(given["window"])))


if __name__ == "__main__":
    main()
