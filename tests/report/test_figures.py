from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from made import SETTINGS, TASKS, PerRunOffBy, PerStepOffBy, made, noise

from sim2seq.data.splits import PARTS, SPLITS
from sim2seq.report import figures
from sim2seq.report.prediction_figures import median_run, shown_run
from sim2seq.report.style import by_error, label, spread
from sim2seq.training.folder import Prediction

ENSEMBLE = noise(runs=24, steps=50)
LENGTHS = np.arange(31, 51)
UNEQUAL = noise(lengths=LENGTHS, steps=50)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    return made(ENSEMBLE, tmp_path_factory.mktemp("forecast"))


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Kind of task -> a training on runs of unequal length."""
    return {kind: made(UNEQUAL, tmp_path_factory.mktemp("made"), task=task) for kind, task in TASKS.items()}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A forecast of 60 features, of which feature f errs by f / 100."""
    ensemble = noise(features=60)
    return made(ensemble, tmp_path_factory.mktemp("many"), errors=(np.arange(60) / 100,)), ensemble


def ends_of(axis) -> list[float]:
    """Where the lines of an axis end: none goes on in what is no number."""
    assert all(np.isfinite(line.get_ydata()).all() for line in axis.lines)
    return [line.get_xdata()[-1] for line in axis.lines]


@pytest.mark.parametrize("name", SPLITS)
def test_every_figure_has_labelled_axes_and_a_caption(name, tmp_path):
    groups = [*PARTS, *"abc"] if name != "by_name" else PARTS
    ensemble = replace(ENSEMBLE, run_ids=tuple(f"{groups[run % len(groups)]}_{run}" for run in range(24)))
    training = made(ensemble, tmp_path, settings=replace(SETTINGS, split=name))
    drawn = figures.draw_all(training, ensemble)
    assert list(drawn)[-1] == "band_coverage"
    for figure, caption in drawn.values():
        assert figure.axes[-1].get_xlabel() or not figure.axes[-1].axison
        assert caption.endswith(".")


def test_every_figure_has_a_file_of_its_name(forecast, monkeypatch):
    monkeypatch.setattr(figures.Picture, "savefig", lambda picture, path, dpi: path.touch())
    figures.save_figures(forecast, figures.draw_all(forecast, ENSEMBLE))
    drawn = figures.draw_all(forecast, ENSEMBLE)
    assert {path.name for path in (forecast.folder / "figures").iterdir()} == {f"{name}.png" for name in drawn}


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("forecast", ["rollout"]),
        ("target per step", ["stretch", "predicted_against_true"]),
        ("target per run", ["predicted_against_true"]),
    ],
)
def test_each_kind_of_task_has_its_own_figures(trainings, kind, own):
    names = list(figures.draw_all(trainings[kind], UNEQUAL))
    data, scores = ["input_ranges", "sample_trajectories", "split_example"], ["learning_curve", "error_by_position"]
    assert names == [*data, *own, *scores, "band_coverage"]


def test_a_study_adds_what_only_it_draws(forecast):
    def mine(training, ensemble):
        return {"mine": (figures.Picture(), f"{training.scores.task}, {ensemble.runs} runs")}

    study = replace(forecast.study, figures=mine)
    drawn = figures.draw_all(replace(forecast, study=study), ENSEMBLE)
    assert drawn["mine"][1] == "forecast, 24 runs"
    assert list(drawn)[-2:] == ["band_coverage", "mine"]


def test_the_rollout_figure_shows_forecast_and_truth_of_one_run(forecast):
    """The model errs by 0.5 at every step; the band that holds nine tenths of that is as wide."""
    figure = figures.rollout_grid(forecast, ENSEMBLE)
    assert len(figure.axes) == 2 * 2 * 3
    for place, feature in ((0, 0), (6, 1)):
        for axis in figure.axes[place : place + 3]:
            truth, predicted = (line.get_ydata() for line in axis.lines)
            run = ENSEMBLE.run_ids.index(axis.get_title().split()[-1]) if place == 0 else None
            np.testing.assert_allclose(predicted, truth[5:] + 0.5)
            if run is not None:
                np.testing.assert_array_equal(truth, ENSEMBLE.values[run, :, feature])
    for axis in figure.axes[3:6] + figure.axes[9:]:
        (error,), (_, half) = axis.lines, axis.collections[0].get_datalim(axis.transData).intervaly
        np.testing.assert_allclose(error.get_ydata(), 0.5)
        assert half == pytest.approx(0.5)


def test_limits_are_those_of_the_lines_whatever_the_band(tmp_path):
    """Of two members 80 apart the band is wide; the axes, which share their limits, show the lines."""
    training = made(ENSEMBLE, tmp_path, errors=(-40.0, 40.5))
    first_row = figures.rollout_grid(training, ENSEMBLE).axes[:3]
    shown = np.concatenate([line.get_ydata() for axis in first_row for line in axis.lines])
    for axis in first_row:
        low, high = axis.get_ylim()
        assert low < shown.min() < shown.max() < high
        assert high - low < 1.2 * np.ptp(shown)


