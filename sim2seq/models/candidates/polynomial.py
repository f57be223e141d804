"""Polynomial autoregression: the next increment as a polynomial of the last values, increments, inputs and controls.

A nonlinear autoregression with exogenous inputs (Billings, Nonlinear System Identification, 2013), also known as next
generation reservoir computing (Gauthier and others, Nature Communications 12, 5564, 2021). Degree, lags, penalty,
smoothing and the use of the clock are chosen by the free-running error on the validation runs, and so is how much of
each value that is seen enters where a forecast begins: noise does not, where the law itself tracks the window (a filter
of constant gain; Kalman 1960 says which is best of a linear law). Of many features each increment has products of a few
of them only, those that count most in a linear fit.
"""

from __future__ import annotations

import math
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement, product

import numpy as np

from sim2seq.models.candidates.candidate import MARGIN, NotForThese, Runs, best_of
from sim2seq.models.candidates.lookups import held_to_the_end

SAMPLES, HELD = 40_000, 5e7  # steps that are learned from, at most; numbers in them
TERMS = 400  # products at most; of fewer factors where there would be more
SMALLEST = 1e-8  # of the penalties, beside the number of samples
LINEAR = ((1, 1), (2, 1), (3, 1), (10, 1), (25, 1))  # lags and degree, what is tried in this order
SHAPES = (*LINEAR, (1, 2), (2, 2), (3, 2), (5, 2), (1, 3), (2, 3), (3, 3), (1, 4), (2, 4), (1, 5), (1, 6))
WITH_SOME = 3  # the highest degree of which some factors are chosen, where all would make too many products
NUMBERS, COST = 2000, 1e7  # at most, that an increment is made of; features times squared terms, where each has its own
PENALTIES = (1e-14, 1e-11, 1e-8, 1e-5, 1e-3, 1e-1)  # a sample
SMOOTHING = (0, 7, 15)  # steps of a Savitzky-Golay filter
OF_NOISE = ((1, 2), (1, 3), (2, 3))  # lags and degree, tried with the widest filter at once
GAINS = (0.3, 0.1)  # shares of what is seen that enter
MORE = 3  # of the best, tried with smoothing and clock too, then with gains
FOR_FITS = 0.85  # share of the time, before gains are tried
AT_ONCE = 4000  # samples whose terms are in memory


@dataclass(frozen=True)
class Polynomial:
    """A fitted autoregression, in scaled units.

    lags, degree, smoothing, clock   what was chosen
    chosen    (features, factors): the places of what is multiplied, of each answer
    powers    (products, degree): the factors of each product, by their place among the chosen ones
    weights   (features, 1 + numbers + products); scale (numbers,): of what the increment is made of
    low, high (features,): the range that forecasts stay within
    mean      (steps, features): the mean of the training runs, the clock
    gain      share of each value of a window that enters beside what the law expects there; 1: as it is seen
    """

    lags: int
    degree: int
    smoothing: int
    clock: bool
    chosen: np.ndarray
    powers: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    gain: float = 1.0

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        runs, window, features = context.shape
        last = self.tracked(context, conditions, controls)
        forecast = np.empty((runs, steps, features))
        for step in range(steps):
            forecast[:, step] = self.following(last, window + step, conditions, controls)
            last = np.concatenate([last[:, 1:], forecast[:, step, None]], axis=1)
        return forecast

    def tracked(self, context, conditions, controls) -> np.ndarray:
        """The last values of a window, (runs, lags, features): as seen, smoothed, or as the law tracks them."""
        if self.gain == 1:
            return smoothed(context, self.smoothing)[:, -self.lags :]
        last = context[:, : self.lags]
        for now in range(self.lags, context.shape[1]):
            expected = self.following(last, now, conditions, controls)
            gain = max(self.gain, 1 / (now + 1))  # at first nothing is known but what is seen
            value = expected + gain * (context[:, now] - expected)
            last = np.concatenate([last[:, 1:], value[:, None]], axis=1)
        return last

    def following(self, last, now: int, conditions, controls) -> np.ndarray:
        """What comes at step `now` after the `last` values (runs, lags, features): (runs, features)."""
        numbers = numbers_of(last, conditions, None if controls is None else controls[:, now])
        if self.clock:
            numbers = np.concatenate([numbers, np.tile(self.clock_at(now), (len(last), 1))], axis=1)
        return np.clip(last[:, -1] + self.increment(numbers * self.scale), self.low, self.high)

    def clock_at(self, step: int) -> np.ndarray:
        """The mean trajectory at the step before, and its change to this one."""
        step = min(step, len(self.mean) - 1)
        return np.concatenate([self.mean[step - 1], self.mean[step] - self.mean[step - 1]])

    @cached_property
    def shared(self) -> bool:
        """Whether all answers are made of the same terms."""
        return bool((self.chosen == self.chosen[0]).all())

    def increment(self, numbers) -> np.ndarray:
        """(samples, numbers) -> (samples, features)."""
        if self.shared:
            return terms_of(numbers, self.chosen[:1], self.powers)[:, 0] @ self.weights.T
        return np.einsum("rfp,fp->rf", terms_of(numbers, self.chosen, self.powers), self.weights)


