"""The probability of Ising lattices: paths, networks and scores, held against what is exact."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from sim2seq import cli, load_surrogate
from sim2seq.models import stepping
from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from sim2seq.training.fit import build
from sim2seq.training.symbols import observed, tokens_of, with_start
from studies.ising import exact, files, probability, probability_figures, pseudo_likelihood, scoring, simulate
from studies.ising.lattice import Lattice
from studies.ising.paths import by_columns, frontier, grids_of, runs_of
from studies.ising.probability_figures import looks_of
from studies.ising.study import ensemble_of
from studies.ising.symbol_networks import NETWORKS

SMALL, SQUARE, BETA = Lattice(3, 4), Lattice(3, 3), 0.3


@pytest.fixture(scope="module")
def states():
    """Every state of SMALL as a run along the snake, ln p of each at BETA, and its energy."""
    grids = exact.enumerated(SMALL)
    energies = SMALL.energies(grids)
    return runs_of(grids, SMALL.snake()), -BETA * energies - logsumexp(-BETA * energies), energies


def test_a_run_is_a_lattice_again():
    grids = exact.enumerated(SMALL)[::37]
    assert (grids_of(runs_of(grids, SMALL.snake()), SMALL.snake(), SMALL) == grids).all()


def test_the_exchange_of_rows_and_columns_keeps_the_energy():
    lattice, grids = Lattice(4, 4), exact.enumerated(Lattice(4, 4))[::999]
    assert (lattice.energies(by_columns(grids)) == lattice.energies(grids)).all()
    assert (by_columns(grids)[:, 1, 2] == grids[:, 2, 1]).all()


def test_a_spin_depends_on_the_frontier_alone(states):
    """The exact conditional probability, from all states: equal wherever the spins of the frontier are."""
    runs, logs, _ = states
    steps, there = frontier(SMALL, SMALL.snake())
    for step in range(SMALL.sites):
        _, prefix = np.unique(runs[:, :step], axis=0, return_inverse=True)
        up = np.bincount(prefix.ravel(), np.exp(logs) * (runs[:, step] > 0)) / np.bincount(prefix.ravel(), np.exp(logs))
        chosen = steps[step, there[step] > 0]
        assert (chosen < step).all()
        _, kind = np.unique(runs[:, chosen], axis=0, return_inverse=True)
        of_state = up[prefix.ravel()]
        lowest, highest = np.full(kind.max() + 1, 9.0), np.zeros(kind.max() + 1)
        np.minimum.at(lowest, kind.ravel(), of_state)
        np.maximum.at(highest, kind.ravel(), of_state)
        assert highest == pytest.approx(lowest, abs=1e-12)


def test_energies_of_the_exact_probability_are_exact(states):
    _, logs, energies = states
    assert scoring.centred_rmse(scoring.energies_of(logs, BETA), energies) < 1e-12
    assert scoring.slope(scoring.energies_of(logs, BETA), energies) == pytest.approx(1)


def test_energies_of_the_exact_conditionals_are_exact(states):
    runs, _, energies = states
    grids = grids_of(runs, SMALL.snake(), SMALL)
    fields = sum(np.roll(grids, shift, axis) for shift in (1, -1) for axis in (1, 2)).astype(float)
    found = scoring.energies_of_conditionals(2 * BETA * runs_of(fields, SMALL.snake()), runs, BETA)
    assert found == pytest.approx(energies, abs=1e-12)


def test_the_mis_scored_logs_pair_a_step_with_the_spin_before():
    said = np.log(np.array([[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]]))
    assert scoring.mis_scored(said, np.array([[1, 0, 1]])) == pytest.approx(np.log(0.1 * 0.2))


def test_the_estimates_of_the_partition_sum_enclose_it(states):
    """Lattices drawn from all that are alike: q = 2^-sites."""
    runs, logs, energies = states
    exact_log = logsumexp(-BETA * energies)
    drawn = np.random.default_rng(1).integers(len(runs), size=40_000)
    plain = np.full(len(runs), -SMALL.sites * np.log(2))
    found = scoring.log_partition(plain[drawn], energies[drawn], BETA)
    assert abs(found["importance"].value - exact_log) < 4 * found["importance"].error < 0.25
    true = np.random.default_rng(2).choice(len(runs), size=4000, p=np.exp(logs))
    above = scoring.log_partition_above(plain[true], energies[true], BETA)
    assert found["variational"].value < exact_log < above.value


def test_lattices_of_one_beta_say_what_holds_at_another(states):
    runs, logs, energies = states
    drawn = np.random.default_rng(3).choice(len(runs), size=40_000, p=np.exp(logs))
    expected = exact.thermal(SMALL, energies, np.ones(len(energies)), 0.35)
    found = scoring.reweighted(logs[drawn], energies[drawn], 0.35, SMALL.sites)
    for one, value in (
        (found.free_energy, expected.free_energy),
        (found.energy, expected.energy),
        (found.heat_capacity, expected.heat_capacity),
    ):
        assert abs(one.value - value) < 4 * one.error
        assert 0 < one.error < 0.05 * abs(value)
    assert scoring.effective_share(logs[drawn], energies[drawn], BETA) == pytest.approx(1)
    assert 0.5 < found.share < 0.99


def test_a_histogram_counts_by_level():
    assert scoring.histogram([-4, 0, 0, 4], np.array([-4, 0, 4])).tolist() == [0.25, 0.5, 0.25]
    assert scoring.histogram([-4, 4], np.array([-4, 0, 4]), [3, 1]).tolist() == [0.75, 0, 0.25]


STUDIES = {"probability": probability.STUDY, "pseudo_likelihood": pseudo_likelihood.STUDY}


@pytest.fixture(scope="module")
def cores():
    """Name -> a core of few units and its settings, for lattices of SQUARE."""
    grids = exact.enumerated(SQUARE)[:3]
    ensemble = ensemble_of({"some": files.Lattices(grids, np.full(3, BETA), SQUARE.energies(grids), None)})
    found = {}
    for name in NETWORKS:
        settings = probability.SpinSettings(model=name, units=(4,))
        found[name] = build(ensemble, settings, probability.STUDY)[0], settings
    return found


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_network_is_refused_by_the_study_that_it_leaks_in(cores, name):
    core, settings = cores[name]
    for study, leaks in (("probability", name.startswith("both")), ("pseudo_likelihood", not name.startswith("both"))):
        if leaks:
            with pytest.raises(ValueError, match=f"^model {name}: its probability of a symbol depends on that symbol"):
                STUDIES[study].task.check_core(core, settings, SQUARE.sites)
        else:
            STUDIES[study].task.check_core(core, settings, SQUARE.sites)


@pytest.mark.parametrize("name", ["one_way", "one_way_attention", "frontier"])
def test_the_probabilities_of_all_lattices_sum_to_one(cores, name):
    core, labels = cores[name][0], (runs_of(exact.enumerated(SQUARE), SQUARE.snake()) > 0).astype(int)
    with stepping.shaken(core):  # as if it had learned something
        said = log_softmax(np.asarray(core(tokens_of(labels, 2, 1)), dtype=float), axis=2)
    logs = observed(said, labels).sum(axis=1)
    assert logs.std() > 0.01
    assert logsumexp(logs) == pytest.approx(0, abs=1e-5)
    if name == "frontier":
        assert logs == pytest.approx(logs[::-1], abs=1e-5)  # state k and its negative, 2^sites - 1 - k


@pytest.mark.parametrize("name", ["one_way_attention", "both_ways_attention"])
def test_attention_goes_to_spins_that_may_be_seen_alone(cores, name):
    """Of 3 x 3: a network that draws lattices looks at what is before on the snake, the other at all but the spin."""
    core, grids = cores[name][0], exact.enumerated(SQUARE)[::7]
    labels, start = (runs_of(grids, SQUARE.snake()) > 0).astype(int), int(name == "one_way_attention")
    looks, step = looks_of(core, tokens_of(labels, 2, start)), np.argsort(SQUARE.snake())
    seen = step[:, None] > step if start else step[:, None] != step
    assert ((looks > 0) == seen).all()
    assert looks[SQUARE.snake()[-1]].sum() == pytest.approx(1, abs=0.3 * start + 1e-5)


def test_pictures_show_the_sources_network_and_its_attention(tmp_path):
    true = {beta: np.ones((30, 8, 8), np.int8) for beta in probability_figures.SHOWN}
    energies = Lattice(8, 8).energies(true[0.25])
    drawn = {beta: (grids, energies + 4 * (np.arange(30) % 2), np.zeros(30)) for beta, grids in true.items()}
    told, looks = {"one_way": np.zeros(90)}, {"one_way_attention": np.full((64, 64), 1 / 64)}
    probability_figures.draw_pictures(tmp_path, drawn, true, told, looks)
    assert {"probability_errors.png", "probability_attention.png"} <= {path.name for path in tmp_path.iterdir()}


def test_a_turned_lattice_keeps_its_energy_and_the_start_token():
    lattice = Lattice(4, 4)
    grids = 2 * np.random.default_rng(0).integers(0, 2, (50, 4, 4)) - 1
    block = with_start((runs_of(grids, lattice.snake()) > 0).astype(int), 2, 1)
    turned = probability.turned(block, np.random.default_rng(1))
    assert (turned[:, 0] == 0).all()
    assert (turned.sum(axis=2)[:, 1:] == 1).all()
    found = grids_of(turned[:, 1:, 1] - turned[:, 1:, 0], lattice.snake(), lattice)
    assert (lattice.energies(found) == lattice.energies(grids)).all()
    assert (found != grids).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cell:rnn"], "unknown cell 'rnn'; known: gru, lstm"),
        (["units:6"], "setting units: expected one size, a multiple of 4"),
        (["hamiltonian:ISING3"], "unknown hamiltonian 'ISING3'"),
        (["model:transformer"], "unknown model 'transformer'"),
    ],
)
def test_settings_that_are_not_possible_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        probability.SpinSettings.parse(words)


def test_lattices_of_another_beta_are_left_out_or_missed():
    grids = exact.enumerated(SQUARE)[:4]
    betas = np.array([0.1, 0.25, 0.25, 0.4])
    found = ensemble_of({"some": files.Lattices(grids, betas, SQUARE.energies(grids), None)})
    assert probability.choose(found, probability.SpinSettings()).run_ids == ("some_1", "some_2")
    with pytest.raises(ValueError, match=r"one of the lattices' betas, 0\.1, 0\.25, 0\.4; got 0\.3"):
        probability.choose(found, probability.SpinSettings(beta=0.3))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store of a file of 4 x 4 lattices at beta 0.25."""
    folder = tmp_path_factory.mktemp("ising_probability")
    words = ["--n_samples", "400", "--beta", "0.25", "--n_x", "4", "--n_y", "4", "--burn_in", "50"]
    simulate.main([*words, "--filename", str(folder / "lattices.h5")])
    store.create(folder / "store.sqlite")
    ingest_folder(folder, folder / "store.sqlite")
    return folder / "store.sqlite"


