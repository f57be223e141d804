"""Specs as Merlin's users write them run to their true end."""

from scene import finish

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
    code, output = finish(study.start(study.spec))
    assert code == 0, output
    assert "note: the worker 'default_worker' is not started: it shares the queue 'q' with 'w'" in output
    (folder,) = study.folder.glob("plain_*")
    assert [path.read_text() for path in sorted(folder.glob("runs/*/ran.txt"))] == ["1\n", "2\n"]