def test_of_many_features_the_rollout_has_no_second_rows(tmp_path):
    ensemble = noise(features=5)
    training = made(ensemble, tmp_path)
    assert len(figures.rollout_grid(training, ensemble).axes) == 5 * 3
    assert figures.ERRORS not in figures.draw_all(training, ensemble)["rollout"][1]


def test_runs_are_drawn_to_their_end_and_no_further(trainings):
    """Run r ends after 31 + r steps of 1/20 s."""
    ends = dict(zip(UNEQUAL.run_ids, (LENGTHS - 1) / 20, strict=True))
    for axis in figures.sample_trajectories(UNEQUAL).axes:
        assert ends_of(axis) == [ends[line.get_label()] for line in axis.lines]
    training = trainings["forecast"]
    firsts = [ends[getattr(training.split, part).runs[0]] for part in ("train", "validation", "test")]
    for axis in figures.split_example(UNEQUAL, training.split).axes:
        assert ends_of(axis) == firsts
    for axis in figures.rollout_grid(training, UNEQUAL).axes[:3]:
        assert ends_of(axis) == [ends[axis.get_title().split()[-1]]] * 2
    (axis,) = figures.stretch(trainings["target per step"], UNEQUAL).axes
    assert ends_of(axis) == [ends[axis.get_title().split()[-1]]] * 2


def test_errors_by_position_end_with_the_longest_test_run(trainings):
    training = trainings["forecast"]
    longest = max(LENGTHS[UNEQUAL.run_ids.index(run)] for run in training.split.test.runs)
    assert set(ends_of(figures.error_by_position(training.scores).axes[0])) == {longest - 5}


def test_of_60_features_at_most_9_are_drawn(many):
    training, ensemble = many
    drawn = figures.draw_all(training, ensemble)
    for name, axes in (("sample_trajectories", 9), ("split_example", 9), ("rollout", 3 * 9), ("band_coverage", 2)):
        figure, caption = drawn[name]
        assert len(figure.axes) == axes
        assert "9 of 60 features" in caption or "Of 60 features" in caption
    names = [line.get_label() for line in drawn["band_coverage"][0].axes[1].lines[:6:2]]
    assert names == ["f59: half the band", "f29: half the band", "f0: half the band"]
    task = PerRunOffBy(outputs=tuple(f"r{i}" for i in range(60)), at=(0.5, 1.0))
    assert len(figures.predicted_against_true(of_many_targets(training, task)).axes) == 9 * 2


def of_many_targets(training, task):
    """A training whose 60 targets come of the run."""
    ensemble = noise(results={name: np.arange(20.0) + i for i, name in enumerate(task.outputs)})
    return made(ensemble, training.folder, errors=(0.5,), task=task)


def test_features_shown_are_the_worst_the_best_and_some_between(many):
    """The errors are 0 to 0.59: every seventh or eighth of them, the largest first."""
    training, ensemble = many
    labels = [axis.get_ylabel() for axis in figures.rollout_grid(training, ensemble).axes[::3]]
    assert labels == [f"f{feature} [m]" for feature in (59, 52, 44, 37, 29, 22, 15, 7, 0)]
    assert by_error({"a": 1.0, "b": 3.0}) == ["a", "b"]
    diverged = {f"f{i}": float(i) for i in range(19)} | {"lost": float("nan")}
    assert by_error(diverged)[:2] == ["lost", "f17"]


def test_a_stretch_shows_300_answers_at_most(tmp_path):
    ensemble = noise(steps=400)
    training = made(ensemble, tmp_path, task=TASKS["target per step"])
    truth, predicted = figures.stretch(training, ensemble).axes[0].lines
    assert (len(truth.get_ydata()), len(predicted.get_ydata())) == (304, 300)
    np.testing.assert_allclose(predicted.get_ydata(), truth.get_ydata()[4:] + 0.5)


def test_points_lie_above_the_line_by_their_error(trainings):
    """What comes of a run is predicted 0.5 too high, at each of three shares of it; the bars reach the truth."""
    figure = figures.predicted_against_true(trainings["target per run"])
    assert [axis.get_title() for axis in figure.axes[:3]] == [f"{share} % of the run seen" for share in (20, 50, 100)]
    tests = [UNEQUAL.run_ids.index(run) for run in trainings["target per run"].split.test.runs]
    for axis in figure.axes[:3]:
        np.testing.assert_array_equal(axis.lines[1].get_xdata(), tests)
        np.testing.assert_allclose(axis.lines[1].get_ydata(), np.array(tests) + 0.5)
        bars = np.array(axis.collections[0].get_segments())
        np.testing.assert_allclose(bars[:, :, 1], np.add.outer(tests, [0.0, 1.0]), atol=1e-9)


