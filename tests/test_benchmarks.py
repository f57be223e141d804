"""The benchmarks measure what they say: on trainings that end in seconds, on systems and results made up."""

from types import SimpleNamespace

import numpy as np
import pytest
from scripts import script

from sim2seq.data.splits import Part, select
from sim2seq.training import candidates
from sim2seq.training.fit import split_runs
from sim2seq.training.settings import Settings


@pytest.fixture(scope="module")
def backends():
    return script("backends")


@pytest.fixture(scope="module")
def systems():
    return script("_systems")


def test_goal_is_reached_at_the_end_of_an_epoch_or_not_at_all(backends, bouncing):
    few = select(bouncing, Part(bouncing.run_ids[:10], 0, 60))
    settings = Settings.parse(["model=stacked_lstm", "size=debug", "units=4", "window=5"])
    found = backends.learn(few, split_runs(few, settings), settings, best_loss=1e9)
    assert 0 < found["untrained"]["seconds"] < found["reached"]["loss"] < found["trained"]["seconds"]
    assert "closed_loop" not in found["reached"]  # two epochs of four units


def test_speed_counts_whole_batches(backends, bouncing):
    few = select(bouncing, Part(bouncing.run_ids[:4], 0, 100))
    assert backends.speed(few, ["units=4", "jit_compile=false"], "stacked_lstm", 10, 8, 3) > 0


@pytest.mark.parametrize("name", ["backends", "accuracy"])
def test_what_is_measured_is_the_model_that_the_table_names(name):
    assert all(Settings.parse(words).model == model for model, words in script(name).MODELS.items())


def test_an_ensemble_whose_errors_are_kept_is_left_alone(tmp_path, monkeypatch):
    accuracy, asked, path = script("accuracy"), [], tmp_path / "rows.json"

    def measured(name, *, quick):
        asked.append(name)
        return [accuracy.row(f"{name}, test: model", 0.1, None, "lower", "length")]

    monkeypatch.setattr(accuracy, "measured", measured)
    for more in (["--only", "joint"], ["--only", "joint", "limit"], ["--only", "limit", "--again"]):
        monkeypatch.setattr("sys.argv", ["accuracy.py", *more, "--json", str(path)])
        accuracy.main()
    assert asked == ["joint", "limit", "limit"]
    monkeypatch.setattr("sys.argv", ["accuracy.py", "--quick", "--json", str(path)])
    with pytest.raises(ValueError, match="--again"):
        accuracy.main()


def test_every_timed_case_has_all_its_targets(backends):
    ensemble, split = backends.ordered_runs()
    steps = ensemble.steps - Settings().window
    for _, targets, batch_size, _ in backends.SPEEDS:
        assert batch_size <= len(split.train.runs) * (steps - targets + 1)


def test_a_draw_skips_what_cannot_be_integrated(systems, monkeypatch):
    monkeypatch.setattr(systems, "candidates", lambda: list("abcdefgh"))
    monkeypatch.setattr(systems, "attractor", lambda name: None if name in "aceg" else name)
    found = systems.draw(3, 4)
    assert sorted(found) == list("bdfh")
    assert systems.draw(3, 2) == found[:2]


def test_a_system_that_needs_too_much_is_given_up(systems, monkeypatch):
    class Decay:
        @staticmethod
        def rhs(state, time):
            return -state

    times = np.linspace(0, 1, 5)
    assert systems.integrated(Decay, [1.0], times)[-1] == pytest.approx(np.exp(-1))
    monkeypatch.setattr(systems, "MOST_CALLS", 3)
    assert systems.integrated(Decay, [1.0], times) is None


def test_a_steered_run_reacts_to_the_action_in_its_row(systems, monkeypatch):
    monkeypatch.setattr(systems, "RUNS", 2)
    monkeypatch.setattr(systems, "STEPS", 20)
    values = systems.made("swing_up", systems.SYSTEMS["swing_up"], None, quick=False).ensemble.values
    _, sine, speed, action = np.moveaxis(values, 2, 0)
    push = 0.05 * (15 * sine[:, :-1] + 3 * action[:, 1:])  # Gymnasium's Pendulum-v1
    assert speed[:, 1:] == pytest.approx(np.clip(speed[:, :-1] + push, -8, 8), abs=1e-5)


def test_a_peer_sees_a_step_and_what_is_told_of_the_next():
    features, told = np.arange(4.0).reshape(1, 4, 1), 10 + np.arange(4.0).reshape(1, 4, 1)
    features[0, 3] = np.nan
    seen, following = script("_peers").pairs(features, told)
    assert seen[0].tolist() == [[0, 11], [1, 12]]
    assert following[0].tolist() == [[1], [2]]


def test_a_peer_with_a_clock_is_told_the_time_of_each_step():
    """Until the end of a run; the forecast goes on with the same time."""
    peers = script("_peers")
    features, told = np.zeros((2, 5, 3)), np.arange(10.0).reshape(2, 5, 1)
    features[1, 4] = np.nan
    (_, first), (seen, second) = peers.known(features, told, clock=True)
    assert first.tolist() == [[0, -1], [1, -0.5], [2, 0], [3, 0.5], [4, 1]]
    assert seen.shape == (4, 3)
    assert second.tolist() == [[5, -1], [6, -0.5], [7, 0], [8, 0.5]]
    assert peers.clocked(told, clock=True)[1, 4].tolist() == [9, 1]
    assert peers.known(features, told, clock=False)[1][1].tolist() == [[5], [6], [7], [8]]


