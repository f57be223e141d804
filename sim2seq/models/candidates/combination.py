"""Combination: a forecast as the weighted mean of candidates, with weights for each feature and part of the horizon.

The weights are at least 0, add up to 1 and make the squared error of the validation runs least (Bates and Granger, The
Combination of Forecasts, 1969), so what is good for ten steps and what is good for three hundred both count. Between
the middles of stretches they change linearly. Whether weights for each stretch and feature, one set for all, or the
best candidate alone forecast better is decided on validation runs that the weights have not seen. What runs away in one
run, although it stayed in range on all validation runs, has no weight in that run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from sim2seq.data.windows import Scaling
from sim2seq.models.candidates.candidate import Fitted, rmse_of
from sim2seq.models.candidates.keeping import leaves as parts_of

STRETCHES = 10  # of the horizon, at most
FOLDS = 10  # of validation runs, of which each is left out once
LEAST = 1e-3  # a smaller weight is none
MOST_FEATURES = 16  # with weights of their own
MARGIN = 0.5  # of the range of training: a candidate whose forecast leaves it by more is out
STRAYS = 0.1  # of the range of training: beyond it a candidate has run away (they stop at 0.2), in one run
SPREADS = (-1.0, 0.0, 1.0)  # of a forecast, in standard deviations of the candidates around it


@dataclass(frozen=True)
class Combination:
    """Candidates that have learned, their weights, and the scalings between them and physical units.

    centres     (stretches,): the middle of each stretch, in steps ahead
    weights     (stretches, features or 1 for all of them, candidates), each row adds up to 1
    low, high   (features,): the range that forecasts stay within, scaled
    """

    candidates: Mapping[str, Fitted]
    centres: np.ndarray
    weights: np.ndarray
    low: np.ndarray
    high: np.ndarray
    series: Scaling
    conditions: Scaling | None = None
    controls: Scaling | None = None

    def __len__(self) -> int:
        return len(SPREADS)

    @property
    def used(self) -> list[str]:
        """The candidates that have a weight anywhere."""
        return [name for i, name in enumerate(self.candidates) if self.weights[..., i].any()]

    @property
    def parameters(self) -> int:
        """Numbers that the candidates with a weight consist of."""
        sizes = (value.count_params() if hasattr(value, "count_params") else np.size(value)
                 for one in self.candidates.values() for _, value in parts_of("", one))  # fmt: skip
        return int(sum(sizes))

    def forecasts(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        """The combination, and the standard deviation of its candidates below and above: (3, runs, steps, features).

        context (runs, window, features), conditions (runs, conditions), controls (runs, window + steps, controls), all
        in physical units. The three are what a band takes for members: their median is the forecast.
        """
        told = {
            "conditions": None if self.conditions is None else self.conditions.scale(conditions),
            "controls": None if self.controls is None else self.controls.scale(controls),
        }
        scaled = np.asarray(self.series.scale(context))
        each = np.stack([self.candidates[name].forecast(scaled, steps, **told) for name in self.used])
        weights = self.weights[..., self.weights.any(axis=(0, 1))]
        return self.around(*within(each, weights_at(self.centres, weights, steps), self.low, self.high))

    def around(self, middle, spread) -> np.ndarray:
        """Scaled forecasts and the spread of candidates around them, as members of a band, in physical units."""
        return np.stack([self.series.restore(middle + times * spread) for times in SPREADS])


def within(forecasts, weights, low, high) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation as `mixed`, kept to low and high (features,): MARGIN outside the range of training."""
    width = (high - low) / (1 + 2 * MARGIN)
    each = held_still(forecasts, low, high)
    middle, spread = mixed(each, weights, stays(each, low + MARGIN * width, high - MARGIN * width))
    return np.clip(middle, low, high), spread


