"""Film: a forecast that grows over time beside the truth, as a GIF."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from sim2seq.data.ensemble import Ensemble
from sim2seq.report.prediction_figures import Shown, chosen, forecast_name, in_rows, shown_run
from sim2seq.report.style import Picture, styled
from sim2seq.training.folder import Training

FRAMES_A_SECOND = 10
HOLD = 2.0  # seconds that the last frame stays
COLOURS = 64
LARGEST = 1_000_000  # bytes


@styled
def film(training: Training, ensemble: Ensemble, path, *, seconds: float = 6, dpi: int = 80) -> Path:
    """Write a GIF of the forecast of the test run whose error is the median to `path`, and return it as a Path.

    A row a feature: truth, forecast and its band, growing for `seconds`; of many features some. The file appears whole
    or not at all; one that would be larger than 1 MB gets fewer frames.
    Raises ValueError, in one line, for a training that forecasts nothing.
    """
    if training.scores.task != "forecast":
        raise ValueError(f"film: expected a training that forecasts; got one of task {training.scores.task!r}")
    path = Path(path)
    frames = frames_of(training, ensemble, seconds, dpi)
    temporary = path.with_name(f"unfinished_{path.name}")
    while write_gif(temporary, frames, seconds) > LARGEST and len(frames) > 2:
        frames = [*frames[:-1:2], frames[-1]]
    os.replace(temporary, path)
    return path


def frames_of(training: Training, ensemble: Ensemble, seconds: float, dpi: int) -> list[Image.Image]:
    """The pictures, in one palette: left of a moving edge the whole forecast, right of it the empty axes."""
    run = shown_run(training, ensemble)
    figure = scene(training, ensemble, run)
    whole = drawn(figure, dpi)
    figure.set_layout_engine("none")  # places are found once: nothing may move from frame to frame
    for axis in figure.axes:
        for artist in (*axis.lines, *axis.collections):
            artist.set_visible(False)
    whole, empty = in_few_colours(whole, drawn(figure, dpi))
    count = max(2, min(round(seconds * FRAMES_A_SECOND), len(run.middle)))
    ends = np.linspace(run.times[max(run.before - 1, 0)], run.times[-1], count)
    edges = figure.axes[0].transData.transform(np.column_stack([ends, ends]))[:, 0].round().astype(int)
    edges[-1] = whole.width
    return [side_by_side(whole, empty, int(edge)) for edge in edges]


def scene(training: Training, ensemble: Ensemble, run: Shown) -> Picture:
    """The whole forecast of a run."""
    scores, height = training.scores, max(1.0, 1.7 - 0.08 * len(chosen(training.scores)))
    words = "window given to the model", forecast_name(scores)
    figure = in_rows(run, scores, ensemble, words, width=8, height=height)
    figure.axes[0].set_xlim(run.times[0], run.times[-1])
    return figure


def drawn(figure: Picture, dpi: int) -> Image.Image:
    """The figure in pixels."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def in_few_colours(*images: Image.Image) -> list[Image.Image]:
    """Images of one size in one palette."""
    width, height = images[0].size
    column = Image.new("RGB", (width, height * len(images)))
    for place, image in enumerate(images):
        column.paste(image, (0, place * height))
    column = column.quantize(COLOURS, dither=Image.Dither.NONE)
    return [column.crop((0, place * height, width, (place + 1) * height)) for place in range(len(images))]


def side_by_side(left: Image.Image, right: Image.Image, edge: int) -> Image.Image:
    """`left` up to the column `edge`, `right` from there on; both of one size and palette."""
    both = left.copy()
    both.paste(right.crop((edge, 0, right.width, right.height)), (edge, 0))
    return both


def write_gif(path: Path, frames: list[Image.Image], seconds: float) -> int:
    """Write frames that last `seconds` together, after which the last one stays; how many bytes that takes."""
    times = [round(1000 * seconds / len(frames))] * (len(frames) - 1) + [round(1000 * HOLD)]
    with path.open("wb") as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    return path.stat().st_size
