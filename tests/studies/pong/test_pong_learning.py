"""Pong's learning: places and pictures out of frames, networks step by step, samples from the beginning, a training."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scripts import script

from sim2seq import write_report
from sim2seq._support import command
from sim2seq.data import arrays
from sim2seq.models.builders import Sizes
from sim2seq.store import store
from sim2seq.training.fit import fit, split_runs
from studies.pong import beginnings, dream, figures, limit, pictures, places, scores, simulate, web
from studies.pong.agents import make_agent
from studies.pong.networks import FAMILIES, NETWORKS, PixelsAndEnd, first_pictures, from_bytes
from studies.pong.objects import Flight, Objects, PlacesAndEnd
from studies.pong.simulate import STEPS
from studies.pong.study import STUDY, PongSettings, choose, judge, limit_of
from studies.pong.worlds import CubeCrash, Pong

PONG, CUBE = Pong(), CubeCrash()
SETS = {"train": 16, "validation": 8, "test": 8}
DEBUG = PongSettings.parse(["size=debug"])


def played(world, episodes: int, first: int = 0):
    seeds = range(first, first + episodes)
    return simulate.simulate(world, seeds, make_agent(world, seeds, 0.7))


def shown(world, episodes):
    """Frames and places of rows that belong to episodes."""
    valid = np.arange(episodes.frames.shape[1]) < episodes.lengths[:, None]
    return episodes.frames[valid], places.find(world, episodes.frames[valid])


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """What the study reads of a store with three small sets."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "store.sqlite"
    store.create(path)
    for name, episodes in SETS.items():
        file = folder / f"{name}.h5"
        simulate.main(["--set", name, "--episodes", str(episodes), "--steps", "24", "--output", str(file)])
        store.ingest(path, arrays.read(file))
    return STUDY.read(path)


@pytest.fixture(scope="module")
def trained(ensemble, tmp_path_factory):
    """A finished training of the debug size, judged."""
    found = fit(ensemble, DEBUG, tmp_path_factory.mktemp("training") / "ours", study=STUDY, quiet=True)
    judge(found, ensemble)
    return found


def test_frames_stay_bytes_until_a_batch_is_made(ensemble):
    settings = PongSettings.parse(["size=debug", "model=dense_rnn"])
    kept = choose(ensemble, settings)
    scalings = STUDY.task.scalings(kept, settings, scaled=False)
    batches = STUDY.task.windows(kept, settings, scalings, 8, batch_size=4, encode=from_bytes)
    fed, targets = batches[0][:2]
    assert kept.values.dtype == batches.rows.source.dtype == np.uint8
    assert fed.shape == (4, 10, 1026)
    assert (targets[:, :-1, :-1] == fed[:, 3:, :-2] / np.float32(255)).all()  # the next step's frame


def test_the_action_beside_a_frame_is_what_leads_to_the_next(ensemble):
    settings = PongSettings.parse(["size=debug", "model=dense_rnn"])
    kept = choose(ensemble, settings)
    scalings = STUDY.task.scalings(kept, settings, scaled=False)
    fed = STUDY.task.windows(kept, settings, scalings, 8, batch_size=4)[0][0]
    assert (fed[:, :-1, -1] == np.asarray(kept.values)[:4, 1:10, -1]).all()


def test_the_sets_are_the_parts_and_none_is_drawn(ensemble):
    split = split_runs(ensemble, DEBUG)
    assert [len(part.runs) for part in (split.train, split.validation, split.test)] == list(SETS.values())
    assert all(run.startswith("test_") for run in split.test.runs)


def test_samples_begin_with_the_episode(ensemble):
    kept = choose(ensemble, PongSettings.parse(["size=debug", "episodes=5", "judged=2"]))
    assert kept.runs == 9
    scalings = STUDY.task.scalings(kept, DEBUG, scaled=False)
    batches = STUDY.task.windows(kept, DEBUG, scalings, DEBUG.targets, batch_size=9)
    assert batches.available == 9
    assert batches.span == DEBUG.window + DEBUG.targets
    learned = STUDY.task.learned_from(kept, DEBUG, scalings)
    assert learned.shape[1] == batches.span < kept.steps
    np.testing.assert_array_equal(learned[:, :3, :-1], batches[0][0][:, :3, :-1])
    assert kept.features == ("ball_x", "ball_y", "left", "right", "terminal", "action")