@pytest.mark.parametrize(("words", "asked"), [([], ()), (["--peers"], "all"), (["--peers", "pysindy"], ("pysindy",))])
def test_peers_are_asked_all_or_by_name(words, asked, monkeypatch):
    general, heard = script("general"), []

    def result_of(name, title, seed, options):
        heard.append(options.peers)
        return {"system": name, "title": title, "seed": seed, "failed": "not tried"}

    monkeypatch.setattr(general, "result_of", result_of)
    monkeypatch.setattr("sys.argv", ["general.py", "--only", "lorenz63", "--seeds", "0", *words])
    general.main()
    assert heard == [script("_peers").NAMES if asked == "all" else asked]


def test_forecasts_of_a_peer_are_those_of_its_runs_in_order():
    """A law that says: the last step seen and what is told, added up."""
    contexts, told = np.arange(6.0).reshape(3, 2, 1), np.ones((3, 4, 1))
    found = script("_peers").run_by_run(lambda seen, numbers: seen[-1] + np.cumsum(numbers[2:], axis=0))
    assert found(contexts, told)[:, :, 0].tolist() == [[2, 3], [4, 5], [6, 7]]


RESULT = {"system": "lorenz63", "title": "lorenz63", "runs": {"test": 26}, "best": "ridge", "lyapunov_time": 50.0}
RESULT |= {"spectrum": 0.1, "histogram": 0.2, "seconds": 200.0, "length": 1.0, "weights": {"polynomial": [0.9, 0.7]}}


def result(seed: int, error: float) -> dict:
    numbers = {"error": error, "baselines": {"ridge": 1.0}, "skill": 1 - error, "valid": 100.0, "band": [0.85, 0.99]}
    return {**RESULT, **numbers, "seed": seed, "peers": {"pysindy": 2 * error, "reservoirpy": "no answer"}}


def test_the_table_of_systems_says_means_worst_and_goals():
    tables = script("_general_tables")
    results = [result(0, 0.02), result(1, 0.06), {"title": "kuramoto", "seed": 0, "failed": "no file"}]
    shown = tables.markdown(results).splitlines()
    cells = [cell.strip() for cell in shown[2].split("|")[1:-1]]
    assert cells[:6] == ["lorenz63", "ridge", "1", "0.04", "0.960 (0.940)", "0.95; 0.98"]
    assert cells[6:] == ["100 (2.0)", "0.10", "0.20", "0.85 to 0.99", "200", "polynomial 0.80"]
    assert shown[-1] == "kuramoto, seed 0: no file"
    rows = {each["name"]: each for each in tables.rows_of(results, 180.0)}
    assert rows["lorenz63: highest coverage of a tenth, any seed"]["goal"] == 0.98  # of fewer than 30 test runs
    assert rows["lorenz63: training, longest"]["goal"] == pytest.approx(198)
    assert rows["systems and seeds that failed"]["measured"] == 1
    assert rows["worst skill of all systems and seeds"]["measured"] == pytest.approx(0.94)
    assert rows["pysindy: our share of its error, median system"]["measured"] == 0.5
    assert "reservoirpy: systems where we are ahead" not in rows


def test_what_a_candidate_is_worth_is_a_mean_of_all_systems():
    """Where a candidate has no weight the error stays as it is."""
    results = [
        result(0, 0.02) | {"without": {"ridge": 2.0, "polynomial": 1.5}},
        result(1, 0.02) | {"without": {"ridge": 4.0}},
    ]
    lines = script("_ablation").ablation([*results, {"title": "x", "seed": 0, "failed": "no file"}]).splitlines()
    assert lines[2] == "| ridge | 2 of 2 | 3 times | lorenz63, seed 1: 4 times |"
    assert lines[3] == "| polynomial | 1 of 2 | 1.25 times | lorenz63, seed 0: 1.5 times |"


def test_without_each_candidate_all_are_still_kept_to_be_weighed(tmp_path):
    models = SimpleNamespace(used=["ridge"])
    for name in ("ridge", "hold"):
        candidates.place_of(tmp_path, name).mkdir(parents=True)
    with script("_ablation").all_kept():
        candidates.end(tmp_path, models)
    assert candidates.place_of(tmp_path, "hold").exists()
    candidates.end(tmp_path, models)
    assert candidates.place_of(tmp_path, "ridge").exists() > candidates.place_of(tmp_path, "hold").exists()


def test_results_of_another_setup_are_not_gone_on_with(tmp_path):
    general, path = script("general"), tmp_path / "general.json"
    general.keep(path, {"budget": "3m"}, [result(0, 0.02), {"title": "x", "seed": 0, "failed": "no file"}], 180.0)
    assert general.kept_results(path, {"budget": "3m"}) == [result(0, 0.02)]  # what failed is tried again
    with pytest.raises(ValueError, match="--again"):
        general.kept_results(path, {"budget": "1m"})
