"""The `sim2seq` command: bad input ends with one line for each problem and exit code 2, before anything is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from specs import SPEC, STEP, refusal, write_spec

from sim2seq import cli
from sim2seq.workflow import request
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.checks.generators import generator_problems

ROOT = Path(__file__).parent.parent


def workers(overlap=False, **steps) -> dict:
    named = {name: {"args": "", "steps": list(names)} for name, names in steps.items()}
    return {"resources": {"overlap": overlap, "workers": named}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.yaml"], "nowhere.yaml: expected a Merlin spec or a study's folder, No such file"),
        (["pgen.py"], "expected"),
        (["."], "expected a Merlin study with one *.expanded.yaml, found 0"),
        (["spec.yaml", "--pgen", "pgen.py", "--runs", "0"], "--runs 0: expected 1 or more"),
        (["spec.yaml", "--runs", "3"], "add --pgen FILE"),
        (["spec.yaml", "--pgen", "nowhere.py"], "nowhere.py: expected a parameter generator, No such file"),
        (["spec.yaml", "--pgen", "spec.yaml"], "expected a Python file"),
        (["spec.yaml", "--workers", "2"], "--workers: spec.yaml has no variable CONCURRENCY; it has OUTPUT_PATH"),
        (["spec.yaml", "--vars", "EPOCHS=3"], "--vars EPOCHS=3: spec.yaml has no variable EPOCHS"),
        (["spec.yaml", "--vars", "OUTPUT_PATH"], "--vars OUTPUT_PATH: expected NAME=VALUE"),
        (["spec.yaml", "--vars", "OUTPUT_PATH="], "--vars OUTPUT_PATH=: expected NAME=VALUE"),
        (["spec.yaml", "--output", "a=b"], "a=b: Merlin does not take a path with = in it"),
        (["spec.yaml", "--output", "pgen.py"], "pgen.py: cannot be written to: choose another place with --output"),
    ],
)
def test_bad_input_is_refused_in_one_line(folder, capsys, arguments, words):
    assert words in refusal(capsys, "run", *arguments)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": None}, "expected a Merlin spec with a list of steps"),
        ({"description": {"name": 5}}, "expected a name of the study under 'description', text, got 5"),
        ({"description": ["tiny"]}, "expected names with values under 'description', got ['tiny']"),
        ({"description": {"name": "tiny"}}, "Merlin refuses it: Key 'description' is missing"),
        ({"env": ["a"]}, "expected names with values under 'env', got ['a']"),
        ({"merlin": {"samples": {}}}, "merlin.samples: expected a file, got {}"),
        ({"merlin": {"samples": {"file": "a.csv"}}}, "merlin.samples: expected column_labels"),
        ({"global.parameters": {"X": {"values": [], "label": "X"}}}, "X: expected a list of values, one a row; got []"),
        ({"study": [STEP, STEP]}, "two steps have the name 'simulate', and Merlin runs the first"),
        (
            {"study": [STEP | {"run": {"cmd": "a", "depends": ["b"]}}]},
            "depends on 'b': expected a step that stands bef",
        ),
        ({"merlin": {"resources": {"workers": {"a": {"args": "--concurency 1"}}}}}, "Did you mean '--concurrency'?"),
        ({"env": {"variables": ["a"]}}, "expected names with values under 'variables' in 'env', got ['a']"),
        ({"env": {"variables": {"OUTPUT_PATH": "out", "MERLIN_INFO": "x"}}}, "Cannot reassign value of reserved word"),
        ({"merlin": "x"}, "expected names with values under 'merlin', got 'x'"),
        ({"merlin": {"resources": {"workers": ["a"]}}}, "under 'workers' in 'resources' in 'merlin', got ['a']"),
        ({"merlin": {"resources": {"workers": {"a": "x"}}}}, "expected names with values under 'a', got 'x'"),
        ({"merlin": {"resources": {"workers": {"a": {"steps": "x"}}}}}, "expected a list of steps for the worker 'a'"),
        ({"global.parameters": ["a"]}, "expected names with values under 'global.parameters', got ['a']"),
        ({"study": [{"name": ["a"], "run": {"cmd": "a"}}]}, "expected every step to have a name"),
        ({"study": [{"name": "simulate"}]}, "expected every step to have a name and a run with a cmd"),
        ({"study": [{"name": "simulate", "run": {"cmd": True}}]}, "expected text as the cmd of 'simulate', got True"),
        ({"merlin": workers(one=["simulate"], two=["training"])}, "worker 'two' names the step 'training'"),
        ({"merlin": workers(one=["simulate"], two=[])}, "worker 'two' has no step"),
        ({"batch": {"type": "slurm", "worker_launch": "srum -n 1"}}, "srum is not on this machine, and the worker"),
    ],
)
def test_bad_spec_is_refused_in_one_line(folder, capsys, changes, words):
    write_spec(SPEC, **changes)
    assert words in refusal(capsys, "run", "spec.yaml")


def test_broken_yaml_is_refused_in_one_line(folder, capsys):
    (folder / "spec.yaml").write_text("study: [\n")
    assert "spec.yaml: expected YAML" in refusal(capsys, "run", "spec.yaml")


@pytest.mark.parametrize("asked", [["--runs", "9"], ["--pargs", "NUM_STUDIES:9"], ["--vars", "OUTPUT_PATH=out"]])
def test_room_is_asked_for_every_run(folder, capsys, monkeypatch, asked):
    """However the number of runs is given; the last way is the spec's own table."""
    monkeypatch.setattr(preflight, "FREE_BYTES", 0)
    monkeypatch.setattr(preflight, "BYTES_PER_RUN", 10**18)
    write_spec(SPEC, **{"global.parameters": {"RUN_ID": {"values": [0] * 9, "label": "R%%"}}})
    assert f"{9 * 10**9:.2f} GB needed" in refusal(capsys, "run", "spec.yaml", "--pgen", "pgen.py", *asked)