@pytest.mark.parametrize("world", [PONG, CUBE], ids=lambda world: world.name)
def test_pictures_learned_from_frames_draw_other_frames(world):
    learned = pictures.learn(world, *shown(world, played(world, 150)))
    frames, found = shown(world, played(world, 20, first=1000))
    drawn = np.round(255 * learned.frames(found)).astype(np.uint8)
    assert (drawn != frames).any(axis=(1, 2)).mean() <= (0 if world is PONG else 0.02)  # where a cube has hit the floor


def network(kind, **options):
    """A small one of a family, and some episodes as it is given them: (2, 9, pixels + 2 + told)."""
    told = options.get("told", 0)
    layer = kind(16, 16, **{"known": 3} | options, actions=9, hidden=4)
    draw = np.random.default_rng(0)
    fed = np.concatenate([draw.integers(0, 255, (2, 9, 257)), draw.integers(0, 9, (2, 9, 1))], axis=-1)
    along = np.repeat(draw.normal(size=(2, 1, told)), 9, axis=1)
    fed = np.concatenate([fed, along], axis=-1).astype("float32")
    layer.build(fed.shape)
    for weight in layer.trainable_weights:  # what begins as zeros would hide what stands before it
        if not np.any(weight):
            weight.assign(0.1 * draw.normal(size=weight.shape))
    return layer, fed


def stepped(layer, fed, *, own_from=None):
    """What a network says step by step; from the row `own_from` on it is given its own frames."""
    state, said = layer.begin(len(fed)), []
    for number in range(fed.shape[1]):
        row = fed[:, number].copy()
        if own_from is not None and number >= own_from:
            row[:, :256] = 255 * said[-1][:, :256]
        answer, state = layer.step(ops.convert_to_tensor(row), state)
        said.append(ops.convert_to_numpy(answer))
    return np.stack(said, axis=1)


@pytest.mark.parametrize(("name", "options"), [(name, {}) for name in FAMILIES] + [
    ("dense_rnn", {"skip": 4}), ("asset_transformer", {"told": 2, "skip": 3}),
    *((name, {"known": 1}) for name in FAMILIES)])  # fmt: skip
def test_stepping_says_what_rereading_everything_says(name, options):
    layer, fed = network(FAMILIES[name], **options)
    whole = ops.convert_to_numpy(layer(fed))
    assert np.abs(whole[:, 2:]).min() > 0
    assert stepped(layer, fed) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("name", ["spatial_transformer", "frame_transformer"])
def test_in_a_closed_loop_a_network_sees_its_own_frames_only(name):
    layer, fed = network(FAMILIES[name], closed=True)
    whole = ops.convert_to_numpy(layer(fed))
    assert stepped(layer, fed, own_from=3) == pytest.approx(whole, abs=1e-5)
    fed[:, 3:, :257] = 0
    assert ops.convert_to_numpy(layer(fed)) == pytest.approx(whole, abs=1e-6)
    assert stepped(layer, fed) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("name", ["spatial_transformer", "frame_transformer"])
def test_what_learned_in_a_closed_loop_can_be_played(name, ensemble, tmp_path):
    settings = PongSettings.parse([f"model={name}", "size=debug", "epochs=1", "closed_loop=true"])
    found = fit(ensemble, settings, tmp_path / "closed", study=STUDY, quiet=True)
    judge(found, ensemble)
    model = dream.load(tmp_path / "closed")
    episodes = played(PONG, 4)
    _, state = model.step(model.begin(episodes.frames[:, :3], episodes.actions[:, :3]), episodes.actions[:, 3])
    frame, _ = model.step(state, episodes.actions[:, 4])
    assert np.isfinite(frame).all()


def test_padding_does_not_count_in_the_losses():
    draw = np.random.default_rng(0)
    true, said = draw.random((2, 3, 4, 5)).astype("float32")
    weights = np.array([[1, 1, 0, 0]] * 3, dtype="float32")
    for loss in (PixelsAndEnd(), PlacesAndEnd()):
        assert float(loss(true, said, weights)) == pytest.approx(float(loss(true[:, :2], said[:, :2])), rel=1e-5)


@pytest.mark.parametrize("name", ["dense_rnn", "spatial_transformer"])
def test_a_family_begins_with_the_mean_frame(name):
    episodes = played(PONG, 20)
    frames = episodes.frames.reshape(20, 96, -1)
    values = np.concatenate([frames, episodes.terminals[..., None], episodes.actions[..., None]], axis=-1)
    core = NETWORKS[name](Sizes(1025, 1025, 1), DEBUG, values=values)
    said = ops.convert_to_numpy(core(values[:2, :9].astype("float32")))[:, DEBUG.window - 1 :, :-1]
    there = np.arange(96) < episodes.lengths[:, None]
    mean = frames[there].mean(axis=0) / 255
    assert said == pytest.approx(np.broadcast_to(np.clip(mean, 0.01, 0.99), said.shape), abs=1e-3)


