"""The dodging robot's learning: windows and their commands, networks within limits, play, and a sweep that ranks."""

import json
import math
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from sim2seq.data.records import Run
from sim2seq.store import store
from sim2seq.sweep import Result
from studies.dodging_robot import learning, pgen_ensembles, scores, sweep
from studies.dodging_robot.learning import Batches, Settings, choice_of, cut, groups_of, split_runs
from studies.dodging_robot.network import NETWORKS, deciding, known_physics
from studies.dodging_robot.policies import POLICIES, middle_of_track, plan
from studies.dodging_robot.simulate import AIMS, LAYOUT, SERIES, simulate

STUDY = Path(__file__).parents[2] / "studies" / "dodging_robot"
DEBUG = Settings.parse(["size=debug"])


def counting(steps: int) -> np.ndarray:
    """A run in which every number is its row."""
    return np.repeat(np.arange(steps, dtype="float32")[:, None], len(LAYOUT), axis=1)


def episodes(count: int, *, duration=12.0, first=1_000_000) -> np.ndarray:
    aims = [AIMS[run % len(AIMS)] for run in range(count)]
    return simulate(POLICIES["expert"](count), range(first, first + count), aims, duration=duration).rows


@pytest.fixture(scope="module")
def runs() -> dict[str, np.ndarray]:
    """Eight expert episodes and five shorter ones that pass as people's."""
    rows = episodes(13).astype("float32")[:, :, : len(LAYOUT)]
    people = {f"human_{number:03}": rows[8 + number, : 80 + number] for number in range(5)}
    return {f"expert_{number}": rows[number] for number in range(8)} | people


@pytest.fixture(scope="module")
def path(runs, tmp_path_factory) -> Path:
    """A store of these runs, as episodes and recordings bring them."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    store.create(path)

    def run(name, rows):
        columns = np.concatenate([rows, np.ones((len(rows), 2)), np.zeros((len(rows), 1))], axis=1).astype(float)
        times = [step / 10 for step in range(len(rows))]
        return Run(name, {"group_id": name.split("_")[0]}, {"time": times, **dict(zip(SERIES, columns.T, strict=True))})

    made = [run(*item) for item in runs.items()]
    lists = [one._replace(series={name: list(map(float, s)) for name, s in one.series.items()}) for one in made]
    store.ingest(path, lists)
    return path


@pytest.fixture(scope="module")
def trained(runs, tmp_path_factory) -> Path:
    return learning.fit(runs, DEBUG, tmp_path_factory.mktemp("training") / "policy")


def test_nine_columns_become_windows_of_eight_and_the_command_of_the_next_row():
    known, wanted = cut({"a": counting(30), "b": counting(12)}, ["a", "b"], 5)
    assert known.shape == (25 + 7, 5, 8)  # T - N windows each
    assert wanted.shape == (25 + 7, 1)
    assert (wanted[:, 0] == known[:, -1, 0] + 1).all()  # one step off would differ
    assert (np.diff(known[:, :, 3], axis=1) == 1).all()  # none crosses from run to run


def test_a_run_that_is_too_short_for_a_window_is_named():
    with pytest.raises(ValueError, match="timesteps 5: expected runs of more steps, b has 5"):
        cut({"a": counting(6), "b": counting(5)}, ["a", "b"], 5)


def test_runs_of_different_lengths_come_back_from_one_store(path, runs):
    loaded = learning.load_runs(path)
    assert loaded.keys() == runs.keys()
    for name, rows in runs.items():
        assert np.array_equal(loaded[name], rows)


def test_each_group_is_split_for_itself_by_whole_runs(runs):
    parts = {data: split_runs(runs, Settings(data=data)) for data in ("human", "expert", "both")}
    for part, names in parts["both"].items():
        assert names == parts["expert"][part] + parts["human"][part]
    everyone = [name for names in parts["both"].values() for name in names]
    assert sorted(everyone) == sorted(runs)
    assert {group: len(names) for group, names in groups_of(everyone).items()} == {"expert": 8, "human": 5}


def test_data_that_are_not_there_are_named(runs):
    only = {name: rows for name, rows in runs.items() if name.startswith("expert")}
    with pytest.raises(ValueError, match="data both: expected runs of the group 'human'; there are: expert"):
        split_runs(only, Settings(data="both"))


def test_mirrored_and_swapped_windows_are_those_of_a_mirrored_world():
    """The expert is asked on the last row of every batch: augmented or not, its answer is the batch's."""
    rows = episodes(2, duration=30.0)[:, :, : len(LAYOUT)].astype("float32")
    windows = cut({"a": rows[0], "b": rows[1]}, ["a", "b"], 4)
    batches = Batches(*windows, Settings(mirror=True, batch_size=64))
    assert 0.3 < batches.mirrored.mean() < 0.7
    for index in range(len(batches)):
        known, wanted = batches[index]
        last = known[:, -1].astype(float)
        assert wanted[:, 0] == pytest.approx(plan(last, middle_of_track(last)), abs=2e-3)  # float32
    assert not Batches(*windows, Settings(mirror=False)).mirrored.any()


