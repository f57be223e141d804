"""What training and forecasting cost on one backend of Keras: one question a process, the answer as JSON.

    KERAS_BACKEND=jax python benchmarks/backends.py QUESTION [--quick] [--best-loss LOSS]

benchmarks/training.py asks every question of every backend that is installed, and makes the table. The questions:

learning    for each model and seed: at how many seconds a whole training had reached the loss and the closed loop that
            are asked for, and what it reached. The clock starts before the model is built and stops at the end of an
            epoch; validation and the files that a training writes are inside. Each epoch's weights are kept aside and
            judged afterwards, on all windows of the validation runs: the same runs, windows and scaled units as the
            plain recipe's loss. Untrained is the model before its first epoch, which is its linear part alone.
speeds      targets trained a second by `learner.fit`, compiled as the settings say, without validation and files;
            the first call left out, the median of three.
loops       seconds of a closed loop: of the first call, and of the fastest of three later ones.
memory      the most that a process held: once everything is imported, and after `training.fit` of residual_lstm, with
            its scores.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # the study's scripts stand beside the package

import ball_bounce
import pgen_ensembles
from sim2seq._support.command import Parser, run
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Part, Split, select
from sim2seq.data.windows import Scaling, Windows
from sim2seq.evaluation.measures import rmse
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import rollout
from sim2seq.training import fit as fitting
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST

DATA = Path(__file__).parent.parent / "tests" / "samples" / "ball_bounce_64_correlated.npz"
SIZES = (38, 13, 13)  # runs for training, validation and test, in the order of the file
CLOSED_LOOP_GOAL = 0.20  # length, RMSE over 370 steps
MANY = 1024  # runs
SEEDS = (0, 1, 2)
TIMES = 3  # each speed is measured
QUICK = ["units=8", "epochs=2", "passes=1"]

MODELS = {  # name in the tables -> settings
    "autoregression": ["recipe=autoregression", "members=1"],
    "residual_lstm": ["model=residual_lstm"],
    "stacked_lstm": ["recipe=stacked_lstm"],
}
SPEEDS = (  # model, targets in a sample, samples in a batch, batches timed
    ("stacked_lstm", 1, 32, 100),
    ("stacked_lstm", 1, 1024, 4),
    ("stacked_lstm", 10, 64, 20),
    ("stacked_lstm", 50, 64, 10),
    ("stacked_lstm", 370, 32, 5),
    ("residual_lstm", 50, 32, 20),
    ("autoregression", 1, 128, 500),
    ("autoregression", 1, 1024, 100),
    ("autoregression", 10, 128, 200),
    ("autoregression", 50, 128, 50),
    ("autoregression", 370, 32, 50),
)


def ordered_runs(quick: bool = False) -> tuple[Ensemble, Split]:
    """The public demo's 64 runs and the split that takes them in their order; `quick` takes 20 runs of 100 steps."""
    sizes, steps = ((10, 5, 5), 100) if quick else (SIZES, 400)
    values = np.load(DATA)["positions"][: sum(sizes), :steps]
    ensemble = ensemble_of(values)
    ends = np.cumsum([0, *sizes])
    return ensemble, Split(*(Part(ensemble.run_ids[a:b], 0, steps) for a, b in pairwise(ends)))


def ensemble_of(values: np.ndarray) -> Ensemble:
    """Positions (runs, steps, 3) as an Ensemble."""
    names = tuple(f"run_{number}" for number in range(1, len(values) + 1))
    return Ensemble(values, names, ("x_pos", "y_pos", "z_pos"), np.arange(values.shape[1]) / 20)


def many_runs(runs: int, steps: int) -> Ensemble:
    """Runs of this study's simulator, whose inputs are one joint Latin hypercube."""
    table = {name: np.array(column) for name, column in pgen_ensembles.parameter_table(NUM_STUDIES=runs).items()}
    initial = [[table[f"{axis}_{kind}_INITIAL"] for axis in "XYZ"] for kind in ("POS", "VEL")]
    world = {"gravity": table["GRAVITY"], "box": table["BOX_SIDE_LENGTH"], "drag": table["DRAG"], "frequency": 20}
    _, series, *_ = ball_bounce.bounce(*initial, steps=steps, **world)
    return ensemble_of(np.array(series).transpose(2, 1, 0))


def noting(notes: list) -> type:
    """The training's own checkpoint, which also puts down (time, model, weights) at the start and after each epoch."""

    class Noting(fitting.Checkpoint):
        def on_train_begin(self, logs=None):
            super().on_train_begin(logs)
            self.note()

        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            self.note()

        def note(self):
            notes.append((time.perf_counter(), self.physical, self.physical.get_weights()))

    return Noting


