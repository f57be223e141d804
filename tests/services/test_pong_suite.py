"""Pong's study through Merlin, in its debug size: parts of sets, stores, models, ranking, report."""

import csv

import numpy as np
import pytest
from cluster import ROOT, run_study

from sim2seq import ranking, sweep
from sim2seq.notebook import STORE
from studies.pong import dream
from studies.pong.study import STUDY

HERE = ROOT / "studies" / "pong"


@pytest.mark.timeout(900)
def test_the_study_goes_from_seeds_to_a_model_that_can_be_played(tmp_path):
    sets = ["--runs", 16, "--pargs", "OTHERS:8", "--pargs", "PART:10"]
    debug = ["MODELS=objects", "SKIPS=1", "OURS=size:debug", "CUBE_OURS=size:debug"]
    asked = ["--pgen", HERE / "pgen_ensembles.py", *sets, "--vars", *debug, "--output", "out", "--workers", 2]
    run_study(HERE / "suite.yaml", *asked, folder=tmp_path)
    (study,) = (tmp_path / "out").glob("pong_*")
    cubes = (study / STORE).with_name("cube_crash.sqlite")
    ensemble = STUDY.read(study / STORE)
    assert ensemble.runs == 16 + 3 * 8
    assert ensemble.values.dtype == "uint8"
    assert STUDY.read(cubes).runs == 16 + 2 * 8
    last = study / "rank-pong"
    board = list(csv.DictReader((last / "leaderboard.csv").open()))
    assert sorted(row["environment"] for row in board) == ["cube_crash", "pong", "pong"]
    assert sorted(row["recorded as"] for row in board) == sorted(np.load(study / "merlin_info" / "grid.npy")[:, 0])
    assert (last / "leaderboard.png").exists()
    assert (last / "report.html").read_text().count("<img ") > 4
    assert dream.load(last / "training").known == 3
    (swept,) = study.glob("train-pong/*/ours")  # ours was not trained again
    assert (last / "training" / "history.csv").read_text() == (swept / "history.csv").read_text()
    assert (last / "training" / sweep.SECONDS).read_text() == (swept / sweep.SECONDS).read_text()
    (swept,) = study.glob("train-pong/*/ours_cube_crash")
    assert dream.load(swept, environment="cube_crash").known == 1
    # a family of the source on the same store, as a task would train it, in this process, which has imported Keras
    family = ["model:frame_transformer", "size:debug"]
    sweep.train_and_record(study / STORE, family, tmp_path / "family", "family", study=STUDY)
    recorded = {(one.data["model"], one.data["inputs"]) for one in ranking.load(study / STORE, STUDY.name)}
    told = "launch_sin,launch_cos"
    assert recorded == {("objects", ""), ("objects", told), ("frame_transformer", "")}
    assert [one.name for one in ranking.load(cubes, STUDY.name)] == ["ours_cube_crash"]