@pytest.mark.parametrize("text", ["from other import *", "from other import f as get_custom_generator", "{} = len"])
def test_generator_may_come_from_another_file(folder, text):
    (folder / "pgen.py").write_text(text.format("get_custom_generator"))
    assert generator_problems("pgen.py", ["ANY"]) == []


@pytest.mark.parametrize("value", ["many", "/nowhere/store.sqlite"])
def test_variables_that_make_no_samples_may_mean_anything(folder, value):
    write_spec(SPEC, env={"variables": {"OUTPUT_PATH": "~/$HERE", "RUNS": value, "STORE": value}})
    study = request.new_study("spec.yaml", None, None, [f"RUNS={value}"], [], None)
    assert study.client[2:] == ["--vars", f"RUNS={value}"]
    assert study.output == os.path.expanduser("~/$HERE")


def test_full_disk_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setattr(preflight, "FREE_BYTES", 10**18)
    assert "GB needed: choose another place" in refusal(capsys, "run", "spec.yaml")


def test_celery_that_loses_tasks_is_refused(folder, capsys, monkeypatch):
    versions = preflight.package_versions() | {"celery": "5.7.0"}
    monkeypatch.setattr(preflight, "package_versions", lambda: versions)
    assert "install 'celery>=5.5,<5.7'" in refusal(capsys, "run", "spec.yaml")


def test_setuptools_without_pkg_resources_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    assert "install 'setuptools<80.9'" in refusal(capsys, "run", "spec.yaml")


def test_root_without_c_force_root_is_refused(folder, capsys, monkeypatch):
    monkeypatch.delenv("C_FORCE_ROOT")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert "set C_FORCE_ROOT=1" in refusal(capsys, "run", "spec.yaml")


def test_generators_own_refusal_is_passed_on(folder, capsys):
    """Merlin starts, the generator raises: its words, and no study."""
    (folder / "pgen.py").write_text(
        "def get_custom_generator(env, NUM_STUDIES):\n"
        "    raise ValueError(f'NUM_STUDIES:{NUM_STUDIES}: expected 8 or more')\n"
    )
    message = refusal(capsys, "run", "spec.yaml", "--pgen", "pgen.py", "--runs", "7")
    assert "NUM_STUDIES:7: expected 8 or more" in message
    assert os.listdir("out") == [".sim2seq.lock"]


