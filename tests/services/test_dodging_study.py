"""The dodging robot's study through Merlin, in its debug size: episodes, recordings, a sweep, play, a report."""

import json

import pytest
from cluster import ROOT, run_study

from sim2seq import load_training, ranking
from sim2seq.notebook import STORE
from sim2seq.store import store
from studies.dodging_robot.study import STUDY
from studies.dodging_robot.world import AIMS

pytestmark = pytest.mark.timeout(900)  # a whole study, maybe beside others

HERE = ROOT / "studies" / "dodging_robot"
EPISODES, RECORDINGS = 4, 9
DEBUG = ["WINDOW=3", "UNITS=4", "DATA=human expert", "SEEDS=0", "SWEEP=size:debug", "TRAINING=size:debug"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished study of four episodes and one point."""
    folder = tmp_path_factory.mktemp("dodging")
    asked = ["--pgen", HERE / "pgen_ensembles.py", "--runs", EPISODES, "--pargs", "DURATION:6", "--workers", 2]
    run_study(HERE / "suite.yaml", *asked, "--vars", *DEBUG, "--output", "out", folder=folder)
    (study,) = (folder / "out").glob("dodging-robot_*")
    return study


def test_episodes_and_recordings_end_in_one_store(finished):
    ensemble = STUDY.read(finished / STORE)
    steps = dict(zip(ensemble.run_ids, ensemble.lengths.tolist(), strict=True))
    assert ensemble.groups.count("expert") == EPISODES
    assert ensemble.groups.count("human") == RECORDINGS
    assert {steps[run] for run in steps if run.startswith("expert")} == {60}
    assert sum(steps[run] for run in steps if run.startswith("human")) == 11_971  # rows of the nine files
    held = store.connect(finished / STORE).stored(["expert_1", "human_005"])
    sources = [held[name]["data"]["source"]["value"] for name in ("expert_1", "human_005")]
    assert sources == ["simulation", "005_2ball_neato_1.5x5_vector_joystick_amy.npy"]


def test_every_point_is_in_the_store_with_play_and_losses(finished):
    results = ranking.load(finished / STORE, STUDY.name)
    assert sorted(result.data["data"] for result in results) == ["expert", "human"]
    for result in results:
        assert (result.data["window"], result.data["units"], result.data["episodes"]) == (3, "4", 2)
        assert len(result.losses["val_loss"]) == 2
        assert result.error == pytest.approx(sum(result.data[f"hits_{aim}"] for aim in AIMS) / 4)


def test_the_study_ends_with_report_animation_and_policies(finished):
    last = finished / "learn-dodging-robot"
    html = (last / "report.html").read_text()
    assert f"All {EPISODES} expected runs are in the store." in html
    assert html.count("<img ") >= 6
    assert (last / "dodging.gif").read_bytes().startswith(b"GIF8")
    trained = load_training(last / "policies" / "LSTM-expert", STUDY)
    assert trained.model.count_params() == 4 * 4 * (16 + 4 + 1) + 4 + 1
    summary = json.loads((finished / "sim2seq_run.json").read_text())
    assert {name: step["done"] for name, step in summary["steps"].items()} == {
        "create-initial-store": 1,
        "run-dodging-robot": EPISODES,
        "ingest-dodging-robot": EPISODES,
        "import-recordings": 1,
        "sweep-dodging-robot": 1,
        "learn-dodging-robot": 1,
    }
