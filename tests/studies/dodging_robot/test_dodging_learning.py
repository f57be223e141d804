"""The dodging robot's learning: whose runs, samples and their commands, networks within limits, play, and a sweep."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from sim2seq import Ensemble, cli, load_training, ranking, sweep
from sim2seq.data.records import Run
from sim2seq.models.builders import Sizes
from sim2seq.store import store
from sim2seq.study import load_study
from sim2seq.training.fit import fit, split_runs
from studies.dodging_robot import network, scores
from studies.dodging_robot.policies import POLICIES, learned, middle_of_track, plan
from studies.dodging_robot.study import STUDY, RobotSettings, choose, varied
from studies.dodging_robot.world import AIMS, LAYOUT, SERIES, simulate

DEBUG = RobotSettings.parse(["size=debug"])
SIZES = Sizes(8, 1)


def episodes(count: int, *, duration=12.0, first=1_000_000) -> np.ndarray:
    aims = [AIMS[run % len(AIMS)] for run in range(count)]
    return simulate(POLICIES["expert"](count), range(first, first + count), aims, duration=duration).rows


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store of twelve expert episodes and five shorter ones that pass as people's, as ingest brings them."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    store.create(path)
    rows = episodes(17, duration=9.0)
    runs = {f"expert_{number}": rows[number] for number in range(12)}
    runs |= {f"human_{number:03}": rows[12 + number, : 60 + number] for number in range(5)}
    times = [step / 10 for step in range(90)]
    columns = {name: {"time": times[: len(one)], **dict(zip(SERIES, one.T.tolist(), strict=True))}
               for name, one in runs.items()}  # fmt: skip
    store.ingest(path, [Run(name, {"group_id": name.split("_")[0]}, one) for name, one in columns.items()])
    return path


@pytest.fixture(scope="module")
def ensemble(path) -> Ensemble:
    return STUDY.read(path)


@pytest.fixture(scope="module")
def trained(ensemble, tmp_path_factory):
    """A finished training of the debug size."""
    return fit(ensemble, DEBUG, tmp_path_factory.mktemp("training") / "policy", study=STUDY, quiet=True)


def counting(*lengths: int) -> Ensemble:
    """Expert runs of these lengths, in which every number is its row."""
    values = np.repeat(np.arange(float(max(lengths)))[None, :, None], len(lengths), axis=0).repeat(len(LAYOUT), axis=2)
    names = tuple(f"expert_{number}" for number in range(len(lengths)))
    return Ensemble(values, names, LAYOUT, np.arange(max(lengths)) / 10, lengths=np.array(lengths))


def windows(ensemble: Ensemble, settings, **options):
    scalings = STUDY.task.scalings(ensemble, settings, scaled=STUDY.scaled)
    return STUDY.task.windows(ensemble, settings, scalings, 1, **{"batch_size": 16} | options)


def test_a_sample_is_rows_of_eight_and_the_command_of_the_next():
    batches = windows(counting(30, 12), RobotSettings(window=5))
    inputs, targets = (np.concatenate(parts) for parts in zip(*(batch[:2] for batch in batches), strict=True))
    assert inputs.shape == (25 + 7, 5, 8)  # T - N windows each
    assert targets.shape == (25 + 7, 1, 1)
    assert (targets[:, 0, 0] == inputs[:, -1, 0] + 1).all()  # one step off would differ
    assert (np.diff(inputs[:, :, 3], axis=1) == 1).all()  # none crosses from run to run


def test_runs_of_different_lengths_come_back_from_one_store(ensemble):
    assert ensemble.features == LAYOUT
    assert dict(zip(ensemble.run_ids, ensemble.lengths.tolist(), strict=True))["human_003"] == 63
    assert (ensemble.values[0] == episodes(1, duration=9.0)[0, :, : len(LAYOUT)]).all()


def test_the_settings_say_whose_runs_are_learned_from(ensemble):
    groups = {data: set(choose(ensemble, RobotSettings(data=data)).groups) for data in ("human", "expert", "both")}
    assert groups == {"human": {"human"}, "expert": {"expert"}, "both": {"expert", "human"}}
    assert choose(ensemble, RobotSettings(data="human")).steps == 64
    with pytest.raises(ValueError, match="data both: expected runs of the group 'human'; there are: expert"):
        choose(ensemble.take(range(12)), RobotSettings(data="both"))


def test_the_parts_of_both_are_those_of_the_groups(ensemble):
    splits = {}
    for data in ("human", "expert", "both"):
        settings = RobotSettings(data=data)
        splits[data] = split_runs(choose(ensemble, settings), settings)
    for part in ("train", "validation", "test"):
        runs = {data: getattr(split, part).runs for data, split in splits.items()}
        assert runs["both"] == runs["expert"] + runs["human"]


def test_varied_samples_are_those_of_a_varied_world():
    """The expert is asked on the last row of every window: varied or not, its answer is the sample's."""
    rows = episodes(2, duration=30.0)[:, :, : len(LAYOUT)]
    block = np.concatenate([rows[:, step : step + 5] for step in range(250)]).astype("float32")
    changed = varied(block, np.random.default_rng(0))
    last = changed[:, -2, 1:].astype(float)
    assert changed[:, -1, 0] == pytest.approx(plan(last, middle_of_track(last)), abs=2e-3)  # float32
    for place, share in ((2, 0.5), (1, 0.75)):  # y of ball 1 is swapped in a half, its x swapped or mirrored
        assert np.mean(changed[:, -1, place] != block[:, -1, place]) == pytest.approx(share, abs=0.1)


