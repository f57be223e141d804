"""Symbols: a finished training of the next symbol in use: the probability of runs, and new runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim2seq.finished import Finished
from sim2seq.training import untrusted

NEXT = "next symbol"  # Scores.task of what has a probability of whole runs


@dataclass(frozen=True, repr=False)
class SymbolSurrogate(Finished):
    """The members of a training of the next symbol: their probabilities are those of the mixture of all."""

    @property
    def symbols(self) -> np.ndarray:
        """The alphabet, (symbols,)."""
        return np.array([float(name) for name in self.scores.features])

    @property
    def steps_of_models(self) -> int:
        return self.scores.steps

    def log_probabilities(self, runs, *, inputs=None) -> np.ndarray:
        """The log-probability of the symbol at each step given those before it: (runs, steps), in nats.

        runs     (runs, steps), each number one of `symbols`
        inputs   name -> a number, or one a run, for models that are told inputs of the run
        Raises ValueError, in one line, for what is no symbol, other inputs, or more steps than the training's runs had.
        """
        labels = self.check_runs(runs)
        conditions = self.check_inputs(inputs, len(labels))
        from sim2seq.training.symbols import NextSymbol, log_probabilities, observed, tokens_of

        start = NextSymbol.start if self.scores.task == NEXT else 0
        with untrusted.one_line(f"{self.folder}: its models give no probability"):
            tokens = tokens_of(labels, len(self.symbols), start)
            return observed(log_probabilities(self.models, tokens, conditions), labels)

    def log_probability(self, runs, *, inputs=None) -> np.ndarray:
        """The log-probability of each run (runs,), the sum over its steps; otherwise as `log_probabilities`."""
        return self.log_probabilities(runs, inputs=inputs).sum(axis=1)

    def draw(self, runs: int, steps: int | None = None, *, seed: int = 0, inputs=None) -> np.ndarray:
        """New runs (runs, steps) of symbols, drawn from the models; equal seeds, equal runs. steps None: the longest.

        Raises ValueError, in one line, for numbers below 1, more steps than the training's runs had, or models that
        need a symbol's neighbours on both sides.
        """
        steps = self.scores.steps if steps is None else steps
        if self.scores.task != NEXT:
            raise ValueError(f"{self.folder}: no runs can be drawn from probabilities of a {self.scores.task}")
        if runs < 1 or not 1 <= steps <= self.scores.steps:
            raise ValueError(f"expected one run or more of 1 to {self.scores.steps} steps; got {runs} of {steps}")
        conditions = self.check_inputs(inputs, runs)
        from sim2seq.training.symbols import draw

        with untrusted.one_line(f"{self.folder}: its models draw no runs"):
            return self.symbols[draw(self.models, runs, steps, len(self.symbols), seed, conditions)]

    def check_runs(self, runs) -> np.ndarray:
        """The places of the symbols of `runs` in the alphabet, (runs, steps); or ValueError."""
        values, known = np.asarray(runs, dtype=float), ", ".join(self.scores.features)
        if values.ndim != 2 or not values.size or values.shape[1] > self.scores.steps:
            expected = f"(runs, steps) of up to {self.scores.steps} steps"
            raise ValueError(f"runs: expected an array {expected}; got one of shape {values.shape}")
        same = values[..., None] == self.symbols
        if len(bad := np.argwhere(~same.any(axis=2))):
            run, step = bad[0]
            raise ValueError(f"run {run + 1}, step {step + 1}: expected a symbol of {known}; got {values[run, step]:g}")
        return same.argmax(axis=2)

    def forecast(self, *arguments, **options):
        """Refused: raises ValueError."""
        raise ValueError(f"{self.folder}: expected a training that forecasts; it gives the probability of symbols")

    answer = forecast
