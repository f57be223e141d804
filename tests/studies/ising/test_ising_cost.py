"""Benchmarks of the Ising lattice compare like with like: loops of one distribution, models that differ in one way."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from scripts import script

from sim2seq._support.files import read_json, write_json
from studies.ising.exact import kaufman
from studies.ising.files import Lattices
from studies.ising.lattice import Lattice
from studies.ising.scores import SOURCE, Score
from studies.ising.study import IsingSettings, ensemble_of


@pytest.fixture(scope="module")
def bench():
    return script("ising")


@pytest.fixture(scope="module")
def energies():
    return script("ising_energy")


def loops(bench, lattice, beta, folder):
    """The source's loop, and where there is a compiler the one in C: proposals between two looks, looks."""
    found = [(bench.source_loop(lattice, beta, None), 48, 1500)]
    compiled = bench.compiled_loop(lattice, beta, folder)
    return found if compiled is None else [*found, (compiled, 480, 10_000)]


def test_the_loops_that_are_compared_have_kaufmans_energy(bench, tmp_path):
    lattice, beta = Lattice(4, 4), 0.2
    for go, apart, looks in loops(bench, lattice, beta, tmp_path):
        go(1000)
        energies = []
        for _ in range(looks):
            assert go(apart) == apart
            energies.append(bench.whole_energy(go.grid.astype(int)))
        error = np.sqrt(3 * np.var(energies) / looks)  # of looks that are not quite independent
        assert np.mean(energies) == pytest.approx(kaufman(4, 4, beta).energy, abs=4 * error)


def test_rows_state_rates_beside_the_sources_and_the_goals(bench):
    rows = {each["name"]: each for each in bench.cost_rows(Lattice(4, 4), 0.3, 0.01, 1, 1)}
    assert {each["unit"] for each in rows.values()} == {"flips a second", "times"}
    assert min(each["measured"] for each in rows.values()) > 0
    for name in ("single, 1 process", "checkerboard, 1 process", "cluster, 1 process"):
        assert rows[name]["reference"] == rows[bench.SOURCE]["measured"]
    over = rows["one process, over the source's loop, without that"]
    assert over["goal"] == 1000
    assert over["measured"] == rows["checkerboard, 1 process"]["measured"] / rows[bench.LEAN]["measured"]
    assert rows["checkerboard, 1 processes: goal"]["goal"] == 2e8


def trained(errors, parameters=9):
    """Settings in words -> what stands for a judged training."""
    scores = {words: {SOURCE: Score(error, error, 1.0, {})} for words, error in errors.items()}
    training = SimpleNamespace(parameters=parameters)
    return {words: SimpleNamespace(words=words, training=training, scores=each) for words, each in scores.items()}


def measured(rows):
    return {each["name"]: each["measured"] for each in rows}


def test_an_extension_is_judged_by_pairs_that_differ_in_it(energies):
    errors = {"energy": 10, "energy_bi": 8, "energy_attention": 7, "energy_2d": 6}
    errors |= {"energy_bi_attention": 4, "energy_2d_bi": 5, "energy_2d_attention": 2, "energy_2d_bi_attention": 1}
    found = trained({energies.EIGHT[name]: error for name, error in errors.items()})
    assert measured(energies.extension_rows(found)) == {
        "both ways: change of the error, 4 pairs": (-2 - 3 - 1 - 1) / 4,
        "attention: change of the error, 4 pairs": (-3 - 4 - 4 - 4) / 4,
        "rows and columns: change of the error, 4 pairs": (-4 - 3 - 5 - 3) / 4,
    }
    del found[energies.EIGHT["energy"]]
    assert measured(energies.extension_rows(found))["both ways: change of the error, 3 pairs"] == (-3 - 1 - 1) / 3


def test_the_eight_are_counted_against_their_twins(energies):
    shares = dict(zip(energies.TWINS, (0.4, 0.5, 0.6, 1.0, 1.1, 2.0, 3.0, 4.0), strict=True))
    found = trained({words: share * energies.TWINS[words] for words, share in shares.items()})
    told = energies.twin_rows(found)
    assert [(each["measured"], each["goal"]) for each in told] == [(4, 8), (2, 8)]


def test_sizes_rise_and_a_model_stands_there_with_one_seed(energies):
    small, large = trained({"model:shifts seed:0": 0.1}, 5), trained({"model:shifts units:8": 0.4}, 2)
    others = trained({"model:shifts seed:1": 0.2, "model:shifts augment:false": 0.3})
    assert measured(energies.size_rows({**small, **others, **large})) == {
        "2 parameters: model:shifts units:8": 0.4,
        "5 parameters: model:shifts seed:0": 0.1,
    }


