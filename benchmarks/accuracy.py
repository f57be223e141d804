"""How far is a free-running forecast from the simulation? Every baseline and the autoregression, on two ensembles.

    python benchmarks/accuracy.py [--quick] [--lstm] [--json FILE]

correlated   tests/data/ball_bounce_64_correlated.npz: 64 runs of the public demo, whose six inputs rise together
joint        128 runs of this study's simulator, whose inputs are one joint Latin hypercube

Runs are split by their order: 38 / 13 / 13 and 77 / 26 / 25 for training, validation and test. Every forecast starts
from the first 30 steps of a run and goes on for 370 by itself; errors are root mean squares over all of them. Settings
were chosen on validation runs, and so is the table of what each part of the autoregression is worth: one seed, one part
left out at a time. Test runs are looked at once, at the end, with three seeds. The full size takes about eight minutes
on two cores; --lstm trains the default network too, about four minutes an ensemble; --quick shows in two minutes that
all of it works, and its numbers mean little.

An error of a few thousandths is a run followed to its end. An error near 0.1 is one run of all in which a ball that
only just reaches a wall was forecast to miss it, or the other way round, and came back a step too late: with errors of
a millionth that is luck, so the parts that matter in the table are those that lose more than that.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _rows import publish, row

sys.path.insert(0, str(Path(__file__).parent.parent))  # the study's scripts stand beside the package

import ball_bounce
import pgen_ensembles
from sim2seq import metrics, models, training
from sim2seq.ensemble import Ensemble
from sim2seq.forecast import closed_loop
from sim2seq.settings import Settings
from sim2seq.windows import Part, Scaling, Split, select

DATA = Path(__file__).parent.parent / "tests" / "data" / "ball_bounce_64_correlated.npz"
GOAL = 0.20  # length, closed loop, test runs
SEEDS = (0, 1, 2)


def demo_runs() -> np.ndarray:
    """The positions of the public demo's 64 runs, (runs, steps, features)."""
    return np.load(DATA)["positions"]


def joint_runs() -> np.ndarray:
    """The positions of 128 runs of the study's simulator, (runs, steps, features)."""
    table = {name: np.array(column) for name, column in pgen_ensembles.parameter_table(NUM_STUDIES=128).items()}
    initial = [[table[f"{axis}_{kind}_INITIAL"] for axis in "XYZ"] for kind in ("POS", "VEL")]
    world = {"gravity": table["GRAVITY"], "box": table["BOX_SIDE_LENGTH"], "drag": 0.1, "frequency": 20}
    _, series, *_ = ball_bounce.bounce(*initial, steps=400, **world)
    return np.array(series).transpose(2, 1, 0)


ENSEMBLES = {"correlated": (demo_runs, (38, 13, 13)), "joint": (joint_runs, (77, 26, 25))}


def split_in_order(values, sizes) -> tuple[Ensemble, Split]:
    """The first `sum(sizes)` runs as an Ensemble, and the split that takes them in their order."""
    runs = tuple(f"run_{number}" for number in range(1, sum(sizes) + 1))
    steps = values.shape[1]
    ensemble = Ensemble(values[: len(runs)], runs, ("x_pos", "y_pos", "z_pos"), np.arange(steps) / 20)
    ends = np.cumsum([0, *sizes])
    return ensemble, Split(*(Part(runs[a:b], 0, steps) for a, b in pairwise(ends)))


