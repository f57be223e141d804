"""Convert: an Ensemble from xarray's Dataset or pandas' DataFrame, and to a Dataset, which `from_xarray` reads back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from sim2seq.data.array_layout import features_of
from sim2seq.data.arrays import Block
from sim2seq.data.ensemble import Ensemble
from sim2seq.data.foreign.files import Source, with_index, with_units
from sim2seq.data.foreign.formats import flattened
from sim2seq.data.foreign.groups import PARTS_OF_RUN, Groups
from sim2seq.data.foreign.reading import Reading, id_of
from sim2seq.data.foreign.runs import Seen, check_gaps, check_ids, remember
from sim2seq.data.foreign.table import Table
from sim2seq.data.foreign.tidy import OWN_NAME, decoded, tidy
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import RecordError, instead, is_result, shown

PART = re.compile(r"(.+)\[([\d,]+)\]")  # of a series with further dimensions


def from_xarray(data, reading: Reading) -> Ensemble:
    """As Ensemble.from_xarray."""
    if isinstance(data, xr.DataTree) and any(each.ndim > 1 for each in data.data_vars.values()):
        return ensemble_of(Wide.of(decoded(data.to_dataset()), "run", reading, groups=parts_of_run(data)), reading)
    if isinstance(data, xr.DataTree) and data.children:
        one = PARTS_OF_RUN & {str(name).lower() for name in data.children}
        runs = {"": data} if one else data.children
        opened: dict = {name: partial(decoded, whole(each)) for name, each in runs.items()}
        return ensemble_of(Groups(opened, reading), reading)
    if isinstance(data, xr.DataTree):
        data = data.to_dataset()
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=data.name or "values")
    return ensemble_of(Wide.of(decoded(data), "run", reading), reading)


def whole(tree: xr.DataTree) -> xr.Dataset:
    """A group of a tree with those in it, as one Dataset."""
    return flattened({"": tree.to_dataset()} | {name: each for name, each in below(tree).items() if name})


def below(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The groups in a group of a tree, and in these, and so on, by their paths; and itself as ""."""
    start = len(tree.path.rstrip("/")) + 1
    return {each.path[start:]: each.to_dataset(inherit=False) for each in tree.subtree}


def parts_of_run(tree: xr.DataTree) -> dict[str, xr.Dataset | None]:
    """The groups beside the arrays of a tree, as for Wide.of."""
    found = {name: each for name, each in below(tree).items() if name}
    return {name: each if name.partition("/")[0].lower() in PARTS_OF_RUN else None for name, each in found.items()}


def from_pandas(frame, reading: Reading, inputs=None) -> Ensemble:
    """As Ensemble.from_pandas."""
    frames = frame if isinstance(frame, Mapping) else nested(frame) or {"run": frame}
    real = {name: without_complex(with_index(each), reading) for name, each in frames.items()}
    pieces = [with_units(each, f"run {name}", str(name), {}) for name, each in real.items()]
    table = Table(pieces, reading)
    if inputs is None:
        return ensemble_of(table, reading)
    given = inputs.rename(columns=reading.name).T.to_dict()
    return ensemble_of(table, reading, {id_of(run): values for run, values in given.items()})


