"""Ensemble: the runs of a study as one array, with names, units and run ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sim2seq import streaming


@dataclass(frozen=True)
class Ensemble:
    """The runs of one study, checked once when they enter.

    values      (runs, steps, features), finite, in physical units; an array, a memory map or streaming.Rows of one
    run_ids     one name a run, unique
    features    one name a feature
    times       (steps,), strictly increasing, in `time_unit`
    inputs      name -> (runs,): what was chosen before each run started
    units       one unit a feature; "" where a quantity has none

    Raises ValueError, in one line, when a shape, a name or a number does not fit.
    """

    values: np.ndarray
    run_ids: tuple[str, ...]
    features: tuple[str, ...]
    times: np.ndarray
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    time_unit: str = "s"

    def __post_init__(self):
        object.__setattr__(self, "units", self.units or ("",) * len(self.features))
        check_ensemble(self)

    @property
    def runs(self) -> int:
        return self.values.shape[0]

    @property
    def steps(self) -> int:
        return self.values.shape[1]

    def take(self, indices, *, steps: slice = slice(None)) -> Ensemble:
        """The runs at `indices`, in that order, and these steps, as an Ensemble; what is copied: streaming.take."""
        indices = np.asarray(indices, dtype=int)
        return replace(
            self,
            values=streaming.take(self.values, indices, steps),
            run_ids=tuple(self.run_ids[i] for i in indices),
            times=self.times[steps],
            inputs={name: column[indices] for name, column in self.inputs.items()},
        )

    def some_runs(self) -> Ensemble:
        """Itself, or of a large ensemble as many runs, drawn evenly, as are enough to judge by: streaming.some_runs."""
        chosen = streaming.some_runs(self.values)
        return self if chosen is None else self.take(chosen)

    def inputs_of_runs(self, names) -> np.ndarray | None:
        """The inputs `names` as (runs, inputs), or None without names. Raises ValueError for an unknown name."""
        missing = [name for name in names if name not in self.inputs]
        if missing:
            raise ValueError(f"unknown input {missing[0]!r}; the runs have: {', '.join(self.inputs) or 'none'}")
        return np.stack([self.inputs[name] for name in names], axis=1).astype(float) if names else None


def check_ensemble(ensemble: Ensemble) -> None:
    """Raise ValueError unless shapes, names and numbers of the ensemble fit together."""
    shape = ensemble.values.shape
    if ensemble.values.ndim != 3:
        raise ValueError(f"an ensemble is (runs, steps, features); got an array of shape {shape}")
    expected = (len(ensemble.run_ids), len(ensemble.times), len(ensemble.features))
    if shape != expected:
        raise ValueError(f"run ids, times and features ask for shape {expected}; got {shape}")
    if len(ensemble.units) != shape[2]:
        raise ValueError(f"expected {shape[2]} units, one a feature; got {len(ensemble.units)}")
    if len(set(ensemble.run_ids)) != shape[0]:
        raise ValueError("run ids must be unique; at least one occurs twice")
    if not np.all(np.diff(ensemble.times) > 0):
        raise ValueError("times must increase from step to step")
    if not isinstance(ensemble.values, streaming.Rows):  # part of an ensemble that was checked
        check_finite(ensemble)
    for name, column in ensemble.inputs.items():
        if np.shape(column) != (shape[0],):
            raise ValueError(f"input {name}: expected {shape[0]} values, one a run; got shape {np.shape(column)}")


def check_finite(ensemble: Ensemble) -> None:
    """Raise ValueError, naming the first place, unless all values are finite."""
    seen = 0
    for chunk in streaming.chunks(ensemble.values):
        bad = np.argwhere(~np.isfinite(chunk))
        if len(bad):
            run, step, feature = bad[0]
            raise ValueError(
                f"run {ensemble.run_ids[seen + run]}, step {step}, {ensemble.features[feature]}: "
                f"expected a finite number, got {chunk[run, step, feature]}"
            )
        seen += len(chunk)


def is_varying(column) -> bool:
    """Whether an input is a number that differs between runs."""
    column = np.asarray(column)
    return column.dtype.kind in "iuf" and column.min() < column.max()
