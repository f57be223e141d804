"""Imports: runs in files that other programs wrote go into the store; what is large stays where it is.

`import_files` is `sim2seq import`; `export` writes a store's runs as NetCDF.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace as replace_in

import numpy as np

from sim2seq._support import parameters
from sim2seq._support.files import check_place
from sim2seq.data import clock
from sim2seq.data.foreign.columns import matched, words_for
from sim2seq.data.foreign.files import (
    Source,
    found_below,
    in_words,
    parameters_beside,
    sources,
    unread_below,
    unread_parameters,
)
from sim2seq.data.foreign.reading import TAKEN, Reading, listed, means_run, named_apart, values_in
from sim2seq.data.foreign.runs import Beside, Seen, read_controls, read_inputs, runs_of
from sim2seq.data.records import TIME, RecordError, Run, is_result
from sim2seq.store import sqlite, store
from sim2seq.store.kind import Twins
from sim2seq.store.sina import StoreError, differences, sina_record

MOST_NAMED = 8  # files, of which the note of each run says what they have lost
MOST_LINES = 50  # of inputs
MANY = 20  # runs, from which on progress is shown


@dataclass(frozen=True)
class Imported:
    """What an import did: counts as of store.ingest, lines that say what was seen, `refused`: why it would fail.

    controls   names of the series that were set at each step
    """

    counts: Counter
    seen: Seen
    lines: list[str]
    refused: str = ""
    controls: tuple[str, ...] = ()


def import_files(
    path, files: Iterable, reading: Reading, *, inputs=None, controls=None, replace=False, dry_run=False
) -> Imported:
    """Put the runs in files of other programs into the store `path`, which is made if it is not there: all or none.

    inputs     a table with a line for each run: what it was given; or the name of a file with that which each run has
               beside it, such as params.json, or a suffix, .json, of one that is called as the run's
    controls   a table with a line for each time at which something was set
    dry_run    only look; the store is not touched
    Raises RecordError or StoreError, in one line, for what cannot be read or does not fit.
    """
    warnings.simplefilter("ignore")  # of libraries, on what is refused or said below
    files = list(files)
    told_apart = str(inputs or "").lower().endswith(parameters.SUFFIXES)  # each run has its own
    table = None if told_apart else inputs
    tables = [os.path.realpath(each) for each in (table, controls) if each]
    paths = [each for each in found_below(files) if os.path.realpath(each) not in tables]
    if not paths:
        raise RecordError(f"expected files of runs beside {listed(filter(None, (inputs, controls)))}; got none")
    found = sources(paths, reading)
    check_read(paths, found)
    beside = tables_beside(table, controls, reading, named_apart(paths))
    if told_apart:
        given, units, own = parameters_beside(found, str(inputs), reading)
        beside, tables = replace_in(beside, inputs=given, units=beside.units | units), tables + own
    total = sum(len(each.runs.ids) for each in found)
    ids = {run for each in found for run in each.runs.ids}
    passed_by = [name for each in found for name in each.runs.passed_by]
    told = set(matched(ids, beside.inputs or ()).values())
    unread = unread_below(files, read := {*map(os.path.realpath, (path, *paths)), *tables})
    passed_by += in_words(unread)
    passed_by += [f"the line of run {run}" for run in beside.inputs or () if run not in told]
    seen, counts, refused, compared, twins = Seen(look=dry_run), Counter[str](), "", list[str](), Twins(ids)
    try:
        runs: Iterable[Run] = runs_of(found, reading, seen, beside)
        if reading.gaps == "drop":
            runs = noted(found, runs, runs_of(found, reading, seen := Seen(look=dry_run), beside))
        runs = fitting(path, runs, seen, ids)
        if dry_run:
            counts, compared, refused = preview(path, watched(runs, total), replace, twins)
        else:
            counts = put(path, watched(runs, total), replace, twins)
    except (RecordError, StoreError) as error:
        if not dry_run:
            raise
        refused = str(error)
    steered = tuple(beside.controls.names) if beside.controls else reading.controls
    lines = first_look(seen, passed_by) + ([] if inputs else unread_parameters(unread, read)) + twice(twins) + compared
    return Imported(counts, seen, lines, refused, steered)


def twice(twins: Twins) -> list[str]:
    """The line that says which runs are equal; two runs of one input may be, and two copies of a file are."""
    pairs = [f"{one} is {other}" for one, other in twins.pairs.items()]
    return (
        [f"equal in all numbers, so that one may be learned from and the other scored: {listed(pairs)}"]
        if pairs
        else []
    )


def first_look(seen: Seen, names: list[str]) -> list[str]:
    """What was seen, in lines: runs, steps, features, inputs, units, gaps, ranges."""
    if not seen.lengths:
        return ["no run"]
    shortest, longest = min(seen.lengths), max(seen.lengths)
    steps = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    lines = [f"{len(seen.lengths)} runs of {steps} steps{step_words(seen)}"]
    for name, (low, high) in seen.ranges.items():
        shape = f" of shape {seen.shapes[name]}" if seen.shapes[name] else ""
        lines.append(f"feature {in_unit(seen, name)}{shape}: {low:.6g} to {high:.6g}")
    for name, values in list(seen.inputs.items())[:MOST_LINES]:
        kind = "result" if is_result(name) else "input"
        lines.append(f"{kind} {in_unit(seen, name)}: {words_for(values, len(seen.lengths))}")
    lines += [f"passed by: {listed(names)}"] if names else []
    lines += [f"gaps: {seen.gaps.by_feature()}, in {len(seen.gaps.found)} runs"] if seen.gaps.found else []
    lines += [f"{number} runs stay in {path}" for path, number in seen.stay.items() if number]
    return lines


def in_unit(seen: Seen, name: str) -> str:
    """A name with its unit."""
    unit = seen.units.get(name, "")
    return f"{name} [{unit}]" if unit else name


def step_words(seen: Seen) -> str:
    """How long the steps are."""
    steps = np.diff(seen.times)
    if not len(steps):
        return ""
    unit = seen.units.get(TIME, "s")
    if clock.uneven_step(seen.times) is None:
        return f" of {clock.time_step(seen.times):.6g} {unit or '(no unit)'}"
    return f" of {steps.min():.6g} to {steps.max():.6g} {unit or '(no unit)'}, uneven: --resample DT makes them even"


def check_read(paths: list[str], found: list[Source]) -> None:
    """Raise RecordError for a table without rows, as Parquet may be."""
    tables = [each.runs for each in found if not each.path]
    read = {path for each in tables for files in each.columns.files.values() for path in files}
    if empty := [path for path in paths if path not in read | {each.path for each in found}]:
        raise RecordError(f"{empty[0]}: expected a table with rows, got none")


def preview(path, runs: Iterable[Run], replace: bool, twins: Twins) -> tuple[Counter, list[str], str]:
    """What putting the runs into the store would do: counts as of store.ingest, in lines, and why it would fail."""
    if not os.path.exists(path):
        counts, changed, why = Counter(added=sum(bool(twins.noted(sina_record(run))) for run in runs)), list[str](), ""
    else:
        with closing(store.connect(path)) as held:
            counts, changed, why = Looked(held).compared(runs, twins)
    told = {"added": "added", "unchanged": "the same", "replaced": "replaced" if replace else "refused"}
    words = ", ".join(f"{counts[key]} {word}" for key, word in told.items() if counts[key])
    names = f" ({listed(changed)})" if changed else ""
    return counts, [f"{path}: would be {words}{names}"], "" if replace else why


class Looked:
    """An open store that nothing is written to; what `store.put` would replace is remembered."""

    def __init__(self, held):
        self.path, self.held, self.changed = held.path, held, list[dict]()
        self.stored, self.replace = held.stored, self.changed.append
        self.entries, self.run_ids, self.ranges = held.entries, held.run_ids, held.ranges

    def insert(self, records: list[dict]) -> None:
        """Nothing."""

    def compared(self, runs: Iterable[Run], twins: Twins) -> tuple[Counter, list[str], str]:
        """Counts, the ids of runs that are stored with other content, and what differs in the first of these."""
        counts, why = Counter[str](), ""
        for batch in store.in_batches(runs):
            counts += store.put(self, list(map(sina_record, batch)), True, set(), [twins])
            if self.changed and not why:
                name = self.changed[0]["id"]
                found = differences(self.stored([name])[name], self.changed[0])
                why = f"{store.other_content(name, found)}: --replace overwrites it"
        return counts, [each["id"] for each in self.changed], why


def tables_beside(inputs, controls, reading: Reading, names: dict[str, str]) -> Beside:
    """What stands in these tables, and in the names of files, path -> name."""
    given, units = read_inputs(inputs, reading) if inputs else (None, {})
    steered, others = read_controls(controls, reading) if controls else (None, {})
    said = {path: values for path, name in names.items() if (values := values_in(name))}
    named = {path: {reading.name(name): value for name, value in values.items()} for path, values in said.items()}
    named = {path: dict(filter(is_told, values.items())) for path, values in named.items()}
    return Beside(given, units | others, steered, named)


def is_told(value: tuple[str, float | str]) -> bool:
    """Whether a name and a value in the name of a file are what the run was given, and not the number that it has."""
    return isinstance(value[1], str) or not means_run(value[0])


def noted(found: list[Source], first: Iterable[Run], runs: Iterable[Run]) -> Iterator[Run]:
    """The `runs`, each with how many of its file are left out: those missing among them; `first`: the same runs."""
    kept, lost = {each.id for each in first}, Counter[str]()
    for source in found:
        name = os.path.basename(source.path) if source.path else "the tables"
        if number := len(set(source.runs.ids) - kept):
            lost[name if name in lost or len(lost) < MOST_NAMED else "other files"] += number
    note = {"left_out": dict(lost)} if lost else {}
    return (each._replace(notes=(each.notes or {}) | note or None) for each in runs)


def fitting(path, runs: Iterable[Run], seen: Seen, ids: set[str]) -> Iterator[Run]:
    """The `runs`, with these ids, whose first is held against one that is in the store under another id."""
    for number, run in enumerate(runs):
        if number == 0:
            check_like_those_stored(path, run.id, seen, ids)
        yield run


def check_like_those_stored(path, run_id: str, seen: Seen, ids: set[str]) -> None:
    """Raise RecordError where what was seen has other series, units or times than a run in the store."""
    stored = store.run_ids(path) if os.path.exists(path) else []
    other = next((run for run in stored if run not in ids), None)
    if other is None:
        return
    there = store.load(path, runs=[other])
    where = f"{path}: run {run_id} is unlike run {other}, which is in the store"
    if lacking := sorted(set(there.features) ^ seen.names):
        raise RecordError(f"{where}: only one of them has {listed(lacking)}; a store holds runs of one kind")
    units = {name: unit for name, unit in there.units.items() if name in there.features} | {TIME: there.step_unit}
    for name, unit in units.items():
        if unit and seen.units.get(name, unit) != unit:
            raise RecordError(f"{where}: {name} in {seen.units[name]!r} and {unit!r}")
    if (step := clock.first_difference(seen.times, there.times)) is not None:
        raise RecordError(f"{where}: step {step} at time {seen.times[step]:g} and {there.times[step]:g}: --resample DT")


def put(path, runs: Iterable[Run], replace: bool, twins: Twins | None = None) -> Counter:
    """Ingest into a store that is made once the first runs are read, and taken away again where they go wrong."""
    new = []

    def made() -> Iterator[Run]:
        for number, run in enumerate(runs):
            if number == 0:
                new.append(store.create(path))
            yield run

    try:
        return store.ingest(path, made(), replace=replace, twins=twins)
    except BaseException:
        if any(new) and os.path.isfile(path) and not store.is_url(path):  # a database's tables stay, empty
            sqlite.remove_unused(path)
        raise


def watched(runs: Iterable[Run], total: int) -> Iterable[Run]:
    """The runs, with a progress bar where there are many and someone looks."""
    if total < MANY or not sys.stderr.isatty():
        return runs
    from rich.console import Console
    from rich.progress import track

    return track(runs, description="import", total=total, console=Console(stderr=True))


def export(path, file) -> dict[str, str]:
    """Write the runs of the store `path` as a NetCDF file, whole or not at all; `import_files` reads it back.

    Returns what is left out, since not every run has a number there: name of the input -> a run, and what it has.
    """
    file = check_place(file)
    temporary = file.with_name(f"unfinished_{file.name}")
    try:
        ensemble = store.load(path)
        ensemble.to_xarray().to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return {name: why for name, why in ensemble.unusable.items() if name not in TAKEN}
