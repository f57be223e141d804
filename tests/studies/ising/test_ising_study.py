"""The Ising lattice's study: what is read, by what symmetries it is varied, what its networks can and do learn."""

import numpy as np
import pytest

from sim2seq import load_study
from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from sim2seq.training.fit import split_runs
from studies.ising import files, networks, simulate
from studies.ising import study as ising
from studies.ising.lattice import Lattice
from studies.ising.study import STUDY, IsingSettings

FEW = ["--burn_in", "5", "--chains", "60"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store of a file at beta 0.1, one at 0.4, both of the part train, and one of the part test."""
    folder = tmp_path_factory.mktemp("ising")
    for run, beta, part in ((1, "0.1", "train"), (2, "0.4", "train"), (3, "0.3", "test")):
        words = ["--n_samples", "60", "--beta", beta, "--part", part, "--run", str(run), "--n_x", "4", "--n_y", "4"]
        simulate.main([*FEW, *words, "--filename", str(folder / f"lattices_{run}.h5")])
    store.create(folder / "store.sqlite")
    ingest_folder(folder, folder / "store.sqlite")
    return folder / "store.sqlite"


def test_lattices_of_one_part_are_read_along_the_snake(place):
    ensemble, lattice = STUDY.read(place), Lattice(4, 4)
    assert (ensemble.values.shape, ensemble.values.dtype) == ((120, 16, 1), np.dtype("int8"))
    assert ensemble.inputs["beta"].tolist() == [0.1] * 60 + [0.4] * 60
    assert ensemble.run_ids[0] == "ising_1_0"
    grids = ensemble.values[..., 0][:, np.argsort(lattice.snake())].reshape(-1, 4, 4)
    assert np.array_equal(grids[60:], files.read(place.parent / "lattices_2.h5").grids)
    assert np.array_equal(ensemble.results["energy"], lattice.energies(grids))
    assert ising.read(place, "test").inputs["beta"].tolist() == [0.3] * 60


def test_a_step_of_the_snake_goes_to_a_neighbour():
    for lattice in (Lattice(4, 4), Lattice(3, 5)):
        for columns in (False, True):
            row, column = np.divmod(lattice.snake(columns=columns), lattice.n_y)
            assert set((np.abs(np.diff(row)) + np.abs(np.diff(column))).tolist()) == {1}
            assert sorted(lattice.snake(columns=columns).tolist()) == list(range(lattice.sites))


@pytest.mark.parametrize("model", ["ISING1", "ISING2"])
def test_a_variation_is_another_lattice_of_the_same_energy(model):
    lattice, generator = Lattice(4, 4, model), np.random.default_rng(1)
    block = generator.choice(np.array([-1, 1], np.int8), (300, 16, 1))
    changed = ising.varied(block, generator)
    energies = [
        lattice.energies(each[..., 0][:, np.argsort(lattice.snake())].reshape(-1, 4, 4)) for each in (block, changed)
    ]
    assert np.array_equal(*energies)
    assert (changed != block).any(axis=(1, 2)).mean() > 0.9


def test_there_are_as_many_symmetries_as_places_and_turns():
    assert len(np.unique(ising.symmetries(16), axis=0)) == len(ising.symmetries(16)) == 8 * 16


def made(lattices: int):
    """Random lattices of 4 x 4 as an Ensemble."""
    grids = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (lattices, 4, 4))
    return ising.ensemble_of({"made": files.Lattices(grids, np.zeros(lattices), Lattice(4, 4).energies(grids), None)})


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_answers_with_one_number_a_lattice(name):
    settings = IsingSettings(model=name, units=(3,), window=16)
    core = networks.NETWORKS[name](STUDY.task.sizes(made(1), settings, ("spin",), ("energy",)), settings)
    answers = core(made(5).values.astype("float32"))
    assert answers.shape == (5, 1, 1)
    assert np.ptp(answers) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["window:60"], "setting window: expected the sites of a square lattice, such as 64; got 60"),
        (["cell:rnn"], "unknown cell 'rnn'; known: gru, lstm"),
        (["targets:2"], "setting targets: expected 1; got 2"),
        (["model:stacked_lstm"], "unknown model 'stacked_lstm'"),
    ],
)
def test_settings_that_are_not_possible_are_refused(words, said):
    with pytest.raises(ValueError, match=said):
        IsingSettings.parse(words)


def test_lattices_of_one_chain_are_in_one_part(tmp_path):
    words = ["--n_samples", "60", "--beta", "0.3", "--n_x", "4", "--n_y", "4", "--burn_in", "5", "--thinning", "1"]
    for run, chains in ((1, "20"), (2, "60")):
        simulate.main([*words, "--chains", chains, "--run", str(run), "--filename", str(tmp_path / f"{run}.h5")])
    store.create(tmp_path / "store.sqlite")
    ingest_folder(tmp_path, tmp_path / "store.sqlite")
    ensemble, settings = STUDY.read(tmp_path / "store.sqlite"), IsingSettings(fractions=(0.6, 0.2, 0.2))
    split = split_runs(ensemble, settings, STUDY)
    chains = dict(zip(ensemble.run_ids, ensemble.inputs["chain"], strict=True))
    parts = [[chains[run] for run in part.runs] for part in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == 120
    assert sum(len(set(part)) for part in parts) == len(set().union(*parts)) == 80


def test_without_shared_chains_the_split_is_that_of_the_settings(place):
    ensemble, settings = STUDY.read(place), IsingSettings()
    assert list(ensemble.inputs) == ["beta"]
    assert split_runs(ensemble, settings, STUDY) == split_runs(ensemble, settings)


def test_lattices_of_another_size_than_the_window_are_refused(place):
    with pytest.raises(ValueError, match="setting window: expected 16, the sites of the lattices; got 64"):
        STUDY.choose(STUDY.read(place), IsingSettings())


def test_a_store_without_lattices_is_refused(tmp_path):
    store.create(tmp_path / "store.sqlite")
    with pytest.raises(ValueError, match="expected records of lattices of the part 'train'"):
        load_study(ising.__file__).read(tmp_path / "store.sqlite")
