"""Conformal bands: a band around a prediction, calibrated on validation runs to hold a stated share of the truth.

Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005) with a normalised
score (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-free predictive inference for regression, 2018):

    score = |truth - middle| / (spread + floor)      half-width = factor x (spread + floor)

`middle` and `spread` are median and standard deviation of the members of an ensemble of models (Lakshminarayanan et
al., 2017), `floor` is the median error of the validation runs at this feature and near this step, `factor` the `level`
quantile of their scores at this feature in this tenth of the horizon. So the band is narrow where the members agree and
wide where they do not; one member has a spread of 0. What is less than rounding makes of sums counts as that.

Validation and test runs must be exchangeable: drawn in one way. The unit is then the run, since its points depend on
each other, and the quantile at level x (1 + 1 / n) for n runs would hold the level on average whatever that dependence
(Lee, Barber and Willett, Distribution-free inference with hierarchical data, 2023). It holds too much where the points
of a run err apart, 93 to 95 % for 13 runs, so n is the number of independent points that would vary as much as the
runs do (Kish, Survey Sampling, 1965). That gives up the guarantee for a coverage of 89 to 91 % on average, in
every feature. In one tenth it varies from draw to draw by 3 to 7 % with 13 runs to calibrate on and 13 to test.
Where the runs of a group stand together in one part, as those on a table that nothing was learned from, the unit is the
group: the guarantee is kept, with n the number of groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from sim2seq.evaluation.measures import scaled

LEVEL = 0.9
PARTS_OF_HORIZON = 10
ROUNDING = 64 * np.finfo(float).eps  # of the largest value: errors below say how sums are rounded, and not how far off
ENOUGH = 0.5  # of the band that training runs alone give: a forecast that leaves more of it says little about a run


@dataclass(frozen=True)
class Band:
    """What turns the forecasts of `members` models into a band that holds a share `level` of the truth.

    factor and floor (steps, features); the floor is in physical units.
    """

    level: float
    members: int
    factor: np.ndarray
    floor: np.ndarray

    @property
    def steps(self) -> int:
        return len(self.factor)

    def around(self, forecasts, places=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forecasts (members, runs, steps, features) -> middle, low and high, each (runs, steps, features).

        places   (runs, steps): the step of the band that speaks for each; None: the first one for the first, and so on
        Raises ValueError for other members or features than the band was calibrated with, and for more steps.
        """
        forecasts = np.asarray(forecasts)
        if forecasts.ndim != 4:
            raise ValueError(f"forecasts: expected (members, runs, steps, features); got shape {forecasts.shape}")
        places = np.arange(forecasts.shape[2]) if places is None else np.asarray(places)
        members, features, steps = len(forecasts), forecasts.shape[3], int(places.max(initial=-1)) + 1
        if (members, features) != (self.members, self.floor.shape[1]) or steps > self.steps:
            raise ValueError(
                f"the band was calibrated for {self.members} members, up to {self.steps} steps and "
                f"{self.floor.shape[1]} features; got {members} members, {steps} steps and {features} features"
            )
        middle, spread = middle_and_spread(forecasts)
        half = product(self.factor[places], spread + self.floor[places])
        return middle, middle - half, middle + half

    def to_dict(self) -> dict:
        """Numbers, lists and None (for what is not finite), as JSON can hold them; `of` reads it back."""
        lists = {"factor": without_infinity(self.factor), "floor": without_infinity(self.floor)}
        return {"level": self.level, "members": self.members, **lists}

    @classmethod
    def of(cls, content: dict) -> Band:
        """The band that `to_dict` wrote."""
        factor, floor = (np.array(content[name], dtype=float) for name in ("factor", "floor"))
        return cls(content["level"], content["members"], unknown_is_infinite(factor), unknown_is_infinite(floor))


