"""What a Merlin study consists of: its tasks, their folders, and which depends on which."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from sim2seq._support.config import split_assignment
from sim2seq._support.files import write_text
from sim2seq.workflow.checks.expansion import reached
from sim2seq.workflow.checks.preflight import FAST_LOADER
from sim2seq.workflow.nested import read_notes

FINISHED = "MERLIN_FINISHED"  # Merlin's mark in the folder of a task that ended well
STATUS = "MERLIN_STATUS.json"
MADE_AS = "made_as"  # in merlin_info: the path of the study's folder when it was made
CHECKED = "checked"  # in merlin_info: that the samples are whole, and the graph has lost nothing


@dataclass(frozen=True)
class Task:
    """One task of a study: the folder of its step (see folder_of), its own, and the node of the graph it belongs to."""

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
        steps: dict[str, list[Task]] = {}
        for task in self.tasks:
            steps.setdefault(task.step, []).append(task)
        return steps

    def stale(self) -> list[Task]:
        """Unfinished tasks and every task that depends on one, at any distance."""
        nodes: dict[str, list[Task]] = {}
        for task in self.tasks:
            nodes.setdefault(task.node, []).append(task)
        place = {task: number for tasks in nodes.values() for number, task in enumerate(tasks)}
        chained, whole = self._chained(nodes), set()
        stale = {task for task in self.tasks if not task.finished}
        pending = list(stale)
        while pending:
            task = pending.pop()
            for child in self.children.get(task.node, ()):
                if child in whole:
                    continue
                after = [nodes[child][place[task]]] if task.node in chained else nodes[child]
                whole |= set() if task.node in chained else {child}
                pending += [one for one in after if one not in stale]
                stale.update(after)
        return [task for task in self.tasks if task in stale]

    def joined(self, other: "Plan", name: str) -> "Plan":
        """This plan and, after it, another study's, whose nodes are told apart by `name`."""
        tasks = (replace(task, node=f"{name}:{task.node}") for task in other.tasks)
        children = {f"{name}:{node}": [f"{name}:{one}" for one in after] for node, after in other.children.items()}
        return Plan((*self.tasks, *tasks), self.children | children)

    def needed_by_all(self, failed: Iterable[Task], ended: Container[Task]) -> Task | None:
        """The one of the `failed` tasks, alone in its step, on which all depend that have not ended; None without."""
        waiting = {task.node for task in self.tasks if task not in ended}
        alone = {tasks[0] for tasks in self.steps().values() if len(tasks) == 1}
        return next(
            (task for task in failed if waiting and task in alone and waiting <= reached(task.node, self.children)),
            None,
        )

    def _chained(self, nodes: dict[str, list[Task]]) -> set[str]:
        """Nodes whose only child has no other parent: there Merlin lets each sample follow its own."""
        parents = Counter(child for after in self.children.values() for child in after)
        pairs = [(node, after[0]) for node, after in self.children.items() if node in nodes and len(after) == 1]
        return {node for node, child in pairs if parents[child] == 1 and len(nodes[node]) == len(nodes[child])}


def folder_of(step: str) -> str:
    """The name of a step's folder: Maestro leaves out some of its characters, and blanks become _."""
    from maestrowf.utils import make_safe_path

    return make_safe_path("", step)


def load_plan(study: str) -> Plan:
    """The plan of the study in folder `study`, as Merlin expands it. Raises ValueError if there is no study."""
    from sim2seq.workflow.messages import MerlinStudy  # 0.5 s

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


def was_checked(study: str | Path) -> bool:
    """Whether the study was to be queued, so that it can go on. Earlier versions, and Merlin, have no such mark."""
    info = Path(study, "merlin_info")
    return any(map(any, (info.glob(CHECKED), info.glob("dag_*.pickle"), Path(study).glob(f"*/**/{STATUS}"))))


def load_whole_plan(study: str) -> Plan:
    """The plan of a study and of those that its steps have made. Raises ValueError if there is no study."""
    plan = load_plan(study)
    for one in read_notes(os.path.join(study, "merlin_info")):
        if one.kind != "refused":
            plan = plan.joined(load_plan(one.folder), one.folder)
    return plan


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


def made_as(variables: dict, study: str) -> str:
    """The path under which Merlin made the study, as noted then or as its expanded variables tell; else `study`."""
    with contextlib.suppress(FileNotFoundError):
        return Path(study, "merlin_info", MADE_AS).read_text()
    output = str(variables.get("OUTPUT_PATH", ""))
    return os.path.join(output, os.path.basename(study)) if os.path.isabs(output) else study


def expected_runs(merlin_info: str | Path, where: Iterable[str] = ()) -> list[str]:
    """Ids, GROUP_ID_RUN_ID, of all runs of the study's parameter table; or of its rows with the values NAME=VALUE.

    Raises ValueError if it has no such columns, or none has such a value.
    """
    columns = parameter_columns(merlin_info)
    missing = [name for name in ("GROUP_ID", "RUN_ID") if name not in columns]
    if missing:
        raise ValueError(f"{merlin_info}: expected the parameters GROUP_ID and RUN_ID, {' and '.join(missing)} missing")
    wanted = dict(map(split_assignment, where))
    for name, value in wanted.items():
        if value not in (known := dict.fromkeys(map(str, columns.get(name, ())))):
            expected = f"one of {', '.join([*known][:5])}" if known else f"a parameter, of {', '.join(columns)}"
            raise ValueError(f"{name}={value}: expected {expected}")
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return [
        f"{row['GROUP_ID']}_{row['RUN_ID']}"
        for row in rows
        if all(str(row[name]) == value for name, value in wanted.items())
    ]