def train(place, folder, study, *words) -> int:
    """The exit code of `sim2seq train` with the file of a study in studies/ising."""
    path = Path(probability.__file__).with_name(f"{study}.py")
    return cli.main(["train", str(place), *words, "size:debug", "--study", str(path), "--output", str(folder)])


@pytest.mark.parametrize(
    ("study", "words", "line"),
    [
        ("probability", "model:both_ways", "model both_ways: its probability of a symbol depends on that symbol or on"),
        ("pseudo_likelihood", "model:frontier", "model frontier: its probability of a symbol depends on that symbol"),
        ("probability", "beta:0.3", "setting beta: expected one of the lattices' betas, 0.25; got 0.3"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_line(place, tmp_path, capsys, study, words, line):
    assert train(place, tmp_path / "training", study, words) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert not (tmp_path / "training" / "scores.json").exists()


def test_a_debug_training_draws_lattices_and_no_pseudo_one_does(place, tmp_path):
    assert train(place, tmp_path / "next", "probability", "recipe:frontier", "jit_compile:false") == 0
    assert train(place, tmp_path / "others", "pseudo_likelihood") == 0
    model, other = (load_surrogate(tmp_path / name) for name in ("next", "others"))
    drawn = model.draw(5, seed=1)
    assert drawn.shape == (5, 16)
    assert model.log_probability(drawn) == pytest.approx(model.log_probability(-drawn), abs=1e-4)
    assert other.log_probability(drawn).shape == (5,)
    with pytest.raises(ValueError, match="no runs can be drawn from probabilities of a symbol given all others"):
        other.draw(5)
