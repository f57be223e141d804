"""The task of symbols: the probability of each step's symbol given those before it, and so of a whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import ops
from scipy.special import log_softmax, logsumexp, softmax

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.windows import Columns, Scaling, Windows
from sim2seq.models import stepping
from sim2seq.models.stepping import one_or_all
from sim2seq.training.task import Layout, Scalings, Task

BATCH = 1024  # runs at once
MOST_TRIED = 256  # steps at which it is tried whether a model looks ahead
AGREES = 1e-5  # of the largest answer: apart by less is rounding
ORDERS = (1, 2, 4, 8)  # of the Markov chains among the baselines
ENOUGH = 20  # symbols seen for each number of a Markov chain, or it is left out
PRIOR = 0.5  # seen of each symbol in each context: Krichevsky and Trofimov, The performance of universal encoding, 1981


@dataclass(frozen=True)
class NextSymbol(Task):
    """The symbol of each step from those before it, beginning with a start token; every step is scored.

    symbols   the alphabet: two numbers or more
    feature   the name of the feature that has them; "": the only one

    A prediction is the log-probability of each symbol at each step (1, runs, steps, symbols), of the mixture of all
    models; the sum over the steps of a run is that of the run. The error is the cross-entropy, in nats a step.
    A core is given tokens: a one at the place of the symbol, none at the start token. It answers with logits.
    """

    symbols: tuple[float, ...]
    feature: str = ""
    kind: ClassVar[str] = "next symbol"
    of_whole_runs: ClassVar[bool] = True
    position: ClassVar[str] = "step"
    measure: ClassVar[str] = "cross-entropy"
    start: ClassVar[int] = 1  # tokens before that of the first symbol

    def __post_init__(self):
        if len(set(self.symbols)) != len(self.symbols) or len(self.symbols) < 2:
            raise ValueError(f"symbols: expected two different numbers or more; got {self.symbols}")

    def layout(self, ensemble: Ensemble, settings) -> Layout:
        names = tuple(f"{symbol:g}" for symbol in self.symbols)
        units, sizes = ("nat",) * len(names), self.sizes(ensemble, settings, names, names)
        return Layout((self.feature_of(ensemble),), names, units, Columns(ahead=self.start), sizes)

    def feature_of(self, ensemble: Ensemble) -> str:
        """The name of the feature. Raises ValueError where it is not there, or not clear."""
        if not self.feature and len(ensemble.features) > 1:
            raise ValueError(f"feature: expected the name of one; the runs have: {', '.join(ensemble.features)}")
        name = self.feature or ensemble.features[0]
        ensemble.places([name])
        return name

    def checked(self, ensemble: Ensemble) -> Ensemble:
        """The runs. Raises ValueError, naming the first place, for a value that is no symbol."""
        labels = self.labels(ensemble)
        bad = np.argwhere((labels < 0) & (np.arange(ensemble.steps) < ensemble.lengths[:, None]))
        if len(bad):
            (run, step), known = bad[0], ", ".join(f"{symbol:g}" for symbol in self.symbols)
            got = np.asarray(ensemble.values[run : run + 1])[0, step, ensemble.places([self.feature_of(ensemble)])[0]]
            raise ValueError(f"run {ensemble.run_ids[run]}, step {step}: expected a symbol of {known}; got {got:g}")
        return ensemble

    def labels(self, part: Ensemble) -> np.ndarray:
        """The place of each symbol in the alphabet (runs, steps), -1 beyond the end of a run."""
        values = np.asarray(part.values)[..., part.places([self.feature_of(part)])[0]]
        labels = labels_of(values, self.symbols)
        return np.where(np.arange(part.steps) < part.lengths[:, None], labels, -1)

    def long_enough(self, part: Ensemble, settings) -> np.ndarray:
        return part.lengths > 0

    def positions(self, part: Ensemble, settings) -> list[int]:
        return list(range(part.steps))

    def positions_of(self, part: Ensemble, settings) -> int:
        return part.steps

    def targets(self, parts: list[Ensemble], settings) -> int:
        """A sample is a whole run."""
        return max(part.steps for part in parts)

    def truth(self, part: Ensemble, settings) -> np.ndarray:
        """(runs, steps, symbols): 0, the logarithm of 1, for the symbol that came, nan for others."""
        return np.where(self.labels(part)[..., None] == np.arange(len(self.symbols)), 0.0, np.nan)

    def scalings(self, training: Ensemble, settings, *, scaled: bool = True) -> Scalings:
        conditions = training.inputs_of_runs(settings.inputs)
        of_runs = None if conditions is None else Scaling.of(conditions, names=settings.inputs)
        return Scalings(Scaling.none(len(self.symbols)), of_runs)

    def learned_from(self, training: Ensemble, settings, scalings: Scalings) -> np.ndarray:
        return tokens_of(self.labels(training), len(self.symbols), self.start)

    def windows(self, part: Ensemble, settings, scalings: Scalings, targets: int, **options) -> Windows:
        """The samples of a part, one a run, padded to the longest."""
        labels = np.pad(self.labels(part), ((0, 0), (0, targets - part.steps)), constant_values=-1)
        return Windows(
            with_start(labels, len(self.symbols), self.start),
            1,
            targets=targets,
            columns=Columns(ahead=self.start),
            conditions=scalings.of_conditions(part.inputs_of_runs(settings.inputs)),
            lengths=part.lengths + self.start,
            **options,
        )

    def carries(self, core, targets: int) -> bool:
        return True

    def hidden(self, steps: int) -> np.ndarray:
        """Which tokens (answers, tokens) an answer must not depend on: those of its own symbol and of later ones."""
        return ~np.tri(steps, dtype=bool)

    def check_core(self, core, settings, targets: int) -> None:
        if (steps := core.inputs[0].shape[1]) not in (None, targets):
            raise ValueError(f"model {settings.model}: expected runs of {steps} steps; got {targets}")
        if depends(core, self.hidden(targets)):
            raise ValueError(
                f"model {settings.model}: its probability of a symbol depends on that symbol or on others that it must "
                "not see, as with a bidirectional layer, or attention without a mask"
            )

    def loss(self, core, settings):
        return keras.losses.CategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")

    def predict(self, models, part: Ensemble, settings) -> np.ndarray:
        tokens = tokens_of(self.labels(part), len(self.symbols), self.start)
        return log_probabilities(models, tokens, part.inputs_of_runs(settings.inputs))[None]

    def baselines(self, training: Ensemble, part: Ensemble, settings, more: Mapping[str, Callable]) -> dict:
        """Name -> log-probabilities: all symbols alike, their frequency, Markov chains of several orders.

        The study's own are (labels to learn from (runs, steps), labels to be predicted, number of symbols) -> those.
        """
        learned, asked, symbols = self.labels(training), self.labels(part), len(self.symbols)
        enough = [order for order in ORDERS if (learned >= 0).sum() >= ENOUGH * symbols ** (order + 1)]
        found = {"uniform": np.full((*asked.shape, symbols), -np.log(symbols))}
        for order in (0, *enough):
            found[f"Markov chain of order {order}" if order else "frequency"] = markov(learned, asked, symbols, order)
        return found | {name: baseline(learned, asked, symbols) for name, baseline in more.items()}


def labels_of(values: np.ndarray, symbols) -> np.ndarray:
    """The place of each value in the alphabet, -1 for what is not in it."""
    labels = np.full(values.shape, -1, dtype=np.int16)
    for place, symbol in enumerate(symbols):
        labels[values == symbol] = place
    return labels


def with_start(labels: np.ndarray, symbols: int, start: int) -> np.ndarray:
    """`start` start tokens and one for each label (runs, start + steps, symbols), float32; of -1 all are 0."""
    whole = np.pad(labels, ((0, 0), (start, 0)), constant_values=-1)
    return np.eye(symbols + 1, dtype="float32")[whole][..., :symbols]


def tokens_of(labels: np.ndarray, symbols: int, start: int) -> np.ndarray:
    """What a core is given to answer at each step: (runs, steps, symbols)."""
    return with_start(labels, symbols, start)[:, : labels.shape[1]]


def core_in(model: keras.Model) -> keras.Model:
    """The core of a saved model. Raises ValueError for a model that has none."""
    cores = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not cores:
        raise ValueError("model: expected one made of scaling and a core; got another one")
    return cores[0]


def logits_of(model: keras.Model, tokens: np.ndarray, conditions=None) -> np.ndarray:
    """The answers of a saved model's core to tokens: (runs, steps, symbols)."""
    fed = [ops.convert_to_numpy(each) for each in stepping.scaled(model, tokens, conditions=conditions)]
    return core_in(model).predict(one_or_all(fed), batch_size=min(BATCH, len(tokens)), verbose=0)


