"""How a run will end: networks see a prefix and nothing else, tables are kept apart, a folder answers alone."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from oracles import STEPS, runs_on

from sim2seq import Ensemble, load_surrogate
from sim2seq.models.builders import Sizes
from sim2seq.models.rollout import is_causal
from sim2seq.oracle.stopping import Oracle
from sim2seq.training.fit import fit
from studies.oracle import networks, tables
from studies.oracle.study import KNOWN, SEEN, STUDY, OracleSettings, read, split_by_table

KEPT = ("table_spread", "radius_100")
COUNTS = {"standard": 131_043, "bidirectional": 78_211, "lite": 30_403}


@pytest.fixture(scope="module")
def runs() -> Ensemble:
    return runs_on([name for part in tables.PARTS for name in tables.names(part)[:3]])


@pytest.fixture(scope="module")
def trained(runs, tmp_path_factory):
    settings = OracleSettings.parse(["size:debug", f"inputs:{','.join(KEPT)}"])
    return fit(runs, settings, tmp_path_factory.mktemp("oracle") / "t", study=STUDY, quiet=True)


@pytest.fixture(scope="module")
def built(runs):
    """Every network, told two conditions."""
    sizes, settings = Sizes(len(SEEN), 3, 0, len(KEPT)), OracleSettings(units=(8, 8))
    told = {"values": runs.values, "conditions": runs.inputs_of_runs(KEPT)}
    return {name: build(sizes, settings, **told) for name, build in networks.NETWORKS.items()}


def fed(runs, steps=STEPS) -> list[np.ndarray]:
    return [np.nan_to_num(runs.values[1::2, :steps]), runs.inputs_of_runs(KEPT)[1::2]]


@pytest.mark.parametrize("name", COUNTS)
def test_the_sources_networks_have_their_numbers_of_parameters(name):
    assert networks.NETWORKS[name](Sizes(3, 3), OracleSettings()).count_params() == COUNTS[name]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_an_answer_depends_on_the_prefix_alone(runs, built, name):
    whole, prefix = (np.asarray(built[name](fed(runs, steps))) for steps in (STEPS, 7))
    np.testing.assert_allclose(whole[:, :7], prefix, atol=1e-6)
    assert is_causal(built[name])


@pytest.mark.parametrize("name", ["attention", "change"])
def test_what_has_learned_nothing_says_the_last_value(runs, built, name):
    if name == "attention":  # its last layer begins at 0 too
        assert not built[name].get_layer("change").get_weights()[0].any()
    np.testing.assert_allclose(built[name](fed(runs)), fed(runs)[0][..., :3], rtol=1e-5)


def test_no_end_is_below_zero_where_no_run_was(runs, built):
    assert built["change"].decode is networks.not_below_zero
    np.testing.assert_array_equal(networks.not_below_zero(np.array([-0.1, 0.2])), [0, 0.2])
    told = {"values": runs.values - 1, "conditions": runs.inputs_of_runs(KEPT)}
    below = networks.change(Sizes(len(SEEN), 3, 0, len(KEPT)), OracleSettings(units=(8,)), **told)
    assert not hasattr(below, "decode")


def test_the_mean_and_spread_of_the_last_half_are_those():
    series = np.random.default_rng(0).uniform(0.1, 1, (1, 12, 1))
    found = np.asarray(networks.looks(series, np.ones(1, dtype="float32"), 1))[0, 9]
    half = np.log(series[0, 5:10, 0])  # of ten steps
    back = 1 + 1 + 1 + 1 + len(networks.BACK)
    np.testing.assert_allclose(found[back : back + 2], [half[-1] - half.mean(), half.std()], rtol=1e-3)


def test_a_condition_beyond_training_counts_as_the_last_one(runs, built):
    series, known = fed(runs)
    far, end = known.copy(), known.copy()
    far[:, 0], end[:, 0] = 1e6, runs.inputs_of_runs(KEPT)[:, 0].max()
    answers = [np.asarray(built["attention"]([series, each])) for each in (far, end)]
    np.testing.assert_allclose(*answers, rtol=1e-6)


def test_no_table_is_in_two_parts_and_an_own_one_is_learned_from(runs):
    names = [name for part in tables.PARTS for name in tables.names(part)[:2]]
    split = split_by_table(runs_on([*names, "mine"]), OracleSettings())
    groups = [{run.rpartition("_")[0] for run in getattr(split, part).runs} for part in tables.PARTS]
    assert groups == [set(tables.names("train")[:2]) | {"mine"}, *(set(tables.names(p)[:2]) for p in tables.PARTS[1:])]
    with pytest.raises(ValueError, match="expected runs on test tables; got none"):
        split_by_table(runs_on(tables.names("train")[:2] + tables.names("validation")[:2]), OracleSettings())


def test_a_training_answers_with_a_band_and_says_what_is_unseen(runs, trained):
    assert trained.scores.share == "progress"
    assert {"last value", "POW4", "MMF4", "ridge", "extra trees", "nearest", "mean"} == set(trained.scores.baselines)
    model, known = load_surrogate(trained.folder), {name: float(runs.inputs[name][0]) for name in KEPT}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        middle, low, high = model.answer(runs.values[0, :6], inputs=known)
    assert ((low <= middle) & (middle <= high)).all()
    assert model.place(runs.values[0, :2]) == model.place(runs.values[1, :4]) == 2  # 20 % of a short and of a long run
    with pytest.warns(match="table_spread 9 is outside the range of the training runs"):
        model.answer(runs.values[0, :6], inputs=known | {"table_spread": 9.0})


def test_one_training_foretells_later_points_and_the_end(runs, tmp_path):
    """The points that are still to come, each with a band of its own; whoever asks for the end tells nothing more."""
    settings = OracleSettings.parse(["recipe:later", "units:8", "members:1", "epochs:1", "passes:1"])
    trained = fit(runs, settings, tmp_path / "t", study=STUDY, quiet=True)
    assert trained.scores.runs["test"] == 3 * 6  # three tables, two runs each, to three points
    seer, known = Oracle.load(trained.folder), {name: float(runs.inputs[name][0]) for name in KNOWN}
    assert seer.inputs == KNOWN
    series = runs.values[0]  # of 10 checkpoints
    for steps, points in ((3, [0.5, 0.75]), (5, [0.75]), (8, [])):
        found = seer.later(series[:steps], known)
        assert list(found) == points
        for answer in found.values():
            assert (answer.low < answer.middle).all()
            assert not answer.doubts
    end, half = seer.ask(series[:3], known), seer.ask(series[:3], known, until=0.5)
    assert (end.middle != half.middle).any()
    along = seer.along(series[None, :3], [3], {name: np.array([value]) for name, value in known.items()})
    np.testing.assert_allclose(along[0][0, 2], end.middle, rtol=1e-4)


def test_doubts_are_those_of_the_answer(runs, trained):
    seer, known = Oracle.load(trained.folder), {name: float(runs.inputs[name][0]) for name in KEPT}
    usual, far = runs.values[0, :6], runs.values[0, :6] + [[9.0, *np.zeros(len(SEEN) - 1)]]
    for series, inputs in ((usual, known), (far, known), (usual, known | {"table_spread": 9.0})):
        assert seer.doubts_of(series, inputs) == seer.ask(series, inputs).doubts
    assert len(seer.doubts_of(far, known)) == 1
    assert not seer.doubts_of(usual, known)


def test_an_oracle_of_ends_alone_says_nothing_of_later_points(runs, trained):
    seer, known = Oracle.load(trained.folder), {name: float(runs.inputs[name][0]) for name in KEPT}
    assert seer.later(runs.values[0, :3], known) == {}
    with pytest.raises(ValueError, match="expected an oracle that has learned later points"):
        seer.ask(runs.values[0, :3], known, until=0.5)


def test_ends_of_schedules_that_a_store_lacks_come_from_its_runs(runs, monkeypatch):
    from studies.oracle import study

    older = {name: column for name, column in runs.inputs.items() if name not in study.LAST}
    monkeypatch.setattr(study, "load_store", lambda path, features: replace(runs, inputs=older))
    found = read("store").inputs
    np.testing.assert_array_equal(found["radius_100"], runs.values[np.arange(runs.runs), runs.lengths - 1, 6])
    monkeypatch.setattr(study, "load_store", lambda path, features: runs)
    assert read("store").inputs is runs.inputs
