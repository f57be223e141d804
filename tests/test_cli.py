"""The `sim2seq` command: bad input ends with one line for each problem and exit code 2, before anything is started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sim2seq import cli
from sim2seq.workflow import plan, request
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.checks.generators import generator_problems

ROOT = Path(__file__).parent.parent
STEP = {"name": "simulate", "description": "one run", "run": {"cmd": "echo $(RUN_ID)"}}
SPEC = {
    "description": {"name": "tiny", "description": "a study"},
    "env": {"variables": {"OUTPUT_PATH": "out"}},
    "study": [STEP],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    monkeypatch.setattr(preflight, "parallel_file_system", lambda path: None)  # wherever the tests run
    write_spec(SPEC)
    (tmp_path / "pgen.py").write_text("def get_custom_generator(env, **kwargs):\n    return kwargs['NUM_STUDIES']\n")
    return tmp_path


def write_spec(spec: dict, **changes) -> None:
    with open("spec.yaml", "w") as file:
        yaml.safe_dump(spec | changes, file)


def workers(overlap=False, **steps) -> dict:
    named = {name: {"args": "", "steps": list(names)} for name, names in steps.items()}
    return {"resources": {"overlap": overlap, "workers": named}}


def refusal(capsys, *arguments) -> str:
    """What the command says on stderr when it refuses; one line, nothing on stdout."""
    assert cli.main([str(word) for word in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


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


@pytest.fixture
def merlin_info(folder):
    """A study of four runs, as `merlin run` leaves it."""
    info = folder / "merlin_info"
    info.mkdir()
    table = {"GROUP_ID": {"values": ["a"] * 4, "label": "G%%"}, "RUN_ID": {"values": [1, 2, 3, 4], "label": "R%%"}}
    (info / "tiny.expanded.yaml").write_text(yaml.safe_dump(SPEC | {"global.parameters": table}))
    return info


@pytest.mark.parametrize(("allowed", "code"), [("0", 1), ("0.24", 1), ("0.25", 0)])
def test_check_names_the_missing_runs(merlin_info, capsys, monkeypatch, allowed, code):
    from sim2seq.store import store

    monkeypatch.setattr(store, "missing_runs", lambda path, expected: [run for run in expected if run == "a_3"])
    result = cli.main(["check", "store.sqlite", str(merlin_info), "--allow", allowed, "--json", "completeness.json"])
    assert result == code
    assert capsys.readouterr().err.splitlines() == ["1 of 4 runs are not in store.sqlite:", "a_3"]
    with open("completeness.json") as file:
        assert json.load(file) == {"expected": 4, "stored": 3, "missing": ["a_3"], "allowed": float(allowed)}


def test_share_that_may_be_missing_is_exact(merlin_info, monkeypatch):
    from sim2seq.store import store

    monkeypatch.setattr(plan, "expected_runs", lambda info, where: [f"a_{run}" for run in range(100)])
    monkeypatch.setattr(store, "missing_runs", lambda path, expected: expected[:29])
    check = ["check", "store.sqlite", str(merlin_info), "--allow"]
    assert [cli.main([*check, share]) for share in ("0.28", "0.29")] == [1, 0]


def test_two_runs_of_one_id_are_named_and_not_counted(tmp_path, monkeypatch, capsys):
    """The second would have replaced the first in the store."""
    monkeypatch.setattr(plan, "expected_runs", lambda info, where: ["a_1", "a_2", "a_1"])
    assert cli.main(["check", "store.sqlite", str(tmp_path)]) == 2
    assert "expected an id for each run, GROUP_ID_RUN_ID is twice a_1" in capsys.readouterr().err


@pytest.fixture
def two_kinds(folder):
    """A study whose table has the ids a_1 and a_2 in each of two stores."""
    info = folder / "merlin_info"
    info.mkdir()
    columns = {"GROUP_ID": ["a"] * 4, "RUN_ID": [1, 2, 1, 2], "KIND": ["pong", "pong", "cube", "cube"]}
    table = {name: {"values": values, "label": f"{name}.%%"} for name, values in columns.items()}
    (info / "tiny.expanded.yaml").write_text(yaml.safe_dump(SPEC | {"global.parameters": table}))
    return str(info)


def test_check_counts_only_the_runs_of_its_store(two_kinds, monkeypatch, capsys):
    from sim2seq.store import store

    monkeypatch.setattr(store, "missing_runs", lambda path, expected: [run for run in expected if run == "a_2"])
    check = ["check", "store.sqlite", two_kinds, "--where"]
    assert cli.main([*check, "KIND=cube"]) == 1
    assert capsys.readouterr().err.splitlines() == ["1 of 2 runs are not in store.sqlite:", "a_2"]
    assert cli.main([*check, "KIND=cube", "RUN_ID=1"]) == 0
    assert "twice a_1" in refusal(capsys, *check[:3])


@pytest.mark.parametrize(
    ("where", "words"), [("KIND=ball", "expected one of pong, cube"), ("SIZE=1", "expected a parameter, of GROUP_ID")]
)
def test_check_of_values_that_no_run_has_is_refused(two_kinds, capsys, where, words):
    assert f"{where}: {words}" in refusal(capsys, "check", "store.sqlite", two_kinds, "--where", where)


def begun_study(folder, output, name):
    info = folder / "out" / name / "merlin_info"
    info.mkdir(parents=True)
    for kind in ("orig", "partial", "expanded"):
        spec = SPEC | {
            "env": {"variables": {"OUTPUT_PATH": str(output), "TOLERATED": 0}},
            "user": {},
        }  # as Merlin ends it
        (info / f"tiny.{kind}.yaml").write_text(yaml.safe_dump(spec))
    return info.parent


def test_going_on_refuses_another_place(folder, capsys):
    study = begun_study(folder, folder / "out", "tiny_20260101-120000")
    assert "a study stays where it began" in refusal(capsys, "run", study, "--vars", "OUTPUT_PATH=elsewhere")


@pytest.mark.parametrize("name", ["tiny_20260101-120000", "tiny_20260101-120000_copy", "renamed"])
def test_moved_study_is_refused(folder, capsys, name):
    """Its commands name the old place: they would work there, or on a copy's original."""
    output = folder / ("elsewhere" if name.endswith("0") else "out")
    words = f"this study was made in {output} as tiny_<date>-<time>: move it back"
    assert words in refusal(capsys, "run", begun_study(folder, output, name))


def test_going_on_where_no_worker_starts_is_refused(folder, capsys):
    study = begun_study(folder, folder / "out", "tiny_20260101-120000")
    (path,) = study.glob("merlin_info/*.expanded.yaml")
    path.write_text(
        path.read_text() + yaml.safe_dump({"merlin": {"resources": {"workers": {"w": {"machines": ["x y"]}}}}})
    )
    assert "no worker serves the step 'simulate': its worker 'w' is not started" in refusal(capsys, "run", study)


def test_a_moved_study_is_refused_if_its_spec_lacks_where_it_was(folder, capsys):
    study = begun_study(folder, "out", "tiny_20260101-120000")
    (study / "merlin_info" / plan.MADE_AS).write_text(f"{folder}/elsewhere/tiny_20260101-120000")
    assert f"this study was made in {folder}/elsewhere as" in refusal(capsys, "run", study)


def test_check_refuses_a_folder_without_a_parameter_table(merlin_info, capsys):
    (merlin_info / "tiny.expanded.yaml").write_text(yaml.safe_dump(SPEC))
    assert "GROUP_ID and RUN_ID missing" in refusal(capsys, "check", "store.sqlite", merlin_info)


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
