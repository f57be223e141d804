"""What a forecast goes on from: the first steps of runs and their inputs, read from files that are not trusted."""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sim2seq._support.command import plain
from sim2seq.data import clock, records
from sim2seq.data.foreign.reading import RUNS, Reading, first_of, id_of, named_clock, split_unit
from sim2seq.data.records import TIME, WITHOUT_UNIT, shown

LONGEST_REASON = 300  # characters
COUNTED = {"M": ("s", "months", "years"), "m": ("s",)}  # units in which an import counts dates, and durations


@dataclass(frozen=True)
class Context:
    """What a forecast of several runs goes on from.

    windows    (runs, window, features); runs: their names
    inputs     name -> (runs,): those that the file holds
    controls   (runs, steps, controls) from the first step of the window on, as far as the file has them; None: none
    """

    windows: np.ndarray
    runs: list[str]
    inputs: dict[str, list[float]] = field(default_factory=dict)
    controls: np.ndarray | None = None


def read_context(path: Path, model, *, resample: bool = False) -> Context:
    """The context in a file, for a model with `window`, `features`, `inputs`, `told.controls` (names) and `time_step`.

    .dsv   a record: the first steps of each run; other series are ignored, and so are inputs that no model is told
    .csv   a header with the names of the features, one line a step; a column of runs, as an import knows it, tells
           these apart, without one there is one run; other columns are ignored
    .npy   (window, features) or (runs, window, features)

    A model without a window reads controls only. Controls stand beside the features, for the steps to come too. Where
    there is a series `time`, its steps must be those of the model, or are interpolated to them with `resample`. Raises
    ValueError, in one line, for anything else.
    """
    if path.suffix not in READERS:
        raise ValueError(f"{path}: expected a file that ends in one of {', '.join(READERS)}")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file")  # a pipe or a device might never end
    try:
        found = READERS[path.suffix](path, model, resample)
        return replace(found, windows=model.check_window(found.windows)) if model.window else found
    except records.RecordError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {plain(error, LONGEST_REASON)}") from error


def read_record(path: Path, model, resample: bool) -> Context:
    """The context in a record; the same for the readers below. Messages get the path in `read_context`."""
    runs, series = records.read(path), []
    seen, window = seen_of(model), model.window
    names = [*seen, *model.told.controls]
    for run in runs:
        check_names(names, run.series)
        check_units(run.units or {}, model)
        values = np.transpose([run.series[name] for name in names])
        series.append(on_clock(f"run {run.id}", run.series.get(TIME), values, model, resample))
        if len(series[-1]) < window:
            raise ValueError(f"run {run.id}: expected {window} steps or more; got {len(series[-1])}")
    inputs = {name: [run.data[name] for run in runs] for name in model.inputs if all(name in run.data for run in runs)}
    whole = np.stack([values[: min(map(len, series))] for values in series])
    controls = whole[..., len(seen) :] if model.told.controls else None
    windows = whole[:, :window, : len(seen)] if seen else np.zeros((len(runs), 0, len(model.features)))
    return Context(windows, [run.id for run in runs], inputs, controls)


def seen_of(model) -> tuple[str, ...]:
    """The features that a file has to hold: none for a model that forecasts from inputs alone."""
    return model.features if model.window else ()


def on_clock(where: str, times, values: np.ndarray, model, resample: bool) -> np.ndarray:
    """The values (steps, names) of a run at the steps of the model: as they are, or interpolated with `resample`.

    Raises ValueError for times (steps,) that are other ones; None for times that are not known.
    """
    step = model.time_step
    if times is None or step is None or not len(values):
        return values
    times = np.asarray(times)
    if not (np.diff(times) > 0).all():
        raise ValueError(f"{where}: {TIME}: expected times that increase")
    if resample:
        return clock.resampled(times, values, step)[1]
    wrong = clock.first_difference(times, times[0] + step * np.arange(len(times)))
    if wrong is not None:
        got = f"got {times[wrong] - times[0]:.6g} at step {wrong} after the first"
        raise ValueError(
            f"{where}: the model knows steps of {step:.6g} {model.scores.time_unit}; {got}: add --resample"
        )
    return values