def test_the_first_assets_are_parts_of_a_first_frame():
    frame = played(PONG, 1).frames[0, 0]
    assert (first_pictures(PONG, frame).sum(axis=0) > 0).tolist() == (frame > 0).tolist()


def knowing(known: int, *, told: int = 0, tries: int = 0) -> Objects:
    """Objects that has learned all there is to learn of Pong, but the end; places are in the middle of their pixels."""
    layer = Objects([-8, -13, -1, -1], [8, 14, 16, 16], known=known, actions=9, told=told, tries=tries)
    layer.build((None, None, 6 + told))
    flight, half, moves = layer.flight, np.array([0.5, -0.5, 0, 0]), np.zeros((9, 4))
    moves[:, 2:] = np.stack(PONG.moves(np.arange(9)), axis=1)
    for weight, value in ((flight.box_low, flight.low - half), (flight.box_high, flight.high - half),
                          (flight.moves, moves), (flight.bounce, np.ones(4)), (layer.shift, -half)):  # fmt: skip
        weight.assign(value)
    return layer


def flown(layer, episodes, told=()):
    """How far off the ball and the planks are, (episodes, steps, places), nan beyond the end."""
    found = places.find(PONG, episodes.frames).astype("float32")
    rows = np.concatenate(
        [found[:, :-1], np.zeros_like(found[:, 1:, :1]), episodes.actions[:, 1:, None], *told], axis=-1
    )
    away = np.abs(ops.convert_to_numpy(layer(rows.astype("float32")))[..., :4] - found[:, 1:])
    away[np.arange(1, found.shape[1]) >= episodes.lengths[:, None]] = np.nan
    return away[:, layer.known - 1 :]


def test_objects_that_know_the_rules_and_the_angle_are_exact():
    layer, episodes = knowing(1, told=2), played(PONG, 30)
    layer.launch.assign([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    away = flown(layer, episodes, [np.repeat(episodes.states[:, :1, 2:4], 95, axis=1)])
    assert np.nanmax(away) <= 1
    assert np.nanmean(away) < 0.01  # a ball at the edge of a pixel is rounded either way


def test_objects_that_know_the_rules_read_a_launch_at_the_limit():
    layer, episodes = knowing(16, tries=1024), played(PONG, 100)
    angles = np.arange(1024) * 2 * np.pi / 1024
    layer.tried.assign(np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=-1))
    distance = np.linalg.norm(flown(layer, episodes)[..., :2], axis=-1)
    paths = limit.every_angle(PONG, STEPS["pong"], angles=2**13)
    least = limit.limit(paths, episodes.states, episodes.actions, episodes.lengths, 16)
    assert np.nanmean(distance[:, :60]) < 1.5 * np.nanmean(least[:, 16:76])


def test_who_learns_finds_a_launch_by_more_than_the_known_rows():
    """One of 64 directions fits 35 rows; of those that fit the 3 known ones, another is in the middle."""
    layer, episodes = knowing(3, tries=64), played(PONG, 30)
    angles = np.arange(64) * 2 * np.pi / 64
    layer.tried.assign(np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=-1))
    seen = places.find(PONG, episodes.frames).astype("float32")
    actions = np.eye(9, dtype="float32")[episodes.actions[:, 1:]]
    going = (np.arange(96) < episodes.lengths[:, None]).astype("float32")
    off = []
    for looked in (3, 35):
        _, velocity = layer.read(seen, actions, seen[:, 0, :0], looked, going[:, :looked])
        start = ops.convert_to_numpy(velocity)[:, :2]  # no ball is at a wall after two steps
        off.append(np.mean(np.linalg.norm(start - episodes.states[:, 0, 2:4], axis=1)))
    assert off[1] < 0.05  # neighbours are 0.1 apart
    assert off[0] > 0.1


def test_the_speed_of_launches_is_found_to_half_a_per_cent():
    """Their mean way over eight steps is 1.5 % too short."""
    episodes = played(PONG, 300)
    found = places.find(PONG, episodes.frames).astype("float32")
    values = np.concatenate([found, episodes.terminals[..., None], episodes.actions[..., None]], axis=-1)
    values[np.arange(96) >= episodes.lengths[:, None]] = np.nan
    moves = beginnings.first_moves(values, 4, 9)
    shift = beginnings.first_shift(values, 4, moves)
    assert beginnings.first_speed(values, 4, moves, shift) == pytest.approx(1, abs=0.005)
    way = np.linalg.norm((beginnings.paces(values, 4, moves, 8) - shift / 8)[:, :2], axis=1)
    assert np.nanmean(way) < 0.99


