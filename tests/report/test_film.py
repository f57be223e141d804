import numpy as np
import pytest
from made import TASKS, made, noise
from PIL import Image

from sim2seq.report import film as room
from sim2seq.report.film import film


def frames_of(path) -> list[np.ndarray]:
    """The frames of a GIF, (rows, columns, colours) each."""
    image, frames = Image.open(path), []
    for place in range(image.n_frames):
        image.seek(place)
        frames.append(np.asarray(image.convert("RGB")))
    return frames


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    ensemble = noise()
    return made(ensemble, tmp_path_factory.mktemp("film"), errors=(4.0, 6.0)), ensemble


def test_a_film_uncovers_the_forecast_from_left_to_right(forecast, tmp_path):
    """A frame is as the last one up to an edge that moves on, and right of it as the first one."""
    path = film(*forecast, tmp_path / "film.gif", seconds=1)
    first, *others = frames_of(path)
    assert len(others) == 9
    edges = []
    for frame in others[:-1]:
        covered = (frame != others[-1]).any(axis=(0, 2))
        edges.append(int(np.argmax(covered)))
        np.testing.assert_array_equal(frame[:, edges[-1] + 1 :], first[:, edges[-1] + 1 :])
    assert edges == sorted(edges)
    assert edges[-1] - edges[0] > 0.5 * first.shape[1]
    assert path.stat().st_size < 1_000_000
    assert [each.name for each in tmp_path.iterdir()] == ["film.gif"]


def test_the_last_frame_stays(forecast, tmp_path):
    image = Image.open(film(*forecast, tmp_path / "film.gif", seconds=1))
    assert image.info["duration"] == 100
    image.seek(image.n_frames - 1)
    assert image.info["duration"] == 2000


def test_a_film_of_60_features_has_9_rows(tmp_path):
    ensemble = noise(features=60)
    training = made(ensemble, tmp_path, errors=(np.arange(60) / 100,))
    run = room.shown_run(training, ensemble)
    assert len(room.scene(training, ensemble, run).axes) == 9


def test_a_film_that_would_be_too_large_has_fewer_frames(forecast, tmp_path, monkeypatch):
    whole = film(*forecast, tmp_path / "whole.gif", seconds=2)
    monkeypatch.setattr(room, "LARGEST", whole.stat().st_size - 1)
    smaller = film(*forecast, tmp_path / "smaller.gif", seconds=2)
    assert len(frames_of(smaller)) == 1 + len(frames_of(whole)) // 2
    np.testing.assert_array_equal(frames_of(smaller)[-1], frames_of(whole)[-1])


def test_what_forecasts_nothing_has_no_film(tmp_path):
    ensemble = noise()
    training = made(ensemble, tmp_path, task=TASKS["target per run"])
    with pytest.raises(ValueError, match="expected a training that forecasts; got one of task 'target per run'"):
        film(training, ensemble, tmp_path / "film.gif")