def mixed(forecasts, weights, stay) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of (candidates, runs, steps, features); weights (steps, features or 1, candidates).

    stay (candidates, runs): who keeps its weight where; that of others goes to these
    """
    middle, variance = np.empty(forecasts.shape[1:]), np.empty(forecasts.shape[1:])
    for some in np.unique(stay, axis=1).T:  # runs in which the same candidates count
        runs = (stay == some[:, None]).all(axis=0)
        shares = np.broadcast_to(among(weights, some), (*forecasts.shape[2:], len(forecasts)))
        middle[runs] = np.einsum("crsf,sfc->rsf", forecasts[:, runs], shares)
        variance[runs] = np.einsum("crsf,sfc->rsf", np.square(forecasts[:, runs] - middle[runs]), shares)
    return middle, np.sqrt(np.maximum(variance, 0))


def among(weights, some) -> np.ndarray:
    """The weights of some candidates, adding up to 1 again; at steps where all weight was others', those of all steps.

    All weights as they are where none of these has any.
    """
    kept = weights * some
    if some.all() or not (whole := kept.mean(axis=0)).any(axis=-1).all():
        return weights
    kept = np.where(kept.sum(axis=-1, keepdims=True) > LEAST, kept, whole)
    return kept / kept.sum(axis=-1, keepdims=True)


def stays(forecasts, low, high) -> np.ndarray:
    """Which candidates keep, in which runs, to the range of training, low to high (features,): (candidates, runs)."""
    margin = STRAYS * (high - low)
    return np.array([((each >= low - margin) & (each <= high + margin)).all(axis=(1, 2)) for each in forecasts])


def weights_at(centres, weights, steps: int) -> np.ndarray:
    """The weights at each step ahead: (steps, features or 1, candidates)."""
    ahead = np.arange(1, steps + 1)
    columns = [np.interp(ahead, centres, column) for column in weights.reshape(len(weights), -1).T]
    return np.stack(columns, axis=1).reshape(steps, *weights.shape[1:])


@dataclass(frozen=True)
class Weighing:
    """What the validation runs say of the candidates.

    names      of the candidates, in the order of the weights; centres and weights as of a Combination
    errors     name -> root mean squared error, scaled, over the whole horizon; inf for what is no number
    out        name -> why it has no weight whatever its error
    rule       what was chosen, a name of RULES
    error      of the combination, on validation runs that the weights have not seen
    unseen     (runs, steps, features): its forecasts of those runs, scaled
    spread     (runs, steps, features): the standard deviation of the candidates around them
    """

    names: tuple[str, ...]
    centres: np.ndarray
    weights: np.ndarray
    errors: dict[str, float]
    out: dict[str, str]
    rule: str
    error: float
    unseen: np.ndarray = field(repr=False)
    spread: np.ndarray = field(repr=False)


def weigh(forecasts: Mapping[str, np.ndarray], truth: np.ndarray, low, high, *, seed: int = 0, groups=None) -> Weighing:
    """Weights of the candidates, from their forecasts (runs, steps, features) of validation runs, scaled.

    low, high (features,): the range of the training runs. groups (runs,): runs of one are alike, so that what the
    weights have not seen is none of them; None: each run for itself. Raises ValueError when every candidate leaves the
    range.
    """
    forecasts = {name: held_still(each, low, high) for name, each in forecasts.items()}
    out = {name: why for name, each in forecasts.items() if (why := leaves(each, truth, low, high))}
    names = tuple(name for name in forecasts if name not in out)
    if not names:
        raise ValueError(f"no candidate stays within the range of training: {', '.join(out)}")
    there = np.isfinite(truth)
    kept = np.stack([forecasts[name] for name in names])
    errors = kept - np.where(there, truth, 0)
    errors[:, ~there] = 0
    stretches = stretches_of(truth.shape[1])
    features = [[place] for place in range(truth.shape[2])] if truth.shape[2] <= MOST_FEATURES else [slice(None)]
    grams = np.stack([[gram_of(errors[:, :, steps][..., some]) for some in features] for steps in stretches])
    folds = folds_of(truth.shape[0], groups, seed)
    centres = np.array([(each.start + 1 + each.stop) / 2 for each in stretches])
    stay = stays(kept, low, high)
    del errors  # as large as all forecasts together, and so is what follows

    def unseen(name: str) -> tuple[np.ndarray, np.ndarray]:
        return out_of_fold(RULES[name], grams, folds, centres, kept, stay)

    found = {name: float(np.sqrt(np.mean(np.square((unseen(name)[0] - truth)[there])))) for name in RULES}
    rule = min(found, key=lambda name: found[name] * (1 + PREFERENCE[name]))
    alone = {name: rmse_of(each, truth) for name, each in forecasts.items()}
    weights = RULES[rule](grams.sum(axis=2))
    return Weighing(names, centres, weights, alone, out, rule, found[rule], *unseen(rule))


def folds_of(runs: int, groups, seed: int) -> np.ndarray:
    """The fold of each run, (runs,), one for all runs of a group; of a single group, runs are all that can be apart."""
    alone = groups is None or len(set(groups)) == 1
    names, places = np.unique(np.arange(runs) if alone else groups, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % min(FOLDS, len(names)))[places]


def held_still(forecast, low, high):
    """A forecast whose features that never moved in training, as their range says, do not move."""
    return np.where(high > low, forecast, low)


def leaves(forecast, truth, low, high) -> str | None:
    """How far a forecast leaves the range of training, where it is further than the margin; None where it is not."""
    if not np.isfinite(forecast).all():
        return "its forecast of a validation run ends in what is no number"
    span = np.where(high > low, high - low, 1)
    beyond = np.maximum(low - forecast, forecast - high) / span
    beyond = np.where(np.isfinite(truth), beyond, 0)
    runs = int((beyond > MARGIN).any(axis=(1, 2)).sum())
    if not runs:
        return None
    of = f"{runs} of {len(forecast)} validation runs"
    return f"its forecasts of {of} leave the range of training, by up to {beyond.max():.2g} ranges"


def stretches_of(steps: int) -> list[slice]:
    """Stretches of the horizon, short ones first: their ends grow with the square of their number."""
    ends = np.unique(np.ceil(steps * (np.arange(STRETCHES + 1) / STRETCHES) ** 2).astype(int))
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def out_of_fold(rule, grams, folds, centres, kept, stay) -> tuple[np.ndarray, np.ndarray]:
    """Combined forecasts of all runs, and their spread, each with weights that come of the other folds."""
    middle, spread = np.empty(kept.shape[1:]), np.empty(kept.shape[1:])
    for fold in np.unique(folds):
        inside = folds == fold
        others = grams[:, :, ~inside] if (~inside).any() else grams
        weights = weights_at(centres, rule(others.sum(axis=2)), kept.shape[2])
        middle[inside], spread[inside] = mixed(kept[:, inside], weights, stay[:, inside])
    return middle, spread


def by_stretch_and_feature(grams) -> np.ndarray:
    """Weights of each stretch and feature, drawn towards those of more of the forecast, which rest on more."""
    of_feature, of_stretch, whole = grams.sum(axis=0), grams.sum(axis=1), unit(grams.sum(axis=(0, 1)))
    return np.array(
        [
            [
                least_squares(unit(each) + DRAWN * (unit(of_feature[i]) + unit(of_stretch[stretch]) + whole))
                for i, each in enumerate(row)
            ]
            for stretch, row in enumerate(grams)
        ]
    )


def by_stretch(grams) -> np.ndarray:
    """Weights of each stretch, drawn towards those of the whole horizon."""
    whole = unit(grams.sum(axis=(0, 1)))
    return np.array([[least_squares(unit(each) + DRAWN * whole)] for each in grams.sum(axis=1)])


def by_feature(grams) -> np.ndarray:
    """Weights of each feature, the same in every stretch."""
    return np.tile([least_squares(unit(each)) for each in grams.sum(axis=0)], (len(grams), 1, 1))


def the_same(grams) -> np.ndarray:
    """The same weights everywhere."""
    return np.tile(least_squares(unit(grams.sum(axis=(0, 1)))), (len(grams), 1, 1))


def best_alone(grams) -> np.ndarray:
    """The candidate with the least error over all, alone."""
    best = np.diagonal(grams.sum(axis=(0, 1))).argmin()
    return np.tile(np.eye(grams.shape[-1])[best], (len(grams), 1, 1))


RULES = {
    "by stretch and feature": by_stretch_and_feature,
    "by stretch": by_stretch,
    "by feature": by_feature,
    "the same everywhere": the_same,
    "best alone": best_alone,
}
PREFERENCE = dict.fromkeys(RULES, 0.0) | {"best alone": -0.002}  # the simplest, where there is no difference
DRAWN = 0.1  # of a weight's own evidence


def gram_of(errors) -> np.ndarray:
    """Sums of products of errors (candidates, runs, steps, features): (runs, candidates, candidates)."""
    return np.einsum("crsf,drsf->rcd", errors, errors, optimize=True)


def unit(gram) -> np.ndarray:
    """A Gram matrix of errors in units of the least of its candidates."""
    return gram / max(np.diagonal(gram).min(), 1e-300)


def least_squares(gram) -> np.ndarray:
    """The weights w, at least 0 and of sum 1, that make w' gram w least."""
    from scipy.optimize import nnls

    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    heavy = 1e3 * max(np.sqrt(values.max()), 1.0)
    weights, _ = nnls(np.vstack([root, np.full(len(gram), heavy)]), np.append(np.zeros(len(gram)), heavy))
    weights = np.where(weights < LEAST * weights.sum(), 0, weights)
    return weights / weights.sum()
