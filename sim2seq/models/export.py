"""Export: the networks of a training as ONNX files, which other programs run without Keras.

A file holds one step: what a network answers after what it is fed. The loop around it is the reader's, as are the
scalings; the file's metadata, under `sim2seq`, say in JSON what goes in and what comes out.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sim2seq._support.command import plain
from sim2seq._support.files import remove
from sim2seq.data.windows import Scaling
from sim2seq.models.builders import Stepwise
from sim2seq.models.candidates.closed_loop import ClosedLoop
from sim2seq.models.candidates.combination import Combination
from sim2seq.models.candidates.feeding import Basis

NEXT = "a window of true values (runs, steps, features), then what is told of the run -> the next step; physical units"
STEP = "value, value before it, extra of the step to come, state -> next value, its state; scaled"
IN_COMPONENTS = f"{STEP}; value @ rows * sqrt(features / components) are the features, kept from low to high"
BEGINNING = "what is told of the run, scaled -> first value, its state"
PACKAGES = ("onnx", "tf2onnx")
LONGEST_REASON = 200  # characters


def write_onnx(models, path: Path, about: dict[str, Any]) -> dict[str, Path]:
    """Write each network of a combination, or each member, into a file: what it is -> its path.

    Of several the first is `path`, and the others stand beside it, with _2, _3 and so on. `about` goes into the
    metadata. Raises ValueError, in one line, where there is no network, where a package is missing, or for a network
    that Keras cannot export; then no file is written, and what was there stays.
    """
    networks = networks_of(models)
    if not networks:
        made_of = ", ".join(models.used)
        raise ValueError(f"--onnx: expected a network to write; the combination is made of {made_of}, which are none")
    check_packages()
    paths = [path, *(path.with_stem(f"{path.stem}_{number}") for number in range(2, 1 + len(networks)))]
    made = [each.with_name(f"unfinished_{each.name}") for each in paths]
    try:
        for (name, (network, more)), each in zip(networks.items(), made, strict=True):
            write_one(network, each, about | {"network": name} | more)
        for each, place in zip(made, paths, strict=True):
            each.replace(place)
    except Exception as error:  # Keras, TensorFlow and tf2onnx raise of every kind
        reason = plain(error, LONGEST_REASON) or type(error).__name__
        raise ValueError(f"--onnx: {name} cannot be exported ({reason})") from error
    finally:
        for each in made:
            remove(each)
    return dict(zip(networks, paths, strict=True))


def networks_of(models) -> dict[str, tuple[keras.Model, dict]]:
    """Name -> network, and what its file says beside `about`; empty where nothing is a network."""
    if not isinstance(models, Combination):
        names = [f"member {i}" for i in range(1, 1 + len(models))]
        return {name: (model, {"step": NEXT}) for name, model in zip(names, models, strict=True)}
    found: dict[str, tuple[keras.Model, dict]] = {}
    scalings = {name: plain_numbers(getattr(models, name)) for name in ("series", "conditions", "controls")}
    for name in models.used:
        one = models.candidates[name]
        if isinstance(one, Stepwise):
            found[name] = (one.model, {"step": NEXT})
        if isinstance(one, ClosedLoop):
            said = {
                "step": STEP if one.basis is None else IN_COMPONENTS,
                "clock": np.asarray(one.clock).tolist(),
                "scalings": scalings,
            }
            said["basis"] = plain_numbers(one.basis)
            for i, member in enumerate(one.members, start=1):
                found[f"{name}, member {i}"] = (member.network, said)
                if member.beginning is not None:
                    found[f"{name}, member {i}, beginning"] = (member.beginning, said | {"step": BEGINNING})
    return found


def plain_numbers(scaling: Scaling | Basis | None) -> dict[str, list[float]] | None:
    return None if scaling is None else {name: np.asarray(each).tolist() for name, each in asdict(scaling).items()}


def check_packages() -> None:
    """Raise ValueError where what writes the files is not installed."""
    from importlib.util import find_spec

    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise ValueError(f"--onnx needs {', '.join(missing)}: ./setup.sh onnx where sim2seq was cloned")


def write_one(network: keras.Model, path: Path, said: dict) -> None:
    """One network as a file. Raises whatever Keras, TensorFlow and tf2onnx do."""
    import onnx

    network = keras.models.clone_model(network, clone_function=with_numbers)
    network(nothing(network, max(1, said.get("window", 1))))  # Keras exports no model that was never called
    network.export(str(path), format="onnx", verbose=False)
    made = onnx.load(str(path))
    onnx.helper.set_model_props(made, {"sim2seq": json.dumps(said)})
    onnx.save(made, str(path))
    if asked := {each.name for each in made.graph.input} - {each.name for each in network.inputs}:
        raise ValueError(f"the file asks for inputs that the network does not have: {', '.join(sorted(asked))}")


def with_numbers(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer itself; of one that scales another one, since the exporter takes what it holds for inputs."""
    if not isinstance(layer, keras.layers.Normalization):
        return layer
    mean, spread = np.ravel(layer.input_mean), np.sqrt(np.ravel(layer.input_variance))
    scale, offset = (spread, mean) if layer.invert else (1 / spread, -mean / spread)
    return keras.layers.Rescaling(scale, offset, dtype=layer.dtype_policy, name=layer.name)


def nothing(network: keras.Model, steps: int) -> list[np.ndarray] | np.ndarray:
    """Zeros for every input of a network, of one run and, where that is open, so many steps."""
    zeros = [np.zeros((1, *(size or steps for size in each.shape[1:])), "float32") for each in network.inputs]
    return zeros if len(zeros) > 1 else zeros[0]
