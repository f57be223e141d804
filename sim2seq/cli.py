"""The `sim2seq` command.

sim2seq new NAME                          a small study of your own, that runs at once
sim2seq run SPEC --pgen FILE --runs N     a whole study on this machine
sim2seq run STUDY_FOLDER                  go on with an unfinished one
sim2seq wait STUDY_FOLDER [STEP ...]      until workers elsewhere have done it
sim2seq create STORE                      make a store; ingest FOLDER STORE: put finished runs into it
sim2seq import STORE FILE ...             put runs that other programs wrote into a store
sim2seq export STORE --netcdf FILE        write a store's runs; MODEL --onnx FILE: the networks of a model
sim2seq check STORE MERLIN_INFO           is every run of the study in the store?
sim2seq train STORE [name:value ...]      train on a store's runs
sim2seq leaderboard STORE                 rank the trainings recorded in a store
sim2seq card TRAINING                     its numbers as Markdown
sim2seq predict MODEL --initial FILE      a forecast with its band; of a model without a window: --inputs a=1,b=2
sim2seq doctor [SPEC]                     can a study run here?
"""

import os
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from shlex import quote

from sim2seq import cli_data as data
from sim2seq import cli_learn as learn
from sim2seq._support import command, keras_settings
from sim2seq.cli_learn import add_words

SHOWN = 100  # missing runs that `check` names; the file of --json has all


def add_run(parser) -> None:
    parser.add_argument("target", metavar="SPEC", help="a Merlin spec, or the folder of an unfinished study")
    parser.add_argument("--pgen", metavar="FILE", help="parameter generator, as for merlin run")
    parser.add_argument("--runs", type=int, metavar="N", help="runs: NUM_STUDIES of the generator, or RUNS of the spec")
    parser.add_argument("--workers", type=int, metavar="N", help="simulations at once: CONCURRENCY of the spec")
    parser.add_argument("--pargs", action="append", default=[], metavar="K:V", help="for the generator, repeatable")
    parser.add_argument(
        "--vars",
        nargs="+",
        action="extend",
        default=[],
        metavar="K=V",
        help="variables of the spec; on going on, the steps that use them run again",
    )
    parser.add_argument("--output", metavar="DIR", help="where to make the study's folder: OUTPUT_PATH of the spec")


def run(arguments) -> int:
    from sim2seq import rehearsal
    from sim2seq.workflow import orchestrate

    options = {name: getattr(arguments, name) for name in ("pgen", "runs", "workers", "pargs", "output")}
    return orchestrate.run(arguments.target, variables=arguments.vars, rehearse=rehearsal.request, **options)


def add_wait(parser) -> None:
    parser.add_argument("study", metavar="STUDY_FOLDER", help="a study that merlin run has queued")
    parser.add_argument("--workers", type=int, metavar="PGID", help="wait no longer than this process group lives")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two looks")
    add_words(parser, "steps", "STEP", "wait for these steps only")


def wait(arguments) -> int:
    from sim2seq.workflow import waiting

    return waiting.wait(arguments.study, arguments.steps, workers=arguments.workers, every=arguments.every)


def add_new(parser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the study: lower-case letters, digits and _")
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="where to write it; without it, ./NAME")
    kinds = ("forecast", "target-per-step", "target-per-run")
    parser.add_argument("--task", choices=kinds, default="forecast", help="what is learned")
    parser.add_argument("--notebook", action="store_true", help="a notebook to tune in, too")


def new(arguments) -> int:
    from sim2seq.new import new_study

    files = new_study(arguments.name, arguments.folder, kind=arguments.task, notebook=arguments.notebook)
    folder = files[0].parent
    print(f"{folder}: {', '.join(path.name for path in files)}")
    line = f"cd {quote(str(folder))} && sim2seq run suite.yaml --pgen pgen_ensembles.py"
    print(f"next: {line}; README.md says what to change")
    return 0


def add_create(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="SQLite file to create, or a .url file that names a database")


def create(arguments) -> int:
    from sim2seq.store import store

    made = store.create(arguments.store)
    print(f"{arguments.store}: {'created' if made else 'already a store, unchanged'}")
    return 0


def add_ingest(parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="with *.dsv or *.h5 files, at any depth")
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    parser.add_argument("--replace", action="store_true", help="overwrite runs stored with other content")


