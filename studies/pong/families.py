"""The source's five families of networks, which make frames out of frames and actions.

Each is one layer: (runs, steps, what is known of a step) -> (runs, steps, pixels + 1), after each step the next frame,
0 to 1, and the chance that the game is over there; nothing before the `known` first frames are seen. What is known of
a step: its frame, whether the game is over, the action of the next step, and what is told of the episode. `begin` and
`step` say the same from a state, one step after the other, so that a played frame costs one step.

Recurrent ones (https://github.com/ichko/forward-model, src/models): the known frames, or what is told of the episode,
become the state of a GRU that is fed actions; two more, dilated, see every `skip`-th step; a decoder makes the frame.
"""

from __future__ import annotations

import keras
from keras import layers, ops

BRIGHT = 255.0
SLOPE = 0.1  # of the leaky ReLU
UP = 8.0  # 2 for the ReLU, times 4: of a kernel of 4 x 4 at stride 2, a quarter meets each pixel
LAST = {"activation": None, "use_bias": False, "kernel_initializer": "zeros"}  # nothing but the background at first


def leaky(value):
    return ops.leaky_relu(value, negative_slope=SLOPE)


def dense(size: int, activation=leaky, **options):
    return layers.Dense(size, activation=activation, **options)


def conv(size: int, kernel: int, stride: int = 1, activation=leaky, **options):
    return layers.Conv2D(size, kernel, strides=stride, padding="same", activation=activation, **options)


def up(size: int, activation=leaky, **options):
    """Twice as high and wide; begins with weights that keep the size of what they are given."""
    options = {"kernel_initializer": keras.initializers.VarianceScaling(UP, "fan_out")} | options
    return layers.Conv2DTranspose(size, 4, strides=2, padding="same", activation=activation, **options)


def even():
    """Mean 0 and spread 1 over all of a picture: of one sample, so that a step says what a training says."""
    return layers.GroupNormalization(1)


