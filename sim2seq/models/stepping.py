"""Stepping: how a core goes on by one step from a state, instead of reading everything before it again.

A core (see builders.py) steps when its network does: `before` and `after` act on each step for itself, `before` seeing
as many steps as the core needs before its first answer. A network says how it steps in `STEPPERS`, or is a chain of
layers that all step: recurrent ones through their cell, and those that act on each step for itself. What is said and
what is concluded are both held against the core itself, with numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np
from keras import layers, ops, tree

CONTROLS, CONDITIONS = "controls", "inputs"  # names of a model's second and third input

Tensors = list  # of a core: series (samples, steps, inputs) [, conditions (samples, conditions)], scaled

TRIED = 16  # answers that are compared; half of them beyond what the shorter series holds
STEPPED = 4  # answers that are compared of a network that steps
AGREES = 1e-4  # of the largest answer: apart by less is rounding, of float32 through many layers

EACH_STEP = (
    layers.Activation, layers.AlphaDropout, layers.Dense, layers.Dropout, layers.EinsumDense, layers.ELU,
    layers.GaussianDropout, layers.GaussianNoise, layers.Identity, layers.LeakyReLU, layers.ReLU, layers.Rescaling,
)  # fmt: skip
ALONG_AXES = (
    layers.BatchNormalization, layers.LayerNormalization, layers.Normalization, layers.Softmax,
    layers.UnitNormalization,
)  # fmt: skip


@dataclass(frozen=True)
class Stepper:
    """How a network goes on by one step, in scaled units and in keras.ops, as it is compiled.

    begin   number of runs, an int or a scalar tensor -> the state before the first step: tensors, nested as you like
    step    what the network is fed at one step (runs, ...), and the state -> answer (runs, ...), new state

    Without a `before`, it is fed (runs, inputs + conditions): the step of the series, then the conditions of the run.
    """

    begin: Callable
    step: Callable


STEPPERS: dict[str, Callable[[keras.Model], Stepper]] = {}  # name of a core -> core -> how its network steps


@lru_cache(maxsize=16)  # two questions of a rollout have the same answer, which takes as long as a tiny training
def stepper_of(core: keras.Model, *, declared: Stepper | None = None, steps: int = 64) -> Stepper | None:
    """How the network of `core` steps: as `declared`, else by `STEPPERS`, else by its layers; None where it does not.

    `steps` is a number of steps that the core can be given. Raises ValueError where what is declared is not what the
    core answers.
    """
    if declared is None and core.name in STEPPERS:
        declared = STEPPERS[core.name](core)
    stepper = declared or stepper_of_chain(network_of(core))
    if stepper is None or agrees(core, stepper, steps):
        return stepper
    if declared is not None:
        raise ValueError(f"{core.name}: expected a stepper that answers as the model does; its answers differ")
    return None


def is_causal(core: keras.Model, *, steps: int = 64) -> bool:
    """Whether no answer of `core` depends on a later step: tried with random numbers, and random steps on its weights.

    The core on a series is compared with the core on the beginning of the series. `steps` is a number of steps that
    the core can be given.
    """
    if stepper_of(core, declared=None, steps=steps) is not None:
        return True
    inputs = random_inputs(core, lags_of(core, steps) + TRIED - 1)
    shorter = [inputs[0][:, : -TRIED // 2], *inputs[1:]]
    with shaken(core):
        pairs = [(core(one_or_all(inputs)), core(one_or_all(shorter)))]
        if network_of(core) is not core:  # in its own units: what it adds to a linear part may be small
            pairs.append(tuple(network_of(core)(before(core, each)[0]) for each in (inputs, shorter)))
        return all(close(whole[:, : beginning.shape[1]], beginning) for whole, beginning in pairs)


def before(core: keras.Model, inputs: Tensors) -> list:
    """What the network is fed (samples, steps - lags + 1, ...), and what else `after` makes an answer of."""
    part = part_of(core, "before")
    if part is None:
        series, *conditions = inputs
        along = (ops.ones_like(series[..., :1]) * each[:, None] for each in conditions)
        return [ops.concatenate([series, *along], axis=-1)]
    made = part(one_or_all(inputs))
    return list(made) if isinstance(made, (list, tuple)) else [made]


def after(core: keras.Model, rest: list, said, inputs: Tensors):
    """The answers (samples, steps, outputs) made of what the network said, `rest` of `before` and the conditions."""
    part = part_of(core, "after")
    return said if part is None else part([*rest, said, *inputs[1:]])


def advance(core: keras.Model, stepper: Stepper, recent: Tensors, state) -> tuple:
    """The answer (samples, 1, outputs) after `recent`, whose series is the steps that `before` needs; and the state."""
    fed, *rest = (each[:, -1:] for each in before(core, recent))
    said, state = step_once(stepper, fed[:, 0], state)
    return after(core, rest, said[:, None], recent), state


def begin(stepper: Stepper, runs):
    """The state of `runs` runs before the first step, as tensors."""
    return tree.map_structure(ops.convert_to_tensor, stepper.begin(runs))


def step_once(stepper: Stepper, fed, state) -> tuple:
    """One step; the state keeps its nesting and its precision, as a compiled loop asks for."""
    said, moved = stepper.step(fed, state)
    pairs = zip(tree.flatten(moved), tree.flatten(state), strict=True)
    return said, tree.pack_sequence_as(state, [ops.cast(new, old.dtype) for new, old in pairs])


def agrees(core: keras.Model, stepper: Stepper, steps: int) -> bool:
    """Whether the core says the same step by step, with random numbers for its inputs and on its weights."""
    lags, network = lags_of(core, steps), network_of(core)
    inputs = random_inputs(core, lags + STEPPED - 1)
    with shaken(core):
        fed, *rest = before(core, inputs)
        now, *rest_now = before(core, [inputs[0][:, -lags:], *inputs[1:]])
        state, said = begin(stepper, len(fed)), []
        for place in range(fed.shape[1]):
            answer, state = step_once(stepper, fed[:, place], state)
            said.append(answer)
        said = ops.stack(said, axis=1)
        whole, answers = core(one_or_all(inputs)), after(core, rest, said, inputs)
        pairs = [(whole, answers), (whole[:, -1:], after(core, rest_now, said[:, -1:], inputs)), (fed[:, -1:], now)]
        if network is not core:  # in its own units: what it adds to a linear part may be small
            pairs.append((network(fed), said))
    return all(close(*pair) for pair in pairs)


def stepper_of_chain(network) -> Stepper | None:
    """How a chain of layers that all step does it; None for any other network."""
    chain = chain_of(network)
    if chain is None:
        return None
    recurrent = [layer for layer in chain if isinstance(layer, layers.RNN)]

    def step(fed, states):
        hidden, moved, states = fed[:, None], [], iter(states)
        for layer in chain:
            if isinstance(layer, layers.RNN):
                value, state = layer.cell(hidden[:, 0], next(states))
                hidden = value[:, None]
                moved.append(state)
            else:
                hidden = layer(hidden)
        return hidden[:, 0], moved

    return Stepper(lambda runs: [layer.get_initial_state(runs) for layer in recurrent], step)


def chain_of(network) -> list | None:
    """The layers of `network`, first to last; None unless each step is all that they, or their cells, are given."""
    if isinstance(network, keras.Sequential):
        chain = network.layers
    elif isinstance(network, keras.Model):
        chain = getattr(network, "operations", [network])  # one that is no graph of layers does not step
    else:
        chain = [network]
    chain = [layer for layer in chain if not isinstance(layer, layers.InputLayer)]
    single = all(len(tree.flatten(layer.input)) == len(tree.flatten(layer.output)) == 1 for layer in chain)
    return chain if single and all(acts_on_each_step(layer) or recurs(layer) for layer in chain) else None


def recurs(layer) -> bool:
    """Whether `layer` is a cell that goes from the first step to the last and answers at each."""
    return isinstance(layer, layers.RNN) and layer.return_sequences and not (layer.go_backwards or layer.stateful)


def acts_on_each_step(layer) -> bool:
    """Whether `layer`, (samples, steps, ...), is one of those known to treat each step for itself."""
    if type(layer) is layers.Reshape:
        size, kept = np.prod(layer.input.shape[2:]), layer.target_shape
        return kept[0] == -1 and np.prod(kept[1:]) == size
    if type(layer) in ALONG_AXES:
        axes = np.ravel([] if layer.axis is None else layer.axis) % len(layer.input.shape)
        return bool((axes > 1).all())
    return type(layer) in EACH_STEP


def kinds(model: keras.Model) -> list[str]:
    """What each input of the model is: by its name, or by its axes in a model that was made elsewhere."""
    return ["window", *map(kind_of, model.inputs[1:])]


def kind_of(tensor) -> str:
    """What an input beside the window is. Raises ValueError for one that is neither controls nor conditions."""
    axes = len(tensor.shape)
    kind = tensor.name if tensor.name in (CONTROLS, CONDITIONS) else {3: CONTROLS, 2: CONDITIONS}.get(axes)
    if kind is None:
        what = "controls (samples, window, controls) or conditions (samples, conditions)"
        raise ValueError(f"model: expected an input beside the window to be {what}; got shape {tensor.shape}")
    return kind


def core_of(model: keras.Model) -> keras.Model | None:
    """The core of a model of any length that is one of this package (see builders.physical), else None."""
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    scales = any(layer.name == "to_scaled" for layer in model.layers)
    return nested[0] if nested and scales and model.inputs[0].shape[1] is None else None


def scaled(model: keras.Model, window, controls=None, conditions=None) -> list:
    """The inputs of the core: the series, with the controls of the next step beside it, and conditions."""
    layers = {layer.name: layer for layer in model.layers}
    series = layers["to_scaled"](window)
    if controls is not None:
        series = ops.concatenate([series, layers["controls_to_scaled"](controls)], axis=-1)
    return [series] if conditions is None else [series, layers["inputs_to_scaled"](conditions)]


def answers_of(model: keras.Model, core: keras.Model):
    """The tensor of the model's graph that is the core's answers (samples, steps, outputs)."""
    others = [op for op in model.operations if op is not core and not isinstance(op, keras.layers.InputLayer)]
    taken = (each for op in others for each in keras.tree.flatten(op.input))
    return next(each for each in taken if each._keras_history.operation is core)


def restored(model: keras.Model, core: keras.Model) -> keras.Function:
    """What the model makes of the core's answers (samples, steps, outputs): the last one, in physical units."""
    return keras.Function(answers_of(model, core), model.outputs[0])


