"""Judging: which networks a study trains, the goals that they should meet, and what a sweep says about their size."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

import numpy as np

from sim2seq import ranking

EXPERT, HUMAN, FORWARD, PLAIN = "LSTM (expert)", "LSTM (human)", "feed-forward (human)", "plain LSTM (human)"
TRAINED = {  # policy -> what it changes in the settings; people mostly stay, and a plain head learns just that
    EXPERT: {"data": "expert"},
    HUMAN: {"data": "human"},
    FORWARD: {"data": "human", "model": "feed_forward"},
    PLAIN: {"data": "human", "head": "plain"},
}
OF_EXPERT, OF_STILL, HUMAN_OF_STILL = 1.5, 0.25, 0.5  # goals: hits a minute as a share of those of others, at most
MOST_LATENCY = 2.0  # ms
HOLD, MEAN, STAY = "hold last command", "mean command", "stay"
# over-fits: better in training than the point of its data with the lowest validation loss, and this much worse in that
OVER = 1.05
UNDER = 1.25  # under-fits: the training loss ends this much above the lowest of all points of its data


@dataclass(frozen=True)
class Goal:
    """What is asked of a policy: `value` at most `limit`, or with `below` less. `aim` is "" where it is for none."""

    policy: str
    text: str
    aim: str
    value: float
    limit: float
    unit: str = "hits a minute"
    below: bool = False

    @property
    def met(self) -> bool:
        return self.value < self.limit or (self.value == self.limit and not self.below)


def goals_of(board: dict, *, errors: dict | None = None, latency: float | None = None) -> list[Goal]:
    """The goals of the study that can be judged.

    board    policy -> aim -> scores.Score, with "still" and "expert" among the policies
    errors   name -> mean absolute error on held-out recordings, see `held_out`
    latency  ms of one decision
    """
    limits = [
        (EXPERT, "expert", OF_EXPERT, f"at most {OF_EXPERT:g} × the expert's hits"),
        (EXPERT, "still", OF_STILL, f"at most {OF_STILL:g} × those of standing still"),
        (HUMAN, FORWARD, 1.0, f"fewer hits than the {FORWARD}"),
        (HUMAN, "still", HUMAN_OF_STILL, f"at most {HUMAN_OF_STILL:g} × those of standing still"),
    ]
    found = [
        Goal(name, text, aim, score.hits, share * board[other][aim].hits, below=other == FORWARD)
        for name, other, share, text in limits
        if {name, other} <= set(board)
        for aim, score in board[name].items()
    ]
    if errors:
        best = min({HOLD, MEAN, STAY, FORWARD} & set(errors), key=errors.get)
        text = f"smaller error on held-out recordings than the best other, {best}"
        found.append(Goal(HUMAN, text, "", errors[HUMAN], errors[best], "m/s", below=True))
    if latency is not None:
        text = f"one decision in less than {MOST_LATENCY:g} ms"
        found.append(Goal(EXPERT, text, "", latency, MOST_LATENCY, "ms", below=True))
    return found


def allowed(board: dict) -> dict[str, float]:
    """Aim -> the most hits a minute with which a robot that learned from the expert meets both goals."""
    still, expert = board["still"], board["expert"]
    return {aim: min(OF_EXPERT * expert[aim].hits, OF_STILL * still[aim].hits) for aim in still}


def held_out(trained: dict) -> dict[str, float]:
    """Mean absolute error of the command on the recordings that were not learned from, m/s: name -> error.

    trained  policy -> Training; of these, those that learned from people. Without any there are no errors
    Beside them stand what needs no network: the command of the row before, the mean command, and to stay, which is
    people's median. All are judged on the rows for which every model has seen enough.
    """
    people = {name: one.predictions for name, one in trained.items() if one.settings.data == "human"}
    if not people:
        return {}
    first = next(iter(people.values()))
    rows = min(one["test"].truth.shape[1] for one in people.values()) - 1
    truth = first["test"].truth[:, -rows - 1 :]
    errors = {name: one["test"].middle[:, -rows:] - truth[:, 1:] for name, one in people.items()}
    errors |= {HOLD: np.diff(truth, axis=1), MEAN: truth[:, 1:] - np.nanmean(first["train"].truth), STAY: truth[:, 1:]}
    return {name: float(np.nanmean(np.abs(error))) for name, error in errors.items()}


def recommended(results: list[ranking.Result]) -> dict[str, tuple[ranking.Point, ranking.Point]]:
    """Data -> the recommended point of a sweep, and the best one."""
    by_data = {data: ranking.points_of(some) for data, some in ranking.divided(results, "data").items()}
    return {data: (ranking.recommend(points), points[0]) for data, points in by_data.items()}


def settings_of(base, points: dict, changes: dict = TRAINED) -> dict:
    """Policy -> settings: `base` with its `changes`, at the size recommended for its data where there is one.

    points  as of `recommended`; where `base` says another size than the default, that holds
    """
    found, ready = {name: replace(base, **change) for name, change in changes.items()}, type(base)()
    if (base.window, base.units) != (ready.window, ready.units):
        return found
    for name, one in found.items():
        size = points[one.data][0].settings if one.data in points else {}
        found[name] = one.parse([f"{word}={size[word]}" for word in ("window", "units") if word in size], base=one)
    return found


def fits(points: list[ranking.Point]) -> list[str]:
    """Of each point of a sweep on one kind of data: "over-fits", "under-fits" or "", by means over seeds."""
    train = [statistics.fmean(one.losses["loss"][-1] for one in point.results) for point in points]
    check = [statistics.fmean(min(one.losses["val_loss"]) for one in point.results) for point in points]
    best = check.index(min(check))
    return [
        "over-fits" if loss < train[best] and validation > OVER * check[best]
        else "under-fits" if loss > UNDER * min(train)
        else ""
        for loss, validation in zip(train, check, strict=True)
    ]  # fmt: skip