def test_samples_are_varied_unless_settings_say_otherwise(trained, ensemble, tmp_path):
    plain = fit(ensemble, replace(DEBUG, augment=False), tmp_path / "plain", study=STUDY, quiet=True)
    assert plain.history["loss"] != trained.history["loss"]


def test_the_first_layer_knows_when_and_where_a_ball_crosses():
    seen = np.zeros((1, 1, 8), dtype="float32")
    seen[0, 0, :4] = [1.0, 3.0, -0.5, -2.0]  # crosses after 1.5 s, 0.25 m to the right
    known = keras.ops.convert_to_numpy(network.known_physics(keras.ops.convert_to_tensor(seen)))[0, 0]
    assert known[4] == pytest.approx(1.5 / 0.8 - 1)
    assert known[5] == pytest.approx(math.tanh(0.25 / 0.2067), rel=1e-5)
    assert (known[8:] == 0).all()  # the second ball is not there


@pytest.mark.parametrize("neurons", [6, 20])
def test_single_lstm_is_one_layer_within_the_speed_limit(neurons):
    core = network.single_lstm(SIZES, RobotSettings(window=5, units=(neurons,)))
    assert core.output_shape == (None, 1, 1)
    assert core.count_params() == 4 * neurons * (16 + neurons + 1) + neurons + 1
    wild = 100 * np.random.default_rng(0).normal(size=(50, 5, 8)).astype("float32")
    assert np.abs(core.predict_on_batch(wild)).max() <= 1.0


def test_a_left_right_head_takes_the_likeliest_of_three():
    core = network.feed_forward(SIZES, RobotSettings(model="feed_forward", window=2, head="left_right"))
    chances = core.predict_on_batch(np.random.default_rng(0).normal(size=(200, 2, 8)).astype("float32"))[:, 0]
    decided = keras.ops.convert_to_numpy(core.decode(keras.ops.convert_to_tensor(chances)))
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert decided[:, 0].tolist() == (chances.argmax(axis=1) - 1).tolist()


def test_who_learns_from_people_chooses_unless_told_otherwise():
    heads = {(data, head): RobotSettings(data=data, head=head).chooses
             for data in ("human", "expert", "both") for head in ("", "plain", "left_right")}  # fmt: skip
    assert {asked for asked, chooses in heads.items() if chooses} == {
        ("human", ""),
        *((data, "left_right") for data in ("human", "expert", "both")),
    }


def test_slow_commands_count_as_staying():
    commands = np.array([-0.75, -0.3, 0.0, 0.3, 0.4])[:, None, None]
    assert network.choice_of(commands).ravel().tolist() == [0, 1, 1, 1, 2]


def test_a_choice_moves_at_the_mean_speed_of_who_moves(ensemble, tmp_path):
    people = fit(ensemble, replace(DEBUG, data="human"), tmp_path / "people", study=STUDY, quiet=True)
    train = [ensemble.run_ids.index(run) for run in people.split.train.runs]
    speeds = np.abs(ensemble.values[train, :, 0])
    said = people.predictions["train"].middle
    said = np.abs(said[np.isfinite(said) & (said != 0)])
    assert len(said)
    assert said == pytest.approx(speeds[speeds > 1 / 3].mean(), rel=1e-5)


def test_a_training_is_that_of_its_own_settings(trained, ensemble):
    assert trained.settings == DEBUG
    assert trained.model.input_shape == (None, 3, 8)
    assert {run.split("_")[0] for run in trained.split.train.runs} == {"expert"}
    assert trained.scores.features == ["command"]
    assert {"stay", "hold", "mean"} <= set(trained.scores.baselines)
    with pytest.raises(ValueError, match=r"another.* settings or data \(seed differ\)|other settings or data"):
        fit(ensemble, replace(DEBUG, seed=1), trained.folder, study=STUDY, quiet=True)


