"""How well the end of a run is foretold: every network and baseline on the test tables, for benchmarks/oracle.py."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _rows import row

from sim2seq.data.splits import select
from sim2seq.notebook import STORE
from sim2seq.report.colours import GREY
from sim2seq.report.prediction_figures import predicted_against_true
from sim2seq.report.style import COLOURS, Picture, grid, plain, styled
from sim2seq.study import read
from sim2seq.training.fit import fit, split_runs
from sim2seq.training.folder import Training, digest
from studies.oracle.study import ASKED, STUDY

OURS, SHARES = "change", STUDY.task.at
GOALS = {0.2: 0.75, 0.5: 0.8}  # share of the run -> error as a share of the best baseline's
COVERAGE = (0.85, 0.95)
PUBLISHED = "as published"  # trained on whole runs alone, told nothing else
AS_PUBLISHED = ("epochs:100", "patience:20", "schedule:plateau", "targets_per_epoch:10000000")  # one target a run
LABELS_APART = 1.055  # of names in the picture of errors
SOURCES = ("standard", "bidirectional", "lite")
MEASURES = {"MAE": "lower", "RMSE": "lower", "correlation": "higher", "coverage": "higher"}


@dataclass(frozen=True)
class Said:
    """What a model or baseline says of the test runs: (runs, shares, targets); low and high None without a band."""

    middle: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def every_job(asked) -> dict[str, tuple[list[str], bool]]:
    """Name -> settings in words, and whether it learns from whole runs only."""
    found = {f"{OURS}, seed {seed}": ([f"seed:{seed}"], False) for seed in range(asked.seeds)}
    found["attention"] = (["recipe:attention"], False)
    for name in SOURCES:
        found[name] = ([f"recipe:{name}"], False)
        found[f"{name}, {PUBLISHED}"] = ([f"recipe:{name}", "inputs:", *AS_PUBLISHED], True)
    return {name: (words + asked.settings, whole) for name, (words, whole) in found.items()}


def jobs(asked) -> dict[str, tuple[list[str], bool]]:
    """Those of `every_job` that are asked for: by their name, or all seeds of a network by its own."""
    every = every_job(asked)
    networks = {name for name in asked.models if name not in every}
    return {
        name: job
        for name, job in every.items()
        if not asked.models or name in asked.models or name.partition(",")[0] in networks
    }


def targets_of(study) -> list[str]:
    """The names of what is asked for."""
    return [name.removesuffix("_final") for name in study.task.outputs]


def scores_rows(asked, of=STUDY) -> list[dict]:
    """Train, or read, everything in `asked.folder`; rows of the goals, then of every model, target, share and table."""
    if not (chosen := jobs(asked)):
        raise ValueError(f"--models: expected some of {', '.join(every_job(asked))}; got {', '.join(asked.models)}")
    if asked.pictures and not any(name.startswith(OURS) for name in chosen):
        raise ValueError(f"--pictures shows {OURS}, seed 0, too: it has to be among --models")
    ensemble = read(of, str(store_of(Path(asked.study))))
    found: dict[str, Training] = {}
    for name, (words, whole) in chosen.items():
        study = replace(of, task=replace(of.task, whole=whole))
        say(f"{name} ...")
        begun = cpu()
        folder = Path(asked.folder, name.replace(", ", "_").replace(" ", "_"))
        found[name] = fit(ensemble, of.settings.parse(words), folder, study=study, quiet=True, naive=last_value)
        say(f"{name}: {cpu() - begun:.0f} s of CPU")
    if asked.train_only:
        return []
    test = next(iter(found.values())).predictions["test"]
    naive = baselines_of_runs(ensemble, test.run_ids, Path(asked.folder, "baselines.npz"), of.settings(), of)
    said = {name: Said(each.middle, each.low, each.high) for name, each in predictions(found).items()}
    said |= {name: Said(each) for name, each in naive.items()}
    names = np.array([run.rpartition("_")[0] for run in test.run_ids])
    if asked.pictures:
        save_pictures(Path(asked.pictures), next(iter(found.values())), said, list(naive), test.truth)
    targets = targets_of(of)
    print(markdown(said, test.truth, targets))
    return [*goal_rows(said, list(naive), test.truth), *detail_rows(said, test.truth, names, targets)]


def last_value(study, parts, settings) -> dict[str, np.ndarray]:
    """The one baseline that each training is set beside at once; `baselines_of_runs` are asked once for all."""
    test, task = parts["test"], study.task
    values = np.asarray(test.values, dtype=float)[..., test.places(targets_of(study))]
    last = [values[np.arange(test.runs), task.steps_seen(test, share, settings) - 1] for share in SHARES]
    return {"last value": np.stack(last, axis=1)}


def baselines_of_runs(ensemble, run_ids, path: Path, settings, study=STUDY) -> dict[str, np.ndarray]:
    """Name -> prediction for these test runs, told all that is known, from every training run; kept in `path`."""
    of = digest(ensemble, settings.inputs)  # ids are the same for other data of as many runs
    if path.exists():
        with np.load(path) as kept:
            if kept["run_ids"].tolist() == list(run_ids) and kept.get("digest") == of:
                return {name: kept[name] for name in kept.files if name not in ("run_ids", "digest")}
    say("baselines ...")
    split = split_runs(ensemble, settings, study)
    if both := set(split.train.runs) & set(run_ids):
        raise ValueError(f"expected test runs that baselines have not learned from; got {min(both)} and others")
    parts = (select(ensemble, part) for part in (split.train, replace(split.test, runs=tuple(run_ids))))
    found = study.task.baselines(*parts, settings, {})
    np.savez(path, run_ids=np.array(run_ids), digest=of, **found)
    return found


def store_of(path: Path) -> Path:
    """The store in a study's folder, or the store itself."""
    return path / STORE if path.is_dir() else path


