"""`sim2seq check` counts the runs of a study by its table of parameters; `run` goes on with one only where it began."""

import json

import pytest
import yaml
from specs import SPEC, refusal

from sim2seq import cli
from sim2seq.workflow import plan


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
