"""The oracle's commands: from the first part of a run, how will it end, and is it worth finishing?

    python -m sim2seq.oracle collect STORE CURVES.csv ...         put curves of whole runs into a store
    python -m sim2seq.oracle train STORE|CURVES.csv [name:value ...] --output TRAINING
    python -m sim2seq.oracle evaluate TRAINING [CURVES.csv]       mean absolute errors by share of the run
    python -m sim2seq.oracle predict TRAINING SEQUENCE.json       a prediction, and: go on, stop, or not sure

CURVES.csv and SEQUENCE.json are the formats of data/curves.py. A CSV is split as the oracle's source splits its own:
15 % of the lines to test on, of the rest 15 % to choose by, at random by 42. A store is learned as its study says
(`--study FILE`), as `sim2seq train` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim2seq._support.command import Parser, plain
from sim2seq.cli_learn import add_words, find_study
from sim2seq.data import curves
from sim2seq.oracle.stopping import NOT_SURE, Answer, Decision, Goal, Oracle, Rule
from sim2seq.predict import named_number

TEST_SHARE, VALIDATION_SHARE, SEED = 0.15, 0.15, 42  # of the source
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # of a run, at which errors are told
# The source's score of a map, and the limit above which it stops; its later version had the sign of the first wrong.
WEIGHTS = {"mqe_final": 1.0, "topographic_error_final": 1.0, "dead_neuron_ratio_final": 0.5, "dead_ratio_final": 0.5}
LIMIT = 1.0


def add_collect(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="made if it is not there")
    parser.add_argument("files", nargs="+", metavar="CURVES.csv", help="curves of whole runs")


def collect(asked) -> int:
    from sim2seq.store.imports import put

    runs = [each for path in asked.files for each in records_of(path)]
    counts = put(asked.store, runs, replace=False)
    print(f"{asked.store}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0


def records_of(path):
    """The runs of a CSV file of curves as records, named by the file and the number of the line."""
    from sim2seq.data.records import Run, check_id

    ensemble, name = curves.read_curves(path), Path(path).stem
    for place, length in enumerate(ensemble.lengths):
        series = dict(zip(ensemble.features, ensemble.values[place, :length].T.tolist(), strict=True))
        results = {key: float(column[place]) for key, column in ensemble.results.items()}
        run_id = check_id(f"{name}_{place + 1}")
        yield Run(run_id, {"group_id": name, **results}, {"time": list(range(1, length + 1)), **series})


def add_train(parser) -> None:
    parser.add_argument("source", metavar="STORE|CURVES.csv", help="a Kosh store, or curves of whole runs")
    parser.add_argument("--study", metavar="FILE", help="study.py: models, settings; of a store, its task")
    parser.add_argument("--output", metavar="TRAINING", default="training", help="a training begun there goes on")
    add_words(parser, "settings", "name:value", "settings of the training")


def train(asked) -> int:
    study = find_study(asked.study)
    if not asked.source.lower().endswith(".csv"):
        from sim2seq import sweep

        if study is None:
            raise ValueError("--study: expected the study.py of the store's runs, which says what is learned of them")
        trained, _, _ = sweep.train_and_record(asked.source, asked.settings, asked.output, study=study)
    else:
        trained = train_on_curves(asked.source, asked.settings, asked.output, study)
    print(errors_table(trained.predictions["test"].middle, trained.predictions["test"].truth, trained.scores))
    return 0


def train_on_curves(path, words, folder, study=None):
    """Learn what comes of the runs in a CSV file of curves, from their beginnings; with the study's models, if any."""
    import sim2seq

    ensemble = curves.read_curves(path)
    study = study or sim2seq.Study("curves", settings=sim2seq.TargetSettings)
    task = study.task if isinstance(study.task, sim2seq.PerRun) else sim2seq.PerRun(())
    task = replace(task, outputs=tuple(ensemble.results), inputs=in_order(ensemble), at=SHARES, share="")
    study = replace(study, task=task, read=None, choose=None, split=None)
    settings = replace(study.settings.parse(words), inputs=())  # the file has none
    return sim2seq.fit(ensemble, settings, folder, study=study, split=source_split(ensemble))


