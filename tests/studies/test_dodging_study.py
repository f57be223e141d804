"""The dodging robot's study through Merlin, in its debug size: episodes, recordings, a sweep, play, a report."""

import json

import pytest
from cluster import BIN, ROOT, run

from sim2seq.notebook import STORE
from sim2seq.store import store
from studies.dodging_robot import learning, sweep
from studies.dodging_robot.simulate import AIMS

STUDY = ROOT / "studies" / "dodging_robot"
EPISODES, RECORDINGS = 4, 9
DEBUG = [
    "TIMESTEPS=3",
    "NEURONS=4",
    "SWEEP=size:debug",
    "PLAY=--seeds 0 --episodes 2 --duration 6 --kinds human expert",
    "TRAINING=size:debug",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished study of four episodes and one point."""
    folder = tmp_path_factory.mktemp("dodging")
    asked = ["--pgen", STUDY / "pgen_ensembles.py", "--runs", EPISODES, "--pargs", "DURATION:6", "--workers", 2]
    run(BIN / "sim2seq", "run", STUDY / "suite.yaml", *asked, "--vars", *DEBUG, "--output", "out", folder=folder)
    (study,) = (folder / "out").glob("dodging-robot_*")
    return study


def test_episodes_and_recordings_end_in_one_store_with_their_sources(finished):
    runs = learning.load_runs(finished / STORE)
    groups = learning.groups_of(runs)
    assert {group: len(names) for group, names in groups.items()} == {"expert": EPISODES, "human": RECORDINGS}
    assert {rows.shape for name, rows in runs.items() if name.startswith("expert")} == {(60, 9)}
    assert sum(len(runs[name]) for name in groups["human"]) == 11_971  # rows of the nine files
    held = store.connect(finished / STORE).stored(["expert_1", "human_005"])
    sources = [held[name]["data"]["source"]["value"] for name in ("expert_1", "human_005")]
    assert sources == ["simulation", "005_2ball_neato_1.5x5_vector_joystick_amy.npy"]


def test_every_point_of_the_sweep_is_in_the_store_with_its_play_and_its_losses(finished):
    results = sweep.load(finished / STORE)
    assert [result.data["kind"] for result in results] == ["expert", "human"]
    assert {sweep.place_of(result) for result in results} == {(3, 4)}
    assert all(len(result.losses["val_loss"]) == 2 for result in results)
    assert all(
        result.data["hits"] == pytest.approx(sum(result.data[f"hits_{aim}"] for aim in AIMS) / 4) for result in results
    )


def test_the_study_ends_with_a_report_an_animation_and_trained_policies(finished):
    last = finished / "learn-dodging-robot"
    html = (last / "report.html").read_text()
    assert f"All {EPISODES} expected runs are in the store." in html
    assert html.count("<img ") >= 6
    assert (last / "dodging.gif").read_bytes().startswith(b"GIF8")
    assert learning.scores_of(last / "policies" / "LSTM__expert_")["parameters"] == 4 * 4 * (16 + 4 + 1) + 4 + 1
    summary = json.loads((finished / "sim2seq_run.json").read_text())
    assert {name: step["done"] for name, step in summary["steps"].items()} == {
        "create-initial-store": 1,
        "run-dodging-robot": EPISODES,
        "ingest-dodging-robot": EPISODES,
        "import-recordings": 1,
        "sweep-dodging-robot": 1,
        "learn-dodging-robot": 1,
    }
