"""The Ising lattice's study through Merlin, in its debug size: files, records, two models, scores and a report."""

import json

import pytest
from cluster import ROOT, run_study

from sim2seq import ranking
from sim2seq.notebook import STORE
from studies.ising.study import STUDY

HERE = ROOT / "studies" / "ising"
SMALL = {"TRAIN": 400, "TEST": 100, "SOURCE": 400, "EVERY": 0.3}
DEBUG = ["ENERGY=size:debug model:energy_2d", "PROBABILITY=size:debug beta:0.3 model:one_way", "PSEUDO=none"]
DEBUG += ["BEST=size:debug", "BEST_MODELS=places", "BEST_SEEDS=0 1"]


@pytest.mark.timeout(900)
def test_the_study_goes_from_temperatures_to_a_report(tmp_path):
    words = [word for name, value in SMALL.items() for word in ("--pargs", f"{name}:{value}")]
    asked = ["--pgen", HERE / "pgen_ensembles.py", *words, "--vars", *DEBUG, "--output", "out", "--workers", 2]
    run_study(HERE / "suite.yaml", *asked, folder=tmp_path)
    (study,) = (tmp_path / "out").glob("ising_*")
    assert STUDY.read(study / STORE).runs == 3 * SMALL["TRAIN"]
    recorded = {(one.data["model"], one.data["seed"]) for one in ranking.load(study / STORE, STUDY.name)}
    assert recorded == {("energy_2d", 0), ("places", 0), ("places", 1)}
    (probability,) = ranking.load(study / STORE, "ising_probability")
    assert probability.data["model"] == "one_way"
    last = study / "learn-ising"
    rows = json.loads((last / "scores.json").read_text())
    models = {"energy_2d", "places", "mean", "nearest", "ridge", "extra trees", "sum over the bonds (exact)"}
    assert {(row["model"], row["set"]) for row in rows} == {
        (name, each) for name in models for each in ("test", "source")
    }
    assert [row["raw"] for row in rows if row["model"].startswith("sum")] == [0.0, 0.0]
    assert (last / "report.html").read_text().count("<img ") == 5
    assert (last / "cooling.gif").read_bytes().startswith(b"GIF8")
    assert (last / "cooling.gif").stat().st_size < 1_000_000
