"""An asset transformer, taken apart: moved assets add up to its frames."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from PIL import Image

from sim2seq._support import command
from sim2seq.data.windows import Scaling
from sim2seq.models.builders import Sizes, physical
from studies.pong import animate_assets, dream, viewing
from studies.pong.networks import FAMILIES, NETWORKS
from studies.pong.spatial import moved_by
from studies.pong.study import PongSettings
from studies.pong.worlds import Pong, draw

PONG, SEED = Pong(), 2_000_000


def model(name: str, features: int):
    values = np.zeros((1, 9, features + 1))
    if features > 1024:
        values[..., :1024] = draw(PONG, PONG.launch_at([0.0])).reshape(1, 1, -1)
    core = NETWORKS[name](Sizes(features, features, 1), PongSettings.parse(["size=debug"]), values=values)
    return physical(core, None, Scaling.none(features), controls=Scaling.none(1))


@pytest.fixture(scope="module")
def assets():
    """A dream of an asset transformer that has learned nothing yet, and its network."""
    made = model("asset_transformer", 1025)
    network = animate_assets.network_of(made)
    for weight in network.placing.weights:
        weight.assign(0.3 * np.random.default_rng(0).normal(size=weight.shape))
    return dream.of_model(PONG, made, 3, ()), network


def test_moved_assets_add_up_to_the_frame(assets):
    for made, _ in zip(animate_assets.watch(*assets, SEED), range(4), strict=False):
        total = made.moved.sum(axis=0) + made.background
        assert np.allclose(total, made.total)
        assert np.abs(animate_assets.alone(total, 0.0).astype(int) - made.frame).max() <= 1
        assert np.abs(made.shifts).max() > 0.1


def test_a_shift_says_by_how_many_pixels_an_asset_moves():
    dot = np.zeros((1, 1, 9, 9), dtype="float32")
    dot[0, 0, 4, 4] = 1
    shift = np.array([[[2 * 2 / 8, -1 * 2 / 8]]], dtype="float32")  # of the place that is looked at, in halves
    moved = ops.convert_to_numpy(moved_by(dot, np.ones_like(shift), shift))[0, 0]
    down, right = -shift[0, 0] * (9 - 1) / 2
    assert np.argwhere(moved == 1).tolist() == [[4 + down, 4 + right]]


@pytest.mark.parametrize("name", ["asset_transformer", "spatial_transformer"])
def test_what_moves_pictures_begins_where_moving_has_a_slope(name):
    """At whole pixels there is none: pictures that begin there stay there."""
    layer = FAMILIES[name](16, 16, known=3, actions=9, hidden=4)
    layer.build((None, 9, 258))
    hidden, frame = (ops.convert_to_tensor(np.random.default_rng(0).random((2, size)), "float32") for size in (4, 256))
    if name == "spatial_transformer":
        layer.decoder[-1].kernel.assign(np.ones(layer.decoder[-1].kernel.shape))  # begins as zeros
    with tf.GradientTape() as tape:
        made = ops.sum(ops.square(layer.decode(hidden, frame, False)))
    assert np.abs(tape.gradient(made, layer.placing.kernel.value)).min() > 0


def test_a_film_of_assets_shows_all_parts(assets, tmp_path, monkeypatch):
    monkeypatch.setattr(animate_assets, "opened", lambda folder: assets)
    path = tmp_path / "assets.gif"
    words = ["folder", "--seconds", "0.2", "-o", str(path), "--seed", str(SEED)]
    assert command.run(lambda: animate_assets.main(words)) == 0
    with Image.open(path) as film:
        left, right = 2 * (96 + viewing.GAP) + viewing.GAP, 3 * (192 + viewing.GAP) + viewing.GAP
        assert film.size == (left + right, 3 * (96 + 2 * viewing.LINE))
        assert film.n_frames == 3


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="expected an asset_transformer; got objects"):
        animate_assets.network_of(model("objects", 5))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere", "nowhere: expected the folder of a finished training"),
        ("nowhere --seconds 0", "--seconds 0.0: expected more than 0"),
        ("nowhere --seed -3", "--seed -3: expected 0 or more"),
        ("nowhere -o film.png", "film.png: expected a name that ends in .gif"),
    ],
)
def test_what_has_no_assets_is_refused_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.run(lambda: animate_assets.main(words.split())) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
