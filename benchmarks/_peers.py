"""Peers of benchmarks/general.py: packages that forecast too, each in an environment that uv makes for it alone.

    python _peers.py NAME ASKED.npz ANSWER.npz

reservoirpy   an echo state network of 500 units, fed with its own forecasts
pysindy       sparse regression of the next step on polynomials (DiscreteSINDy)

Both see what the model sees: window, inputs and controls, in standard deviations of the training runs. Each has four
settings, of which the validation runs choose by the error that is reported; pysindy has none of degree 3 where it sees
more than MOST_NUMBERS. An answer is cut at a million standard deviations.

ASKED holds, for part in train, validation and test: part (runs, steps, features) and told_part (runs, steps, numbers),
nan beyond the end of a run; and window. ANSWER holds forecast (runs, steps - window, features) of the test part.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PACKAGES = {"reservoirpy": "reservoirpy==0.4.2", "pysindy": "pysindy==2.1.0"}
NAMES = tuple(PACKAGES)
PATIENCE = 900  # seconds for all four settings
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
        command = ["uv", "run", "--quiet", "--isolated", "--no-project", "--with", PACKAGES[name], "python", __file__]
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


def reservoirpy(features, told, setting):
    """A function (context, told) -> forecast of one run."""
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

    return forecast


def pysindy(features, told, setting):
    """A function (context, told) -> forecast of one run."""
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

    return forecast


PEERS = {
    "reservoirpy": (reservoirpy, ((0.4, 1.0), (0.9, 1.0), (0.9, 0.3), (1.2, 0.3))),  # spectral radius, leak
    "pysindy": (pysindy, ((2, 1e-4), (2, 1e-2), (3, 1e-4), (3, 1e-2))),  # degree, threshold
}


def settings_for(name: str, numbers: int) -> tuple:
    """The settings that are tried for so many numbers a step."""
    settings = PEERS[name][1]
    return settings[:2] if name == "pysindy" and numbers > MOST_NUMBERS else settings


def error(forecasts, truth) -> float:
    return float(np.sqrt(np.nanmean(np.square(forecasts - truth))))


def all_of(forecast, features, told, window: int) -> np.ndarray:
    """The forecasts of all runs, (runs, steps - window, features)."""
    return np.array([forecast(x[:window], u) for x, u in zip(features, told, strict=True)])


def answer(name: str, given, window: int) -> np.ndarray:
    """The forecast of the test runs by the setting that is best on the validation runs."""
    told = {part: np.nan_to_num(given[f"told_{part}"]) for part in ("train", "validation", "test")}
    train, validation = given["train"], given["validation"]
    settings = settings_for(name, train.shape[2] + told["train"].shape[2])
    learned = [PEERS[name][0](train, told["train"], setting) for setting in settings]
    errors = [error(all_of(each, validation, told["validation"], window), validation[:, window:]) for each in learned]
    return all_of(learned[int(np.argmin(errors))], given["test"], told["test"], window)


def main() -> None:
    name, question, target = sys.argv[1:]
    with np.load(question) as given, np.errstate(all="ignore"):
        np.savez(target, forecast=answer(name, given, int(given["window"])))


if __name__ == "__main__":
    main()
