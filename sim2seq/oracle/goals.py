"""Goals: how a run will end, as an oracle says it, and what of that is to be small; the rule is in stopping.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MOST_WEIGHT = 1e30  # leaves room for what it is multiplied by


@dataclass(frozen=True)
class Answer:
    """How a run will end: (outputs,) middle, low and high of a band that holds a share `level` of the truth.

    doubts        what the run has that training runs had not, a line each
    least, most   between which the truth must be, numbers or (outputs,)
    """

    outputs: tuple[str, ...]
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    doubts: tuple[str, ...] = ()
    least: np.ndarray | float = -np.inf
    most: np.ndarray | float = np.inf

    def shown(self) -> dict[str, list[float]]:
        """Output -> middle, low and high, cut at what is possible: that loses no truth.

        The rule takes the band as it is: its width says how far errors reach.
        """
        cut = np.clip([self.middle, self.low, self.high], self.least, self.most)
        return dict(zip(self.outputs, cut.T.tolist(), strict=True))


@dataclass(frozen=True)
class Goal:
    """What is to be small: the sum of outputs by name, each times its weight.

    Raises ValueError, in one line, for a weight below 0, since lower is better for all, or where none is above 0.
    """

    weights: Mapping[str, float]

    def __post_init__(self):
        for name, weight in self.weights.items():
            if not 0 <= weight <= MOST_WEIGHT:
                raise ValueError(f"weight of {name}: expected 0 to {MOST_WEIGHT:g}, as lower is better; got {weight}")
        if not any(self.weights.values()):
            raise ValueError(f"goal: expected a weight above 0; got {', '.join(self.weights) or 'no output'} with none")

    def of(self, values: Mapping[str, float]) -> float:
        """The goal of a run whose outputs are known."""
        return sum(weight * values[name] for name, weight in self.weights.items())

    def foretold(self, answer: Answer) -> tuple[float, float]:
        """Middle and half-width of the goal's interval; the errors of different outputs are taken as independent.

        Raises ValueError for an output that the oracle does not foretell.
        """
        unknown = [name for name in self.weights if name not in answer.outputs]
        if unknown:
            raise ValueError(f"goal: expected some of {', '.join(answer.outputs)}; got {', '.join(unknown)}")
        places = [answer.outputs.index(name) for name in self.weights]
        weights = np.array(list(self.weights.values()))
        half = (answer.high - answer.low)[places] / 2
        return float(weights @ answer.middle[places]), float(np.linalg.norm(weights * half))
