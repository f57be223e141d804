"""Parameters of imported runs, in JSON, YAML or TOML: a file that each run has beside it."""

import json

import pytest
from foreign import imported

from sim2seq import cli
from sim2seq._support import parameters
from sim2seq.data.foreign.files import found_below
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.records import RecordError
from sim2seq.store import imports, store

SERIES = "t,x\n0,1\n1,2\n"


def campaign(folder, **told):
    """A folder a run, NAME/out/series.csv, with the file that is told."""
    for number, (name, (file, text)) in enumerate(told.items()):
        (folder / name / "out").mkdir(parents=True)
        (folder / name / "out" / "series.csv").write_text(f"t,x\n0,1\n1,{number}\n")
        (folder / name / file).write_text(text)
    return folder


def put(path, *files, **options):
    return imports.import_files(path, files, Reading(), **options)


def test_each_run_has_a_file_of_what_it_was_given(tmp_path, capsys):
    """In its folder or the one above; nested, with units, as programs write it."""
    nested = {
        "drag": {"factor": 0.5},
        "mass": {"value": 2, "units": "kg"},
        "place": [1, 2.5],
        "wet": True,
        "none": None,
    }
    other = {**nested, "drag": {"factor": "1e-3"}, "solver": {"seed": 3, "name": "euler", "day": "2024_01"}}
    runs = campaign(tmp_path / "runs", a=("params.json", json.dumps(nested)), b=("params.json", json.dumps(other)))
    path = tmp_path / "s.sqlite"
    assert cli.main(["import", str(path), str(runs), "--inputs", "params.json"]) == 0
    said = capsys.readouterr().out
    assert "passed by" not in said  # what was read is not among the files that were not
    assert "inputs:drag.factor " in said
    ensemble = store.load(path)
    known = {"drag.factor": [0.5, 1e-3], "mass": [2, 2], "place.0": [1, 1], "place.1": [2.5, 2.5], "wet": [1, 1]}
    assert {name: ensemble.inputs[name].tolist() for name in known} == known
    assert ensemble.units["mass"] == "kg"
    assert "none" not in ensemble.inputs
    words = put(path, runs, inputs="params.json", dry_run=True).seen.inputs
    assert (words["solver.day"], words["solver.name"]) == (["2024_01"], ["euler"])


@pytest.mark.parametrize(("suffix", "text"), [
    (".json", '\ufeff{"mass": 2.5}'), (".yaml", "mass: 25e-1  # kg"), (".yml", "{mass: 2.5}"), (".toml", "mass = 2.5"),
])  # fmt: skip
def test_a_file_may_be_called_as_its_run(tmp_path, suffix, text):
    (tmp_path / "v1.2.csv").write_text(SERIES)
    (tmp_path / f"v1.2{suffix}").write_text(text)
    assert put(tmp_path / "s.sqlite", tmp_path / "v1.2.csv", inputs=suffix).counts == {"added": 1}
    assert store.load(tmp_path / "s.sqlite").inputs["mass"].tolist() == [2.5]


def test_parameters_go_over_what_names_and_files_say(tmp_path):
    (tmp_path / "k=1.csv").write_text("t,x,mass\n0,1,3\n1,2,3\n")
    (tmp_path / "params.toml").write_text("k = 2\nmass = 4\nc = 5\n")
    done = put(tmp_path / "s.sqlite", tmp_path / "k=1.csv", inputs="params.toml")
    assert done.seen.inputs == {"k": [2], "mass": [4], "c": [5]}


def test_yaml_is_read_as_people_read_it(tmp_path):
    """YAML 1.1 has 8 for 010, 90 for 1:30, and one name for on, yes and true."""
    numbers = "{n: 010, m: 008, half: .5, big: 1e5, clock: 1:30, on: 3, yes: 1, wet: true, dry: FALSE, no: ~, way: off}"
    (tmp_path / "p.yaml").write_text(
        f"base: &base {{k: 1, c: 2}}\nused: {{<<: *base, c: 3}}\nall: {numbers}\nday: 2024-01-05\n"
    )
    values, units = parameters.read(tmp_path / "p.yaml")
    assert {name[4:]: value for name, value in values.items() if name.startswith("all.")} == {
        **{
            "n": 10,
            "m": 8,
            "half": 0.5,
            "big": 1e5,
            "clock": "1:30",
            "on": 3,
            "yes": 1,
            "wet": 1,
            "dry": 0,
            "way": "off",
        }
    }
    assert [values[name] for name in ("used.k", "used.c", "base.c", "day")] == [1, 3, 2, "2024-01-05"]
    assert units == {}
    (tmp_path / "p.yaml").write_text("# nothing yet\n")
    assert parameters.read(tmp_path / "p.yaml") == ({}, {})


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "? [1, 2]\n: 3\n", "a: !!python/object/apply:os.system ['touch made']\n"]
)
def test_yaml_that_would_lose_a_value_or_make_one_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"p\.yaml: expected YAML") as refused:
        parameters.read(tmp_path / "p.yaml")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "made").exists()


def test_what_is_nan_was_not_told(tmp_path):
    (tmp_path / "a.csv").write_text(SERIES)
    (tmp_path / "p.toml").write_text("mass = nan\nlength = 2\n")
    assert put(tmp_path / "s.sqlite", tmp_path / "a.csv", inputs="p.toml").seen.inputs == {"length": [2]}


