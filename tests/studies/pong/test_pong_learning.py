"""A training of Pong: settings, its model played and judged beside the limit, its report, pictures and page."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from games import played

from sim2seq import write_report
from sim2seq._support import command
from sim2seq.training.fit import fit
from studies.pong import dream, figures, limit, places, scores, simulate, web
from studies.pong.agents import make_agent
from studies.pong.study import STUDY, PongSettings, judge, limit_of
from studies.pong.worlds import CubeCrash, Pong

PONG, CUBE = Pong(), CubeCrash()
DEBUG = PongSettings.parse(["size=debug"])


@pytest.fixture(scope="module")
def trained(ensemble, tmp_path_factory):
    """A finished training of the debug size, judged."""
    found = fit(ensemble, DEBUG, tmp_path_factory.mktemp("training") / "ours", study=STUDY, quiet=True)
    judge(found, ensemble)
    return found


def test_a_training_leaves_a_model_that_can_be_played(trained, ensemble):
    made = dream.load(trained.folder)
    rows = [number for number, group in enumerate(ensemble.groups) if group == "test"]
    frames, actions = places.frames_of(PONG, ensemble.values[rows]), ensemble.values[rows][..., -1]
    episodes = scores.Episodes(frames, actions, ensemble.lengths[rows], {})
    found = scores.rollout(made, episodes)
    kept = trained.predictions["test"]
    assert made.known == DEBUG.window
    other = np.abs(np.nan_to_num(found.places) - np.nan_to_num(kept.middle[..., :-1])) > 1e-3
    assert other.mean() < 0.05  # a place between two pixels is rounded either way
    assert np.isfinite(scores.summary(found, PONG)["distance"][0])


def test_a_judge_names_the_steps_that_it_has_judged(trained, ensemble):
    """Episodes of 24 rows, of which 3 are known; 8 steps are learned."""
    judged = judge(trained, ensemble)
    assert list(judged) == ["distance_21", "distance_20", "wrong_ends", "copied_21", "limit_21"]
    seen = trained.predictions["validation"]
    away = np.linalg.norm(seen.middle[:, -1, :2] - seen.truth[:, -1, :2], axis=-1)
    assert judged["distance_21"] == pytest.approx(np.nanmean(away))
    known = [ensemble.run_ids.index(run) for run in trained.split.validation.runs]
    last = places.find(PONG, places.frames_of(PONG, np.asarray(ensemble.values[known])))[:, 2]
    copied = np.linalg.norm(last[:, :2] - seen.truth[:, 20, :2], axis=-1)
    assert judged["copied_21"] == pytest.approx(np.nanmean(copied))


def test_a_judge_leaves_out_episodes_that_end_before(trained, ensemble):
    """Some are over before a model has seen what it must be shown: nothing is predicted of them."""
    seen = trained.predictions["validation"]
    rest = replace(
        seen, run_ids=seen.run_ids[1:], **{name: getattr(seen, name)[1:] for name in ("middle", "low", "high", "truth")}
    )
    told = {name: getattr(trained, name) for name in ("folder", "settings", "split")}
    judged = judge(SimpleNamespace(**told, predictions={"validation": rest}), ensemble)
    away = np.linalg.norm(rest.middle[:, -1, :2] - rest.truth[:, -1, :2], axis=-1)
    assert judged["distance_21"] == pytest.approx(np.nanmean(away))
    known = [ensemble.run_ids.index(run) for run in rest.run_ids]
    last = places.find(PONG, places.frames_of(PONG, np.asarray(ensemble.values[known])))[:, 2]
    copied = np.linalg.norm(last[:, :2] - rest.truth[:, 20, :2], axis=-1)
    assert judged["copied_21"] == pytest.approx(np.nanmean(copied))


def test_a_judge_says_the_limit_of_what_a_model_is_shown(trained, ensemble):
    judged = judge(trained, ensemble)
    first = simulate.SETS["validation"].first
    seeds = [first + int(run.removeprefix("validation_")) for run in trained.split.validation.runs]
    agent = make_agent(PONG, seeds, simulate.SETS["validation"].stochasticity)
    again = simulate.simulate(PONG, seeds, agent, steps=24)
    paths = limit.every_angle(PONG, again.frames.shape[1])
    errors = limit.limit(paths, again.states, again.actions, again.lengths, DEBUG.window)
    assert judged["limit_21"] == pytest.approx(limit.by_horizon(errors, DEBUG.window, [21])[0][0])
    assert 0 < judged["limit_21"] < judged["copied_21"]


def test_what_the_angle_or_a_frame_tells_has_the_limit_zero(ensemble):
    runs = ensemble.run_ids[:2]
    told = PongSettings.parse(["size=debug", "inputs=launch_sin,launch_cos", "window=1"])
    assert limit_of(PONG, ensemble, runs, told, 5) == 0
    assert limit_of(CUBE, ensemble, runs, DEBUG, 5) == 0
    of_agents = PongSettings.parse(["size=debug", "inputs=stochasticity"])  # which says nothing of the ball
    assert limit_of(PONG, ensemble, runs, of_agents, 5) == limit_of(PONG, ensemble, runs, DEBUG, 5) > 0
    lacking = replace(ensemble, inputs={})
    assert limit_of(PONG, lacking, runs, DEBUG, 5) is None


def test_all_pictures_of_the_card_come_of_a_benchmarks_folder(trained, tmp_path, capsys):
    models, pictures_of = tmp_path / "models", tmp_path / "pictures"
    kept = json.dumps({"distance": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    for name in (figures.FILM_OF, "dense_rnn_P__3", "ours_angle_told_seed_1"):
        shutil.copytree(trained.folder, models / name)
        (models / name / "test.json").write_text(kept)
    (models / "limit_16.json").write_text(kept)
    (tmp_path / "board.csv").write_text("place,model,skip,error\n1,objects,1,0.5\n2,dense_rnn,8,4.0\n")
    words = ["--board", str(tmp_path / "board.csv"), "--output", str(pictures_of), "--episodes", "6"]
    figures.main([str(models), *words])
    drawn = ["dense_rnn_P__3.png", "horizon.png", "ours_angle_told.png", "pong.gif", "sweep.png"]
    assert sorted(path.name for path in pictures_of.iterdir()) == drawn
    assert capsys.readouterr().out.splitlines() == [
        "![dense rnn, P = 3: median and worst episode](pictures/dense_rnn_P__3.png)",
        "![ours angle told: median and worst episode](pictures/ours_angle_told.png)",
    ]
    with pytest.raises(ValueError, match=r"expected models that benchmarks/pong.py has trained"):
        figures.main([str(pictures_of), "--output", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


def test_a_page_of_a_model_that_searches_is_refused_in_one_line(trained, tmp_path, capfd):
    path = tmp_path / "page.html"
    assert command.run(lambda: web.main([str(trained.folder), "--output", str(path)])) == 2
    told = capfd.readouterr().err
    assert f"{trained.folder}: expected a model of dense layers, recurrent ones too, or objects that is told" in told
    assert "inputs:launch_sin,launch_cos window:1" in told
    assert told.count("\n") == 1
    assert not path.exists()


def test_training_episodes_bound_what_a_dream_is_told(ensemble, tmp_path):
    settings = PongSettings.parse(["size=debug", "inputs=launch_angle", "window=1", "epochs=1"])
    found = fit(ensemble, settings, tmp_path / "told", study=STUDY, quiet=True)
    judge(found, ensemble)
    made = dream.load(found.folder)
    learned = [ensemble.inputs["launch_angle"][ensemble.run_ids.index(run)] for run in found.split.train.runs]
    assert made.ranges == {"launch_angle": pytest.approx([min(learned), max(learned)])}
    shown = played(PONG, 1)
    made.begin(shown.frames[0, :1], shown.actions[0, :1], [2.0])
    with pytest.raises(ValueError, match=r"launch_angle: expected about .* as in training; got 50"):
        made.begin(shown.frames[0, :1], shown.actions[0, :1], [50.0])


def test_a_model_of_another_environment_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="expected a model of cube_crash; got one of pong"):
        dream.load(trained.folder, environment="cube_crash")
    with pytest.raises(ValueError, match="expected the folder of a finished training"):
        dream.load(tmp_path)


TRANSFORMER = ["recipe=pixels", "model=frame_transformer"]
IMPOSSIBLE = [["closed_loop=true"], ["recipe=pixels", "closed_loop=true"]]
IMPOSSIBLE += [["skip=0"], ["model=combined"], ["window=0"], ["skip=8"], [*TRANSFORMER, "skip=8"]]


@pytest.mark.parametrize("words", [*IMPOSSIBLE, [*TRANSFORMER, "inputs=launch_sin,launch_cos"]])
def test_settings_that_are_not_possible_are_refused(words):
    with pytest.raises(ValueError, match=r"setting|model"):
        PongSettings.parse(words)


def test_the_report_shows_places_and_strips_of_frames(trained, ensemble, tmp_path):
    text = write_report(tmp_path / "report.html", ensemble, trained).read_text()
    assert "ball_x" in text
    assert "frame[0,0]" not in text
    assert "the median of the test episodes, and the worst one" in text
    assert "the best that can be known from the frames that the model was shown" in text
