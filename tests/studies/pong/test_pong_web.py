"""A model of Pong as a page: its frames are Keras', its game is ours, and it asks for nothing from outside."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from sim2seq._support import command
from sim2seq.data.windows import Scaling
from sim2seq.models.builders import Sizes, physical
from studies.pong import dream, pictures, places, web
from studies.pong.agents import make_agent
from studies.pong.networks import NETWORKS
from studies.pong.simulate import simulate
from studies.pong.study import PongSettings
from studies.pong.worlds import CubeCrash, Pong

PONG, KNOWN, SEED, STEPS = Pong(), 3, 4, 25
TOLD = ("launch_sin", "launch_cos")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
RUN = """<script>
clearInterval(ticking);
const model = new Model(), given = %s, frames = [];
model.begin(given.rows, given.known, given.told);
for (const action of given.actions) frames.push([...model.step(action), model.over]);
const game = new Game(given.angle), games = [[...game.frame(), game.over]], read = [game.row()];
for (const action of given.played) {
  game.step(action);
  games.push([...game.frame(), game.over]);
  read.push(game.row());
}
const note = document.getElementById("note").textContent;
document.body.textContent = JSON.stringify({frames, games, read, note});
</script>"""


@pytest.fixture(scope="module")
def training():
    """Some episodes of 20 steps or more, to begin a model with."""
    found = simulate(PONG, range(60), make_agent(PONG, range(60), 0.2), steps=20)
    return found.states[found.lengths == 20], found.frames[found.lengths == 20], found.actions[found.lengths == 20]


@pytest.fixture(scope="module")
def model(training):
    """A model of places as it is before it learns."""
    states, frames, actions = training
    values = np.concatenate([places.find(PONG, frames), 0 * states[..., :1], actions[..., None]], axis=-1)
    launch = PONG.inputs(states[:, 0])
    told = np.stack([launch[name] for name in TOLD], axis=-1)
    settings = PongSettings.parse(["size=debug"])
    core = NETWORKS["objects"](Sizes(5, 5, 1, 2), settings, values=values, conditions=told)
    return physical(core, None, Scaling.none(5), controls=Scaling.none(1), conditions=Scaling.none(2))


@pytest.fixture(scope="module")
def drawn(training):
    frames = training[1].reshape(-1, 32, 32)
    return pictures.learn(PONG, frames, places.find(PONG, frames))


@pytest.fixture(scope="module")
def played():
    return simulate(PONG, [SEED], make_agent(PONG, [SEED], 0.5), steps=30)


def opened(page: str, path) -> dict:
    """What a browser without a window makes of a page: the text of its body, as JSON."""
    path.write_text(page)
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    return json.loads(html.unescape(re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL).group(1)))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_frames_in_a_browser_are_those_of_keras_and_of_the_game(model, played, drawn, tmp_path):
    launch = PONG.inputs(played.states[:, 0])
    told = np.array([launch[name][0] for name in TOLD])
    frames, length = played.frames[0, :KNOWN], played.lengths[0]
    actions = np.random.default_rng(1).integers(0, 9, STEPS)
    given = {
        "rows": np.column_stack([places.find(PONG, frames), np.zeros(KNOWN)]).tolist(),
        "known": played.actions[0, :KNOWN].tolist(),
        "told": told.tolist(),
        "actions": actions.tolist(),
        "angle": launch["launch_angle"][0],
        "played": played.actions[0, 1:length].tolist(),
    }
    exported = web.of_model(PONG, model, KNOWN, TOLD, drawn)
    page = web.page(exported, "a <test>")
    found = opened(page.replace("</body>", RUN % json.dumps(given) + "</body>"), tmp_path / "page.html")
    kept = dream.of_model(PONG, model, KNOWN, TOLD, drawn)
    state = kept.begin(frames, played.actions[0, :KNOWN], told)
    for made, action in zip(found["frames"], actions, strict=True):
        frame, state = kept.step(state, action)
        assert np.abs(made[:-1] - frame.ravel()).max() < 1e-4
        assert made[-1] == pytest.approx(float(state.over), abs=1e-4)
    assert len({tuple(made[:-1]) for made in found["frames"]}) > 5  # they differ
    games = np.array(found["games"])
    assert np.array_equal(games[:, :-1].reshape(-1, 32, 32), played.frames[0, :length] / 255)
    assert games[:, -1].tolist() == played.terminals[0, :length].tolist()
    assert [row[:4] for row in found["read"]] == places.find(PONG, played.frames[0, :length]).tolist()
    assert found["note"].startswith("step ")  # the page was playing by itself
    assert not re.findall(r"""(?:src|href)=|https?:|fetch\(|import\(""", page)
    assert "a &lt;test&gt;" in page


def test_a_step_that_the_page_does_not_know_is_refused():
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("input_0", "out")]
    graph = helper.make_graph([helper.make_node("Conv", ["input_0", "input_0"], ["out"])], "step", value[:1], value[1:])
    with pytest.raises(ValueError, match="a page knows no Conv; expected a model of dense layers"):
        web.plain_graph(graph, ["input_0"])
    graph.node[0].op_type = "Relu"
    with pytest.raises(ValueError, match="expected a step of row; it also asks for input_0"):
        web.plain_graph(graph, ["row"])


def test_convolutions_are_refused_without_the_exporters_words(caplog):
    values = np.zeros((1, 9, 1026))
    core = NETWORKS["deconvolving_rnn"](Sizes(1025, 1025, 1), PongSettings.parse(["size=debug"]), values=values)
    made = physical(core, None, Scaling.none(1025), controls=Scaling.none(1))
    with pytest.raises(ValueError, match=r"a page knows no .*Conv.*; expected a model of dense layers, recurrent ones"):
        web.of_model(PONG, made, KNOWN, ())
    assert [record.name for record in caplog.records if record.name.startswith("tf2onnx")] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere", "nowhere: expected the folder of a finished training"),
        ("cubes", "cubes: expected a model of pong; got one of cube_crash"),
        ("nowhere -o page.txt", "page.txt: expected a name that ends in .html"),
    ],
)
def test_what_cannot_become_a_page_is_refused_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "scores.json").write_text("{}")
    dream.write_world(tmp_path / "cubes", CubeCrash())
    assert command.run(lambda: web.main(words.split())) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cubes"]