def test_doctor_starts_what_the_study_would_start(folder, capsys):
    write_spec(SPEC, **{"global.parameters": {"RUN_ID": {"values": [1, 2], "label": "R%%"}}})
    assert cli.main(["doctor", "spec.yaml"]) == 0
    assert capsys.readouterr().out.endswith("a study can run here\n")
    bad = {"one": {"args": "--concurency 1", "steps": ["simulate"]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sim2seq.workflow.checks.launch.bad_arguments", lambda text: None
        )  # as if only the worker itself knew
        write_spec(SPEC, **{"merlin": {"resources": {"workers": bad}}})
        assert cli.main(["doctor", "spec.yaml"]) == 2
    said = capsys.readouterr().err
    assert "worker 'one': 'celery -A merlin worker --concurency 1' ends with exit code 2: Error: No such option" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"global.parameters": {"RUN_ID": {"values": [1, 1], "label": "R%%"}}}, "rows 1 and 2 of the parameters are"),
        ({"global.parameters": {"RUN_ID": {"values": [], "label": "R%%"}}}, "RUN_ID: expected a list of values"),
        ({"study": [STEP, STEP]}, "two steps have the name 'simulate'"),
        ({"study": [STEP | {"run": {"cmd": "echo", "shell": "/bin/bsah"}}]}, "no script of /bin/bsah can start"),
    ],
)
def test_doctor_says_what_a_run_would_say(folder, capsys, monkeypatch, changes, words):
    monkeypatch.setattr("sim2seq.doctor.started_problems", lambda spec, started: [])
    write_spec(SPEC, **changes)
    assert cli.main(["doctor", "spec.yaml"]) == 2
    assert words in capsys.readouterr().err


def test_name_that_stands_twice_in_a_spec_is_refused(folder, capsys):
    """YAML itself keeps the last one, without a word."""
    with open("spec.yaml", "a") as file:
        file.write("env: {variables: {OUTPUT_PATH: other}}\n")
    assert "'env' stands 2 times in one place" in refusal(capsys, "run", "spec.yaml")


def test_relative_temporary_folder_is_that_of_the_caller(folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", ".")
    assert cli.main(["doctor"]) == 0
    assert os.environ["TMPDIR"] == str(folder)


def test_help_needs_no_heavy_import(folder):
    code = "import sys; from sim2seq import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    code += (
        "heavy = {'numpy', 'merlin', 'kosh', 'tensorflow', 'redis', 'rich'} & set(sys.modules); sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_make_run_of_an_unknown_study_says_so_and_builds_nothing(tmp_path):
    for name in ("swing", "fall"):
        (tmp_path / "studies" / name).mkdir(parents=True)
    (tmp_path / "studies" / "swing" / "suite.yaml").touch()
    generator = tmp_path / "studies" / "swing" / "pgen_ensembles.py"
    (tmp_path / "setup.sh").write_text("#!/bin/sh\ntouch built\n")
    (tmp_path / "setup.sh").chmod(0o755)
    command = ["make", "-C", tmp_path, "-f", ROOT / "Makefile", "run"]
    done = subprocess.run([*command, "STUDY=fall"], capture_output=True, text=True, check=False)
    assert (done.returncode, "STUDY=fall: expected one of: swing" in done.stderr) == (2, True)
    assert len([line for line in done.stderr.splitlines() if "directory" not in line]) == 1
    assert not (tmp_path / "built").exists()
    pgen = '--pgen "studies/swing/pgen_ensembles.py"'
    for code, words, tail in (
        ("def get_custom_generator(env):\n", [], f"{pgen} "),
        ("def get_custom_generator(env):\n", ["RUNS=8"], f"{pgen} --runs 8"),
        ("def main():\n", ["RUNS=8"], " --runs 8"),  # its suite draws samples itself
    ):
        generator.write_text(code)
        words = [*command, "-n", "STUDY=swing", *words]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        assert f'run "studies/swing/suite.yaml" {tail}\n' in said.stdout


@pytest.mark.parametrize(
    ("place", "words"), [("no/r.html", "no/r.html: its folder does not exist"), (".", "is a folder")]
)
def test_an_unwritable_report_is_refused_before_the_training(folder, capsys, place, words):
    assert words in refusal(capsys, "train", "no_store_was_looked_for.sqlite", "--report", place)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("{", ["--report", "r.html"], "counted.json: expected JSON"),
        ('{"expected": 4, "stored": 4}', ["--report", "r.html"], "expected expected, stored, missing, allowed, as"),
        ("[]", ["--report", "r.html"], "as sim2seq check --json writes; got []"),
        ("{}", [], "--completeness counted.json: it stands in the report: give --report FILE, too"),
    ],
)
def test_a_count_of_runs_that_is_none_is_refused_before_training(folder, capsys, content, options, words):
    (folder / "counted.json").write_text(content)
    command = ["train", "no_store_was_looked_for.sqlite", "--completeness", "counted.json", *options]
    assert words in refusal(capsys, *command)


@pytest.mark.parametrize("words", [["doctor"], ["run", "spec.yaml"]])
def test_an_interrupted_command_ends_with_130_and_a_line(folder, capsys, monkeypatch, words):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("sim2seq.workflow.checks.preflight.environment_problems", interrupted)
    assert cli.main(words) == 130
    assert capsys.readouterr().err == f"sim2seq {words[0]}: interrupted\n"
