"""What a forecast goes on from: the first steps of runs, read from a file that may come from a stranger."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sim2seq._support.command import plain
from sim2seq.data import records

LONGEST_REASON = 300  # characters


def read_initial(path: Path, model) -> tuple[np.ndarray, list[str], dict]:
    """The windows in a file, the names of their runs, and the inputs that the file holds: name -> (runs,).

    .dsv   a record: the first steps of each run; other series are ignored, and so are inputs that no model asks for
    .csv   a header with the names of the features, one line a step of one run; other columns are ignored
    .npy   (window, features) or (runs, window, features)

    Raises ValueError, in one line, for anything else.
    """
    if path.suffix not in READERS:
        raise ValueError(f"{path}: expected a file that ends in one of {', '.join(READERS)}")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file")  # a pipe or a device might never end
    try:
        windows, runs, inputs = READERS[path.suffix](path, model)
        return model.check_window(windows), runs, inputs
    except records.RecordError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {plain(error, LONGEST_REASON)}") from error


def read_record(path: Path, model):
    """What `read_initial` returns, of a record; the same for the readers below. Messages get the path there."""
    runs = records.read(path)
    for run in runs:
        check_names(model.features, run.series)
        held = len(next(iter(run.series.values())))
        if held < model.window:
            raise ValueError(f"run {run.id}: expected {model.window} steps or more; got {held}")
    windows = [[run.series[name][: model.window] for name in model.features] for run in runs]
    inputs = {name: [run.data[name] for run in runs] for name in model.inputs if all(name in run.data for run in runs)}
    return np.array(windows).transpose(0, 2, 1), [run.id for run in runs], inputs


def read_table(path: Path, model):
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            header, *lines = [line for line in csv.reader(file, strict=True) if line] or [[]]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"expected CSV text ({error})") from error
    names = [name.strip() for name in header]
    check_names(model.features, names)
    if len(set(names)) != len(names):
        raise ValueError(f"expected column names that differ; got {', '.join(names)}")
    window = []
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise ValueError(f"step {number}: expected {len(names)} columns; got {len(line)}")
        row = dict(zip(names, line, strict=True))
        try:
            window.append([float(row[name]) for name in model.features])
        except ValueError as error:
            raise ValueError(f"step {number}: expected numbers ({error})") from None
    return np.reshape(window, (1, len(window), len(model.features))), ["1"], {}


def read_array(path: Path, model):
    with path.open("rb") as file:
        try:
            windows = np.load(file, allow_pickle=False)
            windows = np.asarray(windows, dtype=float) if isinstance(windows, np.ndarray) else None
        except (ValueError, TypeError, EOFError, OSError, MemoryError) as error:
            raise ValueError(f"expected an array of numbers ({error})") from error
    if windows is None or windows.ndim not in (2, 3):
        got = "several arrays" if windows is None else f"shape {windows.shape}"
        raise ValueError(f"expected an array (window, features) or (runs, window, features); got {got}")
    return windows, [str(run) for run in range(1, 1 + (len(windows) if windows.ndim == 3 else 1))], {}


READERS = {".dsv": read_record, ".csv": read_table, ".npy": read_array}


def check_names(features, names) -> None:
    """Raise ValueError unless all features are among the names."""
    missing = [name for name in features if name not in names]
    if missing:
        raise ValueError(
            f"expected the features {', '.join(features)}; missing {', '.join(missing)}, "
            f"it has {', '.join(names) or 'none'}"
        )
