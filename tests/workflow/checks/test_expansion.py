"""Whatever Merlin would drop of a study is said before anything runs; what it would change is kept as it is."""

import pytest
import yaml

from sim2seq.workflow.checks.expansion import checked_generator, expansion_problems
from sim2seq.workflow.messages import MerlinStudy


def step(name: str, cmd: str, **more) -> dict:
    return {"name": name, "description": "a step", "run": {"cmd": cmd, **more}}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that makes a MerlinStudy of steps, columns of parameters and of samples."""
    monkeypatch.chdir(tmp_path)

    def make(*steps, table=None, samples=None, command=None, variables=None):
        spec = {"description": {"name": "tiny", "description": "a study"}, "study": list(steps)}
        spec["env"] = {"variables": {"OUTPUT_PATH": str(tmp_path), **(variables or {})}}
        if table:
            spec["global.parameters"] = {name: {"values": v, "label": f"{name}.%%"} for name, v in table.items()}
        if samples is not None or command:
            spec["merlin"] = {"samples": {"file": "samples.csv", "column_labels": ["A", "B"]}}
        if samples is not None:
            (tmp_path / "samples.csv").write_text(samples)
        if command:
            spec["merlin"]["samples"]["generate"] = {"cmd": command}
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        return MerlinStudy("spec.yaml")

    return make


USES = step("one", "echo $(X)")


@pytest.mark.parametrize(
    ("steps", "more", "words"),
    [
        (
            [USES],
            {"table": {"X": [1, 1, 2]}},
            "rows 1 and 2 of the parameters are the same (X: 1), and Merlin runs one",
        ),
        ([USES], {"table": {"X": [1, "1"]}}, "rows 1 and 2 of the parameters are the same"),
        ([USES], {"table": {"X": [1, 2], "Y": [3, 3]}}, None),
        ([USES], {"table": {"X": [1, 1], "Y": [3, 4]}}, "rows 1 and 2 of the parameters are the same (X: 1)"),
        ([USES, step("two", "$(X) $(Y)")], {"table": {"X": [1, 1], "Y": [3, 4]}}, None),
        ([step("one", "echo")], {"table": {"X": [1, 2]}}, "no step uses the parameters X: all 2 rows"),
        ([USES], {"table": {"X": ["a/b", "ab"]}}, "2 tasks would share the folder X.ab"),
        ([USES], {"table": {"X": ["a" * 250, "b"]}}, "a name of 267 bytes is too long for a file"),
        ([step("a b", "echo"), step("a_b", "echo")], {}, "2 steps in 1 folders (a b, a_b)"),
        ([step("one", "echo $(GRAVTY)")], {}, "step 'one': $(GRAVTY) is no variable"),
        ([step("one", "G() { :; }; echo $(G) $(WORKSPACE) $(MERLIN_RESTART) $(date)")], {}, None),
        ([step("one", "echo $(A)")], {"samples": "1,2\n3,4\n"}, None),
        ([step("one", "echo $(A)")], {"samples": "# A,B\n1,2\n"}, None),
        ([step("one", "echo $(A)")], {"samples": "1,2,3\n"}, "samples.csv: 3 columns, 2 column_labels (A, B)"),
        ([step("one", "echo $(A)")], {"samples": "1,a#1\n"}, "samples.csv, line 1: what follows # would be lost"),
        ([step("one", "echo $(A)")], {"samples": "A, B\n1,2\n"}, "samples.csv: its first line is a header"),
        ([step("one", "echo $(A)")], {"samples": '"A","b"\n1,2\n'}, "samples.csv: its first line is a header"),
        ([step("one", "echo $(A)")], {"samples": "\ufeffA,B\n1,2\n"}, "samples.csv: it begins with a byte order mark"),
        ([step("one", "echo $(A)")], {"samples": ""}, "samples.csv: expected samples, one a row; got an array"),
        ([step("one", "echo $(A)")], {"samples": "# A,B\n"}, "samples.csv: expected samples, one a row; got an array"),
        ([step("one", "echo")], {"samples": "1,2\n3,4\n"}, "no step uses A, B: none of the 2 samples would be run"),
        ([step("one", "echo")], {"variables": {"GROUP": "007"}}, "env.variables: GROUP: Merlin reads '007' as 7"),
    ],
)
def test_what_would_be_lost_is_named(made, steps, more, words):
    problems = expansion_problems(made(*steps, **more))
    assert bool(problems) == (words is not None), problems
    assert words is None or words in problems[0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo 1,2 > samples.csv; echo 'no row 2' >&2; exit 3", "the study's samples: no row 2"),
        ("echo 1,2 > samples.csv; kill $$", "the study's samples: ended by SIGTERM"),
        ("true", "the study's samples: nothing has made samples.csv"),
    ],
)
def test_samples_of_a_command_that_fails_are_refused(made, tmp_path, command, words):
    assert expansion_problems(made(step("one", "echo $(A)"), command=command)) == [words]
    assert not (tmp_path / "samples.csv").exists()
    assert expansion_problems(made(step("one", "echo $(A)"), command="echo 1,2 > samples.csv; echo odd >&2")) == []


def test_words_and_commands_stay_what_they_are(made):
    """Merlin writes them without quotes and reads them again: 007 would be 7, and "a, b" two rows."""
    words = ["007", "1:30", "a, b", "yes", "1e5", "it's #1"]
    study = made(step("one", 'echo "$(X) # not a comment: $(X)"'), table={"X": words})
    records = [record for record in study.dag.maestro_values.values() if record]
    assert [record.params["X"] for record in records] == words
    assert [record.step.run["cmd"] for record in records] == [f'echo "{w} # not a comment: {w}"' for w in words]
    again = MerlinStudy(study.expanded_spec.path, restart_dir=study.workspace)
    assert list(again.dag.maestro_values) == list(study.dag.maestro_values)
    assert expansion_problems(study) == []


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"X": {"values": [], "label": "X.%%"}}, "pgen.py: global.parameters: X: expected a list of values"),
        (
            {"X": {"values": [1, None], "label": "X.%%"}},
            "pgen.py: global.parameters: X, row 2: expected a number or word",
        ),
        (KeyError("zz"), "pgen.py: KeyError: 'zz'"),
        (ValueError("RUNS: expected 1 or more"), "pgen.py: RUNS: expected 1 or more"),
    ],
)
def test_generator_that_makes_no_table_is_named(table, words):
    def load_pgen(self, path, pargs):
        if isinstance(table, Exception):
            raise table
        return table

    with pytest.raises(ValueError, match=f"^{words}"):
        checked_generator(load_pgen)(None, "pgen.py", [])


def test_generator_that_adds_a_parameter_twice_is_refused(tmp_path):
    """Maestro would keep the last of them, and only log it."""
    path = tmp_path / "pgen.py"
    path.write_text(
        "from maestrowf.datastructures.core import ParameterGenerator\n"
        "def get_custom_generator(env, **kwargs):\n"
        "    generator = ParameterGenerator()\n"
        "    generator.add_parameter('X', [1, 2], 'X.%%')\n"
        "    generator.add_parameter('X', [3, 4], 'X.%%')\n"
        "    return generator\n"
    )
    with pytest.raises(ValueError, match="parameter X is added twice"):
        checked_generator(MerlinStudy.load_pgen)(None, str(path), [], None)
