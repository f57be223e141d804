"""Pong's table: guesses shown as many frames as a model, goals that each line is measured by, and means over seeds."""

import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from scripts import script

from studies.pong import figures, grids, guesses, limit, simple, trainings
from studies.pong.agents import make_agent
from studies.pong.atari import AtariPong
from studies.pong.locating import find_ball
from studies.pong.scores import HORIZONS, Episodes
from studies.pong.simulate import simulate
from studies.pong.worlds import CubeCrash, Pong, draw

PONG, CUBE = Pong(), CubeCrash()
OURS, TOLD = ([f"ours, {shown}{seed}" for seed in ("", ", seed 1", ", seed 2")] for shown in ("P = 3", "angle told"))


def played(world, episodes: int = 24):
    return simulate(world, range(episodes), make_agent(world, range(episodes), 0.6))


def next_frames(guess, episodes, known: int) -> np.ndarray:
    """What a guess makes of episodes one step after the known frames."""
    state = guess.begin(episodes.frames[:, :known], episodes.actions[:, :known])
    return guess.step(state, episodes.actions[:, known])[0]


@pytest.mark.parametrize("known", [1, 3, 16])
@pytest.mark.parametrize("world", [PONG, CUBE], ids=lambda world: world.name)
def test_guesses_go_on_from_the_known_frames_at_each_p(world, known):
    episodes = played(world)
    lasting = np.flatnonzero(episodes.lengths > known)
    found = guesses.beside(world, episodes.frames, episodes.lengths, known)
    made = {name: next_frames(make(), episodes, known)[lasting] for name, make in found.items()}
    true = episodes.frames[lasting, known] / np.float32(255)
    assert np.allclose(made["copy the last frame"], episodes.frames[lasting, known - 1] / 255)
    assert np.allclose(made["mean frame"], true.mean(axis=0))
    assert (
        np.allclose(made["nearest training episode"][:, : world.height - 5], true[:, : world.height - 5]) or known == 1
    )
    if world is CUBE:
        assert np.allclose(made["told the rules"], true)
    assert ("constant velocity" in made) == ("constant velocity with walls" in made) == (world is PONG and known > 1)


@pytest.mark.parametrize("guess", [simple.constant_velocity, guesses.rules])
def test_one_frame_of_pong_shows_no_way_of_the_ball(guess):
    with pytest.raises(ValueError, match="expected 2 or more, which show which way the ball flies; got 1"):
        guess(PONG, 1)


@pytest.mark.parametrize("known", [3, 16])
def test_constant_velocity_is_that_since_the_last_bounce(known):
    """Balls that bounce at a plank while they are shown go on backwards, not with the mean of there and back."""
    angles = np.linspace(-0.6, 0.6, 24)
    launches = PONG.launch_at(angles)
    states = [launches]
    for _ in range(known):
        states.append(PONG.step(states[-1], np.full(len(launches), 4))[0])
    states = np.stack(states, axis=1)
    frames, idle = draw(PONG, states), np.full((len(launches), known), 4)
    guess = simple.constant_velocity(PONG, known)
    state = guess.begin(frames[:, :known], idle)
    slack = 1 / (known - 1) if known < 8 else 1 / 5  # of places that are cut to pixels, over the steps since the bounce
    assert np.abs(state.inner[:, 2:4] - states[:, known - 1, 2:4]).max() <= slack
    if known > 8:
        assert (state.inner[:, 2] < 0).all()


@pytest.mark.parametrize("toward", [0, np.pi / 2, np.pi, -np.pi / 2])
def test_constant_velocity_stays_where_balls_can_be(toward):
    states = PONG.launch_at(np.array([toward]))
    second = PONG.step(states, np.array([4]))[0]
    guess = simple.constant_velocity(PONG)
    state = guess.begin(draw(PONG, np.stack([states, second], axis=1)), np.full((1, 2), 4))
    for _ in range(40):
        frame, state = guess.step(state, [4])
    expected = {0: (8, 0), np.pi / 2: (0, 14), np.pi: (-8, 0), -np.pi / 2: (0, -13)}[toward]
    assert np.abs(find_ball(PONG, 255 * frame)[0] - expected).max() <= 1


def test_told_the_rules_a_ball_of_many_frames_is_known_well():
    """The launch fits all that was seen, the frames after a bounce too."""
    episodes = played(PONG)
    lasting = np.flatnonzero(episodes.lengths > 26)
    frames, actions = episodes.frames[lasting], episodes.actions[lasting]
    guess = guesses.rules(PONG, 16)
    state = guess.begin(frames[:, :16], actions[:, :16])
    for step in range(16, 26):
        frame, state = guess.step(state, actions[:, step])
    away = np.linalg.norm(find_ball(PONG, 255 * frame) - find_ball(PONG, frames[:, 25]), axis=-1)
    assert away.mean() < 0.5
    assert len(away) >= 10


