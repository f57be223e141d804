"""Serving: the workers that Merlin starts on this machine, the steps they serve, and the programs that start both."""

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass, field

from sim2seq.workflow.checks.preflight import search_path

LAUNCHERS = {"slurm": "srun", "flux": "flux", "lsf": "jsrun", "lsf-srun": "srun"}  # batch type -> what $(LAUNCHER) is
STARTED_DIRECTLY = ("local", "lsf", "lsf-srun")  # batch types whose workers need no launcher (merlin/study/batch.py)


@dataclass
class Serving:
    """Workers that Merlin starts here for a spec, and their queues; why it cannot be served; what is not as asked."""

    started: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def serving(spec: dict) -> Serving:
    """How the spec (its sections `study`, `merlin` and `batch`) is served on this machine, as Merlin goes about it.

    A worker takes whatever comes through its queues, so a step is served if one of them has its queue. Steps that no
    worker names are the default worker's. A worker for other machines is not started, nor, while overlap is False, one
    with a queue that an earlier one has.
    """
    queues = {step["name"]: step["run"].get("task_queue") or "merlin" for step in spec["study"]}
    resources = (spec.get("merlin") or {}).get("resources") or {}
    settings = {name: worker or {} for name, worker in (resources.get("workers") or {}).items()}
    named = {name: worker.get("steps") for name, worker in settings.items()}
    found = Serving(problems=_name_problems(named, queues))
    holders: dict[str, str] = {}  # queue -> the first worker that has it
    reasons: dict[str, str] = {}  # queue -> why a worker that was to serve it is not started
    for worker, steps in _assigned(named, list(queues)).items():
        own = {queues[step] for step in steps if step in queues}
        taken = sorted(own & holders.keys()) if not resources.get("overlap") else []
        if why := _elsewhere(settings.get(worker, {})) or (taken and _shares(taken[0], holders[taken[0]])):
            reasons = dict.fromkeys(own, f"its worker {worker!r} is not started, as {why}") | reasons
            found.notes.append(f"the worker {worker!r} is not started: {why}")
        else:
            found.started.append(worker)
            holders = dict.fromkeys(own, worker) | holders
    for step, queue in queues.items():
        if str(queue).lower() == "none":
            found.problems.append(f"the step {step!r} has the task_queue {queue!r}, which Merlin sends to no worker")
        elif queue not in holders and not found.problems:
            found.problems.append(f"no worker serves the step {step!r}: {reasons.get(queue, 'it is none of theirs')}")
    found.problems += _launch_problems(spec, settings, found.started)
    found.queues = sorted(holders)
    return found


def _name_problems(named: dict[str, list[str] | None], queues: dict[str, str]) -> list[str]:
    problems = [
        f"worker {one!r} has no step: name its steps, or remove it" for one, steps in named.items() if steps == []
    ]
    return problems + [
        f"worker {worker!r} names the step {step!r}, which the study does not have"
        for worker, steps in named.items()
        for step in steps or ()
        if step != "all" and step not in queues
    ]


def _assigned(named: dict[str, list[str] | None], steps: list[str]) -> dict[str, list[str]]:
    """Worker -> its steps, with the default worker that Merlin adds (MerlinSpec.process_spec_defaults)."""
    assigned = {worker: steps if own is None or "all" in own else own for worker, own in named.items()}
    left = [step for step in steps if not any(step in own for own in assigned.values())]
    return assigned | ({"default_worker": left} if left else {})


def _elsewhere(worker: dict) -> str | None:
    """That a worker is for other machines than this; None if it is not."""
    machines, here = worker.get("machines"), socket.gethostname()
    machines = [machines] if isinstance(machines, str) else machines or []
    if not machines or any(str(machine) in here for machine in machines):
        return None
    return f"it is for the machines {', '.join(map(str, machines))}, and this is {here}"


def _shares(queue: str, holder: str) -> str:
    return (
        f"it shares the queue {queue!r} with {holder!r} while overlap is False: "
        "give their steps task_queues of their own, or set overlap to True"
    )


def _launch_problems(spec: dict, settings: dict[str, dict], started: list[str]) -> list[str]:
    """One line for each program that has to start workers or steps and is not there, and each unknown batch type."""
    batch = spec.get("batch") or {}
    needs: dict[str, list[str]] = {}
    if batch.get("type") == "flux":  # Merlin asks its version before it queues anything
        needs[_launcher(batch)] = ["Merlin"]
    for worker in started:
        own = settings.get(worker, {}).get("batch") or batch
        if (own.get("type") or "local") not in STARTED_DIRECTLY:
            needs.setdefault(_launcher(own, own.get("worker_launch")), []).append(f"the worker {worker!r}")
    kinds = {step["name"]: (step["run"].get("batch") or {}).get("type") or batch.get("type") for step in spec["study"]}
    for step in spec["study"]:
        run, kind = step["run"], kinds[step["name"]]
        if any(name in f"{run['cmd']} {run.get('restart')}" for name in ("$(LAUNCHER)", "$(VLAUNCHER)")):
            needs.setdefault(_launcher(batch | {"type": kind}), []).append(f"the step {step['name']!r}")
    unknown = {str(kind) for kind in kinds.values() if kind and kind not in ("local", *LAUNCHERS) and "$(" not in kind}
    return [f"batch type {kind!r}: expected local, {', '.join(LAUNCHERS)}" for kind in sorted(unknown)] + [
        f"{program} is not on this machine, and {', '.join(who)} cannot start without it"
        for program, who in needs.items()
        if not _found(program)
    ]


def _launcher(batch: dict, launch: str | None = None) -> str:
    """The program that starts something under a batch type; "" if there is none, or none that can be known."""
    if launch:
        words = (word for word in launch.split() if "=" not in word)
        return next(words, "")
    program = LAUNCHERS.get(batch.get("type") or "local", "")
    return os.path.join(batch.get("flux_path") or "", program) if program == "flux" else program


def _found(program: str) -> bool:
    """Whether a shell would find it; True for what is no plain word."""
    if not re.fullmatch(r"[\w./+-]+", program) or shutil.which(program, path=search_path()):
        return True
    return subprocess.run(["sh", "-c", 'command -v -- "$1"', "sh", program], capture_output=True).returncode == 0