def trained(ensemble: Ensemble, split: Split, settings: Settings):
    """The best model of a training, as its folder keeps it, and the seconds that the training took."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        training.train(ensemble, settings, split, Path(folder))
        return keras.saving.load_model(Path(folder) / "model.keras"), time.perf_counter() - start


def untrained(ensemble: Ensemble, split: Split, settings: Settings):
    """The autoregression before any training: its linear part alone."""
    part = select(ensemble, split.train)
    scaling = Scaling.of(part)
    values = scaling.scale(part.values)
    core = models.autoregression(settings.window, values.shape[2], units=settings.units, values=values)
    return models.with_scaling(core, scaling)


def no_walls(values):
    return np.full(values.shape[2], -np.inf), np.full(values.shape[2], np.inf)


def blind_state(*arguments, state=models.recent_state):
    """The recent state, with the flags of the walls at 0."""
    *free, at_low, at_high = state(*arguments)
    return [*free, 0 * at_low, 0 * at_high]


def absolute_state(contexts, pace, low, high, state=models.recent_state):
    """The recent state, with the last three values in the place of value and increments."""
    _, _, _, *flags = state(contexts, pace, low, high)
    return [contexts[:, -1], contexts[:, -2], contexts[:, -3], *flags]


WITHOUT = {  # what is left out -> the name in sim2seq.models and what takes its place
    "wall flags": {"recent_state": blind_state},
    "clipping": {"keep_between": lambda values, low, high: values},
    "walls (flags and clipping)": {"walls": no_walls},
    "increments (absolute values)": {"recent_state": absolute_state},
    "float64 (float32)": {"PRECISE": "float32"},
}


def error(model, part: Ensemble, window: int) -> float:
    truth = part.values[:, window:]
    return float(metrics.rmse(closed_loop(model, part.values[:, :window], truth.shape[1]), truth))


def ablation(name, ensemble, split, settings) -> list[dict]:
    """Closed loop on the validation runs: the whole autoregression, and one part left out at a time."""
    part, window = select(ensemble, split.validation), settings.window
    whole = error(trained(ensemble, split, settings)[0], part, window)
    results = {"whole": whole, "without residual network": error(untrained(ensemble, split, settings), part, window)}
    for what, parts in WITHOUT.items():
        with mock.patch.multiple(models, **parts):
            results[f"without {what}"] = error(trained(ensemble, split, settings)[0], part, window)
    return [row(f"{name}, validation: {what}", e, None, "lower", "length", whole) for what, e in results.items()]


def final(name, ensemble, split, settings, *, lstm) -> list[dict]:
    """Closed loop on the test runs: baselines, autoregression with each seed, and the LSTM where asked for."""
    train, part, window = select(ensemble, split.train), select(ensemble, split.test), settings.window
    baselines = {what: e["rmse"] for what, e in metrics.baseline_errors(train, part, window).items()}
    best = min(baselines.values())
    fits = [trained(ensemble, split, Settings(**{**vars(settings), "seed": seed})) for seed in SEEDS]
    errors, seconds = [error(model, part, window) for model, _ in fits], [each for _, each in fits]
    rows = [row(f"{name}, test: {what}", e, None, "lower", "length") for what, e in baselines.items()]
    if lstm:
        rows.append(
            row(f"{name}, test: stacked_lstm", lstm_error(ensemble, split, part), None, "lower", "length", best)
        )
    return [
        *rows,
        row(
            f"{name}, test: autoregression, mean of {len(SEEDS)} seeds", np.mean(errors), GOAL, "lower", "length", best
        ),
        row(f"{name}, test: autoregression, best seed", min(errors), None, "lower", "length", best),
        row(f"{name}, test: autoregression, worst seed", max(errors), None, "lower", "length", best),
        row(f"{name}: training the autoregression, mean", np.mean(seconds), None, "lower", "s"),
    ]


def lstm_error(ensemble, split, part) -> float:
    return error(trained(ensemble, split, Settings())[0], part, Settings().window)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs of 100 steps and a short training")
    parser.add_argument("--lstm", action="store_true", help="train the default network, too")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    size = ["epochs=2", "passes=1"] if arguments.quick else []
    settings = Settings.parse(["recipe=autoregression", *size])
    rows = []
    for name, (make, sizes) in ENSEMBLES.items():
        values, sizes = (make()[:, :100], (8, 4, 4)) if arguments.quick else (make(), sizes)
        ensemble, split = split_in_order(values, sizes)
        rows += ablation(name, ensemble, split, settings)
        rows += final(name, ensemble, split, settings, lstm=arguments.lstm)
    publish(rows, arguments.json)


if __name__ == "__main__":
    main()