def in_order(ensemble) -> tuple[str, ...]:
    """The curves, first those of the results in their order, by whatever name: networks add to their last values.

    Raises ValueError for a result without its curve, where the next one would take its place.
    """
    there, first = set(ensemble.features), []
    for name in (each.removesuffix("_final") for each in ensemble.results):
        found = [each for each in (name, *curves.others(name)) if each in there][:1]
        if not found:
            raise ValueError(f"expected a curve {name} beside its end; got {', '.join(ensemble.features)}")
        first += found
    return (*first, *(name for name in ensemble.features if name not in first))


def source_split(ensemble):
    """The runs as the source splits them: scikit-learn's train_test_split, twice. Raises ValueError for too few."""
    from sklearn.model_selection import train_test_split

    from sim2seq.data.splits import Part, Split

    if ensemble.runs < 10:
        raise ValueError(f"expected 10 runs or more to learn from, choose by and test on; got {ensemble.runs}")
    rest, test = train_test_split(np.arange(ensemble.runs), test_size=TEST_SHARE, random_state=SEED)
    training, validation = train_test_split(rest, test_size=VALIDATION_SHARE, random_state=SEED)
    names = (tuple(ensemble.run_ids[place] for place in sorted(part)) for part in (training, validation, test))
    return Split(*(Part(some, 0, ensemble.steps) for some in names))


def add_evaluate(parser) -> None:
    parser.add_argument("model", metavar="TRAINING", help="the folder of a finished training")
    parser.add_argument("curves", nargs="?", metavar="CURVES.csv", help="other runs; without it, the test runs")


def evaluate(asked) -> int:
    from sim2seq.training.folder import read_predictions

    oracle = Oracle.load(asked.model)
    scores = oracle.surrogate.scores
    if asked.curves is None:
        found = read_predictions(oracle.surrogate.folder / "predictions.npz")["test"]
        print(errors_table(found.middle, found.truth, scores))
        return 0
    ensemble = curves.read_curves(asked.curves)
    truth = ensemble.results_of_runs(oracle.outputs)
    values = np.asarray(ensemble.values)[..., ensemble.places(oracle.features)]
    after, window = oracle.along(values, ensemble.lengths)[0], oracle.surrogate.window
    steps = np.round(np.outer(ensemble.lengths, scores.positions)).astype(int).clip(window, ensemble.lengths[:, None])
    middle = np.take_along_axis(after, (steps - window)[..., None], axis=1)
    print(errors_table(middle, np.repeat(truth[:, None], steps.shape[1], axis=1), scores))
    return 0


