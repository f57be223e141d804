"""Oracles for tests that say what they are told, runs for one that learns, files in the formats of its source."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from sim2seq import Ensemble
from sim2seq.oracle.stopping import Answer

STEPS = 20
TABLE = "sklearn-iris"  # on which maps are trained
SHOWN = ("mqe", "topographic_error", "dead_ratio", "progress")  # of a map in training, to an oracle of few features


@dataclass
class Told:
    """What is asked of an Oracle, without a training: `says` maps (series, inputs) to middle and half-width."""

    says: object
    features: tuple = ("loss",)
    outputs: tuple = ("loss_final",)
    inputs: tuple = ()
    doubts: tuple = ()
    surrogate: object = field(
        default_factory=lambda: SimpleNamespace(window=1, folder="oracle", scores=SimpleNamespace(steps=1000))
    )
    asked: int = 0

    def ask(self, series, inputs=None) -> Answer:
        self.asked += 1
        middle, half = (np.atleast_1d(np.asarray(each, dtype=float)) for each in self.says(np.asarray(series), inputs))
        return Answer(self.outputs, middle, middle - half, middle + half, 0.9, self.doubts)

    def later(self, series, inputs=None) -> dict[float, Answer]:
        return {}


def source_curves(path, runs: int, *, seed: int = 0):
    """Write a CSV of curves that are made of their ends by the formula of the source, ten points each."""
    generator = np.random.default_rng(seed)
    epochs, place = np.linspace(10, 1000, 10), np.linspace(0, 1, 10)
    lines = ["uid,final_mqe,final_topographic_error,final_dead_neuron_ratio,training_history"]
    for run in range(runs):
        mqe, topographic, dead = generator.uniform(0.1, 1.0), generator.uniform(0, 0.3), generator.uniform(0.12, 0.97)
        curves = {
            "epochs": epochs,
            "mqe": mqe * (generator.uniform(3, 5) * np.exp(-3 * place) + 1),
            "topographic_error": min(0.5, topographic * generator.uniform(2, 4)) * np.exp(-2 * place) + topographic,
            "dead_neuron_ratio": (start := generator.uniform(0.1, 0.3)) + (dead - start) * epochs / 1000,
        }
        curves["topographic_error"] += generator.normal(0, topographic * 0.1, 10)
        curves["dead_neuron_ratio"] += generator.normal(0, 0.02, 10)
        for name in ("topographic_error", "dead_neuron_ratio"):
            curves[name] = np.clip(curves[name], 0, 1)
        history = json.dumps({name: values.tolist() for name, values in curves.items()} | {"num_checkpoints": 10})
        quoted = history.replace('"', '""')
        lines.append(f'run{run % (runs - 1)},{mqe},{topographic},{dead},"{quoted}"')
    path.write_text("\n".join(lines) + "\n")
    return path


def runs_on(names) -> Ensemble:
    """Two runs on each of these tables: errors that fall to an end of their own, over STEPS or half as many."""
    from studies.oracle.study import KNOWN, SEEN

    draw = np.random.default_rng(0)
    ids = [f"{name}_{run}" for name in names for run in (1, 2)]
    lengths = np.where(np.arange(len(ids)) % 2, STEPS, STEPS // 2)
    share = np.arange(1, STEPS + 1) / lengths[:, None]
    end, fall = draw.uniform(0.1, 0.4, (3, len(ids), 1)), np.exp(-3 * share)
    errors = end + 0.3 * fall
    series = [*errors, share, share, 0.5 * fall, 1 + 5 * fall]
    values = np.where(share[..., None] < 1 + 1e-9, np.stack(series, axis=2), np.nan)
    inputs = {name: draw.uniform(0, 1, len(ids)) for name in KNOWN}
    last = values[np.arange(len(ids)), lengths - 1]
    results = {f"{name}_final": last[:, place] for place, name in enumerate(SEEN[:3])}
    shape = {"lengths": lengths, "inputs": inputs, "results": results, "step_unit": ""}
    return Ensemble(values, tuple(ids), SEEN, np.arange(1.0, STEPS + 1), **shape)


def seer(says) -> Told:
    """An oracle of maps that sees SHOWN and is told the table's spread."""
    from studies.oracle.ending import TARGETS

    return Told(says, features=SHOWN, outputs=TARGETS, inputs=("table_spread",))


def last_values(series, inputs):
    """Whoever says that it ends as it is now, and is sure."""
    return series[-1, :3], np.full(3, 1e-6)
