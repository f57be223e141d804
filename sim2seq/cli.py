"""The `sim2seq` command.

sim2seq run SPEC --pgen FILE --runs N     a whole study on this machine
sim2seq run STUDY_FOLDER                  go on with an unfinished one
sim2seq wait STUDY_FOLDER [STEP ...]      until workers elsewhere have done it
sim2seq check STORE MERLIN_INFO           is every run of the study in the store?
sim2seq train STORE [name:value ...]      train on a store's runs
sim2seq leaderboard STORE                 rank the trainings recorded in a store
sim2seq predict MODEL --initial FILE      a forecast with its band
sim2seq doctor [SPEC]                     can a study run here?
"""

import os
import sqlite3
import sys
from pathlib import Path

from sim2seq._support import command

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
    from sim2seq.workflow import orchestrate

    options = vars(arguments)
    names = ("pgen", "runs", "workers", "pargs", "output")
    return orchestrate.run(options["target"], variables=options["vars"], **{name: options[name] for name in names})


def add_wait(parser) -> None:
    parser.add_argument("study", metavar="STUDY_FOLDER", help="a study that merlin run has queued")
    parser.add_argument("--workers", type=int, metavar="PGID", help="wait no longer than this process group lives")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two looks")
    add_words(parser, "steps", "STEP", "wait for these steps only")


def wait(arguments) -> int:
    from sim2seq.workflow import waiting

    return waiting.wait(arguments.study, arguments.steps, workers=arguments.workers, every=arguments.every)


