"""The last steps of a study are gone through before its first simulation: what would fail there is said here."""

import json
from pathlib import Path

import pytest

from sim2seq import rehearsal
from sim2seq.workflow.checks import commands

ROOT = Path(__file__).parent.parent
PLACE = str(ROOT)
COLAB = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
PYTHON = {"language_info": {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python"}}
OPENS = "import sim2seq\nsim2seq.open_study(None, sim2seq.Settings())\nraise SystemExit('it ran')"


def spec_of(train: str, simulate="python $(SPECROOT)/ball_bounce.py --gravity=$(GRAVITY) --output x.dsv") -> dict:
    steps = [{"name": "simulate", "run": {"cmd": simulate}}, {"name": "learn", "run": {"cmd": train}}]
    return {"study": steps, "global.parameters": {"GRAVITY": {"values": [1]}}}


def said(train: str, **options) -> list[str]:
    asked = rehearsal.request(spec_of(train, **options), PLACE, None)
    return [line.partition("sim2seq train: ")[2] for line in rehearsal.problems(asked["trainings"], asked["names"])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("window:20 inputs:gravity,drag --study $(SPECROOT)/studies/ball_bounce --report r.html", None),
        ("inputs:GRAVTY", "setting inputs 'GRAVTY': nothing in the spec, its generator or the scripts"),
        ("inputs:gravity,drag controls:drag", "setting inputs 'drag': expected one number a run; the study or"),
        ("inputs:num_bounces", "setting inputs 'num_bounces': a result, as its name says"),
        ("window=20 epoch=3", "unknown setting 'epoch'; known: model"),
        ("$(SETTINGS) --each seed='0 1' model='lstm'", "unknown model 'lstm'"),
        ("--study $(SPECROOT)/nowhere.py", "nowhere.py: expected the file of a study"),
        ("--studdy a", "unrecognized arguments: --studdy"),
    ],
)
def test_words_of_a_training_are_read_before_any_simulation(words, expected):
    lines = said(f"set -e\nsim2seq train store.sqlite {words}")
    assert len(lines) == (expected is not None)
    assert expected is None or expected in lines[0]


def test_names_of_a_program_that_nobody_can_read_are_not_judged(tmp_path):
    (tmp_path / "solver").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "solver").chmod(0o755)
    assert said("sim2seq train store.sqlite inputs:viscosity", simulate=f"{tmp_path}/solver 3") == []


READS = "import sim2seq\ndef read(path):\n    'adds the input stiffness'\n    return sim2seq.load_store(path)\n"
OWN = "STUDY = sim2seq.Study('own', task=sim2seq.{}{})"


@pytest.mark.parametrize(
    ("study", "name", "expected"),
    [
        (OWN.format("PerStep(('force',), ('drag',))", ""), "drag", "name it as a feature, one number a step"),
        (OWN.format("PerRun(('num_bounces',), ('mass',))", ""), "mass", "name it as a feature, one number a step"),
        (OWN.format("PerRun(('drag',))", ""), "drag", None),
        (OWN.format("Forecast(('drag',))", ", read=read"), "drag", None),
        (OWN.format("Forecast()", ", read=read") + "\n'stiffness'", "stiffness", None),
        (OWN.format("Forecast()", ", read=read"), "stiffnes", "setting inputs 'stiffnes': nothing in the spec"),
        (OWN.format("Forecast()", ", read=sim2seq.Ensemble"), "stiffnes", None),
    ],
)
def test_inputs_are_what_no_study_says_is_a_feature(tmp_path, study, name, expected):
    """A reader of the study's own may make inputs, of names that stand in its file, of whatever it likes."""
    (tmp_path / "study.py").write_text(READS + study)
    (tmp_path / "simulate.sh").write_text("mass drag num_bounces")
    train = f"sim2seq train store.sqlite inputs:{name} --study {tmp_path}"
    lines = said(train, simulate=f"sh {tmp_path}/simulate.sh")
    assert len(lines) == (expected is not None), lines
    assert expected is None or expected in lines[0]


def test_laws_that_need_an_input_which_no_run_has_are_named():
    """A study whose notebook is copied from the ball's, and whose own runs know nothing of gravity."""
    study = "sim2seq train store.sqlite --study $(SPECROOT)/studies/ball_bounce"
    asked = rehearsal.request(spec_of(study), PLACE, None)
    (line,) = rehearsal.problems(asked["trainings"], ["gravity", "stiffness"])
    assert "the study ball_bounce, with its laws, needs of each run the input 'box_side_length'" in line


