"""Trainings recorded in the study's store: found by plain Kosh, no runs, ranked by error, with seeds as one point."""

import csv
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import dump, with_kosh

from sim2seq import cli, ranking, sweep
from sim2seq.ranking import OLD_ERROR, Point, Result
from sim2seq.report import leaderboard
from sim2seq.store import store
from sim2seq.store.sina import sina_training

DATA = {"window": 3, "units": "8,8", "learning_rate": 0.01, OLD_ERROR: 0.5, sweep.ONE_STEP: 0.1, "seconds": 9.5}
RUNS = 8  # of the fixture `eight_runs`
LOSSES = {"loss": [3.0, 2.0], "val_loss": [4.0, 2.5]}


def test_plain_kosh_finds_a_training_and_reads_its_curves(study_store):
    assert store.add_training(study_store, "point", DATA, LOSSES) == "added"
    before = Path(study_store).read_bytes()
    found = with_kosh(study_store)
    assert len(found) == RUNS + 1
    point = found["point"]
    assert (point.window, point.units, point.learning_rate, point.seconds) == (3, "8,8", 0.01, 9.5)
    assert (getattr(point, OLD_ERROR), getattr(point, sweep.ONE_STEP)) == (0.5, 0.1)
    assert [list(point[f"learning_curve/{name}"][:]) for name in ("epoch", "loss", "val_loss")] == [
        [1, 2],
        [3.0, 2.0],
        [4.0, 2.5],
    ]
    assert Path(study_store).read_bytes() == before  # reading writes nothing


def test_rows_of_a_training_are_those_that_sina_would_insert(study_store, tmp_path):
    import sina

    theirs = shutil.copy(study_store, tmp_path / "theirs.sqlite")
    store.add_training(study_store, "point", DATA, LOSSES)
    datastore = sina.connect(str(theirs))
    datastore.records.insert(sina.model.generate_record_from_json(sina_training("point", DATA, LOSSES)))
    datastore.close()
    assert dump(study_store) == dump(theirs)


def test_trainings_are_no_runs(study_store):
    before = store.load(study_store)
    store.add_training(study_store, "47bcda_9", DATA, LOSSES)
    after = store.load(study_store)
    assert after.run_ids == before.run_ids
    assert after.inputs.keys() == before.inputs.keys()
    np.testing.assert_array_equal(after.values, before.values)
    assert store.missing_runs(study_store, ["47bcda_8", "47bcda_9"]) == ["47bcda_9"]


def test_recording_again_keeps_the_newest(study_store):
    store.add_training(study_store, "point", DATA, LOSSES)
    before = Path(study_store).read_bytes()
    assert store.add_training(study_store, "point", DATA, LOSSES) == "unchanged"
    assert Path(study_store).read_bytes() == before
    newer = {"loss": [1.0], "val_loss": [1.5]}
    assert store.add_training(study_store, "point", DATA | {"window": 5}, newer) == "replaced"
    ((data, losses),) = store.load_trainings(study_store).values()
    assert (data["window"], losses) == (5, newer)
    assert list(with_kosh(study_store)["point"]["learning_curve/epoch"][:]) == [1]


def test_a_training_never_takes_the_place_of_a_run(study_store):
    before = dump(study_store)
    with pytest.raises(store.StoreError, match="47bcda_1 is not a training"):
        store.add_training(study_store, "47bcda_1", DATA, LOSSES)
    assert dump(study_store) == before


def test_20_trainings_are_recorded_at_once(study_store):
    code = "import sys; from sim2seq.store.store import add_training as add; "
    code += "add(*sys.argv[1:3], {'place': 1}, {'val_loss': [1.0]})"
    command = [sys.executable, "-c", code, study_store]
    names = [f"point_{number}" for number in range(20)]
    processes = [subprocess.Popen([*command, name]) for name in names]
    assert [process.wait() for process in processes] == [0] * 20
    assert set(store.load_trainings(study_store)) == set(names)


@pytest.fixture
def ranked(study_store):
    """Three trainings: the second is the best, the third diverged in its second epoch."""
    store.add_training(study_store, "a", DATA, LOSSES)
    store.add_training(study_store, "b", DATA | {"window": 5, OLD_ERROR: 0.25}, LOSSES)
    lost = {name: value for name, value in DATA.items() if name not in (OLD_ERROR, sweep.ONE_STEP)}
    losses = {"loss": [9.0, math.nan], "val_loss": [9.5, 1.0]}
    store.add_training(study_store, "c", lost | {"learning_rate": 1e30}, losses)
    return study_store


def test_trainings_measured_in_other_units_are_not_ranked(study_store, capsys):
    for name, measure in (("a", "RMSE"), ("b", "RMSE in standard deviations")):
        store.add_training(study_store, name, DATA | {"measure": measure}, LOSSES)
    assert cli.main(["leaderboard", str(study_store)]) == 2
    said = capsys.readouterr().err
    assert "measured alike, got RMSE (a) and RMSE in standard deviations (b): record them anew" in said