class Family(layers.Layer):
    """What all share. `closed`: after the known frames it learns from its own ones, not from the true ones.

    Weights that do not begin by chance, see networks.py: `background` is added to all that is said of pixels, before
    the sigmoid; of the known frames, recurrent ones read how far they are from `middle`, in units of `spread`.
    """

    def __init__(self, height, width, *, known, actions, told=0, hidden=32, skip=1, closed=False, **options):
        super().__init__(**options)
        self.height, self.width, self.known, self.actions, self.told = height, width, known, actions, told
        self.hidden, self.skip, self.closed, self.pixels = hidden, skip, closed, height * width
        self.embedding = dense(self.embedded, None)
        self.end = dense(1, "sigmoid")
        self.make()

    embedded = 16  # numbers that an action becomes

    def make(self) -> None:
        """The layers of the family."""

    def get_config(self):
        names = ("height", "width", "known", "actions", "told", "hidden", "skip", "closed")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def parts(self, fed):
        """Frame 0 to 1, action of the next step as `actions` numbers, what is told: of (..., pixels + 2 + told)."""
        action = ops.one_hot(ops.cast(fed[..., self.pixels + 1], "int32"), self.actions, dtype=fed.dtype)
        return fed[..., : self.pixels] / BRIGHT, action, fed[..., self.pixels + 2 :]

    def images(self, flat):
        """(runs, height, width, 1) of (runs, pixels), or with one channel a frame (runs, frames, pixels)."""
        if len(flat.shape) == 2:
            return ops.reshape(flat, (-1, self.height, self.width, 1))
        return ops.transpose(ops.reshape(flat, (-1, self.known, self.height, self.width)), (0, 2, 3, 1))

    def answer(self, logits, hidden):
        return ops.concatenate([ops.sigmoid(logits + self.background), self.end(hidden)], axis=-1)

    @property
    def grounds(self) -> tuple[int, ...]:
        """The shape of `background`, which is added to what a family says of each pixel, before the sigmoid."""
        return (self.pixels,)

    def build(self, shape):
        super().build(shape)
        self.background = self.add_weight(shape=self.grounds, name="background", initializer="zeros")
        known = {"shape": (self.known, self.pixels), "trainable": False}
        self.middle = self.add_weight(name="middle", initializer="zeros", **known)
        self.spread = self.add_weight(name="spread", initializer="ones", **known)
        state = self.begin(1)
        self.step(ops.zeros((1, shape[-1])), state, training=False)  # makes all weights

    def call(self, fed, training=None):
        """All answers; see the module."""
        frames, actions, told = self.parts(fed)
        last = self.known - 1
        if fed.shape[1] is not None and fed.shape[1] <= last:
            return ops.zeros_like(fed[..., : self.pixels + 1])
        answers = self.answers(frames, actions[:, last:], told[:, last], training)
        return ops.concatenate([ops.zeros_like(fed[:, :last, : self.pixels + 1]), answers], axis=1)

    def closed_loop(self, frame, actions, state, training):
        """Answers one after the other, from the one before. frame (runs, pixels), actions (runs, steps, n)."""

        def one(carried, action):
            said, state = carried
            said, state = self.advance(said[:, : self.pixels], action, state, training)
            return (said, state), (said, state)  # as Keras 3.15 wants it on TensorFlow: the shape of what is carried

        first = ops.concatenate([frame, ops.zeros_like(frame[:, :1])], axis=-1)
        said, _ = ops.scan(one, (first, state), ops.transpose(actions, (1, 0, 2)))[1]
        return ops.transpose(said, (1, 0, 2))

    def begin(self, runs):
        """The state before the first step: the known frames so far, how many steps there were, and its own.

        In a closed loop also what it said last, which it goes on from whatever it is shown, as in `call`.
        """
        said = [ops.zeros((runs, self.pixels))] if self.closed else []
        return [ops.zeros((runs, self.known, self.pixels)), ops.zeros((runs, 1)), *said, *self.own(runs)]

    def step(self, fed, state, training=None):
        """One step: (runs, what is known of it), state -> answer, state."""
        (frame, action, told), (seen, count, *own) = self.parts(fed), state
        seen, count = ops.concatenate([seen[:, 1:], frame[:, None]], axis=1), count + 1
        first, begun = (ops.cast(each, fed.dtype) for each in (count == self.known, count >= self.known))
        if self.closed:
            last, *own = own
            frame = self.blend(begun - first, last, frame)
        fresh = self.start(seen, told)
        own = [self.blend(first, new, old) for new, old in zip(fresh, own, strict=True)]
        said, own = self.advance(frame, action, own, training)
        own = [said[:, : self.pixels], *own] if self.closed else own
        return begun * said, [seen, count, *(self.blend(begun, each, 0 * each) for each in own)]

    @staticmethod
    def blend(share, one, other):
        share = ops.reshape(share, (-1, *[1] * (len(one.shape) - 1)))
        return share * one + (1 - share) * other


class Recurrent(Family):
    """A GRU that begins with what the known frames, or the inputs of the episode, become; and two dilated ones.

    A family of this kind says `decode(hidden, frame, training)`: (runs, pixels) before the sigmoid.
    """

    def make(self) -> None:
        self.core, self.first, self.second = (layers.GRU(self.hidden, return_sequences=True) for _ in range(3))
        self.reader = [dense(64), dense(self.hidden, None)] if self.told else self.encoder()

    def encoder(self) -> list:
        """Layers from the known frames (runs, height, width, known) to the first state."""
        return [layers.Flatten(), dense(128), dense(self.hidden, None)]

    def own(self, runs):
        return [ops.zeros((runs, self.hidden)), *(ops.zeros((runs, self.skip, self.hidden)) for _ in range(2))]

    def start(self, seen, told):
        state = told if self.told else self.images((seen - self.middle) / self.spread)
        for layer in self.reader:
            state = layer(state)
        rings = ops.zeros_like(ops.repeat(state[:, None], self.skip, axis=1))
        return [state, rings, rings]

    def advance(self, frame, action, own, training):
        hidden, first, second = own
        hidden, _ = self.core.cell(self.embedding(action), [hidden])
        once, _ = self.first.cell(hidden, [first[:, 0]])
        twice, _ = self.second.cell(once, [second[:, 0]])
        rings = [ops.concatenate([ring[:, 1:], new[:, None]], 1) for ring, new in ((first, once), (second, twice))]
        return self.answer(self.decode(twice, frame, training), twice), [hidden, *rings]

    def answers(self, frames, actions, told, training):
        own = self.start(frames[:, : self.known], told)
        if self.closed:
            return self.closed_loop(frames[:, self.known - 1], actions, own, training)
        hidden = self.core(self.embedding(actions), initial_state=own[0])
        hidden = self.dilated(self.second, self.dilated(self.first, hidden))
        flat, fed = (ops.reshape(each, (-1, each.shape[-1])) for each in (hidden, frames[:, self.known - 1 :]))
        said = self.answer(self.decode(flat, fed, training), flat)
        return ops.reshape(said, (-1, ops.shape(actions)[1], self.pixels + 1))

    def dilated(self, layer, value):
        """A recurrent layer whose state comes from `skip` steps before: as many interleaved series."""
        if self.skip == 1:
            return layer(value)
        steps, size = ops.shape(value)[1], value.shape[-1]
        rows = (steps + self.skip - 1) // self.skip
        padded = ops.concatenate([value, ops.repeat(0 * value[:, :1], self.skip - 1, axis=1)], axis=1)
        each = ops.reshape(padded[:, : rows * self.skip], (-1, rows, self.skip, size))
        each = ops.reshape(ops.transpose(each, (0, 2, 1, 3)), (-1, rows, size))
        each = ops.transpose(ops.reshape(layer(each), (-1, self.skip, rows, self.hidden)), (0, 2, 1, 3))
        return ops.reshape(each, (-1, rows * self.skip, self.hidden))[:, :steps]


