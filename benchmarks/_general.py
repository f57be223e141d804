"""One system and one seed of benchmarks/general.py: the default model is trained, and judged beside baselines."""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from _ablation import all_kept, without_each
from _systems import SYSTEMS, Made, System, chaotic, made

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import PARTS, select
from sim2seq.evaluation import long_term
from sim2seq.evaluation.measures import rmse, scaled, spread
from sim2seq.training.evaluate import baselines_of
from sim2seq.training.fit import fit
from sim2seq.training.folder import Training
from sim2seq.training.settings import Settings

BASELINES = ("hold", "mean trajectory", "nearest run", "ridge", "extra trees")  # from inputs alone: all there are
KNOWN_EXPONENTS = {"kuramoto": 0.046}  # a unit of time: of its equation at its length of 22; its runs are too few


@dataclass(frozen=True)
class Options:
    """What a measurement is told: the settings beside those that a user would name, and where files are."""

    budget: str
    words: tuple[str, ...]
    systems: Path
    quick: bool
    peers: tuple[str, ...]
    ablation: bool = False


def measured(name: str, title: str, seed: int, options: Options) -> dict:
    """What the default model is worth on one system with one seed, as JSON can hold it."""
    system = SYSTEMS[name] if name in SYSTEMS else System(partial(chaotic, title))
    found = made(name, system, options.systems, quick=options.quick)
    settings = settings_of(system, options, seed)
    with tempfile.TemporaryDirectory() as folder, all_kept() if options.ablation else nullcontext():
        start = time.perf_counter()
        trained = fit(found.ensemble, settings, folder, quiet=True)
        seconds = time.perf_counter() - start
        parts = {part: scored(found.ensemble, trained, part) for part in PARTS}
        return {
            "system": name,
            "title": title,
            "seed": seed,
            "budget": options.budget,
            "seconds": seconds,
            "runs": trained.scores.runs,
            "steps": found.ensemble.steps,
            "features": len(trained.scores.features),
            "window": settings.window,
            **judged(name, system, found, trained, parts),
            "peers": of_peers(options.peers, found, trained, parts) if options.peers else {},
            "without": without_each(found.ensemble, trained, Path(folder)) if options.ablation else {},
        }


def settings_of(system: System, options: Options, seed: int) -> Settings:
    """The default settings, with what a user would name."""
    return Settings.parse([*system.words, f"seed={seed}", f"budget={options.budget}", *options.words])


def scored(ensemble: Ensemble, trained: Training, part: str) -> Ensemble:
    """The runs of a part that were scored, as training.evaluate takes them."""
    whole = select(ensemble, getattr(trained.split, part))
    return trained.study.task.usable(whole, trained.settings).some_runs()


def judged(name: str, system: System, found: Made, trained: Training, parts: dict[str, Ensemble]) -> dict:
    """Errors, skill, long forecasts, band and candidates of a training."""
    forecast, truth, training = trained.predictions["test"].middle, truth_of(found, trained), series(trained, parts)
    naive = {each: scaled_error(one, truth, training) for each, one in naive_forecasts(trained, parts).items()}
    best, mine = min(naive, key=lambda each: naive[each]), scaled_error(forecast, truth, training)
    features, one_law = trained.scores.features, system.one_law and name not in KNOWN_EXPONENTS
    long = long_term.long_term(forecast, truth, training, features, one_law=one_law)
    known = 1 / KNOWN_EXPONENTS[name] / trained.scores.time_step if name in KNOWN_EXPONENTS else None
    tenths = trained.scores.band.coverage_by_tenth
    return {
        "error": mine,
        "baselines": naive,
        "best": best,
        "skill": 1 - mine / naive[best],
        "length": trained.scores.errors["test"].rmse,
        "valid": long.valid_steps,
        "lyapunov_time": known or long.lyapunov_time,
        "spectrum": float(np.mean(list(long.spectrum.values()))),
        "histogram": float(np.mean(list(long.histogram.values()))),
        "band": [min(tenths), max(tenths)],
        **candidates_of(trained),
    }


def series(trained: Training, parts: dict[str, Ensemble]) -> np.ndarray:
    """The features of the training runs, without controls, nan beyond their end."""
    return trained.study.task.split(parts["train"], trained.settings)[0]


def truth_of(found: Made, trained: Training) -> np.ndarray:
    """What the test runs did, without measurement noise where that is known: (runs, steps, features)."""
    kept = trained.predictions["test"]
    if found.clean is None:
        return kept.truth
    place = {run: number for number, run in enumerate(found.ensemble.run_ids)}
    return found.clean[[place[run] for run in kept.run_ids], trained.settings.window :]


def naive_forecasts(trained: Training, parts: dict[str, Ensemble]) -> dict[str, np.ndarray]:
    """Name -> forecast of the test runs by each baseline that counts here."""
    forecasts = baselines_of(trained.study, parts, trained.settings)
    chosen = BASELINES if trained.settings.window else tuple(forecasts)
    return {name: forecasts[name] for name in chosen}


def scaled_error(forecast: np.ndarray, truth: np.ndarray, training: np.ndarray) -> float:
    """Root mean square error over all, each feature in standard deviations of the training runs; of those that move."""
    return float(rmse(*(scaled(each, spread(training)) for each in (forecast, truth))))


def candidates_of(trained: Training) -> dict:
    """Of a combination: weights by stretch of the horizon, the error of each candidate alone, who is out and why."""
    made = trained.scores.combined
    if made is None:
        return {"weights": {}}
    return {"weights": made.weights, "alone": made.test, "out": made.out, "rule": made.rule}


def of_peers(names: tuple[str, ...], found: Made, trained: Training, parts: dict[str, Ensemble]) -> dict:
    """Peer -> its error on the same test runs, or the reason why there is none."""
    from _peers import asked

    truth, training = truth_of(found, trained), series(trained, parts)
    answers = {name: asked(name, parts, trained) for name in names}
    return {
        name: each if isinstance(each, str) else scaled_error(each, truth, training) for name, each in answers.items()
    }
