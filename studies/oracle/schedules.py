"""Schedules: how learning rate, radius and batch size go from a start to an end over the iterations of a run.

Of iteration t of N, with growth g:

    static                       start
    linear_drop, linear_growth   the share t / (N - 1) of the way
    exp_drop                     the share (1 - exp(-g t / N)) / (1 - exp(-g)): fast first
    exp_growth                   the share (exp(g t / N) - 1) / (exp(g) - 1): fast last
    log_drop, log_growth         the share ln(g t + 1) / ln(g N + 1)
    step_down                    start times 0.7 after each tenth of the run, not below end
"""

from __future__ import annotations

import numpy as np

STEPS, STEP_FACTOR = 10, 0.7


def share_static(t, iterations, growth):
    return np.zeros(len(t))


def share_linear(t, iterations, growth):
    return t / (iterations - 1)


def share_exp_drop(t, iterations, growth):
    return np.expm1(-growth * t / iterations) / np.expm1(-growth)


def share_exp_growth(t, iterations, growth):
    return np.expm1(growth * t / iterations) / np.expm1(growth)


def share_log(t, iterations, growth):
    return np.log1p(growth * t) / np.log1p(growth * iterations)


SHARES = {
    "static": share_static,
    "linear_drop": share_linear,
    "linear_growth": share_linear,
    "exp_drop": share_exp_drop,
    "exp_growth": share_exp_growth,
    "log_drop": share_log,
    "log_growth": share_log,
}
STEP_DOWN = "step_down"
SCHEDULES = (*SHARES, STEP_DOWN)
DROPS = ("static", "linear_drop", "exp_drop", "log_drop", STEP_DOWN)  # what learning rate and radius follow
GROWTHS = ("static", "linear_growth", "exp_growth", "log_growth")  # what the batch follows


def schedule(name: str, start: float, end: float, iterations: int, *, growth: float) -> np.ndarray:
    """(iterations,): what the schedule `name` says for each iteration; a run of one iteration has `start`."""
    t = np.arange(iterations, dtype=float)
    if iterations < 2:
        return np.full(iterations, float(start))
    if name == STEP_DOWN:
        done = np.minimum(t // max(1, iterations // STEPS), STEPS - 1)
        return np.maximum(end, start * STEP_FACTOR**done)
    return start + (end - start) * SHARES[name](t, iterations, growth)