def test_points_of_steps_are_those_of_all_test_runs(trainings):
    """Thirds of the steps 4 to 49 of the longest test run; at most 300 points each."""
    training = trainings["target per step"]
    figure = figures.predicted_against_true(training)
    points = sum(len(axis.lines[1].get_xdata()) for axis in figure.axes)
    assert points == sum(LENGTHS[UNEQUAL.run_ids.index(run)] - 4 for run in training.split.test.runs)
    ensemble = noise(runs=100, steps=40)
    large = made(ensemble, training.folder, task=PerStepOffBy(inputs=("f0",), outputs=("f1",)))
    assert [len(axis.lines[1].get_xdata()) for axis in figures.predicted_against_true(large).axes] == [220, 240, 240]


def test_a_band_without_end_has_no_bars(forecast, tmp_path):
    kept = Prediction(("a", "b"), *(np.full((2, 3, 1), value) for value in (1.0, -np.inf, np.inf, 0.0)))
    training = made(noise(), tmp_path, task=PerRunOffBy(outputs=("end",), at=(0.2, 0.5, 1.0)))
    training.__dict__["predictions"] = {"test": kept}
    for axis in figures.predicted_against_true(training).axes:
        assert len(axis.lines[1].get_xdata()) == 2
        assert not axis.collections[0].get_segments()


def test_a_single_forecast_is_drawn_after_its_window():
    window, middle = np.zeros((5, 2)), np.ones((3, 2))
    names = {"features": ("x", "y"), "level": 0.9, "times": (0.5, "s")}
    axes = figures.forecast_with_band(window, middle, middle - 1, middle + 1, **names).axes
    past, future = axes[1].lines
    np.testing.assert_array_equal(past.get_xdata(), [-2, -1.5, -1, -0.5, 0])
    np.testing.assert_array_equal(future.get_xdata(), [0.5, 1, 1.5])
    assert axes[1].get_xlabel() == "time after the window [s]"


def test_the_run_shown_is_the_median_one(tmp_path):
    """Errors of 9, 1, 5, 3 and 7; a run of nan where it ended, and one that diverged."""
    truth = np.zeros((5, 4, 1))
    truth[3, 2:] = np.nan
    middle = truth + np.array([9.0, 1.0, 5.0, 3.0, 7.0])[:, None, None]
    assert median_run(Prediction(tuple("abcde"), middle, middle, middle, truth)) == 2
    middle[0, 0] = np.nan
    assert median_run(Prediction(tuple("abcde"), middle, middle, middle, truth)) == 2
    shown = shown_run(made(ENSEMBLE, tmp_path), ENSEMBLE)
    assert shown.before == 5
    np.testing.assert_allclose(shown.middle, shown.truth[5:] + 0.5)


def test_only_inputs_that_vary_are_drawn_and_12_at_most(tmp_path):
    labels = [axis.get_xlabel() for axis in figures.input_ranges(ENSEMBLE).axes]
    assert labels[0] == "a: 0 to 1"
    assert not any("fixed" in text for text in labels)
    inputs = {f"i{n}": np.arange(20.0) + n for n in range(50)}
    ensemble = noise(inputs=inputs)
    figure, caption = figures.draw_all(made(ensemble, tmp_path), ensemble)["input_ranges"]
    assert len(figure.axes) == 12
    assert caption.endswith("The first 12 of 50 inputs that vary.")
    ensemble = noise(inputs={})
    assert "input_ranges" not in figures.draw_all(made(ensemble, tmp_path), ensemble)


def test_dollar_signs_in_names_are_shown_and_are_no_formulas(tmp_path):
    """ "$\\frac$" is no formula: drawn as one, it would end the study with an error."""
    units, runs = {r"$\frac$": "$"}, tuple(f"${r}$" for r in range(20))
    names = {"features": (r"$\frac$", "cost [$]"), "units": units, "run_ids": runs}
    odd = replace(noise(steps=12), **names, inputs={r"$\frac$": np.arange(20.0)})
    training = made(odd, tmp_path)
    figures.save_figures(training, figures.draw_all(training, odd))
    training = made(odd, tmp_path, task=PerStepOffBy(inputs=("cost [$]",), outputs=(r"$\frac$",)))
    figures.stretch(training, odd).savefig(tmp_path / "stretch.png")
    figures.predicted_against_true(training).savefig(tmp_path / "points.png")
    assert label("$a$", "") == r"\$a\$"


@pytest.mark.parametrize("name", ["r", "a name of thirty-two letters, or "])
def test_a_legend_stays_inside_its_figure_however_long_its_names(name):
    named = replace(noise(steps=12), run_ids=tuple(f"{name}{run}" for run in range(20)))
    figure = figures.sample_trajectories(named)
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width


def test_drawing_leaves_the_users_style_alone():
    before = dict(matplotlib.rcParams)
    figures.sample_trajectories(ENSEMBLE)
    assert dict(matplotlib.rcParams) == before


def test_some_of_many_places_are_first_and_last_among_them():
    assert spread(3, 9) == [0, 1, 2]
    assert spread(9, 3) == [0, 4, 8]
    assert spread(1, 5) == [0]