@lru_cache(maxsize=16)
def core_answering(model: keras.Model, steps: int) -> keras.Model | None:
    """The core, where it says after each of `steps` steps what the model says; None where only the model itself does.

    That is a model made elsewhere, or one whose core is given the last steps only and would use the earlier ones.
    """
    core = core_of(model)
    if core is None:
        return None
    answers = answers_of(model, core)
    cuts = any(type(op).__name__ == "GetItem" and op.input is not answers for op in model.operations)
    if not cuts:
        return core
    inputs = random_inputs(model, steps)
    of_kind = dict(zip(kinds(model), inputs, strict=True))
    series = scaled(model, of_kind["window"], of_kind.get(CONTROLS), of_kind.get(CONDITIONS))
    return core if close(model(one_or_all(inputs)), restored(model, core)(core(one_or_all(series)))) else None


def part_of(core: keras.Model, name: str):
    """The part of a core that has this name, or None."""
    return next((layer for layer in core.layers if layer.name == name), None)


def network_of(core: keras.Model):
    """What is between `before` and `after`; a core that is not made of parts is all network."""
    return part_of(core, "network") or core


def lags_of(core: keras.Model, steps: int) -> int:
    """Steps that the core needs before its first answer. Raises ValueError when that is more than `steps`."""
    shapes = [(1, *(steps if size is None else size for size in x.shape[1:])) for x in core.inputs]
    answers = core.compute_output_shape(one_or_all(shapes))[1]
    if answers is None:  # Keras 3.15 loses a number of steps of 1 in some reshapes
        answers = core(one_or_all(random_inputs(core, steps))).shape[1]
    if answers < 1:
        raise ValueError(f"context: {core.name} expects more than {steps} steps before its first answer")
    return steps - answers + 1


