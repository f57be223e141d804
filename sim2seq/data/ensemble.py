"""Ensemble: the runs of a study as one array, with names, units and run ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sim2seq._support.brief import brief
from sim2seq.data import streaming

ALL_STEPS = np.empty(0, dtype=int)  # stands for the lengths of runs that have all steps, until they are counted


@dataclass(frozen=True)
class Ensemble:
    """The runs of one study, checked once when they enter.

    values      (runs, steps, features), finite, in physical units; an array, a memory map or streaming.Rows of one
    run_ids     one name a run, unique
    features    one name a feature
    times       (steps,), strictly increasing, in `step_unit`; "" where steps have none
    inputs      name -> (runs,): what was chosen before each run started
    results     name -> (runs,): what came of each run as a whole
    units       name -> unit, of features, inputs and results; a name that is missing has none
    lengths     (runs,): steps that each run has, up to `steps`; without them, or with None, all of them. What stands in
                `values` after them is padding (nan, or 0 in whole numbers), which nobody reads
    notes       what was done to the runs on their way here, a few words each; the report says it
    unusable    name -> which run has no number of it, of what is neither an input nor a result for that reason

    Raises ValueError, in one line, when a shape, a name or a number does not fit.
    """

    values: np.ndarray | streaming.Rows
    run_ids: tuple[str, ...]
    features: tuple[str, ...]
    times: np.ndarray
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    step_unit: str = "s"
    results: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: np.ndarray = field(default_factory=lambda: ALL_STEPS)
    notes: tuple[str, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        all_steps = self.lengths is ALL_STEPS or self.lengths is None
        lengths = np.full(len(self.run_ids), len(self.times)) if all_steps else np.asarray(self.lengths)
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "times", np.asarray(self.times))
        if not isinstance(self.values, streaming.Rows):
            object.__setattr__(self, "values", np.asanyarray(self.values))
        for columns in ("inputs", "results"):  # by place: a table's column would be taken by its labels
            given = getattr(self, columns)
            if not all(isinstance(column, np.ndarray) for column in given.values()):
                object.__setattr__(self, columns, {name: np.asarray(column) for name, column in given.items()})
        check_ensemble(self)

    def __repr__(self) -> str:
        units = {"units": self.units} if self.units else {}
        return brief(self, runs=self.runs, steps=self.steps, features=self.features, inputs=tuple(self.inputs), **units)

    @classmethod
    def from_xarray(cls, data, **options) -> Ensemble:
        """The runs in an xarray Dataset, DataArray or DataTree (a run a child), as `sim2seq import` reads them.

        options: those of foreign.reading.Reading, such as time="t", run="member", features=["x"], every=2. Units come
        from attributes, inputs are the variables with one number a run. Raises ValueError, in one line.
        """
        from sim2seq.data.foreign import convert, reading  # a second, which nobody else must pay

        return convert.from_xarray(data, reading.Reading(**options))

    @classmethod
    def from_pandas(cls, frame, *, inputs=None, **options) -> Ensemble:
        """The runs in a DataFrame with a row a step, and a column or index that tells runs apart; or run -> DataFrame.

        inputs: a DataFrame with a row a run. Other options, and errors, as for `from_xarray`.
        """
        from sim2seq.data.foreign import convert, reading

        return convert.from_pandas(frame, reading.Reading(**options), inputs)

    def to_xarray(self):
        """An xarray Dataset: a variable (run, time, ...) a series, one (run,) an input or result; see from_xarray."""
        from sim2seq.data.foreign.convert import to_xarray

        return to_xarray(self)

    @property
    def runs(self) -> int:
        return self.values.shape[0]

    @property
    def steps(self) -> int:
        """Steps of the longest run."""
        return self.values.shape[1]

    @property
    def uniform(self) -> bool:
        """Whether all runs have all steps."""
        return bool((self.lengths == self.steps).all())

    def series(self) -> np.ndarray:
        """The values in memory as floats, nan beyond the end of a run, whatever stands there.

        Whole numbers would overflow where they are subtracted: 9 - 10 is 255 in bytes.
        """
        values = np.asarray(self.values)
        if values.dtype.kind != "f":
            values = values.astype(float)
        if self.uniform:
            return values
        return np.where((np.arange(self.steps) < self.lengths[:, None])[..., None], values, np.nan)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each run: what stands before the last "_" of its id."""
        return groups_of(self.run_ids)

    def take(self, indices, *, steps: slice = slice(None)) -> Ensemble:
        """The runs at `indices`, in that order, and these steps, as an Ensemble; what is copied: streaming.take."""
        indices = np.asarray(indices, dtype=int)
        first, last, _ = steps.indices(self.steps)
        return replace(
            self,
            values=streaming.take(self.values, indices, steps),
            run_ids=tuple(self.run_ids[i] for i in indices),
            times=self.times[steps],
            inputs={name: column[indices] for name, column in self.inputs.items()},
            results={name: column[indices] for name, column in self.results.items()},
            lengths=np.clip(self.lengths[indices] - first, 0, last - first),
        )

    def some_runs(self) -> Ensemble:
        """Itself, or of a large ensemble as many runs, drawn evenly, as are enough to judge by: streaming.some_runs."""
        chosen = streaming.some_runs(self.values)
        return self if chosen is None else self.take(chosen)

    def units_of(self, names) -> tuple[str, ...]:
        """The units of features, inputs or results; "" for what has none."""
        return tuple(self.units.get(name, "") for name in names)

    def places(self, names) -> list[int]:
        """The places of the features `names`. Raises ValueError for an unknown name."""
        missing = [name for name in names if name not in self.features]
        if missing:
            raise ValueError(f"unknown feature {missing[0]!r}; the runs have: {', '.join(self.features)}")
        return [self.features.index(name) for name in names]

    def inputs_of_runs(self, names) -> np.ndarray | None:
        """The inputs `names` as (runs, inputs), or None without names.

        Raises ValueError for an unknown name, and for the first run that has no finite number there.
        """
        if not names:
            return None
        found = numbers_of_runs(self.inputs, names, "input", self.unusable)
        bad = np.argwhere(~np.isfinite(found))
        if len(bad):
            run, place = bad[0]
            got = f"run {self.run_ids[run]} has {found[run, place]}"
            raise ValueError(f"input {list(names)[place]!r}: expected a number in every run; {got}")
        return found

    def results_of_runs(self, names) -> np.ndarray:
        """What came of the runs, `names` as (runs, results). Raises ValueError for an unknown name."""
        return numbers_of_runs(self.results | self.inputs, names, "result", self.unusable)