def read_table(path: Path, model, resample: bool) -> Context:
    header, steps = read_columns(path, "step")
    controls = list(model.told.controls)
    names, units = split_units(header, {*model.features, *controls})
    clock_name = clock_in(names, steps, {*model.features, *controls})
    names = [TIME if name == clock_name else name for name in names]
    of_model = {TIME if name == clock_name else name: unit for name, unit in units.items()}
    check_units({name: of_model[name] for name in (*model.features, *controls, TIME) if name in of_model}, model)
    steps = [dict(zip(names, each.values(), strict=True)) for each in steps]
    check_names([*seen_of(model), *controls], names)
    times = times_in(steps, model.scores.time_unit) if TIME in names else None
    runs = runs_in(steps, [name for name in names if name not in {*model.features, *controls, TIME}])

    def columns(run: str, places: list[int], some) -> np.ndarray:
        lines = numbers([steps[place] for place in places], list(some), f"run {run}: " if len(runs) > 1 else "")
        return on_clock(f"run {run}", None if times is None else times[places], lines, model, resample)

    def window(run: str, places: list[int]) -> np.ndarray:
        if not model.window:
            return np.zeros((0, len(model.features)))
        seen = columns(run, places[: model.window] if controls and not resample else places, model.features)
        seen = seen[: model.window] if resample else seen
        if len(runs) > 1 and len(seen) != model.window:
            raise ValueError(f"run {run}: expected a window of {model.window} steps; got {len(seen)}")
        return seen

    told = [columns(*each, controls) for each in runs.items()] if controls else []
    windows = np.stack([window(*each) for each in runs.items()])
    return Context(windows, list(runs), {}, np.stack([each[: min(map(len, told))] for each in told]) if told else None)


def runs_in(steps: list[dict[str, str]], names: list[str]) -> dict[str, list[int]]:
    """Run -> the places of its lines, by that of the columns `names` which says it to an import; "1": there is none.

    A column with another number in each line counts the lines.
    """
    cells = {name: [step[name].strip() for step in steps] for name in names}
    some = [name for name, each in cells.items() if len(set(each)) < len(each) or not all(map(is_number, each))]
    column = first_of([name for name in some if len(set(cells[name])) > 1], RUNS) or first_of(some, RUNS)
    runs: dict[str, list[int]] = {}
    try:
        for place, cell in enumerate(cells[column] if column else ["1"] * len(steps)):
            runs.setdefault(id_of(cell), []).append(place)
    except records.RecordError as error:
        raise ValueError(str(error)) from None
    return runs or {"1": []}


def split_units(header: list[str], known) -> tuple[list[str], dict[str, str]]:
    """The names of columns such as "x [m]" or "x (m)", and name -> unit of those with one; `known` names stay whole.

    Raises ValueError for a name that is there twice.
    """
    pairs = [(name, "") if name in known else split_unit(name.removesuffix(" [1]")) for name in header]
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"expected column names that differ; got {', '.join(header)}")
    return names, {name: unit for name, unit in pairs if unit not in WITHOUT_UNIT}


def clock_in(names: list[str], steps: list[dict[str, str]], others: set[str]) -> str:
    """The column that is the time, of numbers if one is, under any name that an import takes for it; "": none."""
    if TIME in names or not steps:
        return TIME
    told = {name: cell for name, cell in zip(names, steps[0].values(), strict=True) if name not in others}
    return named_clock([name for name, cell in told.items() if is_number(cell)]) or named_clock(list(told))


def is_number(cell: str) -> bool:
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


def read_columns(path: Path, what: str) -> tuple[list[str], list[dict[str, str]]]:
    """The names of a table's columns, and name -> cell for each of its lines, which are called `what`."""
    if (text := plain_text(path.read_bytes())) is None:
        return as_imports_read(path)
    try:
        header, *lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line] or [[]]
    except csv.Error as error:
        raise ValueError(f"expected CSV text ({error})") from error
    names = [name.strip() for name in header]
    rows = []
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise ValueError(f"{what} {number}: expected {len(names)} columns; got {len(line)}")
        rows.append(dict(zip(names, line, strict=True)))
    return names, rows


