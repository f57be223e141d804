#!/usr/bin/env python
"""Train a self-organising map on a table and write its run as one DSV record, or many runs as one array file.

    python studies/oracle/simulate.py MASS-Boston map_rows:12 grid:square seed:7 --output run.dsv
    python studies/oracle/simulate.py mine.csv --output run.dsv
    python studies/oracle/simulate.py --table table.npy --rows 0:50 --output runs.h5
    python studies/oracle/simulate.py --table table.npy --rows 0:50 --output runs.h5 --oracle training

A run is one training; its steps are checkpoints (`time` counts them), its features maps.SERIES. Settings are those of
settings.py. What is known before the run are its inputs, what came of it its results: see `inputs_of` and `results_of`.
With --oracle, the folder of a training, a run ends itself where the oracle foretells that it will not be among the best
of those before it on its table (ending.py); its results then are those of where it ended, beside what was foretold.
"""

import math
import sys
from collections import defaultdict

ENDED_BY = ("oracle", "below")  # inputs of runs that an oracle may have ended
SHARES = (25, 50, 75, 100)  # per cent of the run at which a schedule is written down: numbers that tell any shape


def inputs_of(table, settings, planned) -> dict:
    """What is known before a run begins, name -> number or word.

    The settings; facts of the table (preparation.facts) and its part; iterations and weight updates to come;
    radius_start; rate_25, radius_50, work_75 and so on: learning rate, radius and share of the updates done after that
    share of the iterations; 1 or 0 for hexagonal, stochastic and deterministic.
    """
    import numpy as np

    from studies.oracle.preparation import facts
    from studies.oracle.tables import part_of

    words = {"table": table.name, "part": part_of(table.name)}
    chosen = {name: int(value) if isinstance(value, bool) else value for name, value in vars(settings).items()}
    iterations, updates = len(planned.rates), np.cumsum(planned.updates)
    found = {**words, **facts(table), **chosen, "radius_start": settings.radius_start}
    found |= {"hexagonal": int(settings.grid != "square"), "iterations": iterations, "updates": int(updates[-1])}
    found |= {mode: int(settings.mode == mode) for mode in ("stochastic", "deterministic")}
    for share in SHARES:
        place = max(0, iterations * share // 100 - 1)
        found[f"rate_{share}"], found[f"radius_{share}"] = float(planned.rates[place]), float(planned.radii[place])
        found[f"work_{share}"] = float(updates[place] / updates[-1])
    return found


def results_of(training, lattice) -> dict:
    """What came of a run, name -> number: lower is better for the first three."""
    from studies.oracle.maps import SERIES
    from studies.oracle.metrics import rank_correlation

    last = dict(zip(SERIES, training.checkpoints[-1].tolist(), strict=True))
    found = {f"{name}_final": last[name] for name in ("mqe", "topographic_error", "dead_ratio", "progress")}
    found["rank_correlation_final"] = rank_correlation(training.weights.reshape(lattice.neurons, -1).T, lattice)
    found |= {"num_checkpoints": len(training.checkpoints), "num_updates": training.updates}
    return found | {"wall_time_final": training.seconds}


def warm_up() -> None:
    """Compile, or load from disk, what the first run would otherwise be timed with."""
    import numpy as np

    from studies.oracle.maps import train
    from studies.oracle.settings import DEBUG, Settings

    train(np.random.default_rng(0).random((20, 2)), Settings(**DEBUG))


def trained(table, settings, inputs: dict, judge=None):
    """Train one map: its Training and results; a judge (ending.Judge) may end it."""
    from studies.oracle.maps import grid_of, train

    watch = judge and judge.watch(inputs)
    training = train(table.values, settings, watch=watch)
    results = results_of(training, grid_of(settings))
    return training, results | (judge.results(inputs, results, watch) if judge else {})


def judge_of(asked):
    """Who ends the runs, as the command line says; None: nobody."""
    if asked.oracle is None:
        return None
    from studies.oracle import ending

    return ending.Judge(ending.load(asked.oracle), below=asked.below)


def make_run(table, settings, group: str, run: str, judge=None):
    """Train one map and return its run as a record. Raises ValueError on bad input."""
    from sim2seq.data.records import Run, check_id
    from studies.oracle.maps import SERIES, plan

    run_id, inputs = check_id(f"{group}_{run}"), inputs_of(table, settings, plan(settings, len(table.values)))
    check_group(group, table.name)
    warm_up()
    training, results = trained(table, settings, inputs, judge)
    data = {"group_id": group, **inputs, **results}
    times = list(range(1, len(training.checkpoints) + 1))
    return Run(run_id, data, {"time": times, **dict(zip(SERIES, training.checkpoints.T, strict=True))})


def check_group(group: str, table: str) -> None:
    """Raise ValueError for a group that is used for something else than the table: a study is split by groups.

    And for one that would be read back as no finite number.
    """
    from studies.oracle.tables import is_float, used_for

    if is_float(group) and not math.isfinite(float(group)):
        raise ValueError(f"group {group!r:.80}: expected a word or a finite number")
    if used_for(group) != (part := used_for(table)):
        raise ValueError(f"group {group!r:.80}: expected one of the part {part}, such as {table:.80}, as the table is")


def planned_runs(rows) -> list[tuple]:
    """Of each row of a parameter table (runs,): its table, settings and inputs; all checked before any is trained.

    Raises ValueError, naming the run, on bad input.
    """
    from sim2seq.data.tables import run_ids
    from studies.oracle import tables
    from studies.oracle.maps import plan

    found = []
    for run_id, row in zip(run_ids(rows), rows, strict=True):
        try:
            settings, table = settings_of(row), tables.load(str(row["TABLE"]))
            check_group(str(row["GROUP_ID"]), table.name)
            found.append((table, settings, inputs_of(table, settings, plan(settings, len(table.values)))))
        except ValueError as error:
            raise ValueError(f"run {run_id}: {error}") from error
    return found


def settings_of(row):
    """The Settings in a row of a parameter table: its columns but for TABLE and the ids. Raises ValueError."""
    from sim2seq.data.tables import RUN_ID_COLUMNS
    from studies.oracle.settings import Settings

    names = [name for name in row.dtype.names if name not in ("TABLE", *RUN_ID_COLUMNS)]
    if "TABLE" not in row.dtype.names:
        raise ValueError("--table: expected a column TABLE")
    values = {name.lower(): row[name].item() for name in names}
    return Settings(**{name: type(Settings.default(name))(value) for name, value in values.items()})


def make_runs(rows, planned, judge=None):
    """Train the runs of a parameter table: data, series and lengths for sim2seq.data.arrays.write.

    Series are (runs, MOST_CHECKPOINTS), padded with not a number, so that all files of a study have the same steps.
    """
    import numpy as np

    from studies.oracle.maps import SERIES
    from studies.oracle.settings import MOST_CHECKPOINTS

    warm_up()
    values, lengths = np.full((len(planned), MOST_CHECKPOINTS, len(SERIES)), np.nan), []
    data = defaultdict(list)
    for place, (table, settings, inputs) in enumerate(planned):
        training, results = trained(table, settings, inputs, judge)
        lengths.append(len(training.checkpoints))
        values[place, : lengths[-1]] = training.checkpoints
        for name, value in (inputs | results).items():
            data[name].append(value)
    series = {name: values[..., feature] for feature, name in enumerate(SERIES)}
    known = {name: column for name, column in data.items() if len(column) == len(planned)}  # foretold of all, or none
    return {"group_id": rows["GROUP_ID"].astype(str), **known}, series, lengths


def is_there(path, run_ids: list[str], planned) -> bool:
    """Whether `path` holds these runs with these inputs: a task that is delivered twice leaves them and their times."""
    from sim2seq.data import arrays
    from sim2seq.data.records import RecordError

    try:
        held = list(arrays.read(path))
    except (RecordError, OSError):
        return False
    wanted = zip(run_ids, planned, strict=True)
    return len(held) == len(planned) and all(
        run.id == run_id and all(run.data.get(name) == inputs.get(name) for name in {*inputs, *ENDED_BY})
        for run, (run_id, (_, _, inputs)) in zip(held, wanted, strict=True)
    )


def write_runs(path, table, rows, judge=None, oracle: str = "", below: float | None = None) -> None:
    """Train the runs in rows FIRST:END of the parameter table `table` and write them to the array file `path`.

    oracle, below   its name, and what a run has to get below, as inputs of the runs that a judge ends: runs without
                    them, or with others, are other runs
    """
    from sim2seq.data import arrays
    from sim2seq.data.tables import read_table, run_ids
    from studies.oracle.settings import MOST_CHECKPOINTS

    rows = read_table(table, rows)
    planned, ids = planned_runs(rows), run_ids(rows)
    if judge:
        ended_by = {"oracle": oracle} if below is None else {"oracle": oracle, "below": below}
        planned = [(table, settings, inputs | ended_by) for table, settings, inputs in planned]
    if not is_there(path, ids, planned):
        data, series, lengths = make_runs(rows, planned, judge)
        arrays.write(path, ids, data, series, range(1, MOST_CHECKPOINTS + 1), lengths=lengths)


def parse_arguments(argv=None):
    from sim2seq._support.command import Parser

    parser = Parser(description="Train a self-organising map and write its run, or many runs as one array file.")
    parser.add_argument("data", nargs="?", help="a name that tables.py lists, or a CSV file")
    parser.add_argument("settings", nargs="*", metavar="NAME:VALUE", help="see studies/oracle/settings.py")
    parser.add_argument("--output", "-o", required=True, help="file to write: DSV, or HDF5 with --table")
    parser.add_argument(
        "--group", "-G", help="group id, first half of the run's id, of the table's part; none: the table's name"
    )
    parser.add_argument("--run", "-R", default="1", help="run id, second half of the run's id")
    parser.add_argument("--table", metavar="FILE", help="many runs: parameter table of pgen_ensembles.py (.npy)")
    parser.add_argument("--rows", metavar="FIRST:END", default=":", help="rows of the table, the last one not included")
    parser.add_argument("--oracle", metavar="TRAINING", help="a training that ends runs not worth finishing")
    parser.add_argument("--below", type=float, metavar="GOAL", help="what a run has to get below; else the best so far")
    asked = parser.parse_args(argv)
    if asked.below is not None and asked.oracle is None:
        parser.error("--below needs --oracle")
    if asked.below is not None and not math.isfinite(asked.below):
        parser.error(f"--below {asked.below}: expected a number")
    if (asked.data is None) == (asked.table is None):
        parser.error("expected data to learn from, or --table, and not both")
    if asked.table is None and asked.rows != ":":
        parser.error("--rows needs --table")
    return asked


def main(argv=None):
    from sim2seq._support.files import check_place

    asked = parse_arguments(argv)
    check_place(asked.output)  # before maps are trained
    if asked.table is not None:
        return write_runs(asked.output, asked.table, asked.rows, judge_of(asked), asked.oracle or "", asked.below)
    from sim2seq.data import records
    from studies.oracle import tables
    from studies.oracle.settings import Settings

    settings, table = Settings.parse(asked.settings), tables.load(asked.data)
    records.write(asked.output, [make_run(table, settings, asked.group or table.name, asked.run, judge_of(asked))])


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