def log_probabilities(models, tokens: np.ndarray, conditions=None) -> np.ndarray:
    """The log-probability of each symbol (runs, steps, symbols) of the models together: their mean probability."""
    each = [log_softmax(logits_of(model, tokens, conditions).astype(float), axis=2) for model in models]
    return logsumexp(each, axis=0) - np.log(len(each))


def observed(logs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log-probabilities (runs, steps) of the labels that came, of those of all symbols; 0 for the label -1."""
    return np.where(labels < 0, 0.0, np.take_along_axis(logs, np.maximum(labels, 0)[..., None], axis=2)[..., 0])


def answering(model: keras.Model, tokens: np.ndarray, conditions=None) -> Iterator[np.ndarray]:
    """The logits (runs, symbols) at each step, one after the other; until then the caller may change later tokens."""
    core = core_in(model)
    stepper = None if core.inputs[0].shape[1] else stepping.stepper_of(core)
    state = stepping.begin(stepper, len(tokens)) if stepper else None
    for step in range(tokens.shape[1]):
        if stepper:
            now = stepping.scaled(model, tokens[:, step : step + 1], conditions=conditions)
            answer, state = stepping.advance(core, stepper, now, state)
            yield ops.convert_to_numpy(answer)[:, 0]
        else:
            yield logits_of(model, tokens, conditions)[:, step]


def draw(models, runs: int, steps: int, symbols: int, seed: int, conditions=None) -> np.ndarray:
    """Labels (runs, steps) of new runs, symbol by symbol from the probabilities of the models together."""
    generator, labels = np.random.default_rng(seed), np.empty((runs, steps), dtype=int)
    tokens = np.zeros((runs, steps, symbols), dtype="float32")
    said = zip(*(answering(model, tokens, conditions) for model in models), strict=True)
    for step, logits in enumerate(said):
        shares = softmax(np.asarray(logits, dtype=float), axis=2).mean(axis=0).cumsum(axis=1)
        labels[:, step] = (generator.random((runs, 1)) < shares / shares[:, -1:]).argmax(axis=1)
        if step + 1 < steps:
            tokens[np.arange(runs), step + 1, labels[:, step]] = 1
    return labels


def depends(core: keras.Model, hidden: np.ndarray) -> bool:
    """Whether an answer of a core changes with tokens that are hidden from it, (answers, tokens): tried by chance.

    Random steps are made on the weights, since a weight of 0 hides what hangs on it.
    """
    steps, symbols = len(hidden), core.inputs[0].shape[2]
    tried = np.unique(np.linspace(0, steps - 1, MOST_TRIED).astype(int))
    labels = np.random.default_rng(0).integers(symbols, size=(len(tried), steps))
    other = np.where(hidden[tried], (labels + 1) % symbols, labels)
    with stepping.shaken(core):
        each = [asked(core, tokens_of(one, symbols, 0)) for one in (labels, other)]
    own, changed = (answers[np.arange(len(tried)), tried] for answers in each)
    return not np.allclose(own, changed, rtol=0, atol=AGREES * np.abs(own).max())


def asked(core: keras.Model, tokens: np.ndarray) -> np.ndarray:
    """The answers of a core to tokens, its conditions 0. Raises ValueError unless there is one for each token."""
    conditions = [np.zeros((len(tokens), x.shape[1]), dtype=x.dtype) for x in core.inputs[1:]]
    answers = ops.convert_to_numpy(core(one_or_all([tokens, *conditions])))
    if answers.shape[:2] != tokens.shape[:2]:
        raise ValueError(
            f"{core.name}: expected an answer for each of {tokens.shape[1]} tokens; got {answers.shape[1]}"
        )
    return answers


def markov(learned: np.ndarray, wanted: np.ndarray, symbols: int, order: int) -> np.ndarray:
    """Log-probabilities (runs, steps, symbols) by how often each symbol followed the `order` ones before it."""
    seen, there = contexts(learned, symbols, order), learned >= 0
    numbers = (symbols + 1) ** order * symbols
    counts = np.bincount(seen[there] * symbols + learned[there], minlength=numbers).reshape(-1, symbols) + PRIOR
    return np.log(counts / counts.sum(axis=1, keepdims=True))[contexts(wanted, symbols, order)]


def contexts(labels: np.ndarray, symbols: int, order: int) -> np.ndarray:
    """A number (runs, steps) for the `order` labels before each step; before the first stands one of its own."""
    padded = np.pad(np.where(labels < 0, symbols, labels), ((0, 0), (order, 0)), constant_values=symbols)
    numbers = np.zeros(labels.shape, dtype=int)
    for place in range(order):
        numbers = numbers * (symbols + 1) + padded[:, place : place + labels.shape[1]]
    return numbers