@keras.saving.register_keras_serializable("sim2seq.pong")
class DenseRNN(Recurrent):
    """The frame is two dense layers away from the state."""

    embedded = 32

    def make(self) -> None:
        super().make()
        self.decoder = [dense(128), dense(self.pixels, **LAST)]

    def decode(self, hidden, frame, training):
        for layer in self.decoder:
            hidden = layer(hidden)
        return hidden


@keras.saving.register_keras_serializable("sim2seq.pong")
class DeconvolvingRNN(Recurrent):
    """The frame comes of four transposed convolutions, its first state of two convolutions."""

    embedded = 32

    def make(self) -> None:
        super().make()
        self.small = (-(-self.height // 16), -(-self.width // 16))
        self.decoder = [
            dense(256), layers.LayerNormalization(),
            dense(64 * self.small[0] * self.small[1]),
            layers.Reshape((*self.small, 64)),
            up(64), even(), up(32), even(), up(16), even(), up(1, **LAST),
        ]  # fmt: skip

    def encoder(self) -> list:
        return [conv(16, 5, 2), even(), conv(16, 5, 2), even(), layers.Flatten(), dense(self.hidden, None)]

    def decode(self, hidden, frame, training):
        for layer in self.decoder:
            hidden = layer(hidden)
        return ops.reshape(hidden[:, : self.height, : self.width], (-1, self.pixels))


@keras.saving.register_keras_serializable("sim2seq.pong")
class FrameTransformer(Family):
    """Not recurrent: the next frame from the last `known` ones and the action, through dense layers."""

    embedded = 32

    def make(self) -> None:
        self.reader = [layers.Dropout(0.3), dense(64), dense(64), dense(self.hidden)]
        self.decoder = [dense(128), dense(128)]
        self.frame = dense(self.pixels, **LAST)

    def own(self, runs):
        return [ops.zeros((runs, (self.known - 1) * self.pixels))]

    def start(self, seen, told):
        return [ops.reshape(seen[:, :-1], (ops.shape(seen)[0], (self.known - 1) * self.pixels))]  # maybe no frame

    def said(self, frames, action, training):
        for layer in self.reader:
            frames = layer(frames, training=training) if isinstance(layer, layers.Dropout) else layer(frames)
        hidden = ops.concatenate([frames, self.embedding(action)], axis=-1)
        for layer in self.decoder:
            hidden = layer(hidden)
        return self.answer(self.frame(hidden), hidden)

    def advance(self, frame, action, own, training):
        """`own` holds the frames before this one."""
        frames = ops.concatenate([*own, frame], axis=-1)
        return self.said(frames, action, training), [frames[:, self.pixels :]]

    def answers(self, frames, actions, told, training):
        if self.closed:
            return self.closed_loop(
                frames[:, self.known - 1], actions, self.start(frames[:, : self.known], told), training
            )
        steps = ops.shape(actions)[1]
        windows = ops.concatenate([frames[:, place : place + steps] for place in range(self.known)], axis=-1)
        return self.said(windows, actions, training)