def test_an_epoch_sees_every_window_once_in_the_order_of_its_seed():
    windows = cut({"a": counting(132)}, ["a"], 4)
    batches = Batches(*windows, Settings(mirror=False, batch_size=32))
    first = np.concatenate([batches[index][1][:, 0] for index in range(len(batches))])
    assert sorted(first) == list(range(4, 132))
    batches.begin_epoch(1)
    assert not np.array_equal(first, np.concatenate([batches[index][1][:, 0] for index in range(len(batches))]))
    batches.begin_epoch(0)
    assert np.array_equal(first, np.concatenate([batches[index][1][:, 0] for index in range(len(batches))]))


def test_the_first_layer_knows_when_and_where_a_ball_crosses_and_what_is_absent():
    seen = np.zeros((1, 1, 8), dtype="float32")
    seen[0, 0, :4] = [1.0, 3.0, -0.5, -2.0]  # crosses after 1.5 s, 0.25 m to the right
    known = keras.ops.convert_to_numpy(known_physics(keras.ops.convert_to_tensor(seen)))[0, 0]
    assert known[4] == pytest.approx(1.5 / 0.8 - 1)
    assert known[5] == pytest.approx(math.tanh(0.25 / 0.2067), rel=1e-5)
    assert (known[8:] == 0).all()  # the second ball is not there


@pytest.mark.parametrize("neurons", [6, 20])
def test_single_lstm_is_one_layer_and_one_output_within_the_speed_limit(neurons):
    model = NETWORKS["single_lstm"](5, neurons)
    assert model.input_shape == (None, 5, 8)
    assert model.output_shape == (None, 1)
    assert model.count_params() == 4 * neurons * (16 + neurons + 1) + neurons + 1
    wild = 100 * np.random.default_rng(0).normal(size=(50, 5, 8)).astype("float32")
    assert np.abs(model.predict(wild, verbose=0)).max() <= 1.0


def test_a_left_right_head_decides_for_the_likeliest_of_three_commands():
    network = NETWORKS["feed_forward"](2, 0, head="left_right")
    seen = np.random.default_rng(0).normal(size=(200, 2, 8)).astype("float32")
    chances = network.predict(seen, verbose=0)
    commands = deciding(network, 0.7).predict(seen, verbose=0)
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert commands[:, 0] == pytest.approx(0.7 * (chances.argmax(axis=1) - 1), abs=1e-6)


def test_slow_commands_count_as_staying():
    assert choice_of(np.array([[-0.75], [-0.3], [0.0], [0.3], [0.4]])).tolist() == [[0], [1], [1], [1], [2]]


def test_a_training_leaves_a_model_that_loads_alone_and_everything_it_was_made_from(trained, runs):
    assert {path.name for path in trained.iterdir()} == {
        "model.keras",
        "settings.json",
        "split.json",
        "history.csv",
        "scores.json",
    }
    assert Settings.of(json.loads((trained / "settings.json").read_text())) == DEBUG
    assert len(learning.losses_of(trained)["val_loss"]) == DEBUG.epochs
    found = learning.scores_of(trained)
    known, wanted = cut(runs, json.loads((trained / "split.json").read_text())["test"], DEBUG.timesteps)
    model = keras.saving.load_model(trained / "model.keras", safe_mode=True)
    assert found["test"]["model"] == pytest.approx(np.abs(model.predict(known, verbose=0) - wanted).mean(), rel=1e-4)
    assert found["test"]["windows"] == len(wanted)


