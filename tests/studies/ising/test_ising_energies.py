"""What energies of Ising lattices are judged by, and larger lattices asked about: on models whose answers are known."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from sim2seq._support.files import read_json, write_json
from sim2seq.data.windows import Scaling
from sim2seq.models.builders import Sizes, physical
from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from studies.ising import figures, files, networks, pgen_ensembles, report, scores, simulate, transfer
from studies.ising.exact import kaufman
from studies.ising.lattice import Lattice
from studies.ising.scores import Score
from studies.ising.study import IsingSettings

MEAN, SPREAD = -20.0, 10.0


@dataclass
class Exact:
    """A training whose 4 x 4 model has the law by hand: a head on the four neighbours, whose mean is m.

    s m = |s + m| - 1, and E is minus twice the sum of s m; SPREAD and MEAN are undone.
    """

    settings: IsingSettings = field(default_factory=lambda: IsingSettings(model="shifts", units=(2,), window=16))

    @property
    def model(self) -> keras.Model:
        core = networks.NETWORKS["shifts"](Sizes(1, 1), self.settings)
        table = np.full((16, networks.HEADS), -30.0)
        table[[1, 3, 4, 12], 0] = 0.0
        kernel = np.zeros((1 + networks.HEADS, 2))
        kernel[:2] = [[1, -1], [1, -1]]
        core.get_layer("shifts").set_weights([table])
        core.get_layer("site_0").set_weights([kernel, np.zeros(2)])
        core.get_layer("energy").set_weights([np.full((2, 1), -2 / SPREAD), np.array([(2 - MEAN / 16) / SPREAD])])
        energy = Scaling(np.array([MEAN]), np.array([SPREAD]))
        return physical(core, 16, Scaling.none(1), answers=energy)


def lattices(side: int, number: int = 40) -> files.Lattices:
    """Random lattices, half of them said to be of beta 0.1 and half of 0.2."""
    grids = np.random.default_rng(side).choice(np.array([-1, 1], np.int8), (number, side, side))
    return files.Lattices(grids, np.repeat([0.1, 0.2], number // 2), Lattice(side, side).energies(grids), None)


def test_attention_to_neighbours_tells_the_energy_exactly():
    found = lattices(4)
    assert scores.energies_of(Exact().model, found.grids) == pytest.approx(found.energies, abs=1e-3)
    assert scores.score(Exact().model, found).slope == pytest.approx(1, abs=1e-5)


def test_what_is_known_of_a_site_holds_on_a_larger_lattice():
    for side in (6, 8):
        found = lattices(side)
        model = transfer.enlarged(Exact(), side)
        assert scores.energies_of(model, found.grids) == pytest.approx(found.energies, abs=1e-2)


def test_a_smaller_lattice_is_refused():
    with pytest.raises(ValueError, match="side 3: expected a lattice no smaller than the 16 sites"):
        transfer.enlarged(Exact(), 3)


def test_weights_of_attention_are_those_of_the_four_neighbours():
    weights = networks.weights_of(Exact().model)
    expected = np.zeros((16, 16))
    expected[np.arange(16)[:, None], Lattice(4, 4).neighbours()[0]] = 0.25
    assert weights[0] == pytest.approx(expected, abs=1e-6)
    assert networks.looks_of(Exact().model, lattices(4).grids) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="expected a model with attention"):
        networks.looks_of(keras.Sequential([keras.Input((16, 1))]), lattices(4).grids)


@pytest.mark.parametrize("name", ["energy_2d_attention", "energy_2d_bi_attention"])
def test_attention_of_two_equal_stacks_turns_with_the_lattice(name):
    """What is read along the columns of a lattice is read along the rows of its transpose."""
    core = networks.NETWORKS[name](Sizes(1, 1), IsingSettings(model=name, units=(4,), window=16))
    for layer in core.layers:
        if layer.name.endswith("_1"):
            layer.set_weights([5 * each for each in core.get_layer(layer.name[:-1] + "0").get_weights()])
            core.get_layer(layer.name[:-1] + "0").set_weights(layer.get_weights())
    grids, turned = lattices(4).grids, np.arange(16).reshape(4, 4).T.ravel()
    looks, others = networks.looks_of(core, grids), networks.looks_of(core, grids.transpose(0, 2, 1))
    assert looks.sum(axis=1) == pytest.approx(np.ones(16), abs=1e-5)
    assert others == pytest.approx(looks[turned][:, turned], abs=1e-5)
    assert np.abs(looks - looks[turned][:, turned]).max() > 1e-3


def test_bars_of_energies_stand_beside_the_exact_share_of_each():
    found = lattices(4)
    above, below = figures.chains(found).axes  # of the beta next to those that are shown
    assert above.get_title() == "beta 0.2"
    levels, share = below.lines[0].get_data()
    seen = found.energies[found.betas == 0.2]
    assert [bar.get_height() for bar in below.patches] == pytest.approx([np.mean(seen == level) for level in levels])
    assert share @ levels == pytest.approx(kaufman(4, 4, 0.2).energy)


def test_chains_of_more_than_64_spins_have_the_exact_mean_alone():
    (above,) = figures.chains(lattices(10)).axes
    assert above.lines[0].get_ydata()[0] == pytest.approx(kaufman(10, 10, 0.2).energy)


def test_scores_are_written_whatever_becomes_of_pictures(monkeypatch, tmp_path):
    found = lattices(4)
    one = report.Judged("shifts", {"test": scores.score(Exact().model, found)})
    monkeypatch.setattr(report, "draw", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write(report.Findings({"test": found}, [one], []), tmp_path / "new")
    assert read_json(tmp_path / "new" / "scores.json")[0]["model"] == "shifts"


def judged(words: str, error: float, validation: float = 1.0) -> report.Judged:
    """A training with settings in words whose two test lattices are off by plus and minus `error`."""
    truth = np.array([0.0, 0.0])
    training = SimpleNamespace(
        settings=IsingSettings.parse(words.split()), parameters=9, history={"val_loss": [9.0, validation]}
    )
    return report.Judged(words, {"test": Score.of(np.array([error, -error]), truth, truth)}, training)


def test_a_name_tells_each_training_from_the_others():
    words = ["model:shifts seed:0", "model:shifts seed:1", "model:energy cell:lstm", "model:energy", "model:places"]
    assert report.names_of([judged(each, 1).training.settings for each in words]) == [
        "shifts seed:0",
        "shifts seed:1",
        "energy cell:lstm",
        "energy cell:gru",
        "places",
    ]
    alone = report.names_of([judged("model:energy cell:lstm units:16", 1).training.settings])
    assert alone == ["energy units:16 cell:lstm"]  # what the source's twin is not
    assert judged("model:energy cell:lstm", 1).published is None
    assert judged("model:energy", 1).published == 15.78


def test_rows_have_mean_and_deviation_over_seeds():
    models = [judged("seed:0", 1), judged("seed:1", 2), judged("seed:2", 6), judged("seed:3 units:8", 50)]
    rows = report.Findings({}, models, []).rows()
    assert [row["seed"] for row in rows] == [0, 1, 2, 3]
    assert rows[1]["over_seeds"] == {"seeds": 3, "mean": 3, "deviation": pytest.approx(7**0.5)}
    assert rows[3]["over_seeds"] == {"seeds": 1, "mean": 50, "deviation": None}


def test_validation_lattices_choose_the_model_no_test_does(monkeypatch, tmp_path):
    """What stands below a folder: a baseline that is best, one lucky on the test set, and one that is best before."""
    kept = {"a": ("model:convolution", 0.1), "b": ("model:shifts", 0.3), "c": ("model:places", 0.2)}
    trainings = {name: judged(words, 1, validation).training for name, (words, validation) in kept.items()}
    for name, (words, _) in kept.items():
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "settings.json", {"model": words.removeprefix("model:")})
        write_json(tmp_path / name / "scores.json", {})
        trainings[name].folder, trainings[name].model = tmp_path / name, name
    errors = {"a": 0.0, "b": 1.0, "c": 2.0}
    monkeypatch.setattr("sim2seq.load_training", lambda place, study: trainings[place.name])
    monkeypatch.setattr("studies.ising.study.lattice_files", lambda store, part: {})
    monkeypatch.setattr("studies.ising.study.read", lambda store: None)
    monkeypatch.setattr(report, "fixed_sets", lambda store: {"test": None})
    monkeypatch.setattr(report, "score", lambda model, lattices: Score(errors[model], errors[model], 1.0, {}))
    monkeypatch.setattr(report, "baselines", lambda training, sets: [])
    found = report.judge("store", tmp_path)
    assert [one.name for one in found.models] == ["places", "shifts"]
    assert [one.name for one in found.baselines] == ["convolution"]


def test_errors_are_raw_centred_and_by_beta():
    truth, betas = np.array([0.0, 4.0, -4.0, 8.0]), np.array([0.1, 0.1, 0.2, 0.2])
    found = Score.of(2 * truth + 3, truth, betas)
    assert found.raw == pytest.approx(np.sqrt((9 + 49 + 1 + 121) / 4))
    assert found.centred == pytest.approx(np.sqrt(20))  # the deviation of the truth itself
    assert found.slope == pytest.approx(2)
    assert found.by_beta == {0.1: pytest.approx(np.sqrt(29)), 0.2: pytest.approx(np.sqrt(61))}
    with pytest.raises(ValueError, match="expected one number a lattice each"):
        Score.of(truth[:2], truth, betas)


def test_the_mean_has_slope_nothing_and_the_bonds_are_exact():
    found = lattices(4)
    assert Score.of(np.full(40, 3.0), found.energies, found.betas).slope == 0
    assert np.array_equal(report.bond_sum(found.grids), found.energies)


def test_test_sets_are_the_files_of_each_group_by_rising_beta(tmp_path):
    for group, beta, part in (
        ("test", "0.4", "test"),
        ("test", "0.1", "test"),
        ("source", "0.2", "test"),
        ("t", "0", "train"),
    ):
        words = ["--n_samples", "6", "--burn_in", "5", "--n_x", "4", "--n_y", "4", "--beta", beta, "--part", part]
        simulate.main([*words, "--group", group, "--run", beta, "--filename", str(tmp_path / f"{group}{beta}.h5")])
    store.create(tmp_path / "store.sqlite")
    ingest_folder(tmp_path, tmp_path / "store.sqlite")
    found = scores.fixed_sets(tmp_path / "store.sqlite")
    assert {name: each.betas.tolist() for name, each in found.items()} == {
        "source": [0.2] * 6,
        "test": [0.1] * 6 + [0.4] * 6,
    }
    with pytest.raises(ValueError, match="expected finished trainings"):
        report.judge(tmp_path / "store.sqlite", tmp_path)


def test_lattices_of_another_hamiltonian_are_not_called_exact(tmp_path):
    words = ["--n_samples", "6", "--burn_in", "5", "--n_x", "4", "--n_y", "4", "--model", "ISING2", "--part", "test"]
    simulate.main([*words, "--filename", str(tmp_path / "test.h5")])
    store.create(tmp_path / "store.sqlite")
    ingest_folder(tmp_path, tmp_path / "store.sqlite")
    with pytest.raises(ValueError, match="expected lattices of ISING1, whose exact numbers the report has; got ISING2"):
        report.judge(tmp_path / "store.sqlite", tmp_path)


def test_lattices_without_energies_are_not_judged():
    found = lattices(4)
    with pytest.raises(ValueError, match="expected lattices with their energies"):
        scores.score(Exact().model, files.Lattices(found.grids, found.betas, None, None))


def test_files_to_learn_from_and_to_judge_by_are_independent():
    table = pgen_ensembles.parameter_table(TRAIN=10, TEST="20", SOURCE=80)
    rows = list(zip(*(table[name] for name in ("GROUP_ID", "BETA", "SAMPLES", "PART", "SEED")), strict=True))
    assert [beta for group, beta, *_ in rows if group == "train"] == [round(0.05 * step, 2) for step in range(13)]
    assert ("test", 0.44, 20, "test", 11) in rows
    assert [row for row in rows if row[0] == "source"][-1] == ("source", 0.35, 10, "test", 12)
    assert len({(beta, part, seed) for _, beta, _, part, seed in rows}) == len(rows)  # no two files have one stream
    assert len(set(zip(table["GROUP_ID"], table["RUN_ID"], strict=True))) == len(rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"TRAIN": 0}, "TRAIN:0: expected 1 or more"),
        ({"EVERY": "2"}, "EVERY:2: expected 0.01 to 0.6"),
        ({"SIDE": 5}, "lattice 5 x 5: expected even numbers"),
        ({"SOURCE": 7}, "SOURCE:7: expected 8 or more"),
    ],
)
def test_a_table_that_is_not_possible_is_refused(words, said):
    with pytest.raises(ValueError, match=said):
        pgen_ensembles.parameter_table(**words)
