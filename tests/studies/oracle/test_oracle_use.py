"""The oracle in use on maps: runs that end themselves, a map that others train, an oracle of other runs, a picture."""

import json
from dataclasses import replace

import numpy as np
import pytest
from oracles import SHOWN, TABLE, Told, last_values, seer

from sim2seq._support.command import run
from sim2seq.data import arrays
from sim2seq.data.tables import read_table
from sim2seq.oracle.stopping import Oracle, Rule
from studies.oracle import ask, drawing, ending, evolution, maps, simulate, tables
from studies.oracle.settings import Settings
from studies.oracle.study import read

TINY = ["map_rows:4", "map_columns:4", "mode:stochastic", "epoch_multiplier:1", "checkpoints:20"]


def as_loaded(monkeypatch, oracle) -> None:
    monkeypatch.setattr(Oracle, "load", classmethod(lambda cls, folder: oracle))


@pytest.fixture
def parameter_table(tmp_path):
    """Six runs on one table, the best one first by the size of its map: 12, 3, 3, ..."""
    rows = [(TABLE, size, size, place) for place, size in enumerate((12, 3, 3, 3, 3, 3), start=1)]
    kinds = [("TABLE", "U40"), ("MAP_ROWS", int), ("MAP_COLUMNS", int), ("RUN_ID", int)]
    more = [("MODE", "U12"), ("EPOCH_MULTIPLIER", float), ("CHECKPOINTS", int), ("GROUP_ID", "U40")]
    table = np.array([(*row, "stochastic", 2.0, 20, TABLE) for row in rows], dtype=kinds + more)
    np.save(tmp_path / "table.npy", table)
    return tmp_path / "table.npy"


def test_a_run_ends_itself_and_the_store_says_where(tmp_path, parameter_table, monkeypatch):
    from sim2seq import load_store
    from sim2seq.store import store
    from sim2seq.store.files import ingest_folder

    as_loaded(monkeypatch, seer(last_values))
    monkeypatch.setattr(ending, "RULE", Rule(begin=1))
    out = tmp_path / "runs" / "runs.h5"
    out.parent.mkdir()
    words = ["--table", str(parameter_table), "--rows", "0:6", "--output", str(out), "--oracle", "training"]
    assert run(lambda: simulate.main(words)) == 0
    store.create(tmp_path / "store.sqlite")
    assert ingest_folder(out.parent, tmp_path / "store.sqlite")["added"] == 6
    held = load_store(tmp_path / "store.sqlite")
    ended, progress = held.results["ended_final"], held.results["progress_final"]
    assert ended[0] == 0
    assert ended[1:].any()
    assert ((progress < 1) == (ended == 1)).all()
    last = held.lengths - 1
    seen = held.values[np.arange(6), last, held.features.index("mqe")]
    assert held.results["foretold_mqe_final"][ended == 1] == pytest.approx(seen[ended == 1])
    assert (held.results["foretold_low_mqe_final"] < held.results["foretold_high_mqe_final"]).all()
    learned_from = read(tmp_path / "store.sqlite")
    assert learned_from.run_ids == tuple(run for run, is_ended in zip(held.run_ids, ended, strict=True) if not is_ended)
    assert learned_from.step_unit == ""


def test_runs_ended_by_another_rule_are_made_again(tmp_path, parameter_table, monkeypatch):
    as_loaded(monkeypatch, seer(last_values))
    out = tmp_path / "runs.h5"
    words = ["--table", str(parameter_table), "--rows", "0:3", "--output", str(out)]

    def held(*more) -> list[dict]:
        assert run(lambda: simulate.main([*words, *more])) == 0
        return [each.data for each in arrays.read(out)]

    first = held("--oracle", "training", "--below", "0.8")
    assert [each["below"] for each in first] == [0.8] * 3
    written = out.stat().st_mtime_ns
    assert held("--oracle", "training", "--below", "0.8") == first
    assert out.stat().st_mtime_ns == written
    assert [each["below"] for each in held("--oracle", "training", "--below", "0.5")] == [0.5] * 3
    assert not any("oracle" in each or "ended_final" in each for each in held())