def test_a_finished_training_is_not_repeated_and_another_one_does_not_take_its_folder(trained, runs):
    before = (trained / "model.keras").stat().st_mtime_ns
    learning.fit(runs, DEBUG, trained)
    assert (trained / "model.keras").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match=r"holds a training with other settings or runs \(settings.json\)"):
        learning.fit(runs, Settings.parse(["size=debug", "seed=1"]), trained)


def test_other_numbers_under_the_same_names_are_other_runs(trained, runs):
    changed = {name: rows * np.float32(1.01) for name, rows in runs.items()}
    with pytest.raises(learning.AnotherTraining, match=r"\(split.json\)"):
        learning.fit(changed, DEBUG, trained)


def test_a_network_that_is_used_again_is_as_if_made_anew():
    first, other = Settings.parse(["size=debug", "seed=3"]), Settings.parse(["size=debug", "seed=4"])
    learner = learning.renewed(learning.compiled(DEBUG, 4), first)
    weights = learner.get_weights()
    windows = np.ones((8, 3, 8), dtype="float32"), np.ones((8, 1), dtype="float32")
    learner.fit(*windows, batch_size=2, verbose=0)
    assert not np.array_equal(learner.get_weights()[0], weights[0])
    learning.renewed(learner, other)
    learning.renewed(learner, first)
    assert all(np.array_equal(*pair) for pair in zip(learner.get_weights(), weights, strict=True))
    assert int(learner.optimizer.iterations) == 0


def test_what_is_learned_from_tuned_on_and_judged_by_are_other_launches():
    learned = pgen_ensembles.parameter_table(NUM_STUDIES="1000")["SEED"]
    starts = [scores.TEST_SEED, scores.NOTEBOOK_SEED, scores.VALIDATION_SEED, min(learned)]
    assert starts == sorted(starts)
    assert min(np.diff(starts)) >= 100_000  # episodes, far more than anybody plays


def test_a_policy_sees_the_last_rows_in_their_order_and_at_first_the_first_one():
    seen = keras.Input((3, 8))
    model = keras.Model(seen, seen[:, :, 0] @ np.array([[0.01], [0.1], [1.0]], dtype="float32"))
    policy = learning.policy_of(model)(2)
    rows = [np.full((2, 8), number) * [[1.0], [2.0]] for number in (1, 2, 3, 4)]
    answers = [policy(row, None) for row in rows]
    assert answers[0] == pytest.approx([1.11, 2.22])
    assert answers[1] == pytest.approx([2.11, 4.22])
    assert answers[3] == pytest.approx([4.32, 8.64])


def test_a_folder_without_a_finished_training_ends_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="expected a finished training") as error:
        learning.load_policy(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["head=middle"], "unknown head 'middle'; known: plain, left_right"),
        (["timesteps=0"], "setting timesteps: expected a number above 0; got 0"),
        (["data=robots"], "unknown data 'robots'; known: expert, human, both"),
        (["layers=2"], "unknown setting 'layers'"),
    ],
)
def test_settings_that_cannot_be_are_refused(words, expected):
    with pytest.raises(ValueError, match=expected):
        Settings.parse(words)


def test_the_interval_of_hits_is_students():
    low, high = scores.interval(np.array([1.0, 2.0, 3.0]))
    half = 4.302652729911275 * 1.0 / math.sqrt(3)  # t of two degrees of freedom, standard deviation 1
    assert (low, high) == pytest.approx((2 - half, 2 + half))
    assert scores.interval(np.array([0.0, 0.0])) == (0.0, 0.0)


def test_scores_are_those_of_the_episodes():
    played = simulate(POLICIES["still"](6), range(6), "robot", duration=12.0)
    score = scores.play(POLICIES["still"], ["robot"], range(6), 12.0)["robot"]
    assert score.hits == pytest.approx(played.counts["hits"].sum() / (6 * 0.2))
    assert score.low < score.hits < score.high
    assert score.distance == 0
    assert score.dodged == 0


