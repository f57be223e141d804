"""Commands for files of other programs: import, export; for sim2seq/cli.py."""

import glob
import os
import sys
from pathlib import Path
from shlex import quote
from typing import Any

FILES = "CSV, Parquet, NetCDF, HDF5, Zarr, .npz; folders; or patterns in quotation marks, such as 'runs/*/out.csv'"
INPUTS = (
    "what each run was given: a table with a line for each; or the name of the file that each has in its folder or the "
    "one above, such as params.json (.yaml, .toml); or .json: it is called as the run's own"
)


def add_import(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study; made if it is not there")
    parser.add_argument("files", nargs="+", metavar="FILE", help=FILES)
    parser.add_argument("--dry-run", action="store_true", help="say what is in the files, and change nothing")
    parser.add_argument("--inputs", metavar="TABLE|NAME", help=INPUTS)
    parser.add_argument("--features", metavar="A,B", help="the series to read; without it, all that change")
    parser.add_argument("--controls", metavar="A,B", help="series that were set at each step, or their table")
    parser.add_argument("--time", metavar="NAME", help="the column, variable or dimension of the time")
    parser.add_argument("--run", metavar="NAME", help="the column, variable or dimension that tells runs apart")
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW", help="repeatable")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="read every Nth step")
    parser.add_argument("--resample", type=float, default=0.0, metavar="DT", help="interpolate to that time step")
    parser.add_argument("--gaps", choices=("refuse", "fill", "drop"), default="refuse", help="missing numbers; the run")
    parser.add_argument("--repeats", choices=("refuse", "first", "last"), default="refuse", help="rows of one time")
    parser.add_argument("--group", metavar="NAME", help="of HDF5, NetCDF or Zarr: the one with the arrays")
    parser.add_argument("--dims", metavar="A,B", help="axes of arrays that name none: of run, time, feature")
    parser.add_argument("--columns", metavar="A,B", help="names of a table's columns, where it has none")
    parser.add_argument("--dates", metavar="FORMAT", help="how dates are written, such as %%d.%%m.%%Y")
    parser.add_argument("--replace", action="store_true", help="overwrite runs stored with other content")


def import_(arguments) -> int:
    from sim2seq.store.imports import import_files

    table = arguments.controls if os.path.isfile(arguments.controls or "") else None
    arguments.controls = None if table else arguments.controls
    options = {name: getattr(arguments, name) for name in ("inputs", "replace", "dry_run")} | {"controls": table}
    try:
        done = import_files(arguments.store, matching(arguments.files), reading_of(arguments), **options)
    except KeyboardInterrupt:
        print("sim2seq import: interrupted, nothing was imported", file=sys.stderr)
        return 130
    print("\n".join(done.lines))
    if done.refused:
        raise ValueError(done.refused)
    if not arguments.dry_run:
        print(f"{arguments.store}: " + ", ".join(f"{count} {what}" for what, count in done.counts.items()))
        words = words_for_training(done.seen, done.controls)
        print(f"next: sim2seq train {quote(arguments.store)}{words} --report report.html")
    return 0


def matching(paths: list[str]) -> list[str]:
    """The paths; in the place of a pattern such as runs/*/out.csv, which a shell has not taken, what is called so."""
    from sim2seq.data.foreign.reading import natural

    found = {path: [path] for path in paths}
    for path in [path for path in paths if glob.has_magic(path) and not os.path.exists(path)]:
        if not (there := sorted(glob.iglob(path, recursive=True), key=natural)):
            raise ValueError(f"{path}: expected a pattern of files that are there; none is called so")
        found[path] = there
    return [each for some in found.values() for each in some]


def reading_of(arguments):
    """How files are to be read, as the command line says it."""
    from sim2seq.data.foreign.reading import Reading

    lists: dict[str, Any] = {
        name: split(getattr(arguments, name)) for name in ("features", "controls", "dims", "columns")
    }
    words: dict[str, Any] = {name: getattr(arguments, name) or "" for name in ("time", "run", "group", "dates")}
    others = {name: getattr(arguments, name) for name in ("every", "resample", "gaps", "repeats")}
    return Reading(rename=dict(map(renamed, arguments.rename)), **lists, **words, **others)


def split(text: str | None) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old.strip() or not new.strip():
        raise ValueError(f"--rename {text}: expected OLD=NEW")
    return old.strip(), new.strip()


def words_for_training(seen, controls) -> str:
    """The settings that go with what was imported: inputs that differ between runs, controls."""
    runs = len(seen.lengths)
    inputs = [name for name, values in seen.inputs.items() if len(values) == runs and is_varying(name, values)]
    words = {"inputs": ",".join(inputs), "controls": ",".join(controls)}
    return "".join(f" {quote(f'{name}:{value}')}" for name, value in words.items() if value)


def is_varying(name: str, values: list) -> bool:
    """Whether an input is a number that differs between runs, and not the number of the run."""
    from sim2seq.data.foreign.reading import means_run
    from sim2seq.data.records import is_result

    known = not is_result(name) and not means_run(name.rpartition(".")[2])  # also solver.seed
    return known and all(isinstance(value, float) for value in values) and min(values) < max(values)


def add_export(parser) -> None:
    parser.add_argument("source", metavar="STORE|MODEL", help="a Kosh store, or the folder of a finished training")
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--netcdf", metavar="FILE", help="write the runs of a store there; import reads them back")
    kinds.add_argument("--onnx", metavar="FILE", help="write the networks of a model there, a step of each")


def export(arguments) -> int:
    if arguments.onnx:
        return export_model(arguments.source, Path(arguments.onnx))
    from sim2seq.store.imports import export as write

    left_out = write(arguments.source, arguments.netcdf)
    print(arguments.netcdf)
    for name, why in left_out.items():
        print(f"left out: {name}, which is no number in every run: {why}")
    return 0


def export_model(folder: str, path: Path) -> int:
    """The networks of a finished training as ONNX files."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from sim2seq.surrogate import Surrogate, load

    model = load(folder)
    if not isinstance(model, Surrogate):
        raise ValueError(f"{model.folder}: it gives the probability of symbols, --onnx writes what forecasts")
    if path.suffix != ".onnx" or not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: expected the name of a file that ends in .onnx, in a folder that exists")
    names = {"features": model.features, "outputs": model.outputs, "inputs": model.inputs}
    about = names | {"controls": model.told.controls, "window": model.window, "time_step": model.scores.time_step}
    models = model.models
    from sim2seq.models.export import write_onnx

    for name, written in write_onnx(models, path, about).items():
        print(f"{written}: {name}")
    return 0