def calibrate(forecasts, truth, *, level: float = LEVEL, groups=None) -> Band:
    """The band that holds a share `level` of the points of validation runs, at every tenth of their horizon.

    forecasts (members, runs, steps, features) and truth (runs, steps, features), in physical units; runs that no model
    was trained on; a truth that is nan, beyond the end of a run, counts nowhere. The band ends where the longest of
    these runs does. groups: one name a run, for runs that depend on each other; None: each for itself. Raises
    ValueError when the shapes do not fit.
    """
    forecasts, truth = np.asarray(forecasts), np.asarray(truth)
    if forecasts.ndim != 4 or forecasts.shape[1:] != truth.shape:
        raise ValueError(
            f"expected forecasts (members, runs, steps, features) of truth {truth.shape}; got shape {forecasts.shape}"
        )
    steps = int(np.isfinite(truth).any(axis=(0, 2)).sum())
    forecasts, truth = forecasts[:, :, :steps], truth[:, :steps]
    there = np.isfinite(truth)
    middle, spread = middle_and_spread(forecasts)
    largest = np.nanmax(np.abs(truth), axis=(0, 1))
    least = ROUNDING * np.where(largest > 0, largest, largest.max())
    error = np.where(there, np.maximum(unknown_is_infinite(np.abs(middle - truth)), least), np.nan)
    medians = np.nanmedian(error, axis=0)
    floor = np.stack([medians[near(step, steps)].mean(axis=0) for step in range(steps)])
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = error / (spread + floor)
    scores = np.where(there, np.where(error == 0, 0.0, unknown_is_infinite(scores)), np.nan)
    inside = np.where(there, scores <= quantile_by_tenth(scores, level), np.nan)
    points = independent_points(inside, level) if groups is None else len(set(groups))
    corrected = min(level * (1 + 1 / points), 1.0)
    return Band(level, len(forecasts), quantile_by_tenth(scores, corrected), floor)


def quantile_by_tenth(scores, level: float) -> np.ndarray:
    """The quantile of the scores (runs, steps, features) in the tenth of each step: (steps, features)."""
    factor = np.empty(scores.shape[1:])
    for tenth in tenths(scores.shape[1]):
        factor[tenth] = np.nanquantile(scores[:, tenth], level, axis=(0, 1), method="higher")
    return factor


def independent_points(inside, level: float) -> float:
    """How many independent points would vary as much from draw to draw as these runs, (runs, steps, features), do.

    `inside` is 1, 0, or nan beyond the end of a run.
    """
    runs, steps, _ = inside.shape
    if runs == 1:
        return 1.0
    by_run = [mean_within(inside[:, tenth], axis=(1, 2)) for tenth in tenths(steps)]
    variances = [each[np.isfinite(each)].var(ddof=1) for each in by_run if np.isfinite(each).sum() > 1]
    variance = np.mean(variances) / runs if variances else 0.0
    return level * (1 - level) / variance if variance > 0 else np.inf


def middle(forecasts) -> np.ndarray:
    """The forecast of all members together, (members, ...) -> (...): their median.

    The mean of two balls, one of which hits a wall a step later, is neither; one member astray does not move a median.
    """
    return np.median(forecasts, axis=0)


def middle_and_spread(forecasts) -> tuple[np.ndarray, np.ndarray]:
    """Middle and standard deviation over the members, the first axis; a spread that is no number is infinite."""
    if len(forecasts) == 1:
        return forecasts[0], np.zeros_like(forecasts[0])
    with np.errstate(invalid="ignore", over="ignore"):
        return middle(forecasts), unknown_is_infinite(forecasts.std(axis=0, ddof=1))


def near(step: int, steps: int) -> slice:
    """The steps around `step` that are looked at together: a tenth of the horizon, less at its ends."""
    half = steps // (2 * PARTS_OF_HORIZON)
    return slice(max(0, step - half), step + half + 1)


def tenths(steps: int) -> list[slice]:
    """The tenths of a horizon; fewer when it has fewer steps."""
    ends = np.cumsum([0, *(len(part) for part in np.array_split(range(steps), min(PARTS_OF_HORIZON, steps)))])
    return [slice(int(start), int(stop)) for start, stop in pairwise(ends)]


def is_inside(low, high, truth) -> np.ndarray:
    """1 where the truth lies in the band, 0 where it does not, nan where there is none."""
    return np.where(np.isfinite(truth), (low <= truth) & (truth <= high), np.nan)


def coverage(low, high, truth) -> np.ndarray:
    """The share of the points that lie in the band in each tenth of the horizon; arrays (runs, steps, features)."""
    inside = is_inside(low, high, truth)
    return np.array([mean_within(inside[:, tenth]) for tenth in tenths(truth.shape[1])])