def numbers_of_runs(columns: dict, names, what: str, unusable: dict[str, str]) -> np.ndarray:
    """Columns, name -> (runs,), side by side as (runs, names). Raises ValueError for a name that is not among them."""
    missing = [name for name in names if name not in columns]
    if missing and missing[0] in unusable:
        raise ValueError(f"{what} {missing[0]!r}: expected a number in every run; {unusable[missing[0]]}")
    if missing:
        raise ValueError(f"unknown {what} {missing[0]!r}; the runs have: {', '.join(columns) or 'none'}")
    return np.stack([columns[name] for name in names], axis=1).astype(float)


def check_ensemble(ensemble: Ensemble) -> None:
    """Raise ValueError unless shapes, names and numbers of the ensemble fit together."""
    shape = ensemble.values.shape
    if len(shape) != 3:
        raise ValueError(f"an ensemble is (runs, steps, features); got an array of shape {shape}")
    if not isinstance(ensemble.values, streaming.Rows) and ensemble.values.dtype.kind not in "biuf":
        raise ValueError(f"an ensemble is an array of numbers; got one of {ensemble.values.dtype}")
    expected = (len(ensemble.run_ids), len(ensemble.times), len(ensemble.features))
    if shape != expected:
        raise ValueError(f"run ids, times and features ask for shape {expected}; got {shape}")
    if not isinstance(ensemble.units, dict):
        raise ValueError(f"expected units as a dict, name -> unit; got {type(ensemble.units).__name__}")
    if len(set(ensemble.run_ids)) != shape[0]:
        raise ValueError("run ids must be unique; at least one occurs twice")
    if not np.all(np.diff(ensemble.times) > 0):
        raise ValueError("times must increase from step to step")
    if ensemble.lengths.shape != shape[:1] or (ensemble.lengths > shape[1]).any() or (ensemble.lengths < 0).any():
        raise ValueError(f"lengths: expected {shape[0]} numbers of steps, one a run, up to {shape[1]}")
    if not isinstance(ensemble.values, streaming.Rows):  # part of an ensemble that was checked
        check_finite(ensemble)
    for name, column in (ensemble.inputs | ensemble.results).items():
        if np.shape(column) != (shape[0],):
            raise ValueError(f"input {name}: expected {shape[0]} values, one a run; got shape {np.shape(column)}")


def check_finite(ensemble: Ensemble) -> None:
    """Raise ValueError, naming the first place, unless all values that belong to a run are finite."""
    seen = 0
    for chunk in streaming.chunks(ensemble.values):
        lengths = ensemble.lengths[seen : seen + len(chunk)]
        bad = np.argwhere(~np.isfinite(chunk) & (np.arange(chunk.shape[1]) < lengths[:, None])[..., None])
        if len(bad):
            run, step, feature = bad[0]
            raise ValueError(
                f"run {ensemble.run_ids[seen + run]}, step {step}, {ensemble.features[feature]}: "
                f"expected a finite number, got {chunk[run, step, feature]}"
            )
        seen += len(chunk)


def groups_of(run_ids) -> tuple[str, ...]:
    """The group of each run: what stands before the last "_" of its id."""
    return tuple(run_id.rpartition("_")[0] for run_id in run_ids)


def is_varying(column) -> bool:
    """Whether an input is a number that differs between runs."""
    column = np.asarray(column)
    return column.dtype.kind in "iuf" and column.min() < column.max()
