"""Who serves which step on this machine, and what is refused because nobody would, as Merlin itself goes about it."""

import socket

import pytest

from sim2seq.workflow.checks import preflight
from sim2seq.workflow.checks.serving import serving


def spec_of(steps: dict, workers: dict | None = None, *, overlap=False, batch=None, cmd="echo") -> dict:
    """Steps with their queues, workers with their steps or whole settings."""
    study = [{"name": name, "run": {"cmd": cmd, "task_queue": queue}} for name, queue in steps.items()]
    named = {name: own if isinstance(own, dict) else {"steps": own} for name, own in (workers or {}).items()}
    return {"study": study, "batch": batch, "merlin": {"resources": {"overlap": overlap, "workers": named or None}}}


@pytest.mark.parametrize(
    ("spec", "started"),
    [
        (spec_of({"a": None}), ["default_worker"]),
        (spec_of({"a": "q", "b": "q"}, {"w": ["b"]}), ["w"]),  # the queue is served, whoever named the step
        (spec_of({"a": "p", "b": "q"}, {"w": ["b"]}), ["w", "default_worker"]),
        (spec_of({"a": "p", "b": "q"}, {"w": None, "v": None}), ["w"]),
        (spec_of({"a": "q"}, {"w": ["a"], "v": ["a"]}, overlap=True), ["w", "v"]),
        (spec_of({"a": "q"}, {"w": {"steps": ["all"], "machines": [socket.gethostname()[:3]]}}), ["w"]),
    ],
)
def test_workers_that_start_are_those_that_merlin_starts(spec, started):
    found = serving(spec)
    assert (found.started, found.problems) == (started, [])


def test_worker_that_is_not_needed_is_said_not_refused():
    found = serving(spec_of({"a": "q"}, {"w": ["a"], "v": ["a"]}))
    assert found.problems == []
    assert found.notes == [
        "the worker 'v' is not started: it shares the queue 'q' with 'w' while overlap is False: "
        "give their steps task_queues of their own, or set overlap to True"
    ]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            spec_of({"a": "q", "b": "p"}, {"w": ["a"], "v": ["a", "b"]}),
            "no worker serves the step 'b': its worker 'v'",
        ),
        (
            spec_of({"a": "q"}, {"w": {"machines": ["borax", "quartz"]}}),
            "for the machines borax, quartz, and this is",
        ),
        (spec_of({"a": "none"}), "the step 'a' has the task_queue 'none', which Merlin sends to no worker"),
        (spec_of({"a": None}, batch={"type": "slurm"}), "srun is not on this machine, and the worker 'default_worker'"),
        (
            spec_of({"a": None}, batch={"type": "lsf"}, cmd="$(LAUNCHER) x"),
            "jsrun is not on this machine, and the step",
        ),
        (spec_of({"a": None}, batch={"type": "pbs"}), "batch type 'pbs': expected local, slurm, flux, lsf, lsf-srun"),
        (
            spec_of({"a": None}, batch={"type": "flux", "flux_path": "/opt"}),
            "/opt/flux is not on this machine, and Merlin, the worker 'default_worker' cannot start without it",
        ),
    ],
)
def test_step_that_nobody_would_serve_is_refused(spec, words, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "which", lambda *_, **__: None)
    (problem,) = serving(spec).problems
    assert words in problem


def test_launcher_that_a_shell_knows_is_not_missed(tmp_path, monkeypatch):
    """A program on the PATH, a command of the shell, and what is no plain word."""
    (tmp_path / "srun").write_text("")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for launch in (None, "A=1 exec srun", '"my launcher" -n 1', "$(LAUNCH)"):
        assert serving(spec_of({"a": None}, batch={"type": "slurm", "worker_launch": launch})).problems == []
