"""Tables: the rows of a report's tables; of much, some."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.splits import PARTS
from sim2seq.evaluation import long_term
from sim2seq.evaluation.measures import common_unit
from sim2seq.evaluation.scores import Errors, Scores, skill
from sim2seq.models.builders import LEAST_WINDOW
from sim2seq.report.data_figures import varying_inputs
from sim2seq.report.page import interval_text, number, skill_text
from sim2seq.report.score_figures import mean_weights
from sim2seq.report.style import MOST_FEATURES, by_error, spread, with_unit
from sim2seq.training.folder import Training

POSITIONS = 5  # of a card at most: the first, the last, and evenly between
MOST_ROWS = 40  # of inputs
ALWAYS = "stacked_lstm"  # a candidate whose score is shown whatever its weight


@dataclass(frozen=True)
class ScoreTable:
    """Errors on the test runs: groups, (title, names of columns) each, and a row (name, one number a column) each."""

    groups: list[tuple[str, list[str]]]
    rows: list[tuple[str, list[float | None]]]


def score_table(scores: Scores) -> ScoreTable:
    """The model and every baseline, the least error first; the columns are those of the kind of task."""
    everything = {"model": scores.errors["test"], **scores.baselines}
    columns = columns_of(scores)
    one_step = {name: each.rmse for name, each in scores.one_step_baselines.items()}
    one_step |= {"model": scores.one_step["test"].rmse} if scores.one_step else {}
    groups = [(title, list(some)) for title, some in columns.items()]
    rows = []
    for name in sorted(everything, key=lambda name: np.nan_to_num(everything[name].rmse, nan=np.inf)):
        row = [number_of(everything[name]) for some in columns.values() for number_of in some.values()]
        if scores.one_step:
            row.append(one_step.get(name))
        rows.append((name, row))
    return ScoreTable([*groups, ("one step", ["all"])] if scores.one_step else groups, rows)


def columns_of(scores: Scores) -> dict[str, dict]:
    """Title of a group -> name of a column -> what it takes from Errors."""
    chosen = by_error(scores.errors["test"].by_feature) if len(scores.features) > 1 else []
    units = dict(zip(scores.features, scores.units, strict=True)) if not common_unit(scores.units) else {}
    features = {heading(name, units): lambda errors, name=name: errors.by_feature[name] for name in chosen}
    if scores.task == "target per run":
        places = spread(len(scores.positions), MOST_FEATURES)
        shares = {f"{100 * scores.positions[i]:g} %": lambda errors, i=i: errors.by_position[i] for i in places}
        by_share = {"by share of the run that was seen": {"all": all_over, **shares}}
        return by_share | ({"by target": features} if features else {})
    first = {f"first {n}": lambda errors, n=n: errors.first[n] for n in scores.errors["test"].first}
    return {"rollout" if scores.task == "forecast" else "error": {"all steps": all_over, **first, **features}}


def heading(name: str, units: dict[str, str]) -> str:
    """A name as the head of a column, with its unit where the columns have several."""
    return f"{name} [{units[name]}]" if units.get(name) else name


def all_over(errors: Errors) -> float:
    return errors.rmse


def part_table(scores: Scores) -> list[dict]:
    """A row for each part of the split: how the model does on it."""
    return [
        {
            "name": part,
            "runs": scores.runs[part],
            "error": scores.errors[part].rmse,
            "one_step": scores.one_step[part].rmse if part in scores.one_step else None,
        }
        for part in PARTS
    ]


@dataclass(frozen=True)
class CandidateRow:
    """A candidate of a combination: errors in standard deviations, mean weight over the horizon, seconds; or None.

    out   why it has no weight, or why it has learned nothing; "" for one that was weighed
    """

    name: str
    validation: float | None
    test: float | None
    weight: float | None
    seconds: float | None
    out: str


def candidate_table(training: Training) -> list[CandidateRow] | None:
    """A row for each candidate, the least error on validation runs first; None for a training of one model."""
    combined = training.scores.combined
    if combined is None:
        return None
    weights = mean_weights(combined, len(training.scores.positions))
    everything = dict.fromkeys([*combined.validation, *combined.out, *combined.seconds, ALWAYS])
    rows = [
        CandidateRow(
            name,
            combined.validation.get(name),
            combined.test.get(name),
            weights.get(name, 0.0) if name in combined.validation else None,
            combined.seconds.get(name),
            combined.out.get(name) or ("" if name in combined.seconds else not_there(training)),
        )
        for name in everything
    ]
    return sorted(rows, key=lambda row: (bool(row.out), np.inf if row.validation is None else row.validation))


def not_there(training: Training) -> str:
    """Why the candidate that is always shown is not there."""
    settings = training.settings
    if settings.window < LEAST_WINDOW.get(ALWAYS, 1):
        return "it goes on from a window, and there is none"
    return f"it has not learned: the budget of {settings.budget} left it no time"


@dataclass(frozen=True)
class StatisticsRow:
    """How far the statistics of a feature's forecast are from the truth's (evaluation.long_term.LongTerm).

    extremes, true_extremes   lower and upper one, in the unit of the feature
    """

    name: str
    spectrum: float
    histogram: float
    extremes: list[float]
    true_extremes: list[float]


def statistics_table(training: Training) -> list[StatisticsRow] | None:
    """A row for each feature that is shown; None for other kinds of task, and for a forecast of few steps."""
    scores = training.scores
    if scores.task != "forecast" or not long_term.is_long(truth := training.predictions["test"].truth):
        return None
    names, units = by_error(scores.errors["test"].by_feature), dict(zip(scores.features, scores.units, strict=True))
    places = [scores.features.index(name) for name in names]
    truth, forecast = truth[..., places], training.predictions["test"].middle[..., places]
    columns = (
        long_term.spectral_distance(forecast, truth),
        long_term.histogram_distance(forecast, truth),
        long_term.extremes(np.where(np.isfinite(truth), forecast, np.nan)),
        long_term.extremes(truth),
    )
    rows = zip(names, *(each.tolist() for each in columns), strict=True)
    return [StatisticsRow(heading(name, units), *numbers) for name, *numbers in rows]


def outside_table(scores: Scores) -> list[dict] | None:
    """A row for the test runs that were scored, one for those held out; None when none were.

    The second counts, too, how many were held out, and how many of its runs have an input outside the training runs'.
    """
    apart = scores.held_out
    if not apart:
        return None
    tests = {"model": scores.errors["test"], **scores.baselines}
    shown = {name: np.array(column, dtype=float) for name, column in apart.inputs.items() if name in scores.inputs}
    beyond = [(column < scores.inputs[name][0]) | (column > scores.inputs[name][1]) for name, column in shown.items()]
    counts = {"of": apart.runs, "beyond": int(np.any(beyond, axis=0).sum())}
    rows: list[dict] = []
    for where, runs, errors in (
        ("test runs", scores.scored_runs["test"], tests),
        ("held out", apart.scored_runs, apart.errors),
    ):
        naive = {name: each.rmse for name, each in errors.items() if name != "model"}
        best, model = min(naive, key=naive.__getitem__), errors["model"].rmse
        row = {"where": where, "runs": runs, "model": model, "best": best, "baseline": naive[best]}
        rows.append(row | {"skill": skill(model, naive[best])})
    rows[1] |= counts
    return rows


def facts(ensemble: Ensemble, training: Training) -> dict[str, str]:
    """The ensemble in a few short lines, name -> text."""
    sizes = training.scores.runs
    short = training.study.task.too_short(ensemble, training.settings)
    said = {"read": "; ".join(ensemble.notes), "too short, left out": some_names(short)}
    return {
        "runs": str(ensemble.runs),
        "steps in each": steps_in_each(ensemble),
        "features": some_names(ensemble.features),
        "inputs that vary": str(len(varying_inputs(ensemble))),
        "split": f"{training.settings.split}: " + " / ".join(str(sizes[part]) for part in PARTS) + " runs",
        **how_trained(training),
        **{name: text for name, text in said.items() if text},
    }


def how_trained(training: Training) -> dict[str, str]:
    """How much was trained: epochs of a model, or candidates of a combination."""
    combined, history = training.scores.combined, training.history
    if combined:
        used = f"{len(combined.weights)} of {len(combined.seconds)}"
        return {"candidates with a weight": used, "budget": training.settings.budget}
    trained = f"{len(history['loss'])} of at most {training.settings.epochs} epochs" if history else "unknown"
    return {"trained": trained, "models": str(training.scores.members)}


def steps_in_each(ensemble: Ensemble) -> str:
    """How many steps the runs have, and from when to when."""
    first, last = ensemble.times[0], ensemble.times[-1]
    shortest, longest = ensemble.lengths.min(), ensemble.lengths.max()
    steps = f"{longest}" if ensemble.uniform else f"{shortest} to {longest}"
    return f"{steps} ({first:g} to {last:g}{' ' + ensemble.step_unit if ensemble.step_unit else ''})"


def some_names(names) -> str:
    """All names, or the first few and how many more."""
    more = len(names) - MOST_FEATURES
    return ", ".join(names[:MOST_FEATURES]) + (f" and {more} more" if more > 0 else "")


def input_table(ensemble: Ensemble) -> list[tuple[str, str, str]]:
    """Each input with its range, or its one value: (name, kind, text); MOST_ROWS at most, those that vary first."""
    order = sorted(ensemble.inputs, key=lambda name: not is_varying(ensemble.inputs[name]))
    names = list(ensemble.inputs) if len(order) <= MOST_ROWS else order[:MOST_ROWS]
    found = [(name, *describe(np.asarray(ensemble.inputs[name]))) for name in names]
    return [(name, kind, with_unit(text, ensemble.units.get(name))) for name, kind, text in found]


def describe(column: np.ndarray) -> tuple[str, str]:
    """What one input's values are: ("varies", range) or ("fixed", value). Texts are counted."""
    if is_varying(column):
        return "varies", f"{number(column.min())} to {number(column.max())}"
    counts = Counter(column.tolist())
    if len(counts) > 1:
        return "varies", f"{len(counts)} different values"
    return "fixed", number(column[0]) if column.dtype.kind in "iuf" else str(column[0])