def test_every_model_is_trained_with_the_seeds_that_are_asked(energies):
    asked = energies.trainings_with([0, 1, 7])
    for words in (*energies.EIGHT.values(), "model:convolution"):
        assert {words, f"{words} seed:1", f"{words} seed:7"} < set(asked)
        assert f"{words} seed:0" not in asked  # the same training
    assert "model:shifts seed:7" in asked
    assert len(asked) == len(set(asked))
    assert energies.trainings_with([0]) == list(energies.TRAININGS)


def test_seeds_have_mean_deviation_and_their_twin(energies):
    words = energies.EIGHT["energy"]
    found = trained({words: 8.0, f"{words} seed:1": 10.0, "model:shifts seed:0": 1.0, "model:shifts units:8": 2.0})
    for one in found.values():
        one.worst = 3.0
    rows = energies.seed_rows(found)
    assert measured(rows) == {
        f"{words}, 2 seeds: centred, mean": 9,
        f"{words}, 2 seeds: centred, deviation": pytest.approx(2**0.5),
        f"{words}, 2 seeds: raw at the worst beta of the worst": 3,
    }
    assert rows[0]["goal"] == 15.78


def test_seeds_of_a_probability_have_mean_and_deviation():
    bench, grids = script("ising_probability"), np.ones((2, 8, 8), np.int8)
    grids[1, ::2] = -1  # energies -128 and 0
    models = [
        SimpleNamespace(
            case=SimpleNamespace(beta=0.5),
            logs=lambda grids, off=off: np.array([64.0, off]),
            training=SimpleNamespace(scores=SimpleNamespace(errors={"test": SimpleNamespace(rmse=off)})),
        )
        for off in (2.0, 4.0)
    ]
    assert bench.seed_rows([{"one_way": models[0]}], grids) == []
    assert measured(bench.seed_rows([{"one_way": one} for one in models], grids)) == {
        "centred RMSE, source-like: one_way, 2 seeds, mean": pytest.approx(3),
        "centred RMSE, source-like: one_way, 2 seeds, deviation": pytest.approx(2**0.5),
        "cross-entropy: one_way, 2 seeds, mean": 3,
        "cross-entropy: one_way, 2 seeds, deviation": pytest.approx(2**0.5),
    }


def test_a_score_that_a_file_has_kept_is_the_same(energies, tmp_path):
    kept = Score(1.5, 1.25, 0.9, {0.05: 1.0, 0.44: 2.0})
    write_json(tmp_path / "kept.json", vars(kept))
    assert energies.as_score(read_json(tmp_path / "kept.json")) == kept


def made():
    """Random 4 x 4 lattices to learn from."""
    grids = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (40, 4, 4))
    return ensemble_of({"made": Lattices(grids, np.zeros(40), Lattice(4, 4).energies(grids), None)})


def test_a_training_with_other_settings_is_not_taken(monkeypatch, tmp_path):
    trainings, words = script("_ising_energies"), "size:debug model:energy window:16"
    monkeypatch.setattr(trainings, "make_store", lambda folder: folder)
    monkeypatch.setattr(trainings, "read", lambda path: made())
    place = trainings.place_of(tmp_path, words)
    place.mkdir(parents=True)
    kept = asdict(IsingSettings.parse(words.split())) | {"learning_rate": 0.5}  # the default of an earlier day
    for name, content in (("settings.json", kept), ("scores.json", {}), (trainings.SECONDS, 1.0)):
        write_json(place / name, content)
    with pytest.raises(ValueError, match=r"other settings or data .*learning_rate differ"):
        list(trainings.train_all(tmp_path, [words]))


def test_seconds_are_of_a_whole_training_or_unknown(monkeypatch, tmp_path):
    timed, found = script("_timed"), []

    def fit(ensemble, settings, place, **options):
        found.append((place / "checkpoint").exists())
        place.mkdir(exist_ok=True)
        write_json(place / "scores.json", {})

    monkeypatch.setattr(timed, "fit", fit)
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "checkpoint").touch()
    timed.fit_timed(None, None, tmp_path / "part", "seconds.json")
    assert found == [False]  # what was interrupted began anew
    assert timed.seconds_of(tmp_path / "part", "seconds.json") >= 0
    (tmp_path / "part" / "seconds.json").unlink()  # stopped before they were written
    timed.fit_timed(None, None, tmp_path / "part", "seconds.json")
    assert timed.seconds_of(tmp_path / "part", "seconds.json") is None


def test_pictures_without_their_networks_are_refused_at_once(monkeypatch, tmp_path):
    bench = script("ising_probability")
    monkeypatch.setattr(bench, "trained", lambda *words: pytest.fail("trained before"))
    words = ["--folder", str(tmp_path), "--models", "one_way", "frontier 0.6", "--pictures", str(tmp_path)]
    with pytest.raises(ValueError, match=r"--pictures: expected --models with .*; without frontier 0\.44$"):
        bench.main(words)
