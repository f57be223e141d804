"""Echo state network: a random recurrent network that is not trained, with a linear readout that is.

Jaeger and Haas, Harnessing Nonlinearity, Science 304, 78, 2004; leaky units as in Lukosevicius, A Practical Guide to
Applying Echo State Networks, 2012. The readout is ridge regression from the state of the network, and what it was fed,
to the next increment. Size of the memory, scale of the input, noise on it and penalty are chosen by the free-running
error on the validation runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sim2seq.models.candidates.candidate import MARGIN, NotForThese, Runs, best_in_time, best_of
from sim2seq.models.candidates.lookups import held_to_the_end
from sim2seq.models.candidates.polynomial import solve

UNITS, CONNECTIONS = 300, 10  # units; of each, those that feed it
SAMPLES = 40_000  # steps that are learned from, about
TOGETHER = 100  # steps whose states are multiplied at once
SHAPES = (  # radius of the spectrum, leak, scale of the input, noise on it: what is tried, in this order
    (0.9, 0.5, 0.3, 0.01),
    (0.9, 1.0, 0.3, 0.01),
    (0.9, 0.2, 0.3, 0.01),
    (0.9, 0.5, 0.1, 0.01),
    (0.9, 0.5, 1.0, 0.01),
    (0.9, 0.5, 0.3, 0.05),
    (0.5, 0.5, 0.3, 0.01),
    (1.2, 0.2, 0.3, 0.01),
    (0.9, 0.2, 1.0, 0.05),
    (0.9, 1.0, 0.1, 0.0),
    (0.5, 1.0, 1.0, 0.05),
)
PENALTIES = (1e-7, 1e-5, 1e-3, 1e-1)  # a sample


@dataclass(frozen=True)
class Reservoir:
    """A fitted network, in scaled units.

    leak         share of a state that is new at each step
    inner        (units, units), feed (1 + numbers, units): of the state before, and of 1 and what is fed
    readout      (1 + numbers + units, features): from 1, what is fed and the state to the next increment
    low, high    (features,): the range that forecasts stay within
    """

    leak: float
    inner: np.ndarray
    feed: np.ndarray
    readout: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def forecast(self, context, steps: int, *, conditions=None, controls=None) -> np.ndarray:
        runs, window, features = context.shape
        state, last, forecast = np.zeros((runs, len(self.inner))), context[:, 0], np.empty((runs, steps, features))
        for step in range(window + steps - 1):
            fed = fed_at(last, conditions, None if controls is None else controls[:, step + 1])
            state = self.following(state, fed)
            last = context[:, min(step + 1, window - 1)]
            if step >= window - 1:
                ahead = step - window + 1
                before = forecast[:, ahead - 1] if ahead else last
                last = np.clip(before + np.hstack([fed, state]) @ self.readout, self.low, self.high)
                forecast[:, ahead] = last
        return forecast

    def following(self, state, fed) -> np.ndarray:
        """The state after this one: (runs, units)."""
        return (1 - self.leak) * state + self.leak * np.tanh((self.connections @ state.T).T + fed @ self.feed)

    @cached_property
    def connections(self):
        """`inner` the other way round, sparse: thirty times fewer products, and no threads for each step."""
        from scipy.sparse import csr_array

        return csr_array(self.inner.T)


def fed_at(last, conditions, control) -> np.ndarray:
    """1, the last values, and what is told of the run and of the step to come: (runs, 1 + numbers)."""
    told = [each for each in (conditions, control) if each is not None]
    return np.concatenate([np.ones((len(last), 1)), last, *told], axis=1)


def fit(training: Runs, validation: Runs, *, seconds: float = 30, seed: int = 0, tell=None) -> Reservoir:
    """The network that is best on the validation runs, of those that could be tried in `seconds`.

    Raises NotForThese without a window: there is nothing to go on from.
    """
    if training.window < 1:
        raise NotForThese("an echo state network needs a window of a step or more")
    return best_in_time((best_of(fits(training, *shape, seed), validation) for shape in SHAPES), seconds)


def fits(training: Runs, radius: float, leak: float, scale: float, noise: float, seed: int) -> Iterator[Reservoir]:
    """A network of this shape for each penalty."""
    draw = np.random.default_rng(seed)
    runs, steps, features = training.values.shape
    some = training.take(draw.permutation(runs)[: max(1, SAMPLES // steps)])
    values = held_to_the_end(some.values)
    numbers = 1 + features + some.told
    feed = draw.uniform(-scale, scale, (numbers, UNITS)) / np.sqrt(max(1, features / 8))
    network = Reservoir(leak, inner_weights(draw, radius), feed, np.zeros(0), *training.bounds(MARGIN))
    gram, right, samples = normal_equations(network, some, values, noise, draw)
    for penalty in PENALTIES:
        yield replace(network, readout=solve(gram, right, penalty * samples))


def inner_weights(draw, radius: float) -> np.ndarray:
    """A sparse random matrix whose largest eigenvalue has this size."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import eigs

    weights = draw.normal(size=(UNITS, UNITS)) * (draw.random((UNITS, UNITS)) < CONNECTIONS / UNITS)
    largest = eigs(csr_array(weights), k=1, v0=np.ones(UNITS), tol=1e-3, return_eigenvectors=False)
    return weights * (radius / np.abs(largest[0]))


def normal_equations(network: Reservoir, runs: Runs, values, noise: float, draw):
    """Gram matrix and right side of the readout, over all steps after the window, and how many these are."""
    size = network.feed.shape[0] + len(network.inner)
    gram, right, samples = np.zeros((size, size)), np.zeros((size, values.shape[2])), 0
    state, terms, answers = np.zeros((len(values), len(network.inner))), [], []
    for step in range(values.shape[1] - 1):
        seen = values[:, step] + noise * draw.normal(size=values[:, step].shape)
        fed = fed_at(seen, runs.conditions, None if runs.controls is None else runs.controls[:, step + 1])
        state = network.following(state, fed)
        there = np.isfinite(runs.values[:, step + 1]).all(axis=1) & (step >= runs.window - 1)
        terms.append(np.hstack([fed, state])[there])
        answers.append((values[:, step + 1] - seen)[there])
        if len(terms) == TOGETHER or step == values.shape[1] - 2:
            one, other = np.concatenate(terms), np.concatenate(answers)
            gram, right, samples = gram + one.T @ one, right + one.T @ other, samples + len(one)
            terms, answers = [], []
    return gram, right, samples
