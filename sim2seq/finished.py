"""Finished: what any finished training is in use: its models, read when they are first used, and what they expect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sim2seq._support import keras_settings
from sim2seq._support.brief import brief
from sim2seq._support.files import read_json
from sim2seq.evaluation.scores import Scores
from sim2seq.training import untrusted


@dataclass(frozen=True)
class Finished:
    """The members of a training and what they expect. The models are read when they are first used.

    told   names of the inputs of the run and of the controls that the models are told
    """

    folder: Path
    told: untrusted.Told
    scores: Scores

    def __repr__(self) -> str:
        return brief(self, folder=str(self.folder), window=self.window, told=self.told, scores=self.scores)

    @property
    def window(self) -> int:
        """Steps that a forecast begins with, or the fewest that an answer needs."""
        return self.scores.window

    @property
    def steps_of_models(self) -> int:
        """Steps that the models take, where these do not take any number."""
        return self.window

    @property
    def members(self) -> int:
        """How many models there are."""
        return self.scores.members

    @property
    def features(self) -> tuple[str, ...]:
        """What is seen in the window."""
        return tuple(self.scores.first_window or self.scores.features)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is answered."""
        return tuple(self.scores.features)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs of the run that have to be told."""
        return self.told.inputs

    @cached_property
    def models(self):
        """The members, Keras models, or a Combination. Raises ValueError when they cannot be read or one is missing."""
        self.check_backend()
        from sim2seq.models.candidates.combination import Combination
        from sim2seq.training.folder import load_models  # TensorFlow, which takes seconds

        with untrusted.one_line(f"{self.folder}: cannot read the models"):
            untrusted.check_archives(sorted(self.folder.glob("**/*.keras")))
            models = load_models(self.folder)
            for model in () if isinstance(models, Combination) else models:
                shape = (len(self.features), len(self.outputs))
                untrusted.check_model(model, self.steps_of_models, shape, self.told)
        if len(models) != self.members:
            raise ValueError(f"{self.folder}: expected {self.members} models, one a member; got {len(models)}")
        return models

    def check_backend(self) -> None:
        """Raise ValueError where Keras has no backend here, with the one that the models were trained with."""
        try:
            keras_settings.check()
        except ValueError as error:
            kept = self.folder / "versions.json"
            with_ = read_json(kept).get(keras_settings.SAID) if kept.exists() else None
            raise ValueError(f"{error} ({self.folder} was trained with {with_})" if with_ else str(error)) from None

    def check_inputs(self, inputs, runs: int) -> np.ndarray | None:
        """The inputs as (runs, inputs) in the models' order, None where they are told none; or ValueError."""
        inputs = dict(inputs or {})
        expected = f"inputs: the model expects {', '.join(self.inputs) or 'none'}"
        unknown = [name for name in inputs if name not in self.inputs]
        if unknown:
            raise ValueError(f"{expected}; got {', '.join(unknown)}")
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise ValueError(f"{expected}; missing {', '.join(missing)}")
        if not self.inputs:
            return None
        found = np.empty((runs, len(self.inputs)))
        for place, name in enumerate(self.inputs):
            try:
                found[:, place] = inputs[name]
            except (TypeError, ValueError):
                raise ValueError(f"input {name}: expected a number, or {runs}, one a run; got {inputs[name]}") from None
        for run, place in np.argwhere(~np.isfinite(found)):
            raise ValueError(f"input {self.inputs[place]}: expected a finite number; got {found[run, place]}")
        return found


def find(folder: Path) -> Path:
    """The folder with a finished training: this one, or the only one in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected the folder of a training, it does not exist")
    places = [folder] if (folder / "scores.json").exists() else []
    places = places or [
        path.parent for pattern in ("*", "*/training") for path in folder.glob(f"{pattern}/scores.json")
    ]
    if not places:
        raise FileNotFoundError(f"{folder}: no finished training here (scores.json is missing)")
    if len(places) > 1:
        raise ValueError(f"{folder} holds several trainings, name one of: {', '.join(map(str, sorted(places)))}")
    return places[0]