def test_runs_without_oracle_are_learned_from_and_ended_are_not(tmp_path):
    from sim2seq.data.records import Run
    from sim2seq.store import store

    def of(number: int, **results) -> Run:
        return Run(
            f"{TABLE}_{number}", {"mqe_final": 1.0, **results}, {name: [0.1, 0.2] for name in ("time", *maps.SERIES)}
        )

    path = tmp_path / "store.sqlite"
    store.create(path)
    store.ingest(path, [of(1), of(2, ended_final=1), of(3, ended_final=0)])
    assert read(path).run_ids == (f"{TABLE}_1", f"{TABLE}_3")
    store.create(tmp_path / "ended.sqlite")
    store.ingest(tmp_path / "ended.sqlite", [of(1, ended_final=1)])
    with pytest.raises(ValueError, match="expected runs that came to their end; got 1 that the oracle ended"):
        read(tmp_path / "ended.sqlite")


def test_a_run_that_was_never_asked_about_is_kept_with_its_batch(tmp_path, parameter_table):
    oracle = seer(last_values)
    oracle.surrogate.window = 30
    table = read_table(parameter_table, "1:3")
    table["CHECKPOINTS"] = 40, 20
    planned = simulate.planned_runs(table)
    data, _, lengths = simulate.make_runs(table, planned, ending.Judge(oracle))
    assert data["asked_final"] == [1, 0]
    assert lengths == [40, 20]
    assert not [name for name in data if name.startswith("foretold")]


def test_a_run_without_an_oracle_says_nothing_of_one():
    table, settings = tables.load(TABLE), Settings.parse(TINY)
    inputs = simulate.inputs_of(table, settings, maps.plan(settings, len(table.values)))
    _, results = simulate.trained(table, settings, inputs)
    assert not [name for name in results if "foretold" in name or "ended" in name]


def test_the_oracle_is_asked_at_its_shares_and_no_more():
    table, settings = tables.load(TABLE), Settings.parse(TINY)
    inputs = simulate.inputs_of(table, settings, maps.plan(settings, len(table.values)))
    oracle = seer(last_values)
    watch = ending.Judge(oracle, below=9.0).watch(inputs)
    assert maps.train(table.values, settings, watch=watch).ended == maps.WHOLE
    assert (watch.asked, oracle.asked) == (len(ending.AT), len(ending.AT))
    watch = ending.Judge(oracle, below=-9.0).watch(inputs)
    assert len(maps.train(table.values, settings, watch=watch).checkpoints) == 1  # the first share is a checkpoint