def test_objects_step_as_they_read_everything_again():
    layer, episodes = knowing(3, tries=64), played(PONG, 4)
    layer.tried.assign(np.random.default_rng(0).normal(size=(64, 4)))
    found = places.find(PONG, episodes.frames[:, :9])
    rows = np.concatenate([found, np.zeros((4, 9, 1)), episodes.actions[:, 1:10, None]], axis=-1).astype("float32")
    state, said = layer.begin(4), []
    for step in range(9):
        answer, state = layer.step(ops.convert_to_tensor(rows[:, step]), state)
        said.append(ops.convert_to_numpy(answer))
    assert np.stack(said, axis=1) == pytest.approx(ops.convert_to_numpy(layer(rows)), abs=1e-5)


def test_an_end_is_learned_without_moving_what_moves():
    """Where all places are right at once, as in CubeCrash, nothing but the end is left to learn."""
    layer = Flight([0, 4, 8], [31, 40, 23], actions=3)
    state = [ops.convert_to_tensor([[16.0, 20.0, 12.0]]), ops.zeros((1, 3))]
    layer.build((1, 3))
    with tf.GradientTape() as tape:
        said, _ = layer(ops.ones((1, 3)), state, training=True)
        over = said[:, -1]
    found = tape.gradient(over, [weight.value for weight in layer.trainable_weights])
    names = [weight.name for weight in layer.trainable_weights]
    learned = [name for name, each in zip(names, found, strict=True) if each is not None and np.any(each)]
    assert set(learned) == {"kernel", "bias"}  # not the box, nor what actions move


def test_a_training_leaves_a_model_that_can_be_played(trained, ensemble):
    made = dream.load(trained.folder)
    rows = [number for number, group in enumerate(ensemble.groups) if group == "test"]
    frames, actions = places.frames_of(PONG, ensemble.values[rows]), ensemble.values[rows][..., -1]
    episodes = scores.Episodes(frames, actions, ensemble.lengths[rows], {})
    found = scores.rollout(made, episodes)
    kept = trained.predictions["test"]
    assert made.known == DEBUG.window
    other = np.abs(np.nan_to_num(found.places) - np.nan_to_num(kept.middle[..., :-1])) > 1e-3
    assert other.mean() < 0.05  # a place between two pixels is rounded either way
    assert np.isfinite(scores.summary(found, PONG)["distance"][0])


def test_a_judge_names_the_steps_that_it_has_judged(trained, ensemble):
    """Episodes of 24 rows, of which 3 are known; 8 steps are learned."""
    judged = judge(trained, ensemble)
    assert list(judged) == ["distance_21", "distance_20", "wrong_ends", "copied_21", "limit_21"]
    seen = trained.predictions["validation"]
    away = np.linalg.norm(seen.middle[:, -1, :2] - seen.truth[:, -1, :2], axis=-1)
    assert judged["distance_21"] == pytest.approx(np.nanmean(away))
    known = [ensemble.run_ids.index(run) for run in trained.split.validation.runs]
    last = places.find(PONG, places.frames_of(PONG, np.asarray(ensemble.values[known])))[:, 2]
    copied = np.linalg.norm(last[:, :2] - seen.truth[:, 20, :2], axis=-1)
    assert judged["copied_21"] == pytest.approx(np.nanmean(copied))


def test_a_judge_leaves_out_episodes_that_end_before(trained, ensemble):
    """Some are over before a model has seen what it must be shown: nothing is predicted of them."""
    seen = trained.predictions["validation"]
    rest = replace(
        seen, run_ids=seen.run_ids[1:], **{name: getattr(seen, name)[1:] for name in ("middle", "low", "high", "truth")}
    )
    told = {name: getattr(trained, name) for name in ("folder", "settings", "split")}
    judged = judge(SimpleNamespace(**told, predictions={"validation": rest}), ensemble)
    away = np.linalg.norm(rest.middle[:, -1, :2] - rest.truth[:, -1, :2], axis=-1)
    assert judged["distance_21"] == pytest.approx(np.nanmean(away))
    known = [ensemble.run_ids.index(run) for run in rest.run_ids]
    last = places.find(PONG, places.frames_of(PONG, np.asarray(ensemble.values[known])))[:, 2]
    copied = np.linalg.norm(last[:, :2] - rest.truth[:, 20, :2], axis=-1)
    assert judged["copied_21"] == pytest.approx(np.nanmean(copied))


