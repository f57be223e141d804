"""Scores: errors of any prediction, skill against the best baseline, intervals.

A *prediction* is an array (runs, positions, features). A position is what a task answers at: a step ahead of the
window, a step of the run, a share of the run that was seen. `truth` has its shape, with nan where there is nothing to
predict, beyond the end of a run; such places count nowhere. What counts as error is one of MEASURES: of numbers the
root mean square in their unit, of log-probabilities the cross-entropy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np

from sim2seq._support.brief import brief
from sim2seq.evaluation import conformal
from sim2seq.evaluation.conformal import Band
from sim2seq.evaluation.intervals import over_runs
from sim2seq.evaluation.measures import common_unit, losses, of_mean, scaled

HORIZONS = (1, 10, 50, 100, 200)


@dataclass(frozen=True)
class Errors:
    """Errors of one prediction: root mean squared, or what else `Scores.measure` says.

    rmse          over all; by_position: one number a position; first: n -> over the first n positions; in `Scores.unit`
    by_feature    feature -> over runs and positions, in its own unit
    """

    rmse: float
    by_feature: dict[str, float]
    by_position: list[float] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldOut:
    """Runs that belong to no part of the split, beside the test runs: how the error depends on the inputs.

    errors           name of the model or of a baseline -> its errors on them
    inputs           name -> one number a run that was scored; rmse_by_run: of the model
    test_inputs and test_rmse_by_run: the same of the test runs
    """

    runs: int
    scored_runs: int
    errors: dict[str, Errors]
    inputs: dict[str, list[float]]
    rmse_by_run: list[float]
    test_inputs: dict[str, list[float]]
    test_rmse_by_run: list[float]


@dataclass(frozen=True)
class Combined:
    """What a combination is made of (models/combination.py).

    steps        the middles of the stretches of the horizon, in steps ahead
    weights      name -> one number a stretch, mean of the features, of the candidates that have a weight anywhere
    validation, test   name -> error of each candidate alone, over all features in units of their standard deviation;
                 inf for what is no number
    out          name -> why it was left out, or has learned nothing
    seconds      name -> how long it has learned
    rule         how the weights were chosen, a name of models.combination.RULES
    """

    steps: list[float]
    weights: dict[str, list[float]]
    validation: dict[str, float]
    test: dict[str, float]
    out: dict[str, str]
    seconds: dict[str, float]
    rule: str


@dataclass(frozen=True)
class Scores:
    """What scores.json holds: how good the predictions of a training are, beside what needs no model.

    task, position       the kind of task, and what its positions count; positions: their numbers
    features, units      what is predicted; steps: of the longest run; time_step in `time_unit`
    window, members      steps seen before the first answer; models whose middle is judged
    inputs               told to the models (or varied): name -> lowest and highest of the training runs
    first_window         feature -> lowest and highest in the first window of any training run, or of a target of the
                         run, which is asked of any prefix, in any step
    controls             told of each step: name -> lowest and highest in any step of any training run
    told_units           name -> unit of inputs and controls; a name that is missing has none
    runs, scored_runs    part -> how many there are, and how many were scored of a large ensemble
    skill                1 - error / error of the best baseline on the test part; skill_interval: 95 %, over its runs
    errors, one_step     part -> errors, free-running; and of a forecast fed with the truth
    baselines            name -> errors on the test part; one_step_baselines likewise
    band                 what the conformal band holds on the test part; None without one
    judged               what the study's own judge says: name -> number
    combined             what a combination is made of; None for one model
    share                feature that says which share of a run is done; "": its steps, of those of the longest run
    measure              what all errors are, a name of measures.MEASURES
    in_deviations        whether errors over all features count each in its standard deviation (measures.scale_of)
    """

    task: str
    position: str
    positions: list[float]
    features: list[str]
    units: list[str]
    steps: int
    time_step: float
    time_unit: str
    window: int
    members: int
    inputs: dict[str, list[float]]
    first_window: dict[str, list[float]]
    runs: dict[str, int]
    scored_runs: dict[str, int]
    skill: float
    skill_interval: list[float]
    best_baseline: str
    errors: dict[str, Errors]
    baselines: dict[str, Errors]
    band: conformal.BandScores | None = None
    one_step: dict[str, Errors] = field(default_factory=dict)
    one_step_baselines: dict[str, Errors] = field(default_factory=dict)
    held_out: HeldOut | None = None
    judged: dict[str, float] = field(default_factory=dict)
    combined: Combined | None = None
    share: str = ""
    measure: str = "RMSE"
    in_deviations: bool = False
    controls: dict[str, list[float]] = field(default_factory=dict)
    told_units: dict[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit of errors over all features; "" where none is known."""
        return "standard deviations" if self.in_deviations else common_unit(self.units)

    def __repr__(self) -> str:
        skill, compared = f"{self.skill:.3g}", f"{self.best_baseline}, on {self.scored_runs.get('test', 0)} test runs"
        return brief(self, task=self.task, features=self.features, skill=f"{skill} over {compared}")

    def to_json(self) -> dict:
        """Numbers, texts, lists and names, as JSON holds them; `of` reads it back."""
        return asdict(self)

    @classmethod
    def of(cls, content: dict) -> Scores:
        """The scores that `to_json` made, of this version or of 0.1. Raises KeyError or TypeError for others."""
        content = from_version_0_1(content) if "closed_loop" in content else dict(content)
        for name in ("errors", "baselines", "one_step", "one_step_baselines"):
            content[name] = read_errors(content.get(name) or {})
        if content.get("band") is not None:
            content["band"] = conformal.BandScores(**content["band"])
        if content.get("combined") is not None:
            content["combined"] = Combined(**content["combined"])
        if content.get("held_out") is not None:
            apart = content["held_out"]
            content["held_out"] = HeldOut(**{**apart, "errors": read_errors(apart["errors"])})
        return cls(**{name: content[name] for name in content if name in {each.name for each in fields(cls)}})