def learn(ensemble: Ensemble, split: Split, settings: Settings, best_loss: float) -> dict:
    """One training: seconds, loss and closed loop of the model before it and after it, and seconds to each goal."""
    notes, start = [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(fitting, "Checkpoint", noting(notes)):
        fitting.train(ensemble, settings, split, Path(folder), FORECAST)
        seconds, best = time.perf_counter() - start, keras.saving.load_model(Path(folder) / "model.keras")
    std, part = Scaling.of(select(ensemble, split.train).values).std, select(ensemble, split.validation)
    truth = part.values[:, settings.window :]

    def loss(model):
        return float(np.mean(((one_step(model, part.values, settings.window) - truth) / std) ** 2))

    def error(model):
        return float(rmse(rollout(model, part.values[:, : settings.window], truth.shape[1]), truth))

    def judged(note):
        end, model, weights = note
        model.set_weights(weights)
        return {"seconds": end - start, "loss": loss(model), "closed_loop": error(model)}

    goals, reached = {"loss": best_loss, "closed_loop": CLOSED_LOOP_GOAL}, {}
    for note in notes[1:]:
        epoch = judged(note)
        for name in goals:
            if epoch[name] <= goals[name]:
                reached.setdefault(name, epoch["seconds"])
        if len(reached) == len(goals):
            break
    trained = {"seconds": seconds, "epochs": len(notes) - 1, "loss": loss(best), "closed_loop": error(best)}
    return {"untrained": judged(notes[0]), "reached": reached, "trained": trained}


def learning(quick: bool, best_loss: float) -> dict:
    """Model -> what each seed's training reached, and when."""
    ensemble, split = ordered_runs(quick)
    words, seeds = (QUICK, SEEDS[:1]) if quick else ([], SEEDS)
    return {
        name: [
            learn(ensemble, split, Settings.parse([*MODELS[name], *words, f"seed={seed}"]), best_loss) for seed in seeds
        ]
        for name in ("autoregression", "residual_lstm")
    }


def speed(part: Ensemble, words, name: str, targets: int, batch_size: int, batches: int) -> float:
    """Targets trained a second, in batches of so many samples with so many targets each."""
    wanted = [f"targets={targets}", f"batch_size={batch_size}", f"steps_per_execution={batches}"]
    settings = Settings.parse([*MODELS[name], *wanted, *words])
    core, scalings = fitting.build(part, settings)
    samples, values = batches * batch_size, scalings.series.scale(part.values)
    available = part.runs * (part.steps - settings.window - targets + 1)
    data = Windows(
        values,
        settings.window,
        targets=targets,
        batch_size=batch_size,
        seed=0,
        passes=-(-samples // available),
        limit=samples * targets,
        dtype=core.inputs[0].dtype,
    )
    learner = fitting.compiled(core, settings, targets, len(data))
    seconds = [timed(learner.fit, data, verbose=0, shuffle=False) for _ in range(1 + TIMES)]
    return len(data) * data.batch_size * targets / statistics.median(seconds[1:])


def speeds(quick: bool, _) -> list:
    """What was trained, and its targets a second: [[model, targets, batch size], speed] each."""
    ensemble, split = ordered_runs()
    part = select(ensemble, split.train)
    cases, words = ([SPEEDS[0], SPEEDS[-1]], ["units=8"]) if quick else (SPEEDS, [])
    return [[case[:3], speed(part, words, *case)] for case in cases]


def loops(quick: bool, _) -> dict:
    """Model -> seconds of the first and of a later closed loop. What the weights are makes no difference."""
    ensemble, split = ordered_runs()
    part, runs, found = select(ensemble, split.train), 64 if quick else MANY, {}
    for name in ["residual_lstm"] if quick else MODELS:
        settings = Settings.parse([*MODELS[name], *(QUICK if quick else [])])
        core, scalings = fitting.build(part, settings)
        window = None if core.lookback is None else settings.window
        model = fitting.saved_model(core, part, settings, FORECAST, scalings, window)
        context = np.resize(part.values[:, : settings.window], (runs, settings.window, 3))
        seconds = [timed(rollout, model, context, 370) for _ in range(1 + TIMES)]
        found[name] = {"first": seconds[0], "warm": min(seconds[1:])}
    return found


def memory(quick: bool, _) -> dict:
    """Bytes of this process at its largest: before, and after a short training of residual_lstm on many runs."""
    imports, ensemble = largest(), many_runs(*((64, 100) if quick else (MANY, 400)))
    with tempfile.TemporaryDirectory() as folder:
        words = [*MODELS["residual_lstm"], *(QUICK if quick else ["epochs=2"])]
        fitting.fit(ensemble, Settings.parse(words), folder)
    return {"imports": imports, "training": largest()}


def largest() -> float:
    """Bytes of memory that this process held at its largest.

    Not resource.getrusage, which in a child process begins at the size of the parent that started it.
    """
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(lines["VmHWM"].split()[0]) * 1024


def timed(function, *arguments, **options) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


QUESTIONS = {each.__name__: each for each in (learning, speeds, loops, memory)}


def is_installed(backend: str) -> bool:
    return importlib.util.find_spec(backend) is not None


def ask(backend: str, question: str, *, quick: bool, best_loss: float = 0.0):
    """The answer to a question in a process of its own, with this backend."""
    options = ["--best-loss", repr(best_loss), *(["--quick"] if quick else [])]
    print(f"{backend}: {question}", file=sys.stderr, flush=True)
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, __file__, question, *options]
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--quick", action="store_true", help="as for training.py")
    parser.add_argument("--best-loss", type=float, default=0.0, help="scaled MSE, one step ahead, to be reached")
    arguments = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        answer = QUESTIONS[arguments.question](arguments.quick, arguments.best_loss)
    print(json.dumps(answer))


if __name__ == "__main__":
    sys.exit(run(main))
