"""The oracle's runs: one record or a batch in one file, known inputs, results, and an ensemble drawn in one sample."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sim2seq._support import command
from sim2seq.data import arrays, records
from sim2seq.data.tables import read_table, write_table
from studies.oracle import pgen_ensembles, simulate, tables
from studies.oracle.maps import SERIES, grid_of, plan, train
from studies.oracle.metrics import rank_correlation
from studies.oracle.settings import MOST_CHECKPOINTS, Settings

STUDY = Path(__file__).parents[3] / "studies" / "oracle"
RESULTS = {"mqe_final", "topographic_error_final", "dead_ratio_final", "wall_time_final", "rank_correlation_final"}
RESULTS |= {"progress_final", "num_checkpoints", "num_updates"}


@pytest.fixture(scope="module")
def small_table():
    """Eight short runs, on the first eight tables."""
    drawn = pgen_ensembles.parameter_table(NUM_STUDIES="8", UPDATES="2000")
    few = [name for name in tables.names() if tables.entries()[name].rows < 600][:4]
    names = [name for name in few for _ in range(2)]
    return drawn | {"TABLE": names, "GROUP_ID": names, "EPOCH_MULTIPLIER": [0.5] * 8}


@pytest.fixture(scope="module")
def batch(small_table, tmp_path_factory):
    """The folder of a parameter table with the file of rows 2 to 6."""
    folder = tmp_path_factory.mktemp("batch")
    write_table(folder, small_table, 4)
    simulate.main(["--table", str(folder / "table.npy"), "--rows", "2:6", "--output", str(folder / "runs.h5")])
    return folder


def test_a_run_is_written_as_a_record_of_seven_series(tmp_path):
    path = tmp_path / "run.dsv"
    words = ["datasets-attenu", "map_rows:8", "grid=square", "checkpoints:25", "seed:7", "-R", "3", "-o", path]
    subprocess.run([sys.executable, STUDY / "simulate.py", *words], check=True, cwd=tmp_path)
    (run,) = records.read(path)
    assert run.id == "datasets-attenu_3"
    assert list(run.series) == ["time", *SERIES]
    given = Settings(map_rows=8, grid="square", checkpoints=25, seed=7)
    ended = train(tables.load("datasets-attenu").values, given)
    for name, values in zip(SERIES, ended.checkpoints.T, strict=True):
        assert run.series[name] == values.tolist()
    assert run.series["time"] == list(range(1, 26))
    results = {name for name in run.data if name.endswith("_final") or name.startswith("num_")}
    assert results == RESULTS
    assert run.data["mqe_final"] == run.series["mqe"][-1]
    assert run.data["rank_correlation_final"] == rank_correlation(ended.weights.reshape(80, 4).T, grid_of(given))
    assert run.data["wall_time_final"] > 0


def test_inputs_say_what_is_known_before_a_run_begins():
    table, given = tables.load("datasets-airquality"), Settings(reshuffle=True, radius_ratio=0.3, map_columns=12)
    planned = plan(given, len(table.values))
    known = simulate.inputs_of(table, given, planned)
    assert {name: known[name] for name in ("table", "part", "table_rows", "table_columns")} == {
        "table": "datasets-airquality",
        "part": tables.part_of("datasets-airquality"),
        "table_rows": 153,
        "table_columns": 6,
    }
    assert (known["hexagonal"], known["stochastic"], known["reshuffle"], known["grid"]) == (1, 0, 1, "hexagonal")
    assert known["radius_start"] == pytest.approx(3.6)
    assert (known["iterations"], known["updates"]) == (153, planned.updates.sum())
    assert known["rate_50"] == planned.rates[75]  # of 153 iterations, 76 are done
    assert known["work_75"] == pytest.approx(planned.updates[:114].sum() / planned.updates.sum())
    assert not any(name.endswith("_final") or name.startswith("num_") for name in known)


def test_a_batch_holds_the_runs_of_its_rows_as_single_runs_are(batch, small_table):
    held = list(arrays.read(batch / "runs.h5"))
    assert [run.id for run in held] == [f"{small_table['TABLE'][row]}_{row + 1}" for row in range(2, 6)]
    block = arrays.series_of(batch / "runs.h5", [run.id for run in held], [0, 1, 2, 3], [run.place[2] for run in held])
    assert block.times.tolist() == list(range(1, MOST_CHECKPOINTS + 1))
    rows = read_table(batch / "table.npy", "2:6")
    for run, row, values, length in zip(held, rows, block.values(list(range(7))), block.lengths, strict=True):
        ended = train(tables.load(run.data["table"]).values, simulate.settings_of(row))
        assert length == len(ended.checkpoints) == run.data["num_checkpoints"]
        assert (values[:length] == ended.checkpoints).all()
        assert np.isnan(values[length:]).all()
        assert set(run.data) > RESULTS
        assert run.data["group_id"] == run.data["table"]


def test_a_task_that_is_delivered_twice_leaves_its_file(batch, small_table):
    path = batch / "runs.h5"
    words = ["--table", str(batch / "table.npy"), "--output", str(path)]
    before = path.read_bytes()
    simulate.main([*words, "--rows", "2:6"])
    assert path.read_bytes() == before
    other = batch / "other.h5"
    other.write_bytes(before)
    simulate.main([*words[:-1], str(other), "--rows", "0:2"])
    assert len(list(arrays.read(other))) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing"], "table 'nothing': expected a CSV file, or a name"),
        (["sklearn-iris", "map_rows:0"], "map_rows 0: expected 1 to 2500"),
        (["sklearn-iris", "speed:9"], "unknown setting 'speed'"),
        (["sklearn-iris", "growth:fast"], "growth: expected float"),
        (["sklearn-iris", "epoch_multiplier:0.1"], "15 iterations, expected 20 or more"),
        (["sklearn-iris", "sections:200"], "sections 200: expected up to the 150 rows"),
        (["sklearn-iris", "--group", "../x"], "run id '../x_1'"),
        (["COUNT-mdvis", "--group", "mine"], "group 'mine': expected one of the part test, such as COUNT-mdvis"),
        (["--table", "other.npy"], "run COUNT-mdvis_1: group 'COUNT-mdvis': expected one of the part train"),
        (["one.csv"], "table one: expected 2 columns that vary, got 1 (b is constant)"),
        (["gaps.csv"], "expected 2 columns that vary, got 0 (a has no value; b has no value)"),
        (["missing.csv"], "No such file"),
        (["--table", "missing.npy"], "missing.npy"),
        (["--table", "bad.npy"], "run sklearn-iris_1: grid 'round': expected one of square"),
        (["--table", "bad.npy", "--rows", "1:2"], "run sklearn-iris_2: epoch_multiplier 0.001 on 150 rows"),
        (["--table", "strange.npy"], "unknown setting 'wind'"),
        (["--table", "tableless.npy"], "expected a column TABLE"),
    ],
)
def test_bad_input_ends_in_one_line_with_exit_code_2_and_no_file(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("a,b\n" + "".join(f"{row**2},1\n" for row in range(30)))
    Path("gaps.csv").write_text("a,b\n" + ",\n" * 30)
    ids = {"GROUP_ID": ["sklearn-iris"] * 2, "RUN_ID": [1, 2]}
    two = {"TABLE": ["sklearn-iris"] * 2, "GRID": ["round", "square"], "EPOCH_MULTIPLIER": [1.0, 0.001], **ids}
    for name, columns in (
        ("bad", two),
        ("strange", {"TABLE": two["TABLE"], "WIND": [1, 2], **ids}),
        ("tableless", {"GRID": ["square"] * 2, **ids}),
        ("other", {"TABLE": two["TABLE"], "GROUP_ID": ["COUNT-mdvis"] * 2, "RUN_ID": [1, 2]}),
    ):
        write_table(tmp_path, columns, 10)
        Path("table.npy").rename(f"{name}.npy")
    assert command.run(lambda: simulate.main([*words, "--output", "run.out"])) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.splitlines()) == 1
    assert not Path("run.out").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], "expected data to learn from"), (["iris", "--rows", "0:1"], "--rows needs --table")],
)
def test_a_command_that_asks_for_nothing_is_refused(words, expected, capsys):
    with pytest.raises(SystemExit) as ended:
        simulate.main([*words, "--output", "run.out"])
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.fixture(scope="module")
def table():
    return pgen_ensembles.parameter_table(NUM_STUDIES="930")


def test_every_table_and_every_choice_is_drawn_equally_often(table):
    counts = Counter(table["TABLE"])
    assert set(counts) == set(tables.names())
    assert max(counts.values()) - min(counts.values()) <= 2
    assert table["TABLE"] == sorted(table["TABLE"])
    for name, known in pgen_ensembles.choices().items():
        found = Counter(table[name])
        assert set(found) == set(known)
        assert max(found.values()) - min(found.values()) <= 3
    assert set(table["MAP_ROWS"]) == set(range(8, 16))
    assert len(set(table["SEED"])) == 930


def test_the_sample_is_joint_and_fills_the_sources_ranges(table):
    for name, (low, high) in pgen_ensembles.RANGES.items():
        values = np.array(table[name])
        if name == "EPOCH_MULTIPLIER":
            assert values.max() <= high
            continue
        assert low <= values.min() < low * 1.05
        assert high * 0.95 < values.max() <= high
    names = [name for name in pgen_ensembles.RANGES if name != "EPOCH_MULTIPLIER"]
    ranks = np.argsort(np.argsort([table[name] for name in names], axis=1), axis=1)
    apart = np.corrcoef(ranks)[~np.eye(len(names), dtype=bool)]
    assert np.abs(apart).max() < 0.15  # a draw for each name, with one seed, would make them all equal


def test_no_run_of_the_ensemble_takes_more_updates_than_allowed(table):
    updates = []
    for run in pgen_ensembles.rows_of(table)[::10]:
        names = [name for name in run if name not in ("TABLE", "GROUP_ID", "RUN_ID")]
        given = Settings(**{name.lower(): run[name] for name in names})
        planned = plan(given, rows := tables.entries()[run["TABLE"]].rows)
        assert 20 <= len(planned.checkpoints) <= 200
        assert len(planned.rates) <= 15 * rows
        if len(planned.rates) > 20:  # the least that a run can be
            updates.append(planned.updates.sum())
    assert len(updates) > 70
    assert max(updates) < 105_000
    assert np.median(updates) > 10_000


def test_parts_of_the_tables_can_be_drawn_alone():
    assert set(pgen_ensembles.parameter_table(NUM_STUDIES="60", PARTS="test")["TABLE"]) == set(tables.names("test"))


def test_equal_seeds_draw_equal_tables_and_others_do_not():
    one, same, other = (pgen_ensembles.parameter_table(NUM_STUDIES="12", SEED=seed) for seed in ("3", "3", "4"))
    assert one == same
    assert not set(one["SEED"]) & set(other["SEED"])


@pytest.mark.parametrize(
    "given", [{"PARTS": "all"}, {"NUM_STUDIES": "0"}, {"UPDATES": "10"}, {"SEED": "-1"}, {"TABLES": "3"}]
)
def test_a_parameter_table_that_cannot_be_is_refused(given):
    with pytest.raises(ValueError, match="expected"):
        pgen_ensembles.parameter_table(**given)