def test_a_judge_says_the_limit_of_what_a_model_is_shown(trained, ensemble):
    judged = judge(trained, ensemble)
    first = simulate.SETS["validation"].first
    seeds = [first + int(run.removeprefix("validation_")) for run in trained.split.validation.runs]
    agent = make_agent(PONG, seeds, simulate.SETS["validation"].stochasticity)
    again = simulate.simulate(PONG, seeds, agent, steps=24)
    paths = limit.every_angle(PONG, again.frames.shape[1])
    errors = limit.limit(paths, again.states, again.actions, again.lengths, DEBUG.window)
    assert judged["limit_21"] == pytest.approx(limit.by_horizon(errors, DEBUG.window, [21])[0][0])
    assert 0 < judged["limit_21"] < judged["copied_21"]


def test_what_the_angle_or_a_frame_tells_has_the_limit_zero(ensemble):
    runs = ensemble.run_ids[:2]
    told = PongSettings.parse(["size=debug", "inputs=launch_sin,launch_cos", "window=1"])
    assert limit_of(PONG, ensemble, runs, told, 5) == 0
    assert limit_of(CUBE, ensemble, runs, DEBUG, 5) == 0
    of_agents = PongSettings.parse(["size=debug", "inputs=stochasticity"])  # which says nothing of the ball
    assert limit_of(PONG, ensemble, runs, of_agents, 5) == limit_of(PONG, ensemble, runs, DEBUG, 5) > 0
    lacking = replace(ensemble, inputs={})
    assert limit_of(PONG, lacking, runs, DEBUG, 5) is None