def terms_of(numbers, chosen, powers) -> np.ndarray:
    """1, the numbers, and the products of those chosen for each answer: (samples, answers, terms)."""
    samples, answers = len(numbers), len(chosen)
    plain = np.broadcast_to(
        np.column_stack([np.ones(samples), numbers])[:, None], (samples, answers, 1 + numbers.shape[1])
    )
    if not len(powers):
        return plain
    factors = np.concatenate([np.ones((samples, answers, 1)), numbers[:, chosen]], axis=2)
    return np.concatenate([plain, factors[:, :, powers].prod(axis=3)], axis=2)


def numbers_of(last, conditions, controls) -> np.ndarray:
    """The last value, the increments before it, conditions and controls of the step to come: (samples, numbers)."""
    parts = [last[:, -1], *(last[:, -back] - last[:, -back - 1] for back in range(1, last.shape[1]))]
    return np.concatenate([*parts, *(each for each in (conditions, controls) if each is not None)], axis=1)


def smoothed(values, width: int) -> np.ndarray:
    """Runs after a Savitzky-Golay filter of cubics over `width` steps; 0, or runs that are too short: as they are."""
    from scipy.signal import savgol_filter

    if width < 5 or values.shape[1] < width:
        return values
    return savgol_filter(values, width, 3, axis=1)


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> Polynomial:
    """The autoregression that is best on the validation runs, of those that could be tried in `seconds`.

    Raises NotForThese without a window: there is nothing to go on from.
    """
    if training.window < 1:
        raise NotForThese("a polynomial autoregression needs a window of a step or more")
    end, last = time.monotonic() + seconds * FOR_FITS, time.monotonic() + seconds
    tried: list[tuple[float, Polynomial]] = []

    def attempt(lags: int, degree: int, smoothing: int, clock: bool) -> None:
        if lags > training.window or (tried and time.monotonic() > end):
            return
        if not tried or is_affordable(training.features, lags * training.features + training.told, degree):
            tried.append(best_of(fits(training, lags, degree, smoothing, clock, seed), validation))

    for lags, degree in SHAPES:
        attempt(lags, degree, 0, False)
    for lags, degree in OF_NOISE:
        attempt(lags, degree, SMOOTHING[-1], False)
    best = sorted(tried, key=lambda pair: pair[0])[:MORE]
    for smoothing, clock in list(product(SMOOTHING, (False, True)))[1:]:
        for _, one in best:
            attempt(one.lags, one.degree, smoothing, clock)
    best = sorted(tried, key=lambda pair: pair[0])[:MORE]
    for gain, (_, one) in product(GAINS, best):
        if time.monotonic() < last:
            tried.append(best_of([replace(one, gain=gain)], validation))
    return min(tried, key=lambda pair: pair[0])[1]