def ingest(arguments) -> int:
    from sim2seq.store.files import ingest_folder

    counts = ingest_folder(arguments.folder, arguments.store, replace=arguments.replace)
    print(f"{arguments.store}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0


def add_check(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    parser.add_argument("merlin_info", metavar="MERLIN_INFO", help="the study's merlin_info folder")
    parser.add_argument("--allow", type=float, default=0.0, metavar="SHARE", help="share of runs that may be missing")
    parser.add_argument("--json", metavar="FILE", help="write expected, stored, missing and allowed to this file")
    where = "only runs of these values in the parameter table, where a study fills several stores"
    parser.add_argument("--where", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=where)


def check(arguments) -> int:
    from sim2seq._support.files import write_json
    from sim2seq.store.store import missing_runs
    from sim2seq.workflow.checks import preflight
    from sim2seq.workflow.plan import expected_runs

    if not 0 <= arguments.allow <= 1:
        raise ValueError(f"--allow {arguments.allow}: expected a share from 0 to 1")
    if doubt := preflight.sqlite_doubt(arguments.store):
        print(f"sim2seq check: {doubt}", file=sys.stderr)
    expected = expected_runs(arguments.merlin_info, arguments.where)
    if twice := [name for name, count in Counter(expected).items() if count > 1]:
        raise ValueError(f"{arguments.merlin_info}: expected an id for each run, GROUP_ID_RUN_ID is twice {twice[0]}")
    missing = missing_runs(arguments.store, expected)
    facts: dict = {"expected": len(expected), "stored": len(expected) - len(missing)}
    facts |= {"missing": missing, "allowed": arguments.allow}
    if arguments.json:
        write_json(Path(arguments.json), facts)
    if missing:
        print(f"{len(missing)} of {len(expected)} runs are not in {arguments.store}:", file=sys.stderr)
        print("\n".join(missing[:SHOWN]), file=sys.stderr)
        if len(missing) > SHOWN:
            print(f"... and {len(missing) - SHOWN} more", file=sys.stderr)
    return int(len(missing) > arguments.allow * len(expected) + 1e-9)  # 0.29 * 100 is less than 29


def add_doctor(parser) -> None:
    parser.add_argument("spec", nargs="?", metavar="SPEC", help="a Merlin spec: what its study would start is started")
    parser.add_argument("--pgen", metavar="FILE", help="its parameter generator")
    parser.add_argument("--vars", nargs="+", action="extend", default=[], metavar="K=V", help="variables of the spec")


def doctor(arguments) -> int:
    from sim2seq.doctor import problems_of
    from sim2seq.workflow.checks import preflight

    for name, version in preflight.package_versions().items():
        print(f"{name} {version or 'missing'}")
    problems = preflight.environment_problems() + keras_settings.problems()
    problem = preflight.target_problem(os.getcwd(), 0)
    problems += [problem] if problem else []
    if arguments.spec and not problems:
        problems += problems_of(arguments.spec, arguments.pgen, arguments.vars)
    doubt = preflight.sqlite_doubt(os.getcwd())
    for line in [*problems, *filter(None, [doubt])]:
        print(f"sim2seq doctor: {line}", file=sys.stderr)
    if not problems:
        print("a study can run here")
    return 2 if problems else 0


COMMANDS = {  # name: (arguments, function, help)
    "new": (add_new, new, "write a small study of your own, that runs at once"),
    "run": (add_run, run, "run a study on this machine, or go on with one"),
    "wait": (add_wait, wait, "wait for a study that workers elsewhere do"),
    "create": (add_create, create, "make the Kosh store of a study"),
    "ingest": (add_ingest, ingest, "put finished runs into a store"),
    "import": (data.add_import, data.import_, "put runs in files of other programs into a store"),
    "export": (data.add_export, data.export, "write a store's runs as NetCDF, or a model's networks as ONNX"),
    "check": (add_check, check, "is every run of a study in the store?"),
    "train": (learn.add_train, learn.train, "train on a store's runs, and record the result there"),
    "grid": (learn.add_grid, learn.grid, "write the points of a sweep, for sweep.yaml"),
    "leaderboard": (learn.add_leaderboard, learn.leaderboard, "rank the trainings recorded in a store"),
    "card": (learn.add_card, learn.card, "print the numbers of a training as Markdown, for a study's card"),
    "predict": (learn.add_predict, learn.predict, "forecast from a saved training, with a band"),
    "doctor": (add_doctor, doctor, "look for what would break a study"),
}


def main(arguments: list[str] | None = None) -> int:
    """The exit code of `sim2seq ARGUMENTS`: 0 done, 1 not all, 2 bad input (one line each on stderr), 130 Ctrl-C."""
    command.say_in_any_encoding()
    if folder := os.environ.get("TMPDIR"):  # of here: whatever is started stands elsewhere
        os.environ["TMPDIR"] = os.path.abspath(folder)
    parser = command.Parser(prog="sim2seq", description="From an ensemble of simulations to a sequence model.")
    parser.add_argument("--version", action="version", version=f"sim2seq {_version()}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_arguments, function, text) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        add_arguments(subparser)
        subparser.set_defaults(function=function, name=name)
    chosen = parser.parsed(arguments)
    try:
        return chosen.function(chosen)
    except (ValueError, OSError, sqlite3.Error, MemoryError) as error:
        for line in str(error).splitlines():
            print(f"sim2seq {chosen.name}: {command.plain(line)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"sim2seq {chosen.name}: interrupted", file=sys.stderr)
        return 130


def _version() -> str:
    from importlib.metadata import version

    return version("sim2seq")


if __name__ == "__main__":
    sys.exit(main())