def read_errors(content: dict) -> dict[str, Errors]:
    return {name: Errors(**each) for name, each in content.items()}


def from_version_0_1(content: dict) -> dict:
    """Scores as version 0.1 wrote them, of a forecast, in the names of today."""

    def renamed(errors: dict) -> dict:
        return {name: {("by_position" if key == "by_horizon" else key): value for key, value in each.items()}
                for name, each in errors.items()}  # fmt: skip

    errors, apart = renamed(content["closed_loop"]), content.get("held_out")
    new: dict = {"task": "forecast", "position": "steps ahead", "skill_interval": [content["skill"]] * 2}
    new["positions"] = list(range(1, 1 + len(errors["test"]["by_position"])))
    new["steps"] = content["window"] + len(new["positions"])
    new |= {"errors": errors, "baselines": renamed(content["baselines"]["closed_loop"])}
    new |= {"one_step_baselines": content["baselines"]["one_step"], "time_step": content.get("time_step", 1.0)}
    new |= {"first_window": content.get("first_window", {}), "time_unit": content.get("time_unit", "")}
    new["scored_runs"] = content.get("scored_runs", content["runs"])
    if apart:
        kept = {name: apart[name] for name in ("runs", "scored_runs", "inputs", "rmse_by_run")}
        tests = {name: content[name] for name in ("test_inputs", "test_rmse_by_run")}
        new["held_out"] = kept | tests | {"errors": renamed(apart["closed_loop"])}
    return {**content, **new}


def errors_of(prediction: np.ndarray, truth: np.ndarray, features, measure: str = "RMSE", scale=None) -> Errors:
    """Every error of one prediction (runs, positions, features); `scale`: what those over all features count in."""
    lost, counts = (each.sum(axis=0) for each in losses(prediction, truth, measure))  # (positions, features)
    by_feature = of_mean(lost.sum(axis=0), counts.sum(axis=0), measure).tolist()
    if scale is not None:
        lost, counts = (each.sum(axis=0) for each in losses(scaled(prediction, scale), scaled(truth, scale), measure))

    def over(axis, to=None):
        return of_mean(lost[:to].sum(axis=axis), counts[:to].sum(axis=axis), measure)

    return Errors(
        rmse=float(over(None)),
        by_feature=dict(zip(features, by_feature, strict=True)),
        by_position=over(1).tolist(),
        first={str(n): float(over(None, n)) for n in HORIZONS if n <= truth.shape[1]},
    )