def is_affordable(features: int, numbers: int, degree: int) -> bool:
    """Whether a shape can be fitted in seconds: with the same terms for all features, or few enough for each."""
    if degree == 1 or products_in(numbers, degree) <= TERMS:
        return numbers <= NUMBERS
    return degree <= WITH_SOME and features * (numbers + TERMS // 4) ** 2 <= COST


def fits(
    training: Runs,
    lags: int,
    degree: int,
    smoothing: int = 0,
    clock: bool = False,
    seed: int = 0,
    *,
    most: int = TERMS,
    penalties: tuple[float, ...] = PENALTIES,
    even: float = 1,
):
    """An autoregression of this shape for each penalty, of at most so many products.

    even   1: the penalty weighs all numbers alike; 0: small ones by their size
    """
    numbers, increments, low, high, mean = samples_of(training, lags, smoothing, clock, seed)
    sizes = np.maximum(np.abs(numbers).max(axis=0), 1e-12)
    scale = sizes**-even * sizes.max() ** (even - 1)
    numbers = numbers * scale
    chosen, powers = products_of(numbers, increments, degree, most)
    shape = Polynomial(lags, degree, smoothing, clock, chosen, powers, np.zeros(0), scale, low, high, mean)
    answers = [slice(None)] if shape.shared else [slice(i, i + 1) for i in range(len(chosen))]
    systems = [normal_of(numbers, increments[:, each], chosen[each][:1], powers) for each in answers]
    for penalty in penalties:
        with suppress(np.linalg.LinAlgError):  # too small a penalty for these terms
            solved = [solve(gram, right, penalty * len(numbers)) for gram, right in systems]
            yield replace(shape, weights=np.concatenate(solved, axis=1).T)


def samples_of(training: Runs, lags: int, smoothing: int, clock: bool, seed: int):
    """What increments are made of, the increments, the range of training, and the mean trajectory."""
    values = held_to_the_end(training.values)
    mean = np.nanmean(training.values[:, : training.longest], axis=0)
    smooth = smoothed(values, smoothing)
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(smooth, lags + 1, axis=1), -1, 2)
    there = np.isfinite(training.values[:, lags:]).all(axis=2)
    run, start = np.nonzero(there)
    most = min(SAMPLES, int(HELD / windows[0, 0].size) + 1)
    if len(run) > most:
        some = np.sort(np.random.default_rng(seed).choice(len(run), most, replace=False))
        run, start = run[some], start[some]
    chosen = windows[run, start]
    of_run = None if training.conditions is None else training.conditions[run]
    control = None if training.controls is None else training.controls[run, start + lags]
    numbers = numbers_of(chosen[:, :-1], of_run, control)
    if clock:
        now = start + lags
        numbers = np.concatenate([numbers, mean[now - 1], mean[now] - mean[now - 1]], axis=1)
    return numbers, chosen[:, -1] - chosen[:, -2], *training.bounds(MARGIN), mean


def products_of(numbers, increments, degree: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """For each answer the places of its factors, and which of them are multiplied."""
    answers, count = increments.shape[1], numbers.shape[1]
    if degree == 1:
        return np.zeros((answers, 0), dtype=int), np.zeros((0, 1), dtype=int)
    factors = count
    while products_in(factors, degree) > (most if factors == count else most // 4):
        factors -= 1
    powers = powers_of(factors, degree)
    if factors == count:
        return np.tile(np.arange(count), (answers, 1)), powers
    centred = (numbers - numbers.mean(axis=0)) / (numbers.std(axis=0) + 1e-12)
    linear = solve(*normal(centred, increments), 1e-6 * len(numbers))
    return np.sort(np.argsort(-np.abs(linear), axis=0)[:factors].T, axis=1), powers


def products_in(factors: int, degree: int) -> int:
    """How many products of 2 to `degree` of so many factors there are."""
    return math.comb(factors + degree, degree) - factors - 1


def powers_of(factors: int, degree: int) -> np.ndarray:
    """Every product of 2 to `degree` of so many factors: their places, from 1, and 0 for none."""
    return np.array(
        [
            (0,) * (degree - order) + tuple(place + 1 for place in places)
            for order in range(2, degree + 1)
            for places in combinations_with_replacement(range(factors), order)
        ],
        dtype=int,
    ).reshape(-1, degree)


def normal_of(numbers, answers, chosen, powers) -> tuple[np.ndarray, np.ndarray]:
    """Gram matrix and right side of what is linear in the terms."""
    terms = 1 + numbers.shape[1] + len(powers)
    gram, right = np.zeros((terms, terms)), np.zeros((terms, answers.shape[1]))
    for start in range(0, len(numbers), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        of_some = normal(terms_of(numbers[some], chosen, powers)[:, 0], answers[some])
        gram, right = gram + of_some[0], right + of_some[1]
    return gram, right


def normal(terms, answers) -> tuple[np.ndarray, np.ndarray]:
    return terms.T @ terms, terms.T @ answers


def solve(gram, right, penalty: float) -> np.ndarray:
    """Weights of ridge regression of terms that are at most 1, (terms, answers); the constant is free."""
    import scipy.linalg

    penalties = np.full(len(gram), penalty)
    penalties[0] = SMALLEST
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # what comes of it is judged by its forecasts
        return scipy.linalg.solve(gram + np.diag(penalties), right, assume_a="pos")