@pytest.mark.parametrize("guess", [simple.constant_velocity, guesses.rules])
def test_a_world_without_pongs_ball_has_no_velocity(guess):
    with pytest.raises(ValueError, match=r"expected the environment pong.*; got atari_pong"):
        guess(AtariPong(), 2)


def scored(distance: float, ends: float = 0.95) -> dict:
    """What the benchmark keeps of a model: the same distance at each horizon."""
    numbers = {"distance": [distance] * len(HORIZONS), "others": [0.5] * len(HORIZONS)}
    numbers |= {"pixel_mse": [0.01] * len(HORIZONS), "ends_right": ends, "bounce_right": 0.5}
    return numbers | {"training_cpu_seconds": 60.0, "frames_a_second": 200.0}


def rows_of_table(folder, models: dict[str, dict], capsys) -> tuple[dict[str, dict], str]:
    """The rows of a table of small sets, by name, and what was printed; `models` were trained before."""
    module = script("_pong_models")
    asked = [name for name in module.trials(PONG) if any(part in name for part in models)]
    assert sorted(asked) == sorted(models)  # nothing is trained here
    for name, numbers in models.items():
        place = folder / "pong" / name.replace(" ", "_").replace(",", "").replace("=", "")
        place.mkdir(parents=True)
        for file in ("test.json", "shift.json"):
            (place / file).write_text(json.dumps(numbers))
    sizes = {"train": 20, "validation": 4, "test": 4}
    (folder / "pong" / "setup.json").write_text(json.dumps({"setup": sizes}))
    options = {"environment": "pong", "episodes": 4, "training_episodes": 20, "only": list(models), "study": None}
    rows = module.models(Namespace(folder=folder, **options))
    return {row["name"]: row for row in rows}, capsys.readouterr().out


def test_each_source_family_has_a_verdict_beside_the_copy(tmp_path, capsys):
    models = {f"{family}, P = 3": scored(1.0) for family in script("_pong_models").FAMILIES}
    models |= {"spatial_transformer, angle told": scored(90.0)} | {name: scored(1.0) for name in OURS}
    rows, printed = rows_of_table(tmp_path, models, capsys)
    found = {name: row for name, row in rows.items() if "no worse than copying the last frame at 10 steps" in name}
    assert len(found) == 6
    for name, row in found.items():
        known = 1 if "told" in name else 3
        assert (
            row["goal"] == row["reference"] == rows[f"copy the last frame, P = {known}: distance, 10 steps"]["measured"]
        )
        assert script("_rows").met(row) == ("no" if "told" in name else "yes")
    assert rows["ours, P = 3: distance, 10 steps"]["reference"] == row_of_copy(rows, 3)
    assert rows["limit, angle told: distance, 60 steps"]["measured"] == 0
    assert [f"| limit, {each} |" in printed for each in ("P = 3", "P = 16", "angle told")] == [True] * 3


def row_of_copy(rows, known: int) -> float:
    return rows[f"copy the last frame, P = {known}: distance, 10 steps"]["measured"]


def test_the_goal_of_ends_is_that_of_our_model_alone(tmp_path, capsys):
    told = {name: scored(1.0) for name in (*TOLD, "dense_rnn, angle told")}
    rows, _ = rows_of_table(tmp_path, told, capsys)
    assert rows["ours, angle told: ends_right"]["goal"] == 0.9
    assert rows["dense_rnn, angle told: ends_right"]["goal"] is None
    assert rows["ours, angle told, other players: ends_right"]["goal"] is None


def test_the_spatial_transformer_learns_from_its_own_frames():
    words = trainings.trainings(["spatial_transformer", "dense_rnn"], ["1"], ours="", theirs="", shared="", told=True)
    assert ["closed_loop:true" in each for each in words] == [True, True, False, False]
    (chosen,) = trainings.trainings(
        ["spatial_transformer"], ["1"], ours="", theirs="closed_loop:false", shared="", told=False
    )
    assert "closed_loop:true" not in chosen
    learned = script("_pong_models").trials(PONG)
    of_it = {name: "closed_loop:true" in each for name, each in learned.items() if "spatial" in name}
    assert [name for name, own in of_it.items() if not own] == ["spatial_transformer, true frames"]


