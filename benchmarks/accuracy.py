"""How far is a free-running forecast from the simulation, and does its band hold? Models beside baselines.

    python benchmarks/accuracy.py [--quick] [--only NAME ...] [--json FILE] [--again]

correlated   tests/samples/ball_bounce_64_correlated.npz: 64 runs of the public demo, whose six inputs rise together
joint        tests/samples/ball_bounce_128_joint.npz: 128 of the demo's simulator, inputs in one joint Latin hypercube
fresh        1024 runs of this study's own simulator and sampler
conditions   1024 runs in which gravity, drag and box side vary by 50 % both ways, known to models and baselines, and
             128 more outside those ranges
limit        128 runs of the simulator's exact scheme with a restitution of 0.9, where walls are hit between two steps

Runs are split by their order: 38 / 13 / 13, 77 / 26 / 25, then 60 / 20 / 20 %, for training, validation and test. Every
forecast starts from the first 30 steps of a run and goes on for 370 by itself; errors are root mean squares over all
of them, in units of which a box side is 100 (where it does not vary). Settings were chosen on validation runs, and so
is the table of what each part is worth: one seed, one part left out at a time. Test runs are looked at once, at the
end, with three seeds; the source's network, trained as the source does, has one. With --json the rows of an ensemble
are kept there when it is done, and it is left alone the next time, unless --again. The full size takes an hour
and a half on two cores; --quick shows in two minutes that all of it works, and its numbers mean little.
"""

from __future__ import annotations

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

import numpy as np
from _rows import kept, publish, row

sys.path.insert(0, str(Path(__file__).parent.parent))  # the study's scripts stand beside the package

import ball_bounce
import pgen_ensembles
from sim2seq._support.command import Parser, run
from sim2seq._support.files import write_json
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import Part, Split, select
from sim2seq.evaluation import conformal
from sim2seq.evaluation.measures import rmse
from sim2seq.models import terms
from sim2seq.training import fit as fitting
from sim2seq.training.folder import load_models
from sim2seq.training.settings import Settings
from sim2seq.training.study import FORECAST

DATA = Path(__file__).parent.parent / "tests" / "samples"
GOAL, SHARE, HALF = 0.20, 0.5, 0.5  # length; of the best baseline's error
CORRIDOR = (0.85, 0.95)  # of the coverage of a 90 % band, in every tenth of the horizon
SEEDS = (0, 1, 2)
CONDITIONS = ("gravity", "drag", "box_side_length")
MODELS = {"residual_lstm": ["model=residual_lstm"], "autoregression": ["recipe=autoregression"]}  # name -> settings


def recorded(name: str):
    """The positions of a data set of tests/samples, (runs, steps, features); its inputs are not needed."""
    return np.load(DATA / f"ball_bounce_{name}.npz")["positions"], {}


def simulated(runs: int, *, scheme: str = "tick", gravity: float = 1.0, restitution: float = 1.0, **arguments):
    """Positions (runs, steps, features) of the study's sampler and simulator, and its nine inputs, (runs,) each."""
    table = pgen_ensembles.parameter_table(NUM_STUDIES=runs, **arguments)
    given = {name.lower(): np.array(column) for name, column in table.items() if name not in ("GROUP_ID", "RUN_ID")}
    initial = [[given[f"{axis}_{kind}_initial"] for axis in "xyz"] for kind in ("pos", "vel")]
    world = {"gravity": gravity * given["gravity"], "drag": given["drag"], "box": given["box_side_length"]}
    world |= {"scheme": scheme, "restitution": restitution}
    _, series, *_ = ball_bounce.bounce(*initial, frequency=20, steps=400, **world)
    return np.array(series).transpose(2, 1, 0), given


RECORDED = ("correlated", "joint")
ENSEMBLES = {  # name -> (how to make it, sizes of the parts, runs outside the ranges, inputs of the run)
    "correlated": (lambda: recorded("64_correlated"), (38, 13, 13), 0, ()),
    "joint": (lambda: recorded("128_joint"), (77, 26, 25), 0, ()),
    "fresh": (lambda: simulated(1024, SEED=2026), (614, 205, 205), 0, ()),
    "conditions": (lambda: simulated(1024, SEED=2026, CONDITIONS=0.5, OUTSIDE=128), (614, 205, 205), 128, CONDITIONS),
    # the demo's gravity acts once a tick on a velocity a tick: 400 times as much in units of seconds
    "limit": (lambda: simulated(128, scheme="exact", gravity=400.0, restitution=0.9), (77, 26, 25), 0, ()),
}


