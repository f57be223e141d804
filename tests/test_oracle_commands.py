"""The oracle's commands on files in the formats of its source; one tiny training serves all tests."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import Told, source_curves

from sim2seq import load_store, load_surrogate
from sim2seq._support.command import run
from sim2seq.data import curves
from sim2seq.oracle import commands
from sim2seq.oracle.stopping import Oracle

TINY = ["window:1", "units:8", "epochs:2", "members:2", "passes:1", "jit_compile:false", "steps_per_execution:1"]
SEQUENCE = {
    "epochs": [10, 120, 230],
    "mqe": [2.0, 1.5, 1.2],
    "topographic_error": [0.3, 0.2, 0.2],
    "dead_neuron_ratio": [0.2, 0.25, 0.3],
}


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A training on 40 curves of the source's kind, its folder."""
    folder = tmp_path_factory.mktemp("oracle")
    table = source_curves(folder / "dataset.csv", 40)
    assert commands.main(["train", str(table), *TINY, "--output", str(folder / "training")]) == 0
    return folder / "training"


@pytest.fixture
def sequence(tmp_path):
    path = tmp_path / "partial.json"
    path.write_text(json.dumps(SEQUENCE))
    return path


def test_the_sources_table_is_split_as_the_source_splits_it(training):
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(40), test_size=0.15, random_state=42)
    split = json.loads((training / "split.json").read_text())
    assert sorted(split["test"]["runs"]) == sorted(f"curve_{place + 1}" for place in test)
    sizes = [len(split[part]["runs"]) for part in ("train", "validation", "test")]
    assert sizes == [28, 6, 6] == [len(rest) - 6, 6, len(test)]


@pytest.mark.parametrize("name", ["topographic_error", "topo_error"])
def test_curves_stand_in_the_order_asked_for_by_either_name(tmp_path, name):
    table = source_curves(tmp_path / "dataset.csv", 10)
    table.write_text(table.read_text().replace('""topographic_error""', f'""{name}""'))
    seen = commands.in_order(curves.read_curves(table))
    assert seen == ("mqe", name, "dead_neuron_ratio", "epochs")


