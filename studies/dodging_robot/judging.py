"""Judging: the trainings of a study side by side, held-out recordings of people, and the goals."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from sim2seq._support.files import read_json
from sim2seq.data.windows import windows_of
from studies.dodging_robot import learning
from studies.dodging_robot.scores import play
from studies.dodging_robot.simulate import AIMS, LAYOUT

OF_EXPERT, OF_STILL, HUMAN_OF_STILL = 1.5, 0.25, 0.5  # goals: hits a minute as a share of those of others, at most
MOST_LATENCY = 2.0  # ms
HOLD, MEAN, STAY = "hold last command", "mean command", "stay"


def train_all(runs: dict, wanted: dict, folder) -> dict[str, Path]:
    """Train each of `wanted`, name -> learning.Settings, below `folder`; name -> its folder.

    A finished training with the same settings and runs is kept, one with others is replaced.
    """
    folders = {name: Path(folder) / "".join(c if c.isalnum() else "_" for c in name) for name in wanted}
    for name, settings in wanted.items():
        try:
            learning.fit(runs, settings, folders[name])
        except learning.AnotherTraining:
            shutil.rmtree(folders[name])
            learning.fit(runs, settings, folders[name])
    return folders


def as_recommended(settings: learning.Settings, recommended: tuple | None) -> learning.Settings:
    """The settings with the recommended ((timesteps, neurons), why), where there is one and they say nothing else."""
    names, default = ("timesteps", "neurons"), learning.Settings()
    if recommended is None or any(getattr(settings, name) != getattr(default, name) for name in names):
        return settings
    return replace(settings, **dict(zip(names, recommended[0], strict=True)))


def load_models(folders: dict) -> dict[str, keras.Model]:
    """name -> the model of each training's folder; no code in it is run."""
    return {name: keras.saving.load_model(path / "model.keras", safe_mode=True) for name, path in folders.items()}


def predict(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    """The command of each row of a run, (steps, 9), from the rows before it: (steps,), m/s; not a number at first."""
    timesteps = model.inputs[0].shape[1]
    known, _ = windows_of(rows[None], timesteps, known=slice(1, len(LAYOUT)), wanted=slice(0, 1))
    answers = model.predict(np.ascontiguousarray(known[0]), batch_size=4096, verbose=0)
    return np.concatenate([np.full(timesteps, np.nan), answers[:, 0]])


def held_out(models: dict, runs: dict, split: dict) -> tuple[dict[str, float], dict[str, dict]]:
    """Mean absolute error of the command on the test runs, m/s, and what was predicted: run -> name -> (steps,).

    models  name -> model
    runs    id -> (steps, 9)
    split   part -> ids, of learning.split_runs
    Beside them stand what needs no network: the command of the row before, the mean of the training runs, and to stay,
    which is people's median. All are judged on the same rows, those for which every model has seen enough.
    """
    middle = np.concatenate([runs[run][:, 0] for run in split["train"]]).mean()
    predicted = {}
    for run in split["test"]:
        command = runs[run][:, 0]
        naive = {HOLD: np.concatenate([[np.nan], command[:-1]]), MEAN: np.full(len(command), middle)}
        naive |= {STAY: np.zeros(len(command))}
        predicted[run] = {name: predict(model, runs[run]) for name, model in models.items()} | naive
    errors = {name: [] for name in (*models, HOLD, MEAN, STAY)}
    for run, answers in predicted.items():
        judged = np.isfinite(list(answers.values())).all(axis=0)
        for name, answer in answers.items():
            errors[name].append(np.abs(answer - runs[run][:, 0])[judged])
    return {name: float(np.concatenate(parts).mean()) for name, parts in errors.items()}, predicted


def allowed(board: dict) -> dict[str, float]:
    """Aim -> the most hits a minute with which a robot that learned from the expert meets both goals."""
    still, expert = board["still"], board["expert"]
    return {aim: min(OF_EXPERT * expert[aim]["hits"], OF_STILL * still[aim]["hits"]) for aim in still}


def goals_of(
    board: dict, policy: str, *, human: tuple[str, str] | None = None, errors=None, latency=None
) -> list[dict]:
    """Each goal of the study that can be judged: goal, aim ("" for none), value, limit, unit and whether it is met.

    board    policy -> aim -> scores.Score as a dict, with "still" and "expert" among the policies
    policy   the one that learned from the expert
    human    names of the LSTM and the feed-forward network that learned from people
    errors   name -> mean absolute error on held-out recordings, that of the LSTM first; see held_out
    latency  ms of one decision
    """
    hits = {name: {aim: score["hits"] for aim, score in scores.items()} for name, scores in board.items()}
    limits = [(f"{policy}: at most {OF_EXPERT:g} × the expert's hits", policy, "expert", OF_EXPERT)]
    limits += [(f"{policy}: at most {OF_STILL:g} × those of standing still", policy, "still", OF_STILL)]
    if human and {*human} <= set(board):
        limits += [(f"{human[0]}: fewer hits than the {human[1]}", *human, 1.0)]
        limits += [
            (f"{human[0]}: at most {HUMAN_OF_STILL:g} × those of standing still", human[0], "still", HUMAN_OF_STILL)
        ]
    found = [
        goal(text, hits[name][aim], share * hits[other][aim], "hits a minute", aim=aim, below=share == 1.0)
        for text, name, other, share in limits
        for aim in (aim for aim in AIMS if aim in hits[name])
    ]
    if errors:
        name = next(iter(errors))
        best = min({HOLD, MEAN, STAY, *human[1:]} & set(errors), key=errors.get)
        text = f"{name}: smaller error on held-out recordings than the best other, {best}"
        found.append(goal(text, errors[name], errors[best], "m/s", below=True))
    if latency is not None:
        text = f"{policy}: one decision in less than {MOST_LATENCY:g} ms"
        found.append(goal(text, latency, MOST_LATENCY, "ms", below=True))
    return found


def goal(text: str, value: float, limit: float, unit: str, *, aim: str = "", below: bool = False) -> dict:
    met = value < limit if below else value <= limit
    return {"goal": text, "aim": aim, "value": value, "limit": limit, "unit": unit, "met": bool(met)}


def settings_table(folders: dict) -> list[dict]:
    """A row for each training: its name, settings, size and error on its own validation runs."""
    rows = []
    for name, folder in folders.items():
        settings, scores = read_json(Path(folder) / "settings.json"), learning.scores_of(folder)
        trained = {"trained": len(learning.losses_of(folder)["loss"]), "parameters": scores["parameters"]}
        rows.append({"name": name, **settings, **trained, "error": scores["validation"]["model"]})
    return rows


def board_of(makers: dict, seeds, **options) -> dict[str, dict]:
    """Policy -> aim -> Score as a dict; arguments as for scores.play."""
    played = {name: play(maker, seeds=seeds, **options) for name, maker in makers.items()}
    return {name: {aim: asdict(score) for aim, score in by_aim.items()} for name, by_aim in played.items()}