def ensemble_and_split(name: str, *, quick: bool) -> tuple[Ensemble, Split, Part | None, tuple]:
    """The ensemble, its split in the order of the runs, the runs outside the ranges, and the inputs to be given."""
    make, sizes, outside, inputs = ENSEMBLES[name]
    values, given = make()
    if quick:
        values, sizes, outside = values[:, :100], (16, 8, 8), outside // 16
    inside = sum(sizes)
    chosen = [*range(inside), *range(len(values) - outside, len(values))]
    runs = tuple(f"run_{number}" for number in range(1, len(chosen) + 1))
    steps, given = values.shape[1], {what: column[chosen] for what, column in given.items()}
    ensemble = Ensemble(values[chosen], runs, ("x_pos", "y_pos", "z_pos"), np.arange(steps) / 20, given)
    ends = np.cumsum([0, *sizes])
    split = Split(*(Part(runs[a:b], 0, steps) for a, b in pairwise(ends)))
    return ensemble, split, Part(runs[inside:], 0, steps) if outside else None, inputs


def trained(ensemble: Ensemble, split: Split, settings: Settings):
    """The members of a training, as its folder keeps them, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        for member in range(settings.members):
            fitting.train(ensemble, settings, split, Path(folder), FORECAST, member=member)
        return load_models(Path(folder)), time.perf_counter() - start


def untrained(ensemble: Ensemble, split: Split, settings: Settings):
    """A model before any gradient: its linear part alone."""
    part = select(ensemble, split.train)
    core, scalings = fitting.build(part, settings)
    return (fitting.saved_model(core, part, settings, FORECAST, scalings, settings.window),)


def no_walls(values, conditions):
    count = 0 if conditions is None else conditions.shape[1]
    return tuple(np.full((1 + count, values.shape[2]), 0.0) + bound for bound in FAR_WALLS)


FAR_WALLS = (np.array([[-np.inf]]), np.array([[np.inf]]))


def blind_state(*arguments, state=terms.recent_state):
    """The recent state, with the flags of the walls at 0."""
    *free, at_low, at_high = state(*arguments)
    return [*free, 0 * at_low, 0 * at_high]


def absolute_state(series, pace, low, high, state=terms.recent_state):
    """The recent state, with the last three values in the place of value and increments."""
    _, _, _, *flags = state(series, pace, low, high)
    return [series[:, 2:], series[:, 1:-1], series[:, :-2], *flags]


WITHOUT = {  # what is left out -> the name in sim2seq.models.terms and what takes its place
    "signed squares": {"signed_squares": lambda increments: []},
    "wall flags": {"recent_state": blind_state},
    "walls (flags and clipping)": {"find_walls": no_walls},
    "increments (absolute values)": {"recent_state": absolute_state},
}


def error(members, part: Ensemble, settings: Settings) -> float:
    """Rollout RMSE of the members' middle on `part`."""
    forecast = conformal.middle(FORECAST.task.predict(members, part, settings))
    return float(rmse(forecast, part.values[:, settings.window :]))


def baseline_errors(train: Ensemble, part: Ensemble, settings: Settings) -> dict[str, float]:
    """Rollout RMSE of each baseline on `part`."""
    forecasts = FORECAST.task.baselines(train, part, settings, {})
    return {name: float(rmse(each, part.values[:, settings.window :])) for name, each in forecasts.items()}


def ablation(name, ensemble, split, settings, other) -> list[dict]:
    """Closed loop on the validation runs: the autoregression, less one part at a time; `other` has another network."""
    part = select(ensemble, split.validation)
    results = {
        "whole": error(trained(ensemble, split, settings)[0], part, settings),
        "without stage 2, the network": error(untrained(ensemble, split, settings), part, settings),
        "LSTM as network (residual_lstm)": error(trained(ensemble, split, other)[0], part, other),
    }
    for what, parts in WITHOUT.items():
        with mock.patch.multiple(terms, **parts):
            results[f"without {what}"] = error(trained(ensemble, split, settings)[0], part, settings)
    with mock.patch.multiple(terms, **WITHOUT["signed squares"]):
        results["without signed squares, without network"] = error(untrained(ensemble, split, settings), part, settings)
    whole = results["whole"]
    return [row(f"{name}, validation: {what}", e, None, "lower", "length", whole) for what, e in results.items()]


def final(name, ensemble, split, outside, settings: dict, *, goal, seeds) -> list[dict]:
    """Closed loop on the test runs: every baseline, and each model with each seed, its time and its band."""
    train, test = select(ensemble, split.train), select(ensemble, split.test)
    first = next(iter(settings.values()))
    baselines = baseline_errors(train, test, first)
    best = min(baselines.values())
    rows = [row(f"{name}, test: {what}", e, None, "lower", "length") for what, e in baselines.items()]
    for model, each in settings.items():
        fits = [trained(ensemble, split, Settings(**{**vars(each), "seed": seed})) for seed in seeds]
        errors = [error(members, test, each) for members, _ in fits]
        rows += [
            row(
                f"{name}, test: {model}, mean of {len(fits)} seeds",
                np.mean(errors),
                goal(best),
                "lower",
                "length",
                best,
            ),
            row(f"{name}, test: {model}, best seed", min(errors), None, "lower", "length", best),
            row(f"{name}, test: {model}, worst seed", max(errors), None, "lower", "length", best),
            row(f"{name}: training {model}, mean", np.mean([seconds for _, seconds in fits]), None, "lower", "s"),
            *band_rows(f"{name}, test: {model}", ensemble, split, [members for members, _ in fits], each),
        ]
        if outside:
            rows += outside_rows(name, model, train, select(ensemble, outside), fits, each)
    return rows