def plain_text(content: bytes) -> str | None:
    """The text of a table as most are: UTF-8, commas, no comments; None for one that is written in another way."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    header = text.lstrip().partition("\n")[0].strip()
    others = any(sign in header for sign in (";\t" if "," in header else ";\t| "))
    return None if others or "\0" in text or any(line.lstrip().startswith("#") for line in text.splitlines()) else text


def as_imports_read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The same as `read_columns`, of a table with other separators, decimal signs, comments or encodings."""
    import pandas as pd  # and below what needs it, which plain tables do not

    from sim2seq.data.foreign.text import format_of, pieces

    form = format_of(path, Reading())
    frame = pd.concat(list(pieces(path, form))).dropna(how="all").astype(object)
    units = (*[""] * form.unnamed, *form.units)
    names = [f"{name} [{unit}]" if unit else name for name, unit in zip(form.columns, units, strict=True)]
    cells = frame.where(frame.notna(), "").astype(str).to_numpy()
    return names, [dict(zip(names, line, strict=True)) for line in cells.tolist()]


def times_in(steps: list[dict[str, str]], unit: str) -> np.ndarray | None:
    """The times of a table, (steps,), in the model's `unit`: numbers, or dates and durations as an import counts them.

    None for dates and durations where the model only counts steps. Raises ValueError for anything else.
    """
    try:
        return numbers(steps, [TIME])[:, 0]
    except ValueError:
        from sim2seq.data.foreign import clock as written  # pandas, which numbers do not need
    cells = np.array([step[TIME].strip() or None for step in steps], dtype=object)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas, on dates that it has to look at one by one
            found = written.parse(cells)
    except records.RecordError:
        raise ValueError(f"{TIME} {shown(cells[0])}: expected numbers, or dates such as 2024-01-31 12:00:00") from None
    if not unit and found.dtype.kind in COUNTED:
        return None
    if unit not in COUNTED.get(found.dtype.kind, [unit]):
        raise ValueError(f"{TIME} {shown(cells[0])}: expected numbers, in {unit} as the model knows it")
    times = written.count(found, unit, from_start=False)
    if not np.isfinite(times).all():
        raise ValueError(
            f"{TIME}: expected a time for each step; step {1 + int(np.argmin(np.isfinite(times)))} has none"
        )
    return times


def numbers(steps: list[dict[str, str]], names: list[str], run: str = "") -> np.ndarray:
    """The columns `names` of a table as (steps, names). Raises ValueError, of a run, for a cell that is no number."""
    rows = []
    for place, step in enumerate(steps, start=1):
        try:
            rows.append([records.as_number(step[name]) for name in names])
        except ValueError as error:
            raise ValueError(f"{run}step {place}: expected numbers ({error})") from None
    return np.reshape(rows, (len(rows), len(names)))


def read_array(path: Path, model, resample: bool) -> Context:
    if model.told.controls:
        raise ValueError("expected a record or a table: an array has no place for controls")
    with path.open("rb") as file:
        try:
            windows = np.load(file, allow_pickle=False)
            windows = np.asarray(windows, dtype=float) if isinstance(windows, np.ndarray) else None
        except (ValueError, TypeError, EOFError, OSError, MemoryError) as error:
            raise ValueError(f"expected an array of numbers ({error})") from error
    if windows is None or windows.ndim not in (2, 3):
        got = "several arrays" if windows is None else f"shape {windows.shape}"
        raise ValueError(f"expected an array (window, features) or (runs, window, features); got {got}")
    return Context(windows, [str(run) for run in range(1, 1 + (len(windows) if windows.ndim == 3 else 1))])


READERS = {".dsv": read_record, ".csv": read_table, ".npy": read_array}


def check_units(units: dict[str, str], model) -> None:
    """Raise ValueError for a unit that is not the model's, where both are known."""
    of_features = dict(zip(model.scores.features, model.scores.units, strict=True))
    known = model.scores.told_units | of_features | {TIME: model.scores.time_unit}
    for name, unit in units.items():
        if known.get(name) and unit != known[name]:
            raise ValueError(f"{name}: the model knows it in {known[name]}; got {unit}")


def check_names(features, names) -> None:
    """Raise ValueError unless all features are among the names."""
    missing = [name for name in features if name not in names]
    if missing:
        raise ValueError(
            f"expected the features {', '.join(features)}; missing {', '.join(missing)}, "
            f"it has {', '.join(names) or 'none'}"
        )