def test_a_mean_over_seeds_has_the_goal_and_a_deviation(tmp_path, capsys):
    models = {name: scored(distance, distance / 4) for name, distance in zip(TOLD, (1.0, 2.0, 3.0), strict=True)}
    rows, printed = rows_of_table(tmp_path, models, capsys)
    mean, deviation = (
        rows[f"ours, angle told, {each} of 3 seeds: distance, 60 steps"] for each in ("mean", "deviation")
    )
    assert (mean["measured"], mean["goal"]) == (2.0, 1.5)
    assert (deviation["measured"], deviation["goal"]) == (1.0, None)
    assert rows["ours, angle told, mean of 3 seeds: ends_right"]["measured"] == 0.5
    assert "| ours, angle told, mean of 3 seeds | 2.00 |" in printed
    assert "| ours, angle told, deviation of 3 seeds | 1.00 |" in printed


def test_one_seed_has_neither_mean_nor_deviation(tmp_path, capsys):
    rows, _ = rows_of_table(tmp_path, {"frame_transformer, P = 3": scored(1.0)}, capsys)
    assert not [name for name in rows if "seeds" in name]


def test_an_exact_forecast_is_seen_on_the_axis_of_distances():
    results = {"ours": [0.0, 0.0, 0.02, 0.0, 0.0, 0.0], "copy": [1.0, 5.0, 8.0, 8.0, 10.0, 8.0]}
    axis = figures.by_horizon(results, guessed=["copy"]).axes[0]
    heights = axis.transData.transform([(1, 0.0), (1, 0.02), (1, 1.0), (1, 8.0)])[:, 1]
    bottom = axis.bbox.y0
    assert axis.get_yscale() == "symlog"
    assert bottom < heights[0] < heights[1] < heights[2] < heights[3]
    assert axis.get_ylabel() == "distance of the ball [px], linear below 0.01"


def episodes_of(world, found) -> Episodes:
    return Episodes(found.frames, found.actions.astype(float), found.lengths, world.inputs(found.states[:, 0]))


@pytest.mark.parametrize("known", [3, 16])
def test_the_limit_of_a_report_is_that_of_the_true_states(known):
    found = played(PONG)
    (name,), (said,) = zip(*figures.limits(simple.copy(PONG, known), episodes_of(PONG, found)).items(), strict=True)
    paths = limit.every_angle(PONG, found.frames.shape[1])
    errors = limit.limit(paths, found.states, found.actions, found.lengths, known)
    assert name == f"limit, P = {known}"
    assert said == pytest.approx(limit.by_horizon(errors, known, HORIZONS)[0].tolist(), nan_ok=True)


def test_a_report_has_limit_and_guesses_beside_the_model():
    found = episodes_of(PONG, played(PONG))
    results = figures.beside(simple.copy(PONG, 3), "objects", found, found)
    assert set(results) == {"objects", "limit, P = 3", *guesses.beside(PONG, found.frames, found.lengths, 3)}
    assert results["objects"] == results["copy the last frame"]
    assert results["limit, P = 3"][3] < min(results[name][3] for name in ("copy the last frame", "mean frame"))
    legend = figures.by_horizon(results, guessed=[name for name in results if name != "objects"]).legends[0]
    told = [text.get_text() for text in legend.get_texts()]
    assert told[:2] == [f"{name}: {results[name][2]:.2f}" for name in ("objects", "limit, P = 3")]


def test_what_a_frame_or_the_angle_tells_has_the_limit_zero():
    cubes = episodes_of(CUBE, played(CUBE))
    assert figures.limits(simple.copy(CUBE), cubes) == {"limit": [0.0] * len(HORIZONS)}
    told = replace(simple.copy(PONG), told=("launch_sin", "launch_cos"))
    assert figures.limits(told, episodes_of(PONG, played(PONG))) == {"limit": [0.0] * len(HORIZONS)}


def test_distances_above_zero_stand_on_a_logarithmic_axis():
    axis = figures.by_horizon({"copy": [1.0, 5.0, 8.0, np.nan, np.nan, np.nan]}).axes[0]
    assert (axis.get_yscale(), axis.get_ylabel()) == ("log", "distance of the ball [px]")


def test_a_picture_of_cubes_ends_where_they_do():
    """No cube falls for 40 steps; what a limit of 0 says of them is not drawn."""
    results = {"ours": [0.1, 0.2, 0.3, 0.4, np.nan, np.nan], "limit": [0.0] * 6}
    axis = figures.by_horizon(results, guessed=["limit"], of="cube").axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "5", "10", "20"]
    assert max(line.get_xdata()[-1] for line in axis.lines) == 20
    assert axis.get_ylabel().startswith("distance of the cube [px]")


def test_a_training_of_a_study_is_called_as_in_the_table():
    called = script("_pong_models").called
    settings = {"model": "dense_rnn", "inputs": [], "skip": 1, "window": 3}
    told = {"inputs": ["launch_sin", "launch_cos"], "window": 1}
    names = [
        called(settings | each) for each in ({}, {"skip": 8}, told, {"skip": 8} | told, {"model": "objects"} | told)
    ]
    assert names == [
        "dense_rnn, P = 3",
        "dense_rnn, skip 8",
        "dense_rnn, angle told",
        "dense_rnn, skip 8, angle told",
        "ours, angle told",
    ]