def test_leaderboard_puts_the_best_first_and_shows_what_differs(ranked, tmp_path, capsys):
    assert cli.main(["leaderboard", str(ranked), "--csv", str(tmp_path / "board.csv")]) == 0
    _, header, *lines, best, recommended = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(header) == "place window learning rate RMSE one step epochs seconds recorded as"
    assert [(line[0], line[3], line[-1]) for line in lines] == [
        ("1", "0.25", "b"),
        ("2", "0.5", "a"),
        ("3", "diverged", "c"),
    ]
    assert best == ["best:", "window:5", "learning_rate:0.01"]
    assert recommended[1:] == best[1:]
    with open(tmp_path / "board.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["error"] for row in rows] == ["0.25", "0.5", "inf"]
    assert "units" not in rows[0]


def test_a_leaderboard_shows_further_numbers_that_are_recorded(ranked, tmp_path, capsys):
    store.add_training(ranked, "d", DATA | {"copied_60": 8.123, "results": "copied_60,results"}, LOSSES)
    assert cli.main(["leaderboard", str(ranked), "--show", "copied", "--csv", str(tmp_path / "board.csv")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "copied 60" in " ".join(lines[1])
    assert [line.count("8.12") for line in lines[2:] if line[-1] in "abcd"].count(1) == 1
    rows = {row["names"]: row for row in csv.DictReader((tmp_path / "board.csv").open())}
    assert (rows["d"]["copied_60"], rows["b"]["copied_60"]) == ("8.123", "")
    assert cli.main(["leaderboard", str(ranked), "--show", "limits"]) == 2
    assert "--show limits: expected a recorded number, of " in capsys.readouterr().err


def test_curves_end_where_a_training_diverged(ranked):
    _, losses = store.load_trainings(ranked)["c"]
    assert losses == {"loss": [9.0], "val_loss": [9.5]}


@pytest.mark.parametrize("count", [1, 18, 40])
def test_the_figure_has_bars_for_the_best_and_lines_for_all(count):
    settings = {"window": [str(place) for place in range(count)]}
    errors = [*np.geomspace(0.01, 1, count - 1), math.inf] if count > 1 else [1.0]
    board, curves = leaderboard.leaderboard(settings, errors, [LOSSES] * count).axes
    others = sum(len(lines.get_segments()) for lines in curves.collections)
    assert (len(board.patches), min(count, 3) + others) == (min(count, 30), count)
    assert [label.get_text().strip() for label in board.get_yticklabels()[:2]] == ["window", "0"]
    assert {line.get_color() for line in curves.lines[-3:]} == {colour for colour, _ in leaderboard.PODIUM[:count]}


def test_a_leaderboard_that_lacks_a_point_fails_and_names_it(ranked, tmp_path, capsys):
    grid = tmp_path / "grid"
    grid.mkdir()
    assert sweep.write_grid(ranked, grid, ["window=3 5"]) == 2
    assert (grid / sweep.LINK).samefile(ranked)
    store.add_training(ranked, "window-3", DATA, LOSSES)
    assert cli.main(["leaderboard", str(ranked), "--expect", str(grid / sweep.GRID)]) == 1
    assert capsys.readouterr().err == f"sim2seq leaderboard: window-5 is not recorded in {ranked}\n"


def result(units, seed, error, parameters):
    data = {
        "units": units,
        "seed": seed,
        "hits": error,
        "parameters": parameters,
        "study": "robot",
        "ranked_by": "hits",
    }
    return Result(f"{units}_{seed}", data | {"results": "hits,parameters,study,ranked_by,results"}, LOSSES)


def test_seeds_are_one_point_with_mean_and_standard_error():
    results = [result(8, seed, error, 100) for seed, error in enumerate((1.0, 2.0, 3.0))]
    (point,) = ranking.points_of(results)
    assert (point.error, point.standard_error, point.settings) == (2.0, pytest.approx(1 / np.sqrt(3)), {"units": 8})
    assert point.name == "8_0 and 2 more"


def test_the_board_of_several_seeds_has_error_bars():
    board = ranking.figure(ranking.points_of([result(8, seed, error, 100) for seed, error in enumerate((1.0, 3.0))]))
    (segments,) = [lines.get_segments() for lines in board.axes[0].containers[1].lines[2]]
    np.testing.assert_allclose(segments[0][:, 0], [1.0, 3.0])


def test_the_smallest_within_one_standard_error_is_recommended():
    """The best point has 2.0 +- 0.58: 2.5 with 50 parameters is within it, 2.7 with 10 is not."""
    best = [result(8, seed, error, 100) for seed, error in enumerate((1.0, 2.0, 3.0))]
    points = ranking.points_of([*best, result(4, 0, 2.5, 50), result(2, 0, 2.7, 10)])
    assert [point.settings["units"] for point in points] == [8, 4, 2]
    assert ranking.recommend(points).settings == {"units": 4}
    assert isinstance(points[0], Point)


def test_trainings_of_two_studies_are_not_ranked_together(ranked):
    store.add_training(ranked, "d", {"study": "robot", "ranked_by": "hits", "hits": 1.0}, LOSSES)
    with pytest.raises(ValueError, match="name it with --of: forecast, robot"):
        ranking.load(ranked)
    assert [one.name for one in ranking.load(ranked, "robot")] == ["d"]


def test_a_point_whose_name_begins_anothers_is_counted_alone(tmp_path):
    names = ["energy", "energy_bi", "energy_bi_attention"]
    np.save(tmp_path / "grid.npy", np.array([[name, ""] for name in names]))
    recorded = [Result(f"{name}_seed-0", {}, {}) for name in names]
    assert ranking.missing_points(recorded, tmp_path / "grid.npy") == []
    assert ranking.missing_points(recorded[1:], tmp_path / "grid.npy") == ["energy"]
