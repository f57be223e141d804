"""What Pong's networks learn from, and their families: samples from the beginning, pictures, steps, closed loops."""

import numpy as np
import pytest
from games import SETS, played
from keras import ops

from sim2seq.models.builders import Sizes
from sim2seq.training.fit import fit, split_runs
from studies.pong import dream, pictures, places
from studies.pong.networks import FAMILIES, NETWORKS, PixelsAndEnd, first_pictures, from_bytes
from studies.pong.objects import PlacesAndEnd
from studies.pong.study import STUDY, PongSettings, choose, judge
from studies.pong.worlds import CubeCrash, Pong

PONG, CUBE = Pong(), CubeCrash()
DEBUG = PongSettings.parse(["size=debug"])


def shown(world, episodes):
    """Frames and places of rows that belong to episodes."""
    valid = np.arange(episodes.frames.shape[1]) < episodes.lengths[:, None]
    return episodes.frames[valid], places.find(world, episodes.frames[valid])


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