def predictions(found: dict) -> dict:
    return {name: training.predictions["test"] for name, training in found.items()}


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def cpu() -> float:
    """Seconds that this process has computed."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def save_pictures(folder: Path, ours: Training, said: dict, naive: list[str], truth: np.ndarray) -> None:
    """The pictures of the card: predicted against true by share, and errors and coverage by share."""
    folder.mkdir(parents=True, exist_ok=True)
    predicted_against_true(ours).savefig(folder / "predicted.png", dpi=110)
    by_share(said, naive, truth, targets_of(ours.study)).savefig(folder / "by_share.png", dpi=110)


@styled
def by_share(said: dict, naive: list[str], truth: np.ndarray, targets=ASKED) -> Picture:
    """Left: the error of each model and baseline by share of the run that was seen. Right: coverage of our band."""
    figure, ((errors, covered),) = grid(1, 2, width=11, height=4.2)
    shares, by = [100 * share for share in SHARES], {name: measured(each, truth) for name, each in said.items()}
    names = [name for name in by if not name.startswith(OURS) or name.endswith("seed 0")]
    models = [name for name in names if name not in naive]
    for name in names:
        colour = COLOURS[models.index(name) % len(COLOURS)] if name in models else GREY
        style = {"lw": 2.6} if name.startswith(OURS) else {"ls": "--", "lw": 1.2} if name in naive else {}
        values = by[name]["MAE"].mean(axis=1)
        errors.plot(shares, values, color=colour, marker=".", **style)
    ends = {name: by[name]["MAE"][-1].mean() for name in names}
    for name, place in apart(ends, LABELS_APART).items():
        errors.annotate(plain(name), (shares[-1], place), (4, 0), textcoords="offset points", fontsize=7.5, va="center")
    errors.set(yscale="log", xlim=(0, 100), title="mean absolute error, mean of the targets")
    ours = next(name for name in by if name.startswith(OURS))
    covered.axhspan(*(100 * each for each in COVERAGE), color=GREY, alpha=0.15, lw=0, label="what the goal allows")
    for place, (target, colour) in enumerate(zip(targets, COLOURS, strict=False)):
        covered.plot(shares, 100 * by[ours]["coverage"][:, place], color=colour, marker=".", label=plain(target))
    covered.plot(shares, 100 * by[ours]["coverage"].mean(axis=1), color="black", lw=2, label="mean of the targets")
    covered.set(ylim=(70, 100), title="test runs within the 90 % band, %")
    covered.legend(loc="lower right")
    for axis in (errors, covered):
        axis.set_xlabel("share of the run that was seen, %")
    return figure


def apart(ends: dict[str, float], factor: float) -> dict[str, float]:
    """Where names stand beside the ends of their lines, each at least this factor above the one below it."""
    found: dict[str, float] = {}
    for name in sorted(ends, key=ends.__getitem__):
        found[name] = max(ends[name], factor * max(found.values(), default=0.0))
    return found


def measured(said: Said, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Measure -> (shares, targets), over the runs."""
    error = said.middle - truth
    found = {"MAE": np.abs(error).mean(axis=0), "RMSE": np.sqrt(np.square(error).mean(axis=0))}
    with np.errstate(invalid="ignore", divide="ignore"):
        pair = [each - each.mean(axis=0) for each in (said.middle, truth)]
        found["correlation"] = (pair[0] * pair[1]).mean(axis=0) / (said.middle.std(axis=0) * truth.std(axis=0))
    if said.low is not None:
        found["coverage"] = ((said.low <= truth) & (truth <= said.high)).mean(axis=0)
    return found