def add_check(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    parser.add_argument("merlin_info", metavar="MERLIN_INFO", help="the study's merlin_info folder")
    parser.add_argument("--allow", type=float, default=0.0, metavar="SHARE", help="share of runs that may be missing")
    parser.add_argument("--json", metavar="FILE", help="write expected, stored, missing and allowed to this file")


def check(arguments) -> int:
    from sim2seq._support.files import write_json
    from sim2seq.store.store import missing_runs
    from sim2seq.workflow import preflight
    from sim2seq.workflow.plan import expected_runs

    if not 0 <= arguments.allow <= 1:
        raise ValueError(f"--allow {arguments.allow}: expected a share from 0 to 1")
    if doubt := preflight.sqlite_doubt(arguments.store):
        print(f"sim2seq check: {doubt}", file=sys.stderr)
    expected = expected_runs(arguments.merlin_info)
    missing = missing_runs(arguments.store, expected)
    facts = {"expected": len(expected), "stored": len(expected) - len(missing)}
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
    parser.add_argument("spec", nargs="?", metavar="SPEC", help="a Merlin spec to look at too")


def doctor(arguments) -> int:
    from sim2seq.workflow import preflight

    for name, version in preflight.package_versions().items():
        print(f"{name} {version or 'missing'}")
    problems = preflight.environment_problems()
    if arguments.spec:
        problems += preflight.spec_problems(preflight.read_spec(arguments.spec))
    problem = preflight.target_problem(os.getcwd(), 0)
    problems += [problem] if problem else []
    doubt = preflight.sqlite_doubt(os.getcwd())
    for line in [*problems, *filter(None, [doubt])]:
        print(f"sim2seq doctor: {line}", file=sys.stderr)
    if not problems:
        print("a study can run here")
    return 2 if problems else 0


def add_train(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    add_study(parser)
    parser.add_argument("--output", metavar="FOLDER", default="training", help="a training begun there goes on")
    parser.add_argument("--record", metavar="NAME", help="put the result into the store as the dataset NAME")
    parser.add_argument("--each", nargs="+", action="extend", default=[], metavar='name="v w"', help="train at each")
    parser.add_argument("--report", metavar="FILE", help="write the report there: an HTML page")
    parser.add_argument("--completeness", metavar="FILE", help="what sim2seq check --json wrote, for the report")
    add_words(parser, "settings", "name:value", "settings of the training, see sim2seq/training/settings.py")


def train(arguments) -> int:
    from sim2seq import sweep

    study = find_study(arguments.study)
    found = sweep.train_and_record(
        arguments.store, arguments.settings, arguments.output, arguments.record, study=study, each=arguments.each
    )
    trained, ensemble, data = found
    print(f"{trained.folder}: {data['ranked_by']}: {sweep.score(data)}")
    if arguments.report:
        from sim2seq._support.files import read_json
        from sim2seq.report.report import write_report

        counted = read_json(Path(arguments.completeness)) if arguments.completeness else None
        print(f"report: {write_report(arguments.report, ensemble, trained, counted).resolve()}")
    return 0


def add_study(parser) -> None:
    parser.add_argument("--study", metavar="FILE", help="study.py with its STUDY; without it, a forecast")


def find_study(path):
    """The study in a file, or None: reading it imports Keras."""
    if path is None:
        return None
    from sim2seq.study import load_study

    return load_study(path)


def add_grid(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a finished study; -: the study makes its own")
    parser.add_argument("folder", metavar="FOLDER", help="where to write the grid, and a link to the store")
    add_study(parser)
    parser.add_argument("--training", metavar="WORDS", default="", help="settings that all points share")
    add_words(parser, "axes", 'name="value ..."', "a setting and its values")


def grid(arguments) -> int:
    from sim2seq import sweep

    study = find_study(arguments.study)
    settings = study.settings if study else None
    path = None if arguments.store == "-" else arguments.store
    count = sweep.write_grid(path, arguments.folder, arguments.axes, arguments.training, settings=settings)
    print(f"{count} points")
    return 0


def add_leaderboard(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="a Kosh store with recorded trainings")
    parser.add_argument("--of", metavar="STUDY", help="the study, where the store has trainings of several")
    parser.add_argument("--by", metavar="SETTING", help="a board for each value of this setting")
    parser.add_argument("--figure", metavar="FILE", help="draw leaderboard and loss curves: .png, .pdf or .svg")
    parser.add_argument("--csv", metavar="FILE", help="write the leaderboard with every digit")
    parser.add_argument("--expect", metavar="GRID", help="fail if a point of this sweep is not recorded (grid.npy)")


def leaderboard(arguments) -> int:
    from rich.console import Console

    from sim2seq import ranking

    results = ranking.load(arguments.store, arguments.of)
    console = Console()
    if not console.is_terminal:  # a log or a file has no width
        console.width = 250
    for value, some in ranking.divided(results, arguments.by).items():
        points = ranking.points_of(some)
        if value:
            console.print(f"{arguments.by}:{value}", markup=False, highlight=False)
        console.print(ranking.table(points))
        if names := ranking.differing(points):
            console.print(f"best: {ranking.label(points[0], names)}", markup=False, highlight=False)
            chosen = ranking.label(ranking.recommend(points), names)
            console.print(f"recommended: {chosen}", markup=False, highlight=False)
    if arguments.csv:
        ranking.write_csv(arguments.csv, ranking.points_of(results))
    if arguments.figure:
        ranking.figure(ranking.points_of(results)).savefig(arguments.figure, dpi=150)
    missing = ranking.missing_points(results, arguments.expect) if arguments.expect else []
    for name in missing:
        print(f"sim2seq leaderboard: {name} is not recorded in {arguments.store}", file=sys.stderr)
    return int(bool(missing))


def add_predict(parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the folder of a finished training, or of its study")
    parser.add_argument("--initial", metavar="FILE", required=True, help="what to go on from: .dsv, .csv or .npy")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps to forecast; without it, all that the band is for"
    )
    parser.add_argument("--inputs", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="of the run")
    parser.add_argument("--output", metavar="FILE", help="write the table there, not to stdout: CSV")
    parser.add_argument("--figure", metavar="FILE", help="draw the first run: .png, .pdf or .svg")


def predict(arguments) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from sim2seq import predict as prediction

    options = {name: getattr(arguments, name) for name in ("steps", "output", "figure")}
    inputs = dict(map(prediction.named_number, arguments.inputs))
    text, doubts = prediction.predict(arguments.model, arguments.initial, inputs=inputs, **options)
    for doubt in doubts:
        print(f"sim2seq predict: {doubt}", file=sys.stderr)
    try:
        print("" if arguments.output else text, end="", flush=True)
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def add_words(parser, name: str, metavar: str, text: str) -> None:
    """Words that may stand anywhere on the command line: argparse alone loses those that come after an option."""
    parser.add_argument(name, nargs="*", default=[], metavar=metavar, help=text)
    parser.set_defaults(words=name)


COMMANDS = {  # name: (arguments, function, help)
    "run": (add_run, run, "run a study on this machine, or go on with one"),
    "wait": (add_wait, wait, "wait for a study that workers elsewhere do"),
    "check": (add_check, check, "is every run of a study in the store?"),
    "train": (add_train, train, "train on a store's runs, and record the result there"),
    "grid": (add_grid, grid, "write the points of a sweep, for sweep.yaml"),
    "leaderboard": (add_leaderboard, leaderboard, "rank the trainings recorded in a store"),
    "predict": (add_predict, predict, "forecast from a saved training, with a band"),
    "doctor": (add_doctor, doctor, "look for what would break a study"),
}


def main(arguments: list[str] | None = None) -> int:
    """The exit code of `sim2seq ARGUMENTS`: 0 done, 1 not all of it, 2 bad input (one line each on stderr)."""
    parser = command.Parser(prog="sim2seq", description="From an ensemble of simulations to a sequence model.")
    parser.add_argument("--version", action="version", version=f"sim2seq {_version()}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_arguments, function, text) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        add_arguments(subparser)
        subparser.set_defaults(function=function, name=name)
    chosen, more = parser.parse_known_args(arguments)
    if more and ("words" not in chosen or any(word.startswith("-") for word in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        getattr(chosen, chosen.words).extend(more)
    try:
        return chosen.function(chosen)
    except (ValueError, OSError, sqlite3.Error, MemoryError) as error:
        for line in str(error).splitlines():
            print(f"sim2seq {chosen.name}: {command.plain(line)}", file=sys.stderr)
        return 2


def _version() -> str:
    from importlib.metadata import version

    return version("sim2seq")


if __name__ == "__main__":
    sys.exit(main())