def test_a_run_without_a_file_does_not_get_that_of_all(tmp_path):
    """Where others have their own; one for all runs is that of each."""
    runs = campaign(tmp_path / "runs", a=("params.json", '{"mass": 1}'), b=("notes.md", ""))
    (tmp_path / "runs" / "b" / "series.csv").write_text(SERIES)
    (tmp_path / "runs" / "b" / "out" / "series.csv").unlink()
    (tmp_path / "runs" / "params.json").write_text('{"mass": 999}')
    with pytest.raises(
        RecordError, match=r"expected params\.json beside each run, as .*a/params\.json; one has .* alone"
    ):
        put(tmp_path / "s.sqlite", runs, inputs="params.json")
    (tmp_path / "runs" / "b" / "params.json").write_text('{"mass": 2}')
    done = put(tmp_path / "s.sqlite", runs, inputs="params.json")
    assert done.seen.inputs == {"mass": [1, 2]}
    assert not [line for line in done.lines if line.startswith("not read")]


def test_one_file_named_in_two_ways_is_one(tmp_path, monkeypatch):
    campaign(tmp_path, a=("p.yaml", "mass: 1"), b=("p.yaml", "mass: 2"))
    monkeypatch.chdir(tmp_path)
    whole = str(tmp_path / "a" / "out" / "series.csv")
    assert put("s.sqlite", "a/out/series.csv", "b/out/series.csv", whole).counts == {"added": 2}
    assert found_below(["b/out/series.csv", "a", whole, "b"]) == ["b/out/series.csv", "a/out/series.csv"]
    assert store.run_ids("s.sqlite") == ["a", "b"]


def test_names_are_changed_as_asked_and_never_two_into_one(tmp_path):
    campaign(tmp_path, a=("p.json", '{"m": 1, "mass": 2}'))
    data, path = tmp_path / "a" / "out" / "series.csv", tmp_path / "s.sqlite"
    done = imports.import_files(path, [data], Reading(rename={"m": "gain"}), inputs="p.json", dry_run=True)
    assert done.seen.inputs == {"gain": [1], "mass": [2]}
    with pytest.raises(RecordError, match=r"run series has another mass: 2\.0, and before 1\.0"):
        imports.import_files(path, [data], Reading(rename={"m": "mass"}), inputs="p.json")


def test_relative_names_are_found_in_the_folder_above(tmp_path, monkeypatch):
    campaign(tmp_path, a=("p.yaml", "mass: 1"))
    monkeypatch.chdir(tmp_path / "a" / "out")
    assert imported("s.sqlite", "series.csv") == {"added": 1}
    assert put("s.sqlite", "series.csv", inputs="p.yaml", replace=True).counts == {"replaced": 1}


@pytest.mark.parametrize(("text", "why"), [
    (None, r"--inputs: expected a file params.json beside .*b/out/series\.csv, or in the folder above; there is none"),
    ("[1, 2]", r"params\.json: expected names and values; got a list"),
    ("", "expected JSON"),
    ("null", "expected names and values; got None"),
    ('{"mass": ', "expected JSON"),
    ('{"a.b": 1, "a": {"b": 2}}', "expected names that differ; got 'a.b' twice"),
    ('{"c": 1, "mass": 1, "mass": 5}', "expected names that differ; got 'mass' twice"),
    ('{"mass\\n": 5}', "expected names of up to 200 letters in a line; got 'mass.*n'"),
    ('{"mass": "\\ud800"}', "mass: expected text"),
    ('{"mass": 1' + "0" * 400 + "}", "mass: expected a number that a computer can hold"),
    ('{"mass": Infinity}', "input mass: expected a finite number or a gap, got inf"),
    ('{"mass": {"value": 1, "unit": "g"}}', "run b has another unit of mass: 'g', and before 'kg'"),
    (json.dumps(dict.fromkeys(map(str, range(10_001)), 1)), "expected up to 10000 values"),
    ('{"mass": "' + "x" * 1_000_001 + '"}', "expected parameters of one run, up to 1 MB"),
])  # fmt: skip
def test_what_is_no_file_of_parameters_is_refused(tmp_path, text, why):
    runs = campaign(
        tmp_path / "runs",
        a=("params.json", '{"mass": {"value": 1, "units": "kg"}}'),
        b=("notes.md" if text is None else "params.json", text or ""),
    )
    with pytest.raises(RecordError, match=why) as refused:
        put(tmp_path / "s.sqlite", runs, inputs="params.json")
    assert "\n" not in str(refused.value)
    assert "damaged" not in str(refused.value)
    assert not (tmp_path / "s.sqlite").exists()


def test_a_path_is_refused_since_each_run_has_its_own(tmp_path):
    runs = campaign(tmp_path / "runs", a=("params.json", "{}"))
    with pytest.raises(RecordError, match=r"expected the name alone of a file .* beside it, params\.json"):
        put(tmp_path / "s.sqlite", runs, inputs=str(runs / "a" / "params.json"))


@pytest.mark.parametrize(("name", "told"), [("params.json", "params.json"), ("a.json", ".json")])
def test_files_of_parameters_that_are_not_read_are_told(tmp_path, name, told):
    (tmp_path / "a.csv").write_text(SERIES)
    for each in (name, "0.log"):
        (tmp_path / each).write_text("{}")
    *_, passed, line, _ = put(tmp_path / "s.sqlite", tmp_path, dry_run=True).lines
    assert passed.startswith("passed by: 2 other files such as 0.log below")
    assert line == f"not read: {tmp_path / name}; where it is said what runs were given: --inputs {told}"


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a\n  b: *a\n", "x: [[" + "[" * 3000])
def test_yaml_without_end_gives_one_line(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"p\.yaml: expected") as refused:
        parameters.read(tmp_path / "p.yaml")
    assert "\n" not in str(refused.value)


def test_a_few_letters_that_stand_for_a_billion_values_end(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "p.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="expected up to 10000 values"):
        parameters.read(tmp_path / "p.yaml")