def goal_rows(said: dict, naive: list[str], truth: np.ndarray) -> list[dict]:
    """The rows with a goal: of each seed's training the error beside the best baseline's, and the coverage."""
    ours = [name for name in said if name.startswith(OURS)]
    rows = []
    for share, goal in GOALS.items():
        place = SHARES.index(share)
        errors = {name: float(measured(each, truth)["MAE"][place].mean()) for name, each in said.items()}
        best = min(naive, key=errors.__getitem__)
        for name in ours:
            what = f"{name}: MAE after {share:.0%} of the run, mean of the targets (best baseline: {best})"
            rows.append(row(what, errors[name], goal * errors[best], "lower", "-", errors[best]))
    for name in ours:
        covered = measured(said[name], truth)["coverage"].mean(axis=1)
        rows.append(row(f"{name}: coverage, lowest of all prefixes", covered.min(), COVERAGE[0], "higher", "-"))
        rows.append(row(f"{name}: coverage, highest of all prefixes", covered.max(), COVERAGE[1], "lower", "-"))
    return rows


def detail_rows(said: dict, truth: np.ndarray, names: np.ndarray, targets=ASKED) -> list[dict]:
    """Without goals: each measure by share and target, and by share and table, mean of the targets."""
    rows = []
    for who, each in said.items():
        for measure, values in measured(each, truth).items():
            for (place, target), value in np.ndenumerate(values):
                what = f"{who}: {measure} of {targets[target]} after {SHARES[place]:.0%}"
                rows.append(row(what, value if np.isfinite(value) else None, None, MEASURES[measure], "-"))
        for table in dict.fromkeys(names):
            here = names == table
            of_table = Said(*(None if part is None else part[here] for part in (each.middle, each.low, each.high)))
            for measure, values in measured(of_table, truth[here]).items():
                for place, value in enumerate(values.mean(axis=1)):
                    what = f"{who}: {measure} on {table} after {SHARES[place]:.0%}, mean of the targets"
                    rows.append(row(what, value, None, MEASURES[measure], "-"))
    return rows


def markdown(said: dict, truth: np.ndarray, targets=ASKED) -> str:
    """Tables for the card: error by share, mean of the targets; every measure after 20 and 50 %; coverage."""
    head = line("", SHARES, ".0%") + "\n" + "|---" * (1 + len(SHARES)) + "|"
    by = {name: measured(each, truth) for name, each in said.items()}
    lines = [
        "Mean absolute error on the test tables, mean of the targets, by share of the run that was seen:",
        "",
        head,
    ]
    lines += [line(name, found["MAE"].mean(axis=1), ".4f") for name, found in by.items()]
    lines += ["", "Coverage of the 90 % band, mean of the targets:", "", head]
    lines += [line(name, found["coverage"].mean(axis=1), ".1%") for name, found in by.items() if "coverage" in found]
    for share in GOALS:
        place = SHARES.index(share)
        lines += ["", f"After {share:.0%}, by target: MAE, RMSE, correlation", "", "| | " + " | ".join(targets) + " |"]
        lines.append("|---" * (1 + len(targets)) + "|")
        lines += [of_targets(name, found, place) for name, found in by.items()]
    return "\n".join(lines) + "\n"


def line(name: str, values, form: str) -> str:
    return f"| {name} | " + " | ".join(format(value, form) for value in values) + " |"


def of_targets(name: str, found: dict, place: int) -> str:
    cells = zip(*(found[each][place] for each in ("MAE", "RMSE", "correlation")), strict=True)
    return f"| {name} | " + " | ".join(f"{mae:.4f}, {rmse:.4f}, {r:.2f}" for mae, rmse, r in cells) + " |"
