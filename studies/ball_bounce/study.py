"""The bouncing ball as a study: a forecast, and the laws that it must obey. Its stages stand at the top level."""

from __future__ import annotations

from sim2seq import Ensemble, Forecast, Study, load_store
from studies.ball_bounce.laws import forecast_checks

WORLD = {"gravity": "gravity", "box": "box_side_length"}  # of the laws -> input of the runs


def read_runs(path) -> Ensemble:
    """The runs of the store. Raises ValueError, in one line, where they are no balls in a box."""
    ensemble = load_store(path)
    missing = [name for name in WORLD.values() if name not in ensemble.inputs]
    if missing or len(ensemble.features) != 3:
        found = f"{', '.join(ensemble.features)} with the inputs {', '.join(ensemble.inputs) or 'none'}"
        raise ValueError(f"{path}: expected balls, three positions with {' and '.join(WORLD.values())}; got {found}")
    return ensemble


def laws(training, ensemble: Ensemble) -> list[dict]:
    """Whether the forecasts of the test runs obey what the simulation obeys: a row a law."""
    predicted = training.predictions["test"]
    place = {run: i for i, run in enumerate(ensemble.run_ids)}
    runs = [place[run] for run in predicted.run_ids]
    world = {name: ensemble.inputs[column][runs] for name, column in WORLD.items()}
    return forecast_checks(predicted.truth, predicted.middle, **world)


STUDY = Study(
    "ball_bounce",
    title="Bouncing ball",
    task=Forecast(),
    read=read_runs,
    checks=laws,
    needs=tuple(WORLD.values()),
)
