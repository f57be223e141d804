"""Report: one self-contained HTML page that says how far the model of a study can be trusted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sim2seq._support.files import check_place, write_text
from sim2seq.data.ensemble import Ensemble
from sim2seq.report.figures import CAPTIONS, draw_all, save_figures
from sim2seq.report.page import embed, template
from sim2seq.report.style import MOST_FEATURES
from sim2seq.report.summary import band_summary, some_scored, summary
from sim2seq.report.tables import (
    candidate_table,
    facts,
    input_table,
    largest_correlation,
    outside_table,
    part_table,
    score_table,
    statistics_table,
)
from sim2seq.training.folder import Training

OF_PREDICTIONS = ("rollout", "stretch", "predicted_against_true", "calibration", "error_by_position")


def write_report(
    path,
    ensemble: Ensemble,
    training: Training,
    completeness=None,
    *,
    title: str | None = None,
    checks=None,
    drawn: dict | None = None,
) -> Path:
    """Write the report of a finished training to `path` and return it as a Path.

    completeness  {"expected": int, "stored": int, "missing": [run ids], "allowed": share of runs that may fail},
                  or None when nobody counted
    title         None: that of the training's study
    checks        laws that predictions must obey, a dict each: name, forecast and truth (numbers or texts), unit, holds
                  (whether the forecast passes) and note, a text; None: those of the training's study, if it has some
    drawn         what figures.draw_all gave, where that was drawn already
    The figures go into the training's folder, too, as PNG.

    Raises FileNotFoundError, in one line, for a training of version 0.1, which kept no predictions.
    """
    path, study, scores = check_place(path), training.study, training.scores
    if checks is None and study.checks:
        checks = study.checks(training, ensemble)
    drawn = drawn or draw_all(training, ensemble)
    save_figures(training, drawn)
    ensemble = study.shown(ensemble) if study.shown else ensemble
    page = template("report.html.j2").render(
        title=title or study.title or f"sim2seq: {study.name}",
        noun="forecast" if scores.task == "forecast" else "prediction",
        scores=scores,
        summary=summary(training, ensemble),
        unseen="whose last part it never saw" if training.settings.split == "in_time" else "that it never saw",
        some_scored=some_scored(scores),
        band=band_summary(scores),
        checks=checks,
        candidates=candidate_table(training),
        outside=outside_table(scores),
        facts=facts(ensemble, training),
        inputs=input_table(ensemble),
        more_inputs=len(ensemble.inputs) - len(input_table(ensemble)),
        correlation=largest_correlation(ensemble),
        completeness=completeness,
        figures={name: {"image": embed(figure), "caption": text} for name, (figure, text) in drawn.items()},
        of_predictions=[name for name in OF_PREDICTIONS if name in drawn],
        own=[name for name in drawn if name not in CAPTIONS],
        table=score_table(scores),
        most_features=MOST_FEATURES,
        parts=part_table(scores),
        statistics=statistics_table(training),
        unit=scores.unit,
        settings=asdict(training.settings),
        versions=training.versions,
    )
    write_text(path, page)
    return path
