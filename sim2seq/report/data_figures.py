"""Figures of the data: what was varied, what the runs look like, how they are split."""

from __future__ import annotations

import numpy as np

from sim2seq.data.ensemble import Ensemble, is_varying
from sim2seq.data.splits import PARTS, Split
from sim2seq.data.streaming import extent
from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE
from sim2seq.report.style import (
    COLOURS,
    MOST_FEATURES,
    Picture,
    area,
    grid,
    label,
    legend_above,
    plain,
    spread,
    styled,
    turn_off,
    with_unit,
)

PART_LINES = dict(zip(PARTS, ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":")), strict=True))
MOST_INPUTS = 12


def time_label(ensemble: Ensemble) -> str:
    return label("time" if ensemble.step_unit else "step", ensemble.step_unit)


def feature_label(ensemble: Ensemble, place: int) -> str:
    name = ensemble.features[place]
    return label(name, ensemble.units.get(name, ""))


def varying_inputs(ensemble: Ensemble) -> list[str]:
    """Names of the inputs that differ between runs."""
    return [name for name, column in ensemble.inputs.items() if is_varying(column)]


def some_features(ensemble: Ensemble) -> list[str]:
    """The names of all features, or of many some, evenly."""
    return [ensemble.features[place] for place in spread(len(ensemble.features), MOST_FEATURES)]


@styled
def sample_trajectories(ensemble: Ensemble, *, count: int = 5, features=None) -> Picture:
    """A row a feature: `count` runs spread over the ensemble, each to its end, and the range of all runs behind them.

    features   names of those to draw; None: all, or of many some, evenly
    """
    names = features or some_features(ensemble)
    places = ensemble.places(names)
    figure, axes = grid(len(names), 1, height=1.6, sharex=True)
    chosen = spread(ensemble.runs, count)
    lowest, highest = extent(ensemble.values, None if ensemble.uniform else ensemble.lengths)
    for axis, place in zip(axes[:, 0], places, strict=True):
        area(axis, ensemble.times, lowest[:, place], highest[:, place], color=GREY, alpha=0.2, label="all runs")
        for n, run in enumerate(chosen):
            length = ensemble.lengths[run]
            values = np.asarray(ensemble.values[run])[:length, place]
            name = plain(ensemble.run_ids[run])
            axis.plot(ensemble.times[:length], values, color=COLOURS[n % len(COLOURS)], lw=1, label=name)
        axis.set_ylabel(feature_label(ensemble, place))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure


@styled
def input_ranges(ensemble: Ensemble) -> Picture:
    """A histogram for each input that differs between runs, with its range; of more than MOST_INPUTS, of the first."""
    varying = varying_inputs(ensemble)[:MOST_INPUTS]
    columns = min(3, max(1, len(varying)))
    rows = max(1, -(-len(varying) // columns))
    figure, axes = grid(rows, columns, height=1.7, sharey=True)
    for axis, name in zip(axes.flat, varying, strict=False):
        column = np.asarray(ensemble.inputs[name], dtype=float)
        axis.hist(column, bins=min(20, max(4, ensemble.runs // 6)), color=BLUE, alpha=0.85, edgecolor="white", lw=0.5)
        axis.set_xlabel(
            plain(f"{name}: {with_unit(f'{column.min():g} to {column.max():g}', ensemble.units.get(name))}")
        )
    turn_off(axes, len(varying))
    figure.supylabel("runs", fontsize=9.5)
    return figure


@styled
def split_example(ensemble: Ensemble, split: Split, *, features=None) -> Picture:
    """A row a feature: the first run of each part of the split, over the steps that belong to it; features as above."""
    names = features or some_features(ensemble)
    places = ensemble.places(names)
    figure, axes = grid(len(names), 1, height=1.6, sharex=True)
    for name, (colour, dashes) in PART_LINES.items():
        part = getattr(split, name)
        run = ensemble.run_ids.index(part.runs[0])
        steps = slice(part.start, min(part.stop, ensemble.lengths[run]))
        values = np.asarray(ensemble.values[run])[steps]
        text = plain(f"{name}: {part.runs[0]}, one of {len(part.runs)} runs")
        for axis, place in zip(axes[:, 0], places, strict=True):
            axis.plot(ensemble.times[steps], values[:, place], color=colour, ls=dashes, lw=1.8, label=text)
            axis.set_ylabel(feature_label(ensemble, place))
    axes[-1, 0].set_xlabel(time_label(ensemble))
    legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure
