"""Files: what kind of file this is, by its first bytes, and the runs in it, by the library that knows the kind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from sim2seq._support import parameters
from sim2seq.data.foreign import text
from sim2seq.data.foreign.columns import ungrouped
from sim2seq.data.foreign.formats import opened
from sim2seq.data.foreign.groups import Groups, groups_beside, groups_of
from sim2seq.data.foreign.reading import Reading, named_apart, natural, stem
from sim2seq.data.foreign.table import NO_NAME, Piece, Table
from sim2seq.data.foreign.wide import Wide
from sim2seq.data.records import RecordError

BEGINNINGS = {
    b"MATLAB 5": "mat",
    b"MATLAB 7": "hdf5",
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"CDF\x01": "netcdf3",
    b"CDF\x02": "netcdf3",
    b"PK\x03\x04": "npz",
    b"\x93NUMPY": "npy",
    b"PAR1": "parquet",
}
ZARR = (".zgroup", ".zarray", "zarr.json", ".zmetadata")
SUFFIXES = (
    *(".csv", ".txt", ".tsv", ".dat", ".parquet", ".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", ".mat", ".npz"),
    *(".npy", ".zarr"),
)
PACKAGES = {"zarr": "zarr", "parquet": "pyarrow"}  # of the extra `import`
TABLES = ("text", "parquet")


@dataclass(frozen=True)
class Source:
    """The runs in one file of arrays, or in all tables together (path "").

    runs   Wide, Groups or Table: ids, series, units_of(row), inputs_of(row), numbers, runs_at_once, block(rows)
    reading   how they are read
    """

    path: str
    runs: Any
    reading: Reading = field(default_factory=Reading)


def sources(paths: Iterable, reading: Reading) -> list[Source]:
    """The runs in these files, and in those below folders. Raises RecordError, in one line, for what cannot be read."""
    found, tables = [], []
    for path, name in named_apart(found_below(paths)).items():
        if (kind := kind_of(path)) in TABLES:
            tables.append((path, kind, name))
        else:
            read = replace(reading, label="" if name == stem(path) else name)
            found.append(Source(path, open_arrays(path, read), read))
    if tables and not found and (asked := reading.group or ", ".join(reading.dims)):
        raise RecordError(f"--group and --dims are of files of arrays; got {asked} for tables alone")
    if tables:
        pieces = (piece for path, kind, name in tables for piece in pieces_of(path, kind, reading, name))
        found.append(Source("", Table(pieces, reading), reading))
    return found


def found_below(paths: Iterable) -> list[str]:
    """Files and Zarr stores as they are; of other folders the files below them whose suffix says what they are.

    What is hidden below a folder, as copies that notebooks keep are, is none of them.
    """
    found: list[str] = []
    for path in map(os.fspath, paths):
        if not os.path.isdir(path) or is_zarr(path):
            found.append(path)
            continue
        below = [
            str(each)
            for each in Path(path).rglob("*")
            if each.suffix.lower() in SUFFIXES and not is_hidden(each, path) and not is_inside(each, path)
        ]
        if not below:
            raise RecordError(f"{path}: expected files below it that end in one of {', '.join(SUFFIXES)}")
        found += sorted(below, key=natural)
    first = {os.path.abspath(path): os.path.normpath(path) for path in reversed(found)}  # as it was told first
    return [first[path] for path in dict.fromkeys(map(os.path.abspath, found))]


def unread_below(paths: Iterable, read: set[str]) -> dict[str, list[Path]]:
    """Folder -> the files below it that are not among those `read`, as real paths; hidden ones are not told."""
    found: dict[str, list[Path]] = {}
    for folder in [path for path in map(os.fspath, paths) if os.path.isdir(path) and not is_zarr(path)]:
        below = (each for each in Path(folder).rglob("*") if each.is_file() and not is_hidden(each, folder))
        others = [each for each in below if not is_inside(each, folder) and os.path.realpath(each) not in read]
        found |= {folder: sorted(others, key=lambda each: natural(str(each)))} if others else {}
    return found


def in_words(unread: dict[str, list[Path]]) -> list[str]:
    """How many files there are below each folder that are not read."""
    return [
        f"{len(others)} other file{'s' * (len(others) > 1)} such as {others[0].relative_to(folder)} below {folder}"
        for folder, others in unread.items()
    ]


def unread_parameters(unread: dict[str, list[Path]], read: set[str]) -> list[str]:
    """A line that tells of files of parameters that are not read: they may say what runs were given."""
    found = [each for others in unread.values() for each in others if each.suffix.lower() in parameters.SUFFIXES]
    own = {os.path.splitext(path)[0] for path in read}
    names = [each.suffix if os.path.splitext(os.path.realpath(each))[0] in own else each.name for each in found]
    which = " or ".join(list(dict.fromkeys(names))[:3])
    return [f"not read: {found[0]}; where it is said what runs were given: --inputs {which}"] if found else []


def parameters_beside(found: list[Source], name: str, reading: Reading) -> tuple[dict[str, dict], dict, list[str]]:
    """Run id -> name -> number or word, units of these, and the files that say so, as real paths: each run has its own.

    name   of a file in the folder of the run's, or in the one above it: params.json; or a suffix alone, .json, of one
           that is called as the run's
    Raises RecordError, in one line, for a run without such a file, and for what cannot be read.
    """
    if (alone := Path(name).name) != name:
        raise RecordError(f"--inputs {name}: expected the name alone of a file that each run has beside it, {alone}")
    known, given, units = dict[str, tuple[dict, dict]](), dict[str, dict](), dict[str, str]()
    for source in found:
        for row, run_id in enumerate(source.runs.ids):
            for file in [source.path] if source.path else source.runs.files_of(row):
                if (path := place_beside(file, name)) not in known:
                    with reading_errors(path):
                        known[path] = parameters.read(path)
                values, said = known[path]
                keep(run_id, given.setdefault(run_id, {}), values, reading)
                keep(run_id, units, said, reading, "unit of ")
    folders = {os.path.dirname(os.path.abspath(path)): path for path in known}
    if below := [folder for folder in folders if os.path.dirname(folder) in folders]:
        above, own = folders[os.path.dirname(below[0])], folders[below[0]]
        raise RecordError(f"--inputs: expected {name} beside each run, as {own}; one has {above} above it alone")
    return given, units, [os.path.realpath(path) for path in known]


def place_beside(file: str, name: str) -> str:
    """Where the parameters of the runs in a file stand. Raises RecordError where they are not there."""
    folder = os.path.dirname(file)
    if of_its_own := name.lower() in parameters.SUFFIXES:
        name = f"{stem(file)}{name}"
    places = [os.path.join(folder, name), os.path.normpath(os.path.join(folder, "..", name))]
    if not (there := [place for place in places[: 1 if of_its_own else 2] if os.path.exists(place)]):
        above = "" if of_its_own else ", or in the folder above"
        raise RecordError(f"--inputs: expected a file {name} beside {file}{above}; there is none")
    return there[0]


def keep(run_id: str, held: dict, said: dict, reading: Reading, what: str = "") -> None:
    """Add what is said to what is held, by its new names. Raises RecordError where it was said in another way."""
    for old, value in said.items():
        if (before := held.setdefault(name := reading.name(old), value)) != value:
            raise RecordError(f"--inputs: run {run_id} has another {what}{name}: {value!r}, and before {before!r}")


def is_hidden(path: Path, folder: str) -> bool:
    """Whether the name of a path, or of a folder between it and `folder`, begins with a point."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def is_inside(path: Path, folder: str) -> bool:
    """Whether a path below `folder` lies within a Zarr store there."""
    return any(is_zarr(str(each)) for each in path.parents if str(each).startswith(folder) and str(each) != folder)


