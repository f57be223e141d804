"""Networks as ONNX files: what another program computes with them is what Keras computes."""

import json

import keras
import numpy as np
import pytest
from helpers import core_of
from test_closed_loop import oscillators

from sim2seq.data.windows import Scaling
from sim2seq.models import export
from sim2seq.models.builders import Stepwise, physical
from sim2seq.models.candidates.candidate import Hold
from sim2seq.models.candidates.closed_loop import ClosedLoop, member_of
from sim2seq.models.candidates.combination import Combination
from sim2seq.models.export import write_onnx

if keras.backend.backend() != "tensorflow":
    pytest.skip("Keras exports from TensorFlow here", allow_module_level=True)

SERIES = Scaling(np.array([1.0, 2.0]), np.array([3.0, 4.0]))


def combined(**candidates) -> Combination:
    weights = np.full((1, 1, len(candidates)), 1 / len(candidates))
    return Combination(candidates, np.ones(1), weights, -np.ones(2), np.ones(2), SERIES)


def stacked_lstm() -> keras.Model:
    return physical(core_of("stacked_lstm", 2, 1, units=(4,)), 5, SERIES, answers=SERIES, conditions=SERIES.take([0]))


def answered(path, *fed) -> list[np.ndarray]:
    """What another program answers."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path))
    return session.run(None, {one.name: each for one, each in zip(session.get_inputs(), fed, strict=True)})


def test_networks_of_a_combination_answer_as_in_keras(tmp_path):
    pytest.importorskip("tf2onnx")
    runs, rng = oscillators(), np.random.default_rng(0)
    member, model = member_of(runs, 1, 5), stacked_lstm()
    for variable in member.network.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    known = combined(loop=ClosedLoop((member,), np.zeros((60, 4))), hold=Hold(2), stacked_lstm=Stepwise(model, SERIES))
    written = write_onnx(known, tmp_path / "step.onnx", {"window": 5})
    assert {name: path.name for name, path in written.items()} == {
        "loop, member 1": "step.onnx",
        "stacked_lstm": "step_2.onnx",
    }
    fed = [rng.normal(size=(3, each.shape[1])).astype("float32") for each in member.network.inputs]
    for ours, theirs in zip(member.network(fed), answered(tmp_path / "step.onnx", *fed), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
    window = rng.normal(size=(3, 5, 2)).astype("float32")
    told = rng.normal(size=(3, 1)).astype("float32")
    np.testing.assert_allclose(answered(tmp_path / "step_2.onnx", window, told)[0], model([window, told]), atol=1e-4)
    said = json.loads(metadata(tmp_path / "step.onnx"))
    assert said["scalings"]["series"] == {"mean": [1.0, 2.0], "std": [3.0, 4.0]}
    assert said["window"] == 5


def metadata(path) -> str:
    import onnx

    return {one.key: one.value for one in onnx.load(path).metadata_props}["sim2seq"]


def test_what_is_no_network_is_refused_and_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="expected a network to write; the combination is made of hold"):
        write_onnx(combined(hold=Hold(2)), tmp_path / "step.onnx", {})
    assert not list(tmp_path.iterdir())


def test_what_keras_cannot_export_is_refused_with_the_reason(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")

    def fail(*arguments, **options):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(ValueError, match=r"member 1 cannot be exported \(no such operator\)"):
        write_onnx((stacked_lstm(),), tmp_path / "step.onnx", {})
    assert not list(tmp_path.iterdir())


def test_a_failing_export_leaves_the_files_of_an_earlier_one(tmp_path, monkeypatch):
    """The second of two networks fails, when the first is written already."""
    for name in ("step.onnx", "step_2.onnx"):
        (tmp_path / name).write_text("of an earlier one")

    def written(network, path, said):
        path.write_text("half of a new one")
        if said["network"] == "member 2":
            raise RuntimeError("no such operator")

    monkeypatch.setattr(export, "write_one", written)
    monkeypatch.setattr(export, "check_packages", lambda: None)
    with pytest.raises(ValueError, match=r"member 2 cannot be exported \(no such operator\)"):
        write_onnx((None, None), tmp_path / "step.onnx", {})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "step.onnx": "of an earlier one",
        "step_2.onnx": "of an earlier one",
    }