def largest_correlation(ensemble: Ensemble) -> dict | None:
    """The two inputs that move together most, with their correlation; None with fewer than two inputs or three runs."""
    names = varying_inputs(ensemble)
    if len(names) < 2 or ensemble.runs < 3:
        return None
    found = np.triu(np.corrcoef([np.asarray(ensemble.inputs[name], dtype=float) for name in names]), k=1)
    first, second = np.unravel_index(np.argmax(np.abs(found)), found.shape)
    return {"names": (names[first], names[second]), "value": float(found[first, second])}


def card_numbers(training: Training) -> str:
    """A table of errors on the test runs, the best first, and a line on skill, band and runs."""
    scores, positions = training.scores, training.scores.positions
    count = min(POSITIONS, len(positions))
    chosen = sorted({round(place * (len(positions) - 1) / max(count - 1, 1)) for place in range(count)})
    titles = [f"{positions[place]:g}" for place in chosen]
    titles[0] += f" {scores.position}"
    unit = scores.unit
    error = f"{scores.measure} [{unit}], test runs" if unit else f"{scores.measure}, test runs"
    rows = {"**model**": scores.errors["test"], **scores.baselines}
    lines = [f"| {error} | all | " + " | ".join(titles) + " |", "|---" * (2 + len(chosen)) + "|"]
    for name, errors in sorted(rows.items(), key=lambda pair: pair[1].rmse):
        cells = [number(errors.rmse), *(number(errors.by_position[place]) for place in chosen)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    low, high = scores.skill_interval
    interval = "" if low < high else interval_text(scores)
    interval = interval or f"{skill_text(low)} to {skill_text(high)} over runs"
    told = f"Skill {skill_text(scores.skill)} ({interval}) against {scores.best_baseline}"
    if scores.band:
        few = ", of one validation run," if scores.scored_runs.get("validation") == 1 else ""
        told += f"; the {100 * scores.band.level:g} % band{few} holds {100 * scores.band.coverage:.0f} %"
    runs = " / ".join(str(scores.runs[part]) for part in ("train", "validation", "test"))
    return "\n".join([*lines, "", f"{told}; {runs} runs, seed {training.settings.seed}."])
