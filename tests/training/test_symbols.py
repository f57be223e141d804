"""The task of the next symbol, on chains whose probabilities are known."""

import numpy as np
import pytest
from scipy.special import logsumexp

import sim2seq
from sim2seq.data.ensemble import Ensemble
from sim2seq.models.builders import Sizes, core_inputs, stacked_lstm
from sim2seq.training.fit import fit
from sim2seq.training.symbols import NextSymbol, depends, markov

TWO = np.array([[0.9, 0.1], [0.3, 0.7]])  # a row the symbol before, a column the one that follows
THREE = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]])
SMALL = ["units:8", "epochs:2", "passes:8", "learning_rate:0.03", "batch_size:16", "jit_compile:false"]
SMALL += ["steps_per_execution:22"]
STUDY = sim2seq.Study("letters", settings=sim2seq.SymbolSettings, task=NextSymbol((-1, 1)))


def chain(matrix, runs: int, steps: int, seed: int = 0) -> np.ndarray:
    """Labels (runs, steps) of a Markov chain in its stationary state."""
    generator = np.random.default_rng(seed)
    labels = np.empty((runs, steps), dtype=int)
    labels[:, 0] = (generator.random((runs, 1)) < stationary(matrix).cumsum()).argmax(axis=1)
    for step in range(1, steps):
        shares = matrix[labels[:, step - 1]].cumsum(axis=1)
        labels[:, step] = (generator.random((runs, 1)) < shares).argmax(axis=1)
    return labels


def stationary(matrix) -> np.ndarray:
    return np.linalg.matrix_power(matrix, 200)[0]


def log_probability(matrix, labels) -> np.ndarray:
    """What the chain itself gives each run, (runs,)."""
    following = np.log(matrix)[labels[:, :-1], labels[:, 1:]].sum(axis=1)
    return np.log(stationary(matrix))[labels[:, 0]] + following


def ensemble_of(values, lengths=None) -> Ensemble:
    values = np.asarray(values, dtype=float)[..., None]
    ids = tuple(f"run_{run}" for run in range(len(values)))
    return Ensemble(values, ids, ("letter",), np.arange(values.shape[1]) * 1.0, lengths=lengths)


def trained_on(matrix, symbols, folder, **more):
    ensemble = ensemble_of(np.array(symbols)[chain(matrix, 600, 20)], **more)
    study = sim2seq.Study("letters", settings=sim2seq.SymbolSettings, task=NextSymbol(symbols))
    return fit(ensemble, sim2seq.SymbolSettings.parse(SMALL), folder, study=study, quiet=True), ensemble


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return trained_on(TWO, (-1, 1), tmp_path_factory.mktemp("two") / "training")


