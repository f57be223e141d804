"""Specs as Merlin's users write them run to their true end."""

import json
import types
from pathlib import Path

from scene import finish, prepared

from sim2seq.workflow import nested, orchestrate, rounds
from sim2seq.workflow.checks import preflight
from sim2seq.workflow.nested import Nested
from sim2seq.workflow.plan import Plan, Task

PLAIN = """
description: {name: plain, description: no variables; one worker, two steps, one queue; samples from here}
study:
    - name: build
      description: first
      run: {cmd: echo built > built.txt, task_queue: q}
    - name: runs
      description: second
      run: {cmd: echo $(X) > ran.txt, depends: [build], task_queue: q}
merlin:
    resources:
        workers:
            w: {args: -l INFO --concurrency 1, steps: [runs]}
    samples:
        file: $(MERLIN_INFO)/samples.csv
        column_labels: [X]
        generate: {cmd: cp numbers.csv $(MERLIN_INFO)/samples.csv}
"""


def test_spec_without_variables_runs_from_where_it_is_called(study):
    study.spec.write_text(PLAIN)
    (study.folder / "numbers.csv").write_text("1\n2\n")
    code, output = finish(study.start(study.spec), 300)
    assert code == 0, output
    assert "note: the worker 'default_worker' is not started: it shares the queue 'q' with 'w'" in output
    (folder,) = study.folder.glob("plain_*")
    assert [path.read_text() for path in sorted(folder.glob("runs/*/ran.txt"))] == ["1\n", "2\n"]


OUTER = """
description: {name: outer, description: steps that make the next studies as iterations of Merlin's do}
env: {variables: {OUTPUT_PATH: ./out}}
study:
    - name: work
      description: first iteration
      run: {cmd: echo one > done.txt}
    - name: next
      description: queued in this study's broker, though an app.yaml in the way names another
      run: {cmd: cd $(SPECROOT) && merlin run inner.yaml, depends: [work]}
    - name: there
      description: done in the step; however merlin is called
      run: {cmd: python -m merlin.main run --local $(SPECROOT)/inner.yaml --vars OUTPUT_PATH=there, depends: [work]}
    - name: nowhere
      description: a queue of its own, which nobody serves; the step hides it
      run: {cmd: merlin run $(SPECROOT)/inner.yaml --vars QUEUE=mine || true, depends: [work]}
"""

INNER = """
description: {name: inner, description: the next iteration}
env: {variables: {OUTPUT_PATH: ./inner_output, QUEUE: merlin}}
study:
    - name: work
      description: second iteration, which fails in the step
      run: {cmd: "echo two > done.txt; pwd | grep -v /there/", task_queue: $(QUEUE)}
"""

STRANGER = """
broker: {name: redis, server: 127.0.0.1, port: 1, password: ""}
results_backend: {name: redis, server: 127.0.0.1, port: 1}
"""


def test_studies_that_steps_make_reach_this_broker_and_count(study):
    study.spec.write_text(OUTER)
    (study.folder / "inner.yaml").write_text(INNER)
    (study.folder / "app.yaml").write_text(STRANGER)
    study.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1"
    code, output = finish(study.start(study.spec), 300)
    assert code == 1, output
    (folder,) = study.folder.glob("out/outer_*")
    (queued,) = study.folder.glob("inner_output/inner_*")
    (there,) = folder.glob("there/there/inner_*")
    assert f"a step made a study, queued: {queued}" in output
    assert (queued / "work" / "MERLIN_FINISHED").exists()
    assert f"failed    {there.relative_to(folder)}/work" in output
    assert "no worker serves the task queues mine, only merlin" in output
    assert "1 of 6 tasks did not finish" in output


def test_study_that_a_step_made_is_made_again_with_the_step():
    """The first was made by a task that runs again, the second by a task of the first."""
    notes = [
        Nested(f"/s/{name}", task, "queued") for name, task in (("a", "/s/next"), ("b", "/s/a/next"), ("c", "/s/o"))
    ]
    assert nested.without_stale(notes, {"/s/next"}) == notes[2:]