def test_the_picture_by_horizon_has_room_for_few():
    guessed = ["copy, P = 3", "copy, P = 16", "limit 16"]
    models = ["dense rnn, P = 3", "dense rnn skip 8", "dense rnn angle told", "ours angle told", "ours, P = 16"]
    results = {name: [1.0] for name in [*models, *guessed]}
    kept = ["dense rnn, P = 3", "ours angle told", "ours, P = 16", "copy, P = 3", "limit 16"]
    assert list(figures.few(results, guessed)) == kept
    cubes = {name: [1.0] for name in ["dense rnn", "dense rnn skip 8", "copy, P = 1"]}
    assert list(figures.few(cubes, ["copy, P = 1"])) == ["dense rnn", "copy, P = 1"]


def test_a_model_of_a_study_has_no_time_of_training():
    found = {name: value for name, value in scored(1.0).items() if name != "training_cpu_seconds"}
    names = [row["name"] for row in script("_pong_rows").rows_of("dense_rnn, P = 3", found)]
    assert "dense_rnn, P = 3: play" in names
    assert "dense_rnn, P = 3: training" not in names


def test_guesses_beside_cubes_are_shown_one_frame(tmp_path, capsys):
    (tmp_path / "cube_crash").mkdir()
    (tmp_path / "cube_crash" / "setup.json").write_text(
        json.dumps({"setup": {"train": 20, "validation": 4, "test": 4}})
    )
    options = {"environment": "cube_crash", "episodes": 4, "training_episodes": 20, "only": ["none"], "study": None}
    script("_pong_models").models(Namespace(folder=tmp_path, **options))
    named = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines() if ", P = " in line]
    guessed = ["copy the last frame", "mean frame", "nearest training episode", "told the rules"]
    assert named == [f"| {name}, P = 1" for name in ["limit", *guessed]]


def test_distances_that_are_all_zero_are_drawn():
    axis = figures.by_horizon({"ours": [0.0] * len(HORIZONS)}).axes[0]
    assert axis.get_ylim()[0] < 0 < axis.get_ylim()[1]


BOARD = """place,model,skip,inputs,window,error,recorded as
1,objects,1,"launch_sin,launch_cos",1,0.02,a
2,dense_rnn,8,,3,4.0,b
3,dense_rnn,8,,3,5.0,c
4,dense_rnn,1,"launch_sin,launch_cos",1,2.5,d
5,asset_transformer,1,,3,inf,e
"""
BOARDS = """place,environment,model,skip,known,told,steps,distance,copied,times,wrong_ends,recorded as
1,pong,objects,1,1,True,60,0.02,8,0.0025,0.1,a
2,cube_crash,objects,1,1,False,20,0.5,20,0.025,0.1,a
"""


def test_a_sweeps_table_says_model_skip_and_what_is_told(tmp_path):
    (tmp_path / "one.csv").write_text(BOARD)
    (tmp_path / "two.csv").write_text(BOARDS)
    found = {("objects", "skip 1, angle told"): 0.02, ("dense_rnn", "skip 8"): 4.5}
    found |= {("dense_rnn", "skip 1, angle told"): 2.5, ("asset_transformer", "skip 1"): np.inf}
    assert grids.board_of(tmp_path / "one.csv") == {"": found}
    both = {"pong": {("objects", "skip 1, angle told"): 0.02}, "cube_crash": {("objects", "skip 1"): 0.5}}
    assert grids.board_of(tmp_path / "two.csv") == both


def test_a_sweep_is_drawn_as_a_grid(tmp_path):
    (tmp_path / "one.csv").write_text(BOARD)
    (axis,) = grids.sweep(grids.board_of(tmp_path / "one.csv")).axes
    lines = [each.get_text() for each in axis.get_yticklabels()]
    columns = [each.get_text() for each in axis.get_xticklabels()]
    assert lines == ["objects", "dense rnn", "asset transformer"]
    assert columns == ["skip 1", "skip 1\nangle told", "skip 8"]
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axis.texts}
    assert cells == {(1, 0): "0.02", (2, 1): "4.50", (1, 1): "2.50", (0, 2): "diverged"}


@pytest.mark.parametrize("text", ["", "place,model\n1,objects\n", "model,error\nobjects,far\n"])
def test_a_table_that_is_no_leaderboard_is_refused(text, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=r"bad.csv: expected .*leaderboard") as error:
        grids.board_of(tmp_path / "bad.csv")
    assert "\n" not in str(error.value)