def test_a_policy_errs_as_the_epoch_that_it_was_kept_from(trained):
    one = trained.predictions["validation"]
    assert np.nanmean(np.abs(one.middle - one.truth)) == pytest.approx(min(trained.history["val_loss"]), rel=1e-5)


def test_a_policy_sees_the_last_rows_and_at_first_the_first_one():
    seen = keras.Input((3, 8))
    model = keras.Model(seen, seen[:, :, 0] @ np.array([[0.01], [0.1], [1.0]], dtype="float32"))
    twice = keras.Model(seen, 2 * model(seen))
    policies = [learned(models)(2) for models in ([model], [model, twice])]
    rows = [np.full((2, 8), number) * [[1.0], [2.0]] for number in (1, 2, 3, 4)]
    answers = [policies[0](row, None) for row in rows]
    assert answers[0] == pytest.approx([1.11, 2.22])
    assert answers[1] == pytest.approx([2.11, 4.22])
    assert answers[3] == pytest.approx([4.32, 8.64])
    assert policies[1](rows[0], None) == pytest.approx([1.5 * 1.11, 1.5 * 2.22])  # the median of two members


def test_a_folder_without_a_finished_training_ends_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished training here") as error:
        load_training(tmp_path, STUDY)
    assert "\n" not in str(error.value)


def test_a_missing_package_is_said_before_anything_runs(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("studies.dodging_robot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ValueError, match=r"study\.py: it needs the package gymnasium, which is not installed"):
        load_study(Path(network.__file__).parent)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["head=middle"], "unknown head 'middle'; known: , plain, left_right"),
        (["window=0"], "setting window: .* needs 1 steps or more; got 0"),
        (["window=61"], "setting window: expected up to 60; got 61"),
        (["units=8,8"], "setting units: expected one layer size"),
        (["targets=2"], "setting targets: expected 1; got 2"),
        (["data=robots"], "unknown data 'robots'; known: expert, human, both"),
        (["episodes=0"], "setting episodes: expected 1 or more; got 0"),
        (["duration=1.23"], "duration 1.23: expected a multiple"),
        (["model=residual_lstm"], "unknown model 'residual_lstm'; known: single_lstm, feed_forward"),
        (["layers=2"], "unknown setting 'layers'"),
    ],
)
def test_settings_that_cannot_be_are_refused(words, expected):
    with pytest.raises(ValueError, match=expected):
        RobotSettings.parse(words)


def test_a_training_is_judged_by_play_on_validation_launches(trained, ensemble):
    found = STUDY.judge(trained, ensemble)
    seeds = range(scores.VALIDATION_SEED, scores.VALIDATION_SEED + 2)
    played = scores.play(learned(trained.models), seeds=seeds, duration=6.0)
    assert list(found) == ["hits", *(f"hits_{aim}" for aim in AIMS), "distance"]  # ranked by the first
    assert found["hits_robot"] == played["robot"].hits
    assert found["hits"] == pytest.approx(np.mean([score.hits for score in played.values()]))


def test_a_point_of_the_sweep_is_judged_recorded_and_ranked(path, tmp_path, capsys):
    study = ["--study", str(Path(network.__file__).parent)]
    assert cli.main(["grid", "-", str(tmp_path), *study, "--training", "size:debug", "window=3 4", "units=4"]) == 0
    names = np.load(tmp_path / sweep.GRID)[:, 0].tolist()
    assert names == ["size-debug_window-3_units-4", "size-debug_window-4_units-4"]
    words = ["size:debug", "window:3", "units:4", *study, "--output", str(tmp_path / "t"), "--record", names[0]]
    assert cli.main(["train", str(path), *words, "--each", "data=human expert", "seed=0"]) == 0
    results = ranking.load(path, STUDY.name)
    assert {one.name for one in results} == {f"{names[0]}_data-{data}_seed-0" for data in ("human", "expert")}
    for one in results:
        assert one.error == pytest.approx(np.mean([one.data[f"hits_{aim}"] for aim in AIMS]))
        assert len(one.losses["val_loss"]) == 2
    capsys.readouterr()
    board = ["leaderboard", str(path), "--by", "data", "--expect", str(tmp_path / sweep.GRID)]
    assert cli.main(board) == 1  # the second point is missing
    said = capsys.readouterr()
    assert said.err == f"sim2seq leaderboard: {names[1]} is not recorded in {path}\n"
    assert [line for line in said.out.splitlines() if line.startswith("data:")] == ["data:expert", "data:human"]
    assert store.run_ids(path) == list(STUDY.read(path).run_ids)  # trainings are no runs
