"""What a Merlin study consists of: its tasks, their folders, and which depends on which."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sim2seq.preflight import FAST_LOADER

FINISHED = "MERLIN_FINISHED"  # Merlin's mark in the folder of a task that ended well
STATUS = "MERLIN_STATUS.json"


@dataclass(frozen=True)
class Task:
    """One task of a study: its step, its folder, and the folder names of the node of the study graph it belongs to."""

    step: str
    folder: str
    node: str

    @property
    def finished(self) -> bool:
        return os.path.exists(os.path.join(self.folder, FINISHED))


@dataclass(frozen=True)
class Plan:
    """All tasks of a study in the order of its steps; `children` maps a node of the graph to those that follow it."""

    tasks: tuple[Task, ...]
    children: dict[str, list[str]]

    def steps(self) -> dict[str, list[Task]]:
        """Step name -> its tasks."""
        steps = {}
        for task in self.tasks:
            steps.setdefault(task.step, []).append(task)
        return steps

    def stale(self) -> list[Task]:
        """Unfinished tasks and every task that depends on one, at any distance."""
        pending = {task.node for task in self.tasks if not task.finished}
        stale = set()
        while pending:
            node = pending.pop()
            stale.add(node)
            pending.update(child for child in self.children.get(node, ()) if child not in stale)
        return [task for task in self.tasks if task.node in stale]


def load_plan(study: str) -> Plan:
    """The plan of the study in folder `study`, as Merlin expands it. Raises ValueError if there is no study."""
    from sim2seq.messages import MerlinStudy  # 0.5 s

    study = os.path.abspath(study)
    merlin_study = MerlinStudy(str(expanded_spec(os.path.join(study, "merlin_info"))), restart_dir=study)
    graph = merlin_study.dag
    samples = _sample_folders(merlin_study)
    tasks = []
    for node in graph.maestro_values:
        if node == "_source":
            continue
        step = graph.step(node)
        folder = step.get_workspace()
        name = Path(folder).relative_to(study).parts[0]
        parts = samples if samples and step.check_if_expansion_needed(merlin_study.sample_labels) else [""]
        tasks += [Task(name, os.path.join(folder, part).rstrip("/"), node) for part in parts]
    return Plan(tuple(tasks), dict(graph.maestro_adjacency_table))


def _sample_folders(merlin_study) -> list[str]:
    """Folders of the samples below a step's folder; empty for a study without samples."""
    from merlin.common.sample_index import uniform_directories
    from merlin.common.sample_index_factory import create_hierarchy

    count = len(merlin_study.samples)
    if not count:
        return []
    per_level = merlin_study.level_max_dirs
    sizes = uniform_directories(count, bundle_size=1, level_max_dirs=per_level)
    index = create_hierarchy(count, bundle_size=1, directory_sizes=sizes, root="", n_digits=len(str(per_level)))
    return [os.path.dirname(index.get_path_to_sample(sample)) for sample in range(count)]


def expanded_spec(merlin_info: str | Path) -> Path:
    """The expanded spec of a study's merlin_info folder. Raises ValueError unless there is exactly one."""
    found = sorted(Path(merlin_info).glob("*.expanded.yaml"))
    if len(found) != 1:
        raise ValueError(f"{merlin_info}: expected a Merlin study with one *.expanded.yaml, found {len(found)}")
    return found[0]


def expected_runs(merlin_info: str | Path) -> list[str]:
    """Ids, GROUP_ID_RUN_ID, of all runs of the study's parameter table. Raises ValueError if it has no such columns."""
    with expanded_spec(merlin_info).open() as file:
        spec = yaml.load(file, Loader=FAST_LOADER)
    table = spec.get("global.parameters") or {}
    missing = [name for name in ("GROUP_ID", "RUN_ID") if name not in table]
    if missing:
        raise ValueError(f"{merlin_info}: expected the parameters GROUP_ID and RUN_ID, {' and '.join(missing)} missing")
    columns = (table[name]["values"] for name in ("GROUP_ID", "RUN_ID"))
    return [f"{group}_{run}" for group, run in zip(*columns, strict=True)]


def forget(tasks: Iterable[Task]) -> None:
    """Remove Merlin's marks of these tasks, so that `merlin restart` runs them again; their output stays."""
    for task in tasks:
        for name in (FINISHED, STATUS, "status.lock"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(task.folder, name))