def test_a_partial_sequence_gets_an_interval_and_a_word(training, sequence, capsys):
    assert commands.main(["predict", str(training), str(sequence)]) == 0
    *ends, word = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in ends] == ["mqe_final", "topographic_error_final", "dead_neuron_ratio_final"]
    assert word.split(":")[0] in ("go on", "stop", "not sure")
    assert "against 1: a chance of" in word  # the source's limit
    assert commands.main(["predict", str(training), str(sequence), "--below", "-9"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("stop: ")


def test_what_stands_at_later_points_is_told_before_the_end(capsys):
    class OfStretches(Told):
        def later(self, series, inputs=None):
            return {0.5: self.ask(series + 1), 0.75: self.ask(series)}

    seer = OfStretches(lambda series, inputs: (series[-1], np.full(1, 0.5)))
    asked = SimpleNamespace(weights=[], below=1.0, chance=0.05)
    commands.say(seer, np.array([[3.0]]), {}, asked)
    *lines, word = capsys.readouterr().out.splitlines()
    assert lines == ["loss at 50 % 4 (3.5 to 4.5)", "loss at 75 % 3 (2.5 to 3.5)", "loss_final 3 (2.5 to 3.5)"]
    assert word.startswith("stop: ")


def test_one_compiled_answer_is_that_of_the_models(training):
    seer, model = Oracle.load(training), load_surrogate(training)
    series = np.array([SEQUENCE[name] for name in seer.features]).T
    along = seer.along(series[None], [3])
    for steps in (1, 2, 3):
        answer, one = seer.ask(series[:steps]), model.answer(series[:steps])
        for mine, theirs, all_ in zip((answer.middle, answer.low, answer.high), one, along, strict=True):
            assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5)
            assert mine == pytest.approx(all_[0, steps - 1], rel=1e-4, abs=1e-5)
    assert seer.together is not None


def test_errors_are_told_by_share_and_target(training, tmp_path, capsys):
    assert commands.main(["evaluate", str(training)]) == 0
    own = capsys.readouterr().out.splitlines()
    assert own[0] == "mean absolute error, 6 runs"
    assert own[-1].split()[:2] == ["100", "%"]
    others = source_curves(tmp_path / "others.csv", 8, seed=5)
    assert commands.main(["evaluate", str(training), str(others)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "mean absolute error, 8 runs"


def test_curves_are_collected_into_a_store(tmp_path, capsys):
    table = source_curves(tmp_path / "curves.csv", 5)
    assert commands.main(["collect", str(tmp_path / "store.sqlite"), str(table)]) == 0
    ensemble = load_store(tmp_path / "store.sqlite")
    assert (ensemble.runs, ensemble.steps) == (5, 10)
    assert set(ensemble.results) >= {"mqe_final", "dead_neuron_ratio_final"}


def test_a_run_of_another_kind_is_not_sure(training, sequence, capsys):
    sequence.write_text(json.dumps(SEQUENCE | {"mqe": [900.0, 800.0, 700.0]}))
    assert commands.main(["predict", str(training), str(sequence)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("not sure: mqe 900 is far from")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mqe": [2.0]}, "expected lists of one length"),
        ({"epochs": [10, 10, 20]}, "expected them to increase"),
        ({"mqe": [2.0, float("nan"), 1.0]}, "expected a finite number"),
        ({"topographic_error": [2.0, 1.0, 1.0]}, "expected a share from 0 to 1"),
        ({name: values * 4 for name, values in SEQUENCE.items()} | {"epochs": list(range(12))}, "up to 10 checkpoints"),
        ({"mqe": 3}, "missing mqe"),
        ({"mqe": [-0.5, -0.7, -1.0]}, "mqe: checkpoint 1: expected 0 or more, got -0.5"),
        ({"epochs": [-30, -20, -10]}, "epochs: checkpoint 1: expected 0 or more"),
        ({"epochs": [100, 1200, 1300]}, "epochs: expected up to 1000, as the training runs have; got 1300"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(training, sequence, capsys, change, said):
    sequence.write_text(json.dumps(SEQUENCE | change))
    assert run(lambda: commands.main(["predict", str(training), str(sequence)])) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "mqe_final=nan", "--below", "1"], "weight of mqe_final: expected 0 to"),
        (["--weights", "mqe_final"], "--weights mqe_final: expected NAME=VALUE, with a number\n"),
        (["--weights", "other=1"], "goal: expected some of mqe_final"),
        (["--inputs", "rows"], "--inputs rows: expected NAME=VALUE, with a number\n"),
        (["--below", "nan"], "--below nan: expected a finite number"),
        (["--chance", "0.7"], "chance 0.7: expected a number"),
    ],
)
def test_a_goal_that_cannot_be_is_refused_before_a_prediction(training, sequence, capsys, words, said):
    assert run(lambda: commands.main(["predict", str(training), str(sequence), *words])) == 2
    out, error = capsys.readouterr()
    assert said in error
    assert (out, error.count("\n")) == ("", 1)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_too_large_for_the_models_are_doubted(training, sequence, capsys):
    sequence.write_text(json.dumps(SEQUENCE | {"mqe": [1e300, 1e299, 1e300]}))
    assert run(lambda: commands.main(["predict", str(training), str(sequence)])) == 0
    out, error = capsys.readouterr()
    assert out.splitlines()[-1].startswith("not sure: mqe 1e+300 is far from")
    assert error == ""


def test_where_the_models_give_no_number_none_is_shown(capsys):
    seer = Told(lambda series, inputs: (np.nan, 1.0), doubts=("loss 9 is far from that",))
    with pytest.raises(ValueError, match="the models give no number for this run; loss 9 is far"):
        commands.say(seer, np.array([[3.0]]), {}, SimpleNamespace(weights=[], below=1.0, chance=0.05))
    assert capsys.readouterr().out == ""


def test_ends_lie_between_what_they_can_be(training):
    """A distance that was never below 0 in training is 0 or more; a share is 1 at most."""
    seer = Oracle.load(training)
    assert [each.tolist() for each in seer.possible] == [[0.0, 0.0, 0.0], [np.inf, 1.0, 1.0]]
    answer = seer.ask(np.array([[10.0 if name == "epochs" else 1.0 for name in seer.features]]))
    low, high = np.array([each[1:] for each in answer.shown().values()]).T
    assert low == pytest.approx(np.clip(answer.low, 0, seer.possible[1]))
    assert high == pytest.approx(np.clip(answer.high, 0, seer.possible[1]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "nowhere", "x.json"], "expected the folder of a training"),
        (["train", "store.sqlite"], "--study: expected the study.py"),
        (["train", "nowhere.csv"], "No such file"),
        (["evaluate", "nowhere"], "expected the folder of a training"),
    ],
)
def test_what_is_not_there_is_said(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(lambda: commands.main(words)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
