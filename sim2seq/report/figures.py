"""Figures: which ones a training has, with their captions; one function a figure in the three modules named below.

    data_figures         what was varied, the runs, the split
    prediction_figures   predictions beside the truth, by kind of task
    score_figures        losses, errors beside the baselines, the band, outside the ranges

Each function returns a matplotlib Figure that Jupyter shows by itself. None of them asks a model: everything is drawn
from the scores and predictions that a training keeps. Line styles tell the same story as the colours.
"""

from __future__ import annotations

from sim2seq.data.ensemble import Ensemble
from sim2seq.report.data_figures import (
    MOST_INPUTS,
    input_ranges,
    sample_trajectories,
    some_features,
    split_example,
    varying_inputs,
)
from sim2seq.report.prediction_figures import (
    MOST_WITH_ERRORS,
    calibration,
    forecast_with_band,
    predicted_against_true,
    rollout_grid,
    stretch,
)
from sim2seq.report.score_figures import (
    MOST_WIDTHS,
    band_coverage,
    candidate_weights,
    error_by_position,
    learning_curve,
    outside_ranges,
)
from sim2seq.report.style import MOST_FEATURES, Picture, by_error
from sim2seq.training.folder import Training

__all__ = [
    "Picture",
    "band_coverage",
    "calibration",
    "candidate_weights",
    "draw_all",
    "error_by_position",
    "forecast_with_band",
    "input_ranges",
    "learning_curve",
    "outside_ranges",
    "predicted_against_true",
    "rollout_grid",
    "sample_trajectories",
    "save_figures",
    "split_example",
    "stretch",
]

CAPTIONS = {
    "input_ranges": "What was varied: how often each value of each input occurs in the ensemble.",
    "sample_trajectories": "Sample trajectories. Grey: the range of all runs at each step.",
    "split_example": "The split: one run of each part, over the steps that belong to that part.",
    "candidate_weights": "What the forecast is made of: the weight of each candidate by horizon. They make the "
    "error of the validation runs least.",
    "learning_curve": "Learning curve. The weights of the epoch with the lowest validation loss are kept.",
    "rollout": "{seen}. In each column the run whose error is the median of its part. Shaded: the band.",
    "stretch": "Truth and prediction, step by step, of the test run whose error is the median. Shaded: the band.",
    "predicted_against_true": "Predicted against true on the test runs, with the band as bars.",
    "calibration": "How often each symbol came where its probability was said to be this, on the test runs. On the "
    "grey line what is said is true.",
    "error_by_position": "Error on the test runs by {position}. Lower is better.",
    "band_coverage": "The band on the test runs. Left: how much of the truth it holds by {position}. Right: half its "
    "width beside the actual error.",
    "outside_ranges": "The error of test runs and of those held out against their inputs; shaded, the training runs.",
}
FED = "Rollout: the model sees only the shaded window of true values, then is fed its own forecasts"
WINDOW = "The forecast: the candidates see only the shaded window of true values"
INPUTS = "The forecast, made from the inputs of each run alone"
ERRORS = " Below each feature, the size of the error; where that line is shaded, the band holds the truth."
OF_FEATURES = ("rollout", "stretch", "predicted_against_true")  # each shows a feature, or some


def draw_all(training: Training, ensemble: Ensemble) -> dict[str, tuple[Picture, str]]:
    """Name -> figure and caption: what the frame draws of this kind of task, then what only the study draws."""
    shown = training.study.shown(ensemble) if training.study.shown else ensemble
    drawn = of_data(training, shown) | of_predictions(training, shown) | of_scores(training, shown)
    found = {name: (figure, caption(name, training, shown)) for name, figure in drawn.items()}
    own = training.study.figures
    return found | (own(training, ensemble) if own else {})


def of_data(training: Training, ensemble: Ensemble) -> dict[str, Picture]:
    """The figures of runs, inputs and split; they show the same features as those of a forecast."""
    features = shown_features(training, ensemble)
    drawn = {"input_ranges": input_ranges(ensemble)} if varying_inputs(ensemble) else {}
    drawn["sample_trajectories"] = sample_trajectories(ensemble, features=features)
    drawn["split_example"] = split_example(ensemble, training.split, features=features)
    return drawn


def shown_features(training: Training, ensemble: Ensemble) -> list[str]:
    """The features of the runs that are drawn: all, or of many some; of a forecast the ones whose errors are shown."""
    if training.scores.task != "forecast" or len(ensemble.features) <= MOST_FEATURES:
        return some_features(ensemble)
    return by_error(training.scores.errors["test"].by_feature)


def of_predictions(training: Training, ensemble: Ensemble) -> dict[str, Picture]:
    """The figures of predictions, by kind of task; of a kind that is not known here, predicted against true."""
    if training.scores.task == "forecast":
        return {"rollout": rollout_grid(training, ensemble)}
    if training.scores.measure == "cross-entropy":
        return {"calibration": calibration(training)}
    drawn = {"stretch": stretch(training, ensemble)} if training.scores.task == "target per step" else {}
    return drawn | {"predicted_against_true": predicted_against_true(training)}


def of_scores(training: Training, ensemble: Ensemble) -> dict[str, Picture]:
    """The figures of losses and scores."""
    scores = training.scores
    drawn = {"candidate_weights": candidate_weights(scores)} if scores.combined else {}
    drawn |= {"learning_curve": learning_curve(training.history)} if training.history else {}
    drawn["error_by_position"] = error_by_position(scores)
    if scores.band:
        drawn["band_coverage"] = band_coverage(scores)
    if scores.held_out and scores.inputs:
        drawn["outside_ranges"] = outside_ranges(scores, ensemble.units)
    return drawn


def caption(name: str, training: Training, ensemble: Ensemble) -> str:
    """What stands below a figure, with what of many is shown."""
    scores, inputs = training.scores, len(varying_inputs(ensemble))
    position = "horizon, all free-running from the same window" if scores.task == "forecast" else scores.position
    position = position if scores.window or scores.task != "forecast" else "step, all from the inputs alone"
    seen = INPUTS if not scores.window else WINDOW if scores.combined else FED
    text = CAPTIONS[name].format(position=position, seen=seen)
    if name == "rollout" and len(scores.features) <= MOST_WITH_ERRORS:
        text += ERRORS
    if name in OF_FEATURES and (count := len(scores.features)) > MOST_FEATURES:
        text += f" Of {count} features, {MOST_FEATURES}: from the largest error to the least, the median in the middle."
    if name == "band_coverage" and (count := len(scores.features)) > MOST_WIDTHS:
        text += f" Of {count} features, the ones with the largest, the median and the least error."
    if name in ("sample_trajectories", "split_example") and (count := len(ensemble.features)) > MOST_FEATURES:
        text += f" {MOST_FEATURES} of {count} features."
    if name == "input_ranges" and inputs > MOST_INPUTS:
        text += f" The first {MOST_INPUTS} of {inputs} inputs that vary."
    return text


def save_figures(training: Training, drawn: dict[str, tuple[Picture, str]]) -> None:
    """Write what `draw_all` has drawn as PNG into the training's folder, below figures/."""
    folder = training.folder / "figures"
    folder.mkdir(exist_ok=True)
    for name, (figure, _) in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
        figure.set_layout_engine(None)  # it stays as it is arranged now: a page does not arrange it again