def test_all_pictures_of_the_card_come_of_a_benchmarks_folder(trained, tmp_path, capsys):
    models, pictures_of = tmp_path / "models", tmp_path / "pictures"
    kept = json.dumps({"distance": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    for name in (figures.FILM_OF, "dense_rnn_P__3", "ours_angle_told_seed_1"):
        shutil.copytree(trained.folder, models / name)
        (models / name / "test.json").write_text(kept)
    (models / "limit_16.json").write_text(kept)
    (tmp_path / "board.csv").write_text("place,model,skip,error\n1,objects,1,0.5\n2,dense_rnn,8,4.0\n")
    words = ["--board", str(tmp_path / "board.csv"), "--output", str(pictures_of), "--episodes", "6"]
    figures.main([str(models), *words])
    drawn = ["dense_rnn_P__3.png", "horizon.png", "ours_angle_told.png", "pong.gif", "sweep.png"]
    assert sorted(path.name for path in pictures_of.iterdir()) == drawn
    assert capsys.readouterr().out.splitlines() == [
        "![dense rnn, P = 3: median and worst episode](pictures/dense_rnn_P__3.png)",
        "![ours angle told: median and worst episode](pictures/ours_angle_told.png)",
    ]
    with pytest.raises(ValueError, match=r"expected models that benchmarks/pong.py has trained"):
        figures.main([str(pictures_of), "--output", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


def test_a_page_of_a_model_that_searches_is_refused_in_one_line(trained, tmp_path, capfd):
    path = tmp_path / "page.html"
    assert command.run(lambda: web.main([str(trained.folder), "--output", str(path)])) == 2
    told = capfd.readouterr().err
    assert f"{trained.folder}: expected a model of dense layers, recurrent ones too, or objects that is told" in told
    assert "inputs:launch_sin,launch_cos window:1" in told
    assert told.count("\n") == 1
    assert not path.exists()


def test_training_episodes_bound_what_a_dream_is_told(ensemble, tmp_path):
    settings = PongSettings.parse(["size=debug", "inputs=launch_angle", "window=1", "epochs=1"])
    found = fit(ensemble, settings, tmp_path / "told", study=STUDY, quiet=True)
    judge(found, ensemble)
    made = dream.load(found.folder)
    learned = [ensemble.inputs["launch_angle"][ensemble.run_ids.index(run)] for run in found.split.train.runs]
    assert made.ranges == {"launch_angle": pytest.approx([min(learned), max(learned)])}
    shown = played(PONG, 1)
    made.begin(shown.frames[0, :1], shown.actions[0, :1], [2.0])
    with pytest.raises(ValueError, match=r"launch_angle: expected about .* as in training; got 50"):
        made.begin(shown.frames[0, :1], shown.actions[0, :1], [50.0])


def test_a_model_of_another_environment_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="expected a model of cube_crash; got one of pong"):
        dream.load(trained.folder, environment="cube_crash")
    with pytest.raises(ValueError, match="expected the folder of a finished training"):
        dream.load(tmp_path)


def test_a_perfect_copy_scores_zero_and_calls_every_end():
    episodes = played(PONG, 40)
    found = places.find(PONG, episodes.frames[:, 1:]).astype(float)
    valid = np.arange(1, STEPS["pong"]) < episodes.lengths[:, None]
    found[~valid] = np.nan
    over = np.where(valid, episodes.terminals[:, 1:], np.nan)
    made = scores.Rollout(np.where(valid, 0.0, np.nan), found, found, over, over)
    summary = scores.summary(made, PONG)
    assert summary["distance"] == [0] * 6
    assert summary["ends_right"] == summary["bounce_right"] == 1
    assert summary["episodes"][0] == 40


def test_a_bounce_that_never_comes_is_wrong():
    episodes = played(PONG, 40)
    found = places.find(PONG, episodes.frames[:, 1:]).astype(float)
    found[np.arange(1, STEPS["pong"]) >= episodes.lengths[:, None]] = np.nan
    still, none = 0 * found, np.zeros(found.shape[:2])
    bounces = np.isfinite(scores.first_bounce(found))
    found[np.flatnonzero(bounces)[::2]], still[1::2] = np.nan, found[1::2]
    made = scores.Rollout(none, still, found, none, none)
    right = np.flatnonzero(np.isfinite(scores.first_bounce(found))) % 2 == 1
    assert scores.summary(made, PONG)["bounce_right"] == right.mean() < 1


def test_what_is_kept_of_other_episodes_is_no_result(tmp_path):
    check, few, all_of_them = script("_pong_models").check_setup, {"test": 8}, {"test": 500}
    check(tmp_path / "pong" / "setup.json", few)
    check(tmp_path / "pong" / "setup.json", few)
    with pytest.raises(ValueError, match=r"expected results with .'test': 500.; got those with .'test': 8."):
        check(tmp_path / "pong" / "setup.json", all_of_them)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "complete").touch()
    with pytest.raises(ValueError, match="expected the numbers of episodes of what is kept there"):
        check(tmp_path / "old" / "setup.json", all_of_them)


def test_a_seed_changes_no_goal():
    rows_of, found = script("_pong_rows").rows_of, dict.fromkeys(("distance", "others", "pixel_mse"), [1.0] * 20)
    for name in ("ours, angle told", f"ours, angle told, {script('_pong_models').SHIFT}"):
        seeded = name.replace("angle told", "angle told, seed 1")
        goals = [[row["goal"] for row in rows_of(each, found)] for each in (name, seeded)]
        assert goals[0] == goals[1]
    assert 1.5 in [row["goal"] for row in rows_of("ours, angle told, seed 1", found)]


def test_the_time_of_a_training_that_was_cut_off_is_added_up(tmp_path):
    measured = script("_pong_models").measured

    def cut_off():
        sum(range(3_000_000))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path / "t" / "cpu.json", cut_off)
    before = json.loads((tmp_path / "t" / "cpu.json").read_text())
    assert before > 0.01
    found, seconds = measured(tmp_path / "t" / "cpu.json", lambda: 7)
    assert found == 7
    assert before <= seconds < before + 0.5


TRANSFORMER = ["recipe=pixels", "model=frame_transformer"]
IMPOSSIBLE = [["closed_loop=true"], ["recipe=pixels", "closed_loop=true"]]
IMPOSSIBLE += [["skip=0"], ["model=combined"], ["window=0"], ["skip=8"], [*TRANSFORMER, "skip=8"]]


@pytest.mark.parametrize("words", [*IMPOSSIBLE, [*TRANSFORMER, "inputs=launch_sin,launch_cos"]])
def test_settings_that_are_not_possible_are_refused(words):
    with pytest.raises(ValueError, match=r"setting|model"):
        PongSettings.parse(words)


def test_the_report_shows_places_and_strips_of_frames(trained, ensemble, tmp_path):
    text = write_report(tmp_path / "report.html", ensemble, trained).read_text()
    assert "ball_x" in text
    assert "frame[0,0]" not in text
    assert "the median of the test episodes, and the worst one" in text
    assert "the best that can be known from the frames that the model was shown" in text