def test_study_of_a_step_that_was_removed_is_none_any_more(study):
    """By a later step, after its end, or by somebody: neither the study nor going on with it fails for that."""
    now = rounds.StudyRun(str(study.spec), [], [], made=str(prepared(study)))
    now.nested = [Nested(f"{study.folder}/{kind}", f"{now.folder}/prepare", kind) for kind in ("queued", "local")]
    nested.keep_notes(now.folder, now.nested)
    progress = orchestrate._progress(now)
    assert {task.step for task in progress.plan.tasks} == {"prepare", "simulate", "ingest", "learn"}
    nested.take_in(rounds.StudyRun("", [], [], made=now.folder), progress, f"{now.folder}/merlin_info", None)
    assert orchestrate._prepare_restart(now, types.SimpleNamespace(say=print))
    assert now.nested == []


def test_plans_of_two_studies_stay_apart_under_equal_step_names():
    def chain(folder):
        return Plan((Task("a", f"{folder}/a", "a"), Task("b", f"{folder}/b", "b")), {"a": ["b"]})

    whole = chain("one").joined(chain("two"), "two")
    assert whole.children == {"a": ["b"], "two:a": ["two:b"]}
    assert [task.folder for task in whole.steps()["b"]] == ["one/b", "two/b"]


def test_step_that_changes_the_environment_is_said(study, tmp_path, monkeypatch):
    """Installers leave folders; a step that calls pip changes what all later steps and studies run on."""
    monkeypatch.setattr(preflight, "package_places", lambda: [str(tmp_path / "site")])
    for name in ("numpie-2.4.6", "gone_one-1.0"):
        (tmp_path / "site" / f"{name}.dist-info").mkdir(parents=True)
    now = rounds.StudyRun(str(study.spec), [], [], made=str(prepared(study)))
    (tmp_path / "site" / "numpie-2.4.6.dist-info").rename(tmp_path / "site" / "numpie-1.26.4.dist-info")
    (tmp_path / "site" / "gone_one-1.0.dist-info").rename(tmp_path / "site" / "new_one-0.11.egg-info")
    said = []
    display = types.SimpleNamespace(say=said.append)
    orchestrate._summarise(now, orchestrate._progress(now), display, outcome="finished", code=0)
    changes = ["gone_one 1.0 is gone", "new_one 0.11 is new", "numpie 2.4.6 is now 1.26.4"]
    assert said == [f"this environment changed while the study ran, by a step or from outside: {', '.join(changes)}"]
    assert json.loads(Path(now.folder, "sim2seq_run.json").read_text())["environment_changes"] == changes


CODES = """
description: {name: codes, description: steps that ask for something by their exit codes}
env: {variables: {OUTPUT_PATH: ./out}}
study:
    - name: again
      description: restarts, then retries, then ends well
      run:
          cmd: "echo x >> tries; case $(wc -l < tries) in 1) exit $(MERLIN_RESTART);; 2) exit $(MERLIN_RETRY);; esac"
    - name: soft
      description: fails, and lets the others go on
      run: {cmd: exit $(MERLIN_SOFT_FAIL)}
    - name: stop
      description: ends the workers once all is done
      run: {cmd: exit $(MERLIN_STOP_WORKERS), depends: [again, soft]}
"""


def test_steps_that_end_with_merlins_codes_are_named(study):
    study.spec.write_text(CODES)
    code, output = finish(study.start(study.spec), 300)
    assert code == 1, output
    asked = (
        "again MERLIN_RESTART once, again MERLIN_RETRY once, soft MERLIN_SOFT_FAIL once, stop MERLIN_STOP_WORKERS once"
    )
    assert f"exit codes of Merlin's own: {asked}\n" in output
    assert "failed    soft\n          | soft.sh: exit code 101, MERLIN_SOFT_FAIL" in output
    assert "1 of 3 tasks failed" in output  # stopping the workers is what the third was to do
    (folder,) = study.folder.glob("out/codes_*")
    assert json.loads((folder / "sim2seq_run.json").read_text())["merlin_codes"][0] == ["again", "MERLIN_RESTART", 1]