LENGTHS = np.where(np.arange(600) % 2, 20, 7)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three letters, and every second run ends early."""
    return trained_on(THREE, (0, 5, 9), tmp_path_factory.mktemp("three") / "training", lengths=LENGTHS)


def test_a_chain_of_two_letters_is_learned_to_its_entropy(two):
    trained, ensemble = two
    tests = ensemble.values[[ensemble.run_ids.index(run) for run in trained.split.test.runs], :, 0]
    exact = -log_probability(TWO, (tests > 0).astype(int)).mean() / 20
    assert trained.scores.measure == "cross-entropy"
    assert trained.scores.errors["test"].rmse == pytest.approx(exact, abs=0.006)
    assert trained.scores.baselines["uniform"].rmse == pytest.approx(np.log(2))
    assert trained.scores.baselines["Markov chain of order 1"].rmse == pytest.approx(exact, abs=0.004)
    assert trained.band is None


def test_a_chain_of_three_letters_is_learned_to_its_entropy(three):
    trained, _ = three
    rate = -(stationary(THREE)[:, None] * THREE * np.log(THREE)).sum()
    assert trained.scores.features == ["0", "5", "9"]
    assert trained.scores.errors["test"].rmse == pytest.approx(rate, abs=0.04)
    assert trained.scores.baselines["frequency"].rmse > rate + 0.3


def test_the_probabilities_of_all_runs_sum_to_one(two):
    model = sim2seq.load_surrogate(two[0].folder)
    runs = 2 * (np.arange(64)[:, None] >> np.arange(6) & 1) - 1
    assert logsumexp(model.log_probability(runs)) == pytest.approx(0, abs=1e-5)
    assert model.log_probabilities(runs).sum(axis=1) == pytest.approx(model.log_probability(runs))


def test_runs_are_drawn_as_often_as_their_probability_says(two):
    model = sim2seq.load_surrogate(two[0].folder)
    drawn = model.draw(4000, 3, seed=5)
    runs = 2 * (np.arange(8)[:, None] >> np.arange(3) & 1) - 1
    expected = np.exp(model.log_probability(runs))
    share = (drawn[:, None] == runs).all(axis=2).mean(axis=0)
    assert (np.abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)).all()
    assert (drawn == model.draw(4000, 3, seed=5)).all()
    assert (drawn != model.draw(4000, 3, seed=6)).any()


def test_the_report_says_cross_entropy_and_draws_the_calibration(two, tmp_path):
    trained, ensemble = two
    page = sim2seq.write_report(tmp_path / "report.html", ensemble, trained).read_text()
    assert "its error (cross-entropy) is" in page
    assert "How often each symbol came" in page
    assert "RMSE" not in page
    (axis,) = sim2seq.draw(trained, ensemble)["calibration"][0].axes
    said, came = axis.lines[1].get_data()
    assert np.abs(said - came).max() < 0.1


def test_a_run_that_ends_early_is_scored_as_far_as_it_goes(three):
    trained, ensemble = three
    kept = trained.predictions["test"]
    ends = [LENGTHS[ensemble.run_ids.index(run)] for run in kept.run_ids]
    assert (np.isfinite(kept.truth).any(axis=2).sum(axis=1) == ends).all()
    assert (np.isfinite(kept.middle).all(axis=2).sum(axis=1) == ends).all()
    logs = sim2seq.load_surrogate(trained.folder).log_probabilities(ensemble.values[:2, :7, 0])
    told = NextSymbol((0, 5, 9)).predict(trained.models, ensemble.take([0, 1]), trained.settings)[0, :, :7]
    labels = np.searchsorted([0, 5, 9], ensemble.values[:2, :7])
    assert logs == pytest.approx(np.take_along_axis(told, labels, axis=2)[..., 0], abs=1e-6)


def leaking(sizes, settings, *, values=None, conditions=None):
    import keras

    series = core_inputs(sizes, "float32")[0]
    hidden = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(series)
    core = keras.Model(series, keras.layers.Dense(sizes.outputs)(hidden), name="leaking")
    core.lookback, core.error_unit = None, 1.0
    return core


class LeakingSettings(sim2seq.SymbolSettings):
    models = ("stacked_lstm", "leaking")


def test_a_model_that_sees_later_symbols_is_refused(tmp_path):
    study = sim2seq.Study("letters", task=NextSymbol((-1, 1)), settings=LeakingSettings, models={"leaking": leaking})
    with pytest.raises(ValueError, match="model leaking: its probability of a symbol depends on that symbol or on oth"):
        fit(
            ensemble_of(2 * chain(TWO, 20, 9) - 1),
            LeakingSettings(model="leaking"),
            tmp_path / "t",
            study=study,
            quiet=True,
        )


def test_a_core_is_found_to_depend_on_what_is_hidden():
    sizes = Sizes(2, 2)
    one_way = stacked_lstm(sizes, sim2seq.SymbolSettings(units=(4,)))
    assert not depends(one_way, ~np.tri(12, dtype=bool))
    assert depends(one_way, np.eye(12, dtype=bool))
    assert depends(leaking(sizes, None), ~np.tri(12, dtype=bool))


def test_a_markov_chain_counts_what_followed():
    learned = np.array([[0, 1, 0, 1], [0, 1, 1, -1]])
    logs = markov(learned, np.array([[0, 1, 0]]), 2, 1)[0]
    assert np.exp(logs[:, 1]) == pytest.approx([0.5 / 3, 3.5 / 4, (1 + 0.5) / 3])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.log_probability([[1, 0]]), "run 1, step 2: expected a symbol of -1, 1; got 0"),
        (lambda m: m.log_probability(np.ones((2, 21))), r"runs: expected an array \(runs, steps\) of up to 20 steps"),
        (lambda m: m.log_probability([[1]], inputs={"beta": 1}), "inputs: the model expects none; got beta"),
        (lambda m: m.draw(0), "expected one run or more of 1 to 20 steps; got 0 of 20"),
        (lambda m: m.draw(1, 21), "expected one run or more of 1 to 20 steps; got 1 of 21"),
        (lambda m: m.forecast([[1]], 2), "expected a training that forecasts; it gives the probability of symbols"),
    ],
)
def test_what_a_model_of_symbols_cannot_answer_is_refused(two, call, words):
    with pytest.raises(ValueError, match=words):
        call(sim2seq.load_surrogate(two[0].folder))


def test_what_is_no_symbol_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"run run_0, step 1: expected a symbol of -1, 1; got 0$"):
        fit(ensemble_of([[1, 0, 1]] * 9), sim2seq.SymbolSettings(), tmp_path / "t", study=STUDY)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("symbols", [(1,), (1, 1)])
def test_an_alphabet_has_two_symbols_or_more(symbols):
    with pytest.raises(ValueError, match="symbols: expected two different numbers or more"):
        NextSymbol(symbols)


def test_a_model_of_symbols_has_no_window():
    with pytest.raises(ValueError, match="setting window: a model of the next symbol begins with a start token; got 3"):
        sim2seq.SymbolSettings.parse(["window:3"])
