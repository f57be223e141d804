"""Summary: what the first lines of a report say, in the words of each kind of task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.splits import PARTS
from sim2seq.evaluation.conformal import BandScores, trusted_steps
from sim2seq.evaluation.long_term import VALID, LongTerm, long_term, valid_steps
from sim2seq.evaluation.measures import spread
from sim2seq.evaluation.scores import Scores
from sim2seq.report.data_figures import varying_inputs
from sim2seq.report.page import interval_text, number
from sim2seq.report.score_figures import mean_weights, weight_text
from sim2seq.report.style import by_error
from sim2seq.training.folder import Training
from sim2seq.training.forecast import Forecast
from sim2seq.training.symbols import NextSymbol
from sim2seq.training.targets import PerRun, PerStep

WIDTH = "its band is more than half as wide as the range of the training runs"
ENDS = {"width": WIDTH, "baseline": "its error is no longer below that of the best baseline"}  # of a forecast
AGAINST = {"width": WIDTH, "baseline": "its error is not below that of the best baseline"}  # a target
MOST_NAMES = 6  # in a sentence
BASELINES = ("mean trajectory", "hold", "nearest run", "ridge", "extra trees")  # that are candidates, too


@dataclass(frozen=True)
class Summary:
    """What the first lines say of the test part.

    skill, low, high    and its 95 % interval, in words `interval`; `certain`: that is above 0, and not of one run
    how                 what was asked, the beginning of the sentence that gives the error
    better              names of the baselines, of `count`, that do at least as well
    steps               sentences for single positions; trust: how far to trust it, or None
    alone               the baseline that a combination consists of; None where it has others, or is none
    made_of, valid      sentences: its candidates, and how long it is valid; None for other kinds
    """

    skill: float
    low: float
    high: float
    interval: str
    error: float
    best: str
    baseline: float
    better: list[str]
    count: int
    how: str
    runs: int
    steps: str
    trust: str | None
    alone: str | None
    made_of: str | None
    valid: str | None

    @property
    def beats(self) -> bool:
        return bool(self.skill > 0)  # a skill that is no number is no success either

    @property
    def certain(self) -> bool:
        return self.has_interval and bool(self.low > 0)

    @property
    def has_interval(self) -> bool:
        return bool(self.low < self.high)


def summary(training: Training, ensemble: Ensemble) -> Summary:
    """The first lines of the report of a training."""
    scores = training.scores
    error, (low, high) = scores.errors["test"].rmse, scores.skill_interval
    return Summary(
        skill=scores.skill,
        low=low,
        high=high,
        interval=interval_text(scores),
        error=error,
        best=scores.best_baseline,
        baseline=scores.baselines[scores.best_baseline].rmse,
        better=[name for name, result in scores.baselines.items() if not error < result.rmse],
        count=len(scores.baselines),
        how=how_asked(training, ensemble),
        runs=scores.scored_runs["test"],
        steps=after_shares(scores) if scores.task == "target per run" else "",
        trust=trust(training),
        alone=only_baseline(scores),
        made_of=made_of(scores),
        valid=valid(training, ensemble),
    )


def only_baseline(scores: Scores) -> str | None:
    """The baseline that a combination consists of, at every step; None where no model was weighed, or one counts."""
    names = list(scores.combined.weights) if scores.combined else []
    known = BASELINES if scores.window else (*BASELINES, "gaussian process")
    return names[0] if len(names) == 1 and names[0] in known else None


def made_of(scores: Scores) -> str | None:
    """What a combination is made of, a sentence."""
    if scores.combined is None:
        return None
    means = mean_weights(scores.combined, len(scores.positions))
    if len(means) == 1:
        return f"It is {next(iter(means))} alone: no other candidate has a weight."
    parts = [f"{name} ({weight_text(means[name])})" for name in sorted(means, key=lambda name: -means[name])]
    return f"It is a combination of {names(parts)}, weights on average over the horizon."


def valid(training: Training, ensemble: Ensemble) -> str | None:
    """How long a forecast is valid and what it is after that, a sentence; None for other kinds of task."""
    scores = training.scores
    if scores.task != "forecast" or not scores.window:
        return None
    controls = getattr(training.study.task, "controls", ()) or training.settings.controls
    one_law = not varying_inputs(ensemble) and not controls
    kept = training.predictions
    shown = kept["test"].middle, kept["test"].truth, kept["train"].truth
    found = long_term(*shown, scores.features, one_law=one_law)
    return how_long_valid(found, to_the_end=is_valid_to_its_end(*shown))


def is_valid_to_its_end(prediction, truth, training) -> bool:
    """Whether the median run is valid at all its steps, of which runs have different numbers."""
    steps = np.isfinite(truth).all(axis=2).sum(axis=1)
    return bool(np.median(valid_steps(prediction, truth, spread(training)) / np.maximum(steps, 1)) >= 1)


def how_long_valid(found: LongTerm, *, to_the_end: bool) -> str:
    """Up to which step the error is small, in steps and, where that is known, in Lyapunov times."""
    small = f"its error stays below {VALID:g} standard deviations"
    if to_the_end:
        return f"In the median run {small} to the end."
    times = f", {number(found.valid_steps / found.lyapunov_time)} Lyapunov times" if found.lyapunov_time else ""
    after = "beyond them expect no more than the climate: mean and spread of the training runs"
    return f"In the median run {small} for {number(found.valid_steps)} steps{times}" + (f"; {after}." if times else ".")


def how_asked(training: Training, ensemble: Ensemble) -> str:
    """What the model was asked, as the beginning of a sentence."""
    scores, task = training.scores, training.study.task
    if isinstance(task, Forecast):
        steps = f"{'' if ensemble.uniform else 'up to '}{answers(scores)}"
        told = names(task.controls or training.settings.controls)
        under = f" and told {told} of every step" if told else ""
        if not scores.window:
            return f"From {names(training.settings.inputs)} alone{under}, for {steps} steps"
        return f"Free-running for {steps} steps after a true window of {scores.window}{under}"
    if isinstance(task, PerStep):
        first, inputs = int(scores.positions[0]), names(task.inputs)
        where = f"every step after the first {first}" if first else "every step"
        up_to = "the steps before it" if task.ahead else "all steps up to it"
        return f"Predicting {names(scores.features)} of {where} from {inputs} of {up_to}"
    if isinstance(task, PerRun):
        return f"Predicting {names(scores.features)} from the first {percent(scores.positions)} of a run"
    if isinstance(task, NextSymbol):
        return "Giving the probability of each symbol from those before it"
    return f"Predicting {names(scores.features)}"


def answers(scores: Scores) -> int:
    """How many positions the longest test run has."""
    known = [errors.by_position for errors in (scores.errors["test"], *scores.baselines.values())]
    return 1 + int(np.max(np.flatnonzero(np.isfinite(np.fmin.reduce(known))), initial=0))


def names(all_names) -> str:
    """Names in a sentence, the first few of many."""
    shown, more = list(all_names)[:MOST_NAMES], len(all_names) - MOST_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def percent(shares) -> str:
    """Shares of a run, lowest to highest, in per cent."""
    ends = [f"{100 * share:g}" for share in (shares[0], shares[-1])]
    return f"{ends[0]} %" if len(shares) == 1 else f"{' to '.join(ends)} %"


def share_of_run(share: float) -> str:
    return {0.5: "half of a run", 1.0: "a whole run"}.get(share, f"{100 * share:g} % of a run")


def after_shares(scores: Scores) -> str:
    """The error after the first share of a run, after about half of it and after the last share: sentences."""
    half = int(np.argmin(np.abs(np.array(scores.positions) - 0.5)))
    least = np.fmin.reduce([errors.by_position for errors in scores.baselines.values()])
    errors, sentences = scores.errors["test"].by_position, []
    for i in sorted({0, half, len(scores.positions) - 1}):
        pair = f"{number(errors[i])} (the best baseline there: {number(least[i])})"
        sentences.append(f"After {share_of_run(scores.positions[i])} it is {pair}.")
    return " ".join(sentences)


def some_scored(scores: Scores) -> str | None:
    """A sentence on which runs were scored, and learned from by baselines, of a large ensemble; None: all."""
    if scores.runs == scores.scored_runs:
        return None
    pairs = {part: (number(scores.scored_runs[part]), number(scores.runs[part])) for part in PARTS}
    others = "nor have the candidates" if scores.combined else "the network from all, which is to its advantage"
    counts = ", ".join(f"{some} of {every} {part} runs" for part, (some, every) in pairs.items())
    return (
        f"Errors are those of some runs, drawn at random: {counts}. The baselines have learned from no other training "
        f"runs than these, {others}."
    )


def trust(training: Training) -> str | None:
    """How far to trust the predictions, as a sentence; None for a training without a band."""
    scores = training.scores
    if scores.band is None:
        return None
    return trust_forecast(scores, scores.band) if scores.task == "forecast" else trust_targets(training, scores.band)


def trust_forecast(scores: Scores, band: BandScores) -> str:
    """Up to which step, which comes from the scores."""
    step, why = band.trusted_steps, ENDS.get(band.reason or "", "")
    begin = "after the window" if scores.window else "of the run"
    steps = step if scores.window else step - 1  # from the window's last step, or from the first one of the run
    time = f" ({number(steps * scores.time_step)} {scores.time_unit} {begin})" if scores.time_unit else ""
    if step == band.steps:
        return f"Trust this forecast at every step, up to step {step}{time}."
    if step:
        return f"Trust this forecast up to step {step}{time}, and no further: {why}."
    return f"Do not trust this forecast at any step: from the first one on, {why}."


def trust_targets(training: Training, band: BandScores) -> str:
    """At which steps, or from which share of a run on."""
    found, scores = doubts(training, band), training.scores
    trusted = [doubt is None for doubt in found]
    per_run = scores.task == "target per run"
    if all(trusted):
        where = f"from {share_of_run(scores.positions[0])} on" if per_run else "at every step"
        return f"Trust this prediction {where}."
    why = " or ".join(text for doubt, text in AGAINST.items() if doubt in found)
    if not any(trusted):
        return f"Do not trust this prediction {'after any share of a run' if per_run else 'at any step'}: {why}."
    first = trusted.index(True)
    if per_run and all(trusted[first:]):
        return f"Trust this prediction once {share_of_run(scores.positions[first])} was seen: before that, {why}."
    what = "shares of a run" if per_run else "steps"
    return f"Trust this prediction at {sum(trusted)} of {len(trusted)} {what}: at the others, {why}."


def doubts(training: Training, band: BandScores) -> list[str | None]:
    """What speaks against a prediction at each position that the band is calibrated for: a key of AGAINST, or None.

    The rule is conformal.trusted_steps, applied to each position for itself: an early one does not end all later ones.
    Where no training run has got to, nothing is known of the width.
    """
    scores = training.scores
    widths = np.transpose([np.array(band.half_width[name], dtype=float) for name in scores.features])
    widths = np.where(np.isnan(widths), np.inf, widths)
    known = training.predictions["train"].truth
    squared = np.square(scores.errors["test"].by_position)
    least = np.square(np.fmin.reduce([errors.by_position for errors in scores.baselines.values()]))
    each = [slice(i, i + 1) for i in range(band.steps)]
    return [
        trusted_steps(widths[i], squared[i], known[:, i], least[i], band.level)[1]
        if np.isfinite(known[:, i]).any()
        else "width"
        for i in each
    ]


def band_summary(scores: Scores) -> dict | None:
    """What the band holds on the test runs, in per cent; None for a training without a band."""
    band = scores.band
    if band is None:
        return None
    parts, level = [100 * share for share in band.coverage_by_tenth if np.isfinite(share)], 100 * band.level
    shown = by_error(scores.errors["test"].by_feature)
    return {
        "level": level,
        "members": band.members,
        "validation": scores.scored_runs.get("validation"),
        "candidates": len(scores.combined.weights) if scores.combined else 0,
        "coverage": 100 * band.coverage,
        "lowest": min(parts),
        "highest": max(parts),
        "by_feature": {name: 100 * band.coverage_by_feature[name] for name in shown},
        "inside": sum(level - 5 <= share <= level + 5 for share in parts),
        "parts": len(parts),
        "what": parts_of(scores, band),
    }


def parts_of(scores: Scores, band: BandScores) -> str:
    """What the coverage is counted in."""
    few = len(band.coverage_by_tenth) == band.steps
    if scores.task == "target per run":
        return "shares of the run" if few else "tenths of the shares"
    return "steps" if few else "tenths of the horizon" if scores.task == "forecast" else "tenths of the steps"