def notebook(folder: Path, *cells: str, metadata=PYTHON) -> dict:
    """A training by a notebook with these cells, as a step names it."""
    made = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None} for c in cells]
    (folder / "own.ipynb").write_text(
        json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 0})
    )
    convert = f'jupyter nbconvert --to script --output-dir . "{folder}/own.ipynb"'
    (one,) = commands.trainings(spec_of(f'{convert}\npython own.py "$(MERLIN_WORKSPACE)" window:9'), PLACE)
    return one


@pytest.mark.parametrize(
    ("cells", "metadata", "expected"),
    [
        ([OPENS], PYTHON, None),
        (["%matplotlib inline\nimport os", OPENS], PYTHON, "code cell 1: '%matplotlib inline' is for IPython"),
        (["import os", "x = !ls", OPENS], PYTHON, "code cell 2: 'x = !ls' is for IPython: run `ipython own.py`"),
        (["print(7 % 2, '%d' % 3)", OPENS], PYTHON, None),
        (["x = = 1", OPENS], PYTHON, "code cell 1, line 1: expected Python (invalid syntax)"),
        ([OPENS], COLAB, "nbconvert would write own.txt: convert it with --to python"),
        (["import nosuchpackage", OPENS], PYTHON, "it needs the package nosuchpackage, which is not installed"),
        (["import nosuchpackage", "print(1)"], PYTHON, "it needs the package nosuchpackage, which is not installed"),
        (["raise SystemExit('it ran')"], PYTHON, None),
        ([OPENS.replace("Settings()", "Settings(inputs=('mass',))")], PYTHON, "setting inputs 'mass': nothing"),
        ([OPENS.replace("Settings()", "Settings(windw=3)")], PYTHON, "TypeError"),
    ],
)
def test_a_notebook_that_is_no_script_is_refused_with_the_cell(tmp_path, monkeypatch, cells, metadata, expected):
    lines = list(rehearsal.problems([notebook(tmp_path, *cells, metadata=metadata)], ["gravity"]))
    assert len(lines) == (expected is not None), lines
    assert expected is None or expected in lines[0]


def test_a_notebook_with_magics_may_run_in_ipython(tmp_path, monkeypatch):
    one = notebook(tmp_path, "%matplotlib inline", OPENS) | {"runner": "ipython"}
    assert list(rehearsal.problems([one], None)) == []


def test_a_rehearsal_leaves_open_study_as_it_was(tmp_path):
    import sim2seq
    from sim2seq import notebook as module

    vars(sim2seq).pop("open_study", None)
    assert list(rehearsal.problems([notebook(tmp_path, OPENS)], None)) == []
    assert sim2seq.open_study is module.open_study
    assert module.open_study.__module__ == "sim2seq.notebook"


def test_a_script_of_a_step_needs_its_packages(tmp_path):
    (tmp_path / "near.py").write_text("")
    (tmp_path / "run.py").write_text(
        "import json, near, nosuchpackage\ntry:\n    import other\nexcept ImportError: ...\n"
    )
    lines = list(commands.script_problems(spec_of("echo", simulate=f"timeout 3 python {tmp_path}/run.py --x 3"), PLACE))
    assert lines == [f"step 'simulate': {tmp_path}/run.py needs the package nosuchpackage, which is not installed"]
    samples = {"samples": {"generate": {"cmd": "python $(SPECROOT)/points.py $(MERLIN_INFO)"}}}
    lines = list(commands.script_problems(spec_of("echo", simulate="echo") | {"merlin": samples}, str(tmp_path)))
    assert lines == [f"the study's samples: {tmp_path}/points.py: No such file or directory"]


@pytest.mark.parametrize("suite", ["ball_bounce_suite_merlin_lstm.yaml", "studies/dodging_robot/suite.yaml"])
def test_the_suites_own_trainings_are_found(suite):
    from sim2seq.workflow.checks.preflight import read_spec

    found = commands.trainings(read_spec(str(ROOT / suite)), PLACE)
    assert any(one.get("notebook", "").endswith(".ipynb") for one in found)