def result(kind, timesteps, neurons, seed, hits, loss, val_loss):
    name = f"{kind}_{timesteps}_{neurons}_{seed}"
    columns = {"kind": kind, "timesteps": timesteps, "neurons": neurons, "seed": seed, "hits": hits}
    return Result(name, columns, {"loss": loss, "val_loss": val_loss})


RESULTS = [
    result("expert", 5, 6, 0, 3.0, [1.0, 0.5], [1.0, 0.6]),
    result("expert", 5, 6, 1, 5.0, [1.0, 0.5], [1.0, 0.6]),
    result("expert", 5, 20, 0, 1.0, [1.0, 0.2], [0.55, 0.6]),
    result("expert", 5, 20, 1, 2.0, [1.0, 0.2], [0.55, 0.6]),
    result("expert", 8, 10, 0, 1.9, [1.0, 0.24], [0.6, 0.5]),
    result("expert", 8, 10, 1, 1.9, [1.0, 0.24], [0.6, 0.5]),
]


def test_over_and_under_fitting_go_by_their_rules():
    assert sweep.verdicts(RESULTS) == {
        ("expert", 5, 6): "under-fits",  # ends at 0.5, the best at 0.2
        ("expert", 5, 20): "over-fits",  # 0.2 is below the 0.24 of the lowest validation loss, 0.55 is 10 % above it
        ("expert", 8, 10): "",
    }


def test_the_recommendation_is_the_smallest_within_one_standard_error_of_the_fewest_hits():
    (timesteps, neurons), why = sweep.recommend(RESULTS, "expert")
    assert (timesteps, neurons) == (8, 10)  # 1.9 <= 1.5 + 0.5; by the loss it would be 5 x 20
    assert "the fewest, 1.5 +- 0.5, has 5 x 20" in why
    with pytest.raises(ValueError, match="kind human: expected trainings"):
        sweep.recommend(RESULTS, "human")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["grid", "here", "timesteps=3", "learning_rate=1e-2"], "expected the axes timesteps and neurons"),
        (
            ["grid", "here", "timesteps=3", "neurons=4", "--training", "seed:5"],
            "seed:5: each point is trained on every",
        ),
        (["point", "store", "data:human", "--record", "p"], "data:human: each point is trained on every kind"),
        (["point", "store", "timesteps:3", "--record", "../p"], "run id '../p_expert_seed-2': expected"),
        (
            ["point", "store", "timesteps:3", "--record", "p", "--duration", "1.23"],
            "duration 1.23: expected a multiple",
        ),
        (["point", "store", "timesteps:3", "--record", "p"], "store: no such store"),
        (["rank", "store"], "store: no such store"),
    ],
)
def test_what_the_sweep_cannot_do_is_refused_before_anything_is_trained(words, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError)) as error:
        sweep.main(words)
    assert expected in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_point_of_the_sweep_goes_into_the_store_and_is_ranked(path, tmp_path):
    script = [sys.executable, STUDY / "sweep.py"]
    subprocess.run([*script, "grid", tmp_path, "timesteps=3 4", "neurons=4", "--training", "size:debug"], check=True)
    names = np.load(tmp_path / "grid.npy")[:, 0].tolist()
    assert names == ["size-debug_timesteps-3_neurons-4", "size-debug_timesteps-4_neurons-4"]
    play = {"kinds": ["human", "expert"], "seeds": [0], "episodes": 2, "duration": 6.0}
    sweep.train_point(path, ["size:debug", "timesteps:3"], tmp_path, point=names[0], **play)
    results = sweep.load(path)
    assert [one.data["kind"] for one in results] == ["expert", "human"]
    for one in results:
        assert one.data["point"] == names[0]
        assert one.data["hits"] == pytest.approx(np.mean([one.data[f"hits_{aim}"] for aim in AIMS]))
        assert len(one.losses["val_loss"]) == 2
    done = subprocess.run(
        [*script, "rank", path, "--expect", tmp_path / "grid.npy"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1  # the second point is missing
    assert done.stderr == f"sweep.py: {names[1]} is not recorded in {path}, or not with every kind and seed\n"
    assert "recommended: 3 timesteps, 4 neurons" in done.stdout
    assert store.run_ids(path) == sorted(learning.load_runs(path), key=store.natural_order)  # trainings are no runs