def mean_within(values, axis=None) -> np.ndarray:
    """The mean over `axis` of what is not nan; nan where nothing is left."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=axis) / there.sum(axis=axis)


@dataclass(frozen=True)
class BandScores:
    """What the band of `level` holds on the test runs, over the `steps` that it is calibrated for.

    coverage, by tenth of the steps and by feature; half_width and error: feature -> mean over the runs, one number a
    step, None where it is not finite; trusted_steps: how far to trust the middle, and `reason`, what ends that.
    """

    level: float
    members: int
    coverage: float
    coverage_by_tenth: list[float]
    coverage_by_feature: dict[str, float]
    half_width: dict[str, list]
    error: dict[str, list]
    steps: int
    trusted_steps: int
    reason: str | None = field(default=None)


def score_band(band: Band, forecasts, truth, *, training, baseline, features, scale=None) -> BandScores:
    """The scores of the band on the test runs.

    forecasts (members, runs, steps, features), truth (runs, steps, features); `training`: the truth of the training
    runs, (runs, steps or more, features); `baseline`: the least error of any baseline at each step, over all features
    in `scale` (measures.scale_of); `features`: names.
    """
    steps = min(band.steps, truth.shape[1])
    truth = truth[:, :steps]
    middle, low, high = band.around(np.asarray(forecasts)[:, :, :steps])
    inside = is_inside(low, high, truth)
    half, away = (np.where(np.isfinite(truth), each, np.nan) for each in ((high - low) / 2, np.abs(middle - truth)))
    width, error = mean_within(half, axis=0), mean_within(away, axis=0)
    squared = mean_within(np.square(scaled(away, scale)), axis=(0, 2))
    trusted, reason = trusted_steps(width, squared, training[:, :steps], np.square(baseline[:steps]), band.level)
    return BandScores(
        level=band.level,
        members=band.members,
        coverage=float(mean_within(inside)),
        coverage_by_tenth=coverage(low, high, truth).tolist(),
        coverage_by_feature=dict(zip(features, mean_within(inside, axis=(0, 1)).tolist(), strict=True)),
        half_width={name: without_infinity(width[:, i]) for i, name in enumerate(features)},
        error={name: without_infinity(error[:, i]) for i, name in enumerate(features)},
        steps=steps,
        trusted_steps=trusted,
        reason=reason,
    )


def trusted_steps(width, squared_error, training, squared_baseline, level: float) -> tuple[int, str | None]:
    """How many steps to trust, and what ends them: "width", "baseline", or None when all can be trusted.

    A forecast is trusted as long as, in every feature, its band is less than half (ENOUGH) as wide as the range that
    holds the same share of the training runs at that step, and its error is below that of every baseline. Both
    are compared over a tenth of the horizon around each step, since runs that meet at one step would end it there.
    width (steps, features), squared errors (steps,), training (runs, steps, features).
    """
    low, high = quantiles(training, [(1 - level) / 2, (1 + level) / 2])
    plain = (high - low) / 2
    for step in range(len(width)):
        around = near(step, len(width))
        if np.isnan(plain[around]).any():  # no training run has got here
            return step, "width"
        moving = plain[around].mean(axis=0) > 0  # a feature in which no runs differ leaves nothing to forecast
        if not np.all((width[around].mean(axis=0) < ENOUGH * plain[around].mean(axis=0))[moving]):
            return step, "width"
        if not squared_error[around].mean() < squared_baseline[around].mean():
            return step, "baseline"
    return len(width), None


def quantiles(values: np.ndarray, levels: list[float]) -> np.ndarray:
    """Quantiles over the runs of (runs, steps, features), (levels, steps, features), as far as each of them goes.

    np.nanquantile goes from number to number, so it is left to steps that some run does not have; nan where none has.
    """
    there = np.isfinite(values)
    whole, some = there.all(axis=(0, 2)), there.any(axis=(0, 2))
    found = np.full((len(levels), *values.shape[1:]), np.nan)
    found[:, whole] = np.quantile(values[:, whole], levels, axis=0)
    if (part := some & ~whole).any():
        found[:, part] = np.nanquantile(values[:, part], levels, axis=0)
    return found


def product(factor, scale) -> np.ndarray:
    """factor x scale, where no factor times any scale is 0."""
    with np.errstate(invalid="ignore"):
        return np.where(factor == 0, 0.0, factor * scale)


def unknown_is_infinite(values) -> np.ndarray:
    """`values` with infinity in the place of what is not a number."""
    return np.where(np.isnan(values), np.inf, values)


def without_infinity(values) -> list:
    """Numbers as nested lists, None in the place of what is not finite."""
    return np.where(np.isfinite(values), values, np.array(None)).tolist()