def without_positions(errors: Errors) -> Errors:
    """One-step errors have no horizon: keep what is left."""
    return Errors(errors.rmse, errors.by_feature)


def skill(error: float, baseline_error: float) -> float:
    """1 - error / baseline error: 1 is perfect, 0 is no better than the baseline, below 0 is worse.

    A baseline without error leaves nothing to gain: 0 for a model that is as good, minus infinity otherwise.
    """
    if baseline_error == 0:
        return 0.0 if error == 0 else -np.inf
    return 1.0 - error / baseline_error


@dataclass(frozen=True)
class Judged:
    """What `judge` finds: errors by part and of the baselines on the test part, skill, the band and its scores.

    There is a band around numbers alone, not around probabilities.
    """

    errors: dict[str, Errors]
    baselines: dict[str, Errors]
    best_baseline: str
    skill: float
    skill_interval: list[float]
    band: Band | None = None
    band_scores: conformal.BandScores | None = None


def judge(
    predictions: dict[str, np.ndarray],
    truths: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    features,
    *,
    made_of_baselines: bool = False,
    groups=None,
    measure: str = "RMSE",
    scale: np.ndarray | None = None,
) -> Judged:
    """Judge the predictions of the members of a model.

    predictions   part -> (members, runs, positions, features); their middle is judged
    truths        part -> (runs, positions, features); the band is calibrated on the part `validation`
    baselines     name -> prediction of the test part
    made_of_baselines   whether they are among what predicts: that one does as well is then no reason not to trust it
    groups        part -> one name a run, where runs of a name stand together in one part; else None
    measure       what counts as error, a name of measures.MEASURES; scale: see measures.scale_of
    """
    middle = {part: conformal.middle(each) for part, each in predictions.items()}
    errors = {part: errors_of(middle[part], truths[part], features, measure, scale) for part in predictions}
    naive = {name: errors_of(each, truths["test"], features, measure, scale) for name, each in baselines.items()}
    best = min(naive, key=lambda name: naive[name].rmse)
    judged = Judged(
        errors=errors,
        baselines=naive,
        best_baseline=best,
        skill=float(skill(errors["test"].rmse, naive[best].rmse)),
        skill_interval=skill_interval(
            middle["test"], baselines[best], truths["test"], measure, groups=groups and groups["test"], scale=scale
        ),
    )
    if measure != "RMSE":
        return judged
    of_validation = groups and groups["validation"]
    band = conformal.calibrate(predictions["validation"], truths["validation"], groups=of_validation)
    least = np.fmin.reduce([each.by_position for each in naive.values()])
    if made_of_baselines and not judged.skill_interval[1] < 0:
        least = np.full_like(least, np.inf)
    beside = {"training": truths["train"], "baseline": least, "features": features, "scale": scale}
    return replace(
        judged, band=band, band_scores=conformal.score_band(band, predictions["test"], truths["test"], **beside)
    )


def skill_interval(prediction, baseline, truth, measure: str = "RMSE", *, groups=None, scale=None) -> list[float]:
    """The 95 % interval of the skill over the runs, which are drawn again with both errors of each (bootstrap).

    groups   one name a run, where whole groups are what other draws would have others of; None: each run for itself
    """
    prediction, baseline, truth = (scaled(each, scale) for each in (prediction, baseline, truth))
    there = np.isfinite(truth)
    counts = there.sum(axis=(1, 2))
    sums = [np.nan_to_num(losses(each, truth, measure)[0].sum(axis=(1, 2))) for each in (prediction, baseline)]
    if groups is not None:
        places = np.unique(groups, return_inverse=True)[1]
        *sums, counts = (np.bincount(places, each) for each in (*sums, counts))
    some = counts > 0

    def of_runs(model, naive, points):
        return skill(*(of_mean(each.sum(), points.sum(), measure) for each in (model, naive)))

    return over_runs(of_runs, *(each[some] for each in (*sums, counts)))