def errors_table(middle, truth, scores) -> str:
    """Mean absolute errors of (runs, shares, outputs) as text: a line a share, a column an output, and their mean."""
    errors = np.abs(np.asarray(middle) - truth).mean(axis=0)
    lines = [["share of the run", *scores.features, "mean"]]
    for share, of_share in zip(scores.positions, errors, strict=True):
        lines.append([f"{100 * share:g} %", *(f"{each:.4f}" for each in of_share), f"{of_share.mean():.4f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([f"mean absolute error, {len(truth)} runs", *rows])


def add_predict(parser) -> None:
    parser.add_argument("model", metavar="TRAINING", help="the folder of a finished training")
    parser.add_argument("sequence", metavar="SEQUENCE.json", help="the run as far as it has come")
    told = "what is known before the run"
    parser.add_argument("--inputs", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=told)
    add_goal(parser)


def add_goal(parser) -> None:
    """What a run has to reach to be worth finishing."""
    best = "what it has to get below: the best so far; without it, of a map the source's limit, 1"
    parser.add_argument("--below", type=float, metavar="GOAL", help=best)
    weights = "the goal is their sum; without them, of a map the source's, of others all 1"
    parser.add_argument("--weights", nargs="+", action="extend", default=[], metavar="OUTPUT=WEIGHT", help=weights)
    parser.add_argument("--chance", type=float, default=Rule.chance, help="stop where the chance is less")


def predict(asked) -> int:
    oracle, seen = Oracle.load(asked.model), curves.read_sequence(asked.sequence)
    try:
        series = curves.as_series(seen, oracle.features)
    except ValueError as error:
        raise ValueError(f"{asked.sequence}: {error}") from None
    check_epochs(oracle, series, asked.sequence)
    say(oracle, series, numbers_of("--inputs", asked.inputs), asked)
    return 0


def check_epochs(oracle: Oracle, series: np.ndarray, where) -> None:
    """Raise ValueError for an epoch after the end of every training run: of such the oracle has learned nothing."""
    if curves.EPOCHS not in oracle.features:
        return
    last, most = (
        series[-1, oracle.features.index(curves.EPOCHS)],
        oracle.surrogate.scores.first_window[curves.EPOCHS][1],
    )
    if last > most:
        raise ValueError(f"{where}: {curves.EPOCHS}: expected up to {most:g}, as the training runs have; got {last:g}")


def numbers_of(option: str, words) -> dict[str, float]:
    """The words of an option, NAME=VALUE each."""
    return dict(named_number(word, option) for word in words)


def say(oracle: Oracle, series, inputs: Mapping[str, float], asked) -> None:
    """Print the prediction of a run (steps, features), and whether to go on; `asked` has the options of `add_goal`.

    Raises ValueError, in one line, before anything is printed, as `decided` does, and where the models give no number.
    """
    answer, later = oracle.ask(series, inputs), oracle.later(series, inputs)
    if not np.isfinite(answer.middle).all():
        raise ValueError(f"the models give no number for this run; {'; '.join(answer.doubts[:1])}")
    decision = decided(answer, numbers_of("--weights", asked.weights), asked.below, asked.chance)
    for point, said in later.items():
        print_answer(said, f" at {100 * point:g} %", ending="_final")
    print_answer(answer)
    print(f"{decision.word}: {plain(decision.reason)}")


def print_answer(answer: Answer, where: str = "", *, ending: str = "") -> None:
    """A line a target: its name, without this ending, where it will stand so, middle and interval, as can be."""
    for name, each in answer.shown().items():
        print("{}{} {:.4g} ({:.4g} to {:.4g})".format(name.removesuffix(ending), where, *each))


def decided(answer: Answer, weights: Mapping[str, float], below: float | None, chance: float) -> Decision:
    """Whether a run with this answer is worth finishing, against one number that it has to get below."""
    of_map = set(answer.outputs) <= set(WEIGHTS)
    goal = Goal(weights or {name: WEIGHTS[name] if of_map else 1.0 for name in answer.outputs})
    middle, half = goal.foretold(answer)
    if below is None and (weights or not of_map):
        said = f"{middle:.4g} ({middle - half:.4g} to {middle + half:.4g})"
        return Decision(NOT_SURE, f"{said}; --below says what it has to get below, such as the best so far")
    bar = LIMIT if below is None else below
    if not np.isfinite(bar):
        raise ValueError(f"--below {bar}: expected a finite number")
    return Rule(chance=chance).compare(np.array([middle]), np.array([half]), [[bar]], answer)


COMMANDS = {
    "collect": (add_collect, collect, "put curves of whole runs into a store"),
    "train": (add_train, train, "learn how runs end from how they begin"),
    "evaluate": (add_evaluate, evaluate, "mean absolute errors by share of the run"),
    "predict": (add_predict, predict, "how will this run end, and is it worth finishing?"),
}


def main(argv=None) -> int:
    """The exit code of `python -m sim2seq.oracle ARGUMENTS`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = Parser(prog="sim2seq.oracle", description="From the first part of a run, how it will end.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_arguments, function, text) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        add_arguments(subparser)
        subparser.set_defaults(function=function)
    asked = parser.parsed(argv)
    return asked.function(asked)
