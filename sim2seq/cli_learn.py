"""Commands that learn: train, grid, leaderboard, predict; for sim2seq/cli.py."""

import os
import sys
from pathlib import Path

from sim2seq._support import keras_settings
from sim2seq._support.command import plain


def add_train(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    add_study(parser)
    parser.add_argument("--output", metavar="FOLDER", default="training", help="a training begun there goes on")
    parser.add_argument("--replace", action="store_true", help="remove a training with other settings or data there")
    parser.add_argument("--record", metavar="NAME", help="put the result into the store as the dataset NAME")
    parser.add_argument("--each", nargs="+", action="extend", default=[], metavar='name="v w"', help="train at each")
    parser.add_argument("--report", metavar="FILE", help="write the report there: an HTML page")
    parser.add_argument(
        "--budget", metavar="TIME", help="for all candidates of a combination: 90s, 3m (the default), 1h"
    )
    parser.add_argument("--resample", type=float, metavar="STEP", help="interpolate every run to this time step")
    parser.add_argument("--completeness", metavar="FILE", help="what sim2seq check --json wrote, for the report")
    add_words(parser, "settings", "name:value", "settings of the training, see sim2seq/training/settings.py")


def train(arguments) -> int:
    from sim2seq import sweep
    from sim2seq._support.files import check_place

    keras_settings.check()
    if arguments.report:
        check_place(arguments.report)  # before an hour of training
    counted = read_completeness(arguments.completeness, arguments.report)
    options = {"study": find_study(arguments.study), "each": arguments.each}
    options |= {"resample": arguments.resample, "replace": arguments.replace}
    words = arguments.settings + ([f"budget:{arguments.budget}"] if arguments.budget else [])
    found = sweep.train_and_record(arguments.store, words, arguments.output, arguments.record, **options)
    trained, ensemble, data = found
    print(f"{trained.folder}: {data['ranked_by']}: {sweep.score(data)}")
    if arguments.report:
        from sim2seq.report.report import write_report

        print(f"report: {write_report(arguments.report, ensemble, trained, counted).resolve()}")
    elif not arguments.record:
        from sim2seq.report.figures import draw_all, save_figures

        save_figures(trained, draw_all(trained, ensemble))
    return 0


def read_completeness(path: str | None, report: str | None) -> dict | None:
    """What `sim2seq check --json` wrote, for the report. Raises ValueError for another file, or without a report."""
    from sim2seq._support.files import read_json

    if path is None:
        return None
    if report is None:
        raise ValueError(f"--completeness {path}: it stands in the report: give --report FILE, too")
    found = read_json(Path(path))
    kinds: dict = {"expected": int, "stored": int, "missing": list, "allowed": (int, float)}
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        raise ValueError(f"{path}: expected {', '.join(kinds)}, as sim2seq check --json writes; got {found!r:.60}")
    return found


def add_card(parser) -> None:
    parser.add_argument("training", metavar="TRAINING", help="the folder of a finished training, or of its study")
    add_study(parser)


def card(arguments) -> int:
    keras_settings.check()
    from sim2seq.report.tables import card_numbers
    from sim2seq.study import load_study
    from sim2seq.surrogate import find
    from sim2seq.training.folder import load

    print(card_numbers(load(find(Path(arguments.training)), load_study(arguments.study))))
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

    keras_settings.check()
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
    show = "recorded numbers to show beside, by their names or how these begin"
    parser.add_argument("--show", nargs="+", action="extend", default=[], metavar="NAME", help=show)
    parser.add_argument("--expect", metavar="GRID", help="fail if a point of this sweep is not recorded (grid.npy)")


def leaderboard(arguments) -> int:
    from rich.console import Console

    from sim2seq import ranking

    results = ranking.load(arguments.store, arguments.of)
    beside = ranking.also(ranking.points_of(results), arguments.show)
    console = Console()
    if not console.is_terminal:  # a log or a file has no width
        console.width = 250
    for value, some in ranking.divided(results, arguments.by).items():
        points = ranking.points_of(some)
        if value:
            console.print(f"{arguments.by}:{value}", markup=False, highlight=False)
        console.print(ranking.table(points, beside))
        if names := ranking.differing(points):
            console.print(f"best: {ranking.label(points[0], names)}", markup=False, highlight=False)
            chosen = ranking.label(ranking.recommend(points), names)
            console.print(f"recommended: {chosen}", markup=False, highlight=False)
    if arguments.csv:
        ranking.write_csv(arguments.csv, ranking.points_of(results), beside)
    if arguments.figure:
        ranking.figure(ranking.points_of(results)).savefig(arguments.figure, dpi=150)
    missing = ranking.missing_points(results, arguments.expect) if arguments.expect else []
    for name in missing:
        print(f"sim2seq leaderboard: {name} is not recorded in {arguments.store}", file=sys.stderr)
    return int(bool(missing))


def add_predict(parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the folder of a finished training, or of its study")
    parser.add_argument("--initial", metavar="FILE", help="what to go on from: .dsv, .csv or .npy; not with window:0")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps to forecast; without it, all that the band is for"
    )
    told = (
        "inputs of the run, or a file of them, .json, .yaml or .toml; or one table of them, .csv: a line a run, by its "
        "column run (or case, ...) or in order"
    )
    parser.add_argument("--inputs", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=told)
    parser.add_argument("--output", metavar="FILE", help="write the table there, not to stdout: CSV")
    parser.add_argument("--figure", metavar="FILE", help="draw the first run: .png, .pdf or .svg")
    parser.add_argument("--resample", action="store_true", help="interpolate the file to the model's time step")
    parser.add_argument("--anyway", action="store_true", help="forecast although a baseline does as well")


def predict(arguments) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from sim2seq import predict as prediction

    options = {name: getattr(arguments, name) for name in ("steps", "output", "figure", "anyway", "resample")}
    text, lines = prediction.predict(arguments.model, arguments.initial, inputs=arguments.inputs, **options)
    for line in lines:
        print(f"sim2seq predict: {plain(line)}", file=sys.stderr)
    try:
        print("" if arguments.output else text, end="", flush=True)
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def add_words(parser, name: str, metavar: str, text: str) -> None:
    """Words that may stand anywhere on the command line: argparse alone loses those that come after an option."""
    parser.add_argument(name, nargs="*", default=[], metavar=metavar, help=text)
    parser.set_defaults(words=name)
