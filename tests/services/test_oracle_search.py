"""A search through Merlin whose runs ask an oracle at their checkpoints and end themselves, in its debug size."""

import json

import numpy as np
import pytest
from cluster import ROOT, run_study

from sim2seq import load_store
from sim2seq.notebook import STORE
from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from sim2seq.training.fit import fit
from studies.oracle import ending, pgen_ensembles, simulate
from studies.oracle.study import STUDY, OracleSettings, read

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

HERE = ROOT / "studies" / "oracle"
TABLES = ("MASS-Boston", "boot-aids", "carData-Davis")  # to learn from, to choose by, to test on
RUNS, LEARNED, UPDATES = 40, 60, 2000
# told what every run has in the same range: of 60 runs, a new one would lie outside in one of 33 inputs, and be spared
SETTINGS = ["size:debug", "inputs:hexagonal,stochastic", "epochs:5"]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """The folder of a training that has learned from short runs, on the table of the search, too."""
    folder = tmp_path_factory.mktemp("oracle")
    words = {"NUM_STUDIES": LEARNED, "PARTS": "+".join(TABLES), "UPDATES": UPDATES}
    drawn = pgen_ensembles.parameter_table(**words)
    kinds = [(name, "U40" if isinstance(values[0], str) else type(values[0])) for name, values in drawn.items()]
    np.save(folder / "table.npy", np.array(list(zip(*drawn.values(), strict=True)), dtype=kinds))
    (folder / "runs").mkdir()
    simulate.main(["--table", str(folder / "table.npy"), "--output", str(folder / "runs" / "runs.h5")])
    store.create(folder / "store.sqlite")
    ingest_folder(folder / "runs", folder / "store.sqlite")
    runs = read(folder / "store.sqlite")
    return fit(runs, OracleSettings.parse(SETTINGS), folder / "training", study=STUDY, quiet=True).folder


def test_the_store_says_which_runs_were_ended_where_and_why(oracle, tmp_path):
    asked = [f"RUNS={RUNS}", f"RUNS_PER_TASK={RUNS // 2}", f"ENSEMBLE=PARTS:{TABLES[0]} UPDATES:{UPDATES} SEED:3"]
    words = ["--vars", *asked, f"ORACLE={oracle}", "--output", "out", "--workers", 2]
    said = run_study(HERE / "search.yaml", *words, folder=tmp_path)  # which ends with exit code 0
    (study,) = (tmp_path / "out").glob("oracle-search_*")
    counted = json.loads((study / "check-oracle" / "completeness.json").read_text())
    assert (counted["expected"], counted["stored"], counted["missing"]) == (RUNS, RUNS, [])
    assert "failed" not in said.replace("0 failed", "")
    held = load_store(study / STORE)
    results, ended = held.results, held.results["ended_final"] == 1
    assert 5 < ended.sum() < RUNS - 5
    assert (~ended).sum() >= 2 * 5  # in each task five are whole before any is ended
    progress = results["progress_final"]
    np.testing.assert_array_equal(progress == 1, ~ended)
    along = held.values[..., held.features.index("progress")]
    for run in np.flatnonzero(ended):  # at the first checkpoint after a share
        before = along[run, held.lengths[run] - 2] if held.lengths[run] > 1 else 0.0
        assert any(before < share <= progress[run] for share in ending.AT)
    np.testing.assert_array_equal(held.lengths, results["num_checkpoints"])
    for name in ending.TARGETS:
        low, middle, high = (results[f"foretold{part}_{name}"] for part in ("_low", "", "_high"))
        assert (low <= middle).all()
        assert (middle <= high).all()
    # whoever learns from this store learns from the whole runs
    whole = read(study / STORE)
    assert whole.run_ids == tuple(run for run, is_ended in zip(held.run_ids, ended, strict=True) if not is_ended)