def parameter_columns(merlin_info: str | Path) -> dict[str, list]:
    """Parameter name -> its values, one a run, as the study's folder keeps them."""
    if Path(merlin_info, "table.npy").exists():  # Merlin's samples are batches of its rows
        from sim2seq.data import tables

        table = tables.read_table(Path(merlin_info, tables.TABLE))
        return {name: table[name].tolist() for name in table.dtype.names or ()}
    with expanded_spec(merlin_info).open() as file:
        spec = yaml.load(file, Loader=FAST_LOADER)
    return {name: column["values"] for name, column in (spec.get("global.parameters") or {}).items()}


def forget(tasks: Iterable[Task]) -> None:
    """Remove Merlin's marks of these tasks, so that `merlin restart` runs them again; their results stay.

    What their scripts said goes too: Merlin would append to it, and old errors would be shown with the new ones.
    """
    for task in tasks:
        folder = Path(task.folder)
        said = [script.with_suffix(end) for script in folder.glob(f"{task.step}*.sh") for end in (".out", ".err")]
        for path in [folder / FINISHED, folder / STATUS, folder / "status.lock", *said]:
            path.unlink(missing_ok=True)


def change_variables(study: str, variables: list[str]) -> None:
    """Give variables ("NAME=VALUE") of the begun study `study` new values; steps whose commands change run again.

    Merlin goes on with the expanded spec, where variables are replaced already, so that spec is made anew from the
    partial one. Raises ValueError, with nothing changed, where that does not give the study as it was made, and
    jsonschema's or YAML's errors for a value that Merlin cannot read.
    """
    from sim2seq.workflow.messages import MerlinSpec, parse_override_vars

    info = Path(study, "merlin_info")
    path = expanded_spec(info)
    partial, original = (path.with_name(path.name.replace(".expanded.", kind)) for kind in (".partial.", ".orig."))
    if not partial.exists() or not original.exists():
        raise ValueError(f"{info}: expected {partial.name} and {original.name}: without them no variable can change")
    old = MerlinSpec.load_specification(str(path))
    changes = parse_override_vars(variables)
    changes = {name: value for name, value in changes.items() if value != old.environment["variables"][name]}
    if not changes:
        return
    _refuse_dependents(original, changes)
    table, old.globals = old.globals, {}
    template = _partial_study(partial, study, old)
    template.override_vars = changes
    new = template.get_expanded_spec()
    if new.description != old.description or new.merlin["samples"] != old.merlin["samples"]:
        raise ValueError(f"{', '.join(changes)}: the study's name or its samples come from it, so it cannot change now")
    both = zip(new.study, old.study, strict=True)
    changed = [folder_of(step["name"]) for step, before in both if step["run"] != before["run"]]
    new.globals = table
    written = MerlinSpec.load_specification(str(partial))
    written.environment["variables"] = new.environment["variables"]
    texts = {partial: written.dump(), path: new.dump()}  # the expanded one last: what it says is what holds
    MerlinSpec.load_spec_from_string(texts[partial], needs_verification=True)
    forget(task for task in load_plan(study).tasks if task.step in changed)
    for target, text in texts.items():
        write_text(target, text)


def _refuse_dependents(original: Path, changes: dict) -> None:
    """Raise ValueError if another variable is made from a changed one: the partial spec holds its old value."""
    with original.open() as file:
        env = yaml.load(file, Loader=FAST_LOADER).get("env") or {}
    for name, text in {**(env.get("variables") or {}), **(env.get("labels") or {})}.items():
        for changed in changes:
            if name not in changes and f"$({changed})" in str(text):
                raise ValueError(f"{name} is made from {changed}: give {name} as well")


def _partial_study(partial: Path, study: str, expanded):
    """The MerlinStudy of a partial spec with the values of the expanded one, able to make the same expanded spec.

    The one thing that Merlin wrote down nowhere is $(SPECROOT): it is what makes both texts the same.
    """
    from sim2seq.workflow.messages import MerlinStudy

    class WithoutGraph(MerlinStudy):
        def load_dag(self):
            """The partial spec has no parameters to make a graph with."""

    token = "$(SPECROOT)"
    template = WithoutGraph(str(partial), restart_dir=made_as(expanded.environment["variables"], study))
    template.original_spec.environment["variables"] = expanded.environment["variables"]
    template.special_vars["SPECROOT"] = token
    again = template.get_expanded_spec()
    again.globals = {}
    first, *rest = map(re.escape, again.dump().split(token))
    pattern = first + "".join(("(?P=root)" if number else "(?P<root>.+?)") + part for number, part in enumerate(rest))
    found = re.fullmatch(pattern, expanded.dump())
    if not found:
        raise ValueError(f"{partial}: does not lead to the expanded spec beside it, so no variable can change")
    template.special_vars["SPECROOT"] = found["root"] if rest else token
    return template