def test_below_needs_an_oracle_and_an_oracle_its_features(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        simulate.main([TABLE, "--output", "x.dsv", "--below", "1"])
    as_loaded(monkeypatch, Told(last_values, features=("loss",)))
    words = [TABLE, *TINY, "--output", str(tmp_path / "x.dsv"), "--oracle", "training"]
    assert run(lambda: simulate.main(words)) == 2
    assert "expected an oracle of progress, mqe" in capsys.readouterr().err.splitlines()[-1]


SEQUENCE = {"epochs": [10, 20], "mqe": [0.3, 0.2], "topographic_error": [0.1, 0.1], "dead_neuron_ratio": [0.3, 0.2]}


def test_the_sources_sequence_of_a_map_is_told_its_schedules():
    planned = maps.plan(Settings.parse(TINY), 150)
    found = ask.curves_of_run({name: np.array(values) for name, values in SEQUENCE.items()}, planned, 100.0)
    assert found["progress"].tolist() == [0.1, 0.2]
    assert found["radius"].tolist() == planned.radii[[14, 29]].tolist()
    assert found["work"] == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ([10, 2000], "up to 150 of the whole run; got 10 to 2000"),
        ([0, 20], "expected more than 0"),
        (None, "say how far"),
    ],
)
def test_a_sequence_that_the_run_cannot_have_is_refused(tmp_path, monkeypatch, capsys, epochs, said):
    as_loaded(monkeypatch, seer(last_values))
    content = {name: values for name, values in SEQUENCE.items() if name != "epochs"}
    (tmp_path / "x.json").write_text(json.dumps(content | ({"epochs": epochs} if epochs else {})))
    assert run(lambda: ask.main(["training", str(tmp_path / "x.json"), TABLE, *TINY])) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": ("epochs", "mqe")}, "expected an oracle of progress, mqe"),
        ({"outputs": ("loss_final",)}, "it lacks mqe_final, topographic_error_final, dead_ratio_final"),
        ({"inputs": ("speed",)}, "expected an oracle of maps; it is told speed"),
    ],
)
@pytest.mark.parametrize("command", ["ask", "drawing", "evolution", "simulate"])
def test_an_oracle_of_other_runs_is_refused_before_any_training(command, change, said, tmp_path, monkeypatch, capsys):
    oracle = seer(last_values)
    for name, value in change.items():
        setattr(oracle, name, value)
    as_loaded(monkeypatch, oracle)
    monkeypatch.setattr(simulate, "warm_up", lambda: None)
    monkeypatch.setattr(maps, "train", None)
    (tmp_path / "x.json").write_text(json.dumps(SEQUENCE))
    out = str(tmp_path / "out")
    words = {
        "ask": [ask, "training", str(tmp_path / "x.json"), TABLE, *TINY, "--epochs", "100"],
        "drawing": [drawing, "training", TABLE, out],
        "evolution": [evolution, TABLE, "--oracle", "training", "--seconds", "1", "--output", out],
        "simulate": [simulate, TABLE, *TINY, "--output", out, "--oracle", "training"],
    }
    module, *words = words[command]
    assert run(lambda: module.main(words)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("epochs", ["inf", "nan", "0", "1e308"])
def test_epochs_that_no_run_has_are_refused(epochs, capsys):
    with pytest.raises(SystemExit, match="2"):
        ask.main(["training", "x.json", TABLE, "--epochs", epochs])
    assert "expected a number above 0, up to 1e+09" in capsys.readouterr().err


def test_the_store_is_told_what_was_foretold_within_what_can_be():
    class Sure(Told):
        def ask(self, series, inputs=None):
            return replace(super().ask(series, inputs), least=0.0, most=1.0)

    judge = ending.Judge(Sure(lambda series, inputs: (np.full(3, 0.5), np.full(3, 0.7))), below=9.0)
    judge.oracle.features, judge.oracle.outputs = SHOWN, ending.TARGETS
    watch = judge.watch({"table": TABLE, "table_spread": 1.0})
    watch(np.ones((1, len(maps.SERIES))), None)
    found = judge.results({"table": TABLE, "table_spread": 1.0}, dict.fromkeys(ending.TARGETS, 0.5), watch)
    assert [found[f"foretold{part}_dead_ratio_final"] for part in ending.PARTS] == [0.5, 0.0, 1.0]


def test_a_map_that_somebody_trains_gets_a_word(tmp_path, monkeypatch, capsys):
    as_loaded(monkeypatch, seer(last_values))
    (tmp_path / "x.json").write_text(json.dumps(SEQUENCE))
    ask.main(["training", str(tmp_path / "x.json"), TABLE, *TINY, "--below", "0.35"])
    *_, word = capsys.readouterr().out.splitlines()
    assert word.startswith("stop: 0.4 ")  # 0.2 + 0.1 + half of 0.2


def test_a_map_of_another_program_has_the_checkpoints_it_shows(tmp_path, monkeypatch):
    """Two in a fifth of the run are ten in all, whatever the settings say of trainings of our own."""
    told = []
    oracle = Told(lambda series, inputs: told.append(inputs) or last_values(series, inputs))
    oracle.features, oracle.outputs, oracle.inputs = SHOWN, ending.TARGETS, ("checkpoints",)
    as_loaded(monkeypatch, oracle)
    (tmp_path / "x.json").write_text(json.dumps(SEQUENCE))
    ask.main(["training", str(tmp_path / "x.json"), TABLE, *TINY, "--epochs", "100"])
    assert told == [{"checkpoints": 10.0}]


def test_a_story_shows_where_a_run_was_ended(tmp_path, monkeypatch):
    as_loaded(monkeypatch, seer(last_values))
    monkeypatch.setattr(ending, "RULE", Rule(begin=1))
    drawing.main(["training", TABLE, str(tmp_path)])
    for name in ("strip.png", "map.png"):
        assert 10_000 < (tmp_path / name).stat().st_size < 300_000
    figure = drawing.saved_against_lost({"a": [(0.5, 0.0), (0.7, 0.01)], "b": [(0.4, 0.02)]})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b"]
