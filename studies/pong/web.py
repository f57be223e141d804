#!/usr/bin/env python
"""Write a model of Pong as a page to play in: one HTML file that needs no server, no network and no other file.

    python studies/pong/web.py FOLDER --output pong.html

The page holds the model's step as an ONNX graph (made by tf2onnx, as by `sim2seq export --onnx`) and an interpreter of
such graphs in JavaScript; the game is in it too, so that both are seen side by side. Its frames are Keras' to 1e-4.
A model whose step needs an operation that the interpreter does not know, such as a convolution, is refused.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim2seq._support import command
from sim2seq._support.files import write_text
from studies.pong import viewing
from studies.pong.trainings import TOLD
from studies.pong.worlds import Pong

OPSET = 15
TEMPLATE = "web.html.j2"
WORKS = f"a model of dense layers, recurrent ones too, or objects that is told the angle ({TOLD})"


@dataclass(frozen=True)
class Exported:
    """What a page is made of.

    graph      nodes, constants, names of inputs and outputs: row, action, state...[, told] -> row, state...
    known      how many frames the model must be shown
    told       names of the inputs of an episode
    things     name, places of x and y, and picture (2 size, 2 size) of what is drawn; none where the row is a frame
    """

    world: Pong
    graph: dict[str, Any]
    known: int
    told: tuple[str, ...]
    things: list[dict[str, Any]]


def exported(folder) -> Exported:
    """The model of a finished training, as a graph. Raises ValueError, in one line, for one that a page cannot hold."""
    from studies.pong import pictures
    from studies.pong.dream import check_training, training_of
    from studies.pong.trainings import OURS

    world = check_training(folder)
    if not isinstance(world, Pong):
        raise ValueError(f"{folder}: expected a model of pong; got one of {world.name}")
    training = training_of(folder)
    settings = training.settings
    if settings.model == OURS and not settings.inputs:
        raise ValueError(f"{folder}: expected {WORKS}; got {OURS} that searches in the frames that it is shown")
    drawn = pictures.read(folder, world) if settings.model == OURS else None
    return of_model(world, training.model, settings.window, settings.inputs, drawn)


def of_model(world: Pong, model, known: int, told: tuple[str, ...], drawn=None) -> Exported:
    """A model, as in dream.of_model, as a graph; its scalings hold plain numbers from now on."""
    from sim2seq.models.export import check_packages
    from studies.pong.pictures import THINGS
    from studies.pong.stepping import Steps

    check_packages()
    axes = THINGS[world.name]
    things = [] if drawn is None else [{"axes": axes[name], "picture": packed(drawn.of[name])} for name in axes]
    graph = graph_of(Steps(with_numbers(model), known), model.inputs[0].shape[-1], len(told))
    return Exported(world, graph, known, tuple(told), things)


def with_numbers(model):
    """The model, its scalings holding plain numbers: the exporter takes tensors that a layer holds for inputs."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = (keras.ops.convert_to_numpy(each) for each in (layer.mean, layer.variance))
    return model


def graph_of(steps, features: int, told: int) -> dict[str, Any]:
    """The step of a model (stepping.Steps) as a graph in plain words and numbers."""
    import keras
    import tensorflow as tf
    import tf2onnx

    from sim2seq.models import stepping

    start = stepping.begin(steps.stepper, 1)
    state = [np.shape(each) for each in keras.tree.flatten(start)]

    def step(row, action, *rest):
        inner = keras.tree.pack_sequence_as(start, list(rest[: len(state)]))
        answer, inner = steps.once([row, action, inner, *rest[len(state) :]])
        return [answer, *keras.tree.flatten(inner)]

    shapes = [(1, features), (1,), *state, *([(1, told)] if told else [])]
    signature = [tf.TensorSpec(shape, tf.float32, name=f"input_{number}") for number, shape in enumerate(shapes)]
    function = tf.function(step, input_signature=signature)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it misses is said below, in one line
    made, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    found = plain_graph(made.graph, [each.name for each in signature])
    return found | {"states": [list(shape) for shape in state]}


def plain_graph(graph, inputs: list[str]) -> dict[str, Any]:
    """A graph of ONNX that is fed these inputs, with numbers in place of names.

    Raises ValueError for operations that the page does not know, and for a graph that wants to be fed more.
    """
    from onnx import helper, numpy_helper

    if unknown := {node.op_type for node in graph.node} - operations():
        raise ValueError(f"model: a page knows no {', '.join(sorted(unknown))}; expected {WORKS}")
    if more := {each.name for each in graph.input} - set(inputs):
        raise ValueError(f"model: expected a step of {', '.join(inputs)}; it also asks for {', '.join(sorted(more))}")
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers)) if name else -1

    constants = {number(each.name): packed(numpy_helper.to_array(each)) for each in graph.initializer}
    nodes = [
        [
            node.op_type,
            [number(name) for name in node.input],
            [number(name) for name in node.output],
            {each.name: readable(helper.get_attribute_value(each)) for each in node.attribute},
        ]
        for node in graph.node
    ]
    fed, said = [number(name) for name in inputs], [number(each.name) for each in graph.output]
    return {"nodes": nodes, "constants": constants, "inputs": fed, "outputs": said}


def operations() -> set[str]:
    """What the page's interpreter knows."""
    words = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
    table = words[words.index("const OPERATIONS = {") : words.index("// --- the model")]
    return set(re.findall(r"(?:^|[ {])([A-Z]\w+): ", table))


def readable(value):
    """An attribute's value as JSON has it."""
    from onnx import TensorProto, numpy_helper

    return packed(numpy_helper.to_array(value)) if isinstance(value, TensorProto) else value


def packed(values: np.ndarray) -> dict[str, Any]:
    """An array as JSON: numbers of float32 in base64, whole ones as they are."""
    values = np.asarray(values)
    if values.dtype.kind in "iub":
        return {"shape": list(values.shape), "whole": values.astype(int).ravel().tolist()}
    data = base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()
    return {"shape": list(values.shape), "float": data}


def page(model: Exported, title: str) -> str:
    """The HTML page of a model."""
    from sim2seq.report.page import template

    world = model.world
    content = {
        "graph": model.graph,
        "known": model.known,
        "told": list(model.told),
        "things": model.things,
        "size": world.size,
        "plankWidth": world.plank_width,
        "plankHeight": world.plank_height,
        "ball": world.ball,
        "lacks": viewing.LACKS,
        "adds": viewing.ADDS,
    }
    words = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return template(TEMPLATE, Path(__file__).parent).render(title=title, content=words)


def main(argv=None):
    parser = command.Parser(description="Write a model of Pong as a page to play in.")
    parser.add_argument("model", help="folder of a finished training")
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, default=Path("pong.html"), help="page, .html")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE")
    options = parser.parse_args(argv)
    viewing.check_output(options.output, ".html", replace=options.replace)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    write_text(options.output, page(exported(options.model), f"Pong, dreamed by {Path(options.model).name}"))
    print(f"{options.output}: {options.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    sys.exit(command.run(main))