def source_row(name, ensemble, split, settings) -> dict:
    """Closed loop of the source's network on the test runs: one target a window, batch 32, early stopping, one seed."""
    test = select(ensemble, split.test)
    best = min(baseline_errors(select(ensemble, split.train), test, settings).values())
    found = error(trained(ensemble, split, settings)[0], test, settings)
    return row(f"{name}, test: the source's LSTM", found, None, "lower", "length", best)


def band_rows(name, ensemble, split, fits, settings) -> list[dict]:
    """Coverage of the band on the test runs: lowest and highest tenth of the horizon with any seed, and the mean."""
    tenths = []
    for members in fits:
        forecasts, truth = {}, {}
        for what in ("validation", "test"):
            part = select(ensemble, getattr(split, what))
            forecasts[what] = FORECAST.task.predict(members, part, settings)
            truth[what] = part.values[:, settings.window :]
        band = conformal.calibrate(forecasts["validation"], truth["validation"])
        _, low, high = band.around(forecasts["test"])
        tenths.append(conformal.coverage(low, high, truth["test"]))
    inside = np.mean([(CORRIDOR[0] <= each) & (each <= CORRIDOR[1]) for each in tenths])
    tenths = np.array(tenths)
    return [
        row(f"{name}, 90 % band: lowest coverage of a tenth, any seed", tenths.min(), CORRIDOR[0], "higher", ""),
        row(f"{name}, 90 % band: highest coverage of a tenth, any seed", tenths.max(), CORRIDOR[1], "lower", ""),
        row(f"{name}, 90 % band: share of tenths in 85 to 95 %", inside, 1.0, "higher", ""),
        row(f"{name}, 90 % band: coverage over all", tenths.mean(), None, "higher", ""),
    ]


def outside_rows(name, model, train, part, fits, settings) -> list[dict]:
    """Closed loop on runs outside the ranges: what the model does there, beside the best baseline."""
    best = min(baseline_errors(train, part, settings).values())
    errors = [error(members, part, settings) for members, _ in fits]
    what = f"{name}, outside the ranges: {model}"
    return [
        row(f"{what}, mean of {len(fits)} seeds", np.mean(errors), None, "lower", "length", best),
        row(f"{what}, worst seed", max(errors), None, "lower", "length", best),
    ]


def goal_of(name: str):
    """The goal of an ensemble as a function of the best baseline's error."""
    shares = {"fresh": SHARE, "conditions": HALF}
    return lambda best: shares[name] * best if name in shares else GOAL if name in RECORDED else None


def measured(name: str, *, quick: bool) -> list[dict]:
    """All rows of an ensemble, of few runs and one seed if `quick`."""
    size, seeds = (["epochs=1", "passes=1", "members=1"], SEEDS[:1]) if quick else ([], SEEDS)
    ensemble, split, outside, inputs = ensemble_and_split(name, quick=quick)
    given = [f"inputs={','.join(inputs)}"] if inputs else []
    settings = {model: Settings.parse([*words, *given, *size]) for model, words in MODELS.items()}
    rows = []
    if name != "fresh" and not quick:
        alone = Settings(**{**vars(settings["autoregression"]), "members": 1})
        rows += ablation(name, ensemble, split, alone, settings["residual_lstm"])
    if name in RECORDED:
        rows.append(source_row(name, ensemble, split, Settings.parse(["recipe=stacked_lstm", *size])))
    return rows + final(name, ensemble, split, outside, settings, goal=goal_of(name), seeds=seeds)


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs of 100 steps and a short training")
    parser.add_argument("--only", choices=list(ENSEMBLES), nargs="+", default=list(ENSEMBLES), help="these ensembles")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows there")
    parser.add_argument("--again", action="store_true", help="measure again what is kept there")
    arguments = parser.parse_args()
    setup = {"quick": arguments.quick}
    rows = [] if arguments.again else kept(arguments.json, setup).get("rows", [])
    for name in arguments.only if not arguments.quick else ("correlated", "conditions"):
        if any(row["name"].startswith((f"{name},", f"{name}:")) for row in rows):
            continue
        rows += measured(name, quick=arguments.quick)
        if arguments.json:
            write_json(arguments.json, {"setup": setup, "rows": rows})
        print(f"{name}: done", file=sys.stderr)
    publish(rows)


if __name__ == "__main__":
    sys.exit(run(main))
