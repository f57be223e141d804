"""Folders of trainings as far as a surrogate needs them: models that count on, a band that is one wide on each side."""

import csv
import io
import json

import keras
import numpy as np
from helpers import scores_json

from sim2seq import cli
from sim2seq.evaluation.conformal import Band

SCORES = scores_json()
WINDOW = np.stack([np.arange(5.0), np.arange(10.0, 15.0)], axis=1)


def save(folder, models, scores, inputs=(), controls=()):
    """A training's folder as far as a surrogate needs it: half-width 2 x (spread + 0.5), for up to 8 steps."""
    folder.mkdir(parents=True, exist_ok=True)
    band = Band(0.9, len(models), factor=np.full((8, 2), 2.0), floor=np.full((8, 2), 0.5))
    told = {"inputs": list(inputs), "controls": list(controls)}
    contents = {"scores": scores, "settings": told, "band": band.to_dict()}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    for number, model in enumerate(models, start=1):
        model.save(folder / ("model.keras" if number == 1 else f"model_{number}.keras"))
    return folder


def pace_model():
    """It counts on by the sum of the run's two inputs.

    Repeated, since Keras (3.15) adds (2, 1) to (2, 2) along the wrong axis: it takes it for a bias.
    """
    contexts, given = keras.Input((5, 2)), keras.Input((2,))
    last = keras.layers.Cropping1D((4, 0))(contexts)[:, 0]
    return keras.Model(
        [contexts, given], last + keras.ops.repeat(keras.ops.sum(given, axis=-1, keepdims=True), 2, axis=-1)
    )


def steered_model():
    """It counts on by the control of the step that is reached."""
    contexts, controls = keras.Input((5, 2)), keras.Input((5, 1))
    last, held = (keras.layers.Cropping1D((4, 0))(each)[:, 0] for each in (contexts, controls))
    return keras.Model([contexts, controls], last + keras.ops.repeat(held, 2, axis=-1))


def predicted(capsys, *arguments) -> list[dict]:
    """The rows of the table that `sim2seq predict` prints."""
    assert cli.main(["predict", *map(str, arguments)]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
