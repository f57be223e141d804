"""`sim2seq predict` of a model that goes on from a window: files of every kind, units, clocks, trust, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import counting_model
from surrogates import SCORES, WINDOW, predicted, save

from sim2seq import cli, surrogate
from sim2seq.data import records
from sim2seq.evaluation.scores import Scores
from sim2seq.predict import trust


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("window.npy", WINDOW)
    return tmp_path


def write_csv(lines, header="time,x,y,other", name="window.csv"):
    with open(name, "w") as file:
        file.write("\n".join([header, *lines]) + "\n")
    return name


def write_record(name="run.dsv", steps=6, **data):
    series = {"time": np.arange(steps) / 2, "y": np.arange(10.0, 10 + steps), "x": np.arange(0.0, steps)}
    records.write(name, [records.Run("a_1", data or {"gravity": 1.0}, series)])
    return name


def refused(capsys, place, *arguments) -> str:
    """The one line of a refusal; nothing is written, neither to stdout nor to a file."""
    before = {path.name for path in place.iterdir()}
    assert cli.main(["predict", *map(str, arguments), "--output", "out.csv", "--figure", "out.png"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert {path.name for path in place.iterdir()} == before
    return captured.err


@pytest.mark.parametrize("kind", ["dsv", "csv", "npy"])
def test_predict_reads_every_kind_of_file(counting, place, capsys, kind):
    """Columns in another order, and others beside them, change nothing; a record may go on after the window."""
    write_record("window.dsv")
    write_csv([f"{step / 2},{step},{10 + step},word" for step in range(5)])
    rows = predicted(capsys, counting, "--initial", f"window.{kind}", "--steps", "2")
    assert [list(row.values())[1:] for row in rows] == [
        ["1", "0.5", "5.0", "4.0", "6.0", "15.0", "14.0", "16.0"],
        ["2", "1.0", "6.0", "5.0", "7.0", "16.0", "15.0", "17.0"],
    ]
    assert list(rows[0]) == ["run", "step", "time", "x", "x_low", "x_high", "y", "y_low", "y_high"]
    assert {row["run"] for row in rows} == {"a_1" if kind == "dsv" else "1"}


def test_predict_takes_many_runs_from_an_array(counting, place, capsys):
    np.save("window.npy", np.stack([WINDOW, WINDOW + 1]))
    rows = predicted(capsys, counting, "--initial", "window.npy")
    assert [row["run"] for row in rows] == ["1"] * 8 + ["2"] * 8


def test_predict_takes_inputs_of_the_record_and_the_command_line(paced, place, capsys):
    write_record(pace=2.0, push=1.0, gravity=9.0)
    assert predicted(capsys, paced, "--initial", "run.dsv", "--steps", "1")[0]["x"] == "7.0"
    rows = predicted(capsys, paced, "--initial", "run.dsv", "--steps", "1", "--inputs", "push=3")
    assert rows[0]["x"] == "9.0"


def test_predict_says_on_stderr_how_far_to_trust_it(paced, place, capsys):
    for pace, last in (
        ("5", "what this begins with lies in the ranges of the training runs"),
        ("11", "pace 11 is outside the range of the training runs, 0 to 10: neither forecast nor band is vouched for"),
    ):
        assert cli.main(["predict", str(paced), "--initial", "window.npy", "--inputs", f"pace={pace}", "push=1"]) == 0
        captured = capsys.readouterr()
        lines = ("x in m, time in s", "skill 0.5 (95 %: 0.4 to 0.6) against hold, on 1 test run", last)
        assert captured.err.splitlines() == [f"sim2seq predict: {line}" for line in lines]
        assert captured.out.count("\n") == 9


def test_trust_is_that_of_the_report(counting):
    band = {"level": 0.9, "members": 2, "coverage": 0.9, "coverage_by_tenth": [], "coverage_by_feature": {}}
    band |= {"half_width": {}, "error": {}, "steps": 8, "trusted_steps": 4, "reason": "baseline"}
    scores = Scores.of(SCORES | {"band": band})
    lines = trust(replace(surrogate.load(counting), scores=scores))
    assert lines[2].startswith("Trust this forecast up to step 4 (2 s after the window), and no further: its error")


@pytest.mark.parametrize("skill", [0.0, -0.25, float("nan"), float("-inf")])
def test_what_no_better_than_a_baseline_is_refused_unless_anyway(place, capsys, skill):
    folder = save(place / "training", [counting_model()], SCORES | {"skill": skill, "skill_interval": [skill, skill]})
    assert "its best baseline, hold, does as well on test runs" in refused(
        capsys, place, folder, "--initial", "window.npy"
    )
    assert predicted(capsys, folder, "--initial", "window.npy", "--steps", "1", "--anyway")[0]["x"] == "5.0"


def test_units_of_a_file_are_those_of_the_model_or_refused(counting, place, capsys):
    lines = [f"{step / 2},np.float64({step}),{10 + step}" for step in range(5)]
    for header in ("time [s],x [m],y [1]", "time (s),x (m),y", "time[s],x[m],y (-)"):
        write_csv(lines, header)
        assert predicted(capsys, counting, "--initial", "window.csv", "--steps", "1")[0]["x"] == "5.0"
    for header in ("time,x [cm],y", "time,x (cm),y"):
        write_csv(lines, header)
        assert "window.csv: x: the model knows it in m; got cm" in refused(
            capsys, place, counting, "--initial", "window.csv"
        )
    write_csv(lines, "time,x [m],x (m)")
    assert "column names that differ; got time, x [m], x (m)" in refused(
        capsys, place, counting, "--initial", "window.csv"
    )
    records.write("run.dsv", [records.Run("a", {}, {"time": [0.0], "x": [1.0], "y": [1.0]}, units={"time": "min"})])
    assert "run.dsv: time: the model knows it in s; got min" in refused(capsys, place, counting, "--initial", "run.dsv")


@pytest.mark.parametrize("change", [{"skill": "high"}, {"skill_interval": [1]}, {"scored_runs": []}, {"skill": None}])
def test_scores_that_say_nothing_are_refused_in_one_line(place, capsys, change):
    folder = save(place / "training", [counting_model()], SCORES | change)
    assert "expected the scores of a training" in refused(capsys, place, folder, "--initial", "window.npy")


@pytest.mark.parametrize("kind", ["dsv", "csv"])
def test_a_file_of_another_clock_is_refused_or_resampled(counting, place, capsys, kind):
    """The model knows steps of 0.5 s; at 0.25 s a step, x at its steps is 0, 2, 4, ..."""
    series = {"time": np.arange(12) / 4, "x": np.arange(12.0), "y": np.arange(12.0)}
    records.write("run.dsv", [records.Run("a_1", {}, series)])
    write_csv([f"{step / 4},{step},{step},w" for step in range(12)], name="run.csv")
    words = "the model knows steps of 0.5 s; got 0.25 at step 1 after the first: add --resample"
    assert words in refused(capsys, place, counting, "--initial", f"run.{kind}")
    rows = predicted(capsys, counting, "--initial", f"run.{kind}", "--steps", "1", "--resample")
    assert (rows[0]["x"], rows[0]["y"]) == ("9.0", "9.0")


@pytest.mark.parametrize(("name", "words"), [("t [s]", "steps of 0.5 s; got 0.25"), ("t [min]", "in s; got min")])
def test_the_time_is_known_by_every_name_that_an_import_takes(counting, place, capsys, name, words):
    write_csv([f"{step / 4},{step},{step}" for step in range(12)], f"{name},x,y")
    assert words in refused(capsys, place, counting, "--initial", "window.csv")
    write_csv([f"2026-01-0{step + 1},{step},{step}" for step in range(5)], "date,x,y")
    assert "steps of 0.5 s; got 86400 at step 1" in refused(capsys, place, counting, "--initial", "window.csv")


def test_a_model_without_kerass_backend_says_what_trained_it(place, capsys, monkeypatch):
    folder = save(place / "training", [counting_model()], SCORES)
    (folder / "versions.json").write_text('{"Keras\' backend": "tensorflow"}')
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    words = "Keras' backend is 'torch' (KERAS_BACKEND): expected tensorflow or jax: set KERAS_BACKEND=tensorflow"
    assert f"{words} ({folder} was trained with tensorflow)" in refused(
        capsys, place, folder, "--initial", "window.npy"
    )


def test_predict_writes_table_and_figure(counting, place, capsys):
    arguments = ["predict", str(counting), "--initial", "window.npy", "--output", "out.csv", "--figure", "out.png"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == ""
    assert (place / "out.csv").read_text().count("\n") == 9
    assert (place / "out.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in place.iterdir()} == {"window.npy", "out.csv", "out.png"}


def broken_files():
    """A file each that must be refused: (what writes it, its name, words of the message)."""
    five = [f"{step / 2},{step},{step},w" for step in range(5)]

    def array(content, **options):
        return lambda: np.save("bad.npy", content, **options)

    return [
        (lambda: None, "nowhere.csv", "nowhere.csv"),
        (lambda: None, "window.txt", "expected a file that ends in one of .dsv, .csv, .npy"),
        (lambda: write_record("bad.dsv", steps=4), "bad.dsv", "run a_1: expected 5 steps or more; got 4"),
        (lambda: open("bad.dsv", "w").close(), "bad.dsv", "the file is empty"),
        (lambda: write_csv(five, "time,x,z,w", "bad.csv"), "bad.csv", "missing y, it has time, x, z, w"),
        (lambda: write_csv(five, "x,x,y,w", "bad.csv"), "bad.csv", "expected column names that differ"),
        (lambda: write_csv(five[:4], name="bad.csv"), "bad.csv", "got 4 steps with 2 features"),
        (lambda: write_csv([], name="bad.csv"), "bad.csv", "got 0 steps with 2 features"),
        (lambda: write_csv(["0,1,1,w"] * 5, name="bad.csv"), "bad.csv", "time: expected times that increase"),
        (lambda: write_csv([*five[:4], "0,1"], name="bad.csv"), "bad.csv", "step 5: expected 4 columns; got 2"),
        (lambda: write_csv([*five[:4], "2,a,1,w"], name="bad.csv"), "bad.csv", "step 5: expected numbers"),
        (lambda: write_csv([*five[:4], "2,inf,1,w"], name="bad.csv"), "bad.csv", "step 5 of the window, x: expected a"),
        (lambda: open("bad.csv", "w").close(), "bad.csv", "missing x, y, it has none"),
        (lambda: open("bad.npy", "w").close(), "bad.npy", "expected an array of numbers"),
        (array(WINDOW[0]), "bad.npy", "(runs, window, features); got shape (2,)"),
        (array(WINDOW[:3]), "bad.npy", "got 3 steps with 2 features"),
        (array(np.array([{}, None]), allow_pickle=True), "bad.npy", "expected an array of numbers"),
        (array(np.array([["a"]])), "bad.npy", "expected an array of numbers"),
    ]


@pytest.mark.parametrize(("write", "name", "words"), broken_files())
def test_predict_refuses_a_bad_file_in_one_line(counting, place, capsys, write, name, words):
    write()
    assert words in refused(capsys, place, counting, "--initial", name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "9"], "steps: expected 1 to 8, for which the band is calibrated; got 9"),
        (["--inputs", "gravity=1"], "the model expects none; got gravity"),
        (["--inputs", "gravity"], "--inputs gravity: expected NAME=VALUE, with a number"),
        (["--inputs", "gravity=high"], "expected NAME=VALUE, with a number"),
    ],
)
def test_predict_refuses_bad_options_in_one_line(counting, place, capsys, options, words):
    assert words in refused(capsys, place, counting, "--initial", "window.npy", *options)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("scores.json", None, "no finished training here"),
        ("band.json", None, "no band.json, this training was made by an older version; train again"),
        ("band.json", "{}", "expected scores, settings and band of a training"),
        ("settings.json", "{", "expected scores, settings and band of a training"),
        ("model.keras", "no model", "cannot read the models"),
        ("model_2.keras", None, "expected 2 models, one a member; got 1"),
    ],
)
def test_predict_refuses_a_folder_that_is_no_whole_training(place, capsys, file, content, words):
    folder = save(place / "training", [counting_model(), counting_model()], SCORES)
    (folder / file).unlink()
    if content:
        (folder / file).write_text(content)
    assert words in refused(capsys, place, folder, "--initial", "window.npy")


def test_predict_refuses_a_study_with_two_trainings(place, capsys, counting):
    for name in ("one", "two"):
        save(place / "study" / name, [counting_model()], SCORES)
    assert "holds several trainings, name one of" in refused(capsys, place, "study", "--initial", "window.npy")


@pytest.mark.parametrize(
    ("option", "path", "words"),
    [
        ("--figure", "out.txt", "expected a file name that ends in one of .png, .pdf, .svg"),
        ("--figure", "no/out.png", "no/out.png: its folder does not exist"),
        ("--output", "no/out.csv", "no/out.csv: its folder does not exist"),
    ],
)
def test_predict_refuses_a_place_that_cannot_be_written(counting, place, capsys, option, path, words):
    assert cli.main(["predict", str(counting), "--initial", "window.npy", option, path]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""