def is_zarr(path: str) -> bool:
    return any(os.path.isfile(os.path.join(path, name)) for name in ZARR)


def kind_of(path: str) -> str:
    """What kind of file this is. Raises RecordError for one that is not read here, FileNotFoundError for none."""
    if os.path.isdir(path):
        return "zarr"
    if not os.path.isfile(path):
        raise (RecordError if os.path.exists(path) else FileNotFoundError)(f"{path}: no such file")
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith((b"CDF\x05", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        what = (
            "NetCDF with 64-bit data: nccopy -k nc4 makes one that can"
            if head[:3] == b"CDF"
            else "compressed: unpack it first"
        )
        raise RecordError(f"{path}: cannot be read as it is, it is {what}")
    if path.endswith(".dsv"):
        raise RecordError(f"{path}: a record of this package: sim2seq ingest reads it")
    return next((kind for begin, kind in BEGINNINGS.items() if head.startswith(begin)), "text")


@contextmanager
def reading_errors(path: str) -> Iterator[None]:
    """Whatever a library says of a file becomes a RecordError of one line with its path."""
    try:
        yield
    except RecordError as error:
        raise (error if str(error).startswith(path) else RecordError(f"{path}: {error}")) from error
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; was it moved?") from error
    except Exception as error:  # of a damaged file, libraries raise whatever they like
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):  # it is said already
            raise RecordError(error) from error
        reason = f"{type(error).__name__} {' '.join(str(error).split())[:200]}".strip()
        raise RecordError(f"{path}: cannot be read, or damaged ({reason})") from error


def need(path: str, kind: str) -> None:
    """Raise RecordError where the package that reads this kind is missing."""
    if (package := PACKAGES.get(kind)) and not find_spec(package):
        raise RecordError(f"{path}: needs {package}: ./setup.sh import where sim2seq was cloned")


def pieces_of(path: str, kind: str, reading: Reading, name: str = "run") -> Iterator[Piece]:
    """The rows of a table, some at a time."""
    need(path, kind)
    with reading_errors(path):
        if kind == "parquet":
            yield from parquet_pieces(path, name)
            return
        form = text.format_of(path, reading)
        names = (["unnamed 0"] if form.unnamed else []) + list(form.names)
        units = (("",) if form.unnamed else ()) + form.units
        for frame in text.pieces(path, form):
            frame.columns = pd.Index(names)
            yield Piece(frame, path, name, units, form.skip)


def parquet_pieces(path: str, name: str) -> Iterator[Piece]:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    said = {each.name: (each.metadata or {}) for each in file.schema_arrow}
    for batch in file.iter_batches(batch_size=text.ROWS):
        frame = with_index(batch.to_pandas())
        yield with_units(frame, path, name, {key: unit_in(held) for key, held in said.items()})


def with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose index, where it says more than the number of a row, is among its columns."""
    frame = frame.to_timestamp() if isinstance(frame.index, pd.PeriodIndex) else frame
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        names = [name or default for name, default in zip(index.names, ("run", "time"), strict=False)]
        return frame.rename_axis(index=names).reset_index()
    if not index.name and index.dtype.kind in "iu":
        return frame.reset_index(drop=True)
    dated = index.dtype.kind in "mM" and "time" not in frame
    return frame.rename_axis(index=index.name or ("time" if dated else NO_NAME)).reset_index()


def unit_in(metadata: dict) -> str:
    """The unit in the metadata of a column."""
    found = metadata.get(b"units") or metadata.get(b"unit") or b""
    return found.decode("utf-8", "replace")


def with_units(frame: pd.DataFrame, origin: str, name: str, units: dict[str, str]) -> Piece:
    """A frame whose names may hold units in brackets, as a piece. Raises RecordError as `ungrouped` does."""
    pairs = [text.split_unit(str(column)) for column in frame.columns]
    units_of = tuple(units.get(str(column)) or unit for column, (_, unit) in zip(frame.columns, pairs, strict=True))
    frame = frame.set_axis([pair[0] for pair in pairs], axis=1)
    for place, kind in enumerate(frame.dtypes):
        if isinstance(kind, pd.PeriodDtype):
            frame.isetitem(place, frame.iloc[:, place].dt.to_timestamp())
        elif not pd.api.types.is_numeric_dtype(kind):
            frame.isetitem(place, ungrouped(origin, frame.iloc[:, place]))
    return Piece(frame, origin, name, units_of)


def open_arrays(path: str, reading: Reading) -> Wide | Groups:
    """The runs in a file of arrays. Raises RecordError, in one line."""
    kind = kind_of(path)
    need(path, kind)
    name = reading.label or stem(path)
    with reading_errors(path):
        if kind in ("hdf5", "zarr"):
            group, groups, passed = groups_of(path, kind, reading.group)
        elif reading.group:
            raise RecordError("it has no groups")
        else:
            group, groups, passed = "", {}, []
        if groups:
            found: Wide | Groups = Groups(groups, reading, name, passed)
        else:
            data, others = opened(path, kind, group)
            beside = groups_beside(path, kind, group) | dict.fromkeys([*others, *passed])
            found = Wide.of(data, name, reading, groups=beside)
        _ = found.series, found.passed_by  # what is wrong with them is wrong with this file
        return found