def without_complex(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """A frame without columns of complex numbers. Raises RecordError where these were to be read."""
    found = [name for name, kind in frame.dtypes.items() if kind.kind == "c"]
    if wanted := [name for name in found if not reading.series or reading.name(str(name)) in reading.series]:
        what = f"column {shown(str(wanted[0]))}: expected real numbers, got complex ones"
        raise RecordError(f"{what}: make a column of each part, or say with features= which to read")
    return frame.drop(columns=found)


def nested(frame: pd.DataFrame) -> dict:
    """Run -> frame, of a frame with a row a run and a series in each cell; empty for any other one."""
    cells = [cell for cell in frame.iloc[0] if isinstance(cell, (pd.Series, np.ndarray))] if len(frame) else []
    if not cells or len(cells) < len(frame.columns):
        return {}
    return {name: pd.DataFrame({key: pd.Series(cell) for key, cell in row.items()}) for name, row in frame.iterrows()}


def ensemble_of(runs, reading: Reading, inputs: dict | None = None) -> Ensemble:
    """The runs of a source as an Ensemble. Raises RecordError, in one line, as `runs.runs_of` does."""
    check_ids([Source("", runs)], inputs)
    seen, ids, blocks, data = Seen(), list[str](), list[Block](), list[dict]()
    for first in range(0, len(runs.ids), runs.runs_at_once):
        rows = list(range(first, min(first + runs.runs_at_once, len(runs.ids))))
        kept, block = tidy(runs.block(rows), [runs.ids[row] for row in rows], reading, seen.gaps)
        some = [runs.ids[rows[place]] for place in kept]
        if some:
            seen.add(some, block)
            blocks.append(block)
        ids += some
        for run_id, place in zip(some, kept, strict=True):
            given = runs.inputs_of(rows[place]) | (inputs or {}).get(run_id, {})
            remember(seen, run_id, given, runs.units_of(rows[place]))
            data.append(given)
    reading.check_renamed()
    check_gaps(seen, reading)
    return replace(assembled(ids, blocks, seen), unusable=unusable(ids, data))


def unusable(ids: list[str], data: list[dict]) -> dict[str, str]:
    """Name -> which run has no number of it, of what some run was given or ended with."""
    found: dict[str, str] = {}
    names = {name: None for given in data for name in given}
    for run_id, given in zip(ids, data, strict=True):
        for name in names.keys() - found.keys():
            value = given.get(name)
            if not isinstance(value, (int, float)) or value != value:
                found[name] = f"run {run_id} {instead(value)}"
    return found


def assembled(ids: list[str], blocks: list[Block], seen: Seen) -> Ensemble:
    """Blocks of runs as one Ensemble; what every run has as a number is an input or a result."""
    features = [each for name, values in blocks[0].series.items() for each in features_of(name, values.shape[2:])]
    types = {values.dtype for block in blocks for values in block.series.values()}
    kind = types.pop() if len(types) == 1 else np.dtype(float)
    padding = np.nan if kind.kind == "f" else 0
    values, first = np.full((len(ids), len(seen.times), len(features)), padding, kind), 0
    for block in blocks:
        flat = np.concatenate([each.reshape(*each.shape[:2], -1) for each in block.series.values()], axis=2)
        for run, length in enumerate(block.lengths, first):
            values[run, :length] = flat[run - first, :length]
        first += len(block.lengths)
    columns = {
        name: np.array(column, dtype=float) for name, column in seen.inputs.items() if is_column(column, len(ids))
    }
    return Ensemble(
        values=values,
        run_ids=tuple(ids),
        features=tuple(features),
        times=seen.times,
        inputs={name: column for name, column in columns.items() if not is_result(name)},
        results={name: column for name, column in columns.items() if is_result(name)},
        units={name: unit for name, unit in of_parts(seen.units, features).items() if unit and name != "time"},
        step_unit=seen.units.get("time", "s"),
        lengths=np.array(seen.lengths),
        notes=seen.gaps.notes(),
    )


def of_parts(units: dict[str, str], features: list[str]) -> dict[str, str]:
    """Units, those of the parts of a series among them."""
    return {name: units[base] for name in features if (base := name.partition("[")[0]) in units} | units


def is_column(column: list, runs: int) -> bool:
    return len(column) == runs and all(isinstance(value, (int, float)) for value in column)


def to_xarray(ensemble: Ensemble) -> xr.Dataset:
    """As Ensemble.to_xarray."""
    variables: dict = {}

    def add(name: str, dims: tuple[str, ...], values) -> None:
        if (plain := without_slash(name)) in {"run", "time", "sim2seq_length", *variables}:
            raise ValueError(f"{name!r}: expected another name, {plain} is taken")
        variables[plain] = (tuple(map(without_slash, dims)), values, attributes_of(ensemble, name))

    for name, column in (ensemble.inputs | ensemble.results).items():
        add(name, ("run",), np.asarray(column))
    for name, values, dims in variables_of(ensemble):
        add(name, ("run", "time", *dims), values)
    if not ensemble.uniform:
        variables["sim2seq_length"] = ("run", ensemble.lengths, {"long_name": "steps of each run"})
    clock = ("time", ensemble.times, {"units": ensemble.step_unit})
    coordinates = {"run": np.array(ensemble.run_ids, dtype=str), "time": clock}
    return xr.Dataset(variables, coordinates)


def without_slash(name: str) -> str:
    """A name as NetCDF takes it, for which a / parts groups."""
    return name.replace("/", "_")


def attributes_of(ensemble: Ensemble, name: str) -> dict[str, str]:
    """The attributes of a variable: its unit, where it has one, and its name, where NetCDF takes another one."""
    first = next((each for each in ensemble.features if each.startswith(f"{name}[")), name)
    unit = ensemble.units.get(name) or ensemble.units.get(first)
    named = {"long_name": name, OWN_NAME: name} if "/" in name else {}
    return ({"units": unit} if unit else {}) | named


def parts(features) -> dict[str, tuple[int, ...]]:
    """Series whose parts NAME[0,0], NAME[0,1], ... are all there in row-major order: name -> its shape."""
    found: dict[str, list[str]] = {}
    for feature in features:
        if part := PART.fullmatch(feature):
            found.setdefault(part[1], []).append(part[2])
    shapes = {name: tuple(int(each) + 1 for each in last[-1].split(",")) for name, last in found.items()}
    return {name: shape for name, shape in shapes.items() if is_whole(list(features), name, shape)}


def is_whole(features: list[str], name: str, shape: tuple[int, ...]) -> bool:
    """Whether the features hold all parts of a series of this shape, and no others of it, one after the other."""
    if int(np.prod(shape)) > len(features):
        return False
    expected = list(features_of(name, shape))
    first = features.index(expected[0]) if expected[0] in features else 0
    held = sum(each.startswith(f"{name}[") for each in features)
    return features[first : first + len(expected)] == expected and held == len(expected)


def variables_of(ensemble: Ensemble):
    """(name, values (runs, steps, ...), further dimensions) of each series."""
    whole, done = parts(ensemble.features), set[str]()
    values = ensemble.values if isinstance(ensemble.values, np.ndarray) else np.asarray(ensemble.values[:])
    for place, feature in enumerate(ensemble.features):
        part = PART.fullmatch(feature)
        name = part[1] if part and part[1] in whole else feature
        if name in done:
            continue
        done.add(name)
        if name is feature:
            yield feature, values[..., place], ()
        else:
            shape = whole[name]
            several = values[..., place : place + int(np.prod(shape))].reshape(*values.shape[:2], *shape)
            yield name, several, tuple(f"{name}_{axis}" for axis in range(len(shape)))