def random_inputs(core: keras.Model, steps: int) -> Tensors:
    """Two samples of `steps` steps, between -1 and 1, the same at each call."""
    draw = np.random.default_rng(0).uniform
    shapes = [(2, *(steps if size is None else size for size in x.shape[1:])) for x in core.inputs]
    return [ops.convert_to_tensor(draw(-1, 1, s), dtype=x.dtype) for s, x in zip(shapes, core.inputs, strict=True)]


def shaken(core: keras.Model) -> keras.StatelessScope:
    """A scope in which the weights of `core` are moved at random, since a weight of 0 hides what hangs on it."""
    draw = np.random.default_rng(1).uniform
    return keras.StatelessScope([(each, each.value + draw(-0.1, 0.1, each.shape)) for each in core.trainable_variables])


def close(one, other) -> bool:
    """Whether two tensors are equal but for rounding, in units of the largest number."""
    one, other = (ops.convert_to_numpy(each) for each in (one, other))
    if one.shape != other.shape:
        return False
    size = np.max(np.abs(np.nan_to_num(one)), initial=0)
    return bool(np.allclose(one, other, rtol=0, atol=AGREES * size, equal_nan=True))


def one_or_all(tensors: list):
    """What a model is called with: one by itself, several as a list."""
    return tensors if len(tensors) > 1 else tensors[0]
